#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>
#include <ocelli/nn/kernels/blocked_pool.hpp>
#include <ocelli/nn/kernels/detail/taps.hpp>


#define OCELLI_KERNEL_FILE <ocelli/nn/kernels/detail/blocked_pool.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>

namespace ocelli::nn {

namespace detail {

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const blocked_pool_kernels& get_blocked_pool_kernels() {
    static const blocked_pool_kernels chosen = OCELLI_CHOOSE(make_blocked_pool_kernels);
    return chosen;
}
OCELLI_KERNEL_API_END

}  // namespace detail

namespace detail {

inline void blocked_pooling(const conv_layer& l, bool average, const float* x, const float* rows, const float* columns, float* y) {
    const blocked_pool_kernels& t = get_blocked_pool_kernels();
    const std::int64_t lanes = block_lanes(), blocks = block_count(l.channels, lanes), pixels = l.out_height * l.out_width;
    if (pixels == 0) return;
    parallel_for(static_cast<std::size_t>(l.batch * blocks), conv_grain(pixels * l.kernel_height * l.kernel_width * lanes), [&](std::size_t begin, std::size_t end) {
        for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
            blocked_pool_args d{};
            d.tap_row = l.dilation_y * l.width * lanes;
            d.kernel_width = l.kernel_width;
            d.dilation = l.dilation_x;
            d.stride = l.stride_x;
            d.pad = l.pad_left;
            d.width = l.width;
            d.out_width = l.out_width;
            d.columns = columns;
            for (std::int64_t row = 0; row < l.out_height; ++row) {
                const std::int64_t at = row * l.stride_y - l.pad_top;
                const auto [ky0, ky1] = taps_inside(at, l.dilation_y, l.kernel_height, l.height);
                d.kernel_rows = ky1 - ky0;
                d.x = x + (i * l.height + (ky0 == ky1 ? 0 : at + ky0 * l.dilation_y)) * l.width * lanes;
                d.y = y + (i * pixels + row * l.out_width) * lanes;
                if (average) d.rows = rows[row];
                t.row[average](d);
            }
        }
    });
}

}  // namespace detail

OCELLI_INLINE void blocked_max_pool(const conv_layer& l, const float* x, float* y) {
    detail::blocked_pooling(l, false, x, nullptr, nullptr, y);
}

OCELLI_INLINE void blocked_average_pool(const conv_layer& l, const float* x, const float* rows, const float* columns, float* y) {
    detail::blocked_pooling(l, true, x, rows, columns, y);
}

OCELLI_INLINE void blocked_mean(std::int64_t blocks, std::int64_t pixels, const float* x, float* y) {
    const detail::blocked_pool_kernels& t = detail::get_blocked_pool_kernels();
    const std::int64_t lanes = block_lanes();
    parallel_for(static_cast<std::size_t>(blocks), detail::conv_grain(pixels * lanes), [&](std::size_t begin, std::size_t end) {
        for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) t.mean(x + i * pixels * lanes, pixels, y + i * lanes);
    });
}

}  // namespace ocelli::nn
