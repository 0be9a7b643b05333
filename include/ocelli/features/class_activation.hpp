#pragma once

/// @file
/// Where in a map a class is seen: class activation maps and Grad-CAM.

#include <ocelli/core/error.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/core/tensor.hpp>

#include <cstddef>
#include <type_traits>
#include <vector>

namespace ocelli {

namespace detail {

/// out (images, maps, plane): sums of the channels (images, channels, plane), weighed by weights (maps, channels), `weight_step` further for each
/// image; `rectified`: negative ones become 0.
template <class T>
void weighed_channels(std::size_t images, std::size_t channels, std::size_t plane, std::size_t maps, const T* features, const T* weights,
                      std::size_t weight_step, bool rectified, T* out) {
    parallel_for(images * maps, 1 + 16384 / (channels * plane + 1), [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            const T* from = features + i / maps * channels * plane;
            const T* w = weights + i / maps * weight_step + i % maps * channels;
            T* to = out + i * plane;
            for (std::size_t p = 0; p < plane; ++p) to[p] = T(0);
            for (std::size_t c = 0; c < channels; ++c)
                for (std::size_t p = 0; p < plane; ++p) to[p] += w[c] * from[c * plane + p];
            // A NaN stays one, under -ffast-math too.
            for (std::size_t p = 0; rectified && p < plane; ++p)
                if (!is_nan(to[p]) && to[p] < 0) to[p] = T(0);
        }
    });
}

template <class T, class F>
std::vector<T> grad_cam_weights(const F& f, const F& g) {
    check(f.shape() == g.shape(), "grad_cam: gradients must have the features' shape ", shape_text(f.shape()), ", got ", shape_text(g.shape()));
    const std::size_t planes = f.extent(0) * f.extent(1), plane = f.extent(2) * f.extent(3);
    std::vector<T> weights(planes);
    for (std::size_t i = 0; plane != 0 && i < planes; ++i) {
        double sum = 0;
        for (std::size_t p = 0; p < plane; ++p) sum += static_cast<double>(g[i * plane + p]);
        weights[i] = static_cast<T>(sum / static_cast<double>(plane));
    }
    return weights;
}

template <class F, class W>
void check_activation(const F& f, const W& w) {
    check(w.extent(1) == f.extent(1), "class_activation_map: weights must have shape (K, ", f.extent(1), "), got ", shape_text(w.shape()));
}

}  // namespace detail

/// Weighs the last feature maps of a network by its classifier: where each class is seen (Zhou et al. 2016, arXiv:1512.04150, equation 2).
///
/// @param features            (N, C, H, W) what global average pooling reads
/// @param classifier_weights  (K, C) of the dense layer behind it, one row for each class wanted
/// @return                    (N, K, H, W); their means over a map are the classes' scores without bias
/// @throws invalid_argument   on other shapes
///
/// float and double; values as they are: scaling to a picture's range and size is the caller's (upsample).
template <array_expression F, array_expression W>
xt::xtensor<scalar_t<F, W>, 4> class_activation_map(const F& features, const W& classifier_weights) {
    using T = scalar_t<F, W>;
    const auto f = as_dense<T, 4>(features, "class_activation_map: features");
    const auto w = as_dense<T, 2>(classifier_weights, "class_activation_map: weights");
    detail::check_activation(f, w);
    auto out = detail::new_tensor<T>(f.extent(0), w.extent(0), f.extent(2), f.extent(3));
    detail::weighed_channels(f.extent(0), f.extent(1), f.extent(2) * f.extent(3), w.extent(0), f.data(), w.data(), 0, false, out.data());
    return out;
}
/// The same into the caller's memory: `out` is dense, row-major, of the result's shape and type.
template <array_expression F, array_expression W, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void class_activation_map(const F& features, const W& classifier_weights, Out&& out) {
    using T = scalar_t<F, W>;
    const auto f = as_dense<T, 4>(features, "class_activation_map: features");
    const auto w = as_dense<T, 2>(classifier_weights, "class_activation_map: weights");
    detail::check_activation(f, w);
    T* to = detail::as_output<T, 4>(out, {f.extent(0), w.extent(0), f.extent(2), f.extent(3)}, "class_activation_map: out");
    detail::weighed_channels(f.extent(0), f.extent(1), f.extent(2) * f.extent(3), w.extent(0), f.data(), w.data(), 0, false, to);
}

/// Weighs feature maps by the means of a score's gradients and keeps what speaks for the class (Selvaraju et al. 2017, arXiv:1610.02391, equations 1
/// and 2).
///
/// @param features   (N, C, H, W) of any layer
/// @param gradients  (N, C, H, W) of the class's score by these features
/// @return           (N, H, W); max(0, sum over c of mean(gradient c) feature c)
/// @throws invalid_argument  on other shapes
///
/// float and double.
template <array_expression F, array_expression G>
xt::xtensor<scalar_t<F, G>, 3> grad_cam(const F& features, const G& gradients) {
    using T = scalar_t<F, G>;
    const auto f = as_dense<T, 4>(features, "grad_cam: features"), g = as_dense<T, 4>(gradients, "grad_cam: gradients");
    const auto weights = detail::grad_cam_weights<T>(f, g);
    auto out = detail::new_tensor<T>(f.extent(0), f.extent(2), f.extent(3));
    detail::weighed_channels(f.extent(0), f.extent(1), f.extent(2) * f.extent(3), 1, f.data(), weights.data(), f.extent(1), true, out.data());
    return out;
}
/// The same into the caller's memory: `out` is dense, row-major, of the result's shape and type.
template <array_expression F, array_expression G, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void grad_cam(const F& features, const G& gradients, Out&& out) {
    using T = scalar_t<F, G>;
    const auto f = as_dense<T, 4>(features, "grad_cam: features"), g = as_dense<T, 4>(gradients, "grad_cam: gradients");
    const auto weights = detail::grad_cam_weights<T>(f, g);
    T* to = detail::as_output<T, 3>(out, {f.extent(0), f.extent(2), f.extent(3)}, "grad_cam: out");
    detail::weighed_channels(f.extent(0), f.extent(1), f.extent(2) * f.extent(3), 1, f.data(), weights.data(), f.extent(1), true, to);
}

}  // namespace ocelli
