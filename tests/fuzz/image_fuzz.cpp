// Any bytes are either a picture or a format_error, within a limit on pixels. The first byte chooses the options; checksums of
// PNG chunks are made right, since no fuzzer guesses them.

#include <ocelli/io/image.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const auto* first = reinterpret_cast<const std::byte*>(data);
    std::vector<std::byte> file(first + 1, first + size);
    if (ocelli::detail::is_png(file)) {
        for (std::size_t at = 8; file.size() - at >= 12;) {
            std::size_t length = 0;
            for (std::size_t i = 0; i < 4; ++i) length = length << 8 | static_cast<std::size_t>(file[at + i]);
            if (length > file.size() - at - 12) break;
            const std::uint32_t crc = ocelli::detail::png_crc(file.data() + at + 4, length + 4);
            for (std::size_t i = 0; i < 4; ++i) file[at + 8 + length + i] = static_cast<std::byte>(crc >> (24 - 8 * i) & 255u);
            at += 12 + length;
        }
    }
    const ocelli::read_image_options options{.mode = static_cast<ocelli::colour_mode>(data[0] % 6),
                                             .apply_orientation = (data[0] & 64) == 0,
                                             .max_pixels = 1u << 16};
    try {
        (void)ocelli::read_image(std::span<const std::byte>(file), options);
        (void)ocelli::read_image16(std::span<const std::byte>(file), options);
    } catch (const ocelli::format_error&) {
    }
    return 0;
}
