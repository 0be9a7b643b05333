#pragma once

/// @file
/// PNG and JPEG files to arrays of pixels and back, through stb (https://github.com/nothings/stb).
///
///     auto photo = ocelli::read_image("photo.jpg");                                  // (H, W, 3) uint8, red first
///     auto mat   = ocelli::read_image("photo.jpg", {.mode = ocelli::colour_mode::bgr});   // as cv2.imread
///     ocelli::write_image("out.png", photo);
///
/// What a file becomes:
/// - JPEG orientation: turned and mirrored as its EXIF field says (PNG: eXIf chunk), as cv2.imread does.
/// - 16-bit PNG: read_image keeps the high byte of each sample, as cv2.imread does; read_image16 keeps all bits.
/// - 1, 2 and 4-bit grey: stretched to 0..255. Palettes: their colours.
/// - Alpha: left out by rgb, bgr and grey without blending, as cv2.imread(IMREAD_COLOR) and Pillow's convert("RGB") do; kept by
/// rgba,
///   bgra and unchanged, not premultiplied. Transparent colours (tRNS) count as alpha.
/// - Grey from colours: (9798 R + 19235 G + 3735 B + 16384) / 32768, rounded down, as cv2.cvtColor(COLOR_RGB2GRAY).
/// - Gamma and colour profiles are not applied (OpenCV and Pillow do not apply them either).
/// - JPEG pixels differ from libjpeg's by up to 3 levels, since the two round their transforms and upsample chroma differently.
///
/// stb's functions are internal to Ocelli and meet neither another copy in the program nor the macros set for it. A program
/// compiled with OCELLI_STB_EXTERNAL (and ocelli::compiled, if used, built with it) calls its own copy instead, which it must
/// link; the limits on memory then are that copy's. Files of JPEG, PNG and nothing else are read; limits are checked before
/// decoding.

#include <ocelli/core/config.hpp>
#include <ocelli/core/detail/rank.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/core/tensor.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#if OCELLI_HEADER_ONLY && !__has_include(<stb/stb_image.h>) && !__has_include(<stb_image.h>)
#    error "ocelli/io/image.hpp needs stb's headers stb_image.h and stb_image_write.h (Debian: libstb-dev; vcpkg, Conan: stb)"
#endif

namespace ocelli {

/// Which channels read_image gives, and their order.
enum class colour_mode : std::uint8_t {
    rgb,       ///< (H, W, 3), red first
    bgr,       ///< (H, W, 3), blue first, as OpenCV
    grey,      ///< (H, W, 1)
    rgba,      ///< (H, W, 4); alpha is opaque (255 or 65535) where the file has none
    bgra,      ///< (H, W, 4), blue first
    unchanged, ///< 1 grey, 2 grey and alpha, 3 rgb or 4 rgba: what the file has, palettes resolved
};

/// File formats of images.
enum class image_format : std::uint8_t { png, jpeg };

/// How images are read.
struct read_image_options {
    colour_mode mode = colour_mode::rgb;
    bool apply_orientation = true;         ///< turn and mirror as EXIF says; cv2.IMREAD_IGNORE_ORIENTATION when false
    std::uint64_t max_pixels = 1ull << 27; ///< larger pictures are refused before decoding (134 million)
};

/// How images are written.
struct write_image_options {
    int quality = 95; ///< JPEG: 1 to 100; chroma is halved in both directions up to 90. PNG is lossless and ignores it
    bool bgr = false; ///< the array's first channel is blue
};

/// What an image file says about itself.
struct image_info {
    image_format format = image_format::png;
    std::int64_t width = 0; ///< as stored, before the orientation is applied
    std::int64_t height = 0;
    int channels = 0;    ///< 1 to 4, as colour_mode::unchanged gives
    int bits = 8;        ///< per sample: 8 or 16
    int orientation = 1; ///< EXIF, 1 to 8; 5 and above exchange width and height
};

/// Reads the header of a PNG or JPEG file held in memory.
/// @throws format_error  when it is neither, or its header is broken
image_info read_image_info(std::span<const std::byte> file);

/// Reads the header of a PNG or JPEG file. @throws io_error when it cannot be read, format_error as above
image_info read_image_info(const std::string& path);

/// Reads a PNG or JPEG file held in memory.
///
/// @return (H, W, C) with C by options.mode; see the head of this file for 16-bit, palette, alpha and orientation
/// @throws format_error      when it is neither, is broken, or has more than options.max_pixels
xt::xtensor<std::uint8_t, 3> read_image(std::span<const std::byte> file, const read_image_options& options = {});

/// Reads a PNG or JPEG file. @throws io_error when it cannot be read, format_error as above
xt::xtensor<std::uint8_t, 3> read_image(const std::string& path, const read_image_options& options = {});

/// Reads a PNG or JPEG file held in memory with 16 bits per sample: those of a 16-bit PNG as they are, 8-bit samples times 257.
///
/// @return (H, W, C), like read_image
xt::xtensor<std::uint16_t, 3> read_image16(std::span<const std::byte> file, const read_image_options& options = {});

/// Reads a PNG or JPEG file with 16 bits per sample.
xt::xtensor<std::uint16_t, 3> read_image16(const std::string& path, const read_image_options& options = {});

namespace detail {

/// Pixels for the encoder: dense (height, width, channels).
struct pixels_to_write {
    const std::uint8_t* data;
    std::size_t height, width, channels;
};

std::vector<std::byte> encode_pixels(const pixels_to_write& pixels, image_format format, const write_image_options& options);
void write_pixels(const std::string& path, const pixels_to_write& pixels, const write_image_options& options);

/// Calls use(pixels) for an image of rank 2 or 3.
template <class E, class Use>
auto with_pixels(const E& image, std::string_view what, Use use) {
    static_assert(std::is_same_v<value_type_t<E>, std::uint8_t>,
                  "images are written from uint8: clip and convert yourself, for example with xt::cast<std::uint8_t>");
    constexpr int rank = static_rank<E>();
    static_assert(rank == -1 || rank == 2 || rank == 3, "an image has shape (H, W) or (H, W, C)");
    bool grey = rank == 2;
    if constexpr (rank == -1) grey = image.dimension() == 2;
    if (grey) {
        if constexpr (rank != 3) {
            const auto dense = as_dense<std::uint8_t, 2>(image, what);
            return use(pixels_to_write{dense.data(), dense.extent(0), dense.extent(1), 1});
        }
    }
    if constexpr (rank != 2) {
        const auto dense = as_dense<std::uint8_t, 3>(image, what);
        return use(pixels_to_write{dense.data(), dense.extent(0), dense.extent(1), dense.extent(2)});
    } else {
        fail(what, ": not reached");
    }
}

} // namespace detail

/// Encodes an image as the bytes of a PNG or JPEG file.
///
/// @param image  (H, W) or (H, W, C) uint8, C from 1 to 4: grey, grey and alpha, rgb, rgba; JPEG leaves alpha out
/// @throws invalid_argument  on other shapes, an empty image, one too large for the format, a quality outside [1, 100]
template <array_expression E>
std::vector<std::byte> encode_image(const E& image, image_format format, const write_image_options& options = {}) {
    return detail::with_pixels(image, "encode_image: image", [&](const detail::pixels_to_write& pixels) {
        return detail::encode_pixels(pixels, format, options);
    });
}

/// Writes an image as a PNG or JPEG file, by the ending of its name: .png, .jpg or .jpeg.
///
/// @param image  as for encode_image
/// @throws invalid_argument  as encode_image, or on another ending
/// @throws io_error          when the file cannot be written
template <array_expression E>
void write_image(const std::string& path, const E& image, const write_image_options& options = {}) {
    detail::with_pixels(image, "write_image: image",
                        [&](const detail::pixels_to_write& pixels) { detail::write_pixels(path, pixels, options); });
}

} // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/io/impl/image.inl>
#endif
