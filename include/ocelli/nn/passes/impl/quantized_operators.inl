#pragma once

#include <ocelli/nn/passes/detail/byte_layers.hpp>
#include <ocelli/nn/passes/quantized_operators.hpp>

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace ocelli::nn::passes {

namespace detail_quantized {

/// An operand of an operator on bytes, whose scale and zero point are inputs.
inline std::optional<byte_value> byte_input(const graph& g, const node& n, std::size_t at, std::size_t scale_at, std::size_t zero_at) {
    if (nn::detail::left_out(n, at)) return std::nullopt;
    const auto scale = nn::detail::byte_scale_at(g, n, scale_at, zero_at);
    if (!scale || g.at(n.inputs[at]).what.type != type_of(*scale)) return std::nullopt;
    return byte_value{n.inputs[at], *scale};
}

/// QGemm: inputs a, scale, zero point, b, scale, zero point, addend, and the result's.
inline std::optional<patch> gemm_patch(const graph& g, const node& n, const std::optional<byte_value>& a) {
    const tensor *const w = nn::detail::constant_input(g, n, 3), *const w_scale = nn::detail::constant_input(g, n, 4), *const w_zero = nn::detail::constant_input(g, n, 5),
                 *const bias = nn::detail::constant_input(g, n, 6);
    const bool transposed = attr_int(n, "transB", 0) != 0;
    if (!a || w == nullptr || !nn::detail::is_byte(w->type()) || w->rank() != 2 || w_scale == nullptr || w_scale->type() != dtype::float32) return std::nullopt;
    if (attr_int(n, "transA", 0) != 0 || (!nn::detail::left_out(n, 5) && w_zero == nullptr) || (!nn::detail::left_out(n, 6) && bias == nullptr)) return std::nullopt;
    const std::int64_t columns = w->extent(transposed ? 0 : 1);
    if ((bias != nullptr && bias->size() != columns) || (w_scale->size() != 1 && w_scale->size() != columns)) return std::nullopt;
    if (w_zero != nullptr && (!nn::detail::is_byte(w_zero->type()) || (w_zero->size() != 1 && w_zero->size() != columns))) return std::nullopt;
    if (bias != nullptr && bias->type() != dtype::int32) return std::nullopt;
    result y{n.outputs[0], std::nullopt};
    if (!nn::detail::left_out(n, 7)) {
        y.scale = nn::detail::byte_scale_at(g, n, 7, 8);
        if (!y.scale) return std::nullopt;
        y.bound(-unbounded, unbounded);
    }
    layer l;
    l.w = *w;
    if (w_zero != nullptr) l.w_zero = *w_zero;
    if (bias != nullptr) l.bias = *bias;
    const auto scales = sum_scales(attr_float(n, "alpha", 1) * a->scale.scale, *w_scale, columns, y.step());
    if (!scales) return std::nullopt;
    l.scale = *scales;
    writer out(g, n.name, ocelli::detail::concat("QGemm '", n.name, "' as a layer of bytes"));
    node made{.op = "QMatMul", .domain = "ocelli", .opset = 1, .attributes = {{"x_zero", static_cast<std::int64_t>(a->scale.zero)}, {"transB", std::int64_t{transposed}}}};
    y.describe(made);
    add_inputs(out, made, a->id, l);
    out.stands_for(y.id, out.add(std::move(made), y.type()));
    return out.made;
}

/// Operators of com.microsoft, and MaxPool of bytes.
inline std::optional<patch> operator_patch(const graph& g, const node& n) {
    const bool pool = n.domain.empty() && n.op == "MaxPool" && n.outputs.size() == 1 && n.inputs[0] != no_value && nn::detail::is_byte(g.at(n.inputs[0]).what.type);
    result y{n.outputs[0], std::nullopt};
    if (pool) {
        const byte_scale same{1, 0, g.at(n.inputs[0]).what.type == dtype::int8};
        y.scale = same;
        y.bound(-unbounded, unbounded);
        return pool_patch(g, n, true, byte_value{n.inputs[0], same}, y);
    }
    if (n.domain != "com.microsoft") return std::nullopt;
    const auto x = byte_input(g, n, 0, 1, 2);
    if (n.op == "QGemm") return gemm_patch(g, n, x);
    const bool pair = n.op == "QLinearAdd" || n.op == "QLinearMul", joins = n.op == "QLinearConcat", mean = n.op == "QLinearGlobalAveragePool";
    const std::size_t scale_at = pair ? 6 : joins ? 0 : 3;
    y.scale = nn::detail::byte_scale_at(g, n, scale_at, scale_at + 1);
    if (!y.scale) return std::nullopt;
    y.bound(-unbounded, unbounded);
    if (pair) return pair_patch(g, n, n.op == "QLinearAdd", x, byte_input(g, n, 3, 4, 5), y);
    if (mean && attr_int(n, "channels_last", 0) == 0) return pool_patch(g, n, false, x, y);
    if (x && (n.op == "QLinearSigmoid" || n.op == "QLinearLeakyRelu")) {
        byte_function f{*x, {}, false};
        for (std::size_t i = 0; i < 256; ++i) {
            const float v = number_of(i, x->scale);
            f.results[i] = n.op == "QLinearSigmoid" ? 1 / (1 + std::exp(-v)) : v < 0 ? v * attr_float(n, "alpha", 0.01f) : v;
        }
        return table_patch(g, n.name, f, y);
    }
    if (joins) {
        std::vector<std::optional<byte_value>> parts;
        for (std::size_t i = 2; i < n.inputs.size(); i += 3) parts.push_back(byte_input(g, n, i, i + 1, i + 2));
        return move_patch(g, n, parts, y);
    }
    return std::nullopt;
}

}  // namespace detail_quantized

OCELLI_INLINE std::vector<patch> quantized_operators(const graph& g) {
    using namespace detail_quantized;
    std::vector<patch> found;
    for (const node& n : g.nodes)
        if (!n.inputs.empty() && !n.outputs.empty())
            if (auto p = operator_patch(g, n)) found.push_back(*std::move(p));
    for (const node& n : g.nodes) {
        const bool conv = n.op == "QLinearConv";
        if (!n.domain.empty() || (!conv && n.op != "QLinearMatMul") || n.inputs.size() < 8 || n.inputs[0] == no_value) continue;
        const tensor *const w = nn::detail::constant_input(g, n, 3), *const w_scale = nn::detail::constant_input(g, n, 4), *const w_zero = nn::detail::constant_input(g, n, 5),
                     *const bias = nn::detail::constant_input(g, n, 8);
        const auto x = nn::detail::byte_scale_at(g, n, 1, 2), y = nn::detail::byte_scale_at(g, n, 6, 7);
        if (w == nullptr || w_scale == nullptr || w_zero == nullptr || !x || !y || !nn::detail::is_byte(w->type()) || w->rank() != (conv ? 4u : 2u)) continue;
        if (w_scale->type() != dtype::float32 || !nn::detail::is_byte(w_zero->type()) || (bias != nullptr && bias->type() != dtype::int32) || g.at(n.inputs[0]).what.type != type_of(*x) || (!nn::detail::left_out(n, 8) && bias == nullptr)) continue;
        const std::int64_t filters = w->extent(conv ? 0 : 1);
        if ((w_scale->size() != 1 && w_scale->size() != filters) || (w_zero->size() != 1 && w_zero->size() != filters)) continue;
        layer l;
        l.w = *w;
        l.w_zero = *w_zero;
        if (bias != nullptr) l.bias = *bias;
        const auto scales = sum_scales(x->scale, *w_scale, filters, y->scale);
        if (!scales) continue;
        l.scale = *scales;
        result result_of{n.outputs[0], y};
        result_of.bound(-unbounded, unbounded);
        writer out(g, n.name, ocelli::detail::concat(n.op, " '", n.name, "' as a layer of bytes"));
        node made{.op = conv ? "QConv" : "QMatMul", .domain = "ocelli", .opset = 1, .attributes = {{"x_zero", static_cast<std::int64_t>(x->zero)}}};
        if (conv) take_windows(n, made);
        result_of.describe(made);
        add_inputs(out, made, conv ? out.last(n.inputs[0], type_of(*x)) : n.inputs[0], l);
        const value_id to = out.add(std::move(made), type_of(*y));
        out.stands_for(n.outputs[0], conv ? out.planes(to, type_of(*y)) : to);
        found.push_back(std::move(out.made));
    }
    return found;
}

}  // namespace ocelli::nn::passes
