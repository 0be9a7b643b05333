#pragma once

/// @file
/// Convolution on images in blocks of channels: (batch, blocks, depth, height, width, lanes), as many channels in a block as a
/// vector has lanes. Unused lanes of the last block are zero, always.

#include <ocelli/nn/kernels/conv.hpp>

#include <cstdint>

namespace ocelli::nn {

/// Channels in a block: the floats of a vector of the active instruction set.
int block_lanes();

/// Blocks that hold so many channels.
inline std::int64_t block_count(std::int64_t channels, std::int64_t lanes) noexcept {
    return (channels + lanes - 1) / lanes;
}

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

/// Transposed convolution of x in blocks or planes to y in blocks, as a plain convolution for each of the stride's phases, whose results
/// interleave. The layer is that of the convolution it turns around, as in conv_transpose(): x has `filters` channels, y `channels`. Two
/// axes, dilation 1. w (filters, channels / group, kernel_height, kernel_width).
bool blocked_transpose_takes(const conv_layer& layer);
std::int64_t blocked_transpose_packed_size(const conv_layer& layer);
/// @param factors  one for each channel of y, multiplied in; null: none
void blocked_transpose_pack(const conv_layer& layer, const float* w, float* packed, const float* factors = nullptr);
void blocked_transpose(const conv_layer& layer, const float* x, bool planes, const float* packed, const blocked_epilogue& epilogue, float* y);

/// Depthwise convolution of x in blocks (filters == channels == group) to y in blocks; packed by blocked_depthwise_pack(): (blocks,
/// kernel_height, kernel_width, lanes).
void blocked_depthwise_pack(const conv_layer& layer, const float* w, float* packed);
void blocked_depthwise(const conv_layer& layer, const float* x, const float* packed, const blocked_epilogue& epilogue, float* y);

/// Pooling of x in blocks (filters == channels); the averages' counts as average_pool() takes them.
void blocked_max_pool(const conv_layer& layer, const float* x, float* y);
void blocked_average_pool(const conv_layer& layer, const float* x, const float* rows, const float* columns, float* y);
/// The mean over the pixels of each channel: x (blocks, pixels, lanes) to y (blocks, lanes).
void blocked_mean(std::int64_t blocks, std::int64_t pixels, const float* x, float* y);

/// Planes (batch, channels, pixels) to blocks (batch, blocks, pixels, lanes), and back.
void to_blocks(std::int64_t batch, std::int64_t channels, std::int64_t pixels, const float* x, float* y);
void from_blocks(std::int64_t batch, std::int64_t channels, std::int64_t pixels, const float* x, float* y);

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

/// Rows to be laid out for tiles; see blocked_unroll.
struct blocked_rows {
    std::int64_t rows, first, step, height, width, pad, stride, part;
};

/// A depthwise convolution of one block.
struct blocked_depthwise_args {
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
struct blocked_depthwise_row {
    const float* x;
    const float* weights;
    const float* addend;
    float* y;
    std::int64_t kernel_rows;
};

/// One row of a pooling; `rows` and `columns`, of averages: how many taps count.
struct blocked_pool_args {
    const float* x;  ///< the row under the first row of taps
    float* y;
    std::int64_t tap_row, kernel_rows, kernel_width, dilation, stride, pad, width, out_width;
    float rows;
    const float* columns;
};

struct blocked_kernels {
    int lanes = 0;
    int pixels = 0;  ///< of the largest tile, but of those of `near`
    /// [blocked_form][vectors of filters - 1, or 2: two, the second of which uses at most half of its lanes][pixels - 1]; null where there is no
    /// such instruction, or no such tile
    blocked_tile_function tile[blocked_forms][3][blocked_max_pixels] = {};
    /// One vector of filters, three taps beside each other, every other pixel of planes: [pixels - 1], up to 2 * `pixels`; or null
    blocked_tile_function near[2 * blocked_max_pixels] = {};
    /// Two rows: [blocked_form][vectors of filters - 1][pixels of a row - 1]; null for some
    blocked_tile_function pair[blocked_forms][2][blocked_max_pixels / 2] = {};
    void (*finish)(float* y, std::int64_t pixels, const float* slope, int used) = nullptr;
    /// [x in planes]
    void (*unroll[2])(const blocked_rows& rows, const float* x, float* to) = {};
    void (*depthwise_rows)(const blocked_depthwise_args& block, std::int64_t row0, std::int64_t row1) = nullptr;
    /// [average]
    void (*pool_row[2])(const blocked_pool_args& row) = {};
    void (*mean)(const float* x, std::int64_t pixels, float* y) = nullptr;
    void (*scale)(const float* x, const float* factors, std::int64_t rows, int vectors, float* y) = nullptr;
    void (*exchange)(const float* x, std::int64_t pixels, int copies, float* to) = nullptr;  ///< copies: 2, 4 .. lanes / 2
    void (*gather)(const float* x, std::int64_t plane, std::int64_t pixels, int used, float* y) = nullptr;
    void (*scatter)(const float* x, std::int64_t plane, std::int64_t pixels, int used, float* y) = nullptr;
};

OCELLI_KERNEL_API_BEGIN
const blocked_kernels& get_blocked_kernels();
OCELLI_KERNEL_API_END

}  // namespace detail

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/kernels/impl/blocked.inl>
#endif
