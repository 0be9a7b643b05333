#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/passes/pipeline.hpp>
#include <ocelli/nn/plan.hpp>
#include <ocelli/nn/session.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <list>

namespace ocelli::nn {

namespace detail {

/// The graph prepared for one question: which defaults are fed, which outputs are wanted, whether declared extents hold.
struct session_variant {
    graph g;
    std::vector<applied_patch> patches;
    std::vector<std::unique_ptr<bound_kernel>> kernels;
    std::mutex mutex;
    /// The most recently used plan first.
    std::list<std::pair<std::vector<dims>, std::shared_ptr<const plan>>> plans;

    std::shared_ptr<const plan> find_plan(std::span<const tensor> feeds, const session_options& options) {
        std::vector<dims> key;
        for (const tensor& t : feeds) key.push_back(t.defined() ? t.shape() : dims{-1});
        // Threads that meet a new shape together wait here for one plan.
        const std::lock_guard lock(mutex);
        for (auto it = plans.begin(); it != plans.end(); ++it)
            if (it->first == key) {
                plans.splice(plans.begin(), plans, it);
                return it->second;
            }
        auto made = std::make_shared<const plan>(g, kernels, feeds, options.memory_limit);
        plans.emplace_front(std::move(key), made);
        while (plans.size() > std::max<std::size_t>(1, options.plan_cache)) plans.pop_back();
        return made;
    }
};

}  // namespace detail

struct session::state {
    graph loaded;
    session_options options;
    std::vector<value_info> inputs, outputs;
    weight_cache weights;
    std::shared_ptr<detail::session_variant> main;
    std::mutex mutex;
    /// Other variants, the most recently used first.
    std::list<std::pair<std::string, std::shared_ptr<detail::session_variant>>> others;

    std::shared_ptr<detail::session_variant> build(const std::vector<bool>& fed_defaults, const std::vector<std::string>& wanted, bool relaxed) {
        auto v = std::make_shared<detail::session_variant>();
        graph& g = v->g;
        g = loaded;
        for (std::size_t i = 0; i < g.inputs.size(); ++i) {
            fact& what = g.at(g.inputs[i]).what;
            if (i < fed_defaults.size() && fed_defaults[i]) what.constant = tensor();
            // The model's extents did not hold: nothing that was derived from them does.
            if (relaxed && !what.constant.defined() && what.shape.ranked()) what.shape = symbolic_shape::of_rank(what.shape.rank());
        }
        const bool fed_any = std::find(fed_defaults.begin(), fed_defaults.end(), true) != fed_defaults.end();
        if (relaxed || fed_any)
            for (value& each : g.values)
                if (each.producer != no_node) each.what = fact{each.what.type, {}, {}};
        if (!wanted.empty()) {
            std::vector<value_id> ids;
            for (const std::string& name : wanted) {
                const value_id id = g.find(name);
                ocelli::detail::check(id != no_value, "session: the network has no value named '", name, "'");
                ocelli::detail::check(std::find(ids.begin(), ids.end(), id) == ids.end(), "session: output '", name, "' is asked for twice");
                ids.push_back(id);
            }
            g.outputs = std::move(ids);
            g.compact();
        }
        g.sort();
        infer_facts(g);
        if (options.simplify) v->patches = run_passes(g, simplify_passes);
        if (options.lower) {
            for (const std::span<const pass> list : {std::span<const pass>(lower_passes), std::span<const pass>(kernel_passes)}) {
                auto more = run_passes(g, list);
                v->patches.insert(v->patches.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
            }
        }
        v->kernels.resize(g.nodes.size());
        if (options.lower)
            for (std::size_t i = 0; i < g.nodes.size(); ++i) v->kernels[i] = bind_kernel(g, g.nodes[i], weights);
        return v;
    }

    std::shared_ptr<detail::session_variant> find(const std::vector<bool>& fed_defaults, const std::vector<std::string>& wanted, bool relaxed) {
        const bool fed_any = std::find(fed_defaults.begin(), fed_defaults.end(), true) != fed_defaults.end();
        if (!fed_any && wanted.empty() && !relaxed) return main;
        std::string key = relaxed ? "r" : "d";
        for (const bool fed : fed_defaults) key += fed ? '1' : '0';
        for (const std::string& name : wanted) key += "\n" + name;
        const std::lock_guard lock(mutex);
        for (auto it = others.begin(); it != others.end(); ++it)
            if (it->first == key) {
                others.splice(others.begin(), others, it);
                return it->second;
            }
        auto made = build(fed_defaults, wanted, relaxed);
        others.emplace_front(std::move(key), made);
        while (others.size() > std::max<std::size_t>(1, options.plan_cache)) others.pop_back();
        return made;
    }

    struct prepared {
        std::vector<tensor> feeds;
        std::shared_ptr<detail::session_variant> variant;
        /// What to say when the network refuses extents that it does not declare.
        std::string unusual;
    };

    prepared prepare(const feed_list& list, const run_options& run) {
        prepared out;
        out.feeds.resize(loaded.inputs.size());
        std::vector<bool> fed_defaults(loaded.inputs.size(), false);
        for (const feed_list::feed& f : list) {
            std::size_t i = 0;
            while (i < inputs.size() && inputs[i].name != f.name) ++i;
            if (i == inputs.size()) {
                std::string names;
                for (const value_info& known : inputs) names += ocelli::detail::concat(names.empty() ? "" : ", ", "'", known.name, "'");
                ocelli::detail::fail("session: no input is named '", f.name, "'; the inputs are ", names.empty() ? "none" : names);
            }
            const value_info& declared = inputs[i];
            ocelli::detail::check(!out.feeds[i].defined(), "session: input '", f.name, "' is fed twice");
            ocelli::detail::check(f.value.defined(), "session: input '", f.name, "' is fed an absent tensor");
            ocelli::detail::check(declared.type == dtype::undefined || f.value.type() == declared.type, "session: input '", f.name, "' must be ",
                                  nn::name(declared.type), ", got ", nn::name(f.value.type()));
            ocelli::detail::check(!declared.shape.ranked() || declared.shape.rank() == f.value.rank(), "session: input '", f.name,
                                  "' must have shape ", text(declared.shape), ", got ", ocelli::detail::shape_text(f.value.shape()));
            if (!accepts(declared.shape, f.value.shape()))
                out.unusual += ocelli::detail::concat("input '", f.name, "' is declared ", text(declared.shape), " and was fed ",
                                                      ocelli::detail::shape_text(f.value.shape()), "; ");
            out.feeds[i] = f.value;
            fed_defaults[i] = declared.optional;
        }
        for (std::size_t i = 0; i < inputs.size(); ++i)
            ocelli::detail::check(out.feeds[i].defined() || inputs[i].optional, "session: input '", inputs[i].name, "' was not fed");
        out.variant = find(fed_defaults, run.outputs, !out.unusual.empty());
        return out;
    }

    template <class F>
    auto explained(const prepared& p, F&& f) {
        if (p.unusual.empty()) return f();
        try {
            return f();
        } catch (const invalid_argument& e) {
            ocelli::detail::fail("session: ", p.unusual, "the network refuses: ", e.what());
        }
    }
};

OCELLI_INLINE session::~session() = default;
OCELLI_INLINE session::session(session&&) noexcept = default;
OCELLI_INLINE session& session::operator=(session&&) noexcept = default;

OCELLI_INLINE session::session(graph g, session_options options) : state_(std::make_unique<state>()) {
    g.verify();
    for (const node& n : g.nodes)
        if (n.def == nullptr || n.def->eval == nullptr) fail<unsupported_operator>(n, "this operator is not supported");
    const auto describe = [&](value_id v) {
        const value& x = g.at(v);
        return value_info{x.name, x.what.type, x.what.shape, x.producer == no_node && x.what.constant.defined()};
    };
    for (const value_id v : g.inputs) state_->inputs.push_back(describe(v));
    for (const value_id v : g.outputs) {
        state_->outputs.push_back(describe(v));
        state_->outputs.back().optional = false;
    }
    state_->loaded = std::move(g);
    state_->options = options;
    const memory_limit memory(options.memory_limit);
    state_->main = state_->build({}, {}, false);
}

OCELLI_INLINE const std::vector<value_info>& session::inputs() const noexcept {
    return state_->inputs;
}
OCELLI_INLINE const std::vector<value_info>& session::outputs() const noexcept {
    return state_->outputs;
}
OCELLI_INLINE const graph& session::loaded() const noexcept {
    return state_->loaded;
}
OCELLI_INLINE const graph& session::lowered() const noexcept {
    return state_->main->g;
}

OCELLI_INLINE named_tensors session::run(const feed_list& feeds, const run_options& options) const {
    const memory_limit memory(state_->options.memory_limit);
    const state::prepared p = state_->prepare(feeds, options);
    const thread_limit threads(options.threads);
    std::vector<tensor> results = state_->explained(p, [&] {
        const std::shared_ptr<const plan> ready = p.variant->find_plan(p.feeds, state_->options);
        return ready->run(p.feeds);
    });
    named_tensors out;
    for (std::size_t i = 0; i < results.size(); ++i)
        out.add(options.outputs.empty() ? state_->outputs[i].name : options.outputs[i], std::move(results[i]));
    return out;
}

OCELLI_INLINE profile_report session::profile(const feed_list& feeds, const run_options& options, int repeat) const {
    const memory_limit memory(state_->options.memory_limit);
    const state::prepared p = state_->prepare(feeds, options);
    const thread_limit threads(options.threads);
    const graph& g = p.variant->g;
    profile_report report;
    state_->explained(p, [&] {
        const std::shared_ptr<const plan> ready = p.variant->find_plan(p.feeds, state_->options);
        ready->run(p.feeds);
        for (const node_id id : ready->steps()) {
            const node& n = g.node_at(id);
            const auto& kernel = p.variant->kernels[static_cast<std::size_t>(id)];
            profile_report::entry e;
            e.node = n.name;
            e.op = n.op;
            e.kernel = kernel != nullptr ? std::string(kernel->name()) : "reference";
            report.nodes.push_back(std::move(e));
        }
        repeat = std::max(1, repeat);
        std::vector<step_time> times;
        std::vector<double> operations(report.nodes.size(), 0);
        for (int i = 0; i < repeat; ++i) {
            const auto start = std::chrono::steady_clock::now();
            ready->run(p.feeds, &times);
            report.total_ms += std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count() / repeat;
            for (std::size_t s = 0; s < times.size(); ++s) {
                report.nodes[s].ms += times[s].ms / repeat;
                operations[s] = times[s].operations;
                report.nodes[s].shape = ocelli::detail::shape_text(times[s].shape);
            }
        }
        for (std::size_t s = 0; s < operations.size(); ++s)
            if (report.nodes[s].ms > 0) report.nodes[s].gflops = operations[s] / report.nodes[s].ms * 1e-6;
        return 0;
    });
    return report;
}

OCELLI_INLINE std::string session::explain() const {
    std::string out;
    for (const applied_patch& p : state_->main->patches) out += ocelli::detail::concat(p.pass, ": ", p.reason, "\n");
    for (std::size_t i = 0; i < state_->main->kernels.size(); ++i)
        if (state_->main->kernels[i] == nullptr) {
            const node& n = state_->main->g.nodes[i];
            out += ocelli::detail::concat("reference: ", n.op, " '", n.name, "'\n");
        }
    return out;
}

OCELLI_INLINE std::string text(const value_info& v) {
    return ocelli::detail::concat(v.name, ": ", name(v.type), " ", text(v.shape), v.optional ? " (has a default)" : "");
}

OCELLI_INLINE std::string text(const profile_report& report) {
    std::vector<const profile_report::entry*> order;
    double nodes_ms = 0;
    for (const profile_report::entry& e : report.nodes) {
        order.push_back(&e);
        nodes_ms += e.ms;
    }
    std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->ms > b->ms; });
    std::string out;
    char line[256];
    for (const profile_report::entry* e : order) {
        std::snprintf(line, sizeof line, "%9.3f ms %5.1f %% %8.1f GFLOP/s  %-16s %-20s ", e->ms, report.total_ms > 0 ? 100 * e->ms / report.total_ms : 0.0,
                      e->gflops, e->kernel.c_str(), e->op.c_str());
        out += ocelli::detail::concat(line, e->node, " ", e->shape, "\n");
    }
    std::snprintf(line, sizeof line, "%9.3f ms in all, %.3f ms between nodes\n", report.total_ms, report.total_ms - nodes_ms);
    return out += line;
}

}  // namespace ocelli::nn
