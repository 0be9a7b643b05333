#pragma once

// Lists of boxes by cell: what nms and soft_nms find neighbours with.

#include <ocelli/boxes/detail/nms_types.hpp>
#include <ocelli/boxes/nms.hpp>
#include <ocelli/core/config.hpp>
#include <ocelli/core/simd/target.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

namespace ocelli::detail {

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const nms_tables& get_nms_tables();
OCELLI_KERNEL_API_END

inline const nms_kernels<float>& get_nms_kernels(float) {
    return get_nms_tables().f32;
}
inline const nms_kernels<double>& get_nms_kernels(double) {
    return get_nms_tables().f64;
}

/// The t for which "measure > t" in T is what the comparison with the double threshold says.
template <class T>
T nms_threshold(double threshold, nms_comparison comparison) {
    T t = static_cast<T>(threshold);
    const bool strict = comparison == nms_comparison::greater;
    while (strict ? static_cast<double>(t) > threshold : static_cast<double>(t) >= threshold) t = std::nextafter(t, T(-1));
    return t;
}

/// The memory of the lists by cell.
template <class T>
struct nms_grid {
    std::vector<nms_range> ranges;  // of the kept boxes, then of the candidates to come
    std::vector<std::uint32_t> first_block, count;
    std::unique_ptr<T[]> blocks;
};

/// Sizes the table for the ranges and lays out a list per cell, for the case that every box enters its lists, so that kernels allocate
/// nothing. False where boxes are spread so thinly that the lists would take far more memory than the boxes.
template <class T>
bool lay_out_cells(nms_grid<T>& grid, nms_grid_cells& cells) {
    std::int32_t low[2] = {grid.ranges[0].x, grid.ranges[0].y}, high[2] = {low[0], low[1]};
    for (const nms_range& r : grid.ranges) {
        low[0] = std::min(low[0], r.x);
        low[1] = std::min(low[1], r.y);
        high[0] = std::max(high[0], r.x);
        high[1] = std::max(high[1], r.y);
    }
    std::uint32_t size[2] = {16, 16};
    unsigned bits[2] = {4, 4};
    for (std::size_t k = 0; k < 2; ++k)
        while (size[k] < 512 && static_cast<std::int64_t>(size[k]) <= std::int64_t{high[k]} - low[k]) {
            size[k] *= 2;
            ++bits[k];
        }
    cells.mask_x = size[0] - 1;
    cells.mask_y = size[1] - 1;
    cells.shift = bits[0];
    grid.first_block.assign(std::size_t{size[0]} * size[1], 0);
    grid.count.assign(grid.first_block.size(), 0);
    cells.first_block = grid.first_block.data();
    cells.count = grid.count.data();
    for (const nms_range& r : grid.ranges)
        for (std::uint32_t dy = 0; dy < r.high; ++dy) {
            const std::uint32_t row = ((static_cast<std::uint32_t>(r.first_y) + dy) & cells.mask_y) << cells.shift;
            for (std::uint32_t dx = 0; dx < r.wide; ++dx)
                ++cells.count[row + ((static_cast<std::uint32_t>(r.first_x) + dx) & cells.mask_x)];
        }
    std::size_t blocks = 0;
    for (std::size_t c = 0; c < grid.count.size(); ++c) {
        grid.first_block[c] = static_cast<std::uint32_t>(blocks);
        blocks += (grid.count[c] + nms_block - 1) / nms_block;
        grid.count[c] = 0;
    }
    if (blocks > 65536 + 16 * grid.ranges.size() || blocks > 0xffffffffu) return false;
    grid.blocks.reset(new T[blocks * nms_block_numbers + 1]);
    return true;
}

}  // namespace ocelli::detail
