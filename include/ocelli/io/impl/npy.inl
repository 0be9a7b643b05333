#pragma once

#include <ocelli/io/npy.hpp>

#include <bit>
#include <cstring>
#include <limits>

namespace ocelli {

OCELLI_INLINE std::string_view name(npy_dtype type) noexcept {
    constexpr std::string_view names[] = {"bool",   "int8",   "int16",  "int32",   "int64",   "uint8",
                                          "uint16", "uint32", "uint64", "float16", "float32", "float64"};
    return names[static_cast<std::size_t>(type)];
}

OCELLI_INLINE std::size_t item_size(npy_dtype type) noexcept {
    constexpr std::uint8_t sizes[] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 4, 8};
    return sizes[static_cast<std::size_t>(type)];
}

namespace detail {

/// Reads the Python dictionary literal of a header; understands what NumPy's versions have written and no more.
class npy_dictionary {
public:
    npy_dictionary(std::string_view text, std::string_view what) : text_(text), what_(what) {}

    void read(npy_header& header) {
        bool seen[3] = {};
        expect('{');
        while (!accept('}')) {
            const std::string_view key = string();
            expect(':');
            const int which = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : 3;
            check<format_error>(which < 3, what_, ": the header has an unknown key '", printable(key), "'");
            check<format_error>(!seen[which], what_, ": the header names '", key, "' twice");
            seen[which] = true;
            if (which == 0) type(header);
            if (which == 1) header.fortran_order = boolean();
            if (which == 2) shape(header);
            if (!accept(',')) {
                expect('}');
                break;
            }
        }
        skip_space();
        check<format_error>(at_ == text_.size(), what_, ": the header goes on behind its dictionary");
        check<format_error>(seen[0] && seen[1] && seen[2], what_, ": the header lacks descr, fortran_order or shape");
    }

private:
    void skip_space() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
            ++at_;
    }
    bool accept(char c) {
        skip_space();
        if (at_ == text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    void expect(char c) { check<format_error>(accept(c), what_, ": '", c, "' expected at character ", at_, " of the header"); }

    std::string_view string() {
        skip_space();
        const char quote = at_ < text_.size() ? text_[at_] : '\0';
        check<format_error>(quote == '\'' || quote == '"', what_, ": a string expected at character ", at_, " of the header");
        const std::size_t end = text_.find(quote, at_ + 1);
        check<format_error>(end != std::string_view::npos, what_, ": a string in the header does not end");
        const std::string_view content = text_.substr(at_ + 1, end - at_ - 1);
        at_ = end + 1;
        return content;
    }

    bool boolean() {
        skip_space();
        if (text_.substr(at_).starts_with("True")) {
            at_ += 4;
            return true;
        }
        check<format_error>(text_.substr(at_).starts_with("False"), what_, ": fortran_order must be True or False");
        at_ += 5;
        return false;
    }

    void type(npy_header& header) {
        skip_space();
        check<format_error>(at_ == text_.size() || text_[at_] != '[', what_, ": records (structured types) are not supported");
        const std::string_view descr = string();
        std::string_view rest = descr;
        char order = '|';
        if (!rest.empty() && (rest[0] == '<' || rest[0] == '>' || rest[0] == '=' || rest[0] == '|')) {
            order = rest[0];
            rest.remove_prefix(1);
        }
        struct code {
            std::string_view text;
            npy_dtype type;
        };
        constexpr code codes[] = {{"b1", npy_dtype::boolean}, {"?", npy_dtype::boolean},  {"i1", npy_dtype::int8},
                                  {"i2", npy_dtype::int16},   {"i4", npy_dtype::int32},   {"i8", npy_dtype::int64},
                                  {"u1", npy_dtype::uint8},   {"u2", npy_dtype::uint16},  {"u4", npy_dtype::uint32},
                                  {"u8", npy_dtype::uint64},  {"f2", npy_dtype::float16}, {"f4", npy_dtype::float32},
                                  {"f8", npy_dtype::float64}};
        for (const auto& [text, type] : codes) {
            if (rest != text) continue;
            const bool one_byte = item_size(type) == 1;
            check<format_error>(one_byte || order != '|', what_, ": the type '", descr, "' has no byte order");
            header.dtype = type;
            header.big_endian = !one_byte && (order == '>' || (order == '=' && std::endian::native == std::endian::big));
            return;
        }
        fail<format_error>(what_, ": elements of type '", printable(descr),
                           "' are not supported (bool, integers, float16, float32 and float64 are)");
    }

    void shape(npy_header& header) {
        expect('(');
        while (!accept(')')) {
            skip_space();
            check<format_error>(at_ < text_.size() && is_digit(text_[at_]), what_,
                                ": the shape must be a tuple of whole numbers");
            std::int64_t extent = 0;
            for (; at_ < text_.size() && is_digit(text_[at_]); ++at_) {
                const int digit = text_[at_] - '0';
                check<format_error>(extent <= (std::numeric_limits<std::int64_t>::max() - digit) / 10, what_,
                                    ": an extent of the shape is too large");
                extent = extent * 10 + digit;
            }
            if (at_ < text_.size() && text_[at_] == 'L') ++at_; // Python 2 wrote long integers so
            check<format_error>(header.shape.size() < 64, what_, ": the shape has more than 64 dimensions");
            header.shape.push_back(extent);
            if (!accept(',')) {
                expect(')');
                break;
            }
        }
    }

    static bool is_digit(char c) { return c >= '0' && c <= '9'; }
    static std::string printable(std::string_view text) {
        std::string out(text.substr(0, 32));
        for (char& c : out)
            if (c < ' ' || c > '~') c = '?';
        return out;
    }

    std::string_view text_;
    std::string_view what_;
    std::size_t at_ = 0;
};

/// Multiplies the extents; false where the product, or that of the nonzero ones, does not fit. Strides are products of extents
/// too, so a zero among them excuses nothing.
inline bool count_elements(npy_header& header) {
    const std::uint64_t limit = static_cast<std::uint64_t>(std::numeric_limits<std::ptrdiff_t>::max()) / (2 * sizeof(double));
    std::uint64_t product = 1;
    bool empty = false;
    for (const std::int64_t extent : header.shape) {
        if (extent == 0) {
            empty = true;
            continue;
        }
        const auto n = static_cast<std::uint64_t>(extent);
        if (n > limit / product) return false;
        product *= n;
    }
    header.count = empty ? 0 : static_cast<std::size_t>(product);
    return true;
}

} // namespace detail

OCELLI_INLINE npy_header read_npy_header(std::span<const std::byte> bytes, std::string_view what) {
    using detail::check;
    const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(bytes[i]); };
    check<format_error>(bytes.size() >= 10 && std::memcmp(bytes.data(), "\x93NUMPY", 6) == 0, what, ": not a .npy file");
    const std::size_t major = byte(6);
    const std::size_t minor = byte(7);
    check<format_error>(major >= 1 && major <= 3 && minor == 0, what, ": .npy version ", major, ".", minor, " is not known");
    std::size_t begin = 10;
    std::size_t length = byte(8) | byte(9) << 8;
    if (major >= 2) {
        check<format_error>(bytes.size() >= 12, what, ": the file ends within its header");
        begin = 12;
        length |= byte(10) << 16 | byte(11) << 24;
    }
    check<format_error>(length <= bytes.size() - begin, what, ": the file ends within its header");
    npy_header header;
    header.data_offset = begin + length;
    detail::npy_dictionary({reinterpret_cast<const char*>(bytes.data()) + begin, length}, what).read(header);
    check<format_error>(detail::count_elements(header), what, ": the shape ", detail::shape_text(header.shape),
                        " is too large");
    check<format_error>(header.byte_count() <= bytes.size() - header.data_offset, what, ": shape ",
                        detail::shape_text(header.shape), " of ", name(header.dtype), " needs ", header.byte_count(),
                        " bytes, the file has ", bytes.size() - header.data_offset);
    return header;
}

OCELLI_INLINE npy_array::npy_array(std::vector<std::byte> file, std::string what)
    : file_(std::move(file)), what_(std::move(what)), header_(read_npy_header(file_, what_)) {}

OCELLI_INLINE npy_array read_npy(const std::string& path) {
    return npy_array(detail::read_file(path), path);
}

OCELLI_INLINE npy_array read_npy(std::span<const std::byte> bytes) {
    return npy_array(std::vector<std::byte>(bytes.begin(), bytes.end()));
}

namespace detail {

OCELLI_INLINE bool npy_converts(npy_dtype from, npy_dtype to) noexcept {
    if (from == to || from == npy_dtype::boolean) return true;
    const auto is_float = [](npy_dtype t) { return t >= npy_dtype::float16; };
    const auto is_unsigned = [](npy_dtype t) { return t >= npy_dtype::uint8 && t <= npy_dtype::uint64; };
    if (to == npy_dtype::boolean) return false;
    const std::size_t from_size = item_size(from);
    const std::size_t to_size = item_size(to);
    if (is_float(from)) return is_float(to) && from_size < to_size;
    if (to == npy_dtype::float64) return true; // NumPy counts 64-bit integers in
    if (is_float(to)) return from_size < to_size;
    if (is_unsigned(from)) return from_size < to_size || (is_unsigned(to) && from_size == to_size);
    return !is_unsigned(to) && from_size < to_size;
}

/// IEEE half to float, every value exactly; NaN keeps its sign and payload.
inline float half_to_float(std::uint16_t half) noexcept {
    const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
    const std::uint32_t exponent = (half >> 10) & 31u;
    const std::uint32_t fraction = half & 1023u;
    if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
    if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
}

template <class U>
U load_element(const std::byte* p, bool swap) noexcept {
    std::byte raw[sizeof(U)];
    for (std::size_t i = 0; i < sizeof(U); ++i) raw[i] = p[swap ? sizeof(U) - 1 - i : i];
    U value;
    std::memcpy(&value, raw, sizeof(U));
    return value;
}

/// Calls sink(i, p) for the elements in row-major order, p at each element's bytes.
template <class Sink>
void for_each_element(const npy_header& header, const std::byte* elements, Sink sink) {
    const std::size_t size = item_size(header.dtype);
    const std::size_t rank = header.shape.size();
    if (!header.fortran_order || rank < 2) {
        for (std::size_t i = 0; i < header.count; ++i) sink(i, elements + i * size);
        return;
    }
    std::size_t stride[64];
    std::size_t index[64] = {};
    std::size_t product = 1;
    for (std::size_t d = 0; d < rank; ++d) {
        stride[d] = product;
        product *= static_cast<std::size_t>(header.shape[d]);
    }
    std::size_t at = 0;
    for (std::size_t i = 0; i < header.count; ++i) {
        sink(i, elements + at * size);
        for (std::size_t d = rank; d-- > 0;) {
            at += stride[d];
            if (++index[d] < static_cast<std::size_t>(header.shape[d])) break;
            at -= index[d] * stride[d];
            index[d] = 0;
        }
    }
}

template <class From, class To>
void convert_elements(const npy_header& header, const std::byte* elements, To* out) {
    const bool swap = header.big_endian != (std::endian::native == std::endian::big);
    for_each_element(header, elements,
                     [&](std::size_t i, const std::byte* p) { out[i] = static_cast<To>(load_element<From>(p, swap)); });
}

template <class To>
void convert_to(const npy_header& header, const std::byte* elements, To* out) {
    if constexpr (!std::is_same_v<To, bool>) {
        const bool plain = !header.big_endian == (std::endian::native == std::endian::little) || sizeof(To) == 1;
        if (header.dtype == npy_dtype_of<To>() && plain && (!header.fortran_order || header.shape.size() < 2)) {
            std::memcpy(out, elements, header.byte_count());
            return;
        }
    }
    switch (header.dtype) {
    case npy_dtype::boolean:
        for_each_element(header, elements,
                         [&](std::size_t i, const std::byte* p) { out[i] = static_cast<To>(*p != std::byte{0}); });
        return;
    case npy_dtype::int8:
        return convert_elements<std::int8_t>(header, elements, out);
    case npy_dtype::int16:
        return convert_elements<std::int16_t>(header, elements, out);
    case npy_dtype::int32:
        return convert_elements<std::int32_t>(header, elements, out);
    case npy_dtype::int64:
        return convert_elements<std::int64_t>(header, elements, out);
    case npy_dtype::uint8:
        return convert_elements<std::uint8_t>(header, elements, out);
    case npy_dtype::uint16:
        return convert_elements<std::uint16_t>(header, elements, out);
    case npy_dtype::uint32:
        return convert_elements<std::uint32_t>(header, elements, out);
    case npy_dtype::uint64:
        return convert_elements<std::uint64_t>(header, elements, out);
    case npy_dtype::float32:
        return convert_elements<float>(header, elements, out);
    case npy_dtype::float64:
        return convert_elements<double>(header, elements, out);
    case npy_dtype::float16:
        if constexpr (std::is_floating_point_v<To>) {
            const bool swap = header.big_endian != (std::endian::native == std::endian::big);
            for_each_element(header, elements, [&](std::size_t i, const std::byte* p) {
                out[i] = static_cast<To>(half_to_float(load_element<std::uint16_t>(p, swap)));
            });
        }
        return;
    }
}

OCELLI_INLINE void npy_convert(const npy_header& header, const std::byte* elements, npy_dtype to, void* out) {
    switch (to) {
    case npy_dtype::boolean:
        return convert_to(header, elements, static_cast<bool*>(out));
    case npy_dtype::int8:
        return convert_to(header, elements, static_cast<std::int8_t*>(out));
    case npy_dtype::int16:
        return convert_to(header, elements, static_cast<std::int16_t*>(out));
    case npy_dtype::int32:
        return convert_to(header, elements, static_cast<std::int32_t*>(out));
    case npy_dtype::int64:
        return convert_to(header, elements, static_cast<std::int64_t*>(out));
    case npy_dtype::uint8:
        return convert_to(header, elements, static_cast<std::uint8_t*>(out));
    case npy_dtype::uint16:
        return convert_to(header, elements, static_cast<std::uint16_t*>(out));
    case npy_dtype::uint32:
        return convert_to(header, elements, static_cast<std::uint32_t*>(out));
    case npy_dtype::uint64:
        return convert_to(header, elements, static_cast<std::uint64_t*>(out));
    case npy_dtype::float32:
        return convert_to(header, elements, static_cast<float*>(out));
    case npy_dtype::float64:
        return convert_to(header, elements, static_cast<double*>(out));
    case npy_dtype::float16:
        fail("npy: arrays of float16 do not exist here");
    }
}

OCELLI_INLINE std::vector<std::byte> make_npy_header(npy_dtype type, std::span<const std::size_t> shape) {
    constexpr std::string_view codes[] = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"};
    std::string text = "{'descr': '";
    text += item_size(type) == 1 ? '|' : std::endian::native == std::endian::little ? '<' : '>';
    text += codes[static_cast<std::size_t>(type)];
    text += "', 'fortran_order': False, 'shape': (";
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (i > 0) text += ", ";
        text += std::to_string(shape[i]);
    }
    text += shape.size() == 1 ? ",), }" : "), }";
    // NumPy leaves room for the first extent to grow in place to 21 digits, then fills up to 64 bytes.
    if (!shape.empty()) text.append(21 - std::to_string(shape[0]).size(), ' ');
    text.append(64 - (10 + text.size() + 1) % 64, ' ');
    text += '\n';
    std::vector<std::byte> bytes;
    for (const int c : {0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0}) bytes.push_back(static_cast<std::byte>(c));
    bytes.push_back(static_cast<std::byte>(text.size() & 255u));
    bytes.push_back(static_cast<std::byte>(text.size() >> 8));
    for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
    return bytes;
}

} // namespace detail
} // namespace ocelli
