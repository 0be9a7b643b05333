#pragma once

#include <ocelli/nn/ops/detail/widen.hpp>
#include <ocelli/nn/ops/logic.hpp>

namespace ocelli::nn {

namespace detail {

// --- comparison and logic ------------------------------------------------------------------------------------------------------------

struct equal_op {
    template <class T>
    bool operator()(T u, T v) const {
        return u == v;
    }
};
struct greater_op {
    template <class T>
    bool operator()(T u, T v) const {
        return u > v;
    }
};
struct greater_equal_op {
    template <class T>
    bool operator()(T u, T v) const {
        return u >= v;
    }
};
struct less_op {
    template <class T>
    bool operator()(T u, T v) const {
        return u < v;
    }
};
struct less_equal_op {
    template <class T>
    bool operator()(T u, T v) const {
        return u <= v;
    }
};
struct and_op {
    bool operator()(bool u, bool v) const { return u && v; }
};
struct or_op {
    bool operator()(bool u, bool v) const { return u || v; }
};
struct xor_op {
    bool operator()(bool u, bool v) const { return u != v; }
};

inline void infer_comparison(infer_context& c) {
    infer_binary(c);
    if (c.self.opset < 7) return c.output(0, dtype::boolean, c.shape(0));
    const auto shape = broadcast(c.shape(0), c.shape(1));
    c.output(0, dtype::boolean, shape.value_or(symbolic_shape()));
}

template <class F, class Types>
void eval_comparison(eval_context& c) {
    const tensor& a = c.input(0);
    const tensor b = second_operand(c);
    check_same_type(c.self, a, b);
    const dims shape = broadcast_shape(c.self, a.shape(), b.shape());
    dispatch(c.self, Types{}, a.type(), [&]<class T>(type_tag<T>) {
        tensor& y = c.output(0, dtype::boolean, shape);
        binary_loop<T, T, bool>(a, b, y, cheap_block, F{});
    });
}

inline void eval_not(eval_context& c) {
    const tensor& x = c.input(0);
    dispatch(c.self, type_list<bool>{}, x.type(), [&]<class T>(type_tag<T>) {
        tensor& y = c.output(0, dtype::boolean, x.shape());
        unary_loop<T, T>(x, y, cheap_block, [](T v) { return !v; });
    });
}

// --- bits -------------------------------------------------------------------------------------------------------------------------------

// On the bits of 64-bit integers; narrower ones were widened, and are cut off behind.
struct bit_and_op {
    std::int64_t operator()(std::int64_t u, std::int64_t v) const { return u & v; }
};
struct bit_or_op {
    std::int64_t operator()(std::int64_t u, std::int64_t v) const { return u | v; }
};
struct bit_xor_op {
    std::int64_t operator()(std::int64_t u, std::int64_t v) const { return u ^ v; }
};
// Of unsigned integers. Shifting by the width or more leaves 0.
struct shift_left_op {
    std::int64_t operator()(std::int64_t u, std::int64_t v) const {
        const auto by = static_cast<std::uint64_t>(v);
        return by >= 64 ? 0 : static_cast<std::int64_t>(static_cast<std::uint64_t>(u) << by);
    }
};
struct shift_right_op {
    std::int64_t operator()(std::int64_t u, std::int64_t v) const {
        const auto by = static_cast<std::uint64_t>(v);
        return by >= 64 ? 0 : static_cast<std::int64_t>(static_cast<std::uint64_t>(u) >> by);
    }
};

template <class F>
void eval_bits(eval_context& c) {
    const tensor& a = c.input(0);
    const tensor& b = c.input(1);
    check_same_type(c.self, a, b);
    tensor& y = c.output(0, a.type(), broadcast_shape(c.self, a.shape(), b.shape()));
    binary_loop<std::int64_t, std::int64_t, std::int64_t>(a, b, y, cheap_block, F{});
}

using unsigned_types = type_list<std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t>;

inline void eval_bit_shift(eval_context& c) {
    const std::string direction = attr_string(c.self, "direction");
    if (direction == "LEFT") return eval_bits<shift_left_op>(c);
    check(c.self, direction == "RIGHT", "attribute direction must be LEFT or RIGHT, got '", direction, "'");
    eval_bits<shift_right_op>(c);
}

inline void eval_bit_not(eval_context& c) {
    const tensor& x = c.input(0);
    tensor& y = c.output(0, x.type(), x.shape());
    unary_loop<std::int64_t, std::int64_t>(x, y, cheap_block, [](std::int64_t v) { return ~v; });
}

// --- Where ------------------------------------------------------------------------------------------------------------------------------

inline void infer_where(infer_context& c) {
    auto shape = broadcast(c.shape(1), c.shape(2));
    if (shape) shape = broadcast(c.shape(0), *shape);
    check(c.self, shape.has_value(), "shapes ", c.shape(0), ", ", c.shape(1), " and ", c.shape(2), " do not broadcast");
    c.output(0, c.type(1), *std::move(shape));
}

inline void eval_where(eval_context& c) {
    const tensor& condition = c.input(0);
    const tensor& a = c.input(1);
    const tensor& b = c.input(2);
    check(c.self, condition.type() == dtype::boolean, "the condition must be bool, got ", condition);
    check_same_type(c.self, a, b);
    const dims shape = broadcast_shape(c.self, condition.shape(), broadcast_shape(c.self, a.shape(), b.shape()));
    tensor& y = c.output(0, a.type(), shape);
    auto loop = broadcast_loop<4>(shape, {&condition.shape(), &a.shape(), &b.shape(), &shape});
    prefer_long_rows(loop);
    dispatch_words(a.type(), [&]<class W>(type_tag<W>) {
        const bool* choice = condition.data<bool>();
        const W* pa = static_cast<const W*>(a.raw());
        const W* pb = static_cast<const W*>(b.raw());
        W* py = static_cast<W*>(y.mutable_raw());
        parallel_rows(loop, cheap_block, [&](const auto& at, std::int64_t n, const auto& step) {
            for (std::int64_t i = 0; i < n; ++i)
                py[at[3] + i * step[3]] = choice[at[0] + i * step[0]] ? pa[at[1] + i * step[1]] : pb[at[2] + i * step[2]];
        });
    });
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> logic_ops() {
    using namespace detail;
    constexpr std::string_view legacy = "axis:int broadcast:int";
    static constexpr op_def table[] = {
        {.name = "Equal", .until = 6, .min_inputs = 2, .max_inputs = 2, .attributes = legacy, .infer = infer_comparison,
         .eval = in_wide<eval_comparison<equal_op, wide_types>, all_types, -1>},
        {.name = "Equal", .since = 7, .min_inputs = 2, .max_inputs = 2, .infer = infer_comparison, .eval = in_wide<eval_comparison<equal_op, wide_types>, all_types, -1>},
        {.name = "Greater", .until = 6, .min_inputs = 2, .max_inputs = 2, .attributes = legacy, .infer = infer_comparison,
         .eval = in_wide<eval_comparison<greater_op, wide_types>, numeric_types, -1>},
        {.name = "Greater", .since = 7, .min_inputs = 2, .max_inputs = 2, .infer = infer_comparison, .eval = in_wide<eval_comparison<greater_op, wide_types>, numeric_types, -1>},
        {.name = "Less", .until = 6, .min_inputs = 2, .max_inputs = 2, .attributes = legacy, .infer = infer_comparison,
         .eval = in_wide<eval_comparison<less_op, wide_types>, numeric_types, -1>},
        {.name = "Less", .since = 7, .min_inputs = 2, .max_inputs = 2, .infer = infer_comparison, .eval = in_wide<eval_comparison<less_op, wide_types>, numeric_types, -1>},
        {.name = "GreaterOrEqual", .since = 12, .min_inputs = 2, .max_inputs = 2, .infer = infer_comparison,
         .eval = in_wide<eval_comparison<greater_equal_op, wide_types>, numeric_types, -1>},
        {.name = "LessOrEqual", .since = 12, .min_inputs = 2, .max_inputs = 2, .infer = infer_comparison,
         .eval = in_wide<eval_comparison<less_equal_op, wide_types>, numeric_types, -1>},
        {.name = "And", .until = 6, .min_inputs = 2, .max_inputs = 2, .attributes = legacy, .infer = infer_comparison,
         .eval = eval_comparison<and_op, type_list<bool>>},
        {.name = "And", .since = 7, .min_inputs = 2, .max_inputs = 2, .infer = infer_comparison, .eval = eval_comparison<and_op, type_list<bool>>},
        {.name = "Or", .until = 6, .min_inputs = 2, .max_inputs = 2, .attributes = legacy, .infer = infer_comparison,
         .eval = eval_comparison<or_op, type_list<bool>>},
        {.name = "Or", .since = 7, .min_inputs = 2, .max_inputs = 2, .infer = infer_comparison, .eval = eval_comparison<or_op, type_list<bool>>},
        {.name = "Xor", .until = 6, .min_inputs = 2, .max_inputs = 2, .attributes = legacy, .infer = infer_comparison,
         .eval = eval_comparison<xor_op, type_list<bool>>},
        {.name = "Xor", .since = 7, .min_inputs = 2, .max_inputs = 2, .infer = infer_comparison, .eval = eval_comparison<xor_op, type_list<bool>>},
        {.name = "Not", .infer = infer_same, .eval = eval_not},
        {.name = "BitwiseAnd", .since = 18, .min_inputs = 2, .max_inputs = 2, .infer = infer_broadcast, .eval = in_modular<eval_bits<bit_and_op>, integer_types>},
        {.name = "BitwiseOr", .since = 18, .min_inputs = 2, .max_inputs = 2, .infer = infer_broadcast, .eval = in_modular<eval_bits<bit_or_op>, integer_types>},
        {.name = "BitwiseXor", .since = 18, .min_inputs = 2, .max_inputs = 2, .infer = infer_broadcast, .eval = in_modular<eval_bits<bit_xor_op>, integer_types>},
        {.name = "BitwiseNot", .since = 18, .infer = infer_same, .eval = in_modular<eval_bit_not, integer_types>},
        {.name = "BitShift", .since = 11, .min_inputs = 2, .max_inputs = 2, .attributes = "direction:string", .infer = infer_broadcast,
         .eval = in_modular<eval_bit_shift, unsigned_types>},
        {.name = "Where", .since = 9, .min_inputs = 3, .max_inputs = 3, .infer = infer_where, .eval = eval_where},
    };
    return table;
}

}  // namespace ocelli::nn
