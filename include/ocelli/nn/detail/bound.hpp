#pragma once

/// @file
/// What bound kernels share: layers out of nodes and shapes, and a way back to the reference.

#include <ocelli/nn/detail/planes.hpp>
#include <ocelli/nn/kernels/conv.hpp>
#include <ocelli/nn/ops/support.hpp>
#include <ocelli/nn/plan.hpp>

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
    for (std::size_t i = 0; i < out.size(); ++i)
        if (io.outputs[i] != nullptr) *io.outputs[i] = std::move(out[i]);
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

/// The kernel for a node on blocks (domain ocelli.blocked, Block, Unblock), or null.
std::unique_ptr<bound_kernel> bind_blocked(const graph& g, const node& n, weight_cache& weights);
/// The kernel for a node of ONNX's own that works element by element, normalises, moves or resamples, or null.
std::unique_ptr<bound_kernel> bind_pointwise(const graph& g, const node& n, weight_cache& weights);
/// The same for nodes on blocks.
std::unique_ptr<bound_kernel> bind_blocked_pointwise(const graph& g, const node& n);

/// The kernel for a product of matrices (ocelli.MatMul, MatMul), or null.
std::unique_ptr<bound_kernel> bind_product(const graph& g, const node& n, weight_cache& weights);

}  // namespace ocelli::nn::detail

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/impl/bind_blocked.inl>
#    include <ocelli/nn/impl/bind_product.inl>
#    include <ocelli/nn/impl/bind_pointwise.inl>
#endif
