// ctest: per_isa
#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/passes/quantized.hpp>
#include <ocelli/nn/session.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

using namespace ocelli;
using namespace ocelli::nn;

namespace {

std::mt19937 random_bits(3);

tensor bytes(dtype type, dims shape) {
    tensor t(type, std::move(shape));
    for (std::int64_t i = 0; i < t.size(); ++i) static_cast<std::uint8_t*>(t.mutable_raw())[i] = static_cast<std::uint8_t>(random_bits() & 255);
    return t;
}
tensor scales(std::int64_t n, float least) {
    tensor t(dtype::float32, {n});
    for (std::int64_t i = 0; i < n; ++i) t.mutable_data<float>()[i] = least * (1 + static_cast<float>(random_bits() % 100) * 0.01f);
    return t;
}
tensor zeros(dtype type, std::int64_t n) {
    tensor t(type, {n});
    std::memset(t.mutable_raw(), 0, t.bytes());
    return t;
}
tensor byte(dtype type, std::int64_t v) {
    tensor t(type, dims{});
    static_cast<std::uint8_t*>(t.mutable_raw())[0] = static_cast<std::uint8_t>(v & 255);
    return t;
}

// How many nodes have no kernel but that which give a tensor another shape.
int references(const session& net) {
    const std::string text = net.explain();
    int found = 0;
    for (std::size_t at = text.find("reference: "); at != std::string::npos; at = text.find("reference: ", at + 1))
        if (text.compare(at, 18, "reference: Flatten") != 0) {
            ++found;
            MESSAGE(text.substr(at, text.find('\n', at) - at));
        }
    return found;
}

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

TEST_CASE("operators of integers give the reference's bits") {
    const auto pick = [](std::int64_t low, std::int64_t high) { return low + static_cast<std::int64_t>(random_bits() % static_cast<unsigned>(high - low + 1)); };
    for (int round = 0; round < 60; ++round) {
        CAPTURE(round);
        graph g;
        g.opsets[""] = 13;
        const bool conv = round % 2 == 0, linear = round % 4 < 2;
        const dtype type = pick(0, 1) == 0 ? dtype::uint8 : dtype::int8, weight_type = pick(0, 2) == 0 ? dtype::uint8 : dtype::int8;
        const std::int64_t group = pick(0, 2) == 0 ? pick(2, 20) : 1, channels = group * pick(1, group > 1 ? 2 : 30), filters = group * (group > 1 && channels == group ? 1 : pick(1, 40));
        const dims x_shape = conv ? dims{pick(1, 2), channels, pick(3, 9), pick(3, 9)} : round % 8 == 1 ? dims{pick(1, 3), pick(1, 4), channels} : dims{pick(1, 20), channels};
        const dims w_shape = conv ? dims{filters, channels / group, pick(1, 3), pick(1, 3)} : dims{channels, filters};
        const bool each = pick(0, 1) == 1;
        const tensor x = bytes(type, x_shape), w = bytes(weight_type, w_shape), w_zero = each ? bytes(weight_type, {filters}) : byte(weight_type, pick(-128, 127));
        const value_id in = g.add_value("x", {type, symbolic_shape(x_shape), {}}), y = g.add_value("y");
        g.inputs = {in};
        g.outputs = {y};
        const value_id x_zero = g.add_constant("x_zero", byte(type, pick(0, 127))), weights = g.add_constant("w", w), zero = g.add_constant("w_zero", w_zero);
        node n{.name = "n", .outputs = {y}};
        if (conv) {
            n.attributes = {ints("pads", {pick(0, 1), pick(0, 2), pick(0, 1), pick(0, 1)}), ints("strides", {pick(1, 2), pick(1, 2)}), {"group", group}};
            n.op = linear ? "QLinearConv" : "ConvInteger";
        } else {
            n.op = linear ? "QLinearMatMul" : "MatMulInteger";
        }
        if (linear) {
            const value_id s = g.add_constant("xs", tensor::scalar(0.01f)), ws = g.add_constant("ws", each ? scales(filters, 0.003f) : tensor::scalar(0.004f)),
                           ys = g.add_constant("ys", tensor::scalar(0.1f)), yz = g.add_constant("yz", byte(pick(0, 1) == 0 ? dtype::uint8 : dtype::int8, pick(0, 127)));
            n.inputs = {in, s, x_zero, weights, ws, zero, ys, yz};
            if (conv && pick(0, 1) == 1) {
                tensor b(dtype::int32, {filters});
                for (std::int64_t i = 0; i < filters; ++i) b.mutable_data<std::int32_t>()[i] = static_cast<std::int32_t>(pick(-3000, 3000));
                n.inputs.push_back(g.add_constant("bias", b));
            }
        } else {
            n.inputs = {in, weights, x_zero, zero};
        }
        g.add_node(std::move(n));
        infer_facts(g);
        const tensor expected = evaluate(g, {{"x", x}})[0];
        const session net(g);
        CHECK(references(net) == 0);
        const tensor got = net.run({{"x", x}})[0];
        REQUIRE(got.shape() == expected.shape());
        REQUIRE(got.type() == expected.type());
        CHECK(std::memcmp(got.raw(), expected.raw(), got.bytes()) == 0);
    }
}

TEST_CASE("dynamic quantisation gives the reference's bits") {
    for (int round = 0; round < 12; ++round) {
        CAPTURE(round);
        graph g;
        g.opsets[""] = 13;
        const std::int64_t rows = 1 + round * 5, k = 30 + round;
        const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{rows, k}, {}}), q = g.add_value("q"), scale = g.add_value("scale"), zero = g.add_value("zero"),
                       sums = g.add_value("sums"), floats = g.add_value("floats"), y = g.add_value("y");
        g.inputs = {x};
        g.outputs = {q, scale, zero, y};
        g.add_node({.name = "d", .op = "DynamicQuantizeLinear", .inputs = {x}, .outputs = {q, scale, zero}});
        g.add_node({.name = "m", .op = "MatMulInteger", .inputs = {q, g.add_constant("w", bytes(dtype::int8, {k, 20})), zero}, .outputs = {sums}});
        g.add_node({.name = "c", .op = "Cast", .attributes = {{"to", std::int64_t{1}}}, .inputs = {sums}, .outputs = {floats}});
        g.add_node({.name = "p", .op = "Mul", .inputs = {floats, scale}, .outputs = {y}});
        infer_facts(g);
        tensor feed(dtype::float32, {rows, k});
        for (std::int64_t i = 0; i < feed.size(); ++i) feed.mutable_data<float>()[i] = static_cast<float>(random_bits() % 2001) * 0.002f - (round % 3 == 0 ? 0 : round % 3 == 1 ? 5 : 1);
        if (round == 4) std::memset(feed.mutable_raw(), 0, feed.bytes());
        if (round == 5) feed.mutable_data<float>()[7] = std::numeric_limits<float>::quiet_NaN();
        if (round == 6) feed.mutable_data<float>()[7] = std::numeric_limits<float>::infinity();
        const named_tensors expected = evaluate(g, {{"x", feed}});
        const session net(g);
        CHECK(references(net) == 0);
        const named_tensors got = net.run({{"x", feed}});
        for (std::size_t i = 0; i < (round == 6 ? 3 : got.size()); ++i) {
            CAPTURE(i);
            CHECK(std::memcmp(got[i].raw(), expected[i].raw(), got[i].bytes()) == 0);
        }
    }
}

TEST_CASE("sums that may not fit 32 bits run on the reference evaluation") {
    graph g;
    g.opsets[""] = 13;
    const value_id x = g.add_value("x", {dtype::uint8, symbolic_shape{1, 40000}, {}}), y = g.add_value("y");
    g.inputs = {x};
    g.outputs = {y};
    g.add_node({.name = "n", .op = "MatMulInteger", .inputs = {x, g.add_constant("w", bytes(dtype::uint8, {40000, 2}))}, .outputs = {y}});
    infer_facts(g);
    CHECK(references(session(g)) == 1);
}
