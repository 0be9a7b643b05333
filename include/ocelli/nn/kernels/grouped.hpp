#pragma once

/// @file
/// Convolution in groups of few channels, as ResNeXt and RegNet have them: 2, 4 or 8 to a group, fewer than a block holds.

#include <ocelli/nn/kernels/blocked.hpp>

namespace ocelli::nn {

/// Whether blocked_grouped() takes the layer: as many filters as channels, 2, 4, 8 ... to a group, at least two groups to a block; two axes, dilation 1
/// along the first.
bool blocked_grouped_takes(const conv_layer& layer);
/// Whether it is also faster than blocked_conv(), which multiplies zeros where groups share a block. Copies of which few taps are
/// taken do not pay.
bool blocked_grouped_pays(const conv_layer& layer);

/// Floats of packed weights, and packing them: w (filters, channels / group, kernel_height, kernel_width), at any address.
std::int64_t blocked_grouped_packed_size(const conv_layer& layer);
void blocked_grouped_pack(const conv_layer& layer, const float* w, float* packed);

/// Convolution of x in blocks to y in blocks. Each channel meets each filter of its group, and none of another, in a depthwise convolution of as many
/// copies of the image as a group has channels, the lanes of which are exchanged within their groups: copies of a few rows at a time.
void blocked_grouped(const conv_layer& layer, const float* x, const float* packed, const blocked_epilogue& epilogue, float* y);

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/kernels/impl/grouped.inl>
#endif
