#pragma once

/// @file
/// The box coder of anchor-free detectors (FCOS, NanoDet, YOLOX-like, YOLOv8): distances from a point to the four sides.

#include <ocelli/boxes/detail/rows.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/core/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace ocelli {

/// Options of ltrb_encode and ltrb_decode.
struct ltrb_coder_options {
    double scale = 1;               ///< pixels per unit of distance: the stride, where a network predicts in cells
    bool normalize_by_size = false; ///< distances in units of the anchor's width and height; needs anchors (N, 4)
    bool clamp_negative = false;    ///< decode: negative distances count as 0 (detectron2's relu)
    /// encode: limit distances to [0, this], in units of `scale`; YOLOv8's bbox2dist takes reg_max - 0.01.
    std::optional<double> max_distance{};
};

namespace detail {

template <class View>
void check_ltrb_anchors(const View& anchors, bool normalize, std::string_view what, std::string_view function) {
    check(anchors.extent(1) == 2 || anchors.extent(1) == 4, what, " must have shape (N, 2) or (N, 4), got ",
          shape_text(anchors.shape()));
    check(!normalize || anchors.extent(1) == 4, function, ": normalize_by_size needs anchors (N, 4), got points (N, 2)");
}

inline void check_ltrb_options(const ltrb_coder_options& options, std::string_view function) {
    check(is_finite(options.scale) && options.scale > 0, function, ": scale must be positive, got ", options.scale);
    check(!options.max_distance || (!is_nan(*options.max_distance) && *options.max_distance >= 0), function,
          ": max_distance must not be negative or NaN");
}

template <class T>
struct ltrb_reference {
    T x, y, unit_x, unit_y;

    ltrb_reference(const T* a, std::size_t columns, T scale, bool normalize) noexcept
        : x(a[0]), y(a[1]), unit_x(scale), unit_y(scale) {
        if (columns == 4) {
            x = static_cast<T>(0.5) * (a[0] + a[2]);
            y = static_cast<T>(0.5) * (a[1] + a[3]);
            if (normalize) unit_x *= a[2] - a[0], unit_y *= a[3] - a[1];
        }
    }
};

template <class T>
void ltrb_decode_rows(const T* distances, const T* anchors, std::size_t columns, const T* strides, std::size_t n, std::size_t k,
                      const ltrb_coder_options& options, T* out) {
    const T scale = static_cast<T>(options.scale);
    for_each_row(n, [=](std::size_t i) {
        const T unit = strides == nullptr ? scale : scale * strides[i];
        const ltrb_reference<T> r(anchors + columns * i, columns, unit, options.normalize_by_size);
        for (std::size_t j = i * k; j < (i + 1) * k; ++j) {
            T d[4];
            for (std::size_t c = 0; c < 4; ++c) {
                const T raw = distances[4 * j + c];
                d[c] = options.clamp_negative && !is_nan(raw) && raw < T(0) ? T(0) : raw;
            }
            out[4 * j] = r.x - d[0] * r.unit_x;
            out[4 * j + 1] = r.y - d[1] * r.unit_y;
            out[4 * j + 2] = r.x + d[2] * r.unit_x;
            out[4 * j + 3] = r.y + d[3] * r.unit_y;
        }
    });
}

template <class T, class D, class A>
auto check_ltrb_decode(const D& d, const A& a, const ltrb_coder_options& options) {
    check_columns_multiple(d, 4, "ltrb_decode: distances");
    check_ltrb_anchors(a, options.normalize_by_size, "ltrb_decode: anchors", "ltrb_decode");
    check_same_length(d, a, "ltrb_decode: distances and anchors");
    check_ltrb_options(options, "ltrb_decode");
}

} // namespace detail

/// Encodes boxes as distances, into the caller's memory. @param out (N, 4)
template <array_expression B, array_expression A, class Out>
void ltrb_encode(const B& boxes, const A& anchors, const ltrb_coder_options& options, Out&& out) {
    using T = scalar_t<B, A>;
    const auto b = as_dense<T, 2>(boxes, "ltrb_encode: boxes");
    const auto a = as_dense<T, 2>(anchors, "ltrb_encode: anchors");
    detail::check_shape(b, {detail::any, 4}, "ltrb_encode: boxes");
    detail::check_ltrb_anchors(a, options.normalize_by_size, "ltrb_encode: anchors", "ltrb_encode");
    detail::check_same_length(b, a, "ltrb_encode: boxes and anchors");
    detail::check_ltrb_options(options, "ltrb_encode");
    if (options.normalize_by_size) detail::check_positive_boxes(a.data(), a.extent(0), "ltrb_encode: anchors");
    T* o = detail::as_output<T, 2>(out, {b.extent(0), 4}, "ltrb_encode: out");
    const T scale = static_cast<T>(options.scale);
    const T limit = static_cast<T>(options.max_distance.value_or(0));
    const bool limited = options.max_distance.has_value();
    const std::size_t columns = a.extent(1);
    detail::for_each_row(b.extent(0), [&, o](std::size_t i) {
        const detail::ltrb_reference<T> r(a.data() + columns * i, columns, scale, options.normalize_by_size);
        const T* x = b.data() + 4 * i;
        const T row[4] = {(r.x - x[0]) / r.unit_x, (r.y - x[1]) / r.unit_y, (x[2] - r.x) / r.unit_x, (x[3] - r.y) / r.unit_y};
        for (std::size_t c = 0; c < 4; ++c) o[4 * i + c] = limited ? detail::clamp_keep_nan(row[c], T(0), limit) : row[c];
    });
}

/// Encodes boxes as the distances of a point to their left, top, right and bottom sides.
///
/// @param boxes    (N, 4) x1 y1 x2 y2; a point outside its box gives negative distances; NaN and infinity go through the
///                 arithmetic
/// @param anchors  (N, 2) points x y, or (N, 4) boxes whose centres are the points
/// @return         (N, 4) left, top, right, bottom in units of options.scale, or of the anchors' sizes
/// @throws invalid_argument  on other shapes, different lengths, a scale that is not positive, anchors without area to
///                           normalise by
///
/// float and double. Agrees with torchvision's BoxLinearCoder.encode and detectron2's Box2BoxTransformLinear.get_deltas
/// (anchors (N, 4)), and with ultralytics' bbox2dist (points and max_distance).
template <array_expression B, array_expression A>
xt::xtensor<scalar_t<B, A>, 2> ltrb_encode(const B& boxes, const A& anchors, const ltrb_coder_options& options = {}) {
    const auto b = as_dense<scalar_t<B, A>, 2>(boxes, "ltrb_encode: boxes");
    auto out = detail::new_tensor<scalar_t<B, A>>(b.extent(0), 4);
    ltrb_encode(view(b.data(), b.shape()), anchors, options, out);
    return out;
}

/// Decodes distances to boxes, into the caller's memory. @param out (N, 4 K); may be the memory of `distances`
template <array_expression D, array_expression A, class Out>
requires(array_expression<Out>) void ltrb_decode(const D& distances, const A& anchors, const ltrb_coder_options& options,
                                                 Out&& out) {
    using T = scalar_t<D, A>;
    const auto d = as_dense<T, 2>(distances, "ltrb_decode: distances");
    const auto a = as_dense<T, 2>(anchors, "ltrb_decode: anchors");
    detail::check_ltrb_decode<T>(d, a, options);
    T* o = detail::as_output<T, 2>(out, {d.extent(0), d.extent(1)}, "ltrb_decode: out");
    detail::ltrb_decode_rows<T>(d.data(), a.data(), a.extent(1), nullptr, d.extent(0), d.extent(1) / 4, options, o);
}

/// Decodes distances to boxes: the inverse of ltrb_encode.
///
/// @param distances  (N, 4 K) left, top, right, bottom for each of K classes; NaN gives NaN, infinity goes through the
///                   arithmetic, negative distances can give x2 < x1 unless options.clamp_negative
/// @param anchors    (N, 2) points x y, or (N, 4) boxes whose centres are the points
/// @return           (N, 4 K) x1 y1 x2 y2
/// @throws invalid_argument  on other shapes, different lengths, a scale that is not positive
///
/// float and double. Agrees with torchvision's BoxLinearCoder.decode, detectron2's Box2BoxTransformLinear.apply_deltas (with
/// clamp_negative), both with anchors (N, 4), and with ultralytics' dist2bbox (points).
template <array_expression D, array_expression A>
xt::xtensor<scalar_t<D, A>, 2> ltrb_decode(const D& distances, const A& anchors, const ltrb_coder_options& options = {}) {
    const auto d = as_dense<scalar_t<D, A>, 2>(distances, "ltrb_decode: distances");
    auto out = detail::new_tensor<scalar_t<D, A>>(d.extent(0), d.extent(1));
    ltrb_decode(view(d.data(), d.shape()), anchors, options, out);
    return out;
}

/// Decodes distances in cells to boxes in pixels, where each row has a stride of its own (several pyramid levels in one array).
///
/// @param strides  (N) pixels per unit of distance, multiplied with options.scale; see point_pyramid
/// @return         (N, 4 K) as ltrb_decode without strides
/// @throws invalid_argument  likewise, and when there are not as many strides as rows
template <array_expression D, array_expression A, array_expression S>
xt::xtensor<scalar_t<D, A, S>, 2> ltrb_decode(const D& distances, const A& anchors, const S& strides,
                                              const ltrb_coder_options& options = {}) {
    using T = scalar_t<D, A, S>;
    const auto d = as_dense<T, 2>(distances, "ltrb_decode: distances");
    const auto a = as_dense<T, 2>(anchors, "ltrb_decode: anchors");
    const auto s = as_dense<T, 1>(strides, "ltrb_decode: strides");
    detail::check_ltrb_decode<T>(d, a, options);
    detail::check_same_length(d, s, "ltrb_decode: distances and strides");
    auto out = detail::new_tensor<T>(d.extent(0), d.extent(1));
    detail::ltrb_decode_rows<T>(d.data(), a.data(), a.extent(1), s.data(), d.extent(0), d.extent(1) / 4, options, out.data());
    return out;
}

} // namespace ocelli
