#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/kernels/depthwise.hpp>
#include <ocelli/nn/kernels/detail/epilogue.hpp>
#include <ocelli/nn/kernels/detail/tasks.hpp>
#include <ocelli/nn/kernels/pointwise_depthwise.hpp>

#include <algorithm>
#include <vector>

namespace ocelli::nn {

namespace detail {

/// What the tiles of a task fetch: the weights of the thread's next task, first those of the pointwise convolution. Spread over all tiles: the first of the
/// next task alone would wait for them.
struct next_weights {
    const float *at = nullptr, *end = nullptr, *then = nullptr, *then_end = nullptr;
    std::int64_t step = 0;  ///< floats with each step of a tile

    ocelli::detail::memory_ahead next(std::int64_t steps) {
        if (at >= end) {
            at = then;
            end = then_end;
            then = then_end = nullptr;
        }
        if (at == nullptr) return {};
        const float* here = at;
        at += std::min(end - at, steps * step);
        return {reinterpret_cast<const char*>(here), step * static_cast<std::int64_t>(sizeof(float))};
    }
};

/// Some pixels of a pointwise convolution for a pair of blocks of filters, to y, whose blocks are `y_block` floats apart.
struct pointwise_pair {
    const blocked_segment* segments;
    std::int64_t depth, channels;  ///< blocks of channels
    std::int64_t block;                     ///< the pair's first
    int wide;                               ///< blocks of it
    const float* weights;
    std::int64_t y_block;
};
inline void pointwise_pixels(const blocked_kernels& t, const pointwise_pair& p, const blocked_epilogue& e, const blocked_clamp& clamp, const float* x,
                             std::int64_t count, next_weights& ahead, float* y) {
    static constexpr float zeros[2 * 16] = {};
    const std::int64_t lanes = t.lanes, part_units = 256 / lanes;  // long sums in parts, as blocked_conv() makes them
    blocked_tile tile{};
    tile.y_block = p.y_block;
    tile.y_step = lanes;
    tile.low = clamp.low;
    tile.high = clamp.high;
    const std::int64_t cuts = (count + t.pixels - 1) / t.pixels, wide = count / cuts, wider = count % cuts;
    for (std::int64_t cut = 0, pixel = 0; cut < cuts; ++cut) {
        const std::int64_t pixels = wide + (cut < wider);
        tile.x = x + pixel * lanes;
        tile.y = y + pixel * lanes;
        pixel += pixels;
        tile.bias = e.bias + p.block * lanes;
        tile.addend = nullptr;
        for (std::int64_t unit = 0; unit < p.depth;) {
            const std::int64_t left = p.depth - unit;
            tile.count = left <= part_units + part_units / 2 ? left : part_units;
            tile.segments = p.segments + unit;
            tile.weights = p.weights + unit * lanes * p.wide * lanes;
            tile.clamps = tile.count == left && clamp.clamps;
            tile.ahead = ahead.next(std::min(tile.count * lanes, p.channels - unit * lanes));
            t.tile[0][p.wide - 1][pixels - 1](tile);
            unit += tile.count;
            tile.bias = zeros;
            tile.addend = tile.y;
        }
    }
    if (!clamp.finish) return;
    for (std::int64_t b = 0; b < p.wide; ++b) {
        // As if all lanes were used: what stands in the others goes to unused lanes of the result, which become zero there.
        const std::int64_t channel = (p.block + b) * lanes;
        finish_block(t, e, true, channel, channel + lanes, count, y + b * p.y_block);
    }
}

}  // namespace detail

OCELLI_INLINE void blocked_pointwise_depthwise(const conv_layer& first, const packed_convolution& pointwise, const conv_layer& l, const packed_convolution& depthwise,
                                               const float* x, float* y) {
    using namespace detail;
    const blocked_kernels& t = get_blocked_kernels();
    const std::int64_t lanes = t.lanes, depth = block_count(first.channels, lanes), blocks = block_count(first.filters, lanes), pairs = (blocks + 1) / 2;
    const std::int64_t pixels = l.height * l.width, out_pixels = l.out_height * l.out_width, taps = l.kernel_height * l.kernel_width;
    if (l.batch == 0 || pairs == 0 || out_pixels == 0) return;
    // Rows of the result at a time: the rows between that they need are in the cache; what the next ones need of them is kept: row i is in place i of a ring.
    const std::int64_t reach = (l.kernel_height - 1) * l.dilation_y + 1;
    const auto rows_between = [&](std::int64_t rows) { return std::min(l.height, (rows - 1) * l.stride_y + reach); };
    std::int64_t step = 1;
    while (step < l.out_height && rows_between(step + 1) * l.width * 2 * lanes <= 3 << 14) ++step;
    const std::int64_t ring_rows = rows_between(step), ring_pixels = ring_rows * l.width, plane_here = ring_pixels * lanes;
    // A task: a pair of blocks of filters, and rows of which the input stays in the second-level cache for the next pair. At the border of two tasks, rows
    // are computed twice.
    const std::int64_t work = l.batch * first.filters * (pixels * first.channels + 2 * out_pixels * taps);
    const std::int64_t least = pairs == 1 ? 1 : std::min(l.out_height, (depth * pixels * lanes >> 17) + 1);
    const std::int64_t most = std::max(least, std::min({work / (l.batch * pairs) >> 17, std::int64_t{64}, l.out_height}));
    const auto row_work = [&](std::int64_t rows) { return rows_between(rows) * l.width * (first.channels + 8) + 2 * rows * l.out_width * taps; };
    const std::int64_t parts = parts_of_least_time(least, most, l.batch * blocks, 2, [&](std::int64_t n) { return row_work((l.out_height + n - 1) / n); });
    thread_local std::vector<blocked_segment> table;
    table.clear();
    for (std::int64_t c = 0; c < depth; ++c) table.push_back({c * pixels * lanes, std::min(lanes, first.channels - c * lanes)});
    const blocked_segment* segments = table.data();
    const blocked_clamp clamp = clamp_of(pointwise.epilogue);
    const std::int64_t tasks = l.batch * parts * pairs;
    const bool stay = first.filters * (first.channels + taps) <= 1 << 17;  // all weights, in the second-level cache
    parallel_for(static_cast<std::size_t>(tasks), even_grain(tasks, work / tasks), [&](std::size_t begin, std::size_t end) {
        for (auto task = static_cast<std::int64_t>(begin); task < static_cast<std::int64_t>(end); ++task) {
            const std::int64_t b0 = task % pairs * 2, image = task / (pairs * parts);
            const std::int64_t part = task / pairs % parts, row0 = l.out_height * part / parts, row1 = l.out_height * (part + 1) / parts;
            const pointwise_pair pair{segments, depth, first.channels, b0, b0 + 2 <= blocks ? 2 : 1, pointwise.weights + b0 * lanes * first.channels,
                                      plane_here};
            next_weights ahead;
            const std::int64_t later = task + 1;
            if (pairs > 1 && later < (stay ? pairs : tasks)) {
                const std::int64_t block = later % pairs * 2, wide = std::min<std::int64_t>(2, blocks - block) * lanes;
                ahead.at = pointwise.weights + block * lanes * first.channels;
                ahead.end = ahead.at + wide * first.channels;
                ahead.then = depthwise.weights + block * lanes * taps;
                ahead.then_end = ahead.then + wide * taps;
                const std::int64_t tiles = std::max<std::int64_t>(1, rows_between(row1 - row0) * l.width / t.pixels);
                ahead.step = std::min<std::int64_t>(16, wide * (first.channels + taps) / (tiles * first.channels) + 1);
            }
            const float* from = x + image * depth * pixels * lanes;
            float* between = ocelli::detail::thread_scratch(static_cast<std::size_t>(2 * plane_here), 1);
            std::int64_t have = 0;  // rows made so far
            for (std::int64_t row = row0; row < row1; row += step) {
                const std::int64_t next = std::min(row1, row + step);
                const std::int64_t need0 = std::clamp<std::int64_t>(row * l.stride_y - l.pad_top, 0, l.height);
                const std::int64_t need1 = std::clamp((next - 1) * l.stride_y - l.pad_top + reach, need0, l.height);
                // Some tiles at a time, which are in the first-level cache when they are finished.
                const std::int64_t end_pixel = need1 * l.width;
                for (std::int64_t pixel = std::max(have, need0) * l.width; pixel < end_pixel;) {
                    const std::int64_t place = pixel % ring_pixels, count = std::min({8 * std::int64_t{t.pixels}, end_pixel - pixel, ring_pixels - place});
                    pointwise_pixels(t, pair, pointwise.epilogue, clamp, from + pixel * lanes, count, ahead, between + place * lanes);
                    pixel += count;
                }
                have = need1;
                conv_layer here = l;
                here.height = need1 - need0;
                here.pad_top = l.pad_top + need0;
                for (std::int64_t b = 0; b < pair.wide; ++b) {
                    const std::int64_t block = b0 + b;
                    const float* ring = between + b * plane_here;
                    depthwise_block(here, block, ring + need0 % ring_rows * l.width * lanes, depthwise.weights, depthwise.epilogue, nullptr,
                                    y + (image * blocks + block) * out_pixels * lanes, row, next, {ring + plane_here, plane_here});
                }
            }
        }
    });
}

}  // namespace ocelli::nn
