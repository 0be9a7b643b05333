#pragma once

#include <ocelli/nn/ops/cast.hpp>
#include <ocelli/nn/ops/detail/loops.hpp>

namespace ocelli::nn {

namespace detail {

// The type that a number of TensorProto.DataType stands for.
inline dtype cast_target(const node& n) {
    if (n.opset < 6) {  // by name
        const std::string to = attr_string(n, "to");
        constexpr std::pair<std::string_view, dtype> names[] = {
            {"FLOAT", dtype::float32}, {"DOUBLE", dtype::float64}, {"FLOAT16", dtype::float16}, {"INT8", dtype::int8},
            {"INT16", dtype::int16},   {"INT32", dtype::int32},    {"INT64", dtype::int64},     {"UINT8", dtype::uint8},
            {"UINT16", dtype::uint16}, {"UINT32", dtype::uint32},  {"UINT64", dtype::uint64},   {"BOOL", dtype::boolean}};
        for (const auto& [text_name, type] : names)
            if (text_name == to) return type;
        fail<unsupported_operator>(n, "element type ", to, " is not supported");
    }
    const std::int64_t to = attr_int(n, "to");
    const auto type = to > 0 && to < 32 ? static_cast<dtype>(to) : dtype::undefined;
    check<unsupported_operator>(n, size_of(type) != 0, "attribute to = ", to, ": this element type is not supported");
    return type;
}

inline void infer_cast(infer_context& c) {
    c.output(0, cast_target(c.self), c.shape(0));
}

inline void cast_to(eval_context& c, dtype type) {
    const tensor& x = c.input(0);
    if (type == x.type()) return c.set_output(0, x);
    convert_into(x, c.output(0, type, x.shape()));
}

inline void eval_cast(eval_context& c) {
    cast_to(c, cast_target(c.self));
}

inline void infer_cast_like(infer_context& c) {
    c.output(0, c.type(1), c.shape(0));
}

inline void eval_cast_like(eval_context& c) {
    cast_to(c, c.input(1).type());
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> cast_ops() {
    using namespace detail;
    // `saturate` concerns the 8-bit floating types alone, which are refused.
    static constexpr op_def table[] = {
        {.name = "Cast", .until = 5, .attributes = "to:string", .infer = infer_cast, .eval = eval_cast},
        {.name = "Cast", .since = 6, .attributes = "to:int saturate:int", .infer = infer_cast, .eval = eval_cast},
        {.name = "CastLike", .since = 15, .min_inputs = 2, .max_inputs = 2, .attributes = "saturate:int", .infer = infer_cast_like, .eval = eval_cast_like},
    };
    return table;
}

}  // namespace ocelli::nn
