#pragma once

/// @file
/// The ways to write a box, conversions between them, and areas.

#include <ocelli/boxes/detail/rows.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/tensor.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ocelli {

/// How the numbers of a row describe a box, by torchvision's names. x points right, y points down.
enum class box_format : std::uint8_t {
    xyxy,    ///< x1 y1 x2 y2: the corners with the smallest and the largest coordinates
    xywh,    ///< x1 y1 w h
    cxcywh,  ///< cx cy w h: centre and size
    xywhr,   ///< x1 y1 w h angle: the box's own top-left corner (turned with it), size, angle
    cxcywhr, ///< cx cy w h angle: centre, size, angle
    xyxyxyxy ///< the four corners: top-left, top-right, bottom-right, bottom-left, turned with the box
};
// Angles are degrees, counter-clockwise as seen on the screen (y down): the corners of cxcywhr are
// (cx + s w/2 cos a + t h/2 sin a, cy - s w/2 sin a + t h/2 cos a) for s, t = -1, 1.

/// Numbers per box of a format: 4, 5 or 8.
constexpr std::size_t box_columns(box_format format) noexcept {
    switch (format) {
    case box_format::xywhr:
    case box_format::cxcywhr:
        return 5;
    case box_format::xyxyxyxy:
        return 8;
    default:
        return 4;
    }
}

/// Names a format: "xyxy", "cxcywhr", ...
constexpr std::string_view name(box_format format) noexcept {
    switch (format) {
    case box_format::xyxy:
        return "xyxy";
    case box_format::xywh:
        return "xywh";
    case box_format::cxcywh:
        return "cxcywh";
    case box_format::xywhr:
        return "xywhr";
    case box_format::cxcywhr:
        return "cxcywhr";
    case box_format::xyxyxyxy:
        return "xyxyxyxy";
    }
    return "unknown";
}

namespace detail {

constexpr bool is_rotated(box_format format) noexcept {
    return format == box_format::xywhr || format == box_format::cxcywhr || format == box_format::xyxyxyxy;
}

struct direction {
    double cos, sin;
};

/// Cosine and sine of degrees; exact at multiples of 90, accurate for angles of any size. NaN and infinity give NaN.
inline direction direction_of_degrees(double degrees) noexcept {
    constexpr double radians = 0.017453292519943295769;
    double turns = degrees < 0 ? -degrees : degrees;
    if (!(turns < 360)) turns = std::fmod(turns, 360.0);
    const int quarter = static_cast<int>(turns >= 45) + static_cast<int>(turns >= 135) + static_cast<int>(turns >= 225) +
                        static_cast<int>(turns >= 315);
    const double rest = (turns - 90.0 * quarter) * radians; // in [-45, 45) degrees; the difference is exact
    const double c = std::cos(rest), s = std::sin(rest);
    direction d{};
    switch (quarter & 3) {
    case 0:
        d = {c, s};
        break;
    case 1:
        d = {-s, c};
        break;
    case 2:
        d = {-c, -s};
        break;
    default:
        d = {s, -c};
        break;
    }
    if (degrees < 0) d.sin = -d.sin;
    return d;
}

// One row in, one row out. Rows are read completely before they are written, so that a conversion may be done in place.
template <class T>
void axis_aligned_row(const T* in, box_format from, T* out, box_format to) noexcept {
    // Through the corners, as torchvision does, and with its roundings.
    T x1 = in[0], y1 = in[1], x2 = in[2], y2 = in[3];
    const T half = static_cast<T>(0.5);
    if (from == box_format::xywh) {
        x2 = x1 + in[2];
        y2 = y1 + in[3];
    } else if (from == box_format::cxcywh) {
        x1 = in[0] - half * in[2];
        y1 = in[1] - half * in[3];
        x2 = in[0] + half * in[2];
        y2 = in[1] + half * in[3];
    }
    if (to == box_format::xyxy) {
        out[0] = x1, out[1] = y1, out[2] = x2, out[3] = y2;
    } else if (to == box_format::xywh) {
        out[0] = x1, out[1] = y1, out[2] = x2 - x1, out[3] = y2 - y1;
    } else {
        out[0] = (x1 + x2) * half, out[1] = (y1 + y2) * half, out[2] = x2 - x1, out[3] = y2 - y1;
    }
}

template <class T>
void rotated_row(const T* in, box_format from, T* out, box_format to) noexcept {
    // To corner, size and angle first, in double: a float's sine and cosine would cost a thousandth of a pixel at x = 4000.
    double x = 0, y = 0, w = 0, h = 0, degrees = 0;
    direction d{};
    if (from == box_format::xyxyxyxy) {
        x = static_cast<double>(in[0]);
        y = static_cast<double>(in[1]);
        const double tx = static_cast<double>(in[2]) - x, ty = static_cast<double>(in[3]) - y;
        const double rx = static_cast<double>(in[4]) - static_cast<double>(in[2]);
        const double ry = static_cast<double>(in[5]) - static_cast<double>(in[3]);
        w = std::sqrt(tx * tx + ty * ty);
        h = std::sqrt(rx * rx + ry * ry);
        degrees = std::atan2(-ty, tx) * 57.295779513082320877;
        d = w > 0 ? direction{tx / w, -ty / w} : direction{1, 0};
    } else {
        w = static_cast<double>(in[2]);
        h = static_cast<double>(in[3]);
        degrees = static_cast<double>(in[4]);
        d = direction_of_degrees(degrees);
        x = static_cast<double>(in[0]);
        y = static_cast<double>(in[1]);
        if (from == box_format::cxcywhr) {
            x += -w / 2 * d.cos - h / 2 * d.sin;
            y += w / 2 * d.sin - h / 2 * d.cos;
        }
    }
    if (to == box_format::xyxyxyxy) {
        const double x2 = x + w * d.cos, y2 = y - w * d.sin;
        out[0] = static_cast<T>(x);
        out[1] = static_cast<T>(y);
        out[2] = static_cast<T>(x2);
        out[3] = static_cast<T>(y2);
        out[4] = static_cast<T>(x2 + h * d.sin);
        out[5] = static_cast<T>(y2 + h * d.cos);
        out[6] = static_cast<T>(x + h * d.sin);
        out[7] = static_cast<T>(y + h * d.cos);
        return;
    }
    if (to == box_format::cxcywhr) {
        x += w / 2 * d.cos + h / 2 * d.sin;
        y += -w / 2 * d.sin + h / 2 * d.cos;
    }
    out[0] = static_cast<T>(x);
    out[1] = static_cast<T>(y);
    out[2] = static_cast<T>(w);
    out[3] = static_cast<T>(h);
    out[4] = static_cast<T>(degrees);
}

template <class T>
void convert_boxes(const T* in, std::size_t n, box_format from, T* out, box_format to) {
    const std::size_t ci = box_columns(from), co = box_columns(to);
    if (from == to) {
        if (in != out)
            for (std::size_t i = 0; i < n * ci; ++i) out[i] = in[i];
    } else if (!is_rotated(from) && !is_rotated(to)) {
        for_each_row(n, [=](std::size_t i) { axis_aligned_row(in + i * 4, from, out + i * 4, to); });
    } else if (!is_rotated(from)) {
        for_each_row(n, [=](std::size_t i) {
            T row[5] = {};
            axis_aligned_row(in + i * 4, from, row, box_format::cxcywh); // angle 0
            if (to == box_format::cxcywhr) {
                for (std::size_t c = 0; c < 5; ++c) out[i * 5 + c] = row[c];
            } else {
                rotated_row(row, box_format::cxcywhr, out + i * co, to);
            }
        });
    } else {
        for_each_row(n, [=](std::size_t i) {
            T row[8] = {};
            for (std::size_t c = 0; c < ci; ++c) row[c] = in[i * ci + c];
            rotated_row(row, from, out + i * co, to);
        });
    }
}

template <class View>
void check_convert(const View& boxes, box_format from, box_format to) {
    check_shape(boxes, {any, static_cast<std::int64_t>(box_columns(from))}, "box_convert: boxes");
    check(!(is_rotated(from) && !is_rotated(to)), "box_convert: a rotated box (", name(from), ") is no ", name(to),
          " box; enclosing_boxes gives the axis-aligned boxes around rotated ones");
}

} // namespace detail

/// Converts boxes from one format to another, into the caller's memory.
///
/// @param boxes  (N, 4), (N, 5) or (N, 8), as `from` says
/// @param out    (N, 4), (N, 5) or (N, 8), as `to` says; may be the memory of `boxes` itself where the rows are equally long
/// @throws invalid_argument  on other shapes, and for rotated to axis-aligned formats, which loses the rotation: see
///                           enclosing_boxes
template <array_expression B, class Out>
void box_convert(const B& boxes, box_format from, box_format to, Out&& out) {
    using T = scalar_t<B>;
    const auto b = as_dense<T, 2>(boxes, "box_convert: boxes");
    detail::check_convert(b, from, to);
    T* o = detail::as_output<T, 2>(out, {b.extent(0), box_columns(to)}, "box_convert: out");
    detail::convert_boxes(b.data(), b.extent(0), from, o, to);
}

/// Converts boxes from one format to another: `box_convert(b, box_format::cxcywh, box_format::xyxy)`.
///
/// Axis-aligned boxes become rotated ones with angle 0. Of four corners the first three count. Boxes with x2 < x1 keep their
/// (negative) width; NaN and infinity go through the arithmetic.
///
/// @param boxes  (N, 4), (N, 5) or (N, 8), as `from` says; float or double, integers give double
/// @return       (N, 4), (N, 5) or (N, 8), as `to` says
/// @throws invalid_argument  on other shapes, and for rotated to axis-aligned formats, which loses the rotation: see
///                           enclosing_boxes
///
/// Agrees with torchvision.ops.box_convert: bit for bit between axis-aligned formats, within rounding between rotated ones
/// (sines and cosines are taken in double, exact at multiples of 90 degrees). torchvision has no conversion from axis-aligned
/// to rotated.
template <array_expression B>
xt::xtensor<scalar_t<B>, 2> box_convert(const B& boxes, box_format from, box_format to) {
    using T = scalar_t<B>;
    const auto b = as_dense<T, 2>(boxes, "box_convert: boxes");
    detail::check_convert(b, from, to);
    auto out = detail::new_tensor<T>(b.extent(0), box_columns(to));
    detail::convert_boxes(b.data(), b.extent(0), from, out.data(), to);
    return out;
}

/// Gives the smallest axis-aligned boxes around rotated ones.
///
/// @param boxes   (N, 5) or (N, 8), as the format says; axis-aligned formats are converted and their corners put in order
/// @return        (N, 4) x1 y1 x2 y2; a box with a NaN has NaN corners
/// @throws invalid_argument  on other shapes
template <array_expression B>
xt::xtensor<scalar_t<B>, 2> enclosing_boxes(const B& boxes, box_format format) {
    using T = scalar_t<B>;
    const auto b = as_dense<T, 2>(boxes, "enclosing_boxes: boxes");
    const std::size_t columns = box_columns(format);
    detail::check_shape(b, {detail::any, static_cast<std::int64_t>(columns)}, "enclosing_boxes: boxes");
    auto out = detail::new_tensor<T>(b.extent(0), 4);
    const T* in = b.data();
    T* o = out.data();
    detail::for_each_row(b.extent(0), [=](std::size_t i) {
        T corners[8] = {};
        std::size_t points = 4;
        if (!detail::is_rotated(format)) {
            detail::axis_aligned_row(in + i * 4, format, corners, box_format::xyxy);
            points = 2;
        } else if (format == box_format::xyxyxyxy) {
            for (std::size_t c = 0; c < 8; ++c) corners[c] = in[i * 8 + c];
        } else {
            detail::rotated_row(in + i * 5, format, corners, box_format::xyxyxyxy);
        }
        for (std::size_t axis = 0; axis < 2; ++axis) {
            T low = corners[axis], high = low;
            for (std::size_t p = 0; p < points; ++p) {
                const T v = corners[2 * p + axis];
                low = detail::is_nan(low) || v >= low ? low : v;
                high = detail::is_nan(high) || v <= high ? high : v;
            }
            o[i * 4 + axis] = low;
            o[i * 4 + 2 + axis] = high;
        }
    });
    return out;
}

namespace detail {

template <class T>
T side(T length) noexcept {
    const T positive = length > T(0) ? length : T(0);
    return is_nan(length) ? length : positive;
}

template <class T>
void box_areas(const T* in, std::size_t n, box_format format, T* out) {
    const std::size_t columns = box_columns(format);
    for_each_row(n, [=](std::size_t i) {
        const T* b = in + i * columns;
        if (format == box_format::xyxy) {
            out[i] = side(b[2] - b[0]) * side(b[3] - b[1]);
        } else if (format == box_format::xyxyxyxy) {
            const T twice = (b[4] - b[0]) * (b[7] - b[3]) - (b[6] - b[2]) * (b[5] - b[1]); // half the diagonals' cross product
            out[i] = (twice < T(0) ? -twice : twice) * static_cast<T>(0.5);
        } else {
            out[i] = side(b[2]) * side(b[3]);
        }
    });
}

} // namespace detail

/// Computes the areas of boxes into the caller's memory. @param out (N)
template <array_expression B, class Out>
requires(array_expression<Out>) void box_area(const B& boxes, box_format format, Out&& out) {
    using T = scalar_t<B>;
    const auto b = as_dense<T, 2>(boxes, "box_area: boxes");
    detail::check_shape(b, {detail::any, static_cast<std::int64_t>(box_columns(format))}, "box_area: boxes");
    detail::box_areas(b.data(), b.extent(0), format, detail::as_output<T, 1>(out, {b.extent(0)}, "box_area: out"));
}

/// Computes the areas of boxes.
///
/// @param boxes   (N, 4), (N, 5) or (N, 8), as the format says
/// @return        (N), in squared units of the boxes; 0 where a side is negative or zero, NaN where a coordinate is NaN
/// @throws invalid_argument  on other shapes
///
/// Four corners count as the polygon they draw, whatever its sense of rotation. Agrees with torchvision.ops.box_area on valid
/// boxes (there a box with x2 < x1 has a negative area, and one reversed in both axes a positive one).
template <array_expression B>
xt::xtensor<scalar_t<B>, 1> box_area(const B& boxes, box_format format = box_format::xyxy) {
    using T = scalar_t<B>;
    const auto b = as_dense<T, 2>(boxes, "box_area: boxes");
    detail::check_shape(b, {detail::any, static_cast<std::int64_t>(box_columns(format))}, "box_area: boxes");
    auto out = detail::new_tensor<T>(b.extent(0));
    detail::box_areas(b.data(), b.extent(0), format, out.data());
    return out;
}

} // namespace ocelli
