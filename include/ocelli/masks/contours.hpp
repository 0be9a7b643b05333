#pragma once

/// @file
/// Outlines of masks: contours through border pixels as OpenCV finds them, and polygons along the pixels' edges that give the mask back.

#include <ocelli/core/config.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/masks/detail/arguments.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ocelli {

/// Which points of a contour are kept.
enum class contour_points {
    all,     ///< every border pixel (OpenCV's CHAIN_APPROX_NONE)
    corners  ///< where the direction changes (CHAIN_APPROX_SIMPLE)
};

/// A closed line through border pixels.
struct contour {
    std::vector<std::array<std::int32_t, 2>> points;  ///< x y
    bool hole = false;                                ///< around background inside a component
    std::int64_t parent = -1;                         ///< index of the contour around this one, or -1
};

/// A closed line along pixel edges.
struct mask_polygon {
    std::vector<double> points;  ///< x1 y1 x2 y2 ..., whole numbers, corners only, the first not repeated
    bool hole = false;
};

namespace detail {

std::vector<contour> find_contours(const std::uint8_t* mask, std::size_t h, std::size_t w, contour_points kept);
std::vector<mask_polygon> mask_to_polygons(const std::uint8_t* mask, std::size_t h, std::size_t w);

}  // namespace detail

/// Finds the contours of a mask: outer borders of 8-connected components and borders of their holes, as a tree.
///
/// @param mask  (H, W) bool or integers, foreground being what is not 0
/// @return      in row-major order of the pixels at which borders are met; outer borders run counter-clockwise as one sees them with y
///              down, holes clockwise
/// @throws invalid_argument  on another rank, or a side of 2^31 - 2 pixels or more
///
/// Border following after Suzuki and Abe 1985. The contours, their points and order within each are those of OpenCV's
/// findContours(RETR_TREE); OpenCV may list the contours in another order.
template <array_expression M>
std::vector<contour> find_contours(const M& mask, contour_points kept = contour_points::corners) {
    const auto m = detail::as_mask<2>(mask, "find_contours: mask");
    detail::check(m.extent(0) < 0x7ffffffeu && m.extent(1) < 0x7ffffffeu && (m.extent(0) == 0 || m.extent(1) < (std::size_t{1} << 40) / m.extent(0)),
                  "find_contours: the mask is too large, ", detail::shape_text(m.shape()));
    return detail::find_contours(m.data(), m.extent(0), m.extent(1), kept);
}

/// Traces the edges of a mask's pixels: one polygon around each 4-connected component and one around each hole.
///
/// @param mask  (H, W) bool or integers
/// @return      in row-major order of their upper left corners; polygons_to_mask gives exactly the mask back
/// @throws invalid_argument  on another rank
///
/// Unlike lines through pixel centres (find_contours) nothing is lost: areas are pixel counts.
template <array_expression M>
std::vector<mask_polygon> mask_to_polygons(const M& mask) {
    const auto m = detail::as_mask<2>(mask, "mask_to_polygons: mask");
    return detail::mask_to_polygons(m.data(), m.extent(0), m.extent(1));
}

/// Fills polygons by the even-odd rule: a pixel is foreground if its centre lies inside an odd number of times.
///
/// A centre on a left or upper edge is inside, on a right or lower edge outside. Inverse of mask_to_polygons. For COCO's own rule, which
/// fills by the left border of pixels at a fifth of their size, use rle_from_polygons.
///
/// @param polygons  each x1 y1 x2 y2 ..., continuous coordinates
/// @return          (height, width) of 0 and 1
/// @throws invalid_argument  on a negative size, an odd number of coordinates, NaN or infinity
xt::xtensor<std::uint8_t, 2> polygons_to_mask(std::span<const std::vector<double>> polygons, std::int64_t height, std::int64_t width);
/// The same of mask_to_polygons' result.
xt::xtensor<std::uint8_t, 2> polygons_to_mask(std::span<const mask_polygon> polygons, std::int64_t height, std::int64_t width);

/// Gives the convex hull of points: (N, 2) x y -> (K, 2), counter-clockwise with y up, starting at the smallest x (then y); points on a
/// side are left out.
/// @throws invalid_argument  on another shape, NaN or infinity
template <array_expression P>
xt::xtensor<double, 2> convex_hull(const P& points);

/// Gives the rectangle of least area around points, turned in any direction.
///
/// @param points  (N, 2) x y
/// @return        cx cy w h angle as in boxes/rotated.hpp: degrees, counter-clockwise as one sees it with y down, in (-90, 90], w >= h;
///                all 0 for no points
/// @throws invalid_argument  on another shape, NaN or infinity
///
/// Rotating calipers on the convex hull; O(N log N). The rectangle is OpenCV's minAreaRect where that is unique; angles are told otherwise.
template <array_expression P>
std::array<double, 5> min_area_rect(const P& points);

namespace detail {

std::vector<std::array<double, 2>> convex_hull(const double* points, std::size_t n);
std::array<double, 5> min_area_rect(const double* points, std::size_t n);
void check_points(const double* points, std::size_t n, const char* name);

}  // namespace detail

template <array_expression P>
xt::xtensor<double, 2> convex_hull(const P& points) {
    const auto p = as_dense<double, 2>(points, "convex_hull: points");
    detail::check_shape(p, {detail::any, 2}, "convex_hull: points");
    detail::check_points(p.data(), p.extent(0), "convex_hull");
    const auto hull = detail::convex_hull(p.data(), p.extent(0));
    auto out = detail::new_tensor<double>(hull.size(), 2);
    for (std::size_t i = 0; i < hull.size(); ++i)
        for (std::size_t k = 0; k < 2; ++k) out(i, k) = hull[i][k];
    return out;
}

template <array_expression P>
std::array<double, 5> min_area_rect(const P& points) {
    const auto p = as_dense<double, 2>(points, "min_area_rect: points");
    detail::check_shape(p, {detail::any, 2}, "min_area_rect: points");
    detail::check_points(p.data(), p.extent(0), "min_area_rect");
    return detail::min_area_rect(p.data(), p.extent(0));
}

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/masks/impl/contours.inl>
#endif
