#pragma once

#include <ocelli/io/detail/file.hpp>
#include <ocelli/io/detail/file_mapping.hpp>
#include <ocelli/io/safetensors.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>
#include <limits>
#include <set>
#include <tuple>

namespace ocelli {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

namespace detail {

struct safetensors_type_row {
    std::string_view name;
    std::size_t size;
};
inline constexpr safetensors_type_row safetensors_types[] = {
    {"BOOL", 1}, {"U8", 1},   {"I8", 1},   {"F8_E5M2", 1}, {"F8_E4M3", 1}, {"I16", 2}, {"U16", 2}, {"F16", 2},
    {"BF16", 2}, {"I32", 4}, {"U32", 4}, {"F32", 4},     {"F64", 8},     {"I64", 8}, {"U64", 8},
};

inline constexpr std::uint64_t max_safetensors_header = 100'000'000;

/// Reads the header's JSON as it is parsed: doubled keys are seen, and nothing is built that the file does not need.
class safetensors_header_reader {
public:
    struct raw_entry {
        std::string name, type;
        std::vector<std::uint64_t> shape, offsets;
    };

    explicit safetensors_header_reader(const std::string& what) : what_(what) {}

    std::vector<raw_entry> entries;
    std::map<std::string, std::string> metadata;

    bool null() { return wrong("null"); }
    bool boolean(bool) { return wrong("a boolean"); }
    bool number_integer(std::int64_t) { return wrong("a negative number"); }
    bool number_float(double, const std::string&) { return wrong("a fraction"); }
    template <class Binary>
    bool binary(Binary&) {
        return wrong("bytes");
    }
    bool number_unsigned(std::uint64_t v) {
        if (!in_list_) return wrong("a number");
        auto& list = field_ == "shape" ? entries.back().shape : entries.back().offsets;
        check<format_error>(list.size() < 64, what_, ": '", entries.back().name, "' has more than 64 dimensions");
        list.push_back(v);
        return true;
    }
    bool string(std::string& v) {
        if (depth_ == 2 && in_metadata_) {
            metadata[field_] = v;
            return true;
        }
        if (depth_ != 2 || in_list_ || field_ != "dtype") return wrong("a text");
        entries.back().type = v;
        return true;
    }
    bool start_object(std::size_t) {
        if (in_list_ || depth_ >= 2) return wrong("an object");
        ++depth_;
        fields_.clear();
        return true;
    }
    bool end_object() {
        if (depth_ == 2 && !in_metadata_)
            check<format_error>(fields_.size() == 3, what_, ": '", entries.back().name, "' must have dtype, shape and data_offsets");
        --depth_;
        return true;
    }
    bool key(std::string& k) {
        if (depth_ == 1) {
            check<format_error>(names_.insert(k).second, what_, ": '", k, "' stands twice");
            in_metadata_ = k == "__metadata__";
            if (!in_metadata_) entries.push_back({k, {}, {}, {}});
            return true;
        }
        check<format_error>(in_metadata_ || k == "dtype" || k == "shape" || k == "data_offsets", what_, ": '", in_metadata_ ? "" : entries.back().name,
                            "' has the unknown field '", k, "'");
        check<format_error>(fields_.insert(k).second, what_, ": the field '", k, "' stands twice");
        field_ = k;
        return true;
    }
    bool start_array(std::size_t) {
        if (depth_ != 2 || in_metadata_ || in_list_ || (field_ != "shape" && field_ != "data_offsets")) return wrong("a list");
        in_list_ = true;
        return true;
    }
    bool end_array() {
        in_list_ = false;
        return true;
    }
    template <class Exception>
    bool parse_error(std::size_t position, const std::string&, const Exception&) {
        fail<format_error>(what_, ": the header is not valid JSON at byte ", position);
    }

private:
    bool wrong(const char* got) const { fail<format_error>(what_, ": the header has ", got, " where it may not stand"); }

    const std::string& what_;
    int depth_ = 0;
    bool in_metadata_ = false, in_list_ = false;
    std::string field_;
    std::set<std::string> names_, fields_;
};

}  // namespace detail

OCELLI_INLINE std::string_view name(safetensors_dtype type) noexcept {
    return detail::safetensors_types[static_cast<std::size_t>(type)].name;
}

OCELLI_INLINE std::size_t item_size(safetensors_dtype type) noexcept {
    return detail::safetensors_types[static_cast<std::size_t>(type)].size;
}

OCELLI_INLINE safetensors_file::safetensors_file(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, std::string what)
    : owner_(std::move(owner)), what_(std::move(what)) {
    using detail::check;
    check<format_error>(bytes.size() >= 8, what_, ": has ", bytes.size(), " bytes, fewer than a safetensors file");
    std::uint64_t header = 0;
    std::memcpy(&header, bytes.data(), sizeof header);
    check<format_error>(header <= detail::max_safetensors_header, what_, ": the header is said to have ", header, " bytes, more than the limit of ",
                        detail::max_safetensors_header);
    check<format_error>(header <= bytes.size() - 8, what_, ": the header is said to have ", header, " bytes, the file has ", bytes.size());
    const auto* text = reinterpret_cast<const char*>(bytes.data()) + 8;
    check<format_error>(header > 0 && text[0] == '{', what_, ": is not a safetensors file (the header does not begin with '{')");
    detail::safetensors_header_reader reader(what_);
    nlohmann::json::sax_parse(text, text + header, &reader);
    metadata_ = std::move(reader.metadata);

    const std::uint64_t data = bytes.size() - 8 - header;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
    for (auto& raw : reader.entries) {
        safetensors_entry e;
        const auto* row = std::find_if(std::begin(detail::safetensors_types), std::end(detail::safetensors_types),
                                       [&](const auto& t) { return t.name == raw.type; });
        check<format_error>(row != std::end(detail::safetensors_types), what_, ": '", raw.name, "' has the unknown element type '", raw.type, "'");
        e.dtype = static_cast<safetensors_dtype>(row - std::begin(detail::safetensors_types));
        check<format_error>(raw.offsets.size() == 2 && raw.offsets[0] <= raw.offsets[1] && raw.offsets[1] <= data, what_, ": '", raw.name,
                            "' has data_offsets outside the file's ", data, " bytes of data");
        // The product is checked as it grows: it can overflow.
        std::uint64_t size = row->size;
        bool fits = true;
        for (const std::uint64_t d : raw.shape) {
            fits = fits && d <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
            e.shape.push_back(static_cast<std::int64_t>(d));
            if (d != 0 && size > std::numeric_limits<std::uint64_t>::max() / d) fits = false;
            size *= d;
        }
        if (std::find(raw.shape.begin(), raw.shape.end(), 0u) != raw.shape.end()) size = 0;
        check<format_error>(fits && size == raw.offsets[1] - raw.offsets[0], what_, ": '", raw.name, "' has ", raw.offsets[1] - raw.offsets[0],
                            " bytes, which do not fit ", raw.type, " ", detail::shape_text(raw.shape));
        e.bytes = bytes.subspan(8 + static_cast<std::size_t>(header + raw.offsets[0]), static_cast<std::size_t>(size));
        e.name = std::move(raw.name);
        ranges.emplace_back(raw.offsets[0], raw.offsets[1]);
        entries_.push_back(std::move(e));
    }
    std::sort(ranges.begin(), ranges.end());
    std::uint64_t end = 0;
    for (const auto& [from, to] : ranges) {
        check<format_error>(from == end, what_, ": arrays overlap or leave a gap at byte ", std::min(from, end), " of the data");
        end = to;
    }
    check<format_error>(end == data, what_, ": the arrays have ", end, " bytes, the file ", data);
    std::stable_sort(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) { return a.bytes.data() < b.bytes.data(); });
    for (std::size_t i = 0; i < entries_.size(); ++i) by_name_.emplace(entries_[i].name, i);
}

OCELLI_INLINE const safetensors_entry* safetensors_file::find(std::string_view entry_name) const noexcept {
    const auto found = by_name_.find(entry_name);
    return found == by_name_.end() ? nullptr : &entries_[found->second];
}

OCELLI_INLINE const safetensors_entry& safetensors_file::at(std::string_view entry_name) const {
    const safetensors_entry* found = find(entry_name);
    detail::check(found != nullptr, what_, ": has no array '", entry_name, "' among its ", entries_.size());
    return *found;
}

OCELLI_INLINE safetensors_file read_safetensors(const std::string& path) {
#if defined(__unix__) || defined(__APPLE__)
    auto mapping = std::make_shared<detail::file_mapping>(path);
    const auto bytes = mapping->bytes();
    return {bytes, std::move(mapping), path};
#else
    auto memory = std::make_shared<std::vector<std::byte>>(detail::read_file(path));
    const std::span<const std::byte> bytes(*memory);
    return {bytes, std::move(memory), path};
#endif
}

OCELLI_INLINE safetensors_file read_safetensors(std::span<const std::byte> bytes) {
    auto memory = std::make_shared<std::vector<std::byte>>(bytes.begin(), bytes.end());
    const std::span<const std::byte> kept(*memory);
    return {kept, std::move(memory), "safetensors"};
}

OCELLI_INLINE std::vector<std::byte> safetensors_bytes(std::span<const safetensors_entry> entries, const std::map<std::string, std::string>& metadata) {
    using detail::check;
    std::vector<const safetensors_entry*> order;
    std::set<std::string_view> names;
    for (const safetensors_entry& e : entries) {
        check(!e.name.empty() && e.name != "__metadata__", "safetensors: an array cannot be named '", e.name, "'");
        check(names.insert(e.name).second, "safetensors: two arrays are named '", e.name, "'");
        std::uint64_t size = item_size(e.dtype);
        bool fits = true;
        for (const std::int64_t d : e.shape) {
            fits = fits && d >= 0 && (d == 0 || size <= (std::uint64_t{1} << 62) / static_cast<std::uint64_t>(d));
            size *= static_cast<std::uint64_t>(d);
        }
        check(fits && size == e.bytes.size(), "safetensors: '", e.name, "' has ", e.bytes.size(), " bytes, which do not fit ", name(e.dtype), " ",
              detail::shape_text(e.shape));
        order.push_back(&e);
    }
    // Wide elements first, so that each array is aligned; then by name.
    std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return std::tie(b->dtype, a->name) < std::tie(a->dtype, b->name); });
    nlohmann::ordered_json header = nlohmann::ordered_json::object();
    if (!metadata.empty())
        for (const auto& [key, text] : metadata) header["__metadata__"][key] = text;
    std::uint64_t at = 0;
    for (const safetensors_entry* e : order) {
        nlohmann::ordered_json row;
        row["dtype"] = std::string(name(e->dtype));
        row["shape"] = e->shape;
        row["data_offsets"] = {at, at + e->bytes.size()};
        header.emplace(e->name, std::move(row));
        at += e->bytes.size();
    }
    std::string text;
    try {
        text = header.dump();
    } catch (const nlohmann::json::exception&) {
        detail::fail("safetensors: a name or a text of the metadata is not UTF-8");
    }
    text.append((8 - text.size() % 8) % 8, ' ');
    check(text.size() <= detail::max_safetensors_header, "safetensors: the header would have ", text.size(), " bytes, more than readers take");
    const std::uint64_t length = text.size();
    std::vector<std::byte> out(8 + text.size() + static_cast<std::size_t>(at));
    std::memcpy(out.data(), &length, 8);
    std::memcpy(out.data() + 8, text.data(), text.size());
    std::size_t place = 8 + text.size();
    for (const safetensors_entry* e : order) {
        if (!e->bytes.empty()) std::memcpy(out.data() + place, e->bytes.data(), e->bytes.size());
        place += e->bytes.size();
    }
    return out;
}

OCELLI_INLINE void write_safetensors(const std::string& path, std::span<const safetensors_entry> entries, const std::map<std::string, std::string>& metadata) {
    detail::write_file(path, safetensors_bytes(entries, metadata));
}

}  // namespace ocelli
