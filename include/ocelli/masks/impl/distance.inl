#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/masks/distance.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace ocelli::detail {

OCELLI_INLINE void squared_distances(const std::uint8_t* mask, std::size_t h, std::size_t w, std::int64_t* out) {
    if (h == 0 || w == 0) return;
    // Distances within columns first; `far` stands for columns without background.
    constexpr std::int64_t far = std::int64_t{1} << 31;
    for (std::size_t x = 0; x < w; ++x) out[x] = mask[x] != 0 ? far : 0;
    for (std::size_t y = 1; y < h; ++y)
        for (std::size_t x = 0; x < w; ++x) out[y * w + x] = mask[y * w + x] != 0 ? std::min(out[(y - 1) * w + x] + 1, far) : 0;
    for (std::size_t y = h - 1; y-- > 0;)
        for (std::size_t x = 0; x < w; ++x) out[y * w + x] = std::min(out[y * w + x], out[(y + 1) * w + x] + 1);
    parallel_for(h, 1 + 8192 / w, [&](std::size_t begin, std::size_t end) {
        struct parabola {
            std::int64_t x, height, from;  // lowest for the columns from `from` on
        };
        std::vector<parabola> lowest(w);
        for (std::size_t y = begin; y < end; ++y) {
            std::int64_t* row = out + y * w;
            std::size_t n = 0;
            for (std::size_t i = 0; i < w; ++i) {
                if (row[i] >= far) continue;
                const auto x = static_cast<std::int64_t>(i);
                const std::int64_t height = row[i] * row[i];
                std::int64_t from = 0;
                while (n > 0) {
                    // The first column in which the new parabola is lower: floor of the crossing, plus one.
                    const auto& p = lowest[n - 1];
                    const std::int64_t above = (x * x + height) - (p.x * p.x + p.height), twice = 2 * (x - p.x);
                    from = (above >= 0 ? above / twice : -((twice - 1 - above) / twice)) + 1;
                    if (from > p.from) break;
                    from = 0;
                    --n;
                }
                if (from < static_cast<std::int64_t>(w)) lowest[n++] = {x, height, std::max<std::int64_t>(from, 0)};
            }
            if (n == 0) {
                std::fill_n(row, w, std::int64_t{-1});
                continue;
            }
            std::size_t k = 0;
            for (std::size_t i = 0; i < w; ++i) {
                const auto x = static_cast<std::int64_t>(i);
                while (k + 1 < n && lowest[k + 1].from <= x) ++k;
                row[i] = (x - lowest[k].x) * (x - lowest[k].x) + lowest[k].height;
            }
        }
    });
}

OCELLI_INLINE void distance_transform(const std::uint8_t* mask, std::size_t h, std::size_t w, pixel_metric metric, double* out) {
    if (h == 0 || w == 0) return;
    const double infinity = std::numeric_limits<double>::infinity();
    if (metric == pixel_metric::euclidean) {
        static_assert(sizeof(std::int64_t) == sizeof(double));
        std::vector<std::int64_t> squares(h * w);
        squared_distances(mask, h, w, squares.data());
        for (std::size_t p = 0; p < h * w; ++p) out[p] = squares[p] < 0 ? infinity : std::sqrt(static_cast<double>(squares[p]));
        return;
    }
    const bool corners = metric == pixel_metric::chessboard;
    bool background = false;
    constexpr double far = 1e300;
    for (std::size_t y = 0; y < h; ++y)
        for (std::size_t x = 0; x < w; ++x) {
            double d = far;
            if (mask[y * w + x] == 0) {
                d = 0;
                background = true;
            } else {
                if (x > 0) d = std::min(d, out[y * w + x - 1]);
                if (y > 0) d = std::min(d, out[(y - 1) * w + x]);
                if (corners && y > 0 && x > 0) d = std::min(d, out[(y - 1) * w + x - 1]);
                if (corners && y > 0 && x + 1 < w) d = std::min(d, out[(y - 1) * w + x + 1]);
                d += 1;
            }
            out[y * w + x] = d;
        }
    for (std::size_t y = h; y-- > 0;)
        for (std::size_t x = w; x-- > 0;) {
            double d = out[y * w + x] - 1;
            if (x + 1 < w) d = std::min(d, out[y * w + x + 1]);
            if (y + 1 < h) d = std::min(d, out[(y + 1) * w + x]);
            if (corners && y + 1 < h && x > 0) d = std::min(d, out[(y + 1) * w + x - 1]);
            if (corners && y + 1 < h && x + 1 < w) d = std::min(d, out[(y + 1) * w + x + 1]);
            out[y * w + x] = std::min(out[y * w + x], d + 1);
        }
    if (!background) std::fill_n(out, h * w, infinity);
}

}  // namespace ocelli::detail
