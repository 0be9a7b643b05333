#pragma once

/// @file
/// Pooling of images in blocks of channels.

#include <ocelli/nn/kernels/blocks.hpp>
#include <ocelli/nn/kernels/conv.hpp>

#include <cstdint>

namespace ocelli::nn {

/// Pooling of x in blocks (filters == channels); the averages' counts as average_pool() takes them.
void blocked_max_pool(const conv_layer& layer, const float* x, float* y);
void blocked_average_pool(const conv_layer& layer, const float* x, const float* rows, const float* columns, float* y);
/// The mean over the pixels of each channel: x (blocks, pixels, lanes) to y (blocks, lanes).
void blocked_mean(std::int64_t blocks, std::int64_t pixels, const float* x, float* y);

namespace detail {

/// One row of a pooling; `rows` and `columns`, of averages: how many taps count.
struct blocked_pool_args {
    const float* x;  ///< the row under the first row of taps
    float* y;
    std::int64_t tap_row, kernel_rows, kernel_width, dilation, stride, pad, width, out_width;
    float rows;
    const float* columns;
};

struct blocked_pool_kernels {
    /// [average]
    void (*row[2])(const blocked_pool_args& row) = {};
    void (*mean)(const float* x, std::int64_t pixels, float* y) = nullptr;
};

OCELLI_KERNEL_API_BEGIN
const blocked_pool_kernels& get_blocked_pool_kernels();
OCELLI_KERNEL_API_END

}  // namespace detail

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/kernels/impl/blocked_pool.inl>
#endif
