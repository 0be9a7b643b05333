#pragma once

/// @file
/// Shuffles of channels, as exporters write them.

#include <ocelli/nn/passes/pass.hpp>

namespace ocelli::nn::passes {

/// Reshape, Transpose and Reshape that split the channels into groups and exchange the two axes become Gather along the channels, and so do those of one image
/// behind which Gather takes one group.
std::vector<patch> channel_shuffle(const graph& g);

}  // namespace ocelli::nn::passes

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/passes/impl/channels.inl>
#endif
