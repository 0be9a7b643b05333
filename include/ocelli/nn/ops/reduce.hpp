#pragma once

/// @file
/// Reductions: ReduceSum, ReduceMean, ReduceMax, ReduceMin, ReduceProd, ReduceL1, ReduceL2, ReduceLogSum, ReduceLogSumExp, ReduceSumSquare.
///
/// Floating-point numbers are summed in double; integers wrap. A reduction over no elements gives the neutral element: 0 for sums, 1 for
/// products, the lowest or highest number (infinity for floating types) for Max and Min, NaN for the mean.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// Reductions along axes.
std::span<const op_def> reduce_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/reduce.inl>
#endif
