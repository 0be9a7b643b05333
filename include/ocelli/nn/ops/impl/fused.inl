#pragma once

#include <ocelli/nn/ops/conv.hpp>
#include <ocelli/nn/ops/conv_transpose.hpp>
#include <ocelli/nn/ops/detail/widen.hpp>
#include <ocelli/nn/ops/fused.hpp>
#include <ocelli/nn/ops/support.hpp>

#include <cmath>
#include <vector>

namespace ocelli::nn {

namespace detail {

inline constexpr std::string_view activation_names[] = {"none",         "relu",       "clip",    "leaky_relu", "prelu",
                                                        "hard_sigmoid", "hard_swish", "sigmoid", "silu",  "gelu"};

// Adds the addend to a convolution's result, which stands in output 0 with this shape, and activates.
inline void finish_convolution(eval_context& c, const dims& shape) {
    const activation function = parse_activation(attr_string(c.self, "activation", "none"));
    const double alpha = static_cast<double>(attr_float(c.self, "alpha", 0)), beta = static_cast<double>(attr_float(c.self, "beta", 0));
    if (function == activation::none && !c.has_input(3)) return;
    const dtype type = c.input(0).type();
    dispatch(c.self, real_types{}, type, [&]<class T>(type_tag<T>) {
        // It has just been written: asking again gives the same memory.
        T* y = c.output(0, type, shape).template mutable_data<T>();
        const T* addend = nullptr;
        if (c.has_input(3)) {
            check(c.self, c.input(3).shape() == shape, "the addend must have the result's shape, got ", text(c.input(3)));
            addend = c.input(3).data<T>();
        }
        const T* slope = c.has_input(4) ? c.input(4).data<T>() : nullptr;
        check(c.self, slope == nullptr || c.input(4).size() == shape[1], "one slope per channel expected");
        const std::int64_t plane = product(shape, 2, shape.size());
        const std::int64_t n = element_count(shape);
        for (std::int64_t i = 0; i < n; ++i) {
            const std::int64_t channel = i / plane % shape[1];
            const double v = static_cast<double>(y[i]) + (addend != nullptr ? static_cast<double>(addend[i]) : 0.0);
            y[i] = static_cast<T>(activated(v, function, alpha, beta, slope != nullptr ? static_cast<double>(slope[channel]) : 0.0));
        }
    });
}

inline dims convolved_shape(std::int64_t n, std::int64_t channels, const dims& extents) {
    dims shape = {n, channels};
    shape.insert(shape.end(), extents.begin(), extents.end());
    return shape;
}

inline void eval_fused_conv(eval_context& c) {
    eval_conv(c);
    const tensor &x = c.input(0), &w = c.input(1);
    const windows g = window_geometry(c.self, {x.shape().begin() + 2, x.shape().end()}, {w.shape().begin() + 2, w.shape().end()});
    finish_convolution(c, convolved_shape(x.extent(0), w.extent(0), g.output));
}

inline void eval_fused_conv_transpose(eval_context& c) {
    eval_conv_transpose(c);
    const tensor &x = c.input(0), &w = c.input(1);
    const windows g = transposed_geometry(c.self, {x.shape().begin() + 2, x.shape().end()}, {w.shape().begin() + 2, w.shape().end()});
    finish_convolution(c, convolved_shape(x.extent(0), w.extent(1) * attr_int(c.self, "group", 1), g.output));
}

// The product's right side as MatMul takes it.
inline bool transposed_right(const node& n) {
    return attr_int(n, "transB", 0) != 0;
}

inline void infer_fused_matmul(infer_context& c) {
    const symbolic_shape& a = c.shape(0);
    const symbolic_shape& w = c.shape(1);
    if (!a.ranked() || !w.ranked()) return c.output(0, c.type(0), {});
    check(c.self, a.rank() >= 1 && w.rank() == 2, "operands must have shapes (..., K) and (K, N), got ", a, " and ", w);
    const bool t = transposed_right(c.self);
    const dim k = w[t ? 1 : 0], mine = a[a.rank() - 1];
    check(c.self, !k.known() || !mine.known() || k.size == mine.size, "shapes ", a, " and ", w, " do not multiply");
    std::vector<dim> out = a.extents();
    out.back() = w[t ? 0 : 1];
    c.output(0, c.type(0), std::move(out));
}

inline void eval_fused_matmul(eval_context& c) {
    const tensor& a = c.input(0);
    const tensor& w = c.input(1);
    const bool t = transposed_right(c.self);
    check(c.self, a.rank() >= 1 && w.rank() == 2 && a.shape().back() == w.extent(t ? 1 : 0) && a.type() == w.type(), "shapes ", text(a), " and ", text(w),
          " do not multiply");
    const std::int64_t k = a.shape().back(), n = w.extent(t ? 0 : 1), rows = product(a.shape(), 0, a.rank() - 1);
    dims shape = a.shape();
    shape.back() = n;
    const activation function = parse_activation(attr_string(c.self, "activation", "none"));
    const double alpha = static_cast<double>(attr_float(c.self, "alpha", 0)), beta = static_cast<double>(attr_float(c.self, "beta", 0));
    check(c.self, function != activation::prelu, "a product has no slopes");
    check(c.self, !c.has_input(2) || (c.input(2).size() == n && c.input(2).type() == a.type()), "one bias for each column expected");
    check(c.self, !c.has_input(3) || (c.input(3).shape() == shape && c.input(3).type() == a.type()), "the addend must have the result's shape");
    dispatch(c.self, real_types{}, a.type(), [&]<class T>(type_tag<T>) {
        T* y = c.output(0, a.type(), shape).template mutable_data<T>();
        const T* bias = c.has_input(2) ? c.input(2).data<T>() : nullptr;
        const T* addend = c.has_input(3) ? c.input(3).data<T>() : nullptr;
        std::vector<double> sum(static_cast<std::size_t>(n));
        for (std::int64_t i = 0; i < rows; ++i) {
            std::fill(sum.begin(), sum.end(), 0.0);
            for (std::int64_t p = 0; p < k; ++p) {
                const double left = static_cast<double>(a.data<T>()[i * k + p]);
                const T* right = w.data<T>() + (t ? p : p * n);
                for (std::int64_t j = 0; j < n; ++j) sum[static_cast<std::size_t>(j)] += left * static_cast<double>(right[j * (t ? k : 1)]);
            }
            for (std::int64_t j = 0; j < n; ++j) {
                double v = sum[static_cast<std::size_t>(j)];
                if (bias != nullptr) v += static_cast<double>(bias[j]);
                if (addend != nullptr) v += static_cast<double>(addend[i * n + j]);
                y[i * n + j] = static_cast<T>(activated(v, function, alpha, beta, 0));
            }
        }
    });
}

}  // namespace detail

OCELLI_INLINE std::string_view name(activation function) noexcept {
    return detail::activation_names[static_cast<std::size_t>(function)];
}

OCELLI_INLINE activation parse_activation(std::string_view text) {
    for (std::size_t i = 0; i < std::size(detail::activation_names); ++i)
        if (text == detail::activation_names[i]) return static_cast<activation>(i);
    ocelli::detail::fail("no activation is named '", text, "'");
}

OCELLI_INLINE double activated(double x, activation function, double alpha, double beta, double slope) noexcept {
    const auto clamp = [](double v, double low, double high) {
        v = v < low ? low : v;
        return v > high ? high : v;
    };
    switch (function) {
    case activation::relu: return x < 0 ? 0 : x;
    case activation::clip: return clamp(x, alpha, beta);
    case activation::leaky_relu: return x < 0 ? x * alpha : x;
    case activation::prelu: return x < 0 ? x * slope : x;
    case activation::hard_sigmoid: return clamp(alpha * x + beta, 0, 1);
    case activation::hard_swish: return x * clamp(x / 6 + 0.5, 0, 1);
    case activation::sigmoid: return 1 / (1 + std::exp(-x));
    case activation::silu: return x / (1 + std::exp(-x));
    case activation::gelu: return 0.5 * x * std::erfc(x * -0.70710678118654752440);
    default: return x;
    }
}

OCELLI_INLINE std::span<const op_def> fused_ops() {
    static constexpr op_def table[] = {
        {.name = "Conv", .domain = "ocelli", .min_inputs = 2, .max_inputs = 5,
         .attributes = "auto_pad:string dilations:ints group:int kernel_shape:ints pads:ints strides:ints activation:string alpha:float beta:float "
                       "kernel:string",
         .infer = detail::infer_conv, .eval = detail::in_float<detail::eval_fused_conv>, .results = exactness::rounding},
        {.name = "ConvTranspose", .domain = "ocelli", .min_inputs = 2, .max_inputs = 5,
         .attributes = "auto_pad:string dilations:ints group:int kernel_shape:ints output_padding:ints output_shape:ints pads:ints strides:ints "
                       "activation:string alpha:float beta:float kernel:string",
         .infer = detail::infer_conv_transpose, .eval = detail::in_float<detail::eval_fused_conv_transpose>, .results = exactness::rounding},
        {.name = "MatMul", .domain = "ocelli", .min_inputs = 2, .max_inputs = 4, .attributes = "transB:int activation:string alpha:float beta:float",
         .infer = detail::infer_fused_matmul, .eval = detail::in_float<detail::eval_fused_matmul>, .results = exactness::rounding},
    };
    return table;
}

}  // namespace ocelli::nn
