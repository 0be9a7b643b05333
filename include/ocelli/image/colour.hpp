#pragma once

/// @file
/// Colour order and grey.

#include <ocelli/core/parallel.hpp>
#include <ocelli/image/detail/pixels.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace ocelli {

/// Whose weights and rounding make grey from colours. Both take the weights of ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B.
enum class grey_method : std::uint8_t {
    opencv, ///< cv2.cvtColor: bytes with 15-bit weights, half up
    pillow, ///< PIL.Image.convert("L"): bytes with 16-bit weights, half up
};

namespace detail {

template <class T>
T grey_value(T r, T g, T b, grey_method method) noexcept {
    if constexpr (std::is_same_v<T, std::uint8_t>) {
        if (method == grey_method::pillow) return static_cast<T>((r * 19595u + g * 38470u + b * 7471u + 0x8000u) >> 16);
        return static_cast<T>((r * 9798u + g * 19235u + b * 3735u + 16384u) >> 15);
    } else {
        return r * static_cast<T>(0.299) + g * static_cast<T>(0.587) + b * static_cast<T>(0.114);
    }
}

template <class E>
auto to_grey(const E& image, grey_method method, std::size_t red, std::string_view what) {
    using T = value_type_t<E>;
    static_assert(image_rank<E>() == 3, "grey is made from an image of shape (H, W, 3) or (H, W, 4)");
    const pixel_source source(image, what);
    const std::size_t channels = source.channels();
    check(channels == 3 || channels == 4, what, " must have shape (H, W, 3) or (H, W, 4), got ", shape_text(source.shape()));
    auto out = new_tensor<T>(source.height(), source.width());
    const T* in = source.data();
    T* to = out.data();
    parallel_for(source.height() * source.width(), 65536, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            const T* p = in + i * channels;
            to[i] = grey_value(p[red], p[1], p[2 - red], method);
        }
    });
    return out;
}

} // namespace detail

/// Exchanges red and blue: rgb to bgr and back, rgba to bgra and back.
///
/// @param image  (H, W, 3) or (H, W, 4) of uint8, float or double
/// @return       the same shape and type, alpha unchanged
/// @throws invalid_argument  on another shape
template <array_expression E>
auto swap_red_blue(const E& image) {
    using T = value_type_t<E>;
    static_assert(detail::image_rank<E>() == 3, "red and blue are exchanged in an image of shape (H, W, 3) or (H, W, 4)");
    const detail::pixel_source source(image, "swap_red_blue: image");
    const std::size_t channels = source.channels();
    detail::check(channels == 3 || channels == 4, "swap_red_blue: image must have shape (H, W, 3) or (H, W, 4), got ",
                  detail::shape_text(source.shape()));
    auto out = xt::xtensor<T, 3>::from_shape(source.shape());
    const T* in = source.data();
    T* to = out.data();
    parallel_for(source.height() * source.width(), 65536, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin * channels; i < end * channels; i += channels) {
            to[i] = in[i + 2];
            to[i + 1] = in[i + 1];
            to[i + 2] = in[i];
            if (channels == 4) to[i + 3] = in[i + 3];
        }
    });
    return out;
}

/// Makes grey from an image whose first channel is red.
///
/// @param image  (H, W, 3) or (H, W, 4) of uint8, float or double; alpha is ignored
/// @return       (H, W) of the same type
/// @throws invalid_argument  on another shape
///
/// Bytes equal cv2.cvtColor(COLOR_RGB2GRAY) or PIL.Image.convert("L"); floats are the weighted sum in their own type.
template <array_expression E>
auto rgb_to_grey(const E& image, grey_method method = grey_method::opencv) {
    return detail::to_grey(image, method, 0, "rgb_to_grey: image");
}

/// Makes grey from an image whose first channel is blue; otherwise like rgb_to_grey.
template <array_expression E>
auto bgr_to_grey(const E& image, grey_method method = grey_method::opencv) {
    return detail::to_grey(image, method, 2, "bgr_to_grey: image");
}

/// Repeats a grey image in three channels.
///
/// @param image  (H, W) or (H, W, 1)
/// @return       (H, W, 3) of the same type
/// @throws invalid_argument  when it has more than one channel
template <array_expression E>
auto grey_to_rgb(const E& image) {
    using T = value_type_t<E>;
    const detail::pixel_source source(image, "grey_to_rgb: image");
    detail::check(source.channels() == 1, "grey_to_rgb: image must have one channel, got shape ",
                  detail::shape_text(source.shape()));
    auto out = detail::new_tensor<T>(source.height(), source.width(), 3);
    const T* in = source.data();
    T* to = out.data();
    for (std::size_t i = 0; i < source.size(); ++i) to[3 * i] = to[3 * i + 1] = to[3 * i + 2] = in[i];
    return out;
}

} // namespace ocelli
