#pragma once

/// @file
/// Moving elements: Transpose, Expand, Tile, Concat, Split, Slice, ReverseSequence, Trilu.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// Transpose, Expand, Tile, Concat, Split, Slice, ReverseSequence, Trilu.
std::span<const op_def> arrange_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/arrange.inl>
#endif
