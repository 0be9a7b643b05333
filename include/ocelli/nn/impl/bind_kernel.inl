#pragma once

#include <ocelli/nn/kernels/conv.hpp>
#include <ocelli/nn/ops/fused.hpp>
#include <ocelli/nn/ops/support.hpp>
#include <ocelli/nn/plan.hpp>

#include <array>

namespace ocelli::nn {

namespace detail {

/// ocelli.Conv on the product or depthwise kernel. The layer's extents come with the input: a new shape re-plans nothing here.
class bound_conv final : public bound_kernel {
public:
    bound_conv(const graph& g, const node& n, weight_cache& cache) : node_(n), weights_(g.at(n.inputs[1]).what.constant) {
        const std::size_t spatial = weights_.rank() - 2;
        layer_.group = attr_int(n, "group", 1);
        layer_.filters = weights_.extent(0);
        layer_.channels = weights_.extent(1) * layer_.group;
        layer_.kernel_height = spatial == 2 ? weights_.extent(2) : 1;
        layer_.kernel_width = weights_.extent(1 + spatial);
        check(n, layer_.group >= 1 && layer_.filters % layer_.group == 0, "weights of ", layer_.filters, " filters do not divide into ", layer_.group,
              " groups");
        kernel_extents_.assign(weights_.shape().begin() + 2, weights_.shape().end());
        check(n, attr_ints(n, "kernel_shape", kernel_extents_) == kernel_extents_, "kernel_shape contradicts the weights' shape ", text(weights_));
        epilogue_.function = parse_activation(attr_string(n, "activation", "none"));
        epilogue_.alpha = attr_float(n, "alpha", 0);
        epilogue_.beta = attr_float(n, "beta", 0);
        if (n.inputs.size() > 2 && n.inputs[2] != no_value) bias_ = g.at(n.inputs[2]).what.constant;
        if (n.inputs.size() > 4 && n.inputs[4] != no_value) slope_ = g.at(n.inputs[4]).what.constant;
        if (bias_.defined()) epilogue_.row_bias = bias_.data<float>();
        if (slope_.defined()) epilogue_.row_slope = slope_.data<float>();
        name_ = attr_string(n, "kernel");
        depthwise_ = name_ == "conv_depthwise";
        if (depthwise_) return;
        packed_ = cache.get(weights_, ocelli::detail::concat("gemm/", layer_.group), [&] {
            tensor packed(dtype::float32, {conv_gemm_packed_size(layer_)});
            conv_gemm_pack(layer_, weights_.data<float>(), packed.mutable_data<float>());
            return packed;
        });
    }

    std::string_view name() const noexcept override { return name_; }

    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        const conv_layer l = layer_of(x);
        dims shape = {l.batch, l.filters};
        if (kernel_extents_.size() == 2) shape.push_back(l.out_height);
        shape.push_back(l.out_width);
        tensor& y = io.output(0, dtype::float32, shape);
        gemm_epilogue e = epilogue_;
        if (io.inputs.size() > 3 && io.inputs[3] != nullptr) {
            check(node_, io.inputs[3]->shape() == shape, "shapes ", ocelli::detail::shape_text(shape), " and ",
                  ocelli::detail::shape_text(io.inputs[3]->shape()), " of the fused Add differ");
            e.addend = io.inputs[3]->data<float>();
        }
        if (depthwise_) conv_depthwise(l, x.data<float>(), weights_.data<float>(), e, y.mutable_data<float>());
        else conv_gemm(l, x.data<float>(), packed_.data<float>(), e, y.mutable_data<float>());
    }

    double operations(const step_io& io) const override {
        return 2.0 * static_cast<double>(io.outputs[0]->size()) * static_cast<double>(weights_.size() / weights_.extent(0));
    }

private:
    conv_layer layer_of(const tensor& x) const {
        const std::size_t spatial = kernel_extents_.size();
        check(node_, x.rank() == spatial + 2 && x.extent(1) == layer_.channels, "input must have shape (N, ", layer_.channels, ", ...) with ", spatial,
              " spatial axes, got ", ocelli::detail::shape_text(x.shape()));
        const dims extents(x.shape().begin() + 2, x.shape().end());
        const windows w = window_geometry(node_, extents, kernel_extents_);
        const std::size_t last = spatial - 1;
        conv_layer l = layer_;
        l.batch = x.extent(0);
        l.width = extents[last];
        l.out_width = w.output[last];
        l.stride_x = w.strides[last];
        l.dilation_x = w.dilations[last];
        l.pad_left = w.pads_begin[last];
        if (spatial == 2) {
            l.height = extents[0];
            l.out_height = w.output[0];
            l.stride_y = w.strides[0];
            l.dilation_y = w.dilations[0];
            l.pad_top = w.pads_begin[0];
        }
        return l;
    }

    const node& node_;
    tensor weights_, bias_, slope_, packed_;
    dims kernel_extents_;
    conv_layer layer_;
    gemm_epilogue epilogue_;
    std::string name_;
    bool depthwise_ = false;
};

}  // namespace detail

OCELLI_INLINE std::unique_ptr<bound_kernel> bind_kernel(const graph& g, const node& n, weight_cache& weights) {
    if (n.domain == "ocelli" && n.op == "Conv" && has_attribute(n, "kernel") && g.at(n.inputs[0]).what.type == dtype::float32)
        return std::make_unique<detail::bound_conv>(g, n, weights);
    return nullptr;
}

}  // namespace ocelli::nn
