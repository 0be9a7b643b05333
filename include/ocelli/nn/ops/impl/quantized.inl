#pragma once

#include <ocelli/nn/detail/planes.hpp>
#include <ocelli/nn/ops/detail/bytes.hpp>
#include <ocelli/nn/ops/quantized.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace ocelli::nn {

namespace detail {

/// Constants of QConv and QMatMul, `count` of each.
struct quantized_weights {
    std::vector<std::int64_t> values, zeros, bias;
    std::vector<float> scale;

    quantized_weights(eval_context& c, std::int64_t count) {
        const tensor& w = c.input(1);
        check(c.self, is_byte(w.type()) && is_byte(c.input(0).type()), "operands must be bytes");
        values = w.to_ints();
        zeros.assign(1, 0);
        if (c.has_input(4)) zeros = c.input(4).to_ints();
        check(c.self, !c.has_input(4) || is_byte(c.input(4).type()), "w_zero must be bytes");
        check(c.self, !c.has_input(3) || c.input(3).type() == dtype::int32, "bias must be int32");
        check(c.self, zeros.size() == 1 || static_cast<std::int64_t>(zeros.size()) == count, "w_zero must have one element or ", count);
        if (zeros.size() == 1) zeros.assign(static_cast<std::size_t>(count), std::int64_t{zeros[0]});
        bias.assign(static_cast<std::size_t>(count), 0);
        if (c.has_input(3)) bias = c.input(3).to_ints();
        scale.assign(static_cast<std::size_t>(count), 1.0f);
        if (c.has_input(2)) {
            check(c.self, c.input(2).type() == dtype::float32 && c.input(2).size() == count, "scale must have ", count, " elements");
            std::copy_n(c.input(2).data<float>(), count, scale.begin());
        }
        check(c.self, static_cast<std::int64_t>(bias.size()) == count, "bias must have ", count, " elements");
    }
};

inline void infer_quantized_conv(infer_context& c) {
    const symbolic_shape &x = c.shape(0), &w = c.shape(1);
    symbolic_shape out;
    if (x.ranked() && w.ranked()) {
        check(c.self, x.rank() == 4 && w.rank() == 4, "operands must have four axes, got ", x, " and ", w);
        out = symbolic_shape::of_rank(4);
        out[0] = x[0];
        out[3] = w[0];
        if (w[2].known() && w[3].known()) {
            const dims extents{x[1].known() ? x[1].size : std::int64_t{1} << 30, x[2].known() ? x[2].size : std::int64_t{1} << 30};
            const windows g = window_geometry(c.self, extents, {w[2].size, w[3].size});
            for (std::size_t i = 0; i < 2; ++i)
                if (x[i + 1].known()) out[i + 1] = g.output[i];
        }
    }
    c.output(0, quantized_result(c.self), out);
}

inline void eval_quantized_conv(eval_context& c) {
    const tensor &x = c.input(0), &w = c.input(1);
    const std::int64_t group = attr_int(c.self, "group", 1);
    check(c.self, x.rank() == 4 && w.rank() == 4 && group >= 1 && x.extent(3) == w.extent(1) * group && w.extent(0) % group == 0, "channels do not fit: input ", x,
          ", weights ", w, ", group ", group);
    const std::int64_t filters = w.extent(0), channels = w.extent(1), kh = w.extent(2), kw = w.extent(3);
    const quantized_weights weights(c, filters);
    const windows g = window_geometry(c.self, {x.extent(1), x.extent(2)}, {kh, kw});
    tensor& y = c.output(0, quantized_result(c.self), {x.extent(0), g.output[0], g.output[1], filters});
    quantized_sink sink(c.self, y);
    const std::vector<std::int64_t> from = x.to_ints();
    const std::int64_t zero = zero_attribute(c.self, "x_zero");
    for_each_index(y.size(), channels * kh * kw, [&](std::int64_t at) {
        const std::int64_t m = at % filters, u = at / filters % g.output[1], v = at / filters / g.output[1] % g.output[0], n = at / filters / g.output[1] / g.output[0];
        std::int64_t sum = weights.bias[static_cast<std::size_t>(m)];
        for (std::int64_t i = 0; i < kh; ++i)
            for (std::int64_t j = 0; j < kw; ++j) {
                const std::int64_t a = v * g.strides[0] - g.pads_begin[0] + i * g.dilations[0], b = u * g.strides[1] - g.pads_begin[1] + j * g.dilations[1];
                if (a < 0 || a >= x.extent(1) || b < 0 || b >= x.extent(2)) continue;
                const std::int64_t first = ((n * x.extent(1) + a) * x.extent(2) + b) * x.extent(3) + m / (filters / group) * channels;
                for (std::int64_t k = 0; k < channels; ++k)
                    sum += (from[static_cast<std::size_t>(first + k)] - zero) *
                           (weights.values[static_cast<std::size_t>(((m * channels + k) * kh + i) * kw + j)] - weights.zeros[static_cast<std::size_t>(m)]);
            }
        sink.sum(at, sum, weights.scale[static_cast<std::size_t>(m)]);
    });
}

inline void infer_quantized_matmul(infer_context& c) {
    const symbolic_shape &a = c.shape(0), &w = c.shape(1);
    symbolic_shape out;
    if (a.ranked() && w.ranked()) {
        check(c.self, a.rank() >= 1 && w.rank() == 2, "operands must have shapes (..., K) and (K, N), got ", a, " and ", w);
        out = a;
        out[a.rank() - 1] = w[attr_int(c.self, "transB", 0) != 0 ? 0 : 1];
    }
    c.output(0, quantized_result(c.self), out);
}

inline void eval_quantized_matmul(eval_context& c) {
    const tensor &a = c.input(0), &w = c.input(1);
    const bool transposed = attr_int(c.self, "transB", 0) != 0;
    check(c.self, a.rank() >= 1 && w.rank() == 2 && a.shape().back() == w.extent(transposed ? 1 : 0), "shapes ", a, " and ", w, " do not multiply");
    const std::int64_t k = a.shape().back(), n = w.extent(transposed ? 0 : 1);
    const quantized_weights weights(c, n);
    dims shape = a.shape();
    shape.back() = n;
    tensor& y = c.output(0, quantized_result(c.self), shape);
    quantized_sink sink(c.self, y);
    const std::vector<std::int64_t> from = a.to_ints();
    const std::int64_t zero = zero_attribute(c.self, "x_zero");
    for_each_index(y.size(), k, [&](std::int64_t at) {
        const std::int64_t row = at / n, m = at % n;
        std::int64_t sum = weights.bias[static_cast<std::size_t>(m)];
        for (std::int64_t i = 0; i < k; ++i)
            sum += (from[static_cast<std::size_t>(row * k + i)] - zero) *
                   (weights.values[static_cast<std::size_t>(transposed ? m * k + i : i * n + m)] - weights.zeros[static_cast<std::size_t>(m)]);
        sink.sum(at, sum, weights.scale[static_cast<std::size_t>(m)]);
    });
}

inline void infer_quantized_pair(infer_context& c) {
    c.output(0, quantized_result(c.self), c.shape(0));
}

inline void eval_quantized_pair(eval_context& c) {
    const tensor &a = c.input(0), &b = c.input(1);
    const bool adds = c.self.op == "QAdd", channels = !adds && by_channel(a.shape(), b.shape());
    check(c.self, is_byte(a.type()) && is_byte(b.type()) && (channels || a.shape() == b.shape()), "operands ", a, " and ", b, " do not fit");
    tensor& y = c.output(0, quantized_result(c.self), a.shape());
    quantized_sink sink(c.self, y);
    const std::int64_t a_zero = zero_attribute(c.self, "a_zero"), b_zero = zero_attribute(c.self, "b_zero");
    const float a_scale = attr_float(c.self, "a_scale"), b_scale = attr_float(c.self, "b_scale", 1);
    const std::int64_t inner = channels ? a.extent(3) : 1, image = channels ? a.size() / std::max<std::int64_t>(1, a.extent(0)) : 1;
    for (std::int64_t i = 0; i < a.size(); ++i) {
        const float p = centred_byte(a, i, a_zero), q = centred_byte(b, channels ? i / image * inner + i % inner : i, b_zero);
        volatile float first = p * a_scale, second = q * b_scale;  // rounded each
        sink.byte(i, adds ? first + second : p * q * a_scale);
    }
}

inline void infer_quantized_table(infer_context& c) {
    c.output(0, c.type(1), c.shape(0));
}
inline void eval_quantized_table(eval_context& c) {
    const tensor &x = c.input(0), &table = c.input(1);
    check(c.self, is_byte(x.type()) && is_byte(table.type()) && table.size() == 256, "x must be bytes, and the table 256 of them");
    tensor& y = c.output(0, table.type(), x.shape());
    const auto* const from = static_cast<const std::uint8_t*>(x.raw());
    const auto* const values = static_cast<const std::uint8_t*>(table.raw());
    for (std::int64_t i = 0; i < x.size(); ++i) static_cast<std::uint8_t*>(y.mutable_raw())[i] = values[from[i]];
}

inline void infer_quantized_pool(infer_context& c) {
    const symbolic_shape& x = c.shape(0);
    symbolic_shape out;
    if (x.ranked()) {
        check(c.self, x.rank() == 4, "input must have shape (N, H, W, C), got ", x);
        out = x;
        if (c.self.op == "QMean") {
            out[1] = out[2] = dim(1);
            return c.output(0, quantized_result(c.self), out);
        }
        const dims extents{x[1].known() ? x[1].size : std::int64_t{1} << 30, x[2].known() ? x[2].size : std::int64_t{1} << 30};
        check(c.self, attr_ints(c.self, "kernel_shape").size() == 2, "kernel_shape must have two extents");
        const windows g = window_geometry(c.self, extents, attr_ints(c.self, "kernel_shape"), attr_int(c.self, "ceil_mode", 0) != 0);
        for (std::size_t i = 0; i < 2; ++i) out[i + 1] = x[i + 1].known() ? dim(g.output[i]) : dim();
    }
    c.output(0, c.self.op == "QMean" ? quantized_result(c.self) : c.type(0), out);
}

inline void eval_quantized_max_pool(eval_context& c) {
    const tensor& x = c.input(0);
    check(c.self, is_byte(x.type()) && x.rank() == 4, "input must be bytes (N, H, W, C), got ", x);
    check(c.self, attr_ints(c.self, "kernel_shape").size() == 2, "kernel_shape must have two extents");
    const windows g = window_geometry(c.self, {x.extent(1), x.extent(2)}, attr_ints(c.self, "kernel_shape"), attr_int(c.self, "ceil_mode", 0) != 0);
    const std::int64_t channels = x.extent(3);
    tensor& y = c.output(0, x.type(), {x.extent(0), g.output[0], g.output[1], channels});
    const std::int64_t least = x.type() == dtype::int8 ? -128 : 0;
    for_each_index(y.size(), 16, [&](std::int64_t at) {
        const std::int64_t k = at % channels, u = at / channels % g.output[1], v = at / channels / g.output[1] % g.output[0], n = at / channels / g.output[1] / g.output[0];
        auto best = static_cast<float>(least);
        const std::int64_t top = v * g.strides[0] - g.pads_begin[0], left = u * g.strides[1] - g.pads_begin[1];
        const std::int64_t i1 = end_inside(top, g.dilations[0], x.extent(1), g.kernel[0]), j1 = end_inside(left, g.dilations[1], x.extent(2), g.kernel[1]);
        for (std::int64_t i = first_inside(top, g.dilations[0]); i < i1; ++i)
            for (std::int64_t j = first_inside(left, g.dilations[1]); j < j1; ++j)
                best = std::max(best, centred_byte(x, ((n * x.extent(1) + top + i * g.dilations[0]) * x.extent(2) + left + j * g.dilations[1]) * channels + k, 0));
        static_cast<std::uint8_t*>(y.mutable_raw())[at] = static_cast<std::uint8_t>(static_cast<std::int64_t>(best));
    });
}

inline void eval_quantized_mean(eval_context& c) {
    const tensor& x = c.input(0);
    check(c.self, is_byte(x.type()) && x.rank() == 4, "input must be bytes (N, H, W, C), got ", x);
    const std::int64_t pixels = x.extent(1) * x.extent(2), channels = x.extent(3), zero = zero_attribute(c.self, "x_zero");
    check(c.self, pixels > 0, "input has no pixels: ", x);
    tensor& y = c.output(0, quantized_result(c.self), {x.extent(0), 1, 1, channels});
    quantized_sink sink(c.self, y);
    const float scale = attr_float(c.self, "scale") / static_cast<float>(pixels);
    const std::vector<std::int64_t> from = x.to_ints();
    for (std::int64_t i = 0; i < y.size(); ++i) {
        std::int64_t sum = -zero * pixels;
        for (std::int64_t p = 0; p < pixels; ++p) sum += from[static_cast<std::size_t>((i / channels * pixels + p) * channels + i % channels)];
        sink.sum(i, sum, scale);
    }
}

}  // namespace detail

#define OCELLI_QUANTIZED_RESULT_ " low:int high:int y_zero:int to:int"

OCELLI_INLINE std::span<const op_def> quantized_ops() {
    static constexpr op_def table[] = {
        {.name = "QConv", .domain = "ocelli", .min_inputs = 2, .max_inputs = 5,
         .attributes = "auto_pad:string dilations:ints group:int kernel_shape:ints pads:ints strides:ints x_zero:int" OCELLI_QUANTIZED_RESULT_,
         .infer = detail::infer_quantized_conv, .eval = detail::eval_quantized_conv, .results = exactness::rounding},
        {.name = "QMatMul", .domain = "ocelli", .min_inputs = 2, .max_inputs = 5, .attributes = "transB:int x_zero:int" OCELLI_QUANTIZED_RESULT_,
         .infer = detail::infer_quantized_matmul, .eval = detail::eval_quantized_matmul, .results = exactness::rounding},
        {.name = "QAdd", .domain = "ocelli", .min_inputs = 2, .max_inputs = 2, .attributes = "a_zero:int b_zero:int a_scale:float b_scale:float" OCELLI_QUANTIZED_RESULT_,
         .infer = detail::infer_quantized_pair, .eval = detail::eval_quantized_pair, .results = exactness::rounding},
        {.name = "QMul", .domain = "ocelli", .min_inputs = 2, .max_inputs = 2, .attributes = "a_zero:int b_zero:int a_scale:float" OCELLI_QUANTIZED_RESULT_,
         .infer = detail::infer_quantized_pair, .eval = detail::eval_quantized_pair, .results = exactness::rounding},
        {.name = "QTable", .domain = "ocelli", .min_inputs = 2, .max_inputs = 2, .infer = detail::infer_quantized_table, .eval = detail::eval_quantized_table},
        {.name = "QMaxPool", .domain = "ocelli",
         .attributes = "auto_pad:string ceil_mode:int dilations:ints kernel_shape:ints pads:ints strides:ints storage_order:int", .infer = detail::infer_quantized_pool,
         .eval = detail::eval_quantized_max_pool},
        {.name = "QMean", .domain = "ocelli", .attributes = "x_zero:int scale:float" OCELLI_QUANTIZED_RESULT_, .infer = detail::infer_quantized_pool,
         .eval = detail::eval_quantized_mean, .results = exactness::rounding},
    };
    return table;
}

#undef OCELLI_QUANTIZED_RESULT_

}  // namespace ocelli::nn
