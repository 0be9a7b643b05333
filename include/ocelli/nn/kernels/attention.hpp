#pragma once

/// @file
/// Attention: softmax(scale q k + a + b) v without the whole of the matrix in between.

#include <ocelli/core/config.hpp>

#include <cstdint>
#include <span>

namespace ocelli::nn {

/// A stack of matrices in memory: element (i, j) of matrix s at data[places[s] + i * row + j * column].
struct attention_operand {
    const float* data = nullptr;
    const std::int64_t* places = nullptr;
    std::int64_t row = 0;
    std::int64_t column = 1;
};

/// Sizes of an attention.
struct attention_layer {
    std::int64_t matrices = 0;  ///< batch times heads
    std::int64_t queries = 0;
    std::int64_t keys = 0;
    std::int64_t depth = 0;  ///< of a query and of a key
    std::int64_t width = 0;  ///< of a value
    float scale = 1;         ///< of the products of queries and keys
    bool empty_is_zero = false;  ///< what would become NaN, a query all of whose keys are masked, is 0
};

/// y = softmax(scale q k + the sum of `added`) v for each matrix of the stack: q is queries x depth with its columns side by side, k is depth x keys, v is keys x width,
/// what is added, at most two, queries x keys with its columns side by side, y is queries x width, its rows `y_row` apart, its columns side by side. A line of the softmax that holds NaN or positive infinity becomes NaN. Some queries at a
/// time: their lines stay in the first caches. The same bits for any number of threads.
void attention(const attention_layer& layer, const attention_operand& q, const attention_operand& k, const attention_operand& v,
               std::span<const attention_operand> added, float* y, const std::int64_t* y_places, std::int64_t y_row);

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/kernels/impl/attention.inl>
#endif
