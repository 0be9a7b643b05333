#pragma once

/// @file
/// From pixels to network tensors and back: channel order of memory, scale, mean and deviation.
///
///     // torchvision: ToTensor and Normalize
///     auto x = ocelli::hwc_to_nchw(photo, {.scale = 1.0 / 255, .mean = {0.485, 0.456, 0.406}, .stddev = {0.229, 0.224,
///     0.225}});

#include <ocelli/core/parallel.hpp>
#include <ocelli/image/detail/pixels.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>
#include <vector>

namespace ocelli {

/// How pixel values become network values: (value * scale - mean) / stddev, per channel.
struct normalization {
    double scale = 1;                ///< multiplies the pixel, 1.0 / 255 for networks trained on [0, 1]
    std::vector<double> mean = {};   ///< one per channel, one for all, or none (0)
    std::vector<double> stddev = {}; ///< one per channel, one for all, or none (1); not 0
    bool swap_red_blue = false;      ///< exchanges channels 0 and 2 first; mean and stddev are in the order of the result
};

namespace detail {

/// The element type that network values of pixels T have.
template <class T>
using network_value_t = std::conditional_t<std::is_same_v<T, double>, double, float>;

/// Per channel of the result: which channel it comes from, and value * factor + offset in double.
struct channel_map {
    std::size_t source;
    double scale, mean, stddev;
    double operator()(double v) const noexcept { return (v * scale - mean) / stddev; }
};

inline std::vector<channel_map> channel_maps(const normalization& n, std::size_t channels, std::string_view what) {
    check(n.mean.size() <= 1 || n.mean.size() == channels, what, ": mean must have 0, 1 or ", channels, " values, got ",
          n.mean.size());
    check(n.stddev.size() <= 1 || n.stddev.size() == channels, what, ": stddev must have 0, 1 or ", channels, " values, got ",
          n.stddev.size());
    check(!n.swap_red_blue || channels == 3 || channels == 4, what, ": swap_red_blue needs 3 or 4 channels, got ", channels);
    std::vector<channel_map> maps(channels);
    for (std::size_t c = 0; c < channels; ++c) {
        const auto pick = [&](const std::vector<double>& v, double none) {
            return v.empty() ? none : v[v.size() == 1 ? 0 : c];
        };
        maps[c] = {n.swap_red_blue && c < 3 ? 2 - c : c, n.scale, pick(n.mean, 0), pick(n.stddev, 1)};
        check(maps[c].stddev != 0, what, ": stddev must not be 0");
    }
    return maps;
}

/// Writes pixel i, channel c of the result to out[i * pixel_step + c * channel_step]. Bytes go through a table: exact, and
/// quick.
template <class T, class Out>
void normalize_pixels(const T* in, std::size_t pixels, std::size_t channels, const std::vector<channel_map>& maps, Out* out,
                      std::size_t pixel_step, std::size_t channel_step) {
    std::unique_ptr<Out[]> table;
    if constexpr (std::is_same_v<T, std::uint8_t>) {
        table.reset(new Out[channels * 256]);
        for (std::size_t c = 0; c < channels; ++c)
            for (std::size_t v = 0; v < 256; ++v) table[c * 256 + v] = static_cast<Out>(maps[c](static_cast<double>(v)));
    }
    parallel_for(pixels, 16384, [&](std::size_t begin, std::size_t end) {
        for (std::size_t c = 0; c < channels; ++c) {
            const channel_map map = maps[c];
            const T* p = in + begin * channels + map.source;
            Out* q = out + begin * pixel_step + c * channel_step;
            for (std::size_t i = begin; i < end; ++i, p += channels, q += pixel_step) {
                if constexpr (std::is_same_v<T, std::uint8_t>) {
                    *q = table[c * 256 + *p];
                } else {
                    *q = static_cast<Out>(map(static_cast<double>(*p)));
                }
            }
        }
    });
}

/// in (batch, rows, columns) to out (batch, columns, rows).
template <class T>
void transpose_planes(const T* in, std::size_t batch, std::size_t rows, std::size_t columns, T* out) {
    parallel_for(batch, 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t n = begin; n < end; ++n) {
            const T* from = in + n * rows * columns;
            T* to = out + n * rows * columns;
            // The short side is the inner loop's number of streams.
            if (rows < columns) {
                for (std::size_t r = 0; r < rows; ++r)
                    for (std::size_t c = 0; c < columns; ++c) to[c * rows + r] = from[r * columns + c];
            } else {
                for (std::size_t c = 0; c < columns; ++c)
                    for (std::size_t r = 0; r < rows; ++r) to[c * rows + r] = from[r * columns + c];
            }
        }
    });
}

} // namespace detail

/// Scales and shifts pixel values: (value * scale - mean) / stddev per channel, computed in double and rounded once.
///
/// @param image  (H, W) or (H, W, C) of uint8, float or double
/// @return       the same shape in float (double for double)
/// @throws invalid_argument  when mean or stddev fit neither one nor all channels, or a stddev is 0
///
/// Within float rounding of torchvision's ToTensor (scale 1 / 255) and Normalize.
template <array_expression E>
auto normalize(const E& image, const normalization& how) {
    using T = value_type_t<E>;
    using Out = detail::network_value_t<T>;
    const detail::pixel_source source(image, "normalize: image");
    const std::size_t channels = source.channels();
    const auto maps = detail::channel_maps(how, channels, "normalize");
    auto out = xt::xtensor<Out, detail::image_rank<E>()>::from_shape(source.shape());
    detail::normalize_pixels(source.data(), source.height() * source.width(), channels, maps, out.data(), channels, 1);
    return out;
}

/// Turns an image into a network's input of one picture, normalised on the way.
///
/// @param image  (H, W) or (H, W, C) of uint8, float or double
/// @return       (1, C, H, W) in float (double for double)
/// @throws invalid_argument  like normalize
template <array_expression E>
auto hwc_to_nchw(const E& image, const normalization& how) {
    using T = value_type_t<E>;
    using Out = detail::network_value_t<T>;
    const detail::pixel_source source(image, "hwc_to_nchw: image");
    const std::size_t channels = source.channels();
    const std::size_t plane = source.height() * source.width();
    const auto maps = detail::channel_maps(how, channels, "hwc_to_nchw");
    auto out = detail::new_tensor<Out>(1, channels, source.height(), source.width());
    detail::normalize_pixels(source.data(), plane, channels, maps, out.data(), 1, plane);
    return out;
}

/// The same into memory of the caller: dense (1, C, H, W) of float (double for double), say one picture of a batch.
/// @throws invalid_argument  like normalize, and on another shape of out
template <array_expression E, class Out>
requires(array_expression<std::remove_cvref_t<Out>>) void hwc_to_nchw(const E& image, const normalization& how, Out&& out) {
    using T = value_type_t<E>;
    const detail::pixel_source source(image, "hwc_to_nchw: image");
    const std::size_t channels = source.channels();
    const std::size_t plane = source.height() * source.width();
    const auto maps = detail::channel_maps(how, channels, "hwc_to_nchw");
    auto* memory = detail::as_output<detail::network_value_t<T>, 4>(
        out, std::array<std::size_t, 4>{1, channels, source.height(), source.width()}, "hwc_to_nchw: out");
    detail::normalize_pixels(source.data(), plane, channels, maps, memory, 1, plane);
}

/// Turns an image into a tensor of one picture, values unchanged.
///
/// @param image  (H, W) or (H, W, C)
/// @return       (1, C, H, W) of the same type
template <array_expression E>
auto hwc_to_nchw(const E& image) {
    using T = value_type_t<E>;
    const detail::pixel_source source(image, "hwc_to_nchw: image");
    auto out = detail::new_tensor<T>(1, source.channels(), source.height(), source.width());
    detail::transpose_planes(source.data(), 1, source.height() * source.width(), source.channels(), out.data());
    return out;
}

/// Turns a tensor of one picture into an image.
///
/// @param tensor  (1, C, H, W)
/// @return        (H, W, C) of the same type
/// @throws invalid_argument  when it holds several pictures: see nchw_to_nhwc
template <array_expression E>
auto nchw_to_hwc(const E& tensor) {
    using T = value_type_t<E>;
    const auto dense = as_dense<T, 4>(tensor, "nchw_to_hwc: tensor");
    detail::check_shape(dense, {1, detail::any, detail::any, detail::any}, "nchw_to_hwc: tensor");
    auto out = detail::new_tensor<T>(dense.extent(2), dense.extent(3), dense.extent(1));
    detail::transpose_planes(dense.data(), 1, dense.extent(1), dense.extent(2) * dense.extent(3), out.data());
    return out;
}

/// Turns a batch of images (N, H, W, C) into network tensors (N, C, H, W), values unchanged.
template <array_expression E>
auto nhwc_to_nchw(const E& images) {
    using T = value_type_t<E>;
    const auto dense = as_dense<T, 4>(images, "nhwc_to_nchw: images");
    auto out = detail::new_tensor<T>(dense.extent(0), dense.extent(3), dense.extent(1), dense.extent(2));
    detail::transpose_planes(dense.data(), dense.extent(0), dense.extent(1) * dense.extent(2), dense.extent(3), out.data());
    return out;
}

/// Turns network tensors (N, C, H, W) into images (N, H, W, C), values unchanged.
template <array_expression E>
auto nchw_to_nhwc(const E& tensors) {
    using T = value_type_t<E>;
    const auto dense = as_dense<T, 4>(tensors, "nchw_to_nhwc: tensors");
    auto out = detail::new_tensor<T>(dense.extent(0), dense.extent(2), dense.extent(3), dense.extent(1));
    detail::transpose_planes(dense.data(), dense.extent(0), dense.extent(1), dense.extent(2) * dense.extent(3), out.data());
    return out;
}

} // namespace ocelli
