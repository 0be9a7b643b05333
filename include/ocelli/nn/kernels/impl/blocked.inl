#pragma once

#include <ocelli/core/detail/unaligned.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>
#include <ocelli/nn/kernels/blocked.hpp>
#include <ocelli/nn/kernels/detail/blocked_groups.hpp>
#include <ocelli/nn/kernels/detail/placed_conv.hpp>

#include <algorithm>

#define OCELLI_KERNEL_FILE <ocelli/nn/kernels/detail/blocked.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>

namespace ocelli::nn {

namespace detail {

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const blocked_kernels& get_blocked_kernels() {
    static const blocked_kernels chosen = OCELLI_CHOOSE(make_blocked_kernels);
    return chosen;
}
OCELLI_KERNEL_API_END

}  // namespace detail

OCELLI_INLINE bool blocked_conv_takes(const conv_layer& l) {
    return detail::groups_in_blocks(l, block_lanes()).count != 0;
}

OCELLI_INLINE std::int64_t blocked_conv_packed_size(const conv_layer& l) {
    const detail::blocked_groups g = detail::groups_in_blocks(l, block_lanes());
    return g.count * detail::blocked_packed_group(l, g, block_lanes());
}

OCELLI_INLINE void blocked_conv_pack(const conv_layer& l, const float* w, float* packed) {
    const std::int64_t lanes = block_lanes(), taps = l.kernel_depth * l.kernel_height * l.kernel_width;
    const detail::blocked_groups g = detail::groups_in_blocks(l, lanes);
    const std::int64_t own_channels = l.channels / l.group, own_filters = l.filters / l.group;
    const std::int64_t blocks = block_count(g.filters, lanes), pairs = (blocks + 1) / 2;
    const ocelli::detail::gemm_kernels& t = ocelli::detail::get_gemm_kernels();
    parallel_for(static_cast<std::size_t>(g.count * pairs), static_cast<std::size_t>(1 + (1 << 16) / (taps * g.channels * lanes)),
                 [&](std::size_t begin, std::size_t end) {
                     for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
                         const std::int64_t group = i / pairs, first = i % pairs * 2 * lanes;
                         const std::int64_t wide = std::min(2 * lanes, blocks * lanes - first);
                         float* to = packed + group * detail::blocked_packed_group(l, g, lanes) + first * g.channels * taps;
                         if (g.merged == 1) {
                             const std::int64_t row = own_channels * taps;
                             for (std::int64_t f = 0; f < wide; f += lanes)
                                 t.turn(w + (group * g.filters + first + f) * row, row, static_cast<int>(std::min(lanes, g.filters - first - f)), own_channels, taps,
                                        to + f, wide, own_channels * wide);
                             continue;
                         }
                         for (std::int64_t tap = 0; tap < taps; ++tap)
                             for (std::int64_t c = 0; c < g.channels; ++c, to += wide)
                                 for (std::int64_t f = 0; f < wide; ++f) {
                                     const std::int64_t filter = first + f;
                                     const bool real = filter < g.filters && filter / own_filters == c / own_channels;
                                     to[f] = real ? ocelli::detail::float_at(w + ((group * g.filters + filter) * own_channels + c % own_channels) * taps + tap) : 0.0f;
                                 }
                     }
                 });
}

namespace detail {

OCELLI_INLINE void blocked_conv_placed(const conv_layer& layer, const float* x, bool planes, blocked_form form, const float* packed, const blocked_epilogue& e,
                                       float* y, const blocked_placement& place) {
    placed_conv(layer, x, planes, form, packed, e, y, place).run();
}

}  // namespace detail

OCELLI_INLINE void blocked_conv(const conv_layer& l, const float* x, bool planes, const float* packed, const blocked_epilogue& e, float* y) {
    const std::int64_t frame = l.out_height * l.out_width;
    detail::blocked_conv_placed(l, x, planes, planes ? detail::floats_in_planes : detail::floats_in_blocks, packed, e, y,
                                {0, 1, l.out_width, frame, l.out_depth * frame});
}

}  // namespace ocelli::nn
