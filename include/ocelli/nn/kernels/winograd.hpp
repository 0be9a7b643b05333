#pragma once

/// @file
/// Convolution with 3 x 3 kernels and stride 1, over any third axis, by Winograd's minimal filtering: F(4, 3) at the points 0, +-sqrt 2, +-sqrt 1/2, and F(2, 3)
/// at 0, +-1 (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015). A NaN or infinity in the input spreads over
/// the tile of 4 x 4 (2 x 2) results that it meets.

#include <ocelli/nn/kernels/blocked.hpp>

#include <cstdint>

namespace ocelli::nn {

/// Whether the layer, whatever its extents, is one that winograd_conv() may be the fastest for: group 1, kernel 3 x 3, stride 1, the same
/// dilation along both axes, 16 channels and filters at least.
bool winograd_takes(const conv_layer& layer);

/// The edge of a tile of results that is worth its transforms and weights for this layer: 4, 2, or 0 where direct convolution is faster.
/// A function of the layer's shape alone.
int winograd_tile(const conv_layer& layer, double direct_speed = 1);

/// Floats of transformed weights, and transforming them (in double): w (filters, channels, kernel_depth, 3, 3), at any address, aligned or not.
std::int64_t winograd_packed_size(const conv_layer& layer, int tile);
void winograd_pack(const conv_layer& layer, int tile, const float* w, float* packed);

/// Convolution of x in blocks to y in blocks; group 1, kernel 3 x 3, stride 1, the same dilation along both axes. Addend and result may
/// be the same memory.
void winograd_conv(const conv_layer& layer, int tile, const float* x, const float* packed, const blocked_epilogue& epilogue, float* y);

namespace detail {

/// Some tiles of one image, counted row by row, for one phase of a dilated convolution after the other.
struct winograd_tiles {
    std::int64_t first, count;       ///< tiles
    std::int64_t rows, columns;      ///< of tiles in a phase
    std::int64_t height, width;      ///< of the image read or written
    std::int64_t pad_top, pad_left;  ///< of the input
    std::int64_t dilation;
    std::int64_t step;  ///< floats from one coefficient of the tiles to the next
};

struct winograd_kernels {
    /// One block of x to its coefficients [tile * tile][tiles][lanes]; [0]: F(2, 3), [1]: F(4, 3)
    void (*input[2])(const winograd_tiles& tiles, const float* x, float* coefficients) = {};
    /// And back, with bias, addend (or null) and clamping.
    void (*output[2])(const winograd_tiles& tiles, const float* coefficients, const float* bias, const float* addend, bool clamps, float low, float high,
                      float* y) = {};
    /// Kernels w[tap * tap_step + c * lanes + f] to to[coefficient * step + c * channel_step + f].
    void (*weights[2])(const float* w, std::int64_t tap_step, std::int64_t channels, float* to, std::int64_t channel_step, std::int64_t step) = {};
};

OCELLI_KERNEL_API_BEGIN
const winograd_kernels& get_winograd_kernels();
OCELLI_KERNEL_API_END

/// The first pixel of tile i.
struct winograd_origin {
    std::int64_t y, x;
};
inline winograd_origin origin_of(const winograd_tiles& t, std::int64_t i, std::int64_t edge) {
    const std::int64_t each = t.rows * t.columns, phase = i / each, within = i % each;
    return {phase / t.dilation + within / t.columns * edge * t.dilation, phase % t.dilation + within % t.columns * edge * t.dilation};
}

}  // namespace detail

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/kernels/impl/winograd.inl>
#endif
