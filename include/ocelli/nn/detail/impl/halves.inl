#pragma once

#include <ocelli/nn/detail/halves.hpp>

#include <algorithm>

namespace ocelli::nn::detail {

constexpr bool is_half(dtype type) noexcept {
    return type == dtype::float16 || type == dtype::bfloat16;
}

inline bool has_halves(const graph& g) {
    for (const value& v : g.values)
        if (is_half(v.what.type)) return true;
    return false;
}

// Values, constants and attributes of a graph and those inside it.
inline void widen_halves(graph& g) {
    for (value& v : g.values) {
        if (is_half(v.what.constant.type())) v.what.constant = v.what.constant.cast(dtype::float32);
        if (is_half(v.what.type)) v.what.type = dtype::float32;
    }
    for (node& n : g.nodes)
        for (attribute& a : n.attributes) {
            if (auto* t = std::get_if<tensor>(&a.what); t != nullptr && is_half(t->type())) *t = t->cast(dtype::float32);
            // Attributes that name an element type.
            const bool names_type = a.name == "to" || a.name == "dtype" || a.name == "stash_type";
            if (auto* i = std::get_if<std::int64_t>(&a.what); i != nullptr && names_type && (*i == 10 || *i == 16)) *i = 1;
            if (auto* s = std::get_if<std::string>(&a.what); s != nullptr && a.name == "to" && *s == "FLOAT16") *s = "FLOAT";
            if (auto* body = std::get_if<std::shared_ptr<graph>>(&a.what); body != nullptr && *body != nullptr) {
                auto own = std::make_shared<graph>(**body);  // the graph that this one was copied from keeps its own
                widen_halves(*own);
                *body = std::move(own);
            }
        }
}

inline void replace_uses(graph& g, value_id from, value_id to) {
    for (node& n : g.nodes) {
        std::replace(n.inputs.begin(), n.inputs.end(), from, to);
        std::replace(n.implicit_inputs.begin(), n.implicit_inputs.end(), from, to);
    }
}

inline void add_cast(graph& g, value_id from, value_id to, dtype type) {
    node n;
    n.op = "Cast";
    n.opset = 13;
    n.name = g.at(to).name + ".cast";
    n.inputs = {from};
    n.outputs = {to};
    set_attribute(n, "to", static_cast<std::int64_t>(type));
    g.add_node(std::move(n));
}

OCELLI_INLINE bool compute_in_float(graph& g) {
    if (!has_halves(g)) return false;
    for (const auto* list : {&g.inputs, &g.outputs})
        for (const value_id v : *list)
            if (size_of(g.at(v).what.type) == 0) return false;
    std::vector<std::pair<value_id, fact>> inputs, outputs;
    for (const value_id v : g.inputs)
        if (is_half(g.at(v).what.type) && !g.at(v).what.constant.defined()) inputs.emplace_back(v, g.at(v).what);
    for (const value_id v : g.outputs)
        if (is_half(g.at(v).what.type)) outputs.emplace_back(v, g.at(v).what);
    widen_halves(g);
    for (auto& [v, declared] : inputs) {
        const value_id wide = g.add_value(g.at(v).name + ".float32", g.at(v).what);
        replace_uses(g, v, wide);
        g.at(v).what = declared;
        add_cast(g, v, wide, dtype::float32);
    }
    for (auto& [v, declared] : outputs) {
        if (is_half(g.at(v).what.type)) continue;  // an input handed through
        // The computed value gets another identity; this one is its rounded form.
        const value_id wide = g.add_value(g.at(v).name + ".float32", g.at(v).what);
        const node_id producer = g.at(v).producer;
        g.at(wide).producer = producer;
        if (producer != no_node) {
            node& n = g.nodes[static_cast<std::size_t>(producer)];
            std::replace(n.outputs.begin(), n.outputs.end(), v, wide);
        }
        replace_uses(g, v, wide);
        g.at(v).what = fact{declared.type, declared.shape, {}};
        g.at(v).producer = no_node;
        add_cast(g, wide, v, declared.type);
    }
    return true;
}

}  // namespace ocelli::nn::detail
