#pragma once

/// @file
/// The epilogue of convolutions on blocks: what tiles do themselves, and what is done on their results.

#include <ocelli/core/gemm.hpp>
#include <ocelli/nn/kernels/blocked.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>

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

}  // namespace ocelli::nn::detail
