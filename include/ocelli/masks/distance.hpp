#pragma once

/// @file
/// Distance transform: how far every foreground pixel is from the background.

#include <ocelli/core/config.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/masks/detail/arguments.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace ocelli {

/// How the distance of two pixels is measured.
enum class pixel_metric {
    euclidean,   ///< exact, not chamfered
    city_block,  ///< |dx| + |dy|
    chessboard   ///< max(|dx|, |dy|)
};

namespace detail {

void distance_transform(const std::uint8_t* mask, std::size_t h, std::size_t w, pixel_metric metric, double* out);
/// Squared Euclidean distances, or -1 everywhere where there is no background.
void squared_distances(const std::uint8_t* mask, std::size_t h, std::size_t w, std::int64_t* out);

inline void check_distance_size(std::size_t h, std::size_t w, const char* name) {
    check(h < (std::size_t{1} << 30) && w < (std::size_t{1} << 30), name, ": sides must be less than 2^30, got ", h, " x ", w);
}

}  // namespace detail

/// Gives every foreground pixel its distance to the nearest background pixel, and background 0.
///
/// @param mask  (H, W) bool or integers, foreground being what is not 0
/// @return      (H, W) double; infinity everywhere in a mask without background (what lies outside the picture does not count)
/// @throws invalid_argument  on another rank or a side of 2^30 pixels or more
///
/// Euclidean distances are square roots of whole numbers and agree with scipy.ndimage.distance_transform_edt to the last bit, and with
/// OpenCV's distanceTransform(DIST_L2, DIST_MASK_PRECISE) in float; the others with distance_transform_cdt. O(H W), by columns and then by
/// the lower envelope of parabolas (Felzenszwalb and Huttenlocher 2012).
template <array_expression M>
xt::xtensor<double, 2> distance_transform(const M& mask, pixel_metric metric = pixel_metric::euclidean) {
    const auto m = detail::as_mask<2>(mask, "distance_transform: mask");
    detail::check_distance_size(m.extent(0), m.extent(1), "distance_transform");
    auto out = detail::new_tensor<double>(m.extent(0), m.extent(1));
    detail::distance_transform(m.data(), m.extent(0), m.extent(1), metric, out.data());
    return out;
}
/// The same into the caller's memory: `out` is dense, row-major, (H, W), of double.
template <array_expression M, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void distance_transform(const M& mask, Out&& out, pixel_metric metric = pixel_metric::euclidean) {
    const auto m = detail::as_mask<2>(mask, "distance_transform: mask");
    detail::check_distance_size(m.extent(0), m.extent(1), "distance_transform");
    double* to = detail::as_output<double, 2>(out, {m.extent(0), m.extent(1)}, "distance_transform: out");
    detail::distance_transform(m.data(), m.extent(0), m.extent(1), metric, to);
}

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/masks/impl/distance.inl>
#endif
