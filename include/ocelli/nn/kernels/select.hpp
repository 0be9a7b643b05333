#pragma once

/// @file
/// Choosing between two operands element by element, with broadcasting, and finding where lines of elements have their extremes, over vectors and threads.

#include <ocelli/core/config.hpp>
#include <ocelli/core/simd/target.hpp>
#include <ocelli/nn/kernels/elementwise.hpp>

#include <cstdint>
#include <span>

namespace ocelli::nn {

/// A condition and two operands that are broadcast to the result: for each axis its extent, and the operands' strides (0 where they are stretched).
struct select_axes {
    static constexpr int max_rank = 8;
    int rank = 0;
    std::int64_t extents[max_rank] = {};
    std::int64_t condition[max_rank] = {};
    std::int64_t a[max_rank] = {};
    std::int64_t b[max_rank] = {};

    /// The axes of operands that broadcast to `shape`, with neighbouring ones merged where all three allow it. @return false where there are too many
    bool set(std::span<const std::int64_t> shape, std::span<const std::int64_t> shape_condition, std::span<const std::int64_t> shape_a,
             std::span<const std::int64_t> shape_b) noexcept;
};

/// y = condition != 0 ? a : b; the result is dense, and not an operand.
void select(const select_axes& axes, const std::uint8_t* condition, const float* a, const float* b, float* y);

/// What two elements are compared for. NaN is neither less nor equal.
enum class comparison { equal, less, less_or_equal };

/// y = a f b with broadcasting, 1 or 0; the result is dense.
void compare(comparison f, const binary_axes& axes, const float* a, const float* b, std::uint8_t* y);

/// Where each line of x (outer, n, inner) along n has its largest (smallest) element, the first of equal ones; NaN is both. y (outer, inner); n from 1 to 2^31.
void find_extremes(bool largest, std::int64_t outer, std::int64_t n, std::int64_t inner, const float* x, std::int64_t* y);

namespace detail {

struct select_kernels {
    int lanes = 0;
    /// n elements of a row; a step is 0 or 1.
    void (*row)(std::int64_t n, const std::uint8_t* condition, std::int64_t condition_step, const float* a, std::int64_t a_step, const float* b, std::int64_t b_step,
                float* y) = nullptr;
    /// The same of a comparison's operands, by comparison.
    void (*compare[3])(std::int64_t n, const float* a, std::int64_t a_step, const float* b, std::int64_t b_step, std::uint8_t* y) = {};
    /// `columns` lines side by side, `pitch` floats from one element of a line to the next, for the smallest and for the largest.
    void (*extremes[2])(std::int64_t n, std::int64_t columns, std::int64_t pitch, const float* x, std::int64_t* y) = {};
    /// One line whose elements stand one behind the other.
    std::int64_t (*extreme[2])(std::int64_t n, const float* x) = {};
};

OCELLI_KERNEL_API_BEGIN
const select_kernels& get_select_kernels();
OCELLI_KERNEL_API_END

}  // namespace detail

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/kernels/impl/select.inl>
#endif
