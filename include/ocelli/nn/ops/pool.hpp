#pragma once

/// @file
/// Pooling over windows and over whole planes, and its inverse: MaxPool, AveragePool, LpPool, GlobalMaxPool, GlobalAveragePool,
/// GlobalLpPool, MaxUnpool.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// The pooling operators.
///
/// A NaN in a window makes the maximum NaN, as in PyTorch. With ceil_mode the last window begins inside the input or the padding before it
/// (PyTorch's rule); what lies behind the end padding never counts in a mean. Indices of MaxPool count over the whole tensor.
std::span<const op_def> pool_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/pool.inl>
#endif
