#pragma once

/// @file
/// Transposed convolution of images in blocks, in three ways: as plain ones, one for each phase of the stride; for few filters, whose blocks would be mostly empty;
/// and for kernels of 4 x 4 at stride 2 by Winograd's minimal filtering. The layer is that of the convolution it turns around, as in conv_transpose(): x has
/// `filters` channels and the extents `out_height`, `out_width`, y has `channels`, `height`, `width`. w (filters, channels / group, kernel_height, kernel_width), at
/// any address, aligned or not.

#include <ocelli/core/gemm.hpp>
#include <ocelli/nn/kernels/blocked.hpp>

#include <cstdint>

namespace ocelli::nn {

/// Whether blocked_transpose() takes the layer: two axes, dilation 1, and groups that blocked_conv() takes.
bool blocked_transpose_takes(const conv_layer& layer);
std::int64_t blocked_transpose_packed_size(const conv_layer& layer);
/// @param factors  one for each channel of y, multiplied in; null: none
void blocked_transpose_pack(const conv_layer& layer, const float* w, float* packed, const float* factors = nullptr);
/// x in blocks or planes to y in blocks, as a plain convolution for each of the stride's phases, whose results interleave.
void blocked_transpose(const conv_layer& layer, const float* x, bool planes, const float* packed, const blocked_epilogue& epilogue, float* y);

/// Whether transpose_columns() is the faster way, whatever the extents: group 1, dilation 1, filters for half a block at most.
bool transpose_columns_takes(const conv_layer& layer);
/// Whether it takes the extents: its working memory has a row of x for each tap of each filter.
bool transpose_columns_fits(const conv_layer& layer) noexcept;
std::int64_t transpose_columns_packed_size(const conv_layer& layer);
void transpose_columns_pack(const conv_layer& layer, const float* w, float* packed);
/// x in blocks to y in planes (batch, channels, height, width): each pixel's products with every tap of every filter, added where they fall. The epilogue's
/// rows are y's channels; its addend, in planes, has the addend_stride of a plane.
void transpose_columns(const conv_layer& layer, const float* x, const float* packed, const gemm_epilogue& epilogue, float* y);

/// Whether transpose_winograd() takes the layer and is faster than blocked_transpose(); extents 0: no.
bool transpose_winograd_pays(const conv_layer& layer);
/// Floats of transformed weights, four of each.
std::int64_t transpose_winograd_packed_size(const conv_layer& layer);
/// @param factors  one for each channel of y, multiplied in; null: none
void transpose_winograd_pack(const conv_layer& layer, const float* w, float* packed, const float* factors = nullptr);
/// x in blocks to y in blocks; group 1, kernel 4 x 4, stride 2, dilation 1. The four phases of the stride are convolutions by 2 x 2 kernels that read the same
/// pixels: F(3, 2) along both axes at the points 0, +-1, whose transformed input they share. A NaN or infinity spreads over the tile of 6 x 6 results that reads
/// it. Addend and result may be the same memory.
void transpose_winograd(const conv_layer& layer, const float* x, const float* packed, const blocked_epilogue& epilogue, float* y);

namespace detail {

/// A row of results, whose elements are sums: element p + j * stride is that of sources[...][j], over `counts[p]` sources for phase p, one phase behind the other.
struct transpose_row {
    const float* const* sources;
    const std::int64_t* counts;
    std::int64_t stride, width;
};

/// Some tiles of 6 x 6 results and the 4 x 4 pixels they come from, counted row by row, image by image.
struct transpose_tiles {
    std::int64_t first, count;       ///< tiles
    std::int64_t rows, columns;      ///< of tiles in an image
    std::int64_t height, width;      ///< of x
    std::int64_t y_height, y_width;
    std::int64_t x_image, y_image;   ///< floats from one image to the next
    std::int64_t pad_top, pad_left;  ///< results cut off before the first
    std::int64_t step;               ///< floats from one coefficient of the tiles to the next
};
/// The image and the first pixel, of those that no padding of the kernel's precedes, of tile i.
struct transpose_origin {
    std::int64_t image, y, x;
};
inline transpose_origin origin_of(const transpose_tiles& t, std::int64_t i) {
    const std::int64_t each = t.rows * t.columns, within = i % each;
    const auto half = [](std::int64_t pad) { return pad >= 0 ? pad / 2 : -((1 - pad) / 2); };
    return {i / each, half(t.pad_top) + within / t.columns * 3, half(t.pad_left) + within % t.columns * 3};
}

struct transposed_kernels {
    void (*row)(const transpose_row& row, float* y) = nullptr;
    /// One block of x to its coefficients [4 * 4][tiles][lanes].
    void (*input)(const transpose_tiles& tiles, const float* x, float* coefficients) = nullptr;
    /// And back, for a phase of one block of y, with bias, addend (or null) and clamping.
    void (*output)(const transpose_tiles& tiles, int phase_y, int phase_x, const float* coefficients, const float* bias, const float* addend, bool clamps, float low,
                   float high, float* y) = nullptr;
    /// A kernel of 4 x 4 vectors to its coefficients to[(c * 4 + phase) * ...]: coefficient c of the phase (y, x) goes to to[c * step + y * row_step + x * lanes].
    void (*weights)(const float* w, float* to, std::int64_t step, std::int64_t row_step) = nullptr;
};

OCELLI_KERNEL_API_BEGIN
const transposed_kernels& get_transposed_kernels();
OCELLI_KERNEL_API_END

}  // namespace detail

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/kernels/impl/transposed.inl>
#endif
