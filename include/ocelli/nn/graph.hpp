// Graphs and operators name each other, and operators' bodies use both. So this file may be entered twice: once for the declarations
// alone (ops/support.hpp asks for that), and again for the bodies.
#ifndef OCELLI_NN_GRAPH_HPP
#define OCELLI_NN_GRAPH_HPP

/// @file
/// A network as values and nodes, with the meaning of ONNX operators.

#include <ocelli/core/message.hpp>
#include <ocelli/nn/tensor.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ocelli::nn {

/// What is known of a value before it is computed.
struct fact {
    dtype type = dtype{};
    symbolic_shape shape;
    /// The elements, where they are the same in every run (weights, folded constants); else absent.
    tensor constant;
};

/// A tensor of the graph: an input, a constant or a node's output.
struct value {
    std::string name;
    fact what;
    node_id producer = no_node;
};

/// An attribute of a node: number, text, tensor, sub-graph, or a list of the first three.
struct attribute {
    using any = std::variant<std::int64_t, float, std::string, tensor, std::shared_ptr<graph>, std::vector<std::int64_t>,
                             std::vector<float>, std::vector<std::string>>;
    std::string name;
    any what;
};

/// "int", "float", "string", "tensor", "graph", "ints", "floats" or "strings".
std::string_view kind(const attribute& a) noexcept;

/// An operator applied to values.
struct node {
    std::string name = {};
    std::string op = {};
    /// Empty for ONNX's own operators, "ocelli" for what lowering makes.
    std::string domain = {};
    /// The version of the domain's operator set that the graph asks for.
    std::int64_t opset = 0;
    std::vector<attribute> attributes = {};
    /// `no_value` where an optional input is left out.
    std::vector<value_id> inputs = {};
    std::vector<value_id> outputs = {};
    /// Values of this graph that the node's sub-graphs use; graph::captures of a sub-graph refers to them by index.
    std::vector<value_id> implicit_inputs = {};
    /// The operator's definition; null until the registry was asked.
    const op_def* def = nullptr;
    /// Where the graph came from, for messages: "detector.onnx".
    std::shared_ptr<const std::string> source = {};
};

/// "detector.onnx: node 'Resize_41' (Resize, opset 11)"
std::string label(const node& n);

template <class E>
[[noreturn]] OCELLI_NOINLINE void fail_at(const node& n, const ocelli::detail::message_part* parts, std::size_t count) {
    throw E(label(n) + ": " + ocelli::detail::join(parts, count));
}
/// Throws E with the node's label, ": " and the message.
template <class E = invalid_argument, class... Parts>
[[noreturn]] void fail(const node& n, const Parts&... parts) {
    const ocelli::detail::message_part list[] = {ocelli::detail::message_part(parts)...};
    fail_at<E>(n, list, sizeof...(Parts));
}
/// Throws E unless the condition holds.
template <class E = invalid_argument, class... Parts>
void check(const node& n, bool condition, const Parts&... parts) {
    if (!condition) [[unlikely]] fail<E>(n, parts...);
}

/// A network.
///
/// Nodes stand in an order in which each comes after the producers of its inputs. Indices of values and nodes stay valid until the
/// graph is changed by a patch or compact().
class graph {
public:
    std::string name;
    /// Operator set versions by domain; "" is ONNX's own.
    std::map<std::string, std::int64_t> opsets;
    /// What the exporter noted in the file (metadata_props), by key: names of classes, sizes, authors. Sub-graphs have none.
    std::map<std::string, std::string> metadata;
    std::vector<value> values;
    std::vector<node> nodes;
    /// Inputs in the order of the file. One with a constant is a default: it may be fed, and need not.
    std::vector<value_id> inputs;
    std::vector<value_id> outputs;
    std::shared_ptr<const std::string> source;

    /// A value of the surrounding graph used inside this sub-graph: `inside` is its id here, `index` its place in the implicit
    /// inputs of the node that holds the sub-graph.
    struct capture {
        value_id inside = no_value;
        std::size_t index = 0;
    };
    std::vector<capture> captures;

    /// Adds a value. An empty name gives it one of its own.
    value_id add_value(std::string value_name, fact what = {});
    value_id add_constant(std::string value_name, tensor elements);
    /// Appends a node; its outputs must have no producer yet. Looks its definition up.
    /// @throws unsupported_operator  when the registry has no such operator, version or attribute
    node_id add_node(node n);

    const value& at(value_id id) const { return values[static_cast<std::size_t>(id)]; }
    value& at(value_id id) { return values[static_cast<std::size_t>(id)]; }
    const node& node_at(node_id id) const { return nodes[static_cast<std::size_t>(id)]; }
    /// The value of this name, or no_value.
    value_id find(std::string_view value_name) const noexcept;
    /// How many node inputs and graph outputs use each value.
    std::vector<std::int32_t> use_counts() const;

    /// Puts nodes in an order of execution (keeping the given one where it is right).
    /// @throws format_error  on a cycle
    void sort();
    /// Removes nodes whose outputs nobody uses, and values nobody mentions. @return true when something was removed
    bool compact();
    /// Checks that ids are valid, values have one producer, nodes stand in order and have the inputs their operator needs.
    /// @throws format_error  naming the node
    void verify() const;
};

namespace detail {
/// graph::compact(). @return the new id of each value, in the old order; no_value where it is gone
std::vector<value_id> compact(graph& g);
/// The constant behind an input of a node, or null.
const tensor* constant_input(const graph& g, const node& n, std::size_t i);
}  // namespace detail

/// The graph as text, a line per input, node and output.
std::string text(const graph& g);
/// The graph in Graphviz's DOT language.
std::string dot(const graph& g);

/// Looks up the definitions of all nodes and checks their attributes, sub-graphs included.
/// @throws unsupported_operator  naming the node, its operator and its opset
void bind_operators(graph& g);

// --- attributes ----------------------------------------------------------------------------------------------------------

/// The attribute of this name, or null.
const attribute* find_attribute(const node& n, std::string_view attribute_name) noexcept;
bool has_attribute(const node& n, std::string_view attribute_name) noexcept;
/// True where an attribute is a sub-graph (If, Loop, Scan).
inline bool has_subgraph(const node& n) noexcept {
    for (const attribute& a : n.attributes)
        if (std::holds_alternative<std::shared_ptr<graph>>(a.what)) return true;
    return false;
}

/// Attribute values; the form without a default demands the attribute.
/// @throws invalid_argument  naming node, operator and attribute, when it is missing or of another kind
std::int64_t attr_int(const node& n, std::string_view attribute_name);
std::int64_t attr_int(const node& n, std::string_view attribute_name, std::int64_t otherwise);
float attr_float(const node& n, std::string_view attribute_name);
float attr_float(const node& n, std::string_view attribute_name, float otherwise);
std::string attr_string(const node& n, std::string_view attribute_name);
std::string attr_string(const node& n, std::string_view attribute_name, std::string_view otherwise);
dims attr_ints(const node& n, std::string_view attribute_name);
dims attr_ints(const node& n, std::string_view attribute_name, dims otherwise);
std::vector<float> attr_floats(const node& n, std::string_view attribute_name, std::vector<float> otherwise);
std::vector<std::string> attr_strings(const node& n, std::string_view attribute_name, std::vector<std::string> otherwise);
const tensor& attr_tensor(const node& n, std::string_view attribute_name);
const graph& attr_graph(const node& n, std::string_view attribute_name);
/// Sets or replaces an attribute.
void set_attribute(node& n, std::string attribute_name, attribute::any what);

}  // namespace ocelli::nn

#endif  // OCELLI_NN_GRAPH_HPP

#if OCELLI_HEADER_ONLY && !defined(OCELLI_NN_DECLARATIONS_ONLY)
#    include <ocelli/nn/ops/op.hpp>  // its tail has the bodies of both
#endif
