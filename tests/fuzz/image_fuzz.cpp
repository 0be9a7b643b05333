// Any bytes are either a picture or a format_error, within a limit on pixels. The first byte chooses the options; checksums of
// PNG chunks are made right, since no fuzzer guesses them.

#include <ocelli/io/image.hpp>

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace {

bool is_png(std::span<const std::byte> file) {
    return file.size() >= 8 && std::memcmp(file.data(), "\x89PNG\r\n\x1a\n", 8) == 0;
}

/// The checksum of PNG chunks: CRC-32 as in ISO 3309.
std::uint32_t png_crc(std::span<const std::byte> data) {
    std::uint32_t crc = 0xffffffffu;
    for (const std::byte b : data) {
        crc ^= static_cast<std::uint32_t>(b);
        for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ ((crc & 1u) != 0 ? 0xedb88320u : 0u);
    }
    return ~crc;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const auto* first = reinterpret_cast<const std::byte*>(data);
    std::vector<std::byte> file(first + 1, first + size);
    if (is_png(file)) {
        for (std::size_t at = 8; file.size() - at >= 12;) {
            std::size_t length = 0;
            for (std::size_t i = 0; i < 4; ++i) length = length << 8 | static_cast<std::size_t>(file[at + i]);
            if (length > file.size() - at - 12) break;
            const std::uint32_t crc = png_crc({file.data() + at + 4, length + 4});
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
