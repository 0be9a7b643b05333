#pragma once

#include <ocelli/core/gemm.hpp>
#include <ocelli/core/simd/isa.hpp>
#include <ocelli/nn/kernels/blocked_bf16.hpp>
#include <ocelli/nn/kernels/detail/blocked_groups.hpp>

#include <algorithm>
#include <vector>

namespace ocelli::nn {

OCELLI_INLINE std::int64_t blocked_conv_bf16_packed_size(const conv_layer& l) {
    detail::blocked_groups g = detail::groups_in_blocks(l, block_lanes());
    g.channels = (g.channels + 1) / 2;
    return g.count * detail::blocked_packed_group(l, g, block_lanes());
}

OCELLI_INLINE void blocked_conv_bf16_pack(const conv_layer& l, const float* w, std::uint32_t* packed) {
    // As floats first; then rows of filters, one for each channel, two and two.
    const std::int64_t lanes = block_lanes(), taps = l.kernel_depth * l.kernel_height * l.kernel_width;
    const detail::blocked_groups g = detail::groups_in_blocks(l, lanes);
    const std::int64_t blocks = block_count(g.filters, lanes), words = (g.channels + 1) / 2;
    std::vector<float> floats(static_cast<std::size_t>(blocked_conv_packed_size(l)));
    blocked_conv_pack(l, w, floats.data());
    const auto round = ocelli::detail::get_gemm_kernels().round_bf16;
    std::vector<std::uint16_t> rows(static_cast<std::size_t>(4 * lanes), std::uint16_t{0});
    const float* from = floats.data();
    for (std::int64_t group = 0; group < g.count; ++group)
        for (std::int64_t block = 0; block < blocks; block += 2) {
            const std::int64_t wide = std::min<std::int64_t>(2, blocks - block) * lanes;
            for (std::int64_t tap = 0; tap < taps; ++tap)
                for (std::int64_t word = 0; word < words; ++word, packed += wide) {
                    const std::int64_t there = std::min<std::int64_t>(2, g.channels - 2 * word) * wide;
                    round(there, from, rows.data());
                    std::fill(rows.begin() + there, rows.end(), std::uint16_t{0});
                    for (std::int64_t f = 0; f < wide; ++f) {
                        const auto second = static_cast<std::uint32_t>(rows[static_cast<std::size_t>(wide + f)]) << 16;
                        packed[f] = second | rows[static_cast<std::size_t>(f)];
                    }
                    from += there;
                }
        }
}

OCELLI_INLINE bool blocked_conv_bf16_takes_planes(const conv_layer& l) {
    return l.group == 1 && l.channels <= block_lanes();
}

OCELLI_INLINE void blocked_conv_bf16(const conv_layer& l, const float* x, bool planes, const std::uint32_t* packed, const blocked_epilogue& e, float* y,
                                     bool widen) {
    const detail::blocked_form form = !widen && ocelli::simd::has_bf16() ? detail::pairs_by_instruction : detail::pairs_widened;
    const std::int64_t frame = l.out_height * l.out_width;
    detail::blocked_conv_placed(l, x, planes, form, reinterpret_cast<const float*>(packed), e, y,
                                {0, 1, l.out_width, frame, l.out_depth * frame});
}

}  // namespace ocelli::nn
