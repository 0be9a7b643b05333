#pragma once

/// @file
/// Means, variances, and what is scaled by them, over rows of numbers and over images in planes or in blocks of channels.
///
/// Sums run in float over a few thousand elements at most, and in double over these.

#include <ocelli/core/config.hpp>
#include <ocelli/core/simd/target.hpp>
#include <ocelli/nn/kernels/elementwise.hpp>

#include <cstdint>

namespace ocelli::nn {

/// Normalises each of `rows` rows of n elements to mean 0 and variance 1 (+ epsilon), then scales and shifts: y = (x - mean) / deviation *
/// scale + bias. Both hold n elements or are null; mean and inverse deviation of each row go to `means` and `inverses` unless these are null.
void layer_normalize(std::int64_t rows, std::int64_t n, double epsilon, const float* scale, const float* bias, const float* x, float* y, float* means,
                     float* inverses);

/// The same over the pixels of each channel of x (batch, channels, pixels), or of `group_channels` neighbouring channels together; scale and
/// bias hold one element for each channel.
void instance_normalize(std::int64_t batch, std::int64_t channels, std::int64_t group_channels, std::int64_t pixels, double epsilon, const float* scale,
                        const float* bias, const float* x, float* y);
/// Over the pixels of each channel of x (batch, blocks, pixels, lanes); scale and bias hold whole blocks, with zeros behind the channels.
void blocked_instance_normalize(std::int64_t batch, std::int64_t blocks, std::int64_t pixels, double epsilon, const float* scale, const float* bias,
                                const float* x, float* y);

/// y = x * scale + shift for each channel of x (batch, channels, pixels), or of x (batch, blocks, pixels, lanes).
void scale_channels(std::int64_t batch, std::int64_t channels, std::int64_t pixels, const float* scale, const float* shift, const float* x, float* y);
void blocked_scale_channels(std::int64_t batch, std::int64_t blocks, std::int64_t pixels, const float* scale, const float* shift, const float* x, float* y);

/// The sum of each of `rows` rows of n elements, times `factor`.
void sum_rows(std::int64_t rows, std::int64_t n, double factor, const float* x, float* y);

/// The sum of the squares of each of `rows` rows of n elements, or its root.
void sum_squares_of_rows(bool root, std::int64_t rows, std::int64_t n, const float* x, float* y);

/// What folds the middle axis of x (outer, n, inner), n > 0: sums times `factor`, also of squares, or extremes.
void fold_middle(binary_function f, bool squares, std::int64_t outer, std::int64_t n, std::int64_t inner, float factor, const float* x, float* y);

/// The largest (`largest`) or smallest of each of `rows` rows of n elements, n > 0; NaN where a row holds one.
void extreme_of_rows(bool largest, std::int64_t rows, std::int64_t n, const float* x, float* y);

namespace detail {

struct normalize_kernels {
    int lanes = 0;
    /// The smallest and the largest of n > 0 elements.
    float (*extreme[2])(std::int64_t n, const float* x) = {};
    /// The sum of n elements, and of the squares of their distances from `mean`.
    double (*sum)(std::int64_t n, const float* x) = nullptr;
    double (*squares)(std::int64_t n, const float* x, float mean) = nullptr;
    /// y = (x - mean) * factor * scale[i] + bias[i]; scale and bias may be null.
    void (*normalize)(std::int64_t n, const float* x, float mean, float factor, const float* scale, const float* bias, float* y) = nullptr;
    /// y = (x - mean) * factor + shift
    void (*shift)(std::int64_t n, const float* x, float mean, float factor, float shift, float* y) = nullptr;
    /// The same lane by lane, for `pixels` pixels of a block.
    void (*lane_sums)(std::int64_t pixels, const float* x, double* sums) = nullptr;
    void (*lane_squares)(std::int64_t pixels, const float* x, const float* means, double* sums) = nullptr;
    void (*lane_shift)(std::int64_t pixels, const float* x, const float* means, const float* factors, const float* shifts, float* y) = nullptr;
};

OCELLI_KERNEL_API_BEGIN
const normalize_kernels& get_normalize_kernels();
OCELLI_KERNEL_API_END

}  // namespace detail

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/kernels/impl/normalize.inl>
#endif
