#pragma once

/// @file
/// Moving elements: Transpose, Expand, Tile, Concat, Split, Slice, ReverseSequence, Trilu.

#include <ocelli/nn/fwd.hpp>

#include <cstddef>
#include <span>

namespace ocelli::nn {

/// Transpose, Expand, Tile, Concat, Split, Slice, ReverseSequence, Trilu.
std::span<const op_def> arrange_ops();

/// The axis along which a Concat joins tensors of this rank, counted from the front. Before operator set 4 it is 1 unless the node says.
/// @throws invalid_argument  naming the node, where the axis is missing or outside such tensors
std::size_t concat_axis(const node& concat, std::size_t rank);

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/arrange.inl>
#endif
