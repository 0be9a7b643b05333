#pragma once

/// @file
/// Reading and writing by index: Gather, GatherElements, GatherND, Scatter, ScatterElements, ScatterND, Compress.
///
/// Indices are int32 or int64, count from the end where negative, and are checked.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// Gather, GatherElements, GatherND, Scatter, ScatterElements, ScatterND, Compress; and ocelli.ScatterRows (data, indices, updates, shape), which is
/// ScatterElements of axis 0 with the indices expanded to the shape; three more inputs, of any number of times, are another scatter into the result.
/// With an attribute `value` the first input is a shape, and the data is this value everywhere.
std::span<const op_def> gather_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/gather.inl>
#endif
