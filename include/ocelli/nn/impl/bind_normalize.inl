#pragma once

#include <ocelli/nn/detail/bound.hpp>
#include <ocelli/nn/ops/detail/batch_norm.hpp>
#include <ocelli/nn/kernels/blocked.hpp>
#include <ocelli/nn/kernels/elementwise.hpp>
#include <ocelli/nn/kernels/normalize.hpp>
#include <ocelli/nn/ops/blocked.hpp>

#include <cmath>
#include <optional>
#include <utility>

namespace ocelli::nn::detail {

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
    const auto lines = batch_norm_lines(g, n);
    if (!lines) return std::nullopt;
    const dims shape{static_cast<std::int64_t>(lines->size())};
    tensor scale(dtype::float32, shape), shift(dtype::float32, shape);
    for (std::size_t c = 0; c < lines->size(); ++c) {
        const channel_line& line = (*lines)[c];
        scale.mutable_data<float>()[c] = static_cast<float>(line.factor);
        shift.mutable_data<float>()[c] = static_cast<float>(line.bias - line.mean * line.factor);
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

/// ReduceMean, ReduceSum, ReduceMax, ReduceMin, ReduceL2 and ReduceSumSquare over neighbouring axes, GlobalAveragePool, GlobalMaxPool.
class bound_row_reduction final : public bound_kernel {
public:
    bound_row_reduction(const node& n, std::optional<dims> axes) : node_(n), axes_(std::move(axes)), pool_(n.op == "GlobalAveragePool" || n.op == "GlobalMaxPool") {
        what_ = n.op == "ReduceSum" ? sum : n.op == "ReduceL2" ? length : n.op == "ReduceSumSquare" ? squares : n.op == "ReduceMin" ? smallest : n.op == "ReduceMax" || n.op == "GlobalMaxPool" ? largest : mean;
        keep_ = pool_ || attr_int(n, "keepdims", 1) != 0;
    }
    /// The node's axes; nothing where they are known in a run only.
    static std::optional<bound_row_reduction> of(const graph& g, const node& n) {
        if (n.op == "GlobalAveragePool" || n.op == "GlobalMaxPool") return bound_row_reduction(n, std::nullopt);
        if (has_attribute(n, "axes")) return bound_row_reduction(n, attr_ints(n, "axes"));
        if (n.inputs.size() < 2 || n.inputs[1] == no_value) return std::nullopt;
        const tensor& axes = g.at(n.inputs[1]).what.constant;
        if (!axes.defined() || axes.size() == 0 || !is_integer(axes.type())) return std::nullopt;
        return bound_row_reduction(n, axes.to_ints());
    }
    std::string_view name() const noexcept override {
        constexpr std::string_view names[] = {"row_mean", "row_sum", "row_max", "row_min", "row_length", "row_squares"};
        return names[what_];
    }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        if (x.type() != dtype::float32 || x.size() == 0 || (pool_ && x.rank() < 3)) return run_reference(node_, io);
        dims marked(x.rank(), 0);
        if (pool_) std::fill(marked.begin() + 2, marked.end(), 1);
        else
            for (const std::int64_t a : *axes_) marked[normalize_axis(node_, a, x.rank())] = 1;
        std::int64_t rows = 1, n = 1, inner = 1;
        dims shape;
        bool inside = false, behind = false;  // of the axes that are reduced
        for (std::size_t i = 0; i < x.rank(); ++i) {
            if (x.extent(i) != 1) {
                if (marked[i] != 0 && behind) return run_reference(node_, io);
                if (marked[i] != 0) inside = true;
                else behind = inside;
                (marked[i] != 0 ? n : behind ? inner : rows) *= x.extent(i);
            }
            if (marked[i] == 0 || keep_) shape.push_back(marked[i] != 0 ? 1 : x.extent(i));
        }
        const bool extreme = what_ == largest || what_ == smallest, squared = what_ == length || what_ == squares;
        if (inner == 1 ? n < 4 : inner < 4) return run_reference(node_, io);
        float* y = io.output(0, dtype::float32, shape).mutable_data<float>();
        const float factor = what_ == mean ? 1.0f / static_cast<float>(n) : 1.0f;
        if (inner != 1) {
            const binary_function f = what_ == largest ? binary_function::maximum : what_ == smallest ? binary_function::minimum : binary_function::add;
            fold_middle(f, squared, rows, n, inner, factor, x.data<float>(), y);
            if (what_ == length) apply_unary(unary_function::sqrt, 0, 0, rows * inner, y, y);
            return;
        }
        if (squared) return sum_squares_of_rows(what_ == length, rows, n, x.data<float>(), y);
        if (extreme) return extreme_of_rows(what_ == largest, rows, n, x.data<float>(), y);
        sum_rows(rows, n, what_ == mean ? 1.0 / static_cast<double>(n) : 1.0, x.data<float>(), y);
    }

private:
    const node& node_;
    enum reduction { mean, sum, largest, smallest, length, squares };
    std::optional<dims> axes_;
    reduction what_ = mean;
    bool pool_, keep_ = true;
};

OCELLI_INLINE std::unique_ptr<bound_kernel> bind_normalize(const graph& g, const node& n) {
    if (n.op == "Softmax") return std::make_unique<bound_softmax>(n);
    if (n.op == "LayerNormalization") return std::make_unique<bound_layer_norm>(n);
    if (n.op == "InstanceNormalization" || n.op == "GroupNormalization") return std::make_unique<bound_instance_norm>(n);
    if (n.op == "BatchNormalization")
        if (auto line = batch_norm_line(g, n)) return std::make_unique<bound_batch_norm>(n, *std::move(line));
    for (const std::string_view op : std::initializer_list<std::string_view>{"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceSumSquare", "GlobalAveragePool", "GlobalMaxPool"})
        if (n.op == op)
            if (auto reduction = bound_row_reduction::of(g, n)) return std::make_unique<bound_row_reduction>(*std::move(reduction));
    return nullptr;
}

OCELLI_INLINE std::unique_ptr<bound_kernel> bind_blocked_normalize(const graph& g, const node& n) {
    if (n.op == "InstanceNormalization") return std::make_unique<bound_blocked_norm>(g, n, std::nullopt);
    if (n.op == "BatchNormalization")
        if (const auto line = batch_norm_line(g, plain_form(n))) return std::make_unique<bound_blocked_norm>(g, n, line);
    return nullptr;
}

}  // namespace ocelli::nn::detail
