#pragma once

#include <ocelli/nn/ops/arrange.hpp>
#include <ocelli/nn/ops/detail/loops.hpp>

namespace ocelli::nn {

namespace detail {

// --- Transpose -----------------------------------------------------------------------------------------------------------------

inline std::vector<std::size_t> permutation(const node& n, std::size_t rank) {
    std::vector<std::size_t> out(rank);
    if (!has_attribute(n, "perm")) {
        for (std::size_t i = 0; i < rank; ++i) out[i] = rank - 1 - i;
        return out;
    }
    const auto perm = attr_ints(n, "perm");
    check(n, perm.size() == rank, "perm ", ocelli::detail::shape_text(perm), " does not fit a tensor of rank ", rank);
    std::vector<bool> seen(rank, false);
    for (std::size_t i = 0; i < rank; ++i) {
        out[i] = normalize_axis(n, perm[i], rank);
        check(n, !seen[out[i]], "perm ", ocelli::detail::shape_text(perm), " names an axis twice");
        seen[out[i]] = true;
    }
    return out;
}

inline void infer_transpose(infer_context& c) {
    const symbolic_shape& x = c.shape(0);
    if (!x.ranked()) {
        return c.output(0, c.type(0), has_attribute(c.self, "perm") ? symbolic_shape::of_rank(attr_ints(c.self, "perm").size()) : symbolic_shape());
    }
    std::vector<dim> out;
    for (const std::size_t axis : permutation(c.self, x.rank())) out.push_back(x[axis]);
    c.output(0, c.type(0), symbolic_shape(std::move(out)));
}

inline void eval_transpose(eval_context& c) {
    const tensor& x = c.input(0);
    const dims from = dense_strides(x.shape());
    dims shape;
    const auto perm = permutation(c.self, x.rank());
    for (const std::size_t axis : perm) shape.push_back(x.extent(axis));
    const dims to = dense_strides(shape);
    strided_loop<2> loop;
    for (std::size_t i = 0; i < shape.size(); ++i) loop.push(shape[i], {from[perm[i]], to[i]});
    move_elements(x, 0, c.output(0, x.type(), shape), 0, loop);
}

// --- Expand, Tile ----------------------------------------------------------------------------------------------------------------

inline void infer_expand(infer_context& c) {
    const auto wanted = c.constant_ints(1);
    if (!wanted) {
        const symbolic_shape& list = c.shape(1);
        if (c.shape(0).ranked() && list.ranked() && list.rank() == 1 && list[0].known() && list[0].size <= 64)
            return c.output(0, c.type(0), symbolic_shape::of_rank(std::max(c.shape(0).rank(), static_cast<std::size_t>(list[0].size))));
        return c.output(0, c.type(0), {});
    }
    const auto out = broadcast(c.shape(0), symbolic_shape(dims(*wanted)));
    check(c.self, out.has_value(), "shape ", c.shape(0), " does not expand to ", ocelli::detail::shape_text(*wanted));
    c.output(0, c.type(0), *out);
}

// Sequences are refused where a result of theirs would be made.
inline bool has_elements(const tensor& x) {
    return size_of(x.type()) != 0;
}

inline void eval_expand(eval_context& c) {
    const tensor& x = c.input(0);
    const dims wanted = list_input(c, 1);
    for (const std::int64_t e : wanted) check(c.self, e >= 0, "shape ", ocelli::detail::shape_text(wanted), " has a negative extent");
    const dims shape = broadcast_shape(c.self, x.shape(), wanted);
    if (shape == x.shape() && has_elements(x)) return c.set_output(0, x);
    tensor& y = c.output(0, x.type(), shape);
    move_elements(x, 0, y, 0, broadcast_loop<2>(shape, {&x.shape(), &shape}));
}

inline void infer_tile(infer_context& c) {
    const symbolic_shape& x = c.shape(0);
    if (!x.ranked()) return c.output(0, c.type(0), {});
    symbolic_shape out = symbolic_shape::of_rank(x.rank());
    if (const auto repeats = c.constant_ints(1); repeats && repeats->size() == x.rank())
        for (std::size_t i = 0; i < x.rank(); ++i) {
            check(c.self, (*repeats)[i] >= 0, "repeats must not be negative");
            if (x[i].known()) out[i] = dim(element_count({x[i].size, (*repeats)[i]}));
            else if ((*repeats)[i] == 1) out[i] = x[i];
        }
    c.output(0, c.type(0), std::move(out));
}

inline void eval_tile(eval_context& c) {
    const tensor& x = c.input(0);
    const dims repeats = list_input(c, 1);
    check(c.self, repeats.size() == x.rank(), "repeats must have one number per axis of ", x, ", got ", repeats.size());
    dims shape(x.rank());
    for (std::size_t i = 0; i < x.rank(); ++i) {
        check(c.self, repeats[i] >= 0, "repeats must not be negative");
        shape[i] = element_count({x.extent(i), repeats[i]});
    }
    tensor& y = c.output(0, x.type(), shape);
    const dims from = dense_strides(x.shape()), to = dense_strides(shape);
    strided_loop<2> loop;
    for (std::size_t i = 0; i < x.rank(); ++i) {
        loop.push(repeats[i], {0, x.extent(i) * to[i]});
        loop.push(x.extent(i), {from[i], to[i]});
    }
    move_elements(x, 0, y, 0, loop);
}

// --- Concat, Split -----------------------------------------------------------------------------------------------------------------

inline void infer_concat(infer_context& c) {
    std::size_t rank = 0;
    bool ranked = false;
    for (std::size_t i = 0; i < c.input_count(); ++i)
        if (c.shape(i).ranked()) {
            check(c.self, !ranked || rank == c.shape(i).rank(), "inputs must have one rank, got ", c.shape(i));
            rank = c.shape(i).rank();
            ranked = true;
        }
    if (!ranked) return c.output(0, c.type(0), {});
    const std::size_t axis = concat_axis(c.self, rank);
    symbolic_shape out = symbolic_shape::of_rank(rank);
    std::int64_t total = 0;
    bool known = true;
    for (std::size_t i = 0; i < c.input_count(); ++i) {
        const symbolic_shape& x = c.shape(i);
        known = known && x.ranked() && x[axis].known();
        if (known) total += x[axis].size;
        if (!x.ranked()) continue;
        for (std::size_t d = 0; d < rank; ++d) {
            if (d == axis) continue;
            check(c.self, !out[d].known() || !x[d].known() || out[d].size == x[d].size, "extents along axis ", d, " differ: ", out[d].size, " and ",
                  x[d].size);
            if (!out[d].known() && (x[d].known() || out[d].symbol.empty())) out[d] = x[d];
        }
    }
    if (known) out[axis] = dim(total);
    c.output(0, c.type(0), std::move(out));
}

inline void eval_concat(eval_context& c) {
    const tensor& first = c.input(0);
    const std::size_t axis = concat_axis(c.self, first.rank());
    dims shape = first.shape();
    for (std::size_t i = 1; i < c.input_count(); ++i) {
        const tensor& x = c.input(i);
        check_same_type(c.self, first, x);
        bool fits = x.rank() == first.rank();
        for (std::size_t d = 0; fits && d < x.rank(); ++d) fits = d == axis || x.extent(d) == shape[d];
        check(c.self, fits, "inputs do not fit along axis ", axis, ": ", first, " and ", x);
        shape[axis] += x.extent(axis);
    }
    // Lists grow from nothing: what is joined to it alone stays as it is.
    for (std::size_t i = 0; i < c.input_count(); ++i)
        if (c.input(i).extent(axis) == shape[axis] && has_elements(c.input(i))) return c.set_output(0, c.input(i));
    tensor& y = c.output(0, first.type(), shape);
    const std::int64_t outer = product(shape, 0, axis), pitch = product(shape, axis, shape.size());
    if (outer == 1) {
        std::int64_t at = 0;
        for (std::size_t i = 0; i < c.input_count(); ++i) {
            move_elements(c.input(i), 0, y, at, block_loop(1, c.input(i).size(), 0, 0));
            at += c.input(i).size();
        }
        return;
    }
    // Row by row, so that the result is written in order.
    if (y.size() == 0) return;
    struct piece {
        const std::byte* from;
        std::size_t bytes;
    };
    std::vector<piece> pieces;
    const std::size_t element = size_of(first.type());
    for (std::size_t i = 0; i < c.input_count(); ++i)
        if (c.input(i).size() != 0) pieces.push_back({static_cast<const std::byte*>(c.input(i).raw()), static_cast<std::size_t>(c.input(i).size() / outer) * element});
    auto* to = static_cast<std::byte*>(y.mutable_raw());
    parallel_range(outer, cheap_block / pitch, [&](std::int64_t begin, std::int64_t end) {
        std::byte* at = to + static_cast<std::size_t>(begin * pitch) * element;
        for (auto row = static_cast<std::size_t>(begin); row < static_cast<std::size_t>(end); ++row)
            for (const piece& p : pieces) {
                std::memcpy(at, p.from + row * p.bytes, p.bytes);
                at += p.bytes;
            }
    });
}

// The parts' extents along the split axis.
inline std::vector<std::int64_t> split_parts(const node& n, std::int64_t extent, std::size_t outputs, const std::optional<std::vector<std::int64_t>>& given) {
    check(n, outputs >= 1, "needs an output");
    std::vector<std::int64_t> parts;
    if (given) {
        parts = *given;
        std::int64_t total = 0;
        for (const std::int64_t p : parts) {
            check(n, p >= 0 && p <= extent, "a part of ", p, " elements does not fit into ", extent);
            total += p;
        }
        check(n, parts.size() == outputs && total == extent, "split ", ocelli::detail::shape_text(parts), " does not divide ", extent, " elements into ",
              outputs, " outputs");
        return parts;
    }
    const auto count = static_cast<std::int64_t>(outputs);
    if (n.opset >= 18) {
        check(n, attr_int(n, "num_outputs", count) == count, "num_outputs is not the number of outputs");
    } else {
        check(n, extent % count == 0, extent, " elements do not divide into ", count, " equal parts");
    }
    const std::int64_t part = (extent + count - 1) / count;  // the last one may be smaller
    for (std::int64_t i = 0; i < count; ++i) parts.push_back(std::clamp<std::int64_t>(extent - i * part, 0, part));
    return parts;
}

inline void infer_split(infer_context& c) {
    const symbolic_shape& x = c.shape(0);
    if (!x.ranked()) {
        for (std::size_t i = 0; i < c.output_count(); ++i) c.output(i, c.type(0), {});
        return;
    }
    const std::size_t axis = normalize_axis(c.self, attr_int(c.self, "axis", 0), x.rank());
    std::optional<std::vector<std::int64_t>> given;
    bool known = x[axis].known();
    if (has_attribute(c.self, "split")) given = attr_ints(c.self, "split");
    else if (c.has_input(1)) {
        given = c.constant_ints(1);
        known = known && given.has_value();
    }
    std::vector<std::int64_t> parts;
    if (known) parts = split_parts(c.self, x[axis].size, c.output_count(), given);
    for (std::size_t i = 0; i < c.output_count(); ++i) {
        symbolic_shape out = x;
        out[axis] = known ? dim(parts[i]) : dim();
        c.output(i, c.type(0), std::move(out));
    }
}

inline void eval_split(eval_context& c) {
    const tensor& x = c.input(0);
    const std::size_t axis = normalize_axis(c.self, attr_int(c.self, "axis", 0), x.rank());
    std::optional<std::vector<std::int64_t>> given;
    if (has_attribute(c.self, "split")) given = attr_ints(c.self, "split");
    else if (c.has_input(1)) given = list_input(c, 1);
    const auto parts = split_parts(c.self, x.extent(axis), c.output_count(), given);
    const std::int64_t outer = product(x.shape(), 0, axis), inner = product(x.shape(), axis + 1, x.rank());
    std::int64_t at = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        dims shape = x.shape();
        shape[axis] = parts[i];
        if (c.wants(i)) move_elements(x, at, c.output(i, x.type(), shape), 0, block_loop(outer, parts[i] * inner, x.extent(axis) * inner, parts[i] * inner));
        at += parts[i] * inner;
    }
}

// --- Slice -------------------------------------------------------------------------------------------------------------------------------

// First element, step and number of elements along each axis.
struct slice_range {
    std::int64_t start = 0, step = 1, count = 0;
};

inline slice_range slice_axis(const node& n, std::int64_t extent, std::int64_t start, std::int64_t end, std::int64_t step) {
    check(n, step != 0 && step != std::numeric_limits<std::int64_t>::min(), "steps must not be 0");
    const auto place = [&](std::int64_t at, std::int64_t low, std::int64_t high) {
        if (at < 0) at = at < -extent ? -1 : at + extent;  // no overflow for the lowest integer
        return std::clamp(at, low, high);
    };
    slice_range r;
    r.step = step;
    if (step > 0) {
        r.start = place(start, 0, extent);
        end = place(end, 0, extent);
        if (end > r.start) r.count = (end - r.start - 1) / step + 1;
    } else {
        r.start = place(start, -1, extent - 1);
        end = place(end, -1, extent - 1);
        if (r.start > end) r.count = (r.start - end - 1) / -step + 1;
    }
    if (r.count == 1) r.step = 1;  // the step leads nowhere, and may be huge
    return r;
}

struct slice_arguments {
    std::vector<std::int64_t> starts, ends, axes, steps;
};

inline void complete_slice(const node& n, slice_arguments& s) {
    check(n, s.starts.size() == s.ends.size(), "starts and ends must have one length, got ", s.starts.size(), " and ", s.ends.size());
    if (s.axes.empty())
        for (std::size_t i = 0; i < s.starts.size(); ++i) s.axes.push_back(static_cast<std::int64_t>(i));
    if (s.steps.empty()) s.steps.assign(s.starts.size(), 1);
    check(n, s.axes.size() == s.starts.size() && s.steps.size() == s.starts.size(), "starts, axes and steps must have one length, got ",
          s.starts.size(), ", ", s.axes.size(), " and ", s.steps.size());
}

inline void infer_slice(infer_context& c) {
    const symbolic_shape& x = c.shape(0);
    if (!x.ranked()) return c.output(0, c.type(0), {});
    slice_arguments s;
    if (c.self.opset < 10) {
        s = {attr_ints(c.self, "starts"), attr_ints(c.self, "ends"), attr_ints(c.self, "axes", {}), {}};
    } else {
        const auto starts = c.constant_ints(1), ends = c.constant_ints(2);
        const auto axes = c.has_input(3) ? c.constant_ints(3) : std::vector<std::int64_t>{};
        const auto steps = c.has_input(4) ? c.constant_ints(4) : std::vector<std::int64_t>{};
        if (!starts || !ends || !axes || !steps) {
            // Axes that are not cut keep their extent.
            symbolic_shape out = symbolic_shape::of_rank(x.rank());
            if (c.has_input(3) && axes) {
                out = x;
                for (const std::int64_t a : *axes) out[normalize_axis(c.self, a, x.rank())] = dim();
            }
            return c.output(0, c.type(0), std::move(out));
        }
        s = {*starts, *ends, *axes, *steps};
    }
    complete_slice(c.self, s);
    symbolic_shape out = x;
    for (std::size_t i = 0; i < s.axes.size(); ++i) {
        const std::size_t axis = normalize_axis(c.self, s.axes[i], x.rank());
        out[axis] = x[axis].known() ? dim(slice_axis(c.self, x[axis].size, s.starts[i], s.ends[i], s.steps[i]).count) : dim();
    }
    c.output(0, c.type(0), std::move(out));
}

inline void eval_slice(eval_context& c) {
    const tensor& x = c.input(0);
    slice_arguments s;
    if (c.self.opset < 10) {
        s = {attr_ints(c.self, "starts"), attr_ints(c.self, "ends"), attr_ints(c.self, "axes", {}), {}};
    } else {
        s.starts = list_input(c, 1);
        s.ends = list_input(c, 2);
        if (c.has_input(3)) s.axes = list_input(c, 3);
        if (c.has_input(4)) s.steps = list_input(c, 4);
    }
    complete_slice(c.self, s);
    std::vector<slice_range> ranges(x.rank());
    for (std::size_t i = 0; i < x.rank(); ++i) ranges[i].count = x.extent(i);
    std::vector<bool> cut(x.rank(), false);
    for (std::size_t i = 0; i < s.axes.size(); ++i) {
        const std::size_t axis = normalize_axis(c.self, s.axes[i], x.rank());
        check(c.self, !cut[axis], "axis ", s.axes[i], " is given twice");
        cut[axis] = true;
        ranges[axis] = slice_axis(c.self, x.extent(axis), s.starts[i], s.ends[i], s.steps[i]);
    }
    dims shape(x.rank());
    for (std::size_t i = 0; i < x.rank(); ++i) shape[i] = ranges[i].count;
    bool all = shape == x.shape() && has_elements(x);
    for (const slice_range& r : ranges) all = all && (r.step > 0 || r.count <= 1);
    if (all) return c.set_output(0, x);
    const dims from = dense_strides(x.shape()), to = dense_strides(shape);
    tensor& y = c.output(0, x.type(), shape);
    if (y.size() == 0) return;
    strided_loop<2> loop;
    std::int64_t first = 0;
    for (std::size_t i = 0; i < x.rank(); ++i) {
        first += ranges[i].start * from[i];
        loop.push(shape[i], {from[i] * ranges[i].step, to[i]});
    }
    move_elements(x, first, y, 0, loop);
}

// --- ReverseSequence, Trilu ---------------------------------------------------------------------------------------------------------------

inline void eval_reverse_sequence(eval_context& c) {
    const tensor& x = c.input(0);
    check(c.self, x.rank() >= 2, "input must have rank 2 or more, got ", x);
    const std::int64_t batch_axis = attr_int(c.self, "batch_axis", 1), time_axis = attr_int(c.self, "time_axis", 0);
    check(c.self, (batch_axis == 0 && time_axis == 1) || (batch_axis == 1 && time_axis == 0), "batch_axis and time_axis must be 0 and 1, or 1 and 0");
    const auto batch = static_cast<std::size_t>(batch_axis), time = static_cast<std::size_t>(time_axis);
    const std::vector<std::int64_t> lengths = list_input(c, 1);
    check(c.self, static_cast<std::int64_t>(lengths.size()) == x.extent(batch), "one length per batch entry is needed, got ", lengths.size());
    tensor& y = c.output(0, x.type(), x.shape());
    const dims strides = dense_strides(x.shape());
    const std::int64_t inner = product(x.shape(), 2, x.rank());
    for (std::int64_t b = 0; b < x.extent(batch); ++b) {
        const std::int64_t length = lengths[static_cast<std::size_t>(b)];
        check(c.self, length >= 0 && length <= x.extent(time), "a sequence length of ", length, " is outside [0, ", x.extent(time), "]");
        const std::int64_t at = b * strides[batch], step = strides[time];
        move_elements(x, at + (length - 1) * step, y, at, block_loop(length, inner, -step, step));
        move_elements(x, at + length * step, y, at + length * step, block_loop(x.extent(time) - length, inner, step, step));
    }
}

inline void eval_trilu(eval_context& c) {
    const tensor& x = c.input(0);
    check(c.self, x.rank() >= 2, "input must have rank 2 or more, got ", x);
    const bool upper = attr_int(c.self, "upper", 1) != 0;
    const std::int64_t k = c.has_input(1) ? int_input(c, 1) : 0;
    const std::int64_t rows = x.extent(x.rank() - 2), columns = x.extent(x.rank() - 1);
    tensor& y = c.output(0, x.type(), x.shape());
    if (y.size() == 0) return;
    const std::size_t width = size_of(x.type());
    const auto* from = static_cast<const unsigned char*>(x.raw());
    auto* to = static_cast<unsigned char*>(y.mutable_raw());
    // Saturated, so that a far diagonal does not overflow.
    const std::int64_t diagonal = std::clamp<std::int64_t>(k, -rows - 1, columns + 1);
    parallel_range(x.size() / columns, cheap_block / columns, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
            const std::int64_t row = i % rows;
            // Kept: columns [first, last).
            const std::int64_t first = upper ? std::clamp<std::int64_t>(row + diagonal, 0, columns) : 0;
            const std::int64_t last = upper ? columns : std::clamp<std::int64_t>(row + diagonal + 1, 0, columns);
            const auto bytes = [&](std::int64_t n) { return static_cast<std::size_t>(n) * width; };
            const unsigned char* source = from + bytes(i * columns);
            unsigned char* target = to + bytes(i * columns);
            std::memset(target, 0, bytes(first));
            std::memcpy(target + bytes(first), source + bytes(first), bytes(last - first));
            std::memset(target + bytes(last), 0, bytes(columns - last));
        }
    });
}

}  // namespace detail

OCELLI_INLINE std::size_t concat_axis(const node& concat, std::size_t rank) {
    return normalize_axis(concat, concat.opset < 4 ? attr_int(concat, "axis", 1) : attr_int(concat, "axis"), rank);
}

OCELLI_INLINE std::span<const op_def> arrange_ops() {
    using namespace detail;
    static constexpr op_def table[] = {
        {.name = "Transpose", .attributes = "perm:ints", .infer = infer_transpose, .eval = eval_transpose},
        {.name = "Expand", .since = 8, .min_inputs = 2, .max_inputs = 2, .infer = infer_expand, .eval = eval_expand},
        {.name = "Tile", .since = 6, .min_inputs = 2, .max_inputs = 2, .infer = infer_tile, .eval = eval_tile},
        {.name = "Concat", .max_inputs = -1, .attributes = "axis:int", .infer = infer_concat, .eval = eval_concat},
        {.name = "Split", .until = 1, .max_inputs = 2, .max_outputs = -1, .attributes = "axis:int split:ints", .infer = infer_split, .eval = eval_split},
        {.name = "Split", .since = 2, .until = 12, .max_outputs = -1, .attributes = "axis:int split:ints", .infer = infer_split, .eval = eval_split},
        {.name = "Split", .since = 13, .until = 17, .max_inputs = 2, .max_outputs = -1, .attributes = "axis:int", .infer = infer_split, .eval = eval_split},
        {.name = "Split", .since = 18, .max_inputs = 2, .max_outputs = -1, .attributes = "axis:int num_outputs:int", .infer = infer_split,
         .eval = eval_split},
        {.name = "Slice", .until = 9, .attributes = "axes:ints ends:ints starts:ints", .infer = infer_slice, .eval = eval_slice},
        {.name = "Slice", .since = 10, .min_inputs = 3, .max_inputs = 5, .infer = infer_slice, .eval = eval_slice},
        {.name = "ReverseSequence", .since = 10, .min_inputs = 2, .max_inputs = 2, .attributes = "batch_axis:int time_axis:int", .infer = infer_same,
         .eval = eval_reverse_sequence},
        {.name = "Trilu", .since = 14, .max_inputs = 2, .attributes = "upper:int", .infer = infer_same, .eval = eval_trilu},
    };
    return table;
}

}  // namespace ocelli::nn
