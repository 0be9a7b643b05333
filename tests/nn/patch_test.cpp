#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/patch.hpp>

#include <doctest/doctest.h>

using namespace ocelli;
using namespace ocelli::nn;

namespace {

// x -> Relu -> a -> Relu -> y
graph chain() {
    graph g;
    g.opsets[""] = 13;
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{2}, {}}), a = g.add_value("a"), y = g.add_value("y");
    g.add_node({.name = "first", .op = "Relu", .inputs = {x}, .outputs = {a}});
    g.add_node({.name = "second", .op = "Relu", .inputs = {a}, .outputs = {y}});
    g.inputs = {x};
    g.outputs = {y};
    return g;
}

}  // namespace

TEST_CASE("a patch replaces a value, and what nobody uses any more is gone") {
    graph g = chain();
    patch p{.reason = "relu of relu"};
    p.replace.push_back({g.find("y"), g.find("a")});
    apply(g, {p});
    CHECK(g.nodes.size() == 1);
    CHECK(g.at(g.outputs[0]).name == "y");
    CHECK(evaluate(g, {{"x", tensor::from<float>({2}, {-1.f, 1.f})}})["y"].as<float, 1>()(0) == 0.f);
}

TEST_CASE("a patch that makes an output of an input keeps both names") {
    graph g = chain();
    patch p{.reason = "for the test"};
    p.replace.push_back({g.find("y"), g.find("x")});
    apply(g, {p});
    CHECK(g.at(g.inputs[0]).name == "x");
    CHECK(g.at(g.outputs[0]).name == "y");
    CHECK(g.nodes[0].op == "Identity");
}

TEST_CASE("several patches of one sweep apply together, and a bad one is refused") {
    graph g = chain();
    std::vector<patch> both;
    for (const char* name : {"a", "y"}) {
        patch p{.reason = "twice"};
        node n = g.node_at(g.at(g.find(name)).producer);
        n.outputs = {p.add_value(g, std::string(name) + "2", {})};
        p.replace.push_back({g.find(name), n.outputs[0]});
        p.nodes.push_back(n);
        both.push_back(p);
    }
    apply(g, both);
    CHECK(g.nodes.size() == 2);
    CHECK(evaluate(g, {{"x", tensor::from<float>({2}, {-1.f, 1.f})}})["y"].as<float, 1>()(1) == 1.f);
    patch bad{.reason = "an input from nowhere"};
    const value_id ghost = bad.add_value(g, "ghost", {});
    bad.replace.push_back({g.find("x"), ghost});
    CHECK_THROWS_AS(apply(g, {bad}), format_error);
}

TEST_CASE("what follows from a patch's facts is derived again, up to where nothing changes") {
    // x -> Relu -> a -> Shape -> s -> Cast -> f; x -> Relu -> a -> Neg -> y
    graph g;
    g.opsets[""] = 13;
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{dim("n"), 3}, {}}), a = g.add_value("a"), s = g.add_value("s"), f = g.add_value("f"), y = g.add_value("y");
    g.add_node({.name = "first", .op = "Relu", .inputs = {x}, .outputs = {a}});
    g.add_node({.name = "second", .op = "Shape", .inputs = {a}, .outputs = {s}});
    g.add_node({.name = "third", .op = "Cast", .attributes = {{"to", static_cast<std::int64_t>(dtype::float32)}}, .inputs = {s}, .outputs = {f}});
    g.add_node({.name = "fourth", .op = "Neg", .inputs = {a}, .outputs = {y}});
    g.inputs = {x};
    g.outputs = {f, y};
    infer_facts(g);
    CHECK(text(g.at(g.find("y")).what.shape) == "(n, 3)");
    CHECK_FALSE(g.at(g.find("f")).what.constant.defined());

    // A node that says no more than the one before it: nothing is new to its users.
    patch same{.reason = "for the test"};
    node again = g.nodes[0];
    again.outputs = {same.add_value(g, "a", g.at(a).what)};
    same.replace.push_back({a, again.outputs[0]});
    same.nodes.push_back(again);
    g.at(y).what.shape = symbolic_shape{dim("kept"), 3};
    apply(g, {same});
    CHECK(text(g.at(g.find("y")).what.shape) == "(kept, 3)");

    // One that does: everything behind it.
    patch other{.reason = "for the test"};
    const value_id elements = other.add_constant(g, "elements", tensor::zeros(dtype::float32, {2, 3}));
    node fixed = g.nodes[0];
    fixed.inputs = {elements};
    fixed.outputs = {other.add_value(g, "a", {dtype::float32, {}, {}})};
    other.replace.push_back({g.find("a"), fixed.outputs[0]});
    other.nodes.push_back(fixed);
    apply(g, {other});
    CHECK(text(g.at(g.find("y")).what.shape) == "(2, 3)");
    REQUIRE(g.at(g.find("f")).what.constant.defined());
    CHECK(g.at(g.find("f")).what.constant.data<float>()[0] == 2.f);
}
