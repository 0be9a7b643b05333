#pragma once

#include <ocelli/core/error.hpp>
#include <ocelli/io/detail/file.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>

namespace ocelli::detail {

struct close_file {
    void operator()(std::FILE* f) const noexcept { std::fclose(f); }
};

OCELLI_INLINE std::vector<std::byte> read_file(const std::string& path, std::uint64_t max_bytes) {
    const std::unique_ptr<std::FILE, close_file> file(std::fopen(path.c_str(), "rb"));
    check<io_error>(file != nullptr, path, ": cannot be opened: ", std::strerror(errno));
    // The size is a hint for the first allocation alone: pipes have none, and a file may change while it is read.
    std::uint64_t hint = 0;
    if (std::fseek(file.get(), 0, SEEK_END) == 0) {
        const long end = std::ftell(file.get());
        // A folder opens like a file on Linux and reports the largest size there is; reading it then fails below.
        if (end > 0 && end < std::numeric_limits<long>::max()) hint = static_cast<std::uint64_t>(end);
        std::rewind(file.get());
    }
    check<format_error>(hint <= max_bytes, path, ": has ", hint, " bytes, more than the limit of ", max_bytes);
    std::vector<std::byte> bytes;
    std::size_t used = 0;
    bytes.resize(static_cast<std::size_t>(hint));
    for (;;) {
        if (used == bytes.size()) {
            // One byte more than the hint finds the end of a file that has the size it reported.
            std::byte probe{};
            errno = 0;
            if (std::fread(&probe, 1, 1, file.get()) == 0) break;
            check<format_error>(used < max_bytes, path, ": has more bytes than the limit of ", max_bytes);
            bytes.resize(std::min<std::uint64_t>(max_bytes, used + std::max<std::size_t>(used, 1u << 16)));
            bytes[used++] = probe;
            continue;
        }
        errno = 0;
        const std::size_t got = std::fread(bytes.data() + used, 1, bytes.size() - used, file.get());
        used += got;
        if (got == 0) break;
    }
    check<io_error>(std::ferror(file.get()) == 0, path, ": cannot be read: ", std::strerror(errno));
    bytes.resize(used);
    return bytes;
}

OCELLI_INLINE void write_file(const std::string& path, std::span<const std::byte> bytes) {
    std::unique_ptr<std::FILE, close_file> file(std::fopen(path.c_str(), "wb"));
    check<io_error>(file != nullptr, path, ": cannot be opened for writing: ", std::strerror(errno));
    const std::size_t written = std::fwrite(bytes.data(), 1, bytes.size(), file.get());
    const bool flushed = std::fflush(file.get()) == 0;
    const bool closed = std::fclose(file.release()) == 0;
    check<io_error>(written == bytes.size() && flushed && closed, path, ": cannot be written: ", std::strerror(errno));
}

} // namespace ocelli::detail
