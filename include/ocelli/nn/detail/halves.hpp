#pragma once

/// @file
/// Networks whose elements are 16-bit floating numbers, computed in float.

#include <ocelli/nn/graph.hpp>

namespace ocelli::nn::detail {

/// Makes a graph of float16 or bfloat16 (a half-precision export) one of float32: weights are converted, inputs and outputs keep their types behind a
/// Cast, sub-graphs follow. What lies between is not rounded to 16 bits any more, and runs on the kernels for float.
///
/// Graphs without such values, and those whose inputs or outputs have types that are not known (or are sequences), stay as they are.
/// The nodes stand in no order afterwards: sort().
/// @return whether the graph was changed
bool compute_in_float(graph& g);

}  // namespace ocelli::nn::detail

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/detail/impl/halves.inl>
#endif
