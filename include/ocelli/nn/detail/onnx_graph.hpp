#pragma once

/// @file
/// Reading an ONNX graph: its values, nodes and attributes, sub-graphs, and functions written in place of their calls.

#include <ocelli/nn/detail/onnx_tensor.hpp>
#include <ocelli/nn/ops/op.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ocelli::nn::detail {

struct wire_value {
    std::string name;
    fact what;
};

inline symbolic_shape read_shape(wire::reader shape, const std::string& what) {
    std::vector<dim> extents;
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
        ocelli::detail::check<format_error>(extents.size() < max_tensor_rank, what, " has too many axes");
        extents.push_back(std::move(d));
    }
    return symbolic_shape(std::move(extents));
}

/// What a TypeProto says. An optional value may be empty: nothing is known of it.
inline fact read_type(wire::reader type, const std::string& what) {
    fact out;
    while (type.next()) {
        switch (type.tag()) {
        case wire::type_tensor: {
            wire::reader t = wire::message(type);
            while (t.next()) {
                if (t.tag() == wire::tensor_elem_type) {
                    const std::int64_t number = wire::integer(t);
                    if (number != 0) out.type = onnx_dtype(number, what);
                } else if (t.tag() == wire::tensor_shape) out.shape = read_shape(wire::message(t), what);
                else t.skip();
            }
            break;
        }
        case wire::type_sequence:
            out.type = dtype::sequence;
            type.skip();
            break;
        case wire::type_map:
        case wire::type_sparse:
            ocelli::detail::fail<unsupported_operator>(what, type.tag() == wire::type_map ? ": maps are not supported" : ": sparse tensors are not supported");
        default: type.skip();
        }
    }
    return out;
}

inline wire_value read_value_info(wire::reader r, const std::string& source) {
    wire_value out;
    std::string_view type;
    while (r.next()) {
        if (r.tag() == wire::value_name) out.name = wire::string(r);
        else if (r.tag() == wire::value_type) type = wire::bytes(r);
        else r.skip();
    }
    out.what = read_type(wire::message(type), source + ": value '" + out.name + "'");
    return out;
}

/// Reads one graph; `parent` is the reader of the graph around it.
class graph_reader {
public:
    graph_reader(graph& g, graph_reader* parent, model_source& model, int depth)
        : g_(g), parent_(parent), model_(model), source_(*g.source), depth_(depth), opsets_(&g.opsets) {
        if (parent != nullptr) bindings_ = parent->bindings_;
        around_ = parent != nullptr && (parent->inside_function_ || parent->around_);
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
                wire_tensor t = read_tensor(wire::message(r), model_);
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
        for (const std::string_view view : nodes)
            for (const std::string& name : node_outputs(view)) declare(name);
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
    static std::vector<std::string> node_outputs(std::string_view bytes) {
        std::vector<std::string> out;
        wire::reader n = wire::message(bytes);
        while (n.next()) {
            if (n.tag() != wire::node_output) {
                n.skip();
                continue;
            }
            if (std::string name = wire::string(n); !name.empty()) out.push_back(std::move(name));
        }
        return out;
    }

    value_id declare(const std::string& name) {
        const value_id id = g_.add_value(prefix_ + name);
        ocelli::detail::check<format_error>(names_.emplace(name, id).second, source_, ": value '", name, "' is defined twice");
        return id;
    }

    /// The value of this name here, captured from the graphs around where need be; no_value where nobody has it.
    value_id resolve(const std::string& name) {
        if (const auto found = names_.find(name); found != names_.end()) return found->second;
        if (parent_ == nullptr || inside_function_) return no_value;  // functions see nothing but their inputs
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
        std::string overload;
        wire::reader r = wire::message(bytes);
        while (r.next()) {
            switch (r.tag()) {
            case wire::node_input: inputs.push_back(wire::string(r)); break;
            case wire::node_output: outputs.push_back(wire::string(r)); break;
            case wire::node_name: n.name = prefix_ + wire::string(r); break;
            case wire::node_op_type: n.op = wire::string(r); break;
            case wire::node_domain: n.domain = wire::string(r); break;
            case wire::node_attribute: attributes.push_back(wire::bytes(r)); break;
            case wire::node_overload: overload = wire::string(r); break;
            default: r.skip();
            }
        }
        if (n.domain == "ai.onnx") n.domain.clear();
        if (n.name.size() == prefix_.size()) n.name = ocelli::detail::concat(prefix_, n.op, "_", g_.nodes.size());
        const auto function = model_.functions.find({n.domain, n.op, overload});
        if (function == model_.functions.end()) {
            // What lowering makes is trusted to be as lowering makes it.
            if (n.domain == "ocelli" || n.domain.rfind("ocelli.", 0) == 0) fail<unsupported_operator>(n, "domain '", n.domain, "' is the engine's own");
            const auto opset = opsets_->find(n.domain);
            if (opset == opsets_->end()) fail<unsupported_operator>(n, "the model imports no operator set of domain '", n.domain, "'");
            n.opset = opset->second;
            implicit_.clear();
            for (const std::string_view view : attributes)
                if (auto a = read_attribute(view, n)) n.attributes.push_back(*std::move(a));
        }
        for (const std::string& input : inputs) {
            n.inputs.push_back(input.empty() ? no_value : resolve(input));
            // A function's input that the call left out is known, and absent.
            if (!input.empty() && n.inputs.back() == no_value && names_.count(input) == 0) fail<format_error>(n, "input '", input, "' is defined nowhere");
        }
        for (const std::string& output : outputs) n.outputs.push_back(output.empty() ? no_value : names_.at(output));
        for (const value_id v : n.outputs)
            if (v != no_value && g_.at(v).what.constant.defined()) fail<format_error>(n, "output '", g_.at(v).name, "' is an initializer");
        if (function != model_.functions.end()) return call(function->second, n, attributes);
        // Captures of the graphs around were collected while this node's sub-graphs were read.
        n.implicit_inputs = std::move(implicit_);
        implicit_ = {};
        while (!n.inputs.empty() && n.inputs.back() == no_value) n.inputs.pop_back();
        while (!n.outputs.empty() && n.outputs.back() == no_value) n.outputs.pop_back();
        g_.add_node(std::move(n));
    }

    /// Writes a function's nodes in place of its call: names of its own, the call's values as inputs and outputs, the call's attributes where its
    /// nodes refer to them.
    void call(const model_function& f, const node& n, const std::vector<std::string_view>& attributes) {
        constexpr std::size_t most_nodes = std::size_t{1} << 20;
        check<format_error>(n, calls_ < max_graph_depth, "functions call each other deeper than ", max_graph_depth);
        model_.called_nodes += f.nodes.size() + 1;
        check<format_error>(n, model_.called_nodes < most_nodes, "calls of functions make more than ", most_nodes, " nodes");
        check<format_error>(n, n.inputs.size() <= f.inputs.size() && n.outputs.size() <= f.outputs.size(), "the function has ", f.inputs.size(), " inputs and ",
                            f.outputs.size(), " outputs, the call ", n.inputs.size(), " and ", n.outputs.size());
        std::map<std::string, std::string_view> bindings;
        for (const std::string_view view : f.defaults) bindings[attribute_names(view).first] = view;
        for (std::string_view view : attributes) {
            const auto [name, reference] = attribute_names(view);
            if (!reference.empty()) {  // the attribute of a function that calls this one
                const auto bound = bindings_.find(reference);
                if (bound == bindings_.end()) continue;
                view = bound->second;
            }
            bindings[name] = view;
        }
        std::unordered_map<std::string, value_id> names;
        for (std::size_t i = 0; i < f.inputs.size(); ++i)
            check<format_error>(n, names.emplace(f.inputs[i], i < n.inputs.size() ? n.inputs[i] : no_value).second, "input '", f.inputs[i], "' is listed twice");
        std::map<std::string, value_id> results;
        for (std::size_t i = 0; i < n.outputs.size(); ++i)
            if (n.outputs[i] != no_value) results[f.outputs[i]] = n.outputs[i];

        std::swap(names, names_);
        std::swap(bindings, bindings_);
        const std::string prefix = std::exchange(prefix_, n.name + "/");
        const bool inside = std::exchange(inside_function_, true);
        const auto* opsets = std::exchange(opsets_, &f.opsets);
        ++calls_;
        for (const std::string_view view : f.nodes)
            for (const std::string& name : node_outputs(view)) {
                const auto result = results.find(name);
                if (result == results.end()) declare(name);
                else check<format_error>(n, names_.emplace(name, result->second).second, "value '", name, "' of the function is defined twice");
            }
        for (const std::string_view view : f.nodes) read_node(view);
        for (const auto& [name, id] : results) {
            if (names_.count(name) != 0 && names_.at(name) == id) continue;
            check<format_error>(n, names_.count(name) != 0 && names_.at(name) != no_value, "output '", name, "' of the function is computed by no node");
            node pass;  // an input handed through
            pass.op = "Identity";
            pass.opset = 1;
            pass.inputs = {names_.at(name)};
            pass.outputs = {id};
            g_.add_node(std::move(pass));
        }
        --calls_;
        opsets_ = opsets;
        inside_function_ = inside;
        prefix_ = prefix;
        std::swap(bindings, bindings_);
        std::swap(names, names_);
    }

    /// An attribute's name, and the name of the function's attribute that it refers to.
    static std::pair<std::string, std::string> attribute_names(std::string_view bytes) {
        std::pair<std::string, std::string> out;
        wire::reader r = wire::message(bytes);
        while (r.next()) {
            if (r.tag() == wire::attribute_name) out.first = wire::string(r);
            else if (r.tag() == wire::attribute_ref) out.second = wire::string(r);
            else r.skip();
        }
        return out;
    }

    /// Nothing where it refers to an attribute that the function's call leaves out.
    std::optional<attribute> read_attribute(std::string_view bytes, const node& n) {
        const auto [name, reference] = attribute_names(bytes);
        if (reference.empty()) return read_own_attribute(bytes, n);
        check<format_error>(n, inside_function_ || around_, "attribute '", name, "' refers to a function's attribute, outside of any function");
        const auto bound = bindings_.find(reference);
        if (bound == bindings_.end()) return std::nullopt;
        attribute a = read_own_attribute(bound->second, n);
        a.name = name;
        return a;
    }

    attribute read_own_attribute(std::string_view bytes, const node& n) {
        attribute out;
        std::int64_t type = 0, i = 0;
        float f = 0;
        std::string s;
        bool has_t = false, has_g = false, has_f = false, has_i = false, has_s = false;
        std::string_view t, body, type_proto;
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
            case wire::attribute_tp: type_proto = wire::bytes(r); break;
            case wire::attribute_tensors:
            case wire::attribute_graphs:
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
            out.what = read_tensor(wire::message(t), model_).elements;
            break;
        case 5: {
            check<format_error>(n, has_g, "attribute '", out.name, "' has no graph");
            auto sub = std::make_shared<graph>();
            sub->opsets = *opsets_;
            sub->source = g_.source;
            graph_reader(*sub, this, model_, depth_ + 1).read(body);
            out.what = std::move(sub);
            break;
        }
        case 6: out.what = std::move(floats); break;
        case 7: out.what = std::move(ints); break;
        case 8: out.what = std::move(strings); break;
        case 13:  // a type: its element type tells what there is to know
            out.what = static_cast<std::int64_t>(read_type(wire::message(type_proto), source_ + ": attribute '" + out.name + "'").type);
            break;
        default: fail<unsupported_operator>(n, "attribute '", out.name, "' has a kind that is not supported (", type, ")");
        }
        return out;
    }

    graph& g_;
    graph_reader* parent_;
    model_source& model_;
    const std::string& source_;
    int depth_;
    std::unordered_map<std::string, value_id> names_;
    std::unordered_map<value_id, bool> given_;
    /// Operator set versions where the reader stands: the model's, or a function's.
    const std::map<std::string, std::int64_t>* opsets_;
    /// Of the function being read: before its names, its attributes by name, whether there is one, how deep in calls.
    std::string prefix_;
    std::map<std::string, std::string_view> bindings_;
    bool inside_function_ = false, around_ = false;
    int calls_ = 0;
    /// Captured values of the node being read.
    std::vector<value_id> implicit_;
};

}  // namespace ocelli::nn::detail
