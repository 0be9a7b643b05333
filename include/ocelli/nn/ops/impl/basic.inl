#pragma once

#include <ocelli/nn/ops/basic.hpp>
#include <ocelli/nn/ops/support.hpp>

namespace ocelli::nn {

namespace detail {

inline void eval_identity(eval_context& c) {
    c.set_output(0, c.input(0));
}

inline tensor constant_elements(const node& n) {
    check(n, n.attributes.size() == 1, "exactly one attribute must hold the value");
    const attribute& a = n.attributes[0];
    if (a.name == "value") return attr_tensor(n, "value");
    if (a.name == "value_int") return tensor::scalar(attr_int(n, "value_int"));
    if (a.name == "value_float") return tensor::scalar(attr_float(n, "value_float"));
    if (a.name == "value_ints") return tensor::ints(attr_ints(n, "value_ints"));
    if (a.name == "value_floats") {
        const std::vector<float> v = attr_floats(n, "value_floats", {});
        return tensor::from<float>({static_cast<std::int64_t>(v.size())}, std::span<const float>(v));
    }
    fail<unsupported_operator>(n, "attribute '", a.name, "' is not supported");
}

inline void infer_constant(infer_context& c) {
    c.output_constant(0, constant_elements(c.self));
}

inline void eval_constant(eval_context& c) {
    c.set_output(0, constant_elements(c.self));
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> basic_ops() {
    static constexpr op_def table[] = {
        {.name = "Constant", .min_inputs = 0, .max_inputs = 0,
         .attributes = "value:tensor value_int:int value_ints:ints value_float:float value_floats:floats",
         .infer = detail::infer_constant, .eval = detail::eval_constant},
        {.name = "Identity", .infer = infer_same, .eval = detail::eval_identity, .view = true},
    };
    return table;
}

}  // namespace ocelli::nn
