#pragma once

/// @file
/// RoIAlign for rotated boxes.

#include <ocelli/core/config.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/tensor.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace ocelli {

/// What RoIAlign of rotated boxes can be asked to do differently.
struct roi_align_rotated_options {
    std::int64_t output_height = 7;
    std::int64_t output_width = 7;
    /// Cells of the map for a pixel of the picture, 1 / stride.
    double spatial_scale = 1;
    /// Samples of a bin in each direction; 0 or less: as many as a bin has cells, rounded up.
    std::int64_t sampling_ratio = 0;
};

namespace detail {

void roi_align_rotated(const std::array<std::size_t, 4>& in, std::size_t count, const roi_align_rotated_options& options, const float* maps, const float* rois,
                       float* out);
void roi_align_rotated(const std::array<std::size_t, 4>& in, std::size_t count, const roi_align_rotated_options& options, const double* maps,
                       const double* rois, double* out);
void check_rotated_map(const std::array<std::size_t, 4>& in, const roi_align_rotated_options& options);

template <class In, class Rois>
void check_rotated(const In& in, const Rois& rois, const roi_align_rotated_options& options) {
    check_rotated_map(in.shape(), options);
    check_shape(rois, {any, 6}, "roi_align_rotated: rois");
    for (std::size_t k = 0; k < rois.extent(0); ++k) {
        const auto* r = rois.data() + 6 * k;
        const auto image = static_cast<double>(r[0]);
        check(is_finite(image) && image >= 0 && image < static_cast<double>(in.extent(0)) && image == static_cast<double>(static_cast<std::int64_t>(image)),
              "roi_align_rotated: roi ", k, " names image ", image, " of ", in.extent(0));
        check(!(r[3] < 0) && !(r[4] < 0), "roi_align_rotated: roi ", k, " has a negative side, ", r[3], " x ", r[4]);
    }
}

}  // namespace detail

/// Averages bilinear samples of each bin of each rotated RoI.
///
/// @param input    (N, C, H, W)
/// @param rois     (K, 6) image, centre x and y, width, height in pixels of the picture, angle in degrees, counter-clockwise
/// @param options  see roi_align_rotated_options; cell centres lie at half pixels
/// @return         (K, C, output_height, output_width)
/// @throws invalid_argument  on other shapes, an image that is not there, a negative side, options out of range
///
/// A RoI with a coordinate that is NaN, infinite or beyond 2^30 cells gives zeros, and so does what lies more than a cell outside the map. float and
/// double. Agrees with detectron2's ROIAlignRotated to 1e-4 of the largest feature (places are rounded to the precision of the elements).
template <array_expression E, array_expression R>
xt::xtensor<scalar_t<E, R>, 4> roi_align_rotated(const E& input, const R& rois, const roi_align_rotated_options& options = {}) {
    using T = scalar_t<E, R>;
    const auto in = as_dense<T, 4>(input, "roi_align_rotated: input");
    const auto r = as_dense<T, 2>(rois, "roi_align_rotated: rois");
    detail::check_rotated(in, r, options);
    auto out = detail::new_tensor<T>(r.extent(0), in.extent(1), options.output_height, options.output_width);
    detail::roi_align_rotated(in.shape(), r.extent(0), options, in.data(), r.data(), out.data());
    return out;
}
/// The same into the caller's memory: `out` is dense, row-major, of the result's shape and type.
template <array_expression E, array_expression R, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void roi_align_rotated(const E& input, const R& rois, const roi_align_rotated_options& options, Out&& out) {
    using T = scalar_t<E, R>;
    const auto in = as_dense<T, 4>(input, "roi_align_rotated: input");
    const auto r = as_dense<T, 2>(rois, "roi_align_rotated: rois");
    detail::check_rotated(in, r, options);
    T* to = detail::as_output<T, 4>(out, {r.extent(0), in.extent(1), static_cast<std::size_t>(options.output_height),
                                          static_cast<std::size_t>(options.output_width)}, "roi_align_rotated: out");
    detail::roi_align_rotated(in.shape(), r.extent(0), options, in.data(), r.data(), to);
}

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/features/impl/roi_align_rotated.inl>
#endif
