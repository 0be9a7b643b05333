#pragma once

/// @file
/// The private vocabulary that lowering writes (domain `ocelli`): convolutions and products with addend and
/// activation.

#include <ocelli/core/gemm.hpp>
#include <ocelli/nn/fwd.hpp>

#include <span>
#include <string_view>

namespace ocelli::nn {

/// ocelli.Conv: inputs x, w, bias, addend, slope (of prelu), all but the first two optional; Conv's attributes, and `activation`
/// (a name of ocelli::activation) with `alpha` and `beta`; `kernel` names the kernel chosen.
/// ocelli.ConvTranspose: the same for ConvTranspose.
/// ocelli.MatMul: inputs a (..., K), w (K, N), or (N, K) where `transB` is set, bias (N), addend, the last two optional; `activation` as
/// above.
std::span<const op_def> fused_ops();

/// "none", "relu", "clip", "leaky_relu", "prelu", "hard_sigmoid", "hard_swish", "sigmoid", "silu", "gelu"
std::string_view name(activation function) noexcept;
/// The reverse; throws invalid_argument on another text.
activation parse_activation(std::string_view text);
/// One element, as kernels compute it up to rounding. NaN passes.
double activated(double x, activation function, double alpha, double beta, double slope) noexcept;

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/fused.inl>
#endif
