#pragma once

/// @file
/// The box coder of rotated R-CNNs (RRPN): R-CNN's deltas and an angle.

#include <ocelli/boxes/coders/rcnn.hpp>
#include <ocelli/boxes/detail/rows.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/tensor.hpp>

#include <array>
#include <cmath>
#include <cstddef>

namespace ocelli {

/// Options of rotated_rcnn_encode and rotated_rcnn_decode.
struct rotated_rcnn_coder_options {
    std::array<double, 5> weights{1, 1, 1, 1, 1}; ///< factors of dx, dy, dw, dh, da
    double scale_clamp = 4.135166556742356;       ///< limit of dw and dh before exp: log(1000 / 16)
};

namespace detail {

/// The same angle in [-180, 180) degrees; NaN and infinity stay what they are.
template <class T>
T wrap_degrees(T degrees) noexcept {
    if (!is_finite(degrees)) return degrees; // by its bits: under -ffast-math comparisons with NaN say anything
    T turned = std::fmod(degrees + T(180), T(360));
    if (turned < T(0)) turned += T(360);
    if (turned >= T(360)) turned = T(0); // a tiny negative angle rounds up to a full turn
    return turned - T(180);
}

inline constexpr double radians_per_degree = 0.017453292519943295769;

} // namespace detail

/// Encodes rotated boxes as deltas, into the caller's memory. @param out (N, 5)
template <array_expression B, array_expression A, class Out>
void rotated_rcnn_encode(const B& boxes, const A& anchors, const rotated_rcnn_coder_options& options, Out&& out) {
    using T = scalar_t<B, A>;
    const auto b = as_dense<T, 2>(boxes, "rotated_rcnn_encode: boxes");
    const auto a = as_dense<T, 2>(anchors, "rotated_rcnn_encode: anchors");
    detail::check_shape(b, {detail::any, 5}, "rotated_rcnn_encode: boxes");
    detail::check_shape(a, {detail::any, 5}, "rotated_rcnn_encode: anchors");
    detail::check_same_length(b, a, "rotated_rcnn_encode: boxes and anchors");
    detail::check_weights(options.weights, "rotated_rcnn_encode: weights");
    const auto check_sizes = [](const auto& rows, std::string_view what) {
        const std::size_t bad = detail::find_row_not_finite(rows.data(), rows.extent(0), 5);
        detail::check(bad == rows.extent(0), what, " must be finite, row ", bad, " is not");
        for (std::size_t i = 0; i < rows.extent(0); ++i)
            detail::check(rows[5 * i + 2] > T(0) && rows[5 * i + 3] > T(0), what, " must have positive sizes, row ", i, " has ",
                          rows[5 * i + 2], " x ", rows[5 * i + 3]);
    };
    check_sizes(b, "rotated_rcnn_encode: boxes");
    check_sizes(a, "rotated_rcnn_encode: anchors");
    T* o = detail::as_output<T, 2>(out, {b.extent(0), 5}, "rotated_rcnn_encode: out");
    T w[5];
    for (std::size_t c = 0; c < 5; ++c) w[c] = static_cast<T>(options.weights[c]);
    const T to_radians = static_cast<T>(options.weights[4] * detail::radians_per_degree);
    detail::for_each_row(b.extent(0), [&, o](std::size_t i) {
        const T* p = b.data() + 5 * i;
        const T* q = a.data() + 5 * i;
        const T row[5] = {w[0] * (p[0] - q[0]) / q[2], w[1] * (p[1] - q[1]) / q[3], w[2] * std::log(p[2] / q[2]),
                          w[3] * std::log(p[3] / q[3]), detail::wrap_degrees(p[4] - q[4]) * to_radians};
        for (std::size_t c = 0; c < 5; ++c) o[5 * i + c] = row[c];
    });
}

/// Encodes rotated boxes as the deltas that lead from their anchors to them.
///
/// The first four are R-CNN's, with the shift along x and y (not along the anchor's sides); da is the turn in radians, taken
/// the shorter way: [-pi, pi) times its weight.
///
/// @param boxes    (N, 5) cx cy w h angle in degrees, counter-clockwise; finite, positive sizes
/// @param anchors  (N, 5) likewise, one for each box
/// @return         (N, 5) dx dy dw dh da
/// @throws invalid_argument  on other shapes, different lengths, a size that is not positive, NaN or infinity, a weight of 0
///
/// float and double. Agrees with detectron2's Box2BoxTransformRotated.get_deltas.
template <array_expression B, array_expression A>
xt::xtensor<scalar_t<B, A>, 2> rotated_rcnn_encode(const B& boxes, const A& anchors,
                                                   const rotated_rcnn_coder_options& options = {}) {
    const auto b = as_dense<scalar_t<B, A>, 2>(boxes, "rotated_rcnn_encode: boxes");
    auto out = detail::new_tensor<scalar_t<B, A>>(b.extent(0), 5);
    rotated_rcnn_encode(view(b.data(), b.shape()), anchors, options, out);
    return out;
}

/// Decodes deltas to rotated boxes, into the caller's memory. @param out (N, 5 K); may be the memory of `deltas`
template <array_expression D, array_expression A, class Out>
void rotated_rcnn_decode(const D& deltas, const A& anchors, const rotated_rcnn_coder_options& options, Out&& out) {
    using T = scalar_t<D, A>;
    const auto d = as_dense<T, 2>(deltas, "rotated_rcnn_decode: deltas");
    const auto a = as_dense<T, 2>(anchors, "rotated_rcnn_decode: anchors");
    detail::check_columns_multiple(d, 5, "rotated_rcnn_decode: deltas");
    detail::check_shape(a, {detail::any, 5}, "rotated_rcnn_decode: anchors");
    detail::check_same_length(d, a, "rotated_rcnn_decode: deltas and anchors");
    detail::check_weights(options.weights, "rotated_rcnn_decode: weights");
    detail::check_scale_clamp(options.scale_clamp, "rotated_rcnn_decode: scale_clamp");
    T* o = detail::as_output<T, 2>(out, {d.extent(0), d.extent(1)}, "rotated_rcnn_decode: out");
    const std::size_t k = d.extent(1) / 5;
    T w[5];
    for (std::size_t c = 0; c < 5; ++c) w[c] = static_cast<T>(options.weights[c]);
    const T limit = static_cast<T>(options.scale_clamp);
    const T to_degrees = static_cast<T>(1 / detail::radians_per_degree);
    detail::for_each_row(d.extent(0), [&, o, k](std::size_t i) {
        const T* q = a.data() + 5 * i;
        for (std::size_t j = i * k; j < (i + 1) * k; ++j) {
            const T* p = d.data() + 5 * j;
            const T row[5] = {p[0] / w[0] * q[2] + q[0], p[1] / w[1] * q[3] + q[1],
                              std::exp(detail::min_keep_nan(p[2] / w[2], limit)) * q[2],
                              std::exp(detail::min_keep_nan(p[3] / w[3], limit)) * q[3],
                              detail::wrap_degrees(p[4] / w[4] * to_degrees + q[4])};
            for (std::size_t c = 0; c < 5; ++c) o[5 * j + c] = row[c];
        }
    });
}

/// Decodes deltas to rotated boxes: the inverse of rotated_rcnn_encode. Angles come out in [-180, 180).
///
/// @param deltas   (N, 5 K) dx dy dw dh da for each of K classes; NaN gives NaN, an infinite dw or dh is limited from above,
///                 an infinite da stays infinite
/// @param anchors  (N, 5) cx cy w h angle in degrees
/// @return         (N, 5 K) cx cy w h angle for each class
/// @throws invalid_argument  on other shapes, different lengths, a weight of 0
///
/// float and double. Agrees with detectron2's Box2BoxTransformRotated.apply_deltas.
template <array_expression D, array_expression A>
xt::xtensor<scalar_t<D, A>, 2> rotated_rcnn_decode(const D& deltas, const A& anchors,
                                                   const rotated_rcnn_coder_options& options = {}) {
    const auto d = as_dense<scalar_t<D, A>, 2>(deltas, "rotated_rcnn_decode: deltas");
    auto out = detail::new_tensor<scalar_t<D, A>>(d.extent(0), d.extent(1));
    rotated_rcnn_decode(view(d.data(), d.shape()), anchors, options, out);
    return out;
}

} // namespace ocelli
