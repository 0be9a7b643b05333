#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/ops/fused.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/passes/lower.hpp>
#include <ocelli/nn/passes/pipeline.hpp>

#include <doctest/doctest.h>

using namespace ocelli;
using namespace ocelli::nn;

namespace {

// Conv, then the node given on its result; lowered.
graph lowered(node after, const std::vector<tensor>& constants = {}, bool conv_is_output = false) {
    graph g;
    g.opsets[""] = after.op == "Gelu" ? 20 : 13;
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{1, 2, 4, 4}, {}}), c = g.add_value("c"), y = g.add_value("y");
    g.add_node({.name = "conv", .op = "Conv", .inputs = {x, g.add_constant("w", tensor::zeros(dtype::float32, {3, 2, 3, 3}))}, .outputs = {c}});
    after.name = "after";
    after.inputs = {c};
    after.outputs = {y};
    for (const tensor& t : constants) after.inputs.push_back(g.add_constant("", t));
    g.add_node(after);
    g.inputs = {x};
    g.outputs = {y};
    if (conv_is_output) g.outputs.push_back(c);
    infer_facts(g);
    run_passes(g, lower_passes);
    return g;
}

// c * gate(c), of a convolution's result c.
graph lowered_product(const char* gate, std::vector<attribute> attributes) {
    graph g;
    g.opsets[""] = 13;
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{1, 2, 4, 4}, {}}), c = g.add_value("c"), s = g.add_value("s"), y = g.add_value("y");
    g.add_node({.name = "conv", .op = "Conv", .inputs = {x, g.add_constant("w", tensor::zeros(dtype::float32, {3, 2, 3, 3}))}, .outputs = {c}});
    g.add_node({.name = "gate", .op = gate, .attributes = std::move(attributes), .inputs = {c}, .outputs = {s}});
    g.add_node({.name = "mul", .op = "Mul", .inputs = {c, s}, .outputs = {y}});
    g.inputs = {x};
    g.outputs = {y};
    infer_facts(g);
    run_passes(g, lower_passes);
    return g;
}

}  // namespace

TEST_CASE("activations fuse into the convolution before them") {
    CHECK(attr_string(lowered({.op = "Relu"}).nodes.at(0), "activation") == "relu");
    CHECK(attr_string(lowered({.op = "Sigmoid"}).nodes.at(0), "activation") == "sigmoid");
    CHECK(attr_string(lowered({.op = "Gelu"}).nodes.at(0), "activation") == "gelu");
    CHECK(lowered({.op = "Gelu", .attributes = {{"approximate", std::string("tanh")}}}).nodes.size() == 2);
    const graph clip = lowered({.op = "Clip"}, {tensor::scalar(0.f), tensor::scalar(6.f)});
    REQUIRE(clip.nodes.size() == 1);
    CHECK(attr_float(clip.nodes[0], "beta") == 6.f);
    const graph leaky = lowered({.op = "LeakyRelu", .attributes = {{"alpha", 0.1f}}});
    CHECK(attr_float(leaky.nodes.at(0), "alpha") == 0.1f);
    const graph silu = lowered_product("Sigmoid", {}), hard = lowered_product("HardSigmoid", {{"alpha", 1.0f / 6}, {"beta", 0.5f}});
    CHECK(attr_string(silu.nodes.at(0), "activation") == "silu");
    CHECK(attr_string(hard.nodes.at(0), "activation") == "hard_swish");
    CHECK(lowered_product("HardSigmoid", {}).nodes.size() == 3);  // another slope
    const graph prelu = lowered({.op = "PRelu"}, {tensor::from<float>({3, 1, 1}, {1.f, 2.f, 3.f})});
    REQUIRE(prelu.nodes.size() == 1);
    CHECK(prelu.nodes[0].inputs.size() == 5);
}

TEST_CASE("what does not fit stays: slopes along the width, an output in between") {
    CHECK(lowered({.op = "PRelu"}, {tensor::from<float>({2}, {1.f, 2.f})}).nodes.size() == 2);
    CHECK(lowered({.op = "Relu"}, {}, true).nodes.size() == 2);
}

TEST_CASE("a convolution that stays in planes is given its kernel") {
    graph g = lowered({.op = "Relu"});
    run_passes(g, std::span<const pass>(kernel_passes).last(1));
    CHECK(attr_string(g.nodes.at(0), "kernel") == "conv_gemm");
}

TEST_CASE("products with weights take their bias, addend and activation along") {
    const auto product = [](node first, const std::vector<tensor>& constants, bool bias, bool relu) {
        graph g;
        g.opsets[""] = 13;
        const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{5, 2}, {}});
        value_id v = g.add_value("product");
        first.inputs = {x};
        for (const tensor& t : constants) first.inputs.push_back(g.add_constant("", t));
        first.outputs = {v};
        g.add_node(first);
        const auto then = [&](const char* op, std::vector<value_id> inputs) {
            v = g.add_value(op);
            g.add_node({.name = op, .op = op, .inputs = std::move(inputs), .outputs = {v}});
        };
        if (bias) then("Add", {g.add_constant("", tensor::from<float>({3}, {1.f, 2.f, 3.f})), v});
        if (relu) then("Relu", {v});
        g.inputs = {x};
        g.outputs = {v};
        infer_facts(g);
        const tensor feed = tensor::from<float>({5, 2}, {1.f, 2.f, -3.f, 4.f, 5.f, -6.f, 7.f, 8.f, 9.f, 10.f});
        const tensor expected = evaluate(g, {{"x", feed}})[0];
        run_passes(g, lower_passes);
        const tensor got = evaluate(g, {{"x", feed}})[0];
        REQUIRE(got.shape() == expected.shape());
        for (std::int64_t i = 0; i < got.size(); ++i) CHECK(got.data<float>()[i] == doctest::Approx(expected.data<float>()[i]));
        return g;
    };
    const tensor w = tensor::from<float>({2, 3}, {1.f, 2.f, 3.f, -4.f, 5.f, -6.f}), t = tensor::from<float>({3, 2}, {1.f, 2.f, 3.f, -4.f, 5.f, -6.f});
    const tensor c = tensor::from<float>({1, 3}, {4.f, 5.f, 6.f});
    const graph g = product({.name = "p", .op = "MatMul"}, {w}, true, true);
    REQUIRE(g.nodes.size() == 1);
    CHECK(g.nodes[0].domain == "ocelli");
    CHECK(g.nodes[0].inputs.size() == 3);
    CHECK(product({.name = "p", .op = "Gemm", .attributes = {{"transB", std::int64_t{1}}}}, {t, c}, false, true).nodes.size() == 1);
    CHECK(product({.name = "p", .op = "Gemm"}, {w}, true, false).nodes.size() == 1);
    // What the kernel does not do stays as it is.
    CHECK(product({.name = "p", .op = "Gemm", .attributes = {{"alpha", 0.5f}}}, {w, c}, false, true).nodes.size() == 2);
    CHECK(product({.name = "p", .op = "Gemm"}, {w, tensor::from<float>({5, 1}, {1.f, 2.f, 3.f, 4.f, 5.f})}, false, false).nodes[0].op == "Gemm");
}

TEST_CASE("a product takes its result's shape, and one Reshape stands before it") {
    // x (1, 3, 4), turned and reshaped to (3, 4), times w, reshaped and turned back, added to x: PyTorch's attention ends so.
    const auto build = [](std::int64_t batch, bool between_is_output) {
        graph g;
        g.opsets[""] = 13;
        const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{batch, 3, 4}, {}});
        const auto then = [&](const char* op, std::vector<value_id> inputs, std::vector<attribute> attributes = {}) {
            const value_id out = g.add_value(op);
            g.add_node({.name = op, .op = op, .attributes = std::move(attributes), .inputs = std::move(inputs), .outputs = {out}});
            return out;
        };
        const auto shape = [&](dims s) { return g.add_constant("shape", tensor::ints(s)); };
        tensor w(dtype::float32, {4, 4});
        for (int i = 0; i < 16; ++i) w.mutable_data<float>()[i] = static_cast<float>(i % 5) - 2.0f;
        const value_id turned = then("Transpose", {x}, {{"perm", dims{1, 0, 2}}});
        const value_id product = then("MatMul", {then("Reshape", {turned, shape({3 * batch, 4})}), g.add_constant("w", w)});
        const value_id back = then("Transpose", {then("Reshape", {product, shape({3, batch, 4})})}, {{"perm", dims{1, 0, 2}}});
        g.inputs = {x};
        g.outputs = {then("Add", {x, back})};
        if (between_is_output) g.outputs.push_back(product);
        infer_facts(g);
        tensor values(dtype::float32, {batch, 3, 4});
        for (std::int64_t i = 0; i < values.size(); ++i) values.mutable_data<float>()[i] = static_cast<float>(i * 7 % 11);
        const named_tensors expected = evaluate(g, {{"x", values}});
        run_passes(g, lower_passes);
        const named_tensors got = evaluate(g, {{"x", values}});
        for (std::size_t o = 0; o < expected.size(); ++o) {
            REQUIRE(got[o].shape() == expected[o].shape());
            CHECK(std::equal(expected[o].data<float>(), expected[o].data<float>() + expected[o].size(), got[o].data<float>()));
        }
        return g.nodes.size();
    };
    CHECK(build(1, false) == 1);  // the product, with its addend
    CHECK(build(1, true) == 5);   // the result in between has a shape of its own: only what stands before becomes one Reshape
    CHECK(build(2, false) == 4);  // axes that move stay
}

TEST_CASE("one index for all, expanded, scatters a row") {
    graph g;
    g.opsets[""] = 16;
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{5, 2, 3}, {}}), updates = g.add_value("updates", {dtype::float32, symbolic_shape{1, 2, 3}, {}});
    const value_id at = g.add_value("at", {dtype::int64, symbolic_shape::of_rank(0), {}}), shape = g.add_value("shape", {dtype::int64, symbolic_shape{3}, {}});
    const value_id index = g.add_value("index"), y = g.add_value("y");
    g.add_node({.name = "expand", .op = "Expand", .inputs = {at, shape}, .outputs = {index}});
    g.add_node({.name = "scatter", .op = "ScatterElements", .inputs = {x, index, updates}, .outputs = {y}});
    g.inputs = {x, updates, at, shape};
    g.outputs = {y};
    infer_facts(g);
    graph low = g;
    run_passes(low, lower_passes);
    REQUIRE(low.nodes.size() == 1);
    CHECK(low.nodes[0].op == "ScatterRows");
    const named_tensors feeds{{"x", tensor::zeros(dtype::float32, {5, 2, 3})}, {"updates", tensor::from<float>({1, 2, 3}, {1, 2, 3, 4, 5, 6})}, {"at", tensor::scalar(std::int64_t{3})},
                              {"shape", tensor::ints(std::vector<std::int64_t>{1, 2, 3})}};
    const tensor before = evaluate(g, feeds)["y"], after = evaluate(low, feeds)["y"];
    CHECK(std::equal(before.data<float>(), before.data<float>() + 30, after.data<float>()));
    CHECK(after.data<float>()[18] == 1.0f);
}

TEST_CASE("one index per row, expanded, scatters whole rows, and what does not fit is still refused") {
    graph g;
    g.opsets[""] = 16;
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{5, 2, 3}, {}}), rows = g.add_value("rows", {dtype::int64, symbolic_shape{dim("n"), 1, 1}, {}});
    const value_id updates = g.add_value("updates", {dtype::float32, symbolic_shape::of_rank(3), {}}), shape = g.add_value("shape", {dtype::int64, symbolic_shape{3}, {}});
    const value_id index = g.add_value("index"), y = g.add_value("y");
    g.add_node({.name = "expand", .op = "Expand", .inputs = {rows, shape}, .outputs = {index}});
    g.add_node({.name = "scatter", .op = "ScatterElements", .inputs = {x, index, updates}, .outputs = {y}});
    g.inputs = {x, rows, updates, shape};
    g.outputs = {y};
    infer_facts(g);
    graph low = g;
    run_passes(low, lower_passes);
    REQUIRE(low.nodes.size() == 1);
    CHECK(low.nodes[0].op == "ScatterRows");
    tensor data(dtype::float32, {5, 2, 3});
    for (std::int64_t i = 0; i < data.size(); ++i) data.mutable_data<float>()[i] = static_cast<float>(i);
    const auto both = [&](dims updated, std::initializer_list<std::int64_t> indices, dims expanded) {
        tensor values(dtype::float32, std::move(updated));
        for (std::int64_t i = 0; i < values.size(); ++i) values.mutable_data<float>()[i] = static_cast<float>(-i - 1);
        const auto n = static_cast<std::int64_t>(indices.size());
        const named_tensors feeds = {{"x", data}, {"rows", tensor::from<std::int64_t>({n, 1, 1}, indices)}, {"updates", values}, {"shape", tensor::ints(expanded)}};
        const tensor expected = evaluate(g, feeds)[0], got = evaluate(low, feeds)[0];
        CHECK(std::equal(expected.data<float>(), expected.data<float>() + 30, got.data<float>()));
    };
    both({3, 2, 3}, {4, -5, 1}, {3, 2, 3});
    both({2, 2, 3}, {1, 1}, {2, 2, 3});  // the last wins
    both({2, 1, 3}, {1, 0}, {2, 1, 3});  // parts of rows
    both({4, 2, 3}, {3}, {4, 2, 3});
    both({0, 2, 3}, {}, {0, 2, 3});
    CHECK_THROWS_AS(both({3, 2, 3}, {4, 5, 1}, {3, 2, 3}), invalid_argument);
    CHECK_THROWS_AS(both({2, 2, 3}, {4, 3, 1}, {3, 2, 3}), invalid_argument);
    CHECK_THROWS_AS(both({3, 2, 4}, {4, 3, 1}, {3, 2, 4}), invalid_argument);
}

TEST_CASE("scatters of rows one into the other, and into zeros, become one") {
    graph g;
    g.opsets[""] = 16;
    const auto input = [&](const char* name, dtype type, symbolic_shape shape) {
        g.inputs.push_back(g.add_value(name, {type, std::move(shape), {}}));
        return g.inputs.back();
    };
    value_id y = g.add_value("data");
    g.add_node({.name = "zeros", .op = "ConstantOfShape", .inputs = {input("extents", dtype::int64, symbolic_shape{2})}, .outputs = {y}});
    named_tensors feeds = {{"extents", tensor::ints(std::vector<std::int64_t>{6, 3})}};
    for (const char* level : {"a", "b", "c"}) {
        const std::string name = level;
        const value_id rows = input((name + "_rows").c_str(), dtype::int64, symbolic_shape{dim("n"), 1}), shape = input((name + "_shape").c_str(), dtype::int64, symbolic_shape{2});
        const value_id updates = input((name + "_updates").c_str(), dtype::float32, symbolic_shape::of_rank(2)), index = g.add_value("");
        g.add_node({.name = name + "_expand", .op = "Expand", .inputs = {rows, shape}, .outputs = {index}});
        const value_id next = g.add_value(name + "_y");
        g.add_node({.name = name + "_scatter", .op = "ScatterElements", .inputs = {y, index, updates}, .outputs = {next}});
        y = next;
        const std::int64_t first = static_cast<std::int64_t>(level[0] - 'a');
        feeds.add(name + "_rows", tensor::from<std::int64_t>({2, 1}, {first, first + 2}));
        feeds.add(name + "_shape", tensor::ints(std::vector<std::int64_t>{2, 3}));
        const float v = static_cast<float>(first + 1);
        feeds.add(name + "_updates", tensor::from<float>({2, 3}, {v, v, v, -v, -v, -v}));
    }
    g.outputs = {y};
    infer_facts(g);
    const tensor expected = evaluate(g, feeds)[0];
    graph low = g;
    run_passes(low, lower_passes);
    REQUIRE(low.nodes.size() == 1);
    CHECK(low.nodes[0].inputs.size() == 10);
    const tensor got = evaluate(low, feeds)[0];
    REQUIRE(got.shape() == expected.shape());
    CHECK(std::equal(expected.data<float>(), expected.data<float>() + 18, got.data<float>()));
    // What somebody else reads stays.
    g.outputs.push_back(g.find("a_y"));
    run_passes(g, lower_passes);
    REQUIRE(g.nodes.size() == 2);
    CHECK(g.nodes[1].inputs.size() == 7);
}
