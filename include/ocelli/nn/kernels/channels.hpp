#pragma once

/// @file
/// Channels of images in blocks, picked and put together anew: shuffles, splits and concatenations that do not keep whole blocks.

#include <ocelli/nn/kernels/blocked.hpp>

#include <cstdint>
#include <span>

namespace ocelli::nn {

/// A channel of one of some images.
struct channel_place {
    std::int64_t image, channel;
};

/// y (batch, blocks, pixels, lanes) with channel i that of places[i]; images[k] (batch, blocks, pixels, lanes) has `blocks[k]` blocks. Zeros in the
/// lanes that are left. An image may lie in y where its blocks go, whole.
void pick_channels(std::int64_t batch, std::int64_t pixels, std::span<const channel_place> places, std::span<const float* const> images,
                   std::span<const std::int64_t> blocks, float* y);

namespace detail {

/// A block from which lanes[i] goes to lane i of the result, where keep[i] is -1.
struct channel_source {
    const float* x;
    std::int32_t lanes[16], keep[16];
};

struct channel_kernels {
    /// Some pixels of one block of the result.
    void (*pick)(const channel_source* sources, std::int64_t count, std::int64_t pixels, float* y) = nullptr;
};

OCELLI_KERNEL_API_BEGIN
const channel_kernels& get_channel_kernels();
OCELLI_KERNEL_API_END

}  // namespace detail

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/kernels/impl/channels.inl>
#endif
