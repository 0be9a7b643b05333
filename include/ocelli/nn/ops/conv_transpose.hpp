#pragma once

/// @file
/// The convolutions beside Conv: ConvTranspose, DeformConv, and Col2Im.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// ConvTranspose (1 to 3 spatial axes), DeformConv (2 spatial axes, with mask: the modulated form), Col2Im (1 to 3 spatial axes).
///
/// Sums are taken in double. DeformConv reads 0 outside the input, as torchvision.ops.deform_conv2d does.
std::span<const op_def> conv_transpose_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/conv_transpose.inl>
#endif
