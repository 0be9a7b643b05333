#pragma once

#include <ocelli/nn/graph.hpp>
#include <ocelli/nn/ops/op.hpp>

#include <algorithm>
#include <numeric>

namespace ocelli::nn {

OCELLI_INLINE std::string_view kind(const attribute& a) noexcept {
    constexpr std::string_view names[] = {"int", "float", "string", "tensor", "graph", "ints", "floats", "strings"};
    return names[a.what.index()];
}

OCELLI_INLINE std::string label(const node& n) {
    std::string out;
    if (n.source && !n.source->empty()) out = ocelli::detail::concat(*n.source, ": ");
    return out + ocelli::detail::concat("node '", n.name, "' (", n.domain, n.domain.empty() ? "" : ".", n.op, ", opset ", n.opset, ")");
}

OCELLI_INLINE value_id graph::add_value(std::string value_name, fact what) {
    const auto id = static_cast<value_id>(values.size());
    if (value_name.empty()) value_name = ocelli::detail::concat("%", id);
    values.push_back({std::move(value_name), std::move(what), no_node});
    return id;
}

OCELLI_INLINE value_id graph::add_constant(std::string value_name, tensor elements) {
    fact what{elements.type(), symbolic_shape(elements.shape()), elements};
    return add_value(std::move(value_name), std::move(what));
}

namespace detail {

/// The kind of an attribute in an operator's list of them, "axis:int pads:ints"; empty where it is not there.
inline std::string_view listed_kind(std::string_view list, std::string_view attribute_name) {
    for (std::size_t at = list.find(attribute_name); at != std::string_view::npos; at = list.find(attribute_name, at + 1)) {
        const std::size_t end = at + attribute_name.size();
        if ((at == 0 || list[at - 1] == ' ') && list.find(':', at) == end) return list.substr(end + 1, list.find(' ', end) - end - 1);
    }
    return {};
}

// Finds the definition of one node and holds its attributes against it.
inline void bind_operator(node& n) {
    n.def = find_op(n.domain, n.op, n.opset);
    if (n.def == nullptr) {
        const op_def* other = find_any_op(n.domain, n.op);
        if (other != nullptr) fail<unsupported_operator>(n, "this operator is supported for other operator set versions only");
        fail<unsupported_operator>(n, "this operator is not supported");
    }
    for (const attribute& a : n.attributes) {
        const std::string_view expected = listed_kind(n.def->attributes, a.name);
        if (expected.empty()) fail<unsupported_operator>(n, "attribute '", a.name, "' is not supported");
        if (expected != kind(a)) fail<format_error>(n, "attribute '", a.name, "' must be of kind ", expected, ", is ", kind(a));
    }
    const auto count = static_cast<int>(n.inputs.size());
    if (count < n.def->min_inputs || (n.def->max_inputs >= 0 && count > n.def->max_inputs))
        fail<format_error>(n, "takes ", n.def->min_inputs, " to ", n.def->max_inputs, " inputs, has ", count);
    if (n.def->max_outputs >= 0 && static_cast<int>(n.outputs.size()) > n.def->max_outputs)
        fail<format_error>(n, "has at most ", n.def->max_outputs, " outputs, got ", n.outputs.size());
    for (std::size_t i = 0; i < static_cast<std::size_t>(std::max(0, n.def->min_inputs)); ++i)
        if (n.inputs[i] == no_value && n.def->max_inputs >= 0) fail<format_error>(n, "input ", i, " is missing");
}

}  // namespace detail

OCELLI_INLINE void bind_operators(graph& g) {
    for (node& n : g.nodes) {
        if (!n.source) n.source = g.source;
        detail::bind_operator(n);
        for (attribute& a : n.attributes)
            if (auto* body = std::get_if<std::shared_ptr<graph>>(&a.what); body && *body) bind_operators(**body);
    }
}

OCELLI_INLINE node_id graph::add_node(node n) {
    const auto id = static_cast<node_id>(nodes.size());
    if (!n.source) n.source = source;
    if (n.opset == 0)
        if (const auto found = opsets.find(n.domain); found != opsets.end()) n.opset = found->second;
    if (n.opset == 0) n.opset = n.domain.empty() ? 21 : 1;
    if (n.name.empty()) n.name = ocelli::detail::concat(n.op, "_", id);
    detail::bind_operator(n);
    for (const value_id out : n.outputs)
        if (out != no_value) {
            check<format_error>(n, at(out).producer == no_node, "value '", at(out).name, "' already has a producer");
            at(out).producer = id;
        }
    nodes.push_back(std::move(n));
    return id;
}

OCELLI_INLINE value_id graph::find(std::string_view value_name) const noexcept {
    for (std::size_t i = 0; i < values.size(); ++i)
        if (values[i].name == value_name) return static_cast<value_id>(i);
    return no_value;
}

OCELLI_INLINE std::vector<std::int32_t> graph::use_counts() const {
    std::vector<std::int32_t> uses(values.size(), 0);
    for (const node& n : nodes) {
        for (const value_id v : n.inputs)
            if (v != no_value) ++uses[static_cast<std::size_t>(v)];
        for (const value_id v : n.implicit_inputs) ++uses[static_cast<std::size_t>(v)];
    }
    for (const value_id v : outputs) ++uses[static_cast<std::size_t>(v)];
    return uses;
}

OCELLI_INLINE void graph::sort() {
    // Who waits for each node: those of node i stand from first[i] to first[i + 1].
    std::vector<std::int32_t> missing(nodes.size(), 0);
    std::vector<std::size_t> first(nodes.size() + 1, 0), users;
    const auto each_wait = [&](auto&& f) {
        for (std::size_t i = 0; i < nodes.size(); ++i)
            for (const std::vector<value_id>* list : {&nodes[i].inputs, &nodes[i].implicit_inputs})
                for (const value_id v : *list)
                    if (v != no_value && at(v).producer != no_node) f(i, static_cast<std::size_t>(at(v).producer));
    };
    each_wait([&](std::size_t user, std::size_t producer) {
        ++missing[user];
        ++first[producer];
    });
    std::partial_sum(first.begin(), first.end(), first.begin());
    users.resize(first.back());
    each_wait([&](std::size_t user, std::size_t producer) { users[--first[producer]] = user; });
    // A heap of ready nodes, the first in the given order on top: a graph that is in order stays as it is.
    std::vector<std::size_t> ready;
    const auto later = [](std::size_t a, std::size_t b) { return a > b; };
    for (std::size_t i = 0; i < nodes.size(); ++i)
        if (missing[i] == 0) ready.push_back(i);
    std::make_heap(ready.begin(), ready.end(), later);
    std::vector<std::size_t> order;
    order.reserve(nodes.size());
    while (!ready.empty()) {
        std::pop_heap(ready.begin(), ready.end(), later);
        const std::size_t i = ready.back();
        ready.pop_back();
        order.push_back(i);
        for (std::size_t k = first[i]; k < first[i + 1]; ++k)
            if (--missing[users[k]] == 0) {
                ready.push_back(users[k]);
                std::push_heap(ready.begin(), ready.end(), later);
            }
    }
    if (order.size() != nodes.size()) {
        const auto stuck = std::find_if(missing.begin(), missing.end(), [](std::int32_t m) { return m > 0; });
        fail<format_error>(nodes[static_cast<std::size_t>(stuck - missing.begin())], "the graph has a cycle through this node");
    }
    if (!std::is_sorted(order.begin(), order.end())) {
        std::vector<node> sorted;
        sorted.reserve(nodes.size());
        for (const std::size_t i : order) sorted.push_back(std::move(nodes[i]));
        nodes = std::move(sorted);
    }
    for (std::size_t i = 0; i < nodes.size(); ++i)
        for (const value_id v : nodes[i].outputs)
            if (v != no_value) at(v).producer = static_cast<node_id>(i);
}

namespace detail {

/// Moves what is kept to the front, in its order, and drops the rest.
template <class T>
void keep_only(std::vector<T>& list, const std::vector<bool>& keep) {
    std::size_t left = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
        if (!keep[i]) continue;
        if (i != left) list[left] = std::move(list[i]);
        ++left;
    }
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(left), list.end());
}

OCELLI_INLINE std::vector<value_id> compact(graph& g) {
    std::vector<bool> used(g.values.size(), false);
    for (const value_id v : g.outputs) used[static_cast<std::size_t>(v)] = true;
    std::vector<bool> keep(g.nodes.size(), false);
    for (std::size_t i = g.nodes.size(); i-- > 0;) {
        const node& n = g.nodes[i];
        for (const value_id v : n.outputs)
            if (v != no_value && used[static_cast<std::size_t>(v)]) keep[i] = true;
        if (!keep[i]) continue;
        for (const value_id v : n.inputs)
            if (v != no_value) used[static_cast<std::size_t>(v)] = true;
        for (const value_id v : n.implicit_inputs) used[static_cast<std::size_t>(v)] = true;
    }
    for (const value_id v : g.inputs) used[static_cast<std::size_t>(v)] = true;
    for (const graph::capture& c : g.captures) used[static_cast<std::size_t>(c.inside)] = true;
    std::vector<value_id> renamed(g.values.size(), no_value);
    value_id next = 0;
    for (std::size_t i = 0; i < g.values.size(); ++i)
        if (used[i]) renamed[i] = next++;
    keep_only(g.nodes, keep);
    keep_only(g.values, used);
    for (value& v : g.values) v.producer = no_node;
    const auto rename = [&](value_id& v) {
        if (v != no_value) v = renamed[static_cast<std::size_t>(v)];  // no_value for an optional output nobody wants
    };
    for (std::size_t i = 0; i < g.nodes.size(); ++i) {
        node& n = g.nodes[i];
        for (value_id& v : n.inputs) rename(v);
        for (value_id& v : n.implicit_inputs) rename(v);
        for (value_id& v : n.outputs) {
            rename(v);
            if (v != no_value) g.at(v).producer = static_cast<node_id>(i);
        }
        while (!n.outputs.empty() && n.outputs.back() == no_value) n.outputs.pop_back();
    }
    for (value_id& v : g.inputs) rename(v);
    for (value_id& v : g.outputs) rename(v);
    for (graph::capture& c : g.captures) rename(c.inside);
    return renamed;
}

OCELLI_INLINE const tensor* constant_input(const graph& g, const node& n, std::size_t i) {
    if (i >= n.inputs.size() || n.inputs[i] == no_value) return nullptr;
    const tensor& t = g.at(n.inputs[i]).what.constant;
    return t.defined() ? &t : nullptr;
}

}  // namespace detail

OCELLI_INLINE bool graph::compact() {
    const std::size_t before = nodes.size() + values.size();
    detail::compact(*this);
    return nodes.size() + values.size() != before;
}

OCELLI_INLINE void graph::verify() const {
    const auto where = source && !source->empty() ? *source + ": " : std::string();
    const auto valid = [&](value_id v) { return v >= 0 && static_cast<std::size_t>(v) < values.size(); };
    std::vector<node_id> producer(values.size(), no_node);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const node& n = nodes[i];
        const auto in_order = [&](value_id v) {
            check<format_error>(n, valid(v), "input refers to no value");
            const node_id from = at(v).producer;
            check<format_error>(n, from == no_node || from < static_cast<node_id>(i), "input '", at(v).name, "' is computed later");
        };
        for (const value_id v : n.inputs)
            if (v != no_value) in_order(v);
        for (const value_id v : n.implicit_inputs) in_order(v);
        for (const value_id v : n.outputs) {
            if (v == no_value) continue;
            check<format_error>(n, valid(v), "output refers to no value");
            check<format_error>(n, producer[static_cast<std::size_t>(v)] == no_node, "value '", at(v).name, "' is computed twice");
            producer[static_cast<std::size_t>(v)] = static_cast<node_id>(i);
        }
        if (n.def != nullptr)
            check<format_error>(n, static_cast<int>(n.inputs.size()) >= n.def->min_inputs, "takes ", n.def->min_inputs, " inputs, has ",
                                n.inputs.size());
        for (const attribute& a : n.attributes)
            if (const auto* body = std::get_if<std::shared_ptr<graph>>(&a.what); body && *body) {
                (*body)->verify();
                for (const capture& c : (*body)->captures)
                    check<format_error>(n, c.index < n.implicit_inputs.size(), "a sub-graph captures a value that is not there");
            }
    }
    std::vector<bool> given(values.size(), false);
    for (const value_id v : inputs) {
        ocelli::detail::check<format_error>(valid(v), where, "an input refers to no value");
        given[static_cast<std::size_t>(v)] = true;
        ocelli::detail::check<format_error>(at(v).producer == no_node, where, "input '", at(v).name, "' is computed by a node");
    }
    for (const capture& c : captures) given[static_cast<std::size_t>(c.inside)] = true;
    for (std::size_t i = 0; i < values.size(); ++i)
        ocelli::detail::check<format_error>(values[i].producer == producer[i], where, "value '", values[i].name, "' has a wrong producer");
    const auto available = [&](value_id v) {
        const auto i = static_cast<std::size_t>(v);
        return producer[i] != no_node || given[i] || values[i].what.constant.defined();
    };
    for (const node& n : nodes) {
        for (const value_id v : n.inputs)
            if (v != no_value) check<format_error>(n, available(v), "input '", at(v).name, "' is neither input, constant nor computed");
        for (const value_id v : n.implicit_inputs)
            check<format_error>(n, available(v), "captured '", at(v).name, "' is neither input, constant nor computed");
    }
    for (const value_id v : outputs) {
        ocelli::detail::check<format_error>(valid(v), where, "an output refers to no value");
        ocelli::detail::check<format_error>(available(v), where, "output '", at(v).name, "' is neither input, constant nor computed");
    }
}

namespace detail {

inline std::string text(const fact& f) {
    return std::string(name(f.type)) + " " + nn::text(f.shape);
}

inline std::string text(const attribute& a) {
    std::string out = a.name + "=";
    const auto join = [&](const auto& list) {
        out += '[';
        for (std::size_t i = 0; i < list.size(); ++i) {
            if (i) out += ", ";
            ocelli::detail::message_part(list[i]).append_to(out);
        }
        out += ']';
    };
    std::visit(
        [&]<class T>(const T& v) {
            if constexpr (std::is_same_v<T, tensor>) out += nn::text(v);
            else if constexpr (std::is_same_v<T, std::shared_ptr<graph>>) out += "{...}";
            else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) ocelli::detail::message_part(v).append_to(out);
            else join(v);
        },
        a.what);
    return out;
}

inline std::string escaped(std::string_view in) {
    std::string out;
    for (const char c : in) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out;
}

}  // namespace detail

OCELLI_INLINE std::string text(const graph& g) {
    using ocelli::detail::concat;
    std::string out = concat("graph ", g.name, "\n");
    for (const value_id v : g.inputs)
        out += concat("input ", g.at(v).name, ": ", detail::text(g.at(v).what), g.at(v).what.constant.defined() ? " (default)" : "", "\n");
    for (const node& n : g.nodes) {
        for (std::size_t i = 0; i < n.outputs.size(); ++i) {
            if (i) out += ", ";
            if (n.outputs[i] == no_value) out += "_";
            else out += concat(g.at(n.outputs[i]).name, ": ", detail::text(g.at(n.outputs[i]).what));
        }
        out += concat(" = ", n.domain, n.domain.empty() ? "" : ".", n.op, "(");
        for (std::size_t i = 0; i < n.inputs.size(); ++i) {
            if (i) out += ", ";
            out += n.inputs[i] == no_value ? std::string("_") : g.at(n.inputs[i]).name;
        }
        out += ")";
        for (const attribute& a : n.attributes) out += concat(" ", detail::text(a));
        out += "\n";
    }
    for (const value_id v : g.outputs) out += concat("output ", g.at(v).name, ": ", detail::text(g.at(v).what), "\n");
    return out;
}

OCELLI_INLINE std::string dot(const graph& g) {
    using ocelli::detail::concat;
    std::string out = concat("digraph \"", detail::escaped(g.name), "\" {\n  node [shape=box];\n");
    for (const value_id v : g.inputs)
        if (!g.at(v).what.constant.defined()) out += concat("  v", v, " [shape=ellipse, label=\"", detail::escaped(g.at(v).name), "\"];\n");
    for (std::size_t i = 0; i < g.nodes.size(); ++i) {
        const node& n = g.nodes[i];
        out += concat("  n", i, " [label=\"", detail::escaped(n.op), "\\n", detail::escaped(n.name), "\"];\n");
        const auto edge = [&](value_id v, const char* style) {
            if (v == no_value || (g.at(v).producer == no_node && g.at(v).what.constant.defined())) return;
            const node_id from = g.at(v).producer;
            out += concat("  ", from == no_node ? concat("v", v) : concat("n", from), " -> n", i, " [label=\"",
                          detail::escaped(text(g.at(v).what.shape)), "\"", style, "];\n");
        };
        for (const value_id v : n.inputs) edge(v, "");
        for (const value_id v : n.implicit_inputs) edge(v, ", style=dashed");
    }
    for (std::size_t i = 0; i < g.outputs.size(); ++i) {
        const value& v = g.at(g.outputs[i]);
        out += concat("  o", i, " [shape=ellipse, label=\"", detail::escaped(v.name), "\"];\n");
        if (v.producer != no_node) out += concat("  n", v.producer, " -> o", i, ";\n");
    }
    out += "}\n";
    return out;
}

// --- attributes ----------------------------------------------------------------------------------------------------------

OCELLI_INLINE const attribute* find_attribute(const node& n, std::string_view attribute_name) noexcept {
    for (const attribute& a : n.attributes)
        if (a.name == attribute_name) return &a;
    return nullptr;
}

OCELLI_INLINE bool has_attribute(const node& n, std::string_view attribute_name) noexcept {
    return find_attribute(n, attribute_name) != nullptr;
}

namespace detail {

template <class T>
const T& demand(const node& n, std::string_view attribute_name, const attribute* a) {
    if (a == nullptr) fail(n, "attribute '", attribute_name, "' is missing");
    const T* v = std::get_if<T>(&a->what);
    if (v == nullptr) fail(n, "attribute '", attribute_name, "' has the wrong kind (", kind(*a), ")");
    return *v;
}

}  // namespace detail

OCELLI_INLINE std::int64_t attr_int(const node& n, std::string_view a) {
    return detail::demand<std::int64_t>(n, a, find_attribute(n, a));
}
OCELLI_INLINE std::int64_t attr_int(const node& n, std::string_view a, std::int64_t otherwise) {
    return has_attribute(n, a) ? attr_int(n, a) : otherwise;
}
OCELLI_INLINE float attr_float(const node& n, std::string_view a) {
    return detail::demand<float>(n, a, find_attribute(n, a));
}
OCELLI_INLINE float attr_float(const node& n, std::string_view a, float otherwise) {
    return has_attribute(n, a) ? attr_float(n, a) : otherwise;
}
OCELLI_INLINE std::string attr_string(const node& n, std::string_view a) {
    return detail::demand<std::string>(n, a, find_attribute(n, a));
}
OCELLI_INLINE std::string attr_string(const node& n, std::string_view a, std::string_view otherwise) {
    return has_attribute(n, a) ? attr_string(n, a) : std::string(otherwise);
}
OCELLI_INLINE dims attr_ints(const node& n, std::string_view a) {
    return detail::demand<std::vector<std::int64_t>>(n, a, find_attribute(n, a));
}
OCELLI_INLINE dims attr_ints(const node& n, std::string_view a, dims otherwise) {
    return has_attribute(n, a) ? attr_ints(n, a) : std::move(otherwise);
}
OCELLI_INLINE std::vector<float> attr_floats(const node& n, std::string_view a, std::vector<float> otherwise) {
    return has_attribute(n, a) ? detail::demand<std::vector<float>>(n, a, find_attribute(n, a)) : std::move(otherwise);
}
OCELLI_INLINE std::vector<std::string> attr_strings(const node& n, std::string_view a, std::vector<std::string> otherwise) {
    return has_attribute(n, a) ? detail::demand<std::vector<std::string>>(n, a, find_attribute(n, a)) : std::move(otherwise);
}
OCELLI_INLINE const tensor& attr_tensor(const node& n, std::string_view a) {
    return detail::demand<tensor>(n, a, find_attribute(n, a));
}
OCELLI_INLINE const graph& attr_graph(const node& n, std::string_view a) {
    const auto& body = detail::demand<std::shared_ptr<graph>>(n, a, find_attribute(n, a));
    check(n, body != nullptr, "attribute '", a, "' is an empty graph");
    return *body;
}

OCELLI_INLINE void set_attribute(node& n, std::string attribute_name, attribute::any what) {
    for (attribute& a : n.attributes)
        if (a.name == attribute_name) {
            a.what = std::move(what);
            return;
        }
    n.attributes.push_back({std::move(attribute_name), std::move(what)});
}

}  // namespace ocelli::nn
