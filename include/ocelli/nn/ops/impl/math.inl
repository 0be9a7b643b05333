#pragma once

#include <ocelli/nn/ops/detail/widen.hpp>
#include <ocelli/nn/ops/math.hpp>

#include <cmath>

namespace ocelli::nn {

namespace detail {

// Functions of floating-point numbers, in the arithmetic type.
#define OCELLI_NN_FUNCTION(name, expression) \
    struct name {                            \
        template <class A>                   \
        A operator()(A x) const {            \
            return expression;               \
        }                                    \
    }
OCELLI_NN_FUNCTION(exp_op, std::exp(x));
OCELLI_NN_FUNCTION(log_op, std::log(x));
OCELLI_NN_FUNCTION(sqrt_op, std::sqrt(x));
OCELLI_NN_FUNCTION(reciprocal_op, 1 / x);
OCELLI_NN_FUNCTION(floor_op, std::floor(x));
OCELLI_NN_FUNCTION(ceil_op, std::ceil(x));
OCELLI_NN_FUNCTION(round_op, std::nearbyint(x));  // halves to even
OCELLI_NN_FUNCTION(sin_op, std::sin(x));
OCELLI_NN_FUNCTION(cos_op, std::cos(x));
OCELLI_NN_FUNCTION(tan_op, std::tan(x));
OCELLI_NN_FUNCTION(asin_op, std::asin(x));
OCELLI_NN_FUNCTION(acos_op, std::acos(x));
OCELLI_NN_FUNCTION(atan_op, std::atan(x));
OCELLI_NN_FUNCTION(sinh_op, std::sinh(x));
OCELLI_NN_FUNCTION(cosh_op, std::cosh(x));
OCELLI_NN_FUNCTION(asinh_op, std::asinh(x));
OCELLI_NN_FUNCTION(acosh_op, std::acosh(x));
OCELLI_NN_FUNCTION(atanh_op, std::atanh(x));
OCELLI_NN_FUNCTION(erf_op, std::erf(x));
#undef OCELLI_NN_FUNCTION

template <class F, std::int64_t block>
void eval_function(eval_context& c) {
    const tensor& x = c.input(0);
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        tensor& y = c.output(0, x.type(), x.shape());
        unary_loop<T, T>(x, y, block, [](T v) { return F{}(v); });
    });
}

// Erf is defined for integers too: 0 stays 0, 1 becomes 0.84 truncated.
inline void eval_erf(eval_context& c) {
    const tensor& x = c.input(0);
    dispatch(c.self, wide_types{}, x.type(), [&]<class T>(type_tag<T>) {
        using A = std::conditional_t<std::is_integral_v<T>, double, T>;
        tensor& y = c.output(0, x.type(), x.shape());
        unary_loop<T, T>(x, y, costly_block, [](T v) { return static_cast<T>(std::erf(static_cast<A>(v))); });
    });
}

using signed_types = type_list<float, double, std::int64_t>;

// Integers wrap: the lowest one has no positive counterpart.
template <class T>
T negated(T v) {
    if constexpr (std::is_integral_v<T>) return static_cast<T>(0u - static_cast<std::uint64_t>(v));
    else return -v;
}

inline void eval_abs(eval_context& c) {
    const tensor& x = c.input(0);
    if (x.type() == dtype::uint64) return c.set_output(0, x);
    dispatch(c.self, signed_types{}, x.type(), [&]<class T>(type_tag<T>) {
        tensor& y = c.output(0, x.type(), x.shape());
        unary_loop<T, T>(x, y, cheap_block, [](T v) {
            if constexpr (std::is_integral_v<T>) return v < 0 ? negated(v) : v;
            else return std::abs(v);
        });
    });
}

inline void eval_neg(eval_context& c) {
    const tensor& x = c.input(0);
    dispatch(c.self, signed_types{}, x.type(), [&]<class T>(type_tag<T>) {
        tensor& y = c.output(0, x.type(), x.shape());
        unary_loop<T, T>(x, y, cheap_block, [](T v) { return negated(v); });
    });
}

inline void eval_sign(eval_context& c) {
    const tensor& x = c.input(0);
    dispatch(c.self, wide_types{}, x.type(), [&]<class T>(type_tag<T>) {
        tensor& y = c.output(0, x.type(), x.shape());
        unary_loop<T, T>(x, y, cheap_block, [](T v) {
            if (nan_element(v)) return v;
            return static_cast<T>((v > T(0) ? 1 : 0) - (v < T(0) ? 1 : 0));
        });
    });
}

inline void infer_test(infer_context& c) {
    c.output(0, dtype::boolean, c.shape(0));
}

inline void eval_is_nan(eval_context& c) {
    const tensor& x = c.input(0);
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        tensor& y = c.output(0, dtype::boolean, x.shape());
        unary_loop<T, bool>(x, y, cheap_block, [](T v) { return nan_element(v); });
    });
}

inline void eval_is_inf(eval_context& c) {
    const tensor& x = c.input(0);
    const bool negative = attr_int(c.self, "detect_negative", 1) != 0, positive = attr_int(c.self, "detect_positive", 1) != 0;
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        tensor& y = c.output(0, dtype::boolean, x.shape());
        unary_loop<T, bool>(x, y, cheap_block, [negative, positive](T a) {
            if (ocelli::detail::is_finite(a) || ocelli::detail::is_nan(a)) return false;
            return std::signbit(a) ? negative : positive;
        });
    });
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> math_ops() {
    using namespace detail;
    constexpr auto rounding = exactness::rounding;
    constexpr std::string_view old = "consumed_inputs:ints";
    static constexpr op_def table[] = {
        {.name = "Abs", .attributes = old, .infer = infer_same, .eval = in_wide<eval_abs>},
        {.name = "Neg", .attributes = old, .infer = infer_same, .eval = in_wide<eval_neg, type_list<float, double, float16, bfloat16, std::int64_t, std::int32_t, std::int16_t, std::int8_t>>},
        {.name = "Sign", .since = 9, .infer = infer_same, .eval = in_wide<eval_sign>},
        {.name = "Reciprocal", .attributes = old, .infer = infer_same, .eval = in_float<eval_function<reciprocal_op, cheap_block>>},
        {.name = "Exp", .attributes = old, .infer = infer_same, .eval = in_float<eval_function<exp_op, costly_block>>, .results = rounding},
        {.name = "Log", .attributes = old, .infer = infer_same, .eval = in_float<eval_function<log_op, costly_block>>, .results = rounding},
        {.name = "Sqrt", .attributes = old, .infer = infer_same, .eval = in_float<eval_function<sqrt_op, cheap_block>>},
        {.name = "Floor", .attributes = old, .infer = infer_same, .eval = in_float<eval_function<floor_op, cheap_block>>},
        {.name = "Ceil", .attributes = old, .infer = infer_same, .eval = in_float<eval_function<ceil_op, cheap_block>>},
        {.name = "Round", .since = 11, .infer = infer_same, .eval = in_float<eval_function<round_op, cheap_block>>},
        {.name = "Sin", .since = 7, .infer = infer_same, .eval = in_float<eval_function<sin_op, costly_block>>, .results = rounding},
        {.name = "Cos", .since = 7, .infer = infer_same, .eval = in_float<eval_function<cos_op, costly_block>>, .results = rounding},
        {.name = "Tan", .since = 7, .infer = infer_same, .eval = in_float<eval_function<tan_op, costly_block>>, .results = rounding},
        {.name = "Asin", .since = 7, .infer = infer_same, .eval = in_float<eval_function<asin_op, costly_block>>, .results = rounding},
        {.name = "Acos", .since = 7, .infer = infer_same, .eval = in_float<eval_function<acos_op, costly_block>>, .results = rounding},
        {.name = "Atan", .since = 7, .infer = infer_same, .eval = in_float<eval_function<atan_op, costly_block>>, .results = rounding},
        {.name = "Sinh", .since = 9, .infer = infer_same, .eval = in_float<eval_function<sinh_op, costly_block>>, .results = rounding},
        {.name = "Cosh", .since = 9, .infer = infer_same, .eval = in_float<eval_function<cosh_op, costly_block>>, .results = rounding},
        {.name = "Asinh", .since = 9, .infer = infer_same, .eval = in_float<eval_function<asinh_op, costly_block>>, .results = rounding},
        {.name = "Acosh", .since = 9, .infer = infer_same, .eval = in_float<eval_function<acosh_op, costly_block>>, .results = rounding},
        {.name = "Atanh", .since = 9, .infer = infer_same, .eval = in_float<eval_function<atanh_op, costly_block>>, .results = rounding},
        {.name = "Erf", .since = 9, .infer = infer_same, .eval = in_wide<eval_erf>, .results = rounding},
        {.name = "IsNaN", .since = 9, .infer = infer_test, .eval = in_float<eval_is_nan>},
        {.name = "IsInf", .since = 10, .attributes = "detect_negative:int detect_positive:int", .infer = infer_test, .eval = in_float<eval_is_inf>},
    };
    return table;
}

}  // namespace ocelli::nn
