#pragma once

/// @file
/// Keys' cubic convolution kernel in its two pieces, by the distance x >= 0 of an element.

namespace ocelli::detail {

/// For x <= 1.
template <class T>
constexpr T cubic_near(T x, T a) noexcept {
    return ((a + 2) * x - (a + 3)) * x * x + 1;
}
/// For 1 < x < 2.
template <class T>
constexpr T cubic_far(T x, T a) noexcept {
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
}

}  // namespace ocelli::detail
