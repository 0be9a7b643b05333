#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/onnx.hpp>
#include <ocelli/nn/session.hpp>

#include <support/golden_models.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

using namespace ocelli;
using namespace ocelli::nn;

namespace {

// A few lines of protobuf writing, so that each case can spell out its file.
std::string varint(std::uint64_t v) {
    std::string out;
    for (; v >= 128; v >>= 7) out += static_cast<char>((v & 127) | 128);
    out += static_cast<char>(v);
    return out;
}
std::string number(unsigned field, std::uint64_t v) {
    return varint(field << 3) + varint(v);
}
std::string bytes(unsigned field, const std::string& content) {
    return varint((field << 3) | 2) + varint(content.size()) + content;
}

std::string declared(const std::string& name, const std::vector<int>& shape) {
    std::string extents;
    for (const int d : shape) extents += bytes(1, d < 0 ? bytes(2, "n") : number(1, static_cast<std::uint64_t>(d)));
    return bytes(1, name) + bytes(2, bytes(1, number(1, 1) + bytes(2, extents)));
}
std::string node_of(const std::string& op, const std::vector<std::string>& in, const std::vector<std::string>& out, const std::string& more = "") {
    std::string n;
    for (const auto& i : in) n += bytes(1, i);
    for (const auto& o : out) n += bytes(2, o);
    return n + bytes(3, "the_" + op) + bytes(4, op) + more;
}
std::string float_tensor(const std::string& name, const std::vector<float>& v) {
    std::string raw(v.size() * 4, '\0');
    std::memcpy(raw.data(), v.data(), raw.size());
    return number(1, v.size()) + number(2, 1) + bytes(8, name) + bytes(9, raw);
}
std::string model(const std::string& graph, unsigned opset = 13) {
    return number(1, 8) + bytes(8, number(2, opset)) + bytes(7, graph);
}

graph parse(const std::string& file, const std::string& folder = "") {
    return read_onnx(std::span(reinterpret_cast<const std::byte*>(file.data()), file.size()), folder, "net.onnx");
}

template <class E>
std::string refusal(const std::string& file, const std::string& folder = "") {
    try {
        parse(file, folder);
    } catch (const E& e) {
        return e.what();
    }
    return "(accepted)";
}

const std::string x2 = bytes(11, declared("x", {2}));
const std::string y2 = bytes(12, declared("y", {2}));
// y = relu(x) + w, w = (1, 2)
const std::string good = model(bytes(1, node_of("Relu", {"x"}, {"r"})) + bytes(1, node_of("Add", {"r", "w"}, {"y"})) + bytes(5, float_tensor("w", {1, 2})) + x2 + y2);

}  // namespace

TEST_CASE("a model is read with its constants and computes") {
    const graph g = parse(good);
    CHECK(g.inputs.size() == 1);
    CHECK(text(g.at(g.outputs[0]).what.shape) == "(2)");
    const auto out = evaluate(g, {{"x", tensor::from<float>({2}, {-5.f, 5.f})}});
    CHECK(out["y"].as<float, 1>()(0) == 1.f);
    CHECK(out["y"].as<float, 1>()(1) == 7.f);
}

TEST_CASE("what the exporter noted is kept, wherever it stands in the file") {
    CHECK(parse(good).metadata.empty());
    const auto entry = [](const std::string& key, const std::string& content) { return bytes(14, bytes(1, key) + bytes(2, content)); };
    const graph g = parse(entry("task", "detect") + good + entry("names", "{0: 'disc'}") + bytes(14, bytes(1, "empty")));
    CHECK(g.metadata == std::map<std::string, std::string>{{"empty", ""}, {"names", "{0: 'disc'}"}, {"task", "detect"}});
    CHECK(session(g).metadata() == g.metadata);
    CHECK(refusal<format_error>(good + number(14, 1)).find("wire type") != std::string::npos);
}

TEST_CASE("an initializer among the inputs is a default that may be fed") {
    const graph g = parse(model(bytes(1, node_of("Add", {"x", "w"}, {"y"})) + bytes(5, float_tensor("w", {1, 2})) + x2 + bytes(11, declared("w", {2})) + y2));
    const tensor x = tensor::from<float>({2}, {10.f, 20.f});
    CHECK(evaluate(g, {{"x", x}})["y"].as<float, 1>()(1) == 22.f);
    CHECK(evaluate(g, {{"x", x}, {"w", x}})["y"].as<float, 1>()(1) == 40.f);
}

TEST_CASE("nodes may stand in any order; a cycle is refused") {
    CHECK(parse(model(bytes(1, node_of("Relu", {"r"}, {"y"})) + bytes(1, node_of("Identity", {"x"}, {"r"})) + x2 + y2)).nodes[0].op == "Identity");
    CHECK(refusal<format_error>(model(bytes(1, node_of("Relu", {"a"}, {"y"})) + bytes(1, node_of("Relu", {"y"}, {"a"})) + x2 + y2)) ==
          "net.onnx: node 'the_Relu' (Relu, opset 13): the graph has a cycle through this node");
}

TEST_CASE("unknown operators and attributes are refused with node, operator and opset") {
    CHECK(refusal<unsupported_operator>(model(bytes(1, node_of("Quux", {"x"}, {"y"})) + x2 + y2, 11)) ==
          "net.onnx: node 'the_Quux' (Quux, opset 11): this operator is not supported");
    const std::string beta = bytes(5, bytes(1, "beta") + number(3, 1) + number(20, 2));
    CHECK(refusal<unsupported_operator>(model(bytes(1, node_of("Relu", {"x"}, {"y"}, beta)) + x2 + y2)) ==
          "net.onnx: node 'the_Relu' (Relu, opset 13): attribute 'beta' is not supported");
    CHECK(refusal<unsupported_operator>(model(bytes(1, node_of("Relu", {"x"}, {"y"}, bytes(7, "com.other"))) + x2 + y2)) ==
          "net.onnx: node 'the_Relu' (com.other.Relu, opset 0): the model imports no operator set of domain 'com.other'");
    CHECK(refusal<unsupported_operator>(model(bytes(1, node_of("Conv", {"x"}, {"y"}, bytes(7, "ocelli"))) + x2 + y2)) ==
          "net.onnx: node 'the_Conv' (ocelli.Conv, opset 0): domain 'ocelli' is the engine's own");
}

TEST_CASE("contradictory graphs are refused") {
    CHECK(refusal<format_error>(model(bytes(1, node_of("Relu", {"nothing"}, {"y"})) + x2 + y2)) ==
          "net.onnx: node 'the_Relu' (Relu, opset 13): input 'nothing' is defined nowhere");
    CHECK(refusal<format_error>(model(bytes(1, node_of("Relu", {"x"}, {"y"})) + bytes(1, node_of("Relu", {"x"}, {"y"})) + x2 + y2)) ==
          "net.onnx: value 'y' is defined twice");
    CHECK(refusal<format_error>(model(x2 + y2)) == "net.onnx: output 'y' is computed by no node");
    CHECK(refusal<format_error>(model(bytes(1, node_of("Relu", {}, {"y"})) + x2 + y2)) ==
          "net.onnx: node 'the_Relu' (Relu, opset 13): takes 1 to 1 inputs, has 0");
    CHECK(refusal<format_error>("") == "net.onnx: holds no graph; is this an ONNX model?");
    CHECK(refusal<format_error>(number(1, 8) + bytes(7, x2)).find("protobuf") == std::string::npos);
}

TEST_CASE("tensors that lie about their size are refused before memory is taken") {
    const auto with = [](const std::string& t) { return model(bytes(1, node_of("Relu", {"x"}, {"y"})) + bytes(5, t) + x2 + y2); };
    const std::string huge = number(1, std::uint64_t{1} << 40) + number(2, 1) + bytes(8, "w");
    CHECK(refusal<format_error>(with(huge + bytes(9, "abcd"))) == "net.onnx: tensor 'w': shape (1099511627776) of float32 needs 1099511627776 x 4 bytes, has 4");
    CHECK(refusal<format_error>(with(huge)) == "net.onnx: tensor 'w': shape (1099511627776) does not hold 0 elements");
    CHECK(refusal<format_error>(with(number(1, ~std::uint64_t{0}) + number(2, 1) + bytes(8, "w"))) == "net.onnx: tensor 'w': has a negative extent, (-1)");
    CHECK(refusal<format_error>(with(number(1, 1) + number(2, 99) + bytes(8, "w"))) == "net.onnx: tensor 'w': element type 99 does not exist");
    CHECK(refusal<unsupported_operator>(with(number(1, 1) + number(2, 17) + bytes(8, "w"))) == "net.onnx: tensor 'w': element type 17 is not supported");
    CHECK(refusal<unsupported_operator>(with(number(1, 1) + number(2, 8) + bytes(8, "w") + bytes(6, "text"))) == "net.onnx: tensor 'w': element type string is not supported");
}

TEST_CASE("every truncation of a model is accepted or refused with a typed error") {
    for (std::size_t n = 0; n < good.size(); ++n) {
        try {
            parse(good.substr(0, n));
        } catch (const error&) {}
    }
    for (std::size_t i = 0; i < good.size(); ++i)
        for (const int flip : {1, 2, 4, 128}) {
            std::string bad = good;
            bad[i] = static_cast<char>(bad[i] ^ flip);
            try {
                parse(bad);
            } catch (const error&) {}
        }
}

TEST_CASE("external data is read from the model's folder and nowhere else") {
    const auto folder = std::filesystem::temp_directory_path() / ("ocelli_onnx_test_" + std::to_string(std::rand()));
    std::filesystem::create_directories(folder / "in");
    std::ofstream(folder / "in" / "weights.bin", std::ios::binary).write("\0\0\0\0\0\0\x80\x3f\0\0\0\x40", 12);
    std::ofstream(folder / "secret.bin", std::ios::binary).write("\0\0\0\0\0\0\0\0", 8);
    std::filesystem::create_symlink(folder / "secret.bin", folder / "in" / "link.bin");
    const auto entry = [](const std::string& k, const std::string& v) { return bytes(13, bytes(1, k) + bytes(2, v)); };
    const auto with = [&](const std::string& location, const std::string& offset, const std::string& length) {
        const std::string t = number(1, 2) + number(2, 1) + bytes(8, "w") + number(14, 1) + entry("location", location) + entry("offset", offset) + entry("length", length);
        return model(bytes(1, node_of("Add", {"x", "w"}, {"y"})) + bytes(5, t) + x2 + y2);
    };
    const std::string in = (folder / "in").string();
    const graph g = parse(with("weights.bin", "4", "8"), in);
    CHECK(evaluate(g, {{"x", tensor::from<float>({2}, {0.f, 0.f})}})["y"].as<float, 1>()(1) == 2.f);
    CHECK(refusal<format_error>(with("../secret.bin", "0", "8"), in) == "net.onnx: tensor 'w': external data '../secret.bin' lies outside the model's folder");
    CHECK(refusal<format_error>(with("link.bin", "0", "8"), in) == "net.onnx: tensor 'w': external data 'link.bin' lies outside the model's folder");
    CHECK(refusal<format_error>(with("/etc/passwd", "0", "8"), in) == "net.onnx: tensor 'w': external data '/etc/passwd' lies outside the model's folder");
    CHECK(refusal<format_error>(with("weights.bin", "8", "8"), in).find("has 12 bytes, data is said to be 8 from 8") != std::string::npos);
    CHECK(refusal<io_error>(with("none.bin", "0", "8"), in).find("cannot open external data") != std::string::npos);
    CHECK(refusal<format_error>(with("weights.bin", "0", "8")) == "net.onnx: tensor 'w': has external data, but the model was read from memory without a folder");
    std::filesystem::remove_all(folder);
}

TEST_CASE("a file that is not there is an io_error") {
    CHECK_THROWS_WITH_AS(read_onnx("/nonexistent/net.onnx"), "/nonexistent/net.onnx: cannot be opened: No such file or directory", io_error);
}

namespace {

std::string attribute_of(const std::string& name, const std::string& content, unsigned type) {
    return bytes(5, bytes(1, name) + content + number(20, type));
}
std::string relu_model(const std::string& more_in_node = "", const std::string& more_in_graph = "", unsigned opset = 13) {
    return model(bytes(1, node_of("Relu", {"x"}, {"y"}, more_in_node)) + more_in_graph + x2 + y2, opset);
}

}  // namespace

TEST_CASE("files of other formats are refused as what they are not") {
    CHECK(refusal<format_error>("\x89PNG\r\n\x1a\n and so on").find("net.onnx: not a valid protobuf file (") == 0);
    CHECK(refusal<format_error>("{\"json\": true}").find("net.onnx: not a valid protobuf file (") == 0);
    CHECK(refusal<format_error>(std::string(64, '\0')).find("net.onnx: not a valid protobuf file (") == 0);
    // A TensorProto, which is protobuf too.
    CHECK(refusal<error>(float_tensor("w", {1, 2})).find("net.onnx: ") == 0);
    // A length that reaches behind the end; a graph that is a number.
    CHECK(refusal<format_error>(varint((7u << 3) | 2) + varint(1u << 30) + "ab").find("net.onnx: not a valid protobuf file (") == 0);
    CHECK(refusal<error>(number(7, 5)) != "(accepted)");
}

TEST_CASE("no prefix of a model is taken for the whole one") {
    // Whatever of the graph is missing, an output has no producer or the file no graph; the graph stands last here.
    int accepted = 0;
    for (std::size_t n = 0; n < good.size(); ++n) {
        const std::string why = refusal<error>(good.substr(0, n));
        accepted += why == "(accepted)";
        if (why != "(accepted)") CHECK(why.find("net.onnx: ") == 0);
    }
    CHECK(accepted == 0);
}

TEST_CASE("operator set versions that are not supported are refused with node, operator and opset") {
    CHECK(refusal<unsupported_operator>(model(bytes(1, node_of("LayerNormalization", {"x", "x"}, {"y"})) + x2 + y2, 13)) ==
          "net.onnx: node 'the_LayerNormalization' (LayerNormalization, opset 13): this operator is supported for other operator set versions only");
    CHECK(refusal<format_error>(model(bytes(1, node_of("Relu", {"x"}, {"y"})) + x2 + y2, 0)) == "net.onnx: imports version 0 of domain ''");
}

TEST_CASE("attributes of kinds, types and counts that do not fit are refused by name") {
    const std::string node = "net.onnx: node 'the_Relu' (Relu, opset 13): attribute 'a' ";
    CHECK(refusal<format_error>(relu_model(attribute_of("a", "", 4))) == node + "has no tensor");
    CHECK(refusal<format_error>(relu_model(attribute_of("a", "", 5))) == node + "has no graph");
    CHECK(refusal<unsupported_operator>(relu_model(attribute_of("a", "", 77))) == node + "has a kind that is not supported (77)");
    CHECK(refusal<unsupported_operator>(relu_model(attribute_of("a", bytes(10, float_tensor("t", {1})), 9))) == node + "has a kind that is not supported");
    CHECK(refusal<format_error>(relu_model(attribute_of("a", bytes(21, "outer"), 2))) == node + "refers to a function's attribute, outside of any function");
    CHECK(refusal<format_error>(model(bytes(1, node_of("Elu", {"x"}, {"y"}, attribute_of("alpha", number(3, 1), 2))) + x2 + y2)) ==
          "net.onnx: node 'the_Elu' (Elu, opset 13): attribute 'alpha' must be of kind float, is int");
    CHECK(refusal<format_error>(model(bytes(1, node_of("Relu", {"x"}, {"y", "z"})) + x2 + y2)) ==
          "net.onnx: node 'the_Relu' (Relu, opset 13): has at most 1 outputs, got 2");
    CHECK(refusal<format_error>(model(bytes(1, node_of("Add", {"", "x"}, {"y"})) + x2 + y2)) == "net.onnx: node 'the_Add' (Add, opset 13): input 0 is missing");
    CHECK(refusal<format_error>(model(bytes(1, node_of("Relu", {"x"}, {"w"})) + bytes(5, float_tensor("w", {1, 2})) + x2 + y2)) == "net.onnx: value 'w' is defined twice");
    CHECK(refusal<format_error>(relu_model("", x2)) == "net.onnx: input 'x' is listed twice");
}

TEST_CASE("graphs nested without end and other attacks on memory are refused") {
    // Each level is an If whose branch holds the next one.
    std::string body = bytes(1, node_of("Identity", {"x"}, {"o"})) + bytes(12, declared("o", {2}));
    for (int i = 0; i < 40; ++i)
        body = bytes(1, node_of("If", {"x"}, {"o"}, attribute_of("then_branch", bytes(6, body), 5))) + bytes(12, declared("o", {2}));
    CHECK(refusal<format_error>(model(body + x2)).find("net.onnx: sub-graphs are nested deeper than ") == 0);
    std::string extents;
    for (int i = 0; i < 65; ++i) extents += bytes(1, number(1, 1));
    CHECK(refusal<format_error>(relu_model("", bytes(11, bytes(1, "q") + bytes(2, bytes(1, number(1, 1) + bytes(2, extents)))))) == "net.onnx: value 'q' has too many axes");
    std::string rank;
    for (int i = 0; i < 65; ++i) rank += number(1, 1);
    CHECK(refusal<format_error>(relu_model("", bytes(5, rank + number(2, 1) + bytes(8, "w")))) == "net.onnx: tensor 'w': has rank 65");
    // The product of the extents wraps around to 0.
    const std::string wrapping = number(1, std::uint64_t{1} << 32) + number(1, std::uint64_t{1} << 32) + number(2, 1) + bytes(8, "w") + bytes(9, "");
    CHECK(refusal<format_error>(relu_model("", bytes(5, wrapping))) == "net.onnx: tensor 'w': a shape is too large: (4294967296, 4294967296)");
    CHECK(refusal<format_error>(relu_model("", bytes(5, number(1, 2) + number(2, 1) + bytes(8, "w") + bytes(3, "")))) == "net.onnx: a tensor in segments is not supported");
    CHECK(refusal<format_error>(relu_model("", bytes(5, number(1, 1) + number(2, 1) + bytes(8, "w") + number(14, 3)))) == "net.onnx: tensor 'w': unknown data location 3");
    CHECK(refusal<format_error>(relu_model("", bytes(15, ""))) == "net.onnx: sparse initializers are not supported");
    // A field of another wire type.
    CHECK(refusal<format_error>(relu_model("", number(1, 3))).find("has the wrong wire type") != std::string::npos);
}

TEST_CASE("external data with offsets that are no numbers, or larger than any file, is refused") {
    const auto folder = std::filesystem::temp_directory_path() / ocelli::detail::concat("ocelli_onnx_offsets_", std::rand());
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "w.bin", std::ios::binary).write("\0\0\0\0\0\0\0\0", 8);
    const auto with = [&](const std::string& key, const std::string& v) {
        const auto entry = [](const std::string& k, const std::string& t) { return bytes(13, bytes(1, k) + bytes(2, t)); };
        return relu_model("", bytes(5, number(1, 2) + number(2, 1) + bytes(8, "w") + number(14, 1) + entry("location", "w.bin") + entry(key, v)));
    };
    const std::string in = folder.string();
    CHECK(refusal<error>(with("offset", "0"), in) == "(accepted)");
    CHECK(refusal<format_error>(with("offset", "-4"), in) == "net.onnx: external data has offset '-4'");
    CHECK(refusal<format_error>(with("length", "8x"), in) == "net.onnx: external data has length '8x'");
    CHECK(refusal<format_error>(with("offset", "9"), in).find("has 8 bytes, data is said to begin at 9") != std::string::npos);
    CHECK(refusal<format_error>(with("offset", "9223372036854775807"), in).find("data is said to begin at") != std::string::npos);
    CHECK(refusal<format_error>(with("length", "9223372036854775807"), in).find("data is said to be 9223372036854775807 from 0") != std::string::npos);
    std::filesystem::remove_all(folder);
}

TEST_CASE("a tensor file is read, and a broken one refused by name") {
    const std::string file = float_tensor("w", {1.5f, 2.f});
    const auto read = [](const std::string& f) { return read_onnx_tensor(std::span(reinterpret_cast<const std::byte*>(f.data()), f.size()), "input_0.pb"); };
    CHECK(read(file).as<float, 1>()(0) == 1.5f);
    CHECK_THROWS_AS(read(file.substr(0, file.size() - 3)), format_error);
    CHECK_THROWS_WITH_AS(read(number(1, 3) + number(2, 1) + bytes(9, "abcd")), "input_0.pb: tensor '': shape (3) of float32 needs 3 x 4 bytes, has 4", format_error);
    CHECK_THROWS_WITH_AS(read_onnx_tensor("/nonexistent.pb"), "/nonexistent.pb: cannot be opened: No such file or directory", io_error);
}

// --- functions ---------------------------------------------------------------------------------------------------------------

namespace {

std::string import_of(const std::string& domain, unsigned version) {
    return bytes(1, domain) + number(2, version);
}
std::string function_of(const std::string& name, const std::vector<std::string>& in, const std::vector<std::string>& out, const std::string& nodes) {
    std::string f = bytes(1, name) + bytes(10, "local") + bytes(9, import_of("", 13)) + bytes(9, import_of("local", 1)) + nodes;
    for (const auto& i : in) f += bytes(4, i);
    for (const auto& o : out) f += bytes(5, o);
    return bytes(25, f);
}
std::string call_of(const std::string& function, const std::vector<std::string>& in, const std::vector<std::string>& out) {
    return bytes(1, node_of(function, in, out, bytes(7, "local")));
}
std::string calling(const std::string& nodes, const std::string& functions) {
    return model(nodes + x2 + y2) + bytes(8, import_of("local", 1)) + functions;
}

}  // namespace

TEST_CASE("calls of a model's functions are replaced by the functions' nodes") {
    CHECK(ocelli_test::check_golden_models("function", 1e-6) == 4);
    const std::string twice = function_of("Twice", {"a"}, {"b"}, bytes(7, node_of("Add", {"a", "a"}, {"b"})));
    const graph g = parse(calling(call_of("Twice", {"x"}, {"t"}) + call_of("Twice", {"t"}, {"y"}), twice));
    REQUIRE(g.nodes.size() == 2);
    CHECK(g.nodes[0].name == "the_Twice/the_Add");
    CHECK(evaluate(g, {{"x", tensor::from<float>({2}, {1.f, 2.f})}})["y"].as<float, 1>()(1) == 8.f);
    // An output that is an input, and one that nobody wants.
    const std::string pass = function_of("Pass", {"a"}, {"a", "b"}, bytes(7, node_of("Relu", {"a"}, {"b"})));
    CHECK(evaluate(parse(calling(call_of("Pass", {"x"}, {"y"}), pass)), {{"x", tensor::from<float>({2}, {-1.f, 2.f})}})["y"].as<float, 1>()(0) == -1.f);
}

TEST_CASE("functions that call themselves, multiply, or contradict their calls are refused") {
    const std::string self = function_of("F", {"a"}, {"b"}, bytes(7, node_of("F", {"a"}, {"b"}, bytes(7, "local"))));
    CHECK(refusal<format_error>(calling(call_of("F", {"x"}, {"y"}), self)).find("functions call each other deeper than 32") != std::string::npos);
    // Each function calls the one before it sixteen times: 16^8 nodes.
    const auto named = [](const char* prefix, int i) { return ocelli::detail::concat(prefix, i); };
    std::string family = function_of("F0", {"a"}, {"b"}, bytes(7, node_of("Relu", {"a"}, {"b"})));
    for (int k = 1; k <= 8; ++k) {
        std::string nodes;
        for (int i = 0; i < 16; ++i)
            nodes += bytes(7, node_of(named("F", k - 1), {i == 0 ? "a" : named("t", i)}, {i == 15 ? "b" : named("t", i + 1)}, bytes(7, "local")));
        family += function_of(named("F", k), {"a"}, {"b"}, nodes);
    }
    CHECK(refusal<format_error>(calling(call_of("F8", {"x"}, {"y"}), family)).find("calls of functions make more than 1048576 nodes") != std::string::npos);
    const std::string relu = bytes(7, node_of("Relu", {"a"}, {"b"}));
    CHECK(refusal<format_error>(calling(call_of("F", {"x", "x"}, {"y"}), function_of("F", {"a"}, {"b"}, relu))).find("the function has 1 inputs and 1 outputs, the call 2 and 1") !=
          std::string::npos);
    CHECK(refusal<format_error>(calling(call_of("F", {"x"}, {"y"}), function_of("F", {"a"}, {"c"}, relu))).find("output 'c' of the function is computed by no node") !=
          std::string::npos);
    CHECK(refusal<format_error>(calling(call_of("F", {"x"}, {"y"}), function_of("F", {"a"}, {"b"}, bytes(7, node_of("Relu", {"x"}, {"b"}))))).find("input 'x' is defined nowhere") !=
          std::string::npos);
    CHECK(refusal<format_error>(calling(call_of("F", {"x"}, {"y"}), function_of("F", {"a"}, {"b"}, relu) + function_of("F", {"a"}, {"b"}, relu))) ==
          "net.onnx: function 'F' of domain 'local' is defined twice");
    CHECK(refusal<unsupported_operator>(calling(call_of("Other", {"x"}, {"y"}), function_of("F", {"a"}, {"b"}, relu))).find("(local.Other, opset 1)") != std::string::npos);
}

// --- weights and 16-bit networks -------------------------------------------------------------------------------------------------

TEST_CASE("weights are constants wherever they stand: among the inputs, in Constant nodes, behind Identity") {
    CHECK(ocelli_test::check_golden_models("weights", 1e-5) == 3);
    const state_dict all = read_weights(ocelli_test::golden("nn_ops/weights.safetensors"));
    for (const char* const name : {"listed", "constant_nodes", "identity"}) {
        CAPTURE(name);
        const std::string key = name;
        const session net(read_onnx(std::as_bytes(all[key + "/model"].values<std::uint8_t>()), "", key));
        CHECK(ocelli_test::agree(net.run(feed_list{{"x", all[key + "/x0"]}})["y"], all[key + "/y0"], 1e-5));
        // They were known when the kernel was chosen: convolution, batch normalisation and activation are one node.
        int convolutions = 0;
        for (const node& n : net.lowered().nodes) {
            CHECK(n.op != "BatchNormalization");
            convolutions += n.op.find("Conv") != std::string::npos;
        }
        CHECK(convolutions == 1);
    }
    // A default that is fed replaces the constant.
    const session net(read_onnx(std::as_bytes(all["listed/model"].values<std::uint8_t>()), "", "listed"));
    const tensor zero = tensor::zeros(dtype::float32, {4, 6});
    const auto y = net.run(feed_list{{"x", all["listed/x0"]}, {"fc", zero}, {"fb", tensor::zeros(dtype::float32, {4})}})["y"];
    CHECK(y.as<float, 2>()(0, 0) == doctest::Approx(0.25));
}

TEST_CASE("networks that are float16 or bfloat16 throughout keep their types and are computed in float") {
    const state_dict all = read_weights(ocelli_test::golden("nn_ops/network.safetensors"));
    for (const char* const name : {"float16", "bfloat16"}) {
        CAPTURE(name);
        const std::string key = name;
        const graph g = read_onnx(std::as_bytes(all[key + "/model"].values<std::uint8_t>()), "", key);
        const double tolerance = key == "float16" ? 2e-3 : 2e-2;
        const tensor reference = evaluate(g, {{"x", all[key + "/x0"]}})["y"], run = session(g).run(feed_list{{"x", all[key + "/x0"]}})["y"];
        CHECK(ocelli_test::agree(reference, all[key + "/y0"], tolerance));
        CHECK(ocelli_test::agree(run, all[key + "/y0"], tolerance));
        // The session computes in float from end to end: nothing but inputs and outputs is rounded, convolutions run on kernels.
        const session net(g);
        CHECK(net.inputs()[0].type == g.at(g.inputs[0]).what.type);
        CHECK(net.outputs()[0].type == g.at(g.outputs[0]).what.type);
        for (const value& v : net.lowered().values) CHECK(v.what.type != dtype::bfloat16);
        int convolutions = 0;
        for (const node& n : net.lowered().nodes) {
            if (n.op.find("Conv") == std::string::npos) continue;
            ++convolutions;
            CHECK(net.lowered().at(n.inputs[0]).what.type == dtype::float32);
            CHECK(net.lowered().at(n.inputs[1]).what.constant.type() == dtype::float32);
        }
        CHECK(convolutions == 1);
    }
}

TEST_CASE("external data is borrowed from the mapped file, aligned or not") {
    const auto folder = std::filesystem::temp_directory_path() / ("ocelli_onnx_mapped_" + std::to_string(std::rand()));
    std::filesystem::create_directories(folder);
    std::vector<float> values(5000);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    std::ofstream data(folder / "weights.bin", std::ios::binary);
    data.write("\0", 1);
    data.write(reinterpret_cast<const char*>(values.data()), 4 * 5000);
    data.write("\0\0\0", 3);
    data.write(reinterpret_cast<const char*>(values.data()), 4 * 5000);
    data.close();
    const auto entry = [](const std::string& k, const std::string& v) { return bytes(13, bytes(1, k) + bytes(2, v)); };
    const auto weights = [&](const std::string& name, const std::string& offset) {
        return bytes(5, number(1, 5000) + number(2, 1) + bytes(8, name) + number(14, 1) + entry("location", "weights.bin") + entry("offset", offset) + entry("length", "20000"));
    };
    const std::string file = model(bytes(1, node_of("Add", {"odd", "even"}, {"y"})) + weights("odd", "1") + weights("even", "20004") + bytes(12, declared("y", {5000})));
    std::ofstream(folder / "net.onnx", std::ios::binary) << file;
    for (const graph& g : {read_onnx((folder / "net.onnx").string()), parse(file, folder.string())}) {
        const tensor &odd = g.at(g.find("odd")).what.constant, &even = g.at(g.find("even")).what.constant;
        CHECK(reinterpret_cast<std::uintptr_t>(odd.stored()) % 4 == 1);
        CHECK(reinterpret_cast<std::uintptr_t>(odd.raw()) % 4 == 0);
        CHECK(odd.data<float>()[4999] == 4999.f);
        CHECK(even.data<float>()[4999] == 4999.f);
        CHECK(evaluate(g, {})["y"].as<float, 1>()(4999) == 9998.f);
    }
    std::filesystem::remove_all(folder);
}

TEST_CASE("sequences and optional values are read from their own files") {
    const std::string a = float_tensor("a", {1, 2}), b = float_tensor("b", {3});
    const auto read = [](auto f, const std::string& file) { return f(std::span(reinterpret_cast<const std::byte*>(file.data()), file.size()), "value"); };
    const tensor s = read(read_onnx_sequence, bytes(1, "s") + number(2, 1) + bytes(3, a) + bytes(3, b));
    REQUIRE(s.items().size() == 2);
    CHECK(s.items()[1].data<float>()[0] == 3.f);
    CHECK(read(read_onnx_sequence, "").items().empty());
    CHECK(read(read_onnx_sequence, bytes(5, bytes(3, a))).items()[0].items().size() == 1);
    CHECK(read(read_onnx_optional, bytes(3, a)).data<float>()[1] == 2.f);
    CHECK(read(read_onnx_optional, bytes(5, bytes(3, a))).items().size() == 1);
    CHECK(read(read_onnx_optional, number(2, 0)).type() == dtype::none);
    CHECK_THROWS_WITH_AS(read(read_onnx_sequence, bytes(6, "")), "value: maps and sparse tensors are not supported", unsupported_operator);
    CHECK_THROWS_WITH_AS(read(read_onnx_optional, bytes(3, a) + bytes(3, b)), "value: an optional value holds 2 elements", format_error);
}
