#pragma once

/// @file
/// Element-wise arithmetic with broadcasting: Add, Sub, Mul, Div, Pow, Mod, Max, Min, Sum, Mean.
///
/// Integers wrap, their division truncates towards zero, and dividing one by zero is an error. Max and Min return NaN where an
/// operand is NaN, as NumPy and PyTorch do.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// Element-wise arithmetic with broadcasting.
std::span<const op_def> elementwise_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/elementwise.inl>
#endif
