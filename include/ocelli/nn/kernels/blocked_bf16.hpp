#pragma once

/// @file
/// Convolution on images in blocks of channels whose factors are rounded to bfloat16.

#include <ocelli/nn/kernels/blocked.hpp>

#include <cstdint>

namespace ocelli::nn {

/// blocked_conv() with x and weights rounded to bfloat16 on the way, two channels in a word. Planes are taken where they fit a block. `widen`:
/// without the processor's instruction for such products, even where it has one.
bool blocked_conv_bf16_takes_planes(const conv_layer& layer);
std::int64_t blocked_conv_bf16_packed_size(const conv_layer& layer);
void blocked_conv_bf16_pack(const conv_layer& layer, const float* w, std::uint32_t* packed);
void blocked_conv_bf16(const conv_layer& layer, const float* x, bool planes, const std::uint32_t* packed, const blocked_epilogue& epilogue, float* y,
                       bool widen = false);

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/kernels/impl/blocked_bf16.inl>
#endif
