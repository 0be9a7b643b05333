#pragma once

/// @file
/// Maps sampled at the points of a grid, as torch.nn.functional.grid_sample does.

#include <ocelli/core/config.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/core/tensor.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace ocelli {

enum class sample_mode { bilinear, nearest, bicubic };

/// What a place outside the map reads.
enum class sample_padding {
    zeros,
    border,     ///< the nearest element of the border
    reflection  ///< mirrored at the border, as often as needed
};

/// The defaults are torch's.
struct grid_sample_options {
    sample_mode mode = sample_mode::bilinear;
    sample_padding padding = sample_padding::zeros;
    /// -1 and 1 are the centres of the corner elements; else the corners of the map.
    bool align_corners = false;
};

namespace detail {

void grid_sample(const std::array<std::size_t, 4>& in, std::size_t rows, std::size_t columns, const grid_sample_options& options, const float* x,
                 const float* grid, float* out);
void grid_sample(const std::array<std::size_t, 4>& in, std::size_t rows, std::size_t columns, const grid_sample_options& options, const double* x,
                 const double* grid, double* out);

template <class In, class Grid>
void check_grid(const In& in, const Grid& grid) {
    check(grid.extent(0) == in.extent(0) && grid.extent(3) == 2, "grid_sample: grid must have shape (", in.extent(0), ", H, W, 2), got ",
          shape_text(grid.shape()));
    check((in.extent(2) != 0 && in.extent(3) != 0) || grid.size() == 0 || in.extent(1) == 0, "grid_sample: the map has no elements, ",
          shape_text(in.shape()));
    constexpr std::size_t limit = std::size_t{1} << 30;
    check(in.extent(2) < limit && in.extent(3) < limit, "grid_sample: the map is too large, ", shape_text(in.shape()));
}

}  // namespace detail

/// Samples maps at the points of a grid.
///
/// @param input    (N, C, H, W)
/// @param grid     (N, H', W', 2) points x, y; -1 to 1 across the map
/// @param options  mode, padding, align_corners
/// @return         (N, C, H', W')
/// @throws invalid_argument  on other shapes, or a map without elements that is asked for some
///
/// A place that is NaN or infinite reads 0 with zeros. With border, infinity reads the border's end and NaN the first element; with reflection
/// both read the first. float and double. Agrees with torch.nn.functional.grid_sample (with finite grids) to 1e-5 of the largest element: a place
/// is rounded to the precision of the elements.
template <array_expression E, array_expression G>
xt::xtensor<scalar_t<E, G>, 4> grid_sample(const E& input, const G& grid, const grid_sample_options& options = {}) {
    using T = scalar_t<E, G>;
    const auto in = as_dense<T, 4>(input, "grid_sample: input");
    const auto g = as_dense<T, 4>(grid, "grid_sample: grid");
    detail::check_grid(in, g);
    auto out = detail::new_tensor<T>(in.extent(0), in.extent(1), g.extent(1), g.extent(2));
    detail::grid_sample(in.shape(), g.extent(1), g.extent(2), options, in.data(), g.data(), out.data());
    return out;
}
/// The same into the caller's memory: `out` is dense, row-major, of the result's shape and type.
template <array_expression E, array_expression G, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void grid_sample(const E& input, const G& grid, const grid_sample_options& options, Out&& out) {
    using T = scalar_t<E, G>;
    const auto in = as_dense<T, 4>(input, "grid_sample: input");
    const auto g = as_dense<T, 4>(grid, "grid_sample: grid");
    detail::check_grid(in, g);
    T* to = detail::as_output<T, 4>(out, {in.extent(0), in.extent(1), g.extent(1), g.extent(2)}, "grid_sample: out");
    detail::grid_sample(in.shape(), g.extent(1), g.extent(2), options, in.data(), g.data(), to);
}

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/features/impl/grid_sample.inl>
#endif
