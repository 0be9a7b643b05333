#pragma once

#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/features/detail/cubic.hpp>
#include <ocelli/features/detail/resample.hpp>
#include <ocelli/features/grid_sample.hpp>

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

namespace ocelli::detail {

/// Taps of one axis at one place: at most four elements with weights; -1: reads 0.
template <class T>
struct place_taps {
    std::int64_t at[4];
    T weight[4];
    int count = 0;
};

/// A coordinate mirrored into [low, high], as often as needed.
template <class T>
T mirrored(T x, T low, T high) noexcept {
    const T range = high - low;
    if (range <= 0) return low;
    const T from = std::fmod(std::abs(x - low), 2 * range);
    return from > range ? high - (from - range) : low + from;
}

template <class T>
place_taps<T> taps_of_place(const grid_sample_options& o, T place, std::int64_t extent) noexcept {
    place_taps<T> t;
    const T last = static_cast<T>(extent - 1);
    const T low = o.align_corners ? T(0) : T(-0.5), high = o.align_corners ? last : last + T(0.5);
    T x = o.align_corners ? (place + 1) * (last / 2) : (place + 1) * (static_cast<T>(extent) / 2) - T(0.5);
    if (!is_finite(x) || std::abs(x) > T(1e15)) {  // too far away for an index
        if (o.padding == sample_padding::zeros) return t;
        t.at[0] = !is_nan(x) && x > 0 && o.padding == sample_padding::border ? extent - 1 : 0;
        t.weight[0] = 1;
        t.count = 1;
        return t;
    }
    const auto padded = [&](T v) {
        if (o.padding == sample_padding::reflection) v = mirrored(v, low, high);
        return o.padding == sample_padding::zeros ? v : std::clamp(v, T(0), last);
    };
    const auto inside = [&](std::int64_t i) { return i >= 0 && i < extent ? i : std::int64_t{-1}; };
    if (o.mode == sample_mode::bicubic) {
        const T floor = std::floor(x), d = x - floor, a = T(-0.75);
        const T weights[] = {cubic_far(d + 1, a), cubic_near(d, a), cubic_near(1 - d, a), cubic_far(2 - d, a)};
        for (int k = 0; k < 4; ++k) {
            t.at[k] = inside(static_cast<std::int64_t>(padded(floor + static_cast<T>(k - 1))));
            t.weight[k] = weights[k];
        }
        t.count = 4;
        return t;
    }
    x = padded(x);
    if (o.mode == sample_mode::nearest) {
        t.at[0] = inside(static_cast<std::int64_t>(std::nearbyint(x)));
        t.weight[0] = 1;
        t.count = 1;
        return t;
    }
    const T floor = std::floor(x), d = x - floor;
    const auto first = static_cast<std::int64_t>(floor);
    t.at[0] = inside(first);
    t.at[1] = inside(first + 1);
    t.weight[0] = 1 - d;
    t.weight[1] = d;
    t.count = 2;
    return t;
}

template <class T>
void grid_sample_any(const std::array<std::size_t, 4>& in, std::size_t rows, std::size_t columns, const grid_sample_options& options, const T* x,
                     const T* grid, T* out) {
    const std::size_t points = rows * columns, plane = in[2] * in[3], channels = in[1];
    if (in[0] * points * channels == 0) return;
    if constexpr (std::is_same_v<T, float>) {
        const grid_sampling s{static_cast<std::int64_t>(in[0]), static_cast<std::int64_t>(in[1]),      static_cast<std::int64_t>(in[2]),
                              static_cast<std::int64_t>(in[3]), static_cast<std::int64_t>(points), options.align_corners,
                              options.padding == sample_padding::border};
        if (options.mode == sample_mode::bilinear && options.padding != sample_padding::reflection && grid_sample_takes(s))
            return grid_sample_bilinear(s, x, grid, out);
    }
    constexpr std::size_t some = 64;  // points whose taps are found before their channels are read
    const std::size_t parts = (points + some - 1) / some;
    parallel_for(in[0] * parts, 1 + 1024 / (some * channels), [&](std::size_t begin, std::size_t end) {
        struct tap {
            std::size_t at;
            T weight;
        };
        std::vector<tap> taps;
        for (std::size_t i = begin; i < end; ++i) {
            const std::size_t image = i / parts, first = i % parts * some, n = std::min(some, points - first);
            std::size_t ends[some];
            taps.clear();
            for (std::size_t p = 0; p < n; ++p) {
                const T* place = grid + 2 * (image * points + first + p);
                const auto across = taps_of_place(options, place[0], static_cast<std::int64_t>(in[3]));
                const auto down = taps_of_place(options, place[1], static_cast<std::int64_t>(in[2]));
                for (int a = 0; a < down.count; ++a)
                    for (int b = 0; b < across.count; ++b)
                        if (down.at[a] >= 0 && across.at[b] >= 0)
                            taps.push_back({static_cast<std::size_t>(down.at[a]) * in[3] + static_cast<std::size_t>(across.at[b]), down.weight[a] * across.weight[b]});
                ends[p] = taps.size();
            }
            for (std::size_t c = 0; c < channels; ++c) {
                const T* from = x + (image * channels + c) * plane;
                T* to = out + (image * channels + c) * points + first;
                std::size_t k = 0;
                for (std::size_t p = 0; p < n; ++p) {
                    T sum = 0;
                    for (; k < ends[p]; ++k) sum += taps[k].weight * from[taps[k].at];
                    to[p] = sum;
                }
            }
        }
    });
}

OCELLI_INLINE void grid_sample(const std::array<std::size_t, 4>& in, std::size_t rows, std::size_t columns, const grid_sample_options& options,
                               const float* x, const float* grid, float* out) {
    grid_sample_any(in, rows, columns, options, x, grid, out);
}
OCELLI_INLINE void grid_sample(const std::array<std::size_t, 4>& in, std::size_t rows, std::size_t columns, const grid_sample_options& options,
                               const double* x, const double* grid, double* out) {
    grid_sample_any(in, rows, columns, options, x, grid, out);
}

}  // namespace ocelli::detail
