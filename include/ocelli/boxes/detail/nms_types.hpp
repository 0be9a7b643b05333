#pragma once

// What crosses the border of the suppression kernels: pointers, sizes, plain structs.

#include <cstddef>
#include <cstdint>

namespace ocelli::detail {

/// Boxes are listed in blocks of 16: x1, y1, x2, y2, area, 16 numbers each. Unused places hold boxes that meet nothing.
inline constexpr std::size_t nms_block = 16;
inline constexpr std::size_t nms_block_numbers = 5 * nms_block;

/// Where a box stands in the grid: the cell of its own centre, and the cells in which the centre of a box that it can suppress may lie.
/// Cells are numbered without bounds; the table holds them modulo its width and height (a collision costs a test, no more).
struct nms_range {
    std::int32_t x, y;          // the own cell
    std::int32_t first_x, first_y;
    std::uint16_t wide, high;   // 0: too many cells, the box belongs to the list that everybody meets
};

/// Lists of kept boxes by cell.
struct nms_grid_cells {
    std::uint32_t mask_x, mask_y, shift;  // cell (x, y) is ((y & mask_y) << shift) + (x & mask_x)
    std::uint32_t* first_block;           // per cell
    std::uint32_t* count;                 // per cell
};

/// One greedy pass over candidates in order of their scores.
template <class T>
struct nms_pass {
    // The problem.
    const T* boxes;              // all boxes, rows of four
    const std::uint32_t* order;  // the candidates' rows, best first
    std::size_t candidates;
    std::size_t max_kept;
    T threshold;  // a candidate goes if its measure is greater
    bool diou;
    bool legacy;
    const unsigned char* suppressors;  // per candidate, whether it suppresses others; null: those that are kept (greedy)

    // Kept boxes that every candidate meets, and how many fit.
    T* everywhere;
    std::size_t everywhere_count;
    std::size_t everywhere_capacity;

    // Kept boxes by cell; unused until the lists exist.
    nms_grid_cells cells;
    T* blocks;
    const nms_range* ranges;  // of candidate `ranges_begin` on
    std::size_t ranges_begin;

    // The state, advanced by each call.
    std::size_t next;  // the next candidate
    std::size_t kept_count;
    std::uint32_t* kept_positions;  // positions in `order`
    std::size_t tests;              // vector tests done
    std::size_t tests_allowed;
};

/// How ranges are computed.
template <class T>
struct nms_grid_shape {
    T per_x, per_y;  // cells per unit of length
    T reach;         // a suppressed box's centre is at most reach * width + extra_x from the suppressor's, likewise its height
    T extra_x, extra_y;
    T blur;          // times |x1| + |x2|: what rounding may add
    T smallest;      // areas below lose their precision to underflow: no grid then
    bool legacy;
};

template <class T>
struct nms_kernels {
    /// Works until all candidates are seen, max_kept are kept, or tests_allowed are used up.
    void (*everywhere)(nms_pass<T>& pass);
    /// Works with the grid until all candidates are seen or max_kept are kept.
    void (*grid)(nms_pass<T>& pass);
    /// Fills the ranges of boxes[order[i]]; false where the grid's reasoning does not hold for one of them.
    bool (*ranges)(const T* boxes, const std::uint32_t* order, std::size_t n, const nms_grid_shape<T>& shape, nms_range* out);
    /// Puts the box of row `row` into its lists.
    void (*insert)(nms_pass<T>& pass, std::size_t row, const nms_range& range);
    /// Writes the IoUs above 0 of a box with entries [from, to) of a list, in the list's order, and gives their number.
    std::size_t (*overlaps)(const T* blocks, std::size_t from, std::size_t to, const T* box, bool legacy, T* out);
};

struct nms_tables {
    nms_kernels<float> f32;
    nms_kernels<double> f64;
};

}  // namespace ocelli::detail
