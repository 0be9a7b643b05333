#pragma once

/// @file
/// Convolution (ONNX Conv): 1, 2 or 3 spatial axes, groups, dilation, every padding.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// Conv.
std::span<const op_def> conv_ops();

namespace detail {
void infer_conv(infer_context& c);
/// Writes the convolution of x (N, C, ...) with w (M, C / group, ...) and bias b (M, perhaps absent) to output 0; the node holds
/// Conv's attributes. Sums in double.
void eval_conv(eval_context& c);
}  // namespace detail

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/conv.inl>
#endif
