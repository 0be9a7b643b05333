#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/features/detail/pixel_reader.hpp>
#include <ocelli/features/roi_align_rotated.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace ocelli::detail {

OCELLI_INLINE void check_rotated_map(const std::array<std::size_t, 4>& in, const roi_align_rotated_options& o) {
    check_pixel_map(in, "roi_align_rotated");
    check(o.output_height >= 1 && o.output_width >= 1 && o.output_height <= 4096 && o.output_width <= 4096,
          "roi_align_rotated: the output's sides must be in [1, 4096], got ", o.output_height, " and ", o.output_width);
    check(o.spatial_scale > 0 && is_finite(o.spatial_scale), "roi_align_rotated: the spatial scale must be positive, got ", o.spatial_scale);
    check(o.sampling_ratio <= 1024, "roi_align_rotated: the sampling ratio must be at most 1024, got ", o.sampling_ratio);
}

/// Samples of one axis of a RoI, in cells from its centre: sample i of bin b stands at start + b bin + (i + 1/2) bin / samples.
template <class T>
struct rotated_axis {
    T start, bin;
    std::int64_t samples, bins;

    rotated_axis(T side, std::int64_t n, std::int64_t ratio)
        : start(-side / 2), bin(side / static_cast<T>(n)), samples(ratio > 0 ? ratio : static_cast<std::int64_t>(std::ceil(bin))), bins(n) {}

    T at(std::int64_t i) const { return start + static_cast<T>(i / samples) * bin + (static_cast<T>(i % samples) + T(0.5)) * bin / static_cast<T>(samples); }

    /// Numbers of samples, over all bins, that may lie in [low, high]: a huge RoI has far more than ever meet the map.
    void range(double low, double high, std::int64_t& first, std::int64_t& end) const {
        const double step = static_cast<double>(bin) / static_cast<double>(samples), count = static_cast<double>(samples) * static_cast<double>(bins);
        first = 0;
        end = samples * bins;
        if (step <= 0) return;
        const double from = static_cast<double>(start);
        first = static_cast<std::int64_t>(std::clamp(std::floor((low - from) / step) - 2, 0.0, count));
        end = static_cast<std::int64_t>(std::clamp(std::ceil((high - from) / step) + 2, static_cast<double>(first), count));
    }
};

template <class T>
void roi_align_rotated_any(const std::array<std::size_t, 4>& in, std::size_t count, const roi_align_rotated_options& o, const T* maps, const T* rois, T* out) {
    const std::size_t channels = in[1], plane = in[2] * in[3], bins = static_cast<std::size_t>(o.output_height * o.output_width);
    constexpr std::size_t size = pixel_reader<T>::size;
    const auto scale = static_cast<T>(o.spatial_scale), height = static_cast<T>(in[2]), width = static_cast<T>(in[3]);
    parallel_for(count, 1, [&](std::size_t begin, std::size_t end) {
        pixel_reader<T> reader(in[2], in[3]);
        T points[2 * size], values[size];
        std::size_t bin_of[size];
        for (std::size_t k = begin; k < end; ++k) {
            const T* roi = rois + 6 * k;
            T* to = out + k * channels * bins;
            std::fill_n(to, channels * bins, T(0));
            bool usable = plane != 0;
            for (std::size_t i = 1; i < 6; ++i) usable = usable && is_finite(roi[i]);
            for (std::size_t i = 1; i < 5; ++i) usable = usable && std::abs(static_cast<double>(roi[i]) * o.spatial_scale) < double{1 << 30};
            if (!usable) continue;
            const T centre_x = roi[1] * scale - T(0.5), centre_y = roi[2] * scale - T(0.5);
            const T angle = static_cast<T>(static_cast<double>(roi[5]) * 3.14159265358979323846 / 180.0), c = std::cos(angle), s = std::sin(angle);
            const rotated_axis<T> rows(roi[4] * scale, o.output_height, o.sampling_ratio), columns(roi[3] * scale, o.output_width, o.sampling_ratio);
            if (rows.samples == 0 || columns.samples == 0) continue;
            const T share = T(1) / (static_cast<T>(rows.samples) * static_cast<T>(columns.samples));
            // The map's corners from the RoI's centre, along its own axes.
            double top = std::numeric_limits<double>::max(), bottom = -top, left = top, right = -top;
            for (const double y : {-1.0, static_cast<double>(in[2])})
                for (const double x : {-1.0, static_cast<double>(in[3])}) {
                    const double dy = y - static_cast<double>(centre_y), dx = x - static_cast<double>(centre_x);
                    const double down = dy * static_cast<double>(c) + dx * static_cast<double>(s), across = dx * static_cast<double>(c) - dy * static_cast<double>(s);
                    top = std::min(top, down);
                    bottom = std::max(bottom, down);
                    left = std::min(left, across);
                    right = std::max(right, across);
                }
            std::int64_t first_row = 0, end_row = 0, first_column = 0, end_column = 0;
            rows.range(top, bottom, first_row, end_row);
            columns.range(left, right, first_column, end_column);
            std::size_t n = 0;
            const auto flush = [&] {
                if (n == 0) return;
                reader.find(n, points);
                for (std::size_t channel = 0; channel < channels; ++channel) {
                    reader.read(maps + (static_cast<std::size_t>(roi[0]) * channels + channel) * plane, values);
                    T* sums = to + channel * bins;
                    for (std::size_t i = 0; i < n; ++i) sums[bin_of[i]] += values[i] * share;
                }
                n = 0;
            };
            for (std::int64_t i = first_row; i < end_row; ++i) {
                const T yy = rows.at(i);
                for (std::int64_t j = first_column; j < end_column; ++j) {
                    const T xx = columns.at(j), y = yy * c - xx * s + centre_y, x = yy * s + xx * c + centre_x;
                    if (!(y >= -1 && y <= height && x >= -1 && x <= width)) continue;
                    // Up to a cell outside, a sample reads the border.
                    points[2 * n] = std::clamp(x, T(0), width - 1);
                    points[2 * n + 1] = std::clamp(y, T(0), height - 1);
                    bin_of[n] = static_cast<std::size_t>(i / rows.samples * o.output_width + j / columns.samples);
                    if (++n == size) flush();
                }
            }
            flush();
        }
    });
}

OCELLI_INLINE void roi_align_rotated(const std::array<std::size_t, 4>& in, std::size_t count, const roi_align_rotated_options& options, const float* maps,
                                     const float* rois, float* out) {
    roi_align_rotated_any(in, count, options, maps, rois, out);
}
OCELLI_INLINE void roi_align_rotated(const std::array<std::size_t, 4>& in, std::size_t count, const roi_align_rotated_options& options, const double* maps,
                                     const double* rois, double* out) {
    roi_align_rotated_any(in, count, options, maps, rois, out);
}

}  // namespace ocelli::detail
