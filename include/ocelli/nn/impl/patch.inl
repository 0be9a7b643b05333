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
    // What stands for each value now: a later patch may mention one that an earlier patch replaced.
    std::vector<value_id> instead;
    const auto current = [&](value_id v) {
        while (static_cast<std::size_t>(v) < instead.size() && instead[static_cast<std::size_t>(v)] != no_value) v = instead[static_cast<std::size_t>(v)];
        return v;
    };
    std::vector<value_id> other_facts;
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
            instead.resize(g.values.size(), no_value);
            if (value_id& first = instead[static_cast<std::size_t>(from)]; first == no_value) first = to;
            if (!detail::same(g.at(from).what, g.at(to).what)) other_facts.push_back(to);
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
    for (node& n : g.nodes) {
        for (value_id& v : n.inputs)
            if (v != no_value) v = current(v);
        for (value_id& v : n.implicit_inputs) v = current(v);
    }
    std::vector<bool> made(g.values.size(), false), changed(g.values.size(), false);
    std::fill(made.begin() + base, made.end(), true);
    for (const value_id v : other_facts) changed[static_cast<std::size_t>(v)] = true;
    g.sort();  // new nodes stand at the end; compact() goes through the order backwards
    const std::vector<value_id> renamed = detail::compact(g);
    for (std::size_t i = 0; i < renamed.size(); ++i) {
        if (renamed[i] == no_value) continue;
        const auto to = static_cast<std::size_t>(renamed[i]);  // never behind i
        made[to] = made[i];
        changed[to] = changed[i];
    }
    infer_facts(g, made, std::move(changed));
    g.verify();
}

}  // namespace ocelli::nn
