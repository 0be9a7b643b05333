#pragma once

#include <ocelli/nn/ops/activation.hpp>
#include <ocelli/nn/ops/detail/widen.hpp>

#include <cmath>

namespace ocelli::nn {

namespace detail {

// y = f(x) in the arithmetic type of x, floating types.
template <class F>
void apply_activation(eval_context& c, std::int64_t block, F f) {
    const tensor& x = c.input(0);
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        tensor& y = c.output(0, x.type(), x.shape());
        unary_loop<T, T>(x, y, block, [f](T v) { return f(v); });
    });
}

// Smooth functions without attributes.
template <class F>
void eval_activation(eval_context& c) {
    apply_activation(c, costly_block, F{});
}

struct sigmoid_op {
    template <class A>
    A operator()(A x) const {
        // The exponential of a negative number only, which cannot overflow.
        const A e = std::exp(x < 0 ? x : -x);
        return x < 0 ? e / (1 + e) : 1 / (1 + e);
    }
};
struct tanh_op {
    template <class A>
    A operator()(A x) const {
        return std::tanh(x);
    }
};
struct softplus_op {
    template <class A>
    A operator()(A x) const {
        return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
    }
};
struct softsign_op {
    template <class A>
    A operator()(A x) const {
        return x / (1 + std::abs(x));
    }
};
struct mish_op {
    template <class A>
    A operator()(A x) const {
        return x * std::tanh(softplus_op{}(x));
    }
};
struct hard_swish_op {
    template <class A>
    A operator()(A x) const {
        const A gate = x / 6 + A(0.5);
        return x * (gate < 0 ? A(0) : gate > 1 ? A(1) : gate);
    }
};

inline void eval_relu(eval_context& c) {
    const tensor& x = c.input(0);
    if (x.type() == dtype::uint64) return c.set_output(0, x);
    dispatch(c.self, type_list<float, double, std::int64_t>{}, x.type(), [&]<class T>(type_tag<T>) {
        tensor& y = c.output(0, x.type(), x.shape());
        // By bits where -ffast-math might lose a NaN.
        unary_loop<T, T>(x, y, cheap_block, [](T v) { return v > T(0) || nan_element(v) ? v : T(0); });
    });
}

inline void eval_leaky_relu(eval_context& c) {
    const float alpha = attr_float(c.self, "alpha", 0.01f);
    apply_activation(c, cheap_block, [alpha](auto x) { return x < 0 ? static_cast<decltype(x)>(alpha) * x : x; });
}

inline void eval_elu(eval_context& c) {
    const float alpha = attr_float(c.self, "alpha", 1.0f);
    apply_activation(c, costly_block, [alpha](auto x) { return x < 0 ? static_cast<decltype(x)>(alpha) * std::expm1(x) : x; });
}

inline void eval_selu(eval_context& c) {
    const bool first = c.self.opset < 6;
    const float alpha = attr_float(c.self, "alpha", first ? 1.6732f : 1.67326319217681884765625f);
    const float gamma = attr_float(c.self, "gamma", first ? 1.0507f : 1.05070102214813232421875f);
    apply_activation(c, costly_block, [alpha, gamma](auto x) {
        using A = decltype(x);
        return static_cast<A>(gamma) * (x < 0 ? static_cast<A>(alpha) * std::expm1(x) : x);
    });
}

inline void eval_celu(eval_context& c) {
    const float alpha = attr_float(c.self, "alpha", 1.0f);
    check(c.self, alpha != 0.0f, "alpha must not be 0");
    apply_activation(c, costly_block, [alpha](auto x) {
        const auto a = static_cast<decltype(x)>(alpha);
        const auto low = a * std::expm1(x / a);
        return (x < 0 ? 0 : x) + (low > 0 ? 0 : low);
    });
}

inline void eval_thresholded_relu(eval_context& c) {
    const float alpha = attr_float(c.self, "alpha", 1.0f);
    apply_activation(c, cheap_block, [alpha](auto x) { return x <= static_cast<decltype(x)>(alpha) ? decltype(x)(0) : x; });
}

inline void eval_hard_sigmoid(eval_context& c) {
    const float alpha = attr_float(c.self, "alpha", 0.2f), beta = attr_float(c.self, "beta", 0.5f);
    apply_activation(c, cheap_block, [alpha, beta](auto x) {
        using A = decltype(x);
        const A line = static_cast<A>(alpha) * x + static_cast<A>(beta);
        return line < 0 ? A(0) : line > 1 ? A(1) : line;
    });
}

inline void eval_hard_swish(eval_context& c) {
    apply_activation(c, cheap_block, hard_swish_op{});
}

inline void eval_gelu(eval_context& c) {
    const std::string how = attr_string(c.self, "approximate", "none");
    if (how == "tanh") {
        apply_activation(c, costly_block, [](auto x) {
            using A = decltype(x);
            return A(0.5) * x * (1 + std::tanh(A(0.7978845608028654) * (x + A(0.044715) * x * x * x)));
        });
        return;
    }
    check<unsupported_operator>(c.self, how == "none", "attribute approximate = '", how, "' is not supported");
    apply_activation(c, costly_block, [](auto x) {
        using A = decltype(x);
        return A(0.5) * x * (1 + std::erf(x * A(0.7071067811865476)));
    });
}

inline void eval_swish(eval_context& c) {
    const float alpha = attr_float(c.self, "alpha", 1.0f);
    apply_activation(c, costly_block, [alpha](auto x) { return x * sigmoid_op{}(static_cast<decltype(x)>(alpha) * x); });
}

inline void eval_shrink(eval_context& c) {
    const tensor& x = c.input(0);
    const float bias = attr_float(c.self, "bias", 0.0f), threshold = attr_float(c.self, "lambd", 0.5f);
    dispatch(c.self, wide_types{}, x.type(), [&]<class T>(type_tag<T>) {
        tensor& y = c.output(0, x.type(), x.shape());
        using A = std::conditional_t<std::is_integral_v<T>, double, T>;
        const A b = static_cast<A>(bias), limit = static_cast<A>(threshold);
        unary_loop<T, T>(x, y, cheap_block, [b, limit](T v) {
            const A u = static_cast<A>(v);
            return convert_element<T>(u < -limit ? u + b : u > limit ? u - b : A(0));
        });
    });
}

inline void eval_prelu(eval_context& c) {
    const tensor& x = c.input(0);
    tensor slope = c.input(1);
    check_same_type(c.self, x, slope);
    if (c.self.opset < 7 && slope.rank() == 1 && slope.size() != 1 && x.rank() >= 2) {
        dims shape(x.rank() - 1, 1);  // one slope per channel
        shape[0] = slope.size();
        slope = slope.reshaped(shape);
    }
    check(c.self, broadcast_shape(c.self, x.shape(), slope.shape()) == x.shape(), "slope ", ocelli::detail::shape_text(slope.shape()),
          " does not broadcast to ", ocelli::detail::shape_text(x.shape()));
    if (x.type() == dtype::uint64) {  // nothing is negative
        return c.set_output(0, x);
    }
    dispatch(c.self, type_list<float, double, std::int64_t>{}, x.type(), [&]<class T>(type_tag<T>) {
        tensor& y = c.output(0, x.type(), x.shape());
        using A = typename std::conditional_t<std::is_integral_v<T>, std::make_unsigned<T>, std::type_identity<T>>::type;
        binary_loop<T, T, T>(x, slope, y, cheap_block, [](T v, T s) {
            return v < T(0) ? static_cast<T>(static_cast<A>(v) * static_cast<A>(s)) : v;
        });
    });
}

// Below `low` becomes `low`, then above `high` becomes `high`: with low > high everything is high, as in NumPy.
inline void eval_clip(eval_context& c) {
    const tensor& x = c.input(0);
    if (c.self.opset < 11) check<unsupported_operator>(c.self, is_floating(x.type()), "element type ", name(x.type()), " is not supported");
    dispatch(c.self, wide_types{}, x.type(), [&]<class T>(type_tag<T>) {
        T low{}, high{};
        bool has_low = false, has_high = false;
        if (c.self.opset < 11) {
            has_low = has_attribute(c.self, "min");
            has_high = has_attribute(c.self, "max");
            if (has_low) low = convert_element<T>(attr_float(c.self, "min"));
            if (has_high) high = convert_element<T>(attr_float(c.self, "max"));
        } else {
            const auto bound = [&](std::size_t i, bool& has, T& value) {
                if (!c.has_input(i)) return;
                const tensor& t = c.input(i);
                check_same_type(c.self, x, t);
                check(c.self, t.size() == 1, "bounds must be scalars, got ", t);
                has = true;
                value = *t.data<T>();
            };
            bound(1, has_low, low);
            bound(2, has_high, high);
        }
        tensor& y = c.output(0, x.type(), x.shape());
        unary_loop<T, T>(x, y, cheap_block, [=](T v) {
            if (nan_element(v)) return v;
            if (has_low && v < low) v = low;
            if (has_high && v > high) v = high;
            return v;
        });
    });
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> activation_ops() {
    using namespace detail;
    constexpr auto rounding = exactness::rounding;
    constexpr std::string_view old = "consumed_inputs:ints";
    static constexpr op_def table[] = {
        {.name = "Relu", .attributes = old, .infer = infer_same, .eval = in_wide<eval_relu>},
        {.name = "LeakyRelu", .attributes = "alpha:float consumed_inputs:ints", .infer = infer_same, .eval = in_float<eval_leaky_relu>},
        {.name = "PRelu", .min_inputs = 2, .max_inputs = 2, .attributes = old, .infer = infer_same, .eval = in_wide<eval_prelu, type_list<float, double, float16, bfloat16, std::int64_t, std::int32_t, std::uint32_t, std::uint64_t>>},
        {.name = "Elu", .attributes = "alpha:float consumed_inputs:ints", .infer = infer_same, .eval = in_float<eval_elu>, .results = rounding},
        {.name = "Selu", .attributes = "alpha:float gamma:float consumed_inputs:ints", .infer = infer_same, .eval = in_float<eval_selu>, .results = rounding},
        {.name = "Celu", .since = 12, .attributes = "alpha:float", .infer = infer_same, .eval = in_float<eval_celu>, .results = rounding},
        {.name = "ThresholdedRelu", .attributes = "alpha:float", .infer = infer_same, .eval = in_float<eval_thresholded_relu>},
        {.name = "Sigmoid", .attributes = old, .infer = infer_same, .eval = in_float<eval_activation<sigmoid_op>>, .results = rounding},
        {.name = "HardSigmoid", .attributes = "alpha:float beta:float consumed_inputs:ints", .infer = infer_same, .eval = in_float<eval_hard_sigmoid>,
         .results = rounding},
        {.name = "HardSwish", .since = 14, .infer = infer_same, .eval = in_float<eval_hard_swish>, .results = rounding},
        {.name = "Softplus", .infer = infer_same, .eval = in_float<eval_activation<softplus_op>>, .results = rounding},
        {.name = "Softsign", .infer = infer_same, .eval = in_float<eval_activation<softsign_op>>, .results = rounding},
        {.name = "Tanh", .attributes = old, .infer = infer_same, .eval = in_float<eval_activation<tanh_op>>, .results = rounding},
        {.name = "Gelu", .since = 20, .attributes = "approximate:string", .infer = infer_same, .eval = in_float<eval_gelu>, .results = rounding},
        {.name = "Mish", .since = 18, .infer = infer_same, .eval = in_float<eval_activation<mish_op>>, .results = rounding},
        {.name = "Swish", .since = 24, .attributes = "alpha:float", .infer = infer_same, .eval = in_float<eval_swish>, .results = rounding},
        {.name = "Shrink", .since = 9, .attributes = "bias:float lambd:float", .infer = infer_same, .eval = in_wide<eval_shrink>},
        {.name = "Clip", .until = 10, .attributes = "max:float min:float consumed_inputs:ints", .infer = infer_same, .eval = in_wide<eval_clip>},
        {.name = "Clip", .since = 11, .max_inputs = 3, .infer = infer_same, .eval = in_wide<eval_clip>},
    };
    return table;
}

}  // namespace ocelli::nn
