#pragma once

/// @file
/// Pasting the small soft masks of a two-stage network (28 x 28 and the like) into the picture.

#include <ocelli/core/config.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/core/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace ocelli {
namespace detail {

void paste_masks(const float* masks, std::size_t n, std::size_t mask_h, std::size_t mask_w, const float* boxes, std::size_t h, std::size_t w,
                 double threshold, std::uint8_t* out);
void paste_soft_masks(const float* masks, std::size_t n, std::size_t mask_h, std::size_t mask_w, const float* boxes, std::size_t h,
                      std::size_t w, float* out);

template <class M, class B>
void check_paste(const M& m, const B& b, std::int64_t height, std::int64_t width, const char* name) {
    check(b.extent(1) == 4, name, ": boxes must have shape (N, 4), got ", shape_text(b.shape()));
    check(m.extent(0) == b.extent(0), name, ": masks and boxes must have the same length, got ", m.extent(0), " and ", b.extent(0));
    check(height >= 0 && width >= 0 && (height == 0 || width <= (std::int64_t{1} << 40) / height), name,
          ": height and width must not be negative, nor have more than 2^40 pixels, got ", height, " and ", width);
}

}  // namespace detail

/// Pastes soft masks into the picture and compares them with a threshold.
///
/// A pixel takes the value at its centre, bilinear between the centres of the mask's cells, which fade to 0 over half a cell outside the
/// box. Foreground is what is not less than the threshold.
///
/// @param masks          (N, h, w) float, usually in [0, 1], any size (detectron2: square)
/// @param boxes          (N, 4) x1 y1 x2 y2 in pixels of the picture, float; parts outside it are cut off
/// @param height, width  of the picture
/// @return               (N, height, width) of 0 and 1; nothing for a box without area or with a coordinate that is NaN or infinite
/// @throws invalid_argument  on other shapes, different lengths, a negative size
///
/// Agrees with detectron2's paste_masks_in_image on the processor (grid_sample with align_corners=False), but for pixels within 1e-5 of
/// the threshold. A NaN in a mask is background.
template <array_expression M, array_expression B>
xt::xtensor<std::uint8_t, 3> paste_masks(const M& masks, const B& boxes, std::int64_t height, std::int64_t width, double threshold = 0.5) {
    const auto m = as_dense<float, 3>(masks, "paste_masks: masks");
    const auto b = as_dense<float, 2>(boxes, "paste_masks: boxes");
    detail::check_paste(m, b, height, width, "paste_masks");
    auto out = detail::new_tensor<std::uint8_t>(m.extent(0), height, width);
    detail::paste_masks(m.data(), m.extent(0), m.extent(1), m.extent(2), b.data(), static_cast<std::size_t>(height),
                        static_cast<std::size_t>(width), threshold, out.data());
    return out;
}
/// The same into the caller's memory: `out` is dense, row-major, (N, height, width), of std::uint8_t.
template <array_expression M, array_expression B, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void paste_masks(const M& masks, const B& boxes, std::int64_t height, std::int64_t width, double threshold, Out&& out) {
    const auto m = as_dense<float, 3>(masks, "paste_masks: masks");
    const auto b = as_dense<float, 2>(boxes, "paste_masks: boxes");
    detail::check_paste(m, b, height, width, "paste_masks");
    const auto h = static_cast<std::size_t>(height), w = static_cast<std::size_t>(width);
    auto* to = detail::as_output<std::uint8_t, 3>(out, {m.extent(0), h, w}, "paste_masks: out");
    detail::paste_masks(m.data(), m.extent(0), m.extent(1), m.extent(2), b.data(), h, w, threshold, to);
}

/// Pastes soft masks without a threshold: (N, height, width) float, 0 from one pixel outside the box on. Otherwise as paste_masks.
template <array_expression M, array_expression B>
xt::xtensor<float, 3> paste_soft_masks(const M& masks, const B& boxes, std::int64_t height, std::int64_t width) {
    const auto m = as_dense<float, 3>(masks, "paste_soft_masks: masks");
    const auto b = as_dense<float, 2>(boxes, "paste_soft_masks: boxes");
    detail::check_paste(m, b, height, width, "paste_soft_masks");
    auto out = detail::new_tensor<float>(m.extent(0), height, width);
    detail::paste_soft_masks(m.data(), m.extent(0), m.extent(1), m.extent(2), b.data(), static_cast<std::size_t>(height),
                             static_cast<std::size_t>(width), out.data());
    return out;
}
/// The same into the caller's memory: `out` is dense, row-major, (N, height, width), of float.
template <array_expression M, array_expression B, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void paste_soft_masks(const M& masks, const B& boxes, std::int64_t height, std::int64_t width, Out&& out) {
    const auto m = as_dense<float, 3>(masks, "paste_soft_masks: masks");
    const auto b = as_dense<float, 2>(boxes, "paste_soft_masks: boxes");
    detail::check_paste(m, b, height, width, "paste_soft_masks");
    const auto h = static_cast<std::size_t>(height), w = static_cast<std::size_t>(width);
    float* to = detail::as_output<float, 3>(out, {m.extent(0), h, w}, "paste_soft_masks: out");
    detail::paste_soft_masks(m.data(), m.extent(0), m.extent(1), m.extent(2), b.data(), h, w, to);
}

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/masks/impl/paste.inl>
#endif
