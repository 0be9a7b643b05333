#pragma once

/// @file
/// Element-wise functions of one operand: Abs, Neg, Sign, Reciprocal, Exp, Log, Sqrt, Floor, Ceil, Round, Erf, IsNaN, IsInf, the trigonometric and
/// hyperbolic functions and their inverses.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// Element-wise functions of one operand.
std::span<const op_def> math_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/math.inl>
#endif
