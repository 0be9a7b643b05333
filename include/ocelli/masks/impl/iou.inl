#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/masks/detail/packed.hpp>
#include <ocelli/masks/iou.hpp>

#include <algorithm>
#include <vector>

namespace ocelli::detail {

inline double mask_ratio(mask_measure measure, std::uint64_t both, std::uint64_t a, std::uint64_t b, double of_empty) {
    if (a == 0 && b == 0) return of_empty;
    const auto quotient = [](std::uint64_t part, std::uint64_t whole) {
        return part == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
    };
    switch (measure) {
    case mask_measure::dice: return quotient(2 * both, a + b);
    case mask_measure::iof: return quotient(both, a);
    default: return quotient(both, a + b - both);
    }
}

OCELLI_INLINE void pairwise_masks(mask_measure measure, const std::uint8_t* a, std::size_t n, const std::uint8_t* b, std::size_t m,
                                  std::size_t pixels, double of_empty, double* out) {
    if (n == 0 || m == 0) return;
    const bool one_set = a == b && n == m;
    const packed_masks x = pack_masks(a, n, pixels);
    packed_masks other;
    if (!one_set) other = pack_masks(b, m, pixels);
    const packed_masks& y = one_set ? x : other;
    const bool symmetric = one_set && measure != mask_measure::iof;
    // Eight masks of `a` stay in the cache while those of `b` pass by.
    parallel_for(n, 8, [&](std::size_t begin, std::size_t end) {
        for (std::size_t j = symmetric ? begin : 0; j < m; ++j)
            for (std::size_t i = begin; i < end; ++i) {
                if (symmetric && j < i) continue;
                const double value = mask_ratio(measure, packed_intersection(x, i, y, j), x.extents[i].area, y.extents[j].area, of_empty);
                out[i * m + j] = value;
                if (symmetric) out[j * m + i] = value;
            }
    });
}

OCELLI_INLINE void paired_masks(mask_measure measure, const std::uint8_t* a, const std::uint8_t* b, std::size_t n, std::size_t pixels,
                                double of_empty, double* out) {
    parallel_for(n, 1 + 65536 / (pixels + 1), [&](std::size_t begin, std::size_t end) {
        const std::size_t count = end - begin;
        const packed_masks x = pack_masks(a + begin * pixels, count, pixels), y = pack_masks(b + begin * pixels, count, pixels);
        for (std::size_t i = 0; i < count; ++i)
            out[begin + i] = mask_ratio(measure, packed_intersection(x, i, y, i), x.extents[i].area, y.extents[i].area, of_empty);
    });
}

/// Eight partial sums, in an order that depends on the size alone.
template <class T, class F>
double sum_pixels(std::size_t n, F&& value) {
    double part[8] = {};
    std::size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (std::size_t k = 0; k < 8; ++k) part[k] += static_cast<double>(value(i + k));
    for (; i < n; ++i) part[i % 8] += static_cast<double>(value(i));
    return ((part[0] + part[4]) + (part[2] + part[6])) + ((part[1] + part[5]) + (part[3] + part[7]));
}

template <class T>
void pairwise_soft_any(mask_measure measure, const T* a, std::size_t n, const T* b, std::size_t m, std::size_t pixels,
                       const soft_iou_options& options, double* out) {
    std::vector<double> sum_a(n), sum_b(m);
    for (std::size_t i = 0; i < n; ++i) sum_a[i] = sum_pixels<T>(pixels, [&](std::size_t p) { return a[i * pixels + p]; });
    for (std::size_t j = 0; j < m; ++j) sum_b[j] = sum_pixels<T>(pixels, [&](std::size_t p) { return b[j * pixels + p]; });
    parallel_for(n, 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i)
            for (std::size_t j = 0; j < m; ++j) {
                const T *x = a + i * pixels, *y = b + j * pixels;
                const double both =
                    options.overlap == soft_overlap::product
                        ? sum_pixels<T>(pixels, [&](std::size_t p) { return static_cast<double>(x[p]) * static_cast<double>(y[p]); })
                        : sum_pixels<T>(pixels, [&](std::size_t p) { return std::min(x[p], y[p]); });
                const double sum = sum_a[i] + sum_b[j];
                const double part = (measure == mask_measure::dice ? 2 * both : both) + options.smooth;
                const double whole = (measure == mask_measure::dice ? sum : sum - both) + options.smooth;
                out[i * m + j] = whole == 0 ? options.of_empty : part / whole;
            }
    });
}

OCELLI_INLINE void pairwise_soft(mask_measure measure, const float* a, std::size_t n, const float* b, std::size_t m, std::size_t pixels,
                                 const soft_iou_options& options, double* out) {
    pairwise_soft_any(measure, a, n, b, m, pixels, options, out);
}
OCELLI_INLINE void pairwise_soft(mask_measure measure, const double* a, std::size_t n, const double* b, std::size_t m, std::size_t pixels,
                                 const soft_iou_options& options, double* out) {
    pairwise_soft_any(measure, a, n, b, m, pixels, options, out);
}

}  // namespace ocelli::detail
