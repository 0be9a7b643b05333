#pragma once

/// @file
/// Moving blocks between space and channels: DepthToSpace, SpaceToDepth.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// DepthToSpace (DCR and CRD: the latter is PyTorch's pixel_shuffle) and SpaceToDepth.
std::span<const op_def> rearrange_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/rearrange.inl>
#endif
