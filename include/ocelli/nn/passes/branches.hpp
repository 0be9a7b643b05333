#pragma once

/// @file
/// Branches that are added up.

#include <ocelli/nn/passes/pass.hpp>

namespace ocelli::nn::passes {

/// Add of two Conv of the same image with constant weights, the smaller window inside the larger one, becomes one Conv; so does Add of a Conv that keeps the image's
/// extents and of a BatchNormalization of the image. Networks that are trained with parallel branches (RepVGG, MobileOne) and exported as they are become those that
/// their authors deploy. Sums of weights are made in double.
std::vector<patch> parallel_convolutions(const graph& g);

}  // namespace ocelli::nn::passes

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/passes/impl/branches.inl>
#endif
