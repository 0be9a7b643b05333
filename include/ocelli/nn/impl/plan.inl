#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/detail/overlap.hpp>
#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/plan.hpp>
#include <ocelli/nn/planner/memory.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>

namespace ocelli::nn {

/// The memory of one run.
struct plan::workspace {
    tensor arena;
    /// By value: constants and planned tensors stand here between runs, the others only during one.
    std::vector<tensor> values;
    std::vector<tensor> in, out, captured;
    /// Where the values of plan::arguments_ are.
    std::vector<tensor*> pointers;
    /// Values that are computed in the caller's memory.
    std::vector<bool> bound;
};

/// One node of a run.
struct plan::step {
    const node* what = nullptr;
    const bound_kernel* kernel = nullptr;  ///< null: a view, or the reference evaluation
    std::size_t first = 0, inputs = 0, outputs = 0, captured = 0;  ///< in arguments_
    bool view = false;
};

OCELLI_INLINE plan::~plan() = default;

OCELLI_INLINE plan::plan(const graph& g, const std::vector<std::unique_ptr<bound_kernel>>& kernels, std::span<const tensor> feeds,
                         std::size_t memory_limit)
    : graph_(g), kernels_(kernels) {
    const std::size_t n = g.values.size();
    // Facts for these inputs: every shape that follows from them, and every small value that follows from shapes.
    facts_.resize(n);
    for (std::size_t i = 0; i < n; ++i)
        if (g.values[i].producer == no_node) facts_[i] = g.values[i].what;
    for (std::size_t i = 0; i < g.inputs.size(); ++i) {
        const auto v = static_cast<std::size_t>(g.inputs[i]);
        if (feeds[i].defined()) facts_[v] = fact{feeds[i].type(), symbolic_shape(feeds[i].shape()), {}};
    }
    std::vector<const fact*> in;
    std::vector<fact> out;
    for (const node& node_now : g.nodes) {
        in.clear();
        for (const value_id v : node_now.inputs) in.push_back(v == no_value ? nullptr : &facts_[static_cast<std::size_t>(v)]);
        out.assign(node_now.outputs.size(), fact{});
        infer_node(g, node_now, in, out);
        for (std::size_t i = 0; i < out.size(); ++i)
            if (node_now.outputs[i] != no_value) facts_[static_cast<std::size_t>(node_now.outputs[i])] = std::move(out[i]);
    }

    // Which nodes must run: what the outputs need, without what is constant for these shapes.
    std::vector<bool> needed(n, false);
    for (const value_id v : g.outputs) needed[static_cast<std::size_t>(v)] = true;
    for (std::size_t i = g.nodes.size(); i-- > 0;) {
        const node& node_now = g.nodes[i];
        bool runs = false;
        for (const value_id v : node_now.outputs)
            if (v != no_value) runs = runs || (needed[static_cast<std::size_t>(v)] && !facts_[static_cast<std::size_t>(v)].constant.defined());
        if (!runs) continue;
        steps_.push_back(static_cast<node_id>(i));
        for (const value_id v : node_now.inputs)
            if (v != no_value) needed[static_cast<std::size_t>(v)] = true;
        for (const value_id v : node_now.implicit_inputs) needed[static_cast<std::size_t>(v)] = true;
    }
    std::reverse(steps_.begin(), steps_.end());

    // Lifetimes. A view lives in its source's memory: uses of the view are uses of the source.
    roots_.resize(n);
    std::vector<value_id>& root = roots_;
    for (std::size_t i = 0; i < n; ++i) root[i] = static_cast<value_id>(i);
    std::vector<std::size_t> first(n, 0), last(n, 0), own_last(n, 0);
    std::vector<bool> computed(n, false), shared(n, false);
    for (std::size_t s = 0; s < steps_.size(); ++s) {
        const node& node_now = g.node_at(steps_[s]);
        const auto use = [&](value_id v) {
            last[static_cast<std::size_t>(root[static_cast<std::size_t>(v)])] = s;
            own_last[static_cast<std::size_t>(v)] = s;
        };
        for (const value_id v : node_now.inputs)
            if (v != no_value) use(v);
        for (const value_id v : node_now.implicit_inputs) use(v);
        for (const value_id v : node_now.outputs) {
            if (v == no_value) continue;
            const auto i = static_cast<std::size_t>(v);
            first[i] = last[i] = own_last[i] = s;
            computed[i] = true;
            if (node_now.def->view && node_now.inputs[0] != no_value) {
                root[i] = root[static_cast<std::size_t>(node_now.inputs[0])];
                shared[i] = true;
            }
        }
    }
    // Outputs, and what they are views of, get memory of their own, which the caller keeps.
    std::vector<bool> leaves(n, false);
    for (const value_id v : g.outputs) leaves[static_cast<std::size_t>(root[static_cast<std::size_t>(v)])] = true;
    offsets_.assign(n, -1);
    std::vector<buffer_request> requests;
    std::vector<std::size_t> owner;
    limit_ = std::min(memory_limit == 0 ? nn::memory_limit::current() : memory_limit, std::size_t{1} << (sizeof(std::size_t) * 8 - 2));
    const std::size_t limit = limit_;
    const auto too_large = [&](std::size_t i) {
        const value& v = g.values[i];
        fail(g.node_at(v.producer), "a run on these shapes needs more memory than the limit of ", limit, " bytes; value '", v.name, "' is ",
             nn::name(facts_[i].type), " ", text(facts_[i].shape));
    };
    for (std::size_t i = 0; i < n; ++i) {
        if (!computed[i] || shared[i] || facts_[i].constant.defined()) continue;
        const auto size = facts_[i].shape.elements();
        if (!size || size_of(facts_[i].type) == 0) {
            ++dynamic_values_;
            continue;
        }
        // Each alone first: after this, sums of a network's worth of them cannot overflow.
        const std::size_t element = size_of(facts_[i].type);
        if (static_cast<std::uint64_t>(*size) > limit / element) too_large(i);
        const std::size_t bytes = static_cast<std::size_t>(*size) * element;
        if (leaves[i]) {
            output_bytes_ += bytes;
            if (output_bytes_ > limit) too_large(i);
            continue;
        }
        requests.push_back({bytes, first[i], last[i]});
        owner.push_back(i);
    }
    memory_layout layout = place_buffers(requests, find_joins(requests, owner));
    if (layout.bytes > limit - output_bytes_) layout = place_buffers(requests);
    if (layout.bytes > limit - output_bytes_) {
        std::size_t largest = 0;
        for (std::size_t k = 0; k < owner.size(); ++k)
            if (requests[k].bytes > requests[largest].bytes) largest = k;
        too_large(owner[largest]);
    }
    for (std::size_t k = 0; k < owner.size(); ++k) offsets_[owner[k]] = static_cast<std::int64_t>(layout.offsets[k]);
    arena_bytes_ = layout.bytes;

    dying_.resize(steps_.size());
    for (std::size_t i = 0; i < n; ++i) {
        const bool fed = std::find(g.inputs.begin(), g.inputs.end(), static_cast<value_id>(i)) != g.inputs.end();
        if (fed || (computed[i] && offsets_[i] < 0)) passing_.push_back(static_cast<value_id>(i));
        const bool output = std::find(g.outputs.begin(), g.outputs.end(), static_cast<value_id>(i)) != g.outputs.end();
        if (computed[i] && offsets_[i] < 0 && !facts_[i].constant.defined() && !output) dying_[own_last[i]].push_back(static_cast<value_id>(i));
    }
    write_program();
}

/// Inputs that may lie in what is made of them: `requests` are of the values `owner`.
OCELLI_INLINE std::vector<buffer_join> plan::find_joins(const std::vector<buffer_request>& requests, const std::vector<std::size_t>& owner) const {
    std::vector<buffer_join> joins;
    std::vector<std::size_t> request_of;
    std::vector<dims> shapes;
    for (const node_id s : steps_) {
        const bound_kernel* kernel = kernels_[static_cast<std::size_t>(s)].get();
        if (kernel == nullptr || !kernel->joins()) continue;
        if (request_of.empty()) {
            request_of.assign(graph_.values.size(), requests.size());
            for (std::size_t k = 0; k < owner.size(); ++k) request_of[owner[k]] = k;
        }
        const node& n = graph_.node_at(s);
        shapes.clear();
        for (const value_id v : n.inputs) {
            if (v == no_value) break;
            const fact& f = facts_[static_cast<std::size_t>(v)];
            if (f.type != dtype::float32 || !f.shape.known() || !f.shape.elements()) break;
            shapes.push_back(*f.shape.concrete());
        }
        const std::size_t whole = request_of[static_cast<std::size_t>(n.outputs[0])];
        if (shapes.size() != n.inputs.size() || whole == requests.size()) continue;
        const std::vector<std::int64_t> places = kernel->places(shapes);
        buffer_join join{whole, {}, {}};
        for (std::size_t i = 0; i < places.size(); ++i) {
            const std::size_t part = request_of[static_cast<std::size_t>(roots_[static_cast<std::size_t>(n.inputs[i])])];
            if (places[i] < 0 || part == requests.size() || requests[part].bytes != sizeof(float) * static_cast<std::size_t>(element_count(shapes[i]))) continue;
            join.parts.push_back(part);
            join.offsets.push_back(sizeof(float) * static_cast<std::size_t>(places[i]));
        }
        if (!join.parts.empty()) joins.push_back(std::move(join));
    }
    return joins;
}

OCELLI_INLINE void plan::write_program() {
    for (std::size_t s = 0; s < steps_.size(); ++s) {
        const node& n = graph_.node_at(steps_[s]);
        const bound_kernel* kernel = kernels_[static_cast<std::size_t>(steps_[s])].get();
        program_.push_back({&n, kernel, arguments_.size(), n.inputs.size(), n.outputs.size(), n.implicit_inputs.size(), kernel == nullptr && is_plain_view(n)});
        arguments_.insert(arguments_.end(), n.inputs.begin(), n.inputs.end());
        arguments_.insert(arguments_.end(), n.outputs.begin(), n.outputs.end());
        arguments_.insert(arguments_.end(), n.implicit_inputs.begin(), n.implicit_inputs.end());
    }
}

OCELLI_INLINE std::unique_ptr<plan::workspace> plan::make_workspace() const {
    auto w = std::make_unique<workspace>();
    w->arena = tensor(dtype::uint8, {static_cast<std::int64_t>(arena_bytes_)});
    w->values.resize(graph_.values.size());
    w->bound.assign(graph_.values.size(), false);
    for (std::size_t i = 0; i < w->values.size(); ++i) {
        if (facts_[i].constant.defined()) w->values[i] = facts_[i].constant;
        else if (offsets_[i] >= 0)
            w->values[i] = tensor::borrow(facts_[i].type, *facts_[i].shape.concrete(), static_cast<const char*>(w->arena.raw()) + offsets_[i]);
    }
    for (const value_id v : arguments_) w->pointers.push_back(v == no_value ? nullptr : &w->values[static_cast<std::size_t>(v)]);
    return w;
}

OCELLI_INLINE std::unique_ptr<plan::workspace> plan::take_workspace() const {
    {
        const std::lock_guard lock(mutex_);
        if (!idle_.empty()) {
            std::unique_ptr<workspace> w = std::move(idle_.back());
            idle_.pop_back();
            return w;
        }
    }
    return make_workspace();
}

OCELLI_INLINE void plan::return_workspace(std::unique_ptr<workspace> w) const {
    for (const value_id v : passing_) {
        w->values[static_cast<std::size_t>(v)] = facts_[static_cast<std::size_t>(v)].constant;
        w->bound[static_cast<std::size_t>(v)] = false;
    }
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(w));
}

OCELLI_INLINE void plan::run_steps(workspace& w, std::span<const tensor> feeds, std::vector<step_time>* times) const {
    using clock = std::chrono::steady_clock;
    const auto ms = [](clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); };
    std::vector<tensor>& values = w.values;
    for (std::size_t i = 0; i < graph_.inputs.size(); ++i)
        if (feeds[i].defined()) values[static_cast<std::size_t>(graph_.inputs[i])] = feeds[i];
    if (times != nullptr) times->assign(steps_.size(), {});
    const ocelli::detail::parallel_region awake;  // helpers come once for all layers
    const clock::time_point begin = times != nullptr ? clock::now() : clock::time_point{};
    for (std::size_t s = 0; s < program_.size(); ++s) {
        run_guard::step();
        const step& now = program_[s];
        const clock::time_point start = times != nullptr ? clock::now() : clock::time_point{};
        tensor* const* const arguments = w.pointers.data() + now.first;
        double reference_ms = 0;
        const step_io io{{arguments, now.inputs}, {arguments + now.inputs, now.outputs}, {arguments + now.inputs + now.outputs, now.captured},
                         times != nullptr ? &reference_ms : nullptr};
        if (now.kernel != nullptr) {
            now.kernel->run(io);
            if (times != nullptr) (*times)[s].operations = now.kernel->operations(io);
        } else if (now.view) {
            *io.outputs[0] = io.inputs[0]->reshaped(*facts_[static_cast<std::size_t>(now.what->outputs[0])].shape.concrete());
        } else {
            run_reference(w, *now.what);
        }
        if (times != nullptr) {
            step_time& t = (*times)[s];
            t.ms = ms(clock::now() - start);
            t.reference_ms = now.kernel != nullptr ? reference_ms : now.view ? 0 : t.ms;
            t.start_ms = ms(start - begin);
            for (const tensor* v : io.inputs)
                if (v != nullptr) t.bytes += static_cast<double>(v->bytes());
            for (const tensor* v : io.outputs)
                if (v != nullptr) t.bytes += static_cast<double>(v->bytes());
            if (!io.outputs.empty() && io.outputs[0] != nullptr) t.shape = io.outputs[0]->shape();
        }
        for (const value_id v : dying_[s]) values[static_cast<std::size_t>(v)] = tensor();
    }
}

OCELLI_INLINE bool plan::is_plain_view(const node& n) const {
    if (!n.def->view || n.outputs.size() != 1 || n.inputs.empty() || n.inputs[0] == no_value) return false;
    const fact& from = facts_[static_cast<std::size_t>(n.inputs[0])];
    const fact& to = facts_[static_cast<std::size_t>(n.outputs[0])];
    return from.type == to.type && size_of(from.type) != 0 && from.shape.known() && to.shape.known() && from.shape.elements() == to.shape.elements();
}

/// A node by its reference evaluation.
OCELLI_INLINE void plan::run_reference(workspace& w, const node& n) const {
    std::vector<tensor>& values = w.values;
    w.in.clear();
    for (const value_id v : n.inputs) w.in.push_back(v == no_value ? tensor() : values[static_cast<std::size_t>(v)]);
    w.out.assign(n.outputs.size(), tensor());
    for (std::size_t i = 0; i < n.outputs.size(); ++i) {
        const auto v = static_cast<std::size_t>(n.outputs[i]);
        if (n.outputs[i] != no_value && (offsets_[v] >= 0 || w.bound[v])) w.out[i] = values[v];
    }
    w.captured.clear();
    for (const value_id v : n.implicit_inputs) w.captured.push_back(values[static_cast<std::size_t>(v)]);
    const eval_context::subgraph_runner runner = [&w](const graph& body, std::span<const tensor> arguments) {
        return detail::evaluate_graph(body, arguments, w.captured);
    };
    eval_context context(n, w.in, w.out, &runner);
    n.def->eval(context);
    for (std::size_t i = 0; i < n.outputs.size(); ++i) {
        if (n.outputs[i] == no_value) continue;
        check(n, w.out[i].defined(), "output ", i, " was not computed");
        const auto v = static_cast<std::size_t>(n.outputs[i]);
        // An operator may hand its input through. A view was planned for; anything else must not live in planned memory, which is written
        // again while it is still read.
        if (offsets_[v] < 0) values[v] = !n.def->view && detail::inside(w.arena, w.out[i]) ? w.out[i].clone() : std::move(w.out[i]);
        else if (w.out[i].raw() != values[v].raw())
            fail(n, "output ", i, " has shape ", ocelli::detail::shape_text(w.out[i].shape()), ", inferred was ",
                 ocelli::detail::shape_text(values[v].shape()));
    }
    w.in.clear();
    w.out.clear();
    w.captured.clear();
}

OCELLI_INLINE std::vector<tensor> plan::run(std::span<const tensor> feeds, std::vector<step_time>* times) const {
    const memory_limit memory(limit_);
    std::unique_ptr<workspace> w = take_workspace();
    const memory_limit rest(limit_ - std::min(limit_ - 1, arena_bytes_));
    run_steps(*w, feeds, times);
    std::vector<tensor>& values = w->values;
    std::vector<tensor> results;
    results.reserve(graph_.outputs.size());
    for (const value_id v : graph_.outputs) {
        const auto i = static_cast<std::size_t>(v);
        ocelli::detail::check(values[i].defined(), "output '", graph_.values[i].name, "' has no value");
        results.push_back(values[i]);
    }
    // What the caller gets shares memory with nothing that a later run, the session or the caller's feed owns.
    for (std::size_t k = 0; k < results.size(); ++k) {
        bool own = graph_.at(graph_.outputs[k]).producer != no_node && !facts_[static_cast<std::size_t>(graph_.outputs[k])].constant.defined();
        own = own && !detail::inside(w->arena, results[k]);
        for (const tensor& feed : feeds) own = own && !detail::inside(feed, results[k]);
        for (std::size_t j = 0; j < k; ++j) own = own && results[j].unscaled() != results[k].unscaled();
        for (std::size_t i = 0; own && i < values.size(); ++i) own = !(facts_[i].constant.defined() && detail::inside(facts_[i].constant, results[k]));
        if (!own) results[k] = results[k].clone();
    }
    return_workspace(std::move(w));
    return results;
}

/// Lets the steps write where the caller wants the outputs, as far as shapes are known.
OCELLI_INLINE void plan::bind_outputs(workspace& w, std::span<const tensor> feeds, std::span<tensor> outputs) const {
    ocelli::detail::check(outputs.size() == graph_.outputs.size(), "plan: the network has ", graph_.outputs.size(), " outputs, memory was given for ",
                          outputs.size());
    for (std::size_t k = 0; k < outputs.size(); ++k) {
        const value_id v = graph_.outputs[k];
        const fact& known = facts_[static_cast<std::size_t>(v)];
        ocelli::detail::check(size_of(outputs[k].type()) != 0, "output '", graph_.at(v).name, "': memory of elements expected, got ", outputs[k]);
        for (std::size_t j = 0; j < k; ++j)
            ocelli::detail::check(!detail::overlap(outputs[j], outputs[k]), "output '", graph_.at(v).name, "': its memory is also that of '",
                                  graph_.at(graph_.outputs[j]).name, "'");
        if (!known.shape.known()) continue;
        if (outputs[k].type() != known.type || !accepts(known.shape, outputs[k].shape()))
            ocelli::detail::fail("output '", graph_.at(v).name, "' is ", nn::name(known.type), " ", text(known.shape), ", the memory given for it is ", outputs[k]);
        const value_id root_id = roots_[static_cast<std::size_t>(v)];
        const auto root = static_cast<std::size_t>(root_id);
        const fact& source = facts_[root];
        if (graph_.at(root_id).producer == no_node || source.constant.defined() || w.bound[root] || offsets_[root] >= 0) continue;
        if (source.type != known.type || !source.shape.known() || source.shape.elements() != known.shape.elements()) continue;
        bool fed = false;
        for (const tensor& feed : feeds) fed = fed || detail::overlap(feed, outputs[k]);
        if (fed) continue;  // the inputs must live until they are read
        w.values[root] = tensor::borrow(known.type, *source.shape.concrete(), outputs[k].raw());
        w.bound[root] = true;
    }
}

OCELLI_INLINE void plan::run(std::span<const tensor> feeds, std::span<tensor> outputs, std::vector<step_time>* times) const {
    const memory_limit memory(limit_);
    std::unique_ptr<workspace> w = take_workspace();
    const memory_limit rest(limit_ - std::min(limit_ - 1, arena_bytes_));
    bind_outputs(*w, feeds, outputs);
    run_steps(*w, feeds, times);
    for (std::size_t k = 0; k < outputs.size(); ++k) {
        const value_id v = graph_.outputs[k];
        const tensor& computed = w->values[static_cast<std::size_t>(v)];
        ocelli::detail::check(computed.defined(), "output '", graph_.at(v).name, "' has no value");
        ocelli::detail::check(computed.type() == outputs[k].type() && computed.shape() == outputs[k].shape(), "output '", graph_.at(v).name, "' is ",
                              computed, ", the memory given for it is ", outputs[k]);
        if (computed.raw() != outputs[k].raw() && computed.bytes() != 0) std::memcpy(outputs[k].mutable_raw(), computed.raw(), computed.bytes());
    }
    return_workspace(std::move(w));
}

}  // namespace ocelli::nn
