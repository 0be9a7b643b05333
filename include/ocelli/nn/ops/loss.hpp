#pragma once

/// @file
/// Training objectives that exported networks contain: NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss (operator set 12 and newer): class weights, ignored labels, every reduction.
///
/// Sums are taken in double, in the order of the elements. The mean is divided by the weights of the labels that count; where none
/// counts it is NaN, as in PyTorch. A label outside the classes that is not ignore_index is refused.
std::span<const op_def> loss_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/loss.inl>
#endif
