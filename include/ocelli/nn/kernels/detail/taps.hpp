#pragma once

/// @file
/// The taps of a window that see more than padding.

#include <ocelli/nn/kernels/conv.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace ocelli::nn::detail {

/// The first tap of an axis that lies inside the image, and the one behind the last.
inline std::pair<std::int64_t, std::int64_t> taps_inside(std::int64_t at, std::int64_t dilation, std::int64_t taps, std::int64_t extent) {
    const std::int64_t first = at >= 0 ? 0 : std::min(taps, (-at + dilation - 1) / dilation);
    const std::int64_t end = at >= extent ? 0 : std::min(taps, (extent - 1 - at) / dilation + 1);
    return {std::min(first, end), end};
}

/// Results [first, end) of an axis that have the same taps inside.
struct tap_run {
    std::int64_t first, end, tap0, tap1;
};

/// How windows lie along an axis.
struct window_axis {
    std::int64_t results, stride, pad, dilation, taps, extent;
};

/// The runs of an axis, in order: at most two for each tap, and one.
inline void find_tap_runs(const window_axis& w, std::vector<tap_run>& runs) {
    runs.clear();
    const auto result_at = [&](std::int64_t place) { return (place + w.pad + w.stride - 1) / w.stride; };  // the first one at or behind
    for (std::int64_t x = 0; x < w.results;) {
        const std::int64_t at = x * w.stride - w.pad;
        const auto [tap0, tap1] = taps_inside(at, w.dilation, w.taps, w.extent);
        // Further on, taps before the image come in, and those inside go out at its end, the last ones first.
        const std::int64_t before = at >= 0 ? 0 : std::min(w.taps, (-at + w.dilation - 1) / w.dilation);
        std::int64_t end = w.results;
        if (before > 0) end = std::min(end, result_at(-(before - 1) * w.dilation));
        if (tap1 > 0) end = std::min(end, result_at(w.extent - (tap1 - 1) * w.dilation));
        runs.push_back({x, end, tap0, tap1});
        x = end;
    }
}

/// All columns in one run with all taps; or, where that spares a tenth of the products in tiles of `tile_pixels`, columns with the same taps inside
/// together: taps far apart have wide padding.
inline void find_column_runs(const conv_layer& l, std::int64_t tile_pixels, std::vector<tap_run>& runs) {
    find_tap_runs({l.out_width, l.stride_x, l.pad_left, l.dilation_x, l.kernel_width, l.width}, runs);
    double products = 0;
    for (const tap_run& r : runs) {
        const std::int64_t tiles = (r.end - r.first + tile_pixels - 1) / tile_pixels;
        products += static_cast<double>(std::max(r.end - r.first, 4 * tiles)) * static_cast<double>(r.tap1 - r.tap0);  // a tile of few pixels takes as long as one of four
    }
    if (products > 0.9 * static_cast<double>(l.out_width) * static_cast<double>(l.kernel_width)) runs.assign(1, {0, l.out_width, 0, l.kernel_width});
}

/// How many taps of all results of an axis are inside.
inline double count_taps(const std::vector<tap_run>& runs) {
    double sum = 0;
    for (const tap_run& r : runs) sum += static_cast<double>(r.end - r.first) * static_cast<double>(r.tap1 - r.tap0);
    return sum;
}

}  // namespace ocelli::nn::detail
