#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/graph.hpp>

#include <doctest/doctest.h>

using namespace ocelli;
using namespace ocelli::nn;

namespace {

// x -> Relu -> Add(x) -> y
graph small() {
    graph g;
    g.name = "small";
    g.source = std::make_shared<const std::string>("small.onnx");
    g.opsets[""] = 13;
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{dim("n"), 2}, {}});
    const value_id r = g.add_value("r");
    const value_id y = g.add_value("y");
    g.add_node({.name = "relu", .op = "Relu", .inputs = {x}, .outputs = {r}});
    g.add_node({.name = "add", .op = "Add", .inputs = {x, r}, .outputs = {y}});
    g.inputs = {x};
    g.outputs = {y};
    return g;
}

template <class E, class F>
std::string message(F&& f) {
    try {
        f();
    } catch (const E& e) {
        return e.what();
    }
    return "";
}

}  // namespace

TEST_CASE("a graph computes what its nodes say") {
    const graph g = small();
    g.verify();
    const auto out = evaluate(g, {{"x", tensor::from<float>({2, 2}, {-1.f, 2.f, 3.f, -4.f})}});
    const auto y = out["y"].as<float, 2>();
    CHECK(y(0, 0) == -1.f);
    CHECK(y(0, 1) == 4.f);
    CHECK(y(1, 1) == -4.f);
}

TEST_CASE("a graph prints its values and nodes as text and DOT") {
    const graph g = small();
    CHECK(text(g).find("= Add(x, r)") != std::string::npos);
    CHECK(text(g).find("input x: float32 (n, 2)") != std::string::npos);
    CHECK(dot(g).find("n0 -> n1") != std::string::npos);
}

TEST_CASE("an unknown operator or attribute is refused by name, operator and opset") {
    graph g = small();
    CHECK(message<unsupported_operator>([&] { g.add_node({.name = "q", .op = "Quux", .inputs = {0}}); }) ==
          "small.onnx: node 'q' (Quux, opset 13): this operator is not supported");
    CHECK(message<unsupported_operator>([&] { g.add_node({.name = "q", .op = "Relu", .attributes = {{"beta", 1.f}}, .inputs = {0}}); }) ==
          "small.onnx: node 'q' (Relu, opset 13): attribute 'beta' is not supported");
    // Parts of the operator's list are no names.
    for (const char* name : {"", "roup", "grou", "group:int", "group:int kernel_shape", "ints", ":"})
        CHECK_THROWS_AS(g.add_node({.name = "q", .op = "Conv", .attributes = {{name, std::int64_t{1}}}, .inputs = {0, 0}}), unsupported_operator);
    CHECK(message<format_error>([&] {
              g.add_node({.name = "c", .op = "Conv", .attributes = {{"group", 1.f}}, .inputs = {0, 0}});
          }) == "small.onnx: node 'c' (Conv, opset 13): attribute 'group' must be of kind int, is float");
}

TEST_CASE("a missing or mistyped attribute names node, operator and attribute") {
    const node n{.name = "a", .op = "Gather", .opset = 11, .attributes = {{"axis", std::string("x")}}};
    CHECK(message<invalid_argument>([&] { attr_int(n, "to"); }) == "node 'a' (Gather, opset 11): attribute 'to' is missing");
    CHECK(message<invalid_argument>([&] { attr_int(n, "axis", 0); }) ==
          "node 'a' (Gather, opset 11): attribute 'axis' has the wrong kind (string)");
}

TEST_CASE("sort puts nodes behind their producers and refuses a cycle") {
    graph g = small();
    std::swap(g.nodes[0], g.nodes[1]);
    for (std::size_t i = 0; i < 2; ++i) g.at(g.nodes[i].outputs[0]).producer = static_cast<node_id>(i);
    CHECK_THROWS_AS(g.verify(), format_error);
    g.sort();
    g.verify();
    CHECK(g.nodes[0].op == "Relu");
    g.nodes[0].inputs[0] = g.outputs[0];
    CHECK_THROWS_AS(g.sort(), format_error);
}

TEST_CASE("compact removes what nobody uses") {
    graph g = small();
    const value_id dead = g.add_value("dead");
    g.add_node({.op = "Relu", .inputs = {0}, .outputs = {dead}});
    CHECK(g.compact());
    CHECK(g.nodes.size() == 2);
    CHECK(g.find("dead") == no_value);
    g.verify();
    CHECK_FALSE(g.compact());
}

TEST_CASE("evaluate names missing and unknown feeds") {
    const graph g = small();
    CHECK(message<invalid_argument>([&] { evaluate(g, {}); }) == "input 'x' was not fed");
    CHECK(message<invalid_argument>([&] { evaluate(g, {{"z", tensor::scalar(1.f)}}); }) == "no input is named 'z'");
}

TEST_CASE("verify names what is wrong with a graph") {
    const auto broken = [](auto&& change) {
        graph g = small();
        change(g);
        return message<format_error>([&] { g.verify(); });
    };
    CHECK(broken([](graph&) {}) == "");
    CHECK(broken([](graph& g) { g.nodes[1].inputs[0] = 99; }) == "small.onnx: node 'add' (Add, opset 13): input refers to no value");
    CHECK(broken([](graph& g) { g.nodes[1].outputs[0] = 99; }) == "small.onnx: node 'add' (Add, opset 13): output refers to no value");
    CHECK(broken([](graph& g) { g.nodes[1].outputs[0] = g.nodes[0].outputs[0]; }) == "small.onnx: node 'add' (Add, opset 13): value 'r' is computed twice");
    CHECK(broken([](graph& g) { g.nodes[1].inputs.pop_back(); }) == "small.onnx: node 'add' (Add, opset 13): takes 2 inputs, has 1");
    CHECK(broken([](graph& g) { g.inputs[0] = 99; }).find("an input refers to no value") != std::string::npos);
    CHECK(broken([](graph& g) { g.inputs[0] = g.outputs[0]; }).find("input 'y' is computed by a node") != std::string::npos);
    CHECK(broken([](graph& g) { g.at(g.inputs[0]).producer = 1; }) != "");
    CHECK(broken([](graph& g) { g.inputs.clear(); }) == "small.onnx: node 'relu' (Relu, opset 13): input 'x' is neither input, constant nor computed");
    CHECK(broken([](graph& g) { g.outputs[0] = 99; }).find("an output refers to no value") != std::string::npos);
    CHECK(broken([](graph& g) { g.outputs[0] = g.add_value("free"); }).find("output 'free' is neither input, constant nor computed") != std::string::npos);
}

TEST_CASE("a value has one producer, and attributes read back as they were set") {
    graph g = small();
    CHECK(message<format_error>([&] { g.add_node({.name = "again", .op = "Neg", .inputs = {0}, .outputs = {g.outputs[0]}}); }) ==
          "small.onnx: node 'again' (Neg, opset 13): value 'y' already has a producer");
    node n{.name = "n", .op = "Conv", .opset = 13};
    set_attribute(n, "group", std::int64_t{2});
    set_attribute(n, "group", std::int64_t{3});
    set_attribute(n, "auto_pad", std::string("VALID"));
    set_attribute(n, "pads", std::vector<std::int64_t>{1, 2});
    CHECK(n.attributes.size() == 3);
    CHECK(attr_int(n, "group") == 3);
    CHECK(attr_int(n, "other", 7) == 7);
    CHECK(attr_string(n, "auto_pad", "") == "VALID");
    CHECK(attr_ints(n, "pads") == std::vector<std::int64_t>{1, 2});
    CHECK(attr_floats(n, "scales", {1.f}) == std::vector<float>{1.f});
    CHECK(has_attribute(n, "pads"));
    CHECK_FALSE(has_attribute(n, "kernel"));
    CHECK(kind(*find_attribute(n, "pads")) == "ints");
    CHECK(message<invalid_argument>([&] { attr_graph(n, "body"); }) == "node 'n' (Conv, opset 13): attribute 'body' is missing");
    CHECK(message<invalid_argument>([&] { attr_tensor(n, "group"); }) == "node 'n' (Conv, opset 13): attribute 'group' has the wrong kind (int)");
}
