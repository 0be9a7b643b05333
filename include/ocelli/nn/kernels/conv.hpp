#pragma once

/// @file
/// Kernels of windows on plain memory: convolution as a product of matrices (any kernel size, stride, dilation, group), depthwise and
/// transposed convolution, pooling.

#include <ocelli/core/gemm.hpp>
#include <ocelli/core/simd/target.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace ocelli::nn {

/// A convolution of x (batch, channels, depth, height, width) to y (batch, filters, out_depth, out_height, out_width). Fewer axes: the
/// first ones have extent 1. Kernels on planes take two axes; those on blocks all.
struct conv_layer {
    std::int64_t batch = 1, channels = 0, height = 1, width = 0;
    std::int64_t filters = 0, out_height = 1, out_width = 0;
    std::int64_t kernel_height = 1, kernel_width = 1;
    std::int64_t stride_y = 1, stride_x = 1, dilation_y = 1, dilation_x = 1;
    std::int64_t pad_top = 0, pad_left = 0;
    std::int64_t group = 1;
    std::int64_t depth = 1, out_depth = 1, kernel_depth = 1, stride_z = 1, dilation_z = 1, pad_front = 0;
};

namespace detail {

/// Rows of b for the convolution's product: which part of an image lies under one tap of the kernel.
struct im2col_part {
    const float* image;  ///< first channel of the group
    std::int64_t height, width, out_width, kernel_height, kernel_width, stride_y, stride_x, dilation_y, dilation_x, pad_top, pad_left;
};

struct conv_kernels {
    /// Fills rows [k0, k0 + depth) of the panel for output pixels [pixel, pixel + columns), `width` floats a row, zeros behind.
    void (*im2col)(const im2col_part& part, std::int64_t k0, std::int64_t depth, std::int64_t pixel, int columns, int width, float* panel) = nullptr;
    /// One channel: x (height, width) with weights (kernel_height, kernel_width); `scratch` holds window_scratch() floats.
    void (*depthwise)(const conv_layer& layer, const float* x, const float* weights, float* y, float* scratch) = nullptr;
    /// The same windows' maximum (padding never wins, a NaN does) and sum (padding counts 0), without weights.
    void (*maximum)(const conv_layer& layer, const float* x, const float* none, float* y, float* scratch) = nullptr;
    void (*sum)(const conv_layer& layer, const float* x, const float* none, float* y, float* scratch) = nullptr;
    /// y[i] /= rows * columns[i]
    void (*divide)(std::int64_t n, float* y, float rows, const float* columns) = nullptr;
};

OCELLI_KERNEL_API_BEGIN
const conv_kernels& get_conv_kernels();
OCELLI_KERNEL_API_END

/// Floats of scratch memory a sliding window needs: the whole padded channel.
std::int64_t window_scratch(const conv_layer& layer);

/// Tasks so that each takes some ten microseconds at least.
inline std::size_t conv_grain(std::int64_t operations_per_task) {
    return static_cast<std::size_t>(std::max<std::int64_t>(1, (std::int64_t{1} << 16) / std::max<std::int64_t>(1, operations_per_task)));
}

}  // namespace detail

/// Floats of packed weights, and packing them: w (filters, channels / group, kernel_height, kernel_width).
std::int64_t conv_gemm_packed_size(const conv_layer& layer);
void conv_gemm_pack(const conv_layer& layer, const float* w, float* packed);

/// Convolution as a product with the unfolded input, whose panels are unfolded when they are needed. The epilogue's rows are filters;
/// its addend has y's layout.
void conv_gemm(const conv_layer& layer, const float* x, const float* packed, const gemm_epilogue& epilogue, float* y);

/// Depthwise convolution: filters == channels == group. Weights as the model has them.
void conv_depthwise(const conv_layer& layer, const float* x, const float* w, const gemm_epilogue& epilogue, float* y);

/// True where the kernels that slide a window over a padded channel (depthwise, pooling) are worth their memory: padding and the gaps
/// between windows may be far larger than the image, and hostile ones larger than any memory.
bool window_fits(const conv_layer& layer) noexcept;

/// Largest element of each window; a NaN wins, a window of padding alone gives -infinity. filters == channels.
void max_pool(const conv_layer& layer, const float* x, float* y);
/// Sum of each window divided by rows[its row] * columns[its column]: out_height and out_width counts of elements, each at least 1.
void average_pool(const conv_layer& layer, const float* x, const float* rows, const float* columns, float* y);

/// True where conv_transpose() is worth its memory.
bool conv_transpose_fits(const conv_layer& layer) noexcept;
/// Transposed convolution: the layer is that of the convolution it turns around, with x (batch, filters, out_height, out_width) its
/// result and y (batch, channels, height, width) its input. w (filters, channels / group, kernel_height, kernel_width). The epilogue's
/// rows are channels of y; it has no addend.
void conv_transpose(const conv_layer& layer, const float* x, const float* w, const gemm_epilogue& epilogue, float* y);

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/kernels/impl/conv.inl>
#endif
