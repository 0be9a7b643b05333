#pragma once

/// @file
/// The private vocabulary of 8-bit networks (domain `ocelli`): layers whose sums become bytes in one step, on images with the channels last, (N, H, W, C).

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// What becomes of a sum: nearest(sum * scale), halves to even, between `low` and `high`, plus `y_zero`, as bytes of the element type `to`; or float32,
/// sum * scale; or int32, the sum itself. Products and sums of floats are float32, as ONNX Runtime has them.
///
/// ocelli.QConv: inputs x (N, H, W, C) of bytes, w (filters, C / group, kernel_height, kernel_width) of bytes, scale (float32, one for each filter), bias
/// (int32), w_zero (of w's type, one or one for each filter), the last two optional; Conv's attributes, `x_zero`, and those above.
/// ocelli.QMatMul: inputs a (..., K), w (K, N), or (N, K) where `transB` is set, scale, bias, w_zero likewise for each column.
/// ocelli.QAdd: a and b of one shape; nearest((a - a_zero) a_scale + (b - b_zero) b_scale). ocelli.QMul: b may be (N, 1, 1, C); nearest((a - a_zero) (b - b_zero)
/// a_scale).
/// ocelli.QTable: x, table of 256 bytes, looked up by the bits of x.
/// ocelli.QMaxPool: MaxPool without indices. ocelli.QMean: the mean of an image's pixels (N, 1, 1, C): nearest(sum (x - x_zero) / pixels * scale).
std::span<const op_def> quantized_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/quantized.inl>
#endif
