#pragma once

#include <ocelli/nn/ops/detail/loops.hpp>
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
// The remainder has the sign of the divisor, as in Python; integers only.
struct modulo_op {
    template <class T>
    T operator()(T u, T v) const {
        if constexpr (std::is_integral_v<T>) {
            if constexpr (std::is_signed_v<T>) {
                if (v == T(-1)) return T(0);
                const T rest = static_cast<T>(u % v);
                return rest != 0 && (rest < 0) != (v < 0) ? static_cast<T>(rest + v) : rest;
            } else {
                return static_cast<T>(u % v);
            }
        } else {
            return u;
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

template <class F>
void eval_arithmetic(eval_context& c) {
    const tensor& a = c.input(0);
    const tensor b = second_operand(c);
    check_same_type(c.self, a, b);
    const dims shape = broadcast_shape(c.self, a.shape(), b.shape());
    dispatch(c.self, numeric_types{}, a.type(), [&]<class T>(type_tag<T>) {
        tensor& y = c.output(0, a.type(), shape);
        binary_loop<T, T, T>(a, b, y, cheap_block, F{});
    });
}

// Integer division has no result for 0: looked for first, so that the loop need not.
inline void check_divisor(const node& n, const tensor& b, const dims& result) {
    if (!is_integer(b.type()) || element_count(result) == 0) return;
    dispatch(n, integer_types{}, b.type(), [&]<class T>(type_tag<T>) {
        for (const T v : b.values<T>()) check(n, v != 0, "integer division by zero");
    });
}

inline void eval_div(eval_context& c) {
    const tensor b = second_operand(c);
    check_divisor(c.self, b, broadcast_shape(c.self, c.input(0).shape(), b.shape()));
    eval_arithmetic<div_op>(c);
}

inline void eval_mod(eval_context& c) {
    check_divisor(c.self, c.input(1), broadcast_shape(c.self, c.input(0).shape(), c.input(1).shape()));
    if (attr_int(c.self, "fmod", 0) != 0) return eval_arithmetic<fmod_op>(c);
    check(c.self, is_integer(c.input(0).type()), "floating-point inputs need attribute fmod = 1");
    eval_arithmetic<modulo_op>(c);
}

// Wraps as multiplication does; a negative exponent gives what truncating the real power gives.
template <class T>
T integer_power(T base, std::int64_t exponent) {
    if (exponent < 0) {
        if (base == T(1)) return T(1);
        if constexpr (std::is_signed_v<T>)
            if (base == T(-1)) return exponent % 2 == 0 ? T(1) : T(-1);
        return T(0);
    }
    modular_t<T> result = 1, factor = static_cast<modular_t<T>>(base);
    for (auto e = static_cast<std::uint64_t>(exponent); e != 0; e >>= 1) {
        if (e & 1u) result *= factor;
        factor *= factor;
    }
    return static_cast<T>(result);
}

inline void eval_pow(eval_context& c) {
    const tensor& a = c.input(0);
    tensor b = second_operand(c);
    check(c.self, c.self.opset >= 12 || a.type() == b.type(), "inputs must have one element type, got ", nn::text(a), " and ", nn::text(b));
    const dims shape = broadcast_shape(c.self, a.shape(), b.shape());
    using base_types = type_list<float, double, float16, bfloat16, std::int64_t, std::int32_t>;
    check<unsupported_operator>(c.self, is_integer(b.type()) || is_floating(b.type()), "element type ", name(b.type()), " is not supported");
    dispatch(c.self, base_types{}, a.type(), [&]<class T>(type_tag<T>) {
        tensor& y = c.output(0, a.type(), shape);
        if constexpr (std::is_integral_v<T>) {
            if (is_integer(b.type())) {
                b = b.cast(dtype::int64);
                binary_loop<T, std::int64_t, T>(a, b, y, costly_block, [](T u, std::int64_t v) { return integer_power(u, v); });
            } else {
                b = b.cast(dtype::float64);
                const tensor wide = a.cast(dtype::float64);
                tensor result(dtype::float64, shape);
                binary_loop<double, double, double>(wide, b, result, costly_block, [](double u, double v) { return std::pow(u, v); });
                const tensor narrow = result.cast(a.type());
                std::memcpy(y.mutable_raw(), narrow.raw(), narrow.bytes());
            }
        } else {
            using A = arithmetic_t<T>;
            b = b.cast(dtype_of<A>);
            if (b.size() == 1 && *b.data<A>() == A(2)) {
                binary_loop<T, A, T>(a, b, y, cheap_block, [](T u, A) { return static_cast<T>(static_cast<A>(u) * static_cast<A>(u)); });
            } else {
                binary_loop<T, A, T>(a, b, y, costly_block, [](T u, A v) { return static_cast<T>(std::pow(static_cast<A>(u), v)); });
            }
        }
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
    eval_variadic<add_op, floating_types>(c);
    const std::size_t count = c.input_count();
    dims shape = c.input(0).shape();
    for (std::size_t i = 1; i < count; ++i) shape = broadcast_shape(c.self, shape, c.input(i).shape());
    dispatch(c.self, floating_types{}, c.input(0).type(), [&]<class T>(type_tag<T>) {
        using A = arithmetic_t<T>;
        tensor& y = c.output(0, c.input(0).type(), shape);  // the one that was just written
        const A n = static_cast<A>(count);
        unary_loop<T, T>(y, y, cheap_block, [n](T v) { return static_cast<T>(static_cast<A>(v) / n); });
    });
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> elementwise_ops() {
    using namespace detail;
    constexpr std::string_view legacy = "axis:int broadcast:int consumed_inputs:ints";
    constexpr auto rounding = exactness::rounding;
    static constexpr op_def table[] = {
        {.name = "Add", .until = 6, .min_inputs = 2, .max_inputs = 2, .attributes = legacy, .infer = infer_binary, .eval = eval_arithmetic<add_op>},
        {.name = "Add", .since = 7, .min_inputs = 2, .max_inputs = 2, .infer = infer_binary, .eval = eval_arithmetic<add_op>},
        {.name = "Sub", .until = 6, .min_inputs = 2, .max_inputs = 2, .attributes = legacy, .infer = infer_binary, .eval = eval_arithmetic<sub_op>},
        {.name = "Sub", .since = 7, .min_inputs = 2, .max_inputs = 2, .infer = infer_binary, .eval = eval_arithmetic<sub_op>},
        {.name = "Mul", .until = 6, .min_inputs = 2, .max_inputs = 2, .attributes = legacy, .infer = infer_binary, .eval = eval_arithmetic<mul_op>},
        {.name = "Mul", .since = 7, .min_inputs = 2, .max_inputs = 2, .infer = infer_binary, .eval = eval_arithmetic<mul_op>},
        {.name = "Div", .until = 6, .min_inputs = 2, .max_inputs = 2, .attributes = legacy, .infer = infer_binary, .eval = eval_div},
        {.name = "Div", .since = 7, .min_inputs = 2, .max_inputs = 2, .infer = infer_binary, .eval = eval_div},
        {.name = "Pow", .until = 6, .min_inputs = 2, .max_inputs = 2, .attributes = legacy, .infer = infer_binary, .eval = eval_pow, .results = rounding},
        {.name = "Pow", .since = 7, .min_inputs = 2, .max_inputs = 2, .infer = infer_binary, .eval = eval_pow, .results = rounding},
        {.name = "Mod", .since = 10, .min_inputs = 2, .max_inputs = 2, .attributes = "fmod:int", .infer = infer_broadcast, .eval = eval_mod},
        {.name = "Max", .max_inputs = -1, .attributes = "consumed_inputs:ints", .infer = infer_broadcast, .eval = eval_variadic<max_op, numeric_types>},
        {.name = "Min", .max_inputs = -1, .attributes = "consumed_inputs:ints", .infer = infer_broadcast, .eval = eval_variadic<min_op, numeric_types>},
        {.name = "Sum", .max_inputs = -1, .attributes = "consumed_inputs:ints", .infer = infer_broadcast, .eval = eval_variadic<add_op, floating_types>,
         .results = rounding},
        {.name = "Mean", .max_inputs = -1, .attributes = "consumed_inputs:ints", .infer = infer_broadcast, .eval = eval_mean, .results = rounding},
    };
    return table;
}

}  // namespace ocelli::nn
