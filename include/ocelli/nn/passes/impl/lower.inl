#pragma once

#include <ocelli/nn/ops/fused.hpp>
#include <ocelli/nn/passes/lower.hpp>

#include <algorithm>
#include <cmath>
#include <optional>

namespace ocelli::nn::passes {

namespace detail_lower {

inline bool is_fused_conv(const node& n) {
    return n.domain == "ocelli" && (n.op == "Conv" || n.op == "ConvTranspose");
}

inline bool is_fused_product(const node& n) {
    return n.domain == "ocelli" && n.op == "MatMul";
}

/// The ocelli.Conv or ocelli.MatMul that computes v, if it has no activation yet.
inline const node* plain_sums(const graph& g, value_id v) {
    if (v == no_value || g.at(v).producer == no_node) return nullptr;
    const node& n = g.node_at(g.at(v).producer);
    return (is_fused_conv(n) || is_fused_product(n)) && attr_string(n, "activation", "none") == "none" ? &n : nullptr;
}

}  // namespace detail_lower

OCELLI_INLINE std::vector<patch> lower_convolution(const graph& g) {
    std::vector<patch> found;
    for (const node& n : g.nodes) {
        const bool transposed = n.op == "ConvTranspose";
        if ((n.op != "Conv" && !transposed) || !n.domain.empty()) continue;
        const tensor* w = detail::constant_input(g, n, 1);
        const bool has_bias = n.inputs.size() > 2 && n.inputs[2] != no_value;
        const tensor* b = detail::constant_input(g, n, 2);
        const std::int64_t group = attr_int(n, "group", 1);
        if (w == nullptr || w->type() != dtype::float32 || w->rank() < 3 || w->rank() > 5 || w->size() == 0) continue;
        if (group < 1 || group > w->extent(0) || w->extent(0) % group != 0) continue;
        if (has_bias && (b == nullptr || b->type() != dtype::float32 || b->size() != (transposed ? w->extent(1) * group : w->extent(0)))) continue;
        patch p{.reason = ocelli::detail::concat(n.op, " '", n.name, "' runs on a kernel")};
        node fused = n;
        fused.domain = "ocelli";
        fused.opset = 1;
        fused.def = nullptr;
        const value_id out = n.outputs[0];
        fused.outputs = {p.add_value(g, g.at(out).name, g.at(out).what)};
        p.replace.push_back({out, fused.outputs[0]});
        p.nodes.push_back(std::move(fused));
        found.push_back(std::move(p));
    }
    return found;
}

OCELLI_INLINE std::vector<patch> lower_products(const graph& g) {
    std::vector<patch> found;
    const auto uses = g.use_counts();
    const auto replace = [&](patch p, node product, const node& old) {
        product.outputs = {p.add_value(g, g.at(old.outputs[0]).name, g.at(old.outputs[0]).what)};
        p.replace.push_back({old.outputs[0], product.outputs[0]});
        p.nodes.push_back(std::move(product));
        found.push_back(std::move(p));
    };
    // One number for each column: shape (N), (1, N), ...
    const auto is_bias = [](const tensor* t, std::int64_t n) {
        return t != nullptr && t->type() == dtype::float32 && t->size() == n && t->rank() >= 1 && t->shape().back() == n;
    };
    for (const node& n : g.nodes) {
        if (!n.domain.empty() || n.outputs.size() != 1 || n.inputs.size() < 2 || n.inputs[0] == no_value) continue;
        const fact& a = g.at(n.inputs[0]).what;
        if (n.op == "MatMul" || n.op == "Gemm") {
            const bool gemm = n.op == "Gemm";
            const tensor* w = detail::constant_input(g, n, 1);
            if (w == nullptr || w->type() != dtype::float32 || w->rank() != 2 || w->size() == 0 || a.type != dtype::float32 || !a.shape.ranked() ||
                a.shape.rank() < 1 || a.constant.defined())
                continue;
            const bool transposed = gemm && attr_int(n, "transB", 0) != 0;
            node product{.name = n.name, .op = "MatMul", .domain = "ocelli", .opset = 1, .attributes = {{"transB", std::int64_t{transposed}}},
                         .inputs = {n.inputs[0], n.inputs[1]}, .source = n.source};
            if (gemm) {
                if (a.shape.rank() != 2 || attr_int(n, "transA", 0) != 0 || attr_float(n, "alpha", 1) != 1.0f) continue;
                if (n.inputs.size() > 2 && n.inputs[2] != no_value) {
                    if (attr_float(n, "beta", 1) != 1.0f || !is_bias(detail::constant_input(g, n, 2), w->extent(transposed ? 0 : 1))) continue;
                    product.inputs.push_back(n.inputs[2]);
                }
            }
            replace({.reason = ocelli::detail::concat(n.op, " '", n.name, "' runs on a kernel")}, std::move(product), n);
        } else if (n.op == "Add") {
            for (std::size_t side = 0; side < 2; ++side) {
                const node* product = detail_lower::plain_sums(g, n.inputs[side]);
                if (product == nullptr || !detail_lower::is_fused_product(*product) || product->inputs.size() > 2 || !detail::used_once(g, uses, n.inputs[side]))
                    continue;
                const tensor* bias = detail::constant_input(g, n, 1 - side);
                const tensor* w = detail::constant_input(g, *product, 1);
                const symbolic_shape& shape = g.at(n.inputs[side]).what.shape;
                if (!is_bias(bias, w->extent(attr_int(*product, "transB", 0) != 0 ? 0 : 1)) || !shape.ranked() || bias->rank() > shape.rank()) continue;
                node with_bias = *product;
                with_bias.inputs.push_back(n.inputs[1 - side]);
                replace({.reason = ocelli::detail::concat("Add '", n.name, "' is the bias of MatMul '", product->name, "'")}, std::move(with_bias), n);
                break;
            }
        }
    }
    return found;
}

namespace detail_lower {

/// An ocelli.ScatterRows into the result of another, or into what ConstantOfShape fills, takes that along.
inline std::optional<patch> merged_scatter(const graph& g, const node& n, const std::vector<std::int32_t>& uses) {
    if (has_attribute(n, "value") || !detail::used_once(g, uses, n.inputs[0]) || g.at(n.inputs[0]).producer == no_node) return std::nullopt;
    const node& data = g.node_at(g.at(n.inputs[0]).producer);
    const bool scatter = data.op == "ScatterRows" && data.domain == "ocelli", fill = data.op == "ConstantOfShape" && data.domain.empty();
    if (!scatter && !fill) return std::nullopt;
    patch p{.reason = ocelli::detail::concat("ScatterRows '", n.name, fill ? "' fills what no row is written to" : "' writes the rows before it, too")};
    const value_id out = p.add_value(g, g.at(n.outputs[0]).name, g.at(n.outputs[0]).what);
    node all = n;
    all.attributes = data.attributes;
    if (fill && !has_attribute(data, "value")) all.attributes.push_back({"value", tensor::scalar(0.0f)});
    all.inputs = data.inputs;
    all.inputs.insert(all.inputs.end(), n.inputs.begin() + 1, n.inputs.end());
    all.outputs = {out};
    p.nodes.push_back(std::move(all));
    p.replace.push_back({n.outputs[0], out});
    return p;
}

}  // namespace detail_lower

OCELLI_INLINE std::vector<patch> lower_row_scatters(const graph& g) {
    std::vector<patch> found;
    const auto uses = g.use_counts();
    bool merged = false;
    for (const node& n : g.nodes) {
        if (n.op == "ScatterRows" && n.domain == "ocelli") {
            // One of a chain at a time: they touch each other.
            if (std::optional<patch> p = merged ? std::nullopt : detail_lower::merged_scatter(g, n, uses)) {
                found.push_back(*std::move(p));
                merged = true;
            }
            continue;
        }
        if (n.op != "ScatterElements" || !n.domain.empty() || n.inputs.size() != 3 || n.inputs[1] == no_value) continue;
        if (attr_int(n, "axis", 0) != 0 || attr_string(n, "reduction", "none") != "none" || g.at(n.inputs[1]).producer == no_node) continue;
        const node& expand = g.node_at(g.at(n.inputs[1]).producer);
        if (expand.op != "Expand" || !expand.domain.empty()) continue;
        const symbolic_shape& rows = g.at(expand.inputs[0]).what.shape;
        bool one_each = rows.ranked() && rows.rank() >= 2;
        for (std::size_t i = 1; one_each && i < rows.rank(); ++i) one_each = rows[i].known() && rows[i].size == 1;
        const bool only_one = rows.ranked() && rows.elements() == 1;  // PyTorch's select_scatter
        if (!one_each && !only_one) continue;
        patch p{.reason = ocelli::detail::concat("ScatterElements '", n.name, "' writes whole rows")};
        const value_id out = p.add_value(g, g.at(n.outputs[0]).name, g.at(n.outputs[0]).what);
        p.nodes.push_back({.name = n.name, .op = "ScatterRows", .domain = "ocelli", .opset = 1,
                           .inputs = {n.inputs[0], expand.inputs[0], n.inputs[2], expand.inputs[1]}, .outputs = {out}, .source = n.source});
        p.replace.push_back({n.outputs[0], out});
        found.push_back(std::move(p));
    }
    return found;
}

namespace detail_lower {

/// Whether a node gives its input another shape and nothing else, from and to known extents.
inline bool only_shapes(const graph& g, const node& n) {
    if (!n.domain.empty() || n.inputs.empty() || n.inputs[0] == no_value || n.outputs.size() != 1 || n.outputs[0] == no_value) return false;
    const auto from = g.at(n.inputs[0]).what.shape.concrete(), to = g.at(n.outputs[0]).what.shape.concrete();
    if (!from || !to || g.at(n.inputs[0]).what.constant.defined()) return false;
    if (n.op == "Reshape" || n.op == "Squeeze" || n.op == "Unsqueeze" || n.op == "Flatten") return true;
    if (n.op != "Transpose") return false;
    std::int64_t last = -1;
    for (const std::int64_t axis : attr_ints(n, "perm", {})) {
        if ((*from)[static_cast<std::size_t>(axis)] == 1) continue;
        if (axis < last) return false;
        last = axis;
    }
    return has_attribute(n, "perm");
}

/// `v` under another shape, by a new node if it has not that shape.
inline value_id with_shape(const graph& g, patch& p, value_id v, const dims& shape, const node& like) {
    const fact& what = g.at(v).what;
    if (what.shape.concrete() == shape) return v;
    const value_id out = p.add_value(g, g.at(v).name, {what.type, symbolic_shape(shape), {}});
    const value_id to = p.add_constant(g, "shape", tensor::from<std::int64_t>({static_cast<std::int64_t>(shape.size())}, shape));
    p.nodes.push_back({.name = like.name, .op = "Reshape", .opset = 13, .inputs = {v, to}, .outputs = {out}, .source = like.source});
    return out;
}

}  // namespace detail_lower

OCELLI_INLINE std::vector<patch> product_shapes(const graph& g) {
    std::vector<patch> found;
    const auto uses = g.use_counts();
    std::vector<bool> touched(g.nodes.size(), false);
    const auto touch = [&](value_id made, bool set) {
        const auto place = static_cast<std::size_t>(g.at(made).producer);
        const bool before = touched[place];
        touched[place] = before || set;
        return before;
    };
    for (const node& n : g.nodes) {
        // A product under another shape.
        if (detail_lower::only_shapes(g, n)) {
            const node* product = detail_lower::plain_sums(g, n.inputs[0]);
            if (product == nullptr || !detail_lower::is_fused_product(*product) || product->inputs.size() > 3 || !detail::used_once(g, uses, n.inputs[0])) continue;
            const auto from = g.at(n.inputs[0]).what.shape.concrete(), to = g.at(n.outputs[0]).what.shape.concrete(), rows = g.at(product->inputs[0]).what.shape.concrete();
            if (!rows || rows->empty() || to->empty() || to->back() != from->back() || touch(n.outputs[0], false) || touch(n.inputs[0], true)) continue;
            touch(n.outputs[0], true);
            dims shape = *to;
            shape.back() = rows->back();
            patch p{.reason = ocelli::detail::concat(n.op, " '", n.name, "' goes before MatMul '", product->name, "'")};
            node moved = *product;
            moved.inputs[0] = detail_lower::with_shape(g, p, product->inputs[0], shape, n);
            moved.outputs = {p.add_value(g, g.at(n.outputs[0]).name, g.at(n.outputs[0]).what)};
            p.replace.push_back({n.outputs[0], moved.outputs[0]});
            p.nodes.push_back(std::move(moved));
            found.push_back(std::move(p));
            continue;
        }
        // What stands before a product: nothing but one Reshape.
        if (!detail_lower::is_fused_product(n) || g.at(n.inputs[0]).producer == no_node) continue;
        const node& last = g.node_at(g.at(n.inputs[0]).producer);
        if (!detail_lower::only_shapes(g, last)) continue;
        const node* first = &last;
        bool taken = touch(n.outputs[0], false) || touch(last.outputs[0], false);
        while (g.at(first->inputs[0]).producer != no_node && detail_lower::only_shapes(g, g.node_at(g.at(first->inputs[0]).producer))) {
            first = &g.node_at(g.at(first->inputs[0]).producer);
            taken = taken || touch(first->outputs[0], false);
        }
        const auto shape = g.at(n.inputs[0]).what.shape.concrete();
        if (taken) continue;
        if (first == &last && last.op == "Reshape" && g.at(last.inputs[0]).what.shape.concrete() != shape) continue;
        patch p{.reason = ocelli::detail::concat(last.op, " '", last.name, "' before MatMul '", n.name, "' is Reshape")};
        p.replace.push_back({last.outputs[0], detail_lower::with_shape(g, p, first->inputs[0], *shape, last)});
        if (std::find(g.outputs.begin(), g.outputs.end(), last.outputs[0]) != g.outputs.end()) continue;
        touch(n.outputs[0], true);
        for (const node* at = &last;; at = &g.node_at(g.at(at->inputs[0]).producer)) {
            touch(at->outputs[0], true);
            if (at == first) break;
        }
        found.push_back(std::move(p));
    }
    return found;
}

OCELLI_INLINE std::vector<patch> residual_fusion(const graph& g) {
    std::vector<patch> found;
    const auto uses = g.use_counts();
    std::vector<bool> touched(g.nodes.size(), false);
    for (const node& n : g.nodes) {
        if (n.op != "Add" || !n.domain.empty() || n.inputs.size() != 2) continue;
        for (std::size_t side = 0; side < 2; ++side) {
            // The later of two convolutions takes the addend: the other one is then computed before it.
            const value_id from = n.inputs[side], other = n.inputs[1 - side];
            const node* conv = detail_lower::plain_sums(g, from);
            if (conv == nullptr || !detail::used_once(g, uses, from) || from == other) continue;
            const node_id place = g.at(from).producer;
            if (touched[static_cast<std::size_t>(place)] || g.at(other).producer > place) continue;
            if (conv->inputs.size() > 3 && conv->inputs[3] != no_value) continue;
            // Equal as far as it is known at load, extent by extent.
            const symbolic_shape &a = g.at(from).what.shape, &b = g.at(other).what.shape;
            bool same = a.ranked() && b.ranked() && a.rank() == b.rank() && g.at(other).what.type == dtype::float32;
            for (std::size_t i = 0; same && i < a.rank(); ++i) same = a[i] == b[i];
            if (!same) continue;
            // A constant is more likely a bias.
            if (detail_lower::is_fused_product(*conv) && g.at(other).what.constant.defined()) continue;
            patch p{.reason = ocelli::detail::concat("Add '", n.name, "' fused into ", conv->op, " '", conv->name, "'")};
            node fused = *conv;
            fused.inputs.resize(4, no_value);
            fused.inputs[3] = other;
            fused.outputs = {p.add_value(g, g.at(n.outputs[0]).name, g.at(n.outputs[0]).what)};
            p.replace.push_back({n.outputs[0], fused.outputs[0]});
            p.nodes.push_back(std::move(fused));
            touched[static_cast<std::size_t>(place)] = true;
            found.push_back(std::move(p));
            break;
        }
    }
    return found;
}

OCELLI_INLINE std::vector<patch> activation_fusion(const graph& g) {
    std::vector<patch> found;
    const auto uses = g.use_counts();
    for (const node& n : g.nodes) {
        if (!n.domain.empty() || n.inputs.empty() || n.outputs.size() != 1 || n.outputs[0] == no_value) continue;
        value_id from = n.inputs[0];
        activation function = activation::none;
        float alpha = 0, beta = 0;
        value_id slope = no_value;
        bool twice = false;
        if (n.op == "Relu") function = activation::relu;
        else if (n.op == "Sigmoid") function = activation::sigmoid;
        else if (n.op == "HardSwish") function = activation::hard_swish;
        else if (n.op == "Gelu" && attr_string(n, "approximate", "none") == "none") function = activation::gelu;
        else if (n.op == "LeakyRelu") {
            function = activation::leaky_relu;
            alpha = attr_float(n, "alpha", 0.01f);
        } else if (n.op == "HardSigmoid") {
            function = activation::hard_sigmoid;
            alpha = attr_float(n, "alpha", 0.2f);
            beta = attr_float(n, "beta", 0.5f);
        } else if (n.op == "Clip") {
            function = activation::clip;
            alpha = attr_float(n, "min", -3.402823466e38f);
            beta = attr_float(n, "max", 3.402823466e38f);
            bool constant = true;
            for (std::size_t i = 1; i < n.inputs.size(); ++i) {
                if (n.inputs[i] == no_value) continue;
                const tensor* bound = detail::constant_input(g, n, i);
                constant = constant && bound != nullptr && bound->type() == dtype::float32 && bound->size() == 1;
                if (constant) (i == 1 ? alpha : beta) = bound->data<float>()[0];
            }
            if (!constant) continue;
        } else if (n.op == "PRelu" && n.inputs.size() == 2) {
            const tensor* s = detail::constant_input(g, n, 1);
            const symbolic_shape& shape = g.at(from).what.shape;
            if (s == nullptr || s->type() != dtype::float32 || !shape.ranked() || shape.rank() < 3 || !shape[1].known()) continue;
            // One slope per channel: shape (C, 1, 1), or a single one.
            const std::int64_t channels = shape[1].size;
            const std::size_t spatial = shape.rank() - 2;
            bool per_channel = s->size() == channels && s->rank() >= spatial + 1 && s->extent(s->rank() - spatial - 1) == channels;
            if (s->size() == 1) {
                function = activation::leaky_relu;
                alpha = s->data<float>()[0];
            } else if (per_channel) {
                function = activation::prelu;
                slope = n.inputs[1];
            } else continue;
        } else if (n.op == "Mul" && n.inputs.size() == 2) {
            // x * Sigmoid(x), x * HardSigmoid(x) with a sixth and a half
            for (std::size_t side = 0; side < 2 && function == activation::none; ++side) {
                const value_id gate = n.inputs[side], x = n.inputs[1 - side];
                if (gate == no_value || x == no_value || g.at(gate).producer == no_node || !detail::used_once(g, uses, gate)) continue;
                const node& s = g.node_at(g.at(gate).producer);
                const bool hard = s.op == "HardSigmoid" && std::abs(attr_float(s, "alpha", 0.2f) - 1.0f / 6) < 1e-6f && attr_float(s, "beta", 0.5f) == 0.5f;
                if ((s.op == "Sigmoid" || hard) && s.domain.empty() && s.inputs[0] == x) {
                    function = hard ? activation::hard_swish : activation::silu;
                    from = x;
                    twice = true;
                }
            }
        }
        if (function == activation::none) continue;
        const node* conv = detail_lower::plain_sums(g, from);
        if (conv == nullptr || (slope != no_value && !detail_lower::is_fused_conv(*conv))) continue;
        const bool only_use = twice ? uses[static_cast<std::size_t>(from)] == 2 : detail::used_once(g, uses, from);
        bool is_output = false;
        for (const value_id out : g.outputs) is_output = is_output || out == from;
        if (!only_use || is_output) continue;
        patch p{.reason = ocelli::detail::concat(n.op, " '", n.name, "' fused into ", conv->op, " '", conv->name, "'")};
        node fused = *conv;
        set_attribute(fused, "activation", std::string(name(function)));
        set_attribute(fused, "alpha", alpha);
        set_attribute(fused, "beta", beta);
        if (slope != no_value) {
            fused.inputs.resize(5, no_value);
            fused.inputs[4] = slope;
        }
        fused.outputs = {p.add_value(g, g.at(n.outputs[0]).name, g.at(n.outputs[0]).what)};
        p.replace.push_back({n.outputs[0], fused.outputs[0]});
        p.nodes.push_back(std::move(fused));
        found.push_back(std::move(p));
    }
    return found;
}

OCELLI_INLINE std::vector<patch> choose_kernels(const graph& g) {
    std::vector<patch> found;
    for (const node& n : g.nodes) {
        if (!detail_lower::is_fused_conv(n) || has_attribute(n, "kernel")) continue;
        const tensor* w = detail::constant_input(g, n, 1);
        // Planes have kernels for one and two spatial axes; the reference runs the others.
        if (w == nullptr || w->rank() > 4) continue;
        const std::int64_t group = attr_int(n, "group", 1);
        std::int64_t taps = 1;
        for (std::size_t i = 2; i < w->rank(); ++i) taps *= w->extent(i);
        bool unit = true;
        for (const std::int64_t s : attr_ints(n, "strides", {})) unit = unit && s == 1;
        for (const std::int64_t p : attr_ints(n, "pads", {})) unit = unit && p == 0;
        const bool depthwise = group > 1 && w->extent(1) == 1 && w->extent(0) == group;
        const std::string kernel = n.op == "ConvTranspose" ? "conv_transpose" : depthwise ? "conv_depthwise" : taps == 1 && unit ? "conv_pointwise" : "conv_gemm";
        // Its kernel on planes has neither addend nor slopes.
        if (n.op == "ConvTranspose" && n.inputs.size() > 3) continue;
        patch p{.reason = ocelli::detail::concat(n.op, " '", n.name, "' runs on ", kernel)};
        node chosen = n;
        set_attribute(chosen, "kernel", kernel);
        chosen.outputs = {p.add_value(g, g.at(n.outputs[0]).name, g.at(n.outputs[0]).what)};
        p.replace.push_back({n.outputs[0], chosen.outputs[0]});
        p.nodes.push_back(std::move(chosen));
        found.push_back(std::move(p));
    }
    return found;
}

}  // namespace ocelli::nn::passes
