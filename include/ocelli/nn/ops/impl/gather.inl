#pragma once

#include <ocelli/nn/ops/detail/widen.hpp>
#include <ocelli/nn/ops/gather.hpp>
#include <ocelli/nn/ops/generate.hpp>

#include <utility>

namespace ocelli::nn {

namespace detail {

// The indices of an input counted from the front, checked against an axis' extent.
inline std::vector<std::int64_t> checked_indices(const node& n, const tensor& t, std::int64_t extent) {
    check(n, t.type() == dtype::int64 || t.type() == dtype::int32, "indices must be int64 or int32, got ", t);
    std::vector<std::int64_t> out = t.to_ints();
    for (std::int64_t& i : out) {
        check(n, i >= -extent && i < extent, "index ", i, " is outside an axis of extent ", extent);
        if (i < 0) i += extent;
    }
    return out;
}

// --- Gather -----------------------------------------------------------------------------------------------------------------------

inline void infer_gather(infer_context& c) {
    const symbolic_shape& x = c.shape(0);
    const symbolic_shape& index = c.shape(1);
    if (!x.ranked() || !index.ranked()) return c.output(0, c.type(0), {});
    const std::size_t axis = normalize_axis(c.self, attr_int(c.self, "axis", 0), x.rank());
    std::vector<dim> out(x.extents().begin(), x.extents().begin() + static_cast<std::ptrdiff_t>(axis));
    out.insert(out.end(), index.extents().begin(), index.extents().end());
    out.insert(out.end(), x.extents().begin() + static_cast<std::ptrdiff_t>(axis) + 1, x.extents().end());
    c.output(0, c.type(0), symbolic_shape(std::move(out)));
}

// Copies blocks of `inner` elements: block i of the output is block (i / places.size() * extent + places[i % places.size()]) of the input.
inline void gather_blocks(const tensor& x, tensor& y, std::int64_t blocks, std::int64_t inner, std::int64_t extent, const std::vector<std::int64_t>& places) {
    if (blocks == 0 || inner == 0) return;
    const auto count = static_cast<std::int64_t>(places.size());
    dispatch_words(x.type(), [&]<class W>(type_tag<W>) {
        const W* source = static_cast<const W*>(x.raw());
        W* target = static_cast<W*>(y.mutable_raw());
        parallel_range(blocks, cheap_block / inner, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i) {
                const W* s = source + (i / count * extent + places[static_cast<std::size_t>(i % count)]) * inner;
                W* t = target + i * inner;
                if (inner == 1) *t = *s;
                else std::memcpy(t, s, static_cast<std::size_t>(inner) * sizeof(W));
            }
        });
    });
}

inline void eval_gather(eval_context& c) {
    const tensor& x = c.input(0);
    const tensor& index = c.input(1);
    const std::size_t axis = normalize_axis(c.self, attr_int(c.self, "axis", 0), x.rank());
    const auto at = static_cast<std::ptrdiff_t>(axis);
    dims shape(x.shape().begin(), x.shape().begin() + at);
    shape.insert(shape.end(), index.shape().begin(), index.shape().end());
    shape.insert(shape.end(), x.shape().begin() + at + 1, x.shape().end());
    const std::vector<std::int64_t> indices = checked_indices(c.self, index, x.extent(axis));
    const std::int64_t outer = product(x.shape(), 0, axis), inner = product(x.shape(), axis + 1, x.rank()), extent = x.extent(axis);
    const auto count = static_cast<std::int64_t>(indices.size());
    tensor& y = c.output(0, x.type(), shape);
    gather_blocks(x, y, outer * count, inner, extent, indices);
}

// --- GatherElements, ScatterElements --------------------------------------------------------------------------------------------------

// Calls f(place in data, place in indices) for each index; the data's place lacks the index itself times axis_stride.
struct element_walk {
    strided_loop<2> loop;
    std::int64_t axis_stride = 1;
};

inline element_walk walk_elements(const node& n, const tensor& data, const tensor& index, std::size_t axis) {
    check(n, index.rank() == data.rank(), "data and indices must have one rank, got ", data, " and ", index);
    const dims in = dense_strides(data.shape()), own = dense_strides(index.shape());
    element_walk walk;
    walk.axis_stride = in[axis];
    for (std::size_t i = 0; i < data.rank(); ++i) {
        check(n, i == axis || index.extent(i) <= data.extent(i), "indices ", index, " reach outside of the data ", data);
        walk.loop.push(index.extent(i), {i == axis ? 0 : in[i], own[i]});
    }
    return walk;
}

inline void infer_gather_elements(infer_context& c) {
    c.output(0, c.type(0), c.shape(1));
}

inline void eval_gather_elements(eval_context& c) {
    const tensor& x = c.input(0);
    const tensor& index = c.input(1);
    const std::size_t axis = normalize_axis(c.self, attr_int(c.self, "axis", 0), x.rank());
    const element_walk walk = walk_elements(c.self, x, index, axis);
    const std::vector<std::int64_t> indices = checked_indices(c.self, index, x.extent(axis));
    tensor& y = c.output(0, x.type(), index.shape());
    dispatch_words(x.type(), [&]<class W>(type_tag<W>) {
        const W* from = static_cast<const W*>(x.raw());
        W* to = static_cast<W*>(y.mutable_raw());
        parallel_rows(walk.loop, cheap_block, [&](const auto& at, std::int64_t n, const auto& step) {
            const std::int64_t* row = indices.data() + at[1];
            for (std::int64_t i = 0; i < n; ++i) to[at[1] + i * step[1]] = from[at[0] + i * step[0] + row[i * step[1]] * walk.axis_stride];
        });
    });
}

enum class scatter_reduction { none, add, mul, max, min };

inline scatter_reduction reduction_attribute(const node& n) {
    const std::string how = attr_string(n, "reduction", "none");
    if (how == "none") return scatter_reduction::none;
    if (how == "add") return scatter_reduction::add;
    if (how == "mul") return scatter_reduction::mul;
    if (n.opset >= 18 && how == "max") return scatter_reduction::max;
    if (n.opset >= 18 && how == "min") return scatter_reduction::min;
    fail<unsupported_operator>(n, "attribute reduction = '", how, "' is not supported");
}

// Merges blocks of `inner` updates into the blocks of y at `places`, one after the other: of several updates of one element the last wins,
// and sums have one order.
template <class W, class Merge>
void scatter_blocks(const tensor& updates, tensor& y, const std::vector<std::int64_t>& places, std::int64_t inner, Merge merge) {
    const W* from = static_cast<const W*>(updates.raw());
    W* to = static_cast<W*>(y.mutable_raw());
    for (const std::int64_t place : places) {
        W* target = to + place * inner;
        for (std::int64_t i = 0; i < inner; ++i) target[i] = merge(target[i], from[i]);
        from += inner;
    }
}

inline void scatter(const node& n, const tensor& x, const tensor& updates, tensor& y, const std::vector<std::int64_t>& places, std::int64_t inner) {
    const scatter_reduction how = reduction_attribute(n);
    if (x.size() != 0) std::memcpy(y.mutable_raw(), x.raw(), x.bytes());
    if (how == scatter_reduction::none) {
        dispatch_words(x.type(), [&]<class W>(type_tag<W>) { scatter_blocks<W>(updates, y, places, inner, [](W, W update) { return update; }); });
        return;
    }
    dispatch(n, wide_types{}, x.type(), [&]<class T>(type_tag<T>) {
        using M = modular_t<T>;
        switch (how) {
        case scatter_reduction::add: scatter_blocks<T>(updates, y, places, inner, [](T a, T b) { return static_cast<T>(static_cast<M>(a) + static_cast<M>(b)); }); break;
        case scatter_reduction::mul: scatter_blocks<T>(updates, y, places, inner, [](T a, T b) { return static_cast<T>(static_cast<M>(a) * static_cast<M>(b)); }); break;
        case scatter_reduction::max: scatter_blocks<T>(updates, y, places, inner, [](T a, T b) { return nan_element(a) || !(nan_element(b) || b > a) ? a : b; }); break;
        default: scatter_blocks<T>(updates, y, places, inner, [](T a, T b) { return nan_element(a) || !(nan_element(b) || b < a) ? a : b; }); break;
        }
    });
}

// Only arithmetic asks for the element's type.
template <void (*body)(eval_context&)>
void in_wide_if_merged(eval_context& c) {
    if (reduction_attribute(c.self) == scatter_reduction::none) body(c);
    else in_wide<body>(c);
}

inline void eval_scatter_elements(eval_context& c) {
    const tensor& x = c.input(0);
    const tensor& index = c.input(1);
    const tensor& updates = c.input(2);
    check_same_type(c.self, x, updates);
    check(c.self, updates.shape() == index.shape(), "indices and updates must have one shape, got ", index, " and ", updates);
    const std::size_t axis = normalize_axis(c.self, attr_int(c.self, "axis", 0), x.rank());
    const element_walk walk = walk_elements(c.self, x, index, axis);
    const std::vector<std::int64_t> indices = checked_indices(c.self, index, x.extent(axis));
    std::vector<std::int64_t> places(indices.size());
    walk.loop.each_row([&](const auto& at, std::int64_t n, const auto& step) {
        for (std::int64_t i = 0; i < n; ++i) {
            const auto place = static_cast<std::size_t>(at[1] + i * step[1]);
            places[place] = at[0] + i * step[0] + indices[place] * walk.axis_stride;
        }
    });
    scatter(c.self, x, updates, c.output(0, x.type(), x.shape()), places, 1);
}

// --- ocelli.ScatterRows -------------------------------------------------------------------------------------------------------------

inline void infer_scatter_rows(infer_context& c) {
    if (has_attribute(c.self, "value")) infer_constant_of_shape(c);
    else infer_same(c);
}

// y = ScatterElements(x, Expand(index, shape), updates) along axis 0.
inline void scatter_rows(const node& n, const tensor& x, const tensor& index, const tensor& updates, const dims& expanded_to, tensor& y) {
    const dims shape = broadcast_shape(n, index.shape(), expanded_to);
    check_same_type(n, x, updates);
    check(n, updates.shape() == shape, "indices and updates must have one shape, got ", shape, " and ", updates);
    tensor expanded(index.type(), shape);
    move_elements(index, 0, expanded, 0, broadcast_loop<2>(shape, {&index.shape(), &shape}));
    const tensor inputs[] = {x, std::move(expanded), updates};
    eval_context elements(n, inputs, std::span<tensor>(&y, 1));
    eval_scatter_elements(elements);
}

// ocelli.ScatterRows(data, indices (n, 1, ...), updates, shape, indices, updates, shape, ...): one scatter after the other. With `value`, input 0 is the
// shape of data that is all this value.
inline void eval_scatter_rows(eval_context& c) {
    check(c.self, c.input_count() % 3 == 1 && c.input_count() >= 4, "data and then indices, updates and shape in threes expected, got ", c.input_count(), " inputs");
    tensor x = c.input(0);
    if (has_attribute(c.self, "value")) {
        const tensor shape = std::exchange(x, tensor());
        eval_context filled(c.self, std::span<const tensor>(&shape, 1), std::span<tensor>(&x, 1));
        eval_constant_of_shape(filled);
    }
    for (std::size_t i = 1; i < c.input_count(); i += 3) {
        const bool last = i + 3 == c.input_count();
        tensor between;
        tensor& y = last ? c.output(0, x.type(), x.shape()) : between;
        scatter_rows(c.self, x, c.input(i), c.input(i + 1), list_input(c, i + 2), y);
        if (!last) x = std::move(between);
    }
}

// --- GatherND, ScatterND -----------------------------------------------------------------------------------------------------------------

// Rows of indices as places of blocks in the data.
struct nd_places {
    std::vector<std::int64_t> places;
    std::int64_t inner = 1;
    dims lead;
    dims tail;
};

inline nd_places locate_nd(const node& n, const tensor& data, const tensor& index, std::size_t batch) {
    check(n, index.type() == dtype::int64 || index.type() == dtype::int32, "indices must be int64 or int32, got ", index);
    check(n, index.rank() >= 1 && index.rank() > batch, "indices must have rank 1 or more beyond the batch axes, got ", index);
    const std::int64_t depth = index.shape().back();
    check(n, depth >= 0 && static_cast<std::size_t>(depth) + batch <= data.rank(), "indices of length ", depth, " do not fit the data ", data);
    nd_places out;
    out.lead.assign(index.shape().begin(), index.shape().end() - 1);
    for (std::size_t i = 0; i < batch; ++i)
        check(n, index.extent(i) == data.extent(i), "batch axes of data and indices differ: ", data, " and ", index);
    const std::size_t first = batch + static_cast<std::size_t>(depth);
    out.tail.assign(data.shape().begin() + static_cast<std::ptrdiff_t>(first), data.shape().end());
    out.inner = element_count(out.tail);
    const std::vector<std::int64_t> indices = index.to_ints();
    const std::int64_t rows = element_count(out.lead);
    const std::int64_t per_batch = product(index.shape(), batch, index.rank() - 1);
    out.places.resize(static_cast<std::size_t>(rows));
    for (std::int64_t row = 0; row < rows; ++row) {
        std::int64_t place = batch == 0 ? 0 : row / per_batch;
        for (std::size_t k = 0; k < static_cast<std::size_t>(depth); ++k) {
            const std::int64_t extent = data.extent(batch + k);
            const std::int64_t i = indices[static_cast<std::size_t>(row * depth) + k];
            check(n, i >= -extent && i < extent, "index ", i, " is outside an axis of extent ", extent);
            place = place * extent + (i < 0 ? i + extent : i);
        }
        out.places[static_cast<std::size_t>(row)] = place;
    }
    return out;
}

inline std::size_t batch_attribute(const node& n) {
    const std::int64_t batch = attr_int(n, "batch_dims", 0);
    check(n, batch >= 0 && batch < 64, "batch_dims must not be negative");
    return static_cast<std::size_t>(batch);
}

inline void infer_gather_nd(infer_context& c) {
    const symbolic_shape& x = c.shape(0);
    const symbolic_shape& index = c.shape(1);
    if (!x.ranked() || !index.ranked() || index.rank() == 0 || !index[index.rank() - 1].known()) return c.output(0, c.type(0), {});
    const std::size_t first = batch_attribute(c.self) + static_cast<std::size_t>(index[index.rank() - 1].size);
    check(c.self, first <= x.rank(), "indices ", index, " do not fit the data ", x);
    std::vector<dim> out(index.extents().begin(), index.extents().end() - 1);
    out.insert(out.end(), x.extents().begin() + static_cast<std::ptrdiff_t>(first), x.extents().end());
    c.output(0, c.type(0), symbolic_shape(std::move(out)));
}

inline void eval_gather_nd(eval_context& c) {
    const tensor& x = c.input(0);
    const nd_places where = locate_nd(c.self, x, c.input(1), batch_attribute(c.self));
    dims shape = where.lead;
    shape.insert(shape.end(), where.tail.begin(), where.tail.end());
    tensor& y = c.output(0, x.type(), shape);
    gather_blocks(x, y, static_cast<std::int64_t>(where.places.size()), where.inner, 0, where.places);
}

inline void eval_scatter_nd(eval_context& c) {
    const tensor& x = c.input(0);
    const tensor& updates = c.input(2);
    check_same_type(c.self, x, updates);
    const nd_places where = locate_nd(c.self, x, c.input(1), 0);
    dims expected = where.lead;
    expected.insert(expected.end(), where.tail.begin(), where.tail.end());
    check(c.self, updates.shape() == expected, "updates must have shape ", ocelli::detail::shape_text(expected), ", got ", updates);
    scatter(c.self, x, updates, c.output(0, x.type(), x.shape()), where.places, where.inner);
}

// --- Compress ------------------------------------------------------------------------------------------------------------------------------

inline void infer_compress(infer_context& c) {
    if (!has_attribute(c.self, "axis")) return c.output(0, c.type(0), symbolic_shape::of_rank(1));
    symbolic_shape out = c.shape(0);
    if (out.ranked()) out[normalize_axis(c.self, attr_int(c.self, "axis"), out.rank())] = dim();
    c.output(0, c.type(0), std::move(out));
}

inline void eval_compress(eval_context& c) {
    const tensor& x = c.input(0);
    const tensor& condition = c.input(1);
    check(c.self, condition.type() == dtype::boolean && condition.rank() == 1, "condition must be a list of bool, got ", condition);
    dims shape = {x.size()};
    std::size_t axis = 0;
    if (has_attribute(c.self, "axis")) {
        axis = normalize_axis(c.self, attr_int(c.self, "axis"), x.rank());
        shape = x.shape();
    }
    const std::int64_t extent = shape[axis];
    check(c.self, condition.size() <= extent, "condition is longer than the axis (", condition.size(), ", ", extent, ")");
    std::vector<std::int64_t> kept;
    for (std::int64_t i = 0; i < condition.size(); ++i)
        if (condition.data<bool>()[i]) kept.push_back(i);
    const std::int64_t outer = product(shape, 0, axis), inner = product(shape, axis + 1, shape.size());
    const auto count = static_cast<std::int64_t>(kept.size());
    shape[axis] = count;
    tensor& y = c.output(0, x.type(), shape);
    gather_blocks(x, y, outer * count, inner, extent, kept);
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> gather_ops() {
    using namespace detail;
    static constexpr op_def table[] = {
        {.name = "Gather", .min_inputs = 2, .max_inputs = 2, .attributes = "axis:int", .infer = infer_gather, .eval = eval_gather},
        {.name = "GatherElements", .since = 11, .min_inputs = 2, .max_inputs = 2, .attributes = "axis:int", .infer = infer_gather_elements,
         .eval = eval_gather_elements},
        {.name = "GatherND", .since = 11, .until = 11, .min_inputs = 2, .max_inputs = 2, .infer = infer_gather_nd, .eval = eval_gather_nd},
        {.name = "GatherND", .since = 12, .min_inputs = 2, .max_inputs = 2, .attributes = "batch_dims:int", .infer = infer_gather_nd,
         .eval = eval_gather_nd},
        {.name = "Scatter", .since = 9, .until = 10, .min_inputs = 3, .max_inputs = 3, .attributes = "axis:int", .infer = infer_same,
         .eval = in_wide_if_merged<eval_scatter_elements>},
        {.name = "ScatterElements", .since = 11, .until = 15, .min_inputs = 3, .max_inputs = 3, .attributes = "axis:int", .infer = infer_same,
         .eval = in_wide_if_merged<eval_scatter_elements>},
        {.name = "ScatterElements", .since = 16, .min_inputs = 3, .max_inputs = 3, .attributes = "axis:int reduction:string", .infer = infer_same,
         .eval = in_wide_if_merged<eval_scatter_elements>},
        {.name = "ScatterRows", .domain = "ocelli", .min_inputs = 4, .max_inputs = -1, .attributes = "value:tensor", .infer = infer_scatter_rows,
         .eval = eval_scatter_rows},
        {.name = "ScatterND", .since = 11, .until = 15, .min_inputs = 3, .max_inputs = 3, .infer = infer_same, .eval = in_wide_if_merged<eval_scatter_nd>},
        {.name = "ScatterND", .since = 16, .min_inputs = 3, .max_inputs = 3, .attributes = "reduction:string", .infer = infer_same,
         .eval = in_wide_if_merged<eval_scatter_nd>},
        {.name = "Compress", .since = 9, .min_inputs = 2, .max_inputs = 2, .attributes = "axis:int", .infer = infer_compress, .eval = eval_compress},
    };
    return table;
}

}  // namespace ocelli::nn
