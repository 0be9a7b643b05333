#pragma once

#include <ocelli/nn/ops/conv.hpp>
#include <ocelli/nn/ops/detail/widen.hpp>
#include <ocelli/nn/ops/support.hpp>

namespace ocelli::nn {

namespace detail {

OCELLI_INLINE void infer_conv(infer_context& c) {
    const symbolic_shape& x = c.shape(0);
    const symbolic_shape& w = c.shape(1);
    if (!x.ranked() || !w.ranked()) return c.output(0, c.type(0), {});
    check(c.self, x.rank() >= 3 && x.rank() <= 5, "input must have shape (N, C, ...) with 1 to 3 spatial axes, got ", x);
    check(c.self, w.rank() == x.rank(), "weights must have as many axes as the input, got ", w, " and ", x);
    std::vector<dim> out(x.rank());
    out[0] = x[0];
    out[1] = w[0];
    const std::size_t spatial = x.rank() - 2;
    dims kernel = attr_ints(c.self, "kernel_shape", {});
    if (kernel.empty())
        for (std::size_t i = 0; i < spatial; ++i) kernel.push_back(w[i + 2].size);
    check(c.self, kernel.size() == spatial, "kernel_shape has the wrong length");
    for (std::size_t i = 0; i < spatial; ++i) {
        check(c.self, !w[i + 2].known() || w[i + 2].size == kernel[i], "kernel_shape ", kernel,
              " contradicts the weights' shape ", w);
        if (kernel[i] < 0) return c.output(0, c.type(0), std::move(out));
    }
    // Axis by axis: an unknown width does not hide a known height.
    dims extents(spatial);
    for (std::size_t i = 0; i < spatial; ++i) extents[i] = x[i + 2].known() ? x[i + 2].size : std::int64_t{1} << 30;
    const windows geometry = window_geometry(c.self, extents, kernel);
    for (std::size_t i = 0; i < spatial; ++i)
        if (x[i + 2].known()) out[i + 2] = geometry.output[i];
    c.output(0, c.type(0), std::move(out));
}

OCELLI_INLINE void eval_conv(eval_context& c) {
    const tensor& x = c.input(0);
    const tensor& w = c.input(1);
    const std::int64_t group = attr_int(c.self, "group", 1);
    check(c.self, x.rank() >= 3 && x.rank() <= 5 && w.rank() == x.rank(), "input and weights must have shapes (N, C, ...) and (M, C / group, ...), got ",
          text(x), " and ", text(w));
    check(c.self, group >= 1 && x.extent(1) == w.extent(1) * group && w.extent(0) % group == 0, "channels do not fit: input ", text(x),
          ", weights ", text(w), ", group ", group);
    check(c.self, w.type() == x.type() && (!c.has_input(2) || c.input(2).type() == x.type()), "input, weights and bias must have one type");
    check(c.self, !c.has_input(2) || c.input(2).size() == w.extent(0), "bias must have one element per output channel");
    const dims spatial(x.shape().begin() + 2, x.shape().end());
    const dims kernel(w.shape().begin() + 2, w.shape().end());
    check(c.self, attr_ints(c.self, "kernel_shape", kernel) == kernel, "kernel_shape contradicts the weights' shape ", text(w));
    windows g = window_geometry(c.self, spatial, kernel);
    dims shape = {x.extent(0), w.extent(0)};
    shape.insert(shape.end(), g.output.begin(), g.output.end());

    // Three spatial axes always; missing ones in front have extent 1.
    const auto three = [](dims v, std::int64_t fill) {
        v.insert(v.begin(), 3 - v.size(), fill);
        return v;
    };
    const dims in = three(spatial, 1), k = three(kernel, 1), out = three(g.output, 1);
    const dims stride = three(g.strides, 1), dilation = three(g.dilations, 1), pad = three(g.pads_begin, 0);
    const std::int64_t in_size = in[0] * in[1] * in[2], out_size = out[0] * out[1] * out[2];
    const std::int64_t channels = w.extent(1), filters = w.extent(0), taps = k[0] * k[1] * k[2];

    // First and last output position whose tap falls inside the input, along one axis.
    const auto first_inside = [](std::int64_t offset, std::int64_t s) { return offset >= 0 ? 0 : (-offset + s - 1) / s; };
    const auto end_inside = [](std::int64_t offset, std::int64_t s, std::int64_t extent, std::int64_t count) {
        return offset >= extent ? 0 : std::min(count, (extent - 1 - offset) / s + 1);
    };
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        tensor& y = c.output(0, x.type(), shape);
        std::vector<double> sum(static_cast<std::size_t>(out_size));
        const std::int64_t step = stride[2];
        for (std::int64_t n = 0; n < x.extent(0); ++n)
            for (std::int64_t m = 0; m < filters; ++m) {
                std::fill(sum.begin(), sum.end(), c.has_input(2) ? static_cast<double>(c.input(2).data<T>()[m]) : 0.0);
                const std::int64_t first_channel = m / (filters / group) * channels;
                for (std::int64_t channel = 0; channel < channels; ++channel) {
                    const T* plane = x.data<T>() + (n * x.extent(1) + first_channel + channel) * in_size;
                    const T* weights = w.data<T>() + (m * channels + channel) * taps;
                    for (std::int64_t tap = 0; tap < taps; ++tap) {
                        const double weight = static_cast<double>(weights[tap]);
                        const std::int64_t dz = tap / (k[1] * k[2]) * dilation[0] - pad[0];
                        const std::int64_t dy = tap / k[2] % k[1] * dilation[1] - pad[1];
                        const std::int64_t dx = tap % k[2] * dilation[2] - pad[2];
                        const std::int64_t z0 = first_inside(dz, stride[0]), z1 = end_inside(dz, stride[0], in[0], out[0]);
                        const std::int64_t v0 = first_inside(dy, stride[1]), v1 = end_inside(dy, stride[1], in[1], out[1]);
                        const std::int64_t u0 = first_inside(dx, step), u1 = end_inside(dx, step, in[2], out[2]);
                        for (std::int64_t z = z0; z < z1; ++z)
                            for (std::int64_t v = v0; v < v1; ++v) {
                                double* row = sum.data() + (z * out[1] + v) * out[2];
                                const T* from = plane + ((z * stride[0] + dz) * in[1] + v * stride[1] + dy) * in[2] + dx;
                                for (std::int64_t u = u0; u < u1; ++u) row[u] += weight * static_cast<double>(from[u * step]);
                            }
                    }
                }
                T* to = y.mutable_data<T>() + (n * filters + m) * out_size;
                for (std::int64_t i = 0; i < out_size; ++i) to[i] = static_cast<T>(sum[static_cast<std::size_t>(i)]);
            }
    });
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> conv_ops() {
    static constexpr op_def table[] = {
        {.name = "Conv", .min_inputs = 2, .max_inputs = 3,
         .attributes = "auto_pad:string dilations:ints group:int kernel_shape:ints pads:ints strides:ints",
         .infer = detail::infer_conv, .eval = detail::in_float<detail::eval_conv>, .results = exactness::rounding},
    };
    return table;
}

}  // namespace ocelli::nn
