#pragma once

/// @file
/// What ultralytics' exporter notes in the files it writes: the task, the names of the classes, the size of the input.

#include <ocelli/image/resize.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace ocelli::detail {

/// Reads Python's literals as str() writes them, one by one. What is none gives nothing.
class python_literals {
public:
    explicit python_literals(std::string_view text) : rest_(text) {}

    /// Takes a character, and the spaces before it.
    bool take(char c) {
        if (at_end() || rest_[0] != c) return false;
        rest_.remove_prefix(1);
        return true;
    }
    bool at_end() {
        while (!rest_.empty() && rest_[0] == ' ') rest_.remove_prefix(1);
        return rest_.empty();
    }
    std::optional<std::int64_t> integer() {
        if (at_end()) return {};
        std::int64_t value = 0;
        const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
        if (error != std::errc{}) return {};
        rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
        return value;
    }
    std::optional<std::string> string() {
        const char quote = take('\'') ? '\'' : take('"') ? '"' : '\0';
        if (quote == '\0') return {};
        std::string out;
        while (!rest_.empty()) {
            const char c = rest_[0];
            rest_.remove_prefix(1);
            if (c == quote) return out;
            if (c != '\\') out += c;
            else if (!escape(out)) return {};
        }
        return {};
    }

private:
    bool escape(std::string& out) {
        if (rest_.empty()) return false;
        const char c = rest_[0];
        rest_.remove_prefix(1);
        switch (c) {
        case '\\':
        case '\'':
        case '"': out += c; return true;
        case 'n': out += '\n'; return true;
        case 'r': out += '\r'; return true;
        case 't': out += '\t'; return true;
        case 'x': return code_point(out, 2);
        case 'u': return code_point(out, 4);
        case 'U': return code_point(out, 8);
        default: return false;
        }
    }
    /// Hexadecimal digits of a code point, which becomes UTF-8.
    bool code_point(std::string& out, std::size_t digits) {
        if (rest_.size() < digits) return false;
        std::uint32_t code = 0;
        const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + digits, code, 16);
        if (error != std::errc{} || end != rest_.data() + digits || code > 0x10FFFF) return false;
        rest_.remove_prefix(digits);
        const int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
        const std::uint32_t lead = more == 0 ? 0 : more == 1 ? 0xC0 : more == 2 ? 0xE0 : 0xF0;
        out += static_cast<char>(lead | code >> 6 * more);
        for (int i = more - 1; i >= 0; --i) out += static_cast<char>(0x80 | (code >> 6 * i & 0x3F));
        return true;
    }

    std::string_view rest_;
};

/// "{0: 'person', 1: 'bicycle'}" or "['person', 'bicycle']". Empty where the text is neither, or its numbers are not 0, 1, 2...
inline std::vector<std::string> read_class_names(std::string_view text) {
    python_literals read(text);
    const bool numbered = read.take('{');
    if (!numbered && !read.take('[')) return {};
    std::vector<std::string> names;
    do {
        if (numbered && (read.integer() != static_cast<std::int64_t>(names.size()) || !read.take(':'))) return {};
        auto name = read.string();
        if (!name) return {};
        names.push_back(std::move(*name));
    } while (read.take(','));
    if (!read.take(numbered ? '}' : ']') || !read.at_end()) return {};
    return names;
}

/// "[640, 480]": height and width. Nothing where the text is no such thing.
inline std::optional<image_size> read_image_size(std::string_view text) {
    python_literals read(text);
    if (!read.take('[')) return {};
    const auto height = read.integer();
    if (!height || !read.take(',')) return {};
    const auto width = read.integer();
    if (!width || !read.take(']') || !read.at_end()) return {};
    return image_size{*height, *width};
}

/// What the exporter noted. A note that is missing, or that cannot be read, is empty.
struct export_notes {
    std::string task; ///< "detect", "segment", "pose", "obb", "classify"
    std::vector<std::string> class_names;
    std::optional<image_size> input_size;
};
inline export_notes export_notes_of(const std::map<std::string, std::string>& metadata) {
    const auto note = [&](const std::string& key) {
        const auto found = metadata.find(key);
        return found == metadata.end() ? std::string_view{} : std::string_view(found->second);
    };
    return {std::string(note("task")), read_class_names(note("names")), read_image_size(note("imgsz"))};
}

} // namespace ocelli::detail
