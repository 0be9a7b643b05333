#pragma once

/// @file
/// Fitting an image into a network's input without changing its proportions.
///
///     const auto boxed = ocelli::letterbox(photo, {640, 640});
///     // ... the network finds boxes in boxed.image ...
///     const auto& g = boxed.geometry;
///     const auto in_photo = ocelli::scale_boxes(boxes, {640, 640}, {photo_height, photo_width},
///                                               {.transform = {{g.ratio_x, g.ratio_y, g.left, g.top}}});

#include <ocelli/image/pad.hpp>
#include <ocelli/image/resize.hpp>

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace ocelli {

/// How an image is fitted; the defaults are those of ultralytics' LetterBox for inference.
struct letterbox_options {
    std::vector<double> fill = {114}; ///< of the bars: one value per channel, or one for all
    resize_method method = resize_method::cv_linear;
    bool scale_up = true;    ///< enlarge small images too
    bool centre = true;      ///< bars on both sides; otherwise right and below only
    std::int64_t stride = 0; ///< where positive, bars only up to the next multiple of it (ultralytics' auto)
};

/// Where the image lies in the letterbox: letterbox pixel = ratio * image pixel + left or top.
struct letterbox_geometry {
    image_size scaled;    ///< of the image in the letterbox
    image_size size;      ///< of the letterbox, as asked unless options.stride made it smaller
    double ratio_x = 1;   ///< scaled width / width
    double ratio_y = 1;   ///< scaled height / height
    std::int64_t top = 0; ///< bars, in pixels
    std::int64_t bottom = 0;
    std::int64_t left = 0;
    std::int64_t right = 0;
};

/// An image in its letterbox.
template <class T, std::size_t N>
struct letterboxed {
    xt::xtensor<T, N> image;
    letterbox_geometry geometry;
};

/// Computes where an image of one size lies in a letterbox of another.
///
/// One ratio r = min(height / image height, width / image width), at most 1 unless scale_up. The image becomes
/// round(r * side) pixels wide and high (half to even, at least 1); each pair of bars shares what is left, the odd pixel going
/// right and below.
/// @throws invalid_argument  on a size outside [1, 2^24]
inline letterbox_geometry letterbox_fit(image_size image, image_size size, const letterbox_options& options = {}) {
    detail::check_size(image.height, image.width, "letterbox: image");
    detail::check_size(size.height, size.width, "letterbox");
    detail::check(options.stride >= 0, "letterbox: stride must not be negative, got ", options.stride);
    const auto h = static_cast<double>(image.height);
    const auto w = static_cast<double>(image.width);
    double ratio = std::fmin(static_cast<double>(size.height) / h, static_cast<double>(size.width) / w);
    if (!options.scale_up) ratio = std::fmin(ratio, 1.0);
    letterbox_geometry g;
    g.scaled.height = std::max<std::int64_t>(1, std::llrint(h * ratio));
    g.scaled.width = std::max<std::int64_t>(1, std::llrint(w * ratio));
    g.ratio_y = static_cast<double>(g.scaled.height) / h;
    g.ratio_x = static_cast<double>(g.scaled.width) / w;
    std::int64_t rest_y = size.height - g.scaled.height;
    std::int64_t rest_x = size.width - g.scaled.width;
    if (options.stride > 0) {
        rest_y %= options.stride;
        rest_x %= options.stride;
    }
    // ultralytics: round(rest / 2 - 0.1) before, round(rest / 2 + 0.1) behind.
    g.top = options.centre ? rest_y / 2 : 0;
    g.left = options.centre ? rest_x / 2 : 0;
    g.bottom = rest_y - g.top;
    g.right = rest_x - g.left;
    g.size = {g.scaled.height + rest_y, g.scaled.width + rest_x};
    return g;
}

/// Resizes an image to fit into a size, keeping its proportions, and fills the rest with bars.
///
/// @param image  (H, W) or (H, W, C) of uint8, float or double, not empty
/// @param size   height and width of the result
/// @return       the image of that size (smaller where options.stride says so) and where the picture lies in it
/// @throws invalid_argument  like letterbox_fit and resize, or on fill of another length than the channels
///
/// Agrees with ultralytics' LetterBox (auto=False unless a stride is given, scaleFill=False).
template <array_expression E>
auto letterbox(const E& image, image_size size, const letterbox_options& options = {}) {
    const detail::pixel_source source(image, "letterbox: image");
    detail::check(source.size() > 0, "letterbox: image is empty, its shape is ", detail::shape_text(source.shape()));
    const image_size from{static_cast<std::int64_t>(source.height()), static_cast<std::int64_t>(source.width())};
    const letterbox_geometry g = letterbox_fit(from, size, options);
    const border_size bars{g.top, g.bottom, g.left, g.right};
    using result = letterboxed<value_type_t<E>, detail::image_rank<E>()>;
    if (g.scaled == from) return result{pad(image, bars, border_mode::constant, options.fill), g};
    return result{pad(resize(image, g.scaled, options.method), bars, border_mode::constant, options.fill), g};
}

} // namespace ocelli
