#pragma once

/// @file
/// Reading and writing by index: Gather, GatherElements, GatherND, Scatter, ScatterElements, ScatterND, Compress.
///
/// Indices are int32 or int64, count from the end where negative, and are checked.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// Gather, GatherElements, GatherND, Scatter, ScatterElements, ScatterND, Compress.
std::span<const op_def> gather_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/gather.inl>
#endif
