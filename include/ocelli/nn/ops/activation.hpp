#pragma once

/// @file
/// Activation functions: Relu.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// Activation functions: Relu.
std::span<const op_def> activation_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/activation.inl>
#endif
