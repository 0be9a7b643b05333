#pragma once

#include <ocelli/nn/detail/planes.hpp>
#include <ocelli/nn/ops/detail/widen.hpp>
#include <ocelli/nn/ops/quantize.hpp>

#include <cmath>
#include <limits>

namespace ocelli::nn {

namespace detail {

using quantized_types = type_list<std::uint8_t, std::int8_t, std::uint16_t, std::int16_t>;
using dequantized_types = type_list<std::uint8_t, std::int8_t, std::uint16_t, std::int16_t, std::int32_t>;

/// Where the scale of each element of a tensor lies.
struct scale_layout {
    std::int64_t outer = 1, extent = 1, inner = 1;  // (outer, axis, inner)
    std::int64_t block = 0;                         // elements of the axis that share a scale; 0: one scale for everything
    std::int64_t scales_along = 1;

    bool per_axis = false;

    std::int64_t operator()(std::int64_t o, std::int64_t k, std::int64_t i) const noexcept {
        return block == 0 ? 0 : per_axis ? k : (o * scales_along + k / block) * inner + i;
    }
};

inline scale_layout scales_of(const node& n, const tensor& x, const tensor& scale) {
    scale_layout s;
    const std::int64_t block = attr_int(n, "block_size", 0);
    check(n, block >= 0, "block_size must not be negative, got ", block);
    if (block == 0 && scale.size() == 1 && scale.rank() <= 1) {
        s.inner = x.size();
        return s;
    }
    const std::size_t axis = normalize_axis(n, attr_int(n, "axis", 1), x.rank());
    s.outer = product(x.shape(), 0, axis);
    s.extent = x.extent(axis);
    s.inner = product(x.shape(), axis + 1, x.rank());
    if (block == 0) {
        check(n, scale.rank() == 1 && scale.size() == s.extent, "scale must have one element for each of ", s.extent, " along the axis, got ", text(scale));
        s.block = 1;
        s.scales_along = s.extent;
        s.per_axis = true;
        return s;
    }
    dims expected = x.shape();
    expected[axis] = s.extent == 0 ? 0 : (s.extent - 1) / block + 1;
    check(n, scale.shape() == expected, "scale must have shape ", ocelli::detail::shape_text(expected), " for blocks of ", block, ", got ", text(scale));
    s.block = block;
    s.scales_along = expected[axis];
    return s;
}

// Calls f(index of the element, index of its scale).
template <class F>
void each_scaled(const scale_layout& s, F&& f) {
    for_each_index(s.outer * s.extent, s.inner, [&](std::int64_t row) {
        for (std::int64_t i = 0; i < s.inner; ++i) f(row * s.inner + i, s(row / s.extent, row % s.extent, i));
    });
}

inline std::vector<std::int64_t> zero_points(const node& n, const tensor* zero, std::int64_t scales) {
    if (zero == nullptr) return std::vector<std::int64_t>(static_cast<std::size_t>(scales), 0);
    check(n, zero->size() == scales, "zero point must have the shape of the scale, got ", text(*zero));
    return zero->to_ints();
}

template <class T>
T saturated(double v, std::int64_t zero) noexcept {
    if (ocelli::detail::is_nan(v)) return static_cast<T>(zero);
    const double shifted = std::nearbyint(v) + static_cast<double>(zero);
    return static_cast<T>(std::clamp(shifted, static_cast<double>(std::numeric_limits<T>::lowest()), static_cast<double>(std::numeric_limits<T>::max())));
}

inline dtype quantized_type(const node& n, dtype zero_point) {
    const std::int64_t wanted = attr_int(n, "output_dtype", 0);
    check<unsupported_operator>(n, wanted >= 0 && wanted < 256, "output_dtype ", wanted, " is not supported");
    if (wanted != 0) return static_cast<dtype>(wanted);
    return zero_point == dtype::undefined ? dtype::uint8 : zero_point;
}

inline void infer_quantize(infer_context& c) {
    c.output(0, c.has_input(2) && c.type(2) == dtype::undefined ? dtype::undefined : quantized_type(c.self, c.type(2)), c.shape(0));
}

inline void eval_quantize(eval_context& c) {
    const tensor& x = c.input(0);
    const tensor& scale = c.input(1);
    const dtype type = quantized_type(c.self, c.has_input(2) ? c.input(2).type() : dtype::undefined);
    const scale_layout layout = scales_of(c.self, x, scale);
    const auto scales = doubles(scale);
    const auto zeros = zero_points(c.self, c.has_input(2) ? &c.input(2) : nullptr, scale.size());
    // Results as int64 in the range of their type, stored narrow behind.
    double low = 0, high = 0;
    dispatch(c.self, quantized_types{}, type, [&]<class T>(type_tag<T>) {
        low = static_cast<double>(std::numeric_limits<T>::lowest());
        high = static_cast<double>(std::numeric_limits<T>::max());
    });
    tensor result(dtype::int64, x.shape());
    std::int64_t* y = result.mutable_data<std::int64_t>();
    const tensor input = x.type() == dtype::int32 ? converted(x, dtype::float64) : x;
    dispatch(c.self, real_types{}, input.type(), [&]<class X>(type_tag<X>) {
        const X* from = input.data<X>();
        each_scaled(layout, [&](std::int64_t at, std::int64_t which) {
            // The division in the input's arithmetic decides what is a tie.
            const auto k = static_cast<std::size_t>(which);
            const auto quotient = static_cast<double>(from[at] / static_cast<X>(scales[k]));
            y[at] = ocelli::detail::is_nan(quotient) ? zeros[k] : static_cast<std::int64_t>(std::clamp(std::nearbyint(quotient) + static_cast<double>(zeros[k]), low, high));
        });
    });
    convert_into(result, c.output(0, type, x.shape()));
}

inline void infer_dequantize(infer_context& c) {
    c.output(0, c.type(1), c.shape(0));
}

inline void eval_dequantize(eval_context& c) {
    const tensor& x = c.input(0);
    const tensor& scale = c.input(1);
    const scale_layout layout = scales_of(c.self, x, scale);
    const auto scales = doubles(scale);
    const auto zeros = zero_points(c.self, c.has_input(2) ? &c.input(2) : nullptr, scale.size());
    dispatch(c.self, dequantized_types{}, x.type(), [](auto) {});
    const tensor wide = converted(x, dtype::float64);  // holds 32-bit integers exactly
    const double* from = wide.data<double>();
    dispatch(c.self, real_types{}, scale.type(), [&]<class T>(type_tag<T>) {
        T* y = c.output(0, scale.type(), x.shape()).template mutable_data<T>();
        each_scaled(layout, [&](std::int64_t at, std::int64_t which) {
            const auto k = static_cast<std::size_t>(which);
            y[at] = static_cast<T>((from[at] - static_cast<double>(zeros[k])) * scales[k]);
        });
    });
}

inline void infer_dynamic_quantize(infer_context& c) {
    c.output(0, dtype::uint8, c.shape(0));
    c.output(1, dtype::float32, symbolic_shape(dims{}));
    c.output(2, dtype::uint8, symbolic_shape(dims{}));
}

inline void eval_dynamic_quantize(eval_context& c) {
    const tensor& x = c.input(0);
    const float* from = x.data<float>();
    float low = 0, high = 0;
    for (std::int64_t i = 0; i < x.size(); ++i) {
        low = std::min(low, from[i]);
        high = std::max(high, from[i]);
    }
    const float scale = high == low ? 1.0f : (high - low) / 255.0f;
    const auto zero = saturated<std::uint8_t>(static_cast<double>(-low / scale), 0);
    std::uint8_t* y = c.output(0, dtype::uint8, x.shape()).mutable_data<std::uint8_t>();
    for (std::int64_t i = 0; i < x.size(); ++i) y[i] = saturated<std::uint8_t>(static_cast<double>(from[i] / scale), zero);
    c.set_output(1, tensor::scalar(scale));
    c.set_output(2, tensor::scalar(zero));
}

// --- integer products -------------------------------------------------------------------------------------------------------

// x - zero as int32, the zero point for the whole tensor or along `axis`.
inline std::vector<std::int32_t> centred(const node& n, const tensor& x, const tensor* zero, std::size_t axis) {
    check<unsupported_operator>(n, x.type() == dtype::uint8 || x.type() == dtype::int8, "element type ", name(x.type()), " is not supported");
    const auto values = x.to_ints();
    std::vector<std::int32_t> out(values.size());
    const auto zeros = zero == nullptr ? std::vector<std::int64_t>{0} : zero->to_ints();
    const std::int64_t inner = axis < x.rank() ? product(x.shape(), axis + 1, x.rank()) : 1, extent = axis < x.rank() ? x.extent(axis) : 1;
    // Zero points with axes of their own: for each matrix one per row, or one per column.
    const std::int64_t lead = x.rank() >= 2 ? product(x.shape(), 0, x.rank() - 2) : 1, whole = lead == 0 ? 1 : std::max<std::int64_t>(1, x.size() / lead);
    const bool per_matrix = zero != nullptr && zero->rank() == x.rank() && x.rank() >= 2 && axis + 2 >= x.rank() &&
                            static_cast<std::int64_t>(zeros.size()) == lead * extent;
    check(n, zeros.size() == 1 || per_matrix || (axis < x.rank() && static_cast<std::int64_t>(zeros.size()) == extent),
          "zero point must have one element, or one for each of ", extent, " channels, got ", zeros.size());
    for (std::size_t i = 0; i < out.size(); ++i) {
        const auto at = static_cast<std::int64_t>(i);
        const std::int64_t channel = at / inner % extent;
        const std::int64_t which = zeros.size() == 1 ? 0 : per_matrix ? at / whole * extent + channel : channel;
        out[i] = static_cast<std::int32_t>(values[i] - zeros[static_cast<std::size_t>(which)]);
    }
    return out;
}

inline dims matmul_shape(const node& n, const dims& a, const dims& b) {
    check(n, a.size() >= 2 && b.size() >= 2 && a.back() == b[b.size() - 2], "shapes ", ocelli::detail::shape_text(a), " and ", ocelli::detail::shape_text(b),
          " cannot be multiplied (two axes at least)");
    dims out = broadcast_shape(n, dims(a.begin(), a.end() - 2), dims(b.begin(), b.end() - 2));
    out.push_back(a[a.size() - 2]);
    out.push_back(b.back());
    return out;
}

// sink(element, its column, the sum) for every element of the product.
template <class Sink>
void integer_matmul(const dims& a_shape, const std::vector<std::int32_t>& a, const dims& b_shape, const std::vector<std::int32_t>& b, const dims& out, Sink&& sink) {
    const std::int64_t rows = out[out.size() - 2], columns = out.back(), depth = a_shape.back();
    const dims batch(out.begin(), out.end() - 2);
    const dims a_step = broadcast_strides(dims(a_shape.begin(), a_shape.end() - 2), batch), b_step = broadcast_strides(dims(b_shape.begin(), b_shape.end() - 2), batch);
    for_each_index(element_count(batch) * rows, columns * depth, [&](std::int64_t at) {
        std::int64_t rest = at / rows, ia = 0, ib = 0;
        for (std::size_t d = batch.size(); d-- > 0;) {
            ia += rest % batch[d] * a_step[d];
            ib += rest % batch[d] * b_step[d];
            rest /= batch[d];
        }
        const std::int32_t* left = a.data() + (ia * rows + at % rows) * depth;
        const std::int32_t* right = b.data() + ib * depth * columns;
        std::vector<std::int64_t> sum(static_cast<std::size_t>(columns), 0);
        for (std::int64_t k = 0; k < depth; ++k)
            for (std::int64_t j = 0; j < columns; ++j) sum[static_cast<std::size_t>(j)] += static_cast<std::int64_t>(left[k]) * right[k * columns + j];
        for (std::int64_t j = 0; j < columns; ++j) sink(at * columns + j, j, sum[static_cast<std::size_t>(j)]);
    });
}

inline symbolic_shape inferred_matmul(const infer_context& c, std::size_t a, std::size_t b) {
    const auto x = c.shape(a).concrete(), y = c.shape(b).concrete();
    return x && y ? symbolic_shape(matmul_shape(c.self, *x, *y)) : symbolic_shape();
}

inline void infer_matmul_integer(infer_context& c) {
    c.output(0, dtype::int32, inferred_matmul(c, 0, 1));
}

inline void eval_matmul_integer(eval_context& c) {
    const tensor& a = c.input(0);
    const tensor& b = c.input(1);
    const dims shape = matmul_shape(c.self, a.shape(), b.shape());
    const auto x = centred(c.self, a, c.has_input(2) ? &c.input(2) : nullptr, a.rank() - 2);
    const auto y = centred(c.self, b, c.has_input(3) ? &c.input(3) : nullptr, b.rank() - 1);
    std::int32_t* out = c.output(0, dtype::int32, shape).mutable_data<std::int32_t>();
    integer_matmul(a.shape(), x, b.shape(), y, shape, [&](std::int64_t at, std::int64_t, std::int64_t sum) { out[at] = static_cast<std::int32_t>(sum); });
}

inline void infer_qlinear_matmul(infer_context& c) {
    c.output(0, c.type(7), inferred_matmul(c, 0, 3));
}

inline void eval_qlinear_matmul(eval_context& c) {
    const tensor& a = c.input(0);
    const tensor& b = c.input(3);
    const dims shape = matmul_shape(c.self, a.shape(), b.shape());
    const auto x = centred(c.self, a, &c.input(2), a.rank() - 2);
    const auto y = centred(c.self, b, &c.input(5), b.rank() - 1);
    // Scales: one, or one for each row of the first and the result, each column of the second matrix; of each matrix where they have axes of their own.
    const std::int64_t rows = shape[shape.size() - 2], columns = shape.back(), matrices = product(shape, 0, shape.size() - 2);
    const auto scales_of = [&](std::size_t i, std::int64_t extent) {
        const auto wide = doubles(c.input(i));
        std::vector<float> scale(wide.begin(), wide.end());
        const auto count = static_cast<std::int64_t>(scale.size());
        check(c.self, count == 1 || count == extent || count == matrices * extent, "input ", i, " must have one element, one for each of ", extent,
              " rows or columns, or as many for each of ", matrices, " matrices, got ", text(c.input(i)));
        return scale;
    };
    const auto a_scale = scales_of(1, rows), b_scale = scales_of(4, columns), out_scale = scales_of(6, rows);
    const auto pick = [](const std::vector<float>& scale, std::int64_t matrix, std::int64_t extent, std::int64_t at) {
        const auto count = static_cast<std::int64_t>(scale.size());
        return scale[static_cast<std::size_t>(count == 1 ? 0 : count == extent ? at : matrix * extent + at)];
    };
    const auto zeros = c.input(7).to_ints();
    check(c.self, zeros.size() == 1 || static_cast<std::int64_t>(zeros.size()) == rows, "the result's zero point must have one element, or one per row, got ", zeros.size());
    dispatch(c.self, type_list<std::uint8_t, std::int8_t>{}, c.input(7).type(), [&]<class T>(type_tag<T>) {
        T* out = c.output(0, c.input(7).type(), shape).template mutable_data<T>();
        integer_matmul(a.shape(), x, b.shape(), y, shape, [&](std::int64_t at, std::int64_t column, std::int64_t sum) {
            const std::int64_t row = at / columns % rows, matrix = at / (rows * columns);
            const float scale = pick(a_scale, matrix, rows, row) * pick(b_scale, matrix, columns, column) / pick(out_scale, matrix, rows, row);
            out[at] = saturated<T>(static_cast<double>(static_cast<float>(sum) * scale), zeros[zeros.size() == 1 ? 0 : static_cast<std::size_t>(row)]);
        });
    });
}

inline symbolic_shape inferred_conv(const infer_context& c, std::size_t x_at, std::size_t w_at) {
    const auto x = c.shape(x_at).concrete(), w = c.shape(w_at).concrete();
    if (!x || !w || x->size() < 3 || w->size() != x->size()) return {};
    const windows g = window_geometry(c.self, dims(x->begin() + 2, x->end()), dims(w->begin() + 2, w->end()));
    dims out = {(*x)[0], (*w)[0]};
    out.insert(out.end(), g.output.begin(), g.output.end());
    return symbolic_shape(out);
}

// sink(element, its filter, the sum); returns through `shape_to` before the first call.
template <class ShapeTo, class Sink>
void integer_conv(const node& n, const tensor& x, const std::vector<std::int32_t>& from, const tensor& w, const std::vector<std::int32_t>& weights, ShapeTo&& shape_to,
                  Sink&& sink) {
    const std::int64_t group = attr_int(n, "group", 1);
    check(n, x.rank() >= 3 && x.rank() <= 5 && w.rank() == x.rank() && group >= 1 && x.extent(1) == w.extent(1) * group && w.extent(0) % group == 0,
          "channels do not fit: input ", text(x), ", weights ", text(w), ", group ", group);
    const dims spatial(x.shape().begin() + 2, x.shape().end()), kernel(w.shape().begin() + 2, w.shape().end());
    check(n, attr_ints(n, "kernel_shape", kernel) == kernel, "kernel_shape contradicts the weights' shape ", text(w));
    const windows g = window_geometry(n, spatial, kernel);
    dims shape = {x.extent(0), w.extent(0)};
    shape.insert(shape.end(), g.output.begin(), g.output.end());
    shape_to(shape);
    const plane_windows p(spatial, g);
    const std::int64_t taps = p.kernel[0] * p.kernel[1] * p.kernel[2], channels = w.extent(1), filters = w.extent(0);
    for_each_index(x.extent(0) * filters, p.out_size * taps * channels, [&](std::int64_t plane) {
        const std::int64_t image = plane / filters, m = plane % filters;
        std::vector<std::int64_t> sum(static_cast<std::size_t>(p.out_size), 0);
        for (std::int64_t k = 0; k < channels; ++k) {
            const std::int32_t* in = from.data() + (image * x.extent(1) + m / (filters / group) * channels + k) * p.in_size;
            for (std::int64_t tap = 0; tap < taps; ++tap) {
                const std::int64_t weight = weights[static_cast<std::size_t>((m * channels + k) * taps + tap)];
                const std::int64_t dz = tap / (p.kernel[1] * p.kernel[2]) * p.dilation[0] - p.pad[0];
                const std::int64_t dy = tap / p.kernel[2] % p.kernel[1] * p.dilation[1] - p.pad[1];
                const std::int64_t dx = tap % p.kernel[2] * p.dilation[2] - p.pad[2];
                const std::int64_t z1 = end_inside(dz, p.stride[0], p.in[0], p.out[0]), v1 = end_inside(dy, p.stride[1], p.in[1], p.out[1]);
                const std::int64_t u0 = first_inside(dx, p.stride[2]), u1 = end_inside(dx, p.stride[2], p.in[2], p.out[2]);
                for (std::int64_t z = first_inside(dz, p.stride[0]); z < z1; ++z)
                    for (std::int64_t v = first_inside(dy, p.stride[1]); v < v1; ++v) {
                        const std::int32_t* row = in + ((z * p.stride[0] + dz) * p.in[1] + v * p.stride[1] + dy) * p.in[2];
                        std::int64_t* to = sum.data() + (z * p.out[1] + v) * p.out[2];
                        for (std::int64_t u = u0; u < u1; ++u) to[u] += weight * row[u * p.stride[2] + dx];
                    }
            }
        }
        for (std::int64_t i = 0; i < p.out_size; ++i) sink(plane * p.out_size + i, m, sum[static_cast<std::size_t>(i)]);
    });
}

inline void infer_conv_integer(infer_context& c) {
    c.output(0, dtype::int32, inferred_conv(c, 0, 1));
}

inline void eval_conv_integer(eval_context& c) {
    const auto x = centred(c.self, c.input(0), c.has_input(2) ? &c.input(2) : nullptr, 1);
    const auto w = centred(c.self, c.input(1), c.has_input(3) ? &c.input(3) : nullptr, 0);
    std::int32_t* out = nullptr;
    integer_conv(
        c.self, c.input(0), x, c.input(1), w, [&](const dims& shape) { out = c.output(0, dtype::int32, shape).mutable_data<std::int32_t>(); },
        [&](std::int64_t at, std::int64_t, std::int64_t sum) { out[at] = static_cast<std::int32_t>(sum); });
}

inline void infer_qlinear_conv(infer_context& c) {
    c.output(0, c.type(7), inferred_conv(c, 0, 3));
}

inline void eval_qlinear_conv(eval_context& c) {
    const tensor& w = c.input(3);
    const auto x = centred(c.self, c.input(0), &c.input(2), 1);
    const auto weights = centred(c.self, w, &c.input(5), 0);
    const auto x_scale = static_cast<float>(c.input(1).item()), out_scale = static_cast<float>(c.input(6).item());
    const auto w_wide = doubles(c.input(4));
    const std::vector<float> w_scale(w_wide.begin(), w_wide.end());
    check(c.self, w_scale.size() == 1 || static_cast<std::int64_t>(w_scale.size()) == w.extent(0), "the weights' scale must have one element, or one per filter");
    check(c.self, !c.has_input(8) || c.input(8).size() == w.extent(0), "bias must have one element per filter");
    const auto bias = c.has_input(8) ? c.input(8).to_ints() : std::vector<std::int64_t>(static_cast<std::size_t>(w.extent(0)), 0);
    check(c.self, c.input(7).size() == 1, "the zero point of the result must be one number, got ", c.input(7));
    const std::int64_t zero = c.input(7).to_ints()[0];
    dispatch(c.self, type_list<std::uint8_t, std::int8_t>{}, c.input(7).type(), [&]<class T>(type_tag<T>) {
        T* out = nullptr;
        integer_conv(
            c.self, c.input(0), x, w, weights, [&](const dims& shape) { out = c.output(0, c.input(7).type(), shape).template mutable_data<T>(); },
            [&](std::int64_t at, std::int64_t m, std::int64_t sum) {
                const float scale = x_scale * w_scale[w_scale.size() == 1 ? 0 : static_cast<std::size_t>(m)] / out_scale;
                out[at] = saturated<T>(static_cast<double>(static_cast<float>(sum + bias[static_cast<std::size_t>(m)]) * scale), zero);
            });
    });
}

inline void eval_fake_quantize(eval_context& c) {
    const float scale = attr_float(c.self, "scale"), low = attr_float(c.self, "low");
    check(c.self, scale > 0 && low >= -255 && low <= 0, "scale must be positive and low in [-255, 0], got ", scale, " and ", low);
    const tensor& x = c.input(0);
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        T* const y = c.output(0, x.type(), x.shape()).template mutable_data<T>();
        const T* const from = x.data<T>();
        const double first = static_cast<double>(low);
        for_each_index(x.size(), 1, [&](std::int64_t i) {
            const auto quotient = static_cast<double>(from[i] / static_cast<T>(scale));
            y[i] = ocelli::detail::is_nan(quotient) ? T{} : static_cast<T>(std::clamp(std::nearbyint(quotient), first, first + 255) * static_cast<double>(scale));
        });
    });
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> quantize_ops() {
    static constexpr op_def table[] = {
        {.name = "FakeQuantize", .domain = "ocelli", .attributes = "scale:float low:float", .infer = infer_same, .eval = detail::in_float<detail::eval_fake_quantize>,
         .results = exactness::rounding},
        {.name = "QuantizeLinear", .since = 10, .min_inputs = 2, .max_inputs = 3, .attributes = "axis:int block_size:int output_dtype:int saturate:int",
         .infer = detail::infer_quantize, .eval = detail::in_float_for<detail::eval_quantize, type_list<float, double, float16, bfloat16, std::int32_t>>, .results = exactness::rounding},
        {.name = "DequantizeLinear", .since = 10, .min_inputs = 2, .max_inputs = 3, .attributes = "axis:int block_size:int",
         .infer = detail::infer_dequantize, .eval = detail::in_float_for<detail::eval_dequantize, all_types, 1>, .results = exactness::rounding},
        {.name = "DynamicQuantizeLinear", .since = 11, .max_outputs = 3, .infer = detail::infer_dynamic_quantize, .eval = detail::eval_dynamic_quantize,
         .results = exactness::rounding},
        {.name = "MatMulInteger", .since = 10, .min_inputs = 2, .max_inputs = 4, .infer = detail::infer_matmul_integer, .eval = detail::eval_matmul_integer},
        {.name = "QLinearMatMul", .since = 10, .min_inputs = 8, .max_inputs = 8, .infer = detail::infer_qlinear_matmul, .eval = detail::eval_qlinear_matmul,
         .results = exactness::rounding},
        {.name = "ConvInteger", .since = 10, .min_inputs = 2, .max_inputs = 4,
         .attributes = "auto_pad:string dilations:ints group:int kernel_shape:ints pads:ints strides:ints", .infer = detail::infer_conv_integer,
         .eval = detail::eval_conv_integer},
        {.name = "QLinearConv", .since = 10, .min_inputs = 8, .max_inputs = 9,
         .attributes = "auto_pad:string dilations:ints group:int kernel_shape:ints pads:ints strides:ints", .infer = detail::infer_qlinear_conv,
         .eval = detail::eval_qlinear_conv, .results = exactness::rounding},
    };
    return table;
}

}  // namespace ocelli::nn
