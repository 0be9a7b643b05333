#pragma once

#include <ocelli/nn/ops/conv.hpp>
#include <ocelli/nn/ops/detail/widen.hpp>
#include <ocelli/nn/ops/fused.hpp>
#include <ocelli/nn/ops/support.hpp>

#include <cmath>

namespace ocelli::nn {

namespace detail {

inline constexpr std::string_view activation_names[] = {"none",         "relu",       "clip",    "leaky_relu", "prelu",
                                                        "hard_sigmoid", "hard_swish", "sigmoid", "silu"};

inline void eval_fused_conv(eval_context& c) {
    eval_conv(c);
    const tensor& x = c.input(0);
    const activation function = parse_activation(attr_string(c.self, "activation", "none"));
    const double alpha = static_cast<double>(attr_float(c.self, "alpha", 0)), beta = static_cast<double>(attr_float(c.self, "beta", 0));
    if (function == activation::none && !c.has_input(3)) return;
    // eval_conv has just written this output: asking again gives the same memory.
    dims spatial(x.shape().begin() + 2, x.shape().end());
    const dims kernel(c.input(1).shape().begin() + 2, c.input(1).shape().end());
    const windows g = window_geometry(c.self, spatial, kernel);
    dims shape = {x.extent(0), c.input(1).extent(0)};
    shape.insert(shape.end(), g.output.begin(), g.output.end());
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        T* y = c.output(0, x.type(), shape).template mutable_data<T>();
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
    default: return x;
    }
}

OCELLI_INLINE std::span<const op_def> fused_ops() {
    static constexpr op_def table[] = {
        {.name = "Conv", .domain = "ocelli", .min_inputs = 2, .max_inputs = 5,
         .attributes = "auto_pad:string dilations:ints group:int kernel_shape:ints pads:ints strides:ints activation:string alpha:float beta:float "
                       "kernel:string",
         .infer = detail::infer_conv, .eval = detail::in_float<detail::eval_fused_conv>, .results = exactness::rounding},
    };
    return table;
}

}  // namespace ocelli::nn
