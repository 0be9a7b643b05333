#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/kernels/blocked.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/passes/pipeline.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

using namespace ocelli;
using namespace ocelli::nn;

namespace {

tensor filled(dims shape, float from, float step) {
    tensor t(dtype::float32, std::move(shape));
    for (std::int64_t i = 0; i < t.size(); ++i) t.mutable_data<float>()[i] = from + step * static_cast<float>(i % 11);
    return t;
}

// A convolution of x to `channels` channels, and what the caller puts behind it.
struct network {
    graph g;
    value_id x, conv;

    explicit network(std::int64_t channels) {
        g.opsets[""] = 13;
        x = g.add_value("x", {dtype::float32, symbolic_shape{1, 3, 8, 8}, {}});
        g.inputs = {x};
        conv = convolution(x, 3, channels);
    }
    value_id convolution(value_id from, std::int64_t in, std::int64_t out) {
        const value_id w = g.add_constant("", filled({out, in, 3, 3}, -0.2f, 0.05f)), y = g.add_value("");
        g.add_node({.name = "conv", .op = "Conv", .attributes = {{"pads", dims{1, 1, 1, 1}}}, .inputs = {from, w}, .outputs = {y}});
        return y;
    }
    value_id add(node n, std::vector<value_id> inputs) {
        n.inputs = std::move(inputs);
        n.name = n.op;
        n.outputs = {g.add_value("")};
        g.add_node(n);
        return n.outputs[0];
    }
    // How many reorders are left; the results before and after must agree.
    std::size_t reorders(std::vector<value_id> outputs) {
        g.outputs = std::move(outputs);
        infer_facts(g);
        const tensor feed = filled({1, 3, 8, 8}, -1.f, 0.3f);
        const tensor expected = evaluate(g, {{"x", feed}})[0];
        run_passes(g, lower_passes);
        run_passes(g, kernel_passes);
        g.verify();
        const tensor got = evaluate(g, {{"x", feed}})[0];
        REQUIRE(got.shape() == expected.shape());
        for (std::int64_t i = 0; i < got.size(); ++i)
            CHECK(std::abs(got.data<float>()[i] - expected.data<float>()[i]) <= 1e-4f * (1.f + std::abs(expected.data<float>()[i])));
        return static_cast<std::size_t>(std::count_if(g.nodes.begin(), g.nodes.end(), [](const node& n) { return n.op == "Unblock" || n.op == "Block"; }));
    }
};

}  // namespace

TEST_CASE("what stands between two convolutions works on blocks: one reorder is left, at the end") {
    const std::int64_t c = 2 * block_lanes();
    network n(c);
    const value_id pooled = n.add({.op = "MaxPool", .attributes = {{"kernel_shape", dims{2, 2}}, {"strides", dims{2, 2}}}}, {n.conv});
    const value_id scaled = n.add({.op = "Mul"}, {pooled, n.g.add_constant("", filled({1, c, 1, 1}, 0.5f, 0.1f))});
    const value_id shifted = n.add({.op = "Add"}, {scaled, n.g.add_constant("", tensor::scalar(0.25f))});
    const value_id squashed = n.add({.op = "Sigmoid"}, {shifted});
    const value_id joined = n.add({.op = "Concat", .attributes = {{"axis", std::int64_t{1}}}}, {squashed, pooled});
    CHECK(n.reorders({n.convolution(joined, 2 * c, c)}) == 1);
}

TEST_CASE("a squeeze-excite gate stays in blocks") {
    const std::int64_t c = block_lanes();
    network n(c);
    const value_id mean = n.add({.op = "GlobalAveragePool"}, {n.conv});
    const value_id w = n.g.add_constant("", filled({c, c, 1, 1}, -0.1f, 0.02f));
    const value_id gate = n.add({.op = "Conv"}, {mean, w});
    CHECK(n.reorders({n.add({.op = "Mul"}, {n.conv, n.add({.op = "Sigmoid"}, {gate})})}) == 1);
}

TEST_CASE("lanes nobody uses stay zero: what would change them works on planes") {
    const std::int64_t c = block_lanes() + block_lanes() / 2;
    network n(c);
    const value_id shifted = n.add({.op = "Add"}, {n.conv, n.g.add_constant("", tensor::scalar(1.0f))});
    const value_id positive = n.add({.op = "Relu"}, {n.conv});
    // The sum is made on planes of the convolution, and the product with it on planes of the other.
    CHECK(n.reorders({n.add({.op = "Mul"}, {shifted, positive})}) == 2);
}

TEST_CASE("operators that need planes get them, and an output keeps its name") {
    network n(block_lanes());
    const value_id flat = n.add({.op = "Flatten"}, {n.conv});
    n.g.at(flat).name = "result";
    CHECK(n.reorders({flat}) == 1);
    CHECK(n.g.at(n.g.outputs[0]).name == "result");
}

TEST_CASE("a Transpose to the last axis reads blocks, another one planes") {
    for (const dims& perm : {dims{0, 2, 3, 1}, dims{0, 3, 2, 1}, dims{0, 1, 3, 2}}) {
        network n(6);
        CHECK(n.reorders({n.add({.op = "Transpose", .attributes = {{"perm", perm}}}, {n.convolution(n.conv, 6, 6)})}) == 1);
        const bool last = perm == dims{0, 2, 3, 1};
        CHECK(std::count_if(n.g.nodes.begin(), n.g.nodes.end(), [](const node& m) { return m.op == "Transpose"; }) == (last ? 0 : 1));
    }
    network n(block_lanes());
    const value_id turned = n.add({.op = "Transpose", .attributes = {{"perm", dims{0, 2, 3, 1}}}}, {n.conv});
    CHECK(n.reorders({turned, n.conv}) == 1);  // planes are wanted, too
}

TEST_CASE("channels that are picked, split or joined between blocks need no planes") {
    // 24 and 24 channels, shuffled, one half through a convolution, joined, shuffled, split.
    network n(24);
    const auto indices = [&](std::int64_t first) {
        tensor t(dtype::int64, {24});
        for (std::int64_t i = 0; i < 24; ++i) t.mutable_data<std::int64_t>()[i] = 2 * i + first - (i % 2 == 0 ? 48 : 0);
        return n.g.add_constant("", t);
    };
    const auto join = [&](value_id a, value_id b) { return n.add({.op = "Concat", .attributes = {{"axis", std::int64_t{-3}}}}, {a, b}); };
    const auto take = [&](value_id x, std::int64_t first) { return n.add({.op = "Gather", .attributes = {{"axis", std::int64_t{1}}}}, {x, indices(first)}); };
    const value_id all = join(n.conv, n.convolution(n.conv, 24, 24));
    const value_id next = join(take(all, 0), n.convolution(take(all, 1), 24, 24));
    const value_id one = n.g.add_value("one"), other = n.g.add_value("other");
    tensor sizes(dtype::int64, {2});
    sizes.mutable_data<std::int64_t>()[0] = 5;
    sizes.mutable_data<std::int64_t>()[1] = 43;
    n.g.add_node({.name = "split", .op = "Split", .attributes = {{"axis", std::int64_t{1}}}, .inputs = {next, n.g.add_constant("", sizes)}, .outputs = {one, other}});
    const value_id last = join(n.convolution(one, 5, 32), n.convolution(other, 43, 32));
    CHECK(n.reorders({n.convolution(last, 64, 16)}) == 1);
    const auto count = [&](const char* op) { return std::count_if(n.g.nodes.begin(), n.g.nodes.end(), [&](const node& m) { return m.op == op; }); };
    CHECK(count("Channels") == 3);
    CHECK(count("Gather") + count("Split") == 0);
    CHECK(count("Concat") == 1);  // of whole blocks
}

TEST_CASE("picked channels that are there as an image are joined as one") {
    const std::int64_t lanes = block_lanes();
    for (const bool read : {false, true}) {
        CAPTURE(read);
        network n(2 * lanes);
        tensor order(dtype::int64, {2 * lanes});
        for (std::int64_t i = 0; i < 2 * lanes; ++i) order.mutable_data<std::int64_t>()[i] = 2 * lanes - 1 - i;
        const value_id turned = n.add({.op = "Gather", .attributes = {{"axis", std::int64_t{1}}}}, {n.conv, n.g.add_constant("", order)});
        const value_id other = n.convolution(read ? turned : n.conv, 2 * lanes, lanes);
        const value_id both = n.add({.op = "Concat", .attributes = {{"axis", std::int64_t{1}}}}, {turned, other});
        CHECK(n.reorders({n.convolution(both, 3 * lanes, 16)}) == 1);
        const auto count = [&](const char* op) { return std::count_if(n.g.nodes.begin(), n.g.nodes.end(), [&](const node& m) { return m.op == op; }); };
        CHECK(count("Channels") == 1);
        CHECK(count("Concat") == (read ? 1 : 0));
    }
}

TEST_CASE("convolutions of one image that are alike but for their few filters run as one") {
    const std::int64_t lanes = block_lanes(), few = lanes / 2;
    const auto convolutions = [](const network& n) { return std::count_if(n.g.nodes.begin(), n.g.nodes.end(), [](const node& c) { return c.op == "Conv"; }); };
    const auto behind = [](network& n, std::vector<value_id> images) {
        for (value_id& v : images) v = n.add({.op = "Abs"}, {v});
        return n.add({.op = "Concat", .attributes = {{"axis", std::int64_t{1}}}}, images);
    };
    {
        network n(4 * lanes);
        const value_id a = n.convolution(n.conv, 4 * lanes, few), b = n.convolution(n.conv, 4 * lanes, few), c = n.convolution(n.conv, 4 * lanes, few);
        n.g.nodes[static_cast<std::size_t>(n.g.at(b).producer)].inputs.push_back(n.g.add_constant("", filled({few}, 0.5f, -0.1f)));
        CHECK(n.reorders({behind(n, {a, b, c})}) > 0);
        CHECK(convolutions(n) == 2);
    }
    {
        network n(4 * lanes);  // their activations are one
        const auto relu = [&] { return n.add({.op = "Relu"}, {n.convolution(n.conv, 4 * lanes, few)}); };
        CHECK(n.reorders({behind(n, {relu(), relu(), relu()})}) > 0);
        CHECK(convolutions(n) == 2);
    }
    {
        network n(4 * lanes);  // of one, not of the others: two are alike, which is enough
        const value_id a = n.convolution(n.conv, 4 * lanes, few), b = n.convolution(n.conv, 4 * lanes, few);
        CHECK(n.reorders({behind(n, {a, b, n.add({.op = "Relu"}, {n.convolution(n.conv, 4 * lanes, few)})})}) > 0);
        CHECK(convolutions(n) == 3);
    }
    {
        network n(4 * lanes);  // whole blocks
        const value_id a = n.convolution(n.conv, 4 * lanes, lanes), b = n.convolution(n.conv, 4 * lanes, lanes), c = n.convolution(n.conv, 4 * lanes, lanes);
        CHECK(n.reorders({behind(n, {a, b, c})}) > 0);
        CHECK(convolutions(n) == 4);
    }
    {
        network n(lanes);  // another dilation
        const value_id a = n.convolution(n.conv, lanes, few), b = n.convolution(n.conv, lanes, few);
        n.g.nodes[static_cast<std::size_t>(n.g.at(b).producer)].attributes = {{"pads", dims{2, 2, 2, 2}}, {"dilations", dims{2, 2}}};
        CHECK(n.reorders({behind(n, {a, b})}) > 0);
        CHECK(convolutions(n) == 3);
    }
    {
        network n(4 * lanes);  // a depthwise convolution takes one along
        const value_id a = n.convolution(n.conv, 4 * lanes, few), b = n.convolution(n.conv, 4 * lanes, few), c = n.convolution(n.conv, 4 * lanes, few), d = n.g.add_value("");
        n.g.add_node({.name = "depthwise", .op = "Conv", .attributes = {{"pads", dims{1, 1, 1, 1}}, {"group", few}},
                      .inputs = {c, n.g.add_constant("", filled({few, 1, 3, 3}, -0.2f, 0.05f))}, .outputs = {d}});
        CHECK(n.reorders({behind(n, {a, b, d})}) > 0);
        CHECK(convolutions(n) == 4);
    }
}
