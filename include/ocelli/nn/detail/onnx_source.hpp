#pragma once

/// @file
/// An ONNX model's bytes: files in memory, where external data lies, and what the readers of one model share.

#include <ocelli/core/error.hpp>
#include <ocelli/io/detail/file_mapping.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace ocelli::nn::detail {

// Deeper nesting of sub-graphs than this is an attack on the stack.
inline constexpr int max_graph_depth = 32;
inline constexpr std::size_t max_tensor_rank = 64;

struct file_closer {
    void operator()(std::FILE* f) const noexcept { std::fclose(f); }
};

/// A file in memory: mapped where the system can, else read.
struct file_memory {
#if OCELLI_HAS_FILE_MAPPING
    explicit file_memory(const std::string& path) : mapping(path), bytes(mapping.bytes()) {}
    ocelli::detail::file_mapping mapping;
    void release(const void* from, std::size_t size) const noexcept { mapping.release(from, size); }
#else
    explicit file_memory(const std::string& path) {
        const std::unique_ptr<std::FILE, file_closer> file(std::fopen(path.c_str(), "rb"));
        ocelli::detail::check<io_error>(file != nullptr && std::fseek(file.get(), 0, SEEK_END) == 0, path, ": cannot be opened");
        const long size = std::ftell(file.get());
        ocelli::detail::check<io_error>(size >= 0 && std::fseek(file.get(), 0, SEEK_SET) == 0, path, ": cannot be read");
        room.resize(static_cast<std::size_t>(size));
        ocelli::detail::check<io_error>(std::fread(room.data(), 1, room.size(), file.get()) == room.size(), path, ": cannot be read");
        bytes = room;
    }
    std::vector<std::byte> room;
    void release(const void*, std::size_t) const noexcept {}
#endif
    std::span<const std::byte> bytes;
};

/// Resolves the place of external data: inside the folder, whatever the file says.
inline std::string external_path(const std::string& folder, const std::string& location, const std::string& what) {
    ocelli::detail::check<format_error>(!folder.empty(), what, ": has external data, but the model was read from memory without a folder");
    bool inside = !location.empty() && location[0] != '/' && location.find('\\') == std::string::npos &&
                  location.find('\0') == std::string::npos && location.find(':') == std::string::npos;
    for (std::size_t from = 0; inside && from <= location.size();) {
        const std::size_t to = std::min(location.find('/', from), location.size());
        if (location.compare(from, to - from, "..") == 0) inside = false;
        from = to + 1;
    }
    ocelli::detail::check<format_error>(inside, what, ": external data '", location, "' lies outside the model's folder");
    std::string path = folder + "/" + location;
#if defined(__unix__) || defined(__APPLE__)
    // A symbolic link must not lead out either.
    const std::unique_ptr<char, void (*)(void*)> real_folder(::realpath(folder.c_str(), nullptr), std::free);
    const std::unique_ptr<char, void (*)(void*)> real_path(::realpath(path.c_str(), nullptr), std::free);
    ocelli::detail::check<io_error>(real_folder != nullptr && real_path != nullptr, what, ": cannot open external data '", path, "'");
    std::string prefix = real_folder.get();
    if (prefix.back() != '/') prefix += '/';
    path = real_path.get();
    ocelli::detail::check<format_error>(path.compare(0, prefix.size(), prefix) == 0, what, ": external data '", location,
                                        "' lies outside the model's folder");
#endif
    return path;
}

/// A function of the model, as it stands in the file.
struct model_function {
    std::vector<std::string> inputs, outputs;
    std::vector<std::string_view> nodes, defaults;
    std::map<std::string, std::int64_t> opsets;
};

/// What the readers of one model share.
struct model_source {
    std::string folder;
    std::string name;
    /// Keeps the model's own bytes alive, which tensors may borrow; null where they must not.
    std::shared_ptr<const file_memory> file = nullptr;
    /// External data by path.
    std::map<std::string, std::shared_ptr<const file_memory>> external = {};
    /// By domain, name and overload.
    std::map<std::tuple<std::string, std::string, std::string>, model_function> functions = {};
    /// Nodes that calls of functions have made: calls of calls multiply.
    std::size_t called_nodes = 0;
};

}  // namespace ocelli::nn::detail
