#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>
#include <ocelli/nn/kernels/move.hpp>

#include <algorithm>
#include <cstring>

#define OCELLI_KERNEL_FILE <ocelli/nn/kernels/detail/move.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>

namespace ocelli::nn {

namespace detail {

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const move_kernels& get_move_kernels() {
    static const move_kernels chosen = OCELLI_CHOOSE(make_move_kernels);
    return chosen;
}
OCELLI_KERNEL_API_END

/// Elements that make a block worth a thread.
inline constexpr std::int64_t moved_block = std::int64_t{1} << 15;

/// Where axes other than `one` and `two` begin for the i-th combination of their positions.
inline void move_offsets(const move_axes& axes, int one, int two, std::int64_t i, std::int64_t& from, std::int64_t& to) {
    from = to = 0;
    for (int k = axes.rank - 1; k >= 0; --k) {
        if (k == one || k == two) continue;
        from += i % axes.extents[k] * axes.from[k];
        to += i % axes.extents[k] * axes.to[k];
        i /= axes.extents[k];
    }
}

/// The squares of a transposition: `across` is dense in the source, `along` in the target.
inline void move_transposed(const move_axes& axes, int along, int across, std::int64_t others, const float* x, float* y) {
    const move_kernels& t = get_move_kernels();
    constexpr std::int64_t tile = 64;
    const std::int64_t columns = axes.extents[along], rows = axes.extents[across];
    const std::int64_t column_tiles = (columns + tile - 1) / tile, row_tiles = (rows + tile - 1) / tile, tiles = column_tiles * row_tiles;
    const std::int64_t work = std::min(tile, columns) * std::min(tile, rows);
    parallel_for(static_cast<std::size_t>(others * tiles), static_cast<std::size_t>(std::max<std::int64_t>(1, moved_block / work)), [&](std::size_t begin, std::size_t end) {
        for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
            std::int64_t from, to;
            move_offsets(axes, along, across, i / tiles, from, to);
            const std::int64_t c = i % tiles % column_tiles * tile, r = i % tiles / column_tiles * tile;
            // The kernel's rows are the source's: they lie along the target's dense axis.
            t.transpose(std::min(tile, columns - c), std::min(tile, rows - r), x + from + c * axes.from[along] + r, axes.from[along], y + to + r * axes.to[across] + c,
                        axes.to[across]);
        }
    });
}

}  // namespace detail

OCELLI_INLINE bool move_axes::push(std::int64_t extent, std::int64_t from_step, std::int64_t to_step) noexcept {
    if (extent == 0) empty = true;
    if (extent == 1) return true;
    if (rank > 0 && from[rank - 1] == from_step * extent && to[rank - 1] == to_step * extent) {
        extents[rank - 1] *= extent;
        from[rank - 1] = from_step;
        to[rank - 1] = to_step;
        return true;
    }
    if (rank == max_rank) return false;
    extents[rank] = extent;
    from[rank] = from_step;
    to[rank] = to_step;
    ++rank;
    return true;
}

OCELLI_INLINE void move_floats(const move_axes& axes, const float* x, float* y) {
    if (axes.empty) return;
    if (axes.rank == 0) {
        *y = *x;
        return;
    }
    const detail::move_kernels& t = detail::get_move_kernels();
    std::int64_t all = 1;
    for (int i = 0; i < axes.rank; ++i) all *= axes.extents[i];
    int inner = axes.rank - 1;
    if (axes.to[inner] == 1 && axes.from[inner] != 1 && axes.from[inner] != 0) {
        for (int k = 0; k < inner; ++k)
            if (axes.from[k] == 1 && axes.extents[k] >= 4 && axes.extents[inner] >= 4)
                return detail::move_transposed(axes, inner, k, all / (axes.extents[inner] * axes.extents[k]), x, y);
    }
    // Rows, and where these are short the longest axis outside in their place, the inmost of such: the order does not matter.
    int longest = 0;
    for (int k = 1; k < axes.rank; ++k)
        if (axes.extents[k] >= axes.extents[longest]) longest = k;
    const bool dense = axes.from[inner] == 1 && axes.to[inner] == 1 && axes.extents[inner] > 4;
    if (!dense && axes.extents[inner] < 16 && axes.extents[longest] > 2 * axes.extents[inner]) inner = longest;
    const int above = inner != axes.rank - 1 ? axes.rank - 1 : inner - 1;
    const std::int64_t n = axes.extents[inner], count = above < 0 ? 1 : axes.extents[above];
    const std::int64_t x_row = above < 0 ? 0 : axes.from[above], y_row = above < 0 ? 0 : axes.to[above];
    const std::int64_t pieces = (n + detail::moved_block - 1) / detail::moved_block;
    const std::int64_t strip = std::clamp<std::int64_t>(detail::moved_block / n, 1, count), strips = (count + strip - 1) / strip;
    const std::int64_t others = all / (n * count), parts = pieces * strips;
    const std::int64_t grain = std::max<std::int64_t>(1, detail::moved_block / std::min(detail::moved_block, n * strip));
    parallel_for(static_cast<std::size_t>(others * parts), static_cast<std::size_t>(grain), [&](std::size_t begin, std::size_t end) {
        for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
            std::int64_t from, to;
            detail::move_offsets(axes, inner, above, i / parts, from, to);
            const std::int64_t r = i % parts / pieces * strip, c = i % pieces * detail::moved_block;
            t.rows(std::min(strip, count - r), std::min(detail::moved_block, n - c), x + from + r * x_row + c * axes.from[inner], x_row, axes.from[inner],
                   y + to + r * y_row + c * axes.to[inner], y_row, axes.to[inner]);
        }
    });
}

OCELLI_INLINE void gather_floats(std::int64_t outer, std::int64_t extent, std::int64_t inner, std::span<const std::int64_t> places, const float* x, float* y) {
    const auto count = static_cast<std::int64_t>(places.size());
    if (outer <= 0 || inner <= 0 || count == 0) return;
    parallel_for(static_cast<std::size_t>(outer * count), static_cast<std::size_t>(std::max<std::int64_t>(1, detail::moved_block / inner)), [&](std::size_t begin, std::size_t end) {
        const auto last = static_cast<std::int64_t>(end);
        for (auto i = static_cast<std::int64_t>(begin); i < last;) {
            const float* from = x + i / count * extent * inner;
            const std::int64_t first = i % count, stop = std::min(count, first + last - i);
            for (std::int64_t j = first; j < stop; ++j, ++i) {
                const std::int64_t place = places[static_cast<std::size_t>(j)];
                if (inner == 1) y[i] = from[place];
                else std::memcpy(y + i * inner, from + place * inner, static_cast<std::size_t>(inner) * sizeof(float));
            }
        }
    });
}

OCELLI_INLINE void collect_rows(std::int64_t inner, std::span<const float* const> sources, float value, float* y) {
    if (inner <= 0) return;
    const auto fill = detail::get_move_kernels().fill;
    parallel_for(sources.size(), static_cast<std::size_t>(std::max<std::int64_t>(1, detail::moved_block / inner)), [&](std::size_t begin, std::size_t end) {
        for (std::size_t r = begin; r < end; ++r) {
            float* to = y + static_cast<std::int64_t>(r) * inner;
            if (sources[r] == nullptr) fill(inner, value, to);
            else std::memcpy(to, sources[r], static_cast<std::size_t>(inner) * sizeof(float));
        }
    });
}

OCELLI_INLINE void join_pairs(std::int64_t n, const float* a, const float* b, float* y) {
    const auto join = detail::get_move_kernels().join_pairs;
    parallel_for(static_cast<std::size_t>(std::max<std::int64_t>(0, n)), static_cast<std::size_t>(detail::moved_block / 4),
                 [&](std::size_t begin, std::size_t end) { join(static_cast<std::int64_t>(end - begin), a + 2 * begin, b + 2 * begin, y + 4 * begin); });
}

OCELLI_INLINE void fill_floats(std::int64_t n, float value, float* y) {
    const auto fill = detail::get_move_kernels().fill;
    parallel_for(static_cast<std::size_t>(std::max<std::int64_t>(0, n)), static_cast<std::size_t>(detail::moved_block),
                 [&](std::size_t begin, std::size_t end) { fill(static_cast<std::int64_t>(end - begin), value, y + begin); });
}

}  // namespace ocelli::nn
