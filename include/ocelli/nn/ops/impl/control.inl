#pragma once

#include <ocelli/nn/ops/arrange.hpp>
#include <ocelli/nn/ops/control.hpp>
#include <ocelli/nn/ops/support.hpp>

#include <cstring>
#include <limits>

namespace ocelli::nn {

namespace detail {

inline bool truth(const node& n, const tensor& t) {
    check(n, t.size() == 1 && t.type() == dtype::boolean, "a condition must be one bool, got ", text(t));
    return *t.data<bool>();
}

inline void infer_if(infer_context& c) {
    const graph& a = attr_graph(c.self, "then_branch");
    const graph& b = attr_graph(c.self, "else_branch");
    for (std::size_t i = 0; i < c.output_count() && i < a.outputs.size() && i < b.outputs.size(); ++i) {
        const fact& x = a.at(a.outputs[i]).what;
        const fact& y = b.at(b.outputs[i]).what;
        symbolic_shape shape;
        if (x.shape.ranked() && y.shape.ranked() && x.shape.rank() == y.shape.rank()) {
            shape = symbolic_shape::of_rank(x.shape.rank());
            for (std::size_t d = 0; d < shape.rank(); ++d)
                if (x.shape[d].known() && x.shape[d] == y.shape[d]) shape[d] = x.shape[d];
        }
        c.output(i, x.type == y.type ? x.type : dtype::undefined, std::move(shape));
    }
}

inline void eval_if(eval_context& c) {
    const graph& branch = attr_graph(c.self, truth(c.self, c.input(0)) ? "then_branch" : "else_branch");
    check<format_error>(c.self, branch.inputs.empty() && branch.outputs.size() >= c.self.outputs.size(), "a branch must have no inputs and ",
                        c.self.outputs.size(), " outputs");
    std::vector<tensor> results = c.run(branch, {});
    for (std::size_t i = 0; i < results.size() && i < c.self.outputs.size(); ++i)
        if (c.wants(i)) c.set_output(i, std::move(results[i]));
}

/// Collects slices and joins them along a new axis.
class slice_collector {
public:
    void add(const node& n, tensor slice) {
        check(n, slices_.empty() || (slices_[0].type() == slice.type() && slices_[0].shape() == slice.shape()),
              "collected outputs must keep their type and shape, got ", text(slices_.empty() ? slice : slices_[0]), " and ", text(slice));
        // The body may hand out the same memory again.
        slices_.push_back(slice.clone());
    }
    void reverse() { std::reverse(slices_.begin(), slices_.end()); }

    /// `axis` in the result; `like`: what the body declares, for the case of no slices.
    tensor join(const node& n, std::int64_t axis, const fact& like) const {
        dims shape;
        dtype type = like.type == dtype::undefined ? dtype::float32 : like.type;
        if (!slices_.empty()) {
            shape = slices_[0].shape();
            type = slices_[0].type();
        } else if (like.shape.ranked())
            for (const dim& d : like.shape.extents()) shape.push_back(d.known() ? d.size : 0);
        const std::size_t place = normalize_axis(n, axis, shape.size() + 1);
        const std::int64_t outer = product(shape, 0, place), inner = product(shape, place, shape.size());
        shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(place), static_cast<std::int64_t>(slices_.size()));
        tensor out(type, shape);
        const std::size_t block = static_cast<std::size_t>(inner) * size_of(type);
        auto* to = static_cast<std::byte*>(out.mutable_raw());
        for (std::size_t k = 0; k < slices_.size() && block != 0; ++k)
            for (std::size_t o = 0; o < static_cast<std::size_t>(outer); ++o)
                std::memcpy(to + (o * slices_.size() + k) * block, static_cast<const std::byte*>(slices_[k].raw()) + o * block, block);
        return out;
    }

private:
    std::vector<tensor> slices_;
};

/// A carried value that a loop's body only lengthens: body output = Concat(body input, more), and nothing else reads the input. Exported
/// lists grow so ("res = torch.cat((res, mask))"). Taken as written each turn copies all turns before it; here the body is given no rows,
/// what it adds is kept, and one Concat at the end joins all of it; rows that lie one behind the other are put into their place at once, where the number of
/// turns says how much room they need.
class lengthened_value {
public:
    /// @param carried  place among the carried values
    lengthened_value(const graph& body, std::size_t carried, std::span<const std::int32_t> uses) {
        const value_id in = body.inputs[carried + 2], out = body.outputs[carried + 1];
        const node_id producer = body.at(out).producer;
        if (producer == no_node || uses[static_cast<std::size_t>(in)] != 1 || uses[static_cast<std::size_t>(out)] != 1) return;
        const node& n = body.node_at(producer);
        if (n.op == "Concat" && n.domain.empty() && !n.inputs.empty() && n.inputs[0] == in) concat_ = &n;
    }
    explicit operator bool() const noexcept { return concat_ != nullptr; }

    /// Before the first turn. @return what to give the body: the value without its rows
    tensor begin(tensor first) {
        if (size_of(first.type()) == 0 || first.rank() == 0) {
            concat_ = nullptr;  // no list of rows: the body's own Concat shall say so
            return first;
        }
        dims shape = first.shape();
        axis_ = concat_axis(*concat_, first.rank());
        shape[axis_] = 0;
        empty_ = tensor(first.type(), std::move(shape));
        parts_.push_back(std::move(first));
        return empty_;
    }
    /// @param turns  how many there are at most, this one among them
    tensor add(tensor rows, std::int64_t turns) {
        if (rows.extent(axis_) == 0) return empty_;
        if (parts_.size() == 1 && !room_.defined()) make_room(rows, turns);
        if (room_.defined() && rows.bytes() <= room_.bytes() - filled_) put(rows);
        else {
            if (room_.defined()) parts_ = {joined_room()};
            room_ = tensor();
            parts_.push_back(std::move(rows));
        }
        return empty_;
    }
    tensor join() const {
        if (room_.defined()) return joined_room();
        if (parts_.size() == 1) return parts_[0];
        tensor out;
        eval_context c(*concat_, parts_, std::span<tensor>(&out, 1));
        concat_->def->eval(c);
        return out;
    }

private:
    void make_room(const tensor& rows, std::int64_t turns) {
        const tensor& first = parts_[0];
        if (product(first.shape(), 0, axis_) != 1 || rows.bytes() == 0 || turns < 2) return;
        // Not so much that a loop which ends early would have taken memory for nothing.
        const std::size_t most = std::min<std::size_t>(memory_limit::current() / 4, std::size_t{1} << 28);
        if (first.bytes() > most / 2 || static_cast<std::uint64_t>(turns) > most / 2 / rows.bytes()) return;
        dims shape = first.shape();
        shape[axis_] += turns * rows.extent(axis_);
        room_ = tensor(first.type(), std::move(shape));
        filled_ = 0;
        put(first);
    }
    void put(const tensor& rows) {
        if (rows.bytes() == 0) return;
        std::memcpy(static_cast<std::byte*>(room_.mutable_raw()) + filled_, rows.raw(), rows.bytes());
        filled_ += rows.bytes();
    }
    tensor joined_room() const {
        if (filled_ == room_.bytes()) return room_;
        dims shape = room_.shape();
        shape[axis_] = static_cast<std::int64_t>(filled_ / (room_.bytes() / static_cast<std::size_t>(shape[axis_])));
        tensor out(room_.type(), std::move(shape));
        if (filled_ != 0) std::memcpy(out.mutable_raw(), room_.raw(), filled_);
        return out;
    }

    const node* concat_ = nullptr;
    std::size_t axis_ = 0;
    tensor empty_;
    std::vector<tensor> parts_;
    /// Room for all rows, as many bytes of it filled.
    tensor room_;
    std::size_t filled_ = 0;
};

inline void infer_loop(infer_context& c) {
    const graph& body = attr_graph(c.self, "body");
    const std::size_t carried = c.input_count() < 2 ? 0 : c.input_count() - 2;
    for (std::size_t i = 0; i < c.output_count(); ++i) {
        dtype type = i < carried ? c.type(i + 2) : dtype::undefined;
        if (type == dtype::undefined && i + 1 < body.outputs.size()) type = body.at(body.outputs[i + 1]).what.type;
        c.output(i, type, {});  // a carried value may change its shape
    }
}

inline void eval_loop(eval_context& c) {
    const graph& body = attr_graph(c.self, "body");
    const std::size_t carried = c.input_count() - 2;
    check<format_error>(c.self, body.inputs.size() == carried + 2 && body.outputs.size() >= carried + 1, "the body must have ", carried + 2,
                        " inputs and at least ", carried + 1, " outputs, has ", body.inputs.size(), " and ", body.outputs.size());
    check(c.self, !c.has_input(0) || c.input(0).size() == 1, "the trip count must be one number, got ", c.has_input(0) ? c.input(0) : tensor());
    const std::int64_t limit = c.has_input(0) ? static_cast<std::int64_t>(c.input(0).to_ints()[0]) : std::numeric_limits<std::int64_t>::max();
    bool running = !c.has_input(1) || truth(c.self, c.input(1));
    std::vector<tensor> state(carried + 2);
    for (std::size_t i = 0; i < carried; ++i) state[i + 2] = c.input(i + 2);
    const std::vector<std::int32_t> uses = body.use_counts();
    std::vector<lengthened_value> lengthened;
    for (std::size_t i = 0; i < carried; ++i) {
        lengthened.emplace_back(body, i, uses);
        if (lengthened[i]) state[i + 2] = lengthened[i].begin(std::move(state[i + 2]));
    }
    std::vector<slice_collector> collected(body.outputs.size() - 1 - carried);
    for (std::int64_t k = 0; running && k < limit; ++k) {
        state[0] = tensor::scalar(k);
        state[1] = tensor::scalar(true);
        std::vector<tensor> results = c.run(body, state);
        running = truth(c.self, results.at(0));
        for (std::size_t i = 0; i < carried; ++i) {
            tensor& next = results.at(i + 1);
            state[i + 2] = lengthened[i] ? lengthened[i].add(std::move(next), limit - k) : std::move(next);
        }
        for (std::size_t i = 0; i < collected.size(); ++i) collected[i].add(c.self, std::move(results.at(i + 1 + carried)));
    }
    for (std::size_t i = 0; i < c.self.outputs.size() && i < carried + collected.size(); ++i) {
        if (!c.wants(i)) continue;
        if (i < carried) c.set_output(i, lengthened[i] ? lengthened[i].join() : state[i + 2]);
        else c.set_output(i, collected[i - carried].join(c.self, 0, body.at(body.outputs[i + 1]).what));
    }
}

// --- Scan -------------------------------------------------------------------------------------------------------------------

inline void infer_scan(infer_context& c) {
    const graph& body = attr_graph(c.self, "body");
    for (std::size_t i = 0; i < c.output_count() && i < body.outputs.size(); ++i) c.output(i, body.at(body.outputs[i]).what.type, {});
}

/// x[..., index, ...] along an axis, without it.
inline tensor slice_at(const tensor& x, std::size_t axis, std::int64_t index) {
    dims shape = x.shape();
    const std::int64_t outer = product(shape, 0, axis), extent = shape[axis], inner = product(shape, axis + 1, shape.size());
    shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis));
    tensor out(x.type(), shape);
    const std::size_t block = static_cast<std::size_t>(inner) * size_of(x.type());
    for (std::int64_t o = 0; o < outer && block != 0; ++o)
        std::memcpy(static_cast<std::byte*>(out.mutable_raw()) + static_cast<std::size_t>(o) * block,
                    static_cast<const std::byte*>(x.raw()) + static_cast<std::size_t>(o * extent + index) * block, block);
    return out;
}

inline void eval_scan(eval_context& c) {
    const graph& body = attr_graph(c.self, "body");
    const std::int64_t scanned = attr_int(c.self, "num_scan_inputs");
    const auto inputs = static_cast<std::int64_t>(c.input_count());
    check(c.self, scanned >= 1 && scanned <= inputs, "num_scan_inputs must lie in [1, ", inputs, "], got ", scanned);
    const auto scans = static_cast<std::size_t>(scanned), states = c.input_count() - scans;
    check<format_error>(c.self, body.inputs.size() == c.input_count() && body.outputs.size() >= states, "the body must have ", c.input_count(),
                        " inputs and at least ", states, " outputs, has ", body.inputs.size(), " and ", body.outputs.size());
    const std::size_t collects = body.outputs.size() - states;
    const dims in_axes = attr_ints(c.self, "scan_input_axes", dims(scans, 0)), in_directions = attr_ints(c.self, "scan_input_directions", dims(scans, 0));
    const dims out_axes = attr_ints(c.self, "scan_output_axes", dims(collects, 0)), out_directions = attr_ints(c.self, "scan_output_directions", dims(collects, 0));
    check(c.self, in_axes.size() == scans && in_directions.size() == scans && out_axes.size() == collects && out_directions.size() == collects,
          "axes or directions have the wrong length");
    std::vector<std::size_t> axes;
    std::int64_t length = -1;
    for (std::size_t i = 0; i < scans; ++i) {
        const tensor& x = c.input(states + i);
        axes.push_back(normalize_axis(c.self, in_axes[i], x.rank()));
        check(c.self, length < 0 || length == x.extent(axes[i]), "scanned inputs must have one length, got ", length, " and ", x.extent(axes[i]));
        length = x.extent(axes[i]);
    }
    std::vector<tensor> arguments(c.input_count());
    for (std::size_t i = 0; i < states; ++i) arguments[i] = c.input(i);
    std::vector<slice_collector> collected(collects);
    for (std::int64_t k = 0; k < length; ++k) {
        for (std::size_t i = 0; i < scans; ++i) arguments[states + i] = slice_at(c.input(states + i), axes[i], in_directions[i] != 0 ? length - 1 - k : k);
        std::vector<tensor> results = c.run(body, arguments);
        for (std::size_t i = 0; i < states; ++i) arguments[i] = std::move(results.at(i));
        for (std::size_t i = 0; i < collects; ++i) collected[i].add(c.self, std::move(results.at(states + i)));
    }
    for (std::size_t i = 0; i < c.self.outputs.size() && i < states + collects; ++i) {
        if (!c.wants(i)) continue;
        if (i < states) {
            c.set_output(i, arguments[i]);
            continue;
        }
        slice_collector& all = collected[i - states];
        if (out_directions[i - states] != 0) all.reverse();
        c.set_output(i, all.join(c.self, out_axes[i - states], body.at(body.outputs[i]).what));
    }
}

// Operator set 8: every input has a batch axis first, scanned ones their time axis behind it; an optional input tells each sequence's length.
inline void infer_scan_batched(infer_context& c) {
    const graph& body = attr_graph(c.self, "body");
    for (std::size_t i = 0; i < c.output_count() && i < body.outputs.size(); ++i) c.output(i, body.at(body.outputs[i]).what.type, {});
}

inline void eval_scan_batched(eval_context& c) {
    const graph& body = attr_graph(c.self, "body");
    const std::int64_t scanned = attr_int(c.self, "num_scan_inputs");
    const auto inputs = static_cast<std::int64_t>(c.input_count()) - 1;
    check(c.self, scanned >= 1 && scanned <= inputs, "num_scan_inputs must lie in [1, ", inputs, "], got ", scanned);
    const auto scans = static_cast<std::size_t>(scanned), states = static_cast<std::size_t>(inputs) - scans;
    check<format_error>(c.self, body.inputs.size() == states + scans && body.outputs.size() >= states, "the body must have ", states + scans,
                        " inputs and at least ", states, " outputs, has ", body.inputs.size(), " and ", body.outputs.size());
    const std::size_t collects = body.outputs.size() - states;
    const dims directions = attr_ints(c.self, "directions", dims(scans, 0));
    check(c.self, directions.size() == scans, "directions have the wrong length");
    const auto input = [&](std::size_t i) -> const tensor& { return c.input(i + 1); };
    std::int64_t batch = -1, length = -1;
    for (std::size_t i = 0; i < states + scans; ++i) {
        const tensor& x = input(i);
        check(c.self, x.rank() >= (i < states ? 1u : 2u) && (batch < 0 || x.extent(0) == batch) && (i < states || length < 0 || x.extent(1) == length),
              "inputs must have one batch and one length, got ", text(x));
        batch = x.extent(0);
        if (i >= states) length = x.extent(1);
    }
    std::vector<std::int64_t> lengths(static_cast<std::size_t>(batch), length);
    if (c.has_input(0)) {
        lengths = c.input(0).to_ints();
        check(c.self, static_cast<std::int64_t>(lengths.size()) == batch, "sequence_lens must have ", batch, " elements");
        for (const std::int64_t l : lengths) check(c.self, l >= 0 && l <= length, "sequence length ", l, " is outside [0, ", length, "]");
    }
    std::vector<slice_collector> results(states + collects);
    for (std::int64_t b = 0; b < batch; ++b) {
        const std::int64_t own = lengths[static_cast<std::size_t>(b)];
        std::vector<tensor> arguments(states + scans), sequences(scans);
        for (std::size_t i = 0; i < states; ++i) arguments[i] = slice_at(input(i), 0, b);
        for (std::size_t i = 0; i < scans; ++i) sequences[i] = slice_at(input(states + i), 0, b);
        std::vector<slice_collector> collected(collects);
        for (std::int64_t k = 0; k < length; ++k) {
            // Behind its own length a sequence's results are 0; its states rest.
            for (std::size_t i = 0; i < scans; ++i) arguments[states + i] = slice_at(sequences[i], 0, directions[i] != 0 && k < own ? own - 1 - k : k);
            std::vector<tensor> out = c.run(body, arguments);
            for (std::size_t i = 0; i < states && k < own; ++i) arguments[i] = std::move(out.at(i));
            for (std::size_t i = 0; i < collects; ++i)
                collected[i].add(c.self, k < own ? std::move(out.at(states + i)) : tensor::zeros(out.at(states + i).type(), out.at(states + i).shape()));
        }
        for (std::size_t i = 0; i < states; ++i) results[i].add(c.self, arguments[i]);
        for (std::size_t i = 0; i < collects; ++i) results[states + i].add(c.self, collected[i].join(c.self, 0, body.at(body.outputs[states + i]).what));
    }
    for (std::size_t i = 0; i < c.self.outputs.size() && i < results.size(); ++i)
        if (c.wants(i)) c.set_output(i, results[i].join(c.self, 0, body.at(body.outputs[i]).what));
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> control_ops() {
    static constexpr op_def table[] = {
        {.name = "If", .max_outputs = -1, .attributes = "else_branch:graph then_branch:graph", .infer = detail::infer_if, .eval = detail::eval_if},
        {.name = "Loop", .min_inputs = 2, .max_inputs = -1, .max_outputs = -1, .attributes = "body:graph", .infer = detail::infer_loop,
         .eval = detail::eval_loop},
        {.name = "Scan", .since = 8, .until = 8, .min_inputs = 2, .max_inputs = -1, .max_outputs = -1, .attributes = "body:graph directions:ints num_scan_inputs:int",
         .infer = detail::infer_scan_batched, .eval = detail::eval_scan_batched},
        {.name = "Scan", .since = 9, .max_inputs = -1, .max_outputs = -1,
         .attributes = "body:graph num_scan_inputs:int scan_input_axes:ints scan_input_directions:ints scan_output_axes:ints "
                       "scan_output_directions:ints",
         .infer = detail::infer_scan, .eval = detail::eval_scan},
    };
    return table;
}

}  // namespace ocelli::nn
