#pragma once

/// @file
/// A pointwise convolution of an image times a gate, a number for each channel: squeeze and excitation ends so.

#include <ocelli/nn/kernels/blocked.hpp>

namespace ocelli::nn {

/// Convolution (1 x 1, stride 1, one group, no padding) of x in blocks, each channel times its number in `gate` (batch, blocks, lanes), to y in blocks;
/// packed by blocked_conv_pack(). The weights are multiplied instead of the image: faster where there are more pixels than filters.
void blocked_gated_conv(const conv_layer& layer, const float* x, const float* gate, const float* packed, const blocked_epilogue& epilogue, float* y);

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/kernels/impl/gated_conv.inl>
#endif
