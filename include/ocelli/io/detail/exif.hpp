#pragma once

/// @file
/// The orientation that a camera wrote into a JPEG or PNG file: the one EXIF field that changes pixels.

#include <ocelli/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace ocelli::detail {

/// Reads tag 0x0112 of the first directory of a TIFF block (Exif 2.32, 4.6.4): 1 to 8, and 1 where it is absent or nonsense.
/// Never reads outside the block and never fails: a picture with broken metadata is still a picture.
inline int tiff_orientation(std::span<const std::byte> tiff) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(tiff[i]); };
    if (tiff.size() < 8) return 1;
    const bool big = byte(0) == 'M' && byte(1) == 'M';
    if (!big && !(byte(0) == 'I' && byte(1) == 'I')) return 1;
    const auto u16 = [&](std::size_t i) { return big ? byte(i) << 8 | byte(i + 1) : byte(i + 1) << 8 | byte(i); };
    const auto u32 = [&](std::size_t i) { return big ? u16(i) << 16 | u16(i + 2) : u16(i + 2) << 16 | u16(i); };
    if (u16(2) != 42) return 1;
    const std::size_t directory = u32(4);
    if (directory > tiff.size() - 2) return 1;
    std::size_t entries = u16(directory);
    for (std::size_t at = directory + 2; entries > 0 && tiff.size() - at >= 12; at += 12, --entries) {
        if (u16(at) != 0x0112) continue;
        const std::uint32_t type = u16(at + 2);
        const std::uint32_t value = type == 3 ? u16(at + 8) : type == 4 ? u32(at + 8) : 0;
        return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
    }
    return 1;
}

/// Finds the orientation in a JPEG file: the first APP1 segment that begins with "Exif", before the first scan.
inline int jpeg_orientation(std::span<const std::byte> file) noexcept {
    std::size_t at = 2;
    while (file.size() >= at + 4) {
        if (file[at] != std::byte{0xff}) return 1;
        const auto marker = static_cast<unsigned>(file[at + 1]);
        if (marker == 0xff) { // fill bytes may stand before a marker
            ++at;
            continue;
        }
        if (marker == 0xda || marker == 0xd9) return 1;
        if (marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8)) { // markers without a length
            at += 2;
            continue;
        }
        const std::size_t length = static_cast<std::size_t>(file[at + 2]) << 8 | static_cast<std::size_t>(file[at + 3]);
        if (length < 2 || length > file.size() - at - 2) return 1;
        const auto content = file.subspan(at + 4, length - 2);
        if (marker == 0xe1 && content.size() >= 6 && std::memcmp(content.data(), "Exif\0", 6) == 0)
            return tiff_orientation(content.subspan(6));
        at += 2 + length;
    }
    return 1;
}

/// Finds the orientation in a PNG file: its eXIf chunk, wherever it stands.
inline int png_orientation(std::span<const std::byte> file) noexcept {
    std::size_t at = 8;
    while (file.size() >= at + 12) {
        std::size_t length = 0;
        for (std::size_t i = 0; i < 4; ++i) length = length << 8 | static_cast<std::size_t>(file[at + i]);
        if (length > file.size() - at - 12) return 1;
        if (std::memcmp(file.data() + at + 4, "eXIf", 4) == 0) return tiff_orientation(file.subspan(at + 8, length));
        at += 12 + length;
    }
    return 1;
}

} // namespace ocelli::detail
