#pragma once

/// @file
/// Prior box sizes for YOLO, from the sizes of a data set's boxes.

#include <ocelli/core/error.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/kmeans.hpp>
#include <ocelli/core/tensor.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ocelli {

namespace detail {

/// 1 - IoU of two boxes with the same centre.
struct size_distance {
    template <class T>
    double operator()(const T* a, const T* b, std::size_t) const noexcept {
        const double aw = static_cast<double>(a[0]), ah = static_cast<double>(a[1]);
        const double bw = static_cast<double>(b[0]), bh = static_cast<double>(b[1]);
        const double inter = (aw < bw ? aw : bw) * (ah < bh ? ah : bh);
        return 1 - inter / (aw * ah + bw * bh - inter);
    }
};

template <class View>
void check_sizes(const View& sizes, std::string_view what) {
    check_shape(sizes, {any, 2}, what);
    for (std::size_t i = 0; i < sizes.size(); ++i)
        check(is_finite(sizes[i]) && sizes[i] > 0, what, " must be finite and positive, row ", i / 2, " is not");
}

} // namespace detail

/// Finds k box sizes that fit a data set: k-means on 1 - IoU.
///
/// @param sizes    (N, 2) widths and heights, finite and positive, in any unit
/// @param k        number of priors, in [1, N]
/// @param options  seed, iterations, and starts; the default tries ten starts
/// @return         (K, 2) width and height by increasing area; the same for the same seed on every machine
/// @throws invalid_argument  on another shape, a size that is not positive and finite, k outside [1, N]
///
/// Redmon and Farhadi, "YOLO9000", section 2 (dimension clusters). mean_best_iou says how well priors fit.
template <array_expression S>
xt::xtensor<scalar_t<S>, 2> yolo_priors(const S& sizes, std::int64_t k, const kmeans_options& options = {.starts = 10}) {
    using T = scalar_t<S>;
    const auto s = as_dense<T, 2>(sizes, "yolo_priors: sizes");
    detail::check_sizes(s, "yolo_priors: sizes");
    detail::check(k >= 1 && static_cast<std::size_t>(k) <= s.extent(0), "yolo_priors: k must be in [1, ", s.extent(0),
                  "] (the number of sizes), got ", k);
    const auto clusters = kmeans(view(s.data(), s.shape()), k, detail::size_distance{}, options);
    std::vector<std::size_t> order(static_cast<std::size_t>(k));
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    const auto& c = clusters.centres;
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return c(a, 0) * c(a, 1) < c(b, 0) * c(b, 1); });
    auto out = detail::new_tensor<T>(order.size(), 2);
    for (std::size_t i = 0; i < order.size(); ++i) {
        out(i, 0) = c(order[i], 0);
        out(i, 1) = c(order[i], 1);
    }
    return out;
}

/// Measures how well priors fit: the mean over all sizes of the IoU with the best prior (darknet's "avg IoU").
///
/// @param sizes   (N, 2) widths and heights, N at least 1
/// @param priors  (K, 2) widths and heights, K at least 1
/// @throws invalid_argument  on other shapes, none, or sizes that are not finite and positive
template <array_expression S, array_expression P>
double mean_best_iou(const S& sizes, const P& priors) {
    using T = scalar_t<S, P>;
    const auto s = as_dense<T, 2>(sizes, "mean_best_iou: sizes");
    const auto p = as_dense<T, 2>(priors, "mean_best_iou: priors");
    detail::check_sizes(s, "mean_best_iou: sizes");
    detail::check_sizes(p, "mean_best_iou: priors");
    detail::check(s.extent(0) != 0 && p.extent(0) != 0, "mean_best_iou: sizes and priors must not be empty, got ", s.extent(0),
                  " and ", p.extent(0));
    double sum = 0;
    for (std::size_t i = 0; i < s.extent(0); ++i) {
        double best = 0;
        for (std::size_t j = 0; j < p.extent(0); ++j)
            best = std::max(best, 1 - detail::size_distance{}(s.data() + 2 * i, p.data() + 2 * j, 2));
        sum += best;
    }
    return sum / static_cast<double>(s.extent(0));
}

} // namespace ocelli
