#pragma once

/// @file
/// The box coder of SSD: offsets from a prior box, scaled by variances.

#include <ocelli/boxes/detail/rows.hpp>
#include <ocelli/boxes/formats.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/core/tensor.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace ocelli {

/// What SSD's four numbers mean, by Caffe's names.
enum class ssd_code : std::uint8_t {
    center_size, ///< shift of the centre in units of the prior, logarithm of the size ratio
    corner,      ///< shift of the two corners
    corner_size  ///< shift of the two corners in units of the prior
};

/// Options of ssd_encode and ssd_decode.
struct ssd_coder_options {
    std::array<double, 4> variances{0.1, 0.1, 0.2, 0.2}; ///< 1 where the network's targets have them inside already
    ssd_code code = ssd_code::center_size;
    box_format prior_format = box_format::xyxy; ///< xyxy, xywh or cxcywh (what PyTorch versions of SSD keep)
    bool clip = false;                          ///< clip decoded corners to [0, 1]
};

namespace detail {

template <class T>
struct ssd_prior {
    T x1, y1, x2, y2, cx, cy, w, h;

    ssd_prior(const T* p, box_format format) noexcept {
        const T half = static_cast<T>(0.5);
        if (format == box_format::cxcywh) {
            cx = p[0], cy = p[1], w = p[2], h = p[3];
            x1 = cx - w * half, y1 = cy - h * half, x2 = cx + w * half, y2 = cy + h * half;
        } else {
            x1 = p[0], y1 = p[1];
            w = format == box_format::xyxy ? p[2] - p[0] : p[2];
            h = format == box_format::xyxy ? p[3] - p[1] : p[3];
            x2 = format == box_format::xyxy ? p[2] : p[0] + p[2];
            y2 = format == box_format::xyxy ? p[3] : p[1] + p[3];
            cx = (x1 + x2) * half, cy = (y1 + y2) * half;
        }
    }
};

template <class P>
void check_ssd(const P& priors, const ssd_coder_options& options, std::string_view priors_name, std::string_view what) {
    check_shape(priors, {any, 4}, priors_name);
    check(!is_rotated(options.prior_format), what, ": prior_format must be xyxy, xywh or cxcywh, got ",
          name(options.prior_format));
    for (const double v : options.variances)
        check(is_finite(v) && v != 0, what, ": variances must be finite and not zero, got ", v);
}

} // namespace detail

/// Encodes boxes as SSD's offsets, into the caller's memory. @param out (N, 4)
template <array_expression B, array_expression P, class Out>
void ssd_encode(const B& boxes, const P& priors, const ssd_coder_options& options, Out&& out) {
    using T = scalar_t<B, P>;
    const auto b = as_dense<T, 2>(boxes, "ssd_encode: boxes");
    const auto p = as_dense<T, 2>(priors, "ssd_encode: priors");
    detail::check_shape(b, {detail::any, 4}, "ssd_encode: boxes");
    detail::check_ssd(p, options, "ssd_encode: priors", "ssd_encode");
    detail::check_same_length(b, p, "ssd_encode: boxes and priors");
    detail::check_positive_boxes(b.data(), b.extent(0), "ssd_encode: boxes");
    for (std::size_t i = 0; i < p.extent(0); ++i) {
        const detail::ssd_prior<T> prior(p.data() + 4 * i, options.prior_format);
        const bool finite = detail::is_finite(prior.x1) && detail::is_finite(prior.y1) && detail::is_finite(prior.x2) &&
                            detail::is_finite(prior.y2);
        detail::check(finite && prior.w > T(0) && prior.h > T(0), "ssd_encode: priors must be finite with positive sizes, row ",
                      i, " is ", prior.w, " x ", prior.h);
    }
    T* o = detail::as_output<T, 2>(out, {b.extent(0), 4}, "ssd_encode: out");
    T v[4];
    for (std::size_t c = 0; c < 4; ++c) v[c] = static_cast<T>(options.variances[c]);
    detail::for_each_row(b.extent(0), [&, o](std::size_t i) {
        const detail::ssd_prior<T> q(p.data() + 4 * i, options.prior_format);
        const T* x = b.data() + 4 * i;
        T row[4] = {x[0] - q.x1, x[1] - q.y1, x[2] - q.x2, x[3] - q.y2};
        if (options.code == ssd_code::center_size) {
            const T half = static_cast<T>(0.5);
            row[0] = ((x[0] + x[2]) * half - q.cx) / q.w;
            row[1] = ((x[1] + x[3]) * half - q.cy) / q.h;
            row[2] = std::log((x[2] - x[0]) / q.w);
            row[3] = std::log((x[3] - x[1]) / q.h);
        } else if (options.code == ssd_code::corner_size) {
            row[0] /= q.w, row[1] /= q.h, row[2] /= q.w, row[3] /= q.h;
        }
        for (std::size_t c = 0; c < 4; ++c) o[4 * i + c] = row[c] / v[c];
    });
}

/// Encodes boxes as SSD's offsets from their priors (default boxes), divided by the variances.
///
/// @param boxes   (N, 4) x1 y1 x2 y2, finite, x2 > x1 and y2 > y1, in the units of the priors (usually of the image: [0, 1])
/// @param priors  (N, 4) as options.prior_format says, one for each box, positive sizes
/// @return        (N, 4)
/// @throws invalid_argument  on other shapes, different lengths, boxes or priors without area, NaN, a variance of 0
///
/// float and double. Agrees with Caffe SSD's EncodeBBox; center_size with variances (0.1, 0.1, 0.2, 0.2) is R-CNN's code with
/// weights (10, 10, 5, 5).
template <array_expression B, array_expression P>
xt::xtensor<scalar_t<B, P>, 2> ssd_encode(const B& boxes, const P& priors, const ssd_coder_options& options = {}) {
    const auto b = as_dense<scalar_t<B, P>, 2>(boxes, "ssd_encode: boxes");
    auto out = detail::new_tensor<scalar_t<B, P>>(b.extent(0), 4);
    ssd_encode(view(b.data(), b.shape()), priors, options, out);
    return out;
}

/// Decodes SSD's offsets to boxes, into the caller's memory. @param out (N, 4); may be the memory of `codes`
template <array_expression C, array_expression P, class Out>
void ssd_decode(const C& codes, const P& priors, const ssd_coder_options& options, Out&& out) {
    using T = scalar_t<C, P>;
    const auto d = as_dense<T, 2>(codes, "ssd_decode: codes");
    const auto p = as_dense<T, 2>(priors, "ssd_decode: priors");
    detail::check_shape(d, {detail::any, 4}, "ssd_decode: codes");
    detail::check_ssd(p, options, "ssd_decode: priors", "ssd_decode");
    detail::check_same_length(d, p, "ssd_decode: codes and priors");
    T* o = detail::as_output<T, 2>(out, {d.extent(0), 4}, "ssd_decode: out");
    T v[4];
    for (std::size_t c = 0; c < 4; ++c) v[c] = static_cast<T>(options.variances[c]);
    detail::for_each_row(d.extent(0), [&, o](std::size_t i) {
        const detail::ssd_prior<T> q(p.data() + 4 * i, options.prior_format);
        const T* x = d.data() + 4 * i;
        T row[4];
        if (options.code == ssd_code::center_size) {
            const T half = static_cast<T>(0.5);
            const T cx = q.cx + x[0] * v[0] * q.w, cy = q.cy + x[1] * v[1] * q.h;
            const T w = q.w * std::exp(x[2] * v[2]), h = q.h * std::exp(x[3] * v[3]);
            row[0] = cx - w * half, row[1] = cy - h * half, row[2] = cx + w * half, row[3] = cy + h * half;
        } else {
            const bool scaled = options.code == ssd_code::corner_size;
            const T w = scaled ? q.w : T(1), h = scaled ? q.h : T(1);
            row[0] = q.x1 + x[0] * v[0] * w, row[1] = q.y1 + x[1] * v[1] * h;
            row[2] = q.x2 + x[2] * v[2] * w, row[3] = q.y2 + x[3] * v[3] * h;
        }
        for (std::size_t c = 0; c < 4; ++c) o[4 * i + c] = options.clip ? detail::clamp_keep_nan(row[c], T(0), T(1)) : row[c];
    });
}

/// Decodes SSD's offsets to boxes: the inverse of ssd_encode.
///
/// @param codes   (N, 4) a network's location output; NaN gives NaN coordinates, infinity goes through the arithmetic
/// @param priors  (N, 4) as options.prior_format says; see ssd_default_boxes
/// @return        (N, 4) x1 y1 x2 y2 in the units of the priors
/// @throws invalid_argument  on other shapes, different lengths, a variance of 0
///
/// float and double. Agrees with Caffe SSD's DecodeBBox, and with PyTorch's SSD and UltraFace (prior_format cxcywh).
template <array_expression C, array_expression P>
xt::xtensor<scalar_t<C, P>, 2> ssd_decode(const C& codes, const P& priors, const ssd_coder_options& options = {}) {
    const auto d = as_dense<scalar_t<C, P>, 2>(codes, "ssd_decode: codes");
    auto out = detail::new_tensor<scalar_t<C, P>>(d.extent(0), 4);
    ssd_decode(view(d.data(), d.shape()), priors, options, out);
    return out;
}

} // namespace ocelli
