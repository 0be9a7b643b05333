#pragma once

#include <ocelli/core/detail/activation.hpp>
#include <ocelli/core/detail/gemm_blocks.hpp>
#include <ocelli/core/detail/unaligned.hpp>
#include <ocelli/core/gemm.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>

#include <new>

#define OCELLI_KERNEL_FILE <ocelli/core/detail/gemm.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>

namespace ocelli {

namespace detail {

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const gemm_kernels& get_gemm_kernels() {
    static const gemm_kernels chosen = OCELLI_CHOOSE(make_gemm_kernels);
    return chosen;
}
OCELLI_INLINE const gemm_kernels& get_gemm_bf16_kernels(bool instruction) {
    static const gemm_kernels chosen = OCELLI_CHOOSE(make_gemm_bf16_kernels);
    return instruction ? chosen : get_gemm_kernels();
}
OCELLI_KERNEL_API_END

OCELLI_INLINE float* thread_scratch(std::size_t floats, int slot) {
    struct release {
        void operator()(float* p) const noexcept { ::operator delete(p, std::align_val_t{64}); }
    };
    struct memory {
        std::unique_ptr<float, release> data;
        std::size_t size = 0;
    };
    thread_local memory slots[4];
    memory& m = slots[slot];
    if (m.size < floats) {
        // With room: what is not touched costs nothing, growing again by a little costs all pages anew.
        const std::size_t room = std::max(floats + floats / 2, std::size_t{1} << 18);
        m.data.reset();
        m.size = 0;
        m.data.reset(static_cast<float*>(::operator new(room * sizeof(float), std::align_val_t{64})));
        m.size = room;
    }
    return m.data.get();
}

OCELLI_INLINE gemm_lines gemm_lines_of(std::int64_t m, std::int64_t k, const matrix_argument& a) {
    if (a.column_stride == 1 && reinterpret_cast<std::uintptr_t>(a.data) % alignof(float) == 0) return {a.data, a.row_stride};
    float* const lines = thread_scratch(static_cast<std::size_t>(m * k + 1), 2);
    parallel_for(static_cast<std::size_t>(m), static_cast<std::size_t>(1 + (1 << 16) / (k + 1)), [&](std::size_t begin, std::size_t end) {
        const auto row0 = static_cast<std::int64_t>(begin), row1 = static_cast<std::int64_t>(end);
        for (std::int64_t k0 = 0; k0 < k; k0 += 16)  // columns of a are lines of the cache where its rows are not
            for (std::int64_t row = row0; row < row1; ++row)
                for (std::int64_t j = k0; j < std::min(k, k0 + 16); ++j) lines[row * k + j] = float_at(a.data + row * a.row_stride + j * a.column_stride);
    });
    return {lines, k};
}

/// The product with a right side that comes in panels; see gemm_block().
template <class Panel>
void gemm_with_panels(const gemm_kernels& t, std::int64_t m, std::int64_t n, std::int64_t k, const matrix_argument& a, const Panel& panel, float* c,
                      std::int64_t c_stride, const gemm_epilogue& epilogue) {
    gemm_with_lines(t, m, n, k, gemm_lines_of(m, k, a), panel, c, c_stride, epilogue);
}

}  // namespace detail

OCELLI_INLINE void gemm(std::int64_t m, std::int64_t n, std::int64_t k, const matrix_argument& a, const matrix_argument& b, float* c,
                        std::int64_t c_stride, const gemm_epilogue& epilogue) {
    using namespace detail;
    if (m <= 0 || n <= 0) return;
    const gemm_kernels& t = get_gemm_kernels();
    // Few rows against rows of weights, as in dense layers of small batches: dot products that read the weights where they lie.
    if (m <= 3 && b.row_stride == 1 && a.column_stride == 1) {
        const auto grain = static_cast<std::size_t>(8 + (1 << 16) / (k + 1) / 8 * 8);  // rows are read four at a time
        parallel_for(static_cast<std::size_t>(n), grain, [&](std::size_t begin, std::size_t end) {
            const auto j = static_cast<std::int64_t>(begin);
            const auto count = static_cast<std::int64_t>(end - begin);
            for (std::int64_t i = 0; i < m; ++i) {
                t.dot(count, k, a.data + i * a.row_stride, b.data + j * b.column_stride, b.column_stride, c + i * c_stride + j, 1);
                t.finish(1, count, c + i * c_stride + j, c_stride, &epilogue, i, j);
            }
        });
        return;
    }
    const auto panel = [&](std::int64_t k0, std::int64_t depth, std::int64_t column, int columns, int width, float* memory) -> gemm_panel {
        if (b.column_stride == 1) {
            const float* from = b.data + k0 * b.row_stride + column;
            // One tile of rows reads b once: no copy pays.
            if (m <= t.rows && columns == width) return {from, b.row_stride};
            t.pack_rows(depth, columns, width, from, b.row_stride, memory);
        } else {
            for (std::int64_t i = 0; i < depth; ++i)
                for (int j = 0; j < width; ++j)
                    memory[i * width + j] = j < columns ? detail::float_at(b.data + (k0 + i) * b.row_stride + (column + j) * b.column_stride) : 0.0f;
        }
        return {memory, width};
    };
    gemm_with_panels(t, m, n, k, a, panel, c, c_stride, epilogue);
}

OCELLI_INLINE std::int64_t gemm_packed_b_size(std::int64_t n, std::int64_t k) {
    const detail::gemm_kernels& t = detail::get_gemm_kernels();
    const std::int64_t width = t.vectors * t.lanes;
    return (n + width - 1) / width * width * k;
}

OCELLI_INLINE void gemm_pack_b(std::int64_t n, std::int64_t k, const matrix_argument& b, float* packed) {
    const detail::gemm_kernels& t = detail::get_gemm_kernels();
    const std::int64_t width = t.vectors * t.lanes, panels = (n + width - 1) / width;
    parallel_for(static_cast<std::size_t>(panels), static_cast<std::size_t>(1 + (1 << 16) / (width * (k + 1))), [&](std::size_t begin, std::size_t end) {
        for (auto p = static_cast<std::int64_t>(begin); p < static_cast<std::int64_t>(end); ++p) {
            float* to = packed + p * width * k;
            const std::int64_t columns = std::min(width, n - p * width);
            const float* from = b.data + p * width * b.column_stride;
            if (b.column_stride == 1) {
                t.pack_rows(k, static_cast<int>(columns), static_cast<int>(width), from, b.row_stride, to);
                continue;
            }
            if (b.row_stride == 1) {
                for (std::int64_t j = 0; j < width; j += t.lanes)
                    t.turn(from + j * b.column_stride, b.column_stride, static_cast<int>(std::clamp<std::int64_t>(columns - j, 0, t.lanes)), k, 1, to + j, width, 0);
                continue;
            }
            // Some rows at a time, so that the cache lines of each column are used up.
            for (std::int64_t k0 = 0; k0 < k; k0 += 16)
                for (std::int64_t j = 0; j < width; ++j)
                    for (std::int64_t i = k0; i < std::min(k, k0 + 16); ++i)
                        to[i * width + j] = j < columns ? detail::float_at(from + i * b.row_stride + j * b.column_stride) : 0.0f;
        }
    });
}

OCELLI_INLINE void gemm_packed_b(std::int64_t m, std::int64_t n, std::int64_t k, const matrix_argument& a, const float* packed_b, float* c,
                                 std::int64_t c_stride, const gemm_epilogue& epilogue) {
    using namespace detail;
    if (m <= 0 || n <= 0) return;
    const gemm_kernels& t = get_gemm_kernels();
    const std::int64_t width = t.vectors * t.lanes;
    const auto panel = [&](std::int64_t k0, std::int64_t, std::int64_t column, int, int, float*) -> gemm_panel {
        return {packed_b + column / width * width * k + k0 * width, width};
    };
    gemm_with_panels(t, m, n, k, a, panel, c, c_stride, epilogue);
}

}  // namespace ocelli
