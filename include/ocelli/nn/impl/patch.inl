#pragma once

#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/patch.hpp>

#include <algorithm>

namespace ocelli::nn {

OCELLI_INLINE value_id patch::add_value(const graph& g, std::string name, fact what) {
    const auto id = static_cast<value_id>(g.values.size() + values.size());
    values.push_back({std::move(name), std::move(what), no_node});
    return id;
}

OCELLI_INLINE value_id patch::add_constant(const graph& g, std::string name, tensor elements) {
    fact what{elements.type(), symbolic_shape(elements.shape()), elements};
    return add_value(g, std::move(name), std::move(what));
}

OCELLI_INLINE void apply(graph& g, std::vector<patch> patches) {
    const auto base = static_cast<value_id>(g.values.size());
    // Values replaced so far: a later patch may mention one that an earlier patch replaced.
    std::vector<std::pair<value_id, value_id>> replaced;
    const auto current = [&](value_id v) {
        for (bool moved = true; moved;) {
            moved = false;
            for (const auto& [from, to] : replaced)
                if (v == from) {
                    v = to;
                    moved = true;
                    break;
                }
        }
        return v;
    };
    for (patch& p : patches) {
        const auto shift = static_cast<value_id>(g.values.size()) - base;
        const auto moved = [&](value_id v) { return v >= base ? v + shift : v; };
        for (value& v : p.values) g.values.push_back(std::move(v));
        for (node& n : p.nodes) {
            for (value_id& v : n.inputs)
                if (v != no_value) v = current(moved(v));
            for (value_id& v : n.implicit_inputs) v = current(moved(v));
            for (value_id& v : n.outputs)
                if (v != no_value) v = moved(v);
            g.add_node(std::move(n));
        }
        for (const auto& [from, to_id] : p.replace) {
            const value_id to = current(moved(to_id));
            replaced.emplace_back(from, to);
            for (node& n : g.nodes) {
                std::replace(n.inputs.begin(), n.inputs.end(), from, to);
                std::replace(n.implicit_inputs.begin(), n.implicit_inputs.end(), from, to);
            }
            for (value_id& out : g.outputs) {
                if (out != from) continue;
                const bool free = g.at(to).producer != no_node && std::find(g.outputs.begin(), g.outputs.end(), to) == g.outputs.end();
                if (free) {
                    std::swap(g.at(to).name, g.at(from).name);
                    out = to;
                } else {
                    // The result is an input, a constant or another output: it is handed out under both names.
                    const value_id copy = g.add_value(g.at(from).name, g.at(to).what);
                    g.at(from).name += "'";
                    g.at(copy).what.constant = tensor();
                    g.add_node({.name = g.at(copy).name, .op = "Identity", .inputs = {to}, .outputs = {copy}});
                    out = copy;
                }
            }
        }
    }
    g.sort();  // new nodes stand at the end; compact() goes through the order backwards
    g.compact();
    infer_facts(g);
    g.verify();
}

}  // namespace ocelli::nn
