#pragma once

/// @file
/// Boxes and the borders of their image: clipping, dropping small ones, and carrying them back through a letterbox or resize.

#include <ocelli/boxes/detail/rows.hpp>
#include <ocelli/boxes/formats.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/core/tensor.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace ocelli {

/// The extent of an image in pixels, height first as in array shapes: `{480, 640}` or `{.height = 480, .width = 640}`.
struct image_extent {
    double height = 0;
    double width = 0;
};

namespace detail {

inline void check_extent(const image_extent& e, std::string_view what, bool positive) {
    const bool fine =
        is_finite(e.height) && is_finite(e.width) && (positive ? e.height > 0 && e.width > 0 : e.height >= 0 && e.width >= 0);
    check(fine, what, positive ? " must be positive, got (" : " must not be negative, got (", e.height, ", ", e.width, ")");
}

template <class T>
void clip_boxes(const T* in, std::size_t n, image_extent image, T* out) {
    const T width = static_cast<T>(image.width), height = static_cast<T>(image.height);
    for_each_row(n, [=](std::size_t i) {
        for (std::size_t c = 0; c < 4; c += 2) {
            out[i * 4 + c] = clamp_keep_nan(in[i * 4 + c], T(0), width);
            out[i * 4 + c + 1] = clamp_keep_nan(in[i * 4 + c + 1], T(0), height);
        }
    });
}

} // namespace detail

/// Clips boxes to an image, into the caller's memory. @param out (N, 4); may be the memory of `boxes` itself
template <array_expression B, class Out>
void clip_boxes_to_image(const B& boxes, image_extent image, Out&& out) {
    using T = scalar_t<B>;
    const auto b = as_dense<T, 2>(boxes, "clip_boxes_to_image: boxes");
    detail::check_shape(b, {detail::any, 4}, "clip_boxes_to_image: boxes");
    detail::check_extent(image, "clip_boxes_to_image: image", false);
    detail::clip_boxes(b.data(), b.extent(0), image,
                       detail::as_output<T, 2>(out, {b.extent(0), 4}, "clip_boxes_to_image: out"));
}

/// Moves the corners of boxes into an image: x to [0, width], y to [0, height].
///
/// @param boxes  (N, 4) x1 y1 x2 y2; infinite coordinates go to the border, NaN stays NaN, x2 < x1 stays as it is
/// @param image  height and width, not negative
/// @return       (N, 4)
/// @throws invalid_argument  on another shape, or a negative or infinite extent
///
/// Agrees with torchvision.ops.clip_boxes_to_image, bit for bit.
template <array_expression B>
xt::xtensor<scalar_t<B>, 2> clip_boxes_to_image(const B& boxes, image_extent image) {
    using T = scalar_t<B>;
    const auto b = as_dense<T, 2>(boxes, "clip_boxes_to_image: boxes");
    detail::check_shape(b, {detail::any, 4}, "clip_boxes_to_image: boxes");
    detail::check_extent(image, "clip_boxes_to_image: image", false);
    auto out = detail::new_tensor<T>(b.extent(0), 4);
    detail::clip_boxes(b.data(), b.extent(0), image, out.data());
    return out;
}

/// Finds the boxes whose width and height are both at least `min_size`.
///
/// @param boxes     (N, 4) x1 y1 x2 y2; a box with x2 < x1 has a negative width; one with a NaN is never kept
/// @param min_size  in the units of the boxes, compared in the boxes' own type (a float box against 0.1 as a float)
/// @return          (K) indices of the boxes to keep, ascending
/// @throws invalid_argument  on another shape, or a NaN size
///
/// Agrees with torchvision.ops.remove_small_boxes, index for index.
template <array_expression B>
xt::xtensor<std::int64_t, 1> remove_small_boxes(const B& boxes, double min_size) {
    using T = scalar_t<B>;
    const auto b = as_dense<T, 2>(boxes, "remove_small_boxes: boxes");
    detail::check_shape(b, {detail::any, 4}, "remove_small_boxes: boxes");
    detail::check(!detail::is_nan(min_size), "remove_small_boxes: min_size must not be NaN");
    const T least = static_cast<T>(min_size);
    const T* p = b.data();
    const auto kept = [&](std::size_t i) {
        const T w = p[4 * i + 2] - p[4 * i], h = p[4 * i + 3] - p[4 * i + 1];
        return !detail::is_nan(w) && !detail::is_nan(h) && w >= least && h >= least;
    };
    std::size_t count = 0;
    for (std::size_t i = 0; i < b.extent(0); ++i) count += kept(i) ? 1u : 0u;
    auto out = detail::new_tensor<std::int64_t>(count);
    std::size_t k = 0;
    for (std::size_t i = 0; i < b.extent(0); ++i)
        if (kept(i)) out.data()[k++] = static_cast<std::int64_t>(i);
    return out;
}

/// How an image was brought to the size of the network's input.
enum class resize_fit : std::uint8_t {
    letterbox,        ///< one ratio, centred between bars (ultralytics)
    letterbox_corner, ///< one ratio, at the top left, bars at the right and the bottom (YOLOX, ByteTrack; ultralytics'
                      ///< padding=False)
    stretch           ///< width and height each by its own ratio, no bars
};

/// A resize as it was done: network pixel = ratio * image pixel + pad.
struct resize_transform {
    double ratio_x = 1;
    double ratio_y = 1;
    double pad_x = 0;
    double pad_y = 0;
};

/// Options of scale_boxes.
struct scale_boxes_options {
    resize_fit fit = resize_fit::letterbox;
    std::optional<resize_transform> transform{}; ///< the resize, where it is known (ultralytics' ratio_pad); replaces `fit`
    box_format format = box_format::xyxy;
    bool clip = true; ///< clip to the target image; xyxy only, other formats are never clipped
};

/// Gives the resize that brings an image into a network's input, by ultralytics' rules.
///
/// Both sides are scaled by the smaller ratio and rounded to whole pixels (half to even, at least 1), so the two ratios can
/// differ by that rounding; for `letterbox` the left and upper bars are round((input - side) / 2 - 0.1) pixels. These are the
/// picture and the bars of ultralytics' LetterBox; for `stretch` the ratios are those of the sizes.
///
/// @param image  height and width of the picture, positive
/// @param input  height and width of the network's input, positive
/// @throws invalid_argument  on extents that are not positive
inline resize_transform letterbox_transform(image_extent image, image_extent input, resize_fit fit = resize_fit::letterbox) {
    detail::check_extent(image, "letterbox_transform: image", true);
    detail::check_extent(input, "letterbox_transform: input", true);
    resize_transform t;
    t.ratio_x = input.width / image.width;
    t.ratio_y = input.height / image.height;
    if (fit == resize_fit::stretch) return t;
    const double ratio = t.ratio_x < t.ratio_y ? t.ratio_x : t.ratio_y;
    const double width = std::fmax(std::nearbyint(image.width * ratio), 1.0);
    const double height = std::fmax(std::nearbyint(image.height * ratio), 1.0);
    t.ratio_x = width / image.width;
    t.ratio_y = height / image.height;
    if (fit == resize_fit::letterbox) {
        t.pad_x = std::nearbyint((input.width - width) / 2 - 0.1);
        t.pad_y = std::nearbyint((input.height - height) / 2 - 0.1);
    }
    return t;
}

namespace detail {

template <class T>
void scale_boxes(const T* in, std::size_t n, image_extent image, const resize_transform& t, box_format format, bool clip,
                 T* out) {
    const std::size_t columns = box_columns(format);
    // Columns are x, y, w, h or an angle: by parity, and whether bars move them.
    T pad[8] = {}, ratio[8] = {};
    for (std::size_t c = 0; c < columns; ++c) {
        const bool is_point = c < 2 || format == box_format::xyxy || format == box_format::xyxyxyxy;
        const bool is_angle = columns == 5 && c == 4;
        pad[c] = static_cast<T>(is_point ? (c % 2 == 0 ? t.pad_x : t.pad_y) : 0);
        ratio[c] = static_cast<T>(is_angle ? 1 : (c % 2 == 0 ? t.ratio_x : t.ratio_y));
    }
    const bool clips = clip && format == box_format::xyxy;
    const T limit[2] = {static_cast<T>(image.width), static_cast<T>(image.height)};
    for_each_row(n, [=](std::size_t i) {
        for (std::size_t c = 0; c < columns; ++c) {
            const T v = (in[i * columns + c] - pad[c]) / ratio[c];
            out[i * columns + c] = clips ? clamp_keep_nan(v, T(0), limit[c % 2]) : v;
        }
    });
}

inline resize_transform check_scale(image_extent input, image_extent image, const scale_boxes_options& options) {
    check_extent(input, "scale_boxes: input", true);
    check_extent(image, "scale_boxes: image", true);
    const resize_transform t = options.transform ? *options.transform : letterbox_transform(image, input, options.fit);
    check(is_finite(t.ratio_x) && is_finite(t.ratio_y) && is_finite(t.pad_x) && is_finite(t.pad_y) && t.ratio_x > 0 &&
              t.ratio_y > 0,
          "scale_boxes: transform must be finite with positive ratios, got ratios ", t.ratio_x, ", ", t.ratio_y, " and bars ",
          t.pad_x, ", ", t.pad_y);
    const bool turned = options.format == box_format::xywhr || options.format == box_format::cxcywhr;
    const bool stretched =
        (options.transform || options.fit == resize_fit::stretch) && std::fabs(t.ratio_x / t.ratio_y - 1) > 0.01;
    check(!turned || !stretched, "scale_boxes: a stretched rotated box is no box; convert to xyxyxyxy first");
    return t;
}

} // namespace detail

/// Carries boxes from a network's input back to the picture, into the caller's memory. @param out as boxes; may be their memory
template <array_expression B, class Out>
requires(array_expression<Out>) void scale_boxes(const B& boxes, image_extent input, image_extent image,
                                                 const scale_boxes_options& options, Out&& out) {
    using T = scalar_t<B>;
    const auto b = as_dense<T, 2>(boxes, "scale_boxes: boxes");
    detail::check_shape(b, {detail::any, static_cast<std::int64_t>(box_columns(options.format))}, "scale_boxes: boxes");
    const auto t = detail::check_scale(input, image, options);
    T* o = detail::as_output<T, 2>(out, {b.extent(0), b.extent(1)}, "scale_boxes: out");
    detail::scale_boxes(b.data(), b.extent(0), image, t, options.format, options.clip, o);
}

/// Carries boxes from a network's input back to the picture: the inverse of a letterbox or resize.
///
/// @param boxes    (N, 4), (N, 5) or (N, 8), as `options.format` says, in pixels of the input; NaN stays NaN
/// @param input    height and width of the network's input
/// @param image    height and width of the picture
/// @param options  how the picture was fitted; a known transform; whether to clip
/// @return         the boxes in pixels of the picture, as double or float like the boxes
/// @throws invalid_argument  on another shape, extents or ratios that are not positive, or rotated boxes (five numbers) whose
///                           ratios differ by more than a hundredth: convert those to xyxyxyxy first
///
/// Agrees with ultralytics.utils.ops.scale_boxes of version 8.4 (padding=True is resize_fit::letterbox, padding=False is
/// letterbox_corner).
template <array_expression B>
xt::xtensor<scalar_t<B>, 2> scale_boxes(const B& boxes, image_extent input, image_extent image,
                                        const scale_boxes_options& options = {}) {
    using T = scalar_t<B>;
    const auto b = as_dense<T, 2>(boxes, "scale_boxes: boxes");
    detail::check_shape(b, {detail::any, static_cast<std::int64_t>(box_columns(options.format))}, "scale_boxes: boxes");
    const auto t = detail::check_scale(input, image, options);
    auto out = detail::new_tensor<T>(b.extent(0), b.extent(1));
    detail::scale_boxes(b.data(), b.extent(0), image, t, options.format, options.clip, out.data());
    return out;
}

} // namespace ocelli
