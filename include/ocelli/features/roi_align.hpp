#pragma once

/// @file
/// RoIAlign, RoIPool and their position-sensitive forms: features of boxes, from maps (N, C, H, W).
///
/// RoIs are rows `image x1 y1 x2 y2`: the number of an image and a box in pixels of the picture, which spatial_scale takes to cells of the
/// map. One rule holds for all: a RoI with a coordinate that is NaN, infinite or beyond 2^30 cells gives zeros; so does what lies outside the
/// map. float and double; results do not depend on the number of threads, and on the instruction set within rounding.

#include <ocelli/core/config.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/tensor.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace ocelli {

/// What RoIAlign makes of a bin's samples.
enum class roi_align_mode {
    average,
    max,            ///< largest interpolated sample (mmcv's pool_mode="max")
    max_of_corners  ///< largest of the four weighted corner values of all samples (ONNX's mode="max")
};

/// What RoIAlign can be asked to do differently; the defaults but for the size are torchvision.ops.roi_align's.
struct roi_align_options {
    std::int64_t output_height = 7;
    std::int64_t output_width = 7;
    /// Cells of the map for a pixel of the picture, 1 / stride.
    double spatial_scale = 1;
    /// Samples of a bin in each direction; 0 or less: as many as a bin has cells, rounded up.
    std::int64_t sampling_ratio = 0;
    /// Cell centres lie at half pixels (detectron2; ONNX's half_pixel), and RoIs smaller than a cell stay so.
    bool aligned = false;
    roi_align_mode mode = roi_align_mode::average;
};

/// What RoIPool can be asked to do differently.
struct roi_pool_options {
    std::int64_t output_height = 7;
    std::int64_t output_width = 7;
    double spatial_scale = 1;
};

namespace detail {

struct roi_shape {
    std::size_t images, channels, height, width, rois;
    const std::size_t* rows = nullptr;  ///< where each RoI's result goes; null: in their order (roi_align alone looks at it)
};

void roi_align(const float* input, const float* rois, const roi_shape& shape, const roi_align_options& options, float* out);
void roi_align(const double* input, const double* rois, const roi_shape& shape, const roi_align_options& options, double* out);
void roi_pool(const float* input, const float* rois, const roi_shape& shape, const roi_pool_options& options, float* out);
void roi_pool(const double* input, const double* rois, const roi_shape& shape, const roi_pool_options& options, double* out);
void ps_roi_align(const float* input, const float* rois, const roi_shape& shape, const roi_align_options& options, float* out);
void ps_roi_align(const double* input, const double* rois, const roi_shape& shape, const roi_align_options& options, double* out);
void ps_roi_pool(const float* input, const float* rois, const roi_shape& shape, const roi_pool_options& options, float* out);
void ps_roi_pool(const double* input, const double* rois, const roi_shape& shape, const roi_pool_options& options, double* out);

/// Checks arguments, and gives their sizes and the channels of the result.
template <class In, class Rois>
roi_shape check_rois(const In& in, const Rois& rois, std::int64_t output_height, std::int64_t output_width, double scale, const char* name) {
    check(rois.extent(1) == 5, name, ": rois must have shape (K, 5), got ", shape_text(rois.shape()));
    check(output_height >= 1 && output_width >= 1 && output_height <= 4096 && output_width <= 4096, name,
          ": the output's sides must be in [1, 4096], got ", output_height, " and ", output_width);
    check(scale > 0 && is_finite(scale), name, ": the spatial scale must be positive, got ", scale);
    check(in.extent(2) < (std::size_t{1} << 30) && in.extent(3) < (std::size_t{1} << 30), name, ": the map is too large, ",
          shape_text(in.shape()));
    for (std::size_t k = 0; k < rois.extent(0); ++k) {
        const auto image = static_cast<double>(rois[5 * k]);
        const bool inside = is_finite(image) && image >= 0 && image < static_cast<double>(in.extent(0)) &&
                            image == static_cast<double>(static_cast<std::int64_t>(image));
        check(inside, name, ": roi ", k, " names image ", image, " of ", in.extent(0));
    }
    return {in.extent(0), in.extent(1), in.extent(2), in.extent(3), rois.extent(0)};
}

inline std::size_t ps_channels(const roi_shape& s, std::int64_t output_height, std::int64_t output_width, const char* name) {
    const auto bins = static_cast<std::size_t>(output_height * output_width);
    check(s.channels % bins == 0, name, ": the channels must be a multiple of ", bins, " bins, got ", s.channels);
    return s.channels / bins;
}

}  // namespace detail

#define OCELLI_ROI_FUNCTION_(function, options_type, channels_of)                                                                     \
    template <array_expression E, array_expression R>                                                                               \
    xt::xtensor<scalar_t<E, R>, 4> function(const E& input, const R& rois, const options_type& options) {                           \
        using T = scalar_t<E, R>;                                                                                                   \
        const auto in = as_dense<T, 4>(input, #function ": input");                                                                 \
        const auto r = as_dense<T, 2>(rois, #function ": rois");                                                                    \
        const auto s = detail::check_rois(in, r, options.output_height, options.output_width, options.spatial_scale, #function);    \
        auto out = detail::new_tensor<T>(s.rois, channels_of, options.output_height, options.output_width);                         \
        detail::function(in.data(), r.data(), s, options, out.data());                                                              \
        return out;                                                                                                                 \
    }                                                                                                                               \
    template <array_expression E, array_expression R, class Out>                                                                    \
        requires array_expression<std::remove_cvref_t<Out>>                                                                         \
    void function(const E& input, const R& rois, const options_type& options, Out&& out) {                                          \
        using T = scalar_t<E, R>;                                                                                                   \
        const auto in = as_dense<T, 4>(input, #function ": input");                                                                 \
        const auto r = as_dense<T, 2>(rois, #function ": rois");                                                                    \
        const auto s = detail::check_rois(in, r, options.output_height, options.output_width, options.spatial_scale, #function);    \
        T* to = detail::as_output<T, 4>(out, {s.rois, channels_of, static_cast<std::size_t>(options.output_height),                 \
                                              static_cast<std::size_t>(options.output_width)}, #function ": out");                  \
        detail::function(in.data(), r.data(), s, options, to);                                                                      \
    }

/// Averages bilinear samples of each bin of each RoI (He et al. 2017), or takes the largest.
///
/// A form with a last argument `out` writes into the caller's memory, dense and row-major.
///
/// @param input    (N, C, H, W)
/// @param rois     (K, 5) image x1 y1 x2 y2
/// @param options  see roi_align_options
/// @return         (K, C, output_height, output_width)
/// @throws invalid_argument  on other shapes, an image that is not there, sizes or options out of range
///
/// Agrees with torchvision.ops.roi_align and detectron2's ROIAlign (aligned) to 1e-5 of the largest feature, and in max_of_corners with ONNX
/// RoiAlign. Samples of a bin lie on a grid, so rows are summed before columns; channels lie side by side in vectors.
OCELLI_ROI_FUNCTION_(roi_align, roi_align_options, s.channels)

/// Takes the largest cell of each bin of each RoI (Girshick 2015); bins without cells are 0.
///
/// Arguments, forms and errors as roi_align. Equal to torchvision.ops.roi_pool (its first result). NaN is never the largest.
OCELLI_ROI_FUNCTION_(roi_pool, roi_pool_options, s.channels)

/// RoIAlign in which every bin has channels of its own (Li et al. 2017): bin (p, q) of channel c reads channel (c P + p) Q + q of the input.
///
/// (N, C P Q, H, W) -> (K, C, P, Q). Arguments, forms and errors as roi_align; RoIs are aligned and averaged always (the options `aligned` and
/// `mode` are not looked at). Agrees with torchvision.ops.ps_roi_align; bins of RoIs without extent are 0 (torchvision: NaN where adaptive).
OCELLI_ROI_FUNCTION_(ps_roi_align, roi_align_options, detail::ps_channels(s, options.output_height, options.output_width, "ps_roi_align"))

/// RoIPool's position-sensitive form, averaging (Dai et al. 2016, R-FCN): bin (p, q) of channel c reads channel (c P + p) Q + q of the input.
///
/// (N, C P Q, H, W) -> (K, C, P, Q). Arguments, forms and errors as roi_align. Agrees with torchvision.ops.ps_roi_pool.
OCELLI_ROI_FUNCTION_(ps_roi_pool, roi_pool_options, detail::ps_channels(s, options.output_height, options.output_width, "ps_roi_pool"))

#undef OCELLI_ROI_FUNCTION_

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/features/impl/roi_align.inl>
#endif
