#pragma once

#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/ops/support.hpp>
#include <ocelli/nn/passes/attention.hpp>
#include <ocelli/nn/passes/walker.hpp>
#include <ocelli/nn/shape.hpp>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace ocelli::nn::passes {

namespace detail_attention {

/// An operand's elements in the memory of a value.
struct view {
    value_id base = no_value;
    std::int64_t place = 0;
    dims extents, strides;
    double scale = 1;
};

/// Known ones, of at least one element.
inline std::optional<dims> known_extents(const graph& g, value_id v) {
    auto extents = g.at(v).what.shape.concrete();
    if (extents && std::any_of(extents->begin(), extents->end(), [](std::int64_t e) { return e < 1; })) extents.reset();
    return extents;
}

inline bool is_node(const node& n, std::string_view op) {
    return n.domain.empty() && n.op == op && n.outputs.size() == 1 && !n.inputs.empty() && n.inputs[0] != no_value;
}

inline const node* producer(const graph& g, value_id v) {
    return v == no_value || g.at(v).producer == no_node ? nullptr : &g.node_at(g.at(v).producer);
}

/// The number that a Mul or Div scales its other input by, and that input.
inline std::optional<std::pair<double, value_id>> scaling(const walker& w, const node& n) {
    const bool product = is_node(n, "Mul");
    if ((!product && !is_node(n, "Div")) || n.inputs.size() != 2) return std::nullopt;
    if (const auto right = w.number(n, 1)) return std::pair{product ? *right : 1 / *right, n.inputs[0]};
    if (const auto left = w.number(n, 0); left && product) return std::pair{*left, n.inputs[1]};
    return std::nullopt;
}

/// Strides under another shape of as many elements, where there are such without a copy.
inline std::optional<dims> reshaped(const dims& extents, const dims& strides, const dims& shape) {
    // Axes that lie one within the other are one.
    std::vector<std::pair<std::int64_t, std::int64_t>> runs;  // extent, stride
    for (std::size_t i = 0; i < extents.size(); ++i) {
        if (extents[i] == 1) continue;
        if (!runs.empty() && runs.back().second == strides[i] * extents[i]) runs.back() = {runs.back().first * extents[i], strides[i]};
        else runs.emplace_back(extents[i], strides[i]);
    }
    dims out(shape.size(), 0);
    std::size_t run = runs.size();
    std::int64_t left = 1, stride = 0;
    for (std::size_t i = shape.size(); i-- > 0;) {
        if (shape[i] == 1) continue;
        if (left == 1) {
            if (run == 0) return std::nullopt;
            left = runs[--run].first;
            stride = runs[run].second;
        }
        if (left % shape[i] != 0) return std::nullopt;
        out[i] = stride;
        stride *= shape[i];
        left /= shape[i];
    }
    if (left != 1 || run != 0) return std::nullopt;
    return out;
}

/// Where the elements of a value come from, past nodes that move or pick them, and past scalings if asked for.
inline std::optional<view> seen(const graph& g, const walker& w, value_id v, bool scaled, int depth = 0) {
    const auto extents = known_extents(g, v);
    if (!extents || g.at(v).what.type != dtype::float32) return std::nullopt;
    const view itself{v, 0, *extents, dense_strides(*extents), 1};
    const node* n = producer(g, v);
    if (n == nullptr || depth > 16) return itself;
    if (scaled) {
        if (const auto by = scaling(w, *n)) {
            auto from = seen(g, w, by->second, scaled, depth + 1);
            if (!from || from->extents != *extents) return itself;
            from->scale *= by->first;
            return from;
        }
    }
    const bool turned = is_node(*n, "Transpose"), shaped = is_node(*n, "Reshape") || is_node(*n, "Squeeze") || is_node(*n, "Unsqueeze"), picked = is_node(*n, "Gather");
    if (!turned && !shaped && !picked) return itself;
    auto from = seen(g, w, n->inputs[0], scaled, depth + 1);
    if (!from) return itself;
    const std::size_t rank = from->extents.size();
    view out{from->base, from->place, *extents, {}, from->scale};
    if (turned) {
        dims perm = attr_ints(*n, "perm");
        if (perm.empty())
            for (std::size_t i = rank; i-- > 0;) perm.push_back(static_cast<std::int64_t>(i));
        if (perm.size() != rank) return itself;
        for (const std::int64_t p : perm) out.strides.push_back(from->strides[static_cast<std::size_t>(p)]);
    } else if (shaped) {
        const auto strides = reshaped(from->extents, from->strides, *extents);
        if (!strides) return itself;
        out.strides = *strides;
    } else {
        const tensor* at = detail::constant_input(g, *n, 1);
        if (at == nullptr || at->rank() != 0 || (at->type() != dtype::int64 && at->type() != dtype::int32)) return itself;
        std::int64_t axis = attr_int(*n, "axis", 0), index = static_cast<std::int64_t>(at->item());
        if (axis < 0) axis += static_cast<std::int64_t>(rank);
        if (axis < 0 || axis >= static_cast<std::int64_t>(rank)) return itself;
        const auto i = static_cast<std::size_t>(axis);
        if (index < 0) index += from->extents[i];
        if (index < 0 || index >= from->extents[i]) return itself;
        out.place += index * from->strides[i];
        out.strides = from->strides;
        out.strides.erase(out.strides.begin() + axis);
    }
    return out;
}

/// The factor of scores. Roots, multiplied with each other, leave the power of two that is meant by a rounding; as that it rounds no score.
inline float rounded_scale(double scale) {
    int exponent = 0;
    const double half = std::frexp(scale, &exponent);
    if (std::abs(std::abs(half) - 0.5) < 1e-7) return static_cast<float>(std::ldexp(half < 0 ? -0.5 : 0.5, exponent));
    if (std::abs(std::abs(half) - 1.0) < 1e-7) return static_cast<float>(std::ldexp(half < 0 ? -1.0 : 1.0, exponent));
    return static_cast<float>(scale);
}

/// What is added to scores, and the extents that these have where it is.
struct addend {
    view what;
    dims extents;
};

/// What lies between the scores of a softmax and the product they come from.
struct path {
    const node* product = nullptr;
    double scale = 1;
    value_id factor = no_value;  // of each matrix of the stack: (..., 1, 1)
    std::vector<addend> added;
};

/// A view under a shape of as many elements.
inline std::optional<view> under(view v, const dims& shape) {
    const auto strides = reshaped(v.extents, v.strides, shape);
    if (!strides) return std::nullopt;
    v.extents = shape;
    v.strides = *strides;
    return v;
}

/// A view stretched to other extents as arithmetic does it: axes of stride 0 where it stays the same.
inline std::optional<view> stretched(view from, const dims& extents) {
    if (from.extents.size() > extents.size()) return std::nullopt;
    const std::size_t more = extents.size() - from.extents.size();
    dims strides(extents.size(), 0);
    for (std::size_t i = 0; i < from.extents.size(); ++i) {
        if (from.extents[i] == 1) continue;
        if (from.extents[i] != extents[more + i]) return std::nullopt;
        strides[more + i] = from.strides[i];
    }
    from.extents = extents;
    from.strides = std::move(strides);
    return from;
}

/// The weights that a softmax becomes, where an exporter writes 0 for those that are not numbers: Where(IsNaN(s), 0, s); else its own output.
inline value_id past_nan_check(const graph& g, const walker& w, value_id s) {
    if (!w.used(s, 2) || std::find(g.outputs.begin(), g.outputs.end(), s) != g.outputs.end()) return s;
    const node* const n = w.last_user(s, "Where");  // behind IsNaN, as it needs its result
    if (n == nullptr || n->inputs.size() != 3 || n->inputs[2] != s || w.number(*n, 1) != 0.0) return s;
    const node* const check = w.producer(n->inputs[0], "IsNaN");
    return check != nullptr && check->inputs[0] == s && detail::used_once(g, w.uses(), n->inputs[0]) ? n->outputs[0] : s;
}

/// Whether a value is a constant that adds nothing.
inline bool adds_nothing(const graph& g, value_id v) {
    const tensor& t = g.at(v).what.constant;
    return t.defined() && t.type() == dtype::float32 && std::all_of(t.data<float>(), t.data<float>() + t.size(), [](float x) { return x == 0.0f; });
}

/// Back from scores to the product of queries and keys: through what is added to them (two at most), other shapes in between, and one scaling before.
inline bool find_product(const graph& g, const walker& w, value_id at, const dims& scores, path& out, int depth = 0) {
    const node* const n = producer(g, at);
    if (n == nullptr || depth > 8 || !detail::used_once(g, w.uses(), at)) return false;
    if (is_node(*n, "MatMul")) {
        out.product = n;
        return known_extents(g, at) == scores;
    }
    if (is_node(*n, "Reshape")) return find_product(g, w, n->inputs[0], scores, out, depth + 1);
    if (const auto by = scaling(w, *n)) {
        const node* const first = producer(g, by->second);
        out.scale = by->first;
        return first != nullptr && is_node(*first, "MatMul") && find_product(g, w, by->second, scores, out, depth + 1);
    }
    if (is_node(*n, "Mul") && n->inputs.size() == 2) {
        for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
            const node* const first = producer(g, n->inputs[i]);
            const auto extents = known_extents(g, n->inputs[1 - i]);
            if (first == nullptr || !is_node(*first, "MatMul") || !extents || extents->size() < 3 || extents->size() > scores.size() || g.at(n->inputs[1 - i]).what.type != dtype::float32)
                continue;
            if (extents->end()[-1] != 1 || extents->end()[-2] != 1 || known_extents(g, at) != known_extents(g, n->inputs[i])) continue;
            out.factor = n->inputs[1 - i];
            return find_product(g, w, n->inputs[i], scores, out, depth + 1);
        }
        return false;
    }
    if (!is_node(*n, "Add") || n->inputs.size() != 2) return false;
    const auto extents = known_extents(g, at);
    for (const std::size_t i : {std::size_t{0}, std::size_t{1}})
        if (extents && known_extents(g, n->inputs[i]) == extents && adds_nothing(g, n->inputs[1 - i])) return find_product(g, w, n->inputs[i], scores, out, depth + 1);
    if (out.added.size() == 2) return false;
    for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
        if (!extents || known_extents(g, n->inputs[i]) != extents) continue;
        const auto other = seen(g, w, n->inputs[1 - i], false);
        const auto fitting = other ? stretched(*other, *extents) : std::nullopt;
        if (!fitting) continue;
        path below = out;
        below.added.push_back({*fitting, *extents});
        if (!find_product(g, w, n->inputs[i], scores, below, depth + 1)) continue;
        out = std::move(below);
        return true;
    }
    return false;
}

/// The operands of an attention over a stack of these extents; nothing where one is not evenly apart in it.
struct operands {
    view q, k, v, y;
    std::vector<view> added;
};
inline std::optional<operands> stacked(const operands& all, const dims& stack) {
    const auto with = [&](const view& v, std::int64_t rows, std::int64_t columns) {
        dims shape = stack;
        shape.insert(shape.end(), {rows, columns});
        return under(v, shape);
    };
    const auto whole = [&](const view& v) { return with(v, v.extents.end()[-2], v.extents.back()); };
    const auto q = whole(all.q), k = whole(all.k), v = whole(all.v), y = whole(all.y);
    if (!q || !k || !v || !y) return std::nullopt;
    operands out{*q, *k, *v, *y, {}};
    for (const view& a : all.added) {
        const auto fitting = with(a, q->extents.end()[-2], k->extents.back());  // where it was added rows may have been others
        // Rows are read as vectors.
        if (!fitting || (fitting->strides.back() != 1 && fitting->extents.back() != 1)) return std::nullopt;
        out.added.push_back(*fitting);
    }
    // Axes of one element have no stride; rows of queries and of the result are dense all the same.
    for (view* each : {&out.q, &out.y}) each->strides.back() = 1;
    return out;
}

/// Whether a Transpose exchanges the last two of `rank` axes and nothing else.
inline bool exchanges_last(const node& turn, std::size_t rank) {
    dims wanted(rank);
    for (std::size_t i = 0; i < rank; ++i) wanted[i] = static_cast<std::int64_t>(i);
    std::swap(wanted[rank - 2], wanted[rank - 1]);
    return attr_ints(turn, "perm") == wanted;
}

inline dims place_and_strides(const view& v) {
    dims out{v.place};
    out.insert(out.end(), v.strides.begin(), v.strides.end());
    return out;
}

}  // namespace detail_attention

OCELLI_INLINE std::vector<patch> attention_fusion(const graph& g) {
    using namespace detail_attention;
    const walker w(g);
    std::vector<patch> found;
    for (const node& softmax : g.nodes) {
        if (!is_node(softmax, "Softmax")) continue;
        const value_id at = softmax.inputs[0];
        const auto scores = known_extents(g, at);
        if (!scores || scores->size() < 2 || g.at(at).what.type != dtype::float32) continue;
        const std::size_t rank = scores->size();
        const std::int64_t axis = attr_int(softmax, "axis", softmax.opset < 13 ? 1 : -1);
        if (axis != -1 && axis != static_cast<std::int64_t>(rank) - 1) continue;
        path back;
        if (!find_product(g, w, at, *scores, back)) continue;
        const node* const first = back.product;
        const value_id weights = past_nan_check(g, w, softmax.outputs[0]);
        // Values times turned weights (ultralytics) are the turned result.
        const node* const weights_turn = w.user(weights, "Transpose");
        const bool from_left = weights_turn != nullptr && exchanges_last(*weights_turn, rank);
        const value_id factor = from_left ? weights_turn->outputs[0] : weights;
        const node* const second = w.user(factor, "MatMul");
        if (second == nullptr || second->inputs[from_left ? 1 : 0] != factor) continue;
        auto q = seen(g, w, first->inputs[0], true), v = seen(g, w, second->inputs[from_left ? 0 : 1], false);
        const auto k = seen(g, w, first->inputs[1], true);
        if (!q || !k || !v || q->extents.size() != rank || k->extents.size() != rank || v->extents.size() != rank) continue;
        if (from_left) {
            std::swap(v->extents[rank - 2], v->extents[rank - 1]);
            std::swap(v->strides[rank - 2], v->strides[rank - 1]);
        }
        // Queries that lie turned are turned before.
        if (back.factor != no_value || (q->strides.back() != 1 && q->extents.back() != 1)) q = view{first->inputs[0], 0, q->extents, dense_strides(q->extents), 1};
        bool same = true;
        for (std::size_t i = 0; i + 2 < rank; ++i) same = same && q->extents[i] == k->extents[i] && q->extents[i] == v->extents[i];
        const std::int64_t width = v->extents.back();
        if (!same) continue;

        // The result, turned as its only user wants it, if rows stay whole.
        value_id result = second->outputs[0];
        dims shape = *scores;
        shape.back() = width;
        view y{result, 0, shape, dense_strides(shape), 1};
        if (const node* const turn = from_left ? nullptr : w.user(result, "Transpose")) {
            const dims perm = attr_ints(*turn, "perm");
            if (perm.size() == rank && perm.back() == static_cast<std::int64_t>(rank) - 1) {
                dims turned;
                for (const std::int64_t p : perm) turned.push_back(shape[static_cast<std::size_t>(p)]);
                const dims dense = dense_strides(turned);
                for (std::size_t i = 0; i < rank; ++i) y.strides[static_cast<std::size_t>(perm[i])] = dense[i];
                shape = turned;
                result = turn->outputs[0];
            }
        }
        operands all{*q, *k, *v, y, {}};
        for (const addend& a : back.added) all.added.push_back(a.what);
        // The stack is that of the scores, or, where masks are added to windows of an image, theirs.
        auto parts = stacked(all, dims(scores->begin(), scores->end() - 2));
        for (const addend& a : back.added) {
            const dims& e = a.extents;
            if (parts || e.size() < 2 || !std::equal(e.end() - 2, e.end(), scores->end() - 2)) continue;
            parts = stacked(all, dims(e.begin(), e.end() - 2));
        }
        if (!parts) continue;
        dims extents(parts->q.extents.begin(), parts->q.extents.end() - 2);
        extents.insert(extents.end(), {(*scores)[rank - 2], scores->back(), q->extents.back(), width});
        node attention{.name = softmax.name, .op = "Attention", .domain = "ocelli", .opset = 1,
                       .attributes = {{"extents", extents}, {"q", place_and_strides(parts->q)}, {"k", place_and_strides(parts->k)}, {"v", place_and_strides(parts->v)},
                                      {"y", parts->y.strides}, {"shape", shape}, {"scale", rounded_scale(back.scale * q->scale * k->scale)}},
                       .inputs = {q->base, k->base, v->base}, .source = g.source};
        if (weights != softmax.outputs[0]) attention.attributes.push_back({"empty_is_zero", std::int64_t{1}});
        for (std::size_t i = 0; i < parts->added.size(); ++i) {
            attention.attributes.push_back({i == 0 ? "a" : "b", place_and_strides(parts->added[i])});
            attention.inputs.push_back(parts->added[i].base);
        }
        patch p{.reason = ocelli::detail::concat("Softmax '", softmax.name, "' and the products on both sides are Attention")};
        if (back.factor != no_value) {
            // Queries are fewer than scores.
            attention.inputs[0] = p.add_value(g, g.at(q->base).name, g.at(q->base).what);
            p.nodes.push_back({.name = softmax.name, .op = "Mul", .opset = softmax.opset, .inputs = {q->base, back.factor}, .outputs = {attention.inputs[0]}, .source = g.source});
        }
        const value_id out = p.add_value(g, g.at(result).name, g.at(result).what);
        attention.outputs = {from_left ? p.add_value(g, g.at(result).name, {dtype::float32, symbolic_shape(shape), {}}) : out};
        p.replace.push_back({result, out});
        const value_id made = attention.outputs[0];
        p.nodes.push_back(std::move(attention));
        if (from_left)
            p.nodes.push_back({.name = weights_turn->name, .op = "Transpose", .opset = weights_turn->opset, .attributes = {{"perm", attr_ints(*weights_turn, "perm")}}, .inputs = {made},
                               .outputs = {out}, .source = weights_turn->source});
        found.push_back(std::move(p));
    }
    return found;
}

}  // namespace ocelli::nn::passes
