#pragma once

#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/passes/channels.hpp>
#include <ocelli/nn/passes/walker.hpp>

#include <optional>
#include <vector>

namespace ocelli::nn::passes {

namespace detail_channels {

/// Reshape, Transpose and Reshape in a row: what goes in and the shapes on the way.
struct rearranged {
    value_id from = no_value;
    dims in, split, order, out;
};
inline std::optional<rearranged> rearranged_by(const graph& g, const node& last) {
    const node* turn = made_by(g, last.inputs[0], "Transpose");
    const node* first = turn == nullptr ? nullptr : made_by(g, turn->inputs[0], "Reshape");
    if (first == nullptr) return std::nullopt;
    const auto in = g.at(first->inputs[0]).what.shape.concrete(), split = g.at(first->outputs[0]).what.shape.concrete(), out = g.at(last.outputs[0]).what.shape.concrete();
    if (!in || !split || !out || in->size() < 3 || element_count(*in) == 0) return std::nullopt;
    return rearranged{first->inputs[0], *in, *split, attr_ints(*turn, "perm", {}), *out};
}

}  // namespace detail_channels

OCELLI_INLINE std::vector<patch> channel_shuffle(const graph& g) {
    using namespace detail_channels;
    std::vector<patch> found;
    const auto put = [&](const rearranged& r, const node& n, const std::vector<std::int64_t>& channels) {
        patch p{.reason = ocelli::detail::concat("'", n.name, "' shuffles channels")};
        tensor indices(dtype::int64, {static_cast<std::int64_t>(channels.size())});
        std::copy(channels.begin(), channels.end(), indices.mutable_data<std::int64_t>());
        const value_id out = p.add_value(g, g.at(n.outputs[0]).name, g.at(n.outputs[0]).what);
        p.nodes.push_back({.name = n.name, .op = "Gather", .opset = n.opset, .attributes = {{"axis", std::int64_t{1}}},
                           .inputs = {r.from, p.add_constant(g, "", indices)}, .outputs = {out}});
        p.replace.push_back({n.outputs[0], out});
        found.push_back(std::move(p));
    };
    for (const node& n : g.nodes) {
        if (!n.domain.empty() || n.outputs.size() != 1 || n.inputs.empty()) continue;
        if (n.op == "Reshape") {
            // (N, g, C / g, ...) to (N, C / g, g, ...)
            const auto r = rearranged_by(g, n);
            if (!r || r->out != r->in || r->split.size() != r->in.size() + 1 || r->split[0] != r->in[0] || r->split[1] * r->split[2] != r->in[1]) continue;
            bool fits = r->order.size() == r->split.size() && r->order[0] == 0 && r->order[1] == 2 && r->order[2] == 1;
            for (std::size_t i = 3; fits && i < r->order.size(); ++i) fits = r->order[i] == static_cast<std::int64_t>(i) && r->split[i] == r->in[i - 1];
            if (!fits) continue;
            std::vector<std::int64_t> channels;
            for (std::int64_t j = 0; j < r->split[2]; ++j)
                for (std::int64_t i = 0; i < r->split[1]; ++i) channels.push_back(i * r->split[2] + j);
            put(*r, n, channels);
        } else if (n.op == "Gather" && attr_int(n, "axis", 0) == 0 && n.inputs.size() == 2) {
            // (1, C, ...) as (C / g, g, pixels), turned to (g, C / g, pixels), as (g, 1, C / g, ...): one of the g.
            const tensor* index = detail::constant_input(g, n, 1);
            const node* last = made_by(g, n.inputs[0], "Reshape");
            if (index == nullptr || last == nullptr || index->rank() != 0 || (index->type() != dtype::int64 && index->type() != dtype::int32)) continue;
            const auto r = rearranged_by(g, *last);
            if (!r || r->in[0] != 1 || r->split.size() != 3 || r->order != dims{1, 0, 2} || r->split[0] * r->split[1] != r->in[1]) continue;
            const std::int64_t groups = r->split[1], each = r->split[0];
            dims wanted{groups, 1, each};
            wanted.insert(wanted.end(), r->in.begin() + 2, r->in.end());
            std::int64_t group = static_cast<std::int64_t>(index->item());
            if (group < 0) group += groups;
            if (r->out != wanted || group < 0 || group >= groups) continue;
            std::vector<std::int64_t> channels;
            for (std::int64_t j = 0; j < each; ++j) channels.push_back(j * groups + group);
            put(*r, n, channels);
        }
    }
    return found;
}

}  // namespace ocelli::nn::passes
