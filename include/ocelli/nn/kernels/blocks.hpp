#pragma once

/// @file
/// Images in blocks of channels: (batch, blocks, depth, height, width, lanes), as many channels in a block as a vector has lanes.
/// Unused lanes of the last block are zero, always.

#include <ocelli/core/simd/target.hpp>

#include <cstdint>

namespace ocelli::nn {

/// Channels in a block: the floats of a vector of the active instruction set.
int block_lanes();

/// Blocks that hold so many channels.
inline std::int64_t block_count(std::int64_t channels, std::int64_t lanes) noexcept {
    return (channels + lanes - 1) / lanes;
}

/// Planes (batch, channels, pixels) to blocks (batch, blocks, pixels, lanes), and back.
void to_blocks(std::int64_t batch, std::int64_t channels, std::int64_t pixels, const float* x, float* y);
void from_blocks(std::int64_t batch, std::int64_t channels, std::int64_t pixels, const float* x, float* y);

/// Blocks to (batch, pixels, channels).
void join_blocks(std::int64_t batch, std::int64_t channels, std::int64_t pixels, const float* x, float* y);

namespace detail {

struct block_kernels {
    int lanes = 0;
    /// Planes to a block, of which `used` channels are, and back.
    void (*gather)(const float* x, std::int64_t plane, std::int64_t pixels, int used, float* y) = nullptr;
    void (*scatter)(const float* x, std::int64_t plane, std::int64_t pixels, int used, float* y) = nullptr;
    /// Pixels of blocks `plane` floats apart, their channels side by side.
    void (*join)(const float* x, std::int64_t plane, std::int64_t channels, std::int64_t pixels, float* y) = nullptr;
    /// y[r][...] = x[r][...] * factors[r], rows of so many vectors.
    void (*scale)(const float* x, const float* factors, std::int64_t rows, int vectors, float* y) = nullptr;
    /// Copies of a row, 2, 4 .. lanes / 2 of them, below each other: lane i of copy c is lane i ^ c.
    void (*exchange)(const float* x, std::int64_t pixels, int copies, float* to) = nullptr;
};

OCELLI_KERNEL_API_BEGIN
const block_kernels& get_block_kernels();
OCELLI_KERNEL_API_END

}  // namespace detail

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/kernels/impl/blocks.inl>
#endif
