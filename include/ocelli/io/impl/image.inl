#pragma once

// Without stb, ocelli::compiled is built without images.
#if __has_include(<stb/stb_image.h>) || __has_include(<stb_image.h>)

#    include <ocelli/io/detail/exif.hpp>
#    include <ocelli/io/detail/file.hpp>
#    include <ocelli/io/detail/jpeg_check.hpp>
#    include <ocelli/io/detail/stb.hpp>
#    include <ocelli/io/image.hpp>

#    include <algorithm>
#    include <cstring>
#    include <limits>
#    include <memory>

namespace ocelli {
namespace detail {

struct free_stb {
    void operator()(void* pixels) const noexcept { OCELLI_STB(stbi_image_free)(pixels); }
};

inline std::string_view reason_or_unknown() noexcept {
    const char* reason = OCELLI_STB(stbi_failure_reason)();
    return reason != nullptr ? reason : "unknown reason";
}

inline bool is_png(std::span<const std::byte> file) noexcept {
    return file.size() >= 8 && std::memcmp(file.data(), "\x89PNG\r\n\x1a\n", 8) == 0;
}
inline bool is_jpeg(std::span<const std::byte> file) noexcept {
    return file.size() >= 3 && std::memcmp(file.data(), "\xff\xd8\xff", 3) == 0;
}

/// The checksum of PNG chunks (ISO 3309), four bits at a time.
inline std::uint32_t png_crc(const std::byte* data, std::size_t size) noexcept {
    constexpr std::uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                         0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                         0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    std::uint32_t crc = 0xffffffffu;
    for (std::size_t i = 0; i < size; ++i) {
        crc ^= static_cast<std::uint32_t>(data[i]);
        crc = crc >> 4 ^ table[crc & 15u];
        crc = crc >> 4 ^ table[crc & 15u];
    }
    return ~crc;
}

/// What the chunks of a PNG file tell before any pixel is decoded.
struct png_summary {
    int bits = 0;
    int channels = 0;
};

/// Walks over all chunks: each must lie in the file and the critical ones have the right checksum (stb looks at neither).
inline png_summary summarise_png(std::span<const std::byte> file, std::string_view what) {
    const auto u32 = [&](std::size_t i) {
        std::uint32_t v = 0;
        for (std::size_t k = 0; k < 4; ++k) v = v << 8 | static_cast<std::uint32_t>(file[i + k]);
        return v;
    };
    png_summary found;
    bool pixels = false;
    bool transparent = false;
    for (std::size_t at = 8;;) {
        check<format_error>(file.size() - at >= 12, what, ": the PNG file ends early");
        const std::size_t length = u32(at);
        check<format_error>(length <= file.size() - at - 12, what, ": a chunk of the PNG file is longer than the file");
        const auto* type = reinterpret_cast<const char*>(file.data()) + at + 4;
        const bool critical = (type[0] & 32) == 0;
        check<format_error>(!critical || png_crc(file.data() + at + 4, length + 4) == u32(at + 8 + length), what,
                            ": a chunk of the PNG file has a wrong checksum");
        if (at == 8) {
            check<format_error>(std::memcmp(type, "IHDR", 4) == 0 && length == 13, what,
                                ": the PNG file does not begin with its header");
            const int colour = static_cast<int>(file[at + 17]);
            found.bits = static_cast<int>(file[at + 16]);
            found.channels = colour == 0 ? 1 : colour == 4 ? 2 : colour == 6 ? 4 : 3;
        }
        if (std::memcmp(type, "tRNS", 4) == 0) transparent = true;
        if (std::memcmp(type, "IDAT", 4) == 0) pixels = true;
        if (std::memcmp(type, "IEND", 4) == 0) break;
        at += 12 + length;
    }
    check<format_error>(pixels, what, ": the PNG file has no pixels");
    if (transparent && (found.channels == 1 || found.channels == 3)) ++found.channels;
    return found;
}

inline image_info inspect(std::span<const std::byte> file, std::string_view what) {
    image_info info;
    const bool png = is_png(file);
    check<format_error>(png || is_jpeg(file), what, ": neither a PNG nor a JPEG file");
    check<format_error>(file.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max()), what, ": larger than 2 GB");
    int width = 0;
    int height = 0;
    int channels = 0;
    if (png) {
        const png_summary summary = summarise_png(file, what);
        info.bits = summary.bits == 16 ? 16 : 8;
        channels = summary.channels;
    } else {
        jpeg_checker(file, what).run();
    }
    info.format = png ? image_format::png : image_format::jpeg;
#    if !defined(OCELLI_STB_EXTERNAL)
    stb_largest_block() = (std::size_t{1} << 20) + 2 * file.size();
#    endif
    int stored = 0;
    const int known = OCELLI_STB(stbi_info_from_memory)(reinterpret_cast<const unsigned char*>(file.data()),
                                                        static_cast<int>(file.size()), &width, &height, &stored);
    check<format_error>(known != 0 && width > 0 && height > 0, what, ": the ", png ? "PNG" : "JPEG", " header is broken (",
                        reason_or_unknown(), ")");
    info.width = width;
    info.height = height;
    info.channels = png ? channels : stored;
    info.orientation = png ? png_orientation(file) : jpeg_orientation(file);
    return info;
}

/// Where pixel (0, 0) of the upright picture lies in the stored one, and the steps along its rows and columns, in pixels.
struct orientation_walk {
    std::int64_t height, width, first, down, right;
};

inline orientation_walk walk_of(int orientation, std::int64_t h, std::int64_t w) noexcept {
    const std::int64_t bottom = (h - 1) * w;
    const std::int64_t end = w - 1;
    switch (orientation) {
    case 2:
        return {h, w, end, w, -1}; // mirrored
    case 3:
        return {h, w, bottom + end, -w, -1}; // half a turn
    case 4:
        return {h, w, bottom, -w, 1}; // upside down
    case 5:
        return {w, h, 0, 1, w}; // transposed
    case 6:
        return {w, h, bottom, 1, -w}; // a quarter clockwise makes it upright
    case 7:
        return {w, h, bottom + end, -1, -w}; // transposed along the other diagonal
    case 8:
        return {w, h, end, -1, w}; // a quarter counter-clockwise
    default:
        return {h, w, 0, w, 1};
    }
}

template <class T>
T grey_of(const T* rgb) noexcept {
    return static_cast<T>((rgb[0] * 9798u + rgb[1] * 19235u + rgb[2] * 3735u + 16384u) >> 15);
}

/// Copies stored pixels upright, choosing channels: mode of `have` channels to `want`.
template <class T>
void arrange(const T* stored, std::size_t have, const orientation_walk& walk, colour_mode mode, T* out,
             std::size_t want) noexcept {
    const bool swap = mode == colour_mode::bgr || mode == colour_mode::bgra;
    const bool to_grey = mode == colour_mode::grey && have == 3;
    for (std::int64_t y = 0; y < walk.height; ++y) {
        std::int64_t at = walk.first + y * walk.down;
        if (walk.right == 1 && have == want && !swap) {
            const auto row = static_cast<std::size_t>(walk.width) * want;
            std::memcpy(out, stored + static_cast<std::size_t>(at) * have, row * sizeof(T));
            out += row;
            continue;
        }
        for (std::int64_t x = 0; x < walk.width; ++x, at += walk.right, out += want) {
            const T* p = stored + static_cast<std::size_t>(at) * have;
            if (to_grey) {
                out[0] = grey_of(p);
            } else if (swap) {
                out[0] = p[2];
                out[1] = p[1];
                out[2] = p[0];
                if (want == 4) out[3] = p[3];
            } else {
                for (std::size_t c = 0; c < want; ++c) out[c] = p[c];
            }
        }
    }
}

template <class T>
xt::xtensor<T, 3> read_pixels(std::span<const std::byte> file, const read_image_options& options, std::string_view what) {
    const image_info info = inspect(file, what);
    const auto pixels = static_cast<std::uint64_t>(info.width) * static_cast<std::uint64_t>(info.height);
    check<format_error>(pixels <= options.max_pixels, what, ": ", info.width, " x ", info.height,
                        " pixels are more than the limit of ", options.max_pixels);

    // What to ask of stb: grey is computed here, from the colours.
    std::size_t have = 0;
    switch (options.mode) {
    case colour_mode::rgb:
    case colour_mode::bgr:
        have = 3;
        break;
    case colour_mode::rgba:
    case colour_mode::bgra:
        have = 4;
        break;
    case colour_mode::grey:
        have = info.channels <= 2 ? 1 : 3;
        break;
    case colour_mode::unchanged:
        have = static_cast<std::size_t>(info.channels);
        break;
    }
    const std::size_t want = options.mode == colour_mode::grey ? 1 : have;

#    if !defined(OCELLI_STB_EXTERNAL)
    // Twice 16-bit rgba (the inflater's buffer doubles), with room for whole JPEG blocks.
    stb_largest_block() =
        std::max((static_cast<std::size_t>(info.width) + 64) * (static_cast<std::size_t>(info.height) + 64) * 16 +
                     (std::size_t{1} << 20),
                 2 * file.size() + (std::size_t{1} << 16));
#    endif
    const auto* bytes = reinterpret_cast<const unsigned char*>(file.data());
    const auto size = static_cast<int>(file.size());
    int width = 0;
    int height = 0;
    int channels = 0;
    std::unique_ptr<T, free_stb> stored;
    if constexpr (sizeof(T) == 1) {
        stored.reset(OCELLI_STB(stbi_load_from_memory)(bytes, size, &width, &height, &channels, static_cast<int>(have)));
    } else {
        stored.reset(OCELLI_STB(stbi_load_16_from_memory)(bytes, size, &width, &height, &channels, static_cast<int>(have)));
    }
    check<format_error>(stored != nullptr && width == info.width && height == info.height, what, ": cannot be decoded (",
                        reason_or_unknown(), ")");
    const auto walk = walk_of(options.apply_orientation ? info.orientation : 1, info.height, info.width);
    auto out = new_tensor<T>(walk.height, walk.width, want);
    arrange(stored.get(), have, walk, options.mode, out.data(), want);
    return out;
}

inline void append_bytes(void* context, void* data, int size) {
    auto& out = *static_cast<std::vector<std::byte>*>(context);
    const auto* first = static_cast<const std::byte*>(data);
    out.insert(out.end(), first, first + size);
}

OCELLI_INLINE std::vector<std::byte> encode_pixels(const pixels_to_write& pixels, image_format format,
                                                   const write_image_options& options) {
    const auto [data, height, width, channels] = pixels;
    const bool png = format == image_format::png;
    check(channels >= 1 && channels <= 4, "encode_image: image must have 1 to 4 channels, got ", channels);
    check(height > 0 && width > 0, "encode_image: image is empty, its shape is ",
          shape_text(std::array{height, width, channels}));
    check(options.quality >= 1 && options.quality <= 100, "encode_image: quality must lie in [1, 100], got ", options.quality);
    const std::size_t longest = png ? (std::size_t{1} << 24) : 65535;
    check(height <= longest && width <= longest, "encode_image: ", png ? "PNG" : "JPEG", " images are written up to ", longest,
          " pixels wide and high, got ", shape_text(std::array{height, width, channels}));
    // stb's writer counts bytes in int.
    check((width * channels + 1) * height <= static_cast<std::size_t>(std::numeric_limits<int>::max()) / 2,
          "encode_image: image is too large to encode, its shape is ", shape_text(std::array{height, width, channels}));
    const std::uint8_t* source = data;
    std::vector<std::uint8_t> swapped;
    if (options.bgr && channels >= 3) {
        swapped.assign(data, data + height * width * channels);
        for (std::size_t i = 0; i < swapped.size(); i += channels) std::swap(swapped[i], swapped[i + 2]);
        source = swapped.data();
    }
    std::vector<std::byte> out;
    const int w = static_cast<int>(width);
    const int h = static_cast<int>(height);
    const int c = static_cast<int>(channels);
    const int done = png ? OCELLI_STB(stbi_write_png_to_func)(append_bytes, &out, w, h, c, source, w * c)
                         : OCELLI_STB(stbi_write_jpg_to_func)(append_bytes, &out, w, h, c, source, options.quality);
    check<error>(done != 0, "encode_image: out of memory");
    return out;
}

OCELLI_INLINE void write_pixels(const std::string& path, const pixels_to_write& pixels, const write_image_options& options) {
    std::string ending;
    for (std::size_t i = path.size(); i-- > 0 && path.size() - i <= 5;) {
        if (path[i] == '.') {
            ending = path.substr(i + 1);
            break;
        }
    }
    for (char& c : ending)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const bool jpeg = ending == "jpg" || ending == "jpeg";
    check(jpeg || ending == "png", "write_image: ", path, ": the name must end in .png, .jpg or .jpeg");
    write_file(path, encode_pixels(pixels, jpeg ? image_format::jpeg : image_format::png, options));
}

} // namespace detail

OCELLI_INLINE image_info read_image_info(std::span<const std::byte> file) {
    return detail::inspect(file, "image");
}
OCELLI_INLINE image_info read_image_info(const std::string& path) {
    return detail::inspect(detail::read_file(path), path);
}
OCELLI_INLINE xt::xtensor<std::uint8_t, 3> read_image(std::span<const std::byte> file, const read_image_options& options) {
    return detail::read_pixels<std::uint8_t>(file, options, "image");
}
OCELLI_INLINE xt::xtensor<std::uint8_t, 3> read_image(const std::string& path, const read_image_options& options) {
    return detail::read_pixels<std::uint8_t>(detail::read_file(path), options, path);
}
OCELLI_INLINE xt::xtensor<std::uint16_t, 3> read_image16(std::span<const std::byte> file, const read_image_options& options) {
    return detail::read_pixels<std::uint16_t>(file, options, "image");
}
OCELLI_INLINE xt::xtensor<std::uint16_t, 3> read_image16(const std::string& path, const read_image_options& options) {
    return detail::read_pixels<std::uint16_t>(detail::read_file(path), options, path);
}

} // namespace ocelli

#    undef OCELLI_STB

#endif
