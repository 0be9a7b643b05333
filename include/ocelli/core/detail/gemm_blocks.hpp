// Not #pragma once: where this file comes first, gemm.hpp brings it for its own bodies.
#include <ocelli/core/gemm.hpp>

#ifndef OCELLI_CORE_GEMM_BLOCKS_HPP
#define OCELLI_CORE_GEMM_BLOCKS_HPP

/// @file
/// The loops around the tiles of a matrix product, for everything that can present its right side as panels: gemm, convolutions.

#include <ocelli/core/parallel.hpp>

#include <algorithm>

namespace ocelli::detail {

/// How a product is cut; a function of its sizes alone.
struct gemm_cut {
    std::int64_t k_block;       ///< depth of a panel of b
    std::int64_t column_block;  ///< columns of one task, a multiple of the panel's width (except the last)
    std::int64_t row_block;     ///< rows of one task, a multiple of a tile's rows
};

/// Floats of a's rows that stay in the second-level cache beside panels of b.
inline constexpr std::int64_t gemm_room = std::int64_t{5} << 15;

/// A length cut into as few equal parts of at most `most` as possible.
inline std::int64_t gemm_part(std::int64_t length, std::int64_t most) {
    const std::int64_t parts = std::max<std::int64_t>(1, (length + most - 1) / most);
    return (length + parts - 1) / parts;
}

inline gemm_cut cut_gemm(const gemm_kernels& t, std::int64_t m, std::int64_t n, std::int64_t k, int tile_rows) {
    const std::int64_t width = t.vectors * t.lanes;
    gemm_cut cut{};
    // Panels of b (k_block x width) stay in the second-level cache while the rows of a pass over them; all rows do, too, where a depth of 512 allows it.
    cut.k_block = gemm_part(k, m * 512 <= gemm_room ? std::min<std::int64_t>(1024, gemm_room / m) : 1024);
    // Rows that do not fit the second-level cache are read once per task: make tasks wide.
    cut.column_block = std::max(width, (m * k > (std::int64_t{1} << 16) ? 192 : 96) / width * width);
    // Few columns: cut the rows too, so that every thread finds work.
    cut.row_block = (m + tile_rows - 1) / tile_rows * tile_rows;
    const std::int64_t column_tasks = (n + cut.column_block - 1) / cut.column_block;
    if (column_tasks < 4 && m * n * k > (std::int64_t{1} << 20)) {
        if (n > width) cut.column_block = (n + 4 * width - 1) / (4 * width) * width;
        const std::int64_t tasks = (n + cut.column_block - 1) / cut.column_block;
        const std::int64_t row_tasks = std::min<std::int64_t>((m + 4 * tile_rows - 1) / (4 * tile_rows), (8 + tasks - 1) / tasks);
        const std::int64_t rows = (m + row_tasks - 1) / row_tasks;
        cut.row_block = (rows + tile_rows - 1) / tile_rows * tile_rows;
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
void gemm_block(const gemm_kernels& t, const gemm_cut& cut, std::int64_t m, std::int64_t k, gemm_lines a, int tile_rows, const Panel& panel,
                std::int64_t row0, std::int64_t row1, std::int64_t column0, std::int64_t column1, float* c, std::int64_t ldc, const gemm_epilogue& epilogue) {
    const std::int64_t width = t.vectors * t.lanes;
    const std::int64_t count = (column1 - column0 + width - 1) / width;
    float* memory = thread_scratch(static_cast<std::size_t>(cut.k_block * width * count));
    const bool plain = epilogue.row_bias == nullptr && epilogue.column_bias == nullptr && epilogue.addend == nullptr && epilogue.function == activation::none;
    gemm_panel present[24];  // 192 columns, in panels of eight at least
    for (std::int64_t k0 = 0; k0 < k || k0 == 0; k0 += cut.k_block) {
        const std::int64_t depth = std::min(cut.k_block, k - k0);
        const bool last = k0 + depth >= k;
        for (std::int64_t p = 0; p < count; ++p) {
            const std::int64_t column = column0 + p * width;
            const int columns = static_cast<int>(std::min(width, column1 - column));
            const int wide = (columns + t.lanes - 1) / t.lanes * t.lanes;
            present[p] = panel(k0, depth, column, columns, wide, memory + p * cut.k_block * width);
        }
        // Rows of a stay in the second-level cache for all panels of b, and a panel for all those rows.
        const std::int64_t most_rows = std::max<std::int64_t>(1, gemm_room / std::max<std::int64_t>(1, depth * tile_rows)) * tile_rows;
        const std::int64_t rows_each = (gemm_part(row1 - row0, most_rows) + tile_rows - 1) / tile_rows * tile_rows;
        const std::int64_t part = gemm_part(depth, 256);
        for (std::int64_t first = row0; first < row1; first += rows_each)
            for (std::int64_t p = 0; p < count; ++p) {
                const std::int64_t column = column0 + p * width;
                const int columns = static_cast<int>(std::min(width, column1 - column));
                const int vectors = (columns + t.lanes - 1) / t.lanes;
                // The next panel, as far as it is known; packed ones stand one behind the other.
                const std::int64_t row_end = std::min(row1, first + rows_each);
                gemm_tile_args tile{};
                tile.k = depth;
                tile.part = part;
                tile.a_row = a.stride;
                tile.b_row = present[p].stride;
                tile.c_row = ldc;
                tile.columns = columns;
                tile.column = column;
                if (present[p].stride == vectors * t.lanes) {
                    const bool turns = p + 1 == count, again = turns && row_end < row1;
                    const float* next = again || (turns && !last) ? present[0].data : present[turns ? p : p + 1].data;
                    if (turns && !again) next += depth * present[p].stride;
                    tile.ahead = ahead_of(next, depth * width * 4, depth * ((row_end - first + tile_rows - 1) / tile_rows));
                }
                for (std::int64_t row = first; row < row_end; row += tile_rows) {
                    const int rows = static_cast<int>(std::min<std::int64_t>(tile_rows, m - row));  // the last rows have a tile of their own
                    const gemm_tile_function run = t.tile[rows - 1][vectors - 1];
                    tile.a = a.data + row * a.stride + k0;
                    tile.b = present[p].data;
                    tile.c = c + row * ldc + column;
                    tile.rows = rows;
                    tile.accumulate = k0 != 0;
                    tile.epilogue = last && !plain ? &epilogue : nullptr;
                    tile.row = row;
                    run(tile);
                    tile.ahead.advance(depth);
                }
            }
        if (k == 0) break;
    }
}

/// The product with a right side that comes in panels, on all threads.
template <class Panel>
void gemm_with_lines(const gemm_kernels& t, std::int64_t m, std::int64_t n, std::int64_t k, gemm_lines a, const Panel& panel, float* c,
                     std::int64_t c_stride, const gemm_epilogue& epilogue) {
    const int tile_rows = gemm_tile_rows(t, m);
    gemm_cut cut = cut_gemm(t, m, n, k, tile_rows);
    const std::int64_t column_tasks = (n + cut.column_block - 1) / cut.column_block;
    // Where columns leave one thread more to do than another, rows are cut for the threads at hand: tiles and their bits are the same.
    const auto threads = inside_parallel() ? 1 : static_cast<std::int64_t>(num_threads());
    const std::int64_t longest = (column_tasks + threads - 1) / threads * cut.column_block;
    if (cut.row_block >= m && m >= 64 * threads && 16 * threads * longest > 17 * n) cut.row_block = (gemm_part(m, (m + threads - 1) / threads) + tile_rows - 1) / tile_rows * tile_rows;
    const std::int64_t row_tasks = (m + cut.row_block - 1) / cut.row_block;
    const std::int64_t work = cut.column_block * cut.row_block * k;
    const auto grain = static_cast<std::size_t>(std::max<std::int64_t>(1, (std::int64_t{1} << 18) / std::max<std::int64_t>(1, work)));
    parallel_for(static_cast<std::size_t>(column_tasks * row_tasks), grain, [&](std::size_t begin, std::size_t end) {
        for (auto task = static_cast<std::int64_t>(begin); task < static_cast<std::int64_t>(end); ++task) {
            // Threads that take turns go on where they were: the panels that a block of columns brings near are those behind it.
            const std::int64_t turn = task / row_tasks, thread = turn % threads;
            const std::int64_t place = thread * (column_tasks / threads) + std::min(thread, column_tasks % threads) + turn / threads;
            const std::int64_t row = task % row_tasks * cut.row_block, column = place * cut.column_block;
            gemm_block(t, cut, m, k, a, tile_rows, panel, row, std::min(m, row + cut.row_block), column, std::min(n, column + cut.column_block), c,
                       c_stride, epilogue);
        }
    });
}

}  // namespace ocelli::detail

#endif  // OCELLI_CORE_GEMM_BLOCKS_HPP
