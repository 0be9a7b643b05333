#pragma once

#include <ocelli/nn/ops/pool.hpp>
#include <ocelli/nn/ops/support.hpp>

#include <limits>

namespace ocelli::nn {

namespace detail {

inline void infer_pool(infer_context& c) {
    const symbolic_shape& x = c.shape(0);
    const dims kernel = attr_ints(c.self, "kernel_shape");
    symbolic_shape out;
    if (x.ranked()) {
        check(c.self, x.rank() == kernel.size() + 2, "input must have shape (N, C, ...) with ", kernel.size(), " spatial axes, got ", nn::text(x));
        dims extents(kernel.size());
        for (std::size_t i = 0; i < kernel.size(); ++i) extents[i] = x[i + 2].known() ? x[i + 2].size : std::int64_t{1} << 30;
        const windows g = window_geometry(c.self, extents, kernel, attr_int(c.self, "ceil_mode", 0) != 0);
        out = symbolic_shape::of_rank(x.rank());
        out[0] = x[0];
        out[1] = x[1];
        for (std::size_t i = 0; i < kernel.size(); ++i)
            if (x[i + 2].known()) out[i + 2] = g.output[i];
    }
    c.output(0, c.type(0), out);
    c.output(1, dtype::int64, out);
}

inline void eval_max_pool(eval_context& c) {
    const tensor& x = c.input(0);
    const dims kernel = attr_ints(c.self, "kernel_shape");
    const std::size_t axes = kernel.size();
    check(c.self, axes >= 1 && axes <= 3 && x.rank() == axes + 2, "input must have shape (N, C, ...) with ", axes, " spatial axes (1 to 3), got ", text(x));
    const dims spatial(x.shape().begin() + 2, x.shape().end());
    const windows g = window_geometry(c.self, spatial, kernel, attr_int(c.self, "ceil_mode", 0) != 0);
    const bool column_major = attr_int(c.self, "storage_order", 0) != 0;
    dims shape = {x.extent(0), x.extent(1)};
    shape.insert(shape.end(), g.output.begin(), g.output.end());
    const auto three = [](dims v, std::int64_t fill) {
        v.insert(v.begin(), 3 - v.size(), fill);
        return v;
    };
    const dims in = three(spatial, 1), k = three(kernel, 1), out = three(g.output, 1);
    const dims stride = three(g.strides, 1), dilation = three(g.dilations, 1), pad = three(g.pads_begin, 0);
    const std::int64_t in_size = in[0] * in[1] * in[2], out_size = out[0] * out[1] * out[2];
    const bool indices = c.wants(1);
    dispatch(c.self, numeric_types{}, x.type(), [&]<class T>(type_tag<T>) {
        T* y = c.output(0, x.type(), shape).template mutable_data<T>();
        std::int64_t* where = indices ? c.output(1, dtype::int64, shape).template mutable_data<std::int64_t>() : nullptr;
        constexpr bool floating = is_floating_v<T>;
        const T lowest = floating ? static_cast<T>(-std::numeric_limits<float>::infinity()) : std::numeric_limits<T>::lowest();
        for (std::int64_t plane = 0; plane < x.extent(0) * x.extent(1); ++plane) {
            const T* from = x.data<T>() + plane * in_size;
            for (std::int64_t z = 0; z < out[0]; ++z)
                for (std::int64_t v = 0; v < out[1]; ++v)
                    for (std::int64_t u = 0; u < out[2]; ++u) {
                        T best = lowest;
                        std::int64_t best_at = 0;
                        for (std::int64_t a = 0; a < k[0]; ++a) {
                            const std::int64_t iz = z * stride[0] - pad[0] + a * dilation[0];
                            if (iz < 0 || iz >= in[0]) continue;
                            for (std::int64_t b = 0; b < k[1]; ++b) {
                                const std::int64_t iy = v * stride[1] - pad[1] + b * dilation[1];
                                if (iy < 0 || iy >= in[1]) continue;
                                for (std::int64_t e = 0; e < k[2]; ++e) {
                                    const std::int64_t ix = u * stride[2] - pad[2] + e * dilation[2];
                                    if (ix < 0 || ix >= in[2]) continue;
                                    const T here = from[(iz * in[1] + iy) * in[2] + ix];
                                    if (here > best || is_nan_element(here)) {  // a NaN wins, as in PyTorch
                                        best = here;
                                        best_at = column_major && axes == 2 ? ix * in[1] + iy : (iz * in[1] + iy) * in[2] + ix;
                                    }
                                }
                            }
                        }
                        const std::int64_t at = plane * out_size + (z * out[1] + v) * out[2] + u;
                        y[at] = best;
                        if (where != nullptr) where[at] = plane * in_size + best_at;
                    }
        }
    });
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> pool_ops() {
    static constexpr op_def table[] = {
        {.name = "MaxPool", .max_outputs = 2,
         .attributes = "auto_pad:string ceil_mode:int dilations:ints kernel_shape:ints pads:ints storage_order:int strides:ints",
         .infer = detail::infer_pool, .eval = detail::eval_max_pool},
    };
    return table;
}

}  // namespace ocelli::nn
