#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>
#include <ocelli/nn/kernels/detail/epilogue.hpp>
#include <ocelli/nn/kernels/detail/taps.hpp>
#include <ocelli/nn/kernels/detail/tasks.hpp>
#include <ocelli/nn/kernels/winograd.hpp>

#include <algorithm>
#include <vector>

#define OCELLI_KERNEL_FILE <ocelli/nn/kernels/detail/winograd.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>

namespace ocelli::nn {

namespace detail {

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const winograd_kernels& get_winograd_kernels() {
    static const winograd_kernels chosen = OCELLI_CHOOSE(make_winograd_kernels);
    return chosen;
}
OCELLI_KERNEL_API_END

/// Tiles along an axis of one phase.
inline std::int64_t winograd_tiles_along(std::int64_t extent, std::int64_t dilation, std::int64_t edge) {
    return ((extent + dilation - 1) / dilation + edge - 1) / edge;
}
inline std::int64_t winograd_tile_count(const conv_layer& l, std::int64_t edge) {
    return winograd_tiles_along(l.out_height, l.dilation_y, edge) * winograd_tiles_along(l.out_width, l.dilation_x, edge) * l.dilation_y * l.dilation_x;
}

/// finish_block() for the results of some tiles; y: a block of an image.
inline void finish_tiles(const blocked_kernels& t, const winograd_tiles& tiles, std::int64_t edge, const conv_layer& l, const blocked_epilogue& e, bool activate,
                         std::int64_t filter, float* y) {
    for (std::int64_t i = 0; i < tiles.count; ++i) {
        const winograd_origin at = origin_of(tiles, tiles.first + i, edge);
        for (std::int64_t row = at.y; row < std::min(at.y + edge * l.dilation_y, l.out_height); row += l.dilation_y)
            for (std::int64_t column = at.x; column < std::min(at.x + edge * l.dilation_x, l.out_width);) {
                const std::int64_t count = l.dilation_x == 1 ? std::min<std::int64_t>(edge, l.out_width - column) : 1;
                finish_block(t, e, activate, filter, l.filters, count, y + (row * l.out_width + column) * t.lanes);
                column += l.dilation_x == 1 ? edge : l.dilation_x;
            }
    }
}

}  // namespace detail

OCELLI_INLINE bool winograd_takes(const conv_layer& l) {
    return l.group == 1 && l.kernel_height == 3 && l.kernel_width == 3 && l.stride_x == 1 && l.stride_y == 1 && l.dilation_x == l.dilation_y &&
           l.channels >= 16 && l.filters >= 16;
}

OCELLI_INLINE int winograd_tile(const conv_layer& l, double direct_speed) {
    if (!winograd_takes(l)) return 0;
    // Processor cycles: products at two vectors a cycle, weights from memory at some ten bytes a cycle, transforms as measured.
    // A third axis adds channels: those of each frame under a tap.
    const double lanes = block_lanes(), channels = static_cast<double>(l.channels * l.kernel_depth), filters = static_cast<double>(l.filters);
    const auto products = [&](double products_each, double weights_each) {
        return std::max(products_each * channels * filters / (2 * lanes), weights_each * channels * filters * 4 / 10);
    };
    const auto minimal = [&](std::int64_t edge, double input, double output) {
        const auto tiles = static_cast<double>(detail::winograd_tile_count(l, edge));
        const auto coefficients = static_cast<double>((edge + 2) * (edge + 2));
        return 1.05 * products(tiles * coefficients, coefficients) + tiles * (channels * input + filters * output) / lanes;
    };
    // Taps that see padding alone are left out.
    thread_local std::vector<detail::tap_run> runs;
    detail::find_tap_runs({l.out_height, 1, l.pad_top, l.dilation_y, 3, l.height}, runs);
    const double rows = detail::count_taps(runs);
    detail::find_column_runs(l, detail::get_blocked_kernels().pixels, runs);
    const double direct = products(rows * detail::count_taps(runs), 9) / direct_speed;
    const double four = minimal(4, 180, 120), two = minimal(2, 60, 40);
    if (std::min(four, two) > 0.9 * direct) return 0;
    return four <= two ? 4 : 2;
}

OCELLI_INLINE std::int64_t winograd_packed_size(const conv_layer& l, int edge) {
    const std::int64_t lanes = block_lanes();
    return (edge + 2) * (edge + 2) * block_count(l.filters, lanes) * lanes * l.channels * l.kernel_depth;
}

// [pair of filter blocks][coefficient][frame of the kernel][channel][filters of the pair]
OCELLI_INLINE void winograd_pack(const conv_layer& l, int edge, const float* w, float* packed) {
    const std::int64_t lanes = block_lanes(), blocks = block_count(l.filters, lanes), pairs = (blocks + 1) / 2;
    const std::int64_t n = edge + 2, taps = l.kernel_depth * 9, row = l.channels * taps, rows = l.kernel_depth * l.channels;
    const ocelli::detail::gemm_kernels& t = ocelli::detail::get_gemm_kernels();
    const detail::winograd_kernels& k = detail::get_winograd_kernels();
    // Some channels at a time: their kernels, turned, stay in the first-level cache.
    const std::int64_t each = std::max<std::int64_t>(1, (1 << 12) / (taps * lanes));
    parallel_for(static_cast<std::size_t>(pairs), static_cast<std::size_t>(1 + (1 << 14) / (row * lanes)), [&](std::size_t begin, std::size_t end) {
        float* turned = ocelli::detail::thread_scratch(static_cast<std::size_t>(each * taps * lanes), 1);
        for (auto pair = static_cast<std::int64_t>(begin); pair < static_cast<std::int64_t>(end); ++pair) {
            const std::int64_t first = pair * 2 * lanes, wide = std::min(2 * lanes, blocks * lanes - first);
            float* to = packed + first * n * n * rows;
            for (std::int64_t f = 0; f < wide; f += lanes)
                for (std::int64_t c0 = 0; c0 < l.channels; c0 += each) {
                    const std::int64_t channels = std::min(each, l.channels - c0);
                    t.turn(w + (first + f) * row + c0 * taps, row, static_cast<int>(std::min(lanes, l.filters - first - f)), channels, taps, turned, lanes,
                           channels * lanes);
                    for (std::int64_t z = 0; z < l.kernel_depth; ++z)
                        k.weights[edge == 4](turned + z * 9 * channels * lanes, channels * lanes, channels, to + (z * l.channels + c0) * wide + f, wide, rows * wide);
                }
        }
    });
}

OCELLI_INLINE void winograd_conv(const conv_layer& l, int edge, const float* x, const float* packed, const blocked_epilogue& e, float* y) {
    using namespace detail;
    const blocked_kernels& t = get_blocked_kernels();
    const winograd_kernels& w = get_winograd_kernels();
    const std::int64_t lanes = t.lanes, depth = block_count(l.channels, lanes), blocks = block_count(l.filters, lanes), pairs = (blocks + 1) / 2;
    const std::int64_t n = edge + 2, all = winograd_tile_count(l, edge), pixels = l.out_height * l.out_width;
    if (l.batch == 0 || l.out_depth == 0 || all == 0) return;
    const std::int64_t images = l.batch * l.out_depth, units = l.kernel_depth * depth, rows = l.kernel_depth * l.channels;
    const int kind = edge == 4;
    // Tiles of a task: their coefficients and those of some pairs of filters stay in the second-level cache; with many channels the
    // weights, read anew for each task, count for more.
    const std::int64_t budget = std::int64_t{6} << 15;
    std::int64_t each = std::clamp<std::int64_t>(budget / (n * n * (rows + 4 * lanes)), 2 * t.pixels, 6 * t.pixels);
    if (rows >= 192) each = std::max<std::int64_t>(each, 4 * t.pixels);
    // Small images share a task, and its reading of the weights.
    const std::int64_t images_each = l.depth == 1 && l.out_depth == 1 ? std::clamp<std::int64_t>(each / all, 1, l.batch) : 1;
    const std::int64_t image_tasks = (l.batch + images_each - 1) / images_each;
    const std::int64_t cuts = (all + each - 1) / each, cut_tiles = (all + cuts - 1) / cuts;
    each = images_each * cut_tiles;
    // Few tiles: several tasks make the same ones for different filters.
    const std::int64_t work = images * all * n * n * rows * l.filters;
    const std::int64_t wanted = std::clamp<std::int64_t>(work >> 20, 1, 8);
    const std::int64_t place_tasks = image_tasks * l.out_depth * cuts;
    const std::int64_t filter_tasks = std::clamp<std::int64_t>(wanted / place_tasks, 1, std::max<std::int64_t>(1, pairs / 4));
    const std::int64_t pairs_each = (pairs + filter_tasks - 1) / filter_tasks;
    // Pairs of filters together read the tiles' coefficients once, which with many channels come from far away.
    const std::int64_t together = rows >= 1024 ? 8 : 2;
    // An odd number of cache lines apart: coefficients of one tile do not fall on one another in the first-level cache.
    const auto apart = [&](std::int64_t floats) { return (floats / 16 | 1) * 16 + 32; };
    const std::int64_t step_in = apart(units * each * lanes), step_out = apart(2 * together * each * lanes);

    thread_local std::vector<blocked_segment> table;
    table.clear();
    for (std::int64_t u = 0; u < units; ++u) table.push_back({u * each * lanes, std::min(lanes, l.channels - u % depth * lanes)});
    const blocked_segment* segments = table.data();
    const blocked_clamp clamp = clamp_of(e);
    static constexpr float zeros[2 * 16] = {};
    const std::int64_t tasks = place_tasks * filter_tasks;
    parallel_for(static_cast<std::size_t>(tasks), even_grain(tasks, work / tasks), [&](std::size_t begin, std::size_t end) {
        float* in = ocelli::detail::thread_scratch(static_cast<std::size_t>(n * n * (step_in + step_out)), 1);
        float* out = in + n * n * step_in;
        for (auto task = static_cast<std::int64_t>(begin); task < static_cast<std::int64_t>(end); ++task) {
            const std::int64_t pair0 = task % filter_tasks * pairs_each, pair1 = std::min(pairs, pair0 + pairs_each);
            const std::int64_t cut = task / filter_tasks % cuts, z = task / (filter_tasks * cuts) % l.out_depth;
            const std::int64_t image0 = task / (filter_tasks * cuts * l.out_depth) * images_each, image1 = std::min(l.batch, image0 + images_each);
            const std::int64_t front = z * l.stride_z - l.pad_front;
            const auto [kz0, kz1] = taps_inside(front, l.dilation_z, l.kernel_depth, l.depth);
            winograd_tiles tiles{};
            tiles.first = cut * cut_tiles;
            tiles.count = std::min(cut_tiles, all - tiles.first);
            tiles.rows = winograd_tiles_along(l.out_height, l.dilation_y, edge);
            tiles.columns = winograd_tiles_along(l.out_width, l.dilation_x, edge);
            tiles.pad_top = l.pad_top;
            tiles.pad_left = l.pad_left;
            tiles.dilation = l.dilation_x;
            if (pair0 >= pair1 || tiles.count <= 0) continue;
            tiles.height = l.height;
            tiles.width = l.width;
            tiles.step = step_in;
            for (std::int64_t kz = kz0; kz < kz1; ++kz)
                for (std::int64_t c = 0; c < depth; ++c)
                    for (std::int64_t image = image0; image < image1; ++image)
                        w.input[kind](tiles, x + ((image * depth + c) * l.depth + front + kz * l.dilation_z) * l.height * l.width * lanes,
                                      in + (((kz - kz0) * depth + c) * each + (image - image0) * tiles.count) * lanes);
            const std::int64_t count = (image1 - image0) * tiles.count;
            tiles.height = l.out_height;
            tiles.width = l.out_width;
            tiles.step = step_out;
            for (std::int64_t first = pair0; first < pair1; first += together) {
                const std::int64_t last = std::min(pair1, first + together);
                blocked_tile tile{};
                const std::int64_t frames_depth = (kz1 - kz0) * depth, part_units = 256 / lanes;
                tile.bias = zeros;
                tile.y_block = each * lanes;
                tile.y_step = lanes;
                for (std::int64_t p = 0; p < n * n; ++p)
                    for (std::int64_t pair = first; pair < last; ++pair) {
                        const int wide = 2 * pair + 2 <= blocks ? 2 : 1;
                        const std::int64_t parts = (count + t.pixels - 1) / t.pixels;
                        // The weights of the next products, made of the same size.
                        const bool turns = pair + 1 == last;
                        const std::int64_t next_pair = !turns ? pair + 1 : p + 1 < n * n ? first : last, next_p = turns ? (p + 1) % (n * n) : p;
                        if (next_pair < pairs) {
                            const int next_wide = 2 * next_pair + 2 <= blocks ? 2 : 1;
                            const std::int64_t next = next_pair * 2 * lanes * n * n * rows + (next_p * rows + kz0 * l.channels) * next_wide * lanes;
                            const std::int64_t steps = (kz1 - kz0) * l.channels;
                            tile.ahead = ocelli::detail::ahead_of(packed + next, 4 * next_wide * lanes * steps, parts * steps);
                        } else {
                            tile.ahead = {};
                        }
                        const float* weights = packed + pair * 2 * lanes * n * n * rows + (p * rows + kz0 * l.channels) * wide * lanes;
                        for (std::int64_t part = 0; part < parts; ++part) {
                            const std::int64_t t0 = count * part / parts, t1 = count * (part + 1) / parts;
                            tile.x = in + p * step_in + t0 * lanes;
                            tile.y = out + p * step_out + (2 * (pair - first) * each + t0) * lanes;
                            // Long sums in parts, as direct convolution makes them.
                            tile.addend = nullptr;
                            for (std::int64_t u = 0; u < frames_depth || u == 0; u += part_units) {
                                tile.segments = segments + u;
                                tile.count = std::min(part_units, frames_depth - u);
                                tile.weights = weights + (u / depth * l.channels + u % depth * lanes) * wide * lanes;
                                t.tile[0][wide - 1][t1 - t0 - 1](tile);
                                tile.ahead.advance(tile.count * lanes);
                                tile.addend = tile.y;
                            }
                        }
                    }
                for (std::int64_t image = image0; image < image1; ++image)
                    for (std::int64_t b = 2 * first; b < std::min(2 * last, blocks); ++b) {
                        float* to = y + ((image * blocks + b) * l.out_depth + z) * pixels * lanes;
                        const float* addend = e.addend == nullptr ? nullptr : e.addend + (to - y);
                        w.output[kind](tiles, out + ((b - 2 * first) * each + (image - image0) * tiles.count) * lanes, e.bias + b * lanes, addend, clamp.clamps,
                                       clamp.low, clamp.high, to);
                        if (clamp.finish || (b + 1) * lanes > l.filters) finish_tiles(t, tiles, edge, l, e, clamp.finish, b * lanes, to);
                    }
            }
        }
    });
}

}  // namespace ocelli::nn
