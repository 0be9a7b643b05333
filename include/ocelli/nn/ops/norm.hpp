#pragma once

/// @file
/// Normalisation: BatchNormalization, InstanceNormalization, LayerNormalization, GroupNormalization, MeanVarianceNormalization,
/// LpNormalization, LRN, and Dropout (which does nothing at inference).

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// The normalisation operators. Means and variances are taken in double, in two passes.
///
/// LpNormalization gives 0 where the norm is 0 (ONNX Runtime's rule; ONNX's reference divides by 0). Dropout in training mode is refused:
/// its numbers are random.
std::span<const op_def> norm_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/norm.inl>
#endif
