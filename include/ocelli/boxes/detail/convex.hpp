#pragma once

/// @file
/// Private: areas of intersections of rectangles and convex quadrilaterals, in double, by clipping one with the other's sides
/// (Sutherland and Hodgman, "Reentrant polygon clipping").
///
/// Clipping moves corners by rounding errors at most and forgets none, so nearly equal shapes are no special case: the area
/// changes continuously with the corners. (Collecting crossings and corners and sorting them around a hull, as others do, needs
/// tolerances there.)

#include <ocelli/core/float_bits.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace ocelli::detail {

struct point {
    double x, y;
};

/// Corners of a shape that is being clipped: 4, and in theory one more per clip; rounding can cut a flat corner twice.
struct convex_polygon {
    point corners[24];
    std::size_t count;
};

inline double cross(point a, point b) noexcept {
    return a.x * b.y - a.y * b.x;
}
inline point operator-(point a, point b) noexcept {
    return {a.x - b.x, a.y - b.y};
}

/// Twice the signed area.
inline double twice_area(const convex_polygon& p) noexcept {
    double sum = 0;
    for (std::size_t i = 2; i < p.count; ++i) sum += cross(p.corners[i - 1] - p.corners[0], p.corners[i] - p.corners[0]);
    return sum;
}

/// Keeps the part where inside(corner) >= 0; `on_line` moves a crossing exactly onto the line.
template <class Inside, class OnLine>
void clip(convex_polygon& p, Inside&& inside, OnLine&& on_line) noexcept {
    convex_polygon out;
    out.count = 0;
    if (p.count == 0) return;
    point before = p.corners[p.count - 1];
    double d_before = inside(before);
    for (std::size_t i = 0; i < p.count; ++i) {
        const point now = p.corners[i];
        const double d = inside(now);
        if ((d_before >= 0) != (d >= 0)) {
            const double t = d_before / (d_before - d);
            out.corners[out.count++] = on_line(point{before.x + t * (now.x - before.x), before.y + t * (now.y - before.y)});
        }
        if (d >= 0) out.corners[out.count++] = now;
        before = now;
        d_before = d;
    }
    p.count = out.count;
    for (std::size_t i = 0; i < out.count; ++i) p.corners[i] = out.corners[i];
}

/// Area of the part of a polygon inside |x| <= half_w, |y| <= half_h.
inline double area_inside_rectangle(convex_polygon& p, double half_w, double half_h) noexcept {
    clip(
        p, [=](point q) { return half_w - q.x; },
        [=](point q) {
            return point{half_w, q.y};
        });
    clip(
        p, [=](point q) { return half_w + q.x; },
        [=](point q) {
            return point{-half_w, q.y};
        });
    clip(
        p, [=](point q) { return half_h - q.y; },
        [=](point q) {
            return point{q.x, half_h};
        });
    clip(
        p, [=](point q) { return half_h + q.y; },
        [=](point q) {
            return point{q.x, -half_h};
        });
    return std::fabs(twice_area(p)) / 2;
}

/// Area of the intersection of two convex polygons, both with positive signed area.
inline double area_of_intersection(convex_polygon p, const convex_polygon& window) noexcept {
    for (std::size_t i = 0; i < window.count; ++i) {
        const point a = window.corners[i], side = window.corners[(i + 1) % window.count] - a;
        clip(
            p, [=](point q) { return cross(side, q - a); }, [](point q) { return q; });
    }
    return std::fabs(twice_area(p)) / 2;
}

/// The IoU of two areas and their intersection, in [0, 1]; 0 where it overflows.
inline double iou_of_areas(double a, double b, double intersection) noexcept {
    const double smaller = a < b ? a : b;
    if (intersection > smaller) intersection = smaller; // by a rounding error
    const double iou = intersection / (a + b - intersection);
    return is_finite(iou) && iou > 0 ? iou : 0.0;
}

/// The convex hull of four points, counter-clockwise in its own coordinates (positive signed area); fewer than 3 corners when
/// they lie on a line.
inline convex_polygon hull_of_four(const point (&given)[4]) noexcept {
    point p[4] = {given[0], given[1], given[2], given[3]};
    const auto less = [](point a, point b) { return a.x < b.x || (a.x == b.x && a.y < b.y); };
    for (std::size_t i = 1; i < 4; ++i) // insertion sort
        for (std::size_t j = i; j > 0 && less(p[j], p[j - 1]); --j) std::swap(p[j], p[j - 1]);
    convex_polygon hull;
    hull.count = 0;
    for (int side = 0; side < 2; ++side) { // Andrew's monotone chains
        const std::size_t first = hull.count;
        for (std::size_t i = 0; i < 4; ++i) {
            const point q = side == 0 ? p[i] : p[3 - i];
            while (hull.count >= first + 2 &&
                   cross(hull.corners[hull.count - 1] - hull.corners[hull.count - 2], q - hull.corners[hull.count - 2]) <= 0)
                --hull.count;
            hull.corners[hull.count++] = q;
        }
        --hull.count; // the last point begins the other chain
    }
    return hull;
}

} // namespace ocelli::detail
