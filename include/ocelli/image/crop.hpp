#pragma once

/// @file
/// Cutting a rectangle out of an image.

#include <ocelli/image/detail/pixels.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ocelli {

/// A rectangle of whole pixels: columns x to x + width - 1, rows y to y + height - 1.
struct pixel_rect {
    std::int64_t x = 0;
    std::int64_t y = 0;
    std::int64_t width = 0;
    std::int64_t height = 0;
    friend bool operator==(const pixel_rect&, const pixel_rect&) = default;
};

namespace detail {

/// One value per channel from none (0), one for all, or one each.
template <class T>
std::vector<T> fill_values(const std::vector<double>& values, std::size_t channels, std::string_view what) {
    check(values.size() <= 1 || values.size() == channels, what, ": fill must have 0, 1 or ", channels, " values, got ",
          values.size());
    std::vector<T> out(channels, T{});
    for (std::size_t c = 0; c < channels && !values.empty(); ++c) {
        const double v = values[values.size() == 1 ? 0 : c];
        if constexpr (std::is_same_v<T, std::uint8_t>)
            check(v >= 0 && v <= 255 && v == static_cast<double>(static_cast<std::uint8_t>(v)), what,
                  ": fill for uint8 must be whole and lie in [0, 255], got ", v);
        out[c] = static_cast<T>(v);
    }
    return out;
}

inline constexpr std::int64_t longest_side = std::int64_t{1} << 24;

} // namespace detail

/// Cuts a rectangle out of an image.
///
/// @param image  (H, W) or (H, W, C) of uint8, float or double
/// @param rect   must lie within the image; may be empty
/// @return       (rect.height, rect.width) or (rect.height, rect.width, C), a copy
/// @throws invalid_argument  when it does not lie within the image: see crop_filled
template <array_expression E>
auto crop(const E& image, const pixel_rect& rect) {
    using T = value_type_t<E>;
    const detail::pixel_source source(image, "crop: image");
    const auto h = static_cast<std::int64_t>(source.height());
    const auto w = static_cast<std::int64_t>(source.width());
    detail::check(rect.x >= 0 && rect.y >= 0 && rect.width >= 0 && rect.height >= 0 && rect.x <= w && rect.y <= h &&
                      rect.width <= w - rect.x && rect.height <= h - rect.y,
                  "crop: rectangle x ", rect.x, ", y ", rect.y, ", ", rect.width, " x ", rect.height,
                  " must lie within the image of ", w, " x ", h, " pixels");
    auto out = xt::xtensor<T, detail::image_rank<E>()>::from_shape(
        source.shape_as(static_cast<std::size_t>(rect.height), static_cast<std::size_t>(rect.width)));
    const std::size_t pixel = source.channels();
    const std::size_t line = static_cast<std::size_t>(rect.width) * pixel;
    for (std::size_t y = 0; y < static_cast<std::size_t>(rect.height); ++y)
        std::copy_n(source.data() +
                        ((static_cast<std::size_t>(rect.y) + y) * source.width() + static_cast<std::size_t>(rect.x)) * pixel,
                    line, out.data() + y * line);
    return out;
}

/// Cuts a rectangle that may reach beyond the image, and fills what lies outside.
///
/// @param rect  at most 2^24 wide and high, anywhere
/// @param fill  one value per channel, one for all, or none (0)
/// @return      (rect.height, rect.width) or (rect.height, rect.width, C)
/// @throws invalid_argument  on a negative or too large size, or fill of another length
template <array_expression E>
auto crop_filled(const E& image, const pixel_rect& rect, const std::vector<double>& fill = {}) {
    using T = value_type_t<E>;
    const detail::pixel_source source(image, "crop_filled: image");
    detail::check(
        rect.width >= 0 && rect.height >= 0 && rect.width <= detail::longest_side && rect.height <= detail::longest_side,
        "crop_filled: width and height must lie in [0, ", detail::longest_side, "], got ", rect.width, " x ", rect.height);
    const std::size_t pixel = source.channels();
    const auto values = detail::fill_values<T>(fill, pixel, "crop_filled");
    auto out = xt::xtensor<T, detail::image_rank<E>()>::from_shape(
        source.shape_as(static_cast<std::size_t>(rect.height), static_cast<std::size_t>(rect.width)));
    const auto h = static_cast<std::int64_t>(source.height());
    const auto w = static_cast<std::int64_t>(source.width());
    // Columns [left, right) of the result lie within the image; no sum overflows, whatever x is.
    const auto first = [](std::int64_t from, std::int64_t size) { return from >= 0 ? 0 : from <= -size ? size : -from; };
    const auto last = [](std::int64_t from, std::int64_t size, std::int64_t extent) {
        if (from >= extent) return std::int64_t{0};
        return from <= extent - size ? size : extent - from;
    };
    const std::int64_t left = first(rect.x, rect.width);
    const std::int64_t right = std::max(left, last(rect.x, rect.width, w));
    const std::int64_t top = first(rect.y, rect.height);
    const std::int64_t bottom = std::max(top, last(rect.y, rect.height, h));
    T* to = out.data();
    const auto put = [&](std::int64_t n) {
        for (std::int64_t i = 0; i < n; ++i, to += pixel) std::copy_n(values.data(), pixel, to);
    };
    for (std::int64_t y = 0; y < rect.height; ++y) {
        if (y < top || y >= bottom || left == right) {
            put(rect.width);
            continue;
        }
        put(left);
        const std::size_t n = static_cast<std::size_t>(right - left) * pixel;
        to = std::copy_n(source.data() + static_cast<std::size_t>((rect.y + y) * w + rect.x + left) * pixel, n, to);
        put(rect.width - right);
    }
    return out;
}

} // namespace ocelli
