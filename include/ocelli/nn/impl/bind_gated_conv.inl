#pragma once

#include <ocelli/nn/detail/blocks.hpp>
#include <ocelli/nn/detail/bound.hpp>
#include <ocelli/nn/kernels/gated_conv.hpp>
#include <ocelli/nn/ops/blocked.hpp>
#include <ocelli/nn/ops/fused.hpp>

namespace ocelli::nn::detail {

/// ocelli.blocked.GatedConv.
class bound_gated_conv final : public bound_kernel {
public:
    bound_gated_conv(const graph& g, const node& n, weight_cache& cache) : node_(n) {
        const auto constant = [&](std::size_t i) { return n.inputs[i] != no_value ? &g.at(n.inputs[i]).what.constant : nullptr; };
        const tensor& w = *constant(1);
        layer_ = layer_of_weights(n, w);
        check(n, w.rank() == 4 && w.extent(2) == 1 && w.extent(3) == 1 && layer_.group == 1, "a pointwise convolution expected, got weights ", w.shape());
        windows_ = read_windows(n, {1, 1});
        weights_ = packed_pointwise(cache, layer_, w);
        bias_ = in_whole_blocks(constant(2), layer_.filters);
        slope_ = in_whole_blocks(constant(4), layer_.filters);
        read_activation(n, epilogue_);
        epilogue_.bias = bias_.data<float>();
        epilogue_.slope = slope_.data<float>();
    }

    std::string_view name() const noexcept override { return "blocked_gated"; }

    void run(const step_io& io) const override {
        const tensor &x = *io.inputs[0], &gate = *io.inputs[5];
        check_blocks(node_, x, layer_.channels);
        check(node_, x.rank() == 5, "an image with two axes expected, got ", x);
        check_gate(node_, x, gate);
        const conv_layer l = with_windows(layer_, x, windows_over(node_, windows_, {x.extent(2), x.extent(3)}));
        dims shape = x.shape();
        shape[1] = block_count(layer_.filters, block_lanes());
        check(node_, l.out_height == l.height && l.out_width == l.width, "a convolution pixel by pixel expected");
        tensor& y = io.output(0, dtype::float32, shape);
        blocked_epilogue e = epilogue_;
        if (io.inputs[3] != nullptr) {
            check(node_, io.inputs[3]->shape() == shape, "shapes ", shape, " and ", io.inputs[3]->shape(), " of the fused Add differ");
            e.addend = io.inputs[3]->data<float>();
        }
        blocked_gated_conv(l, x.data<float>(), gate.data<float>(), weights_.data<float>(), e, y.mutable_data<float>());
    }

    double operations(const step_io& io) const override {
        return 2 * static_cast<double>(layer_.channels * layer_.filters) * static_cast<double>(io.inputs[0]->extent(0) * io.inputs[0]->extent(2) * io.inputs[0]->extent(3));
    }

private:
    const node& node_;
    conv_layer layer_;
    window_attributes windows_;
    tensor weights_, bias_, slope_;
    blocked_epilogue epilogue_;
};

OCELLI_INLINE std::unique_ptr<bound_kernel> bind_gated_conv(const graph& g, const node& n, weight_cache& weights) {
    if (n.op != "GatedConv" || !has_attribute(n, "kernel")) return nullptr;
    return std::make_unique<bound_gated_conv>(g, n, weights);
}

}  // namespace ocelli::nn::detail
