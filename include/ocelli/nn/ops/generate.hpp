#pragma once

/// @file
/// Tensors from parameters: ConstantOfShape, Range, EyeLike, OneHot.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// ConstantOfShape, Range, EyeLike, OneHot.
std::span<const op_def> generate_ops();

namespace detail {
/// Input 0, a shape, full of the attribute `value`: also where another operator begins so.
void infer_constant_of_shape(infer_context& c);
void eval_constant_of_shape(eval_context& c);
}  // namespace detail

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/generate.inl>
#endif
