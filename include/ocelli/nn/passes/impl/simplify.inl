#pragma once

#include <ocelli/nn/ops/detail/batch_norm.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/passes/simplify.hpp>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace ocelli::nn::passes {

OCELLI_INLINE std::vector<patch> constant_folding(const graph& g) {
    std::vector<patch> found;
    for (const node& n : g.nodes) {
        if (n.def == nullptr || n.def->eval == nullptr || n.def->impure || has_subgraph(n)) continue;
        const auto is_constant = [&](value_id v) { return v == no_value || g.at(v).what.constant.defined(); };
        const bool facts_constant = !n.outputs.empty() && std::all_of(n.outputs.begin(), n.outputs.end(), is_constant);
        if (!facts_constant && !std::all_of(n.inputs.begin(), n.inputs.end(), is_constant)) continue;
        std::vector<tensor> in, out(n.outputs.size());
        std::int64_t in_size = 0;
        for (const value_id v : n.inputs) {
            in.push_back(v == no_value ? tensor() : g.at(v).what.constant);
            in_size += in.back().size();
        }
        const bool known = std::all_of(n.outputs.begin(), n.outputs.end(), [&](value_id v) {
            if (v == no_value) return true;
            // Large integers are tables of places, which end in smaller ones of numbers (BEiT's relative positions), and no kernel is for them.
            const auto size = g.at(v).what.shape.elements();
            const bool numbers = is_floating(g.at(v).what.type);
            return size && *size <= std::max<std::int64_t>(std::int64_t{1} << (numbers ? 18 : 22), 4 * in_size);
        });
        if (!facts_constant && !known) continue;
        if (!facts_constant) {
            eval_context context(n, in, out);
            n.def->eval(context);
        }
        patch p{.reason = ocelli::detail::concat(n.op, " '", n.name, "' is constant")};
        for (std::size_t i = 0; i < n.outputs.size(); ++i) {
            const value_id v = n.outputs[i];
            if (v == no_value) continue;
            const tensor& result = facts_constant ? g.at(v).what.constant : out[i];
            if (!result.defined()) continue;
            p.replace.push_back({v, p.add_constant(g, g.at(v).name, result)});
        }
        // An output that is constant keeps its node: there must be something to hand out.
        const bool is_output = std::any_of(g.outputs.begin(), g.outputs.end(), [&](value_id v) {
            return std::find(n.outputs.begin(), n.outputs.end(), v) != n.outputs.end();
        });
        if (!is_output) found.push_back(std::move(p));
    }
    return found;
}

namespace detail_simplify {

/// The other operand of an Add or Sub of 0 or a Mul or Div by 1 that is one number of no higher rank, or no_value.
inline value_id beside_neutral(const graph& g, const node& n) {
    const bool sum = n.op == "Add" || n.op == "Sub", product = n.op == "Mul" || n.op == "Div";
    if ((!sum && !product) || n.opset < 7 || n.inputs.size() != 2 || n.inputs[0] == no_value || n.inputs[1] == no_value) return no_value;
    for (const std::size_t i : {std::size_t{1}, std::size_t{0}}) {
        if (i == 0 && n.op != "Add" && n.op != "Mul") continue;
        const tensor* t = detail::constant_input(g, n, i);
        const fact& other = g.at(n.inputs[1 - i]).what;
        const bool fits = t != nullptr && t->size() == 1 && t->type() == other.type && (is_floating(t->type()) || is_integer(t->type())) && other.shape.ranked() && t->rank() <= other.shape.rank();
        if (fits && !other.constant.defined() && t->item() == (sum ? 0.0 : 1.0)) return n.inputs[1 - i];
    }
    return no_value;
}

}  // namespace detail_simplify

OCELLI_INLINE std::vector<patch> identity_elimination(const graph& g) {
    std::vector<patch> found;
    for (const node& n : g.nodes) {
        if (!n.domain.empty() || n.inputs.empty() || n.inputs[0] == no_value || n.outputs.empty() || n.outputs[0] == no_value) continue;
        if (n.outputs.size() > 1) continue;
        const value_id kept = detail_simplify::beside_neutral(g, n);
        const value_id source = kept != no_value ? kept : n.inputs[0];
        const fact& in = g.at(source).what;
        bool same = n.op == "Identity" || kept != no_value;
        if (n.op == "Dropout") {
            const tensor* training = detail::constant_input(g, n, 2);
            same = n.inputs.size() < 3 || n.inputs[2] == no_value || (training != nullptr && training->size() == 1 && training->item() == 0);
        } else if (n.op == "Cast") {
            same = in.type != dtype::undefined && attr_int(n, "to", 0) == static_cast<std::int64_t>(in.type);
        } else if (n.op == "Concat") {
            same = n.inputs.size() == 1;
        } else if (n.op == "Transpose") {
            const auto order = attr_ints(n, "perm", {});
            same = !order.empty();
            for (std::size_t i = 0; i < order.size(); ++i) same = same && order[i] == static_cast<std::int64_t>(i);
        } else if (n.op == "Reshape" || n.op == "Expand") {
            const auto from = in.shape.concrete(), to = g.at(n.outputs[0]).what.shape.concrete();
            same = from && to && *from == *to;
        }
        if (!same) continue;
        // Where an output is an input, a constant or a second name of another output, the node is what hands it out.
        const bool is_output = std::find(g.outputs.begin(), g.outputs.end(), n.outputs[0]) != g.outputs.end();
        if (is_output && (g.at(source).producer == no_node ||
                          std::find(g.outputs.begin(), g.outputs.end(), source) != g.outputs.end()))
            continue;
        found.push_back({.reason = ocelli::detail::concat(n.op, " '", n.name, "' changes nothing"), .replace = {{n.outputs[0], source}}});
    }
    return found;
}

namespace detail_simplify {

/// What a node computes, written so that equal ones compute the same: operator, attributes, and inputs by `same`, the value that stands for each. Empty
/// where it cannot be said.
inline std::string expression(const graph& g, const node& n, const std::vector<value_id>& same) {
    std::string key;
    const auto put = [&](const void* p, std::size_t bytes) {
        key.append(reinterpret_cast<const char*>(&bytes), sizeof(bytes));
        key.append(static_cast<const char*>(p), bytes);
    };
    const auto put_small = [&](const tensor& t) {
        const std::int32_t type = static_cast<std::int32_t>(t.type());
        put(&type, sizeof(type));
        put(t.shape().data(), t.rank() * sizeof(std::int64_t));
        put(t.raw(), t.bytes());
    };
    // Numbers, and tables of places, which exporters write for every layer anew.
    const auto small = [](const tensor& t) { return t.defined() && size_of(t.type()) != 0 && t.bytes() <= (is_floating(t.type()) ? 64 : 1 << 14); };
    put(n.op.data(), n.op.size());
    put(n.domain.data(), n.domain.size());
    put(&n.opset, sizeof(n.opset));
    for (const attribute& a : n.attributes) {
        put(a.name.data(), a.name.size());
        const std::size_t index = a.what.index();
        put(&index, sizeof(index));
        if (const auto* i = std::get_if<std::int64_t>(&a.what)) put(i, sizeof(*i));
        else if (const auto* f = std::get_if<float>(&a.what)) put(f, sizeof(*f));
        else if (const auto* s = std::get_if<std::string>(&a.what)) put(s->data(), s->size());
        else if (const auto* is = std::get_if<std::vector<std::int64_t>>(&a.what)) put(is->data(), is->size() * sizeof(std::int64_t));
        else if (const auto* fs = std::get_if<std::vector<float>>(&a.what)) put(fs->data(), fs->size() * sizeof(float));
        else if (const auto* t = std::get_if<tensor>(&a.what); t != nullptr && small(*t)) put_small(*t);
        else return {};
    }
    for (const value_id v : n.inputs) {
        const tensor* t = v == no_value ? nullptr : &g.at(v).what.constant;
        const bool listed = t != nullptr && small(*t) && std::find(g.inputs.begin(), g.inputs.end(), v) == g.inputs.end();
        const value_id id = listed ? -2 : v == no_value ? v : same[static_cast<std::size_t>(v)];
        put(&id, sizeof(id));
        if (listed) put_small(*t);
    }
    return key;
}

/// The one number of a Slice's starts, ends, axes or steps, an attribute before operator set 10 and input i since.
inline std::optional<std::int64_t> slice_number(const graph& g, const node& n, const char* name, std::size_t i) {
    if (n.opset < 10) {
        const dims list = attr_ints(n, name, {});
        return list.size() == 1 ? std::optional(list[0]) : std::nullopt;
    }
    const tensor* t = detail::constant_input(g, n, i);
    if (t == nullptr || t->size() != 1) return std::nullopt;
    if (t->type() == dtype::int64) return *t->data<std::int64_t>();
    return t->type() == dtype::int32 ? std::optional<std::int64_t>(*t->data<std::int32_t>()) : std::nullopt;
}

}  // namespace detail_simplify

OCELLI_INLINE std::vector<patch> common_subexpressions(const graph& g) {
    std::vector<patch> found;
    std::vector<value_id> same(g.values.size());
    for (std::size_t i = 0; i < same.size(); ++i) same[i] = static_cast<value_id>(i);
    std::unordered_map<std::string, const node*> known;
    for (const node& n : g.nodes) {
        if (n.def == nullptr || n.def->impure || has_subgraph(n) || n.inputs.empty()) continue;
        std::string key = detail_simplify::expression(g, n, same);
        if (key.empty()) continue;
        const auto [place, is_new] = known.try_emplace(std::move(key), &n);
        if (is_new) continue;
        const node& first = *place->second;
        // An output of the network keeps the node that hands it out.
        bool replaceable = n.outputs.size() <= first.outputs.size();
        for (std::size_t i = 0; replaceable && i < n.outputs.size(); ++i)
            replaceable = n.outputs[i] == no_value ||
                          (first.outputs[i] != no_value && std::find(g.outputs.begin(), g.outputs.end(), n.outputs[i]) == g.outputs.end());
        if (!replaceable) continue;
        patch p{.reason = ocelli::detail::concat(n.op, " '", n.name, "' is the same as '", first.name, "'")};
        for (std::size_t i = 0; i < n.outputs.size(); ++i) {
            if (n.outputs[i] == no_value) continue;
            const value_id kept = same[static_cast<std::size_t>(first.outputs[i])];
            same[static_cast<std::size_t>(n.outputs[i])] = kept;
            p.replace.push_back({n.outputs[i], kept});
        }
        found.push_back(std::move(p));
    }
    return found;
}

OCELLI_INLINE std::vector<patch> slice_of_concat(const graph& g) {
    using detail_simplify::slice_number;
    std::vector<patch> found;
    for (const node& n : g.nodes) {
        if (!n.domain.empty() || n.op != "Slice" || n.inputs[0] == no_value || g.at(n.inputs[0]).producer == no_node) continue;
        const node& concat = g.node_at(g.at(n.inputs[0]).producer);
        const symbolic_shape& shape = g.at(n.inputs[0]).what.shape;
        if (!concat.domain.empty() || concat.op != "Concat" || !shape.ranked()) continue;
        const auto rank = static_cast<std::int64_t>(shape.rank());
        const auto start = slice_number(g, n, "starts", 1), end = slice_number(g, n, "ends", 2), axis = slice_number(g, n, "axes", 3);
        const bool has_step = n.opset >= 10 && n.inputs.size() > 4 && n.inputs[4] != no_value;
        if (!start || !end || !axis || (has_step && slice_number(g, n, "steps", 4) != 1)) continue;
        const std::int64_t joined = attr_int(concat, "axis", 1), along = joined < 0 ? joined + rank : joined;
        if (along < 0 || along >= rank || (*axis < 0 ? *axis + rank : *axis) != along || !shape[static_cast<std::size_t>(along)].known()) continue;
        const std::int64_t extent = shape[static_cast<std::size_t>(along)].size;
        const auto place = [&](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? at + extent : at, 0, extent); };
        std::int64_t at = 0;
        value_id piece = no_value;
        for (const value_id v : concat.inputs) {
            const symbolic_shape& here = g.at(v).what.shape;
            if (!here.ranked() || here.rank() != shape.rank() || !here[static_cast<std::size_t>(along)].known()) break;
            const std::int64_t wide = here[static_cast<std::size_t>(along)].size;
            if (at == place(*start) && at + wide == place(*end) && wide > 0) piece = v;
            at += wide;
        }
        // As of an identity: an output that is an input or another output keeps the node that hands it out.
        const auto is_output = [&](value_id v) { return std::find(g.outputs.begin(), g.outputs.end(), v) != g.outputs.end(); };
        if (piece == no_value || (is_output(n.outputs[0]) && (g.at(piece).producer == no_node || is_output(piece)))) continue;
        found.push_back({.reason = ocelli::detail::concat("Slice '", n.name, "' is an input of Concat '", concat.name, "'"), .replace = {{n.outputs[0], piece}}});
    }
    return found;
}

namespace detail_simplify {

/// The input of an Add, Sub, Mul or Div whose other one is a constant of more than one number; no input, where it is none of these.
inline std::size_t beside_constant(const graph& g, const node& n) {
    const bool either = n.op == "Add" || n.op == "Mul";
    if ((!either && n.op != "Sub" && n.op != "Div") || n.opset < 7 || n.inputs.size() != 2) return n.inputs.size();
    for (std::size_t side = 0; side < (either ? 2 : 1); ++side) {
        const tensor* t = n.inputs[1 - side] == no_value ? nullptr : detail::constant_input(g, n, 1 - side);
        if (t != nullptr && t->type() == dtype::float32 && t->size() > 1) return side;
    }
    return n.inputs.size();
}

/// What such a node does to each channel of an image of this rank (batch norms that were frozen are written so); nothing where the constant is another than a number for each.
inline std::optional<std::vector<detail::channel_line>> channel_arithmetic(const node& n, const tensor& t, std::int64_t channels, std::size_t rank) {
    if (t.size() != channels || t.rank() > rank || t.rank() + 1 < rank || t.extent(t.rank() + 1 - rank) != channels) return std::nullopt;
    std::vector<detail::channel_line> out;
    for (std::int64_t c = 0; c < channels; ++c) {
        const auto x = static_cast<double>(t.data<float>()[c]);
        out.push_back({n.op == "Mul" ? x : n.op == "Div" ? 1 / x : 1.0, 0.0, n.op == "Add" ? x : n.op == "Sub" ? -x : 0.0});
    }
    return out;
}

}  // namespace detail_simplify

OCELLI_INLINE std::vector<patch> batch_norm_folding(const graph& g) {
    using namespace detail_simplify;
    std::vector<patch> found;
    const auto uses = g.use_counts();
    for (const node& bn : g.nodes) {
        if (!bn.domain.empty() || bn.outputs.size() != 1) continue;
        const bool norm = bn.op == "BatchNormalization";
        const std::size_t side = norm ? 0 : beside_constant(g, bn);
        if (side >= bn.inputs.size()) continue;
        const value_id between = bn.inputs[side];
        if (between == no_value || g.at(between).producer == no_node || !detail::used_once(g, uses, between)) continue;
        const node& conv = g.node_at(g.at(between).producer);
        const bool transposed = conv.op == "ConvTranspose";
        if ((conv.op != "Conv" && !transposed) || !conv.domain.empty()) continue;
        const tensor* w = detail::constant_input(g, conv, 1);
        const bool has_bias = conv.inputs.size() > 2 && conv.inputs[2] != no_value;
        const tensor* b = detail::constant_input(g, conv, 2);
        if (w == nullptr || w->type() != dtype::float32 || (has_bias && b == nullptr) || w->rank() < 3) continue;
        // A transposed convolution's weights are (C, M / group, ...).
        const std::int64_t group = transposed ? attr_int(conv, "group", 1) : 1;
        if (group < 1 || group > w->extent(0) || w->extent(0) % group != 0) continue;
        const std::int64_t channels = transposed ? w->extent(1) * group : w->extent(0);
        const auto lines = norm ? detail::batch_norm_lines(g, bn) : channel_arithmetic(bn, *detail::constant_input(g, bn, 1 - side), channels, w->rank());
        if (!lines || static_cast<std::int64_t>(lines->size()) != channels || w->size() == 0) continue;
        if (b != nullptr && (b->type() != dtype::float32 || b->size() != channels)) continue;
        tensor bias(dtype::float32, {channels});
        const std::int64_t inputs = transposed ? w->extent(0) / group : 1, filters = channels / group;
        // A factor for each filter; of transposed layers in groups, whose filters stand group by group, one for each row of weights.
        element_scale scale{std::vector<float>(static_cast<std::size_t>(group > 1 ? channels * inputs : channels)), w->size() / (channels * inputs)};
        for (std::int64_t c = 0; c < channels; ++c) {
            const detail::channel_line& line = (*lines)[static_cast<std::size_t>(c)];
            for (std::int64_t i = 0; i < (group > 1 ? inputs : 1); ++i)
                scale.factors[static_cast<std::size_t>((c / filters * inputs + i) * filters + c % filters)] = static_cast<float>(line.factor);
            const double before = b != nullptr ? static_cast<double>(b->data<float>()[c]) : 0.0;
            bias.mutable_data<float>()[c] =
                static_cast<float>((before - line.mean) * line.factor + line.bias);
        }
        patch p{.reason = ocelli::detail::concat(bn.op, " '", bn.name, "' folded into ", conv.op, " '", conv.name, "'")};
        node fused = conv;
        // Multiplied where they are packed: large layers stay in the file until then.
        const bool shifts = bn.op == "Add" || bn.op == "Sub";
        fused.inputs = {conv.inputs[0], shifts ? conv.inputs[1] : p.add_constant(g, g.at(conv.inputs[1]).name + ".folded", tensor::scaled(*w, std::move(scale))),
                        p.add_constant(g, g.at(conv.inputs[1]).name + ".bias", bias)};
        const value_id out = bn.outputs[0];
        fused.outputs = {p.add_value(g, g.at(out).name, g.at(out).what)};
        p.replace.push_back({out, fused.outputs[0]});
        p.nodes.push_back(std::move(fused));
        found.push_back(std::move(p));
    }
    return found;
}

namespace detail_simplify {

/// What a Pad with zeros adds to each axis, in front and behind; empty where it is another one.
inline dims zero_pads(const graph& g, const node& n) {
    if (!n.domain.empty() || n.op != "Pad" || n.opset < 2 || attr_string(n, "mode", "constant") != "constant") return {};
    if (n.opset < 11) return attr_float(n, "value", 0.0f) == 0.0f ? attr_ints(n, "pads", {}) : dims{};
    const tensor *pads = detail::constant_input(g, n, 1), *value = detail::constant_input(g, n, 2);
    const bool has_value = n.inputs.size() > 2 && n.inputs[2] != no_value, has_axes = n.inputs.size() > 3 && n.inputs[3] != no_value;
    if (pads == nullptr || pads->type() != dtype::int64 || has_axes || (has_value && (value == nullptr || value->size() != 1 || value->item() != 0))) return {};
    return {pads->data<std::int64_t>(), pads->data<std::int64_t>() + pads->size()};
}

}  // namespace detail_simplify

OCELLI_INLINE std::vector<patch> pad_folding(const graph& g) {
    std::vector<patch> found;
    for (const node& n : g.nodes) {
        const bool conv = n.op == "Conv", mean = n.op == "AveragePool" && n.opset >= 7;
        if (!n.domain.empty() || (!conv && !mean) || n.inputs[0] == no_value || g.at(n.inputs[0]).producer == no_node) continue;
        const node& pad = g.node_at(g.at(n.inputs[0]).producer);
        const dims outer = detail_simplify::zero_pads(g, pad);
        const std::size_t rank = outer.size() / 2;
        const symbolic_shape& shape = g.at(n.inputs[0]).what.shape;
        if (rank < 3 || !shape.ranked() || shape.rank() != rank || attr_string(n, "auto_pad", "NOTSET") != "NOTSET") continue;
        bool fits = outer[0] == 0 && outer[1] == 0 && outer[rank] == 0 && outer[rank + 1] == 0;
        dims pads = attr_ints(n, "pads", dims(2 * (rank - 2), 0));
        fits = fits && pads.size() == 2 * (rank - 2);
        // The mean over zeros counts them; behind the image, ceil_mode looks at the padding.
        if (mean) fits = fits && attr_int(n, "ceil_mode", 0) == 0 && (attr_int(n, "count_include_pad", 0) != 0 || std::all_of(pads.begin(), pads.end(), [](auto p) { return p == 0; }));
        for (std::size_t i = 0; fits && i < pads.size(); ++i) {
            const std::int64_t more = outer[i < rank - 2 ? i + 2 : i + 4];
            fits = more >= 0 && more < 1 << 20 && pads[i] >= 0 && pads[i] < 1 << 20;
            pads[i] += more;
        }
        if (!fits) continue;
        patch p{.reason = ocelli::detail::concat("Pad '", pad.name, "' folded into ", n.op, " '", n.name, "'")};
        node padded = n;
        set_attribute(padded, "pads", pads);
        if (mean) set_attribute(padded, "count_include_pad", std::int64_t{1});
        padded.inputs[0] = pad.inputs[0];
        padded.outputs = {p.add_value(g, g.at(n.outputs[0]).name, g.at(n.outputs[0]).what)};
        p.replace.push_back({n.outputs[0], padded.outputs[0]});
        p.nodes.push_back(std::move(padded));
        found.push_back(std::move(p));
    }
    return found;
}

}  // namespace ocelli::nn::passes
