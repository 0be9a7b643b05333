#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>
#include <ocelli/nn/kernels/normalize.hpp>

#include <algorithm>
#include <cmath>

#define OCELLI_KERNEL_FILE <ocelli/nn/kernels/detail/normalize.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>

namespace ocelli::nn {

namespace detail {

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const normalize_kernels& get_normalize_kernels() {
    static const normalize_kernels chosen = OCELLI_CHOOSE(make_normalize_kernels);
    return chosen;
}
OCELLI_KERNEL_API_END

/// Calls f(i) for i < n, each of which reads `elements` elements.
template <class F>
void for_each_row(std::int64_t n, std::int64_t elements, F&& f) {
    const std::int64_t grain = std::max<std::int64_t>(1, (std::int64_t{1} << 14) / std::max<std::int64_t>(1, elements));
    parallel_for(static_cast<std::size_t>(std::max<std::int64_t>(0, n)), static_cast<std::size_t>(grain), [&](std::size_t begin, std::size_t end) {
        for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) f(i);
    });
}

/// NaN stays.
inline double inverse_deviation(double variance, double epsilon) {
    return 1.0 / std::sqrt((variance < 0 ? 0.0 : variance) + epsilon);
}

struct row_moments {
    double mean, inverse;  ///< inverse: of the deviation
};
inline row_moments moments_of_row(const normalize_kernels& t, std::int64_t n, const float* x, double epsilon) {
    const double count = static_cast<double>(n), mean = t.sum(n, x) / count;
    // The distance from the rounded mean, put right by the rest.
    const float near = static_cast<float>(mean);
    const double rest = mean - static_cast<double>(near);
    const double variance = t.squares(n, x, near) / count - rest * rest;
    return {mean, inverse_deviation(variance, epsilon)};
}

}  // namespace detail

OCELLI_INLINE void layer_normalize(std::int64_t rows, std::int64_t n, double epsilon, const float* scale, const float* bias, const float* x, float* y, float* means,
                                   float* inverses) {
    const detail::normalize_kernels& t = detail::get_normalize_kernels();
    detail::for_each_row(rows, n, [&](std::int64_t i) {
        const detail::row_moments m = detail::moments_of_row(t, n, x + i * n, epsilon);
        t.normalize(n, x + i * n, static_cast<float>(m.mean), static_cast<float>(m.inverse), scale, bias, y + i * n);
        if (means != nullptr) means[i] = static_cast<float>(m.mean);
        if (inverses != nullptr) inverses[i] = static_cast<float>(m.inverse);
    });
}

OCELLI_INLINE void instance_normalize(std::int64_t batch, std::int64_t channels, std::int64_t group_channels, std::int64_t pixels, double epsilon, const float* scale,
                                      const float* bias, const float* x, float* y) {
    const detail::normalize_kernels& t = detail::get_normalize_kernels();
    const std::int64_t groups = channels / group_channels, n = group_channels * pixels;
    detail::for_each_row(batch * groups, n, [&](std::int64_t i) {
        const detail::row_moments m = detail::moments_of_row(t, n, x + i * n, epsilon);
        for (std::int64_t k = 0; k < group_channels; ++k) {
            const std::int64_t channel = i % groups * group_channels + k, at = i * n + k * pixels;
            t.shift(pixels, x + at, static_cast<float>(m.mean), static_cast<float>(m.inverse * static_cast<double>(scale[channel])), bias[channel], y + at);
        }
    });
}

OCELLI_INLINE void blocked_instance_normalize(std::int64_t batch, std::int64_t blocks, std::int64_t pixels, double epsilon, const float* scale, const float* bias,
                                              const float* x, float* y) {
    const detail::normalize_kernels& t = detail::get_normalize_kernels();
    detail::for_each_row(batch * blocks, pixels * t.lanes, [&](std::int64_t i) {
        constexpr int most = 64;
        double sums[most], squares[most];
        float means[most], factors[most];
        const float* from = x + i * pixels * t.lanes;
        const std::int64_t channel = i % blocks * t.lanes;
        const double count = static_cast<double>(pixels);
        t.lane_sums(pixels, from, sums);
        for (int k = 0; k < t.lanes; ++k) means[k] = static_cast<float>(sums[k] / count);
        t.lane_squares(pixels, from, means, squares);
        for (int k = 0; k < t.lanes; ++k) {
            const double rest = sums[k] / count - static_cast<double>(means[k]);
            if (scale[channel + k] == 0.0f) factors[k] = 0.0f;  // unused lanes too, whatever epsilon
            else factors[k] = static_cast<float>(static_cast<double>(scale[channel + k]) * detail::inverse_deviation(squares[k] / count - rest * rest, epsilon));
        }
        t.lane_shift(pixels, from, means, factors, bias + channel, y + i * pixels * t.lanes);
    });
}

OCELLI_INLINE void scale_channels(std::int64_t batch, std::int64_t channels, std::int64_t pixels, const float* scale, const float* shift, const float* x, float* y) {
    const detail::normalize_kernels& t = detail::get_normalize_kernels();
    detail::for_each_row(batch * channels, pixels, [&](std::int64_t i) {
        const std::int64_t channel = i % channels;
        t.shift(pixels, x + i * pixels, 0.0f, scale[channel], shift[channel], y + i * pixels);
    });
}

OCELLI_INLINE void blocked_scale_channels(std::int64_t batch, std::int64_t blocks, std::int64_t pixels, const float* scale, const float* shift, const float* x,
                                          float* y) {
    const detail::normalize_kernels& t = detail::get_normalize_kernels();
    const float zeros[64] = {};
    detail::for_each_row(batch * blocks, pixels * t.lanes, [&](std::int64_t i) {
        const std::int64_t channel = i % blocks * t.lanes;
        t.lane_shift(pixels, x + i * pixels * t.lanes, zeros, scale + channel, shift + channel, y + i * pixels * t.lanes);
    });
}

OCELLI_INLINE void sum_rows(std::int64_t rows, std::int64_t n, double factor, const float* x, float* y) {
    const detail::normalize_kernels& t = detail::get_normalize_kernels();
    detail::for_each_row(rows, n, [&](std::int64_t i) { y[i] = static_cast<float>(t.sum(n, x + i * n) * factor); });
}

OCELLI_INLINE void sum_squares_of_rows(bool root, std::int64_t rows, std::int64_t n, const float* x, float* y) {
    const detail::normalize_kernels& t = detail::get_normalize_kernels();
    detail::for_each_row(rows, n, [&](std::int64_t i) {
        const double sum = t.squares(n, x + i * n, 0.0f);
        y[i] = static_cast<float>(root ? std::sqrt(sum) : sum);
    });
}

OCELLI_INLINE void fold_middle(binary_function f, bool squares, std::int64_t outer, std::int64_t n, std::int64_t inner, float factor, const float* x, float* y) {
    constexpr std::int64_t strip = 1024, part = 64;  // a strip stays in the first cache; long sums are made in parts
    const auto& t = detail::get_elementwise_kernels();
    const auto fold = t.binary[static_cast<int>(f)][0], multiply = t.binary[static_cast<int>(binary_function::multiply)][0];
    const std::int64_t strips = (inner + strip - 1) / strip;
    detail::for_each_row(outer * strips, std::min(strip, inner) * n, [&](std::int64_t i) {
        const std::int64_t from = i % strips * strip, count = std::min(strip, inner - from);
        const float* const in = x + i / strips * n * inner + from;
        float* const out = y + i / strips * inner + from;
        float sums[strip], squared[strip];
        const auto row = [&](std::int64_t j) {
            const float* const at = in + j * inner;
            if (!squares) return at;
            multiply({1, count, at, at, squared, 0, 0, 0});
            return static_cast<const float*>(squared);
        };
        for (std::int64_t k = 0; k < n; k += part) {
            float* const to = k == 0 ? out : sums;
            std::copy_n(row(k), count, to);
            for (std::int64_t j = k + 1; j < std::min(n, k + part); ++j) fold({1, count, to, row(j), to, 0, 0, 0});
            if (k != 0) fold({1, count, out, sums, out, 0, 0, 0});
        }
        if (factor != 1.0f) t.binary[static_cast<int>(binary_function::multiply)][2]({1, count, out, &factor, out, 0, 0, 0});
    });
}

OCELLI_INLINE void extreme_of_rows(bool largest, std::int64_t rows, std::int64_t n, const float* x, float* y) {
    const auto extreme = detail::get_normalize_kernels().extreme[largest ? 1 : 0];
    detail::for_each_row(rows, n, [&](std::int64_t i) { y[i] = extreme(n, x + i * n); });
}

}  // namespace ocelli::nn
