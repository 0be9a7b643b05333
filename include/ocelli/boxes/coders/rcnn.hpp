#pragma once

/// @file
/// The box coder of R-CNN, Fast and Faster R-CNN, Mask R-CNN and RetinaNet: shifts in units of the anchor, logarithms of size
/// ratios.

#include <ocelli/boxes/detail/rows.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/core/tensor.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace ocelli {

/// Options of rcnn_encode and rcnn_decode.
struct rcnn_coder_options {
    std::array<double, 4> weights{1, 1, 1, 1}; ///< factors of dx, dy, dw, dh; (10, 10, 5, 5) in the second stage of R-CNNs
    double scale_clamp = 4.135166556742356;    ///< limit of dw and dh before exp: log(1000 / 16)
};

namespace detail {

template <std::size_t N>
void check_weights(const std::array<double, N>& weights, std::string_view what) {
    for (const double w : weights) check(is_finite(w) && w != 0, what, " must be finite and not zero, got ", w);
}

inline void check_scale_clamp(double scale_clamp, std::string_view what) {
    check(!is_nan(scale_clamp), what, " must not be NaN");
}

template <class T>
void rcnn_decode_rows(const T* deltas, const T* anchors, std::size_t n, std::size_t k, const rcnn_coder_options& options,
                      T* out) {
    const T wx = static_cast<T>(options.weights[0]), wy = static_cast<T>(options.weights[1]);
    const T ww = static_cast<T>(options.weights[2]), wh = static_cast<T>(options.weights[3]);
    const T limit = static_cast<T>(options.scale_clamp), half = static_cast<T>(0.5);
    for_each_row(n, [=](std::size_t i) {
        const T* a = anchors + 4 * i;
        const T w = a[2] - a[0], h = a[3] - a[1];
        const T cx = a[0] + half * w, cy = a[1] + half * h;
        for (std::size_t j = 0; j < k; ++j) {
            const T* d = deltas + 4 * (i * k + j);
            T* o = out + 4 * (i * k + j);
            const T x = d[0] / wx * w + cx, y = d[1] / wy * h + cy;
            const T half_w = half * (std::exp(min_keep_nan(d[2] / ww, limit)) * w);
            const T half_h = half * (std::exp(min_keep_nan(d[3] / wh, limit)) * h);
            o[0] = x - half_w;
            o[1] = y - half_h;
            o[2] = x + half_w;
            o[3] = y + half_h;
        }
    });
}

template <class T>
void rcnn_encode_rows(const T* boxes, const T* anchors, std::size_t n, const rcnn_coder_options& options, T* out) {
    const T wx = static_cast<T>(options.weights[0]), wy = static_cast<T>(options.weights[1]);
    const T ww = static_cast<T>(options.weights[2]), wh = static_cast<T>(options.weights[3]);
    const T half = static_cast<T>(0.5);
    for_each_row(n, [=](std::size_t i) {
        const T* b = boxes + 4 * i;
        const T* a = anchors + 4 * i;
        T* o = out + 4 * i;
        const T aw = a[2] - a[0], ah = a[3] - a[1], bw = b[2] - b[0], bh = b[3] - b[1];
        const T dx = wx * ((b[0] + half * bw) - (a[0] + half * aw)) / aw;
        const T dy = wy * ((b[1] + half * bh) - (a[1] + half * ah)) / ah;
        o[0] = dx;
        o[1] = dy;
        o[2] = ww * std::log(bw / aw);
        o[3] = wh * std::log(bh / ah);
    });
}

} // namespace detail

/// Encodes boxes as deltas from their anchors, into the caller's memory. @param out (N, 4)
template <array_expression B, array_expression A, class Out>
void rcnn_encode(const B& boxes, const A& anchors, const rcnn_coder_options& options, Out&& out) {
    using T = scalar_t<B, A>;
    const auto b = as_dense<T, 2>(boxes, "rcnn_encode: boxes");
    const auto a = as_dense<T, 2>(anchors, "rcnn_encode: anchors");
    detail::check_shape(b, {detail::any, 4}, "rcnn_encode: boxes");
    detail::check_shape(a, {detail::any, 4}, "rcnn_encode: anchors");
    detail::check_same_length(b, a, "rcnn_encode: boxes and anchors");
    detail::check_weights(options.weights, "rcnn_encode: weights");
    detail::check_positive_boxes(b.data(), b.extent(0), "rcnn_encode: boxes");
    detail::check_positive_boxes(a.data(), a.extent(0), "rcnn_encode: anchors");
    T* o = detail::as_output<T, 2>(out, {b.extent(0), 4}, "rcnn_encode: out");
    detail::rcnn_encode_rows(b.data(), a.data(), b.extent(0), options, o);
}

/// Encodes boxes as the deltas that lead from their anchors to them: what a network is trained to predict.
///
///     dx = wx (bx - ax) / aw    dy = wy (by - ay) / ah    dw = ww log(bw / aw)    dh = wh log(bh / ah)
///
/// with centres (bx, by), (ax, ay) and sizes; Girshick et al., "Rich feature hierarchies", appendix C.
///
/// @param boxes    (N, 4) x1 y1 x2 y2, finite, x2 > x1 and y2 > y1
/// @param anchors  (N, 4) likewise, one for each box
/// @return         (N, 4) dx dy dw dh
/// @throws invalid_argument  on other shapes, different lengths, a box or anchor without area, a NaN, a weight of 0
///
/// float and double. Agrees with torchvision's BoxCoder.encode_single and detectron2's Box2BoxTransform.get_deltas.
template <array_expression B, array_expression A>
xt::xtensor<scalar_t<B, A>, 2> rcnn_encode(const B& boxes, const A& anchors, const rcnn_coder_options& options = {}) {
    const auto b = as_dense<scalar_t<B, A>, 2>(boxes, "rcnn_encode: boxes");
    auto out = detail::new_tensor<scalar_t<B, A>>(b.extent(0), 4);
    rcnn_encode(view(b.data(), b.shape()), anchors, options, out);
    return out;
}

/// Decodes deltas to boxes, into the caller's memory. @param out (N, 4 K); may be the memory of `deltas`
template <array_expression D, array_expression A, class Out>
void rcnn_decode(const D& deltas, const A& anchors, const rcnn_coder_options& options, Out&& out) {
    using T = scalar_t<D, A>;
    const auto d = as_dense<T, 2>(deltas, "rcnn_decode: deltas");
    const auto a = as_dense<T, 2>(anchors, "rcnn_decode: anchors");
    detail::check_columns_multiple(d, 4, "rcnn_decode: deltas");
    detail::check_shape(a, {detail::any, 4}, "rcnn_decode: anchors");
    detail::check_same_length(d, a, "rcnn_decode: deltas and anchors");
    detail::check_weights(options.weights, "rcnn_decode: weights");
    detail::check_scale_clamp(options.scale_clamp, "rcnn_decode: scale_clamp");
    T* o = detail::as_output<T, 2>(out, {d.extent(0), d.extent(1)}, "rcnn_decode: out");
    detail::rcnn_decode_rows(d.data(), a.data(), d.extent(0), d.extent(1) / 4, options, o);
}

/// Decodes deltas to boxes: the inverse of rcnn_encode, with dw and dh limited before the exponential.
///
/// @param deltas   (N, 4 K) dx dy dw dh for each of K classes; NaN gives NaN coordinates, an infinite dw or dh is limited from
///                 above
/// @param anchors  (N, 4) x1 y1 x2 y2; an anchor without area gives boxes without area
/// @return         (N, 4 K) x1 y1 x2 y2 for each class
/// @throws invalid_argument  on other shapes, different lengths, a weight of 0
///
/// float and double. Agrees with torchvision's BoxCoder.decode_single and detectron2's Box2BoxTransform.apply_deltas.
template <array_expression D, array_expression A>
xt::xtensor<scalar_t<D, A>, 2> rcnn_decode(const D& deltas, const A& anchors, const rcnn_coder_options& options = {}) {
    const auto d = as_dense<scalar_t<D, A>, 2>(deltas, "rcnn_decode: deltas");
    auto out = detail::new_tensor<scalar_t<D, A>>(d.extent(0), d.extent(1));
    rcnn_decode(view(d.data(), d.shape()), anchors, options, out);
    return out;
}

} // namespace ocelli
