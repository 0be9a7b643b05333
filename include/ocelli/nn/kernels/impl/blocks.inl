#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>
#include <ocelli/nn/kernels/blocks.hpp>
#include <ocelli/nn/kernels/detail/tasks.hpp>

#include <algorithm>

#define OCELLI_KERNEL_FILE <ocelli/nn/kernels/detail/blocks.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>

namespace ocelli::nn {

namespace detail {

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const block_kernels& get_block_kernels() {
    static const block_kernels chosen = OCELLI_CHOOSE(make_block_kernels);
    return chosen;
}
OCELLI_KERNEL_API_END

}  // namespace detail

OCELLI_INLINE int block_lanes() {
    return detail::get_block_kernels().lanes;
}

OCELLI_INLINE void to_blocks(std::int64_t batch, std::int64_t channels, std::int64_t pixels, const float* x, float* y) {
    const detail::block_kernels& t = detail::get_block_kernels();
    const std::int64_t blocks = block_count(channels, t.lanes);
    parallel_for(static_cast<std::size_t>(batch * blocks), detail::conv_grain(pixels * t.lanes * 4), [&](std::size_t begin, std::size_t end) {
        for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
            const std::int64_t first = i % blocks * t.lanes;
            t.gather(x + (i / blocks * channels + first) * pixels, pixels, pixels, static_cast<int>(std::min<std::int64_t>(t.lanes, channels - first)),
                     y + i * pixels * t.lanes);
        }
    });
}

OCELLI_INLINE void from_blocks(std::int64_t batch, std::int64_t channels, std::int64_t pixels, const float* x, float* y) {
    const detail::block_kernels& t = detail::get_block_kernels();
    const std::int64_t blocks = block_count(channels, t.lanes);
    parallel_for(static_cast<std::size_t>(batch * blocks), detail::conv_grain(pixels * t.lanes * 4), [&](std::size_t begin, std::size_t end) {
        for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
            const std::int64_t first = i % blocks * t.lanes;
            t.scatter(x + i * pixels * t.lanes, pixels, pixels, static_cast<int>(std::min<std::int64_t>(t.lanes, channels - first)),
                      y + (i / blocks * channels + first) * pixels);
        }
    });
}

OCELLI_INLINE void join_blocks(std::int64_t batch, std::int64_t channels, std::int64_t pixels, const float* x, float* y) {
    const detail::block_kernels& t = detail::get_block_kernels();
    if (pixels == 0 || channels == 0) return;
    const std::int64_t blocks = block_count(channels, t.lanes), plane = pixels * t.lanes;
    const std::int64_t parts = detail::even_parts(std::clamp<std::int64_t>(pixels * blocks / 2048, 1, pixels), pixels * blocks / 512);
    parallel_for(static_cast<std::size_t>(batch * parts), 1, [&](std::size_t begin, std::size_t end) {
        for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
            const std::int64_t n = i / parts, first = pixels * (i % parts) / parts, last = pixels * (i % parts + 1) / parts;
            t.join(x + n * blocks * plane + first * t.lanes, plane, channels, last - first, y + (n * pixels + first) * channels);
        }
    });
}

}  // namespace ocelli::nn
