#pragma once

/// @file
/// safetensors files: named arrays, as PyTorch users keep weights.
///
///     const auto file = ocelli::read_safetensors("resnet20.safetensors");
///     auto weight = file.as<float, 4>("layer1.0.conv1.weight");
///
/// The file is mapped into memory, not read: opening is quick, and only what is used is loaded. It is not trusted: lengths, offsets, names
/// and types are checked when it is opened, by the rules of the reference implementation (no gaps, no overlap, nothing behind the end,
/// a header of at most 100 MB). Another process that shortens a mapped file ends this one (SIGBUS), as with any mapped file.

#include <ocelli/core/config.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/core/tensor.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace ocelli {

/// Element types of safetensors files, in the order the reference implementation sorts them by.
enum class safetensors_dtype : std::uint8_t {
    boolean,
    uint8,
    int8,
    float8_e5m2,
    float8_e4m3,
    int16,
    uint16,
    float16,
    bfloat16,
    int32,
    uint32,
    float32,
    float64,
    int64,
    uint64
};

/// Names a type as the files do: "BOOL", "F32", "BF16", ...
std::string_view name(safetensors_dtype type) noexcept;

/// Bytes of one element.
std::size_t item_size(safetensors_dtype type) noexcept;

/// An array in a safetensors file, or to be written to one.
struct safetensors_entry {
    std::string name;
    safetensors_dtype dtype = safetensors_dtype::float32;
    /// Empty for a single number.
    std::vector<std::int64_t> shape;
    /// The elements: little-endian, row-major. Not owned; perhaps not aligned to the element.
    std::span<const std::byte> bytes;
};

namespace detail {

/// The element type of a C++ type.
template <class T>
constexpr safetensors_dtype safetensors_dtype_of() {
    if constexpr (std::is_same_v<T, bool>) return safetensors_dtype::boolean;
    else if constexpr (std::is_same_v<T, float>) return safetensors_dtype::float32;
    else if constexpr (std::is_same_v<T, double>) return safetensors_dtype::float64;
    else {
        static_assert(std::is_integral_v<T> && sizeof(T) <= 8, "safetensors: bool, integers of 8 to 64 bits, float and double only");
        constexpr bool s = std::is_signed_v<T>;
        if constexpr (sizeof(T) == 1) return s ? safetensors_dtype::int8 : safetensors_dtype::uint8;
        else if constexpr (sizeof(T) == 2) return s ? safetensors_dtype::int16 : safetensors_dtype::uint16;
        else if constexpr (sizeof(T) == 4) return s ? safetensors_dtype::int32 : safetensors_dtype::uint32;
        else return s ? safetensors_dtype::int64 : safetensors_dtype::uint64;
    }
}

}  // namespace detail

/// An open safetensors file. Copies share the memory.
class safetensors_file {
public:
    /// Checks the bytes of a file; `owner` keeps them alive.
    /// @throws format_error  naming `what`, when they are not a valid file
    safetensors_file(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, std::string what = "safetensors");

    /// The arrays, in the order of their elements in the file.
    const std::vector<safetensors_entry>& entries() const noexcept { return entries_; }
    /// The texts that the file keeps beside the arrays.
    const std::map<std::string, std::string>& metadata() const noexcept { return metadata_; }

    /// The array of this name, or null.
    const safetensors_entry* find(std::string_view entry_name) const noexcept;
    /// @throws invalid_argument  where there is no array of this name
    const safetensors_entry& at(std::string_view entry_name) const;

    /// Copies an array into an xtensor.
    /// @tparam T  exactly the file's element type
    /// @throws invalid_argument  where there is no array of this name, type and rank
    template <class T, std::size_t N>
    xt::xtensor<T, N> as(std::string_view entry_name) const {
        const safetensors_entry& e = at(entry_name);
        detail::check(e.dtype == detail::safetensors_dtype_of<T>() && e.shape.size() == N, what_, ": '", entry_name, "' is ", ocelli::name(e.dtype), " ",
                      detail::shape_text(e.shape), ", asked for as ", ocelli::name(detail::safetensors_dtype_of<T>()), " of rank ", N);
        std::array<std::size_t, N> extents{};
        for (std::size_t i = 0; i < N; ++i) extents[i] = static_cast<std::size_t>(e.shape[i]);
        auto out = xt::xtensor<T, N>::from_shape(extents);
        if constexpr (std::is_same_v<T, bool>) {
            for (std::size_t i = 0; i < e.bytes.size(); ++i) out.data()[i] = e.bytes[i] != std::byte{0};
        } else if (!e.bytes.empty()) {
            std::memcpy(out.data(), e.bytes.data(), e.bytes.size());
        }
        return out;
    }

    /// Keeps the memory of the entries alive.
    const std::shared_ptr<const void>& owner() const noexcept { return owner_; }

private:
    std::shared_ptr<const void> owner_;
    std::string what_;
    std::vector<safetensors_entry> entries_;
    std::map<std::string, std::size_t, std::less<>> by_name_;
    std::map<std::string, std::string> metadata_;
};

/// Opens a safetensors file by mapping it into memory.
/// @throws io_error      when the file cannot be opened
/// @throws format_error  when it is not a valid safetensors file
safetensors_file read_safetensors(const std::string& path);

/// Checks and keeps a safetensors file held in memory (the bytes are copied).
/// @throws format_error  when it is not a valid safetensors file
safetensors_file read_safetensors(std::span<const std::byte> bytes);

/// Encodes arrays as a safetensors file: byte for byte what the reference implementation writes for them.
/// @throws invalid_argument  on an empty, reserved or doubled name, a name that is not UTF-8, or bytes that do not fit the shape
std::vector<std::byte> safetensors_bytes(std::span<const safetensors_entry> entries, const std::map<std::string, std::string>& metadata = {});

/// Writes arrays to a safetensors file.
/// @throws invalid_argument  as safetensors_bytes
/// @throws io_error          when the file cannot be written
void write_safetensors(const std::string& path, std::span<const safetensors_entry> entries, const std::map<std::string, std::string>& metadata = {});

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/io/impl/safetensors.inl>
#endif
