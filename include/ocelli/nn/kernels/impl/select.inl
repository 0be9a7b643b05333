#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>
#include <ocelli/nn/kernels/select.hpp>

#include <algorithm>

#define OCELLI_KERNEL_FILE <ocelli/nn/kernels/detail/select.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>

namespace ocelli::nn {

namespace detail {

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const select_kernels& get_select_kernels() {
    static const select_kernels chosen = OCELLI_CHOOSE(make_select_kernels);
    return chosen;
}
OCELLI_KERNEL_API_END

}  // namespace detail

OCELLI_INLINE bool select_axes::set(std::span<const std::int64_t> shape, std::span<const std::int64_t> shape_condition, std::span<const std::int64_t> shape_a,
                                    std::span<const std::int64_t> shape_b) noexcept {
    rank = 0;
    // From the last axis; turned around at the end.
    const std::span<const std::int64_t> shapes[3] = {shape_condition, shape_a, shape_b};
    std::int64_t* const strides[3] = {condition, a, b};
    std::int64_t dense[3] = {1, 1, 1};
    for (std::size_t i = 0; i < shape.size(); ++i) {
        const std::int64_t extent = shape[shape.size() - 1 - i];
        std::int64_t step[3];
        bool merges = rank > 0;
        for (int k = 0; k < 3; ++k) {
            const std::int64_t own = i < shapes[k].size() ? shapes[k][shapes[k].size() - 1 - i] : 1;
            step[k] = own == 1 ? 0 : dense[k];
            dense[k] *= own;
            merges = merges && step[k] == strides[k][rank - 1] * extents[rank - 1];
        }
        if (extent == 1) continue;
        if (merges) {
            extents[rank - 1] *= extent;
            continue;
        }
        if (rank == max_rank) return false;
        extents[rank] = extent;
        for (int k = 0; k < 3; ++k) strides[k][rank] = step[k];
        ++rank;
    }
    std::reverse(extents, extents + rank);
    for (std::int64_t* s : strides) std::reverse(s, s + rank);
    return true;
}

OCELLI_INLINE void select(const select_axes& axes, const std::uint8_t* condition, const float* a, const float* b, float* y) {
    constexpr std::int64_t block = std::int64_t{1} << 14;
    const auto row = detail::get_select_kernels().row;
    const int inner = axes.rank - 1;
    const std::int64_t n = axes.rank > 0 ? axes.extents[inner] : 1;
    const std::int64_t step_c = axes.rank > 0 ? axes.condition[inner] : 0, step_a = axes.rank > 0 ? axes.a[inner] : 0, step_b = axes.rank > 0 ? axes.b[inner] : 0;
    std::int64_t rows = 1;
    for (int i = 0; i < inner; ++i) rows *= axes.extents[i];
    if (n == 0 || rows == 0) return;
    const std::int64_t pieces = (n + block - 1) / block;
    parallel_for(static_cast<std::size_t>(rows * pieces), static_cast<std::size_t>(std::max<std::int64_t>(1, block / n)), [&](std::size_t begin, std::size_t end) {
        for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
            const std::int64_t from = i % pieces * block, count = std::min(block, n - from);
            std::int64_t at_c = from * step_c, at_a = from * step_a, at_b = from * step_b, rest = i / pieces;
            for (int k = inner - 1; k >= 0; --k) {
                const std::int64_t place = rest % axes.extents[k];
                at_c += place * axes.condition[k];
                at_a += place * axes.a[k];
                at_b += place * axes.b[k];
                rest /= axes.extents[k];
            }
            row(count, condition + at_c, step_c, a + at_a, step_a, b + at_b, step_b, y + i / pieces * n + from);
        }
    });
}

OCELLI_INLINE void compare(comparison f, const binary_axes& axes, const float* a, const float* b, std::uint8_t* y) {
    constexpr std::int64_t block = std::int64_t{1} << 14;
    const auto row = detail::get_select_kernels().compare[static_cast<int>(f)];
    const int inner = axes.rank - 1;
    const std::int64_t n = axes.rank > 0 ? axes.extents[inner] : 1, step_a = axes.rank > 0 ? axes.a[inner] : 0, step_b = axes.rank > 0 ? axes.b[inner] : 0;
    std::int64_t rows = 1;
    for (int i = 0; i < inner; ++i) rows *= axes.extents[i];
    if (n == 0 || rows == 0) return;
    const std::int64_t pieces = (n + block - 1) / block;
    parallel_for(static_cast<std::size_t>(rows * pieces), static_cast<std::size_t>(std::max<std::int64_t>(1, block / n)), [&](std::size_t begin, std::size_t end) {
        for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
            const std::int64_t from = i % pieces * block;
            std::int64_t at_a = from * step_a, at_b = from * step_b, rest = i / pieces;
            for (int k = inner - 1; k >= 0; --k) {
                at_a += rest % axes.extents[k] * axes.a[k];
                at_b += rest % axes.extents[k] * axes.b[k];
                rest /= axes.extents[k];
            }
            row(std::min(block, n - from), a + at_a, step_a, b + at_b, step_b, y + i / pieces * n + from);
        }
    });
}

OCELLI_INLINE void find_extremes(bool largest, std::int64_t outer, std::int64_t n, std::int64_t inner, const float* x, std::int64_t* y) {
    if (inner == 1) {
        const auto extreme = detail::get_select_kernels().extreme[largest ? 1 : 0];
        parallel_for(static_cast<std::size_t>(outer), static_cast<std::size_t>(std::max<std::int64_t>(1, (std::int64_t{1} << 14) / n)), [&](std::size_t begin, std::size_t end) {
            for (auto line = static_cast<std::int64_t>(begin); line < static_cast<std::int64_t>(end); ++line) y[line] = extreme(n, x + line * n);
        });
        return;
    }
    const auto extremes = detail::get_select_kernels().extremes[largest ? 1 : 0];
    const std::int64_t strip = std::max<std::int64_t>(64, ((std::int64_t{1} << 14) / n + 63) / 64 * 64), strips = (inner + strip - 1) / strip;
    parallel_for(static_cast<std::size_t>(outer * strips), 1, [&](std::size_t begin, std::size_t end) {
        for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
            const std::int64_t line = i / strips, from = i % strips * strip;
            extremes(n, std::min(strip, inner - from), inner, x + line * n * inner + from, y + line * inner + from);
        }
    });
}

}  // namespace ocelli::nn
