#pragma once

/// @file
/// Tensors from parameters: ConstantOfShape, Range, EyeLike, OneHot.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// ConstantOfShape, Range, EyeLike, OneHot.
std::span<const op_def> generate_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/generate.inl>
#endif
