#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/onnx.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
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

std::string value_info(const std::string& name, const std::vector<int>& shape) {
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

const std::string x2 = bytes(11, value_info("x", {2}));
const std::string y2 = bytes(12, value_info("y", {2}));
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

TEST_CASE("an initializer among the inputs is a default that may be fed") {
    const graph g = parse(model(bytes(1, node_of("Add", {"x", "w"}, {"y"})) + bytes(5, float_tensor("w", {1, 2})) + x2 + bytes(11, value_info("w", {2})) + y2));
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
    CHECK(refusal<format_error>(with(number(1, 1) + number(2, 99) + bytes(8, "w"))) == "net.onnx: tensor 'w': element type 99 is not supported");
    CHECK(refusal<format_error>(with(number(1, 1) + number(2, 8) + bytes(8, "w") + bytes(6, "text"))) == "net.onnx: tensor 'w': element type string is not supported");
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
    CHECK_THROWS_WITH_AS(read_onnx("/nonexistent/net.onnx"), "/nonexistent/net.onnx: cannot open the file", io_error);
}
