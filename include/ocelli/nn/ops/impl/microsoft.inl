#pragma once

#include <ocelli/nn/detail/planes.hpp>
#include <ocelli/nn/ops/detail/bytes.hpp>
#include <ocelli/nn/ops/microsoft.hpp>

#include <cmath>
#include <vector>

namespace ocelli::nn {

namespace detail {

/// The scale and zero point in two inputs; no zero point is 0.
inline byte_scale evaluated_scale(const eval_context& c, std::size_t scale_at, std::size_t zero_at) {
    const tensor& scale = c.input(scale_at);
    check(c.self, scale.type() == dtype::float32 && scale.size() == 1, "input ", scale_at, " must be one float32, got ", scale);
    byte_scale s{scale.data<float>()[0], 0, false};
    if (c.has_input(zero_at)) {
        const tensor& zero = c.input(zero_at);
        check(c.self, is_byte(zero.type()) && zero.size() == 1, "input ", zero_at, " must be one 8-bit integer, got ", zero);
        s.zero = static_cast<std::int32_t>(zero.to_ints()[0]);
        s.is_signed = zero.type() == dtype::int8;
    }
    return s;
}
inline void check_bytes(const eval_context& c, const tensor& x, const byte_scale& s) {
    check(c.self, x.type() == (s.is_signed ? dtype::int8 : dtype::uint8), "elements and zero point must be of one type, got ", x);
}
/// The nearest byte to v steps from the zero.
inline std::uint8_t nearest_byte(float v, const byte_scale& s) {
    const float low = static_cast<float>((s.is_signed ? -128 : 0) - s.zero);
    return nearest_byte(v, low, low + 255, s.zero);
}
inline tensor& byte_output(eval_context& c, const byte_scale& s, const dims& shape) {
    return c.output(0, s.is_signed ? dtype::int8 : dtype::uint8, shape);
}

inline void infer_byte_pair(infer_context& c) {
    const auto shape = broadcast(c.shape(0), c.shape(3));
    check(c.self, shape.has_value(), "shapes ", c.shape(0), " and ", c.shape(3), " do not broadcast");
    c.output(0, c.type(0), *shape);
}

inline void eval_byte_pair(eval_context& c) {
    const tensor &a = c.input(0), &b = c.input(3);
    const byte_scale sa = evaluated_scale(c, 1, 2), sb = evaluated_scale(c, 4, 5), sy = evaluated_scale(c, 6, 7);
    check_bytes(c, a, sa);
    check_bytes(c, b, sb);
    const bool adds = c.self.op == "QLinearAdd";
    const dims shape = broadcast_shape(c.self, a.shape(), b.shape());
    const dims step_a = broadcast_strides(a.shape(), shape), step_b = broadcast_strides(b.shape(), shape);
    auto* const y = static_cast<std::uint8_t*>(byte_output(c, sy, shape).mutable_raw());
    const float first = adds ? sa.scale / sy.scale : sa.scale * sb.scale / sy.scale, second = sb.scale / sy.scale;
    const std::int64_t n = element_count(shape);
    for (std::int64_t i = 0; i < n; ++i) {
        std::int64_t at_a = 0, at_b = 0, rest = i;
        for (std::size_t d = shape.size(); d-- > 0; rest /= shape[d]) {
            at_a += rest % shape[d] * step_a[d];
            at_b += rest % shape[d] * step_b[d];
        }
        const float p = centred_byte(a, at_a, sa.zero), q = centred_byte(b, at_b, sb.zero);
        volatile float left = p * first, right = q * second;  // rounded each
        y[i] = nearest_byte(adds ? left + right : p * q * first, sy);
    }
}

inline void infer_byte_mean(infer_context& c) {
    symbolic_shape shape = c.shape(0);
    if (shape.ranked()) {
        check(c.self, shape.rank() >= 3, "input must have shape (N, C, ...), got ", shape);
        const std::size_t first = attr_int(c.self, "channels_last", 0) != 0 ? 1 : 2;
        for (std::size_t i = first; i < first + shape.rank() - 2; ++i) shape[i] = dim(1);
    }
    c.output(0, c.type(0), shape);
}

inline void eval_byte_mean(eval_context& c) {
    const tensor& x = c.input(0);
    const byte_scale sx = evaluated_scale(c, 1, 2), sy = evaluated_scale(c, 3, 4);
    check_bytes(c, x, sx);
    check(c.self, x.rank() >= 3, "input must have shape (N, C, ...), got ", x);
    const bool last = attr_int(c.self, "channels_last", 0) != 0;
    const std::int64_t channels = x.extent(last ? x.rank() - 1 : 1), pixels = product(x.shape(), last ? 1 : 2, x.rank() - (last ? 1 : 0));
    check(c.self, pixels > 0, "input has no elements to pool: ", x);
    dims shape(x.rank(), 1);
    shape[0] = x.extent(0);
    shape[last ? x.rank() - 1 : 1] = channels;
    auto* const y = static_cast<std::uint8_t*>(byte_output(c, sy, shape).mutable_raw());
    const std::vector<std::int64_t> from = x.to_ints();
    const float scale = sx.scale / sy.scale / static_cast<float>(pixels);
    for (std::int64_t i = 0; i < element_count(shape); ++i) {
        std::int64_t sum = -std::int64_t{sx.zero} * pixels;
        for (std::int64_t p = 0; p < pixels; ++p) sum += from[static_cast<std::size_t>(last ? (i / channels * pixels + p) * channels + i % channels : i * pixels + p)];
        y[i] = nearest_byte(static_cast<float>(sum) * scale, sy);
    }
}

inline void infer_byte_function(infer_context& c) {
    c.output(0, c.type(0), c.shape(0));
}

inline void eval_byte_function(eval_context& c) {
    const tensor& x = c.input(0);
    const byte_scale sx = evaluated_scale(c, 1, 2), sy = evaluated_scale(c, 3, 4);
    check_bytes(c, x, sx);
    const bool sigmoid = c.self.op == "QLinearSigmoid";
    const float alpha = attr_float(c.self, "alpha", 0.01f);
    auto* const y = static_cast<std::uint8_t*>(byte_output(c, sy, x.shape()).mutable_raw());
    for (std::int64_t i = 0; i < x.size(); ++i) {
        const float v = centred_byte(x, i, sx.zero) * sx.scale;
        y[i] = nearest_byte((sigmoid ? 1 / (1 + std::exp(-v)) : v < 0 ? v * alpha : v) / sy.scale, sy);
    }
}

inline void infer_byte_concat(infer_context& c) {
    const std::int64_t axis = attr_int(c.self, "axis");
    symbolic_shape out = c.shape(2);
    for (std::size_t i = 2; i < c.input_count() && out.ranked(); i += 3) {
        const symbolic_shape& x = c.shape(i);
        if (!x.ranked()) {
            out = symbolic_shape();
            break;
        }
        check(c.self, x.rank() == out.rank() && x.rank() > 0, "inputs have ", out.rank(), " and ", x.rank(), " axes");
        const std::size_t at = normalize_axis(c.self, axis, x.rank());
        if (i > 2) out[at] = out[at].known() && x[at].known() ? dim(out[at].size + x[at].size) : dim();
    }
    c.output(0, c.type(2), out);
}

inline void eval_byte_concat(eval_context& c) {
    check(c.self, c.input_count() >= 5 && (c.input_count() - 2) % 3 == 0, "inputs must be a scale, a zero point, and three for each tensor");
    const byte_scale sy = evaluated_scale(c, 0, 1);
    const tensor& first = c.input(2);
    check(c.self, first.rank() > 0, "a scalar cannot be joined");
    const std::size_t axis = normalize_axis(c.self, attr_int(c.self, "axis"), first.rank());
    dims shape = first.shape();
    shape[axis] = 0;
    for (std::size_t i = 2; i < c.input_count(); i += 3) {
        const tensor& x = c.input(i);
        dims expected = shape, got = x.shape();
        check(c.self, x.rank() == first.rank(), "inputs have ", first.rank(), " and ", x.rank(), " axes");
        shape[axis] += got[axis];
        expected[axis] = got[axis] = 0;
        check(c.self, expected == got, "shapes ", first.shape(), " and ", x.shape(), " cannot be joined");
    }
    auto* const y = static_cast<std::uint8_t*>(byte_output(c, sy, shape).mutable_raw());
    const std::int64_t outer = product(shape, 0, axis), inner = product(shape, axis + 1, shape.size()), row = shape[axis] * inner;
    std::int64_t before = 0;
    for (std::size_t i = 2; i < c.input_count(); i += 3) {
        const tensor& x = c.input(i);
        const byte_scale sx = evaluated_scale(c, i + 1, i + 2);
        check_bytes(c, x, sx);
        const std::int64_t n = x.extent(axis) * inner;
        for (std::int64_t o = 0; o < outer; ++o)
            for (std::int64_t k = 0; k < n; ++k) y[o * row + before + k] = nearest_byte(centred_byte(x, o * n + k, sx.zero) * sx.scale / sy.scale, sy);
        before += n;
    }
}

inline void infer_byte_gemm(infer_context& c) {
    const symbolic_shape &a = c.shape(0), &b = c.shape(3);
    symbolic_shape out;
    if (a.ranked() && b.ranked()) {
        check(c.self, a.rank() == 2 && b.rank() == 2, "operands must be matrices, got ", a, " and ", b);
        out = symbolic_shape::of_rank(2);
        out[0] = a[attr_int(c.self, "transA", 0) != 0 ? 1 : 0];
        out[1] = b[attr_int(c.self, "transB", 0) != 0 ? 0 : 1];
    }
    c.output(0, !c.has_input(7) ? dtype::float32 : c.has_input(8) ? c.type(8) : c.type(0), out);
}

inline void eval_byte_gemm(eval_context& c) {
    const tensor &a = c.input(0), &b = c.input(3), &b_scale = c.input(4);
    const bool ta = attr_int(c.self, "transA", 0) != 0, tb = attr_int(c.self, "transB", 0) != 0;
    check(c.self, a.rank() == 2 && b.rank() == 2 && a.extent(ta ? 0 : 1) == b.extent(tb ? 1 : 0), "shapes ", a.shape(), " and ", b.shape(), " do not multiply");
    const std::int64_t m = a.extent(ta ? 1 : 0), k = a.extent(ta ? 0 : 1), n = b.extent(tb ? 0 : 1);
    const byte_scale sa = evaluated_scale(c, 1, 2);
    check_bytes(c, a, sa);
    const std::vector<std::int64_t> zeros = c.has_input(5) ? c.input(5).to_ints() : std::vector<std::int64_t>{0};
    const auto fits = [n](std::int64_t count) { return count == 1 || count == n; };
    check(c.self, is_byte(b.type()) && b_scale.type() == dtype::float32 && fits(b_scale.size()) && fits(static_cast<std::int64_t>(zeros.size())),
          "the right side must be 8-bit integers with one scale and zero point, or one for each of ", n, " columns");
    check(c.self, !c.has_input(6) || (c.input(6).type() == dtype::int32 && (fits(c.input(6).size()) || c.input(6).size() == m * n)), "the addend must be int32, for each column or element");
    const std::vector<std::int64_t> left = a.to_ints(), right = b.to_ints(), addend = c.has_input(6) ? c.input(6).to_ints() : std::vector<std::int64_t>{0};
    const bool floats = !c.has_input(7);
    const byte_scale sy = floats ? byte_scale{1, 0, false} : evaluated_scale(c, 7, 8);
    const float alpha = attr_float(c.self, "alpha", 1);
    tensor& y = floats ? c.output(0, dtype::float32, {m, n}) : byte_output(c, sy, {m, n});
    for_each_index(m * n, k, [&](std::int64_t at) {
        const std::int64_t i = at / n, j = at % n;
        const auto size = static_cast<std::int64_t>(addend.size());
        std::int64_t sum = addend[static_cast<std::size_t>(size == 1 ? 0 : size == n ? j : at)];
        for (std::int64_t l = 0; l < k; ++l)
            sum += (left[static_cast<std::size_t>(ta ? l * m + i : i * k + l)] - sa.zero) *
                   (right[static_cast<std::size_t>(tb ? j * k + l : l * n + j)] - zeros[zeros.size() == 1 ? 0 : static_cast<std::size_t>(j)]);
        const float scale = alpha * sa.scale * b_scale.data<float>()[b_scale.size() == 1 ? 0 : j] / sy.scale, v = static_cast<float>(sum) * scale;
        if (floats) y.mutable_data<float>()[at] = v;
        else static_cast<std::uint8_t*>(y.mutable_raw())[at] = nearest_byte(v, sy);
    });
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> microsoft_ops() {
    static constexpr op_def table[] = {
        {.name = "QLinearAdd", .domain = "com.microsoft", .min_inputs = 7, .max_inputs = 8, .infer = detail::infer_byte_pair, .eval = detail::eval_byte_pair,
         .results = exactness::rounding},
        {.name = "QLinearMul", .domain = "com.microsoft", .min_inputs = 7, .max_inputs = 8, .infer = detail::infer_byte_pair, .eval = detail::eval_byte_pair,
         .results = exactness::rounding},
        {.name = "QLinearGlobalAveragePool", .domain = "com.microsoft", .min_inputs = 5, .max_inputs = 5, .attributes = "channels_last:int",
         .infer = detail::infer_byte_mean, .eval = detail::eval_byte_mean, .results = exactness::rounding},
        {.name = "QLinearSigmoid", .domain = "com.microsoft", .min_inputs = 4, .max_inputs = 5, .infer = detail::infer_byte_function, .eval = detail::eval_byte_function,
         .results = exactness::rounding},
        {.name = "QLinearLeakyRelu", .domain = "com.microsoft", .min_inputs = 4, .max_inputs = 5, .attributes = "alpha:float", .infer = detail::infer_byte_function,
         .eval = detail::eval_byte_function, .results = exactness::rounding},
        {.name = "QLinearConcat", .domain = "com.microsoft", .min_inputs = 5, .max_inputs = -1, .attributes = "axis:int", .infer = detail::infer_byte_concat,
         .eval = detail::eval_byte_concat, .results = exactness::rounding},
        {.name = "QGemm", .domain = "com.microsoft", .min_inputs = 6, .max_inputs = 9, .attributes = "alpha:float transA:int transB:int", .infer = detail::infer_byte_gemm,
         .eval = detail::eval_byte_gemm, .results = exactness::rounding},
    };
    return table;
}

}  // namespace ocelli::nn
