#pragma once

#include <ocelli/core/float_bits.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/passes/pointwise.hpp>
#include <ocelli/nn/passes/walker.hpp>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

namespace ocelli::nn::passes {

namespace detail_pointwise {

/// Replaces the value by the only output of a node.
inline patch replaced(const graph& g, value_id v, node n, std::string reason) {
    patch p{.reason = std::move(reason)};
    n.outputs = {p.add_value(g, g.at(v).name, g.at(v).what)};
    n.source = g.source;
    p.replace.push_back({v, n.outputs[0]});
    p.nodes.push_back(std::move(n));
    return p;
}

/// Whether a ReduceMean reduces the last axis alone and keeps it.
inline bool means_last_axis(const graph& g, const node& n) {
    const symbolic_shape& shape = g.at(n.inputs[0]).what.shape;
    if (!shape.ranked() || shape.rank() < 1 || attr_int(n, "keepdims", 1) != 1) return false;
    dims axes;
    if (has_attribute(n, "axes")) axes = attr_ints(n, "axes");
    else if (const tensor* t = detail::constant_input(g, n, 1); t != nullptr && t->type() == dtype::int64) axes = t->to_ints();
    const auto rank = static_cast<std::int64_t>(shape.rank());
    return axes.size() == 1 && (axes[0] == -1 || axes[0] == rank - 1);
}

}  // namespace detail_pointwise

OCELLI_INLINE std::vector<patch> gelu_fusion(const graph& g) {
    const walker w(g);
    std::vector<patch> found;
    for (const node& erf : g.nodes) {
        if (erf.op != "Erf" || !erf.domain.empty() || erf.inputs[0] == no_value || !w.is_float(erf.inputs[0])) continue;
        // u = x / sqrt 2
        value_id x = no_value;
        if (const node* scaled = w.producer(erf.inputs[0], "Mul")) x = w.beside(*scaled, 0.70710678118654752);
        else if (const node* divided = w.producer(erf.inputs[0], "Div"); divided != nullptr && w.number(*divided, 1))
            if (std::abs(*w.number(*divided, 1) - 1.41421356237309505) < 2e-6) x = divided->inputs[0];
        if (x == no_value || !w.used(erf.inputs[0], 1)) continue;
        const node* sum = w.user(erf.outputs[0], "Add");
        if (sum == nullptr || w.beside(*sum, 1.0) != erf.outputs[0]) continue;
        const node* product = w.user(sum->outputs[0], "Mul");
        if (product == nullptr) continue;
        // (1 + erf) * x * 0.5, (1 + erf) * (x * 0.5), (1 + erf) * 0.5 * x
        value_id out = no_value;
        const value_id factor = walker::other(*product, sum->outputs[0]);
        if (factor == x) {
            const node* half = w.user(product->outputs[0], "Mul");
            if (half != nullptr && w.beside(*half, 0.5) == product->outputs[0]) out = half->outputs[0];
        } else if (w.beside(*product, 0.5) == sum->outputs[0]) {
            const node* last = w.user(product->outputs[0], "Mul");
            if (last != nullptr && walker::other(*last, product->outputs[0]) == x) out = last->outputs[0];
        } else if (const node* half = w.producer(factor, "Mul"); half != nullptr && w.used(factor, 1) && w.beside(*half, 0.5) == x) {
            out = product->outputs[0];
        }
        if (out == no_value) continue;
        found.push_back(detail_pointwise::replaced(g, out, {.name = erf.name, .op = "Gelu", .opset = 20, .inputs = {x}},
                                                   ocelli::detail::concat("Erf '", erf.name, "' and its neighbours are Gelu")));
    }
    return found;
}

OCELLI_INLINE std::vector<patch> layer_norm_fusion(const graph& g) {
    const walker w(g);
    std::vector<patch> found;
    for (const node& root : g.nodes) {
        if (root.op != "Sqrt" || !root.domain.empty() || root.inputs[0] == no_value) continue;
        const node* sum = w.producer(root.inputs[0], "Add");
        if (sum == nullptr || !w.used(root.inputs[0], 1)) continue;
        std::optional<double> epsilon = w.number(*sum, 1);
        value_id variance = sum->inputs[0];
        if (!epsilon) {
            epsilon = w.number(*sum, 0);
            variance = sum->inputs[1];
        }
        const node* second = w.producer(variance, "ReduceMean");
        if (!epsilon || second == nullptr || !w.used(variance, 1) || !detail_pointwise::means_last_axis(g, *second)) continue;
        // Squared differences, as a power or a product.
        const value_id squares = second->inputs[0];
        value_id difference = no_value;
        const node* power = w.producer(squares, "Pow");
        const node* product = w.producer(squares, "Mul");
        if (power != nullptr && w.number(*power, 1) == 2.0) difference = power->inputs[0];
        else if (product != nullptr && product->inputs[0] == product->inputs[1]) difference = product->inputs[0];
        if (difference == no_value || !w.used(squares, 1) || !w.used(difference, power != nullptr ? 2 : 3)) continue;
        const node* minus = w.producer(difference, "Sub");
        const node* first = minus != nullptr ? w.producer(minus->inputs[1], "ReduceMean") : nullptr;
        if (first == nullptr || first->inputs[0] != minus->inputs[0] || !w.used(minus->inputs[1], 1) || !detail_pointwise::means_last_axis(g, *first)) continue;
        const value_id x = minus->inputs[0];
        const node* quotient = w.user(root.outputs[0], "Div");
        if (quotient == nullptr || quotient->inputs[0] != difference || quotient->inputs[1] != root.outputs[0] || !w.is_float(x)) continue;
        const symbolic_shape& shape = g.at(x).what.shape;
        if (!shape.ranked() || !shape[shape.rank() - 1].known()) continue;
        const std::int64_t n = shape[shape.rank() - 1].size;
        const auto row = [&](const node* by, value_id v) -> const tensor* {
            if (by == nullptr || by->inputs.size() != 2) return nullptr;
            const tensor* t = detail::constant_input(g, *by, by->inputs[0] == v ? 1 : 0);
            return t != nullptr && t->type() == dtype::float32 && t->rank() == 1 && t->size() == n ? t : nullptr;
        };
        value_id out = quotient->outputs[0];
        const node* scaled = w.user(out, "Mul");
        const tensor* scale = row(scaled, out);
        const tensor* bias = nullptr;
        if (scale != nullptr) {
            out = scaled->outputs[0];
            const node* shifted = w.user(out, "Add");
            bias = row(shifted, out);
            if (bias != nullptr) out = shifted->outputs[0];
        }
        tensor ones(dtype::float32, {n});
        std::fill_n(ones.mutable_data<float>(), n, 1.0f);
        patch p = detail_pointwise::replaced(g, out,
                                             {.name = root.name, .op = "LayerNormalization", .opset = 17,
                                              .attributes = {{"axis", std::int64_t{-1}}, {"epsilon", static_cast<float>(*epsilon)}}, .inputs = {x}},
                                             ocelli::detail::concat("Sqrt '", root.name, "' and its neighbours are LayerNormalization"));
        p.nodes[0].inputs.push_back(p.add_constant(g, "", scale != nullptr ? *scale : ones));
        if (bias != nullptr) p.nodes[0].inputs.push_back(p.add_constant(g, "", *bias));
        found.push_back(std::move(p));
    }
    return found;
}

OCELLI_INLINE std::vector<patch> softmax_axis(const graph& g) {
    constexpr std::int64_t few_lines = 8;
    std::vector<patch> found;
    const walker w(g);
    for (const node& n : g.nodes) {
        if (!n.domain.empty() || (n.op != "Softmax" && n.op != "LogSoftmax")) continue;
        const node* before = w.producer(n.inputs[0], "Transpose");
        if (before == nullptr || !detail::used_once(g, w.uses(), n.inputs[0])) continue;
        const node* behind = w.user(n.outputs[0], "Transpose");
        const dims there = attr_ints(*before, "perm", {}), back = behind == nullptr ? dims{} : attr_ints(*behind, "perm", {});
        const auto rank = static_cast<std::int64_t>(there.size());
        const std::int64_t axis = attr_int(n, "axis", n.opset < 13 ? 1 : -1);
        if (rank == 0 || back.size() != there.size() || (axis != -1 && axis != rank - 1)) continue;
        bool same = true;
        for (std::int64_t i = 0; same && i < rank; ++i) {
            const std::int64_t at = back[static_cast<std::size_t>(i)];
            same = at >= 0 && at < rank && there[static_cast<std::size_t>(at)] == i;
        }
        if (!same) continue;
        // Lines side by side are vectors; where there are few, as of the heads of an attention, turning them is less work.
        const symbolic_shape& x = g.at(before->inputs[0]).what.shape;
        std::int64_t beside = x.ranked() ? 1 : few_lines;
        for (std::size_t i = static_cast<std::size_t>(there.back()) + 1; i < x.rank() && beside < few_lines; ++i) beside = x[i].known() ? beside * x[i].size : few_lines;
        if (beside < few_lines && there.back() + 1 < rank) continue;
        found.push_back(detail_pointwise::replaced(g, behind->outputs[0],
                                                   {.name = n.name, .op = n.op, .opset = 13, .attributes = {{"axis", there.back()}}, .inputs = {before->inputs[0]}},
                                                   ocelli::detail::concat(n.op, " '", n.name, "' between two Transpose is one over axis ", there.back())));
    }
    return found;
}

OCELLI_INLINE std::vector<patch> quantize_pairs(const graph& g) {
    std::vector<patch> found;
    const walker w(g);
    // The one scale of a node and the first of its integers, less their zero.
    const auto numbers = [&](const node& n) -> std::optional<std::pair<float, float>> {
        const tensor *const scale = detail::constant_input(g, n, 1), *const zero = detail::constant_input(g, n, 2);
        const bool has_zero = n.inputs.size() > 2 && n.inputs[2] != no_value;
        if (scale == nullptr || scale->type() != dtype::float32 || scale->size() != 1 || scale->rank() > 1 || (has_zero && (zero == nullptr || zero->size() != 1))) return std::nullopt;
        if (attr_int(n, "block_size", 0) != 0 || attr_int(n, "output_dtype", 0) != 0) return std::nullopt;
        const dtype type = has_zero ? zero->type() : dtype::uint8;
        const float size = *scale->data<float>();
        if ((type != dtype::uint8 && type != dtype::int8) || !(size > 0) || !ocelli::detail::is_finite(size)) return std::nullopt;
        return std::pair{size, (type == dtype::uint8 ? 0.0f : -128.0f) - (has_zero ? static_cast<float>(zero->item()) : 0.0f)};
    };
    for (const node& back : g.nodes) {
        if (!back.domain.empty() || back.op != "DequantizeLinear" || back.outputs.size() != 1) continue;
        const node* const there = w.producer(back.inputs[0], "QuantizeLinear");
        if (there == nullptr || g.at(there->inputs[0]).what.type != dtype::float32) continue;
        const auto one = numbers(*there), two = numbers(back);
        if (!one || one != two) continue;
        found.push_back(detail_pointwise::replaced(g, back.outputs[0],
                                                   {.name = back.name, .op = "FakeQuantize", .domain = "ocelli", .opset = 1,
                                                    .attributes = {{"scale", one->first}, {"low", one->second}}, .inputs = {there->inputs[0]}},
                                                   ocelli::detail::concat("'", there->name, "' and '", back.name, "' are FakeQuantize")));
    }
    return found;
}

}  // namespace ocelli::nn::passes
