#pragma once

/// @file
/// The loops around the tiles of a matrix product, for everything that can present its right side as panels: gemm, convolutions.

#include <ocelli/core/gemm.hpp>
#include <ocelli/core/parallel.hpp>

#include <algorithm>

namespace ocelli::detail {

/// How a product is cut; a function of its sizes alone.
struct gemm_cut {
    std::int64_t k_block;       ///< depth of a panel of b
    std::int64_t column_block;  ///< columns of one task, a multiple of the panel's width (except the last)
    std::int64_t row_block;     ///< rows of one task, a multiple of the panels' rows
};

inline gemm_cut cut_gemm(const gemm_kernels& t, std::int64_t m, std::int64_t n, std::int64_t k, int panel_rows) {
    const std::int64_t width = t.vectors * t.lanes;
    gemm_cut cut{};
    // Panels of b (k_block x width) stay in the first-level cache while the rows of a pass over them.
    const std::int64_t depth_blocks = std::max<std::int64_t>(1, (k + 255) / 256);
    cut.k_block = (k + depth_blocks - 1) / depth_blocks;
    // Weights that do not fit the second-level cache are read once per task: make tasks wide.
    const std::int64_t panels = m * k > (std::int64_t{1} << 16) ? 4 : 2;
    cut.column_block = panels * width;
    // Few columns: cut the rows too, so that every thread finds work.
    cut.row_block = (m + panel_rows - 1) / panel_rows * panel_rows;
    const std::int64_t column_tasks = (n + cut.column_block - 1) / cut.column_block;
    if (column_tasks < 4 && m * n * k > (std::int64_t{1} << 20)) {
        if (n > width) cut.column_block = width;
        const std::int64_t tasks = (n + cut.column_block - 1) / cut.column_block;
        const std::int64_t row_tasks = std::min<std::int64_t>((m + 4 * panel_rows - 1) / (4 * panel_rows), (8 + tasks - 1) / tasks);
        const std::int64_t rows = (m + row_tasks - 1) / row_tasks;
        cut.row_block = (rows + panel_rows - 1) / panel_rows * panel_rows;
    }
    return cut;
}

/// c = a b for rows [row0, row1) and columns [column0, column1), on this thread.
///
/// `panel(k0, depth, column, columns, width, memory)` presents b's rows [k0, k0 + depth) at columns [column, column + columns): it
/// returns a pointer and the distance between rows, either of `memory` (depth x width floats) that it filled, with zeros behind the
/// columns, or of its own where whole vectors can be read there.
struct gemm_panel {
    const float* data;
    std::int64_t stride;
};
template <class Panel>
void gemm_block(const gemm_kernels& t, const gemm_cut& cut, std::int64_t m, std::int64_t k, const float* packed_a, int panel_rows,
                const Panel& panel, std::int64_t row0, std::int64_t row1, std::int64_t column0, std::int64_t column1, float* c, std::int64_t ldc,
                const gemm_epilogue& epilogue) {
    const std::int64_t width = t.vectors * t.lanes;
    const std::int64_t count = (column1 - column0 + width - 1) / width;
    float* memory = thread_scratch(static_cast<std::size_t>(cut.k_block * width * count));
    const bool plain = epilogue.row_bias == nullptr && epilogue.column_bias == nullptr && epilogue.addend == nullptr && epilogue.function == activation::none;
    gemm_panel present[16];  // cut_gemm never asks for more than 4
    for (std::int64_t k0 = 0; k0 < k || k0 == 0; k0 += cut.k_block) {
        const std::int64_t depth = std::min(cut.k_block, k - k0);
        const bool last = k0 + depth >= k;
        for (std::int64_t p = 0; p < count; ++p) {
            const std::int64_t column = column0 + p * width;
            const int columns = static_cast<int>(std::min(width, column1 - column));
            const int wide = (columns + t.lanes - 1) / t.lanes * t.lanes;
            present[p] = panel(k0, depth, column, columns, wide, memory + p * cut.k_block * width);
        }
        // A panel of b stays in the first-level cache while all rows of a pass over it.
        for (std::int64_t p = 0; p < count; ++p) {
            const std::int64_t column = column0 + p * width;
            const int columns = static_cast<int>(std::min(width, column1 - column));
            const int vectors = (columns + t.lanes - 1) / t.lanes;
            for (std::int64_t row = row0; row < row1; row += panel_rows) {
                const int rows = static_cast<int>(std::min<std::int64_t>(panel_rows, m - row));  // the last panel has a tile of its own
                const float* a = packed_a + row * k + k0 * rows;
                t.tile[rows - 1][vectors - 1](depth, a, present[p].data, present[p].stride, c + row * ldc + column, ldc, rows, columns, k0 != 0,
                                                    last && !plain ? &epilogue : nullptr, row, column);
            }
        }
        if (k == 0) break;
    }
}

/// The product of a packed a with a right side that comes in panels, on all threads.
template <class Panel>
void gemm_packed_sides(const gemm_kernels& t, std::int64_t m, std::int64_t n, std::int64_t k, const float* packed_a, const Panel& panel, float* c,
                       std::int64_t c_stride, const gemm_epilogue& epilogue) {
    const int panel_rows = gemm_panel_rows(t, m);
    const gemm_cut cut = cut_gemm(t, m, n, k, panel_rows);
    const std::int64_t column_tasks = (n + cut.column_block - 1) / cut.column_block;
    const std::int64_t row_tasks = (m + cut.row_block - 1) / cut.row_block;
    const std::int64_t work = cut.column_block * cut.row_block * k;
    const auto grain = static_cast<std::size_t>(std::max<std::int64_t>(1, (std::int64_t{1} << 18) / std::max<std::int64_t>(1, work)));
    parallel_for(static_cast<std::size_t>(column_tasks * row_tasks), grain, [&](std::size_t begin, std::size_t end) {
        for (auto task = static_cast<std::int64_t>(begin); task < static_cast<std::int64_t>(end); ++task) {
            const std::int64_t row = task % row_tasks * cut.row_block, column = task / row_tasks * cut.column_block;
            gemm_block(t, cut, m, k, packed_a, panel_rows, panel, row, std::min(m, row + cut.row_block), column, std::min(n, column + cut.column_block), c,
                       c_stride, epilogue);
        }
    });
}

}  // namespace ocelli::detail
