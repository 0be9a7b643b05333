#pragma once

/// @file
/// What bound kernels share: layers out of nodes and shapes, and a way back to the reference.

#include <ocelli/nn/detail/bound_kernel.hpp>
#include <ocelli/nn/detail/planes.hpp>
#include <ocelli/nn/kernels/conv.hpp>
#include <ocelli/nn/ops/fused.hpp>
#include <ocelli/nn/ops/support.hpp>
#include <ocelli/nn/planner/packing.hpp>

#include <algorithm>
#include <memory>
#include <vector>

namespace ocelli::nn::detail {

/// The reference evaluation in a kernel's place: for extents that the kernel is not made for.
inline void run_reference(const node& n, const step_io& io) {
    std::vector<tensor> in, out;
    for (const tensor* t : io.inputs) in.push_back(t != nullptr ? *t : tensor());
    for (tensor* t : io.outputs) out.push_back(t != nullptr ? *t : tensor());
    eval_context context(n, in, out);
    n.def->eval(context);
    for (std::size_t i = 0; i < out.size(); ++i) {
        if (io.outputs[i] == nullptr) continue;
        // Planned memory is written again while an input that was handed through is still read.
        bool handed = false;
        for (const tensor& t : in) handed = handed || (t.defined() && out[i].defined() && out[i].raw() == t.raw());
        *io.outputs[i] = handed && !n.def->view ? out[i].clone() : std::move(out[i]);
    }
}

/// Whether every input that is there holds float32 in this run.
inline bool all_float32(const step_io& io) {
    for (const tensor* t : io.inputs)
        if (t != nullptr && t->type() != dtype::float32) return false;
    return true;
}

/// The extents of an input (N, C, ...) with one to three spatial axes, and its windows, written into a layer; the other fields stay.
inline conv_layer with_windows(conv_layer l, const tensor& x, const windows& w) {
    const std::size_t last = w.kernel.size() - 1;
    l.batch = x.extent(0);
    l.width = x.extent(2 + last);
    l.out_width = w.output[last];
    l.kernel_width = w.kernel[last];
    l.stride_x = w.strides[last];
    l.dilation_x = w.dilations[last];
    l.pad_left = w.pads_begin[last];
    if (last >= 1) {
        l.height = x.extent(1 + last);
        l.out_height = w.output[last - 1];
        l.kernel_height = w.kernel[last - 1];
        l.stride_y = w.strides[last - 1];
        l.dilation_y = w.dilations[last - 1];
        l.pad_top = w.pads_begin[last - 1];
    }
    if (last == 2) {
        l.depth = x.extent(2);
        l.out_depth = w.output[0];
        l.kernel_depth = w.kernel[0];
        l.stride_z = w.strides[0];
        l.dilation_z = w.dilations[0];
        l.pad_front = w.pads_begin[0];
    }
    return l;
}

/// (n, channels, extents...)
inline dims image_shape(std::int64_t n, std::int64_t channels, const dims& extents) {
    dims shape = {n, channels};
    shape.insert(shape.end(), extents.begin(), extents.end());
    return shape;
}

/// What a convolution's weights (filters, channels / group, kernel...) say of its layer.
/// @throws invalid_argument  where group or kernel_shape contradict them
inline conv_layer layer_of_weights(const node& n, const tensor& w) {
    const std::size_t spatial = w.rank() - 2;
    const dims kernel(w.shape().begin() + 2, w.shape().end());
    conv_layer l;
    l.group = attr_int(n, "group", 1);
    l.filters = w.extent(0);
    l.channels = w.extent(1) * l.group;
    l.kernel_depth = spatial == 3 ? kernel[0] : 1;
    l.kernel_height = spatial >= 2 ? kernel[spatial - 2] : 1;
    l.kernel_width = kernel[spatial - 1];
    check(n, l.group >= 1 && l.filters % l.group == 0, "weights of ", l.filters, " filters do not divide into ", l.group, " groups");
    check(n, attr_ints(n, "kernel_shape", kernel) == kernel, "kernel_shape contradicts the weights' shape ", w);
    return l;
}

/// The fused activation of a node, into an epilogue.
template <class E>
void read_activation(const node& n, E& epilogue) {
    epilogue.function = parse_activation(attr_string(n, "activation", "none"));
    epilogue.alpha = attr_float(n, "alpha", 0);
    epilogue.beta = attr_float(n, "beta", 0);
}

/// How many taps of each window along an axis count. What lies behind the end padding (ceil_mode) never does; a window that meets
/// nothing has mean 0 / 1.
inline std::vector<float> window_counts(const windows& w, const tensor& x, std::size_t axis, bool padding) {
    std::vector<float> out;
    for (std::int64_t o = 0; o < w.output[axis]; ++o) {
        const std::int64_t offset = o * w.strides[axis] - w.pads_begin[axis], extent = x.extent(2 + axis);
        const std::int64_t first = padding ? 0 : first_inside(offset, w.dilations[axis]);
        const std::int64_t end = end_inside(offset, w.dilations[axis], extent + (padding ? w.pads_end[axis] : 0), w.kernel[axis]);
        out.push_back(static_cast<float>(std::max<std::int64_t>(1, end - first)));
    }
    return out;
}

/// MaxPool without indices, and AveragePool, on planes or blocks.
class bound_pooling : public bound_kernel {
public:
    explicit bound_pooling(const node& n)
        : node_(n), windows_(read_windows(n, attr_ints(n, "kernel_shape"), attr_int(n, "ceil_mode", 0) != 0)), average_(n.op == "AveragePool") {
        count_padding_ = average_ && attr_int(n, "count_include_pad", 0) != 0;
    }

    double operations(const step_io& io) const override {
        return static_cast<double>(io.outputs[0]->size()) * static_cast<double>(element_count(windows_.kernel));
    }

protected:
    /// The counts of an average, along the rows and along the columns.
    std::vector<float> row_counts(const windows& w, const tensor& x) const {
        return w.kernel.size() == 2 ? window_counts(w, x, 0, count_padding_) : std::vector<float>{1};
    }
    std::vector<float> column_counts(const windows& w, const tensor& x) const { return window_counts(w, x, w.kernel.size() - 1, count_padding_); }

    const node& node_;
    window_attributes windows_;
    bool average_, count_padding_ = false;
};

/// The kernel for a node on blocks (domain ocelli.blocked, Block, Unblock), or null.
std::unique_ptr<bound_kernel> bind_blocked(const graph& g, const node& n, weight_cache& weights);
/// The kernel for a node of ONNX's own that works element by element, or null; that normalises or reduces; that resamples; that moves elements.
std::unique_ptr<bound_kernel> bind_pointwise(const graph& g, const node& n);
std::unique_ptr<bound_kernel> bind_normalize(const graph& g, const node& n);
std::unique_ptr<bound_kernel> bind_resample(const graph& g, const node& n);
std::unique_ptr<bound_kernel> bind_move(const graph& g, const node& n);
/// The kernel for a node whose first input need not be float: that fills or collects, or null.
std::unique_ptr<bound_kernel> bind_by_shape(const graph& g, const node& n);
/// The kernel for a node that looks for elements (NonZero, TopK, NonMaxSuppression), or null.
std::unique_ptr<bound_kernel> bind_find(const graph& g, const node& n);
/// The kernel for a Where, or null.
std::unique_ptr<bound_kernel> bind_select(const graph& g, const node& n);
/// The same for nodes on blocks.
std::unique_ptr<bound_kernel> bind_blocked_normalize(const graph& g, const node& n);
/// The kernel for a PointwiseDepthwise on blocks, or null.
std::unique_ptr<bound_kernel> bind_pointwise_depthwise(const graph& g, const node& n, weight_cache& weights);
/// The kernel for a GatedConv on blocks, or null.
std::unique_ptr<bound_kernel> bind_gated_conv(const graph& g, const node& n, weight_cache& weights);
std::unique_ptr<bound_kernel> bind_blocked_resample(const graph& g, const node& n);

/// The kernel for a product of matrices (ocelli.MatMul, MatMul), or null.
std::unique_ptr<bound_kernel> bind_product(const graph& g, const node& n, weight_cache& weights);
/// The kernel for LSTM and GRU, or null.
std::unique_ptr<bound_kernel> bind_recurrent(const graph& g, const node& n, weight_cache& weights);
/// The kernel for a node of 8-bit integers, or that makes or reads such, or null.
std::unique_ptr<bound_kernel> bind_quantized(const graph& g, const node& n, weight_cache& weights);
/// The kernel for ocelli.Attention, or null.
std::unique_ptr<bound_kernel> bind_attention(const node& n);

}  // namespace ocelli::nn::detail

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/impl/bind_attention.inl>
#    include <ocelli/nn/impl/bind_blocked.inl>
#    include <ocelli/nn/impl/bind_find.inl>
#    include <ocelli/nn/impl/bind_gated_conv.inl>
#    include <ocelli/nn/impl/bind_move.inl>
#    include <ocelli/nn/impl/bind_normalize.inl>
#    include <ocelli/nn/impl/bind_pointwise.inl>
#    include <ocelli/nn/impl/bind_pointwise_depthwise.inl>
#    include <ocelli/nn/impl/bind_product.inl>
#    include <ocelli/nn/impl/bind_quantized.inl>
#    include <ocelli/nn/impl/bind_recurrent.inl>
#    include <ocelli/nn/impl/bind_resample.inl>
#endif
