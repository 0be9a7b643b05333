#pragma once

/// @file
/// Shuffles and mixtures of channels, as exporters write them.

#include <ocelli/nn/passes/pass.hpp>

namespace ocelli::nn::passes {

/// Reshape, Transpose and Reshape that split the channels into groups and exchange the two axes become Gather along the channels, and so do those of one image
/// behind which Gather takes one group.
std::vector<patch> channel_shuffle(const graph& g);

/// A product of a few channels with constant weights (heads of attention that are mixed), for which they are turned to the last axis and back, is one from the left.
std::vector<patch> channel_products(const graph& g);

}  // namespace ocelli::nn::passes

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/passes/impl/channels.inl>
#endif
