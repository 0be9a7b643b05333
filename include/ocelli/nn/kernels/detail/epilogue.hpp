#pragma once

/// @file
/// The epilogue of convolutions on blocks: what tiles do themselves, and what is done on their results; the taps
/// that lie inside an image.

#include <ocelli/core/gemm.hpp>
#include <ocelli/nn/kernels/blocked.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

namespace ocelli::nn::detail {

/// What the tiles do themselves of an epilogue.
struct blocked_clamp {
    bool clamps = false;
    float low = -std::numeric_limits<float>::infinity(), high = std::numeric_limits<float>::infinity();
    /// The rest is done on what they have stored.
    bool finish = false;
};
inline blocked_clamp clamp_of(const blocked_epilogue& e) {
    blocked_clamp c;
    if (e.function == activation::none) return c;
    if (e.function == activation::relu) c.low = 0;
    else if (e.function == activation::clip) {
        c.low = e.alpha;
        c.high = e.beta;
    } else {
        c.finish = true;
        return c;
    }
    c.clamps = true;
    return c;
}

/// The rest of the epilogue, on `pixels` of one block whose channels begin at `channel`.
inline void finish_block(const blocked_kernels& t, const blocked_epilogue& e, bool finish, std::int64_t channel, std::int64_t channels, std::int64_t pixels,
                         float* y) {
    const int used = static_cast<int>(std::min<std::int64_t>(t.lanes, channels - channel));
    if (finish && e.function != activation::prelu) {
        gemm_epilogue f;
        f.function = e.function;
        f.alpha = e.alpha;
        f.beta = e.beta;
        ocelli::detail::get_gemm_kernels().finish(1, pixels * t.lanes, y, 0, &f, 0, 0);
    }
    const float* slope = finish && e.function == activation::prelu ? e.slope + channel : nullptr;
    if (slope != nullptr || used < t.lanes) t.finish(y, pixels, slope, used);
}

/// The first tap of an axis that lies inside the image, and the one behind the last.
inline std::pair<std::int64_t, std::int64_t> taps_inside(std::int64_t at, std::int64_t dilation, std::int64_t taps, std::int64_t extent) {
    const std::int64_t first = at >= 0 ? 0 : std::min(taps, (-at + dilation - 1) / dilation);
    const std::int64_t end = at >= extent ? 0 : std::min(taps, (extent - 1 - at) / dilation + 1);
    return {std::min(first, end), end};
}

}  // namespace ocelli::nn::detail
