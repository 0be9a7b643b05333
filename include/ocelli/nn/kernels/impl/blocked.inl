#pragma once

#include <ocelli/core/detail/unaligned.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>
#include <ocelli/nn/kernels/blocked.hpp>
#include <ocelli/nn/kernels/detail/blocked_groups.hpp>
#include <ocelli/nn/kernels/detail/blocked_pairs.hpp>
#include <ocelli/nn/kernels/detail/epilogue.hpp>
#include <ocelli/nn/kernels/detail/taps.hpp>
#include <ocelli/nn/kernels/detail/tasks.hpp>

#include <algorithm>
#include <vector>

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

/// Rows of some planes or blocks that the tiles of a task ask for piece by piece, because another task reads them next.
struct rows_ahead {
    const float* at = nullptr;          ///< the rows of the first plane, or null
    std::int64_t plane = 0, bytes = 0;  ///< floats from one plane to the next, bytes of its rows
    std::int64_t piece = 0, done = 0;   ///< bytes for a tile, and of this plane so far

    /// For the next tile, which makes so many steps.
    ocelli::detail::memory_ahead next(std::int64_t steps) {
        const ocelli::detail::memory_ahead here = ocelli::detail::ahead_of(at + done / 4, piece, steps);
        done += piece;
        if (done >= bytes) {
            done -= bytes;
            at += plane;
        }
        return here;
    }
};

OCELLI_INLINE void blocked_conv_placed(const conv_layer& layer, const float* x, bool planes, blocked_form form, const float* packed, const blocked_epilogue& e,
                                       float* y, const blocked_placement& place) {
    const blocked_kernels& t = get_blocked_kernels();
    const std::int64_t lanes = t.lanes;
    blocked_groups groups = groups_in_blocks(layer, lanes);
    conv_layer l = layer;
    const bool rounds = is_pairs(form), pairs_planes = rounds && planes;
    if (rounds) {
        groups.channels = (groups.channels + 1) / 2;
        l.channels = (l.channels + 1) / 2;
    }
    const std::int64_t packed_group = blocked_packed_group(l, groups, lanes);
    const std::int64_t out_pixels = l.out_height * l.out_width, plane_taps = l.kernel_height * l.kernel_width, taps = l.kernel_depth * plane_taps;
    if (l.batch == 0 || l.filters == 0 || l.out_depth * out_pixels == 0) return;
    // One plane of x: a block, or a channel.
    const std::int64_t each = form == floats_in_planes ? 1 : rounds ? lanes / 2 : lanes;
    const std::int64_t depth = block_count(groups.channels, each), all_depth = planes ? layer.channels : block_count(l.channels, each);
    const std::int64_t frame = l.height * l.width * (planes ? 1 : lanes), plane = l.depth * frame;
    const std::int64_t reach_y = (l.kernel_height - 1) * l.dilation_y + 1, reach_x = (l.kernel_width - 1) * l.dilation_x + 1;
    // Columns are dealt out, so that a tile's pixels are neighbours; not where tiles take every other float.
    const bool every_other = form == floats_in_planes && l.stride_x == 2;
    const std::int64_t deals = every_other ? 1 : l.stride_x, pixel_step = l.stride_x / deals * each;
    const auto& tiles = t.tile[every_other ? every_other_in_planes : form];
    const bool direct = !pairs_planes && deals == 1 && l.pad_top == 0 && l.pad_left == 0 && (l.out_height - 1) * l.stride_y + reach_y <= l.height &&
                        (l.out_width - 1) * l.stride_x + reach_x <= l.width;
    const bool copies = !direct || rounds;
    // Where a tap covers the same rows whole, the image is one long row, cut anew.
    const bool flat = direct && plane_taps == 1 && l.stride_y == 1 && l.stride_x == 1 && l.out_height == l.height && l.out_width == l.width && place.step == 1 &&
                      place.row == l.out_width;
    std::int64_t out_row_step = place.row;
    if (flat) {
        const std::int64_t wanted = 8 * t.pixels;
        l.out_height = even_parts((out_pixels + wanted - 1) / wanted, out_pixels / t.pixels, 1);
        l.out_width = l.width = (out_pixels + l.out_height - 1) / l.out_height;
        l.out_height = l.height = (out_pixels + l.out_width - 1) / l.out_width;
        out_row_step = l.out_width;
    }
    const auto row_pixels = [&](std::int64_t row) { return std::min(l.out_width, out_pixels - row * l.out_width); };

    // Rows of a task, so that their unrolled input stays in the second-level cache.
    const bool aligns = !direct && form == floats_in_planes && deals == 1;
    const std::int64_t lead = aligns ? (lanes - l.pad_left % lanes) % lanes : 0;  // more padding, so that whole vectors are stored to aligned memory
    const std::int64_t columns = (l.out_width - 1) * l.stride_x + reach_x;
    const std::int64_t part = direct ? 0 : aligns ? block_count(lead + columns, lanes) * lanes : block_count(columns, deals);
    const std::int64_t row_floats = direct ? l.width * each : part * deals * each;
    std::int64_t chunk = 1;
    const auto unrolled_rows = [&](std::int64_t rows) { return std::min((rows - 1) * l.stride_y + reach_y, rows * l.kernel_height); };
    const std::int64_t row_work = l.out_width * block_count(groups.filters, lanes) * lanes * groups.channels * taps;  // unused lanes are multiplied as well
    // Few planes' rows stay in the first-level cache: there are enough of them, and copying them again costs little.
    const bool few = form == floats_in_planes && row_floats * depth * l.kernel_depth * reach_y < std::int64_t{3} << 12;
    const std::int64_t budget = few ? std::int64_t{3} << 12 : std::int64_t{3} << 15;
    constexpr std::int64_t least_work = std::int64_t{1} << 17;
    const auto has_room = [&](std::int64_t rows) { return unrolled_rows(rows) * row_floats * depth * l.kernel_depth <= budget; };
    const auto has_time = [&](std::int64_t rows) { return rows * row_work <= 32 * least_work; };
    while (chunk < l.out_height && (!direct || has_time(chunk + 1)) && (!copies || has_room(chunk + 1))) ++chunk;
    const std::int64_t blocks = block_count(groups.filters, lanes), pairs = (blocks + 1) / 2;
    // Enough tasks for threads, as far as there is work for them; where rows do not give them, filters do.
    const std::int64_t images = l.batch * groups.count * l.out_depth;
    // Few pixels' work is reading the weights.
    const std::int64_t all_work = images * std::max<std::int64_t>(l.out_height * l.out_width, t.pixels) * (row_work / l.out_width);
    const std::int64_t wanted = std::clamp<std::int64_t>(all_work / least_work, 1, std::clamp<std::int64_t>(all_work / (4 * least_work), 4, 16));
    chunk = std::max<std::int64_t>(std::min<std::int64_t>(chunk, l.out_height * images / wanted), std::min<std::int64_t>(4, chunk));
    std::int64_t chunks = (l.out_height + chunk - 1) / chunk;
    const auto filters_of = [&] {
        const std::int64_t tasks = std::clamp<std::int64_t>(wanted / (images * chunks), 1, pairs);
        return copies ? std::min(tasks, tasks_for_threads(images * chunks)) : tasks;  // each unrolls or rounds its rows again
    };
    chunks = even_parts(chunks, std::min(l.out_height, all_work / least_work), images * filters_of());
    chunk = (l.out_height + chunks - 1) / chunks;
    // Two small rows make a tile: the same two for any number of threads, because its long sums are cut where both have terms.
    const bool small_rows = t.pair[form][0][0] != nullptr && !flat && 2 * l.out_width <= t.pixels;
    if (small_rows) chunk += chunk % 2;
    chunks = (l.out_height + chunk - 1) / chunk;
    const std::int64_t filter_tasks = filters_of();
    const std::int64_t pairs_each = (pairs + filter_tasks - 1) / filter_tasks;
    // Rows that taps share are unrolled once; far apart, each tap's rows alone.
    const bool shared = direct || (chunk - 1) * l.stride_y + reach_y <= chunk * l.kernel_height;
    const std::int64_t rows_here = shared ? (chunk - 1) * l.stride_y + reach_y : chunk * l.kernel_height;
    const std::int64_t plane_here = copies ? rows_here * row_floats : plane;
    const std::int64_t tap_row = shared ? l.dilation_y * row_floats : chunk * row_floats;
    const std::int64_t out_row = shared ? l.stride_y * row_floats : row_floats;
    const std::int64_t tap_frame = copies ? depth * plane_here : l.dilation_z * frame;

    thread_local std::vector<blocked_segment> table;
    table.clear();
    for (std::int64_t ky = 0; ky < l.kernel_height; ++ky)
        for (std::int64_t kx = 0; kx < l.kernel_width; ++kx)
            for (std::int64_t c = 0; c < depth; ++c) {
                const std::int64_t at = kx * l.dilation_x;
                table.push_back({c * plane_here + ky * tap_row + (at % deals * part + at / deals) * each, std::min(each, groups.channels - c * each)});
            }
    const blocked_segment* segments = table.data();
    thread_local std::vector<tap_run> run_table;
    if (direct || small_rows) run_table.assign(1, {0, l.out_width, 0, l.kernel_width});
    else find_column_runs(l, t.pixels, run_table);
    const tap_run *runs = run_table.data(), *runs_end = runs + run_table.size();
    const blocked_clamp clamp = clamp_of(e);
    const std::int64_t part_segments = std::max<std::int64_t>(1, 256 / each);
    // Three taps beside each other at once, where a sum is made at once.
    const bool near = every_other && t.near[0] != nullptr && l.kernel_width == 3 && l.dilation_x == 1 && l.kernel_depth == 1 &&
                      taps * depth <= part_segments + part_segments / 2 && run_table.size() == 1 && runs->tap0 == 0 && runs->tap1 == 3;
    const auto largest_tile = [&](int vectors) { return near && vectors == 1 ? 2 * t.pixels : t.pixels; };
    static constexpr float zeros[2 * 16] = {};
    const std::int64_t tasks = images * chunks * filter_tasks;
    // What tiles fetch meanwhile: where all weights stay in the second-level cache beside two tasks' pixels, the next task's pixels; else the next weights.
    const std::int64_t tiles_of_row = block_count(l.out_width, largest_tile(blocks == 1 ? 1 : 2));
    const std::int64_t pixel_rows = copies ? chunk * l.stride_y : chunk, row_bytes = 4 * (copies ? l.width * (planes ? 1 : lanes) : row_floats);
    const bool fetches_pixels = (direct ? taps == 1 : form == floats_in_planes) && !rounds && filter_tasks == 1 && groups.count == 1 && l.depth == 1 &&
                                taps * depth <= part_segments + part_segments / 2 &&
                                4 * blocks * lanes * groups.channels * taps + 2 * depth * pixel_rows * row_bytes <= std::int64_t{3} << 18;
    // The task after this one is another thread's.
    const std::int64_t tasks_ahead = ocelli::detail::inside_parallel() ? 1 : static_cast<std::int64_t>(num_threads());
    parallel_for(static_cast<std::size_t>(tasks), conv_grain(all_work / tasks), [&](std::size_t begin, std::size_t end) {
        for (auto task = static_cast<std::int64_t>(begin); task < static_cast<std::int64_t>(end); ++task) {
            const std::int64_t pair0 = task % filter_tasks * pairs_each, pair1 = std::min(pairs, pair0 + pairs_each);
            const std::int64_t row0 = task / filter_tasks % chunks * chunk, row1 = std::min(l.out_height, row0 + chunk);
            const std::int64_t z = task / (filter_tasks * chunks) % l.out_depth, group = task / (filter_tasks * chunks * l.out_depth) % groups.count;
            const std::int64_t n = task / (filter_tasks * chunks * l.out_depth * groups.count);
            if (pair0 >= pair1 || row0 >= row1) continue;
            const std::int64_t front = z * l.stride_z - l.pad_front;
            const auto [kz0, kz1] = taps_inside(front, l.dilation_z, l.kernel_depth, l.depth);
            // Frame `front`, which may lie outside: only those of taps inside are read.
            const float* image = x + (n * all_depth + group * depth) * plane;
            const std::int64_t image_frame = front * frame;
            const float* source = image + row0 * out_row;
            std::int64_t source_frame = image_frame;
            if (copies) {
                float* to = ocelli::detail::thread_scratch(static_cast<std::size_t>(l.kernel_depth * depth * plane_here), 1);
                float* const apart = rounds ? ocelli::detail::thread_scratch(static_cast<std::size_t>(2 * plane_here), 3) : nullptr;
                const auto round = ocelli::detail::get_gemm_bf16_kernels(form == pairs_by_instruction).round_bf16;
                source = to + lead;
                source_frame = 0;
                const auto unroll = t.unroll[planes];
                // One plane or block of x between zeros.
                const auto lay_out = [&](const float* from, float* unrolled, std::int64_t tap_floats) {
                    blocked_rows rows{rows_here, row0 * l.stride_y - l.pad_top, 1, l.height, l.width, lead + l.pad_left, deals, part};
                    if (shared) return unroll(rows, from, unrolled);
                    rows.rows = chunk;
                    rows.step = l.stride_y;
                    for (std::int64_t ky = 0; ky < l.kernel_height; ++ky) {
                        rows.first = row0 * l.stride_y + ky * l.dilation_y - l.pad_top;
                        unroll(rows, from, unrolled + ky * tap_floats);
                    }
                };
                for (std::int64_t kz = kz0; kz < kz1; ++kz) {
                    const float* const from_frame = image + (image_frame + kz * l.dilation_z * frame);
                    if (pairs_planes) {
                        const auto lay_out_channel = [&](std::int64_t c, float* unrolled) { lay_out(from_frame + c * plane, unrolled, tap_row / each); };
                        pair_planes(lay_out_channel, round, layer.channels, plane_here / each, each, apart, to + kz * tap_frame);
                        continue;
                    }
                    for (std::int64_t c = 0; c < depth; ++c) {
                        const float* const from = from_frame + c * plane;
                        float* const here = to + kz * tap_frame + c * plane_here;
                        if (!rounds) {
                            lay_out(from, here, tap_row);
                            continue;
                        }
                        const std::int64_t first = row0 * l.stride_y * l.width * lanes;
                        if (!direct) lay_out(from, apart, 2 * tap_row);
                        round(direct ? std::min(2 * plane_here, frame - first) : 2 * plane_here, direct ? from + first : apart,
                              reinterpret_cast<std::uint16_t*>(here));
                    }
                }
            }
            const std::int64_t first_block = group * (groups.filters / lanes), out_block = place.plane * lanes;
            float* out = y + (n * block_count(l.filters, lanes) + first_block) * out_block + (place.first + z * place.frame) * lanes;
            const float* addend = e.addend == nullptr ? nullptr : e.addend + (out - y);
            rows_ahead pixels_ahead;
            if (fetches_pixels && row1 < l.out_height) {
                const std::int64_t first = copies ? (row0 + tasks_ahead * chunk - 1) * l.stride_y - l.pad_top + reach_y : row0 + chunk;
                const std::int64_t rows = std::min(pixel_rows, copies ? l.height - first : pixel_rows);
                if (first >= 0 && rows > 0) {
                    pixels_ahead.at = copies ? image + first * row_bytes / 4 : source + (row1 - row0) * out_row;
                    pixels_ahead.plane = plane;
                    pixels_ahead.bytes = rows * row_bytes;
                    pixels_ahead.piece = depth * pixels_ahead.bytes / ((pair1 - pair0) * (row1 - row0) * tiles_of_row);
                }
            }
            for (std::int64_t pair = pair0; pair < pair1; ++pair) {
                const std::int64_t b0 = 2 * pair;
                const int wide = b0 + 2 <= blocks ? 2 : 1;
                const std::int64_t used = std::min(wide * lanes, groups.filters - b0 * lanes);
                const bool half = wide == 2 && !small_rows && tiles[2][0] != nullptr && used <= lanes + lanes / 2;
                const bool unused_are_zero = used == wide * lanes || (half && used == lanes + lanes / 2);
                const int kind = half ? 2 : wide - 1;
                const blocked_tile_function* const tiles_here = near && wide == 1 ? t.near : tiles[kind];
                const std::int64_t most = largest_tile(wide);
                const float* bias = e.bias + (first_block + b0) * lanes;
                const float* weights = packed + group * packed_group + b0 * lanes * groups.channels * taps;
                blocked_tile tile{};
                // The weights of the next filters, or of those that this thread's next task begins with.
                const bool turns = pair + 1 >= pair1;
                const std::int64_t next_pair = !turns ? pair + 1 : task + 1 < static_cast<std::int64_t>(end) ? (task + 1) % filter_tasks * pairs_each : pair;
                if (next_pair != pair && next_pair < pairs && pixels_ahead.at == nullptr) {
                    const std::int64_t row_floats_of_weights = std::min<std::int64_t>(2, blocks - 2 * next_pair) * lanes;
                    const std::int64_t steps_each = groups.channels * taps, pixel_tiles = ((row1 - row0) * l.out_width + t.pixels - 1) / t.pixels;
                    tile.ahead = ocelli::detail::ahead_of(packed + group * packed_group + 2 * next_pair * lanes * steps_each, 4 * row_floats_of_weights * steps_each,
                                                          pixel_tiles * steps_each);
                }
                tile.x_jump = out_row;
                tile.y_block = out_block;
                tile.y_jump = out_row_step * lanes;
                tile.y_step = place.step * lanes;
                tile.depth = depth;
                tile.low = clamp.low;
                tile.high = clamp.high;
                for (std::int64_t row = row0; row < row1;) {
                    const std::int64_t pixels = flat ? row_pixels(row) : l.out_width;
                    const bool two = small_rows && row + 1 < row1;
                    auto [ky0, ky1] = taps_inside(row * l.stride_y - l.pad_top, l.dilation_y, l.kernel_height, l.height);
                    if (two) {
                        const auto [next0, next1] = taps_inside((row + 1) * l.stride_y - l.pad_top, l.dilation_y, l.kernel_height, l.height);
                        if (ky0 == ky1) ky0 = next0;
                        else if (next0 != next1) ky0 = std::min(ky0, next0);
                        ky1 = std::max(ky1, next1);
                    }
                    const std::int64_t to = b0 * out_block + row * out_row_step * lanes;
                    for (const tap_run* together = runs; together != runs_end; ++together) {
                        // Segments that follow each other: those of all rows of taps, or, where columns are left out, of one.
                        const bool whole = together->tap1 - together->tap0 == l.kernel_width;
                        const std::int64_t stretches = whole ? 1 : std::max<std::int64_t>(1, ky1 - ky0);
                        const std::int64_t length = (ky1 - ky0) * (together->tap1 - together->tap0) * depth / stretches;
                        const std::int64_t all = length == 0 ? 0 : (kz1 - kz0) * stretches;
                        const std::int64_t here = std::min(together->end, pixels) - together->first;
                        const float* const row_x = source + (row - row0) * out_row + (source_frame + kz0 * tap_frame);
                        const float* const row_weights = weights + kz0 * plane_taps * groups.channels * wide * lanes;
                        const std::int64_t first_tap = ky0 * l.kernel_width + together->tap0, first_segment = first_tap * depth;
                        // Most sums are made at once.
                        const bool at_once = all <= 1 && length <= part_segments + part_segments / 2;
                        tile.bias = bias;
                        tile.count = all == 0 ? 0 : length;
                        tile.segments = segments + first_segment;
                        tile.weights = row_weights + first_tap * groups.channels * wide * lanes;
                        tile.clamps = clamp.clamps;
                        // Tiles as wide as each other, but for one pixel.
                        const std::int64_t cuts = two ? 1 : (here + most - 1) / most, narrow = here / cuts, wider = here % cuts;
                        for (std::int64_t cut = 0, p0 = together->first, p1; cut < cuts; ++cut, p0 = p1) {
                            p1 = p0 + narrow + (cut < wider);
                            const blocked_tile_function run = two ? t.pair[form][wide - 1][p1 - p0 - 1] : tiles_here[p1 - p0 - 1];
                            tile.x = row_x + p0 * pixel_step;
                            tile.y = out + to + p0 * place.step * lanes;
                            tile.addend = addend == nullptr ? nullptr : addend + (tile.y - out);
                            if (at_once) {
                                if (pixels_ahead.at != nullptr) tile.ahead = pixels_ahead.next(tile.count * each);
                                run(tile);
                                tile.ahead.advance(tile.count * each);
                                continue;
                            }
                            tile.bias = bias;
                            // A long sum is made in parts: rounding errors stay small, and a part's weights stay in the first-level cache.
                            std::int64_t stretch = 0, done = 0;
                            for (;;) {
                                const std::int64_t left = length - done, kz = stretch / stretches, ky = stretch % stretches;
                                const std::int64_t segment = first_segment + ky * l.kernel_width * depth + done;
                                tile.count = left <= part_segments + part_segments / 2 ? left : part_segments;
                                tile.segments = segments + segment;
                                tile.weights = row_weights + ((kz * plane_taps + segment / depth) * groups.channels + segment % depth * each) * wide * lanes;
                                tile.x = row_x + p0 * pixel_step + kz * tap_frame;
                                const bool last = stretch + 1 >= all && tile.count == left;
                                tile.clamps = last && clamp.clamps;
                                run(tile);
                                tile.ahead.advance(tile.count * each);
                                if (last) break;
                                done += tile.count;
                                if (done >= length) {
                                    done = 0;
                                    ++stretch;
                                }
                                tile.bias = zeros;
                                tile.addend = tile.y;
                            }
                        }
                    }
                    const std::int64_t rows_done = two ? 2 : 1;
                    if (clamp.finish || !unused_are_zero)
                        for (std::int64_t b = b0; b < b0 + wide; ++b) {
                            float* finished = out + to + (b - b0) * out_block;
                            const std::int64_t channel = (first_block + b) * lanes;
                            if (place.step == 1 && out_row_step == l.out_width) {
                                finish_block(t, e, clamp.finish, channel, l.filters, rows_done == 2 ? 2 * pixels : pixels, finished);
                                continue;
                            }
                            for (std::int64_t r = 0; r < rows_done; ++r)
                                for (std::int64_t i = 0; i < pixels; ++i)
                                    finish_block(t, e, clamp.finish, channel, l.filters, 1, finished + (r * out_row_step + i * place.step) * lanes);
                        }
                    row += rows_done;
                }
            }
        }
    });
}

}  // namespace detail

OCELLI_INLINE void blocked_conv(const conv_layer& l, const float* x, bool planes, const float* packed, const blocked_epilogue& e, float* y) {
    const std::int64_t frame = l.out_height * l.out_width;
    detail::blocked_conv_placed(l, x, planes, planes ? detail::floats_in_planes : detail::floats_in_blocks, packed, e, y,
                                {0, 1, l.out_width, frame, l.out_depth * frame});
}

}  // namespace ocelli::nn
