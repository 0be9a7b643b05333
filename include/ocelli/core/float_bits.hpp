#pragma once

/// @file
/// NaN and infinity by their bits: users compile with -ffast-math, where std::isnan is constantly false. And products that keep a rounding of
/// their own.

#include <ocelli/core/config.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>

namespace ocelli::detail {

constexpr bool is_nan(float x) noexcept {
    return (std::bit_cast<std::uint32_t>(x) & 0x7fffffffu) > 0x7f800000u;
}
constexpr bool is_nan(double x) noexcept {
    return (std::bit_cast<std::uint64_t>(x) & 0x7fffffffffffffffu) > 0x7ff0000000000000u;
}
constexpr bool is_finite(float x) noexcept {
    return (std::bit_cast<std::uint32_t>(x) & 0x7f800000u) != 0x7f800000u;
}
constexpr bool is_finite(double x) noexcept {
    return (std::bit_cast<std::uint64_t>(x) & 0x7ff0000000000000u) != 0x7ff0000000000000u;
}

/// A product that is rounded before it is summed, where the bits of plain multiplication and addition are promised; in kernels: `rounded`.
inline double unfused(double product) noexcept {
    OCELLI_ROUND_HERE(product);
    return product;
}

/// Index of the first NaN, or n.
template <class T>
std::size_t find_nan(const T* x, std::size_t n) noexcept {
    // Blocks without an early exit, so that the compiler vectorises the usual case of no NaN.
    constexpr std::size_t block = 256;
    for (std::size_t start = 0; start < n; start += block) {
        const std::size_t end = start + block < n ? start + block : n;
        int found = 0;
        for (std::size_t i = start; i < end; ++i) found |= is_nan(x[i]) ? 1 : 0;
        if (found != 0)
            for (std::size_t i = start; i < end; ++i)
                if (is_nan(x[i])) return i;
    }
    return n;
}

}  // namespace ocelli::detail
