#pragma once

#include <ocelli/core/detail/gemm_blocks.hpp>
#include <ocelli/core/gemm_bf16.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/isa.hpp>

#include <algorithm>
#include <cstring>
#include <vector>

namespace ocelli {

namespace detail {

/// A row or column of a matrix to pairs of bfloat16, or to floats that such can be; the last pair may be half of one, with a zero.
inline void round_line(const gemm_kernels& t, bool to_pairs, std::int64_t k, const float* from, std::int64_t stride, std::vector<float>& room, float* to) {
    if (k % 2 != 0) to[to_pairs ? k / 2 : k] = 0;
    if (stride != 1) {
        room.resize(static_cast<std::size_t>(k));
        for (std::int64_t i = 0; i < k; ++i) std::memcpy(&room[static_cast<std::size_t>(i)], from + i * stride, sizeof(float));
        from = room.data();
    }
    if (to_pairs) t.round_bf16(k, from, reinterpret_cast<std::uint16_t*>(to));
    else t.round_floats(k, from, to);
}

/// Pairs move through the kernels that move floats: those look at no bits.
inline const float* as_floats(const std::uint32_t* pairs) noexcept {
    return reinterpret_cast<const float*>(pairs);
}

OCELLI_INLINE void gemm_bf16_by(const gemm_kernels& t, std::int64_t m, std::int64_t n, std::int64_t k, const matrix_argument& a, const std::uint32_t* packed_b,
                                float* c, std::int64_t c_stride, const gemm_epilogue& epilogue) {
    if (m <= 0 || n <= 0) return;
    const std::int64_t pairs = (k + 1) / 2, width = t.vectors * t.lanes;
    const std::int64_t each = t.multiplies_pairs ? 1 : 2, steps = pairs * each;  // words of a pair
    float* const lines = thread_scratch(static_cast<std::size_t>(m * steps + 1), 2);
    parallel_for(static_cast<std::size_t>(m), static_cast<std::size_t>(1 + (1 << 16) / (k + 1)), [&](std::size_t begin, std::size_t end) {
        std::vector<float> room;
        for (auto row = static_cast<std::int64_t>(begin); row < static_cast<std::int64_t>(end); ++row)
            round_line(t, t.multiplies_pairs, k, a.data + row * a.row_stride, a.column_stride, room, lines + row * steps);
    });
    const auto panel = [&](std::int64_t k0, std::int64_t depth, std::int64_t column, int, int, float* memory) -> gemm_panel {
        const float* const from = as_floats(packed_b) + column / width * width * pairs;
        if (t.multiplies_pairs) return {from + k0 * width, width};
        t.widen_rows(k0, depth, static_cast<int>(width), from, memory);
        return {memory, width};
    };
    gemm_with_lines(t, m, n, steps, {lines, steps}, panel, c, c_stride, epilogue);
}

}  // namespace detail

OCELLI_INLINE std::int64_t gemm_bf16_packed_b_size(std::int64_t n, std::int64_t k) {
    return gemm_packed_b_size(n, (k + 1) / 2);
}

OCELLI_INLINE void gemm_bf16_pack_b(std::int64_t n, std::int64_t k, const matrix_argument& b, std::uint32_t* packed) {
    const detail::gemm_kernels& t = detail::get_gemm_kernels();
    const std::int64_t pairs = (k + 1) / 2, width = t.vectors * t.lanes, vectors = (n + width - 1) / width * t.vectors;
    if (b.column_stride == 1) {
        const auto panels = static_cast<std::size_t>((n + width - 1) / width);
        parallel_for(panels, static_cast<std::size_t>(1 + (1 << 16) / (width * (k + 1))), [&](std::size_t begin, std::size_t end) {
            for (auto p = static_cast<std::int64_t>(begin); p < static_cast<std::int64_t>(end); ++p) {
                const int used = static_cast<int>(std::min(width, n - p * width));
                t.pack_row_pairs(k, used, static_cast<int>(width), b.data + p * width, b.row_stride, reinterpret_cast<float*>(packed) + p * width * pairs);
            }
        });
        return;
    }
    parallel_for(static_cast<std::size_t>(vectors), static_cast<std::size_t>(1 + (1 << 16) / (t.lanes * (k + 1))), [&](std::size_t begin, std::size_t end) {
        float* const lines = detail::thread_scratch(static_cast<std::size_t>(t.lanes * pairs + 1), 1);
        std::vector<float> room;
        for (auto v = static_cast<std::int64_t>(begin); v < static_cast<std::int64_t>(end); ++v) {
            const std::int64_t column = v * t.lanes, used = std::clamp<std::int64_t>(n - column, 0, t.lanes);
            for (std::int64_t j = 0; j < used; ++j) detail::round_line(t, true, k, b.data + (column + j) * b.column_stride, b.row_stride, room, lines + j * pairs);
            auto* const to = reinterpret_cast<float*>(packed) + column / width * width * pairs + column % width;
            t.turn(lines, pairs, static_cast<int>(used), pairs, 1, to, width, 0);
        }
    });
}

OCELLI_INLINE void gemm_bf16(std::int64_t m, std::int64_t n, std::int64_t k, const matrix_argument& a, const std::uint32_t* packed_b, float* c,
                             std::int64_t c_stride, const gemm_epilogue& epilogue) {
    detail::gemm_bf16_by(detail::get_gemm_bf16_kernels(simd::has_bf16()), m, n, k, a, packed_b, c, c_stride, epilogue);
}

OCELLI_INLINE void gemm_bf16(std::int64_t m, std::int64_t n, std::int64_t k, const matrix_argument& a, const matrix_argument& b, float* c, std::int64_t c_stride,
                             const gemm_epilogue& epilogue) {
    auto* const packed = reinterpret_cast<std::uint32_t*>(detail::thread_scratch(static_cast<std::size_t>(gemm_bf16_packed_b_size(n, k) + 1), 3));
    gemm_bf16_pack_b(n, k, b, packed);
    gemm_bf16(m, n, k, a, packed, c, c_stride, epilogue);
}

}  // namespace ocelli
