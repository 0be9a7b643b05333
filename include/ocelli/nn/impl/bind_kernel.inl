#pragma once

#include <ocelli/nn/detail/bound.hpp>
#include <ocelli/nn/kernels/conv.hpp>
#include <ocelli/nn/ops/conv_transpose.hpp>
#include <ocelli/nn/ops/fused.hpp>
#include <ocelli/nn/plan.hpp>

namespace ocelli::nn {

namespace detail {

/// ocelli.Conv on the product or depthwise kernel. The layer's extents come with the input: a new shape re-plans nothing here.
class bound_conv final : public bound_kernel {
public:
    bound_conv(const graph& g, const node& n, weight_cache& cache) : node_(n), weights_(g.at(n.inputs[1]).what.constant) {
        layer_ = layer_of_weights(n, weights_);
        windows_ = read_windows(n, {weights_.shape().begin() + 2, weights_.shape().end()});
        read_activation(n, epilogue_);
        if (n.inputs.size() > 2 && n.inputs[2] != no_value) bias_ = g.at(n.inputs[2]).what.constant;
        if (n.inputs.size() > 4 && n.inputs[4] != no_value) slope_ = g.at(n.inputs[4]).what.constant;
        if (bias_.defined()) epilogue_.row_bias = bias_.data<float>();
        if (slope_.defined()) epilogue_.row_slope = slope_.data<float>();
        name_ = attr_string(n, "kernel");
        depthwise_ = name_ == "conv_depthwise";
        if (depthwise_) return;
        packed_ = cache.get(weights_, ocelli::detail::concat("gemm/", layer_.group), [&] {
            tensor packed(dtype::float32, {conv_gemm_packed_size(layer_)});
            conv_gemm_pack(layer_, static_cast<const float*>(weights_.once().stored()), packed.mutable_data<float>());
            return packed;
        });
    }

    std::string_view name() const noexcept override { return name_; }

    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        const conv_layer l = layer_of(x);
        dims shape = {l.batch, l.filters};
        if (windows_.kernel.size() == 2) shape.push_back(l.out_height);
        shape.push_back(l.out_width);
        tensor& y = io.output(0, dtype::float32, shape);
        gemm_epilogue e = epilogue_;
        if (io.inputs.size() > 3 && io.inputs[3] != nullptr) {
            check(node_, io.inputs[3]->shape() == shape, "shapes ", shape, " and ",
                  io.inputs[3]->shape(), " of the fused Add differ");
            e.addend = io.inputs[3]->data<float>();
        }
        if (depthwise_ && !window_fits(l)) return run_reference(node_, io);
        if (depthwise_) conv_depthwise(l, x.data<float>(), weights_.data<float>(), e, y.mutable_data<float>());
        else conv_gemm(l, x.data<float>(), packed_.data<float>(), e, y.mutable_data<float>());
    }

    double operations(const step_io& io) const override {
        return 2.0 * static_cast<double>(io.outputs[0]->size()) * static_cast<double>(weights_.size() / weights_.extent(0));
    }

private:
    conv_layer layer_of(const tensor& x) const {
        const std::size_t spatial = windows_.kernel.size();
        check(node_, x.rank() == spatial + 2 && x.extent(1) == layer_.channels, "input must have shape (N, ", layer_.channels, ", ...) with ", spatial,
              " spatial axes, got ", x.shape());
        const dims extents(x.shape().begin() + 2, x.shape().end());
        return with_windows(layer_, x, windows_over(node_, windows_, extents));
    }

    const node& node_;
    tensor weights_, bias_, slope_, packed_;
    window_attributes windows_;
    conv_layer layer_;
    gemm_epilogue epilogue_;
    std::string name_;
    bool depthwise_ = false;
};

/// MaxPool without indices, and AveragePool, on planes.
class bound_pool final : public bound_pooling {
public:
    using bound_pooling::bound_pooling;
    std::string_view name() const noexcept override { return average_ ? "pool_average" : "pool_max"; }

    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        check(node_, x.rank() == windows_.kernel.size() + 2, "input must have shape (N, C, ...) with ", windows_.kernel.size(), " spatial axes, got ", x);
        const windows w = windows_over(node_, windows_, {x.shape().begin() + 2, x.shape().end()});
        conv_layer l = with_windows({}, x, w);
        l.channels = l.filters = l.group = x.extent(1);
        // A few wide windows: the kernel's vectors run along the results of a row, the reference along the elements of a window.
        const bool few = l.out_width < 4 && l.kernel_width > 2 * l.out_width;
        if (few || !window_fits(l)) return run_reference(node_, io);
        tensor& y = io.output(0, dtype::float32, image_shape(l.batch, l.channels, w.output));
        if (!average_) return max_pool(l, x.data<float>(), y.mutable_data<float>());
        average_pool(l, x.data<float>(), row_counts(w, x).data(), column_counts(w, x).data(), y.mutable_data<float>());
    }
};

/// ocelli.ConvTranspose on planes.
class bound_conv_transpose final : public bound_kernel {
public:
    bound_conv_transpose(const graph& g, const node& n) : node_(n), weights_(*constant(g, n, 1)) {
        layer_ = layer_of_weights(n, weights_);
        kernel_.assign(weights_.shape().begin() + 2, weights_.shape().end());
        if (const tensor* bias = constant(g, n, 2)) bias_ = *bias;
        if (bias_.defined()) epilogue_.row_bias = bias_.data<float>();
        read_activation(n, epilogue_);
    }

    std::string_view name() const noexcept override { return "conv_transpose"; }

    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        const std::size_t spatial = kernel_.size();
        check(node_, x.rank() == spatial + 2 && x.extent(1) == layer_.filters, "input must have shape (N, ", layer_.filters, ", ...) with ", spatial,
              " spatial axes, got ", x);
        const windows w = transposed_geometry(node_, {x.shape().begin() + 2, x.shape().end()}, kernel_);
        conv_layer l = with_windows(layer_, x, w);
        // The convolution that this one turns around goes from y to x.
        std::swap(l.width, l.out_width);
        std::swap(l.height, l.out_height);
        if (!conv_transpose_fits(l)) return run_reference(node_, io);
        tensor& y = io.output(0, dtype::float32, image_shape(l.batch, l.channels, w.output));
        conv_transpose(l, x.data<float>(), weights_.data<float>(), epilogue_, y.mutable_data<float>());
    }

    double operations(const step_io& io) const override {
        return 2.0 * static_cast<double>(io.inputs[0]->size()) * static_cast<double>(weights_.size() / weights_.extent(0));
    }

private:
    static const tensor* constant(const graph& g, const node& n, std::size_t i) {
        if (i >= n.inputs.size() || n.inputs[i] == no_value) return nullptr;
        const tensor& t = g.at(n.inputs[i]).what.constant;
        return t.defined() ? &t : nullptr;
    }

    const node& node_;
    tensor weights_, bias_;
    dims kernel_;
    conv_layer layer_;
    gemm_epilogue epilogue_;
};

}  // namespace detail

OCELLI_INLINE std::unique_ptr<bound_kernel> bind_kernel(const graph& g, const node& n, weight_cache& weights) {
    if (n.inputs.empty() || n.inputs[0] == no_value) return nullptr;
    if (auto kernel = detail::bind_by_shape(g, n)) return kernel;
    if (auto kernel = detail::bind_select(g, n)) return kernel;
    if (auto kernel = detail::bind_find(g, n)) return kernel;
    if (auto kernel = detail::bind_quantized(g, n, weights)) return kernel;
    if (g.at(n.inputs[0]).what.type != dtype::float32) return nullptr;
    if (n.domain == "ocelli" && n.op == "ConvTranspose" && has_attribute(n, "kernel")) return std::make_unique<detail::bound_conv_transpose>(g, n);
    if (n.domain == "ocelli" && n.op == "Conv" && has_attribute(n, "kernel")) return std::make_unique<detail::bound_conv>(g, n, weights);
    if (n.op == "MatMul") return detail::bind_product(g, n, weights);
    if (auto kernel = detail::bind_recurrent(g, n, weights)) return kernel;
    if (n.domain == "ocelli" && n.op == "Attention") return detail::bind_attention(n);
    if (n.domain == "ocelli" && n.op == "FakeQuantize") return detail::bind_pointwise(g, n);
    if (!n.domain.empty()) return detail::bind_blocked(g, n, weights);
    if (n.op == "AveragePool" || (n.op == "MaxPool" && n.outputs.size() == 1)) {
        const std::size_t axes = attr_ints(n, "kernel_shape").size();
        if (axes == 1 || axes == 2) return std::make_unique<detail::bound_pool>(n);
    }
    if (n.outputs.empty() || n.outputs[0] == no_value) return nullptr;
    for (const auto family : {detail::bind_pointwise, detail::bind_normalize, detail::bind_resample, detail::bind_move})
        if (auto kernel = family(g, n)) return kernel;
    return nullptr;
}

}  // namespace ocelli::nn
