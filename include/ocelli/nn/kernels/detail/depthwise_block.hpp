#pragma once

/// @file
/// Rows of a depthwise convolution of one block of channels, with their epilogue.

#include <ocelli/nn/kernels/detail/epilogue.hpp>

#include <algorithm>
#include <cstdint>

namespace ocelli::nn::detail {

/// Some rows of an image of which no others are kept: behind the last one follows the first.
struct depthwise_ring {
    const float* end = nullptr;
    std::int64_t floats = 0;  ///< of all rows, or 0 where there is no ring
};

/// Rows [row0, row1) of the result; x, addend (or null) and y begin with the block.
inline void depthwise_block(const blocked_kernels& t, const conv_layer& l, std::int64_t block, const float* x, const float* packed, const blocked_epilogue& e,
                            const float* addend, float* y, std::int64_t row0, std::int64_t row1, const depthwise_ring& ring = {}) {
    const std::int64_t lanes = t.lanes;
    const blocked_clamp clamp = clamp_of(e);
    blocked_depthwise_args d{};
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
    if (!clamp.finish && (block + 1) * lanes <= l.channels) return t.depthwise_rows(d, row0, row1);
    // Some rows at a time: their results are in the first-level cache when they are finished.
    const std::int64_t together = std::max<std::int64_t>(1, 128 / l.out_width);
    for (std::int64_t row = row0; row < row1; row += together) {
        const std::int64_t next = std::min(row1, row + together);
        t.depthwise_rows(d, row, next);
        finish_block(t, e, clamp.finish, block * lanes, l.channels, (next - row) * l.out_width, y + row * l.out_width * lanes);
    }
}

}  // namespace ocelli::nn::detail
