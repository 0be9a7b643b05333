#pragma once

#include <ocelli/core/detail/activation.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>
#include <ocelli/nn/kernels/elementwise.hpp>

#include <algorithm>
#include <cstring>
#include <vector>

#define OCELLI_KERNEL_FILE <ocelli/nn/kernels/detail/elementwise.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>

namespace ocelli::nn {

namespace detail {

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const elementwise_kernels& get_elementwise_kernels() {
    static const elementwise_kernels chosen = OCELLI_CHOOSE(make_elementwise_kernels);
    return chosen;
}
OCELLI_KERNEL_API_END

/// Elements that make a block worth a thread.
inline constexpr std::int64_t elements_of_block = std::int64_t{1} << 14;

/// Many short rows: those of the last two axes are laid out as one, operands that are not dense there in memory of their own.
inline void apply_binary_short_rows(const binary_axes& axes, std::int64_t groups, void (*rows)(const binary_rows&), const float* a, const float* b, float* y) {
    const int last = axes.rank - 1, above = axes.rank - 2;
    const std::int64_t n = axes.extents[last], count = axes.extents[above], all = n * count;
    const auto dense = [&](const std::int64_t* steps) { return steps[last] == 1 && steps[above] == n; };
    const auto laid_out = [&](const float* from, const std::int64_t* steps, std::vector<float>& memory) {
        if (dense(steps)) return from;
        if (memory.size() < static_cast<std::size_t>(all)) memory.resize(static_cast<std::size_t>(all));
        float* to = memory.data();
        if (steps[above] == 0) {
            // One row again and again: what is there is doubled.
            for (std::int64_t i = 0; i < n; ++i) to[i] = from[i * steps[last]];
            for (std::int64_t done = n; done < all; done *= 2) std::memcpy(to + done, to, static_cast<std::size_t>(std::min(done, all - done)) * sizeof(float));
        } else {
            for (std::int64_t r = 0; r < count; ++r)
                for (std::int64_t i = 0; i < n; ++i) *to++ = from[r * steps[above] + i * steps[last]];
        }
        return static_cast<const float*>(memory.data());
    };
    parallel_for(static_cast<std::size_t>(groups), static_cast<std::size_t>(std::max<std::int64_t>(1, elements_of_block / all)), [&](std::size_t begin, std::size_t end) {
        thread_local std::vector<float> memory_a, memory_b;
        std::int64_t before_a = -1, before_b = -1;
        const float *row_a = nullptr, *row_b = nullptr;
        for (auto group = static_cast<std::int64_t>(begin); group < static_cast<std::int64_t>(end); ++group) {
            std::int64_t at_a = 0, at_b = 0, rest = group;
            for (int k = above - 1; k >= 0; --k) {
                at_a += rest % axes.extents[k] * axes.a[k];
                at_b += rest % axes.extents[k] * axes.b[k];
                rest /= axes.extents[k];
            }
            if (at_a != before_a) row_a = laid_out(a + at_a, axes.a, memory_a);
            if (at_b != before_b) row_b = laid_out(b + at_b, axes.b, memory_b);
            before_a = at_a;
            before_b = at_b;
            rows({1, all, row_a, row_b, y + group * all, 0, 0, 0});
        }
    });
}

}  // namespace detail

OCELLI_INLINE void apply_unary(unary_function f, float a, float b, std::int64_t n, const float* x, float* y) {
    const auto row = detail::get_elementwise_kernels().unary[static_cast<int>(f)];
    parallel_for(static_cast<std::size_t>(n), static_cast<std::size_t>(detail::elements_of_block),
                 [&](std::size_t begin, std::size_t end) { row(static_cast<std::int64_t>(end - begin), x + begin, y + begin, a, b); });
}

OCELLI_INLINE bool binary_axes::set(std::span<const std::int64_t> shape_a, std::span<const std::int64_t> shape_b) noexcept {
    rank = 0;
    const std::size_t all = std::max(shape_a.size(), shape_b.size());
    // From the last axis; turned around at the end.
    std::int64_t step_a = 1, step_b = 1;
    for (std::size_t i = 0; i < all; ++i) {
        const std::int64_t ea = i < shape_a.size() ? shape_a[shape_a.size() - 1 - i] : 1, eb = i < shape_b.size() ? shape_b[shape_b.size() - 1 - i] : 1;
        if (ea != eb && ea != 1 && eb != 1) return false;
        const std::int64_t extent = ea == 1 ? eb : ea, sa = ea == 1 ? 0 : step_a, sb = eb == 1 ? 0 : step_b;
        step_a *= ea;
        step_b *= eb;
        if (extent == 1) continue;
        if (rank > 0 && sa == a[rank - 1] * extents[rank - 1] && sb == b[rank - 1] * extents[rank - 1]) {
            extents[rank - 1] *= extent;
            continue;
        }
        if (rank == max_rank) return false;
        extents[rank] = extent;
        a[rank] = sa;
        b[rank] = sb;
        ++rank;
    }
    std::reverse(extents, extents + rank);
    std::reverse(a, a + rank);
    std::reverse(b, b + rank);
    return true;
}

OCELLI_INLINE void apply_binary(binary_function f, const binary_axes& axes, const float* a, const float* b, float* y) {
    const int last = axes.rank - 1, above = axes.rank - 2;
    const std::int64_t n = axes.rank > 0 ? axes.extents[last] : 1;
    const std::int64_t per_group = axes.rank > 1 ? axes.extents[above] : 1;
    std::int64_t groups = 1;
    for (int i = 0; i < above; ++i) groups *= axes.extents[i];
    if (n == 0 || per_group == 0 || groups == 0) return;
    const std::int64_t a_step = axes.rank > 0 ? axes.a[last] : 0, b_step = axes.rank > 0 ? axes.b[last] : 0;
    const auto& table = detail::get_elementwise_kernels().binary[static_cast<int>(f)];
    if (axes.rank > 1 && n < 16 && per_group > 1 && n * per_group <= detail::elements_of_block) return detail::apply_binary_short_rows(axes, groups, table[0], a, b, y);
    const auto rows = table[n == 1 || (a_step != 0 && b_step != 0) ? 0 : a_step == 0 ? 1 : 2];
    const std::int64_t block = detail::elements_of_block, pieces = (n + block - 1) / block;
    const std::int64_t grain = std::max<std::int64_t>(1, block / n);
    parallel_for(static_cast<std::size_t>(groups * per_group * pieces), static_cast<std::size_t>(grain), [&](std::size_t begin, std::size_t end) {
        for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end);) {
            const std::int64_t row = i / pieces, piece = i % pieces, group = row / per_group, in_group = row % per_group;
            std::int64_t at_a = piece * block * a_step, at_b = piece * block * b_step, rest = group;
            for (int k = above - 1; k >= 0; --k) {
                at_a += rest % axes.extents[k] * axes.a[k];
                at_b += rest % axes.extents[k] * axes.b[k];
                rest /= axes.extents[k];
            }
            detail::binary_rows t{1, std::min(block, n - piece * block), a + at_a, b + at_b, y + row * n + piece * block, 0, 0, n};
            if (axes.rank > 1) {
                t.a_row = axes.a[above];
                t.b_row = axes.b[above];
                t.a += in_group * t.a_row;
                t.b += in_group * t.b_row;
            }
            if (pieces == 1) t.rows = std::min(per_group - in_group, static_cast<std::int64_t>(end) - i);
            rows(t);
            i += t.rows;
        }
    });
}

OCELLI_INLINE void softmax(std::int64_t outer, std::int64_t n, std::int64_t inner, const float* x, float* y) {
    if (outer <= 0 || n <= 0 || inner <= 0) return;
    const detail::elementwise_kernels& t = detail::get_elementwise_kernels();
    const std::int64_t block = detail::elements_of_block / 2;
    if (inner == 1 && n == 2) {  // two classes of thousands of boxes
        parallel_for(static_cast<std::size_t>(outer), static_cast<std::size_t>(block / 16), [&](std::size_t begin, std::size_t end) {
            t.softmax_pairs(static_cast<std::int64_t>(end - begin), x + 2 * begin, y + 2 * begin);
        });
        return;
    }
    if (inner == 1 && n <= detail::short_row) {
        // A row would leave most of a vector idle: stand them side by side.
        constexpr std::int64_t wide = detail::softmax_columns;
        const std::int64_t parts = (outer + wide - 1) / wide;
        parallel_for(static_cast<std::size_t>(parts), static_cast<std::size_t>(std::max<std::int64_t>(1, block / (8 * n * wide))), [&](std::size_t begin, std::size_t end) {
            float columns[detail::short_row * wide];
            for (auto part = static_cast<std::int64_t>(begin); part < static_cast<std::int64_t>(end); ++part) {
                const std::int64_t first = part * wide, rows = std::min(wide, outer - first);
                const float* from = x + first * n;
                float* to = y + first * n;
                for (std::int64_t k = 0; k < n; ++k)
                    for (std::int64_t i = 0; i < rows; ++i) columns[k * wide + i] = from[i * n + k];
                t.softmax_columns(n, rows, wide, columns, columns);
                for (std::int64_t k = 0; k < n; ++k)
                    for (std::int64_t i = 0; i < rows; ++i) to[i * n + k] = columns[k * wide + i];
            }
        });
        return;
    }
    if (inner == 1) {
        parallel_for(static_cast<std::size_t>(outer), static_cast<std::size_t>(std::max<std::int64_t>(1, block / n)), [&](std::size_t begin, std::size_t end) {
            const auto first = static_cast<std::int64_t>(begin) * n;
            t.softmax_rows(static_cast<std::int64_t>(end - begin), n, x + first, y + first);
        });
        return;
    }
    const std::int64_t wide = detail::softmax_columns, parts = (inner + wide - 1) / wide;
    parallel_for(static_cast<std::size_t>(outer * parts), static_cast<std::size_t>(std::max<std::int64_t>(1, block / (n * std::min(wide, inner)))),
                 [&](std::size_t begin, std::size_t end) {
                     for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
                         const std::int64_t column = i % parts * wide, at = i / parts * n * inner + column;
                         t.softmax_columns(n, std::min(wide, inner - column), inner, x + at, y + at);
                     }
                 });
}

}  // namespace ocelli::nn
