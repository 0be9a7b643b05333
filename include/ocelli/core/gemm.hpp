#pragma once

/// @file
/// Products of float matrices, blocked and packed, on the processor's vector units and all threads.
///
/// Sums are made with FMA where there is one, in an order that depends on the sizes and the instruction set alone: the same bits for
/// every number of threads. Against a sum in double the error is at most about k * 6e-8 * sum |a b|.

#include <ocelli/core/config.hpp>
#include <ocelli/core/simd/target.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace ocelli {

/// Functions applied where a product is stored.
enum class activation : int {
    none,
    relu,          ///< max(x, 0)
    clip,          ///< min(max(x, alpha), beta)
    leaky_relu,    ///< x < 0 ? alpha x : x
    prelu,         ///< leaky_relu with a slope for each row
    hard_sigmoid,  ///< min(max(alpha x + beta, 0), 1)
    hard_swish,    ///< x min(max(x / 6 + 1/2, 0), 1)
    sigmoid,       ///< 1 / (1 + exp(-x))
    silu,          ///< x sigmoid(x)
    gelu           ///< x Phi(x), Phi being the normal distribution's
};

/// What happens to an element of the product before it is stored: bias, addend, activation, in this order. NaN passes through all.
struct gemm_epilogue {
    /// One value for each row, or null.
    const float* row_bias = nullptr;
    /// One value for each column, or null.
    const float* column_bias = nullptr;
    /// A matrix of the result's shape that is added, or null.
    const float* addend = nullptr;
    std::int64_t addend_stride = 0;
    activation function = activation::none;
    float alpha = 0;
    float beta = 0;
    /// Slopes of prelu, one for each row.
    const float* row_slope = nullptr;
};

/// A matrix in memory: element (i, j) at data[i * row_stride + j * column_stride].
struct matrix_argument {
    const float* data = nullptr;
    std::int64_t row_stride = 0;
    std::int64_t column_stride = 1;
};

/// c = a b, then the epilogue. a is m x k, b is k x n, c is m x n with rows `c_stride` apart; c must not overlap the others.
void gemm(std::int64_t m, std::int64_t n, std::int64_t k, const matrix_argument& a, const matrix_argument& b, float* c,
          std::int64_t c_stride, const gemm_epilogue& epilogue = {});

/// Floats of a packed b, and packing it: for a b that is multiplied many times, as weights are. Its elements may lie at any address, aligned or
/// not, as a file has them; in gemm(), too.
std::int64_t gemm_packed_b_size(std::int64_t n, std::int64_t k);
void gemm_pack_b(std::int64_t n, std::int64_t k, const matrix_argument& b, float* packed);
/// gemm() with a packed b.
void gemm_packed_b(std::int64_t m, std::int64_t n, std::int64_t k, const matrix_argument& a, const float* packed_b, float* c, std::int64_t c_stride,
                   const gemm_epilogue& epilogue = {});

namespace detail {

/// Memory that is read next: a tile brings it to the second-level cache, `step` bytes with each step of its sum, because processors
/// only see a stream coming when it has begun. Null: nothing.
struct memory_ahead {
    const char* at = nullptr;
    std::int64_t step = 0;

    /// Behind a tile that has made `steps` of the sum.
    void advance(std::int64_t steps) noexcept { at += steps * step; }
};
/// `bytes` of memory spread over `steps`.
inline memory_ahead ahead_of(const float* memory, std::int64_t bytes, std::int64_t steps) {
    steps = steps < 1 ? 1 : steps;
    const std::int64_t step = (bytes + steps - 1) / steps;
    return {reinterpret_cast<const char*>(memory), step > 64 ? 64 : step};
}

/// A tile of the result: c = a b, or c += a b.
struct gemm_tile_args {
    std::int64_t k;
    std::int64_t part;   ///< so many steps of the sum are added up before they join the result
    const float* a;      ///< rows, each dense
    std::int64_t a_row;  ///< floats from one row to the next, as of the others
    const float* b;      ///< whole vectors can be read, with zeros behind the columns
    std::int64_t b_row;
    float* c;
    std::int64_t c_row;
    int rows, columns;
    bool accumulate;
    const gemm_epilogue* epilogue;  ///< or null, at the place of the tile in the result
    std::int64_t row, column;
    memory_ahead ahead;
};
using gemm_tile_function = void (*)(const gemm_tile_args&);

inline constexpr int gemm_max_rows = 8;
inline constexpr int gemm_max_vectors = 3;

/// The kernels of one instruction set.
struct gemm_kernels {
    int rows = 0;     ///< rows of the largest tile
    int vectors = 0;  ///< vectors of columns in the largest tile
    int lanes = 0;    ///< floats in a vector
    /// Whether tiles multiply pairs of bfloat16 where others multiply floats.
    bool multiplies_pairs = false;
    /// [rows - 1][vectors - 1]
    gemm_tile_function tile[gemm_max_rows][gemm_max_vectors] = {};
    /// y[i * y_stride] = sum_k x[k] w[i * w_stride + k] for i < n
    void (*dot)(std::int64_t n, std::int64_t k, const float* x, const float* w, std::int64_t w_stride, float* y, std::int64_t y_stride) = nullptr;
    /// Copies a block of k rows of b into a panel `width` floats wide, zeros behind `columns`.
    void (*pack_rows)(std::int64_t k, int columns, int width, const float* b, std::int64_t ldb, float* panel) = nullptr;
    /// Weights (filters, channels, taps) of at most `lanes` filters to vectors over them: to[c * channel_step + t * tap_step + f] =
    /// from[f * row + c * taps + t] for f < used, zeros in the other lanes.
    void (*turn)(const float* from, std::int64_t row, int used, std::int64_t channels, std::int64_t taps, float* to, std::int64_t channel_step,
                 std::int64_t tap_step) = nullptr;
    /// Rounds floats, wherever they lie, to bfloat16.
    void (*round_bf16)(std::int64_t n, const float* from, std::uint16_t* to) = nullptr;
    /// As pack_rows, of rows rounded to bfloat16, two side by side.
    void (*pack_row_pairs)(std::int64_t k, int columns, int width, const float* b, std::int64_t ldb, float* panel) = nullptr;
    /// Rounds floats, wherever they lie, to floats that a bfloat16 can be.
    void (*round_floats)(std::int64_t n, const float* from, float* to) = nullptr;
    /// `rows` rows of floats, `width` each, of a panel in which two of them are a row of pairs of bfloat16.
    void (*widen_rows)(std::int64_t first, std::int64_t rows, int width, const float* pairs, float* to) = nullptr;
    /// The epilogue alone, on `rows` x `columns` elements of c.
    void (*finish)(std::int64_t rows, std::int64_t columns, float* c, std::int64_t ldc, const gemm_epilogue* epilogue, std::int64_t row0,
                   std::int64_t column0) = nullptr;
};

OCELLI_KERNEL_API_BEGIN
const gemm_kernels& get_gemm_kernels();
/// `instruction`: tiles that multiply pairs of bfloat16 by AVX512-BF16, which the processor must have. Otherwise those of floats.
const gemm_kernels& get_gemm_bf16_kernels(bool instruction);
OCELLI_KERNEL_API_END

/// Rows of a tile for m rows: as few tiles as it allows, all alike.
inline int gemm_tile_rows(const gemm_kernels& t, std::int64_t m) {
    const std::int64_t tiles = (m + t.rows - 1) / t.rows;
    return m <= 0 ? 1 : static_cast<int>((m + tiles - 1) / tiles);
}

/// A matrix whose rows are dense, `stride` floats apart.
struct gemm_lines {
    const float* data;
    std::int64_t stride;
};
/// The rows of a where they stand, or, if they are not dense or aligned, copied to this thread's scratch of slot 2.
gemm_lines gemm_lines_of(std::int64_t m, std::int64_t k, const matrix_argument& a);

/// Memory aligned to 64 bytes that the thread keeps; valid until its next call with the same slot.
float* thread_scratch(std::size_t floats, int slot = 0);

}  // namespace detail
}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/core/impl/gemm.inl>
#endif
