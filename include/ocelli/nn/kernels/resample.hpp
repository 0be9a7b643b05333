#pragma once

/// @file
/// Images read between their pixels: resizing by taps along both axes, and bilinear sampling at the points of a grid.

#include <ocelli/core/config.hpp>
#include <ocelli/core/simd/target.hpp>

#include <cstdint>
#include <vector>

namespace ocelli::nn {

/// How an axis is resized: `count` source positions with weights for each of `out` positions; the k-th one of position o stands at
/// k * out + o.
struct axis_taps {
    std::int64_t in = 1, out = 1, count = 1;
    std::vector<std::int32_t> source;
    std::vector<float> weight;
};

/// Resizes the rows and columns of x (images, rows.in, columns.in, inner) to y (images, rows.out, columns.out, inner). An image in blocks
/// of channels has `inner` lanes, one in planes 1.
void resize_weighted(std::int64_t images, const axis_taps& rows, const axis_taps& columns, std::int64_t inner, const float* x, float* y);
/// The same with one tap of weight 1 for each position: copies.
void resize_copied(std::int64_t images, const axis_taps& rows, const axis_taps& columns, std::int64_t inner, const float* x, float* y);

/// Bilinear sampling of x (batch, channels, height, width) at `points` places for each image.
struct grid_sampling {
    std::int64_t batch = 1, channels = 1, height = 1, width = 1, points = 0;
    bool align_corners = false;
    /// What lies outside is the border's value; else 0.
    bool border = false;
};

/// Whether grid_sample() takes it: 32 bits must hold an image's positions.
bool grid_sample_takes(const grid_sampling& s) noexcept;
/// Samples at grid (batch, points, 2), x before y, -1 to 1 across the image; y is (batch, channels, points). A place that is not a number
/// lies outside.
void grid_sample(const grid_sampling& s, const float* x, const float* grid, float* y);

namespace detail {

/// Places in an image and weights, for a few points: the four pixels around each.
struct grid_places {
    static constexpr std::int64_t size = 256;
    std::int32_t at[4][size];
    /// All ones where the pixel lies inside.
    std::int32_t inside[4][size];
    float weight[4][size];
};

struct resample_kernels {
    int lanes = 0;
    /// The places of n <= grid_places::size points (x, y); base: added to the positions, one number for each point.
    void (*grid_find)(const grid_sampling& s, std::int64_t n, const float* points, const std::int32_t* base, grid_places& places) = nullptr;
    /// y[i] = the sum over the four pixels.
    void (*grid_read)(const grid_places& places, std::int64_t n, const float* image, float* y) = nullptr;
    /// to[i] = the sum over the taps of weight times row: `count` of them, n floats each.
    void (*mix_rows)(std::int64_t n, std::int64_t count, const float* const* rows, const float* weights, float* to) = nullptr;
    /// to[o] = the sum over the taps of weight times row[source], `inner` floats each.
    void (*mix_columns)(const axis_taps& columns, const std::int32_t* source, const float* weight, std::int64_t inner, const float* row, float* to) = nullptr;
    void (*pick_columns)(std::int64_t out, const std::int32_t* source, std::int64_t inner, const float* row, float* to) = nullptr;
};

OCELLI_KERNEL_API_BEGIN
const resample_kernels& get_resample_kernels();
OCELLI_KERNEL_API_END

}  // namespace detail

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/kernels/impl/resample.inl>
#endif
