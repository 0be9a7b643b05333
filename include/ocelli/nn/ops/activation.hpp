#pragma once

/// @file
/// Activations: Relu, LeakyRelu, PRelu, Elu, Selu, Celu, ThresholdedRelu, Sigmoid, HardSigmoid, HardSwish, Softplus, Softsign, Tanh, Gelu,
/// Mish, Swish, Shrink, Clip.
///
/// NaN passes through all of them but Shrink, which gives 0 as ONNX defines it.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// Activations.
std::span<const op_def> activation_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/activation.inl>
#endif
