#pragma once

/// @file
/// Passes that find one operator in several.

#include <ocelli/nn/passes/pass.hpp>

namespace ocelli::nn::passes {

/// x / sqrt 2 -> Erf -> + 1 -> * x -> / 2, in the orders exporters write, becomes Gelu: one way over memory, and digits on the left of 0
/// that the sum would lose.
std::vector<patch> gelu_fusion(const graph& g);

/// Mean, difference, square, mean, + epsilon, root, division over the last axis, and a scale and a shift where they follow, become
/// LayerNormalization.
std::vector<patch> layer_norm_fusion(const graph& g);

/// Transpose, Softmax over the last axis and the Transpose back become Softmax over the axis that was last between them: before operator set 13 there was no
/// other way to write it. Not where fewer than 8 lines would lie side by side.
std::vector<patch> softmax_axis(const graph& g);

/// QuantizeLinear to 8 bits and DequantizeLinear by the same constant scale and zero point, as quantised models have them around their layers, become
/// ocelli.FakeQuantize, which needs no integers in between.
std::vector<patch> quantize_pairs(const graph& g);

}  // namespace ocelli::nn::passes

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/passes/impl/pointwise.inl>
#endif
