#pragma once

#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/ops/op.hpp>

namespace ocelli::nn {

OCELLI_INLINE const tensor& named_tensors::operator[](std::string_view wanted) const {
    for (const entry& e : entries_)
        if (e.first == wanted) return e.second;
    std::string all;
    for (const entry& e : entries_) all += ocelli::detail::concat(all.empty() ? "'" : ", '", e.first, "'");
    ocelli::detail::fail("no tensor named '", wanted, "' among ", all.empty() ? "none" : all);
}

OCELLI_INLINE bool named_tensors::contains(std::string_view wanted) const noexcept {
    for (const entry& e : entries_)
        if (e.first == wanted) return true;
    return false;
}

OCELLI_INLINE run_guard*& run_guard::innermost() noexcept {
    thread_local run_guard* guard = nullptr;
    return guard;
}

OCELLI_INLINE run_guard::run_guard(std::int64_t steps, std::stop_token stop) noexcept
    : steps_(steps), left_(steps), stop_(std::move(stop)), outer_(innermost()) {
    innermost() = this;
}

OCELLI_INLINE run_guard::~run_guard() {
    innermost() = outer_;
}

OCELLI_INLINE void run_guard::step() {
    for (run_guard* g = innermost(); g != nullptr; g = g->outer_) g->count();
}

OCELLI_INLINE void run_guard::count() {
    if (stop_.stop_requested()) ocelli::detail::fail<stopped>("the run was stopped");
    if (steps_ != 0 && left_-- <= 0) ocelli::detail::fail("the run takes more steps than the limit of ", steps_);
}

namespace detail {

OCELLI_INLINE std::vector<tensor> evaluate_graph(const graph& g, std::span<const tensor> inputs, std::span<const tensor> captured, const node_runner& run) {
    run_guard::step();  // an iteration without nodes is one too
    std::vector<tensor> values(g.values.size());
    for (std::size_t i = 0; i < g.values.size(); ++i)
        if (g.values[i].producer == no_node) values[i] = g.values[i].what.constant;
    ocelli::detail::check(inputs.size() <= g.inputs.size(), "graph '", g.name, "' takes ", g.inputs.size(), " inputs, got ", inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i)
        if (inputs[i].defined()) values[static_cast<std::size_t>(g.inputs[i])] = inputs[i];
    for (const graph::capture& c : g.captures) {
        ocelli::detail::check(c.index < captured.size(), "graph '", g.name, "' captures a value that was not given");
        values[static_cast<std::size_t>(c.inside)] = captured[c.index];
    }
    // A value is let go behind its last use.
    std::vector<std::int32_t> uses = g.use_counts();
    std::vector<tensor> in, out, implicit;
    for (std::size_t at = 0; at < g.nodes.size(); ++at) {
        const node& n = g.nodes[at];
        run_guard::step();
        in.clear();
        for (const value_id v : n.inputs) in.push_back(v == no_value ? tensor() : values[static_cast<std::size_t>(v)]);
        implicit.clear();
        for (const value_id v : n.implicit_inputs) implicit.push_back(values[static_cast<std::size_t>(v)]);
        out.assign(n.outputs.size(), tensor());
        if (run) run(at, in, out, implicit);
        else {
            check<unsupported_operator>(n, n.def != nullptr && n.def->eval != nullptr, "this operator has no evaluation");
            const eval_context::subgraph_runner runner = [&](const graph& body, std::span<const tensor> arguments) {
                return evaluate_graph(body, arguments, implicit);
            };
            eval_context context(n, in, out, &runner);
            n.def->eval(context);
        }
        const auto release = [&](value_id v) {
            if (v != no_value && --uses[static_cast<std::size_t>(v)] == 0) values[static_cast<std::size_t>(v)] = tensor();
        };
        for (const value_id v : n.inputs) release(v);
        for (const value_id v : n.implicit_inputs) release(v);
        for (std::size_t i = 0; i < out.size(); ++i)
            if (n.outputs[i] != no_value) {
                check(n, out[i].defined(), "output ", i, " was not computed");
                values[static_cast<std::size_t>(n.outputs[i])] = std::move(out[i]);
            }
    }
    std::vector<tensor> results;
    for (const value_id v : g.outputs) {
        results.push_back(values[static_cast<std::size_t>(v)]);
        ocelli::detail::check(results.back().defined(), "graph '", g.name, "': output '", g.at(v).name, "' has no value");
    }
    return results;
}

}  // namespace detail

OCELLI_INLINE named_tensors evaluate(const graph& g, const named_tensors& feeds) {
    std::vector<tensor> inputs(g.inputs.size());
    for (const auto& [feed_name, t] : feeds) {
        std::size_t i = 0;
        while (i < g.inputs.size() && g.at(g.inputs[i]).name != feed_name) ++i;
        ocelli::detail::check(i < g.inputs.size(), "no input is named '", feed_name, "'");
        inputs[i] = t;
    }
    for (std::size_t i = 0; i < inputs.size(); ++i)
        ocelli::detail::check(inputs[i].defined() || g.at(g.inputs[i]).what.constant.defined(), "input '", g.at(g.inputs[i]).name,
                              "' was not fed");
    const std::vector<tensor> results = detail::evaluate_graph(g, inputs, {});
    named_tensors out;
    for (std::size_t i = 0; i < results.size(); ++i) out.add(g.at(g.outputs[i]).name, results[i]);
    return out;
}

}  // namespace ocelli::nn
