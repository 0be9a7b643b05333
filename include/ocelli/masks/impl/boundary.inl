#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/masks/boundary.hpp>
#include <ocelli/masks/distance.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace ocelli::detail {

OCELLI_INLINE std::size_t boundary_width(double ratio, std::size_t h, std::size_t w) {
    const auto height = static_cast<double>(h), width = static_cast<double>(w);
    const double exact = ratio * std::sqrt(height * height + width * width);
    double whole = std::floor(exact);
    const double rest = exact - whole;
    if (rest > 0.5 || (rest == 0.5 && std::fmod(whole, 2.0) == 1.0)) whole += 1;
    return whole < 1 ? 1 : static_cast<std::size_t>(whole);
}

OCELLI_INLINE void mask_boundary(const std::uint8_t* masks, std::size_t n, std::size_t h, std::size_t w, std::size_t width,
                                 std::uint8_t* out) {
    if (h == 0 || w == 0) return;
    // What `width` erosions leave are the centres of foreground squares of 2 width + 1 pixels: along rows first, then along columns.
    const std::size_t side = 2 * width + 1;
    parallel_for(n, 1, [&](std::size_t begin, std::size_t end) {
        std::vector<std::uint8_t> inner(w);
        std::vector<std::uint32_t> run(w);
        for (std::size_t i = begin; i < end; ++i) {
            const std::uint8_t* mask = masks + i * h * w;
            std::uint8_t* to = out + i * h * w;
            for (std::size_t p = 0; p < h * w; ++p) to[p] = mask[p] != 0 ? 1 : 0;
            if (side > h || side > w) continue;
            std::fill(run.begin(), run.end(), 0u);
            for (std::size_t y = 0; y < h; ++y) {
                const std::uint8_t* row = mask + y * w;
                std::fill(inner.begin(), inner.end(), std::uint8_t{0});
                for (std::size_t x = 0; x < w;) {
                    if (row[x] == 0) {
                        ++x;
                        continue;
                    }
                    std::size_t last = x + 1;
                    while (last < w && row[last] != 0) ++last;
                    if (last - x >= side) std::fill(inner.begin() + static_cast<std::ptrdiff_t>(x + width),
                                                    inner.begin() + static_cast<std::ptrdiff_t>(last - width), std::uint8_t{1});
                    x = last;
                }
                std::uint8_t* centres = y + 1 >= side ? to + (y - width) * w : nullptr;
                for (std::size_t x = 0; x < w; ++x) {
                    run[x] = inner[x] != 0 ? run[x] + 1 : 0;
                    if (centres != nullptr && run[x] >= side) centres[x] = 0;
                }
            }
        }
    });
}

OCELLI_INLINE void boundary_map(const std::uint8_t* mask, std::size_t h, std::size_t w, std::uint8_t* out) {
    if (h == 0 || w == 0) return;
    const auto at = [&](std::size_t y, std::size_t x) { return mask[y * w + x] != 0; };
    for (std::size_t y = 0; y < h; ++y)
        for (std::size_t x = 0; x < w; ++x) {
            const bool here = at(y, x), right = x + 1 < w, below = y + 1 < h;
            // A pixel differs from its neighbour to the right, below, or right below; the last row and column look along themselves alone.
            bool differs = right && here != at(y, x + 1);
            differs = differs || (below && here != at(y + 1, x));
            differs = differs || (right && below && here != at(y + 1, x + 1));
            out[y * w + x] = differs ? 1 : 0;
        }
}

OCELLI_INLINE boundary_score boundary_f(const std::uint8_t* prediction, const std::uint8_t* truth, std::size_t h, std::size_t w,
                                        double bound) {
    const auto height = static_cast<double>(h), width = static_cast<double>(w);
    const double pixels = bound >= 1 ? bound : std::ceil(bound * std::sqrt(height * height + width * width));
    const double reach = std::floor(pixels * pixels);
    const std::size_t n = h * w;
    std::vector<std::uint8_t> edges(2 * n), others(n);
    boundary_map(prediction, h, w, edges.data());
    boundary_map(truth, h, w, edges.data() + n);
    std::vector<std::int64_t> squares(n);
    std::size_t count[2] = {}, matched[2] = {};
    for (std::size_t k = 0; k < 2; ++k)
        for (std::size_t p = 0; p < n; ++p) count[k] += edges[k * n + p];
    boundary_score out;
    if (count[0] == 0 || count[1] == 0) {
        out.precision = count[0] == 0 ? 1 : 0;
        out.recall = count[1] == 0 ? 1 : 0;
    } else {
        for (std::size_t k = 0; k < 2; ++k) {
            const std::uint8_t *mine = edges.data() + k * n, *other = edges.data() + (1 - k) * n;
            for (std::size_t p = 0; p < n; ++p) others[p] = other[p] != 0 ? 0 : 1;
            squared_distances(others.data(), h, w, squares.data());
            for (std::size_t p = 0; p < n; ++p) matched[k] += mine[p] != 0 && static_cast<double>(squares[p]) <= reach ? 1 : 0;
        }
        out.precision = static_cast<double>(matched[0]) / static_cast<double>(count[0]);
        out.recall = static_cast<double>(matched[1]) / static_cast<double>(count[1]);
    }
    const double sum = out.precision + out.recall;
    out.f = sum == 0 ? 0 : 2 * out.precision * out.recall / sum;
    return out;
}

}  // namespace ocelli::detail
