#pragma once

#include <ocelli/nn/ops/detail/loops.hpp>
#include <ocelli/nn/ops/reshape.hpp>

namespace ocelli::nn {

namespace detail {

// --- Reshape -------------------------------------------------------------------------------------------------------------------

// 0 keeps the input's extent (unless allowzero), one -1 takes what is left.
inline dims reshaped_extents(const node& n, const dims& from, const dims& wanted) {
    const bool allow_zero = attr_int(n, "allowzero", 0) != 0;
    dims out = wanted;
    std::size_t open = out.size();
    bool zero = false;
    for (std::size_t i = 0; i < out.size(); ++i) {
        if (out[i] == 0 && !allow_zero) {
            check(n, i < from.size(), "shape ", wanted, " keeps axis ", i, ", which the input ", from, " lacks");
            out[i] = from[i];
        } else if (out[i] == -1) {
            check(n, open == out.size(), "shape ", wanted, " has more than one -1");
            open = i;
        } else {
            check(n, out[i] >= 0, "shape ", wanted, " has a negative extent");
            zero = zero || out[i] == 0;
        }
    }
    check(n, !(allow_zero && zero && open != out.size()), "shape ", wanted, " has both 0 and -1 with allowzero = 1");
    const auto count = [&](const dims& shape) {
        try {
            return element_count(shape);
        } catch (const invalid_argument& e) {
            fail(n, e.what());
        }
    };
    const std::int64_t total = count(from);
    if (open != out.size()) {
        out[open] = 1;
        const std::int64_t rest = count(out);
        check(n, rest != 0 ? total % rest == 0 : total == 0, "shape ", wanted, " does not fit ", from);
        out[open] = rest != 0 ? total / rest : 0;
    }
    check(n, count(out) == total, "shape ", wanted, " does not fit ", from);
    return out;
}

inline void infer_reshape(infer_context& c) {
    std::optional<std::vector<std::int64_t>> wanted;
    if (c.self.opset < 5) wanted = attr_ints(c.self, "shape", {});
    else wanted = c.constant_ints(1);
    if (!wanted) {
        // The number of extents may be known all the same.
        const symbolic_shape& list = c.shape(1);
        if (list.ranked() && list.rank() == 1 && list[0].known() && list[0].size <= 64)
            return c.output(0, c.type(0), symbolic_shape::of_rank(static_cast<std::size_t>(list[0].size)));
        return c.output(0, c.type(0), {});
    }
    if (const auto from = c.shape(0).concrete()) return c.output(0, c.type(0), symbolic_shape(reshaped_extents(c.self, *from, *wanted)));
    symbolic_shape out = symbolic_shape::of_rank(wanted->size());
    const bool allow_zero = attr_int(c.self, "allowzero", 0) != 0;
    for (std::size_t i = 0; i < wanted->size(); ++i) {
        const std::int64_t e = (*wanted)[i];
        if (e > 0 || (e == 0 && allow_zero)) out[i] = dim(e);
        else if (e == 0 && c.shape(0).ranked() && i < c.shape(0).rank()) out[i] = c.shape(0)[i];
    }
    c.output(0, c.type(0), std::move(out));
}

inline void eval_reshape(eval_context& c) {
    const tensor& x = c.input(0);
    const dims wanted = c.self.opset < 5 ? attr_ints(c.self, "shape", {}) : dims(list_input(c, 1));
    c.set_output(0, x.reshaped(reshaped_extents(c.self, x.shape(), wanted)));
}

// --- Flatten, Squeeze, Unsqueeze --------------------------------------------------------------------------------------------------

inline void infer_flatten(infer_context& c) {
    const symbolic_shape& x = c.shape(0);
    symbolic_shape out = symbolic_shape::of_rank(2);
    if (x.ranked()) {
        const std::size_t axis = normalize_axis_or_end(c.self, attr_int(c.self, "axis", 1), x.rank());
        for (std::size_t half = 0; half < 2; ++half) {
            const auto first = x.extents().begin() + (half == 0 ? 0 : static_cast<std::ptrdiff_t>(axis));
            const auto last = half == 0 ? x.extents().begin() + static_cast<std::ptrdiff_t>(axis) : x.extents().end();
            if (last - first == 1) out[half] = *first;
            else if (const auto n = symbolic_shape(std::vector<dim>(first, last)).elements()) out[half] = dim(*n);
        }
    }
    c.output(0, c.type(0), std::move(out));
}

inline void eval_flatten(eval_context& c) {
    const tensor& x = c.input(0);
    const std::size_t axis = normalize_axis_or_end(c.self, attr_int(c.self, "axis", 1), x.rank());
    c.set_output(0, x.reshaped({product(x.shape(), 0, axis), product(x.shape(), axis, x.rank())}));
}

// Marks the axes of a list; each may occur once.
inline std::vector<bool> marked_axes(const node& n, const std::vector<std::int64_t>& axes, std::size_t rank) {
    std::vector<bool> marked(rank, false);
    for (const std::int64_t a : axes) {
        const std::size_t axis = normalize_axis(n, a, rank);
        check(n, !marked[axis], "axis ", a, " is given twice");
        marked[axis] = true;
    }
    return marked;
}

inline void infer_squeeze(infer_context& c) {
    const symbolic_shape& x = c.shape(0);
    std::optional<std::vector<std::int64_t>> axes;
    if (c.self.opset < 13) {
        if (has_attribute(c.self, "axes")) axes = attr_ints(c.self, "axes");
    } else if (c.has_input(1)) {
        axes = c.constant_ints(1);
        if (!axes) return c.output(0, c.type(0), {});
    }
    if (!x.ranked()) return c.output(0, c.type(0), {});
    std::vector<dim> out;
    const std::vector<bool> marked = marked_axes(c.self, axes.value_or(std::vector<std::int64_t>{}), x.rank());
    for (std::size_t i = 0; i < x.rank(); ++i) {
        if (!axes && !x[i].known()) return c.output(0, c.type(0), {});  // it goes if it is 1
        if (axes ? marked[i] : x[i].size == 1) continue;
        out.push_back(x[i]);
    }
    c.output(0, c.type(0), symbolic_shape(std::move(out)));
}

inline void eval_squeeze(eval_context& c) {
    const tensor& x = c.input(0);
    std::optional<std::vector<std::int64_t>> axes;
    if (c.self.opset < 13) {
        if (has_attribute(c.self, "axes")) axes = attr_ints(c.self, "axes");
    } else if (c.has_input(1)) {
        axes = list_input(c, 1);
    }
    const std::vector<bool> marked = marked_axes(c.self, axes.value_or(std::vector<std::int64_t>{}), x.rank());
    dims out;
    for (std::size_t i = 0; i < x.rank(); ++i) {
        if (axes ? marked[i] : x.extent(i) == 1) {
            check(c.self, x.extent(i) == 1, "axis ", i, " of ", x, " has not extent 1");
            continue;
        }
        out.push_back(x.extent(i));
    }
    c.set_output(0, x.reshaped(out));
}

template <class Extents>
Extents unsqueezed(const node& n, const Extents& from, const std::vector<std::int64_t>& axes) {
    check(n, axes.size() <= 64, "too many axes");
    const std::vector<bool> marked = marked_axes(n, axes, from.size() + axes.size());
    Extents out;
    auto next = from.begin();
    for (const bool added : marked) {
        if (added) out.emplace_back(1);
        else out.push_back(*next++);
    }
    return out;
}

inline void infer_unsqueeze(infer_context& c) {
    const auto axes = c.self.opset < 13 ? std::optional<std::vector<std::int64_t>>(attr_ints(c.self, "axes")) : c.constant_ints(1);
    if (!axes || !c.shape(0).ranked()) return c.output(0, c.type(0), {});
    c.output(0, c.type(0), symbolic_shape(unsqueezed(c.self, c.shape(0).extents(), *axes)));
}

inline void eval_unsqueeze(eval_context& c) {
    const auto axes = c.self.opset < 13 ? attr_ints(c.self, "axes") : dims(list_input(c, 1));
    c.set_output(0, c.input(0).reshaped(unsqueezed(c.self, c.input(0).shape(), axes)));
}

// --- Shape, Size ---------------------------------------------------------------------------------------------------------------------

// The axes [start, end) that Shape reports; out of range is clamped.
inline std::pair<std::size_t, std::size_t> shape_range(const node& n, std::size_t rank) {
    const auto r = static_cast<std::int64_t>(rank);
    const auto place = [&](std::int64_t axis) { return std::clamp<std::int64_t>(axis < 0 ? axis + r : axis, 0, r); };
    const std::int64_t start = place(attr_int(n, "start", 0));
    const std::int64_t end = std::max(start, place(attr_int(n, "end", r)));
    return {static_cast<std::size_t>(start), static_cast<std::size_t>(end)};
}

inline void infer_shape(infer_context& c) {
    const symbolic_shape& x = c.shape(0);
    if (!x.ranked()) return c.output(0, dtype::int64, symbolic_shape::of_rank(1));
    const auto [start, end] = shape_range(c.self, x.rank());
    dims known;
    for (std::size_t i = start; i < end && x[i].known(); ++i) known.push_back(x[i].size);
    if (known.size() == end - start) c.output_constant(0, tensor::ints(known));
    else c.output(0, dtype::int64, {dim(static_cast<std::int64_t>(end - start))});
}

inline void eval_shape(eval_context& c) {
    const dims& shape = c.input(0).shape();
    const auto [start, end] = shape_range(c.self, shape.size());
    tensor& y = c.output(0, dtype::int64, {static_cast<std::int64_t>(end - start)});
    for (std::size_t i = start; i < end; ++i) y.mutable_data<std::int64_t>()[i - start] = shape[i];
}

inline void infer_size(infer_context& c) {
    if (const auto n = c.shape(0).elements()) c.output_constant(0, tensor::scalar<std::int64_t>(*n));
    else c.output(0, dtype::int64, symbolic_shape::of_rank(0));
}

inline void eval_size(eval_context& c) {
    *c.output(0, dtype::int64, {}).mutable_data<std::int64_t>() = c.input(0).size();
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> reshape_ops() {
    using namespace detail;
    static constexpr op_def table[] = {
        {.name = "Reshape", .until = 4, .attributes = "shape:ints consumed_inputs:ints", .infer = infer_reshape, .eval = eval_reshape, .view = true},
        {.name = "Reshape", .since = 5, .until = 13, .min_inputs = 2, .max_inputs = 2, .infer = infer_reshape, .eval = eval_reshape, .view = true},
        {.name = "Reshape", .since = 14, .min_inputs = 2, .max_inputs = 2, .attributes = "allowzero:int", .infer = infer_reshape, .eval = eval_reshape,
         .view = true},
        {.name = "Flatten", .attributes = "axis:int", .infer = infer_flatten, .eval = eval_flatten, .view = true},
        {.name = "Squeeze", .until = 12, .attributes = "axes:ints", .infer = infer_squeeze, .eval = eval_squeeze, .view = true},
        {.name = "Squeeze", .since = 13, .max_inputs = 2, .infer = infer_squeeze, .eval = eval_squeeze, .view = true},
        {.name = "Unsqueeze", .until = 12, .attributes = "axes:ints", .infer = infer_unsqueeze, .eval = eval_unsqueeze, .view = true},
        {.name = "Unsqueeze", .since = 13, .min_inputs = 2, .max_inputs = 2, .infer = infer_unsqueeze, .eval = eval_unsqueeze, .view = true},
        {.name = "Shape", .until = 14, .infer = infer_shape, .eval = eval_shape},
        {.name = "Shape", .since = 15, .attributes = "end:int start:int", .infer = infer_shape, .eval = eval_shape},
        {.name = "Size", .infer = infer_size, .eval = eval_size},
    };
    return table;
}

}  // namespace ocelli::nn
