#pragma once

#include <ocelli/nn/ops/attention.hpp>
#include <ocelli/nn/ops/detail/widen.hpp>
#include <ocelli/nn/ops/support.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace ocelli::nn {

namespace detail {

OCELLI_INLINE attention_form attention_form_of(const node& n) {
    attention_form f;
    const dims extents = attr_ints(n, "extents");
    check(n, extents.size() >= 4, "extents must end in those of M, N, K and D, got ", extents);
    for (const std::int64_t e : extents) check(n, e >= 1, "extents must be positive, got ", extents);
    const std::size_t axes = extents.size() - 4;
    f.stack.assign(extents.begin(), extents.end() - 4);
    f.queries = extents[axes];
    f.keys = extents[axes + 1];
    f.depth = extents[axes + 2];
    f.width = extents[axes + 3];
    f.matrices = element_count(f.stack);
    const char* const names[attention_form::most] = {"q", "k", "v", "a", "b"};
    f.inputs = n.inputs.size();
    check(n, f.inputs >= 3 && f.inputs <= attention_form::most, "3 to 5 inputs expected, got ", f.inputs);
    for (std::size_t i = 0; i < f.inputs; ++i) {
        check(n, n.inputs[i] != no_value, "input ", names[i], " is missing");
        f.at[i] = attr_ints(n, names[i]);
        check(n, f.at[i].size() == axes + 3, names[i], " must have a place and ", axes + 2, " strides, got ", f.at[i]);
        for (const std::int64_t s : f.at[i]) check(n, s >= 0, names[i], " must not be negative, got ", f.at[i]);
    }
    f.result = attr_ints(n, "y");
    f.shape = attr_ints(n, "shape");
    // Each element of the result is written once: its axes, from the shortest strides on, lie dense.
    dims result = f.stack;
    result.push_back(f.queries);
    result.push_back(f.width);
    check(n, f.result.size() == result.size() && f.result.back() == 1, "y must have ", result.size(), " strides, the last one 1, got ", f.result);
    std::vector<std::pair<std::int64_t, std::int64_t>> order;
    for (std::size_t i = 0; i < result.size(); ++i)
        if (result[i] != 1) order.emplace_back(f.result[i], result[i]);
    std::sort(order.begin(), order.end());
    std::int64_t dense = 1;
    const std::int64_t count = element_count(result);
    for (const auto& [stride, extent] : order) {
        check(n, stride == dense, "strides ", f.result, " of y do not make a whole of ", result);
        dense *= extent;
    }
    for (const std::int64_t e : f.shape) check(n, e >= 1, "shape must be positive, got ", f.shape);
    check(n, element_count(f.shape) == count, "shape ", f.shape, " does not have the elements of ", result);
    f.scale = attr_float(n, "scale", 1);
    f.empty_is_zero = attr_int(n, "empty_is_zero", 0) != 0;
    return f;
}

OCELLI_INLINE void check_attention_input(const node& n, const attention_form& f, std::size_t input, const tensor& t) {
    const dims& at = f.at[input];
    std::int64_t left = t.size() - 1 - at[0];
    const std::int64_t rows = input == 1 ? f.depth : input == 2 ? f.keys : f.queries, columns = input == 0 ? f.depth : input == 2 ? f.width : f.keys;
    for (std::size_t i = 1; i < at.size() && left >= 0; ++i) {
        const std::int64_t steps = (i <= f.stack.size() ? f.stack[i - 1] : i == at.size() - 2 ? rows : columns) - 1;
        left = at[i] == 0 || steps <= left / at[i] ? left - steps * at[i] : -1;
    }
    check(n, left >= 0, "input ", t, " is smaller than the places ", at);
}

inline void infer_attention(infer_context& c) {
    c.output(0, c.type(0), symbolic_shape(attention_form_of(c.self).shape));
}

inline void eval_attention(eval_context& c) {
    const attention_form f = attention_form_of(c.self);
    for (std::size_t i = 0; i < f.inputs; ++i) {
        check_attention_input(c.self, f, i, c.input(i));
        check(c.self, c.input(i).type() == c.input(0).type(), "inputs of one type expected, got ", c.input(0), " and ", c.input(i));
    }
    dispatch(c.self, real_types{}, c.input(0).type(), [&]<class T>(type_tag<T>) {
        T* const y = c.output(0, c.input(0).type(), f.shape).template mutable_data<T>();
        const std::size_t row = f.stack.size() + 1;
        const auto element = [&](std::size_t i, std::int64_t matrix, std::int64_t r, std::int64_t column) {
            return static_cast<double>(c.input(i).data<T>()[f.at[i][0] + f.place(matrix, f.at[i].data() + 1) + r * f.at[i][row] + column * f.at[i][row + 1]]);
        };
        std::vector<double> score(static_cast<std::size_t>(f.keys)), sum(static_cast<std::size_t>(f.width));
        for (std::int64_t s = 0; s < f.matrices; ++s)
            for (std::int64_t i = 0; i < f.queries; ++i) {
                double peak = -std::numeric_limits<double>::infinity(), total = 0;
                for (std::int64_t j = 0; j < f.keys; ++j) {
                    double x = 0;
                    for (std::int64_t p = 0; p < f.depth; ++p) x += element(0, s, i, p) * element(1, s, p, j);
                    x *= static_cast<double>(f.scale);
                    for (std::size_t added = 3; added < f.inputs; ++added) x += element(added, s, i, j);
                    score[static_cast<std::size_t>(j)] = x;
                    if (x > peak) peak = x;
                }
                for (double& x : score) total += x = std::exp(x - peak);
                std::fill(sum.begin(), sum.end(), 0.0);
                for (std::int64_t j = 0; j < f.keys; ++j)
                    for (std::int64_t d = 0; d < f.width; ++d) sum[static_cast<std::size_t>(d)] += score[static_cast<std::size_t>(j)] * element(2, s, j, d);
                T* const to = y + f.place(s, f.result.data()) + i * f.result[row - 1];
                const bool empty = f.empty_is_zero && is_nan_element(total);
                for (std::int64_t d = 0; d < f.width; ++d) to[d] = empty ? T(0) : static_cast<T>(sum[static_cast<std::size_t>(d)] / total);
            }
    });
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> attention_ops() {
    static constexpr op_def table[] = {
        {.name = "Attention", .domain = "ocelli", .min_inputs = 3, .max_inputs = 5,
         .attributes = "extents:ints q:ints k:ints v:ints a:ints b:ints y:ints shape:ints scale:float empty_is_zero:int", .infer = detail::infer_attention, .eval = detail::in_float<detail::eval_attention>, .results = exactness::rounding},
    };
    return table;
}

}  // namespace ocelli::nn
