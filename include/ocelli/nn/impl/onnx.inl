#pragma once

#include <ocelli/nn/detail/onnx_graph.hpp>
#include <ocelli/nn/onnx.hpp>

#include <map>
#include <memory>
#include <tuple>
#include <utility>

namespace ocelli::nn {

namespace detail {

inline void read_opset(wire::reader id, const std::string& source, std::map<std::string, std::int64_t>& opsets) {
    std::string domain;
    std::int64_t version = 1;
    while (id.next()) {
        if (id.tag() == wire::opset_domain) domain = wire::string(id);
        else if (id.tag() == wire::opset_version) version = wire::integer(id);
        else id.skip();
    }
    if (domain == "ai.onnx") domain.clear();
    ocelli::detail::check<format_error>(version >= 1, source, ": imports version ", version, " of domain '", domain, "'");
    opsets[domain] = version;
}

inline void read_metadata(wire::reader entry, std::map<std::string, std::string>& metadata) {
    std::string key, content;
    while (entry.next()) {
        if (entry.tag() == wire::entry_key) key = wire::string(entry);
        else if (entry.tag() == wire::entry_value) content = wire::string(entry);
        else entry.skip();
    }
    metadata[std::move(key)] = std::move(content);
}

inline void read_function(wire::reader r, model_source& model) {
    model_function f;
    std::string name, domain, overload;
    while (r.next()) {
        switch (r.tag()) {
        case wire::function_name: name = wire::string(r); break;
        case wire::function_domain: domain = wire::string(r); break;
        case wire::function_overload: overload = wire::string(r); break;
        case wire::function_input: f.inputs.push_back(wire::string(r)); break;
        case wire::function_output: f.outputs.push_back(wire::string(r)); break;
        case wire::function_node: f.nodes.push_back(wire::bytes(r)); break;
        case wire::function_attribute_proto: f.defaults.push_back(wire::bytes(r)); break;
        case wire::function_opset_import: read_opset(wire::message(r), model.name, f.opsets); break;
        default: r.skip();
        }
    }
    if (domain == "ai.onnx") domain.clear();
    const bool first = model.functions.emplace(std::tuple(domain, name, overload), std::move(f)).second;
    ocelli::detail::check<format_error>(first, model.name, ": function '", name, "' of domain '", domain, "' is defined twice");
}

inline graph read_model(std::string_view bytes, model_source& model) {
    const std::string& source = model.name;
    graph g;
    g.source = std::make_shared<const std::string>(source);
    std::string_view body;
    bool has_graph = false;
    wire::reader r = wire::message(bytes);
    while (r.next()) {
        switch (r.tag()) {
        case wire::model_graph:
            body = wire::bytes(r);
            has_graph = true;
            break;
        case wire::model_opset_import: read_opset(wire::message(r), source, g.opsets); break;
        case wire::model_metadata: read_metadata(wire::message(r), g.metadata); break;
        case wire::model_functions: read_function(wire::message(r), model); break;
        default: r.skip();
        }
    }
    ocelli::detail::check<format_error>(has_graph, source, ": holds no graph; is this an ONNX model?");
    if (g.opsets.empty()) g.opsets[""] = 1;  // files from before operator sets had versions
    // A function without versions of its own has the model's.
    for (auto& [key, f] : model.functions)
        for (const auto& [domain, version] : g.opsets) f.opsets.emplace(domain, version);
    graph_reader(g, nullptr, model, 0).read(body);
    g.verify();
    infer_facts(g);
    return g;
}

/// A SequenceProto or an OptionalProto, which number their fields alike.
inline tensor read_container(wire::reader r, model_source& model, bool optional, int depth) {
    ocelli::detail::check<format_error>(depth < max_graph_depth, model.name, ": sequences are nested deeper than ", max_graph_depth);
    std::vector<tensor> items;
    while (r.next()) {
        switch (r.tag()) {
        case wire::sequence_tensor: items.push_back(read_tensor(wire::message(r), model).elements); break;
        case wire::sequence_sequence: items.push_back(read_container(wire::message(r), model, false, depth + 1)); break;
        case wire::sequence_optional: items.push_back(read_container(wire::message(r), model, true, depth + 1)); break;
        case wire::sequence_sparse:
        case wire::sequence_map: ocelli::detail::fail<unsupported_operator>(model.name, ": maps and sparse tensors are not supported");
        default: r.skip();
        }
    }
    if (!optional) return tensor::sequence(std::move(items));
    ocelli::detail::check<format_error>(items.size() <= 1, model.name, ": an optional value holds ", items.size(), " elements");
    return items.empty() ? tensor::none() : items[0];
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
    detail::model_source model{folder, source};
    return detail::reading(source, [&] { return detail::read_model(detail::as_text(bytes), model); });
}

OCELLI_INLINE graph read_onnx(const std::string& path) {
    const auto file = std::make_shared<const detail::file_memory>(path);
    detail::model_source model{detail::folder_of(path), path, file};
    return detail::reading(path, [&] { return detail::read_model(detail::as_text(file->bytes), model); });
}

OCELLI_INLINE tensor read_onnx_tensor(std::span<const std::byte> bytes, const std::string& source) {
    detail::model_source model{"", source};
    return detail::reading(source, [&] { return detail::read_tensor(detail::wire::message(detail::as_text(bytes)), model).elements; });
}

OCELLI_INLINE tensor read_onnx_tensor(const std::string& path) {
    const detail::file_memory file(path);
    return read_onnx_tensor(file.bytes, path);
}

OCELLI_INLINE tensor read_onnx_sequence(std::span<const std::byte> bytes, const std::string& source) {
    detail::model_source model{"", source};
    return detail::reading(source, [&] { return detail::read_container(detail::wire::message(detail::as_text(bytes)), model, false, 0); });
}

OCELLI_INLINE tensor read_onnx_optional(std::span<const std::byte> bytes, const std::string& source) {
    detail::model_source model{"", source};
    return detail::reading(source, [&] { return detail::read_container(detail::wire::message(detail::as_text(bytes)), model, true, 0); });
}

}  // namespace ocelli::nn
