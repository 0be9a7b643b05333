#pragma once

/// @file
/// Boundaries of masks, and measures that look at them alone: boundary IoU and the boundary F of DAVIS.

#include <ocelli/core/config.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/masks/detail/arguments.hpp>
#include <ocelli/masks/iou.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace ocelli {

/// What boundary IoU can be asked to do differently.
struct boundary_iou_options {
    /// The boundary's width as a part of the picture's diagonal; 0.02 for COCO and LVIS, 0.005 for Cityscapes' instances.
    double dilation_ratio = 0.02;
    /// The smaller of boundary IoU and mask IoU, as the evaluation tools of its authors take it.
    bool minimum_with_mask_iou = false;
    /// The value of two empty boundaries.
    double of_empty = 0;
};

/// Precision, recall and F of the boundaries of two masks.
struct boundary_score {
    double precision = 0;
    double recall = 0;
    double f = 0;
};

namespace detail {

/// The width in pixels: round (half to even, as Python) of ratio times the diagonal, at least 1.
std::size_t boundary_width(double ratio, std::size_t h, std::size_t w);
void mask_boundary(const std::uint8_t* masks, std::size_t n, std::size_t h, std::size_t w, std::size_t width, std::uint8_t* out);
/// The one pixel wide boundary map of the Berkeley benchmark (seg2bmap).
void boundary_map(const std::uint8_t* mask, std::size_t h, std::size_t w, std::uint8_t* out);
boundary_score boundary_f(const std::uint8_t* prediction, const std::uint8_t* truth, std::size_t h, std::size_t w, double bound);

inline void check_boundary(double ratio, std::size_t h, std::size_t w, const char* name) {
    check(ratio >= 0 && ratio <= 1, name, ": the dilation ratio must be in [0, 1], got ", ratio);
    check(h < (std::size_t{1} << 30) && w < (std::size_t{1} << 30), name, ": sides must be less than 2^30, got ", h, " x ", w);
}

}  // namespace detail

/// Gives the inner boundary of each mask: foreground within some pixels of background, the picture's border counting as background.
///
/// @param masks           (N, H, W) bool or integers
/// @param dilation_ratio  in [0, 1]: the width is this part of the diagonal, rounded (half to even), at least one pixel
/// @return                (N, H, W) of 0 and 1
/// @throws invalid_argument  on another rank or a ratio out of range
///
/// Cheng et al. 2021 (arXiv:2103.16562). Agrees with mask_to_boundary of boundary-iou-api (repeated 3 x 3 erosion), pixel for pixel. O(N H W).
template <array_expression M>
xt::xtensor<std::uint8_t, 3> mask_boundary(const M& masks, double dilation_ratio = 0.02) {
    const auto m = detail::as_mask<3>(masks, "mask_boundary: masks");
    detail::check_boundary(dilation_ratio, m.extent(1), m.extent(2), "mask_boundary");
    auto out = detail::new_tensor<std::uint8_t>(m.extent(0), m.extent(1), m.extent(2));
    detail::mask_boundary(m.data(), m.extent(0), m.extent(1), m.extent(2),
                          detail::boundary_width(dilation_ratio, m.extent(1), m.extent(2)), out.data());
    return out;
}
/// The same into the caller's memory: `out` is dense, row-major, (N, H, W), of std::uint8_t, and not the argument itself.
template <array_expression M, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void mask_boundary(const M& masks, double dilation_ratio, Out&& out) {
    const auto m = detail::as_mask<3>(masks, "mask_boundary: masks");
    detail::check_boundary(dilation_ratio, m.extent(1), m.extent(2), "mask_boundary");
    auto* to = detail::as_output<std::uint8_t, 3>(out, {m.extent(0), m.extent(1), m.extent(2)}, "mask_boundary: out");
    detail::mask_boundary(m.data(), m.extent(0), m.extent(1), m.extent(2),
                          detail::boundary_width(dilation_ratio, m.extent(1), m.extent(2)), to);
}

/// Gives the IoU of the boundaries of every mask of `a` and every mask of `b`: (N, H, W), (M, H, W) -> (N, M).
///
/// @throws invalid_argument  on other ranks, pictures of different sizes, a ratio out of range
///
/// Agrees with boundary-iou-api.
template <array_expression A, array_expression B>
xt::xtensor<double, 2> boundary_iou(const A& a, const B& b, const boundary_iou_options& options = {}) {
    const auto x = detail::as_mask<3>(a, "boundary_iou: a");
    const auto y = detail::as_mask<3>(b, "boundary_iou: b");
    detail::check_same_pictures(x, y, OCELLI_MASK_TEXTS_(boundary_iou));
    const std::size_t h = x.extent(1), w = x.extent(2), width = detail::boundary_width(options.dilation_ratio, h, w);
    detail::check_boundary(options.dilation_ratio, h, w, "boundary_iou");
    auto edges_a = detail::new_tensor<std::uint8_t>(x.extent(0), h, w), edges_b = detail::new_tensor<std::uint8_t>(y.extent(0), h, w);
    detail::mask_boundary(x.data(), x.extent(0), h, w, width, edges_a.data());
    detail::mask_boundary(y.data(), y.extent(0), h, w, width, edges_b.data());
    auto out = detail::new_tensor<double>(x.extent(0), y.extent(0));
    detail::pairwise_masks(detail::mask_measure::iou, edges_a.data(), x.extent(0), edges_b.data(), y.extent(0), h * w, options.of_empty,
                           out.data());
    if (options.minimum_with_mask_iou) {
        auto whole = detail::new_tensor<double>(x.extent(0), y.extent(0));
        detail::pairwise_masks(detail::mask_measure::iou, x.data(), x.extent(0), y.data(), y.extent(0), h * w, options.of_empty, whole.data());
        for (std::size_t i = 0; i < out.size(); ++i)
            if (whole.data()[i] < out.data()[i]) out.data()[i] = whole.data()[i];
    }
    return out;
}

/// Compares the boundaries of two masks with a tolerance: the contour accuracy F of DAVIS.
///
/// A boundary pixel is found if the other boundary has one within the tolerance (Euclidean).
///
/// @param prediction, truth  (H, W) bool or integers
/// @param bound              the tolerance: a part of the diagonal, rounded up, below 1; pixels from 1 on
/// @return                   precision 1 and recall 0 where the prediction alone is empty, the reverse where the truth is, F 0 there; all 1
///                           where both are
/// @throws invalid_argument  on other ranks, different sizes, a tolerance that is negative or NaN
///
/// Perazzi et al. 2016. Agrees with TrackEval's and davis2017-evaluation's F to the last bits (one pixel wide boundaries of seg2bmap, a disk of
/// the tolerance's radius).
template <array_expression P, array_expression T>
boundary_score boundary_f(const P& prediction, const T& truth, double bound = 0.008) {
    const auto p = detail::as_mask<2>(prediction, "boundary_f: prediction");
    const auto t = detail::as_mask<2>(truth, "boundary_f: truth");
    detail::check(p.shape() == t.shape(), "boundary_f: prediction and truth must have one shape, got ", detail::shape_text(p.shape()), " and ",
                  detail::shape_text(t.shape()));
    detail::check(bound >= 0 && bound <= 1e6, "boundary_f: the tolerance must be in [0, 1e6], got ", bound);
    detail::check_boundary(0, p.extent(0), p.extent(1), "boundary_f");
    return detail::boundary_f(p.data(), t.data(), p.extent(0), p.extent(1), bound);
}

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/masks/impl/boundary.inl>
#endif
