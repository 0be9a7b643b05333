#pragma once

#include <ocelli/nn/detail/onnx_wire.hpp>
#include <ocelli/nn/onnx.hpp>
#include <ocelli/nn/ops/op.hpp>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <unordered_map>

namespace ocelli::nn {

namespace detail {

namespace wire = onnx_wire;

// Deeper nesting of sub-graphs than this is an attack on the stack.
inline constexpr int max_graph_depth = 32;
inline constexpr std::size_t max_tensor_rank = 64;

struct file_closer {
    void operator()(std::FILE* f) const noexcept { std::fclose(f); }
};

/// `length` bytes of a file from `offset` on; length -1: to its end.
inline std::vector<std::byte> read_file(const std::string& path, std::int64_t offset = 0, std::int64_t length = -1) {
    const std::unique_ptr<std::FILE, file_closer> file(std::fopen(path.c_str(), "rb"));
    ocelli::detail::check<io_error>(file != nullptr, path, ": cannot open the file");
    ocelli::detail::check<io_error>(std::fseek(file.get(), 0, SEEK_END) == 0, path, ": cannot read the file");
    const std::int64_t size = std::ftell(file.get());
    ocelli::detail::check<io_error>(size >= 0, path, ": cannot read the file");
    ocelli::detail::check<format_error>(offset >= 0 && offset <= size, path, ": has ", size, " bytes, data is said to begin at ", offset);
    if (length < 0) length = size - offset;
    ocelli::detail::check<format_error>(length <= size - offset, path, ": has ", size, " bytes, data is said to be ", length, " from ", offset);
    std::vector<std::byte> bytes(static_cast<std::size_t>(length));
    ocelli::detail::check<io_error>(std::fseek(file.get(), static_cast<long>(offset), SEEK_SET) == 0 &&
                                        std::fread(bytes.data(), 1, bytes.size(), file.get()) == bytes.size(),
                                    path, ": cannot read the file");
    return bytes;
}

inline dtype onnx_dtype(std::int64_t number, const std::string& what) {
    const bool in_range = number >= 1 && number <= 255;
    const auto type = in_range ? static_cast<dtype>(number) : dtype::undefined;
    ocelli::detail::check<format_error>(in_range && size_of(type) != 0, what, ": element type ", number,
                                        number == 8 ? " (string) is not supported" : " is not supported");
    return type;
}

/// Resolves the place of external data: inside the folder, whatever the file says.
inline std::string external_path(const std::string& folder, const std::string& location, const std::string& what) {
    ocelli::detail::check<format_error>(!folder.empty(), what, ": has external data, but the model was read from memory without a folder");
    bool inside = !location.empty() && location[0] != '/' && location.find('\\') == std::string::npos &&
                  location.find('\0') == std::string::npos && location.find(':') == std::string::npos;
    for (std::size_t from = 0; inside && from <= location.size();) {
        const std::size_t to = std::min(location.find('/', from), location.size());
        if (location.compare(from, to - from, "..") == 0) inside = false;
        from = to + 1;
    }
    ocelli::detail::check<format_error>(inside, what, ": external data '", location, "' lies outside the model's folder");
    std::string path = folder + "/" + location;
#if defined(__unix__) || defined(__APPLE__)
    // A symbolic link must not lead out either.
    const std::unique_ptr<char, void (*)(void*)> real_folder(::realpath(folder.c_str(), nullptr), std::free);
    const std::unique_ptr<char, void (*)(void*)> real_path(::realpath(path.c_str(), nullptr), std::free);
    ocelli::detail::check<io_error>(real_folder != nullptr && real_path != nullptr, what, ": cannot open external data '", path, "'");
    std::string prefix = real_folder.get();
    if (prefix.back() != '/') prefix += '/';
    path = real_path.get();
    ocelli::detail::check<format_error>(path.compare(0, prefix.size(), prefix) == 0, what, ": external data '", location,
                                        "' lies outside the model's folder");
#endif
    return path;
}

struct wire_tensor {
    std::string name;
    tensor elements;
};

template <class To, class From>
tensor tensor_of(dtype type, const dims& shape, const std::vector<From>& values, const std::string& what) {
    ocelli::detail::check<format_error>(static_cast<std::int64_t>(values.size()) == element_count(shape), what, ": shape ",
                                        ocelli::detail::shape_text(shape), " does not hold ", values.size(), " elements");
    tensor out(type, shape);
    To* to = static_cast<To*>(out.mutable_raw());
    for (std::size_t i = 0; i < values.size(); ++i) to[i] = static_cast<To>(values[i]);
    return out;
}

inline wire_tensor read_tensor(wire::reader r, const std::string& folder, const std::string& source) {
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
    ocelli::detail::check<format_error>(!has_strings && type_number != 8, what, ": element type string is not supported");
    const dtype type = onnx_dtype(type_number, what);
    ocelli::detail::check<format_error>(shape.size() <= max_tensor_rank, what, ": has rank ", shape.size());
    for (const std::int64_t d : shape)
        ocelli::detail::check<format_error>(d >= 0, what, ": has a negative extent, ", ocelli::detail::shape_text(shape));
    std::int64_t count = 0;
    try {
        count = element_count(shape);
    } catch (const invalid_argument& e) {
        ocelli::detail::fail<format_error>(what, ": ", e.what());
    }
    const auto copy_bytes = [&](const void* from, std::size_t size) {
        ocelli::detail::check<format_error>(static_cast<std::uint64_t>(count) <= (std::uint64_t{1} << 60) &&
                                                size == static_cast<std::size_t>(count) * size_of(type),
                                            what, ": shape ", ocelli::detail::shape_text(shape), " of ", nn::name(type), " needs ", count, " x ",
                                            size_of(type), " bytes, has ", size);
        out.elements = tensor(type, shape);
        if (size != 0) std::memcpy(out.elements.mutable_raw(), from, size);
        // Any byte but 0 is true; a bool must hold nothing but 0 and 1.
        if (type == dtype::boolean)
            for (std::size_t i = 0; i < size; ++i) {
                auto* b = static_cast<unsigned char*>(out.elements.mutable_raw()) + i;
                *b = *b != 0;
            }
    };
    if (location == 1) {
        const std::vector<std::byte> bytes = read_file(external_path(folder, external_location, what), external_offset, external_length);
        copy_bytes(bytes.data(), bytes.size());
        return out;
    }
    ocelli::detail::check<format_error>(location == 0, what, ": unknown data location ", location);
    if (has_raw) {
        copy_bytes(raw.data(), raw.size());
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

struct wire_value {
    std::string name;
    fact what;
};

inline wire_value read_value_info(wire::reader r, const std::string& source) {
    wire_value out;
    while (r.next()) {
        if (r.tag() == wire::value_name) {
            out.name = wire::string(r);
        } else if (r.tag() == wire::value_type) {
            wire::reader type = wire::message(r);
            while (type.next()) {
                if (type.tag() != wire::type_tensor) {
                    type.skip();
                    continue;
                }
                wire::reader t = wire::message(type);
                while (t.next()) {
                    if (t.tag() == wire::tensor_elem_type) {
                        const std::int64_t number = wire::integer(t);
                        if (number != 0) out.what.type = onnx_dtype(number, source + ": value '" + out.name + "'");
                    } else if (t.tag() == wire::tensor_shape) {
                        std::vector<dim> extents;
                        wire::reader shape = wire::message(t);
                        while (shape.next()) {
                            if (shape.tag() != wire::shape_dim) {
                                shape.skip();
                                continue;
                            }
                            dim d;
                            wire::reader one = wire::message(shape);
                            while (one.next()) {
                                // Some exporters write 0 or -1 for "unknown".
                                if (one.tag() == wire::dim_value) {
                                    const std::int64_t v = wire::integer(one);
                                    d.size = v > 0 ? v : -1;
                                } else if (one.tag() == wire::dim_param) d.symbol = wire::string(one);
                                else one.skip();
                            }
                            ocelli::detail::check<format_error>(extents.size() < max_tensor_rank, source, ": value '", out.name, "' has too many axes");
                            extents.push_back(std::move(d));
                        }
                        out.what.shape = symbolic_shape(std::move(extents));
                    } else {
                        t.skip();
                    }
                }
            }
        } else {
            r.skip();
        }
    }
    return out;
}

/// Reads one graph; `parent` is the reader of the graph around it.
class graph_reader {
public:
    graph_reader(graph& g, graph_reader* parent, const std::string& folder, int depth)
        : g_(g), parent_(parent), folder_(folder), source_(*g.source), depth_(depth) {
        ocelli::detail::check<format_error>(depth < max_graph_depth, source_, ": sub-graphs are nested deeper than ", max_graph_depth);
    }

    void read(std::string_view bytes) {
        std::vector<std::string_view> nodes, inputs, outputs, infos;
        wire::reader r = wire::message(bytes);
        while (r.next()) {
            switch (r.tag()) {
            case wire::graph_name: g_.name = wire::string(r); break;
            case wire::graph_node: nodes.push_back(wire::bytes(r)); break;
            case wire::graph_input: inputs.push_back(wire::bytes(r)); break;
            case wire::graph_output: outputs.push_back(wire::bytes(r)); break;
            case wire::graph_value_info: infos.push_back(wire::bytes(r)); break;
            case wire::graph_initializer: {
                wire_tensor t = read_tensor(wire::message(r), folder_, source_);
                const value_id id = declare(t.name);
                g_.at(id).what = fact{t.elements.type(), symbolic_shape(t.elements.shape()), t.elements};
                break;
            }
            case wire::graph_sparse_initializer: ocelli::detail::fail<format_error>(source_, ": sparse initializers are not supported"); break;
            default: r.skip();
            }
        }
        for (const std::string_view view : inputs) {
            wire_value v = read_value_info(wire::message(view), source_);
            const auto found = names_.find(v.name);
            // An initializer that is also an input: a default.
            const value_id id = found != names_.end() ? found->second : declare(v.name);
            ocelli::detail::check<format_error>(given_.insert({id, true}).second, source_, ": input '", v.name, "' is listed twice");
            if (!g_.at(id).what.constant.defined()) g_.at(id).what = std::move(v.what);
            g_.inputs.push_back(id);
        }
        // All outputs first: files need not be sorted, and a sub-graph may use what stands behind its node.
        for (const std::string_view view : nodes) {
            wire::reader n = wire::message(view);
            while (n.next()) {
                if (n.tag() != wire::node_output) {
                    n.skip();
                    continue;
                }
                if (std::string name = wire::string(n); !name.empty()) declare(name);
            }
        }
        for (const std::string_view view : infos) {
            wire_value v = read_value_info(wire::message(view), source_);
            if (const auto found = names_.find(v.name); found != names_.end() && !g_.at(found->second).what.constant.defined())
                g_.at(found->second).what = std::move(v.what);
        }
        for (const std::string_view view : nodes) read_node(view);
        for (const std::string_view view : outputs) {
            wire_value v = read_value_info(wire::message(view), source_);
            const value_id id = resolve(v.name);
            ocelli::detail::check<format_error>(id != no_value, source_, ": output '", v.name, "' is computed by no node");
            fact& known = g_.at(id).what;
            if (known.type == dtype::undefined) known.type = v.what.type;
            if (!known.shape.ranked()) known.shape = std::move(v.what.shape);
            g_.outputs.push_back(id);
        }
        g_.sort();
    }

private:
    value_id declare(const std::string& name) {
        const value_id id = g_.add_value(name);
        ocelli::detail::check<format_error>(names_.emplace(name, id).second, source_, ": value '", name, "' is defined twice");
        return id;
    }

    /// The value of this name here, captured from the graphs around where need be; no_value where nobody has it.
    value_id resolve(const std::string& name) {
        if (const auto found = names_.find(name); found != names_.end()) return found->second;
        if (parent_ == nullptr) return no_value;
        const value_id outside = parent_->resolve(name);
        if (outside == no_value) return no_value;
        const value_id inside = declare(name);
        fact what = parent_->g_.at(outside).what;
        what.constant = tensor();  // it comes with the call, even if it is a constant outside
        g_.at(inside).what = std::move(what);
        g_.captures.push_back({inside, parent_->implicit_.size()});
        parent_->implicit_.push_back(outside);
        return inside;
    }

    void read_node(std::string_view bytes) {
        node n;
        n.source = g_.source;
        std::vector<std::string> inputs, outputs;
        std::vector<std::string_view> attributes;
        wire::reader r = wire::message(bytes);
        while (r.next()) {
            switch (r.tag()) {
            case wire::node_input: inputs.push_back(wire::string(r)); break;
            case wire::node_output: outputs.push_back(wire::string(r)); break;
            case wire::node_name: n.name = wire::string(r); break;
            case wire::node_op_type: n.op = wire::string(r); break;
            case wire::node_domain: n.domain = wire::string(r); break;
            case wire::node_attribute: attributes.push_back(wire::bytes(r)); break;
            default: r.skip();
            }
        }
        if (n.domain == "ai.onnx") n.domain.clear();
        if (n.name.empty()) n.name = ocelli::detail::concat(n.op, "_", g_.nodes.size());
        const auto opset = g_.opsets.find(n.domain);
        if (opset == g_.opsets.end())
            fail<unsupported_operator>(n, "the model imports no operator set of domain '", n.domain, "'");
        n.opset = opset->second;
        implicit_.clear();
        for (const std::string_view view : attributes) n.attributes.push_back(read_attribute(view, n));
        for (const std::string& input : inputs) {
            n.inputs.push_back(input.empty() ? no_value : resolve(input));
            if (!input.empty() && n.inputs.back() == no_value) fail<format_error>(n, "input '", input, "' is defined nowhere");
        }
        // Captures of the graphs around were collected while this node's sub-graphs were read.
        n.implicit_inputs = std::move(implicit_);
        implicit_ = {};
        for (const std::string& output : outputs) n.outputs.push_back(output.empty() ? no_value : names_.at(output));
        while (!n.inputs.empty() && n.inputs.back() == no_value) n.inputs.pop_back();
        while (!n.outputs.empty() && n.outputs.back() == no_value) n.outputs.pop_back();
        for (const value_id v : n.outputs)
            if (v != no_value && g_.at(v).what.constant.defined()) fail<format_error>(n, "output '", g_.at(v).name, "' is an initializer");
        g_.add_node(std::move(n));
    }

    attribute read_attribute(std::string_view bytes, const node& n) {
        attribute out;
        std::int64_t type = 0, i = 0;
        float f = 0;
        std::string s;
        bool has_t = false, has_g = false, has_f = false, has_i = false, has_s = false;
        std::string_view t, body;
        std::vector<float> floats;
        std::vector<std::int64_t> ints;
        std::vector<std::string> strings;
        wire::reader r = wire::message(bytes);
        while (r.next()) {
            switch (r.tag()) {
            case wire::attribute_name: out.name = wire::string(r); break;
            case wire::attribute_f: f = wire::real(r); has_f = true; break;
            case wire::attribute_i: i = wire::integer(r); has_i = true; break;
            case wire::attribute_s: s = wire::string(r); has_s = true; break;
            case wire::attribute_t: t = wire::bytes(r); has_t = true; break;
            case wire::attribute_g: body = wire::bytes(r); has_g = true; break;
            case wire::attribute_floats: wire::reals(r, floats); break;
            case wire::attribute_ints: wire::integers(r, ints); break;
            case wire::attribute_strings: strings.push_back(wire::string(r)); break;
            case wire::attribute_type: type = wire::integer(r); break;
            case wire::attribute_ref:
                if (!wire::bytes(r).empty()) fail<unsupported_operator>(n, "attribute '", out.name, "' refers to a function's attribute");
                break;
            case wire::attribute_tensors:
            case wire::attribute_graphs:
            case wire::attribute_tp:
            case wire::attribute_type_protos:
            case wire::attribute_sparse_tensor:
                fail<unsupported_operator>(n, "attribute '", out.name, "' has a kind that is not supported");
            default: r.skip();
            }
        }
        // Very old files have no type: the field that is there tells.
        if (type == 0) type = has_f ? 1 : has_i ? 2 : has_s ? 3 : has_t ? 4 : has_g ? 5 : !floats.empty() ? 6 : !ints.empty() ? 7 : !strings.empty() ? 8 : 0;
        switch (type) {
        case 1: out.what = f; break;
        case 2: out.what = i; break;
        case 3: out.what = std::move(s); break;
        case 4:
            check<format_error>(n, has_t, "attribute '", out.name, "' has no tensor");
            out.what = read_tensor(wire::message(t), folder_, source_).elements;
            break;
        case 5: {
            check<format_error>(n, has_g, "attribute '", out.name, "' has no graph");
            auto sub = std::make_shared<graph>();
            sub->opsets = g_.opsets;
            sub->source = g_.source;
            graph_reader(*sub, this, folder_, depth_ + 1).read(body);
            out.what = std::move(sub);
            break;
        }
        case 6: out.what = std::move(floats); break;
        case 7: out.what = std::move(ints); break;
        case 8: out.what = std::move(strings); break;
        default: fail<unsupported_operator>(n, "attribute '", out.name, "' has a kind that is not supported (", type, ")");
        }
        return out;
    }

    graph& g_;
    graph_reader* parent_;
    const std::string& folder_;
    const std::string& source_;
    int depth_;
    std::unordered_map<std::string, value_id> names_;
    std::unordered_map<value_id, bool> given_;
    /// Captured values of the node being read.
    std::vector<value_id> implicit_;
};

inline graph read_model(std::string_view bytes, const std::string& folder, const std::string& source) {
    graph g;
    g.source = std::make_shared<const std::string>(source);
    std::string_view body;
    bool has_graph = false, has_functions = false;
    wire::reader r = wire::message(bytes);
    while (r.next()) {
        switch (r.tag()) {
        case wire::model_graph:
            body = wire::bytes(r);
            has_graph = true;
            break;
        case wire::model_opset_import: {
            wire::reader id = wire::message(r);
            std::string domain;
            std::int64_t version = 1;
            while (id.next()) {
                if (id.tag() == wire::opset_domain) domain = wire::string(id);
                else if (id.tag() == wire::opset_version) version = wire::integer(id);
                else id.skip();
            }
            if (domain == "ai.onnx") domain.clear();
            ocelli::detail::check<format_error>(version >= 1, source, ": imports version ", version, " of domain '", domain, "'");
            g.opsets[domain] = version;
            break;
        }
        case wire::model_functions:
            has_functions = true;
            r.skip();
            break;
        default: r.skip();
        }
    }
    ocelli::detail::check<format_error>(has_graph, source, ": holds no graph; is this an ONNX model?");
    ocelli::detail::check<unsupported_operator>(!has_functions, source, ": model-local functions are not supported");
    if (g.opsets.empty()) g.opsets[""] = 1;  // files from before operator sets had versions
    graph_reader(g, nullptr, folder, 0).read(body);
    g.verify();
    infer_facts(g);
    return g;
}

template <class F>
auto reading(const std::string& source, F&& f) {
    try {
        return f();
    } catch (const protozero::exception& e) {
        ocelli::detail::fail<format_error>(source, ": not a valid protobuf file (", e.what(), ")");
    }
}

inline std::string folder_of(const std::string& path) {
    const std::size_t slash = path.find_last_of('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

inline std::string_view as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace detail

OCELLI_INLINE graph read_onnx(std::span<const std::byte> bytes, const std::string& folder, const std::string& source) {
    return detail::reading(source, [&] { return detail::read_model(detail::as_text(bytes), folder, source); });
}

OCELLI_INLINE graph read_onnx(const std::string& path) {
    const std::vector<std::byte> bytes = detail::read_file(path);
    return read_onnx(bytes, detail::folder_of(path), path);
}

OCELLI_INLINE tensor read_onnx_tensor(std::span<const std::byte> bytes, const std::string& source) {
    return detail::reading(source, [&] { return detail::read_tensor(detail::wire::message(detail::as_text(bytes)), "", source).elements; });
}

OCELLI_INLINE tensor read_onnx_tensor(const std::string& path) {
    const std::vector<std::byte> bytes = detail::read_file(path);
    return read_onnx_tensor(bytes, path);
}

}  // namespace ocelli::nn
