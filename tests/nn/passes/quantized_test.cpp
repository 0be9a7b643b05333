// ctest: per_isa
#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/passes/quantized.hpp>
#include <ocelli/nn/session.hpp>

#include <support/byte_networks.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

using namespace ocelli;
using namespace ocelli::nn;
using namespace ocelli_test;

namespace {

// A network with a DequantizeLinear before each operand and a QuantizeLinear behind each result.
struct network {
    graph g;
    dtype type;
    value_id x;

    explicit network(dtype activations, dims shape = {2, 5, 9, 8}) : type(activations) {
        g.opsets[""] = 13;
        x = g.add_value("x", {dtype::float32, symbolic_shape(shape), {}});
        g.inputs = {x};
    }
    value_id add(const char* op, std::vector<value_id> inputs, std::vector<attribute> attributes = {}) {
        const value_id y = g.add_value("");
        g.add_node({.name = ocelli::detail::concat(op, g.nodes.size()), .op = op, .attributes = std::move(attributes), .inputs = std::move(inputs), .outputs = {y}});
        return y;
    }
    value_id constant(tensor t) { return g.add_constant("", std::move(t)); }
    value_id quantized(value_id v, float scale, std::int64_t zero) {
        const value_id s = constant(tensor::scalar(scale)), z = constant(byte(type, type == dtype::uint8 ? zero : zero - 128));
        return add("DequantizeLinear", {add("QuantizeLinear", {v, s, z}), s, z});
    }
    value_id weights(dims shape, std::int64_t axis, float scale) {
        const std::int64_t n = shape[static_cast<std::size_t>(axis)];
        return add("DequantizeLinear", {constant(bytes(dtype::int8, shape)), constant(scales(n, scale)), constant(zeros(dtype::int8, n))}, {{"axis", axis}});
    }
    value_id bias(std::int64_t n, float scale) {
        tensor b(dtype::int32, {n});
        for (std::int64_t i = 0; i < n; ++i) b.mutable_data<std::int32_t>()[i] = static_cast<std::int32_t>(random_bits() % 2001) - 1000;
        return add("DequantizeLinear", {constant(std::move(b)), constant(scales(n, scale)), constant(zeros(dtype::int32, n))}, {{"axis", std::int64_t{0}}});
    }
    value_id conv(value_id v, dims weight_shape, std::vector<attribute> attributes = {}) {
        const std::int64_t n = weight_shape[0];
        return add("Conv", {v, weights(std::move(weight_shape), 0, 0.002f), bias(n, 0.0001f)}, std::move(attributes));
    }

    // The worst difference of a session and the nodes in float, and what the session's nodes are.
    double compared(value_id out, std::vector<std::string>& ops) {
        g.outputs = {out};
        infer_facts(g);
        tensor feed(dtype::float32, *g.at(x).what.shape.concrete());
        for (std::int64_t i = 0; i < feed.size(); ++i) feed.mutable_data<float>()[i] = static_cast<float>(random_bits() % 2001) * 0.002f - 2;
        const tensor expected = evaluate(g, {{"x", feed}})[0];
        const session net(g);
        ops.clear();
        for (const node& n : net.lowered().nodes) ops.push_back(n.op);
        CHECK(references(net) == 0);
        const tensor got = net.run({{"x", feed}})[0];
        REQUIRE(got.shape() == expected.shape());
        REQUIRE(got.type() == dtype::float32);
        double worst = 0;
        for (std::int64_t i = 0; i < got.size(); ++i)
            worst = std::max(worst, std::abs(static_cast<double>(got.data<float>()[i]) - static_cast<double>(expected.data<float>()[i])));
        return worst;
    }
};

long count(const std::vector<std::string>& ops, const char* op) {
    return std::count(ops.begin(), ops.end(), op);
}

attribute ints(const char* name, std::vector<std::int64_t> v) {
    return {name, std::move(v)};
}

}  // namespace

TEST_CASE("a network of pairs of quantisation runs on bytes, with the channels last throughout") {
    for (const dtype type : {dtype::uint8, dtype::int8}) {
        network n(type);
        value_id v = n.quantized(n.x, 0.02f, 120);
        v = n.quantized(n.add("Relu", {n.conv(v, {24, 5, 3, 3}, {ints("pads", {1, 1, 1, 1})})}), 0.1f, 0);
        v = n.quantized(n.add("Clip", {n.conv(v, {24, 1, 3, 3}, {ints("pads", {1, 1, 1, 1}), {"group", std::int64_t{24}}}), n.constant(tensor::scalar(0.0f)),
                                       n.constant(tensor::scalar(6.0f))}), 0.03f, 10);
        const value_id short_cut = v;
        v = n.quantized(n.conv(v, {24, 24, 1, 1}), 0.2f, 128);
        v = n.quantized(n.add("Relu", {n.add("Add", {v, short_cut})}), 0.15f, 3);
        v = n.quantized(n.add("MaxPool", {v}, {ints("kernel_shape", {2, 2}), ints("strides", {2, 2})}), 0.15f, 3);
        // Squeeze and excitation, and HardSwish in pieces.
        value_id gate = n.quantized(n.add("GlobalAveragePool", {v}), 0.05f, 0);
        gate = n.quantized(n.add("HardSigmoid", {n.quantized(n.conv(gate, {24, 24, 1, 1}), 0.05f, 128)}), 1.0f / 255, 0);
        v = n.quantized(n.add("Mul", {gate, v}), 0.12f, 2);
        v = n.quantized(n.conv(v, {9, 24, 1, 1}), 0.1f, 100);
        v = n.quantized(n.add("Mul", {v, n.quantized(n.add("HardSigmoid", {v}), 1.0f / 255, 0)}), 0.05f, 20);
        v = n.quantized(n.add("GlobalAveragePool", {v}), 0.03f, 20);
        v = n.quantized(n.add("Flatten", {v}), 0.03f, 20);
        v = n.quantized(n.add("Gemm", {v, n.weights({7, 9}, 0, 0.01f), n.bias(7, 0.0003f)}, {{"transB", std::int64_t{1}}}), 0.1f, 128);
        std::vector<std::string> ops;
        // Some sums round to the next of the steps, which later layers carry on.
        CHECK(n.compared(v, ops) <= 0.35);
        CHECK(count(ops, "QConv") == 5);
        CHECK(count(ops, "QMatMul") == 1);
        CHECK(count(ops, "QAdd") == 1);
        CHECK(count(ops, "QMul") == 1);
        CHECK(count(ops, "QTable") == 2);
        CHECK(count(ops, "QMaxPool") == 1);
        CHECK(count(ops, "QMean") == 2);
        CHECK(count(ops, "QuantizeLinear") == 1);
        CHECK(count(ops, "DequantizeLinear") == 1);
        CHECK(count(ops, "Transpose") == 2);
    }
}

TEST_CASE("each layer of bytes is within one step of the same in float") {
    for (const dtype type : {dtype::uint8, dtype::int8})
        for (int kind = 0; kind < 9; ++kind) {
            CAPTURE(kind);
            network n(type);
            std::vector<std::string> ops;
            const value_id v = n.quantized(n.x, 0.02f, 120);
            value_id y = no_value;
            if (kind == 0) y = n.conv(v, {4, 5, 3, 2}, {ints("strides", {2, 1}), ints("pads", {0, 2, 1, 0}), ints("dilations", {1, 2})});
            if (kind == 1) y = n.add("Add", {n.add("MatMul", {v, n.weights({8, 6}, 1, 0.003f)}), n.constant(scales(6, 0.2f))});
            if (kind == 2) y = n.add("MatMul", {v, n.weights({8, 40}, 1, 0.003f)});
            if (kind == 3) y = n.add("Add", {v, n.quantized(n.add("Sigmoid", {v}), 0.004f, 0)});
            if (kind == 4) y = n.add("Mul", {v, n.quantized(n.conv(v, {5, 5, 1, 1}), 0.03f, 100)});
            if (kind == 5) y = n.add("Concat", {v, n.quantized(n.conv(v, {3, 5, 1, 1}), 0.03f, 100), v}, {{"axis", std::int64_t{1}}});
            if (kind == 6) y = n.add("LeakyRelu", {v}, {{"alpha", 0.1f}});
            if (kind == 7) y = n.add("MaxPool", {v}, {ints("kernel_shape", {3, 3}), ints("strides", {2, 2}), ints("pads", {1, 1, 1, 1}), {"ceil_mode", std::int64_t{1}}});
            if (kind == 8) y = n.add("Relu", {v});
            // A step of the convolution before it is more than one of the result.
            CHECK(n.compared(n.quantized(y, 0.025f, 128), ops) <= (kind == 4 || kind == 5 ? 0.075 : 0.025) * 1.001);
            if (kind == 5) CHECK(count(ops, "Concat") == 1);
            if (kind == 0 || kind == 4 || kind == 5) CHECK(count(ops, "QConv") == 1);
            if (kind == 1 || kind == 2) CHECK(count(ops, "QMatMul") == 1);
            if (kind == 3 || kind == 6 || kind == 8) CHECK(count(ops, "QTable") == 1);
        }
}

TEST_CASE("layers whose results stay floats multiply bytes, too") {
    for (int kind = 0; kind < 3; ++kind) {
        CAPTURE(kind);
        network n(dtype::uint8);
        std::vector<std::string> ops;
        const value_id v = n.quantized(n.x, 0.02f, 120);
        value_id y = no_value;
        if (kind == 0) y = n.conv(v, {4, 5, 3, 3});
        if (kind == 1) y = n.add("MatMul", {v, n.weights({8, 6}, 1, 0.003f)});
        if (kind == 2) y = n.add("Add", {n.constant(scales(6, 0.2f)), n.add("MatMul", {v, n.weights({8, 6}, 1, 0.003f)})});
        CHECK(n.compared(n.add("Sigmoid", {y}), ops) <= 1e-4);
        CHECK(count(ops, kind == 0 ? "QConv" : "QMatMul") == 1);
    }
}

TEST_CASE("weights that are quantised for themselves stay floats") {
    network n(dtype::uint8);
    std::vector<std::string> ops;
    CHECK(n.compared(n.conv(n.x, {4, 5, 3, 3}), ops) <= 1e-3);
    CHECK(count(ops, "QConv") == 0);
}
