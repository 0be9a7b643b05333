#pragma once

#include <ocelli/core/detail/unaligned.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/kernels/depthwise.hpp>
#include <ocelli/nn/kernels/detail/tasks.hpp>
#include <ocelli/nn/kernels/grouped.hpp>

#include <algorithm>

namespace ocelli::nn {

namespace detail {

/// The depthwise convolution of the copies: each row stands there `copies` times, one below the other.
inline conv_layer of_copies(conv_layer l, std::int64_t copies) {
    l.group = l.channels;
    l.height *= copies;
    l.kernel_height *= copies;
    l.stride_y *= copies;
    l.pad_top *= copies;
    return l;
}

}  // namespace detail

OCELLI_INLINE bool blocked_grouped_takes(const conv_layer& l) {
    constexpr std::int64_t longest = 256;  // terms of a sum
    const std::int64_t each = l.group < 1 ? 0 : l.channels / l.group;
    return each >= 2 && (each & (each - 1)) == 0 && 2 * each <= block_lanes() && l.filters == l.channels && l.kernel_depth == 1 && l.dilation_y == 1 &&
           l.kernel_height * l.kernel_width <= longest / each;
}

OCELLI_INLINE bool blocked_grouped_pays(const conv_layer& l) {
    if (!blocked_grouped_takes(l) || l.kernel_height * l.kernel_width < 3) return false;
    const bool two_to_a_block = 2 * (l.channels / l.group) == block_lanes() && l.group % 2 == 0;  // a zero for each term
    return !two_to_a_block || l.stride_y * l.stride_x < 4;
}

OCELLI_INLINE std::int64_t blocked_grouped_packed_size(const conv_layer& l) {
    return block_count(l.filters, block_lanes()) * block_lanes() * (l.channels / l.group) * l.kernel_height * l.kernel_width;
}

OCELLI_INLINE void blocked_grouped_pack(const conv_layer& l, const float* w, float* packed) {
    const std::int64_t lanes = block_lanes(), each = l.channels / l.group, taps = l.kernel_height * l.kernel_width;
    for (std::int64_t first = 0; first < l.filters; first += lanes)
        for (std::int64_t ky = 0; ky < l.kernel_height; ++ky)
            for (std::int64_t copy = 0; copy < each; ++copy)
                for (std::int64_t kx = 0; kx < l.kernel_width; ++kx)
                    for (std::int64_t lane = 0; lane < lanes; ++lane) {
                        const std::int64_t filter = first + lane, channel = (lane % each) ^ copy;
                        *packed++ = filter < l.filters ? ocelli::detail::float_at(w + (filter * each + channel) * taps + ky * l.kernel_width + kx) : 0.0f;
                    }
}

OCELLI_INLINE void blocked_grouped(const conv_layer& l, const float* x, const float* packed, const blocked_epilogue& e, float* y) {
    using namespace detail;
    const block_kernels& t = get_block_kernels();
    const std::int64_t lanes = t.lanes, blocks = block_count(l.channels, lanes), copies = l.channels / l.group;
    const std::int64_t pixels = l.height * l.width, out_pixels = l.out_height * l.out_width;
    if (l.batch == 0 || blocks == 0 || out_pixels == 0) return;
    const conv_layer whole = of_copies(l, copies);
    // Rows of the result at a time: the copied rows that they need are in the cache; what the next ones need of them is kept: row i is in place i of a ring.
    const auto rows_under = [&](std::int64_t rows) { return std::min(l.height, (rows - 1) * l.stride_y + l.kernel_height); };
    const std::int64_t row_floats = copies * l.width * lanes;
    std::int64_t step = 1;
    while (step < l.out_height && rows_under(step + 1) * row_floats <= 3 << 12) ++step;
    const std::int64_t ring_rows = rows_under(step), ring_floats = ring_rows * row_floats;
    // A task: rows of a block. At the border of two tasks, rows are copied twice.
    const auto row_work = [&](std::int64_t rows) { return copies * lanes * (rows_under(rows) * l.width + rows * l.out_width * l.kernel_height * l.kernel_width / 2); };
    const std::int64_t work = l.batch * blocks * row_work(l.out_height), most = std::clamp<std::int64_t>(row_work(l.out_height) >> 17, 1, l.out_height);
    const std::int64_t parts = parts_of_least_time(1, most, l.batch * blocks, 1, [&](std::int64_t n) { return row_work((l.out_height + n - 1) / n); });
    const std::int64_t tasks = l.batch * blocks * parts;
    parallel_for(static_cast<std::size_t>(tasks), even_grain(tasks, work / tasks), [&](std::size_t begin, std::size_t end) {
        for (auto task = static_cast<std::int64_t>(begin); task < static_cast<std::int64_t>(end); ++task) {
            const std::int64_t i = task / parts, part = task % parts, row0 = l.out_height * part / parts, row1 = l.out_height * (part + 1) / parts;
            const float* const from = x + i * pixels * lanes;
            const std::int64_t to = i * out_pixels * lanes;
            float* const ring = ocelli::detail::thread_scratch(static_cast<std::size_t>(ring_floats), 1);
            std::int64_t have = 0;  // rows copied so far
            for (std::int64_t row = row0; row < row1; row += step) {
                const std::int64_t next = std::min(row1, row + step);
                const std::int64_t need0 = std::clamp<std::int64_t>(row * l.stride_y - l.pad_top, 0, l.height);
                const std::int64_t need1 = std::clamp((next - 1) * l.stride_y - l.pad_top + l.kernel_height, need0, l.height);
                for (std::int64_t r = std::max(have, need0); r < need1; ++r)
                    t.exchange(from + r * l.width * lanes, l.width, static_cast<int>(copies), ring + r % ring_rows * row_floats);
                have = need1;
                conv_layer here = whole;
                here.height = (need1 - need0) * copies;
                here.pad_top = (l.pad_top + need0) * copies;
                depthwise_block(here, i % blocks, ring + need0 % ring_rows * row_floats, packed, e, e.addend == nullptr ? nullptr : e.addend + to, y + to, row,
                                next, {ring + ring_floats, ring_floats});
            }
        }
    });
}

}  // namespace ocelli::nn
