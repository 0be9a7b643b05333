#pragma once

/// @file
/// Sums of products written as equations.

#include <ocelli/nn/passes/pass.hpp>

namespace ocelli::nn::passes {

/// Einsum of two float32 tensors that is a product of matrices, or of stacks of them, becomes one, with what turns and reshapes its operands and its result: each
/// label is in both and the result (the stack), in both alone (the sum), or in one and the result, and none stands twice in a term.
std::vector<patch> einsum_products(const graph& g);

}  // namespace ocelli::nn::passes

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/passes/impl/einsum.inl>
#endif
