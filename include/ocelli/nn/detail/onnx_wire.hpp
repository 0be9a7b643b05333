#pragma once

/// @file
/// The protobuf fields of ONNX by number, and reading them with the wire type checked first (protozero only asserts it).

#include <ocelli/core/error.hpp>

#if defined(__GNUC__)
#    pragma GCC diagnostic push
#    pragma GCC diagnostic ignored "-Wconversion"
#    pragma GCC diagnostic ignored "-Wsign-conversion"
#endif
#include <protozero/pbf_reader.hpp>
#if defined(__GNUC__)
#    pragma GCC diagnostic pop
#endif

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ocelli::nn::detail::onnx_wire {

using reader = protozero::pbf_reader;
using protozero::pbf_wire_type;

enum model : std::uint32_t { model_ir_version = 1, model_graph = 7, model_opset_import = 8, model_metadata = 14, model_functions = 25 };
enum opset_id : std::uint32_t { opset_domain = 1, opset_version = 2 };
enum graph_field : std::uint32_t {
    graph_node = 1, graph_name = 2, graph_initializer = 5, graph_input = 11, graph_output = 12, graph_value_info = 13, graph_sparse_initializer = 15
};
enum node_field : std::uint32_t { node_input = 1, node_output = 2, node_name = 3, node_op_type = 4, node_attribute = 5, node_domain = 7, node_overload = 8 };
enum attribute_field : std::uint32_t {
    attribute_name = 1, attribute_f = 2, attribute_i = 3, attribute_s = 4, attribute_t = 5, attribute_g = 6, attribute_floats = 7, attribute_ints = 8,
    attribute_strings = 9, attribute_tensors = 10, attribute_graphs = 11, attribute_tp = 14, attribute_type_protos = 15, attribute_type = 20,
    attribute_ref = 21, attribute_sparse_tensor = 22
};
enum tensor_field : std::uint32_t {
    tensor_dims = 1, tensor_data_type = 2, tensor_segment = 3, tensor_float_data = 4, tensor_int32_data = 5, tensor_string_data = 6,
    tensor_int64_data = 7, tensor_name = 8, tensor_raw_data = 9, tensor_double_data = 10, tensor_uint64_data = 11, tensor_external_data = 13,
    tensor_data_location = 14
};
enum value_info : std::uint32_t { value_name = 1, value_type = 2 };
enum type_field : std::uint32_t { type_tensor = 1, tensor_elem_type = 1, tensor_shape = 2, shape_dim = 1, dim_value = 1, dim_param = 2 };
enum type_case : std::uint32_t { type_sequence = 4, type_map = 5, type_sparse = 8, type_optional = 9, type_element = 1 };
enum function_field : std::uint32_t {
    function_name = 1, function_input = 4, function_output = 5, function_attribute = 6, function_node = 7, function_opset_import = 9, function_domain = 10,
    function_attribute_proto = 11, function_overload = 13
};
enum sequence_field : std::uint32_t { sequence_element_type = 2, sequence_tensor = 3, sequence_sparse = 4, sequence_sequence = 5, sequence_map = 6, sequence_optional = 7 };
enum optional_field : std::uint32_t { optional_element_type = 2, optional_tensor = 3, optional_sparse = 4, optional_sequence = 5, optional_map = 6, optional_optional = 7 };
enum entry_field : std::uint32_t { entry_key = 1, entry_value = 2 };

inline void expect(const reader& r, pbf_wire_type type) {
    ocelli::detail::check<format_error>(r.wire_type() == type, "field ", r.tag(), " has the wrong wire type");
}
inline std::string_view bytes(reader& r) {
    expect(r, pbf_wire_type::length_delimited);
    const protozero::data_view v = r.get_view();
    return {v.data(), v.size()};
}
inline std::string string(reader& r) {
    return std::string(bytes(r));
}
inline reader message(reader& r) {
    expect(r, pbf_wire_type::length_delimited);
    return reader(r.get_view());
}
inline reader message(std::string_view view) {
    return reader(protozero::data_view(view.data(), view.size()));
}
inline std::int64_t integer(reader& r) {
    expect(r, pbf_wire_type::varint);
    return r.get_int64();
}
inline float real(reader& r) {
    expect(r, pbf_wire_type::fixed32);
    return r.get_float();
}

// Repeated numbers come packed or one by one.
template <class List>
void integers(reader& r, List& out) {
    using T = typename List::value_type;
    if (r.wire_type() == pbf_wire_type::varint) {
        out.push_back(static_cast<T>(r.get_int64()));
        return;
    }
    expect(r, pbf_wire_type::length_delimited);
    for (const std::int64_t v : r.get_packed_int64()) out.push_back(static_cast<T>(v));
}
inline void reals(reader& r, std::vector<float>& out) {
    if (r.wire_type() == pbf_wire_type::fixed32) {
        out.push_back(r.get_float());
        return;
    }
    expect(r, pbf_wire_type::length_delimited);
    const auto packed = r.get_packed_float();
    out.insert(out.end(), packed.begin(), packed.end());
}
inline void reals(reader& r, std::vector<double>& out) {
    if (r.wire_type() == pbf_wire_type::fixed64) {
        out.push_back(r.get_double());
        return;
    }
    expect(r, pbf_wire_type::length_delimited);
    const auto packed = r.get_packed_double();
    out.insert(out.end(), packed.begin(), packed.end());
}

}  // namespace ocelli::nn::detail::onnx_wire
