#pragma once

/// @file
/// Max pooling over windows, with the places of the largest elements or without, and its inverse.

#include <ocelli/core/config.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/features/detail/pool_types.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace ocelli {

/// Windows of a two-dimensional pooling: rows before columns; torch.nn.functional.max_pool2d's.
struct pool2d_options {
    std::array<std::int64_t, 2> kernel{2, 2};
    /// Distance of windows; 0: as the kernel.
    std::array<std::int64_t, 2> stride{0, 0};
    /// Elements around the map that are never the largest; at most half of the kernel.
    std::array<std::int64_t, 2> padding{0, 0};
    std::array<std::int64_t, 2> dilation{1, 1};
    /// Rounds the result's extents up: a last window may reach over the map's end, but starts inside it or in the padding before.
    bool ceil_mode = false;
};

/// The largest element of each window, and where it stands in its plane: row * W + column.
template <class T>
struct pooled_with_indices {
    xt::xtensor<T, 4> values;
    xt::xtensor<std::int64_t, 4> indices;
};

namespace detail {

/// Indices, where asked for, count from place * index_step in the place-th plane: 0 for each plane alone, height * width for all of them.
void max_pool(const pool_windows& w, const float* in, float* out, std::int64_t* indices, std::int64_t index_step = 0);
void max_pool(const pool_windows& w, const double* in, double* out, std::int64_t* indices, std::int64_t index_step = 0);
/// Whether rows of the result are long enough for vectors.
bool max_pool_is_wide(const pool_windows& w) noexcept;

/// Planes of `in` elements to planes of `out` elements. @throws invalid_argument  on an index outside its plane
void max_unpool(std::int64_t planes, std::int64_t in, std::int64_t out, const float* values, const std::int64_t* indices, float* to);
void max_unpool(std::int64_t planes, std::int64_t in, std::int64_t out, const double* values, const std::int64_t* indices, double* to);

/// Checks the options and gives the windows for maps of this shape.
pool_windows max_pool_windows(const std::array<std::size_t, 4>& shape, const pool2d_options& options, const char* name);

inline std::array<std::size_t, 4> pooled_shape(const std::array<std::size_t, 4>& in, const pool_windows& w) {
    return {in[0], in[1], static_cast<std::size_t>(w.out_height), static_cast<std::size_t>(w.out_width)};
}

template <class Values, class Indices>
std::array<std::size_t, 4> unpooled_shape(const Values& values, const Indices& indices, const std::array<std::int64_t, 2>& size) {
    check(values.shape() == indices.shape(), "max_unpool2d: indices must have the input's shape ", shape_text(values.shape()), ", got ",
          shape_text(indices.shape()));
    constexpr std::int64_t limit = std::int64_t{1} << 30;
    check(size[0] >= 0 && size[1] >= 0 && size[0] < limit && size[1] < limit, "max_unpool2d: the output's sides must be in [0, 2^30), got ", size[0],
          " and ", size[1]);
    return {values.extent(0), values.extent(1), static_cast<std::size_t>(size[0]), static_cast<std::size_t>(size[1])};
}

}  // namespace detail

/// Takes the largest element of each window of each channel.
///
/// @param input    (N, C, H, W)
/// @param options  windows; the result has (H + 2 padding - dilation (kernel - 1) - 1) / stride + 1 rows, columns likewise
/// @return         (N, C, H', W')
/// @throws invalid_argument  on another rank, a map without elements (N or C may be 0), windows out of range or larger than the padded map
///
/// NaN wins over every number; a window that meets nothing but padding gives -infinity. float and double. Equal to
/// torch.nn.functional.max_pool2d.
template <array_expression E>
xt::xtensor<scalar_t<E>, 4> max_pool2d(const E& input, const pool2d_options& options = {}) {
    const auto in = as_dense<scalar_t<E>, 4>(input, "max_pool2d: input");
    const auto w = detail::max_pool_windows(in.shape(), options, "max_pool2d");
    auto out = detail::new_tensor<scalar_t<E>>(in.extent(0), in.extent(1), w.out_height, w.out_width);
    detail::max_pool(w, in.data(), out.data(), nullptr);
    return out;
}
/// The same into the caller's memory: `out` is dense, row-major, of the result's shape and type.
template <array_expression E, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void max_pool2d(const E& input, const pool2d_options& options, Out&& out) {
    const auto in = as_dense<scalar_t<E>, 4>(input, "max_pool2d: input");
    const auto w = detail::max_pool_windows(in.shape(), options, "max_pool2d");
    auto* to = detail::as_output<scalar_t<E>, 4>(out, detail::pooled_shape(in.shape(), w), "max_pool2d: out");
    detail::max_pool(w, in.data(), to, nullptr);
}

/// Takes the largest element of each window, and its place in its plane: row * W + column, the first of equal elements and the last of NaNs.
///
/// Arguments and errors as max_pool2d; a window that meets nothing but padding has place 0. Equal to torch.nn.functional.max_pool2d with
/// return_indices; max_unpool2d takes the places.
template <array_expression E>
pooled_with_indices<scalar_t<E>> max_pool2d_with_indices(const E& input, const pool2d_options& options = {}) {
    const auto in = as_dense<scalar_t<E>, 4>(input, "max_pool2d_with_indices: input");
    const auto w = detail::max_pool_windows(in.shape(), options, "max_pool2d_with_indices");
    pooled_with_indices<scalar_t<E>> out{detail::new_tensor<scalar_t<E>>(in.extent(0), in.extent(1), w.out_height, w.out_width),
                                         detail::new_tensor<std::int64_t>(in.extent(0), in.extent(1), w.out_height, w.out_width)};
    detail::max_pool(w, in.data(), out.values.data(), out.indices.data());
    return out;
}
/// The same into the caller's memory: both dense, row-major, of the result's shape; `indices` of std::int64_t.
template <array_expression E, class Out, class Indices>
    requires array_expression<std::remove_cvref_t<Out>> && array_expression<std::remove_cvref_t<Indices>>
void max_pool2d_with_indices(const E& input, const pool2d_options& options, Out&& out, Indices&& indices) {
    const auto in = as_dense<scalar_t<E>, 4>(input, "max_pool2d_with_indices: input");
    const auto w = detail::max_pool_windows(in.shape(), options, "max_pool2d_with_indices");
    const auto shape = detail::pooled_shape(in.shape(), w);
    auto* to = detail::as_output<scalar_t<E>, 4>(out, shape, "max_pool2d_with_indices: out");
    auto* at = detail::as_output<std::int64_t, 4>(indices, shape, "max_pool2d_with_indices: indices");
    detail::max_pool(w, in.data(), to, at);
}

/// Puts elements back to the places that max_pool2d_with_indices gave, zeros everywhere else.
///
/// @param input        (N, C, H, W)
/// @param indices      (N, C, H, W) integers: row * output width + column of each element in its plane
/// @param output_size  rows and columns of the result
/// @return             (N, C, output_size); where an index is repeated, the last element with it wins
/// @throws invalid_argument  on another rank, different shapes, an index outside its plane
///
/// float and double. Agrees with torch.nn.functional.max_unpool2d (which promises nothing for repeated indices).
template <array_expression E, array_expression I>
xt::xtensor<scalar_t<E>, 4> max_unpool2d(const E& input, const I& indices, const std::array<std::int64_t, 2>& output_size) {
    const auto in = as_dense<scalar_t<E>, 4>(input, "max_unpool2d: input");
    const auto at = as_dense<std::int64_t, 4>(indices, "max_unpool2d: indices");
    const auto shape = detail::unpooled_shape(in, at, output_size);
    auto out = detail::new_tensor<scalar_t<E>>(shape[0], shape[1], shape[2], shape[3]);
    detail::max_unpool(static_cast<std::int64_t>(shape[0] * shape[1]), static_cast<std::int64_t>(in.extent(2) * in.extent(3)),
                       static_cast<std::int64_t>(shape[2] * shape[3]), in.data(), at.data(), out.data());
    return out;
}
/// The same into the caller's memory: `out` is dense, row-major, of the result's shape and type.
template <array_expression E, array_expression I, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void max_unpool2d(const E& input, const I& indices, const std::array<std::int64_t, 2>& output_size, Out&& out) {
    const auto in = as_dense<scalar_t<E>, 4>(input, "max_unpool2d: input");
    const auto at = as_dense<std::int64_t, 4>(indices, "max_unpool2d: indices");
    const auto shape = detail::unpooled_shape(in, at, output_size);
    auto* to = detail::as_output<scalar_t<E>, 4>(out, shape, "max_unpool2d: out");
    detail::max_unpool(static_cast<std::int64_t>(shape[0] * shape[1]), static_cast<std::int64_t>(in.extent(2) * in.extent(3)),
                       static_cast<std::int64_t>(shape[2] * shape[3]), in.data(), at.data(), to);
}

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/features/impl/pooling.inl>
#endif
