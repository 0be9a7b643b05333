#pragma once

#include <ocelli/nn/detail/axis_maps.hpp>
#include <ocelli/nn/ops/pad.hpp>

namespace ocelli::nn {

namespace detail {

/// begin_0 .. begin_r, end_0 .. end_r for every axis, from the pads of some axes.
inline dims full_pads(const node& n, const std::vector<std::int64_t>& pads, const std::optional<std::vector<std::int64_t>>& axes, std::size_t rank) {
    dims all(2 * rank, 0);
    const std::size_t count = axes ? axes->size() : rank;
    check(n, pads.size() == 2 * count, "pads must have ", 2 * count, " elements, got ", pads.size());
    constexpr std::int64_t limit = std::int64_t{1} << 40;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t axis = axes ? normalize_axis(n, (*axes)[i], rank) : i;
        check(n, pads[i] > -limit && pads[i] < limit && pads[i + count] > -limit && pads[i + count] < limit, "pads are out of range");
        all[axis] = pads[i];
        all[axis + rank] = pads[i + count];
    }
    return all;
}

inline void infer_pad(infer_context& c) {
    const symbolic_shape& x = c.shape(0);
    if (!x.ranked()) return c.output(0, c.type(0), {});
    const bool by_attribute = c.self.opset < 11;
    std::optional<std::vector<std::int64_t>> pads, axes;
    if (by_attribute) pads = attr_ints(c.self, c.self.opset < 2 ? "paddings" : "pads");
    else pads = c.constant_ints(1);
    if (c.has_input(3)) {
        axes = c.constant_ints(3);
        if (!axes) pads.reset();
    }
    symbolic_shape out = symbolic_shape::of_rank(x.rank());
    if (pads) {
        const dims all = full_pads(c.self, *pads, axes, x.rank());
        for (std::size_t i = 0; i < x.rank(); ++i) {
            if (all[i] == 0 && all[i + x.rank()] == 0) out[i] = x[i];
            else if (x[i].known()) {
                const std::int64_t extent = x[i].size + all[i] + all[i + x.rank()];
                check(c.self, extent >= 0, "pads crop more than axis ", i, " has");
                out[i] = dim(extent);
            }
        }
    }
    c.output(0, c.type(0), std::move(out));
}

inline void eval_pad(eval_context& c) {
    const tensor& x = c.input(0);
    const std::string mode = attr_string(c.self, "mode", "constant");
    check<unsupported_operator>(c.self, mode == "constant" || mode == "reflect" || mode == "edge" || mode == "wrap", "mode '", mode, "' is not supported");
    std::optional<std::vector<std::int64_t>> axes;
    if (c.has_input(3)) axes = c.input(3).to_ints();
    const auto given = c.self.opset < 2 ? attr_ints(c.self, "paddings") : c.self.opset < 11 ? attr_ints(c.self, "pads") : dims(c.input(1).to_ints());
    const dims pads = full_pads(c.self, given, axes, x.rank());
    tensor fill = tensor::zeros(x.type(), {});
    if (c.self.opset < 11) fill = tensor::scalar(attr_float(c.self, "value", 0.0f)).cast(x.type());
    else if (c.has_input(2)) {
        check(c.self, c.input(2).type() == x.type() && c.input(2).size() == 1, "the fill value must be one element of the input's type, got ", text(c.input(2)));
        fill = c.input(2);
    }
    dims shape(x.rank());
    for (std::size_t i = 0; i < x.rank(); ++i) {
        shape[i] = x.extent(i) + pads[i] + pads[i + x.rank()];
        check(c.self, shape[i] >= 0, "pads crop more than axis ", i, " of ", text(x), " has");
    }
    tensor& y = c.output(0, x.type(), shape);
    axis_maps maps(x.rank());
    for (std::size_t i = 0; i < x.rank(); ++i) {
        // What cropping leaves is [low, low + n); positions count from `low`.
        const std::int64_t low = std::min(x.extent(i), std::max<std::int64_t>(0, -pads[i]));
        const std::int64_t n = std::max<std::int64_t>(0, x.extent(i) - low - std::max<std::int64_t>(0, -pads[i + x.rank()]));
        const std::int64_t before = std::max<std::int64_t>(0, pads[i]);
        check(c.self, n > 0 || shape[i] == 0 || mode == "constant" || y.size() == 0, "mode '", mode, "' cannot pad axis ", i, " without elements");
        if (y.size() == 0) continue;
        maps[i].resize(static_cast<std::size_t>(shape[i]));
        for (std::int64_t o = 0; o < shape[i]; ++o) {
            std::int64_t at = o - before;
            if (at < 0 || at >= n) {
                if (mode == "constant") at = -1 - low;
                else if (mode == "edge") at = at < 0 ? 0 : n - 1;
                else if (mode == "wrap") at = (at % n + n) % n;
                else if (n == 1) at = 0;
                else {
                    const std::int64_t period = 2 * (n - 1);
                    at = (at % period + period) % period;
                    if (at >= n) at = period - at;
                }
            }
            maps[i][static_cast<std::size_t>(o)] = at + low;
        }
    }
    gather_axes(x, maps, fill.raw(), y);
}

// --- CenterCropPad ----------------------------------------------------------------------------------------------------------

inline void infer_center_crop_pad(infer_context& c) {
    symbolic_shape shape = c.shape(0);
    if (shape.ranked()) {
        dims axes(shape.rank());
        for (std::size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<std::int64_t>(i);
        axes = attr_ints(c.self, "axes", axes);
        const auto wanted = c.constant_ints(1);
        for (std::size_t i = 0; i < axes.size(); ++i) {
            const std::size_t axis = normalize_axis(c.self, axes[i], shape.rank());
            const bool known = wanted && i < wanted->size() && (*wanted)[i] >= 0;
            shape[axis] = known ? dim((*wanted)[i]) : dim();
        }
    }
    c.output(0, c.type(0), std::move(shape));
}

inline void eval_center_crop_pad(eval_context& c) {
    const tensor& x = c.input(0);
    const auto wanted = c.input(1).to_ints();
    dims axes(x.rank());
    for (std::size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<std::int64_t>(i);
    axes = attr_ints(c.self, "axes", axes);
    check(c.self, axes.size() == wanted.size(), "shape has ", wanted.size(), " elements for ", axes.size(), " axes");
    dims shape = x.shape();
    for (std::size_t i = 0; i < axes.size(); ++i) {
        check(c.self, wanted[i] >= 0, "shape must not be negative, got ", wanted[i]);
        shape[normalize_axis(c.self, axes[i], x.rank())] = wanted[i];
    }
    tensor& y = c.output(0, x.type(), shape);
    if (y.size() == 0) return;
    axis_maps maps(x.rank());
    for (std::size_t i = 0; i < x.rank(); ++i) {
        // An odd difference is rounded down in front, in both directions.
        const std::int64_t shift = shape[i] < x.extent(i) ? (x.extent(i) - shape[i]) / 2 : -((shape[i] - x.extent(i)) / 2);
        maps[i].resize(static_cast<std::size_t>(shape[i]));
        for (std::int64_t o = 0; o < shape[i]; ++o) {
            const std::int64_t at = o + shift;
            maps[i][static_cast<std::size_t>(o)] = at >= 0 && at < x.extent(i) ? at : -1;
        }
    }
    const std::uint64_t zero = 0;
    gather_axes(x, maps, &zero, y);
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> pad_ops() {
    static constexpr op_def table[] = {
        {.name = "Pad", .until = 1, .attributes = "mode:string paddings:ints value:float", .infer = detail::infer_pad, .eval = detail::eval_pad},
        {.name = "Pad", .since = 2, .until = 10, .attributes = "mode:string pads:ints value:float", .infer = detail::infer_pad, .eval = detail::eval_pad},
        {.name = "Pad", .since = 11, .min_inputs = 2, .max_inputs = 4, .attributes = "mode:string", .infer = detail::infer_pad, .eval = detail::eval_pad},
        {.name = "CenterCropPad", .since = 18, .min_inputs = 2, .max_inputs = 2, .attributes = "axes:ints", .infer = detail::infer_center_crop_pad,
         .eval = detail::eval_center_crop_pad},
    };
    return table;
}

}  // namespace ocelli::nn
