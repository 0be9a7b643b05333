#pragma once

#include <ocelli/nn/ops/detail/widen.hpp>
#include <ocelli/nn/ops/elementwise.hpp>

#include <cmath>

namespace ocelli::nn {

namespace detail {

struct add_op {
    template <class T>
    T operator()(T u, T v) const {
        return static_cast<T>(static_cast<modular_t<T>>(u) + static_cast<modular_t<T>>(v));
    }
};
struct sub_op {
    template <class T>
    T operator()(T u, T v) const {
        return static_cast<T>(static_cast<modular_t<T>>(u) - static_cast<modular_t<T>>(v));
    }
};
struct mul_op {
    template <class T>
    T operator()(T u, T v) const {
        return static_cast<T>(static_cast<modular_t<T>>(u) * static_cast<modular_t<T>>(v));
    }
};
// Integers truncate towards zero; the divisor was checked. The lowest integer over -1 wraps.
struct div_op {
    template <class T>
    T operator()(T u, T v) const {
        if constexpr (std::is_integral_v<T>) {
            if constexpr (std::is_signed_v<T>)
                if (v == T(-1)) return sub_op{}(T(0), u);
            return static_cast<T>(u / v);
        } else {
            return static_cast<T>(static_cast<arithmetic_t<T>>(u) / static_cast<arithmetic_t<T>>(v));
        }
    }
};
// The remainder has the sign of the divisor, as in Python; of floating types since operator set 28.
struct modulo_op {
    template <class T>
    T operator()(T u, T v) const {
        if constexpr (std::is_floating_point_v<T>) {
            const T rest = std::fmod(u, v);
            if (rest == 0) return std::copysign(rest, v);
            return (rest < 0) != (v < 0) ? rest + v : rest;
        } else if constexpr (std::is_signed_v<T>) {
            if (v == T(-1)) return T(0);
            const T rest = static_cast<T>(u % v);
            return rest != 0 && (rest < 0) != (v < 0) ? static_cast<T>(rest + v) : rest;
        } else {
            return static_cast<T>(u % v);
        }
    }
};
// The remainder has the sign of the dividend, as in C.
struct fmod_op {
    template <class T>
    T operator()(T u, T v) const {
        if constexpr (std::is_integral_v<T>) {
            if constexpr (std::is_signed_v<T>)
                if (v == T(-1)) return T(0);
            return static_cast<T>(u % v);
        } else {
            return static_cast<T>(std::fmod(static_cast<arithmetic_t<T>>(u), static_cast<arithmetic_t<T>>(v)));
        }
    }
};
// NaN wins, whichever side it stands on.
struct max_op {
    template <class T>
    T operator()(T u, T v) const {
        if constexpr (is_floating_v<T>) {
            if (nan_element(u)) return u;
            if (nan_element(v)) return v;
        }
        return v > u ? v : u;
    }
};
struct min_op {
    template <class T>
    T operator()(T u, T v) const {
        if constexpr (is_floating_v<T>) {
            if (nan_element(u)) return u;
            if (nan_element(v)) return v;
        }
        return v < u ? v : u;
    }
};

// Sums and products of integers wrap: uint64 needs no code of its own.
using modular_types = type_list<float, double, std::int64_t>;

template <class F, class Types>
void eval_arithmetic(eval_context& c) {
    const tensor& a = c.input(0);
    const tensor b = second_operand(c);
    check_same_type(c.self, a, b);
    const dims shape = broadcast_shape(c.self, a.shape(), b.shape());
    dispatch(c.self, Types{}, a.type(), [&]<class T>(type_tag<T>) {
        tensor& y = c.output(0, a.type(), shape);
        binary_loop<T, T, T>(a, b, y, cheap_block, F{});
    });
}

// Integer division has no result for 0: looked for first, so that the loop need not.
inline void check_divisor(const node& n, const tensor& b, const dims& result) {
    if (!is_integer(b.type()) || element_count(result) == 0) return;
    const auto* bits = static_cast<const std::uint64_t*>(b.raw());  // 64-bit integers: others were widened
    for (std::int64_t i = 0; i < b.size(); ++i) check(n, bits[i] != 0, "integer division by zero");
}

inline void eval_div(eval_context& c) {
    const tensor b = second_operand(c);
    check_divisor(c.self, b, broadcast_shape(c.self, c.input(0).shape(), b.shape()));
    eval_arithmetic<div_op, wide_types>(c);
}

inline void eval_mod(eval_context& c) {
    check_divisor(c.self, c.input(1), broadcast_shape(c.self, c.input(0).shape(), c.input(1).shape()));
    if (attr_int(c.self, "fmod", 0) != 0) return eval_arithmetic<fmod_op, wide_types>(c);
    check(c.self, is_integer(c.input(0).type()) || c.self.opset >= 28, "floating-point inputs need attribute fmod = 1");
    eval_arithmetic<modulo_op, wide_types>(c);
}

// Wraps as multiplication does; a negative exponent gives what truncating the real power gives.
inline std::int64_t integer_power(std::int64_t base, std::int64_t exponent) noexcept {
    if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0;
    std::uint64_t result = 1, factor = static_cast<std::uint64_t>(base);
    for (auto e = static_cast<std::uint64_t>(exponent); e != 0; e >>= 1) {
        if (e & 1u) result *= factor;
        factor *= factor;
    }
    return static_cast<std::int64_t>(result);
}

using power_types = type_list<float, double, float16, bfloat16, std::int64_t, std::int32_t>;

inline void eval_pow(eval_context& c) {
    const tensor& a = c.input(0);
    tensor b = second_operand(c);
    check(c.self, c.self.opset >= 12 || a.type() == b.type(), "inputs must have one element type, got ", a, " and ", b);
    const dims shape = broadcast_shape(c.self, a.shape(), b.shape());
    check<unsupported_operator>(c.self, is_integer(b.type()) || is_floating(b.type()), "element type ", name(b.type()), " is not supported");
    tensor& y = c.output(0, a.type(), shape);
    if (a.type() == dtype::int64 && is_integer(b.type())) {
        b = converted(b, dtype::int64);
        return binary_loop<std::int64_t, std::int64_t, std::int64_t>(a, b, y, costly_block, [](std::int64_t u, std::int64_t v) { return integer_power(u, v); });
    }
    if (a.type() == dtype::int64) {
        tensor result(dtype::float64, shape);
        binary_loop<double, double, double>(converted(a, dtype::float64), converted(b, dtype::float64), result, costly_block,
                                            [](double u, double v) { return std::pow(u, v); });
        return convert_into(result, y);
    }
    dispatch(c.self, real_types{}, a.type(), [&]<class T>(type_tag<T>) {
        b = converted(b, dtype_of<T>);
        if (b.size() == 1 && *b.data<T>() == T(2)) binary_loop<T, T, T>(a, b, y, cheap_block, [](T u, T) { return u * u; });
        else binary_loop<T, T, T>(a, b, y, costly_block, [](T u, T v) { return std::pow(u, v); });
    });
}

template <class F, class Types>
void eval_variadic(eval_context& c) {
    const tensor& first = c.input(0);
    dims shape = first.shape();
    for (std::size_t i = 1; i < c.input_count(); ++i) {
        check_same_type(c.self, first, c.input(i));
        shape = broadcast_shape(c.self, shape, c.input(i).shape());
    }
    dispatch(c.self, Types{}, first.type(), [&]<class T>(type_tag<T>) {
        tensor& y = c.output(0, first.type(), shape);
        if (c.input_count() == 1) {
            if (y.size() != 0) std::memcpy(y.mutable_raw(), first.raw(), first.bytes());
            return;
        }
        binary_loop<T, T, T>(first, c.input(1), y, cheap_block, F{});
        for (std::size_t i = 2; i < c.input_count(); ++i) binary_loop<T, T, T>(y, c.input(i), y, cheap_block, F{});
    });
}

inline void eval_mean(eval_context& c) {
    eval_variadic<add_op, real_types>(c);
    const std::size_t count = c.input_count();
    dims shape = c.input(0).shape();
    for (std::size_t i = 1; i < count; ++i) shape = broadcast_shape(c.self, shape, c.input(i).shape());
    dispatch(c.self, real_types{}, c.input(0).type(), [&]<class T>(type_tag<T>) {
        tensor& y = c.output(0, c.input(0).type(), shape);  // the one that was just written
        const T n = static_cast<T>(count);
        unary_loop<T, T>(y, y, cheap_block, [n](T v) { return v / n; });
    });
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> elementwise_ops() {
    using namespace detail;
    constexpr std::string_view legacy = "axis:int broadcast:int consumed_inputs:ints";
    constexpr auto rounding = exactness::rounding;
    static constexpr op_def table[] = {
        {.name = "Add", .until = 6, .min_inputs = 2, .max_inputs = 2, .attributes = legacy, .infer = infer_binary, .eval = in_modular<eval_arithmetic<add_op, modular_types>>},
        {.name = "Add", .since = 7, .min_inputs = 2, .max_inputs = 2, .infer = infer_binary, .eval = in_modular<eval_arithmetic<add_op, modular_types>>},
        {.name = "Sub", .until = 6, .min_inputs = 2, .max_inputs = 2, .attributes = legacy, .infer = infer_binary, .eval = in_modular<eval_arithmetic<sub_op, modular_types>>},
        {.name = "Sub", .since = 7, .min_inputs = 2, .max_inputs = 2, .infer = infer_binary, .eval = in_modular<eval_arithmetic<sub_op, modular_types>>},
        {.name = "Mul", .until = 6, .min_inputs = 2, .max_inputs = 2, .attributes = legacy, .infer = infer_binary, .eval = in_modular<eval_arithmetic<mul_op, modular_types>>},
        {.name = "Mul", .since = 7, .min_inputs = 2, .max_inputs = 2, .infer = infer_binary, .eval = in_modular<eval_arithmetic<mul_op, modular_types>>},
        {.name = "Div", .until = 6, .min_inputs = 2, .max_inputs = 2, .attributes = legacy, .infer = infer_binary, .eval = in_wide<eval_div>},
        {.name = "Div", .since = 7, .min_inputs = 2, .max_inputs = 2, .infer = infer_binary, .eval = in_wide<eval_div>},
        {.name = "Pow", .until = 6, .min_inputs = 2, .max_inputs = 2, .attributes = legacy, .infer = infer_binary, .eval = in_wide<eval_pow, power_types>, .results = rounding},
        {.name = "Pow", .since = 7, .min_inputs = 2, .max_inputs = 2, .infer = infer_binary, .eval = in_wide<eval_pow, power_types>, .results = rounding},
        {.name = "Mod", .since = 10, .min_inputs = 2, .max_inputs = 2, .attributes = "fmod:int", .infer = infer_broadcast, .eval = in_wide<eval_mod>},
        {.name = "Max", .max_inputs = -1, .attributes = "consumed_inputs:ints", .infer = infer_broadcast, .eval = in_wide<eval_variadic<max_op, wide_types>>},
        {.name = "Min", .max_inputs = -1, .attributes = "consumed_inputs:ints", .infer = infer_broadcast, .eval = in_wide<eval_variadic<min_op, wide_types>>},
        {.name = "Sum", .max_inputs = -1, .attributes = "consumed_inputs:ints", .infer = infer_broadcast, .eval = in_float<eval_variadic<add_op, real_types>>,
         .results = rounding},
        {.name = "Mean", .max_inputs = -1, .attributes = "consumed_inputs:ints", .infer = infer_broadcast, .eval = in_float<eval_mean>, .results = rounding},
    };
    return table;
}

}  // namespace ocelli::nn
