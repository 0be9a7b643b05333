#pragma once

/// @file
/// Gaussian filtering of values at scattered points of any dimension, by the permutohedral lattice (Adams, Baek and Davis 2010).

#include <ocelli/core/error.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/crf/detail/lattice.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>

namespace ocelli {

/// Filters values at points with a Gaussian of standard deviation 1 in the space of their features.
///
/// With positions divided by a spatial deviation and colours divided by a colour deviation as features this is the bilateral filter. Building
/// takes O(N D^2), a filter O((N + M) D C), for N points in D dimensions, M vertices and C channels; M is at most (D + 1) N. Points are
/// spread to the vertices of their simplex, vertices blurred along each axis, and points read back what lies around them. The sum of a point's
/// weights is not 1: divide by the filtered ones for a weighted mean.
///
/// T is float or double. A built lattice does not change and may be used by several threads at once; results do not depend on the number of
/// threads. Agrees with the lattice of pydensecrf (Krähenbühl and Koltun 2011) to 1e-5 of the largest value.
template <class T = float>
class permutohedral_lattice {
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>, "permutohedral_lattice: float or double");

public:
    /// A lattice without points.
    permutohedral_lattice() { detail::build_lattice(lattice_, detail::block_layout::of_image(1, 0), {1, {}}, "permutohedral_lattice"); }

    /// Builds the lattice of these points.
    ///
    /// @param features  (N, D), D from 1 to 255, in units of the Gaussian's deviation
    /// @throws invalid_argument  on NaN or infinite features, and on ones so large that the lattice's cells cannot be counted (2^21 cells
    ///                           from the origin for float, 2^30 for double; pydensecrf wraps at 2^15)
    template <array_expression F>
        requires(!std::is_same_v<std::remove_cvref_t<F>, permutohedral_lattice>)
    explicit permutohedral_lattice(const F& features) {
        const auto f = as_dense<T, 2>(features, "permutohedral_lattice: features");
        const std::size_t d = f.extent(1);
        const detail::feature_source<T> source{d, [&](const detail::block_layout::block& b, T* to, std::size_t pitch) {
                                                   const T* from = f.data() + b.begin * d;
                                                   for (std::size_t i = 0; i < b.points(); ++i)
                                                       for (std::size_t j = 0; j < d; ++j) to[j * pitch + i] = from[i * d + j];
                                               }};
        detail::build_lattice(lattice_, detail::block_layout::of_image(1, f.extent(0)), source, "permutohedral_lattice");
    }

    std::size_t points() const noexcept { return lattice_.layout.points(); }
    std::size_t dimensions() const noexcept { return lattice_.dimensions; }
    std::size_t vertices() const noexcept { return lattice_.vertices; }

    /// Filters values.
    ///
    /// @param values   (N, C); NaN and infinity spread to whatever shares a vertex with them, or with a neighbour of it
    /// @param reverse  blur along the axes in the opposite order: the transpose of the forward filter
    /// @return         (N, C)
    /// @throws invalid_argument  on another number of points
    template <array_expression V>
    xt::xtensor<T, 2> filter(const V& values, bool reverse = false) const {
        const auto v = as_dense<T, 2>(values, "permutohedral_lattice: values");
        auto out = detail::new_tensor<T>(points(), v.extent(1));
        run(v, reverse, out.data());
        return out;
    }
    /// The same into the caller's memory, dense and row-major; it may be the values' own.
    template <array_expression V, class Out>
        requires array_expression<std::remove_cvref_t<Out>>
    void filter(const V& values, Out&& out, bool reverse = false) const {
        const auto v = as_dense<T, 2>(values, "permutohedral_lattice: values");
        run(v, reverse, detail::as_output<T, 2>(out, {points(), v.extent(1)}, "permutohedral_lattice: out"));
    }

private:
    void run(const dense_view<T, 2>& values, bool reverse, T* out) const {
        detail::check(values.extent(0) == points(), "permutohedral_lattice: values must have ", points(), " rows, got ", values.extent(0));
        detail::filter_points(lattice_, values.data(), values.extent(1), reverse, out);
    }

    detail::lattice<T> lattice_;
};

}  // namespace ocelli
