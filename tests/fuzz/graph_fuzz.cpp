// Valid files with hostile graphs: the input's bytes choose operators, attributes, shapes and connections, which are written as an ONNX
// model. Reading it, making a session of it and running that, under tiny limits, ends well or with a typed error.

#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/detail/onnx_wire.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/session.hpp>

#include <protozero/pbf_writer.hpp>

#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

namespace {

namespace nn = ocelli::nn;
namespace wire = ocelli::nn::detail::onnx_wire;
using protozero::pbf_writer;

/// The input, read from the front; zeros behind its end.
struct choices {
    const std::uint8_t* at;
    const std::uint8_t* end;

    unsigned next() { return at == end ? 0u : *at++; }
    unsigned below(unsigned n) { return next() % n; }
    bool rarely() { return below(8) == 7; }
    bool hardly_ever() { return next() >= 252; }

    /// Mostly small, sometimes what no honest file holds.
    std::int64_t number() {
        static constexpr std::int64_t hostile[] = {-1, -2, -128, 127, 65536, std::int64_t{1} << 20, std::int64_t{1} << 31, std::int64_t{1} << 40,
                                                   std::int64_t{1} << 62, INT64_MAX, INT64_MIN, -(std::int64_t{1} << 31)};
        const unsigned b = next();
        return b < 240 ? static_cast<std::int64_t>(b % 6) - (b % 16 == 15) : hostile[b % std::size(hostile)];
    }
    float real() {
        static constexpr float values[] = {0, 1, -1, 0.5f, 2, 1e-30f, 1e30f, -1e30f};
        const unsigned b = next();
        if (b == 255) return std::numeric_limits<float>::quiet_NaN();
        if (b == 254) return std::numeric_limits<float>::infinity();
        return values[b % std::size(values)];
    }
    int type() {
        static constexpr int types[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 7, 7, 7, 7, 9, 6, 10, 11, 2, 3, 16, 12, 13};
        return types[below(std::size(types))];
    }
};

/// The names there are so far, those of the graphs around among them.
struct names {
    std::vector<std::string> known;
    unsigned* count;
    int opset;

    std::string fresh(choices& c) {
        known.push_back("v" + std::to_string(c.hardly_ever() ? c.below(20) : (*count)++));  // hardly ever one that is taken
        return known.back();
    }
    /// Mostly the name of what is there already; else perhaps of what comes later (a cycle), or never.
    std::string used(choices& c) const {
        if (known.empty() || c.hardly_ever()) return "v" + std::to_string(*count + c.below(4));
        const unsigned back = c.next();  // the last ones most of all
        return known[known.size() - 1 - (back < 128 ? back % 3 : back) % known.size()];
    }
};

std::string tensor(choices& c, const std::string& name) {
    std::string out;
    pbf_writer t(out);
    const int type = c.type();
    std::int64_t count = 1;
    const unsigned rank = c.below(6);
    for (unsigned i = 0; i < rank; ++i) {
        const std::int64_t d = c.hardly_ever() ? c.number() : static_cast<std::int64_t>(c.next() >= 240 ? 0 : 1 + c.below(4));
        t.add_int64(wire::tensor_dims, d);
        count = d < 0 || d > 64 || count > 256 ? 0 : count * d;
    }
    t.add_int64(wire::tensor_data_type, type);
    t.add_string(wire::tensor_name, name);
    if (type == 7) {
        for (std::int64_t i = 0; i < count; ++i) t.add_int64(wire::tensor_int64_data, c.number());
        return out;
    }
    const std::size_t size = nn::size_of(static_cast<nn::dtype>(type)) * static_cast<std::size_t>(count) + (c.hardly_ever() ? c.below(3) : 0);
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) {
        if (type == 1 && i % 4 == 0 && i + 4 <= size) {
            const float v = c.real();
            std::memcpy(bytes.data() + i, &v, 4);
            i += 3;
        } else bytes[i] = static_cast<char>(c.next());
    }
    t.add_string(wire::tensor_raw_data, bytes);
    return out;
}

std::string value_info(choices& c, const std::string& name) {
    std::string out, type, body, shape;
    pbf_writer v(out), t(type), b(body), s(shape);
    v.add_string(wire::value_name, name);
    b.add_int64(wire::tensor_elem_type, c.type());
    if (!c.rarely()) {
        const unsigned rank = c.below(6);
        for (unsigned i = 0; i < rank; ++i) {
            std::string one;
            pbf_writer d(one);
            const unsigned kind = c.below(8);
            if (kind == 0) d.add_string(wire::dim_param, "n");
            else if (kind != 1) d.add_int64(wire::dim_value, c.hardly_ever() ? c.number() : static_cast<std::int64_t>(1 + c.below(6)));
            s.add_message(wire::shape_dim, one);
        }
        b.add_message(wire::tensor_shape, shape);
    }
    t.add_message(wire::type_tensor, body);
    v.add_message(wire::value_type, type);
    return out;
}

std::string graph(choices& c, names outside, int depth);

/// An attribute of the kind that the operator wants, rarely of another.
std::string attribute(choices& c, const names& around, std::string_view name, std::string_view kind, int depth) {
    static constexpr std::string_view kinds[] = {"int", "float", "string", "tensor", "ints", "floats", "strings"};
    static constexpr const char* texts[] = {"", "NOTSET", "SAME_UPPER", "VALID", "linear", "nearest", "cubic", "bilinear", "constant", "reflect", "edge", "wrap",
                                            "align_corners", "asymmetric", "half_pixel", "floor", "ceil", "sum", "mean", "none", "add", "mul", "max", "min",
                                            "avg", "RIGHT", "LEFT", "CRD", "DCR", "bidirectional", "reverse", "Tanh", "ij,jk->ik", "...i,...i", "b...->b"};
    if (c.hardly_ever()) kind = kinds[c.below(std::size(kinds))];
    std::string out;
    pbf_writer a(out);
    a.add_string(wire::attribute_name, name.data(), name.size());
    const auto type = [&](int t) { a.add_int64(wire::attribute_type, t); };
    if (kind == "int") type(2), a.add_int64(wire::attribute_i, c.number());
    else if (kind == "float") type(1), a.add_float(wire::attribute_f, c.real());
    else if (kind == "string") type(3), a.add_string(wire::attribute_s, texts[c.below(std::size(texts))]);
    else if (kind == "tensor") type(4), a.add_message(wire::attribute_t, tensor(c, ""));
    else if (kind == "graph") type(5), a.add_message(wire::attribute_g, depth < 2 ? graph(c, around, depth + 1) : std::string());
    else if (kind == "ints") {
        type(7);
        for (unsigned n = c.below(7); n != 0; --n) a.add_int64(wire::attribute_ints, c.number());
    } else if (kind == "floats") {
        type(6);
        for (unsigned n = c.below(5); n != 0; --n) a.add_float(wire::attribute_floats, c.real());
    } else {
        type(8);
        for (unsigned n = c.below(4); n != 0; --n) a.add_string(wire::attribute_strings, texts[c.below(std::size(texts))]);
    }
    return out;
}

std::string one_node(choices& c, names& all, int depth) {
    const auto ops = nn::all_ops();
    std::size_t row = (c.next() + 256 * c.next()) % ops.size();
    if (!c.hardly_ever())  // of this operator set; the engine's own are not for files
        while (!ops[row].domain.empty() || ops[row].since > all.opset || (ops[row].until != 0 && ops[row].until < all.opset)) row = (row + 1) % ops.size();
    const nn::op_def& op = ops[row];
    std::string out;
    pbf_writer n(out);
    const unsigned inputs = op.max_inputs < 0 ? c.below(5) : static_cast<unsigned>(op.min_inputs) + c.below(static_cast<unsigned>(op.max_inputs - op.min_inputs) + 1);
    for (unsigned i = 0; i < inputs; ++i) n.add_string(wire::node_input, c.rarely() && c.rarely() ? std::string() : all.used(c));
    const unsigned outputs = 1 + (op.max_outputs == 1 ? 0 : c.below(3));
    n.add_string(wire::node_op_type, op.name.data(), op.name.size());
    if (!op.domain.empty()) n.add_string(wire::node_domain, op.domain.data(), op.domain.size());
    std::string_view rest = op.attributes;
    while (!rest.empty()) {
        const std::string_view one = rest.substr(0, rest.find(' '));
        rest.remove_prefix(one.size() == rest.size() ? one.size() : one.size() + 1);
        const std::size_t colon = one.find(':');
        if (colon == std::string_view::npos) continue;
        const std::string_view kind = one.substr(colon + 1);
        if (kind == "graph" || c.below(2) == 0) n.add_message(wire::node_attribute, attribute(c, all, one.substr(0, colon), kind, depth));
    }
    for (unsigned i = 0; i < outputs; ++i) n.add_string(wire::node_output, all.fresh(c));
    return out;
}

std::string graph(choices& c, names all, int depth) {
    std::string out;
    pbf_writer g(out);
    g.add_string(wire::graph_name, "g");
    for (unsigned n = 1 + c.below(4); n != 0; --n) g.add_message(wire::graph_input, value_info(c, all.fresh(c)));
    for (unsigned n = c.below(5); n != 0; --n) g.add_message(wire::graph_initializer, tensor(c, all.fresh(c)));
    for (unsigned n = 1 + c.below(6); n != 0; --n) g.add_message(wire::graph_node, one_node(c, all, depth));
    for (unsigned n = 1 + c.below(3); n != 0; --n) g.add_message(wire::graph_output, value_info(c, all.used(c)));
    return out;
}

std::string model(choices& c) {
    unsigned count = 0;
    const int version = static_cast<int>(7 + c.below(17));
    std::string out, opset, body = graph(c, {{}, &count, version}, 0);
    pbf_writer m(out);
    m.add_int64(wire::model_ir_version, 8);
    pbf_writer(opset).add_int64(wire::opset_version, version);
    m.add_message(wire::model_opset_import, opset);
    for (const char* domain : {"ocelli", "ocelli.blocked"}) {
        opset.clear();
        pbf_writer o(opset);
        o.add_string(wire::opset_domain, domain);
        o.add_int64(wire::opset_version, 1);
        if (!c.hardly_ever()) m.add_message(wire::model_opset_import, opset);
    }
    m.add_message(wire::model_graph, body);
    return out;
}

/// What an input may be fed: extents as declared where they are small.
nn::tensor feed(const nn::value_info& input, choices& c) {
    nn::dims shape;
    if (input.shape.ranked())
        for (const nn::dim& d : input.shape.extents()) shape.push_back(d.known() && d.size <= 8 ? d.size : static_cast<std::int64_t>(c.below(5)));
    else shape = {static_cast<std::int64_t>(c.below(5))};
    nn::tensor t = nn::tensor::zeros(input.type == nn::dtype::undefined ? nn::dtype::float32 : input.type, shape);
    if (t.type() == nn::dtype::float32)
        for (std::int64_t i = 0; i < t.size() && i < 64; ++i) t.mutable_data<float>()[i] = c.real();
    if (t.type() == nn::dtype::int64)
        for (std::int64_t i = 0; i < t.size() && i < 64; ++i) t.mutable_data<std::int64_t>()[i] = c.number();
    return t;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    choices c{data, data + size};
    ocelli::set_num_threads(1);
    const nn::memory_limit all(16 << 20);
    const nn::run_guard load(10000);
    try {
        const std::string bytes = model(c);
        nn::graph g = nn::read_onnx(std::span(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()));
        const nn::session net(std::move(g), {.memory_limit = 4 << 20, .step_limit = 500});
        (void)net.explain();
        (void)nn::dot(net.lowered());
        nn::named_tensors feeds;
        for (const nn::value_info& v : net.inputs())
            if (!v.optional) feeds.add(v.name, feed(v, c));
        const auto out = net.run(feeds);
        // Once more, in memory of ours.
        std::vector<nn::output_list::output> memory;
        for (const auto& [name, t] : out) {
            for (const auto& other : memory)
                if (other.name == name) return 0;
            memory.emplace_back(name, nn::tensor::zeros(t.type(), t.shape()));
        }
        net.run(feeds, nn::output_list(memory));
    } catch (const ocelli::error&) {
    }
    return 0;
}
