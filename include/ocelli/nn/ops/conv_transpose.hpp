#pragma once

/// @file
/// The convolutions beside Conv: ConvTranspose, DeformConv, and Col2Im.

#include <ocelli/nn/fwd.hpp>
#include <ocelli/nn/shape.hpp>

#include <cstdint>
#include <span>

namespace ocelli::nn {

struct windows;

/// ConvTranspose (1 to 3 spatial axes), DeformConv (2 spatial axes, with mask: the modulated form), Col2Im (1 to 3 spatial axes).
///
/// Sums are taken in double, DeformConv's as features/deform_conv.hpp takes them; it reads 0 outside the input, as torchvision.ops.deform_conv2d does.
std::span<const op_def> conv_transpose_ops();

namespace detail {
/// The convolution whose gradient a ConvTranspose is: windows over the *result* that the inputs are the positions of.
windows transposed_geometry(const node& n, const dims& spatial, const dims& kernel);
void infer_conv_transpose(infer_context& c);
/// Writes the transposed convolution of x (N, C, ...) with w (C, M / group, ...) and bias b (M, perhaps absent) to output 0.
void eval_conv_transpose(eval_context& c);
}  // namespace detail

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/conv_transpose.inl>
#endif
