#pragma once

/// @file
/// How a convolution on blocks cuts its groups, and where its results stand: what all its forms share.

#include <ocelli/nn/kernels/blocked.hpp>

#include <cstdint>

namespace ocelli::nn::detail {

/// The groups of a convolution as blocks see them: `merged` of the layer's groups in each, so that channels and filters fill blocks.
struct blocked_groups {
    std::int64_t count = 0, merged = 0, channels = 0, filters = 0;
};
inline blocked_groups groups_in_blocks(const conv_layer& l, std::int64_t lanes) {
    const std::int64_t channels = l.channels / l.group, filters = l.filters / l.group;
    for (std::int64_t m = 1; m <= l.group; ++m) {
        if (l.group % m != 0 || m > lanes) continue;  // more zeros than that cost more than planes
        if (m != l.group && (m * channels % lanes != 0 || m * filters % lanes != 0)) continue;
        return {l.group / m, m, m * channels, m * filters};
    }
    return {};
}

/// Floats of a group's packed weights.
inline std::int64_t blocked_packed_group(const conv_layer& l, const blocked_groups& g, std::int64_t lanes) {
    return block_count(g.filters, lanes) * lanes * g.channels * l.kernel_depth * l.kernel_height * l.kernel_width;
}

/// Where a convolution's results stand, counted in pixels: those of a transposed one interleave with others.
struct blocked_placement {
    std::int64_t first;  ///< the first result
    std::int64_t step;   ///< from one result of a row to the next
    std::int64_t row;    ///< from one row to the next
    std::int64_t frame;  ///< from one frame to the next
    std::int64_t plane;  ///< pixels of a block of channels
};

/// The convolution behind all of them: x in the given form, in planes or blocks, to y.
void blocked_conv_placed(const conv_layer& layer, const float* x, bool planes, blocked_form form, const float* packed, const blocked_epilogue& e, float* y,
                         const blocked_placement& place);

}  // namespace ocelli::nn::detail
