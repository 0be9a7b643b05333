#pragma once

#include <ocelli/nn/ops/elementwise.hpp>
#include <ocelli/nn/ops/support.hpp>

namespace ocelli::nn {

namespace detail {

inline void eval_add(eval_context& c) {
    const tensor& a = c.input(0);
    const tensor& b = c.input(1);
    check(c.self, a.type() == b.type(), "both inputs must have one type, got ", text(a), " and ", text(b));
    const dims shape = broadcast_shape(c.self, a.shape(), b.shape());
    dispatch(c.self, numeric_types{}, a.type(), [&]<class T>(type_tag<T>) {
        using A = arithmetic_t<T>;
        tensor& y = c.output(0, a.type(), shape);
        map_binary<T, T, T>(a, b, y, [](T u, T v) { return static_cast<T>(static_cast<A>(u) + static_cast<A>(v)); });
    });
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> elementwise_ops() {
    static constexpr op_def table[] = {
        {.name = "Add", .since = 7, .min_inputs = 2, .max_inputs = 2, .infer = infer_broadcast, .eval = detail::eval_add},
    };
    return table;
}

}  // namespace ocelli::nn
