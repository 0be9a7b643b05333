#pragma once

/// @file
/// Hausdorff distance of point sets and of masks.

#include <ocelli/core/config.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/masks/detail/arguments.hpp>
#include <ocelli/masks/distance.hpp>

#include <cstddef>
#include <cstdint>

namespace ocelli {

/// Which pixels of a mask are compared.
enum class hausdorff_pixels {
    edges,      ///< foreground with background (or the picture's end) beside it, by sides: MONAI, torchmetrics
    foreground  ///< all of it
};

/// What the Hausdorff distance of masks can be asked to do differently.
struct hausdorff_options {
    hausdorff_pixels of = hausdorff_pixels::edges;
    /// In (0, 100]: of each set's distances to the other this percentile (linear between neighbours) instead of the largest; 95 is common.
    double percentile = 100;
};

namespace detail {

double hausdorff_distance(const double* a, std::size_t n, const double* b, std::size_t m, std::size_t dimension);
double mask_hausdorff(const std::uint8_t* a, const std::uint8_t* b, std::size_t h, std::size_t w, const hausdorff_options& options);

}  // namespace detail

/// Gives the Hausdorff distance of two sets of points: the farthest any point of either is from the other set.
///
/// @param a, b  (N, D) and (M, D)
/// @return      infinity if one alone is empty, 0 if both are
/// @throws invalid_argument  on another rank, different D, NaN or infinity
///
/// Euclidean. Agrees with the larger of scipy.spatial.distance.directed_hausdorff both ways. O(N M) at worst; most pairs are left out early.
template <array_expression A, array_expression B>
double hausdorff_distance(const A& a, const B& b) {
    const auto x = as_dense<double, 2>(a, "hausdorff_distance: a");
    const auto y = as_dense<double, 2>(b, "hausdorff_distance: b");
    detail::check(x.extent(1) == y.extent(1), "hausdorff_distance: points must have one dimension, got ", detail::shape_text(x.shape()),
                  " and ", detail::shape_text(y.shape()));
    for (const auto* v : {&x, &y})
        for (const double c : *v) detail::check(detail::is_finite(c), "hausdorff_distance: coordinates must be finite, got ", c);
    return detail::hausdorff_distance(x.data(), x.extent(0), y.data(), y.extent(0), x.extent(1));
}

/// Gives the Hausdorff distance of two masks in pixels.
///
/// @param a, b  (H, W) bool or integers
/// @return      infinity if one alone is empty, 0 if both are
/// @throws invalid_argument  on other ranks, different sizes, a percentile out of range
///
/// Agrees with MONAI's compute_hausdorff_distance and torchmetrics' hausdorff_distance (edges), also for percentiles. O(H W).
template <array_expression A, array_expression B>
double mask_hausdorff_distance(const A& a, const B& b, const hausdorff_options& options = {}) {
    const auto x = detail::as_mask<2>(a, "mask_hausdorff_distance: a");
    const auto y = detail::as_mask<2>(b, "mask_hausdorff_distance: b");
    detail::check(x.shape() == y.shape(), "mask_hausdorff_distance: masks must have one shape, got ", detail::shape_text(x.shape()), " and ",
                  detail::shape_text(y.shape()));
    detail::check(options.percentile > 0 && options.percentile <= 100, "mask_hausdorff_distance: the percentile must be in (0, 100], got ",
                  options.percentile);
    detail::check_distance_size(x.extent(0), x.extent(1), "mask_hausdorff_distance");
    return detail::mask_hausdorff(x.data(), y.data(), x.extent(0), x.extent(1), options);
}

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/masks/impl/hausdorff.inl>
#endif
