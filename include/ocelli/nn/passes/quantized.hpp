#pragma once

/// @file
/// Passes that make 8-bit layers, in the private vocabulary of ops/quantized.hpp, of float layers between pairs of QuantizeLinear and DequantizeLinear.

#include <ocelli/nn/passes/pass.hpp>

namespace ocelli::nn::passes {

/// A layer between DequantizeLinear and QuantizeLinear becomes one of bytes: Conv, Gemm and MatMul with constant weights that are dequantised (and the Add of a bias), Add and
/// Mul of two tensors, MaxPool, the mean of an image, and what only moves bytes. Relu and Clip on the way to QuantizeLinear become its bounds, functions of one
/// element (and of several of these) tables. Conv, Gemm and MatMul without a QuantizeLinear behind them give floats. Sums are those of the integers, so results differ from
/// the same layers in float by rounding, as they do in ONNX Runtime.
std::vector<patch> quantized_layers(const graph& g);
/// Transpose of bytes there and back goes.
std::vector<patch> quantized_layouts(const graph& g);

}  // namespace ocelli::nn::passes

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/passes/impl/quantized.inl>
#endif
