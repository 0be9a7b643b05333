#pragma once

// Masks that every peer's program can make alike: in each picture the union of two ellipses, in whole numbers.

#include "support/inputs.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ocelli_benchmark {

inline std::vector<std::uint8_t> masks(std::size_t n, std::int64_t h, std::int64_t w, std::uint64_t seed) {
    std::vector<std::uint8_t> out(n * static_cast<std::size_t>(h * w), 0);
    const auto whole = [&](std::uint64_t draw_index, std::int64_t low, std::int64_t high) {
        return low + (static_cast<std::int64_t>(draw(seed, draw_index) * 16777216.0f) * (high - low) >> 24);
    };
    for (std::size_t i = 0; i < n; ++i)
        for (std::uint64_t part = 0; part < 2; ++part) {
            const std::uint64_t d = 8 * i + 4 * part;
            const std::int64_t cx = part == 0 ? whole(d, 0, w) : whole(d - 4, 0, w) + whole(d, -60, 60);
            const std::int64_t cy = part == 0 ? whole(d + 1, 0, h) : whole(d - 3, 0, h) + whole(d + 1, -60, 60);
            const std::int64_t rx = whole(d + 2, 20, 120), ry = whole(d + 3, 20, 120);
            for (std::int64_t y = 0; y < h; ++y)
                for (std::int64_t x = 0; x < w; ++x) {
                    const std::int64_t a = (x - cx) * ry, b = (y - cy) * rx, c = rx * ry;
                    if (a * a + b * b < c * c) out[i * static_cast<std::size_t>(h * w) + static_cast<std::size_t>(y * w + x)] = 1;
                }
        }
    return out;
}

}  // namespace ocelli_benchmark
