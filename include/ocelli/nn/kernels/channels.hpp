#pragma once

/// @file
/// Channels of images in blocks, picked and put together anew: shuffles, splits and concatenations that do not keep whole blocks.

#include <ocelli/nn/kernels/blocked.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace ocelli::nn {

/// A channel of one of some images.
struct channel_place {
    std::int64_t image, channel;
};

namespace detail {

/// A block of an image, from which lanes[i] goes to lane i of the result where keep[i] is -1.
struct channel_source {
    std::int64_t image, block;
    std::int32_t lanes[16], keep[16];
};

struct channel_kernels {
    /// Some pixels of one block of the result; x[k] are those of sources[k].
    void (*pick)(const channel_source* sources, const float* const* x, std::int64_t count, std::int64_t pixels, float* y) = nullptr;
};

OCELLI_KERNEL_API_BEGIN
const channel_kernels& get_channel_kernels();
OCELLI_KERNEL_API_END

}  // namespace detail

/// How images in blocks make another one: channel i of the result is that of places[i].
class channel_picks {
public:
    explicit channel_picks(std::span<const channel_place> places);

    /// Blocks of the result.
    std::int64_t blocks() const noexcept { return static_cast<std::int64_t>(first_.size()) - 1; }
    /// Where the channels of one come from.
    std::span<const detail::channel_source> block(std::int64_t i) const {
        const auto at = static_cast<std::size_t>(i);
        return {sources_.data() + first_[at], first_[at + 1] - first_[at]};
    }

private:
    std::vector<detail::channel_source> sources_;
    std::vector<std::size_t> first_;  ///< of each block, and the end
};

/// y (batch, picks.blocks(), pixels, lanes) of images[k] (batch, blocks[k], pixels, lanes). Zeros in the lanes that are left. An image may lie in y where
/// its blocks go, whole.
void pick_channels(std::int64_t batch, std::int64_t pixels, const channel_picks& picks, std::span<const float* const> images,
                   std::span<const std::int64_t> blocks, float* y);

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/kernels/impl/channels.inl>
#endif
