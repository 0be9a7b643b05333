#pragma once

#include <ocelli/features/detail/resample.hpp>
#include <ocelli/nn/detail/bound.hpp>
#include <ocelli/nn/kernels/blocked.hpp>
#include <ocelli/nn/kernels/elementwise.hpp>
#include <ocelli/nn/kernels/move.hpp>
#include <ocelli/nn/kernels/normalize.hpp>
#include <ocelli/nn/ops/arrange.hpp>
#include <ocelli/nn/ops/blocked.hpp>
#include <ocelli/nn/ops/detail/resize_taps.hpp>

#include <cmath>
#include <cstring>
#include <mutex>
#include <optional>
#include <span>
#include <utility>

namespace ocelli::nn::detail {

/// Whether every input that is there holds float32 in this run.
inline bool all_float32(const step_io& io) {
    for (const tensor* t : io.inputs)
        if (t != nullptr && t->type() != dtype::float32) return false;
    return true;
}

/// A function of one element, with its two numbers.
struct unary_choice {
    unary_function function;
    float a = 0, b = 0;
};

inline std::optional<unary_choice> choose_unary(const graph& g, const node& n) {
    using f = unary_function;
    const std::string_view op = n.op;
    const auto alpha = [&](float otherwise) { return attr_float(n, "alpha", otherwise); };
    if (op == "Relu") return unary_choice{f::relu};
    if (op == "LeakyRelu") return unary_choice{f::leaky_relu, alpha(0.01f)};
    if (op == "ThresholdedRelu") return unary_choice{f::thresholded_relu, alpha(1.0f)};
    if (op == "Sigmoid") return unary_choice{f::sigmoid};
    if (op == "HardSigmoid") return unary_choice{f::hard_sigmoid, alpha(0.2f), attr_float(n, "beta", 0.5f)};
    if (op == "HardSwish") return unary_choice{f::hard_swish};
    if (op == "Swish") return unary_choice{f::swish, alpha(1.0f)};
    if (op == "Tanh") return unary_choice{f::tanh};
    if (op == "Exp") return unary_choice{f::exp};
    if (op == "Log") return unary_choice{f::log};
    if (op == "Sqrt") return unary_choice{f::sqrt};
    if (op == "Reciprocal") return unary_choice{f::reciprocal};
    if (op == "Neg") return unary_choice{f::negate};
    if (op == "Abs") return unary_choice{f::absolute};
    if (op == "Erf") return unary_choice{f::erf};
    if (op == "Gelu") return unary_choice{attr_string(n, "approximate", "none") == "tanh" ? f::gelu_tanh : f::gelu};
    if (op == "Softplus") return unary_choice{f::softplus};
    if (op == "Softsign") return unary_choice{f::softsign};
    if (op == "Mish") return unary_choice{f::mish};
    if (op == "Elu") return unary_choice{f::elu, alpha(1.0f)};
    if (op == "Selu" && n.opset >= 6) return unary_choice{f::selu, alpha(1.67326319217681884765625f), attr_float(n, "gamma", 1.05070102214813232421875f)};
    if (op == "Celu" && alpha(1.0f) != 0.0f) return unary_choice{f::celu, alpha(1.0f)};
    if (op == "Clip") {
        constexpr float infinity = std::numeric_limits<float>::infinity();
        unary_choice c{f::clip, -infinity, infinity};
        if (n.opset < 11) {
            c.a = attr_float(n, "min", c.a);
            c.b = attr_float(n, "max", c.b);
            return c;
        }
        for (std::size_t i = 1; i < n.inputs.size(); ++i) {
            if (n.inputs[i] == no_value) continue;
            const tensor& bound = g.at(n.inputs[i]).what.constant;
            if (!bound.defined() || bound.type() != dtype::float32 || bound.size() != 1) return std::nullopt;
            (i == 1 ? c.a : c.b) = *bound.data<float>();
        }
        return c;
    }
    if (op == "Pow" && n.opset >= 7) {
        const tensor& e = g.at(n.inputs[1]).what.constant;
        if (!e.defined() || e.size() != 1 || e.rank() > 1 || !(is_floating(e.type()) || is_integer(e.type()))) return std::nullopt;
        // A longer exponent would give the result its rank.
        const symbolic_shape& shape = g.at(n.inputs[0]).what.shape;
        if (e.rank() == 1 && (!shape.ranked() || shape.rank() == 0)) return std::nullopt;
        const double power = e.item();
        if (power == 2) return unary_choice{f::square};
        if (power == -1) return unary_choice{f::reciprocal};
    }
    return std::nullopt;
}

inline constexpr std::string_view unary_names[] = {"relu", "leaky_relu", "clip",    "thresholded_relu", "sigmoid",  "hard_sigmoid", "hard_swish", "swish", "tanh",
                                                   "exp",  "log",        "sqrt",    "reciprocal",       "square",   "negate",       "absolute",   "erf",   "gelu",
                                                   "gelu_tanh", "softplus", "softsign", "mish",         "elu",      "selu",         "celu"};
static_assert(std::size(unary_names) == static_cast<std::size_t>(unary_function::count_));

class bound_unary final : public bound_kernel {
public:
    bound_unary(const node& n, const unary_choice& c) : node_(n), choice_(c) {}
    std::string_view name() const noexcept override { return unary_names[static_cast<std::size_t>(choice_.function)]; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        if (x.type() != dtype::float32) return run_reference(node_, io);
        tensor& y = io.output(0, dtype::float32, x.shape());
        apply_unary(choice_.function, choice_.a, choice_.b, x.size(), x.data<float>(), y.mutable_data<float>());
    }

private:
    const node& node_;
    unary_choice choice_;
};

inline std::optional<binary_function> choose_binary(const node& n) {
    if (n.inputs.size() != 2 || n.inputs[1] == no_value) return std::nullopt;
    if (n.opset < 7 && n.op != "Max" && n.op != "Min" && n.op != "Sum") return std::nullopt;  // operands are aligned by attributes
    if (n.op == "Add" || n.op == "Sum") return binary_function::add;
    if (n.op == "Sub") return binary_function::subtract;
    if (n.op == "Mul") return binary_function::multiply;
    if (n.op == "Div") return binary_function::divide;
    if (n.op == "Max") return binary_function::maximum;
    if (n.op == "Min") return binary_function::minimum;
    if (n.op == "PRelu") return binary_function::prelu;
    return std::nullopt;
}

class bound_binary final : public bound_kernel {
public:
    bound_binary(const node& n, binary_function f) : node_(n), function_(f) {}
    std::string_view name() const noexcept override {
        constexpr std::string_view names[] = {"add", "subtract", "multiply", "divide", "maximum", "minimum", "prelu"};
        return names[static_cast<std::size_t>(function_)];
    }
    void run(const step_io& io) const override {
        const tensor &a = *io.inputs[0], &b = *io.inputs[1];
        binary_axes axes;
        if (!all_float32(io) || !axes.set(a.shape(), b.shape())) return run_reference(node_, io);
        const dims shape = a.shape() == b.shape() ? a.shape() : broadcast_shape(node_, a.shape(), b.shape());
        if (function_ == binary_function::prelu && shape != a.shape()) return run_reference(node_, io);  // which rejects it
        tensor& y = io.output(0, dtype::float32, shape);
        apply_binary(function_, axes, a.data<float>(), b.data<float>(), y.mutable_data<float>());
    }

private:
    const node& node_;
    binary_function function_;
};

class bound_softmax final : public bound_kernel {
public:
    explicit bound_softmax(const node& n) : node_(n) {}
    std::string_view name() const noexcept override { return "softmax"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        if (!all_float32(io) || x.rank() == 0) return run_reference(node_, io);
        std::int64_t outer, n, inner = 1;
        if (node_.opset < 13) {
            const std::size_t axis = normalize_axis_or_end(node_, attr_int(node_, "axis", 1), x.rank());
            outer = product(x.shape(), 0, axis);
            n = product(x.shape(), axis, x.rank());
        } else {
            const std::size_t axis = normalize_axis(node_, attr_int(node_, "axis", -1), x.rank());
            outer = product(x.shape(), 0, axis);
            n = x.extent(axis);
            inner = product(x.shape(), axis + 1, x.rank());
        }
        softmax(outer, n, inner, x.data<float>(), io.output(0, dtype::float32, x.shape()).mutable_data<float>());
    }

private:
    const node& node_;
};

/// The taps of an axis for all modes; nothing where positions are extrapolated, or positions do not fit 32 bits.
inline bool set_taps(const resize_settings& s, const resize_axis& a, ocelli::detail::tap_table<float>& t) {
    if (a.in < 1 || a.in > (1 << 24) || a.out > (std::int64_t{1} << 30)) return false;
    t.in = a.in;
    t.out = a.out;
    t.count = 1;
    t.source.clear();
    t.weight.clear();
    if (s.mode == "nearest" || a.identity()) {
        for (std::int64_t o = 0; o < a.out; ++o)
            t.source.push_back(static_cast<std::int32_t>(a.identity() ? o : nearest_position(s.nearest, source_coordinate(s.coordinates, a, o), a.in)));
        t.weight.assign(t.source.size(), 1.0f);
        return true;
    }
    const resize_taps taps = make_taps(s, a);
    for (std::size_t o = 0; o + 1 < taps.begin.size(); ++o) t.count = std::max(t.count, static_cast<std::int64_t>(taps.begin[o + 1] - taps.begin[o]));
    for (std::int64_t k = 0; k < t.count; ++k)
        for (std::size_t o = 0; o + 1 < taps.begin.size(); ++o) {
            const std::size_t at = taps.begin[o] + static_cast<std::size_t>(k);
            const bool there = at < taps.begin[o + 1];
            t.source.push_back(static_cast<std::int32_t>(taps.source[there ? at : taps.begin[o]]));
            t.weight.push_back(there ? taps.weight[at] : 0.0f);
        }
    return true;
}

/// Resize and Upsample of the last two axes, of planes or, in ocelli.blocked, of images in blocks.
class bound_resize final : public bound_kernel {
public:
    bound_resize(const node& n, bool blocked)
        : node_(n), plain_(blocked ? plain_form(n) : n), blocked_(blocked), settings_(resize_settings_of(plain_)), inputs_(resize_inputs_of(plain_)) {
        if (inputs_.scales == 0) attribute_scales_ = upsample_scales(plain_);
        if (blocked) channels_ = attr_ints(n, "channels").at(0);
    }
    std::string_view name() const noexcept override {
        if (settings_.mode == "nearest") return blocked_ ? "blocked_resize_nearest" : "resize_nearest";
        return blocked_ ? "blocked_resize_taps" : "resize_taps";
    }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        if (x.type() != dtype::float32 || x.size() == 0 || settings_.coordinates == "tf_crop_and_resize" || x.rank() < (blocked_ ? 5 : 3) || x.rank() > (blocked_ ? 5 : 4))
            return run_reference(node_, io);
        const std::shared_ptr<const prepared> p = prepare(io);
        if (!p->fits) return run_reference(node_, io);
        tensor& y = io.output(0, dtype::float32, p->shape);
        const std::int64_t images = x.extent(0) * x.extent(1), inner = blocked_ ? x.extent(4) : 1;
        if (settings_.mode == "nearest") ocelli::detail::resize_copied(images, p->rows, p->columns, inner, x.data<float>(), y.mutable_data<float>());
        else ocelli::detail::resize_weighted(images, p->rows, p->columns, inner, x.data<float>(), y.mutable_data<float>());
    }

private:
    /// The taps for one shape of input and of result.
    struct prepared {
        tensor scales, sizes;  ///< what they were made from
        dims input, shape;
        ocelli::detail::tap_table<float> rows, columns;
        bool fits = false;
    };
    static bool same(const tensor& a, const tensor* b) {
        if (b == nullptr) return !a.defined();
        return a.type() == b->type() && a.size() == b->size() && (a.size() == 0 || std::memcmp(a.raw(), b->raw(), a.bytes()) == 0);
    }
    std::shared_ptr<const prepared> prepare(const step_io& io) const {
        const tensor& x = *io.inputs[0];
        const auto given = [&](std::size_t i) { return i != 0 && i < io.inputs.size() ? io.inputs[i] : nullptr; };
        const tensor* scales = inputs_.scales == 0 ? &attribute_scales_ : given(inputs_.scales);
        const tensor* sizes = given(inputs_.sizes);
        {
            const std::lock_guard lock(mutex_);
            if (last_ != nullptr && last_->input == x.shape() && same(last_->scales, scales) && same(last_->sizes, sizes)) return last_;
        }
        auto p = std::make_shared<prepared>();
        p->input = x.shape();
        if (scales != nullptr) p->scales = scales->clone();
        if (sizes != nullptr) p->sizes = sizes->clone();
        dims planes = x.shape();
        if (blocked_) planes = {planes[0], channels_, planes[2], planes[3]};
        const auto axes = resize_axes(plain_, planes, nullptr, scales, sizes);
        p->fits = axes[0].identity() && axes[1].identity() && set_taps(settings_, axes.size() == 4 ? axes[2] : resize_axis{}, p->rows) &&
                  set_taps(settings_, axes.back(), p->columns);
        for (const resize_axis& a : axes) p->shape.push_back(a.out);
        if (blocked_) p->shape = {x.extent(0), x.extent(1), axes[2].out, axes[3].out, x.extent(4)};
        const std::lock_guard lock(mutex_);
        last_ = p;
        return p;
    }

    const node& node_;
    node plain_;
    bool blocked_;
    resize_settings settings_;
    resize_inputs inputs_;
    tensor attribute_scales_;
    std::int64_t channels_ = 0;
    mutable std::mutex mutex_;
    mutable std::shared_ptr<const prepared> last_;
};

/// GridSample, bilinear.
class bound_grid_sample final : public bound_kernel {
public:
    explicit bound_grid_sample(const node& n) : node_(n), border_(attr_string(n, "padding_mode", "zeros") == "border"), align_(attr_int(n, "align_corners", 0) != 0) {}
    /// Whether this kernel is made for the node.
    static bool takes(const node& n) {
        const std::string mode = attr_string(n, "mode", n.opset < 20 ? "bilinear" : "linear"), padding = attr_string(n, "padding_mode", "zeros");
        return (mode == "bilinear" || mode == "linear") && (padding == "zeros" || padding == "border");
    }
    std::string_view name() const noexcept override { return "grid_sample"; }
    void run(const step_io& io) const override {
        const tensor &x = *io.inputs[0], &grid = *io.inputs[1];
        if (!all_float32(io) || x.rank() != 4 || grid.rank() != 4 || grid.extent(0) != x.extent(0) || grid.extent(3) != 2) return run_reference(node_, io);
        const ocelli::detail::grid_sampling s{x.extent(0), x.extent(1), x.extent(2), x.extent(3), grid.extent(1) * grid.extent(2), align_, border_};
        if (!ocelli::detail::grid_sample_takes(s)) return run_reference(node_, io);
        tensor& y = io.output(0, dtype::float32, {s.batch, s.channels, grid.extent(1), grid.extent(2)});
        ocelli::detail::grid_sample_bilinear(s, x.data<float>(), grid.data<float>(), y.mutable_data<float>());
    }
    double operations(const step_io& io) const override { return 8.0 * static_cast<double>(io.outputs[0]->size()); }

private:
    const node& node_;
    bool border_, align_;
};

/// LayerNormalization.
class bound_layer_norm final : public bound_kernel {
public:
    explicit bound_layer_norm(const node& n) : node_(n) {}
    std::string_view name() const noexcept override { return "layer_normalize"; }
    void run(const step_io& io) const override {
        const tensor &x = *io.inputs[0], &scale = *io.inputs[1];
        const tensor* bias = io.inputs.size() > 2 ? io.inputs[2] : nullptr;
        if (!all_float32(io) || attr_int(node_, "stash_type", 1) != 1) return run_reference(node_, io);
        const std::size_t axis = normalize_axis(node_, attr_int(node_, "axis", -1), x.rank());
        const std::int64_t rows = product(x.shape(), 0, axis), n = product(x.shape(), axis, x.rank());
        if (scale.size() != n || (bias != nullptr && bias->size() != n) || scale.rank() > x.rank() - axis) return run_reference(node_, io);
        dims reduced = x.shape();
        std::fill(reduced.begin() + static_cast<std::ptrdiff_t>(axis), reduced.end(), 1);
        const auto statistics = [&](std::size_t i) -> float* {
            if (i >= io.outputs.size() || io.outputs[i] == nullptr) return nullptr;
            return io.output(i, dtype::float32, reduced).mutable_data<float>();
        };
        tensor& y = io.output(0, dtype::float32, x.shape());
        layer_normalize(rows, n, static_cast<double>(attr_float(node_, "epsilon", 1e-5f)), scale.data<float>(), bias != nullptr ? bias->data<float>() : nullptr,
                        x.data<float>(), y.mutable_data<float>(), statistics(1), statistics(2));
    }
    double operations(const step_io& io) const override { return 8.0 * static_cast<double>(io.outputs[0]->size()); }

private:
    const node& node_;
};

/// InstanceNormalization and GroupNormalization.
class bound_instance_norm final : public bound_kernel {
public:
    explicit bound_instance_norm(const node& n) : node_(n), groups_(n.op == "GroupNormalization" ? attr_int(n, "num_groups") : 0) {}
    std::string_view name() const noexcept override { return "instance_normalize"; }
    void run(const step_io& io) const override {
        const tensor &x = *io.inputs[0], &scale = *io.inputs[1], &bias = *io.inputs[2];
        if (!all_float32(io) || x.rank() < 3 || groups_ < 0) return run_reference(node_, io);
        const std::int64_t channels = x.extent(1), groups = groups_ == 0 ? channels : groups_;
        // Operator set 18 scales whole groups.
        if (channels == 0 || channels % groups != 0 || scale.size() != channels || bias.size() != channels || (groups_ != 0 && node_.opset < 21))
            return run_reference(node_, io);
        tensor& y = io.output(0, dtype::float32, x.shape());
        instance_normalize(x.extent(0), channels, channels / groups, product(x.shape(), 2, x.rank()), static_cast<double>(attr_float(node_, "epsilon", 1e-5f)),
                           scale.data<float>(), bias.data<float>(), x.data<float>(), y.mutable_data<float>());
    }
    double operations(const step_io& io) const override { return 8.0 * static_cast<double>(io.outputs[0]->size()); }

private:
    const node& node_;
    std::int64_t groups_;
};

/// Scale and shift of a BatchNormalization whose parameters are constant; nothing where they are not, or do not fit together.
inline std::optional<std::pair<tensor, tensor>> batch_norm_line(const graph& g, const node& n) {
    if (n.inputs.size() != 5 || n.outputs.size() != 1 || attr_int(n, "training_mode", 0) != 0 || attr_int(n, "spatial", 1) != 1) return std::nullopt;
    if (n.opset < 7 && attr_int(n, "is_test", 0) == 0) return std::nullopt;
    const float* p[4] = {};
    std::int64_t channels = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        const tensor* t = n.inputs[i + 1] == no_value ? nullptr : &g.at(n.inputs[i + 1]).what.constant;
        if (t == nullptr || !t->defined() || t->type() != dtype::float32 || t->rank() != 1 || (i > 0 && t->size() != channels)) return std::nullopt;
        channels = t->size();
        p[i] = t->data<float>();
    }
    const double epsilon = static_cast<double>(attr_float(n, "epsilon", 1e-5f));
    tensor scale(dtype::float32, {channels}), shift(dtype::float32, {channels});
    for (std::int64_t c = 0; c < channels; ++c) {
        const double a = static_cast<double>(p[0][c]) / std::sqrt(static_cast<double>(p[3][c]) + epsilon);
        scale.mutable_data<float>()[c] = static_cast<float>(a);
        shift.mutable_data<float>()[c] = static_cast<float>(static_cast<double>(p[1][c]) - static_cast<double>(p[2][c]) * a);
    }
    return std::pair{scale, shift};
}

/// BatchNormalization with constant parameters.
class bound_batch_norm final : public bound_kernel {
public:
    bound_batch_norm(const node& n, std::pair<tensor, tensor> line) : node_(n), scale_(std::move(line.first)), shift_(std::move(line.second)) {}
    std::string_view name() const noexcept override { return "scale_channels"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        if (x.type() != dtype::float32 || x.rank() < 2 || x.extent(1) != scale_.size()) return run_reference(node_, io);
        tensor& y = io.output(0, dtype::float32, x.shape());
        const std::int64_t pixels = product(x.shape(), 2, x.rank());
        if (pixels == 1) {
            // One row for each image: two operands of which one is repeated.
            binary_axes axes;
            check(node_, axes.set(x.reshaped({x.extent(0), x.extent(1)}).shape(), scale_.shape()), "shapes do not broadcast");
            apply_binary(binary_function::multiply, axes, x.data<float>(), scale_.data<float>(), y.mutable_data<float>());
            apply_binary(binary_function::add, axes, y.data<float>(), shift_.data<float>(), y.mutable_data<float>());
            return;
        }
        scale_channels(x.extent(0), x.extent(1), pixels, scale_.data<float>(), shift_.data<float>(), x.data<float>(), y.mutable_data<float>());
    }

private:
    const node& node_;
    tensor scale_, shift_;
};

/// ocelli.blocked.InstanceNormalization and BatchNormalization.
class bound_blocked_norm final : public bound_kernel {
public:
    /// `line`: of a BatchNormalization.
    bound_blocked_norm(const graph& g, const node& n, const std::optional<std::pair<tensor, tensor>>& line) : node_(n), batch_(line.has_value()) {
        epsilon_ = static_cast<double>(attr_float(n, "epsilon", 1e-5f));
        channels_ = attr_ints(n, "channels").at(0);
        scale_ = whole_blocks(line ? line->first : g.at(n.inputs[1]).what.constant);
        bias_ = whole_blocks(line ? line->second : g.at(n.inputs[2]).what.constant);
    }
    std::string_view name() const noexcept override { return batch_ ? "blocked_scale_channels" : "blocked_instance_normalize"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        check(node_, x.rank() >= 3 && x.extent(1) * x.shape().back() == scale_.size(), "an image of ", channels_, " channels in blocks expected, got ", text(x));
        tensor& y = io.output(0, dtype::float32, x.shape());
        const std::int64_t pixels = product(x.shape(), 2, x.rank() - 1);
        if (batch_) blocked_scale_channels(x.extent(0), x.extent(1), pixels, scale_.data<float>(), bias_.data<float>(), x.data<float>(), y.mutable_data<float>());
        else
            blocked_instance_normalize(x.extent(0), x.extent(1), pixels, epsilon_, scale_.data<float>(), bias_.data<float>(), x.data<float>(), y.mutable_data<float>());
    }
    double operations(const step_io& io) const override { return 8.0 * static_cast<double>(io.outputs[0]->size()); }

private:
    tensor whole_blocks(const tensor& t) const {
        check(node_, t.defined() && t.type() == dtype::float32 && t.size() == channels_, "parameters of ", channels_, " channels expected");
        const std::int64_t lanes = block_lanes();
        tensor out = tensor::zeros(dtype::float32, {block_count(channels_, lanes) * lanes});
        std::copy_n(t.data<float>(), channels_, out.mutable_data<float>());
        return out;
    }

    const node& node_;
    tensor scale_, bias_;
    std::int64_t channels_ = 0;
    double epsilon_ = 0;
    bool batch_;
};

/// ReduceMean and ReduceSum over the last axes, GlobalAveragePool.
class bound_row_sum final : public bound_kernel {
public:
    bound_row_sum(const node& n, std::optional<dims> axes) : node_(n), axes_(std::move(axes)), pool_(n.op == "GlobalAveragePool"), mean_(n.op != "ReduceSum") {
        keep_ = pool_ || attr_int(n, "keepdims", 1) != 0;
    }
    /// The node's axes; nothing where they are known in a run only.
    static std::optional<bound_row_sum> of(const graph& g, const node& n) {
        if (n.op == "GlobalAveragePool") return bound_row_sum(n, std::nullopt);
        if (has_attribute(n, "axes")) return bound_row_sum(n, attr_ints(n, "axes"));
        if (n.inputs.size() < 2 || n.inputs[1] == no_value) return std::nullopt;
        const tensor& axes = g.at(n.inputs[1]).what.constant;
        if (!axes.defined() || axes.size() == 0 || !is_integer(axes.type())) return std::nullopt;
        return bound_row_sum(n, axes.to_ints());
    }
    std::string_view name() const noexcept override { return mean_ ? "row_mean" : "row_sum"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        if (x.type() != dtype::float32 || x.size() == 0 || (pool_ && x.rank() < 3)) return run_reference(node_, io);
        dims marked(x.rank(), 0);
        if (pool_) std::fill(marked.begin() + 2, marked.end(), 1);
        else
            for (const std::int64_t a : *axes_) marked[normalize_axis(node_, a, x.rank())] = 1;
        std::int64_t rows = 1, n = 1;
        dims shape;
        bool last = true;
        for (std::size_t i = 0; i < x.rank(); ++i) {
            if (marked[i] != 0) n *= x.extent(i);
            else {
                last = last && (n == 1 || x.extent(i) == 1);  // nothing kept behind what is reduced
                rows *= x.extent(i);
            }
            if (marked[i] == 0 || keep_) shape.push_back(marked[i] != 0 ? 1 : x.extent(i));
        }
        if (!last || n < 4) return run_reference(node_, io);
        sum_rows(rows, n, mean_ ? 1.0 / static_cast<double>(n) : 1.0, x.data<float>(), io.output(0, dtype::float32, shape).mutable_data<float>());
    }

private:
    const node& node_;
    std::optional<dims> axes_;
    bool pool_, mean_, keep_ = true;
};

// --- moves ---------------------------------------------------------------------------------------------------------------

/// The integers of an input that holds a list; none where it is absent.
inline dims ints_of(const step_io& io, std::size_t i) {
    dims out;
    if (i >= io.inputs.size() || io.inputs[i] == nullptr) return out;
    const tensor& t = *io.inputs[i];
    if (t.type() == dtype::int64) out.assign(t.data<std::int64_t>(), t.data<std::int64_t>() + t.size());
    else
        for (const std::int64_t v : t.to_ints()) out.push_back(v);
    return out;
}

class bound_transpose final : public bound_kernel {
public:
    explicit bound_transpose(const node& n) : node_(n) {}
    std::string_view name() const noexcept override { return "move_transpose"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        const std::size_t rank = x.rank();
        const dims perm = has_attribute(node_, "perm") ? attr_ints(node_, "perm") : reversed(rank);
        dims shape;
        move_axes axes;
        dims seen(rank, 0);
        bool fits = x.type() == dtype::float32 && perm.size() == rank;
        const dims from = dense_strides(x.shape());
        for (std::size_t i = 0; fits && i < rank; ++i) {
            const std::size_t axis = normalize_axis(node_, perm[i], rank);
            fits = seen[axis] == 0;
            seen[axis] = 1;
            shape.push_back(x.extent(axis));
        }
        if (!fits) return run_reference(node_, io);
        const dims to = dense_strides(shape);
        for (std::size_t i = 0; fits && i < rank; ++i) fits = axes.push(shape[i], from[normalize_axis(node_, perm[i], rank)], to[i]);
        if (!fits) return run_reference(node_, io);
        tensor& y = io.output(0, dtype::float32, shape);
        move_floats(axes, x.data<float>(), y.mutable_data<float>());
    }

private:
    static dims reversed(std::size_t rank) {
        dims out(rank);
        for (std::size_t i = 0; i < rank; ++i) out[i] = static_cast<std::int64_t>(rank - 1 - i);
        return out;
    }
    const node& node_;
};

class bound_concat final : public bound_kernel {
public:
    explicit bound_concat(const node& n) : node_(n) {}
    std::string_view name() const noexcept override { return "move_concat"; }
    void run(const step_io& io) const override {
        const tensor& first = *io.inputs[0];
        if (!all_float32(io) || first.rank() == 0) return run_reference(node_, io);
        const std::size_t axis = concat_axis(node_, first.rank());
        dims shape = first.shape();
        shape[axis] = 0;
        for (const tensor* x : io.inputs) {
            bool fits = x != nullptr && x->rank() == first.rank();
            for (std::size_t d = 0; fits && d < x->rank(); ++d) fits = d == axis || x->extent(d) == shape[d];
            if (!fits) return run_reference(node_, io);  // which says why
            shape[axis] += x->extent(axis);
        }
        tensor& y = io.output(0, dtype::float32, shape);
        const std::int64_t outer = product(shape, 0, axis), pitch = product(shape, axis, shape.size());
        float* to = y.mutable_data<float>();
        for (const tensor* x : io.inputs) {
            const std::int64_t length = product(x->shape(), axis, x->rank());
            move_axes axes;
            axes.push(outer, length, pitch);
            axes.push(length, 1, 1);
            move_floats(axes, x->data<float>(), to);
            to += length;
        }
    }

private:
    const node& node_;
};

class bound_split final : public bound_kernel {
public:
    explicit bound_split(const node& n) : node_(n) {}
    std::string_view name() const noexcept override { return "move_split"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        if (x.type() != dtype::float32 || x.rank() == 0) return run_reference(node_, io);
        const std::size_t axis = normalize_axis(node_, attr_int(node_, "axis", 0), x.rank());
        const std::int64_t extent = x.extent(axis), count = static_cast<std::int64_t>(io.outputs.size());
        dims parts = has_attribute(node_, "split") ? attr_ints(node_, "split") : ints_of(io, 1);
        if (parts.empty()) {
            if (node_.opset < 18 && extent % count != 0) return run_reference(node_, io);
            const std::int64_t part = (extent + count - 1) / count;
            for (std::int64_t i = 0; i < count; ++i) parts.push_back(std::clamp<std::int64_t>(extent - i * part, 0, part));
        }
        std::int64_t total = 0;
        bool fits = parts.size() == io.outputs.size() && attr_int(node_, "num_outputs", count) == count;
        for (const std::int64_t p : parts) {
            fits = fits && p >= 0 && p <= extent;
            if (fits) total += p;
        }
        if (!fits || total != extent) return run_reference(node_, io);
        const std::int64_t outer = product(x.shape(), 0, axis), inner = product(x.shape(), axis + 1, x.rank());
        const float* from = x.data<float>();
        for (std::size_t i = 0; i < parts.size(); from += parts[i] * inner, ++i) {
            if (io.outputs[i] == nullptr) continue;
            dims shape = x.shape();
            shape[axis] = parts[i];
            tensor& y = io.output(i, dtype::float32, shape);
            move_axes axes;
            axes.push(outer, extent * inner, parts[i] * inner);
            axes.push(parts[i] * inner, 1, 1);
            move_floats(axes, from, y.mutable_data<float>());
        }
    }

private:
    const node& node_;
};

/// Slice with positive steps.
class bound_slice final : public bound_kernel {
public:
    explicit bound_slice(const node& n) : node_(n) {}
    std::string_view name() const noexcept override { return "move_slice"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        const bool old = node_.opset < 10;
        const auto starts = old ? attr_ints(node_, "starts") : ints_of(io, 1), ends = old ? attr_ints(node_, "ends") : ints_of(io, 2);
        auto which = old ? attr_ints(node_, "axes", dims()) : ints_of(io, 3), steps = old ? dims() : ints_of(io, 4);
        if (which.empty())
            for (std::size_t i = 0; i < starts.size(); ++i) which.push_back(static_cast<std::int64_t>(i));
        if (steps.empty()) steps.assign(starts.size(), 1);
        bool fits = x.type() == dtype::float32 && ends.size() == starts.size() && which.size() == starts.size() && steps.size() == starts.size();
        if (!fits) return run_reference(node_, io);
        dims shape = x.shape(), first(x.rank(), 0), step(x.rank(), 1);
        dims cut(x.rank(), 0);
        for (std::size_t i = 0; i < which.size(); ++i) {
            const std::size_t axis = normalize_axis(node_, which[i], x.rank());
            const std::int64_t extent = x.extent(axis);
            if (cut[axis] != 0 || steps[i] < 1) return run_reference(node_, io);
            cut[axis] = 1;
            const auto place = [&](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? (at < -extent ? 0 : at + extent) : at, 0, extent); };
            const std::int64_t begin = place(starts[i]), end = place(ends[i]);
            first[axis] = begin;
            shape[axis] = end > begin ? (end - begin - 1) / steps[i] + 1 : 0;
            step[axis] = shape[axis] > 1 ? steps[i] : 1;
        }
        const dims from = dense_strides(x.shape()), to = dense_strides(shape);
        move_axes axes;
        std::int64_t at = 0;
        for (std::size_t i = 0; fits && i < x.rank(); ++i) {
            at += first[i] * from[i];
            fits = axes.push(shape[i], from[i] * step[i], to[i]);
        }
        if (!fits) return run_reference(node_, io);
        tensor& y = io.output(0, dtype::float32, shape);
        if (y.size() != 0) move_floats(axes, x.data<float>() + at, y.mutable_data<float>());
    }

private:
    const node& node_;
};

/// Expand and Tile.
class bound_repeat final : public bound_kernel {
public:
    explicit bound_repeat(const node& n) : node_(n), tile_(n.op == "Tile") {}
    std::string_view name() const noexcept override { return "move_repeat"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        const dims wanted = ints_of(io, 1);
        bool fits = x.type() == dtype::float32 && (!tile_ || wanted.size() == x.rank());
        for (const std::int64_t e : wanted) fits = fits && e >= 0;
        if (!fits) return run_reference(node_, io);
        dims shape;
        if (tile_)
            for (std::size_t i = 0; i < x.rank(); ++i) shape.push_back(element_count({x.extent(i), wanted[i]}));
        else shape = broadcast_shape(node_, x.shape(), wanted);
        tensor& y = io.output(0, dtype::float32, shape);  // first: it knows whether the extents' product is too large
        const dims to = dense_strides(shape), from = tile_ ? dense_strides(x.shape()) : broadcast_strides(x.shape(), shape);
        move_axes axes;
        for (std::size_t i = 0; fits && i < shape.size(); ++i) {
            if (tile_) fits = axes.push(wanted[i], 0, x.extent(i) * to[i]) && axes.push(x.extent(i), from[i], to[i]);
            else fits = axes.push(shape[i], from[i], to[i]);
        }
        if (!fits) return run_reference(node_, io);
        if (y.size() != 0) move_floats(axes, x.data<float>(), y.mutable_data<float>());
    }

private:
    const node& node_;
    bool tile_;
};

class bound_gather final : public bound_kernel {
public:
    explicit bound_gather(const node& n) : node_(n) {}
    std::string_view name() const noexcept override { return "move_gather"; }
    void run(const step_io& io) const override {
        const tensor &x = *io.inputs[0], &index = *io.inputs[1];
        if (x.type() != dtype::float32 || x.rank() == 0 || (index.type() != dtype::int64 && index.type() != dtype::int32)) return run_reference(node_, io);
        const std::size_t axis = normalize_axis(node_, attr_int(node_, "axis", 0), x.rank());
        const std::int64_t extent = x.extent(axis);
        // Indices from the front can be used where they lie.
        bool plain = index.type() == dtype::int64;
        if (plain)
            for (const std::int64_t p : index.values<std::int64_t>()) plain = plain && p >= 0 && p < extent;
        std::vector<std::int64_t> counted;
        if (!plain) {
            counted = index.to_ints();
            for (std::int64_t& p : counted) {
                check(node_, p >= -extent && p < extent, "index ", p, " is outside an axis of extent ", extent);
                if (p < 0) p += extent;
            }
        }
        const std::span<const std::int64_t> places = plain ? index.values<std::int64_t>() : std::span<const std::int64_t>(counted);
        const auto at = x.shape().begin() + static_cast<std::ptrdiff_t>(axis);
        dims shape(x.shape().begin(), at);
        shape.insert(shape.end(), index.shape().begin(), index.shape().end());
        shape.insert(shape.end(), at + 1, x.shape().end());
        tensor& y = io.output(0, dtype::float32, shape);
        gather_floats(product(x.shape(), 0, axis), extent, product(x.shape(), axis + 1, x.rank()), places, x.data<float>(), y.mutable_data<float>());
    }

private:
    const node& node_;
};

/// Pad with a constant.
class bound_pad final : public bound_kernel {
public:
    explicit bound_pad(const node& n) : node_(n) {}
    std::string_view name() const noexcept override { return "move_pad"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        const std::size_t rank = x.rank();
        const auto given = node_.opset < 11 ? attr_ints(node_, "pads") : ints_of(io, 1);
        const tensor* value = node_.opset >= 11 && io.inputs.size() > 2 ? io.inputs[2] : nullptr;
        auto which = ints_of(io, 3);
        if (io.inputs.size() <= 3 || io.inputs[3] == nullptr)
            for (std::size_t i = 0; i < rank; ++i) which.push_back(static_cast<std::int64_t>(i));
        bool fits = x.type() == dtype::float32 && given.size() == 2 * which.size() && (value == nullptr || (value->type() == dtype::float32 && value->size() == 1));
        for (const std::int64_t p : given) fits = fits && p > -(std::int64_t{1} << 40) && p < (std::int64_t{1} << 40);
        if (!fits) return run_reference(node_, io);
        dims shape = x.shape(), count = x.shape(), first(rank, 0), into(rank, 0);
        dims seen(rank, 0);
        for (std::size_t i = 0; i < which.size(); ++i) {
            const std::size_t axis = normalize_axis(node_, which[i], rank);
            const std::int64_t before = given[i], after = given[i + which.size()], extent = x.extent(axis);
            shape[axis] = extent + before + after;
            if (seen[axis] != 0 || shape[axis] < 0) return run_reference(node_, io);
            seen[axis] = 1;
            first[axis] = std::min(extent, std::max<std::int64_t>(0, -before));
            into[axis] = std::max<std::int64_t>(0, before);
            count[axis] = std::max<std::int64_t>(0, extent - first[axis] - std::max<std::int64_t>(0, -after));
        }
        tensor& y = io.output(0, dtype::float32, shape);  // first: it knows whether the extents' product is too large
        const dims from = dense_strides(x.shape()), to = dense_strides(shape);
        move_axes axes;
        std::int64_t read = 0, write = 0;
        for (std::size_t i = 0; fits && i < rank; ++i) {
            read += first[i] * from[i];
            write += into[i] * to[i];
            fits = axes.push(count[i], from[i], to[i]);
        }
        if (!fits) return run_reference(node_, io);
        const float fill = node_.opset < 11 ? attr_float(node_, "value", 0.0f) : value != nullptr ? *value->data<float>() : 0.0f;
        if (shape != x.shape()) fill_floats(y.size(), fill, y.mutable_data<float>());
        if (y.size() != 0 && !axes.empty) move_floats(axes, x.data<float>() + read, y.mutable_data<float>() + write);
    }

private:
    const node& node_;
};

inline std::unique_ptr<bound_kernel> bind_move(const node& n) {
    if (n.op == "Transpose") return std::make_unique<bound_transpose>(n);
    if (n.op == "Concat") return std::make_unique<bound_concat>(n);
    if (n.op == "Split" && n.opset >= 2) return std::make_unique<bound_split>(n);
    if (n.op == "Slice") return std::make_unique<bound_slice>(n);
    if (n.op == "Expand" || n.op == "Tile") return std::make_unique<bound_repeat>(n);
    if (n.op == "Gather") return std::make_unique<bound_gather>(n);
    if (n.op == "Pad" && n.opset >= 2 && attr_string(n, "mode", "constant") == "constant") return std::make_unique<bound_pad>(n);
    return nullptr;
}

OCELLI_INLINE std::unique_ptr<bound_kernel> bind_pointwise(const graph& g, const node& n, weight_cache&) {
    if (!n.domain.empty() || n.outputs.empty() || n.outputs[0] == no_value) return nullptr;
    if (const auto unary = choose_unary(g, n)) return std::make_unique<bound_unary>(n, *unary);
    if (const auto binary = choose_binary(n)) return std::make_unique<bound_binary>(n, *binary);
    if (n.op == "Resize" || n.op == "Upsample") return std::make_unique<bound_resize>(n, false);
    if (n.op == "GridSample" && bound_grid_sample::takes(n)) return std::make_unique<bound_grid_sample>(n);
    if (n.op == "LayerNormalization") return std::make_unique<bound_layer_norm>(n);
    if (n.op == "InstanceNormalization" || n.op == "GroupNormalization") return std::make_unique<bound_instance_norm>(n);
    if (n.op == "BatchNormalization")
        if (auto line = batch_norm_line(g, n)) return std::make_unique<bound_batch_norm>(n, *std::move(line));
    if (n.op == "ReduceMean" || n.op == "ReduceSum" || n.op == "GlobalAveragePool")
        if (auto sum = bound_row_sum::of(g, n)) return std::make_unique<bound_row_sum>(*std::move(sum));
    if (n.op == "Softmax") return std::make_unique<bound_softmax>(n);
    return bind_move(n);
}

OCELLI_INLINE std::unique_ptr<bound_kernel> bind_blocked_pointwise(const graph& g, const node& n) {
    if (n.op == "Resize" || n.op == "Upsample") return std::make_unique<bound_resize>(n, true);
    if (n.op == "InstanceNormalization") return std::make_unique<bound_blocked_norm>(g, n, std::nullopt);
    if (n.op == "BatchNormalization")
        if (const auto line = batch_norm_line(g, plain_form(n))) return std::make_unique<bound_blocked_norm>(g, n, line);
    return nullptr;
}

}  // namespace ocelli::nn::detail
