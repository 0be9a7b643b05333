#pragma once

#include <ocelli/nn/detail/bound_control.hpp>
#include <ocelli/nn/detail/overlap.hpp>
#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/ops/op.hpp>

#include <algorithm>
#include <chrono>

namespace ocelli::nn::detail {

OCELLI_INLINE graph body_for(const graph& g, const node& n, const graph& body) {
    graph own = body;
    for (value& v : own.values)
        if (v.producer != no_node) v.what = {};
    for (std::size_t i = 0; i < own.inputs.size(); ++i) {
        fact& what = own.at(own.inputs[i]).what;
        if (!what.constant.defined()) what.shape = {};
        // What a loop carries has one type: that of what it begins with.
        if (n.op == "Loop" && i >= 2 && i < n.inputs.size() && n.inputs[i] != no_value && g.at(n.inputs[i]).what.type != dtype::undefined)
            what.type = g.at(n.inputs[i]).what.type;
    }
    for (const graph::capture& c : own.captures)
        if (c.index < n.implicit_inputs.size()) own.at(c.inside).what = g.at(n.implicit_inputs[c.index]).what;
    return own;
}

OCELLI_INLINE void bound_control::add(const graph& body, std::unique_ptr<graph> own, std::vector<std::unique_ptr<bound_kernel>> kernels) {
    bodies_.push_back({&body, std::move(own), std::move(kernels)});
}

OCELLI_INLINE std::vector<tensor> bound_control::run_body(const graph& body, std::span<const tensor> arguments, std::span<const tensor> captured,
                                                          double* reference_ms) const {
    using clock = std::chrono::steady_clock;
    const auto timed = [&](auto&& evaluate) {
        const clock::time_point start = reference_ms != nullptr ? clock::now() : clock::time_point{};
        evaluate();
        if (reference_ms != nullptr) *reference_ms += std::chrono::duration<double, std::milli>(clock::now() - start).count();
    };
    std::vector<tensor> results;
    const auto ready = std::find_if(bodies_.begin(), bodies_.end(), [&](const prepared& p) { return p.body == &body; });
    if (ready == bodies_.end()) {
        timed([&] { results = evaluate_graph(body, arguments, captured); });
        return results;
    }
    std::vector<const tensor*> inputs, around;
    std::vector<tensor*> outputs;
    const auto run_node = [&](std::size_t at, std::span<const tensor> in, std::span<tensor> out, std::span<const tensor> implicit) {
        const node& n = ready->own->nodes[at];
        const bound_kernel* const kernel = ready->kernels[at].get();
        if (kernel == nullptr)
            return timed([&] {
                eval_context context(n, in, out);
                n.def->eval(context);
            });
        inputs.clear();
        for (const tensor& t : in) inputs.push_back(t.defined() ? &t : nullptr);
        outputs.clear();
        for (std::size_t i = 0; i < out.size(); ++i) outputs.push_back(n.outputs[i] != no_value ? &out[i] : nullptr);
        around.clear();
        for (const tensor& t : implicit) around.push_back(&t);
        kernel->run({inputs, outputs, around, reference_ms});
    };
    results = evaluate_graph(*ready->own, arguments, captured, run_node);
    // What becomes an output of the network belongs to the caller: constants do not.
    for (std::size_t i = 0; i < results.size(); ++i)
        if (ready->own->at(ready->own->outputs[i]).what.constant.defined()) results[i] = results[i].clone();
    return results;
}

OCELLI_INLINE void bound_control::run(const step_io& io) const {
    std::vector<tensor> in, out, captured;
    for (const tensor* t : io.inputs) in.push_back(t != nullptr ? *t : tensor());
    for (tensor* t : io.outputs) out.push_back(t != nullptr ? *t : tensor());
    for (const tensor* t : io.captured) captured.push_back(*t);
    const eval_context::subgraph_runner runner = [&](const graph& body, std::span<const tensor> arguments) {
        return run_body(body, arguments, captured, io.reference_ms);
    };
    eval_context context(node_, in, out, &runner);
    node_.def->eval(context);
    for (std::size_t i = 0; i < out.size(); ++i) {
        if (io.outputs[i] == nullptr) continue;
        check(node_, out[i].defined(), "output ", i, " was not computed");
        tensor& place = *io.outputs[i];
        if (place.defined()) {  // memory that was promised to later steps
            check(node_, out[i].raw() == place.raw(), "output ", i, " has shape ", out[i].shape(), ", inferred was ", place.shape());
            continue;
        }
        // A value that was handed through lives in memory that is written again while it is still read.
        bool handed = false;
        for (const std::vector<tensor>* given : {&in, &captured})
            for (const tensor& t : *given) handed = handed || inside(t, out[i]);
        place = handed ? out[i].clone() : std::move(out[i]);
    }
}

}  // namespace ocelli::nn::detail
