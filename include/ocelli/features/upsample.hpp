#pragma once

/// @file
/// Maps made larger or smaller: nearest, bilinear and bicubic, with torch.nn.functional.interpolate's rules.

#include <ocelli/core/config.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/core/tensor.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace ocelli {

/// How an element between the map's elements is found.
enum class upsample_mode {
    nearest,        ///< the element at floor(position * extent / result's extent)
    nearest_exact,  ///< the element whose centre is nearest (Pillow, scikit-image)
    bilinear,
    bicubic  ///< a = -0.75; with antialias -0.5
};

/// What upsample makes; rows before columns. Either the size or the scale is given.
struct upsample_options {
    /// Rows and columns of the result.
    std::array<std::int64_t, 2> size{0, 0};
    /// Result's extents over the map's: floor(extent * scale) rows and columns, whose positions follow the scale itself.
    std::array<double, 2> scale{0, 0};
    upsample_mode mode = upsample_mode::nearest;
    /// The centres of the corner elements stay at the corners; else the corners of the map do (half-pixel centres). Not for nearest.
    bool align_corners = false;
    /// Spreads the filter over all the elements that one of the result stands for, where the map becomes smaller. Not for nearest.
    bool antialias = false;
    /// Positions follow the extents, not the given scale (torch's recompute_scale_factor).
    bool recompute_scale = false;
};

namespace detail {

/// Shape of the result; checks the options.
std::array<std::size_t, 4> upsampled_shape(const std::array<std::size_t, 4>& shape, const upsample_options& options);

void upsample(const std::array<std::size_t, 4>& from, const std::array<std::size_t, 4>& to, const upsample_options& options, const float* in, float* out);
void upsample(const std::array<std::size_t, 4>& from, const std::array<std::size_t, 4>& to, const upsample_options& options, const double* in, double* out);

}  // namespace detail

/// Resizes maps to a given size or by a given scale.
///
/// @param input    (N, C, H, W)
/// @param options  the size or the scale, mode, rules: see upsample_options
/// @return         (N, C, H', W')
/// @throws invalid_argument  on another rank, a map without elements (N or C may be 0), neither or both of size and scale, sides that are not in
///                           [1, 2^30), align_corners or antialias with a nearest mode
///
/// float and double; sums are rounded like a product of rows and columns, in an order of our own. Agrees with
/// torch.nn.functional.interpolate to 1e-5 of the largest element; the nearest modes are equal to it.
template <array_expression E>
xt::xtensor<scalar_t<E>, 4> upsample(const E& input, const upsample_options& options) {
    const auto in = as_dense<scalar_t<E>, 4>(input, "upsample: input");
    const auto shape = detail::upsampled_shape(in.shape(), options);
    auto out = detail::new_tensor<scalar_t<E>>(shape[0], shape[1], shape[2], shape[3]);
    detail::upsample(in.shape(), shape, options, in.data(), out.data());
    return out;
}
/// The same into the caller's memory: `out` is dense, row-major, of the result's shape and type.
template <array_expression E, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void upsample(const E& input, const upsample_options& options, Out&& out) {
    const auto in = as_dense<scalar_t<E>, 4>(input, "upsample: input");
    const auto shape = detail::upsampled_shape(in.shape(), options);
    auto* to = detail::as_output<scalar_t<E>, 4>(out, shape, "upsample: out");
    detail::upsample(in.shape(), shape, options, in.data(), to);
}

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/features/impl/upsample.inl>
#endif
