#pragma once

/// @file
/// The pass that finds attention in what exporters write of it.

#include <ocelli/nn/passes/pass.hpp>

namespace ocelli::nn::passes {

/// MatMul -> scaling by a number, where there is one -> Softmax over the last axis -> MatMul -> Transpose, where there is one, becomes ocelli.Attention, where the extents
/// are known. It reads queries, keys and values where they stand before they are picked, turned and scaled.
std::vector<patch> attention_fusion(const graph& g);

}  // namespace ocelli::nn::passes

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/passes/impl/attention.inl>
#endif
