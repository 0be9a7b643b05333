#pragma once

/// @file
/// Order and search: ArgMax, ArgMin, TopK, NonZero, Unique, CumSum.
///
/// Of equal elements the first wins (ArgMax, ArgMin, unless select_last_index) or comes first (TopK); NaN counts as the largest number in
/// TopK and wins in ArgMax and ArgMin, as in NumPy and PyTorch.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// ArgMax, ArgMin, TopK, NonZero, Unique, CumSum.
std::span<const op_def> order_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/order.inl>
#endif
