#pragma once

/// @file
/// Changing the element type: Cast, CastLike.
///
/// Floating-point numbers become integers by truncation; those out of range saturate, NaN becomes 0, and anything but 0 becomes true.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// Cast, CastLike.
std::span<const op_def> cast_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/cast.inl>
#endif
