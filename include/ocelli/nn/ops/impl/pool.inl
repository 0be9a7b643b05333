#pragma once

#include <ocelli/features/pooling.hpp>
#include <ocelli/nn/detail/planes.hpp>
#include <ocelli/nn/ops/detail/widen.hpp>
#include <ocelli/nn/ops/pool.hpp>

#include <cmath>
#include <limits>

namespace ocelli::nn {

namespace detail {

inline void infer_pool(infer_context& c) {
    const symbolic_shape& x = c.shape(0);
    const dims kernel = attr_ints(c.self, "kernel_shape");
    symbolic_shape out;
    if (x.ranked()) {
        check(c.self, x.rank() == kernel.size() + 2, "input must have shape (N, C, ...) with ", kernel.size(), " spatial axes, got ", x);
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

struct pooling {
    plane_windows w;
    dims shape;
    std::int64_t planes;
};

inline pooling pool_geometry(eval_context& c) {
    const tensor& x = c.input(0);
    const dims kernel = attr_ints(c.self, "kernel_shape");
    const std::size_t axes = kernel.size();
    check(c.self, axes >= 1 && axes <= 3 && x.rank() == axes + 2, "input must have shape (N, C, ...) with ", axes, " spatial axes (1 to 3), got ",
          text(x));
    const dims spatial(x.shape().begin() + 2, x.shape().end());
    const windows g = window_geometry(c.self, spatial, kernel, attr_int(c.self, "ceil_mode", 0) != 0);
    dims shape = {x.extent(0), x.extent(1)};
    shape.insert(shape.end(), g.output.begin(), g.output.end());
    return {plane_windows(spatial, g), std::move(shape), x.extent(0) * x.extent(1)};
}

struct tap_range {
    std::int64_t first, end;
};
// The taps of the window at position o that meet the input.
inline tap_range taps_inside(const plane_windows& w, std::size_t axis, std::int64_t o) noexcept {
    const std::int64_t offset = o * w.stride[axis] - w.pad[axis];
    return {first_inside(offset, w.dilation[axis]), end_inside(offset, w.dilation[axis], w.in[axis], w.kernel[axis])};
}

// Fills each row of accumulators with `start`, calls step(acc[i], element) for each tap of each window, tap by tap so that rows are walked
// with unit stride, and end(acc, z, v) where the row is complete.
template <class T, class A, class Step, class End>
void pool_plane(const plane_windows& w, const T* from, std::vector<A>& acc, A start, Step step, End end) {
    // Taps along the row that any window of it uses.
    const std::int64_t e0 = first_inside((w.out[2] - 1) * w.stride[2] - w.pad[2], w.dilation[2]);
    const std::int64_t e1 = end_inside(-w.pad[2], w.dilation[2], w.in[2], w.kernel[2]);
    for (std::int64_t z = 0; z < w.out[0]; ++z)
        for (std::int64_t v = 0; v < w.out[1]; ++v) {
            std::fill(acc.begin(), acc.end(), start);
            const tap_range az = taps_inside(w, 0, z), by = taps_inside(w, 1, v);
            for (std::int64_t a = az.first; a < az.end; ++a) {
                const std::int64_t iz = z * w.stride[0] - w.pad[0] + a * w.dilation[0];
                for (std::int64_t b = by.first; b < by.end; ++b) {
                    const std::int64_t iy = v * w.stride[1] - w.pad[1] + b * w.dilation[1];
                    const T* row = from + (iz * w.in[1] + iy) * w.in[2];
                    for (std::int64_t e = e0; e < e1; ++e) {
                        const std::int64_t offset = e * w.dilation[2] - w.pad[2];
                        const std::int64_t u0 = first_inside(offset, w.stride[2]);
                        const std::int64_t u1 = end_inside(offset, w.stride[2], w.in[2], w.out[2]);
                        for (std::int64_t u = u0; u < u1; ++u) step(acc[static_cast<std::size_t>(u)], row[u * w.stride[2] + offset]);
                    }
                }
            }
            end(acc, z, v);
        }
}

template <class T>
constexpr arithmetic_t<T> lowest_element() noexcept {
    using A = arithmetic_t<T>;
    if constexpr (is_floating_v<T>) return -std::numeric_limits<A>::infinity();
    else return std::numeric_limits<T>::lowest();
}

using pooled_types = type_list<float, double, float16, bfloat16, std::int64_t, std::int32_t, std::uint8_t, std::int8_t, std::int16_t, std::uint16_t, std::uint32_t>;

inline void eval_max_pool(eval_context& c) {
    const tensor& x = c.input(0);
    const pooling p = pool_geometry(c);
    const plane_windows& w = p.w;
    const bool column_major = attr_int(c.self, "storage_order", 0) != 0 && x.rank() == 4;
    dispatch(c.self, type_list<float, double, std::int64_t>{}, x.type(), [&]<class T>(type_tag<T>) {
        using A = T;
        T* y = c.output(0, x.type(), p.shape).template mutable_data<T>();
        const T* all = x.data<T>();
        if constexpr (std::is_floating_point_v<T>) {
            // With indices and two axes at most, in one pass.
            const bool fits = w.in[0] == 1 && w.out[0] == 1 && w.kernel[0] == 1 && w.pad[0] == 0 && w.in_size < (std::int64_t{1} << 30) && w.kernel[1] < (1 << 16) && w.kernel[2] < (1 << 16);
            if (c.wants(1) && fits && !column_major) {
                const ocelli::detail::pool_windows windows{p.planes,    w.in[1],     w.in[2],  w.out[1], w.out[2],      w.kernel[1],  w.kernel[2],
                                                           w.stride[1], w.stride[2], w.pad[1], w.pad[2], w.dilation[1], w.dilation[2]};
                return ocelli::detail::max_pool(windows, all, y, c.output(1, dtype::int64, p.shape).template mutable_data<std::int64_t>(), w.in_size);
            }
        }
        for_each_index(p.planes, w.out_size * w.taps, [&](std::int64_t plane) {
            std::vector<A> acc(static_cast<std::size_t>(w.out[2]));
            T* to = y + plane * w.out_size;
            pool_plane(
                w, all + plane * w.in_size, acc, lowest_element<T>(),
                [](A& best, T element) {
                    const A here = static_cast<A>(element);
                    if (here > best || is_nan_element(here)) best = here;
                },
                [&](const std::vector<A>& row, std::int64_t z, std::int64_t v) {
                    for (std::int64_t u = 0; u < w.out[2]; ++u)
                        to[(z * w.out[1] + v) * w.out[2] + u] = static_cast<T>(row[static_cast<std::size_t>(u)]);
                });
        });
        if (!c.wants(1)) return;
        // Indices on their own pass: networks rarely ask for them. Of equal elements the first counts, of NaNs the last.
        std::int64_t* where = c.output(1, dtype::int64, p.shape).template mutable_data<std::int64_t>();
        for_each_index(p.planes, w.out_size * w.taps, [&](std::int64_t plane) {
            const T* from = all + plane * w.in_size;
            for (std::int64_t at = 0; at < w.out_size; ++at) {
                const std::int64_t z = at / (w.out[1] * w.out[2]), v = at / w.out[2] % w.out[1], u = at % w.out[2];
                A best = lowest_element<T>();
                std::int64_t best_at = -1;
                const tap_range az = taps_inside(w, 0, z), by = taps_inside(w, 1, v), eu = taps_inside(w, 2, u);
                for (std::int64_t a = az.first; a < az.end; ++a)
                    for (std::int64_t b = by.first; b < by.end; ++b)
                        for (std::int64_t e = eu.first; e < eu.end; ++e) {
                            const std::int64_t iz = z * w.stride[0] - w.pad[0] + a * w.dilation[0];
                            const std::int64_t iy = v * w.stride[1] - w.pad[1] + b * w.dilation[1];
                            const std::int64_t here_at = (iz * w.in[1] + iy) * w.in[2] + u * w.stride[2] - w.pad[2] + e * w.dilation[2];
                            const A here = static_cast<A>(from[here_at]);
                            if (best_at < 0 || here > best || is_nan_element(here)) {
                                best = here;
                                best_at = here_at;
                            }
                        }
                best_at = std::max<std::int64_t>(best_at, 0);
                if (column_major) best_at = best_at % w.in[2] * w.in[1] + best_at / w.in[2];
                where[plane * w.out_size + at] = plane * w.in_size + best_at;
            }
        });
    });
}

inline void eval_average_pool(eval_context& c) {
    const tensor& x = c.input(0);
    const pooling p = pool_geometry(c);
    const plane_windows& w = p.w;
    const bool include_pad = attr_int(c.self, "count_include_pad", 0) != 0;
    // How many taps of a window count, for each axis.
    std::array<std::vector<std::int64_t>, 3> taps;
    for (std::size_t axis = 0; axis < 3; ++axis)
        for (std::int64_t o = 0; o < w.out[axis]; ++o) {
            const tap_range inside = taps_inside(w, axis, o);
            const std::int64_t padded = end_inside(o * w.stride[axis] - w.pad[axis], w.dilation[axis], w.in[axis] + w.pad_end[axis], w.kernel[axis]);
            const std::int64_t n = include_pad ? padded : std::max<std::int64_t>(0, inside.end - inside.first);
            taps[axis].push_back(n);
        }
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        T* y = c.output(0, x.type(), p.shape).template mutable_data<T>();
        for_each_index(p.planes, w.out_size * w.taps, [&](std::int64_t plane) {
            std::vector<double> acc(static_cast<std::size_t>(w.out[2]));
            T* to = y + plane * w.out_size;
            pool_plane(
                w, x.data<T>() + plane * w.in_size, acc, 0.0, [](double& sum, T element) { sum += static_cast<double>(element); },
                [&](const std::vector<double>& row, std::int64_t z, std::int64_t v) {
                    const std::int64_t outer = taps[0][static_cast<std::size_t>(z)] * taps[1][static_cast<std::size_t>(v)];
                    for (std::int64_t u = 0; u < w.out[2]; ++u) {
                        const std::int64_t n = outer * taps[2][static_cast<std::size_t>(u)];
                        // A window that meets nothing but padding has mean 0.
                        to[(z * w.out[1] + v) * w.out[2] + u] =
                            static_cast<T>(n == 0 ? 0.0 : row[static_cast<std::size_t>(u)] / static_cast<double>(n));
                    }
                });
        });
    });
}

// |x|^p and s^(1/p), with the usual p = 1, 2 without pow().
inline double power_of(double x, double p) noexcept {
    const double a = std::abs(x);
    return p == 1 ? a : p == 2 ? a * a : std::pow(a, p);
}
inline double root_of(double s, double p) noexcept {
    return p == 1 ? s : p == 2 ? std::sqrt(s) : std::pow(s, 1.0 / p);
}
// A real number in operator set 1, an integer since.
inline double power_attribute(const node& n) {
    const double p = n.opset < 2 ? static_cast<double>(attr_float(n, "p", 2.0f)) : static_cast<double>(attr_int(n, "p", 2));
    check(n, p >= 1, "p must be at least 1, got ", p);
    return p;
}

inline void eval_lp_pool(eval_context& c) {
    const tensor& x = c.input(0);
    const pooling g = pool_geometry(c);
    const plane_windows& w = g.w;
    const double p = power_attribute(c.self);
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        T* y = c.output(0, x.type(), g.shape).template mutable_data<T>();
        for_each_index(g.planes, w.out_size * w.taps, [&](std::int64_t plane) {
            std::vector<double> acc(static_cast<std::size_t>(w.out[2]));
            T* to = y + plane * w.out_size;
            pool_plane(
                w, x.data<T>() + plane * w.in_size, acc, 0.0, [p](double& sum, T element) { sum += power_of(static_cast<double>(element), p); },
                [&](const std::vector<double>& row, std::int64_t z, std::int64_t v) {
                    for (std::int64_t u = 0; u < w.out[2]; ++u)
                        to[(z * w.out[1] + v) * w.out[2] + u] = static_cast<T>(root_of(row[static_cast<std::size_t>(u)], p));
                });
        });
    });
}

// --- whole planes -----------------------------------------------------------------------------------------------------------

inline void infer_global_pool(infer_context& c) {
    symbolic_shape shape = c.shape(0);
    if (shape.ranked()) {
        check(c.self, shape.rank() >= 3, "input must have shape (N, C, ...), got ", shape);
        for (std::size_t i = 2; i < shape.rank(); ++i) shape[i] = dim(1);
    }
    c.output(0, c.type(0), std::move(shape));
}

// fold(elements of a plane, their number) -> result
template <class Fold>
void eval_global_pool(eval_context& c, Fold fold) {
    const tensor& x = c.input(0);
    check(c.self, x.rank() >= 3, "input must have shape (N, C, ...), got ", text(x));
    dims shape(x.rank(), 1);
    shape[0] = x.extent(0);
    shape[1] = x.extent(1);
    const std::int64_t size = product(x.shape(), 2, x.rank());
    check(c.self, size > 0, "input has no elements to pool: ", text(x));
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        T* y = c.output(0, x.type(), shape).template mutable_data<T>();
        const T* from = x.data<T>();
        for_each_index(shape[0] * shape[1], size, [&](std::int64_t plane) { y[plane] = static_cast<T>(fold(from + plane * size, size)); });
    });
}

inline void eval_global_average_pool(eval_context& c) {
    eval_global_pool(c, []<class T>(const T* x, std::int64_t n) {
        // Four sums, so that additions need not wait for each other.
        double s[4] = {};
        std::int64_t i = 0;
        for (; i + 4 <= n; i += 4)
            for (int k = 0; k < 4; ++k) s[k] += static_cast<double>(x[i + k]);
        for (; i < n; ++i) s[0] += static_cast<double>(x[i]);
        return ((s[0] + s[1]) + (s[2] + s[3])) / static_cast<double>(n);
    });
}

inline void eval_global_max_pool(eval_context& c) {
    eval_global_pool(c, []<class T>(const T* x, std::int64_t n) {
        using A = arithmetic_t<T>;
        A best = lowest_element<T>();
        for (std::int64_t i = 0; i < n; ++i) {
            const A here = static_cast<A>(x[i]);
            if (here > best || is_nan_element(here)) best = here;
        }
        return best;
    });
}

inline void eval_global_lp_pool(eval_context& c) {
    const double p = power_attribute(c.self);
    eval_global_pool(c, [p]<class T>(const T* x, std::int64_t n) {
        double sum = 0;
        for (std::int64_t i = 0; i < n; ++i) sum += power_of(static_cast<double>(x[i]), p);
        return root_of(sum, p);
    });
}

// --- max unpooling ----------------------------------------------------------------------------------------------------------

/// The shape that a MaxPool with the node's attributes has pooled to `in`.
inline dims unpooled_shape(const node& n, const dims& in) {
    const dims kernel = attr_ints(n, "kernel_shape");
    const std::size_t axes = kernel.size();
    const dims strides = attr_ints(n, "strides", dims(axes, 1));
    const dims pads = attr_ints(n, "pads", dims(2 * axes, 0));
    check(n, in.size() == axes + 2 && strides.size() == axes && pads.size() == 2 * axes,
          "input must have shape (N, C, ...) with as many spatial axes as kernel_shape, strides and pads, got ", ocelli::detail::shape_text(in));
    dims out = {in[0], in[1]};
    constexpr std::int64_t limit = std::int64_t{1} << 30;
    for (std::size_t i = 0; i < axes; ++i) {
        check(n, kernel[i] >= 1 && kernel[i] < limit && strides[i] >= 1 && strides[i] < limit && std::abs(pads[i]) < limit &&
                     std::abs(pads[i + axes]) < limit && in[i + 2] < limit,
              "kernel_shape, strides or pads are out of range");
        out.push_back((in[i + 2] - 1) * strides[i] + kernel[i] - pads[i] - pads[i + axes]);
        check(n, out.back() >= 0, "pads are larger than the result");
    }
    return out;
}

inline void infer_max_unpool(infer_context& c) {
    if (c.has_input(2)) {
        const auto shape = c.constant_ints(2);
        c.output(0, c.type(0), shape ? symbolic_shape(*shape) : c.shape(0).ranked() ? symbolic_shape::of_rank(c.shape(0).rank()) : symbolic_shape());
    } else if (const auto in = c.shape(0).concrete()) c.output(0, c.type(0), symbolic_shape(unpooled_shape(c.self, *in)));
    else c.output(0, c.type(0), c.shape(0).ranked() ? symbolic_shape::of_rank(c.shape(0).rank()) : symbolic_shape());
}

inline void eval_max_unpool(eval_context& c) {
    const tensor& x = c.input(0);
    const tensor& indices = c.input(1);
    check(c.self, indices.type() == dtype::int64 && indices.shape() == x.shape(), "indices must be int64 of the input's shape ", text(x), ", got ",
          text(indices));
    // Indices count in the tensor that was pooled; a larger output_shape only adds zeros behind it (ONNX's reference; what lies in
    // the other direction is refused).
    const dims pooled = unpooled_shape(c.self, x.shape());
    dims shape = pooled;
    if (c.has_input(2)) {
        shape = c.input(2).to_ints();
        bool fits = shape.size() == pooled.size();
        for (std::size_t i = 0; fits && i < shape.size(); ++i) fits = shape[i] >= pooled[i];
        check(c.self, fits, "output_shape ", ocelli::detail::shape_text(shape), " must hold the unpooled shape ", ocelli::detail::shape_text(pooled));
    }
    const std::int64_t count = element_count(pooled);
    const dims steps = dense_strides(shape);
    dispatch_by_size(x.type(), [&]<class T>(type_tag<T>) {
        tensor& y = c.output(0, x.type(), shape);
        T* to = static_cast<T*>(y.mutable_raw());
        std::fill(to, to + y.size(), T(0));
        const T* from = static_cast<const T*>(x.raw());
        const std::int64_t* at = indices.data<std::int64_t>();
        const bool same = shape == pooled;
        for (std::int64_t i = 0; i < x.size(); ++i) {
            check(c.self, at[i] >= 0 && at[i] < count, "index ", at[i], " is outside a tensor of ", count, " elements");
            std::int64_t rest = at[i], place = 0;
            if (same) place = rest;
            else
                for (std::size_t axis = pooled.size(); axis-- > 0;) {
                    place += rest % pooled[axis] * steps[axis];
                    rest /= pooled[axis];
                }
            to[place] = from[i];
        }
    });
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> pool_ops() {
    static constexpr op_def table[] = {
        {.name = "MaxPool", .max_outputs = 2,
         .attributes = "auto_pad:string ceil_mode:int dilations:ints kernel_shape:ints pads:ints storage_order:int strides:ints",
         .infer = detail::infer_pool, .eval = detail::in_wide<detail::eval_max_pool, detail::pooled_types>},
        {.name = "AveragePool",
         .attributes = "auto_pad:string ceil_mode:int count_include_pad:int dilations:ints kernel_shape:ints pads:ints strides:ints",
         .infer = detail::infer_pool, .eval = detail::in_float<detail::eval_average_pool>, .results = exactness::rounding},
        {.name = "LpPool", .until = 1,
         .attributes = "auto_pad:string kernel_shape:ints p:float pads:ints strides:ints",
         .infer = detail::infer_pool, .eval = detail::in_float<detail::eval_lp_pool>, .results = exactness::rounding},
        {.name = "LpPool", .since = 2,
         .attributes = "auto_pad:string ceil_mode:int dilations:ints kernel_shape:ints p:int pads:ints strides:ints",
         .infer = detail::infer_pool, .eval = detail::in_float<detail::eval_lp_pool>, .results = exactness::rounding},
        {.name = "GlobalMaxPool", .infer = detail::infer_global_pool, .eval = detail::in_float<detail::eval_global_max_pool>},
        {.name = "GlobalAveragePool", .infer = detail::infer_global_pool, .eval = detail::in_float<detail::eval_global_average_pool>, .results = exactness::rounding},
        {.name = "GlobalLpPool", .until = 1, .attributes = "p:float", .infer = detail::infer_global_pool, .eval = detail::in_float<detail::eval_global_lp_pool>,
         .results = exactness::rounding},
        {.name = "GlobalLpPool", .since = 2, .attributes = "p:int", .infer = detail::infer_global_pool, .eval = detail::in_float<detail::eval_global_lp_pool>,
         .results = exactness::rounding},
        {.name = "MaxUnpool", .since = 9, .min_inputs = 2, .max_inputs = 3, .attributes = "kernel_shape:ints pads:ints strides:ints",
         .infer = detail::infer_max_unpool, .eval = detail::eval_max_unpool},
    };
    return table;
}

}  // namespace ocelli::nn
