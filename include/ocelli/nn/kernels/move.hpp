#pragma once

/// @file
/// Moving floats between layouts: a loop over axes, each with a step in the source and one in the target.

#include <ocelli/core/config.hpp>
#include <ocelli/core/simd/target.hpp>

#include <cstdint>
#include <span>

namespace ocelli::nn {

/// The axes of a move, outermost first; neighbouring ones merge where both sides allow it.
struct move_axes {
    static constexpr int max_rank = 8;
    int rank = 0;
    std::int64_t extents[max_rank] = {};
    std::int64_t from[max_rank] = {};
    std::int64_t to[max_rank] = {};
    bool empty = false;

    /// Adds the next inner axis. A step `from` of 0 repeats. @return false where there are too many
    bool push(std::int64_t extent, std::int64_t from_step, std::int64_t to_step) noexcept;
};

/// y[sum of index * to] = x[sum of index * from]. Rows that are dense on both sides are copied; where one side runs along another axis
/// than the other, squares are transposed in registers.
void move_floats(const move_axes& axes, const float* x, float* y);

/// Copies blocks of x (outer, extent, inner): y (outer, places, inner). The places lie inside the extent.
void gather_floats(std::int64_t outer, std::int64_t extent, std::int64_t inner, std::span<const std::int64_t> places, const float* x, float* y);

/// Row r of y (sources.size(), inner) is a copy of the one at sources[r], or `value` everywhere where that is null.
void collect_rows(std::int64_t inner, std::span<const float* const> sources, float value, float* y);

/// y (n, 4) is the two columns of a (n, 2), and behind them those of b.
void join_pairs(std::int64_t n, const float* a, const float* b, float* y);

/// y[i] = value for i < n.
void fill_floats(std::int64_t n, float value, float* y);

namespace detail {

struct move_kernels {
    int lanes = 0;
    /// y[c * y_step + r] = x[r * x_step + c] for r < rows, c < columns.
    void (*transpose)(std::int64_t rows, std::int64_t columns, const float* x, std::int64_t x_step, float* y, std::int64_t y_step) = nullptr;
    /// `rows` rows of n: y[r * y_row + i * y_step] = x[r * x_row + i * x_step].
    void (*rows)(std::int64_t rows, std::int64_t n, const float* x, std::int64_t x_row, std::int64_t x_step, float* y, std::int64_t y_row, std::int64_t y_step) = nullptr;
    /// y[i] = (a[i], b[i]), each of which is two floats.
    void (*join_pairs)(std::int64_t n, const float* a, const float* b, float* y) = nullptr;
    void (*fill)(std::int64_t n, float value, float* y) = nullptr;
};

OCELLI_KERNEL_API_BEGIN
const move_kernels& get_move_kernels();
OCELLI_KERNEL_API_END

}  // namespace detail

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/kernels/impl/move.inl>
#endif
