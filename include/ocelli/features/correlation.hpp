#pragma once

/// @file
/// Correlation of two feature maps: FlowNet-C's volume around each place, RAFT's volume of all pairs with its pyramid and look-up, and RAFT's
/// convex upsampling.

#include <ocelli/core/config.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/core/tensor.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace ocelli {

/// FlowNet's correlation layer; the defaults are FlowNet-C's.
struct correlation_options {
    std::int64_t padding = 20;           ///< zeros around both maps
    std::int64_t kernel_size = 1;        ///< side of the patches that are compared; odd
    std::int64_t max_displacement = 20;  ///< farthest displacement in either direction
    std::int64_t stride = 1;             ///< distance of the places that are compared (stride_1)
    std::int64_t displacement_stride = 2;  ///< distance of displacements (stride_2)
};

namespace detail {

std::array<std::size_t, 4> correlation_shape(const std::array<std::size_t, 4>& a, const std::array<std::size_t, 4>& b, const correlation_options& options);
void correlation_volume(const std::array<std::size_t, 4>& in, const std::array<std::size_t, 4>& to, const correlation_options& options, const float* a,
                        const float* b, float* out);
void correlation_volume(const std::array<std::size_t, 4>& in, const std::array<std::size_t, 4>& to, const correlation_options& options, const double* a,
                        const double* b, double* out);

void all_pairs_correlation(const std::array<std::size_t, 4>& in, const float* a, const float* b, float* out);
void all_pairs_correlation(const std::array<std::size_t, 4>& in, const double* a, const double* b, double* out);

/// Means of 2 x 2 elements; what is left over at the end of odd sides is dropped.
void halve_maps(std::size_t planes, std::size_t height, std::size_t width, const float* in, float* out);
void halve_maps(std::size_t planes, std::size_t height, std::size_t width, const double* in, double* out);

/// One level: images x places planes of height x width read around coordinates (images, 2, places) / 2^level. Writes `window`^2 channels of
/// `places` elements for each image, images `image_step` apart.
struct correlation_window {
    std::size_t images, places, height, width, level, radius, image_step;
};
void correlation_lookup(const correlation_window& w, const float* volume, const float* coordinates, float* out);
void correlation_lookup(const correlation_window& w, const double* volume, const double* coordinates, double* out);

void convex_upsample(const std::array<std::size_t, 4>& in, std::size_t factor, const float* values, const float* mask, float* out);
void convex_upsample(const std::array<std::size_t, 4>& in, std::size_t factor, const double* values, const double* mask, double* out);

template <class A, class B>
std::array<std::size_t, 4> all_pairs_shape(const A& a, const B& b) {
    check(a.shape() == b.shape(), "all_pairs_correlation: both maps must have one shape, got ", shape_text(a.shape()), " and ", shape_text(b.shape()));
    check(a.extent(1) != 0, "all_pairs_correlation: the maps have no channels, ", shape_text(a.shape()));
    return {a.extent(0), a.extent(2) * a.extent(3), a.extent(2), a.extent(3)};
}

template <class T, class E>
std::vector<dense_view<T, 4>> lookup_levels(std::span<const E> pyramid, const dense_view<T, 4>& coordinates, std::int64_t radius) {
    check(!pyramid.empty() && pyramid.size() <= 16, "correlation_lookup: the pyramid must have 1 to 16 levels, got ", pyramid.size());
    check(radius >= 0 && radius <= 64, "correlation_lookup: the radius must be in [0, 64], got ", radius);
    check(coordinates.extent(1) == 2, "correlation_lookup: coordinates must have shape (N, 2, H, W), got ", shape_text(coordinates.shape()));
    std::vector<dense_view<T, 4>> out;
    for (const E& e : pyramid) {
        out.push_back(as_dense<T, 4>(e, "correlation_lookup: pyramid"));
        check(out.back().extent(0) == coordinates.extent(0) && out.back().extent(1) == coordinates.extent(2) * coordinates.extent(3),
              "correlation_lookup: levels must have shape (", coordinates.extent(0), ", ", coordinates.extent(2) * coordinates.extent(3), ", h, w), got ",
              shape_text(out.back().shape()));
    }
    return out;
}

template <class T>
void lookup_all(const std::vector<dense_view<T, 4>>& levels, const dense_view<T, 4>& coordinates, std::size_t radius, T* out) {
    const std::size_t places = coordinates.extent(2) * coordinates.extent(3), of_level = (2 * radius + 1) * (2 * radius + 1) * places;
    for (std::size_t l = 0; l < levels.size(); ++l)
        correlation_lookup({coordinates.extent(0), places, levels[l].extent(2), levels[l].extent(3), l, radius, levels.size() * of_level}, levels[l].data(),
                           coordinates.data(), out + l * of_level);
}

template <class V, class M>
std::array<std::size_t, 4> convex_shape(const V& values, const M& mask, std::int64_t factor) {
    check(factor >= 1 && factor <= 64, "convex_upsample: the factor must be in [1, 64], got ", factor);
    const auto f = static_cast<std::size_t>(factor);
    check(mask.extent(0) == values.extent(0) && mask.extent(1) == 9 * f * f && mask.extent(2) == values.extent(2) && mask.extent(3) == values.extent(3),
          "convex_upsample: mask must have shape (", values.extent(0), ", ", 9 * f * f, ", ", values.extent(2), ", ", values.extent(3), "), got ",
          shape_text(mask.shape()));
    return {values.extent(0), values.extent(1), values.extent(2) * f, values.extent(3) * f};
}

}  // namespace detail

/// Compares each place of one map with the places around it in another: products of patches, averaged over channels and patch.
///
/// Channel (q D + p) of the result is the displacement by p - r to the right and q - r down, times displacement_stride, where r =
/// max_displacement / displacement_stride and D = 2 r + 1 (Dosovitskiy et al. 2015, arXiv:1504.06852, equation 1, divided by the number of
/// products as the authors' layer does).
///
/// @param a, b     (N, C, H, W)
/// @param options  see correlation_options
/// @return         (N, D D, H', W') with H' = ceil((H + 2 padding - 2 max_displacement - kernel_size + 1) / stride)
/// @throws invalid_argument  on other shapes, options out of range, or maps smaller than the displacements
///
/// float and double. Agrees with FlowNet-C's layer (its formula in double; the layer itself runs on GPUs alone). A NaN spreads to every
/// product that it takes part in.
template <array_expression A, array_expression B>
xt::xtensor<scalar_t<A, B>, 4> correlation_volume(const A& a, const B& b, const correlation_options& options = {}) {
    using T = scalar_t<A, B>;
    const auto first = as_dense<T, 4>(a, "correlation_volume: a"), second = as_dense<T, 4>(b, "correlation_volume: b");
    const auto shape = detail::correlation_shape(first.shape(), second.shape(), options);
    auto out = detail::new_tensor<T>(shape[0], shape[1], shape[2], shape[3]);
    detail::correlation_volume(first.shape(), shape, options, first.data(), second.data(), out.data());
    return out;
}
/// The same into the caller's memory: `out` is dense, row-major, of the result's shape and type.
template <array_expression A, array_expression B, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void correlation_volume(const A& a, const B& b, const correlation_options& options, Out&& out) {
    using T = scalar_t<A, B>;
    const auto first = as_dense<T, 4>(a, "correlation_volume: a"), second = as_dense<T, 4>(b, "correlation_volume: b");
    const auto shape = detail::correlation_shape(first.shape(), second.shape(), options);
    detail::correlation_volume(first.shape(), shape, options, first.data(), second.data(), detail::as_output<T, 4>(out, shape, "correlation_volume: out"));
}

/// Multiplies every place of one map with every place of another: (N, C, H, W) twice -> (N, H W, H, W), divided by sqrt(C).
///
/// Row y W + x holds the place (y, x) of `a` against all of `b` (Teed and Deng 2020, arXiv:2003.12039, section 3.2). float (core/gemm.hpp) and
/// double. Agrees with torchvision's RAFT (CorrBlock) within rounding.
/// @throws invalid_argument  on another rank, different shapes, no channels
template <array_expression A, array_expression B>
xt::xtensor<scalar_t<A, B>, 4> all_pairs_correlation(const A& a, const B& b) {
    using T = scalar_t<A, B>;
    const auto first = as_dense<T, 4>(a, "all_pairs_correlation: a"), second = as_dense<T, 4>(b, "all_pairs_correlation: b");
    const auto shape = detail::all_pairs_shape(first, second);
    auto out = detail::new_tensor<T>(shape[0], shape[1], shape[2], shape[3]);
    detail::all_pairs_correlation(first.shape(), first.data(), second.data(), out.data());
    return out;
}
/// The same into the caller's memory: `out` is dense, row-major, of the result's shape and type.
template <array_expression A, array_expression B, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void all_pairs_correlation(const A& a, const B& b, Out&& out) {
    using T = scalar_t<A, B>;
    const auto first = as_dense<T, 4>(a, "all_pairs_correlation: a"), second = as_dense<T, 4>(b, "all_pairs_correlation: b");
    const auto shape = detail::all_pairs_shape(first, second);
    detail::all_pairs_correlation(first.shape(), first.data(), second.data(), detail::as_output<T, 4>(out, shape, "all_pairs_correlation: out"));
}

/// Gives all_pairs_correlation's volume and `levels - 1` coarser ones, each the means of 2 x 2 elements of the last two axes of the one before.
///
/// @return  the levels, finest first; level l has shape (N, H W, H / 2^l, W / 2^l), rounded down
/// @throws invalid_argument  as all_pairs_correlation; on levels outside [1, 16], or more than the maps can be halved
template <array_expression A, array_expression B>
std::vector<xt::xtensor<scalar_t<A, B>, 4>> correlation_pyramid(const A& a, const B& b, std::int64_t levels = 4) {
    using T = scalar_t<A, B>;
    detail::check(levels >= 1 && levels <= 16, "correlation_pyramid: levels must be in [1, 16], got ", levels);
    std::vector<xt::xtensor<T, 4>> out;
    out.push_back(all_pairs_correlation(a, b));
    for (std::int64_t l = 1; l < levels; ++l) {
        const auto& s = out.back().shape();
        detail::check(s[2] >= 2 && s[3] >= 2, "correlation_pyramid: a map of ", out[0].shape()[2], " x ", out[0].shape()[3], " has no ", levels, " levels");
        auto next = detail::new_tensor<T>(s[0], s[1], s[2] / 2, s[3] / 2);
        detail::halve_maps(s[0] * s[1], s[2], s[3], out.back().data(), next.data());
        out.push_back(std::move(next));
    }
    return out;
}

/// Reads a correlation pyramid in a window around each place's counterpart, between elements bilinearly, zeros outside.
///
/// Channel ((l D + i) D + j) is level l at (x / 2^l + i - radius, y / 2^l + j - radius), D = 2 radius + 1: the first index moves to the right, as in
/// the authors' code.
///
/// @param pyramid      from correlation_pyramid
/// @param coordinates  (N, 2, H, W) x and y of each place's counterpart, in elements; NaN and infinity lie outside
/// @return             (N, levels D D, H, W)
/// @throws invalid_argument  on other shapes, no levels, a radius outside [0, 64]
///
/// float and double. Agrees with torchvision's RAFT (CorrBlock.index_pyramid) to 1e-4 of the largest element (it rounds coordinates on their way to
/// -1..1 and back), but where a level has one column: torchvision divides by 0 there.
template <array_expression E, array_expression C>
xt::xtensor<scalar_t<E, C>, 4> correlation_lookup(const std::vector<E>& pyramid, const C& coordinates, std::int64_t radius = 4) {
    using T = scalar_t<E, C>;
    const auto at = as_dense<T, 4>(coordinates, "correlation_lookup: coordinates");
    const auto levels = detail::lookup_levels<T, E>(pyramid, at, radius);
    const auto r = static_cast<std::size_t>(radius);
    auto out = detail::new_tensor<T>(at.extent(0), levels.size() * (2 * r + 1) * (2 * r + 1), at.extent(2), at.extent(3));
    detail::lookup_all(levels, at, r, out.data());
    return out;
}
/// The same into the caller's memory: `out` is dense, row-major, of the result's shape and type.
template <array_expression E, array_expression C, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void correlation_lookup(const std::vector<E>& pyramid, const C& coordinates, std::int64_t radius, Out&& out) {
    using T = scalar_t<E, C>;
    const auto at = as_dense<T, 4>(coordinates, "correlation_lookup: coordinates");
    const auto levels = detail::lookup_levels<T, E>(pyramid, at, radius);
    const auto r = static_cast<std::size_t>(radius);
    T* to = detail::as_output<T, 4>(out, {at.extent(0), levels.size() * (2 * r + 1) * (2 * r + 1), at.extent(2), at.extent(3)}, "correlation_lookup: out");
    detail::lookup_all(levels, at, r, to);
}

/// Upsamples a flow: each element of the result is a mixture of the 3 x 3 coarse ones around it, times the factor.
///
/// @param flow    (N, C, H, W) values that grow with the factor: flow, disparity
/// @param mask    (N, 9 factor^2, H, W); channel (k factor + i) factor + j weighs neighbour k (row by row) for row i and column j of each cell; the
///                softmax over k makes the weights. A NaN makes its element NaN
/// @return        (N, C, H factor, W factor); neighbours outside are 0
/// @throws invalid_argument  on other shapes, a factor outside [1, 64]
///
/// Teed and Deng 2020 (arXiv:2003.12039), section 3.3. float and double. Agrees with torchvision's RAFT (upsample_flow with a mask) within rounding.
template <array_expression F, array_expression M>
xt::xtensor<scalar_t<F, M>, 4> convex_upsample(const F& flow, const M& mask, std::int64_t factor = 8) {
    using T = scalar_t<F, M>;
    const auto values = as_dense<T, 4>(flow, "convex_upsample: flow"), weights = as_dense<T, 4>(mask, "convex_upsample: mask");
    const auto shape = detail::convex_shape(values, weights, factor);
    auto out = detail::new_tensor<T>(shape[0], shape[1], shape[2], shape[3]);
    detail::convex_upsample(values.shape(), static_cast<std::size_t>(factor), values.data(), weights.data(), out.data());
    return out;
}
/// The same into the caller's memory: `out` is dense, row-major, of the result's shape and type.
template <array_expression F, array_expression M, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void convex_upsample(const F& flow, const M& mask, std::int64_t factor, Out&& out) {
    using T = scalar_t<F, M>;
    const auto values = as_dense<T, 4>(flow, "convex_upsample: flow"), weights = as_dense<T, 4>(mask, "convex_upsample: mask");
    const auto shape = detail::convex_shape(values, weights, factor);
    detail::convex_upsample(values.shape(), static_cast<std::size_t>(factor), values.data(), weights.data(),
                            detail::as_output<T, 4>(out, shape, "convex_upsample: out"));
}

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/features/impl/correlation.inl>
#endif
