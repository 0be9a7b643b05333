#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>
#include <ocelli/nn/kernels/channels.hpp>
#include <ocelli/nn/kernels/detail/tasks.hpp>

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

/// Whether a block of the result is one of an image that lies there already.
inline bool is_block(std::span<const channel_source> sources, const float* x, std::int64_t lanes, const float* to) {
    if (sources.size() != 1 || x != to) return false;
    for (std::int64_t i = 0; i < lanes; ++i)
        if (sources[0].keep[i] != -1 || sources[0].lanes[i] != i) return false;
    return true;
}

}  // namespace detail

OCELLI_INLINE channel_picks::channel_picks(std::span<const channel_place> places) {
    const std::int64_t lanes = block_lanes(), channels = static_cast<std::int64_t>(places.size());
    for (std::int64_t c = 0; c < channels; ++c) {
        if (c % lanes == 0) first_.push_back(sources_.size());
        const channel_place& from = places[static_cast<std::size_t>(c)];
        auto at = std::find_if(sources_.begin() + static_cast<std::ptrdiff_t>(first_.back()), sources_.end(),
                               [&](const detail::channel_source& s) { return s.image == from.image && s.block == from.channel / lanes; });
        if (at == sources_.end()) at = sources_.insert(at, detail::channel_source{from.image, from.channel / lanes, {}, {}});
        at->lanes[c % lanes] = static_cast<std::int32_t>(from.channel % lanes);
        at->keep[c % lanes] = -1;
    }
    first_.push_back(sources_.size());
}

OCELLI_INLINE void pick_channels(std::int64_t batch, std::int64_t pixels, const channel_picks& picks, std::span<const float* const> images,
                                 std::span<const std::int64_t> blocks, float* y) {
    const auto pick = detail::get_channel_kernels().pick;
    const std::int64_t lanes = block_lanes(), out_blocks = picks.blocks();
    if (pixels == 0) return;
    // A task takes half a microsecond to a few.
    const std::int64_t parts = detail::even_parts(std::max<std::int64_t>(1, pixels / 1024), pixels / 512), part = (pixels + parts - 1) / parts;
    parallel_for(static_cast<std::size_t>(batch * out_blocks * parts), static_cast<std::size_t>(std::max<std::int64_t>(1, 256 / part)),
                 [&](std::size_t begin, std::size_t end) {
                     thread_local std::vector<const float*> x;
                     for (auto task = static_cast<std::int64_t>(begin); task < static_cast<std::int64_t>(end); ++task) {
                         const std::int64_t block = task / parts % out_blocks, n = task / (parts * out_blocks), first = task % parts * part;
                         const std::span<const detail::channel_source> sources = picks.block(block);
                         x.clear();
                         for (const detail::channel_source& s : sources) {
                             const auto image = static_cast<std::size_t>(s.image);
                             x.push_back(images[image] + ((n * blocks[image] + s.block) * pixels + first) * lanes);
                         }
                         const std::int64_t count = std::min(part, pixels - first);
                         float* const to = y + ((n * out_blocks + block) * pixels + first) * lanes;
                         if (count > 0 && !detail::is_block(sources, x[0], lanes, to))
                             pick(sources.data(), x.data(), static_cast<std::int64_t>(sources.size()), count, to);
                     }
                 });
}

}  // namespace ocelli::nn
