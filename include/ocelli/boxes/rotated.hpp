#pragma once

/// @file
/// Overlap and suppression of rotated boxes, and overlap of quadrilaterals.

#include <ocelli/boxes/detail/convex.hpp>
#include <ocelli/boxes/formats.hpp>
#include <ocelli/boxes/nms.hpp>
#include <ocelli/core/argsort.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/core/tensor.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

namespace ocelli {

namespace detail {

/// A rotated box ready to be compared with many: its direction, the circle around it, its area (0 where it is no box).
struct prepared_rotated_box {
    double x, y, half_w, half_h, degrees, cos, sin, radius, area;

    template <class T>
    explicit prepared_rotated_box(const T* b) noexcept
        : x(static_cast<double>(b[0])), y(static_cast<double>(b[1])), half_w(static_cast<double>(b[2]) / 2),
          half_h(static_cast<double>(b[3]) / 2), degrees(static_cast<double>(b[4])), cos(1), sin(0), radius(0), area(0) {
        const bool finite = is_finite(x) && is_finite(y) && is_finite(half_w) && is_finite(half_h) && is_finite(degrees);
        if (!finite || !(half_w > 0) || !(half_h > 0)) {
            half_w = half_h = x = y = degrees = 0;
            return;
        }
        const direction d = direction_of_degrees(degrees);
        cos = d.cos;
        sin = d.sin;
        radius = std::sqrt(half_w * half_w + half_h * half_h);
        area = 4 * half_w * half_h;
    }

    bool touches_circle_of(const prepared_rotated_box& b) const noexcept {
        const double dx = b.x - x, dy = b.y - y, reach = radius + b.radius;
        return dx * dx + dy * dy <= reach * reach;
    }

    /// Any fixed order of two boxes makes their IoU the same bits both ways round.
    bool before(const prepared_rotated_box& b) const noexcept {
        const double mine[] = {area, half_w, x, y, degrees}, other[] = {b.area, b.half_w, b.x, b.y, b.degrees};
        for (std::size_t i = 0; i < 5; ++i)
            if (mine[i] != other[i]) return mine[i] < other[i];
        return false;
    }
};

inline double rotated_iou_in_order(const prepared_rotated_box& a, const prepared_rotated_box& b) noexcept {
    // b in the frame of a, where a is |x| <= half_w, |y| <= half_h.
    const double dx = b.x - a.x, dy = b.y - a.y;
    const double x = dx * a.cos - dy * a.sin, y = dx * a.sin + dy * a.cos;
    const bool parallel = a.degrees == b.degrees;
    const double c = parallel ? 1.0 : a.cos * b.cos + a.sin * b.sin, s = parallel ? 0.0 : a.cos * b.sin - a.sin * b.cos;
    const double wx = b.half_w * c, wy = -b.half_w * s, hx = b.half_h * s, hy = b.half_h * c;
    const double reach_x = std::fabs(wx) + std::fabs(hx), reach_y = std::fabs(wy) + std::fabs(hy);
    const double ax = std::fabs(x), ay = std::fabs(y);
    if (ax >= a.half_w + reach_x || ay >= a.half_h + reach_y) return 0;
    if (ax + reach_x <= a.half_w && ay + reach_y <= a.half_h) return iou_of_areas(a.area, b.area, b.area);
    double intersection;
    if (s == 0) {
        const double right = std::fmin(a.half_w, x + reach_x), left = std::fmax(-a.half_w, x - reach_x);
        const double bottom = std::fmin(a.half_h, y + reach_y), top = std::fmax(-a.half_h, y - reach_y);
        intersection = (right - left) * (bottom - top);
    } else {
        convex_polygon p;
        p.count = 4;
        p.corners[0] = {x - wx - hx, y - wy - hy};
        p.corners[1] = {x + wx - hx, y + wy - hy};
        p.corners[2] = {x + wx + hx, y + wy + hy};
        p.corners[3] = {x - wx + hx, y - wy + hy};
        intersection = area_inside_rectangle(p, a.half_w, a.half_h);
    }
    return iou_of_areas(a.area, b.area, intersection);
}

inline double rotated_iou(const prepared_rotated_box& a, const prepared_rotated_box& b) noexcept {
    if (!(a.area > 0) || !(b.area > 0) || !a.touches_circle_of(b)) return 0;
    return b.before(a) ? rotated_iou_in_order(b, a) : rotated_iou_in_order(a, b);
}

/// A convex quadrilateral (the hull of four points) and the box around it; area 0 where it is none.
struct prepared_quad {
    convex_polygon hull;
    double x1, y1, x2, y2, area;

    template <class T>
    explicit prepared_quad(const T* q) noexcept : hull(), x1(0), y1(0), x2(0), y2(0), area(0) {
        point p[4];
        bool finite = true;
        for (std::size_t i = 0; i < 4; ++i) {
            p[i] = {static_cast<double>(q[2 * i]), static_cast<double>(q[2 * i + 1])};
            finite = finite && is_finite(p[i].x) && is_finite(p[i].y);
        }
        hull.count = 0;
        if (!finite) return;
        hull = hull_of_four(p);
        x1 = x2 = p[0].x;
        y1 = y2 = p[0].y;
        for (const point c : p) {
            x1 = c.x < x1 ? c.x : x1;
            x2 = c.x > x2 ? c.x : x2;
            y1 = c.y < y1 ? c.y : y1;
            y2 = c.y > y2 ? c.y : y2;
        }
        if (hull.count >= 3) area = std::fabs(twice_area(hull)) / 2;
    }

    bool before(const prepared_quad& b) const noexcept {
        if (area != b.area) return area < b.area;
        for (std::size_t i = 0; i < hull.count && i < b.hull.count; ++i) {
            if (hull.corners[i].x != b.hull.corners[i].x) return hull.corners[i].x < b.hull.corners[i].x;
            if (hull.corners[i].y != b.hull.corners[i].y) return hull.corners[i].y < b.hull.corners[i].y;
        }
        return hull.count < b.hull.count;
    }
};

inline double quad_iou(const prepared_quad& a, const prepared_quad& b) noexcept {
    if (!(a.area > 0) || !(b.area > 0) || a.x2 <= b.x1 || b.x2 <= a.x1 || a.y2 <= b.y1 || b.y2 <= a.y1) return 0;
    const bool swapped = b.before(a);
    const prepared_quad &first = swapped ? b : a, &second = swapped ? a : b;
    // Around a corner of one, so that products of large coordinates do not eat the digits of small shapes.
    const point origin = first.hull.corners[0];
    convex_polygon window, p;
    window.count = first.hull.count;
    p.count = second.hull.count;
    for (std::size_t i = 0; i < window.count; ++i) window.corners[i] = first.hull.corners[i] - origin;
    for (std::size_t i = 0; i < p.count; ++i) p.corners[i] = second.hull.corners[i] - origin;
    return iou_of_areas(a.area, b.area, area_of_intersection(p, window));
}

template <class Prepared, class T, class View>
std::vector<Prepared> prepare_rows(const View& rows) {
    std::vector<Prepared> out;
    out.reserve(rows.extent(0));
    for (std::size_t i = 0; i < rows.extent(0); ++i) out.emplace_back(rows.data() + i * rows.extent(1));
    return out;
}

// All pairs, in squares of rows by columns that stay in the first cache.
template <class T, class Prepared, class Iou>
void iou_of_all(const std::vector<Prepared>& a, const std::vector<Prepared>& b, Iou&& iou, T* out) {
    const std::size_t m = b.size();
    if (m == 0) return;
    parallel_for(a.size(), 1 + 2048 / m, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i)
            for (std::size_t j = 0; j < m; ++j) out[i * m + j] = static_cast<T>(iou(a[i], b[j]));
    });
}

} // namespace detail

/// Computes the IoU of every pair of rotated boxes, into the caller's memory. @param out (N, M)
template <array_expression A, array_expression B, class Out>
void rotated_box_iou(const A& boxes1, const B& boxes2, Out&& out) {
    using T = scalar_t<A, B>;
    const auto a = as_dense<T, 2>(boxes1, "rotated_box_iou: boxes1");
    const auto b = as_dense<T, 2>(boxes2, "rotated_box_iou: boxes2");
    detail::check_shape(a, {detail::any, 5}, "rotated_box_iou: boxes1");
    detail::check_shape(b, {detail::any, 5}, "rotated_box_iou: boxes2");
    T* o = detail::as_output<T, 2>(out, {a.extent(0), b.extent(0)}, "rotated_box_iou: out");
    detail::iou_of_all(detail::prepare_rows<detail::prepared_rotated_box, T>(a),
                       detail::prepare_rows<detail::prepared_rotated_box, T>(b), detail::rotated_iou, o);
}

/// Computes the IoU of every pair of rotated boxes, exactly: the polygon of the intersection, in double.
///
/// A box is cx cy w h and an angle in degrees, counter-clockwise as seen with y down: its corners are
/// (cx + s w/2 cos a + t h/2 sin a, cy - s w/2 sin a + t h/2 cos a) for s, t = -1, 1. Angles of any size; a and a + 180 are the
/// same box.
///
/// @param boxes1  (N, 5)
/// @param boxes2  (M, 5)
/// @return        (N, M) in [0, 1]; 1 exactly for equal rows, the same bits both ways round; 0 for boxes with a side that is
///                not positive, a NaN or an infinity
/// @throws invalid_argument  on other shapes
///
/// O(N M), most of it a comparison of circles where boxes lie apart; float and double. Agrees with detectron2's
/// pairwise_iou_rotated to its precision (float, 3e-7) where boxes differ; for boxes that differ by a millionth its kernel
/// loses corners and can return up to 2, and it counts areas below 1e-14 as empty.
template <array_expression A, array_expression B>
xt::xtensor<scalar_t<A, B>, 2> rotated_box_iou(const A& boxes1, const B& boxes2) {
    using T = scalar_t<A, B>;
    const auto a = as_dense<T, 2>(boxes1, "rotated_box_iou: boxes1");
    const auto b = as_dense<T, 2>(boxes2, "rotated_box_iou: boxes2");
    auto out = detail::new_tensor<T>(a.extent(0), b.extent(0));
    ocelli::rotated_box_iou(view(a.data(), a.shape()), view(b.data(), b.shape()), out);
    return out;
}

/// Computes the IoU of each rotated box with the one in the same row of the other array; as rotated_box_iou.
///
/// @param boxes1  (N, 5)
/// @param boxes2  (N, 5)
/// @return        (N)
/// @throws invalid_argument  on other shapes, different lengths
template <array_expression A, array_expression B>
xt::xtensor<scalar_t<A, B>, 1> paired_rotated_box_iou(const A& boxes1, const B& boxes2) {
    using T = scalar_t<A, B>;
    const auto a = as_dense<T, 2>(boxes1, "paired_rotated_box_iou: boxes1");
    const auto b = as_dense<T, 2>(boxes2, "paired_rotated_box_iou: boxes2");
    detail::check_shape(a, {detail::any, 5}, "paired_rotated_box_iou: boxes1");
    detail::check_shape(b, {detail::any, 5}, "paired_rotated_box_iou: boxes2");
    detail::check_same_length(a, b, "paired_rotated_box_iou: boxes1 and boxes2");
    auto out = detail::new_tensor<T>(a.extent(0));
    parallel_for(a.extent(0), 128, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i)
            out.data()[i] = static_cast<T>(detail::rotated_iou(detail::prepared_rotated_box(a.data() + 5 * i),
                                                               detail::prepared_rotated_box(b.data() + 5 * i)));
    });
    return out;
}

/// Computes the IoU of every pair of quadrilaterals, into the caller's memory. @param out (N, M)
template <array_expression A, array_expression B, class Out>
void quad_iou(const A& quads1, const B& quads2, Out&& out) {
    using T = scalar_t<A, B>;
    const auto a = as_dense<T, 2>(quads1, "quad_iou: quads1");
    const auto b = as_dense<T, 2>(quads2, "quad_iou: quads2");
    detail::check_shape(a, {detail::any, 8}, "quad_iou: quads1");
    detail::check_shape(b, {detail::any, 8}, "quad_iou: quads2");
    T* o = detail::as_output<T, 2>(out, {a.extent(0), b.extent(0)}, "quad_iou: out");
    detail::iou_of_all(
        detail::prepare_rows<detail::prepared_quad, T>(a), detail::prepare_rows<detail::prepared_quad, T>(b),
        [](const detail::prepared_quad& p, const detail::prepared_quad& q) { return detail::quad_iou(p, q); }, o);
}

/// Computes the IoU of every pair of convex quadrilaterals, exactly: the polygon of the intersection, in double.
///
/// Four points that are not convex, or cross themselves, count as their *convex hull* (as text-detection benchmarks do); so the
/// order of the points does not matter, in either sense of rotation.
///
/// @param quads1  (N, 8) x1 y1 x2 y2 x3 y3 x4 y4
/// @param quads2  (M, 8)
/// @return        (N, M) in [0, 1], the same bits both ways round; 0 where four points lie on a line, and for NaN and infinity
/// @throws invalid_argument  on other shapes
///
/// float and double. Agrees with shapely's polygons to 1e-12 for coordinates of a picture in double.
template <array_expression A, array_expression B>
xt::xtensor<scalar_t<A, B>, 2> quad_iou(const A& quads1, const B& quads2) {
    using T = scalar_t<A, B>;
    const auto a = as_dense<T, 2>(quads1, "quad_iou: quads1");
    const auto b = as_dense<T, 2>(quads2, "quad_iou: quads2");
    auto out = detail::new_tensor<T>(a.extent(0), b.extent(0));
    ocelli::quad_iou(view(a.data(), a.shape()), view(b.data(), b.shape()), out);
    return out;
}

/// Computes the IoU of each quadrilateral with the one in the same row of the other array; as quad_iou.
///
/// @param quads1  (N, 8)
/// @param quads2  (N, 8)
/// @return        (N)
/// @throws invalid_argument  on other shapes, different lengths
template <array_expression A, array_expression B>
xt::xtensor<scalar_t<A, B>, 1> paired_quad_iou(const A& quads1, const B& quads2) {
    using T = scalar_t<A, B>;
    const auto a = as_dense<T, 2>(quads1, "paired_quad_iou: quads1");
    const auto b = as_dense<T, 2>(quads2, "paired_quad_iou: quads2");
    detail::check_shape(a, {detail::any, 8}, "paired_quad_iou: quads1");
    detail::check_shape(b, {detail::any, 8}, "paired_quad_iou: quads2");
    detail::check_same_length(a, b, "paired_quad_iou: quads1 and quads2");
    auto out = detail::new_tensor<T>(a.extent(0));
    parallel_for(a.extent(0), 64, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i)
            out.data()[i] =
                static_cast<T>(detail::quad_iou(detail::prepared_quad(a.data() + 8 * i), detail::prepared_quad(b.data() + 8 * i)));
    });
    return out;
}

namespace detail {

template <class T>
xt::xtensor<std::int64_t, 1> rotated_nms_indices(const T* boxes, const T* scores, const std::int64_t* classes, std::size_t n,
                                                 const nms_options& options, std::string_view function) {
    check(options.iou_threshold >= 0 && options.iou_threshold <= 1, function, ": iou_threshold must be in [0, 1], got ",
          options.iou_threshold);
    check(options.comparison == nms_comparison::greater || options.iou_threshold > 0, function,
          ": iou_threshold must be greater than 0 where equal values suppress");
    check(!is_nan(options.score_threshold), function, ": score_threshold must be a number, got NaN");
    check(options.criterion == nms_criterion::iou && !options.legacy_plus_one, function,
          ": neither the distance criterion nor the legacy pixel is defined for rotated boxes");
    const std::size_t nan = find_nan(scores, n);
    check(nan == n, function, ": scores must be numbers, got NaN at ", nan);
    check(n < 0xffffffffu, function, ": fewer than 2^32 - 1 boxes are supported, got ", n);
    std::vector<std::uint32_t> order(n);
    argsort_descending(scores, n, order.data());
    std::size_t candidates = n;
    if (options.score_threshold != -std::numeric_limits<double>::infinity())
        while (candidates > 0 && !(static_cast<double>(scores[order[candidates - 1]]) > options.score_threshold)) --candidates;
    if (options.pre_top_k != 0 && options.pre_top_k < candidates) candidates = options.pre_top_k;
    const std::size_t most = options.max_output != 0 && options.max_output < candidates ? options.max_output : candidates;
    const bool strict = options.comparison == nms_comparison::greater;
    std::vector<prepared_rotated_box> kept;
    std::vector<std::int64_t> indices;
    for (std::size_t at = 0; at < candidates && indices.size() < most; ++at) {
        const std::uint32_t i = order[at];
        const prepared_rotated_box box(boxes + 5 * std::size_t{i});
        bool keep = true;
        for (std::size_t k = 0; keep && k < kept.size(); ++k) {
            if (classes != nullptr && classes[i] != classes[static_cast<std::size_t>(indices[k])]) continue;
            // In the type of the boxes, as rotated_box_iou gives it.
            const double iou = static_cast<double>(static_cast<T>(rotated_iou(kept[k], box)));
            keep = !(strict ? iou > options.iou_threshold : iou >= options.iou_threshold);
        }
        if (keep) {
            kept.push_back(box);
            indices.push_back(static_cast<std::int64_t>(i));
        }
    }
    return first_indices(indices.data(), indices.size());
}

} // namespace detail

/// Suppresses rotated boxes that overlap a better one.
///
/// Greedy: boxes are visited by decreasing score (equal scores in input order) and a box is dropped if its IoU with a kept one
/// is greater than the threshold. Boxes without area, with a NaN or an infinity, have IoU 0 and are never dropped.
///
/// @param boxes    (N, 5) cx cy w h angle, as rotated_box_iou
/// @param scores   (N), any numbers, infinities too
/// @param options  as nms; the criterion is the IoU, and there is no legacy pixel
/// @return         (K) indices of the kept boxes, by decreasing score
/// @throws invalid_argument  on other shapes, different lengths, a NaN score, an option out of range or not for rotated boxes
///
/// O(N K); float and double. Agrees with detectron2's nms_rotated up to its precision.
template <array_expression B, array_expression S>
xt::xtensor<std::int64_t, 1> rotated_nms(const B& boxes, const S& scores, const nms_options& options) {
    using T = scalar_t<B, S>;
    const auto b = as_dense<T, 2>(boxes, "rotated_nms: boxes");
    const auto s = as_dense<T, 1>(scores, "rotated_nms: scores");
    detail::check_shape(b, {detail::any, 5}, "rotated_nms: boxes");
    detail::check_same_length(b, s, "rotated_nms: boxes and scores");
    return detail::rotated_nms_indices<T>(b.data(), s.data(), nullptr, b.extent(0), options, "rotated_nms");
}
/// The same with a threshold alone.
template <array_expression B, array_expression S>
xt::xtensor<std::int64_t, 1> rotated_nms(const B& boxes, const S& scores, double iou_threshold) {
    return ocelli::rotated_nms(boxes, scores, nms_options{.iou_threshold = iou_threshold});
}

/// Suppresses rotated boxes that overlap a better one of the same class. Classes are compared as numbers; no coordinates are
/// shifted.
///
/// @param classes  (N) integers
/// @param options  as nms; pre_top_k and max_output count over all classes
/// @return         (K) indices of the kept boxes of all classes, by decreasing score
/// @throws invalid_argument  as rotated_nms, and on classes of another length
template <array_expression B, array_expression S, array_expression C>
xt::xtensor<std::int64_t, 1> batched_rotated_nms(const B& boxes, const S& scores, const C& classes, const nms_options& options) {
    using T = scalar_t<B, S>;
    const auto b = as_dense<T, 2>(boxes, "batched_rotated_nms: boxes");
    const auto s = as_dense<T, 1>(scores, "batched_rotated_nms: scores");
    const auto c = as_dense<std::int64_t, 1>(classes, "batched_rotated_nms: classes");
    detail::check_shape(b, {detail::any, 5}, "batched_rotated_nms: boxes");
    detail::check_same_length(b, s, "batched_rotated_nms: boxes and scores");
    detail::check_same_length(b, c, "batched_rotated_nms: boxes and classes");
    return detail::rotated_nms_indices<T>(b.data(), s.data(), c.data(), b.extent(0), options, "batched_rotated_nms");
}
/// The same with a threshold alone.
template <array_expression B, array_expression S, array_expression C>
xt::xtensor<std::int64_t, 1> batched_rotated_nms(const B& boxes, const S& scores, const C& classes, double iou_threshold) {
    return ocelli::batched_rotated_nms(boxes, scores, classes, nms_options{.iou_threshold = iou_threshold});
}

} // namespace ocelli
