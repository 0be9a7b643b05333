#pragma once

/// @file
/// Drawing results into pictures: boxes with labels, text, masks, maps of labels, lines, points, legends.
///
///     ocelli::draw_boxes(photo, boxes, {.labels = labels, .texts = texts});
///     ocelli::write_image("found.png", photo);
///
/// Everything is drawn in place into uint8 images of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), dense and row-major, and
/// is clipped at their borders: any coordinates are fine, those with NaN or infinity are left out. Nothing here is
/// multithreaded, and the same call gives the same pixels everywhere.

#include <ocelli/core/config.hpp>
#include <ocelli/image/detail/pixels.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace ocelli {

/// A colour; in grey images its lightness is drawn, and images whose blue comes first are told by draw options.
struct rgb {
    std::uint8_t red = 0;
    std::uint8_t green = 0;
    std::uint8_t blue = 0;
    friend bool operator==(const rgb&, const rgb&) = default;
};

/// Gives the colour of a class or identity: 20 that are easily told apart, then further hues without end. Negative indices
/// count like others.
rgb palette_colour(std::int64_t index) noexcept;

/// Black or white, whichever is easier to read on a background.
rgb contrasting_colour(rgb background) noexcept;

/// How text is drawn.
struct text_options {
    rgb colour = {255, 255, 255};
    std::int64_t scale = 0;  ///< pixels per dot of the 5 x 7 font; 0 chooses by the size of the image
    bool background = false; ///< fill the rectangle behind the text
    rgb background_colour = {};
    bool bgr = false; ///< the image's first channel is blue
};

/// How boxes are drawn.
struct draw_boxes_options {
    std::span<const std::int64_t> labels = {}; ///< one per box, chooses the colour; without them each box has its own
    std::span<const std::string> texts = {};   ///< one per box, or none; drawn on the box's colour
    std::span<const rgb> colours = {};         ///< one per box; replaces the palette
    std::int64_t thickness = 0;                ///< of the lines in pixels; 0 chooses by the size of the image
    std::int64_t text_scale = 0;               ///< pixels per dot of the font; 0 chooses by the size of the image
    double fill = 0;                           ///< opacity of the boxes' inside, in [0, 1]
    bool bgr = false;                          ///< the image's first channel is blue
};

/// How masks are drawn.
struct draw_masks_options {
    std::span<const std::int64_t> labels = {}; ///< one per mask, chooses the colour; without them each mask has its own
    std::span<const rgb> colours = {};         ///< one per mask; replaces the palette
    double opacity = 0.5;                      ///< in [0, 1]
    bool outline = true;                       ///< draw the masks' border pixels in full colour
    bool bgr = false;                          ///< the image's first channel is blue
};

/// How a map of labels is drawn.
struct draw_labels_options {
    std::span<const rgb> colours = {}; ///< by label; labels beyond them, and all without, have the palette's
    double opacity = 0.5;              ///< in [0, 1]
    bool outline = true;               ///< draw pixels beside another label in full colour
    std::int64_t skip = -1;            ///< pixels of this label are left as they are
    bool bgr = false;                  ///< the image's first channel is blue
};

/// Where a legend stands.
enum class corner : std::uint8_t { top_left, top_right, bottom_left, bottom_right };

/// How a legend is drawn.
struct draw_legend_options {
    std::span<const std::int64_t> labels = {}; ///< one per name, chooses the colour; without them 0, 1, 2, ...
    std::span<const rgb> colours = {};         ///< one per name; replaces the palette
    corner where = corner::top_left;
    std::int64_t text_scale = 0; ///< pixels per dot of the font; 0 chooses by the size of the image
    bool bgr = false;            ///< the image's first channel is blue
};

namespace detail {

/// An image to draw into.
struct canvas {
    std::uint8_t* data;
    std::int64_t height, width, channels;
    bool bgr;
};

template <class Image>
canvas make_canvas(Image& image, bool bgr, std::string_view what) {
    static_assert(array_expression<Image>, "the image must be an array with memory");
    static_assert(std::is_same_v<value_type_t<Image>, std::uint8_t>, "only uint8 images are drawn into");
    constexpr std::size_t rank = image_rank<Image>();
    const auto& shape = image.shape();
    check(std::size(shape) == rank, what, " must have ", rank, " dimensions, got shape ", shape_text(shape));
    std::array<std::size_t, rank> extents{};
    for (std::size_t i = 0; i < rank; ++i) extents[i] = static_cast<std::size_t>(shape[i]);
    std::size_t channels = 1;
    if constexpr (rank == 3) channels = extents[2];
    check(channels == 1 || channels == 3 || channels == 4, what, " must have 1, 3 or 4 channels, got shape ",
          shape_text(extents));
    std::uint8_t* memory = as_output<std::uint8_t, rank>(image, extents, what);
    return {memory, static_cast<std::int64_t>(extents[0]), static_cast<std::int64_t>(extents[1]),
            static_cast<std::int64_t>(channels), bgr};
}

void draw_boxes_into(const canvas& image, const double* boxes, std::size_t count, const draw_boxes_options& options);
void draw_text_into(const canvas& image, double x, double y, std::string_view text, const text_options& options);
void draw_mask_into(const canvas& image, const std::uint8_t* mask, rgb colour, double opacity, bool outline);
void draw_labels_into(const canvas& image, const std::int64_t* labels, const draw_labels_options& options);
void draw_line_into(const canvas& image, double x1, double y1, double x2, double y2, rgb colour, std::int64_t thickness);
void draw_point_into(const canvas& image, double x, double y, rgb colour, double radius);
void draw_legend_into(const canvas& image, std::span<const std::string> names, const draw_legend_options& options);

inline rgb chosen_colour(std::span<const rgb> colours, std::span<const std::int64_t> labels, std::size_t i) noexcept {
    if (!colours.empty()) return colours[i];
    return palette_colour(labels.empty() ? static_cast<std::int64_t>(i) : labels[i]);
}

inline void check_choices(std::span<const rgb> colours, std::span<const std::int64_t> labels, std::size_t count,
                          std::string_view what) {
    check(colours.empty() || colours.size() == count, what, ": colours must be none or ", count, ", got ", colours.size());
    check(labels.empty() || labels.size() == count, what, ": labels must be none or ", count, ", got ", labels.size());
}

} // namespace detail

/// Width and height in pixels of text at a scale (pixels per dot), lines by '\n'.
std::pair<std::int64_t, std::int64_t> text_size(std::string_view text, std::int64_t scale) noexcept;

/// Draws boxes, each with its text on a filled background above it, or inside where there is no room above.
///
/// @param image  drawn into, see the head of this file
/// @param boxes  (N, 4) x1 y1 x2 y2 in pixels; the line lies inside the box. Earlier boxes are drawn over later ones
/// @throws invalid_argument  on other shapes, options that do not count N, fill outside [0, 1], a negative thickness or scale
template <class Image, array_expression B>
void draw_boxes(Image&& image, const B& boxes, const draw_boxes_options& options = {}) {
    const auto canvas = detail::make_canvas(image, options.bgr, "draw_boxes: image");
    const auto b = as_dense<double, 2>(boxes, "draw_boxes: boxes");
    detail::check_shape(b, {detail::any, 4}, "draw_boxes: boxes");
    detail::draw_boxes_into(canvas, b.data(), b.extent(0), options);
}

/// Draws text whose upper left corner is at (x, y). Characters beyond printable ASCII become hollow boxes.
/// @throws invalid_argument  on another shape of the image, a negative scale
template <class Image>
void draw_text(Image&& image, double x, double y, std::string_view text, const text_options& options = {}) {
    detail::draw_text_into(detail::make_canvas(image, options.bgr, "draw_text: image"), x, y, text, options);
}

/// Lays masks over the image, each in its colour.
///
/// @param masks  (N, H, W) of bool, integers (not 0) or floating point (greater than 0.5)
/// @throws invalid_argument  on other shapes, options that do not count N, opacity outside [0, 1]
template <class Image, array_expression M>
void draw_masks(Image&& image, const M& masks, const draw_masks_options& options = {}) {
    using T = value_type_t<M>;
    const auto canvas = detail::make_canvas(image, options.bgr, "draw_masks: image");
    const auto m = as_dense<T, 3>(masks, "draw_masks: masks");
    detail::check_shape(m, {detail::any, canvas.height, canvas.width}, "draw_masks: masks");
    detail::check_choices(options.colours, options.labels, m.extent(0), "draw_masks");
    detail::check(options.opacity >= 0 && options.opacity <= 1, "draw_masks: opacity must lie in [0, 1], got ",
                  options.opacity);
    const std::size_t plane = m.extent(1) * m.extent(2);
    std::vector<std::uint8_t> bits(plane);
    for (std::size_t i = 0; i < m.extent(0); ++i) {
        for (std::size_t k = 0; k < plane; ++k) {
            if constexpr (std::is_floating_point_v<T>) {
                bits[k] = m[i * plane + k] > T(0.5) ? 1 : 0;
            } else {
                bits[k] = m[i * plane + k] != T{} ? 1 : 0;
            }
        }
        detail::draw_mask_into(canvas, bits.data(), detail::chosen_colour(options.colours, options.labels, i), options.opacity,
                               options.outline);
    }
}

/// Lays a map of labels over the image, each label in its colour.
///
/// @param labels  (H, W) integers
/// @throws invalid_argument  on other shapes, opacity outside [0, 1]
template <class Image, array_expression L>
void draw_labels(Image&& image, const L& labels, const draw_labels_options& options = {}) {
    const auto canvas = detail::make_canvas(image, options.bgr, "draw_labels: image");
    const auto l = as_dense<std::int64_t, 2>(labels, "draw_labels: labels");
    detail::check_shape(l, {canvas.height, canvas.width}, "draw_labels: labels");
    detail::check(options.opacity >= 0 && options.opacity <= 1, "draw_labels: opacity must lie in [0, 1], got ",
                  options.opacity);
    detail::draw_labels_into(canvas, l.data(), options);
}

/// Draws a straight line with round ends.
/// @param thickness  in pixels, at least 1
template <class Image>
void draw_line(Image&& image, double x1, double y1, double x2, double y2, rgb colour, std::int64_t thickness = 1,
               bool bgr = false) {
    detail::check(thickness >= 1, "draw_line: thickness must be at least 1, got ", thickness);
    detail::draw_line_into(detail::make_canvas(image, bgr, "draw_line: image"), x1, y1, x2, y2, colour, thickness);
}

/// Draws filled discs.
/// @param points  (N, 2) x, y in pixels
/// @param radius  in pixels, not negative; 0.5 is one pixel
template <class Image, array_expression P>
void draw_points(Image&& image, const P& points, rgb colour, double radius = 2.5, bool bgr = false) {
    const auto canvas = detail::make_canvas(image, bgr, "draw_points: image");
    const auto p = as_dense<double, 2>(points, "draw_points: points");
    detail::check_shape(p, {detail::any, 2}, "draw_points: points");
    detail::check(radius >= 0, "draw_points: radius must not be negative, got ", radius);
    for (std::size_t i = 0; i < p.extent(0); ++i) detail::draw_point_into(canvas, p[2 * i], p[2 * i + 1], colour, radius);
}

/// Draws names beside their colours on a dark panel in a corner.
/// @throws invalid_argument  on another shape of the image, options that do not count as many as names
template <class Image>
void draw_legend(Image&& image, std::span<const std::string> names, const draw_legend_options& options = {}) {
    detail::draw_legend_into(detail::make_canvas(image, options.bgr, "draw_legend: image"), names, options);
}

} // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/image/impl/draw.inl>
#endif
