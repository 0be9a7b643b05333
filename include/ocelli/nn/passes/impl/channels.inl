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

OCELLI_INLINE std::vector<patch> channel_products(const graph& g) {
    constexpr std::int64_t few = 16;  // for more, channels that lie together pay for turning
    std::vector<patch> found;
    const walker w(g);
    for (const node& n : g.nodes) {
        if (!n.domain.empty() || n.op != "MatMul" || n.inputs.size() != 2 || !w.is_float(n.inputs[0])) continue;
        const node* const before = w.producer(n.inputs[0], "Transpose");
        const tensor* const weights = detail::constant_input(g, n, 1);
        if (before == nullptr || !w.used(n.inputs[0], 1) || weights == nullptr || weights->type() != dtype::float32 || weights->rank() != 2) continue;
        const std::int64_t channels = weights->extent(0), mixed = weights->extent(1);
        const node* const add = w.user(n.outputs[0], "Add");
        const tensor* const bias = add == nullptr ? nullptr : detail::constant_input(g, *add, add->inputs[0] == n.outputs[0] ? 1 : 0);
        if (add != nullptr && (bias == nullptr || bias->type() != dtype::float32 || bias->shape() != dims{mixed})) continue;
        const node* const after = w.user(add != nullptr ? add->outputs[0] : n.outputs[0], "Transpose");
        const auto extents = g.at(before->inputs[0]).what.shape.concrete();
        if (after == nullptr || !extents || extents->size() < 3 || element_count(*extents) == 0 || channels > few || mixed > few || mixed < 1) continue;
        dims to_last{0}, back{0, static_cast<std::int64_t>(extents->size()) - 1};
        for (std::size_t i = 2; i < extents->size(); ++i) {
            to_last.push_back(static_cast<std::int64_t>(i));
            back.push_back(static_cast<std::int64_t>(i) - 1);
        }
        to_last.push_back(1);
        if (attr_ints(*before, "perm", {}) != to_last || attr_ints(*after, "perm", {}) != back || (*extents)[1] != channels) continue;

        patch p{.reason = ocelli::detail::concat("'", n.name, "' mixes channels where they are")};
        const auto reshaped = [&](value_id v, const dims& shape, const value_id to) {
            tensor numbers(dtype::int64, {static_cast<std::int64_t>(shape.size())});
            std::copy(shape.begin(), shape.end(), numbers.mutable_data<std::int64_t>());
            p.nodes.push_back({.name = n.name, .op = "Reshape", .opset = n.opset, .inputs = {v, p.add_constant(g, "", numbers)}, .outputs = {to}, .source = n.source});
            return to;
        };
        tensor turned(dtype::float32, {mixed, channels});
        for (std::int64_t i = 0; i < mixed; ++i)
            for (std::int64_t j = 0; j < channels; ++j) turned.mutable_data<float>()[i * channels + j] = weights->data<float>()[j * mixed + i];
        const std::int64_t pixels = element_count(*extents) / ((*extents)[0] * channels);
        dims shape = *extents;
        shape[1] = mixed;
        const value_id rows = reshaped(before->inputs[0], {(*extents)[0], channels, pixels}, p.add_value(g, "", {dtype::float32, symbolic_shape(dims{(*extents)[0], channels, pixels}), {}}));
        const fact result{dtype::float32, symbolic_shape(dims{(*extents)[0], mixed, pixels}), {}};
        value_id at = p.add_value(g, "", result);
        p.nodes.push_back({.name = n.name, .op = "MatMul", .opset = n.opset, .inputs = {p.add_constant(g, "", turned), rows}, .outputs = {at}, .source = n.source});
        if (bias != nullptr) {
            const value_id sum = p.add_value(g, "", result);
            p.nodes.push_back({.name = add->name, .op = "Add", .opset = add->opset, .inputs = {at, p.add_constant(g, "", bias->reshaped({mixed, 1}))}, .outputs = {sum}, .source = n.source});
            at = sum;
        }
        p.replace.push_back({after->outputs[0], reshaped(at, shape, p.add_value(g, g.at(after->outputs[0]).name, g.at(after->outputs[0]).what))});
        found.push_back(std::move(p));
    }
    return found;
}

}  // namespace ocelli::nn::passes
