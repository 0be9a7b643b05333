// ctest: per_isa
#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/passes/quantized_operators.hpp>
#include <ocelli/nn/session.hpp>

#include <support/byte_networks.hpp>
#include <support/tensors.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <utility>
#include <vector>

using namespace ocelli;
using namespace ocelli::nn;
using namespace ocelli_test;

namespace {

attribute ints(const char* name, std::vector<std::int64_t> v) {
    return {name, std::move(v)};
}

}  // namespace

TEST_CASE("operators of integers give the reference's bits") {
    const auto pick = whole_numbers(random_bits);
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
