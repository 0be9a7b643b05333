#pragma once

/// @file
/// The same elements under another shape, and shapes as tensors: Reshape, Flatten, Squeeze, Unsqueeze, Shape, Size.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// Reshape, Flatten, Squeeze, Unsqueeze, Shape, Size.
std::span<const op_def> reshape_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/reshape.inl>
#endif
