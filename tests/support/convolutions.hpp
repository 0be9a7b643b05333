#pragma once

// A convolution with its epilogue by the session's kernels, held to the reference evaluation in double.

#include <support/tensors.hpp>

#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/kernels/blocked.hpp>
#include <ocelli/nn/ops/fused.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/session.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace convolutions {

using namespace ocelli;
using namespace ocelli::nn;
using ocelli_test::floats_of;
using ocelli_test::random_tensor;

/// Random values for `count` channels, and zeros to whole blocks.
inline std::vector<float> in_whole_blocks(std::int64_t count, unsigned seed) {
    std::vector<float> v(static_cast<std::size_t>(block_count(count, block_lanes()) * block_lanes()));
    const tensor t = random_tensor({count}, seed);
    std::copy(t.data<float>(), t.data<float>() + count, v.begin());
    return v;
}

/// An image (N, C, H, W) in blocks.
inline std::vector<float> blocks_of(const tensor& t) {
    const std::int64_t pixels = t.extent(2) * t.extent(3);
    std::vector<float> out(static_cast<std::size_t>(t.extent(0) * block_count(t.extent(1), block_lanes()) * block_lanes() * pixels));
    to_blocks(t.extent(0), t.extent(1), pixels, t.data<float>(), out.data());
    return out;
}

struct layer {
    dims x, w, strides, dilations, pads;
    std::int64_t group = 1;
    /// Whether the model declares the input's extents.
    bool known = false;
    /// Whether the input comes in blocks.
    bool blocks = false;
    /// ConvTranspose: w is (C, M / group, ...).
    bool transposed = false;
    dims output_padding = {};

    std::int64_t filters() const { return transposed ? w[1] * group : w[0]; }
};

// The layer as ocelli.Conv with the epilogue, by kernel and by reference in double; the largest difference, relative to the sum of |terms|.
// An empty kernel: what the session chooses; explain() must name `chosen`.
inline double error_of(const layer& l, activation function, bool bias, bool addend, unsigned seed, const std::string& kernel,
                       const std::string& chosen = "") {
    graph g;
    g.opsets[""] = 13;
    const tensor xv = random_tensor(l.x, seed), wv = random_tensor(l.w, seed + 1), bv = random_tensor({l.filters()}, seed + 2), sv = random_tensor({l.filters()}, seed + 3);
    const value_id x = g.add_value("x", {dtype::float32, l.known ? symbolic_shape(l.x) : symbolic_shape::of_rank(l.x.size()), {}});
    value_id in = x;
    if (l.blocks) {
        const value_id blocks = g.add_value("blocks");
        in = g.add_value("planes", g.at(x).what);
        g.add_node({.name = "block", .op = "Block", .domain = "ocelli", .opset = 1, .attributes = {{"lanes", std::int64_t{block_lanes()}}}, .inputs = {x}, .outputs = {blocks}});
        g.add_node({.name = "unblock", .op = "Unblock", .domain = "ocelli", .opset = 1, .attributes = {{"channels", l.x[1]}}, .inputs = {blocks}, .outputs = {in}});
    }
    const value_id w = g.add_constant("w", wv), b = bias ? g.add_constant("b", bv) : no_value;
    const value_id r = addend ? g.add_value("r", {dtype::float32, symbolic_shape::of_rank(l.x.size()), {}}) : no_value;
    const value_id s = function == activation::prelu ? g.add_constant("s", sv) : no_value;
    const value_id y = g.add_value("y");
    node n{.name = "layer", .op = l.transposed ? "ConvTranspose" : "Conv", .domain = "ocelli", .opset = 1,
           .attributes = {{"strides", l.strides}, {"dilations", l.dilations}, {"pads", l.pads}, {"group", l.group},
                          {"activation", std::string(name(function))}, {"alpha", 0.25f}, {"beta", 0.75f}},
           .inputs = {in, w, b, r, s}, .outputs = {y}};
    while (n.inputs.back() == no_value) n.inputs.pop_back();
    if (!l.output_padding.empty()) set_attribute(n, "output_padding", l.output_padding);
    if (!kernel.empty()) set_attribute(n, "kernel", kernel);
    g.add_node(n);
    g.inputs = {x};
    if (addend) g.inputs.push_back(r);
    g.outputs = {y};
    // The reference in double, and the size of the sums.
    named_tensors feeds{{"x", xv}};
    tensor rv;
    {
        graph exact = g;
        for (value& v : exact.values)
            if (v.what.constant.defined()) v.what.constant = v.what.constant.cast(dtype::float64);
        graph plain = exact;
        set_attribute(plain.nodes.back(), "activation", std::string("none"));
        plain.nodes.back().inputs.resize(2);
        plain.inputs = {x};
        const tensor shape_only = evaluate(plain, {{"x", xv.cast(dtype::float64)}})["y"];
        rv = random_tensor(shape_only.shape(), seed + 4);
        named_tensors wide{{"x", xv.cast(dtype::float64)}};
        if (addend) {
            feeds.add("r", rv);
            wide.add("r", rv.cast(dtype::float64));
        }
        const tensor expected = evaluate(exact, wide)["y"];
        const session net(g);
        REQUIRE(net.explain().find("reference") == std::string::npos);
        if (!chosen.empty()) REQUIRE(net.explain().find(chosen) != std::string::npos);
        const tensor got = net.run(feeds)["y"];
        REQUIRE(got.shape() == expected.shape());
        double worst = 0;
        const double size = 1.0 + static_cast<double>(wv.size() / l.filters());
        for (std::int64_t i = 0; i < got.size(); ++i)
            worst = std::max(worst, std::abs(static_cast<double>(got.data<float>()[i]) - expected.data<double>()[i]) / size);
        return worst;
    }
}

}  // namespace convolutions
