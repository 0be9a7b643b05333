#pragma once

/// @file
/// What the passes over quantised networks share: values of bytes and what they mean, and the patches that make layers of them.

#include <ocelli/nn/ops/detail/bytes.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/passes/pass.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ocelli::nn::passes::detail_quantized {

using nn::detail::byte_scale;

inline constexpr float unbounded = std::numeric_limits<float>::max();

/// A value of bytes, and what they mean.
struct byte_value {
    value_id id = no_value;
    byte_scale scale{};
    bool operator==(const byte_value&) const = default;
};

/// Floats as a function of a byte's bits.
struct byte_function {
    byte_value of;
    std::array<float, 256> results{};
    bool plain = true;  ///< nothing but the number that the byte stands for
};

/// A layer's weights and what its sums become.
struct layer {
    tensor w, w_zero, scale, bias;
};

inline float number_of(std::size_t bits, const byte_scale& s) {
    const int q = s.is_signed ? static_cast<int>(static_cast<std::int8_t>(static_cast<std::uint8_t>(bits))) : static_cast<int>(bits);
    return static_cast<float>(q - s.zero) * s.scale;
}
/// The nearest whole number of scales, within the type, less the zero.
inline std::int64_t steps_of(float x, const byte_scale& s) {
    const float low = static_cast<float>((s.is_signed ? -128 : 0) - s.zero);
    const float v = x / s.scale;
    return static_cast<std::int64_t>(std::nearbyint(v > low ? std::min(v, low + 255) : v <= low ? low : 0.0f));
}
inline dtype type_of(const byte_scale& s) {
    return s.is_signed ? dtype::int8 : dtype::uint8;
}

/// Nodes in turn that stand for others.
class writer {
public:
    writer(const graph& g, std::string name, std::string reason) : g_(g), name_(std::move(name)) { made.reason = std::move(reason); }

    value_id add(node n, dtype type) {
        n.name = ocelli::detail::concat(name_, "/", made.nodes.size());
        const value_id y = made.add_value(g_, n.name, {type, {}, {}});
        n.outputs = {y};
        n.source = g_.source;
        made.nodes.push_back(std::move(n));
        return y;
    }
    value_id constant(tensor t) {
        const std::string name = ocelli::detail::concat(name_, "/constant", made.values.size());
        return made.add_constant(g_, name, std::move(t));
    }
    /// Bytes or floats with the channels last, and back.
    value_id last(value_id x, dtype type) { return turn(x, type, {0, 2, 3, 1}); }
    value_id planes(value_id x, dtype type) { return turn(x, type, {0, 3, 1, 2}); }
    void stands_for(value_id old, value_id y) {
        made.values[static_cast<std::size_t>(y) - g_.values.size()].what = g_.at(old).what;
        made.replace.push_back({old, y});
    }

    patch made;

private:
    value_id turn(value_id x, dtype type, std::vector<std::int64_t> perm) {
        return add({.op = "Transpose", .opset = 13, .attributes = {{"perm", std::move(perm)}}, .inputs = {x}}, type);
    }
    const graph& g_;
    std::string name_;
};

/// What a result is to become: bytes between two bounds, or floats.
struct result {
    value_id id = no_value;
    std::optional<byte_scale> scale;  ///< none: floats
    std::int64_t low = 0, high = 0;
    float low_float = -unbounded, high_float = unbounded;

    dtype type() const { return scale ? type_of(*scale) : dtype::float32; }
    float step() const { return scale ? scale->scale : 1.0f; }
    void describe(node& n) const {
        set_attribute(n, "to", static_cast<std::int64_t>(type()));
        if (!scale) return;
        set_attribute(n, "low", low);
        set_attribute(n, "high", high);
        set_attribute(n, "y_zero", static_cast<std::int64_t>(scale->zero));
    }
    void bound(float low_wanted, float high_wanted) {
        low_float = low_wanted;
        high_float = high_wanted;
        if (!scale) return;
        low = steps_of(low_float, *scale);
        high = steps_of(high_float, *scale);
    }
    /// Whether Relu or Clip took something away.
    bool bounded() const { return low_float != -unbounded || high_float != unbounded; }
};

inline tensor table_of(const std::array<float, 256>& values, const result& r) {
    tensor t(r.type(), {256});
    for (std::size_t i = 0; i < 256; ++i) {
        const std::int64_t steps = std::clamp(steps_of(values[i], *r.scale), r.low, r.high);
        static_cast<std::uint8_t*>(t.mutable_raw())[i] = static_cast<std::uint8_t>(steps + r.scale->zero);
    }
    return t;
}

inline tensor floats(const std::vector<float>& values) {
    tensor t(dtype::float32, {static_cast<std::int64_t>(values.size())});
    std::copy(values.begin(), values.end(), t.mutable_data<float>());
    return t;
}

/// What a filter's sums are multiplied by: `unit` times its weights' scale, of which there is one or one for each, in steps of the result. Nothing, where that is not finite.
inline std::optional<tensor> sum_scales(float unit, const tensor& w_scale, std::int64_t filters, float step) {
    std::vector<float> out;
    for (std::int64_t i = 0; i < filters; ++i) {
        out.push_back(unit * w_scale.data<float>()[w_scale.size() == 1 ? 0 : i] / step);
        if (!ocelli::detail::is_finite(out.back())) return std::nullopt;
    }
    return floats(out);
}

inline void add_inputs(writer& w, node& n, value_id x, const layer& l) {
    n.inputs = {x, w.constant(l.w), w.constant(l.scale), l.bias.defined() ? w.constant(l.bias) : no_value, l.w_zero.defined() ? w.constant(l.w_zero) : no_value};
    while (n.inputs.back() == no_value) n.inputs.pop_back();
}

inline constexpr std::string_view window_names[] = {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides", "ceil_mode"};
inline void take_windows(const node& from, node& to) {
    for (const attribute& a : from.attributes)
        if (std::find(std::begin(window_names), std::end(window_names), a.name) != std::end(window_names)) to.attributes.push_back(a);
}

inline bool same_shape(const symbolic_shape& a, const symbolic_shape& b) {
    if (!a.ranked() || !b.ranked() || a.rank() != b.rank()) return false;
    for (std::size_t i = 0; i < a.rank(); ++i)
        if (!(a[i] == b[i])) return false;
    return true;
}
/// Whether b (N, C, 1, 1) has a number for each channel of a.
inline bool channel_factors(const symbolic_shape& a, const symbolic_shape& b) {
    return a.ranked() && b.ranked() && a.rank() == 4 && b.rank() == 4 && a[0] == b[0] && a[1] == b[1] && b[2] == dim(1) && b[3] == dim(1);
}

inline std::optional<patch> pair_patch(const graph& g, const node& n, bool adds, std::optional<byte_value> a, std::optional<byte_value> b, const result& y) {
    if (!a || !b) return std::nullopt;
    const auto shape = [&](const std::optional<byte_value>& v) -> const symbolic_shape& { return g.at(v->id).what.shape; };
    if (!same_shape(shape(a), shape(b))) {
        if (adds) return std::nullopt;
        if (channel_factors(shape(b), shape(a))) std::swap(a, b);
        else if (!channel_factors(shape(a), shape(b))) return std::nullopt;
    }
    const float a_scale = adds ? a->scale.scale / y.step() : a->scale.scale * b->scale.scale / y.step(), b_scale = b->scale.scale / y.step();
    if (!ocelli::detail::is_finite(a_scale) || !ocelli::detail::is_finite(b_scale)) return std::nullopt;
    writer w(g, n.name, ocelli::detail::concat(n.op, " '", n.name, "' works on bytes"));
    node pair{.op = adds ? "QAdd" : "QMul", .domain = "ocelli", .opset = 1,
              .attributes = {{"a_zero", static_cast<std::int64_t>(a->scale.zero)}, {"b_zero", static_cast<std::int64_t>(b->scale.zero)}, {"a_scale", a_scale}}};
    if (adds) set_attribute(pair, "b_scale", b_scale);
    y.describe(pair);
    const bool image = shape(a).ranked() && shape(a).rank() == 4;
    const dtype ta = type_of(a->scale), tb = type_of(b->scale);
    const value_id left = image ? w.last(a->id, ta) : a->id;
    pair.inputs = {left, image ? (b->id == a->id ? left : w.last(b->id, tb)) : b->id};
    const value_id made = w.add(std::move(pair), y.type());
    w.stands_for(y.id, image ? w.planes(made, y.type()) : made);
    return w.made;
}

/// Bytes `x` that mean what `from` says become those of the result.
inline value_id as_result(writer& w, value_id x, const byte_scale& from, const result& y) {
    if (from == *y.scale && !y.bounded()) return x;
    std::array<float, 256> values{};
    for (std::size_t i = 0; i < 256; ++i) values[i] = number_of(i, from);
    const value_id table = w.constant(table_of(values, y));
    return w.add({.op = "QTable", .domain = "ocelli", .opset = 1, .inputs = {x, table}}, y.type());
}

inline std::optional<patch> table_patch(const graph& g, const std::string& name, const std::optional<byte_function>& f, const result& y) {
    if (!f) return std::nullopt;
    writer w(g, name, ocelli::detail::concat("'", name, "' is a table of bytes"));
    if (f->plain && f->of.scale == *y.scale && !y.bounded()) {
        w.made.replace.push_back({y.id, f->of.id});
        return w.made;
    }
    const bool image = g.at(f->of.id).what.shape.ranked() && g.at(f->of.id).what.shape.rank() == 4;
    const value_id x = image ? w.last(f->of.id, type_of(f->of.scale)) : f->of.id;
    const value_id table = w.constant(table_of(f->results, y));
    const value_id made = w.add({.op = "QTable", .domain = "ocelli", .opset = 1, .inputs = {x, table}}, y.type());
    w.stands_for(y.id, image ? w.planes(made, y.type()) : made);
    return w.made;
}

inline std::optional<patch> pool_patch(const graph& g, const node& n, bool maximum, const std::optional<byte_value>& x, const result& y) {
    if (!x || !g.at(x->id).what.shape.ranked() || g.at(x->id).what.shape.rank() != 4) return std::nullopt;
    const dtype type = type_of(x->scale);
    writer w(g, n.name, ocelli::detail::concat(n.op, " '", n.name, "' works on bytes"));
    const value_id in = w.last(x->id, type);
    if (maximum) {
        node pool{.op = "QMaxPool", .domain = "ocelli", .opset = 1, .inputs = {in}};
        take_windows(n, pool);
        w.stands_for(y.id, w.planes(as_result(w, w.add(std::move(pool), type), x->scale, y), y.type()));
        return w.made;
    }
    const float scale = x->scale.scale / y.step();
    if (!ocelli::detail::is_finite(scale)) return std::nullopt;
    node mean{.op = "QMean", .domain = "ocelli", .opset = 1, .attributes = {{"x_zero", static_cast<std::int64_t>(x->scale.zero)}, {"scale", scale}}, .inputs = {in}};
    y.describe(mean);
    w.stands_for(y.id, w.planes(w.add(std::move(mean), y.type()), y.type()));
    return w.made;
}

/// What gives a tensor another shape, or puts others together.
inline std::optional<patch> move_patch(const graph& g, const node& n, const std::vector<std::optional<byte_value>>& found, const result& y) {
    std::vector<byte_value> parts;
    const bool joins = n.op == "Concat" || n.op == "QLinearConcat";
    for (const auto& x : found) {
        if (!x) return std::nullopt;
        parts.push_back(*x);
    }
    if (parts.empty()) return std::nullopt;
    writer w(g, n.name, ocelli::detail::concat(n.op, " '", n.name, "' moves bytes"));
    node moved = n;
    if (joins) moved = {.op = "Concat", .opset = 13, .attributes = {{"axis", attr_int(n, "axis")}}, .inputs = std::vector<value_id>(parts.size(), no_value)};
    const symbolic_shape& first = g.at(parts[0].id).what.shape;
    const bool image = joins && first.ranked() && first.rank() == 4 && (attr_int(n, "axis") == 1 || attr_int(n, "axis") == -3);
    if (image) set_attribute(moved, "axis", std::int64_t{3});
    for (std::size_t i = 0; i < parts.size(); ++i) {
        value_id x = parts[i].id;
        if (image) x = w.last(x, type_of(parts[i].scale));
        // All of one scale.
        moved.inputs[i] = joins ? as_result(w, x, parts[i].scale, y) : x;
    }
    moved.outputs.clear();
    value_id made = w.add(std::move(moved), joins ? y.type() : type_of(parts[0].scale));
    if (!joins) made = as_result(w, made, parts[0].scale, y);
    w.stands_for(y.id, image ? w.planes(made, y.type()) : made);
    return w.made;
}

}  // namespace ocelli::nn::passes::detail_quantized
