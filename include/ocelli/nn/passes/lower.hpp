#pragma once

/// @file
/// Passes that prepare a graph for the kernels, in the private vocabulary of domain `ocelli` (ops/fused.hpp).

#include <ocelli/nn/passes/pass.hpp>

namespace ocelli::nn::passes {

/// Conv and ConvTranspose with constant float32 weights become ocelli.Conv and ocelli.ConvTranspose, which can carry an addend and an activation.
std::vector<patch> lower_convolution(const graph& g);
/// MatMul and Gemm with constant float32 weights become ocelli.MatMul, with the bias that a Gemm has or an Add brings.
std::vector<patch> lower_products(const graph& g);
/// Reshape behind an ocelli.MatMul that keeps its columns goes before it, where known extents say so, and so does a Transpose that moves none but axes of one; those
/// before it become one Reshape. What stands behind (a residual) then meets the product itself.
std::vector<patch> product_shapes(const graph& g);
/// ScatterElements along axis 0 whose indices are one per row, expanded, becomes ocelli.ScatterRows, which copies whole rows: RoIAlign over a
/// pyramid's levels is exported so, with as many indices as values. Scatters one into the other, and into zeros, become one that writes each row once.
std::vector<patch> lower_row_scatters(const graph& g);
/// ocelli.Conv or ocelli.MatMul -> Add of a tensor of the same shape becomes its addend.
std::vector<patch> residual_fusion(const graph& g);
/// ocelli.Conv or ocelli.MatMul -> Relu, Clip, LeakyRelu, PRelu (a slope per channel), HardSigmoid, HardSwish, Sigmoid, x * Sigmoid(x), or HardSwish written as a product.
std::vector<patch> activation_fusion(const graph& g);
/// Names the kernel of each convolution that is left in planes, from its layer's shape alone.
std::vector<patch> choose_kernels(const graph& g);

}  // namespace ocelli::nn::passes

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/passes/impl/lower.inl>
#endif
