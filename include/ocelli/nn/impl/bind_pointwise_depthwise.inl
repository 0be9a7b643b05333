#pragma once

#include <ocelli/nn/detail/blocks.hpp>
#include <ocelli/nn/detail/bound.hpp>
#include <ocelli/nn/kernels/depthwise.hpp>
#include <ocelli/nn/kernels/pointwise_depthwise.hpp>
#include <ocelli/nn/ops/blocked.hpp>
#include <ocelli/nn/ops/fused.hpp>

namespace ocelli::nn::detail {

/// ocelli.blocked.PointwiseDepthwise.
class bound_pointwise_depthwise final : public bound_kernel {
public:
    bound_pointwise_depthwise(const graph& g, const node& n, weight_cache& cache) : node_(n) {
        const auto constant = [&](std::size_t i) {
            return i < n.inputs.size() && n.inputs[i] != no_value ? g.at(n.inputs[i]).what.constant : tensor();
        };
        const tensor w = constant(1), pointwise = constant(5);
        second_ = layer_of_weights(n, w);
        windows_ = read_windows(n, {w.shape().begin() + 2, w.shape().end()});
        first_.filters = pointwise.extent(0);
        first_.channels = pointwise.extent(1);
        check(n, second_.group == first_.filters && second_.channels == second_.group && second_.filters == second_.group, "a depthwise convolution of ",
              first_.filters, " channels expected");
        // The keys of the two convolutions alone: the weights may be shared.
        depthwise_.fill(cache.get(w, ocelli::detail::concat("blocked_depthwise/", second_.group, "/", block_lanes()), [&] {
            tensor to(dtype::float32, {block_count(second_.filters, block_lanes()) * block_lanes() * w.extent(2) * w.extent(3)});
            blocked_depthwise_pack(second_, static_cast<const float*>(w.once().stored()), to.mutable_data<float>());
            return to;
        }), constant(2), constant(4), second_.filters);
        pointwise_.fill(packed_pointwise(cache, first_, pointwise), constant(6), constant(7), first_.filters);
        read_activation(n, depthwise_.packed.epilogue);
        pointwise_.packed.epilogue.function = parse_activation(attr_string(n, "first_activation", "none"));
        pointwise_.packed.epilogue.alpha = attr_float(n, "first_alpha", 0);
        pointwise_.packed.epilogue.beta = attr_float(n, "first_beta", 0);
    }

    std::string_view name() const noexcept override { return "blocked_pointwise_depthwise"; }

    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        const std::int64_t lanes = block_lanes();
        check_blocks(node_, x, first_.channels);
        check(node_, x.rank() == 5, "an image with two axes expected, got ", x);
        const windows w = windows_over(node_, windows_, {x.extent(2), x.extent(3)});
        const conv_layer l = with_windows(second_, x, w);
        dims shape = image_shape(l.batch, block_count(second_.filters, lanes), w.output);
        shape.push_back(lanes);
        tensor& y = io.output(0, dtype::float32, shape);
        blocked_pointwise_depthwise(first_, pointwise_.packed, l, depthwise_.packed, x.data<float>(), y.mutable_data<float>());
    }

    double operations(const step_io& io) const override {
        const double filters = static_cast<double>(first_.filters), lanes = static_cast<double>(block_lanes());
        const double in = static_cast<double>(io.inputs[0]->size()) / static_cast<double>(io.inputs[0]->extent(1)) / lanes;
        const double out = static_cast<double>(io.outputs[0]->size()) / static_cast<double>(io.outputs[0]->extent(1)) / lanes;
        return 2 * filters * (in * static_cast<double>(first_.channels) + out * static_cast<double>(element_count(windows_.kernel)));
    }

private:
    struct side {
        tensor weights, bias, slope;
        packed_convolution packed;

        void fill(tensor w, const tensor& b, const tensor& s, std::int64_t channels) {
            weights = std::move(w);
            bias = in_whole_blocks(&b, channels);
            slope = in_whole_blocks(&s, channels);
            packed.weights = weights.data<float>();
            packed.epilogue.bias = bias.data<float>();
            packed.epilogue.slope = slope.data<float>();
        }
    };

    const node& node_;
    window_attributes windows_;
    conv_layer first_, second_;
    side pointwise_, depthwise_;
};

OCELLI_INLINE std::unique_ptr<bound_kernel> bind_pointwise_depthwise(const graph& g, const node& n, weight_cache& weights) {
    if (n.op != "PointwiseDepthwise" || !has_attribute(n, "kernel")) return nullptr;
    return std::make_unique<bound_pointwise_depthwise>(g, n, weights);
}

}  // namespace ocelli::nn::detail
