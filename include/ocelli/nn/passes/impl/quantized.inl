#pragma once

#include <ocelli/nn/passes/detail/byte_layers.hpp>
#include <ocelli/nn/passes/quantized.hpp>
#include <ocelli/nn/passes/walker.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ocelli::nn::passes {

namespace detail_quantized {

/// What the pass asks of a graph.
class reader {
public:
    explicit reader(const graph& g) : g_(g), walk_(g) {}

    const graph& of() const noexcept { return g_; }
    const walker& walk() const noexcept { return walk_; }

    const node* producer(value_id v) const {
        if (v == no_value || g_.at(v).producer == no_node) return nullptr;
        const node& n = g_.node_at(g_.at(v).producer);
        return n.domain.empty() && n.outputs.size() == 1 && !n.inputs.empty() && n.inputs[0] != no_value ? &n : nullptr;
    }
    /// The bytes that a DequantizeLinear makes floats of.
    std::optional<byte_value> bytes(value_id v) const {
        const node* n = walk_.producer(v, "DequantizeLinear");
        if (n == nullptr || n->inputs[0] == no_value || g_.at(v).what.type != dtype::float32) return std::nullopt;
        const dtype type = g_.at(n->inputs[0]).what.type;
        auto scale = nn::detail::byte_scale_of(g_, *n);
        if (!scale || !nn::detail::is_byte(type)) return std::nullopt;
        if (!nn::detail::left_out(*n, 2) && scale->is_signed != (type == dtype::int8)) return std::nullopt;
        scale->is_signed = type == dtype::int8;
        return byte_value{n->inputs[0], *scale};
    }
    /// A constant that is dequantised: the integers, and their scales, one or one for each along `axis`.
    const node* constant_bytes(value_id v, std::size_t rank, std::size_t axis) const {
        const node* n = walk_.producer(v, "DequantizeLinear");
        if (n == nullptr || attr_int(*n, "block_size", 0) != 0) return nullptr;
        const tensor *const w = nn::detail::constant_input(g_, *n, 0), *const scale = nn::detail::constant_input(g_, *n, 1), *const zero = nn::detail::constant_input(g_, *n, 2);
        if (w == nullptr || scale == nullptr || scale->type() != dtype::float32 || scale->rank() > 1 || w->rank() != rank) return nullptr;
        if (!nn::detail::left_out(*n, 2) && (zero == nullptr || zero->size() != scale->size())) return nullptr;
        if (scale->size() == 1) return n;
        std::int64_t along = attr_int(*n, "axis", 1);
        if (along < 0) along += static_cast<std::int64_t>(rank);
        return along == static_cast<std::int64_t>(axis) && scale->size() == w->extent(axis) ? n : nullptr;
    }
    /// A constant of floats, dequantised or given.
    std::optional<std::vector<float>> constant_floats(value_id v) const {
        if (v == no_value) return std::nullopt;
        const tensor& t = g_.at(v).what.constant;
        if (t.defined()) {
            if (t.type() != dtype::float32) return std::nullopt;
            return std::vector<float>(t.data<float>(), t.data<float>() + t.size());
        }
        const node* n = walk_.producer(v, "DequantizeLinear");
        if (n == nullptr) return std::nullopt;
        const tensor* const q = nn::detail::constant_input(g_, *n, 0);
        if (q == nullptr || q->rank() != 1 || constant_bytes(v, 1, 0) == nullptr) return std::nullopt;
        const tensor *const scale = nn::detail::constant_input(g_, *n, 1), *const zero = nn::detail::constant_input(g_, *n, 2);
        const auto narrow = [](dtype type) { return nn::detail::is_byte(type) || type == dtype::int32; };
        if (!narrow(q->type()) || (zero != nullptr && !narrow(zero->type()))) return std::nullopt;
        const auto values = q->to_ints();
        const auto zeros = zero == nullptr ? std::vector<std::int64_t>(static_cast<std::size_t>(scale->size()), 0) : zero->to_ints();
        std::vector<float> out;
        for (std::size_t i = 0; i < values.size(); ++i) {
            const std::size_t k = scale->size() == 1 ? 0 : i;
            out.push_back(static_cast<float>(static_cast<double>(values[i] - zeros[k]) * static_cast<double>(scale->data<float>()[k])));
        }
        return out;
    }

    /// A value as a function of one byte: sums, products and functions of one element, of bytes that are dequantised, and quantised between.
    std::optional<byte_function> function(value_id v, int depth = 0) const {
        if (depth > 8) return std::nullopt;
        if (const auto q = bytes(v)) {
            // Where those bytes are a function of others in turn, of the others.
            if (const node* n = walk_.producer(q->id, "QuantizeLinear"); n != nullptr && n->inputs[0] != no_value)
                if (const auto scale = nn::detail::byte_scale_of(g_, *n); scale && scale->is_signed == q->scale.is_signed && is_function(n->inputs[0]))
                    if (auto f = function(n->inputs[0], depth + 1); f && !f->plain) {
                        const std::int64_t moved = scale->zero - q->scale.zero;
                        for (float& x : f->results) x = static_cast<float>(steps_of(x, *scale) + moved) * q->scale.scale;
                        return f;
                    }
            byte_function f{*q, {}, true};
            for (std::size_t i = 0; i < 256; ++i) f.results[i] = number_of(i, q->scale);
            return f;
        }
        const node* n = producer(v);
        if (n == nullptr || g_.at(v).what.type != dtype::float32 || !is_function(v)) return std::nullopt;
        std::vector<tensor> in;
        std::optional<byte_function> f;
        for (std::size_t i = 0; i < n->inputs.size(); ++i) {
            const value_id x = n->inputs[i];
            in.emplace_back();
            if (x == no_value) continue;
            if (const tensor* t = nn::detail::constant_input(g_, *n, i)) {
                if (t->size() != 1 || t->rank() > 1 || t->type() != dtype::float32) return std::nullopt;
                in.back() = *t;
                continue;
            }
            auto one = function(x, depth + 1);
            if (!one || (f && !(one->of == f->of))) return std::nullopt;
            in.back() = tensor(dtype::float32, {256});
            std::copy(one->results.begin(), one->results.end(), in.back().mutable_data<float>());
            f = std::move(one);
        }
        if (!f) return std::nullopt;
        std::vector<tensor> out(1);
        eval_context context(*n, in, out);
        n->def->eval(context);
        if (out[0].type() != dtype::float32 || out[0].size() != 256) return std::nullopt;
        std::copy_n(out[0].data<float>(), 256, f->results.begin());
        f->plain = false;
        return f;
    }

private:
    bool is_function(value_id v) const {
        static constexpr std::string_view names[] = {"Relu", "Clip",     "LeakyRelu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Elu", "Selu", "Celu",  "Gelu", "Softplus",
                                                     "Mish", "Softsign", "Swish",     "Exp",     "Sqrt",        "Abs",       "Neg",  "Erf", "Add",  "Mul",   "Sub",  "Div"};
        const node* n = producer(v);
        return n != nullptr && n->def != nullptr && n->def->eval != nullptr && std::find(std::begin(names), std::end(names), n->op) != std::end(names);
    }

    const graph& g_;
    walker walk_;
};

/// The layer of a byte image times dequantised weights, `filters` along `axis` of them.
inline std::optional<layer> read_layer(const reader& r, const byte_scale& x, const node& weights, std::size_t axis, value_id bias, float step) {
    const graph& g = r.of();
    layer l;
    l.w = *nn::detail::constant_input(g, weights, 0);
    if (!nn::detail::is_byte(l.w.type())) return std::nullopt;
    const tensor *const scale = nn::detail::constant_input(g, weights, 1), *const zero = nn::detail::constant_input(g, weights, 2);
    if (zero != nullptr) {
        if (!nn::detail::is_byte(zero->type())) return std::nullopt;
        bool any = false;
        for (const std::int64_t z : zero->to_ints()) any = any || z != 0;
        if (any) l.w_zero = *zero;
    }
    const std::int64_t filters = l.w.extent(axis);
    std::vector<double> unit;
    for (std::int64_t i = 0; i < filters; ++i) {
        unit.push_back(static_cast<double>(x.scale) * static_cast<double>(scale->data<float>()[scale->size() == 1 ? 0 : i]));
        if (!(unit.back() > 0)) return std::nullopt;
    }
    const auto scales = sum_scales(x.scale, *scale, filters, step);
    if (!scales) return std::nullopt;
    l.scale = *scales;
    if (bias == no_value) return l;
    const auto b = r.constant_floats(bias);
    if (!b || static_cast<std::int64_t>(b->size()) != filters) return std::nullopt;
    l.bias = tensor(dtype::int32, {filters});
    for (std::size_t i = 0; i < b->size(); ++i) {
        const double q = std::nearbyint(static_cast<double>((*b)[i]) / unit[i]);
        if (!(std::abs(q) < 1e9)) return std::nullopt;
        l.bias.mutable_data<std::int32_t>()[i] = static_cast<std::int32_t>(q);
    }
    return l;
}

inline std::optional<patch> conv_patch(const reader& r, const node& n, const result& y) {
    const auto x = r.bytes(n.inputs[0]);
    const node* const weights = n.inputs.size() > 1 ? r.constant_bytes(n.inputs[1], 4, 0) : nullptr;
    if (!x || weights == nullptr) return std::nullopt;
    const auto l = read_layer(r, x->scale, *weights, 0, n.inputs.size() > 2 ? n.inputs[2] : no_value, y.step());
    if (!l) return std::nullopt;
    writer w(r.of(), n.name, ocelli::detail::concat("Conv '", n.name, "' multiplies bytes"));
    node conv{.op = "QConv", .domain = "ocelli", .opset = 1, .attributes = {{"x_zero", static_cast<std::int64_t>(x->scale.zero)}}};
    take_windows(n, conv);
    y.describe(conv);
    add_inputs(w, conv, w.last(x->id, type_of(x->scale)), *l);
    w.stands_for(y.id, w.planes(w.add(std::move(conv), y.type()), y.type()));
    return w.made;
}

/// Gemm, and MatMul with or without the Add of a bias.
inline std::optional<patch> product_patch(const reader& r, const node& n, const result& y) {
    const node* product = &n;
    value_id bias = no_value;
    if (n.op == "Add") {
        for (std::size_t i = 0; i < 2; ++i)
            if (const node* m = r.walk().producer(n.inputs[i], "MatMul"); m != nullptr && r.walk().used(n.inputs[i], 1)) {
                product = m;
                bias = n.inputs[1 - i];
            }
        if (product == &n) return std::nullopt;
    }
    bool transposed = false;
    if (product->op == "Gemm") {
        if (attr_float(n, "alpha", 1) != 1 || attr_float(n, "beta", 1) != 1 || attr_int(n, "transA", 0) != 0) return std::nullopt;
        transposed = attr_int(n, "transB", 0) != 0;
        if (n.inputs.size() > 2) bias = n.inputs[2];
    }
    if (product->inputs.size() < 2) return std::nullopt;
    const auto x = r.bytes(product->inputs[0]);
    const std::size_t axis = transposed ? 0 : 1;
    const node* const weights = r.constant_bytes(product->inputs[1], 2, axis);
    if (!x || weights == nullptr) return std::nullopt;
    const auto l = read_layer(r, x->scale, *weights, axis, bias, y.step());
    if (!l) return std::nullopt;
    writer w(r.of(), n.name, ocelli::detail::concat(product->op, " '", product->name, "' multiplies bytes"));
    node m{.op = "QMatMul", .domain = "ocelli", .opset = 1, .attributes = {{"x_zero", static_cast<std::int64_t>(x->scale.zero)}, {"transB", std::int64_t{transposed}}}};
    y.describe(m);
    add_inputs(w, m, x->id, *l);
    w.stands_for(y.id, w.add(std::move(m), y.type()));
    return w.made;
}

/// A Relu's or Clip's bounds.
inline std::optional<std::pair<float, float>> bounds_of(const graph& g, const node& n) {
    if (n.op == "Relu") return std::pair{0.0f, unbounded};
    if (n.op != "Clip") return std::nullopt;
    std::pair<float, float> out{-unbounded, unbounded};
    const bool attributes = n.opset != 0 && n.opset < 11;
    if (attributes) out = {attr_float(n, "min", -unbounded), attr_float(n, "max", unbounded)};
    for (std::size_t i = 1; !attributes && i < 3; ++i) {
        if (nn::detail::left_out(n, i)) continue;
        const tensor* const t = nn::detail::constant_input(g, n, i);
        if (t == nullptr || t->type() != dtype::float32 || t->size() != 1) return std::nullopt;
        (i == 1 ? out.first : out.second) = *t->data<float>();
    }
    if (!(out.first <= out.second)) return std::nullopt;
    return out;
}

/// The layer whose result is a value.
inline std::optional<patch> layer_patch(const reader& r, const node& n, const result& y) {
    if (n.op == "Conv") return conv_patch(r, n, y);
    if (n.op == "Gemm" || n.op == "MatMul") return product_patch(r, n, y);
    if (n.op == "Add")
        if (auto p = product_patch(r, n, y)) return p;
    return std::nullopt;
}

}  // namespace detail_quantized

OCELLI_INLINE std::vector<patch> quantized_layers(const graph& g) {
    using namespace detail_quantized;
    bool any = false;
    for (const node& n : g.nodes) any = any || (n.op == "DequantizeLinear" && n.domain.empty());
    if (!any) return {};
    const reader r(g);
    std::vector<patch> found;
    for (const node& q : g.nodes) {
        if (!q.domain.empty() || q.op != "QuantizeLinear" || q.inputs[0] == no_value || q.outputs.size() != 1 || g.at(q.inputs[0]).what.type != dtype::float32) continue;
        const auto scale = nn::detail::byte_scale_of(g, q);
        if (!scale) continue;
        result y{q.outputs[0], scale};
        value_id v = q.inputs[0];
        y.bound(-unbounded, unbounded);
        if (auto table = table_patch(g, q.name, r.function(v), y)) {
            found.push_back(*std::move(table));
            continue;
        }
        // From the last bounds to the first.
        std::pair<float, float> bounds{-unbounded, unbounded};
        const node* n = r.producer(v);
        while (n != nullptr && detail::used_once(g, r.walk().uses(), v)) {
            const auto more = bounds_of(g, *n);
            if (!more) break;
            bounds = {std::clamp(more->first, bounds.first, bounds.second), std::clamp(more->second, bounds.first, bounds.second)};
            v = n->inputs[0];
            n = r.producer(v);
        }
        if (n == nullptr || !detail::used_once(g, r.walk().uses(), v)) continue;
        y.bound(bounds.first, bounds.second);
        auto p = layer_patch(r, *n, y);
        if (!p && (n->op == "Add" || n->op == "Mul") && n->inputs.size() == 2) p = pair_patch(g, *n, n->op == "Add", r.bytes(n->inputs[0]), r.bytes(n->inputs[1]), y);
        if (n->op == "MaxPool" || n->op == "GlobalAveragePool") p = pool_patch(g, *n, n->op == "MaxPool", r.bytes(n->inputs[0]), y);
        if (n->op == "Flatten" || n->op == "Reshape" || n->op == "Squeeze" || n->op == "Unsqueeze") p = move_patch(g, *n, {r.bytes(n->inputs[0])}, y);
        if (n->op == "Concat") {
            std::vector<std::optional<byte_value>> parts;
            for (const value_id x : n->inputs) parts.push_back(r.bytes(x));
            p = move_patch(g, *n, parts, y);
        }
        if (p) found.push_back(*std::move(p));
    }
    if (!found.empty()) return found;
    // Layers whose results stay floats.
    for (const node& n : g.nodes) {
        if (!n.domain.empty() || n.outputs.size() != 1 || n.inputs.empty() || n.inputs[0] == no_value) continue;
        if (n.op == "MatMul" && r.walk().user(n.outputs[0], "Add") != nullptr)
            if (layer_patch(r, *r.walk().user(n.outputs[0], "Add"), {r.walk().user(n.outputs[0], "Add")->outputs[0], std::nullopt})) continue;
        if (auto p = layer_patch(r, n, {n.outputs[0], std::nullopt})) found.push_back(*std::move(p));
    }
    return found;
}

OCELLI_INLINE std::vector<patch> quantized_layouts(const graph& g) {
    std::vector<patch> found;
    for (const node& back : g.nodes) {
        if (!back.domain.empty() || back.op != "Transpose" || back.outputs.size() != 1) continue;
        const node* const there = made_by(g, back.inputs[0], "Transpose");
        if (there == nullptr || there->inputs[0] == no_value || !nn::detail::is_byte(g.at(back.outputs[0]).what.type)) continue;
        const dims first = attr_ints(*there, "perm", {}), second = attr_ints(back, "perm", {});
        bool same = !first.empty() && first.size() == second.size();
        for (std::size_t i = 0; same && i < first.size(); ++i) {
            const std::int64_t at = second[i];
            same = at >= 0 && at < static_cast<std::int64_t>(first.size()) && first[static_cast<std::size_t>(at)] == static_cast<std::int64_t>(i);
        }
        if (!same || std::find(g.outputs.begin(), g.outputs.end(), back.outputs[0]) != g.outputs.end()) continue;
        found.push_back({.reason = ocelli::detail::concat("Transpose '", there->name, "' and '", back.name, "' are each other's inverse"),
                         .replace = {{back.outputs[0], there->inputs[0]}}});
    }
    return found;
}

}  // namespace ocelli::nn::passes
