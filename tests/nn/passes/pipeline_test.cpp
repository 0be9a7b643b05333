#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/passes/pipeline.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <set>
#include <string>

using namespace ocelli;
using namespace ocelli::nn;

TEST_CASE("the lists name each pass once") {
    std::set<std::string> names;
    for (const pass& p : simplify_passes) names.insert(std::string(p.name));
    for (const pass& p : lower_passes) names.insert(std::string(p.name));
    for (const pass& p : kernel_passes) names.insert(std::string(p.name));
    for (const pass& p : together_passes) names.insert(std::string(p.name));
    CHECK(names.size() == simplify_passes.size() + lower_passes.size() + kernel_passes.size() + together_passes.size());
}

TEST_CASE("both lists together keep what a graph computes: Conv, batch norm, Relu, residual") {
    graph g;
    g.opsets[""] = 13;
    const auto filled = [](dims shape, float from, float step) {
        tensor t(dtype::float32, std::move(shape));
        for (std::int64_t i = 0; i < t.size(); ++i) t.mutable_data<float>()[i] = from + step * static_cast<float>(i % 7);
        return t;
    };
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{dim("n"), 4, 6, 6}, {}});
    const value_id w = g.add_constant("w", filled({4, 4, 3, 3}, -0.3f, 0.1f));
    const value_id scale = g.add_constant("scale", filled({4}, 0.5f, 0.25f)), shift = g.add_constant("shift", filled({4}, -1.f, 0.3f));
    const value_id mean = g.add_constant("mean", filled({4}, 0.1f, 0.2f)), variance = g.add_constant("variance", filled({4}, 0.4f, 0.3f));
    const value_id c = g.add_value("c"), n = g.add_value("n"), s = g.add_value("s"), y = g.add_value("y");
    g.add_node({.name = "conv", .op = "Conv", .attributes = {{"pads", dims{1, 1, 1, 1}}}, .inputs = {x, w}, .outputs = {c}});
    g.add_node({.name = "norm", .op = "BatchNormalization", .inputs = {c, scale, shift, mean, variance}, .outputs = {n}});
    g.add_node({.name = "add", .op = "Add", .inputs = {x, n}, .outputs = {s}});
    g.add_node({.name = "relu", .op = "Relu", .inputs = {s}, .outputs = {y}});
    g.inputs = {x};
    g.outputs = {y};
    infer_facts(g);
    const tensor feed = filled({2, 4, 6, 6}, -2.f, 0.7f);
    const tensor expected = evaluate(g, {{"x", feed}})["y"];
    run_passes(g, simplify_passes);
    CHECK(g.nodes.size() == 3);
    run_passes(g, lower_passes);
    CHECK(g.nodes.size() == 1);
    CHECK(g.at(g.outputs[0]).name == "y");
    const tensor got = evaluate(g, {{"x", feed}})["y"];
    for (std::int64_t i = 0; i < got.size(); ++i) CHECK(std::abs(got.data<float>()[i] - expected.data<float>()[i]) < 1e-5f);
}
