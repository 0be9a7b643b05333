#pragma once

/// @file
/// Maps read between their elements: resizing by taps along both axes, and bilinear sampling at the points of a grid. Upsampling, grid sampling
/// and the engine's operators of the same names call these.

#include <ocelli/core/config.hpp>
#include <ocelli/core/simd/target.hpp>

#include <cstdint>
#include <vector>

namespace ocelli::detail {

/// How an axis is resized: `count` source positions with weights for each of `out` positions; the k-th one of position o stands at
/// k * out + o.
template <class T>
struct tap_table {
    std::int64_t in = 1, out = 1, count = 1;
    std::vector<std::int32_t> source;
    std::vector<T> weight;
};

/// Resizes the rows and columns of x (images, rows.in, columns.in, inner) to y (images, rows.out, columns.out, inner). An image in blocks
/// of channels has `inner` lanes, one in planes 1.
void resize_weighted(std::int64_t images, const tap_table<float>& rows, const tap_table<float>& columns, std::int64_t inner, const float* x, float* y);
void resize_weighted(std::int64_t images, const tap_table<double>& rows, const tap_table<double>& columns, std::int64_t inner, const double* x, double* y);
/// The same with one tap of weight 1 for each position: copies.
void resize_copied(std::int64_t images, const tap_table<float>& rows, const tap_table<float>& columns, std::int64_t inner, const float* x, float* y);
void resize_copied(std::int64_t images, const tap_table<double>& rows, const tap_table<double>& columns, std::int64_t inner, const double* x, double* y);

/// Bilinear sampling of x (batch, channels, height, width) at `points` places for each image.
struct grid_sampling {
    std::int64_t batch = 1, channels = 1, height = 1, width = 1, points = 0;
    bool align_corners = false;
    /// What lies outside is the border's value; else 0.
    bool border = false;
    /// Points are given in pixels: 0 is the first one's centre.
    bool pixels = false;
};

/// Whether grid_sample_bilinear() takes it: 32 bits must hold an image's positions.
bool grid_sample_takes(const grid_sampling& s) noexcept;
/// Samples at grid (batch, points, 2), x before y, -1 to 1 across the image; y is (batch, channels, points). A place that is not a number
/// lies outside; with `border` it is the lower end.
void grid_sample_bilinear(const grid_sampling& s, const float* x, const float* grid, float* y);

/// Places in an image and weights, for a few points: the two pixels beside each other in the row above and in the row below.
struct grid_places {
    static constexpr std::int64_t size = 256;
    /// Of the left one.
    std::int32_t at[2][size];
    /// Of left and right one in turn.
    float weight[2][2 * size];
    /// All ones where the pixel lies inside.
    std::int32_t inside[2][2 * size];
};

/// The same with each pixel by itself, for images whose channels lie side by side in vectors: the four pixels around a point. One outside is the
/// pixel behind the image, which is 0 in all channels.
struct grid_lane_places {
    std::int32_t at[4][grid_places::size];
    float weight[4][grid_places::size];
};

/// Which columns a vector of results reads: all inside one vector of the row that starts at `base`, at these lanes; base -1: they are apart.
struct column_window {
    std::int32_t base;
};

template <class T>
struct resample_kernels {
    int lanes = 0;
    /// Whether mix_windows is there.
    bool windows = false;
    /// to[i] = the sum over the taps of weight times row: `count` of them, n elements each. Streamed: past the caches; finish_streams() ends it.
    void (*mix_rows)(std::int64_t n, std::int64_t count, const T* const* rows, const T* weights, bool streamed, T* to) = nullptr;
    /// to[o] = the sum over the taps of weight times row[source], `inner` elements each.
    void (*mix_columns)(const tap_table<T>& columns, const std::int32_t* source, const T* weight, std::int64_t inner, const T* row, T* to) = nullptr;
    /// The same for inner 1 and whole vectors (the last two may overlap): lane[k * out + o] = source - base of the window of o's vector.
    void (*mix_windows)(std::int64_t out, std::int64_t count, const column_window* windows, const std::int32_t* lane, const std::int32_t* source,
                        const T* weight, const T* row, T* to) = nullptr;
    void (*pick_columns)(std::int64_t out, const std::int32_t* source, std::int64_t inner, const T* row, T* to) = nullptr;
};

struct resample_tables {
    resample_kernels<float> f32;
    resample_kernels<double> f64;
    /// The places of n <= grid_places::size points (x, y); base: added to the positions, one number for each point.
    void (*grid_find)(const grid_sampling& s, std::int64_t n, const float* points, const std::int32_t* base, grid_places& places) = nullptr;
    /// y[i] = the sum over the four pixels. Narrow: images have one column.
    void (*grid_read)(const grid_places& places, std::int64_t n, bool narrow, const float* image, float* y) = nullptr;
    void (*finish_streams)() = nullptr;
    void (*grid_find_lanes)(const grid_sampling& s, std::int64_t n, const float* points, grid_lane_places& places) = nullptr;
    /// Pixels [begin, end) of `channels` planes, a vector to a pixel; absent channels are 0.
    void (*gather_lanes)(const float* planes, std::int64_t plane, std::int64_t channels, std::int64_t begin, std::int64_t end, float* lanes) = nullptr;
    /// y[c * step + i] = the sum over the four pixels, for c < channels.
    void (*grid_read_lanes)(const grid_lane_places& places, std::int64_t n, const float* lanes, std::int64_t channels, float* y, std::int64_t step) = nullptr;
};

OCELLI_KERNEL_API_BEGIN
const resample_tables& get_resample_tables();
OCELLI_KERNEL_API_END

}  // namespace ocelli::detail

#if OCELLI_HEADER_ONLY
#    include <ocelli/features/detail/impl/resample.inl>
#endif
