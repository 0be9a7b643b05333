#pragma once

#include <ocelli/nn/ops/detail/loops.hpp>
#include <ocelli/nn/ops/sequence.hpp>

namespace ocelli::nn {

namespace detail {

// --- sequences --------------------------------------------------------------------------------------------------------------
//
// Tensors are copied on their way into a sequence: planned memory is written again while the sequence still lives.

inline const std::vector<tensor>& sequence_input(const eval_context& c, std::size_t i) {
    check(c.self, c.input(i).type() == dtype::sequence, "input ", i, " must be a sequence, got ", c.input(i));
    return c.input(i).items();
}

// A place in a sequence of `count` items; negative ones count from the end.
inline std::size_t sequence_place(const eval_context& c, std::size_t i, std::int64_t count, std::int64_t last) {
    const tensor& t = c.input(i);
    check(c.self, t.size() == 1 && (t.type() == dtype::int64 || t.type() == dtype::int32), "input ", i, " must be one int32 or int64, got ", t);
    const std::int64_t at = t.to_ints()[0];
    check(c.self, at >= -count && at <= last, "position ", at, " is outside a sequence of ", count);
    return static_cast<std::size_t>(at < 0 ? at + count : at);
}

inline void check_item_type(const node& n, const std::vector<tensor>& items, const tensor& next) {
    check(n, items.empty() || items[0].type() == next.type(), "the items of a sequence must have one type, got ", name(next.type()), " beside ",
          items.empty() ? std::string_view() : name(items[0].type()));
}

inline void infer_sequence(infer_context& c) {
    c.output(0, dtype::sequence, {});
}

inline void infer_anything(infer_context&) {}

inline void eval_sequence_empty(eval_context& c) {
    const std::int64_t type = attr_int(c.self, "dtype", 1);
    check<unsupported_operator>(c.self, type > 0 && type < 32 && size_of(static_cast<dtype>(type)) != 0, "attribute dtype = ", type,
                                ": this element type is not supported");
    c.set_output(0, tensor::sequence({}));
}

inline void eval_sequence_construct(eval_context& c) {
    std::vector<tensor> items;
    for (std::size_t i = 0; i < c.input_count(); ++i) {
        check_item_type(c.self, items, c.input(i));
        items.push_back(c.input(i).clone());
    }
    c.set_output(0, tensor::sequence(std::move(items)));
}

inline void eval_sequence_at(eval_context& c) {
    const auto& items = sequence_input(c, 0);
    const auto n = static_cast<std::int64_t>(items.size());
    c.set_output(0, items[sequence_place(c, 1, n, n - 1)]);
}

inline void eval_sequence_insert(eval_context& c) {
    std::vector<tensor> items = sequence_input(c, 0);
    check_item_type(c.self, items, c.input(1));
    const auto n = static_cast<std::int64_t>(items.size());
    const std::size_t at = c.has_input(2) ? sequence_place(c, 2, n, n) : items.size();
    items.insert(items.begin() + static_cast<std::ptrdiff_t>(at), c.input(1).clone());
    c.set_output(0, tensor::sequence(std::move(items)));
}

inline void eval_sequence_erase(eval_context& c) {
    std::vector<tensor> items = sequence_input(c, 0);
    check(c.self, !items.empty(), "nothing can be erased from an empty sequence");
    const auto n = static_cast<std::int64_t>(items.size());
    const std::size_t at = c.has_input(1) ? sequence_place(c, 1, n, n - 1) : items.size() - 1;
    items.erase(items.begin() + static_cast<std::ptrdiff_t>(at));
    c.set_output(0, tensor::sequence(std::move(items)));
}

inline void infer_sequence_length(infer_context& c) {
    c.output(0, dtype::int64, symbolic_shape(dims{}));
}

inline void eval_sequence_length(eval_context& c) {
    *c.output(0, dtype::int64, {}).mutable_data<std::int64_t>() = static_cast<std::int64_t>(sequence_input(c, 0).size());
}

// --- between tensors and sequences ----------------------------------------------------------------------------------------------

inline void eval_split_to_sequence(eval_context& c) {
    const tensor& x = c.input(0);
    check(c.self, x.rank() >= 1, "a scalar cannot be split");
    const std::size_t axis = normalize_axis(c.self, attr_int(c.self, "axis", 0), x.rank());
    const std::int64_t extent = x.extent(axis), outer = product(x.shape(), 0, axis), inner = product(x.shape(), axis + 1, x.rank());
    std::vector<std::int64_t> parts;
    bool keep = true;
    if (!c.has_input(1)) {
        parts.assign(static_cast<std::size_t>(extent), 1);
        keep = attr_int(c.self, "keepdims", 1) != 0;
    } else if (c.input(1).rank() == 0) {  // equal parts, the last one smaller where they do not fit
        const std::int64_t part = int_input(c, 1);
        check(c.self, part >= 1, "split must be at least 1, got ", part);
        for (std::int64_t at = 0; at < extent; at += std::min(part, extent - at)) parts.push_back(std::min(part, extent - at));
    } else {
        parts = list_input(c, 1);
        std::int64_t rest = extent;
        for (const std::int64_t p : parts) {
            check(c.self, p >= 0 && p <= rest, "split ", ocelli::detail::shape_text(parts), " does not divide ", extent, " elements");
            rest -= p;
        }
        check(c.self, rest == 0, "split ", ocelli::detail::shape_text(parts), " does not divide ", extent, " elements");
    }
    std::vector<tensor> items;
    std::int64_t at = 0;
    for (const std::int64_t p : parts) {
        dims shape = x.shape();
        shape[axis] = p;
        tensor item(x.type(), shape);
        move_elements(x, at * inner, item, 0, block_loop(outer, p * inner, extent * inner, p * inner));
        at += p;
        if (!keep) shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis));
        items.push_back(item.reshaped(std::move(shape)));
    }
    c.set_output(0, tensor::sequence(std::move(items)));
}

inline void eval_concat_from_sequence(eval_context& c) {
    const auto& items = sequence_input(c, 0);
    check(c.self, !items.empty(), "an empty sequence has nothing to join");
    const bool stack = attr_int(c.self, "new_axis", 0) != 0;
    const tensor& first = items[0];
    const std::size_t axis = normalize_axis(c.self, attr_int(c.self, "axis"), first.rank() + (stack ? 1 : 0));
    dims shape = first.shape();
    if (stack) shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis), 0);
    else shape[axis] = 0;
    const auto along = [&](const tensor& t) { return stack ? 1 : t.extent(axis); };
    for (const tensor& t : items) {
        bool fits = t.type() == first.type() && t.rank() == first.rank();
        for (std::size_t d = 0; fits && d < t.rank(); ++d) fits = (!stack && d == axis) || t.extent(d) == first.extent(d);
        check(c.self, fits, "items do not fit along axis ", axis, ": ", first, " and ", t);
        shape[axis] += along(t);
    }
    tensor& y = c.output(0, first.type(), shape);
    const std::int64_t outer = product(shape, 0, axis), inner = product(shape, axis + 1, shape.size());
    std::int64_t at = 0;
    for (const tensor& t : items) {
        const std::int64_t length = along(t) * inner;
        move_elements(t, 0, y, at, block_loop(outer, length, length, shape[axis] * inner));
        at += length;
    }
}

// --- SequenceMap ------------------------------------------------------------------------------------------------------------

inline void infer_sequences(infer_context& c) {
    for (std::size_t i = 0; i < c.output_count(); ++i) c.output(i, dtype::sequence, {});
}

inline void eval_sequence_map(eval_context& c) {
    const graph& body = attr_graph(c.self, "body");
    const std::size_t n = sequence_input(c, 0).size();
    check<format_error>(c.self, body.inputs.size() == c.input_count() && body.outputs.size() >= c.self.outputs.size(), "the body must have ",
                        c.input_count(), " inputs and at least ", c.self.outputs.size(), " outputs, has ", body.inputs.size(), " and ", body.outputs.size());
    for (std::size_t i = 1; i < c.input_count(); ++i)
        check(c.self, c.input(i).type() != dtype::sequence || c.input(i).items().size() == n, "all sequences must have one length");
    std::vector<std::vector<tensor>> results(c.self.outputs.size());
    std::vector<tensor> arguments(c.input_count());
    for (std::size_t k = 0; k < n; ++k) {
        for (std::size_t i = 0; i < arguments.size(); ++i) arguments[i] = c.input(i).type() == dtype::sequence ? c.input(i).items()[k] : c.input(i);
        const std::vector<tensor> out = c.run(body, arguments);
        for (std::size_t i = 0; i < results.size(); ++i) results[i].push_back(out.at(i).clone());
    }
    for (std::size_t i = 0; i < results.size(); ++i)
        if (c.wants(i)) c.set_output(i, tensor::sequence(std::move(results[i])));
}

// --- optional values --------------------------------------------------------------------------------------------------------
//
// An optional that holds something is what it holds.

inline void infer_optional_element(infer_context& c) {
    if (c.has_input(0)) c.output(0, c.type(0), c.type(0) == dtype::sequence ? symbolic_shape() : c.shape(0));
}

inline void eval_optional(eval_context& c) {
    c.set_output(0, c.has_input(0) ? c.input(0).clone() : tensor::none());
}

inline void infer_has_element(infer_context& c) {
    c.output(0, dtype::boolean, symbolic_shape(dims{}));
}

inline void eval_has_element(eval_context& c) {
    *c.output(0, dtype::boolean, {}).mutable_data<bool>() = c.has_input(0) && c.input(0).type() != dtype::none;
}

inline void eval_get_element(eval_context& c) {
    check(c.self, c.input(0).type() != dtype::none, "the optional value is empty");
    c.set_output(0, c.input(0));
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> sequence_ops() {
    using namespace detail;
    static constexpr op_def table[] = {
        {.name = "SequenceEmpty", .since = 11, .min_inputs = 0, .max_inputs = 0, .attributes = "dtype:int", .infer = infer_sequence, .eval = eval_sequence_empty},
        {.name = "SequenceConstruct", .since = 11, .max_inputs = -1, .infer = infer_sequence, .eval = eval_sequence_construct},
        {.name = "SequenceAt", .since = 11, .min_inputs = 2, .max_inputs = 2, .infer = infer_anything, .eval = eval_sequence_at},
        {.name = "SequenceInsert", .since = 11, .min_inputs = 2, .max_inputs = 3, .infer = infer_sequence, .eval = eval_sequence_insert},
        {.name = "SequenceErase", .since = 11, .max_inputs = 2, .infer = infer_sequence, .eval = eval_sequence_erase},
        {.name = "SequenceLength", .since = 11, .infer = infer_sequence_length, .eval = eval_sequence_length},
        {.name = "SplitToSequence", .since = 11, .max_inputs = 2, .attributes = "axis:int keepdims:int", .infer = infer_sequence,
         .eval = eval_split_to_sequence},
        {.name = "ConcatFromSequence", .since = 11, .attributes = "axis:int new_axis:int", .infer = infer_anything, .eval = eval_concat_from_sequence},
        {.name = "SequenceMap", .since = 17, .max_inputs = -1, .max_outputs = -1, .attributes = "body:graph", .infer = infer_sequences,
         .eval = eval_sequence_map},
        {.name = "Optional", .since = 15, .min_inputs = 0, .attributes = "type:int", .infer = infer_optional_element, .eval = eval_optional},
        {.name = "OptionalHasElement", .since = 15, .min_inputs = 0, .infer = infer_has_element, .eval = eval_has_element},
        {.name = "OptionalGetElement", .since = 15, .infer = infer_optional_element, .eval = eval_get_element},
    };
    return table;
}

}  // namespace ocelli::nn
