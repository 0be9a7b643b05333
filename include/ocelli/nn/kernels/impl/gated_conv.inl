#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/kernels/gated_conv.hpp>

#include <algorithm>

namespace ocelli::nn {

OCELLI_INLINE void blocked_gated_conv(const conv_layer& l, const float* x, const float* gate, const float* packed, const blocked_epilogue& e, float* y) {
    const detail::block_kernels& t = detail::get_block_kernels();
    const std::int64_t lanes = t.lanes, depth = block_count(l.channels, lanes), blocks = block_count(l.filters, lanes), pixels = l.height * l.width;
    float* const scaled = ocelli::detail::thread_scratch(static_cast<std::size_t>(blocks * lanes * l.channels), 2);  // which blocked_conv() does not use
    conv_layer one = l;
    one.batch = 1;
    for (std::int64_t image = 0; image < l.batch; ++image) {
        const float* const factors = gate + image * depth * lanes;
        parallel_for(static_cast<std::size_t>((blocks + 1) / 2), detail::conv_grain(2 * lanes * l.channels), [&](std::size_t begin, std::size_t end) {
            for (auto pair = static_cast<std::int64_t>(begin); pair < static_cast<std::int64_t>(end); ++pair) {
                const std::int64_t at = 2 * pair * lanes * l.channels;
                t.scale(packed + at, factors, l.channels, static_cast<int>(std::min<std::int64_t>(2, blocks - 2 * pair)), scaled + at);
            }
        });
        const std::int64_t to = image * blocks * pixels * lanes;
        blocked_epilogue here = e;
        if (e.addend != nullptr) here.addend = e.addend + to;
        blocked_conv(one, x + image * depth * pixels * lanes, false, scaled, here, y + to);
    }
}

}  // namespace ocelli::nn
