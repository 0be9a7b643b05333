#pragma once

#include <ocelli/core/float_bits.hpp>
#include <ocelli/image/detail/font.hpp>
#include <ocelli/image/draw.hpp>

#include <algorithm>
#include <cmath>

namespace ocelli {

OCELLI_INLINE rgb palette_colour(std::int64_t index) noexcept {
    constexpr rgb colours[] = {{230, 57, 70},   {42, 157, 244},  {76, 187, 23},   {255, 183, 3},   {155, 93, 229},
                               {0, 187, 170},   {247, 127, 0},   {239, 71, 175},  {139, 195, 74},  {63, 81, 201},
                               {255, 221, 89},  {121, 85, 72},   {0, 150, 199},   {255, 138, 128}, {0, 121, 85},
                               {186, 104, 200}, {193, 154, 107}, {128, 222, 234}, {136, 14, 79},   {158, 158, 158}};
    constexpr std::uint64_t known = std::size(colours);
    const auto i = static_cast<std::uint64_t>(index);
    if (i < known) return colours[i];
    // Hues by the golden ratio never come close to their neighbours; lightness changes in threes.
    const std::uint32_t turn = static_cast<std::uint32_t>(i * 2654435769u);
    const std::uint32_t sextant = static_cast<std::uint32_t>((std::uint64_t{turn} * 6) >> 32);
    const std::uint32_t rest = static_cast<std::uint32_t>((std::uint64_t{turn} * 6) & 0xffffffffu) >> 24;
    const std::uint32_t high = i % 3 == 0 ? 255 : i % 3 == 1 ? 205 : 160;
    const std::uint32_t low = i % 3 == 0 ? 90 : 30;
    const auto up = static_cast<std::uint8_t>(low + (high - low) * rest / 255);
    const auto down = static_cast<std::uint8_t>(high - (high - low) * rest / 255);
    const auto h = static_cast<std::uint8_t>(high);
    const auto l = static_cast<std::uint8_t>(low);
    switch (sextant) {
    case 0:
        return {h, up, l};
    case 1:
        return {down, h, l};
    case 2:
        return {l, h, up};
    case 3:
        return {l, down, h};
    case 4:
        return {up, l, h};
    default:
        return {h, l, down};
    }
}

OCELLI_INLINE rgb contrasting_colour(rgb background) noexcept {
    const int lightness = 299 * background.red + 587 * background.green + 114 * background.blue;
    return lightness > 140000 ? rgb{0, 0, 0} : rgb{255, 255, 255};
}

namespace detail {

/// A colour as the image's channels have it.
struct ink {
    std::uint8_t value[4];
};

inline ink ink_of(const canvas& image, rgb c) noexcept {
    if (image.channels == 1) {
        const auto grey = static_cast<std::uint8_t>((299 * c.red + 587 * c.green + 114 * c.blue + 500) / 1000);
        return {{grey, grey, grey, 255}};
    }
    if (image.bgr) return {{c.blue, c.green, c.red, 255}};
    return {{c.red, c.green, c.blue, 255}};
}

inline void put(const canvas& image, std::int64_t x, std::int64_t y, const ink& paint) noexcept {
    std::uint8_t* p = image.data + (y * image.width + x) * image.channels;
    for (std::int64_t c = 0; c < image.channels; ++c) p[c] = paint.value[c];
}

/// Opacity in 256ths; alpha of the image becomes opaque in the same measure.
inline void blend(const canvas& image, std::int64_t x, std::int64_t y, const ink& paint, int opacity) noexcept {
    std::uint8_t* p = image.data + (y * image.width + x) * image.channels;
    for (std::int64_t c = 0; c < image.channels; ++c)
        p[c] = static_cast<std::uint8_t>((p[c] * (256 - opacity) + paint.value[c] * opacity + 128) >> 8);
}

/// Fills columns [x1, x2) of rows [y1, y2), clipped.
inline void fill_rect(const canvas& image, std::int64_t x1, std::int64_t y1, std::int64_t x2, std::int64_t y2, const ink& paint,
                      int opacity = 256) noexcept {
    x1 = std::max<std::int64_t>(x1, 0);
    y1 = std::max<std::int64_t>(y1, 0);
    x2 = std::min(x2, image.width);
    y2 = std::min(y2, image.height);
    for (std::int64_t y = y1; y < y2; ++y)
        for (std::int64_t x = x1; x < x2; ++x) {
            if (opacity == 256) {
                put(image, x, y, paint);
            } else {
                blend(image, x, y, paint, opacity);
            }
        }
}

/// A coordinate as a whole number, far ones brought near enough for sums not to overflow.
inline std::int64_t to_pixel(double v) noexcept {
    constexpr double far = 1e9;
    return std::llrint(v < -far ? -far : v > far ? far : v);
}

inline std::int64_t mean_side(const canvas& image) noexcept {
    return (image.height + image.width) / 2;
}

inline std::int64_t text_scale_for(const canvas& image, std::int64_t wanted) noexcept {
    return wanted > 0 ? wanted : std::max<std::int64_t>(1, (mean_side(image) + 200) / 400);
}

/// The next character of UTF-8 text: its place in the font, or 95 for what the font lacks.
inline std::size_t next_glyph(std::string_view text, std::size_t& at) noexcept {
    const auto c = static_cast<unsigned char>(text[at++]);
    if (c >= 32 && c < 127) return c - 32u;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0u) == 0x80u) ++at;
    return 95;
}

inline unsigned glyph_row(std::size_t glyph, std::size_t row) noexcept {
    if (glyph < 95) return glyphs[glyph][row];
    return row == 0 || row == 6 ? 31u : row < 6 ? 17u : 0u;
}

/// Text without a background, its dots scale x scale pixels.
inline void draw_glyphs(const canvas& image, std::int64_t x, std::int64_t y, std::string_view text, const ink& paint,
                        std::int64_t scale) noexcept {
    std::int64_t pen = x;
    for (std::size_t at = 0; at < text.size();) {
        if (text[at] == '\n') {
            ++at;
            pen = x;
            y += static_cast<std::int64_t>(glyph_line) * scale;
            continue;
        }
        const std::size_t glyph = next_glyph(text, at);
        const std::int64_t right = pen + static_cast<std::int64_t>(glyph_width) * scale;
        if (right > 0 && pen < image.width) {
            for (std::size_t row = 0; row < glyph_height; ++row) {
                const unsigned bits = glyph_row(glyph, row);
                for (std::size_t column = 0; column < glyph_width; ++column) {
                    if ((bits >> (glyph_width - 1 - column) & 1u) == 0) continue;
                    const std::int64_t left = pen + static_cast<std::int64_t>(column) * scale;
                    const std::int64_t top = y + static_cast<std::int64_t>(row) * scale;
                    fill_rect(image, left, top, left + scale, top + scale, paint);
                }
            }
        }
        pen += static_cast<std::int64_t>(glyph_advance) * scale;
    }
}

/// The room around text on a background.
inline std::int64_t text_margin(std::int64_t scale) noexcept {
    return scale + 1;
}

/// Text on its background; (x, y) is the background's corner.
inline void draw_label(const canvas& image, std::int64_t x, std::int64_t y, std::string_view text, rgb background, rgb colour,
                       std::int64_t scale) noexcept {
    const auto [width, height] = text_size(text, scale);
    const std::int64_t margin = text_margin(scale);
    fill_rect(image, x, y, x + width + 2 * margin, y + height + 2 * margin, ink_of(image, background));
    draw_glyphs(image, x + margin, y + margin, text, ink_of(image, colour), scale);
}

OCELLI_INLINE void draw_boxes_into(const canvas& image, const double* boxes, std::size_t count,
                                   const draw_boxes_options& options) {
    check_choices(options.colours, options.labels, count, "draw_boxes");
    check(options.texts.empty() || options.texts.size() == count, "draw_boxes: texts must be none or ", count, ", got ",
          options.texts.size());
    check(options.fill >= 0 && options.fill <= 1, "draw_boxes: fill must lie in [0, 1], got ", options.fill);
    check(options.thickness >= 0 && options.text_scale >= 0, "draw_boxes: thickness and text_scale must not be negative, got ",
          options.thickness, " and ", options.text_scale);
    const std::int64_t line = options.thickness > 0
                                  ? options.thickness
                                  : std::max<std::int64_t>(mean_side(image) < 160 ? 1 : 2, (mean_side(image) * 3 + 500) / 1000);
    const std::int64_t scale = text_scale_for(image, std::min<std::int64_t>(options.text_scale, 1 << 20));
    const int opacity = static_cast<int>(options.fill * 256 + 0.5);
    struct corners {
        std::int64_t x1, y1, x2, y2;
        bool visible;
    };
    std::vector<corners> places(count);
    for (std::size_t i = count; i-- > 0;) {
        const double* b = boxes + 4 * i;
        places[i].visible = is_finite(b[0]) && is_finite(b[1]) && is_finite(b[2]) && is_finite(b[3]);
        if (!places[i].visible) continue;
        const std::int64_t x1 = to_pixel(std::fmin(b[0], b[2]));
        const std::int64_t y1 = to_pixel(std::fmin(b[1], b[3]));
        const std::int64_t x2 = std::max(to_pixel(std::fmax(b[0], b[2])), x1 + 1);
        const std::int64_t y2 = std::max(to_pixel(std::fmax(b[1], b[3])), y1 + 1);
        places[i] = {x1, y1, x2, y2, x1 < image.width && y1 < image.height && x2 > 0 && y2 > 0};
        if (!places[i].visible) continue;
        const ink paint = ink_of(image, chosen_colour(options.colours, options.labels, i));
        if (opacity > 0) fill_rect(image, x1, y1, x2, y2, paint, opacity);
        const std::int64_t inner = std::min(line, std::min((x2 - x1 + 1) / 2, (y2 - y1 + 1) / 2));
        fill_rect(image, x1, y1, x2, y1 + inner, paint);
        fill_rect(image, x1, y2 - inner, x2, y2, paint);
        fill_rect(image, x1, y1 + inner, x1 + inner, y2 - inner, paint);
        fill_rect(image, x2 - inner, y1 + inner, x2, y2 - inner, paint);
    }
    if (options.texts.empty()) return;
    // Labels after all boxes, so that no line crosses them. Better boxes choose their place first: above the box from its left
    // or to its right edge, inside, below; where all is taken, above.
    struct place {
        std::int64_t x, y, width, height;
        bool meets(const place& o) const noexcept {
            return x < o.x + o.width && o.x < x + width && y < o.y + o.height && o.y < y + height;
        }
    };
    std::vector<place> taken;
    std::vector<std::size_t> owner;
    const std::int64_t margin = text_margin(scale);
    for (std::size_t i = 0; i < count; ++i) {
        if (!places[i].visible || options.texts[i].empty()) continue;
        const auto [text_width, text_height] = text_size(options.texts[i], scale);
        const std::int64_t width = text_width + 2 * margin;
        const std::int64_t height = text_height + 2 * margin;
        const corners& box = places[i];
        const std::int64_t above = box.y1 - height;
        const std::int64_t choices[][2] = {{box.x1, above}, {box.x2 - width, above}, {box.x1, box.y1}, {box.x1, box.y2}};
        place best{};
        for (const auto& choice : choices) {
            const std::int64_t x = std::max<std::int64_t>(std::min(choice[0], image.width - width), 0);
            if (choice[1] < 0 && choice[1] == above) continue; // no room above
            const place here{x, std::max<std::int64_t>(std::min(choice[1], image.height - height), 0), width, height};
            const bool is_free =
                std::none_of(taken.begin(), taken.end(), [&](const place& other) { return other.meets(here); });
            if (is_free || best.width == 0) best = here;
            if (is_free) break;
        }
        taken.push_back(best);
        owner.push_back(i);
    }
    for (std::size_t k = taken.size(); k-- > 0;) {
        const rgb background = chosen_colour(options.colours, options.labels, owner[k]);
        draw_label(image, taken[k].x, taken[k].y, options.texts[owner[k]], background, contrasting_colour(background), scale);
    }
}

OCELLI_INLINE void draw_text_into(const canvas& image, double x, double y, std::string_view text, const text_options& options) {
    check(options.scale >= 0, "draw_text: scale must not be negative, got ", options.scale);
    if (!is_finite(x) || !is_finite(y)) return;
    const std::int64_t scale = text_scale_for(image, std::min<std::int64_t>(options.scale, 1 << 20));
    if (options.background) {
        draw_label(image, to_pixel(x), to_pixel(y), text, options.background_colour, options.colour, scale);
    } else {
        draw_glyphs(image, to_pixel(x), to_pixel(y), text, ink_of(image, options.colour), scale);
    }
}

OCELLI_INLINE void draw_mask_into(const canvas& image, const std::uint8_t* mask, rgb colour, double opacity, bool outline) {
    const ink paint = ink_of(image, colour);
    const int parts = static_cast<int>(opacity * 256 + 0.5);
    const std::int64_t h = image.height;
    const std::int64_t w = image.width;
    for (std::int64_t y = 0; y < h; ++y)
        for (std::int64_t x = 0; x < w; ++x) {
            const std::uint8_t* m = mask + y * w + x;
            if (*m == 0) continue;
            const bool border =
                (x > 0 && m[-1] == 0) || (x + 1 < w && m[1] == 0) || (y > 0 && m[-w] == 0) || (y + 1 < h && m[w] == 0);
            if (outline && border) {
                put(image, x, y, paint);
            } else {
                blend(image, x, y, paint, parts);
            }
        }
}

OCELLI_INLINE void draw_labels_into(const canvas& image, const std::int64_t* labels, const draw_labels_options& options) {
    const int parts = static_cast<int>(options.opacity * 256 + 0.5);
    const std::int64_t h = image.height;
    const std::int64_t w = image.width;
    for (std::int64_t y = 0; y < h; ++y)
        for (std::int64_t x = 0; x < w; ++x) {
            const std::int64_t* l = labels + y * w + x;
            if (*l == options.skip) continue;
            const bool known = *l >= 0 && static_cast<std::uint64_t>(*l) < options.colours.size();
            const ink paint = ink_of(image, known ? options.colours[static_cast<std::size_t>(*l)] : palette_colour(*l));
            const bool border =
                (x > 0 && l[-1] != *l) || (x + 1 < w && l[1] != *l) || (y > 0 && l[-w] != *l) || (y + 1 < h && l[w] != *l);
            if (options.outline && border) {
                put(image, x, y, paint);
            } else {
                blend(image, x, y, paint, parts);
            }
        }
}

OCELLI_INLINE void draw_point_into(const canvas& image, double x, double y, rgb colour, double radius) {
    if (!is_finite(x) || !is_finite(y) || !is_finite(radius)) return;
    const ink paint = ink_of(image, colour);
    // A pixel belongs to the disc when its centre does; coordinates count from pixel centres, as keypoints do.
    const std::int64_t x1 = std::max<std::int64_t>(to_pixel(x - radius - 1), 0);
    const std::int64_t x2 = std::min(to_pixel(x + radius + 1), image.width - 1);
    const std::int64_t y1 = std::max<std::int64_t>(to_pixel(y - radius - 1), 0);
    const std::int64_t y2 = std::min(to_pixel(y + radius + 1), image.height - 1);
    for (std::int64_t py = y1; py <= y2; ++py)
        for (std::int64_t px = x1; px <= x2; ++px) {
            const double dx = static_cast<double>(px) - x;
            const double dy = static_cast<double>(py) - y;
            if (dx * dx + dy * dy <= radius * radius) put(image, px, py, paint);
        }
}

OCELLI_INLINE void draw_line_into(const canvas& image, double x1, double y1, double x2, double y2, rgb colour,
                                  std::int64_t thickness) {
    if (!is_finite(x1) || !is_finite(y1) || !is_finite(x2) || !is_finite(y2)) return;
    const ink paint = ink_of(image, colour);
    const double radius = static_cast<double>(thickness) / 2;
    const double dx = x2 - x1;
    const double dy = y2 - y1;
    const double squared = dx * dx + dy * dy;
    // Every pixel of the clipped bounding rectangle whose centre is near enough to the segment; row by row only where it can
    // be.
    const std::int64_t top = std::max<std::int64_t>(to_pixel(std::fmin(y1, y2) - radius - 1), 0);
    const std::int64_t bottom = std::min(to_pixel(std::fmax(y1, y2) + radius + 1), image.height - 1);
    for (std::int64_t y = top; y <= bottom; ++y) {
        double from = std::fmin(x1, x2);
        double to = std::fmax(x1, x2);
        if (dy != 0) {
            // The segment's part between the rows y - radius and y + radius.
            const double ya = static_cast<double>(y) - radius - 1;
            const double yb = static_cast<double>(y) + radius + 1;
            double ta = (ya - y1) / dy;
            double tb = (yb - y1) / dy;
            if (ta > tb) std::swap(ta, tb);
            ta = ta < 0 ? 0 : ta > 1 ? 1 : ta;
            tb = tb < 0 ? 0 : tb > 1 ? 1 : tb;
            from = std::fmin(x1 + ta * dx, x1 + tb * dx);
            to = std::fmax(x1 + ta * dx, x1 + tb * dx);
        }
        const std::int64_t left = std::max<std::int64_t>(to_pixel(from - radius - 1), 0);
        const std::int64_t right = std::min(to_pixel(to + radius + 1), image.width - 1);
        for (std::int64_t x = left; x <= right; ++x) {
            const double px = static_cast<double>(x) - x1;
            const double py = static_cast<double>(y) - y1;
            double t = squared > 0 ? (px * dx + py * dy) / squared : 0;
            t = t < 0 ? 0 : t > 1 ? 1 : t;
            const double ex = px - t * dx;
            const double ey = py - t * dy;
            if (ex * ex + ey * ey <= radius * radius) put(image, x, y, paint);
        }
    }
}

OCELLI_INLINE void draw_legend_into(const canvas& image, std::span<const std::string> names,
                                    const draw_legend_options& options) {
    check_choices(options.colours, options.labels, names.size(), "draw_legend");
    check(options.text_scale >= 0, "draw_legend: text_scale must not be negative, got ", options.text_scale);
    if (names.empty()) return;
    const std::int64_t scale = text_scale_for(image, std::min<std::int64_t>(options.text_scale, 1 << 20));
    const std::int64_t margin = 3 * scale;
    const std::int64_t swatch = 7 * scale;
    const std::int64_t line = static_cast<std::int64_t>(glyph_line) * scale;
    std::int64_t widest = 0;
    for (const std::string& name : names) widest = std::max(widest, text_size(name, scale).first);
    const std::int64_t width = widest + swatch + 3 * margin;
    const std::int64_t height = line * static_cast<std::int64_t>(names.size()) + 2 * margin - 2 * scale;
    const bool right = options.where == corner::top_right || options.where == corner::bottom_right;
    const bool bottom = options.where == corner::bottom_left || options.where == corner::bottom_right;
    const std::int64_t x = right ? std::max<std::int64_t>(image.width - margin - width, 0) : margin;
    const std::int64_t y = bottom ? std::max<std::int64_t>(image.height - margin - height, 0) : margin;
    fill_rect(image, x, y, x + width, y + height, ink_of(image, {16, 16, 16}), 205);
    for (std::size_t i = 0; i < names.size(); ++i) {
        const std::int64_t top = y + margin + line * static_cast<std::int64_t>(i);
        fill_rect(image, x + margin, top, x + margin + swatch, top + swatch,
                  ink_of(image, chosen_colour(options.colours, options.labels, i)));
        draw_glyphs(image, x + 2 * margin + swatch, top, names[i], ink_of(image, {255, 255, 255}), scale);
    }
}

} // namespace detail

OCELLI_INLINE std::pair<std::int64_t, std::int64_t> text_size(std::string_view text, std::int64_t scale) noexcept {
    std::int64_t widest = 0;
    std::int64_t here = 0;
    std::int64_t lines = 1;
    for (std::size_t at = 0; at < text.size();) {
        if (text[at] == '\n') {
            ++at;
            ++lines;
            here = 0;
            continue;
        }
        (void)detail::next_glyph(text, at);
        widest = std::max(widest, ++here);
    }
    const auto advance = static_cast<std::int64_t>(detail::glyph_advance);
    const auto line = static_cast<std::int64_t>(detail::glyph_line);
    const auto height = static_cast<std::int64_t>(detail::glyph_height);
    return {widest == 0 ? 0 : (widest * advance - 1) * scale, ((lines - 1) * line + height) * scale};
}

} // namespace ocelli
