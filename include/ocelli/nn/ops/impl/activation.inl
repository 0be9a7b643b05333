#pragma once

#include <ocelli/nn/ops/activation.hpp>
#include <ocelli/nn/ops/support.hpp>

namespace ocelli::nn {

namespace detail {

inline void eval_relu(eval_context& c) {
    const tensor& x = c.input(0);
    dispatch(c.self, numeric_types{}, x.type(), [&]<class T>(type_tag<T>) {
        tensor& y = c.output(0, x.type(), x.shape());
        map_unary<T, T>(x, y, [](T v) { return v < T(0) ? T(0) : v; });  // this way round NaN passes on
    });
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> activation_ops() {
    static constexpr op_def table[] = {
        {.name = "Relu", .attributes = "consumed_inputs:ints", .infer = infer_same, .eval = detail::eval_relu},
    };
    return table;
}

}  // namespace ocelli::nn
