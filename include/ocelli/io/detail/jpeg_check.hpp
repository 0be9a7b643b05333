#pragma once

/// @file
/// Checks the skeleton of a JPEG file (ITU T.81, annex B) before stb decodes it.
///
/// stb_image up to 2.27, which current distributions ship, trusts Huffman tables to be complete and present and reads or writes
/// outside its own when they are not. Segments are found here exactly as stb finds them, so what is checked is what is decoded.

#include <ocelli/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace ocelli::detail {

class jpeg_checker {
public:
    jpeg_checker(std::span<const std::byte> file, std::string_view what) : file_(file), what_(what) {}

    /// Walks over all segments up to the end marker. @throws format_error when something is broken or missing
    void run() {
        for (std::size_t at = 2;;) {
            while (at < file_.size() && byte(at) != 0xff) ++at;
            while (at < file_.size() && byte(at) == 0xff) ++at;
            need(at < file_.size(), "ends early");
            const unsigned marker = byte(at++);
            if (marker == 0xd9) return;
            if (marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8)) continue;
            need(marker != 0, "has a broken segment");
            need(file_.size() - at >= 2, "ends early");
            const std::size_t length = byte(at) << 8 | byte(at + 1);
            need(length >= 2, "has a broken segment");
            need(length <= file_.size() - at, "ends early");
            const auto content = file_.subspan(at + 2, length - 2);
            at += length;
            if (marker == 0xc4) huffman(content);
            if (marker == 0xc0 || marker == 0xc1 || marker == 0xc2) {
                need(!frame_, "has two frames");
                frame_ = true;
                progressive_ = marker == 0xc2;
            }
            if (marker == 0xda) {
                scan(content);
                at = behind_entropy(at);
            }
        }
    }

private:
    unsigned byte(std::size_t i) const { return static_cast<unsigned>(file_[i]); }
    void need(bool condition, std::string_view complaint) const {
        check<format_error>(condition, what_, ": the JPEG file ", complaint);
    }

    void huffman(std::span<const std::byte> content) {
        while (!content.empty()) {
            need(content.size() >= 17, "has a broken Huffman table");
            const auto kind = static_cast<unsigned>(content[0]);
            need((kind >> 4) <= 1 && (kind & 15u) <= 3, "has a broken Huffman table");
            std::size_t symbols = 0;
            std::uint32_t code = 0;
            for (std::size_t bits = 1; bits <= 16; ++bits) {
                const auto count = static_cast<std::uint32_t>(content[bits]);
                symbols += count;
                code += count;
                need(code <= (1u << bits), "has a broken Huffman table");
                code <<= 1;
            }
            need(symbols <= 256 && symbols <= content.size() - 17, "has a broken Huffman table");
            known_[kind >> 4] |= 1u << (kind & 15u);
            content = content.subspan(17 + symbols);
        }
    }

    void scan(std::span<const std::byte> content) {
        need(frame_ && !content.empty(), "has a broken scan");
        const auto components = static_cast<std::size_t>(content[0]);
        need(components >= 1 && components <= 4 && content.size() == 4 + 2 * components, "has a broken scan");
        const bool first_dc =
            content[1 + 2 * components] == std::byte{0} && (static_cast<unsigned>(content[3 + 2 * components]) >> 4) == 0;
        const bool ac = content[1 + 2 * components] != std::byte{0};
        for (std::size_t i = 0; i < components; ++i) {
            const auto tables = static_cast<unsigned>(content[2 + 2 * i]);
            need((tables >> 4) <= 3 && (tables & 15u) <= 3, "has a broken scan");
            need(!(!progressive_ || first_dc) || (known_[0] >> (tables >> 4) & 1u) != 0, "lacks a Huffman table");
            need(!(!progressive_ || ac) || (known_[1] >> (tables & 15u) & 1u) != 0, "lacks a Huffman table");
        }
        // A scan costs time by the picture's area and a few bytes of file.
        need(++scans_ <= (progressive_ ? 500 : 4), "has too many scans");
    }

    std::size_t behind_entropy(std::size_t at) const {
        for (; at + 1 < file_.size(); ++at) {
            if (byte(at) != 0xff) continue;
            const unsigned next = byte(at + 1);
            if (next != 0 && next != 0xff && !(next >= 0xd0 && next <= 0xd7)) return at;
        }
        return file_.size();
    }

    std::span<const std::byte> file_;
    std::string_view what_;
    bool frame_ = false;
    bool progressive_ = false;
    std::uint32_t known_[2] = {};
    int scans_ = 0;
};

} // namespace ocelli::detail
