#pragma once

/// @file
/// A pass that makes 8-bit layers, in the private vocabulary of ops/quantized.hpp, of operators that are on integers already.

#include <ocelli/nn/passes/pass.hpp>

namespace ocelli::nn::passes {

/// QLinearConv and QLinearMatMul with constant weights and scales become the same, and so do ONNX Runtime's own QLinearAdd, QLinearMul, QLinearGlobalAveragePool,
/// QLinearConcat and QGemm, and MaxPool of bytes.
std::vector<patch> quantized_operators(const graph& g);

}  // namespace ocelli::nn::passes

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/passes/impl/quantized_operators.inl>
#endif
