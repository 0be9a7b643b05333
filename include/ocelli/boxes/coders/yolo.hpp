#pragma once

/// @file
/// The box coders of YOLO v1 to v5 (and v7): a cell of a grid, a prior size, squashed offsets.
///
///     v1          x = (column + tx) / S        w = tw^2                       of the image
///     v2, v3      x = cell_x + stride s(tx)    w = prior_w exp(tw)            s: the logistic function
///     v4          x = cell_x + stride (k s(tx) - (k - 1) / 2)                 k = scale_xy: 1.05 to 1.2
///     v5, v7      x = cell_x + stride (2 s(tx) - 0.5)     w = prior_w (2 s(tw))^2

#include <ocelli/boxes/clip.hpp>
#include <ocelli/boxes/detail/rows.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/core/tensor.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace ocelli {

/// Options of yolo_encode and yolo_decode. The default is v2 and v3; v4 sets scale_xy; v5 and v7 are yolo_v5.
struct yolo_coder_options {
    double scale_xy = 1;       ///< the centre may leave its cell by (scale_xy - 1) / 2 cells (darknet's scale_x_y)
    bool squared_size = false; ///< size = prior (2 s(t))^2 instead of prior exp(t)
};

/// The code of YOLOv5 and YOLOv7.
inline constexpr yolo_coder_options yolo_v5{.scale_xy = 2, .squared_size = true};

namespace detail {

template <class T>
T logistic(T x) noexcept {
    return T(1) / (T(1) + std::exp(-x));
}

inline void check_yolo(double stride, const yolo_coder_options& options, std::string_view function) {
    check(is_finite(stride) && stride > 0, function, ": stride must be positive, got ", stride);
    check(is_finite(options.scale_xy) && options.scale_xy >= 1, function, ": scale_xy must be at least 1, got ",
          options.scale_xy);
}

template <class T>
struct yolo_code {
    T stride, scale, shift;
    bool squared;

    yolo_code(double stride_px, const yolo_coder_options& options) noexcept
        : stride(static_cast<T>(stride_px)), scale(static_cast<T>(options.scale_xy)),
          shift(static_cast<T>((options.scale_xy - 1) / 2)), squared(options.squared_size) {}

    // t: the four codes; x, y: the cell's corner in pixels; w, h: the prior in pixels.
    void decode(const T (&t)[4], T x, T y, T w, T h, T* out) const noexcept {
        const T half = static_cast<T>(0.5);
        const T cx = x + stride * (scale * logistic(t[0]) - shift), cy = y + stride * (scale * logistic(t[1]) - shift);
        T half_w, half_h;
        if (squared) {
            const T sw = T(2) * logistic(t[2]), sh = T(2) * logistic(t[3]);
            half_w = half * (sw * sw * w), half_h = half * (sh * sh * h);
        } else {
            half_w = half * (std::exp(t[2]) * w), half_h = half * (std::exp(t[3]) * h);
        }
        out[0] = cx - half_w, out[1] = cy - half_h, out[2] = cx + half_w, out[3] = cy + half_h;
    }
};

} // namespace detail

/// Lists the cells of a YOLO head, one row per prediction: anchors first, then rows, then columns of the grid.
///
/// @param grid    height and width of the head's output, in cells
/// @param priors  (A, 2) width and height of the prior boxes in pixels (v2 gives them in cells: multiply by the stride)
/// @param stride  pixels per cell
/// @return        (A H W, 4) x y of the cell's top-left corner and w h of the prior, in pixels
/// @throws invalid_argument  on another shape, a grid of negative or broken size, a stride that is not positive
template <array_expression P>
xt::xtensor<scalar_t<P>, 2> yolo_cells(std::array<std::int64_t, 2> grid, const P& priors, double stride) {
    using T = scalar_t<P>;
    const auto p = as_dense<T, 2>(priors, "yolo_cells: priors");
    detail::check_shape(p, {detail::any, 2}, "yolo_cells: priors");
    detail::check(grid[0] >= 0 && grid[1] >= 0, "yolo_cells: grid must not be negative, got (", grid[0], ", ", grid[1], ")");
    detail::check_yolo(stride, {}, "yolo_cells");
    const auto rows = static_cast<std::size_t>(grid[0]), columns = static_cast<std::size_t>(grid[1]);
    auto out = detail::new_tensor<T>(p.extent(0) * rows * columns, 4);
    T* o = out.data();
    for (std::size_t a = 0; a < p.extent(0); ++a)
        for (std::size_t y = 0; y < rows; ++y)
            for (std::size_t x = 0; x < columns; ++x, o += 4) {
                o[0] = static_cast<T>(static_cast<double>(x) * stride);
                o[1] = static_cast<T>(static_cast<double>(y) * stride);
                o[2] = p[2 * a];
                o[3] = p[2 * a + 1];
            }
    return out;
}

/// Decodes YOLO's codes to boxes, into the caller's memory. @param out (N, 4); may be the memory of `codes`
template <array_expression C, array_expression A, class Out>
void yolo_decode(const C& codes, const A& cells, double stride, const yolo_coder_options& options, Out&& out) {
    using T = scalar_t<C, A>;
    const auto t = as_dense<T, 2>(codes, "yolo_decode: codes");
    const auto a = as_dense<T, 2>(cells, "yolo_decode: cells");
    detail::check_shape(t, {detail::any, 4}, "yolo_decode: codes");
    detail::check_shape(a, {detail::any, 4}, "yolo_decode: cells");
    detail::check_same_length(t, a, "yolo_decode: codes and cells");
    detail::check_yolo(stride, options, "yolo_decode");
    T* o = detail::as_output<T, 2>(out, {t.extent(0), 4}, "yolo_decode: out");
    const detail::yolo_code<T> code(stride, options);
    detail::for_each_row(t.extent(0), [&, o](std::size_t i) {
        const T row[4] = {t[4 * i], t[4 * i + 1], t[4 * i + 2], t[4 * i + 3]};
        code.decode(row, a[4 * i], a[4 * i + 1], a[4 * i + 2], a[4 * i + 3], o + 4 * i);
    });
}

/// Decodes the raw codes (before any logistic function) of YOLO v2 to v5 to boxes.
///
/// @param codes   (N, 4) tx ty tw th; NaN gives NaN, an infinite tx or ty lies on the border of its reach
/// @param cells   (N, 4) as yolo_cells makes them
/// @param stride  pixels per cell
/// @return        (N, 4) x1 y1 x2 y2 in pixels of the network's input
/// @throws invalid_argument  on other shapes, different lengths, a stride that is not positive, scale_xy below 1
///
/// float and double. Agrees with darknet's get_region_box and get_yolo_box, and with yolov5's Detect layer.
template <array_expression C, array_expression A>
xt::xtensor<scalar_t<C, A>, 2> yolo_decode(const C& codes, const A& cells, double stride,
                                           const yolo_coder_options& options = {}) {
    const auto t = as_dense<scalar_t<C, A>, 2>(codes, "yolo_decode: codes");
    auto out = detail::new_tensor<scalar_t<C, A>>(t.extent(0), 4);
    yolo_decode(view(t.data(), t.shape()), cells, stride, options, out);
    return out;
}

/// Encodes boxes as YOLO's codes: the inverse of yolo_decode.
///
/// @param boxes  (N, 4) x1 y1 x2 y2 in pixels, finite, x2 > x1 and y2 > y1
/// @param cells  (N, 4) the cell and prior responsible for each box
/// @return       (N, 4) tx ty tw th; infinite where the centre lies exactly on the border of the cell's reach
/// @throws invalid_argument  on other shapes, different lengths, boxes without area, a centre out of its cell's reach, and,
///                           with squared_size, a side of 4 priors or more
template <array_expression B, array_expression A>
xt::xtensor<scalar_t<B, A>, 2> yolo_encode(const B& boxes, const A& cells, double stride,
                                           const yolo_coder_options& options = {}) {
    using T = scalar_t<B, A>;
    const auto b = as_dense<T, 2>(boxes, "yolo_encode: boxes");
    const auto a = as_dense<T, 2>(cells, "yolo_encode: cells");
    detail::check_shape(b, {detail::any, 4}, "yolo_encode: boxes");
    detail::check_shape(a, {detail::any, 4}, "yolo_encode: cells");
    detail::check_same_length(b, a, "yolo_encode: boxes and cells");
    detail::check_yolo(stride, options, "yolo_encode");
    detail::check_positive_boxes(b.data(), b.extent(0), "yolo_encode: boxes");
    auto out = detail::new_tensor<T>(b.extent(0), 4);
    const detail::yolo_code<T> code(stride, options);
    for (std::size_t i = 0; i < b.extent(0); ++i) {
        const T* x = b.data() + 4 * i;
        const T* q = a.data() + 4 * i;
        for (std::size_t axis = 0; axis < 2; ++axis) {
            const T centre = static_cast<T>(0.5) * (x[axis] + x[axis + 2]), size = x[axis + 2] - x[axis];
            const T s = ((centre - q[axis]) / code.stride + code.shift) / code.scale;
            detail::check(s >= T(0) && s <= T(1), "yolo_encode: the centre of box ", i, " is out of its cell's reach");
            out(i, axis) = std::log(s) - std::log(T(1) - s);
            detail::check(q[axis + 2] > T(0), "yolo_encode: priors must be positive, row ", i, " has ", q[axis + 2]);
            const T ratio = size / q[axis + 2];
            if (code.squared) {
                const T root = std::sqrt(ratio) / T(2);
                detail::check(root < T(1), "yolo_encode: box ", i, " is 4 priors long or more, which (2 s(t))^2 cannot reach");
                out(i, axis + 2) = std::log(root) - std::log(T(1) - root);
            } else {
                out(i, axis + 2) = std::log(ratio);
            }
        }
    }
    return out;
}

/// How a YOLO head's class scores become probabilities.
enum class yolo_classes : std::uint8_t {
    logistic, ///< each on its own (v3 to v5)
    softmax   ///< one of all (v2)
};

/// Options of yolo_decode_head.
struct yolo_head_options {
    yolo_coder_options coder{};
    yolo_classes classes = yolo_classes::logistic;
};

/// What yolo_decode_head gives: K = A H W predictions.
template <class T>
struct yolo_predictions {
    xt::xtensor<T, 2> boxes;      ///< (K, 4) x1 y1 x2 y2 in pixels of the network's input
    xt::xtensor<T, 1> objectness; ///< (K) in [0, 1]
    xt::xtensor<T, 2> classes;    ///< (K, C) in [0, 1]; a detection's score is objectness times class
};

/// Decodes the whole output of one YOLO head (v2 to v5): boxes, objectness and class probabilities.
///
/// @param head    (A (5 + C), H, W): for each prior tx ty tw th, objectness, C classes, all raw
/// @param priors  (A, 2) width and height in pixels
/// @param stride  pixels per cell
/// @return        A H W predictions, anchors first, then rows, then columns; NaN stays where it is
/// @throws invalid_argument  when the channels are not A times at least 5, or as yolo_decode
///
/// float and double.
template <array_expression H, array_expression P>
yolo_predictions<scalar_t<H, P>> yolo_decode_head(const H& head, const P& priors, double stride,
                                                  const yolo_head_options& options = {}) {
    using T = scalar_t<H, P>;
    const auto x = as_dense<T, 3>(head, "yolo_decode_head: head");
    const auto p = as_dense<T, 2>(priors, "yolo_decode_head: priors");
    detail::check_shape(p, {detail::any, 2}, "yolo_decode_head: priors");
    detail::check_yolo(stride, options.coder, "yolo_decode_head");
    const std::size_t anchors = p.extent(0), rows = x.extent(1), columns = x.extent(2), plane = rows * columns;
    detail::check(anchors != 0 && x.extent(0) % anchors == 0 && x.extent(0) / anchors >= 5,
                  "yolo_decode_head: head must have shape (", anchors, " (5 + C), H, W), got ", detail::shape_text(x.shape()));
    const std::size_t channels = x.extent(0) / anchors, classes = channels - 5;
    yolo_predictions<T> result{detail::new_tensor<T>(anchors * plane, 4), detail::new_tensor<T>(anchors * plane),
                               detail::new_tensor<T>(anchors * plane, classes)};
    const detail::yolo_code<T> code(stride, options.coder);
    parallel_for(anchors * rows, 1 + 1024 / (1 + columns), [&](std::size_t begin, std::size_t end) {
        for (std::size_t row = begin; row < end; ++row) {
            const std::size_t a = row / rows, y = row % rows;
            const T* first = x.data() + a * channels * plane + y * columns;
            for (std::size_t c = 0; c < columns; ++c) {
                const std::size_t k = row * columns + c;
                const T t[4] = {first[c], first[plane + c], first[2 * plane + c], first[3 * plane + c]};
                code.decode(t, static_cast<T>(c) * code.stride, static_cast<T>(y) * code.stride, p[2 * a], p[2 * a + 1],
                            result.boxes.data() + 4 * k);
                result.objectness.data()[k] = detail::logistic(first[4 * plane + c]);
                const T* in = first + 5 * plane + c;
                T* out = result.classes.data() + k * classes;
                if (options.classes == yolo_classes::logistic) {
                    for (std::size_t j = 0; j < classes; ++j) out[j] = detail::logistic(in[j * plane]);
                } else if (classes != 0) {
                    T largest = in[0], sum = 0;
                    for (std::size_t j = 1; j < classes; ++j) largest = in[j * plane] > largest ? in[j * plane] : largest;
                    for (std::size_t j = 0; j < classes; ++j) sum += out[j] = std::exp(in[j * plane] - largest);
                    for (std::size_t j = 0; j < classes; ++j) out[j] /= sum;
                }
            }
        }
    });
    return result;
}

/// YOLOv1's codes of boxes, and the cells that are responsible for them.
template <class T>
struct yolov1_codes {
    xt::xtensor<T, 2> codes; ///< (N, 4) offset of the centre in its cell (in cells), square roots of the size (of the image)
    xt::xtensor<std::int64_t, 1> cells; ///< (N) row * side + column
};

/// Encodes boxes as YOLOv1's codes. Redmon et al., "You Only Look Once", section 2.
///
/// @param boxes  (N, 4) x1 y1 x2 y2 in pixels, finite, x2 > x1 and y2 > y1, centres in the image
/// @param side   S, the number of cells along each side, at least 1
/// @param image  height and width in pixels, positive
/// @throws invalid_argument  on another shape, boxes without area, a centre outside the image
template <array_expression B>
yolov1_codes<scalar_t<B>> yolov1_encode(const B& boxes, std::int64_t side, image_extent image) {
    using T = scalar_t<B>;
    const auto b = as_dense<T, 2>(boxes, "yolov1_encode: boxes");
    detail::check_shape(b, {detail::any, 4}, "yolov1_encode: boxes");
    detail::check(side >= 1 && side <= 1048576, "yolov1_encode: side must be in [1, 1048576], got ", side);
    detail::check_extent(image, "yolov1_encode: image", true);
    detail::check_positive_boxes(b.data(), b.extent(0), "yolov1_encode: boxes");
    yolov1_codes<T> out{detail::new_tensor<T>(b.extent(0), 4), detail::new_tensor<std::int64_t>(b.extent(0))};
    const T extent[2] = {static_cast<T>(image.width), static_cast<T>(image.height)};
    for (std::size_t i = 0; i < b.extent(0); ++i) {
        std::int64_t cell[2] = {};
        for (std::size_t axis = 0; axis < 2; ++axis) {
            const T low = b[4 * i + axis], high = b[4 * i + axis + 2];
            const T place = static_cast<T>(0.5) * (low + high) / extent[axis] * static_cast<T>(side);
            detail::check(place >= T(0) && place <= static_cast<T>(side), "yolov1_encode: the centre of box ", i,
                          " is outside the image");
            cell[axis] = static_cast<std::int64_t>(place);
            if (cell[axis] == side) cell[axis] = side - 1; // on the far border
            out.codes(i, axis) = place - static_cast<T>(cell[axis]);
            out.codes(i, axis + 2) = std::sqrt((high - low) / extent[axis]);
        }
        out.cells(i) = cell[1] * side + cell[0];
    }
    return out;
}

/// Decodes YOLOv1's codes to boxes in pixels.
///
/// @param codes         (N, 4) offset in the cell, size as predicted; NaN and infinity go through the arithmetic
/// @param cells         (N) row * side + column; for a whole head of S S B rows: 0 B times, 1 B times, ...
/// @param square_size   the predicted sizes are square roots (darknet's sqrt=1); otherwise they are the sizes
/// @return              (N, 4) x1 y1 x2 y2
/// @throws invalid_argument  on other shapes, different lengths, a cell outside [0, side^2)
///
/// float and double. Agrees with darknet's detection layer.
template <array_expression C, array_expression I>
xt::xtensor<scalar_t<C>, 2> yolov1_decode(const C& codes, const I& cells, std::int64_t side, image_extent image,
                                          bool square_size = true) {
    using T = scalar_t<C>;
    const auto t = as_dense<T, 2>(codes, "yolov1_decode: codes");
    const auto c = as_dense<std::int64_t, 1>(cells, "yolov1_decode: cells");
    detail::check_shape(t, {detail::any, 4}, "yolov1_decode: codes");
    detail::check_same_length(t, c, "yolov1_decode: codes and cells");
    detail::check(side >= 1 && side <= 1048576, "yolov1_decode: side must be in [1, 1048576], got ", side);
    detail::check_extent(image, "yolov1_decode: image", true);
    auto out = detail::new_tensor<T>(t.extent(0), 4);
    const T extent[2] = {static_cast<T>(image.width), static_cast<T>(image.height)};
    for (std::size_t i = 0; i < t.extent(0); ++i) {
        detail::check(c[i] >= 0 && c[i] / side < side, "yolov1_decode: cells must be in [0, ", side * side, "), got ", c[i]);
        const std::int64_t cell[2] = {c[i] % side, c[i] / side};
        for (std::size_t axis = 0; axis < 2; ++axis) {
            const T centre = (static_cast<T>(cell[axis]) + t[4 * i + axis]) / static_cast<T>(side) * extent[axis];
            const T raw = t[4 * i + axis + 2];
            const T half = static_cast<T>(0.5) * (square_size ? raw * raw : raw) * extent[axis];
            out(i, axis) = centre - half;
            out(i, axis + 2) = centre + half;
        }
    }
    return out;
}

} // namespace ocelli
