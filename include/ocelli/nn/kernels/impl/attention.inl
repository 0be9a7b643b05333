#pragma once

#include <ocelli/core/gemm.hpp>
#include <ocelli/core/detail/gemm_blocks.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/kernels/attention.hpp>
#include <ocelli/nn/kernels/elementwise.hpp>

#include <algorithm>

namespace ocelli::nn {

namespace detail {

/// The columns of a product's right side, packed in panels of as many vectors as a tile has, or nearly: none is left with one vector.
struct attention_panels {
    std::int64_t vectors, count, lanes;

    attention_panels(const ocelli::detail::gemm_kernels& t, std::int64_t columns)
        : vectors((columns + t.lanes - 1) / t.lanes), count((vectors + t.vectors - 1) / t.vectors), lanes(t.lanes) {}
    std::int64_t pitch() const { return vectors * lanes; }
    /// The first vector of a panel; the one behind the last for `count`.
    std::int64_t first(std::int64_t panel) const { return panel * vectors / count; }

    void pack(const ocelli::detail::gemm_kernels& t, std::int64_t rows, std::int64_t columns, const float* from, std::int64_t row, std::int64_t column, float* to) const {
        for (std::int64_t p = 0; p < count; ++p) {
            const std::int64_t begin = first(p) * lanes, width = first(p + 1) * lanes - begin, used = std::min(width, columns - begin);
            float* const panel = to + begin * rows;
            const float* const source = from + begin * column;
            if (column == 1) t.pack_rows(rows, static_cast<int>(used), static_cast<int>(width), source, row, panel);
            else if (row == 1)
                for (std::int64_t j = 0; j < width; j += lanes)
                    t.turn(source + j * column, column, static_cast<int>(std::clamp<std::int64_t>(used - j, 0, lanes)), rows, 1, panel + j, width, 0);
            else
                for (std::int64_t i = 0; i < rows; ++i)
                    for (std::int64_t j = 0; j < width; ++j) panel[i * width + j] = j < used ? source[i * row + j * column] : 0.0f;
        }
    }
};

/// Rows of a tile times packed panels.
inline void attention_product(const ocelli::detail::gemm_kernels& t, const attention_panels& panels, std::int64_t depth, const float* packed, const float* a,
                              std::int64_t a_row, int tile_rows, std::int64_t rows, float* c, std::int64_t c_row, std::int64_t columns) {
    ocelli::detail::gemm_tile_args tile{};
    tile.k = depth;
    tile.part = ocelli::detail::gemm_part(depth, 256);
    tile.a_row = a_row;
    tile.c_row = c_row;
    for (std::int64_t p = 0; p < panels.count; ++p) {
        const std::int64_t begin = panels.first(p), vectors = panels.first(p + 1) - begin;
        tile.b = packed + begin * panels.lanes * depth;
        tile.b_row = vectors * panels.lanes;
        tile.columns = static_cast<int>(std::min(vectors * panels.lanes, columns - begin * panels.lanes));
        for (std::int64_t i = 0; i < rows; i += tile_rows) {
            tile.a = a + i * a_row;
            tile.c = c + i * c_row + begin * panels.lanes;
            tile.rows = static_cast<int>(std::min<std::int64_t>(tile_rows, rows - i));
            t.tile[tile.rows - 1][vectors - 1](tile);
        }
    }
}

}  // namespace detail

OCELLI_INLINE void attention(const attention_layer& l, const attention_operand& q, const attention_operand& k, const attention_operand& v,
                             std::span<const attention_operand> added, float* y, const std::int64_t* y_places, std::int64_t y_row) {
    if (l.matrices <= 0 || l.queries <= 0 || l.keys <= 0 || l.width <= 0) return;
    const ocelli::detail::gemm_kernels& t = ocelli::detail::get_gemm_kernels();
    const detail::elementwise_kernels& e = detail::get_elementwise_kernels();
    const detail::attention_panels keys(t, l.keys), values(t, l.width);
    const int tile_rows = ocelli::detail::gemm_tile_rows(t, l.queries);
    // A few tiles share a panel while it is in the first cache; their scores are a quarter of the second one at most.
    constexpr std::int64_t room = std::int64_t{1} << 16;
    const std::int64_t lines = std::clamp<std::int64_t>(room / (keys.pitch() * tile_rows), 1, 4) * tile_rows;
    // Where there are few matrices, queries are dealt to threads; each task packs its matrix again, which is little beside the products of 64 queries.
    const std::int64_t wanted = std::max<std::int64_t>(1, (8 + l.matrices - 1) / l.matrices);
    const std::int64_t each = (ocelli::detail::gemm_part(l.queries, std::max<std::int64_t>(64, (l.queries + wanted - 1) / wanted)) + tile_rows - 1) / tile_rows * tile_rows;
    const std::int64_t parts = (l.queries + each - 1) / each;
    const std::int64_t packed_keys = keys.pitch() * l.depth, packed_values = values.pitch() * l.keys;
    parallel_for(static_cast<std::size_t>(l.matrices * parts), 1, [&](std::size_t begin, std::size_t end) {
        // Slots that products leave alone.
        float* const packed = ocelli::detail::thread_scratch(static_cast<std::size_t>(packed_keys + packed_values), 1);
        float* const scores = ocelli::detail::thread_scratch(static_cast<std::size_t>(lines * (keys.pitch() + 1)), 3);
        float* const inverse = scores + lines * keys.pitch();
        std::int64_t at = -1;
        for (auto task = static_cast<std::int64_t>(begin); task < static_cast<std::int64_t>(end); ++task) {
            const std::int64_t s = task / parts, first = task % parts * each, last = std::min(l.queries, first + each);
            if (s != at) {
                keys.pack(t, l.depth, l.keys, k.data + k.places[s], k.row, k.column, packed);
                values.pack(t, l.keys, l.width, v.data + v.places[s], v.row, v.column, packed + packed_keys);
                at = s;
            }
            for (std::int64_t i = first; i < last; i += lines) {
                const std::int64_t rows = std::min(lines, last - i);
                float* const to = y + y_places[s] + i * y_row;
                detail::attention_product(t, keys, l.depth, packed, q.data + q.places[s] + i * q.row, q.row, tile_rows, rows, scores, keys.pitch(), keys.pitch());
                float scale = l.scale;
                if (!added.empty()) {
                    const attention_operand &one = added[0], &two = added.back();
                    e.scale_and_add(rows, l.keys, keys.pitch(), scale, one.data + one.places[s] + i * one.row, one.row,
                                    added.size() > 1 ? two.data + two.places[s] + i * two.row : nullptr, two.row, scores);
                    scale = 1;
                }
                e.softmax_weights(rows, l.keys, keys.pitch(), scale, scores, inverse);
                if (l.empty_is_zero) {
                    for (std::int64_t r = 0; r < rows; ++r) {
                        if (!ocelli::detail::is_nan(inverse[r])) continue;
                        std::fill_n(scores + r * keys.pitch(), keys.pitch(), 0.0f);
                        inverse[r] = 0;
                    }
                }
                detail::attention_product(t, values, l.keys, packed + packed_keys, scores, keys.pitch(), tile_rows, rows, to, y_row, l.width);
                // Weights are divided by their sum where there are fewest numbers to divide.
                e.binary[static_cast<int>(binary_function::multiply)][2]({rows, l.width, to, inverse, to, y_row, 1, y_row});
            }
        }
    });
}

}  // namespace ocelli::nn
