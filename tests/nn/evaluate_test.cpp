#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/ops/op.hpp>

#include <doctest/doctest.h>

#include <stop_token>
#include <string>

using namespace ocelli;
using namespace ocelli::nn;

namespace {

// a + b -> c -> Relu -> y; b has a default of (10, 20)
graph sum() {
    graph g;
    g.name = "sum";
    g.opsets[""] = 13;
    const value_id a = g.add_value("a", {dtype::float32, symbolic_shape{2}, {}}), b = g.add_constant("b", tensor::from<float>({2}, {10.f, 20.f}));
    const value_id c = g.add_value("c"), y = g.add_value("y");
    g.add_node({.name = "add", .op = "Add", .inputs = {a, b}, .outputs = {c}});
    g.add_node({.name = "relu", .op = "Relu", .inputs = {c}, .outputs = {y}});
    g.inputs = {a, b};
    g.outputs = {y, c};
    return g;
}

template <class F>
std::string message(F&& f) {
    try {
        f();
    } catch (const error& e) {
        return e.what();
    }
    return "";
}

}  // namespace

TEST_CASE("outputs come by name and in the graph's order; a default that is fed is replaced") {
    const tensor a = tensor::from<float>({2}, {-15.f, 1.f});
    const named_tensors out = evaluate(sum(), {{"a", a}});
    REQUIRE(out.size() == 2);
    CHECK(out.begin()->first == "y");
    CHECK(out["y"].as<float, 1>()(0) == 0.f);
    CHECK(out["c"].as<float, 1>()(0) == -5.f);
    CHECK(out[1].data<float>()[1] == 21.f);
    CHECK(out.contains("c"));
    CHECK_FALSE(out.contains("a"));
    CHECK(evaluate(sum(), {{"b", a}, {"a", a}})["c"].as<float, 1>()(0) == -30.f);
}

TEST_CASE("what is missing or unknown is named") {
    const tensor a = tensor::from<float>({2}, {1.f, 1.f});
    CHECK(message([&] { evaluate(sum(), {}); }) == "input 'a' was not fed");
    CHECK(message([&] { evaluate(sum(), {{"a", a}, {"q", a}}); }) == "no input is named 'q'");
    CHECK(message([&] { evaluate(sum(), {{"a", a}})["q"]; }) == "no tensor named 'q' among 'y', 'c'");
    CHECK(message([&] { named_tensors()["q"]; }) == "no tensor named 'q' among none");
    CHECK(message([&] { evaluate(sum(), {{"a", tensor::from<float>({3}, {1.f, 2.f, 3.f})}}); }).find("node 'add' (Add, opset 13): ") == 0);
    graph g = sum();
    g.nodes.pop_back();
    CHECK(message([&] { evaluate(g, {{"a", a}}); }) == "graph 'sum': output 'y' has no value");
    graph unbound = sum();
    unbound.nodes[0].def = nullptr;
    CHECK(message([&] { evaluate(unbound, {{"a", a}}); }) == "node 'add' (Add, opset 13): this operator has no evaluation");
}

TEST_CASE("an input or constant may be an output, and an input that is fed is not written") {
    graph g = sum();
    g.outputs = {g.inputs[0], g.inputs[1]};
    const tensor a = tensor::from<float>({2}, {-15.f, 1.f});
    const auto out = evaluate(g, {{"a", a}});
    CHECK(out["a"].as<float, 1>()(0) == -15.f);
    CHECK(out["b"].as<float, 1>()(1) == 20.f);
    CHECK(a.data<float>()[0] == -15.f);
}

TEST_CASE("a guard ends evaluations of its thread after so many steps or by a token, and guards nest") {
    const tensor a = tensor::from<float>({2}, {1.f, 2.f});
    {
        const run_guard enough(3), none(0);
        CHECK_NOTHROW(evaluate(sum(), {{"a", a}}));
        CHECK(message([&] { evaluate(sum(), {{"a", a}}); }) == "the run takes more steps than the limit of 3");
    }
    CHECK_NOTHROW(evaluate(sum(), {{"a", a}}));
    std::stop_source source;
    const run_guard stoppable(0, source.get_token());
    CHECK_NOTHROW(evaluate(sum(), {{"a", a}}));
    source.request_stop();
    CHECK_THROWS_AS(evaluate(sum(), {{"a", a}}), stopped);
}
