#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>
#include <ocelli/nn/kernels/depthwise.hpp>
#include <ocelli/nn/kernels/detail/epilogue.hpp>
#include <ocelli/nn/kernels/detail/tasks.hpp>

#include <algorithm>

#define OCELLI_KERNEL_FILE <ocelli/nn/kernels/detail/depthwise.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>

namespace ocelli::nn {

namespace detail {

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const depthwise_kernels& get_depthwise_kernels() {
    static const depthwise_kernels chosen = OCELLI_CHOOSE(make_depthwise_kernels);
    return chosen;
}
OCELLI_KERNEL_API_END

OCELLI_INLINE void depthwise_block(const conv_layer& l, std::int64_t block, const float* x, const float* packed, const blocked_epilogue& e, const float* addend, float* y,
                                   std::int64_t row0, std::int64_t row1, const depthwise_ring& ring) {
    const std::int64_t lanes = block_lanes();
    const auto rows = get_depthwise_kernels().rows;
    const blocked_clamp clamp = clamp_of(e);
    depthwise_args d{};
    d.x = x;
    d.weights = packed + block * l.kernel_height * l.kernel_width * lanes;
    d.bias = e.bias + block * lanes;
    d.addend = addend;
    d.y = y;
    d.height = l.height;
    d.width = l.width;
    d.out_width = l.out_width;
    d.tap_row = l.dilation_y * l.width * lanes;
    d.kernel_height = l.kernel_height;
    d.kernel_width = l.kernel_width;
    d.stride_y = l.stride_y;
    d.stride_x = l.stride_x;
    d.dilation_y = l.dilation_y;
    d.dilation_x = l.dilation_x;
    d.pad_top = l.pad_top;
    d.pad_left = l.pad_left;
    d.low = clamp.low;
    d.high = clamp.high;
    d.ring_end = ring.end;
    d.ring = ring.floats;
    if (!clamp.finish && (block + 1) * lanes <= l.channels) return rows(d, row0, row1);
    // Some rows at a time: their results are in the first-level cache when they are finished.
    const std::int64_t together = std::max<std::int64_t>(1, 128 / l.out_width);
    for (std::int64_t row = row0; row < row1; row += together) {
        const std::int64_t next = std::min(row1, row + together);
        rows(d, row, next);
        finish_block(get_blocked_kernels(), e, clamp.finish, block * lanes, l.channels, (next - row) * l.out_width, y + row * l.out_width * lanes);
    }
}

}  // namespace detail

OCELLI_INLINE void blocked_depthwise_pack(const conv_layer& l, const float* w, float* packed) {
    const std::int64_t lanes = block_lanes(), taps = l.kernel_height * l.kernel_width;
    const ocelli::detail::gemm_kernels& t = ocelli::detail::get_gemm_kernels();
    for (std::int64_t first = 0; first < l.channels; first += lanes)
        t.turn(w + first * taps, taps, static_cast<int>(std::min(lanes, l.channels - first)), 1, taps, packed + first * taps, 0, lanes);
}

OCELLI_INLINE void blocked_depthwise(const conv_layer& l, const float* x, const float* packed, const blocked_epilogue& e, float* y) {
    using namespace detail;
    const std::int64_t lanes = block_lanes(), blocks = block_count(l.channels, lanes), taps = l.kernel_height * l.kernel_width;
    const std::int64_t pixels = l.out_height * l.out_width;
    if (pixels == 0) return;
    // Rows of a task: some ten microseconds of work. The upper rows of all blocks come first, and threads share rows rather than blocks: as the layers
    // around this one have them.
    const std::int64_t row_work = l.out_width * taps * lanes / 2;
    const std::int64_t chunks = even_parts(std::clamp<std::int64_t>(l.out_height * row_work >> 16, 1, std::min<std::int64_t>(8, l.out_height)), l.out_height);
    const std::int64_t tasks = l.batch * chunks * blocks;
    parallel_for(static_cast<std::size_t>(tasks), even_grain(tasks, l.out_height * row_work / chunks), [&](std::size_t begin, std::size_t end) {
        for (auto task = static_cast<std::int64_t>(begin); task < static_cast<std::int64_t>(end); ++task) {
            const std::int64_t block = task % blocks, chunk = task / blocks % chunks, i = task / (blocks * chunks) * blocks + block, to = i * pixels * lanes;
            depthwise_block(l, block, x + i * l.height * l.width * lanes, packed, e, e.addend == nullptr ? nullptr : e.addend + to, y + to,
                            l.out_height * chunk / chunks, l.out_height * (chunk + 1) / chunks);
        }
    });
}

}  // namespace ocelli::nn
