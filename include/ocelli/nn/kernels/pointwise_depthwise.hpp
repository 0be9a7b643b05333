#pragma once

/// @file
/// A pointwise convolution and the depthwise one behind it in one pass over blocks of channels: the image between them, which is the largest of a small
/// network and larger than the second-level cache, never leaves it.

#include <ocelli/nn/kernels/blocked.hpp>

namespace ocelli::nn {

/// The packed weights and the epilogue (without addend) of one of the two convolutions.
struct packed_convolution {
    const float* weights = nullptr;
    blocked_epilogue epilogue;
};

/// Depthwise convolution (packed by blocked_depthwise_pack()) of a pointwise one (stride 1, one group; packed by blocked_conv_pack()) of x, all in
/// blocks; the same bits as blocked_conv() and blocked_depthwise() give. `channels` and `filters` of `first` and windows and extents of `second`
/// describe both: filters of the first == channels of the second.
void blocked_pointwise_depthwise(const conv_layer& first, const packed_convolution& pointwise, const conv_layer& second, const packed_convolution& depthwise,
                                 const float* x, float* y);

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/kernels/impl/pointwise_depthwise.inl>
#endif
