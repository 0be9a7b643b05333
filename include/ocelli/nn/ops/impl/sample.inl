#pragma once

#include <ocelli/nn/detail/planes.hpp>
#include <ocelli/nn/ops/detail/widen.hpp>
#include <ocelli/nn/ops/sample.hpp>

#include <cmath>

namespace ocelli::nn {

namespace detail {

enum class sample_padding { zeros, border, reflection };

/// A coordinate mirrored into [low, high], as often as needed.
inline double reflected(double x, double low, double high) noexcept {
    const double range = high - low;
    if (range <= 0) return low;
    const double from = std::fmod(std::abs(x - low), 2 * range);
    return from > range ? high - (from - range) : low + from;
}

/// Taps of one axis at one coordinate: at most four source positions with weights; -1: reads 0.
struct sample_taps {
    std::array<std::int64_t, 4> at{};
    std::array<double, 4> weight{};
    int count = 0;
};

struct sample_rule {
    enum class interpolation { nearest, linear, cubic } mode = interpolation::linear;
    sample_padding padding = sample_padding::zeros;
    bool align_corners = false;
};

inline sample_taps taps_at(const sample_rule& rule, double grid, std::int64_t extent) noexcept {
    const auto n = static_cast<double>(extent);
    const double low = rule.align_corners ? 0.0 : -0.5, high = rule.align_corners ? n - 1 : n - 0.5;
    double x = rule.align_corners ? (grid + 1) / 2 * (n - 1) : ((grid + 1) * n - 1) / 2;
    sample_taps t;
    if (!ocelli::detail::is_finite(x) || std::abs(x) > 1e15) {  // NaN, or too far away for an index
        if (rule.padding == sample_padding::zeros) return t;
        t.at[0] = !ocelli::detail::is_nan(x) && x > 0 && rule.padding == sample_padding::border ? extent - 1 : 0;
        t.weight[0] = 1;
        t.count = 1;
        return t;
    }
    if (rule.mode == sample_rule::interpolation::nearest) x = std::nearbyint(x);
    if (x < low || x > high) {
        if (rule.padding == sample_padding::border) x = std::clamp(x, 0.0, n - 1);
        else if (rule.padding == sample_padding::reflection) x = reflected(x, low, high);
    }
    const auto place = [&](std::int64_t i) -> std::int64_t {
        if (i >= 0 && i < extent) return i;
        if (rule.padding == sample_padding::zeros) return -1;
        if (rule.padding == sample_padding::border) return std::clamp<std::int64_t>(i, 0, extent - 1);
        return std::clamp<std::int64_t>(static_cast<std::int64_t>(reflected(static_cast<double>(i), low, high)), 0, extent - 1);
    };
    const double floor = std::floor(x), d = x - floor;
    const auto first = static_cast<std::int64_t>(floor);
    if (rule.mode == sample_rule::interpolation::nearest) {
        t.at[0] = place(static_cast<std::int64_t>(std::nearbyint(x)));
        t.weight[0] = 1;
        t.count = 1;
    } else if (rule.mode == sample_rule::interpolation::linear) {
        t.at = {place(first), place(first + 1), 0, 0};
        t.weight = {1 - d, d, 0, 0};
        t.count = 2;
    } else {
        constexpr double a = -0.75;
        const auto near = [](double v) { return ((a + 2) * v - (a + 3)) * v * v + 1; };
        const auto far = [](double v) { return ((a * v - 5 * a) * v + 8 * a) * v - 4 * a; };
        t.at = {place(first - 1), place(first), place(first + 1), place(first + 2)};
        t.weight = {far(d + 1), near(d), near(1 - d), far(2 - d)};
        t.count = 4;
    }
    return t;
}

inline void infer_grid_sample(infer_context& c) {
    const symbolic_shape& x = c.shape(0);
    const symbolic_shape& grid = c.shape(1);
    symbolic_shape out;
    if (x.ranked()) {
        out = symbolic_shape::of_rank(x.rank());
        if (x.rank() >= 2) {
            out[0] = x[0];
            out[1] = x[1];
        }
        if (grid.ranked() && grid.rank() == x.rank())
            for (std::size_t i = 2; i < x.rank(); ++i) out[i] = grid[i - 1];
    }
    c.output(0, c.type(0), std::move(out));
}

inline sample_rule sample_rule_of(const node& n) {
    sample_rule rule;
    const std::string mode = attr_string(n, "mode", n.opset < 20 ? "bilinear" : "linear");
    if (mode == "nearest") rule.mode = sample_rule::interpolation::nearest;
    else if (mode == "cubic" || mode == "bicubic") rule.mode = sample_rule::interpolation::cubic;
    else check<unsupported_operator>(n, mode == "linear" || mode == "bilinear", "mode '", mode, "' is not supported");
    const std::string padding = attr_string(n, "padding_mode", "zeros");
    if (padding == "border") rule.padding = sample_padding::border;
    else if (padding == "reflection") rule.padding = sample_padding::reflection;
    else check<unsupported_operator>(n, padding == "zeros", "padding_mode '", padding, "' is not supported");
    rule.align_corners = attr_int(n, "align_corners", 0) != 0;
    return rule;
}

inline void eval_grid_sample(eval_context& c) {
    const tensor& x = c.input(0);
    const tensor& grid = c.input(1);
    const sample_rule rule = sample_rule_of(c.self);
    check(c.self, x.rank() >= 3 && x.rank() <= 5 && grid.rank() == x.rank() && grid.extent(0) == x.extent(0) &&
                      grid.extent(x.rank() - 1) == static_cast<std::int64_t>(x.rank()) - 2,
          "input must have shape (N, C, ...) with 1 to 3 spatial axes and grid (N, ..., spatial axes), got ", text(x), " and ", text(grid));
    const std::size_t axes = x.rank() - 2;
    dims shape = {x.extent(0), x.extent(1)};
    for (std::size_t i = 0; i < axes; ++i) shape.push_back(grid.extent(i + 1));
    const std::int64_t points = product(shape, 2, shape.size()), channels = x.extent(1), plane = product(x.shape(), 2, x.rank());
    check(c.self, plane > 0 || points * x.extent(0) == 0, "cannot sample a tensor without elements");
    const three_extents in = three_axes(dims(x.shape().begin() + 2, x.shape().end()), 1);
    const std::vector<double> places = doubles(grid);
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        const T* from = x.data<T>();
        T* to = c.output(0, x.type(), shape).template mutable_data<T>();
        for_each_index(x.extent(0) * points, channels * 16, [&](std::int64_t at) {
            const std::int64_t n = at / points, point = at % points;
            // The grid's last axis is x first, the tensor's is x last.
            std::array<sample_taps, 3> taps;
            for (std::size_t i = 0; i < 3; ++i) {
                if (i + axes < 3) {
                    taps[i].count = 1;
                    taps[i].weight[0] = 1;
                } else taps[i] = taps_at(rule, places[static_cast<std::size_t>(at) * axes + (2 - i)], in[i]);
            }
            for (std::int64_t k = 0; k < channels; ++k) {
                const T* image = from + (n * channels + k) * plane;
                double sum = 0;
                for (int a = 0; a < taps[0].count; ++a)
                    for (int b = 0; b < taps[1].count; ++b)
                        for (int e = 0; e < taps[2].count; ++e) {
                            const std::int64_t z = taps[0].at[static_cast<std::size_t>(a)], v = taps[1].at[static_cast<std::size_t>(b)],
                                               u = taps[2].at[static_cast<std::size_t>(e)];
                            if (z < 0 || v < 0 || u < 0) continue;
                            const double w = taps[0].weight[static_cast<std::size_t>(a)] * taps[1].weight[static_cast<std::size_t>(b)] *
                                             taps[2].weight[static_cast<std::size_t>(e)];
                            sum += w * static_cast<double>(image[(z * in[1] + v) * in[2] + u]);
                        }
                to[(n * channels + k) * points + point] = static_cast<T>(sum);
            }
        });
    });
}

// --- AffineGrid -------------------------------------------------------------------------------------------------------------

inline void infer_affine_grid(infer_context& c) {
    const auto size = c.constant_ints(1);
    symbolic_shape out;
    if (size && size->size() >= 4) {
        out = symbolic_shape::of_rank(size->size());
        out[0] = dim((*size)[0]);
        for (std::size_t i = 2; i < size->size(); ++i) out[i - 1] = dim((*size)[i]);
        out[size->size() - 1] = dim(static_cast<std::int64_t>(size->size()) - 2);
    }
    c.output(0, c.type(0), std::move(out));
}

inline void eval_affine_grid(eval_context& c) {
    const tensor& theta = c.input(0);
    const auto size = c.input(1).to_ints();
    const std::size_t axes = size.size() < 2 ? 0 : size.size() - 2;
    check(c.self, axes == 2 || axes == 3, "size must be (N, C, H, W) or (N, C, D, H, W), got ", ocelli::detail::shape_text(size));
    const auto a = static_cast<std::int64_t>(axes);
    check(c.self, theta.shape() == dims{size[0], a, a + 1}, "theta must have shape (", size[0], ", ", a, ", ", a + 1, "), got ", text(theta));
    const bool align = attr_int(c.self, "align_corners", 0) != 0;
    dims shape = {size[0]};
    for (std::size_t i = 0; i < axes; ++i) shape.push_back(size[i + 2]);
    shape.push_back(a);
    element_count(shape);
    dispatch(c.self, real_types{}, theta.type(), [&]<class T>(type_tag<T>) {
        T* to = c.output(0, theta.type(), shape).template mutable_data<T>();
        const std::vector<double> matrix = doubles(theta);
        const std::int64_t points = product(shape, 1, axes + 1);
        for_each_index(size[0] * points, 16, [&](std::int64_t at) {
            const std::int64_t n = at / points;
            std::int64_t rest = at % points;
            std::array<double, 4> place{};
            for (std::size_t i = 0; i < axes; ++i) {  // x first
                const std::int64_t extent = shape[axes - i], index = rest % extent;
                rest /= extent;
                const auto e = static_cast<double>(extent), k = static_cast<double>(index);
                place[i] = align ? (extent > 1 ? 2 * k / (e - 1) - 1 : 0.0) : (2 * k + 1) / e - 1;
            }
            place[axes] = 1;
            for (std::size_t row = 0; row < axes; ++row) {
                double sum = 0;
                for (std::size_t i = 0; i <= axes; ++i) sum += matrix[(static_cast<std::size_t>(n) * axes + row) * (axes + 1) + i] * place[i];
                to[static_cast<std::size_t>(at) * axes + row] = static_cast<T>(sum);
            }
        });
    });
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> sample_ops() {
    static constexpr op_def table[] = {
        {.name = "GridSample", .since = 16, .min_inputs = 2, .max_inputs = 2, .attributes = "align_corners:int mode:string padding_mode:string",
         .infer = detail::infer_grid_sample, .eval = detail::in_real<detail::eval_grid_sample>, .results = exactness::rounding},
        {.name = "AffineGrid", .since = 20, .min_inputs = 2, .max_inputs = 2, .attributes = "align_corners:int", .infer = detail::infer_affine_grid,
         .eval = detail::in_float<detail::eval_affine_grid>, .results = exactness::rounding},
    };
    return table;
}

}  // namespace ocelli::nn
