#pragma once

/// @file
/// Two separable passes over rows of pixels: along the rows first, then down the columns, as all three references do.

#include <ocelli/core/parallel.hpp>
#include <ocelli/image/detail/resize_axes.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace ocelli::detail {

/// Rounds half to even and clamps to [0, 255], by the bits of a float whose unit is 1: no call, and proof against -ffast-math.
inline std::uint8_t round_to_byte(float v) noexcept {
    v = v > 0.0f ? v : 0.0f;
    v = v < 255.0f ? v : 255.0f;
    return static_cast<std::uint8_t>(std::bit_cast<std::int32_t>(v + 12582912.0f) - 0x4b400000);
}
inline std::uint8_t clamp_to_byte(std::int32_t v) noexcept {
    return static_cast<std::uint8_t>(v < 0 ? 0 : v > 255 ? 255 : v);
}

// A policy is the arithmetic of one reference: how weights are quantised along an axis (`shift` bits where that is fixed), what
// stands between the passes, and how sums are rounded.

/// float and double: plain sums.
template <class T>
struct resample_floating {
    using in = T;
    using weight = T;
    using middle = T;
    T scale = 1;

    static int shift(const axis_taps&) noexcept { return 0; }
    static weight quantise(double w, int) noexcept { return static_cast<T>(w); }
    static T zero(int) noexcept { return 0; }
    static middle across(T sum, int) noexcept { return sum; }
    static T down(middle v, weight w) noexcept { return v * w; }
    T finish(T sum, int) const noexcept { return sum * scale; }
};

/// Bytes through float, rounded once at the end.
struct resample_bytes {
    using in = std::uint8_t;
    using weight = float;
    using middle = float;
    float scale = 1;

    static int shift(const axis_taps&) noexcept { return 0; }
    static weight quantise(double w, int) noexcept { return static_cast<float>(w); }
    static float zero(int) noexcept { return 0; }
    static middle across(float sum, int) noexcept { return sum; }
    static float down(middle v, weight w) noexcept { return v * w; }
    std::uint8_t finish(float sum, int) const noexcept { return round_to_byte(sum * scale); }
};

/// OpenCV on bytes: 11-bit weights. The linear second pass shifts each product separately, the cubic one their sum.
template <bool Cubic>
struct resample_opencv {
    using in = std::uint8_t;
    using weight = std::int32_t;
    using middle = std::int32_t;

    static int shift(const axis_taps&) noexcept { return 11; }
    static weight quantise(double w, int) noexcept {
        return static_cast<std::int32_t>(std::nearbyint(static_cast<float>(w) * 2048.0f));
    }
    static std::int32_t zero(int) noexcept { return 0; }
    static middle across(std::int32_t sum, int) noexcept { return sum; }
    static std::int32_t down(middle v, weight w) noexcept {
        if constexpr (Cubic) return v * w;
        return ((v >> 4) * w) >> 16;
    }
    std::uint8_t finish(std::int32_t sum, int) const noexcept {
        return clamp_to_byte(Cubic ? (sum + (1 << 21)) >> 22 : (sum + 2) >> 2);
    }
};

/// Pillow and PyTorch on bytes: fixed point, bytes again between the passes. Pillow's weights have 22 bits behind the point;
/// PyTorch's as many as leave the largest of the axis below 2^15.
template <bool Torch>
struct resample_fixed {
    using in = std::uint8_t;
    using weight = std::int32_t;
    using middle = std::uint8_t;

    static int shift(const axis_taps& axis) noexcept {
        if (!Torch) return 22;
        double largest = 0;
        for (const double w : axis.weight) largest = largest < w ? w : largest;
        int bits = 0;
        while (bits < 22 && static_cast<int>(0.5 + largest * static_cast<double>(1 << (bits + 1))) < (1 << 15)) ++bits;
        return bits;
    }
    static weight quantise(double w, int bits) noexcept {
        return static_cast<std::int32_t>((w < 0 ? -0.5 : 0.5) + w * static_cast<double>(1 << bits));
    }
    static std::int32_t zero(int bits) noexcept { return 1 << (bits - 1); }
    static middle across(std::int32_t sum, int bits) noexcept { return clamp_to_byte(sum >> bits); }
    static std::int32_t down(middle v, weight w) noexcept { return v * w; }
    std::uint8_t finish(std::int32_t sum, int bits) const noexcept { return clamp_to_byte(sum >> bits); }
};

template <class Policy>
struct quantised_axis {
    using weight_type = typename Policy::weight;

    const std::int32_t* first;
    const std::int32_t* count;
    std::unique_ptr<weight_type[]> weight;
    std::size_t stride;
    std::size_t widest = 1;
    int shift;

    explicit quantised_axis(const axis_taps& taps)
        : first(taps.first.data()), count(taps.count.data()), weight(new weight_type[taps.weight.size()]), stride(taps.stride),
          shift(Policy::shift(taps)) {
        for (std::size_t i = 0; i < taps.weight.size(); ++i) weight[i] = Policy::quantise(taps.weight[i], shift);
        for (const std::int32_t n : taps.count)
            widest = widest < static_cast<std::size_t>(n) ? static_cast<std::size_t>(n) : widest;
    }
};

/// One row along x; the number of channels known at compile time, or 0.
template <std::size_t C, class Policy>
void resample_row(const typename Policy::in* row, typename Policy::middle* out, std::size_t width, std::size_t channels,
                  const quantised_axis<Policy>& axis) noexcept {
    using weight = typename Policy::weight;
    const std::size_t step = C == 0 ? channels : C;
    const weight zero = Policy::zero(axis.shift);
    for (std::size_t x = 0; x < width; ++x) {
        const weight* w = axis.weight.get() + x * axis.stride;
        const auto* p = row + static_cast<std::size_t>(axis.first[x]) * step;
        const auto n = static_cast<std::size_t>(axis.count[x]);
        if constexpr (C != 0) {
            weight sum[C];
            for (std::size_t c = 0; c < C; ++c) sum[c] = zero;
            for (std::size_t k = 0; k < n; ++k, p += C)
                for (std::size_t c = 0; c < C; ++c) sum[c] += static_cast<weight>(p[c]) * w[k];
            for (std::size_t c = 0; c < C; ++c) out[x * C + c] = Policy::across(sum[c], axis.shift);
        } else {
            for (std::size_t c = 0; c < channels; ++c) {
                weight sum = zero;
                for (std::size_t k = 0; k < n; ++k) sum += static_cast<weight>(p[k * channels + c]) * w[k];
                out[x * channels + c] = Policy::across(sum, axis.shift);
            }
        }
    }
}

template <class Policy, class Out>
void resample(const resize_job<typename Policy::in, Out>& job, const axis_taps& rows, const axis_taps& columns,
              const Policy& policy) {
    using weight = typename Policy::weight;
    using middle = typename Policy::middle;
    const quantised_axis<Policy> down(rows);
    const quantised_axis<Policy> across(columns);
    const int shift = down.shift;
    const weight zero = Policy::zero(shift);
    const std::size_t line = job.to_width * job.channels;
    auto* row_kernel = resample_row<0, Policy>;
    if (job.channels == 1) row_kernel = resample_row<1, Policy>;
    if (job.channels == 3) row_kernel = resample_row<3, Policy>;
    if (job.channels == 4) row_kernel = resample_row<4, Policy>;
    const std::size_t grain = 1 + 32768 / (line * (1 + across.widest));
    parallel_for(job.to_height, grain < 8 ? 8 : grain, [&](std::size_t begin, std::size_t end) {
        // Input row r, resampled along x, stands in slot r % slots until it is no longer needed.
        const std::size_t slots = down.widest;
        const std::unique_ptr<middle[]> ring(new middle[slots * line]);
        const std::unique_ptr<weight[]> sums(new weight[line]);
        std::size_t ready = static_cast<std::size_t>(down.first[begin]);
        for (std::size_t y = begin; y < end; ++y) {
            const auto first = static_cast<std::size_t>(down.first[y]);
            const auto n = static_cast<std::size_t>(down.count[y]);
            if (ready < first) ready = first;
            for (; ready < first + n; ++ready)
                row_kernel(job.in + ready * job.width * job.channels, ring.get() + ready % slots * line, job.to_width,
                           job.channels, across);
            const weight* w = down.weight.get() + y * down.stride;
            Out* out = job.out + y * line;
            if (n == 1) {
                const middle* a = ring.get() + first % slots * line;
                for (std::size_t i = 0; i < line; ++i) out[i] = policy.finish(zero + Policy::down(a[i], w[0]), shift);
            } else if (n == 2) {
                const middle* a = ring.get() + first % slots * line;
                const middle* b = ring.get() + (first + 1) % slots * line;
                for (std::size_t i = 0; i < line; ++i)
                    out[i] = policy.finish(zero + Policy::down(a[i], w[0]) + Policy::down(b[i], w[1]), shift);
            } else {
                for (std::size_t i = 0; i < line; ++i) sums[i] = zero;
                for (std::size_t k = 0; k < n; ++k) {
                    const middle* a = ring.get() + (first + k) % slots * line;
                    const weight wk = w[k];
                    for (std::size_t i = 0; i < line; ++i) sums[i] += Policy::down(a[i], wk);
                }
                for (std::size_t i = 0; i < line; ++i) out[i] = policy.finish(sums[i], shift);
            }
        }
    });
}

template <class T>
void resample_nearest(const resize_job<T, T>& job, const std::vector<std::int32_t>& rows,
                      const std::vector<std::int32_t>& columns) {
    const std::size_t pixel = job.channels;
    const std::size_t line = job.to_width * pixel;
    parallel_for(job.to_height, 1 + 65536 / line, [&](std::size_t begin, std::size_t end) {
        for (std::size_t y = begin; y < end; ++y) {
            T* out = job.out + y * line;
            if (y > begin && rows[y] == rows[y - 1]) {
                std::memcpy(out, out - line, line * sizeof(T));
                continue;
            }
            const T* row = job.in + static_cast<std::size_t>(rows[y]) * job.width * pixel;
            for (std::size_t x = 0; x < job.to_width; ++x) {
                const T* p = row + static_cast<std::size_t>(columns[x]) * pixel;
                for (std::size_t c = 0; c < pixel; ++c) out[x * pixel + c] = p[c];
            }
        }
    });
}

} // namespace ocelli::detail
