#pragma once

/// @file
/// Pixel shuffle and its inverse: channels to space, space to channels.

#include <ocelli/core/parallel.hpp>
#include <ocelli/core/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace ocelli {
namespace detail {

template <class T>
void pixel_shuffle(const T* in, std::size_t planes, std::size_t h, std::size_t w, std::size_t r, T* out) {
    // A plane of the result is made of r r planes of the input that follow each other.
    parallel_for(planes, 1 + 16384 / (h * w * r * r + 1), [&](std::size_t begin, std::size_t end) {
        for (std::size_t c = begin; c < end; ++c)
            for (std::size_t i = 0; i < r; ++i)
                for (std::size_t j = 0; j < r; ++j) {
                    const T* from = in + (c * r * r + i * r + j) * h * w;
                    T* to = out + c * r * r * h * w + i * r * w + j;
                    for (std::size_t y = 0; y < h; ++y)
                        for (std::size_t x = 0; x < w; ++x) to[y * r * r * w + x * r] = from[y * w + x];
                }
    });
}

template <class T>
void pixel_unshuffle(const T* in, std::size_t planes, std::size_t h, std::size_t w, std::size_t r, T* out) {
    parallel_for(planes, 1 + 16384 / (h * w * r * r + 1), [&](std::size_t begin, std::size_t end) {
        for (std::size_t c = begin; c < end; ++c)
            for (std::size_t i = 0; i < r; ++i)
                for (std::size_t j = 0; j < r; ++j) {
                    const T* from = in + c * r * r * h * w + i * r * w + j;
                    T* to = out + (c * r * r + i * r + j) * h * w;
                    for (std::size_t y = 0; y < h; ++y)
                        for (std::size_t x = 0; x < w; ++x) to[y * w + x] = from[y * r * r * w + x * r];
                }
    });
}

template <class View>
std::size_t shuffle_factor(const View& v, std::int64_t factor) {
    check(factor >= 1 && factor <= 32768, "pixel_shuffle: the factor must be in [1, 32768], got ", factor);
    const auto r = static_cast<std::size_t>(factor);
    check(v.extent(1) % (r * r) == 0, "pixel_shuffle: the channels must be a multiple of ", r * r, ", got ", shape_text(v.shape()));
    return r;
}

template <class View>
std::size_t unshuffle_factor(const View& v, std::int64_t factor) {
    check(factor >= 1 && factor <= 32768, "pixel_unshuffle: the factor must be in [1, 32768], got ", factor);
    const auto r = static_cast<std::size_t>(factor);
    check(v.extent(2) % r == 0 && v.extent(3) % r == 0, "pixel_unshuffle: height and width must be multiples of ", r, ", got ",
          shape_text(v.shape()));
    return r;
}

}  // namespace detail

/// Moves channels into space: (N, C r r, H, W) -> (N, C, H r, W r), out(n, c, y r + i, x r + j) = in(n, c r r + i r + j, y, x).
///
/// Shi et al. 2016 (arXiv:1609.05158). Any element type. Equal to torch.nn.functional.pixel_shuffle.
/// @throws invalid_argument  on another rank, channels that r r does not divide, a factor outside [1, 32768]
template <array_expression E>
xt::xtensor<value_type_t<E>, 4> pixel_shuffle(const E& input, std::int64_t factor) {
    const auto in = as_dense<value_type_t<E>, 4>(input, "pixel_shuffle: input");
    const std::size_t r = detail::shuffle_factor(in, factor), c = in.extent(1) / (r * r);
    auto out = detail::new_tensor<value_type_t<E>>(in.extent(0), c, in.extent(2) * r, in.extent(3) * r);
    detail::pixel_shuffle(in.data(), in.extent(0) * c, in.extent(2), in.extent(3), r, out.data());
    return out;
}
/// The same into the caller's memory: `out` is dense, row-major, of the result's shape and the input's element type.
template <array_expression E, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void pixel_shuffle(const E& input, std::int64_t factor, Out&& out) {
    const auto in = as_dense<value_type_t<E>, 4>(input, "pixel_shuffle: input");
    const std::size_t r = detail::shuffle_factor(in, factor), c = in.extent(1) / (r * r);
    auto* to = detail::as_output<value_type_t<E>, 4>(out, {in.extent(0), c, in.extent(2) * r, in.extent(3) * r}, "pixel_shuffle: out");
    detail::pixel_shuffle(in.data(), in.extent(0) * c, in.extent(2), in.extent(3), r, to);
}

/// Moves space into channels, the inverse of pixel_shuffle: (N, C, H r, W r) -> (N, C r r, H, W).
///
/// Any element type. Equal to torch.nn.functional.pixel_unshuffle.
/// @throws invalid_argument  on another rank, a height or width that r does not divide, a factor outside [1, 32768]
template <array_expression E>
xt::xtensor<value_type_t<E>, 4> pixel_unshuffle(const E& input, std::int64_t factor) {
    const auto in = as_dense<value_type_t<E>, 4>(input, "pixel_unshuffle: input");
    const std::size_t r = detail::unshuffle_factor(in, factor), h = in.extent(2) / r, w = in.extent(3) / r;
    auto out = detail::new_tensor<value_type_t<E>>(in.extent(0), in.extent(1) * r * r, h, w);
    detail::pixel_unshuffle(in.data(), in.extent(0) * in.extent(1), h, w, r, out.data());
    return out;
}
/// The same into the caller's memory: `out` is dense, row-major, of the result's shape and the input's element type.
template <array_expression E, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void pixel_unshuffle(const E& input, std::int64_t factor, Out&& out) {
    const auto in = as_dense<value_type_t<E>, 4>(input, "pixel_unshuffle: input");
    const std::size_t r = detail::unshuffle_factor(in, factor), h = in.extent(2) / r, w = in.extent(3) / r;
    auto* to = detail::as_output<value_type_t<E>, 4>(out, {in.extent(0), in.extent(1) * r * r, h, w}, "pixel_unshuffle: out");
    detail::pixel_unshuffle(in.data(), in.extent(0) * in.extent(1), h, w, r, to);
}

}  // namespace ocelli
