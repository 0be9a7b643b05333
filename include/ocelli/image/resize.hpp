#pragma once

/// @file
/// Resizing as OpenCV, Pillow and PyTorch do it, each by its own rules: a network sees in use what it saw in training.
///
///     auto input = ocelli::resize(photo, {240, 320}, ocelli::resize_method::cv_linear);

#include <ocelli/core/config.hpp>
#include <ocelli/image/detail/pixels.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace ocelli {

/// Height and width in pixels.
struct image_size {
    std::int64_t height = 0;
    std::int64_t width = 0;
    friend bool operator==(const image_size&, const image_size&) = default;
};

/// How resize computes a pixel. Scale s is input extent / output extent, separately for rows and columns; x counts output
/// pixels.
///
/// The three families differ in the coordinate of nearest, in the cubic parameter a (-0.75 in OpenCV and PyTorch without
/// antialiasing, -0.5 in Pillow and PyTorch with it), and in whether a filter widens with the scale when it shrinks
/// (antialiasing). OpenCV's linear and cubic never do; Pillow's always do.
enum class resize_method : std::uint8_t {
    cv_nearest,       ///< cv2.INTER_NEAREST: pixel floor(x s)
    cv_nearest_exact, ///< cv2.INTER_NEAREST_EXACT of OpenCV 5: the same as pil_nearest (OpenCV 4 differs at ties)
    cv_linear,        ///< cv2.INTER_LINEAR: 2 taps around (x + 0.5) s - 0.5, clamped at the border
    cv_cubic,         ///< cv2.INTER_CUBIC: 4 taps around (x + 0.5) s - 0.5, a = -0.75, border pixels repeated
    cv_area,     ///< cv2.INTER_AREA: means over the covered area; where a side grows, OpenCV's linear with its area coordinates
    pil_nearest, ///< PIL.Image.NEAREST: pixel floor((x + 0.5) s)
    pil_box,     ///< PIL.Image.BOX, antialiased, as all Pillow filters are
    pil_bilinear,             ///< PIL.Image.BILINEAR: triangle filter
    pil_hamming,              ///< PIL.Image.HAMMING
    pil_bicubic,              ///< PIL.Image.BICUBIC: a = -0.5
    pil_lanczos,              ///< PIL.Image.LANCZOS: three lobes
    torch_nearest,            ///< torch interpolate "nearest": pixel floor(x s), s in float
    torch_nearest_exact,      ///< "nearest-exact": pixel floor((x + 0.5) s), s in float
    torch_bilinear,           ///< "bilinear", align_corners=False, antialias=False: 2 taps, coordinates clamped at 0
    torch_bicubic,            ///< "bicubic", align_corners=False, antialias=False: a = -0.75
    torch_area,               ///< "area": means over whole pixels (adaptive average pooling)
    torch_bilinear_antialias, ///< "bilinear", antialias=True, which torchvision's Resize uses: the filter of pil_bilinear
    torch_bicubic_antialias,  ///< "bicubic", antialias=True: the filter of pil_bicubic, a = -0.5
};

namespace detail {

/// Dense (height, width, channels) in, dense (to_height, to_width, channels) out; all extents at least 1.
template <class In, class Out>
struct resize_job {
    const In* in;
    std::size_t height, width, channels;
    Out* out;
    std::size_t to_height, to_width;
};

void resize_pixels(const resize_job<std::uint8_t, std::uint8_t>& job, resize_method method);
void resize_pixels(const resize_job<float, float>& job, resize_method method);
void resize_pixels(const resize_job<double, double>& job, resize_method method);

template <class T, std::size_t N>
void resize_checked(const pixel_source<T, N>& source, std::int64_t height, std::int64_t width, resize_method method, T* out) {
    check(source.size() > 0, "resize: image is empty, its shape is ", shape_text(source.shape()));
    constexpr std::int64_t longest = std::int64_t{1} << 24;
    check(static_cast<std::int64_t>(source.height()) <= longest && static_cast<std::int64_t>(source.width()) <= longest,
          "resize: image must be at most ", longest, " pixels wide and high, got ", shape_text(source.shape()));
    resize_pixels({source.data(), source.height(), source.width(), source.channels(), out, static_cast<std::size_t>(height),
                   static_cast<std::size_t>(width)},
                  method);
}

inline void check_size(std::int64_t height, std::int64_t width, std::string_view what) {
    constexpr std::int64_t longest = std::int64_t{1} << 24;
    check(height >= 1 && width >= 1 && height <= longest && width <= longest, what, ": height and width must lie in [1, ",
          longest, "], got ", height, " x ", width);
}

} // namespace detail

/// Resizes an image.
///
/// @param image   (H, W) or (H, W, C) of uint8, float or double, any number of channels
/// @param size    height and width of the result
/// @param method  whose rules; see resize_method
/// @return        (size.height, size.width) or (size.height, size.width, C) of the same element type
/// @throws invalid_argument  on an empty image, a size outside [1, 2^24], another rank
///
/// Nearest methods give the reference's pixels exactly. For uint8, Pillow's and PyTorch's filters repeat the reference's
/// fixed-point arithmetic bit for bit (but torch_area, which PyTorch has for floats only), and OpenCV's methods are within one
/// level of OpenCV 5. For float and double the result is within 1e-5 of the value range of the reference run in double. NaN and
/// infinity spread to the pixels whose filter covers them.
template <array_expression E>
auto resize(const E& image, image_size size, resize_method method) {
    const detail::pixel_source source(image, "resize: image");
    detail::check_size(size.height, size.width, "resize");
    using T = value_type_t<E>;
    auto out = xt::xtensor<T, detail::image_rank<E>()>::from_shape(
        source.shape_as(static_cast<std::size_t>(size.height), static_cast<std::size_t>(size.width)));
    detail::resize_checked(source, size.height, size.width, method, out.data());
    return out;
}

/// Resizes an image into memory of the caller, whose shape is the size.
///
/// @param out  dense row-major (height, width) or (height, width, C) of the image's element type; must not overlap the image
/// @throws invalid_argument  as resize, and when out has another rank or number of channels
template <array_expression E, class Out>
requires(array_expression<std::remove_cvref_t<Out>>) void resize(const E& image, resize_method method, Out&& out) {
    constexpr std::size_t rank = detail::image_rank<E>();
    const detail::pixel_source source(image, "resize: image");
    detail::check(std::size(out.shape()) == rank, "resize: out must have ", rank, " dimensions, got shape ",
                  detail::shape_text(out.shape()));
    const auto height = static_cast<std::int64_t>(out.shape()[0]);
    const auto width = static_cast<std::int64_t>(out.shape()[1]);
    detail::check_size(height, width, "resize");
    auto* memory = detail::as_output<value_type_t<E>, rank>(
        out, source.shape_as(static_cast<std::size_t>(height), static_cast<std::size_t>(width)), "resize: out");
    detail::resize_checked(source, height, width, method, memory);
}

} // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/image/impl/resize.inl>
#endif
