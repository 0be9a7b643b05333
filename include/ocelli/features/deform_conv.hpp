#pragma once

/// @file
/// Deformable convolution, versions 1 and 2: a convolution whose taps stand where offsets say.

#include <ocelli/core/config.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/core/tensor.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace ocelli {

/// Rows before columns. Groups of channels and of offsets follow from the shapes.
struct deform_conv_options {
    std::array<std::int64_t, 2> stride{1, 1};
    std::array<std::int64_t, 2> padding{0, 0};
    std::array<std::int64_t, 2> dilation{1, 1};
};

/// Stands for an array that is not there.
struct no_array_t {};
inline constexpr no_array_t no_array{};

namespace detail {

/// A deformable convolution of x (images, channels, height, width) to y (images, filters, out_height, out_width).
struct deform_layer {
    std::size_t images = 0, channels = 0, height = 0, width = 0, filters = 0, out_height = 0, out_width = 0;
    std::size_t kernel_y = 1, kernel_x = 1, groups = 1, offset_groups = 1;
    std::int64_t stride_y = 1, stride_x = 1, pad_top = 0, pad_left = 0, dilation_y = 1, dilation_x = 1;
};

/// offset (images, offset_groups * taps * 2, out_height, out_width): y before x; weight (filters, channels / groups, taps); bias (filters) or null; mask
/// (images, offset_groups * taps, out_height, out_width) or null.
void deform_conv(const deform_layer& l, const float* x, const float* offset, const float* weight, const float* bias, const float* mask, float* y);
void deform_conv(const deform_layer& l, const double* x, const double* offset, const double* weight, const double* bias, const double* mask, double* y);

template <class A>
concept optional_array = std::is_same_v<std::remove_cvref_t<A>, no_array_t> || array_expression<A>;

template <class A>
struct optional_value {
    using type = std::int32_t;  // takes no part in the choice of the working type
};
template <array_expression A>
struct optional_value<A> {
    using type = value_type_t<A>;
};

template <class E, class O, class W, class B, class M>
using deform_scalar = widest_or_double<value_type_t<E>, value_type_t<O>, value_type_t<W>, typename optional_value<B>::type, typename optional_value<M>::type>;

deform_layer check_deform(const std::array<std::size_t, 4>& input, const std::array<std::size_t, 4>& offset, const std::array<std::size_t, 4>& weight,
                          const deform_conv_options& options);

template <class T, std::size_t N, class A>
dense_view<T, N> optional_dense(const A& a, const std::array<std::size_t, N>& shape, const char* what) {
    if constexpr (std::is_same_v<A, no_array_t>) {
        return dense_view<T, N>(static_cast<const T*>(nullptr), std::array<std::size_t, N>{});
    } else {
        auto out = as_dense<T, N>(a, what);
        check(out.shape() == shape, what, " must have shape ", shape_text(shape), ", got ", shape_text(out.shape()));
        return out;
    }
}

/// Checks the arguments, asks `output(layer)` for memory, and fills it.
template <class T, class E, class O, class W, class B, class M, class Output>
void run_deform(const E& input, const O& offset, const W& weight, const deform_conv_options& options, const B& bias, const M& mask, Output&& output) {
    const auto in = as_dense<T, 4>(input, "deform_conv2d: input");
    const auto off = as_dense<T, 4>(offset, "deform_conv2d: offset");
    const auto w = as_dense<T, 4>(weight, "deform_conv2d: weight");
    const deform_layer l = check_deform(in.shape(), off.shape(), w.shape(), options);
    const auto b = optional_dense<T, 1>(bias, std::array<std::size_t, 1>{l.filters}, "deform_conv2d: bias");
    const auto m = optional_dense<T, 4>(mask, std::array<std::size_t, 4>{l.images, l.offset_groups * l.kernel_y * l.kernel_x, l.out_height, l.out_width},
                                        "deform_conv2d: mask");
    T* to = output(l);
    deform_conv(l, in.data(), off.data(), w.data(), std::is_same_v<B, no_array_t> ? nullptr : b.data(), std::is_same_v<M, no_array_t> ? nullptr : m.data(),
                to);
}

}  // namespace detail

/// Convolves maps at places that offsets move (Dai et al. 2017, arXiv:1703.06211), with a mask modulated (Zhu et al. 2019, arXiv:1811.11168).
///
/// @param input    (N, C, H, W)
/// @param offset   (N, 2 G KH KW, H', W'): for each of G groups of channels and each tap, how far it moves down and right, in elements
/// @param weight   (F, C / groups, KH, KW)
/// @param options  stride, padding, dilation: H' = (H + 2 padding - dilation (KH - 1) - 1) / stride + 1
/// @param bias     (F), or no_array
/// @param mask     (N, G KH KW, H', W') factors of the samples (version 2), or no_array (version 1)
/// @return         (N, F, H', W')
/// @throws invalid_argument  on other shapes or options out of range
///
/// Samples are bilinear; what lies outside the map is 0, and so is a tap whose offset is NaN or infinite. A NaN in the mask makes its results
/// NaN. float (sums by core/gemm.hpp) and double. Agrees with torchvision.ops.deform_conv2d to 1e-5 of the largest sum.
template <array_expression E, array_expression O, array_expression W, detail::optional_array B = no_array_t, detail::optional_array M = no_array_t>
auto deform_conv2d(const E& input, const O& offset, const W& weight, const deform_conv_options& options = {}, const B& bias = {}, const M& mask = {})
    -> xt::xtensor<detail::deform_scalar<E, O, W, B, M>, 4> {
    using T = detail::deform_scalar<E, O, W, B, M>;
    xt::xtensor<T, 4> out;
    detail::run_deform<T>(input, offset, weight, options, bias, mask, [&](const detail::deform_layer& l) {
        out = detail::new_tensor<T>(l.images, l.filters, l.out_height, l.out_width);
        return out.data();
    });
    return out;
}
/// The same into the caller's memory: `out` is dense, row-major, of the result's shape and type.
template <array_expression E, array_expression O, array_expression W, detail::optional_array B, detail::optional_array M, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void deform_conv2d(const E& input, const O& offset, const W& weight, const deform_conv_options& options, const B& bias, const M& mask, Out&& out) {
    using T = detail::deform_scalar<E, O, W, B, M>;
    detail::run_deform<T>(input, offset, weight, options, bias, mask, [&](const detail::deform_layer& l) {
        return detail::as_output<T, 4>(out, {l.images, l.filters, l.out_height, l.out_width}, "deform_conv2d: out");
    });
}

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/features/impl/deform_conv.inl>
#endif
