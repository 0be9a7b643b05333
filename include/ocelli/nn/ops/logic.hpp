#pragma once

/// @file
/// Comparison, logic, bits and choice: Equal, Greater, GreaterOrEqual, Less, LessOrEqual, And, Or, Xor, Not, BitwiseAnd, BitwiseOr, BitwiseXor, BitwiseNot, BitShift, Where.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// Comparison, logic, bits and choice.
std::span<const op_def> logic_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/logic.inl>
#endif
