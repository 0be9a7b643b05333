#pragma once

#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/ops/registry.hpp>

#include <algorithm>
#include <cstring>
#include <new>
#include <tuple>
#include <vector>

namespace ocelli::nn {

inline std::vector<std::span<const op_def>> op_tables();  // of registry.hpp, which may be the file that led here

OCELLI_NOINLINE OCELLI_INLINE const symbolic_shape& infer_context::shape(std::size_t i) const noexcept {
    static const symbolic_shape unknown;
    return has_input(i) ? inputs_[i]->shape : unknown;
}

OCELLI_INLINE std::optional<std::vector<std::int64_t>> infer_context::constant_ints(std::size_t i) const {
    const tensor* t = constant(i);
    if (t == nullptr || is_floating(t->type())) return std::nullopt;
    return t->to_ints();
}

OCELLI_INLINE tensor& eval_context::output(std::size_t i, dtype type, const dims& shape) {
    tensor& slot = i < outputs_.size() ? outputs_[i] : unwanted_;
    // Planned memory stands in the slot with exactly this type and shape; anything else is replaced.
    if (slot.type() == type && slot.shape() == shape) return slot;
    try {
        slot = tensor(type, shape);
    } catch (const invalid_argument& e) {
        fail(self, e.what());  // too large, or a negative extent
    } catch (const std::bad_alloc&) {
        fail(self, "no memory for ", name(type), " ", ocelli::detail::shape_text(shape));
    }
    return slot;
}

OCELLI_INLINE void eval_context::set_output(std::size_t i, tensor t) {
    if (i >= outputs_.size()) return;
    tensor& slot = outputs_[i];
    // Planned memory was promised to later steps: fill it rather than replace it.
    if (slot.defined() && slot.raw() != t.raw() && slot.type() == t.type() && slot.shape() == t.shape()) {
        if (t.size() != 0) std::memcpy(slot.mutable_raw(), t.raw(), t.bytes());
        return;
    }
    slot = std::move(t);
}

namespace detail {

inline const std::vector<op_def>& registry() {
    static const std::vector<op_def> sorted = [] {
        std::vector<op_def> all;
        for (const std::span<const op_def> table : op_tables()) all.insert(all.end(), table.begin(), table.end());
        std::sort(all.begin(), all.end(), [](const op_def& a, const op_def& b) {
            return std::tie(a.domain, a.name, a.since) < std::tie(b.domain, b.name, b.since);
        });
        return all;
    }();
    return sorted;
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> all_ops() {
    return detail::registry();
}

OCELLI_INLINE const op_def* find_any_op(std::string_view domain, std::string_view op) noexcept {
    const op_def* found = nullptr;
    const auto& all = detail::registry();
    auto it = std::lower_bound(all.begin(), all.end(), std::tie(domain, op),
                               [](const op_def& d, const auto& key) { return std::tie(d.domain, d.name) < key; });
    for (; it != all.end() && it->domain == domain && it->name == op; ++it) found = &*it;
    return found;
}

OCELLI_INLINE const op_def* find_op(std::string_view domain, std::string_view op, std::int64_t opset) noexcept {
    const op_def* found = nullptr;
    const auto& all = detail::registry();
    auto it = std::lower_bound(all.begin(), all.end(), std::tie(domain, op),
                               [](const op_def& d, const auto& key) { return std::tie(d.domain, d.name) < key; });
    for (; it != all.end() && it->domain == domain && it->name == op; ++it)
        if (it->since <= opset && (it->until == 0 || opset <= it->until)) found = &*it;
    return found;
}

OCELLI_INLINE void infer_node(const graph&, const node& n, std::span<const fact* const> inputs, std::span<fact> outputs,
                              std::int64_t fold_limit) {
    if (n.def == nullptr) return;
    if (n.def->infer != nullptr) {
        infer_context context(n, inputs, outputs);
        n.def->infer(context);
    }
    if (fold_limit <= 0 || n.def->impure || n.def->eval == nullptr || has_subgraph(n) || n.inputs.empty()) return;
    for (const fact& f : outputs)
        if (f.constant.defined()) return;
    // Evaluate where everything is known and both sides are small: the arithmetic on shapes that exporters write.
    std::vector<tensor> in;
    in.reserve(inputs.size());
    for (const fact* f : inputs) {
        if (f != nullptr && !f->constant.defined()) return;
        if (f != nullptr && f->constant.size() > fold_limit) return;
        in.push_back(f == nullptr ? tensor() : f->constant);
    }
    for (const fact& f : outputs) {
        const auto size = f.shape.elements();
        if (!size || *size > fold_limit) return;
    }
    std::vector<tensor> out(outputs.size());
    eval_context context(n, in, out);
    n.def->eval(context);
    for (std::size_t i = 0; i < out.size(); ++i)
        if (out[i].defined() && out[i].size() <= fold_limit)
            outputs[i] = fact{out[i].type(), symbolic_shape(out[i].shape()), out[i]};
}

namespace detail {

inline bool same(const symbolic_shape& a, const symbolic_shape& b) noexcept {
    if (a.ranked() != b.ranked() || a.rank() != b.rank()) return false;
    for (std::size_t i = 0; i < a.rank(); ++i)
        if (a[i].size != b[i].size || a[i].symbol != b[i].symbol) return false;
    return true;
}

inline bool same(const tensor& a, const tensor& b) noexcept {
    if (!a.defined() || !b.defined()) return a.defined() == b.defined();
    return a.identity() == b.identity() && a.type() == b.type() && a.shape() == b.shape();
}

OCELLI_INLINE bool same(const fact& a, const fact& b) noexcept {
    return a.type == b.type && same(a.shape, b.shape) && same(a.constant, b.constant);
}

/// Adds what was found out. @return whether any of it is new
inline bool learn(fact& known, fact found) {
    bool news = false;
    if (found.type != dtype::undefined && found.type != known.type) {
        known.type = found.type;
        news = true;
    }
    // What the file declares is kept only where inference knows less.
    if (found.shape.ranked()) {
        symbolic_shape& merged = found.shape;
        if (known.shape.ranked() && known.shape.rank() == merged.rank())
            for (std::size_t d = 0; d < merged.rank(); ++d)
                if (!merged[d].known() && merged[d].symbol.empty() && !known.shape[d].known()) merged[d] = known.shape[d];
        if (!same(known.shape, merged)) {
            known.shape = std::move(merged);
            news = true;
        }
    }
    if (found.constant.defined() && !same(found.constant, known.constant)) {
        known.constant = std::move(found.constant);
        news = true;
    }
    return news;
}

}  // namespace detail

OCELLI_INLINE void infer_facts(graph& g) {
    infer_facts(g, std::vector<bool>(g.values.size(), true), std::vector<bool>(g.values.size(), false));
}

OCELLI_INLINE void infer_facts(graph& g, const std::vector<bool>& made, std::vector<bool> changed) {
    const auto in = [](const std::vector<bool>& set) {
        return [&set](value_id v) { return v != no_value && set[static_cast<std::size_t>(v)]; };
    };
    std::vector<const fact*> inputs;
    std::vector<fact> outputs;
    for (const node& n : g.nodes) {
        if (std::none_of(n.outputs.begin(), n.outputs.end(), in(made)) && std::none_of(n.inputs.begin(), n.inputs.end(), in(changed)) &&
            std::none_of(n.implicit_inputs.begin(), n.implicit_inputs.end(), in(changed)))
            continue;
        inputs.clear();
        for (const value_id v : n.inputs) inputs.push_back(v == no_value ? nullptr : &g.at(v).what);
        outputs.assign(n.outputs.size(), fact{});
        infer_node(g, n, inputs, outputs);
        for (std::size_t i = 0; i < outputs.size(); ++i)
            if (n.outputs[i] != no_value && detail::learn(g.at(n.outputs[i]).what, std::move(outputs[i]))) changed[static_cast<std::size_t>(n.outputs[i])] = true;
    }
}

}  // namespace ocelli::nn
