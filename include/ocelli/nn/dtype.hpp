#pragma once

/// @file
/// Element types of tensors, the two 16-bit floating types, and calling a template by element type.

#include <ocelli/core/error.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/nn/fwd.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>

namespace ocelli::nn {

/// Element types, numbered as ONNX's TensorProto.DataType numbers them. `undefined` is a type not known (yet).
///
/// Two more stand for values without elements: a `sequence` of tensors, and `none`, an optional value that is empty.
enum class dtype : std::uint8_t {
    undefined = 0,
    float32 = 1,
    uint8 = 2,
    int8 = 3,
    uint16 = 4,
    int16 = 5,
    int32 = 6,
    int64 = 7,
    boolean = 9,
    float16 = 10,
    float64 = 11,
    uint32 = 12,
    uint64 = 13,
    bfloat16 = 16,
    sequence = 200,
    none = 201
};

/// IEEE 754 half precision, for storage; arithmetic is done in float.
struct float16 {
    std::uint16_t bits = 0;

    float16() = default;
    /// Rounds to nearest, ties to even; overflows to infinity.
    explicit float16(float x) noexcept;
    template <class T>
        requires(std::is_arithmetic_v<T> && !std::is_same_v<T, float>)
    explicit float16(T x) noexcept : float16(static_cast<float>(x)) {}
    operator float() const noexcept;
};

/// The upper half of a float, for storage; arithmetic is done in float.
struct bfloat16 {
    std::uint16_t bits = 0;

    bfloat16() = default;
    /// Rounds to nearest, ties to even.
    explicit bfloat16(float x) noexcept {
        const auto u = std::bit_cast<std::uint32_t>(x);
        if ((u & 0x7fffffffu) > 0x7f800000u) bits = static_cast<std::uint16_t>((u >> 16) | 0x40u);
        else bits = static_cast<std::uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
    }
    template <class T>
        requires(std::is_arithmetic_v<T> && !std::is_same_v<T, float>)
    explicit bfloat16(T x) noexcept : bfloat16(static_cast<float>(x)) {}
    operator float() const noexcept { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }
};

// Selections instead of branches, so that loops over them are compiled to vector instructions; nothing here meets a denormal float, which
// programs compiled with -ffast-math flush to zero.
inline float16::float16(float x) noexcept {
    const auto u = std::bit_cast<std::uint32_t>(x);
    const std::uint32_t sign = (u >> 16) & 0x8000u;
    const std::uint32_t magnitude = u & 0x7fffffffu;
    // Normal: rebias the exponent, then round the 13 dropped bits. A carry runs into the exponent, up to infinity.
    const std::uint32_t rebased = magnitude - 0x38000000u;
    const std::uint32_t normal = (rebased + 0xfffu + ((rebased >> 13) & 1u)) >> 13;
    // Denormal halves count in steps of 2^-24, the distance of floats above 0.5: the addition rounds.
    const std::uint32_t small = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
    const std::uint32_t nan = 0x7e00u | ((magnitude >> 13) & 0x3ffu);  // keeps what fits of its payload
    const std::uint32_t large = magnitude > 0x7f800000u ? nan : 0x7c00u;
    const std::uint32_t half = magnitude >= 0x47800000u ? large : magnitude >= 0x38800000u ? normal : small;
    bits = static_cast<std::uint16_t>(sign | half);
}

inline float16::operator float() const noexcept {
    const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
    const std::uint32_t magnitude = bits & 0x7fffu;
    const std::uint32_t normal = (magnitude << 13) + 0x38000000u;  // the exponent's bias is 127 instead of 15
    const std::uint32_t large = normal + 0x38000000u;              // infinity and NaN have all bits of the exponent
    const auto small = std::bit_cast<std::uint32_t>(static_cast<float>(static_cast<std::int32_t>(magnitude)) * 0x1p-24f);
    return std::bit_cast<float>(sign | (magnitude >= 0x7c00u ? large : magnitude >= 0x400u ? normal : small));
}

/// "float32", "int64", "bool", ... and "undefined".
constexpr std::string_view name(dtype type) noexcept {
    switch (type) {
    case dtype::float32: return "float32";
    case dtype::uint8: return "uint8";
    case dtype::int8: return "int8";
    case dtype::uint16: return "uint16";
    case dtype::int16: return "int16";
    case dtype::int32: return "int32";
    case dtype::int64: return "int64";
    case dtype::boolean: return "bool";
    case dtype::float16: return "float16";
    case dtype::float64: return "float64";
    case dtype::uint32: return "uint32";
    case dtype::uint64: return "uint64";
    case dtype::bfloat16: return "bfloat16";
    case dtype::sequence: return "sequence";
    case dtype::none: return "none";
    default: return "undefined";
    }
}

/// Bytes of one element; 0 for undefined and for what has no elements.
constexpr std::size_t size_of(dtype type) noexcept {
    switch (type) {
    case dtype::uint8:
    case dtype::int8:
    case dtype::boolean: return 1;
    case dtype::uint16:
    case dtype::int16:
    case dtype::float16:
    case dtype::bfloat16: return 2;
    case dtype::float32:
    case dtype::int32:
    case dtype::uint32: return 4;
    case dtype::int64:
    case dtype::uint64:
    case dtype::float64: return 8;
    default: return 0;
    }
}

constexpr bool is_floating(dtype type) noexcept {
    return type == dtype::float32 || type == dtype::float64 || type == dtype::float16 || type == dtype::bfloat16;
}
constexpr bool is_integer(dtype type) noexcept {
    return size_of(type) != 0 && type != dtype::boolean && !is_floating(type);
}

namespace detail {
template <class T>
struct dtype_of_t {
    static_assert(sizeof(T) == 0, "no tensor has elements of this type");
};
template <> struct dtype_of_t<float> : std::integral_constant<dtype, dtype::float32> {};
template <> struct dtype_of_t<double> : std::integral_constant<dtype, dtype::float64> {};
template <> struct dtype_of_t<float16> : std::integral_constant<dtype, dtype::float16> {};
template <> struct dtype_of_t<bfloat16> : std::integral_constant<dtype, dtype::bfloat16> {};
template <> struct dtype_of_t<bool> : std::integral_constant<dtype, dtype::boolean> {};
template <> struct dtype_of_t<std::uint8_t> : std::integral_constant<dtype, dtype::uint8> {};
template <> struct dtype_of_t<std::int8_t> : std::integral_constant<dtype, dtype::int8> {};
template <> struct dtype_of_t<std::uint16_t> : std::integral_constant<dtype, dtype::uint16> {};
template <> struct dtype_of_t<std::int16_t> : std::integral_constant<dtype, dtype::int16> {};
template <> struct dtype_of_t<std::uint32_t> : std::integral_constant<dtype, dtype::uint32> {};
template <> struct dtype_of_t<std::int32_t> : std::integral_constant<dtype, dtype::int32> {};
template <> struct dtype_of_t<std::uint64_t> : std::integral_constant<dtype, dtype::uint64> {};
template <> struct dtype_of_t<std::int64_t> : std::integral_constant<dtype, dtype::int64> {};
// `long long` beside `long` where std::int64_t is the other one.
template <> struct dtype_of_t<std::conditional_t<std::is_same_v<std::int64_t, long>, long long, long>>
    : std::integral_constant<dtype, sizeof(std::conditional_t<std::is_same_v<std::int64_t, long>, long long, long>) == 8 ? dtype::int64
                                                                                                                         : dtype::int32> {};
}  // namespace detail

/// The dtype whose elements are T.
template <class T>
inline constexpr dtype dtype_of = detail::dtype_of_t<std::remove_cv_t<T>>::value;

/// True for float, double, float16 and bfloat16.
template <class T>
inline constexpr bool is_floating_v =
    std::is_floating_point_v<T> || std::is_same_v<T, float16> || std::is_same_v<T, bfloat16>;

/// The type in which arithmetic on T is done: float for the 16-bit types, T itself for the others.
template <class T>
using arithmetic_t = std::conditional_t<std::is_same_v<T, float16> || std::is_same_v<T, bfloat16>, float, T>;

namespace detail {

// A C++ cast where that is defined; saturating where it is not.
template <class To, class From>
To convert_element(From x) {
    if constexpr (std::is_same_v<To, From>) {
        return x;
    } else if constexpr (std::is_same_v<To, bool>) {
        return static_cast<arithmetic_t<From>>(x) != 0;
    } else if constexpr (is_floating_v<From> && std::is_integral_v<To>) {
        const double v = static_cast<double>(static_cast<arithmetic_t<From>>(x));
        constexpr double low = static_cast<double>(std::numeric_limits<To>::min());
        constexpr double high = static_cast<double>(std::numeric_limits<To>::max());
        if (ocelli::detail::is_nan(v)) return 0;
        if (v <= low) return std::numeric_limits<To>::min();
        if (v >= high) return std::numeric_limits<To>::max();
        return static_cast<To>(v);
    } else {
        return static_cast<To>(static_cast<arithmetic_t<From>>(x));
    }
}

}  // namespace detail

/// A type as a value: `dispatch(type, [&]<class T>(type_tag<T>) { ... })`.
template <class T>
struct type_tag {
    using type = T;
};

/// Lists of element types for dispatch_over().
template <class... Ts>
struct type_list {};
using floating_types = type_list<float, double, float16, bfloat16>;
/// The types that others are computed in: float for the 16-bit ones, 64 bits for the integers (`ops/detail/widen.hpp`).
using real_types = type_list<float, double>;
using wide_types = type_list<float, double, std::int64_t, std::uint64_t>;
using integer_types = type_list<std::int64_t, std::int32_t, std::uint8_t, std::int8_t, std::int16_t, std::uint16_t, std::uint32_t, std::uint64_t>;
using numeric_types = type_list<float, double, float16, bfloat16, std::int64_t, std::int32_t, std::uint8_t, std::int8_t, std::int16_t,
                                std::uint16_t, std::uint32_t, std::uint64_t>;
using all_types = type_list<float, double, float16, bfloat16, std::int64_t, std::int32_t, std::uint8_t, std::int8_t, std::int16_t,
                            std::uint16_t, std::uint32_t, std::uint64_t, bool>;

/// Calls f(type_tag<T>{}) for the T of the list that `type` names; false, and no call, where the list lacks it.
template <class... Ts, class F>
bool dispatch_over(type_list<Ts...>, dtype type, F&& f) {
    return ((dtype_of<Ts> == type ? (f(type_tag<Ts>{}), true) : false) || ...);
}

/// Calls f with a type_tag of the unsigned integer as wide as the element: for code that only moves elements.
/// @throws invalid_argument  for dtype::undefined
template <class F>
void dispatch_by_size(dtype type, F&& f) {
    switch (size_of(type)) {
    case 1: f(type_tag<std::uint8_t>{}); return;
    case 2: f(type_tag<std::uint16_t>{}); return;
    case 4: f(type_tag<std::uint32_t>{}); return;
    case 8: f(type_tag<std::uint64_t>{}); return;
    default: ocelli::detail::fail("a tensor without element type");
    }
}

}  // namespace ocelli::nn
