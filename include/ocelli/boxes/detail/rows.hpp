#pragma once

/// @file
/// Private: loops over rows of dense arrays, split over threads where there are many.

#include <ocelli/core/error.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/parallel.hpp>

#include <cstddef>
#include <string_view>

namespace ocelli::detail {

/// Calls f(i) for every row i in [0, n). Rows must be independent of each other.
template <class F>
void for_each_row(std::size_t n, F&& f) {
    constexpr std::size_t grain = 8192; // a row costs 1 to 20 ns: a range takes 10 microseconds or more
    parallel_for(n, grain, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) f(i);
    });
}

/// min(max(x, low), high); NaN stays NaN, also where the compiler was told that there is none.
template <class T>
T clamp_keep_nan(T x, T low, T high) noexcept {
    const T clamped = x < low ? low : (x > high ? high : x);
    return is_nan(x) ? x : clamped;
}

/// min(x, high); NaN stays NaN.
template <class T>
T min_keep_nan(T x, T high) noexcept {
    const T smaller = x > high ? high : x;
    return is_nan(x) ? x : smaller;
}

/// Throws unless the number of columns is a positive multiple of k: "(N, 4 K)".
template <class View>
void check_columns_multiple(const View& v, std::size_t k, std::string_view what) {
    if (v.extent(1) == 0 || v.extent(1) % k != 0) [[unlikely]]
        fail(what, " must have shape (N, ", k, " K), got ", shape_text(v.shape()));
}

/// Index of the first row in which one of the columns is NaN or infinite, or n.
template <class T>
std::size_t find_row_not_finite(const T* rows, std::size_t n, std::size_t columns) noexcept {
    for (std::size_t i = 0; i < n; ++i) {
        bool finite = true;
        for (std::size_t c = 0; c < columns; ++c) finite = finite && is_finite(rows[i * columns + c]);
        if (!finite) return i;
    }
    return n;
}

/// Throws unless each row x1 y1 x2 y2 is finite, x2 > x1 and y2 > y1: what encoders take logarithms of.
template <class T>
void check_positive_boxes(const T* boxes, std::size_t n, std::string_view what) {
    for (std::size_t i = 0; i < n; ++i) {
        const T* b = boxes + 4 * i;
        const bool finite = is_finite(b[0]) && is_finite(b[1]) && is_finite(b[2]) && is_finite(b[3]);
        if (!finite || !(b[2] > b[0]) || !(b[3] > b[1])) [[unlikely]]
            fail(what, " must be finite with x2 > x1 and y2 > y1, row ", i, " is (", b[0], ", ", b[1], ", ", b[2], ", ", b[3],
                 ")");
    }
}

} // namespace ocelli::detail
