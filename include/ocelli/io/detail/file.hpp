#pragma once

/// @file
/// Whole files to bytes and back, with typed errors.

#include <ocelli/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ocelli::detail {

/// Reads a whole file.
///
/// @param path       the file; a pipe or device works too, and is read until it ends
/// @param max_bytes  more than this is refused, before it is read where the size is known
/// @throws io_error      when the file cannot be opened or read
/// @throws format_error  when it is larger than max_bytes
std::vector<std::byte> read_file(const std::string& path, std::uint64_t max_bytes = std::uint64_t{1} << 36);

/// Writes a whole file, replacing what was there. @throws io_error when that fails
void write_file(const std::string& path, std::span<const std::byte> bytes);

} // namespace ocelli::detail

#if OCELLI_HEADER_ONLY
#    include <ocelli/io/impl/file.inl>
#endif
