#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/isa.hpp>
#include <ocelli/nn/detail/bound_control.hpp>
#include <ocelli/nn/detail/halves.hpp>
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
    /// The nodes without a kernel, those of sub-graphs included.
    std::vector<std::string> references;
    std::mutex mutex;
    /// The most recently used plan first.
    std::list<std::pair<std::vector<dims>, std::shared_ptr<const plan>>> plans;

    std::shared_ptr<const plan> find_plan(std::span<const tensor> feeds, const session_options& options) {
        const auto fits = [&](const std::vector<dims>& shapes) {
            for (std::size_t i = 0; i < feeds.size(); ++i)
                if (feeds[i].defined() ? shapes[i] != feeds[i].shape() : shapes[i] != unfed()) return false;
            return true;
        };
        // Threads that meet a new shape together wait here for one plan.
        const std::lock_guard lock(mutex);
        for (auto it = plans.begin(); it != plans.end(); ++it)
            if (fits(it->first)) {
                plans.splice(plans.begin(), plans, it);
                return it->second;
            }
        std::vector<dims> key;
        for (const tensor& t : feeds) key.push_back(t.defined() ? t.shape() : unfed());
        auto made = std::make_shared<const plan>(g, kernels, feeds, options.memory_limit);
        plans.emplace_front(std::move(key), made);
        while (plans.size() > std::max<std::size_t>(1, options.plan_cache)) plans.pop_back();
        return made;
    }

    static dims unfed() { return {-1}; }
};

}  // namespace detail

struct session::state {
    explicit state(const session_options& given) : options(given), weights(given.precision) {}

    graph loaded;
    const session_options options;
    std::vector<value_info> inputs, outputs;
    weight_cache weights;
    /// Of runs, and of what they return.
    memory_pool pool;
    std::shared_ptr<detail::session_variant> main;
    std::mutex mutex;
    /// Other variants, the most recently used first.
    struct question {
        std::vector<bool> fed_defaults;
        std::vector<std::string> wanted;
        bool relaxed = false;

        bool operator==(const question&) const = default;
    };
    std::list<std::pair<question, std::shared_ptr<detail::session_variant>>> others;

    std::size_t memory() const { return options.memory_limit == 0 ? memory_limit::current() : options.memory_limit; }

    std::shared_ptr<detail::session_variant> build(const question& asked) {
        const auto& [fed_defaults, wanted, relaxed] = asked;
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
        if (options.lower) detail::compute_in_float(g);
        v->kernels = ready(g, *v, {});
        return v;
    }

    /// Rewrites a graph and finds the kernels of its nodes, and of the sub-graphs inside.
    /// @param place  what explain() adds to a node's name: where a sub-graph stands
    std::vector<std::unique_ptr<bound_kernel>> ready(graph& g, detail::session_variant& v, const std::string& place) {
        g.sort();
        infer_facts(g);
        const auto rewrite = [&](std::span<const pass> list) {
            for (applied_patch& p : run_passes(g, list)) v.patches.push_back({std::move(p.pass), p.reason + place});
        };
        if (options.lower) rewrite(quantized_passes);
        if (options.simplify) rewrite(simplify_passes);
        if (options.lower) {
            rewrite(lower_passes);
            rewrite(kernel_passes);
            if (options.precision == precision::f32) rewrite(together_passes);
        }
        if (options.lower && place.empty()) weights.expect(packed_at_least(g));
        std::vector<std::unique_ptr<bound_kernel>> kernels(g.nodes.size());
        for (std::size_t i = 0; i < g.nodes.size(); ++i) {
            const node& n = g.nodes[i];
            if (options.lower) kernels[i] = has_subgraph(n) ? ready_bodies(g, n, v, place) : bind_kernel(g, n, weights);
            if (kernels[i] == nullptr) v.references.push_back(ocelli::detail::concat(n.op, " '", n.name, "'", place));
        }
        return kernels;
    }

    /// A node that runs its sub-graphs on kernels.
    std::unique_ptr<bound_kernel> ready_bodies(const graph& g, const node& n, detail::session_variant& v, const std::string& place) {
        auto control = std::make_unique<detail::bound_control>(n);
        const std::string inside = ocelli::detail::concat(" in '", n.name, "'", place);
        for (const attribute& a : n.attributes) {
            const auto* const body = std::get_if<std::shared_ptr<graph>>(&a.what);
            if (body == nullptr) continue;
            auto own = std::make_unique<graph>(detail::body_for(g, n, **body));
            const std::size_t patches = v.patches.size(), references = v.references.size();
            try {
                auto kernels = ready(*own, v, inside);
                control->add(**body, std::move(own), std::move(kernels));
            } catch (const error&) {
                // A branch may be wrong that is never taken: it runs as it stands, and says so then.
                v.patches.resize(patches);
                v.references.resize(references);
                v.references.push_back(ocelli::detail::concat(n.op, " '", n.name, "' ('", a.name, "')", place));
            }
        }
        return control;
    }

    /// The bytes of weights that kernels will pack, of those that share blocks of memory.
    std::size_t packed_at_least(const graph& g) const {
        std::vector<bool> seen(g.values.size(), false);
        std::size_t sum = 0;
        for (const node& n : g.nodes) {
            const tensor* const w = has_attribute(n, "kernel") ? detail::constant_input(g, n, 1) : nullptr;
            if (w == nullptr || seen[static_cast<std::size_t>(n.inputs[1])] || w->bytes() >= memory_slab::too_large) continue;
            seen[static_cast<std::size_t>(n.inputs[1])] = true;
            sum += options.precision == precision::bf16 ? w->bytes() / 2 : w->bytes();
        }
        return sum;
    }

    std::shared_ptr<detail::session_variant> find(const question& asked) {
        const bool fed_any = std::find(asked.fed_defaults.begin(), asked.fed_defaults.end(), true) != asked.fed_defaults.end();
        if (!fed_any && asked.wanted.empty() && !asked.relaxed) return main;
        const std::lock_guard lock(mutex);
        for (auto it = others.begin(); it != others.end(); ++it)
            if (it->first == asked) {
                others.splice(others.begin(), others, it);
                return it->second;
            }
        auto made = build(asked);
        others.emplace_front(asked, made);
        while (others.size() > std::max<std::size_t>(1, options.plan_cache)) others.pop_back();
        return made;
    }

    /// What one run works with, kept for the next.
    struct prepared {
        std::vector<tensor> feeds, outputs;
        question asked;
        std::shared_ptr<detail::session_variant> variant;
    };
    std::vector<std::unique_ptr<prepared>> idle;

    /// Lends a prepared one, and lets go of what it holds afterwards.
    class lease {
    public:
        explicit lease(state& s) : state_(s) {
            const std::lock_guard lock(s.mutex);
            if (!s.idle.empty()) {
                mine_ = std::move(s.idle.back());
                s.idle.pop_back();
            } else mine_ = std::make_unique<prepared>();
        }
        ~lease() {
            mine_->feeds.clear();
            mine_->outputs.clear();
            mine_->variant.reset();
            const std::lock_guard lock(state_.mutex);
            try {
                state_.idle.push_back(std::move(mine_));
            } catch (...) {
                mine_.reset();  // no memory to keep it
            }
        }
        lease(const lease&) = delete;
        lease& operator=(const lease&) = delete;
        prepared& operator*() const noexcept { return *mine_; }
        prepared* operator->() const noexcept { return mine_.get(); }

    private:
        state& state_;
        std::unique_ptr<prepared> mine_;
    };

    void take_feeds(prepared& out, const feed_list& list) {
        out.feeds.assign(loaded.inputs.size(), tensor());
        out.asked.fed_defaults.assign(loaded.inputs.size(), false);
        out.asked.wanted.clear();
        out.asked.relaxed = false;
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
            if (declared.shape.ranked() && declared.shape.rank() != f.value.rank())
                ocelli::detail::fail("session: input '", f.name, "' must have shape ", text(declared.shape), ", got ",
                                     ocelli::detail::shape_text(f.value.shape()));
            if (!accepts(declared.shape, f.value.shape())) out.asked.relaxed = true;
            out.feeds[i] = f.value;
            out.asked.fed_defaults[i] = declared.optional;
        }
        for (std::size_t i = 0; i < inputs.size(); ++i)
            ocelli::detail::check(out.feeds[i].defined() || inputs[i].optional, "session: input '", inputs[i].name, "' was not fed");
    }

    void prepare(prepared& out, const feed_list& list, const std::vector<std::string>& wanted) {
        take_feeds(out, list);
        out.asked.wanted = wanted;
        out.variant = find(out.asked);
    }

    void prepare(prepared& out, const feed_list& list, const output_list& wanted) {
        take_feeds(out, list);
        ocelli::detail::check(wanted.size() != 0, "session: memory was given for no output");
        // All outputs of the model, in its order or another: the graph that is there.
        bool all = wanted.size() == outputs.size();
        for (const output_list::output& o : wanted) {
            ocelli::detail::check(o.memory.defined(), "session: output '", o.name, "' is given an absent tensor");
            std::size_t times = 0;
            for (const output_list::output& other : wanted) times += other.name == o.name;
            ocelli::detail::check(times == 1, "session: output '", o.name, "' is asked for twice");
            bool known = false;
            for (const value_info& v : outputs) known = known || v.name == o.name;
            all = all && known;
        }
        if (!all)
            for (const output_list::output& o : wanted) out.asked.wanted.push_back(o.name);
        out.variant = find(out.asked);
        if (!all)
            for (const output_list::output& o : wanted) out.outputs.push_back(o.memory);
        else
            for (const value_info& v : outputs)
                for (const output_list::output& o : wanted)
                    if (o.name == v.name) out.outputs.push_back(o.memory);
    }

    /// What to say when the network refuses extents that it does not declare.
    std::string unusual(const prepared& p) const {
        std::string out;
        for (std::size_t i = 0; i < inputs.size(); ++i)
            if (p.feeds[i].defined() && !accepts(inputs[i].shape, p.feeds[i].shape()))
                out += ocelli::detail::concat("input '", inputs[i].name, "' is declared ", text(inputs[i].shape), " and was fed ",
                                              ocelli::detail::shape_text(p.feeds[i].shape()), "; ");
        return out;
    }

    template <class F>
    auto explained(const prepared& p, F&& f) {
        if (!p.asked.relaxed) return f();
        try {
            return f();
        } catch (const invalid_argument& e) {
            ocelli::detail::fail("session: ", unusual(p), "the network refuses: ", e.what());
        }
    }
};

OCELLI_INLINE session::~session() = default;
OCELLI_INLINE session::session(session&&) noexcept = default;
OCELLI_INLINE session& session::operator=(session&&) noexcept = default;

OCELLI_INLINE session::session(graph g, session_options options) : state_(std::make_unique<state>(options)) {
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
    const memory_limit memory(state_->memory());
    state_->main = state_->build({});
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

OCELLI_INLINE graph session::simplified() const {
    graph g = state_->loaded;
    g.sort();
    infer_facts(g);
    run_passes(g, simplify_passes);
    return g;
}

OCELLI_INLINE named_tensors session::run(const feed_list& feeds, const run_options& options) const {
    const memory_limit memory(state_->memory());
    const memory_pool::scope reuse(state_->pool);
    const run_guard guard(state_->options.step_limit, options.stop);
    const state::lease p(*state_);
    state_->prepare(*p, feeds, options.outputs);
    const thread_limit threads(options.threads);
    std::vector<tensor> results = state_->explained(*p, [&] {
        const std::shared_ptr<const plan> ready = p->variant->find_plan(p->feeds, state_->options);
        return ready->run(p->feeds);
    });
    named_tensors out;
    for (std::size_t i = 0; i < results.size(); ++i)
        out.add(options.outputs.empty() ? state_->outputs[i].name : options.outputs[i], std::move(results[i]));
    return out;
}

OCELLI_INLINE void session::run(const feed_list& feeds, const output_list& outputs, const run_options& options) const {
    ocelli::detail::check(options.outputs.empty(), "session: outputs are named with their memory or in the options, not both");
    const memory_limit memory(state_->memory());
    const memory_pool::scope reuse(state_->pool);
    const run_guard guard(state_->options.step_limit, options.stop);
    const state::lease p(*state_);
    state_->prepare(*p, feeds, outputs);
    const thread_limit threads(options.threads);
    state_->explained(*p, [&] {
        const std::shared_ptr<const plan> ready = p->variant->find_plan(p->feeds, state_->options);
        ready->run(p->feeds, std::span<tensor>(p->outputs));
    });
}

OCELLI_INLINE profile_report session::profile(const feed_list& feeds, const run_options& options, int repeat) const {
    const memory_limit memory(state_->memory());
    const memory_pool::scope reuse(state_->pool);
    const state::lease p(*state_);
    state_->prepare(*p, feeds, options.outputs);
    const thread_limit threads(options.threads);
    const graph& g = p->variant->g;
    profile_report report;
    state_->explained(*p, [&] {
        const std::shared_ptr<const plan> ready = p->variant->find_plan(p->feeds, state_->options);
        const auto run = [&](std::vector<step_time>* times) {
            const run_guard guard(state_->options.step_limit, options.stop);
            return ready->run(p->feeds, times);
        };
        run(nullptr);
        for (const node_id id : ready->steps()) {
            const node& n = g.node_at(id);
            const auto& kernel = p->variant->kernels[static_cast<std::size_t>(id)];
            profile_report::entry e;
            e.node = n.name;
            e.op = n.op;
            e.kernel = kernel != nullptr ? std::string(kernel->name()) : "reference";
            e.isa = simd::name(kernel != nullptr ? simd::active() : simd::isa::baseline);
            report.nodes.push_back(std::move(e));
        }
        repeat = std::max(1, repeat);
        std::vector<step_time> times;
        for (int i = 0; i < repeat; ++i) {
            const auto start = std::chrono::steady_clock::now();
            run(&times);
            report.total_ms += std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count() / repeat;
            for (std::size_t s = 0; s < times.size(); ++s) {
                report.nodes[s].ms += times[s].ms / repeat;
                report.nodes[s].reference_ms += times[s].reference_ms / repeat;
            }
        }
        report.between_ms = report.total_ms;
        for (std::size_t s = 0; s < times.size(); ++s) {
            profile_report::entry& e = report.nodes[s];
            report.between_ms -= e.ms;
            e.shape = ocelli::detail::shape_text(times[s].shape);
            e.start_ms = times[s].start_ms;
            e.last_ms = times[s].ms;
            if (report.total_ms > 0) e.share = e.ms / report.total_ms;
            if (e.ms > 0) e.gflops = times[s].operations / e.ms * 1e-6;
            if (e.ms > 0) e.gbs = times[s].bytes / e.ms * 1e-6;
        }
    });
    return report;
}

OCELLI_INLINE std::string session::explain() const {
    std::string out;
    for (const applied_patch& p : state_->main->patches) out += ocelli::detail::concat(p.pass, ": ", p.reason, "\n");
    for (const std::string& n : state_->main->references) out += ocelli::detail::concat("reference: ", n, "\n");
    return out;
}

OCELLI_INLINE std::string text(const value_info& v) {
    return ocelli::detail::concat(v.name, ": ", name(v.type), " ", text(v.shape), v.optional ? " (has a default)" : "");
}

OCELLI_INLINE std::string text(const profile_report& report) {
    std::vector<const profile_report::entry*> order;
    double reference_ms = 0;
    for (const profile_report::entry& e : report.nodes) {
        order.push_back(&e);
        reference_ms += e.reference_ms;
    }
    std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->ms > b->ms; });
    std::string out;
    char line[256];
    for (const profile_report::entry* e : order) {
        std::snprintf(line, sizeof line, "%9.3f ms %5.1f %% %8.1f GFLOP/s %7.1f GB/s  %-20s %-8s %-20s ", e->ms, 100 * e->share, e->gflops, e->gbs,
                      e->kernel == "reference" ? "*reference*" : e->kernel.c_str(), e->isa.c_str(), e->op.c_str());
        out += ocelli::detail::concat(line, e->node, " ", e->shape, "\n");
    }
    const double all = report.total_ms > 0 ? report.total_ms : 1;
    std::snprintf(line, sizeof line, "%9.3f ms in all; %.3f ms (%.1f %%) reference evaluation, %.3f ms (%.1f %%) between nodes\n", report.total_ms, reference_ms,
                  100 * reference_ms / all, report.between_ms, 100 * report.between_ms / all);
    return out += line;
}

OCELLI_INLINE std::string chrome_trace(const profile_report& report) {
    const auto quoted = [](const std::string& s) {
        std::string out = "\"";
        char code[8];
        for (const char c : s) {
            const auto byte = static_cast<unsigned char>(c);
            if (c == '"' || c == '\\') out += {'\\', c};
            else if (byte < 0x20) {
                std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(byte));
                out += code;
            } else out += c;
        }
        return out += '"';
    };
    std::string out = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[";
    char numbers[160];
    for (std::size_t i = 0; i < report.nodes.size(); ++i) {
        const profile_report::entry& e = report.nodes[i];
        std::snprintf(numbers, sizeof numbers, "\"ph\":\"X\",\"pid\":0,\"tid\":0,\"ts\":%.3f,\"dur\":%.3f,\"args\":{\"gflops\":%.3f,\"gbs\":%.3f,",
                      1000 * e.start_ms, 1000 * e.last_ms, e.gflops, e.gbs);
        out += ocelli::detail::concat(i == 0 ? "\n" : ",\n", "{\"name\":", quoted(e.node), ",\"cat\":", quoted(e.op), ",", numbers, "\"kernel\":",
                                      quoted(e.kernel), ",\"isa\":", quoted(e.isa), ",\"shape\":", quoted(e.shape), "}}");
    }
    return out += "\n]}\n";
}

}  // namespace ocelli::nn
