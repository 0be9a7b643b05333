#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/passes/simplify.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace ocelli;
using namespace ocelli::nn;

namespace {

graph empty_graph() {
    graph g;
    g.opsets[""] = 13;
    return g;
}

void fold(graph& g) {
    infer_facts(g);
    const pass passes[] = {{"constant_folding", &passes::constant_folding}};
    run_passes(g, passes);
}

}  // namespace

TEST_CASE("batch norm folds into the convolution before it, bias or not") {
    for (const bool bias : {false, true}) {
        graph g = empty_graph();
        const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{1, 2, 4, 4}, {}});
        const value_id c = g.add_value("c"), y = g.add_value("y");
        std::vector<value_id> conv_in{x, g.add_constant("w", tensor::from<float>({2, 2, 1, 1}, {1.f, 2.f, -3.f, 0.5f}))};
        if (bias) conv_in.push_back(g.add_constant("b", tensor::from<float>({2}, {0.25f, -1.f})));
        g.add_node({.name = "conv", .op = "Conv", .inputs = conv_in, .outputs = {c}});
        g.add_node({.name = "bn", .op = "BatchNormalization", .inputs = {c, g.add_constant("s", tensor::from<float>({2}, {2.f, -1.f})),
                    g.add_constant("t", tensor::from<float>({2}, {0.5f, 3.f})), g.add_constant("m", tensor::from<float>({2}, {1.f, -2.f})),
                    g.add_constant("v", tensor::from<float>({2}, {4.f, 0.25f}))}, .outputs = {y}});
        g.inputs = {x};
        g.outputs = {y};
        infer_facts(g);
        tensor image(dtype::float32, {1, 2, 4, 4});
        for (int i = 0; i < 32; ++i) image.mutable_data<float>()[i] = static_cast<float>(i % 7) - 3.f;
        const tensor before = evaluate(g, {{"x", image}})["y"];
        const pass passes[] = {{"batch_norm_folding", &passes::batch_norm_folding}};
        const auto done = run_passes(g, passes);
        REQUIRE(done.size() == 1);
        CHECK(done[0].reason == "BatchNormalization 'bn' folded into Conv 'conv'");
        CHECK(g.nodes.size() == 1);
        const tensor after = evaluate(g, {{"x", image}})["y"];
        for (int i = 0; i < 32; ++i) CHECK(std::abs(after.data<float>()[i] - before.data<float>()[i]) < 1e-5f);
    }
}

TEST_CASE("a factor and a shift of each channel, as frozen batch norms are written, fold into the convolution before them") {
    const auto left = [](const char* op, dims shape, bool number_first, bool transposed) {
        graph g = empty_graph();
        const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{1, 2, 4, 4}, {}});
        const value_id c = g.add_value("c"), z = g.add_value("z"), y = g.add_value("y");
        g.add_node({.name = "conv", .op = transposed ? "ConvTranspose" : "Conv", .inputs = {x, g.add_constant("w", tensor::from<float>({2, 2, 1, 1}, {1.f, 2.f, -3.f, 0.5f}))}, .outputs = {c}});
        tensor numbers(dtype::float32, std::move(shape));
        for (std::int64_t i = 0; i < numbers.size(); ++i) numbers.mutable_data<float>()[i] = 0.75f + static_cast<float>(i);
        const value_id n = g.add_constant("n", numbers);
        g.add_node({.name = "it", .op = op, .inputs = number_first ? std::vector<value_id>{n, c} : std::vector<value_id>{c, n}, .outputs = {z}});
        g.add_node({.name = "shift", .op = "Add", .inputs = {g.add_constant("b", tensor::from<float>({2, 1, 1}, {0.5f, 3.f})), z}, .outputs = {y}});
        g.inputs = {x};
        g.outputs = {y};
        infer_facts(g);
        tensor image(dtype::float32, {1, 2, 4, 4});
        for (int i = 0; i < 32; ++i) image.mutable_data<float>()[i] = static_cast<float>(i % 7) - 3.f;
        const tensor before = evaluate(g, {{"x", image}})["y"];
        const pass passes[] = {{"batch_norm_folding", &passes::batch_norm_folding}};
        run_passes(g, passes);
        const tensor after = evaluate(g, {{"x", image}})["y"];
        REQUIRE(after.shape() == before.shape());
        for (std::int64_t i = 0; i < before.size(); ++i)
            if (const float was = before.data<float>()[i]; std::isfinite(was)) CHECK(std::abs(after.data<float>()[i] - was) < 1e-5f);  // not what is divided by 0
        return g.nodes.size();
    };
    for (const char* op : {"Mul", "Div", "Add", "Sub"})
        for (const bool transposed : {false, true}) {
            CAPTURE(std::string(op));
            CHECK(left(op, {1, 2, 1, 1}, false, transposed) == 1);
            CHECK(left(op, {2, 1, 1}, false, transposed) == 1);
            const bool either = std::string(op) == "Mul" || std::string(op) == "Add";
            CHECK(left(op, {2, 1, 1}, true, transposed) == (either ? 1u : 3u));
            CHECK(left(op, {1, 1, 1, 4}, false, transposed) == 3);
            CHECK(left(op, {2, 4, 4}, false, transposed) == 3);
            CHECK(left(op, {1}, false, transposed) == 3);          // other passes know what to do with one number
            CHECK(left(op, {3, 1, 2, 1, 1}, false, transposed) == 3);  // another rank
        }
}

TEST_CASE("batch norm folds into a transposed convolution, group by group") {
    graph g;
    g.opsets[""] = 13;
    const auto filled = [](dims shape, float from, float step) {
        tensor t(dtype::float32, std::move(shape));
        for (std::int64_t i = 0; i < t.size(); ++i) t.mutable_data<float>()[i] = from + step * static_cast<float>(i % 7);
        return t;
    };
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{1, 4, 3, 3}, {}}), c = g.add_value("c"), y = g.add_value("y");
    g.add_node({.name = "conv", .op = "ConvTranspose", .attributes = {{"group", std::int64_t{2}}, {"strides", dims{2, 2}}},
                .inputs = {x, g.add_constant("w", filled({4, 3, 2, 2}, -0.5f, 0.2f)), g.add_constant("b", filled({6}, 0.1f, 0.3f))}, .outputs = {c}});
    g.add_node({.name = "bn", .op = "BatchNormalization",
                .inputs = {c, g.add_constant("s", filled({6}, 0.5f, 0.25f)), g.add_constant("t", filled({6}, -1.f, 0.3f)), g.add_constant("m", filled({6}, 0.1f, 0.2f)),
                           g.add_constant("v", filled({6}, 0.4f, 0.3f))},
                .outputs = {y}});
    g.inputs = {x};
    g.outputs = {y};
    infer_facts(g);
    const tensor feed = filled({1, 4, 3, 3}, -2.f, 0.7f);
    const tensor expected = evaluate(g, {{"x", feed}})[0];
    const pass passes[] = {{"batch_norm_folding", &passes::batch_norm_folding}};
    run_passes(g, passes);
    REQUIRE(g.nodes.size() == 1);
    const tensor got = evaluate(g, {{"x", feed}})[0];
    REQUIRE(got.shape() == expected.shape());
    for (std::int64_t i = 0; i < got.size(); ++i) CHECK(got.data<float>()[i] == doctest::Approx(expected.data<float>()[i]).epsilon(1e-5));
}

TEST_CASE("batch norm of an old operator set folds only where it says that it is testing") {
    for (const std::int64_t testing : {0, 1}) {
        graph g;
        g.opsets[""] = 6;
        const auto ones = [](dims shape) {
            tensor t(dtype::float32, std::move(shape));
            for (std::int64_t i = 0; i < t.size(); ++i) t.mutable_data<float>()[i] = 1.0f;
            return t;
        };
        const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{1, 1, 2, 2}, {}}), c = g.add_value("c"), y = g.add_value("y");
        g.add_node({.name = "conv", .op = "Conv", .inputs = {x, g.add_constant("w", ones({1, 1, 1, 1}))}, .outputs = {c}});
        g.add_node({.name = "bn", .op = "BatchNormalization", .attributes = {{"is_test", testing}},
                    .inputs = {c, g.add_constant("s", ones({1})), g.add_constant("t", ones({1})), g.add_constant("m", ones({1})), g.add_constant("v", ones({1}))},
                    .outputs = {y}});
        g.inputs = {x};
        g.outputs = {y};
        infer_facts(g);
        const pass passes[] = {{"batch_norm_folding", &passes::batch_norm_folding}};
        run_passes(g, passes);
        CHECK(g.nodes.size() == (testing == 1 ? 1 : 2));
    }
}

TEST_CASE("batch norm stays where the convolution's result is used elsewhere") {
    graph g = empty_graph();
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{1, 1, 4, 4}, {}});
    const value_id c = g.add_value("c"), y = g.add_value("y");
    const auto one = [&](const char* name) { return g.add_constant(name, tensor::from<float>({1}, {1.f})); };
    g.add_node({.op = "Conv", .inputs = {x, g.add_constant("w", tensor::from<float>({1, 1, 1, 1}, {2.f}))}, .outputs = {c}});
    g.add_node({.op = "BatchNormalization", .inputs = {c, one("s"), one("t"), one("m"), one("v")}, .outputs = {y}});
    g.inputs = {x};
    g.outputs = {y, c};
    CHECK(passes::batch_norm_folding(g).empty());
}

TEST_CASE("nodes of constants become constants, and dead ones disappear") {
    graph g = empty_graph();
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{2}, {}});
    const value_id a = g.add_value("a"), b = g.add_value("b"), y = g.add_value("y");
    g.add_node({.op = "Constant", .attributes = {{"value", tensor::from<float>({2}, {1.f, 2.f})}}, .outputs = {a}});
    g.add_node({.op = "Add", .inputs = {a, a}, .outputs = {b}});
    g.add_node({.op = "Add", .inputs = {x, b}, .outputs = {y}});
    g.inputs = {x};
    g.outputs = {y};
    fold(g);
    CHECK(g.nodes.size() == 1);
    CHECK(evaluate(g, {{"x", tensor::from<float>({2}, {0.f, 0.f})}})["y"].as<float, 1>()(1) == 4.f);
}

TEST_CASE("large tables of places are folded, large tensors of numbers are not") {
    for (const dtype type : {dtype::int64, dtype::boolean, dtype::float32}) {
        CAPTURE(type);
        graph g = empty_graph();
        const value_id x = g.add_value("x", {type, symbolic_shape{1}, {}}), wide = g.add_value("wide"), y = g.add_value("y");
        const value_id small = g.add_constant("small", tensor::zeros(type, {1})), shape = g.add_constant("shape", tensor::ints(std::vector<std::int64_t>{1 << 10, 1 << 9}));
        g.add_node({.op = "Expand", .inputs = {small, shape}, .outputs = {wide}});
        g.add_node({.op = "Equal", .inputs = {x, wide}, .outputs = {y}});
        g.inputs = {x};
        g.outputs = {y};
        infer_facts(g);
        fold(g);
        CHECK(g.nodes.size() == (type == dtype::float32 ? 2u : 1u));
    }
}

TEST_CASE("what exporters count out of an image's extents becomes constant") {
    graph g = empty_graph();
    const value_id x = g.add_value("x", {dtype::int64, symbolic_shape{4}, {}});
    const value_id shape = g.add_value("shape"), extent = g.add_value("extent"), range = g.add_value("range"), square = g.add_value("square"), y = g.add_value("y");
    const value_id zero = g.add_constant("zero", tensor::scalar(std::int64_t{0})), one = g.add_constant("one", tensor::scalar(std::int64_t{1}));
    g.add_node({.op = "Shape", .inputs = {x}, .outputs = {shape}});
    g.add_node({.op = "Gather", .inputs = {shape, zero}, .outputs = {extent}});
    g.add_node({.op = "Range", .inputs = {zero, extent, one}, .outputs = {range}});
    g.add_node({.op = "Mul", .inputs = {range, range}, .outputs = {square}});
    g.add_node({.op = "Add", .inputs = {x, square}, .outputs = {y}});
    g.inputs = {x};
    g.outputs = {y};
    fold(g);
    CHECK(g.nodes.size() == 1);
    CHECK(evaluate(g, {{"x", tensor::from<std::int64_t>({4}, {1, 1, 1, 1})}})["y"].as<std::int64_t, 1>()(3) == 10);
}

TEST_CASE("identities disappear, and outputs keep their names") {
    graph g = empty_graph();
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{2}, {}});
    const value_id a = g.add_value("a"), b = g.add_value("b"), y = g.add_value("y"), z = g.add_value("z");
    g.add_node({.op = "Identity", .inputs = {x}, .outputs = {a}});
    g.add_node({.op = "Identity", .inputs = {a}, .outputs = {b}});
    g.add_node({.op = "Relu", .inputs = {b}, .outputs = {y}});
    g.add_node({.op = "Identity", .inputs = {y}, .outputs = {z}});
    g.inputs = {x};
    g.outputs = {z, b};
    infer_facts(g);
    const pass passes[] = {{"identity_elimination", &passes::identity_elimination}};
    run_passes(g, passes);
    const auto out = evaluate(g, {{"x", tensor::from<float>({2}, {-1.f, 5.f})}});
    CHECK(out["z"].as<float, 1>()(0) == 0.f);
    CHECK(out["b"].as<float, 1>()(0) == -1.f);
    CHECK(g.nodes.size() == 2);  // Relu, and the one that hands the input out
}

TEST_CASE("what is cut out of a Concat as it went in is not copied") {
    for (const bool old : {false, true}) {
        // Two, one and three columns; cut out: the last three, the first two, and one and two halves of others.
        graph g;
        g.opsets[""] = old ? 9 : 13;
        std::vector<value_id> parts;
        for (const std::int64_t wide : std::initializer_list<std::int64_t>{2, 1, 3})
            parts.push_back(g.add_value(ocelli::detail::concat("x", wide), {dtype::float32, symbolic_shape{4, wide}, {}}));
        const value_id all = g.add_value("all");
        g.add_node({.name = "join", .op = "Concat", .attributes = {{"axis", std::int64_t{-1}}}, .inputs = parts, .outputs = {all}});
        g.inputs = parts;
        const auto cut = [&](const std::string& name, std::int64_t from, std::int64_t to) {
            const value_id y = g.add_value(name), z = g.add_value(name + "_less");
            node n{.name = name, .op = "Slice", .inputs = {all}, .outputs = {y}};
            if (old) n.attributes = {{"axes", dims{1}}, {"starts", dims{from}}, {"ends", dims{to}}};
            else
                for (const std::int64_t number : {from, to, std::int64_t{1}, std::int64_t{1}}) n.inputs.push_back(g.add_constant("", tensor::from<std::int64_t>({1}, {number})));
            g.add_node(std::move(n));
            g.add_node({.name = name + "_neg", .op = "Neg", .inputs = {y}, .outputs = {z}});
            g.outputs.push_back(z);
        };
        cut("last", -3, 1000);
        cut("first", 0, 2);
        cut("some", 1, 3);
        cut("two", 0, 3);
        cut("none", 2, 2);
        infer_facts(g);
        named_tensors feeds;
        float number = 0;
        for (const value_id v : parts) {
            tensor t(dtype::float32, *g.at(v).what.shape.concrete());
            for (std::int64_t i = 0; i < t.size(); ++i) t.mutable_data<float>()[i] = number++;
            feeds.add(g.at(v).name, std::move(t));
        }
        const named_tensors before = evaluate(g, feeds);
        const pass passes[] = {{"slice_of_concat", &passes::slice_of_concat}};
        const auto done = run_passes(g, passes);
        REQUIRE(done.size() == 2);
        CHECK(done[0].reason == "Slice 'last' is an input of Concat 'join'");
        CHECK(done[1].reason == "Slice 'first' is an input of Concat 'join'");
        CHECK(g.nodes.size() == 9);
        const named_tensors after = evaluate(g, feeds);
        for (const char* name : {"last_less", "first_less", "some_less", "two_less", "none_less"}) {
            REQUIRE(after[name].shape() == before[name].shape());
            for (std::int64_t i = 0; i < after[name].size(); ++i) CHECK(after[name].data<float>()[i] == before[name].data<float>()[i]);
        }
    }
    // Outputs that would be an input, or one tensor under two names, stay.
    graph g = empty_graph();
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{2, 2}, {}}), all = g.add_value("all"), y = g.add_value("y");
    g.add_node({.name = "join", .op = "Concat", .attributes = {{"axis", std::int64_t{1}}}, .inputs = {x, x}, .outputs = {all}});
    g.add_node({.name = "cut", .op = "Slice", .inputs = {all, g.add_constant("", tensor::from<std::int64_t>({1}, {2})), g.add_constant("", tensor::from<std::int64_t>({1}, {4})),
                g.add_constant("", tensor::from<std::int64_t>({1}, {1}))}, .outputs = {y}});
    g.inputs = {x};
    g.outputs = {y};
    infer_facts(g);
    CHECK(passes::slice_of_concat(g).empty());
}

TEST_CASE("zeros around an image become the padding of the convolution or mean behind them") {
    // pads of the Pad, its value, pads of the node, whether it folds
    struct layer {
        dims outer;
        float value;
        dims pads;
        bool folds;
    };
    const layer layers[] = {{{0, 0, 1, 2, 0, 0, 3, 0}, 0.0f, {0, 0, 0, 0}, true},  {{0, 0, 1, 1, 0, 0, 1, 1}, 0.0f, {1, 0, 2, 1}, true},
                            {{0, 0, 1, 1, 0, 0, 1, 1}, 0.5f, {0, 0, 0, 0}, false}, {{0, 1, 1, 1, 0, 0, 1, 1}, 0.0f, {0, 0, 0, 0}, false},
                            {{0, 0, -1, 1, 0, 0, 1, 1}, 0.0f, {0, 0, 0, 0}, false}};
    for (const bool conv : {false, true})
        for (const bool counts : {false, true})
            for (const std::int64_t opset : {std::int64_t{10}, std::int64_t{13}})
                for (const layer& l : layers) {
                    if (conv && counts) continue;
                    graph g;
                    g.opsets[""] = opset;
                    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{2, 2, 5, 6}, {}}), wide = g.add_value("wide"), y = g.add_value("y");
                    if (opset < 11) {
                        g.add_node({.name = "pad", .op = "Pad", .attributes = {{"pads", l.outer}, {"value", l.value}}, .inputs = {x}, .outputs = {wide}});
                    } else {
                        tensor pads(dtype::int64, {8});
                        std::copy(l.outer.begin(), l.outer.end(), pads.mutable_data<std::int64_t>());
                        g.add_node({.name = "pad", .op = "Pad", .inputs = {x, g.add_constant("", pads), g.add_constant("", tensor::scalar(l.value))}, .outputs = {wide}});
                    }
                    const std::int64_t channels = 2 + l.outer[1];
                    node n{.name = "n", .op = conv ? "Conv" : "AveragePool", .attributes = {{"pads", l.pads}, {"kernel_shape", dims{3, 3}}, {"strides", dims{2, 1}}},
                           .inputs = {wide}, .outputs = {y}};
                    tensor w(dtype::float32, {1, channels, 3, 3});
                    for (std::int64_t i = 0; i < w.size(); ++i) w.mutable_data<float>()[i] = static_cast<float>(i % 5) - 1.5f;
                    if (conv) n.inputs.push_back(g.add_constant("w", w));
                    else set_attribute(n, "count_include_pad", std::int64_t{counts});
                    g.add_node(n);
                    g.inputs = {x};
                    g.outputs = {y};
                    infer_facts(g);
                    tensor image(dtype::float32, {2, 2, 5, 6});
                    for (std::int64_t i = 0; i < image.size(); ++i) image.mutable_data<float>()[i] = static_cast<float>(i % 7) - 3.f;
                    const tensor before = evaluate(g, {{"x", image}})["y"];
                    const pass passes[] = {{"pad_folding", &passes::pad_folding}};
                    run_passes(g, passes);
                    g.verify();
                    CHECK(g.nodes.size() == (l.folds && (conv || counts || l.pads == dims(4, 0)) ? 1u : 2u));
                    const tensor after = evaluate(g, {{"x", image}})["y"];
                    REQUIRE(after.shape() == before.shape());
                    for (std::int64_t i = 0; i < before.size(); ++i) CHECK(std::abs(after.data<float>()[i] - before.data<float>()[i]) < 1e-5f);
                }
}

TEST_CASE("of nodes that compute the same one is kept, along whole chains; outputs, and what differs, stay") {
    graph g = empty_graph();
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{3, 4}, {}});
    g.inputs = {x};
    const auto node_of = [&](const char* op, std::vector<value_id> in, std::vector<attribute> attributes = {}) {
        const value_id y = g.add_value(ocelli::detail::concat("v", g.values.size()));
        g.add_node({.name = g.at(y).name, .op = op, .attributes = std::move(attributes), .inputs = std::move(in), .outputs = {y}});
        return y;
    };
    std::vector<value_id> ends;
    for (int i = 0; i < 3; ++i) {  // the same numbers, in constants of their own
        const value_id marks = node_of("Greater", {x, g.add_constant("", tensor::scalar(0.5f))});
        const value_id found = node_of("Transpose", {node_of("NonZero", {marks})}, {{"perm", std::vector<std::int64_t>{1, 0}}});
        ends.push_back(node_of("GatherND", {x, found}));
    }
    ends.push_back(node_of("Softmax", {x}, {{"axis", std::int64_t{0}}}));
    ends.push_back(node_of("Softmax", {x}, {{"axis", std::int64_t{1}}}));
    ends.push_back(node_of("Add", {x, g.add_constant("", tensor::scalar(1.0f))}));
    ends.push_back(node_of("Add", {x, g.add_constant("", tensor::scalar(2.0f))}));
    g.outputs = ends;
    infer_facts(g);
    tensor image(dtype::float32, {3, 4});
    for (int i = 0; i < 12; ++i) image.mutable_data<float>()[i] = static_cast<float>(i % 5) * 0.25f;
    const named_tensors before = evaluate(g, {{"x", image}});
    const pass passes[] = {{"common_subexpressions", &passes::common_subexpressions}};
    const auto done = run_passes(g, passes);
    CHECK(done.size() == 6);
    CHECK(done[0].reason.find("is the same as") != std::string::npos);
    const auto count = [&](const char* op) { return std::count_if(g.nodes.begin(), g.nodes.end(), [&](const node& n) { return n.op == op; }); };
    CHECK(count("Greater") == 1);
    CHECK(count("NonZero") == 1);
    CHECK(count("Transpose") == 1);
    CHECK(count("GatherND") == 3);  // each is an output
    CHECK(count("Softmax") == 2);
    CHECK(count("Add") == 2);
    const named_tensors after = evaluate(g, {{"x", image}});
    for (std::size_t k = 0; k < 7; ++k) {
        const std::string& name = g.at(g.outputs[k]).name;
        const tensor &a = before[name], &b = after[name];
        REQUIRE(a.shape() == b.shape());
        CHECK(std::equal(a.data<float>(), a.data<float>() + a.size(), b.data<float>()));
    }
}

TEST_CASE("nodes that pick by equal tables of places are the same, also where these are long") {
    graph g = empty_graph();
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{400}, {}}), y = g.add_value("y");
    std::vector<value_id> picked;
    for (int i = 0; i < 3; ++i) {
        tensor places = tensor::zeros(dtype::int64, {300});
        if (i == 2) places.mutable_data<std::int64_t>()[299] = 1;
        picked.push_back(g.add_value(ocelli::detail::concat("picked", i)));
        g.add_node({.op = "Gather", .inputs = {x, g.add_constant("", places)}, .outputs = {picked.back()}});
    }
    g.add_node({.op = "Sum", .inputs = picked, .outputs = {y}});
    g.inputs = {x};
    g.outputs = {y};
    infer_facts(g);
    const pass passes[] = {{"common_subexpressions", &passes::common_subexpressions}};
    CHECK(run_passes(g, passes).size() == 1);
    CHECK(g.nodes.size() == 3);
}

TEST_CASE("a node that wants more outputs than one like it is not the same") {
    graph g = empty_graph();
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{3, 4}, {}}), k = g.add_constant("", tensor::from<std::int64_t>({1}, {2}));
    const value_id values = g.add_value("values"), again = g.add_value("again"), places = g.add_value("places"), y = g.add_value("y"), z = g.add_value("z");
    g.add_node({.name = "one", .op = "TopK", .inputs = {x, k}, .outputs = {values}});
    g.add_node({.name = "two", .op = "TopK", .inputs = {x, k}, .outputs = {again, places}});
    g.add_node({.name = "y", .op = "Add", .inputs = {values, again}, .outputs = {y}});
    g.add_node({.name = "z", .op = "Neg", .inputs = {places}, .outputs = {z}});
    g.inputs = {x};
    g.outputs = {y, z};
    infer_facts(g);
    const pass passes[] = {{"common_subexpressions", &passes::common_subexpressions}};
    CHECK(run_passes(g, passes).empty());
    CHECK(g.nodes.size() == 4);
}

TEST_CASE("what adds nothing or multiplies by one goes, unless it says of which rank or type the result is") {
    const auto left = [](const char* op, const tensor& number, bool number_first, dims shape = {2, 3}) {
        graph g = empty_graph();
        const value_id x = g.add_value("x", {dtype::float32, symbolic_shape(std::vector<dim>(shape.begin(), shape.end())), {}}), n = g.add_constant("n", number);
        const value_id y = g.add_value("y"), z = g.add_value("z");
        g.add_node({.name = "it", .op = op, .inputs = number_first ? std::vector<value_id>{n, x} : std::vector<value_id>{x, n}, .outputs = {y}});
        g.add_node({.name = "end", .op = "Exp", .inputs = {y}, .outputs = {z}});
        g.inputs = {x};
        g.outputs = {z};
        infer_facts(g);
        const pass passes[] = {{"identity_elimination", &passes::identity_elimination}};
        run_passes(g, passes);
        return g.nodes.size();
    };
    const tensor zero = tensor::scalar(0.0f), one = tensor::scalar(1.0f);
    CHECK(left("Add", zero, false) == 1);
    CHECK(left("Add", zero, true) == 1);
    CHECK(left("Sub", zero, false) == 1);
    CHECK(left("Sub", zero, true) == 2);
    CHECK(left("Mul", one, true) == 1);
    CHECK(left("Div", one, false) == 1);
    CHECK(left("Div", one, true) == 2);
    CHECK(left("Mul", zero, false) == 2);
    CHECK(left("Add", one, false) == 2);
    CHECK(left("Add", tensor::from<float>({1, 1}, {0.0f}), false) == 1);
    CHECK(left("Add", tensor::from<float>({1, 1, 1}, {0.0f}), false) == 2);
    CHECK(left("Add", tensor::from<float>({3}, {0.0f, 0.0f, 0.0f}), false) == 2);
}
