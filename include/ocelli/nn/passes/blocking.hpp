#pragma once

/// @file
/// The pass that puts images into blocks of channels (ops/blocked.hpp).

#include <ocelli/nn/passes/pass.hpp>

namespace ocelli::nn::passes {

/// Each of some ocelli.Conv of one image that are alike but for their few filters, which leave most of a block empty, becomes a part of one (the branches of
/// UltraFace's receptive fields).
std::vector<patch> sibling_convolutions(const graph& g);

/// Each ocelli.Conv becomes ocelli.blocked.Conv, and what comes behind it (element-wise operators, pooling, Concat of channels) works
/// on blocks as well. Unblock stands where an operator needs planes.
std::vector<patch> channel_blocking(const graph& g);

/// Transpose of (N, C, ...) to (N, ..., C) reads blocks (heads of detectors; images between attention and convolutions).
std::vector<patch> channels_last(const graph& g);

/// A pointwise convolution on blocks that a depthwise one alone reads runs together with it (ocelli.blocked.PointwiseDepthwise).
std::vector<patch> depthwise_fusion(const graph& g);

/// x * gate, a number for each channel (squeeze and excitation), that a pointwise convolution of more pixels than filters alone reads is done to its
/// weights (ocelli.blocked.GatedConv).
std::vector<patch> gate_fusion(const graph& g);

}  // namespace ocelli::nn::passes

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/passes/impl/blocking.inl>
#endif
