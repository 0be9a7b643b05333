#pragma once

/// @file
/// Adding a border to an image.

#include <ocelli/image/crop.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ocelli {

/// What a border is made of; a row `abcd` continues to the right as shown.
enum class border_mode : std::uint8_t {
    constant,   ///< abcd|vvv: the fill value (cv2.BORDER_CONSTANT, torch "constant")
    edge,       ///< abcd|ddd: the outermost pixel (cv2.BORDER_REPLICATE, numpy "edge", torch "replicate")
    reflect,    ///< abcd|dcb: mirrored with the outermost pixel (cv2.BORDER_REFLECT, numpy "symmetric")
    reflect101, ///< abcd|cba: mirrored about the outermost pixel (cv2.BORDER_REFLECT_101, numpy and torch "reflect")
};

/// Pixels to add on each side.
struct border_size {
    std::int64_t top = 0;
    std::int64_t bottom = 0;
    std::int64_t left = 0;
    std::int64_t right = 0;
};

namespace detail {

/// The index within [0, extent) that stands at `at`; -1 for the fill value. Mirrors as often as needed.
inline std::int64_t border_index(std::int64_t at, std::int64_t extent, border_mode mode) noexcept {
    if (at >= 0 && at < extent) return at;
    if (mode == border_mode::constant) return -1;
    if (mode == border_mode::edge) return at < 0 ? 0 : extent - 1;
    if (extent == 1) return 0;
    const std::int64_t period = mode == border_mode::reflect ? 2 * extent : 2 * extent - 2;
    at %= period;
    if (at < 0) at += period;
    return at < extent ? at : mode == border_mode::reflect ? period - 1 - at : period - at;
}

} // namespace detail

/// Adds a border to an image.
///
/// @param image   (H, W) or (H, W, C) of uint8, float or double, not empty
/// @param border  pixels to add on each side, not negative
/// @param mode    what the border is made of
/// @param fill    for border_mode::constant: one value per channel, one for all, or none (0)
/// @return        (H + top + bottom, W + left + right[, C])
/// @throws invalid_argument  on an empty image, a negative or too large border, fill of another length
///
/// Equals cv2.copyMakeBorder; mirrored borders may be larger than the image, as there.
template <array_expression E>
auto pad(const E& image, const border_size& border, border_mode mode = border_mode::constant,
         const std::vector<double>& fill = {}) {
    using T = value_type_t<E>;
    const detail::pixel_source source(image, "pad: image");
    detail::check(source.size() > 0, "pad: image is empty, its shape is ", detail::shape_text(source.shape()));
    for (const std::int64_t side : {border.top, border.bottom, border.left, border.right})
        detail::check(side >= 0 && side <= detail::longest_side, "pad: border must lie in [0, ", detail::longest_side,
                      "], got ", side);
    const std::size_t pixel = source.channels();
    const auto values = detail::fill_values<T>(fill, pixel, "pad");
    const auto h = static_cast<std::int64_t>(source.height());
    const auto w = static_cast<std::int64_t>(source.width());
    const std::int64_t height = h + border.top + border.bottom;
    const std::int64_t width = w + border.left + border.right;
    auto out = xt::xtensor<T, detail::image_rank<E>()>::from_shape(
        source.shape_as(static_cast<std::size_t>(height), static_cast<std::size_t>(width)));
    std::vector<std::int64_t> columns(static_cast<std::size_t>(width));
    for (std::int64_t x = 0; x < width; ++x)
        columns[static_cast<std::size_t>(x)] = detail::border_index(x - border.left, w, mode);
    T* to = out.data();
    for (std::int64_t y = 0; y < height; ++y) {
        const std::int64_t row = detail::border_index(y - border.top, h, mode);
        const T* from = source.data() + static_cast<std::size_t>(row < 0 ? 0 : row * w) * pixel;
        for (const std::int64_t column : columns) {
            const T* p = row < 0 || column < 0 ? values.data() : from + static_cast<std::size_t>(column) * pixel;
            to = std::copy_n(p, pixel, to);
        }
    }
    return out;
}

} // namespace ocelli
