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

/// Columns [first, end) of a row of results that have the same taps inside.
struct column_run {
    std::int64_t first, end, tap0, tap1;
};

/// All columns in one run with all taps; or, where that spares a tenth of the products in tiles of `tile_pixels`, columns with the same taps inside
/// together: taps far apart have wide padding.
inline void find_column_runs(const conv_layer& l, std::int64_t tile_pixels, std::vector<column_run>& runs) {
    runs.clear();
    for (std::int64_t x = 0; x < l.out_width; ++x) {
        const auto [tap0, tap1] = taps_inside(x * l.stride_x - l.pad_left, l.dilation_x, l.kernel_width, l.width);
        if (runs.empty() || runs.back().tap0 != tap0 || runs.back().tap1 != tap1) runs.push_back({x, x, tap0, tap1});
        ++runs.back().end;
    }
    std::int64_t products = 0;
    for (const column_run& r : runs) {
        const std::int64_t tiles = (r.end - r.first + tile_pixels - 1) / tile_pixels;
        products += std::max(r.end - r.first, 4 * tiles) * (r.tap1 - r.tap0);  // a tile of few pixels takes as long as one of four
    }
    if (10 * products > 9 * l.out_width * l.kernel_width) runs.assign(1, {0, l.out_width, 0, l.kernel_width});
}

}  // namespace ocelli::nn::detail
