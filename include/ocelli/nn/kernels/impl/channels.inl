#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>
#include <ocelli/nn/kernels/channels.hpp>

#include <algorithm>
#include <vector>

#define OCELLI_KERNEL_FILE <ocelli/nn/kernels/detail/channels.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>

namespace ocelli::nn {

namespace detail {

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const channel_kernels& get_channel_kernels() {
    static const channel_kernels chosen = OCELLI_CHOOSE(make_channel_kernels);
    return chosen;
}
OCELLI_KERNEL_API_END

/// Whether a block of the result is that of an image that lies there already.
inline bool is_block(std::span<const channel_source> sources, std::int64_t lanes, const float* to) {
    if (sources.size() != 1 || sources[0].x != to) return false;
    for (std::int64_t i = 0; i < lanes; ++i)
        if (sources[0].keep[i] != -1 || sources[0].lanes[i] != i) return false;
    return true;
}

}  // namespace detail

OCELLI_INLINE void pick_channels(std::int64_t batch, std::int64_t pixels, std::span<const channel_place> places, std::span<const float* const> images,
                                 std::span<const std::int64_t> blocks, float* y) {
    const auto pick = detail::get_channel_kernels().pick;
    const std::int64_t lanes = block_lanes(), channels = static_cast<std::int64_t>(places.size()), out_blocks = block_count(channels, lanes);
    if (pixels == 0) return;
    // A task takes half a microsecond to a few.
    const std::int64_t parts = std::max<std::int64_t>(1, pixels / 1024), part = (pixels + parts - 1) / parts;
    parallel_for(static_cast<std::size_t>(batch * out_blocks * parts), static_cast<std::size_t>(std::max<std::int64_t>(1, 256 / part)),
                 [&](std::size_t begin, std::size_t end) {
                     thread_local std::vector<detail::channel_source> sources;
                     for (auto task = static_cast<std::int64_t>(begin); task < static_cast<std::int64_t>(end); ++task) {
                         const std::int64_t block = task / parts % out_blocks, n = task / (parts * out_blocks), first = task % parts * part;
                         sources.clear();
                         for (std::int64_t c = block * lanes; c < std::min(channels, (block + 1) * lanes); ++c) {
                             const channel_place& from = places[static_cast<std::size_t>(c)];
                             const auto image = static_cast<std::size_t>(from.image);
                             const float* x = images[image] + ((n * blocks[image] + from.channel / lanes) * pixels + first) * lanes;
                             auto at = std::find_if(sources.begin(), sources.end(), [&](const detail::channel_source& s) { return s.x == x; });
                             if (at == sources.end()) at = sources.insert(at, detail::channel_source{x, {}, {}});
                             at->lanes[c % lanes] = static_cast<std::int32_t>(from.channel % lanes);
                             at->keep[c % lanes] = -1;
                         }
                         const std::int64_t count = std::min(part, pixels - first);
                         float* const to = y + ((n * out_blocks + block) * pixels + first) * lanes;
                         if (count > 0 && !detail::is_block(sources, lanes, to)) pick(sources.data(), static_cast<std::int64_t>(sources.size()), count, to);
                     }
                 });
}

}  // namespace ocelli::nn
