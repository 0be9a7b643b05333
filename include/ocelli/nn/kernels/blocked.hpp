#pragma once

/// @file
/// Convolution on images in blocks of channels.

#include <ocelli/nn/kernels/blocks.hpp>
#include <ocelli/nn/kernels/conv.hpp>

#include <cstdint>

namespace ocelli::nn {

/// What a blocked convolution does to an element before it is stored: bias, addend, activation, in this order.
struct blocked_epilogue {
    /// A value for each filter, zeros behind, whole blocks; never null.
    const float* bias = nullptr;
    /// An image of the result's shape that is added, or null.
    const float* addend = nullptr;
    activation function = activation::none;
    float alpha = 0;
    float beta = 0;
    /// Slopes of prelu, laid out as the bias.
    const float* slope = nullptr;
};

/// Floats of packed weights, and packing them: w (filters, channels / group, kernel_depth, kernel_height, kernel_width). A group whose channels do
/// not fill blocks of their own shares one with its neighbours, with zeros between them. Weights to be packed may lie at any address, aligned or
/// not, as a file has them.
std::int64_t blocked_conv_packed_size(const conv_layer& layer);
void blocked_conv_pack(const conv_layer& layer, const float* w, float* packed);
/// Whether blocked_conv() takes the layer's groups.
bool blocked_conv_takes(const conv_layer& layer);

/// Convolution of x in blocks, or in planes (batch, channels, height, width) where `planes` is set, to y in blocks. Addend and result
/// may be the same memory.
void blocked_conv(const conv_layer& layer, const float* x, bool planes, const float* packed, const blocked_epilogue& epilogue, float* y);

namespace detail {

/// Some channels under one tap of the kernel: where they begin, counted from the tile's first pixel, and how many there are.
struct blocked_segment {
    std::int64_t offset, length;
};

/// The arguments of a tile.
struct blocked_tile {
    const float* x;                   ///< first pixel
    std::int64_t x_jump;              ///< floats from the first row to the second
    const blocked_segment* segments;  ///< `count` of them
    std::int64_t count;
    const float* weights;  ///< a row of filters for each channel of each segment
    const float* bias;
    const float* addend;   ///< as y, or null
    float* y;
    std::int64_t y_block, y_jump, y_step;  ///< floats from one block of filters to the next, from the first row to the second, between pixels
    bool clamps;                   ///< to [low, high]
    float low, high;
    ocelli::detail::memory_ahead ahead;  ///< a step for each channel of each segment
    std::int64_t depth;                  ///< channels, where rows of three taps are multiplied at once
};
using blocked_tile_function = void (*)(const blocked_tile&);

/// What x is made of: floats in blocks or planes, of which a tile's pixels are neighbours or every other one; pairs of bfloat16 in blocks, multiplied
/// by an instruction of the processor or as floats.
enum blocked_form { floats_in_blocks, floats_in_planes, every_other_in_planes, pairs_by_instruction, pairs_widened, blocked_forms };

inline constexpr int blocked_max_pixels = 14;
inline constexpr int blocked_widened_pixels = 4;  ///< of the largest tile of pairs_widened

/// Rows to be laid out for tiles; see blocked_unroll.
struct blocked_rows {
    std::int64_t rows, first, step, height, width, pad, stride, part;
};

struct blocked_kernels {
    int lanes = 0;
    int pixels = 0;  ///< of the largest tile, but of those of `near` and of pairs_widened
    /// [blocked_form][vectors of filters - 1, or 2: two, the second of which uses at most half of its lanes][pixels - 1]; null where there is no
    /// such instruction, or no such tile: for planes, those of one pixel and of a third (every other pixel: half) of the largest tile or more are there
    blocked_tile_function tile[blocked_forms][3][blocked_max_pixels] = {};
    /// One vector of filters, three taps beside each other, every other pixel of planes: [pixels - 1], 1 and from `pixels` up to 2 * `pixels`; or null
    blocked_tile_function near[2 * blocked_max_pixels] = {};
    /// Two rows: [blocked_form][vectors of filters - 1][pixels of a row - 1]; null for some
    blocked_tile_function pair[blocked_forms][2][blocked_max_pixels / 2] = {};
    void (*finish)(float* y, std::int64_t pixels, const float* slope, int used) = nullptr;
    /// [x in planes]
    void (*unroll[2])(const blocked_rows& rows, const float* x, float* to) = {};
};

OCELLI_KERNEL_API_BEGIN
const blocked_kernels& get_blocked_kernels();
OCELLI_KERNEL_API_END

}  // namespace detail

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/kernels/impl/blocked.inl>
#endif
