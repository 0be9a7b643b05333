#pragma once

#include <ocelli/nn/ops/detail/widen.hpp>
#include <ocelli/nn/ops/softmax.hpp>

#include <cmath>

namespace ocelli::nn {

namespace detail {

enum class softmax_kind { soft, log, hard };

// One line of n elements `step` apart.
template <softmax_kind kind, class T>
void softmax_line(const T* x, T* y, std::int64_t n, std::int64_t step) {
    T peak = x[0];
    std::int64_t peak_at = 0;
    for (std::int64_t i = 1; i < n; ++i) {
        const T v = x[i * step];
        if (v > peak) {
            peak = v;
            peak_at = i;
        }
    }
    if constexpr (kind == softmax_kind::hard) {
        for (std::int64_t i = 0; i < n; ++i) y[i * step] = static_cast<T>(i == peak_at ? 1.0f : 0.0f);
    } else if constexpr (kind == softmax_kind::soft) {
        double sum = 0;
        for (std::int64_t i = 0; i < n; ++i) {
            const T e = std::exp(x[i * step] - peak);
            sum += static_cast<double>(e);
            y[i * step] = e;
        }
        const T scale = static_cast<T>(1 / sum);
        for (std::int64_t i = 0; i < n; ++i) y[i * step] *= scale;
    } else {
        double sum = 0;
        for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(std::exp(x[i * step] - peak));
        const T shift = static_cast<T>(std::log(sum));
        for (std::int64_t i = 0; i < n; ++i) y[i * step] = x[i * step] - peak - shift;
    }
}

template <softmax_kind kind>
void eval_softmax(eval_context& c) {
    const tensor& x = c.input(0);
    const dims& shape = x.shape();
    std::int64_t outer = 1, n = 1, inner = 1;
    if (c.self.opset < 13) {
        const std::size_t axis = normalize_axis_or_end(c.self, attr_int(c.self, "axis", 1), x.rank());
        outer = product(shape, 0, axis);
        n = product(shape, axis, x.rank());
    } else if (x.rank() != 0) {
        const std::size_t axis = normalize_axis(c.self, attr_int(c.self, "axis", -1), x.rank());
        outer = product(shape, 0, axis);
        n = shape[axis];
        inner = product(shape, axis + 1, x.rank());
    }
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        tensor& out = c.output(0, x.type(), shape);
        if (out.size() == 0) return;
        const T* from = x.data<T>();
        T* to = out.mutable_data<T>();
        parallel_range(outer * inner, costly_block / n, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i) {
                const std::int64_t at = i / inner * n * inner + i % inner;
                softmax_line<kind, T>(from + at, to + at, n, inner);
            }
        });
    });
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> softmax_ops() {
    using namespace detail;
    static constexpr op_def table[] = {
        {.name = "Softmax", .attributes = "axis:int", .infer = infer_same, .eval = in_float<eval_softmax<softmax_kind::soft>>, .results = exactness::rounding},
        {.name = "LogSoftmax", .attributes = "axis:int", .infer = infer_same, .eval = in_float<eval_softmax<softmax_kind::log>>, .results = exactness::rounding},
        {.name = "Hardmax", .attributes = "axis:int", .infer = infer_same, .eval = in_float<eval_softmax<softmax_kind::hard>>},
    };
    return table;
}

}  // namespace ocelli::nn
