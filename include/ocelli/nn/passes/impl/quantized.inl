#pragma once

#include <ocelli/nn/ops/detail/bytes.hpp>
#include <ocelli/nn/ops/op.hpp>
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
        const tensor *const w = nn::detail::constant_of(g_, *n, 0), *const scale = nn::detail::constant_of(g_, *n, 1), *const zero = nn::detail::constant_of(g_, *n, 2);
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
        const tensor* const q = nn::detail::constant_of(g_, *n, 0);
        if (q == nullptr || q->rank() != 1 || constant_bytes(v, 1, 0) == nullptr) return std::nullopt;
        const tensor *const scale = nn::detail::constant_of(g_, *n, 1), *const zero = nn::detail::constant_of(g_, *n, 2);
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
            if (const tensor* t = nn::detail::constant_of(g_, *n, i)) {
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

/// The layer of a byte image times dequantised weights, `filters` along `axis` of them.
inline std::optional<layer> read_layer(const reader& r, const byte_scale& x, const node& weights, std::size_t axis, value_id bias, float step) {
    const graph& g = r.of();
    layer l;
    l.w = *nn::detail::constant_of(g, weights, 0);
    if (!nn::detail::is_byte(l.w.type())) return std::nullopt;
    const tensor *const scale = nn::detail::constant_of(g, weights, 1), *const zero = nn::detail::constant_of(g, weights, 2);
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

inline void add_inputs(writer& w, node& n, value_id x, const layer& l) {
    n.inputs = {x, w.constant(l.w), w.constant(l.scale), l.bias.defined() ? w.constant(l.bias) : no_value, l.w_zero.defined() ? w.constant(l.w_zero) : no_value};
    while (n.inputs.back() == no_value) n.inputs.pop_back();
}

inline constexpr std::string_view window_names[] = {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides", "ceil_mode"};
inline void take_windows(const node& from, node& to) {
    for (const attribute& a : from.attributes)
        if (std::find(std::begin(window_names), std::end(window_names), a.name) != std::end(window_names)) to.attributes.push_back(a);
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

/// A Relu's or Clip's bounds.
inline std::optional<std::pair<float, float>> bounds_of(const graph& g, const node& n) {
    if (n.op == "Relu") return std::pair{0.0f, unbounded};
    if (n.op != "Clip") return std::nullopt;
    std::pair<float, float> out{-unbounded, unbounded};
    const bool attributes = n.opset != 0 && n.opset < 11;
    if (attributes) out = {attr_float(n, "min", -unbounded), attr_float(n, "max", unbounded)};
    for (std::size_t i = 1; !attributes && i < 3; ++i) {
        if (nn::detail::left_out(n, i)) continue;
        const tensor* const t = nn::detail::constant_of(g, n, i);
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
    const tensor *const w = nn::detail::constant_of(g, n, 3), *const w_scale = nn::detail::constant_of(g, n, 4), *const w_zero = nn::detail::constant_of(g, n, 5),
                 *const bias = nn::detail::constant_of(g, n, 6);
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
        const tensor *const w = nn::detail::constant_of(g, n, 3), *const w_scale = nn::detail::constant_of(g, n, 4), *const w_zero = nn::detail::constant_of(g, n, 5),
                     *const bias = nn::detail::constant_of(g, n, 8);
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
