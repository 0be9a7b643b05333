#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/passes/pipeline.hpp>
#include <ocelli/nn/passes/pointwise.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <string>

using namespace ocelli;
using namespace ocelli::nn;

namespace {

struct network {
    graph g;
    value_id x;

    network() {
        g.opsets[""] = 13;
        x = g.add_value("x", {dtype::float32, symbolic_shape{dim("n"), 3, 8}, {}});
        g.inputs = {x};
    }
    value_id number(float v) { return g.add_constant("", tensor::scalar(v)); }
    value_id add(const char* op, std::vector<value_id> inputs, std::vector<attribute> attributes = {}) {
        const value_id y = g.add_value("");
        g.add_node({.name = op, .op = op, .attributes = std::move(attributes), .inputs = std::move(inputs), .outputs = {y}});
        return y;
    }
    // How many nodes are left; the results before and after must agree.
    std::size_t simplified(value_id out) {
        g.outputs = {out};
        infer_facts(g);
        tensor feed(dtype::float32, {2, 3, 8});
        for (std::int64_t i = 0; i < feed.size(); ++i) feed.mutable_data<float>()[i] = std::sin(static_cast<float>(i)) * 3;
        const tensor expected = evaluate(g, {{"x", feed}})[0];
        run_passes(g, simplify_passes);
        g.verify();
        const tensor got = evaluate(g, {{"x", feed}})[0];
        REQUIRE(got.shape() == expected.shape());
        for (std::int64_t i = 0; i < got.size(); ++i) CHECK(std::abs(got.data<float>()[i] - expected.data<float>()[i]) <= 2e-6f * (1 + std::abs(expected.data<float>()[i])));
        return g.nodes.size();
    }
};

// Mean, difference and so on up to the division.
value_id normalised(network& n, bool product, std::int64_t axis = -1) {
    const std::vector<attribute> last{{"axes", std::vector<std::int64_t>{axis}}};
    const value_id d = n.add("Sub", {n.x, n.add("ReduceMean", {n.x}, last)});
    const value_id squares = product ? n.add("Mul", {d, d}) : n.add("Pow", {d, n.number(2)});
    const value_id variance = n.add("ReduceMean", {squares}, last);
    return n.add("Div", {d, n.add("Sqrt", {n.add("Add", {variance, n.number(1e-3f)})})});
}

value_id row(network& n, float from) {
    tensor t(dtype::float32, {8});
    for (std::int64_t i = 0; i < 8; ++i) t.mutable_data<float>()[i] = from + 0.1f * static_cast<float>(i);
    return n.g.add_constant("", t);
}

}  // namespace

TEST_CASE("the ways in which exporters write Gelu become one node") {
    {
        network n;
        const value_id sum = n.add("Add", {n.add("Erf", {n.add("Div", {n.x, n.number(1.41421354f)})}), n.number(1)});
        CHECK(n.simplified(n.add("Mul", {n.add("Mul", {n.x, sum}), n.number(0.5f)})) == 1);
        CHECK(n.g.nodes[0].op == "Gelu");
    }
    {
        network n;
        const value_id sum = n.add("Add", {n.number(1), n.add("Erf", {n.add("Mul", {n.number(0.707106769f), n.x})})});
        CHECK(n.simplified(n.add("Mul", {n.add("Mul", {n.x, n.number(0.5f)}), sum})) == 1);
    }
    {
        network n;
        const value_id sum = n.add("Add", {n.add("Erf", {n.add("Mul", {n.x, n.number(0.707106769f)})}), n.number(1)});
        CHECK(n.simplified(n.add("Mul", {n.add("Mul", {sum, n.number(0.5f)}), n.x})) == 1);
    }
}

TEST_CASE("what only looks like Gelu stays") {
    {
        network n;  // another scale
        const value_id sum = n.add("Add", {n.add("Erf", {n.add("Div", {n.x, n.number(1.5f)})}), n.number(1)});
        CHECK(n.simplified(n.add("Mul", {n.add("Mul", {n.x, sum}), n.number(0.5f)})) == 5);
    }
    {
        network n;  // the sum is used elsewhere
        const value_id sum = n.add("Add", {n.add("Erf", {n.add("Div", {n.x, n.number(1.41421354f)})}), n.number(1)});
        CHECK(n.simplified(n.add("Add", {n.add("Mul", {n.add("Mul", {n.x, sum}), n.number(0.5f)}), sum})) == 6);
    }
}

TEST_CASE("layer normalisation in pieces becomes one node, with its scale and shift") {
    for (const bool product : {false, true}) {
        network n;
        const value_id y = normalised(n, product);
        CHECK(n.simplified(n.add("Add", {n.add("Mul", {y, row(n, 0.5f)}), row(n, -0.25f)})) == 1);
        CHECK(n.g.nodes[0].op == "LayerNormalization");
        CHECK(n.g.nodes[0].inputs.size() == 3);
    }
    {
        network n;
        const value_id y = normalised(n, false, 2);
        CHECK(n.simplified(n.add("Mul", {row(n, 0.5f), y})) == 1);
    }
    {
        network n;
        CHECK(n.simplified(normalised(n, false)) == 1);
    }
    {
        network n;  // another axis
        CHECK(n.simplified(normalised(n, false, 1)) == 7);
    }
}

TEST_CASE("Softmax between a Transpose and the one back is one over another axis") {
    const auto perm = [](dims order) { return std::vector<attribute>{{"perm", std::move(order)}}; };
    for (const std::int64_t opset : std::initializer_list<std::int64_t>{11, 13})
        for (const char* op : {"Softmax", "LogSoftmax"}) {
            network n;
            n.g.opsets[""] = opset;
            const value_id y = n.add(op, {n.add("Transpose", {n.x}, perm({0, 2, 1}))}, {{"axis", std::int64_t{2}}});
            CHECK(n.simplified(n.add("Transpose", {y}, perm({0, 2, 1}))) == 1);
            CHECK(n.g.nodes[0].op == op);
            CHECK(attr_int(n.g.nodes[0], "axis", 0) == 1);
        }
    {
        network n;  // three axes turned around
        const value_id y = n.add("Softmax", {n.add("Transpose", {n.x}, perm({1, 2, 0}))});
        CHECK(n.simplified(n.add("Transpose", {y}, perm({2, 0, 1}))) == 1);
        CHECK(attr_int(n.g.nodes[0], "axis", -1) == 0);
    }
    {
        network n;  // not back
        const value_id y = n.add("Softmax", {n.add("Transpose", {n.x}, perm({1, 2, 0}))});
        CHECK(n.simplified(n.add("Transpose", {y}, perm({1, 2, 0}))) == 3);
    }
    {
        network n;  // another axis
        const value_id y = n.add("Softmax", {n.add("Transpose", {n.x}, perm({0, 2, 1}))}, {{"axis", std::int64_t{1}}});
        CHECK(n.simplified(n.add("Transpose", {y}, perm({0, 2, 1}))) == 3);
    }
    {
        network n;  // used between
        const value_id t = n.add("Transpose", {n.x}, perm({0, 2, 1})), y = n.add("Softmax", {t});
        CHECK(n.simplified(n.add("Sub", {n.add("Transpose", {y}, perm({0, 2, 1})), n.add("Transpose", {t}, perm({0, 2, 1}))})) == 5);
    }
}

TEST_CASE("a softmax between two Transpose is one over another axis, where enough lines lie side by side") {
    const auto left = [](std::vector<std::int64_t> there, std::vector<std::int64_t> back, std::int64_t shaped) {
        network n;
        const value_id x = n.add("Reshape", {n.x, n.g.add_constant("", tensor::from<std::int64_t>({3}, {2, 24 / shaped, shaped}))});
        const value_id turned = n.add("Transpose", {x}, {{"perm", std::move(there)}});
        const value_id weights = n.add("Softmax", {turned}, {{"axis", std::int64_t{-1}}});
        return n.simplified(n.add("Exp", {n.add("Transpose", {weights}, {{"perm", std::move(back)}})}));
    };
    CHECK(left({0, 2, 1}, {0, 2, 1}, 24) == 3);
    CHECK(left({2, 1, 0}, {2, 1, 0}, 8) == 3);   // 3 x 8 of them
    CHECK(left({0, 2, 1}, {0, 2, 1}, 8) == 3);
    CHECK(left({0, 2, 1}, {0, 2, 1}, 6) == 5);
    CHECK(left({1, 0, 2}, {1, 0, 2}, 4) == 3);   // the last axis stays the last
    CHECK(left({2, 0, 1}, {1, 2, 0}, 24) == 3);
    CHECK(left({2, 0, 1}, {2, 0, 1}, 24) == 5);  // another order than before
}

TEST_CASE("pairs that quantise and dequantise by the same constants need no integers in between") {
    const auto kinds = [](const tensor& zero, const tensor& other_zero, float other_scale, bool keeps) {
        network n;
        const auto pair = [&](const char* op, value_id x, float scale, const tensor& z) {
            std::vector<value_id> in{x, n.number(scale)};
            if (z.defined()) in.push_back(n.g.add_constant("", z));
            return n.add(op, std::move(in));
        };
        const value_id q = pair("QuantizeLinear", n.x, 0.125f, zero), d = pair("DequantizeLinear", q, other_scale, other_zero);
        n.g.outputs = {n.add("Relu", {d})};
        if (keeps) n.g.outputs.push_back(q);
        infer_facts(n.g);
        tensor feed(dtype::float32, {2, 3, 8});
        for (std::int64_t i = 0; i < feed.size(); ++i) feed.mutable_data<float>()[i] = std::sin(static_cast<float>(i)) * 40;
        const tensor expected = evaluate(n.g, {{"x", feed}})[0];
        const pass passes[] = {{"quantize_pairs", &passes::quantize_pairs}};
        run_passes(n.g, passes);
        const tensor got = evaluate(n.g, {{"x", feed}})[0];
        for (std::int64_t i = 0; i < got.size(); ++i) CHECK(got.data<float>()[i] == expected.data<float>()[i]);
        std::string left;
        for (const node& each : n.g.nodes) left += each.op[0];
        return left;
    };
    const tensor none{}, seven = tensor::scalar(std::uint8_t{7}), three = tensor::scalar(std::int8_t{-3});
    CHECK(kinds(none, none, 0.125f, false) == "FR");
    CHECK(kinds(seven, seven, 0.125f, false) == "FR");
    CHECK(kinds(three, three, 0.125f, false) == "FR");
    CHECK(kinds(seven, seven, 0.125f, true).find('F') != std::string::npos);  // the integers are an output, too
    CHECK(kinds(seven, seven, 0.25f, false) == "QDR");
    CHECK(kinds(tensor::scalar(std::uint8_t{0}), none, 0.125f, false) == "FR");
    CHECK(kinds(seven, tensor::scalar(std::uint8_t{8}), 0.125f, false) == "QDR");
    const tensor wide = tensor::scalar(std::int16_t{7});
    CHECK(kinds(wide, wide, 0.125f, false) == "QDR");
}
