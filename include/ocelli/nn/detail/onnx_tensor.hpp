#pragma once

/// @file
/// Reading an ONNX tensor: typed lists, raw bytes, or a place in a file of external data.

#include <ocelli/nn/detail/onnx_source.hpp>
#include <ocelli/nn/detail/onnx_wire.hpp>
#include <ocelli/nn/tensor.hpp>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ocelli::nn::detail {

namespace wire = onnx_wire;

inline dtype onnx_dtype(std::int64_t number, const std::string& what) {
    // Types that ONNX has and this engine lacks: text, complex numbers, 8 bits and less.
    ocelli::detail::check<unsupported_operator>(number != 8, what, ": element type string is not supported");
    const bool known = number == 14 || number == 15 || (number >= 17 && number <= 26);
    ocelli::detail::check<unsupported_operator>(!known, what, ": element type ", number, " is not supported");
    const auto type = number >= 1 && number < 32 ? static_cast<dtype>(number) : dtype::undefined;
    ocelli::detail::check<format_error>(size_of(type) != 0, what, ": element type ", number, " does not exist");
    return type;
}

struct wire_tensor {
    std::string name;
    tensor elements;
};

template <class To, class From>
tensor tensor_of(dtype type, const dims& shape, const std::vector<From>& values, const std::string& what) {
    ocelli::detail::check<format_error>(static_cast<std::int64_t>(values.size()) == element_count(shape), what, ": shape ", shape, " does not hold ",
                                        values.size(), " elements");
    tensor out(type, shape);
    To* to = static_cast<To*>(out.mutable_raw());
    for (std::size_t i = 0; i < values.size(); ++i) to[i] = static_cast<To>(values[i]);
    return out;
}

inline wire_tensor read_tensor(wire::reader r, model_source& model) {
    const std::string& source = model.name;
    wire_tensor out;
    dims shape;
    std::int64_t type_number = 0, location = 0;
    std::string_view raw;
    bool has_raw = false, has_strings = false;
    std::vector<float> floats;
    std::vector<double> doubles;
    std::vector<std::int64_t> ints;
    std::string external_location;
    std::int64_t external_offset = 0, external_length = -1;
    while (r.next()) {
        switch (r.tag()) {
        case wire::tensor_dims: wire::integers(r, shape); break;
        case wire::tensor_data_type: type_number = wire::integer(r); break;
        case wire::tensor_name: out.name = wire::string(r); break;
        case wire::tensor_raw_data:
            raw = wire::bytes(r);
            has_raw = true;
            break;
        case wire::tensor_float_data: wire::reals(r, floats); break;
        case wire::tensor_double_data: wire::reals(r, doubles); break;
        case wire::tensor_int32_data:
        case wire::tensor_int64_data:
        case wire::tensor_uint64_data: wire::integers(r, ints); break;
        case wire::tensor_string_data:
            has_strings = true;
            r.skip();
            break;
        case wire::tensor_external_data: {
            wire::reader entry = wire::message(r);
            std::string key, text;
            while (entry.next()) {
                if (entry.tag() == wire::entry_key) key = wire::string(entry);
                else if (entry.tag() == wire::entry_value) text = wire::string(entry);
                else entry.skip();
            }
            const auto number = [&] {
                char* end = nullptr;
                const long long v = std::strtoll(text.c_str(), &end, 10);
                ocelli::detail::check<format_error>(!text.empty() && *end == '\0' && v >= 0, source, ": external data has ", key, " '", text, "'");
                return static_cast<std::int64_t>(v);
            };
            if (key == "location") external_location = text;
            else if (key == "offset") external_offset = number();
            else if (key == "length") external_length = number();
            break;
        }
        case wire::tensor_data_location: location = wire::integer(r); break;
        case wire::tensor_segment: ocelli::detail::fail<format_error>(source, ": a tensor in segments is not supported"); break;
        default: r.skip();
        }
    }
    const std::string what = source + ": tensor '" + out.name + "'";
    ocelli::detail::check<unsupported_operator>(!has_strings, what, ": element type string is not supported");
    const dtype type = onnx_dtype(type_number, what);
    ocelli::detail::check<format_error>(shape.size() <= max_tensor_rank, what, ": has rank ", shape.size());
    for (const std::int64_t d : shape)
        ocelli::detail::check<format_error>(d >= 0, what, ": has a negative extent, ", shape);
    std::int64_t count = 0;
    try {
        count = element_count(shape);
    } catch (const invalid_argument& e) {
        ocelli::detail::fail<format_error>(what, ": ", e.what());
    }
    // Borrows the file's memory where it is aligned, else copies and gives the file's pages back.
    const auto take_bytes = [&](const void* from, std::size_t size, const std::shared_ptr<const file_memory>& file) {
        ocelli::detail::check<format_error>(static_cast<std::uint64_t>(count) <= (std::uint64_t{1} << 60) &&
                                                size == static_cast<std::size_t>(count) * size_of(type),
                                            what, ": shape ", shape, " of ", nn::name(type), " needs ", count, " x ",
                                            size_of(type), " bytes, has ", size);
        constexpr std::size_t worth_borrowing = 4096;
        if (file != nullptr && size >= worth_borrowing && type != dtype::boolean) {
            out.elements = tensor::borrow(type, shape, from, file);
            return;
        }
        out.elements = tensor(type, shape);
        if (size != 0) std::memcpy(out.elements.mutable_raw(), from, size);
        if (file != nullptr) file->release(from, size);
        // Any byte but 0 is true; a bool must hold nothing but 0 and 1.
        if (type == dtype::boolean)
            for (std::size_t i = 0; i < size; ++i) {
                auto* b = static_cast<unsigned char*>(out.elements.mutable_raw()) + i;
                *b = *b != 0;
            }
    };
    if (location == 1) {
        const std::string path = external_path(model.folder, external_location, what);
        auto& file = model.external[path];
        if (file == nullptr) file = std::make_shared<const file_memory>(path);
        const auto size = static_cast<std::int64_t>(file->bytes.size());
        ocelli::detail::check<format_error>(external_offset <= size, what, ": '", path, "' has ", size, " bytes, data is said to begin at ", external_offset);
        if (external_length < 0) external_length = size - external_offset;
        ocelli::detail::check<format_error>(external_length <= size - external_offset, what, ": '", path, "' has ", size, " bytes, data is said to be ",
                                            external_length, " from ", external_offset);
        take_bytes(file->bytes.data() + external_offset, static_cast<std::size_t>(external_length), file);
        return out;
    }
    ocelli::detail::check<format_error>(location == 0, what, ": unknown data location ", location);
    if (has_raw) {
        take_bytes(raw.data(), raw.size(), model.file);
        return out;
    }
    switch (type) {
    case dtype::float32: out.elements = tensor_of<float>(type, shape, floats, what); break;
    case dtype::float64: out.elements = tensor_of<double>(type, shape, doubles, what); break;
    case dtype::boolean: {
        for (std::int64_t& v : ints) v = v != 0;
        out.elements = tensor_of<std::uint8_t>(type, shape, ints, what);
        break;
    }
    default:
        // Every integer, and the bits of the 16-bit floats.
        dispatch_by_size(type, [&]<class U>(type_tag<U>) { out.elements = tensor_of<U>(type, shape, ints, what); });
    }
    return out;
}

}  // namespace ocelli::nn::detail
