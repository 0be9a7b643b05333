#pragma once

/// @file
/// Depthwise convolution of images in blocks of channels.

#include <ocelli/nn/kernels/blocked.hpp>

#include <cstdint>

namespace ocelli::nn {

/// Depthwise convolution of x in blocks (filters == channels == group) to y in blocks; packed by blocked_depthwise_pack(): (blocks,
/// kernel_height, kernel_width, lanes).
void blocked_depthwise_pack(const conv_layer& layer, const float* w, float* packed);
void blocked_depthwise(const conv_layer& layer, const float* x, const float* packed, const blocked_epilogue& epilogue, float* y);

namespace detail {

/// A depthwise convolution of one block.
struct depthwise_args {
    const float* x;  ///< the block's first pixel, as of the others
    const float* weights;
    const float* bias;
    const float* addend;
    float* y;
    std::int64_t height, width, out_width, tap_row;  ///< floats from one row of taps to the next
    std::int64_t kernel_height, kernel_width, stride_y, stride_x, dilation_y, dilation_x, pad_top, pad_left;
    float low, high;
    const float* ring_end;  ///< behind the last row of a ring of `ring` floats, the first of which follows; or any place, and 0
    std::int64_t ring;
};
/// One row of its result: the rows of taps that lie inside.
struct depthwise_row {
    const float* x;
    const float* weights;
    const float* addend;
    float* y;
    std::int64_t kernel_rows;
};

/// Some rows of an image of which no others are kept: behind the last one follows the first.
struct depthwise_ring {
    const float* end = nullptr;
    std::int64_t floats = 0;  ///< of all rows, or 0 where there is no ring
};

/// Rows [row0, row1) of the result of one block, with its epilogue; x, addend (or null) and y begin with the block.
void depthwise_block(const conv_layer& layer, std::int64_t block, const float* x, const float* packed, const blocked_epilogue& epilogue, const float* addend, float* y,
                     std::int64_t row0, std::int64_t row1, const depthwise_ring& ring = {});

struct depthwise_kernels {
    void (*rows)(const depthwise_args& block, std::int64_t row0, std::int64_t row1) = nullptr;
};

OCELLI_KERNEL_API_BEGIN
const depthwise_kernels& get_depthwise_kernels();
OCELLI_KERNEL_API_END

}  // namespace detail

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/kernels/impl/depthwise.inl>
#endif
