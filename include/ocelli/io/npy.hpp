#pragma once

/// @file
/// NumPy's .npy files: arrays of numbers to and from Python.
///
///     auto image = ocelli::read_npy<float, 4>("input.npy");       // (N, C, H, W)
///     ocelli::write_npy("boxes.npy", boxes);
///     auto any = ocelli::read_npy("unknown.npy");                 // any.dtype(), any.shape(), any.as<double, 2>()
///
/// Reads versions 1.0, 2.0 and 3.0, either byte order, C and Fortran order, bool, (u)int8 to 64, float16, float32 and float64.
/// Writes version 1.0, this machine's byte order, C order: byte for byte what numpy.save writes.

#include <ocelli/core/config.hpp>
#include <ocelli/core/detail/rank.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/io/detail/file.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace ocelli {

/// Element types of a .npy file that Ocelli reads. float16 is read as float or double.
enum class npy_dtype : std::uint8_t {
    boolean,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
    float16,
    float32,
    float64
};

/// Names a type as NumPy does: "bool", "int8", ..., "float64".
std::string_view name(npy_dtype type) noexcept;

/// Bytes of one element.
std::size_t item_size(npy_dtype type) noexcept;

/// What a .npy file says about its array.
struct npy_header {
    npy_dtype dtype = npy_dtype::float64;
    bool big_endian = false;         ///< byte order of the elements; false where one byte is all there is
    bool fortran_order = false;      ///< the first index runs fastest
    std::vector<std::int64_t> shape; ///< empty for a single number
    std::size_t data_offset = 0;     ///< where the elements begin, in bytes from the start of the file
    std::size_t count = 1;           ///< number of elements, the product of the shape

    /// Bytes of all elements; fits std::size_t, as does count.
    std::size_t byte_count() const noexcept { return count * item_size(dtype); }
};

/// Reads and checks the header of a .npy file.
///
/// @param bytes  the whole file
/// @param what   names the file in messages
/// @throws format_error  when it is not .npy, of an unknown version or element type, or shorter than its header promises
npy_header read_npy_header(std::span<const std::byte> bytes, std::string_view what = "npy");

/// The array of a .npy file whose type and rank are not known beforehand.
class npy_array {
public:
    /// Checks the header; the elements stay as they are in the file. @throws format_error like read_npy_header
    explicit npy_array(std::vector<std::byte> file, std::string what = "npy");

    const npy_header& header() const noexcept { return header_; }
    npy_dtype dtype() const noexcept { return header_.dtype; }
    const std::vector<std::int64_t>& shape() const noexcept { return header_.shape; }
    std::size_t rank() const noexcept { return header_.shape.size(); }
    /// Number of elements.
    std::size_t size() const noexcept { return header_.count; }

    /// The elements as they are in the file: its byte order, its axis order.
    std::span<const std::byte> raw() const noexcept { return {file_.data() + header_.data_offset, header_.byte_count()}; }

    /// The elements as an array of T in row-major order.
    ///
    /// Converts where NumPy calls it safe (float16 to float, int32 to double, uint8 to float, int64 to double; not float64 to
    /// float, not int64 to int32): read such a file in its own type and convert with xt::cast. Any nonzero byte of a bool is
    /// true.
    /// @throws format_error  when the rank is not N, or the elements do not convert safely
    template <class T, std::size_t N>
    xt::xtensor<T, N> as() const;

private:
    std::vector<std::byte> file_;
    std::string what_;
    npy_header header_;
};

/// Reads a .npy file of any element type and rank.
///
/// @throws io_error      when the file cannot be read
/// @throws format_error  when it is not a .npy file that Ocelli reads (see the head of this file)
npy_array read_npy(const std::string& path);

/// Reads a .npy file held in memory. @throws format_error like read_npy(path)
npy_array read_npy(std::span<const std::byte> bytes);

/// Reads a .npy file as an array of T with N dimensions, row-major, this machine's byte order.
///
/// @tparam T  bool, an integer, float or double; the file's type must convert safely (see npy_array::as)
/// @throws io_error      when the file cannot be read
/// @throws format_error  when it is not a .npy file that Ocelli reads, or holds another rank or type
template <class T, std::size_t N>
xt::xtensor<T, N> read_npy(const std::string& path) {
    return read_npy(path).template as<T, N>();
}

/// Reads a .npy file held in memory as an array of T with N dimensions.
template <class T, std::size_t N>
xt::xtensor<T, N> read_npy(std::span<const std::byte> bytes) {
    return read_npy(bytes).template as<T, N>();
}

namespace detail {

/// The element type of a C++ type, by size and signedness.
template <class T>
constexpr npy_dtype npy_dtype_of() {
    if constexpr (std::is_same_v<T, bool>) {
        return npy_dtype::boolean;
    } else if constexpr (std::is_same_v<T, float>) {
        return npy_dtype::float32;
    } else if constexpr (std::is_same_v<T, double>) {
        return npy_dtype::float64;
    } else {
        static_assert(std::is_integral_v<T> && sizeof(T) <= 8, ".npy: bool, integers of 8 to 64 bits, float and double only");
        constexpr int log2 = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
        const auto first = static_cast<int>(std::is_signed_v<T> ? npy_dtype::int8 : npy_dtype::uint8);
        return static_cast<npy_dtype>(first + log2);
    }
}

/// True where numpy.can_cast(from, to, "safe") is.
bool npy_converts(npy_dtype from, npy_dtype to) noexcept;

/// Converts all elements to `to`, row-major, into out (count elements). The conversion must be one of npy_converts.
void npy_convert(const npy_header& header, const std::byte* elements, npy_dtype to, void* out);

/// The file's beginning for a row-major array.
std::vector<std::byte> make_npy_header(npy_dtype type, std::span<const std::size_t> shape);

} // namespace detail

template <class T, std::size_t N>
xt::xtensor<T, N> npy_array::as() const {
    constexpr npy_dtype to = detail::npy_dtype_of<T>();
    detail::check<format_error>(rank() == N, what_, ": expected ", N, N == 1 ? " dimension" : " dimensions",
                                ", the file's shape is ", detail::shape_text(shape()));
    detail::check<format_error>(detail::npy_converts(dtype(), to), what_, ": holds ", name(dtype()),
                                ", which does not convert safely to ", name(to),
                                "; read it as it is and convert with xt::cast");
    std::array<std::size_t, N> extents{};
    for (std::size_t i = 0; i < N; ++i) extents[i] = static_cast<std::size_t>(shape()[i]);
    auto out = xt::xtensor<T, N>::from_shape(extents);
    if (size() > 0) detail::npy_convert(header_, raw().data(), to, out.data());
    return out;
}

namespace detail {

template <std::size_t N, class E>
std::vector<std::byte> npy_bytes_of_rank(const E& array) {
    using T = value_type_t<E>;
    const auto dense = as_dense<T, N>(array, "npy_bytes: array");
    auto bytes = make_npy_header(npy_dtype_of<T>(), dense.shape());
    const auto* first = reinterpret_cast<const std::byte*>(dense.data());
    bytes.insert(bytes.end(), first, first + dense.size() * sizeof(T));
    return bytes;
}

} // namespace detail

/// Encodes an array as the bytes of a .npy file.
///
/// @param array  any array expression of bool, integers, float or double; of at most 8 dimensions where its type leaves them
/// open
/// @return       what numpy.save writes for it, byte for byte
/// @throws invalid_argument  when it has more dimensions
template <array_expression E>
std::vector<std::byte> npy_bytes(const E& array) {
    constexpr int rank = detail::static_rank<E>();
    if constexpr (rank >= 0) {
        return detail::npy_bytes_of_rank<static_cast<std::size_t>(rank)>(array);
    } else {
        switch (array.dimension()) {
        case 0:
            return detail::npy_bytes_of_rank<0>(array);
        case 1:
            return detail::npy_bytes_of_rank<1>(array);
        case 2:
            return detail::npy_bytes_of_rank<2>(array);
        case 3:
            return detail::npy_bytes_of_rank<3>(array);
        case 4:
            return detail::npy_bytes_of_rank<4>(array);
        case 5:
            return detail::npy_bytes_of_rank<5>(array);
        case 6:
            return detail::npy_bytes_of_rank<6>(array);
        case 7:
            return detail::npy_bytes_of_rank<7>(array);
        case 8:
            return detail::npy_bytes_of_rank<8>(array);
        default:
            detail::fail("npy_bytes: array must have at most 8 dimensions, got ", array.dimension());
        }
    }
}

/// Writes an array as a .npy file, replacing what was there.
///
/// @param array  any array expression of bool, integers, float or double
/// @throws io_error  when the file cannot be written
/// @throws invalid_argument  like npy_bytes
template <array_expression E>
void write_npy(const std::string& path, const E& array) {
    detail::write_file(path, npy_bytes(array));
}

} // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/io/impl/npy.inl>
#endif
