#pragma once

#include <ocelli/core/float_bits.hpp>
#include <ocelli/masks/contours.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace ocelli {
namespace detail {

OCELLI_INLINE std::vector<contour> find_contours(const std::uint8_t* mask, std::size_t h, std::size_t w, contour_points kept) {
    std::vector<contour> out;
    if (h == 0 || w == 0) return out;
    // The paper's picture: 0, 1, or the number of a border that has passed, negative where background lies to the right.
    const auto stride = static_cast<std::ptrdiff_t>(w + 2);
    std::vector<std::int32_t> picture((h + 2) * (w + 2), 0);
    for (std::size_t y = 0; y < h; ++y)
        for (std::size_t x = 0; x < w; ++x) picture[(y + 1) * (w + 2) + x + 1] = mask[y * w + x] != 0 ? 1 : 0;
    // Directions counter-clockwise as seen with y down, from east.
    const std::ptrdiff_t step[8] = {1, 1 - stride, -stride, -1 - stride, -1, stride - 1, stride, stride + 1};
    constexpr std::int32_t dx[8] = {1, 1, 0, -1, -1, -1, 0, 1}, dy[8] = {0, -1, -1, -1, 0, 1, 1, 1};
    for (std::size_t row = 1; row <= h; ++row) {
        std::int32_t last = 1;  // the border met last in this row; 1 is the picture's frame
        for (std::size_t column = 1; column <= w; ++column) {
            const auto start = static_cast<std::ptrdiff_t>(row) * stride + static_cast<std::ptrdiff_t>(column);
            std::int32_t* const f = picture.data();
            if (f[start] == 0) continue;
            const bool outer = f[start] == 1 && f[start - 1] == 0;
            const bool hole = !outer && f[start] >= 1 && f[start + 1] == 0;
            if (outer || hole) {
                if (hole && f[start] > 1) last = f[start];
                contour c;
                c.hole = hole;
                // Number n stands for out[n - 2]; the frame counts as a hole.
                const bool last_is_hole = last == 1 || out[static_cast<std::size_t>(last - 2)].hole;
                if (last != 1) c.parent = hole == last_is_hole ? out[static_cast<std::size_t>(last - 2)].parent : last - 2;
                const auto number = static_cast<std::int32_t>(out.size() + 2);
                std::int32_t x = static_cast<std::int32_t>(column) - 1, y = static_cast<std::int32_t>(row) - 1;
                // The first neighbour clockwise from the background at which the border was met.
                int towards = outer ? 4 : 0, turns = 0;
                while (turns < 8 && f[start + step[towards]] == 0) {
                    towards = (towards + 7) % 8;
                    ++turns;
                }
                if (turns == 8) {
                    f[start] = -number;
                    c.points.push_back({x, y});
                } else {
                    const std::ptrdiff_t before_start = start + step[towards];
                    std::ptrdiff_t at = start;
                    int arrived = (towards + 4) % 8;  // the direction of the step that led here
                    for (;;) {
                        // Counter-clockwise from the neighbour we came from.
                        int direction = (arrived + 4) % 8;
                        bool east_is_background = false;
                        do {
                            direction = (direction + 1) % 8;
                            if (f[at + step[direction]] != 0) break;
                            if (direction == 0) east_is_background = true;
                        } while (true);
                        if (east_is_background) {
                            f[at] = -number;
                        } else if (f[at] == 1) {
                            f[at] = number;
                        }
                        if (kept == contour_points::all || direction != arrived) c.points.push_back({x, y});
                        const std::ptrdiff_t next = at + step[direction];
                        if (next == start && at == before_start) break;
                        x += dx[direction];
                        y += dy[direction];
                        at = next;
                        arrived = direction;
                    }
                }
                out.push_back(std::move(c));
            }
            if (f[start] != 1) last = std::abs(f[start]);
        }
    }
    return out;
}

OCELLI_INLINE std::vector<mask_polygon> mask_to_polygons(const std::uint8_t* mask, std::size_t h, std::size_t w) {
    std::vector<mask_polygon> out;
    const auto set = [&](std::int64_t x, std::int64_t y) {
        return x >= 0 && y >= 0 && x < static_cast<std::int64_t>(w) && y < static_cast<std::int64_t>(h) &&
               mask[static_cast<std::size_t>(y) * w + static_cast<std::size_t>(x)] != 0;
    };
    // Walk along edges with foreground on the right hand: east, south, west, north. Every polygon has an upper edge, walked eastwards.
    constexpr std::int64_t dx[4] = {1, 0, -1, 0}, dy[4] = {0, 1, 0, -1};
    // The pixel ahead on the left and on the right of a corner, by direction.
    constexpr std::int64_t left_x[4] = {0, 0, -1, -1}, left_y[4] = {-1, 0, 0, -1}, right_x[4] = {0, -1, -1, 0}, right_y[4] = {0, 0, -1, -1};
    std::vector<bool> walked(h * w, false);
    for (std::size_t y0 = 0; y0 < h; ++y0)
        for (std::size_t x0 = 0; x0 < w; ++x0) {
            if (mask[y0 * w + x0] == 0 || walked[y0 * w + x0] || (y0 != 0 && mask[(y0 - 1) * w + x0] != 0)) continue;
            mask_polygon p;
            auto x = static_cast<std::int64_t>(x0), y = static_cast<std::int64_t>(y0);
            int direction = 0;
            double area = 0;
            do {
                p.points.push_back(static_cast<double>(x));
                p.points.push_back(static_cast<double>(y));
                // Straight on while the pixel on the right is foreground and the one on the left is not.
                for (;;) {
                    if (direction == 0) walked[static_cast<std::size_t>(y) * w + static_cast<std::size_t>(x)] = true;
                    area += static_cast<double>(x * dy[direction] - y * dx[direction]);
                    x += dx[direction];
                    y += dy[direction];
                    if (!set(x + right_x[direction], y + right_y[direction])) {
                        direction = (direction + 1) % 4;
                        break;
                    }
                    if (set(x + left_x[direction], y + left_y[direction])) {
                        direction = (direction + 3) % 4;
                        break;
                    }
                }
            } while (x != static_cast<std::int64_t>(x0) || y != static_cast<std::int64_t>(y0) || direction != 0);
            p.hole = area < 0;
            out.push_back(std::move(p));
        }
    return out;
}

/// Toggles the first pixel of each row whose centre is not left of the edge.
inline void toggle_edge(double x1, double y1, double x2, double y2, std::size_t h, std::size_t w, std::uint8_t* out) {
    if (y1 > y2) {
        std::swap(x1, x2);
        std::swap(y1, y2);
    }
    const auto row = [&](double y) { return static_cast<std::size_t>(std::clamp(std::ceil(y - 0.5), 0.0, static_cast<double>(h))); };
    const std::size_t end = row(y2);
    for (std::size_t r = row(y1); r < end; ++r) {
        const double centre = static_cast<double>(r) + 0.5;
        const double x = x1 + (centre - y1) / (y2 - y1) * (x2 - x1);
        const auto column = static_cast<std::size_t>(std::clamp(std::ceil(x - 0.5), 0.0, static_cast<double>(w)));
        if (column < w) out[r * w + column] ^= 1;
    }
}

template <class Each>
xt::xtensor<std::uint8_t, 2> fill_polygons(std::int64_t height, std::int64_t width, Each&& each) {
    check(height >= 0 && width >= 0 && (height == 0 || width <= (std::int64_t{1} << 40) / height),
          "polygons_to_mask: height and width must not be negative, nor have more than 2^40 pixels, got ", height, " and ", width);
    auto out = new_tensor<std::uint8_t>(height, width);
    std::fill_n(out.data(), out.size(), std::uint8_t{0});
    const auto h = static_cast<std::size_t>(height), w = static_cast<std::size_t>(width);
    each([&](const std::vector<double>& p) {
        check(p.size() % 2 == 0, "polygons_to_mask: a polygon must have an even number of coordinates, got ", p.size());
        for (const double v : p) check(is_finite(v), "polygons_to_mask: coordinates must be finite, got ", v);
        const std::size_t n = p.size() / 2;
        for (std::size_t i = 0; i < n; ++i) {
            const std::size_t j = i + 1 == n ? 0 : i + 1;
            if (p[2 * i + 1] != p[2 * j + 1]) toggle_edge(p[2 * i], p[2 * i + 1], p[2 * j], p[2 * j + 1], h, w, out.data());
        }
    });
    for (std::size_t y = 0; y < h; ++y)
        for (std::size_t x = 1; x < w; ++x) out.data()[y * w + x] ^= out.data()[y * w + x - 1];
    return out;
}

OCELLI_INLINE void check_points(const double* points, std::size_t n, const char* name) {
    for (std::size_t i = 0; i < 2 * n; ++i)
        check(is_finite(points[i]) && std::fabs(points[i]) <= 1e100, name, ": coordinates must be finite and at most 1e100, got ", points[i],
              " at point ", i / 2);
}

OCELLI_INLINE std::vector<std::array<double, 2>> convex_hull(const double* points, std::size_t n) {
    std::vector<std::array<double, 2>> p(n);
    for (std::size_t i = 0; i < n; ++i) p[i] = {points[2 * i], points[2 * i + 1]};
    std::sort(p.begin(), p.end());
    p.erase(std::unique(p.begin(), p.end()), p.end());
    if (p.size() < 3) return p;
    // Andrew's monotone chain: the lower side from left to right, then the upper one back.
    std::vector<std::array<double, 2>> hull;
    const auto left_turn = [](const auto& a, const auto& b, const auto& c) {
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) > 0;
    };
    for (int side = 0; side < 2; ++side) {
        const std::size_t begin = hull.size();
        for (const auto& q : p) {
            while (hull.size() >= begin + 2 && !left_turn(hull[hull.size() - 2], hull.back(), q)) hull.pop_back();
            hull.push_back(q);
        }
        hull.pop_back();
        std::reverse(p.begin(), p.end());
    }
    return hull;
}

OCELLI_INLINE std::array<double, 5> min_area_rect(const double* points, std::size_t n) {
    const auto hull = convex_hull(points, n);
    const std::size_t k = hull.size();
    if (k == 0) return {};
    if (k == 1) return {hull[0][0], hull[0][1], 0, 0, 0};
    std::array<double, 5> best{};
    double least = 0;
    std::size_t right = 1, top = 1, left = 1;
    for (std::size_t i = 0; i < k; ++i) {
        const auto& a = hull[i];
        const auto& b = hull[(i + 1) % k];
        double ex = b[0] - a[0], ey = b[1] - a[1];
        const double length = std::hypot(ex, ey);
        if (!(length > 0)) continue;
        ex /= length;
        ey /= length;
        const auto along = [&](std::size_t j) { return ex * (hull[j % k][0] - a[0]) + ey * (hull[j % k][1] - a[1]); };
        const auto across = [&](std::size_t j) { return ex * (hull[j % k][1] - a[1]) - ey * (hull[j % k][0] - a[0]); };
        // Each pointer goes round at most once while the edge does.
        right = std::max(right, i + 1);
        while (right < i + k && along(right + 1) > along(right)) ++right;
        top = std::max(top, right);
        while (top < i + k && across(top + 1) > across(top)) ++top;
        left = std::max(left, top);
        while (left < i + k && along(left + 1) < along(left)) ++left;
        const double from = std::min(along(left), 0.0), to = along(right), height = std::max(across(top), 0.0), width = to - from;
        const double area = width * height;
        if (i != 0 && !(area < least)) continue;
        least = area;
        const double m = (from + to) / 2;
        best = {a[0] + ex * m - ey * height / 2, a[1] + ey * m + ex * height / 2, width, height,
                std::atan2(-ey, ex) * 180 / std::numbers::pi};
    }
    if (best[3] > best[2]) {
        std::swap(best[2], best[3]);
        best[4] += 90;
    }
    while (best[4] > 90) best[4] -= 180;
    while (best[4] <= -90) best[4] += 180;
    return best;
}

}  // namespace detail

OCELLI_INLINE xt::xtensor<std::uint8_t, 2> polygons_to_mask(std::span<const std::vector<double>> polygons, std::int64_t height,
                                                            std::int64_t width) {
    return detail::fill_polygons(height, width, [&](auto&& fill) {
        for (const auto& p : polygons) fill(p);
    });
}

OCELLI_INLINE xt::xtensor<std::uint8_t, 2> polygons_to_mask(std::span<const mask_polygon> polygons, std::int64_t height, std::int64_t width) {
    return detail::fill_polygons(height, width, [&](auto&& fill) {
        for (const auto& p : polygons) fill(p.points);
    });
}

}  // namespace ocelli
