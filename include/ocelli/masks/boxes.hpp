#pragma once

/// @file
/// Boxes around masks.

#include <ocelli/core/config.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/masks/detail/arguments.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace ocelli {

/// What x2 and y2 of a mask's box mean.
enum class mask_box_corner {
    last_pixel,  ///< the index of the last pixel, as torchvision.ops.masks_to_boxes: x2 - x1 is one less than the columns
    border       ///< the border behind it, continuous coordinates as everywhere else: x2 - x1 columns
};

namespace detail {

void masks_to_boxes(const std::uint8_t* masks, std::size_t n, std::size_t h, std::size_t w, mask_box_corner corner, float* out);

}  // namespace detail

/// Gives the smallest box around the foreground of each mask.
///
/// @param masks   (N, H, W) bool or integers, foreground being what is not 0
/// @param corner  what the second corner means; the default is torchvision's
/// @return        (N, 4) float x1 y1 x2 y2; all 0 for an empty mask
/// @throws invalid_argument  on another rank
///
/// Agrees with torchvision.ops.masks_to_boxes.
template <array_expression M>
xt::xtensor<float, 2> masks_to_boxes(const M& masks, mask_box_corner corner = mask_box_corner::last_pixel) {
    const auto m = detail::as_mask<3>(masks, "masks_to_boxes: masks");
    auto out = detail::new_tensor<float>(m.extent(0), 4);
    detail::masks_to_boxes(m.data(), m.extent(0), m.extent(1), m.extent(2), corner, out.data());
    return out;
}
/// The same into the caller's memory: `out` is dense, row-major, (N, 4), of float.
template <array_expression M, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void masks_to_boxes(const M& masks, Out&& out, mask_box_corner corner = mask_box_corner::last_pixel) {
    const auto m = detail::as_mask<3>(masks, "masks_to_boxes: masks");
    float* to = detail::as_output<float, 2>(out, {m.extent(0), 4}, "masks_to_boxes: out");
    detail::masks_to_boxes(m.data(), m.extent(0), m.extent(1), m.extent(2), corner, to);
}

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/masks/impl/boxes.inl>
#endif
