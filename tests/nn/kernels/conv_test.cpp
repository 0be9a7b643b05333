// ctest: per_isa
#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/kernels/conv.hpp>
#include <ocelli/nn/ops/fused.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/session.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

using namespace ocelli;
using namespace ocelli::nn;

namespace {

tensor random_tensor(dims shape, unsigned seed) {
    std::mt19937 random(seed);
    tensor t(dtype::float32, std::move(shape));
    for (std::int64_t i = 0; i < t.size(); ++i) t.mutable_data<float>()[i] = static_cast<float>(random() >> 8) * (2.0f / 16777216.0f) - 1.0f;
    return t;
}

struct layer {
    dims x, w, strides, dilations, pads;
    std::int64_t group = 1;
};

// The layer as ocelli.Conv with the epilogue, by kernel and by reference in double; the largest difference, relative to the sum of |terms|.
double error_of(const layer& l, activation function, bool bias, bool addend, unsigned seed, const std::string& kernel) {
    graph g;
    g.opsets[""] = 13;
    const tensor xv = random_tensor(l.x, seed), wv = random_tensor(l.w, seed + 1), bv = random_tensor({l.w[0]}, seed + 2), sv = random_tensor({l.w[0]}, seed + 3);
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape::of_rank(l.x.size()), {}});
    const value_id w = g.add_constant("w", wv), b = bias ? g.add_constant("b", bv) : no_value;
    const value_id r = addend ? g.add_value("r", {dtype::float32, symbolic_shape::of_rank(l.x.size()), {}}) : no_value;
    const value_id s = function == activation::prelu ? g.add_constant("s", sv) : no_value;
    const value_id y = g.add_value("y");
    node n{.name = "layer", .op = "Conv", .domain = "ocelli", .opset = 1,
           .attributes = {{"strides", l.strides}, {"dilations", l.dilations}, {"pads", l.pads}, {"group", l.group}, {"kernel", kernel},
                          {"activation", std::string(name(function))}, {"alpha", 0.25f}, {"beta", 0.75f}},
           .inputs = {x, w, b, r, s}, .outputs = {y}};
    while (n.inputs.back() == no_value) n.inputs.pop_back();
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
        set_attribute(plain.nodes[0], "activation", std::string("none"));
        plain.nodes[0].inputs.resize(2);
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
        const tensor got = net.run(feeds)["y"];
        REQUIRE(got.shape() == expected.shape());
        double worst = 0;
        const double size = 1.0 + static_cast<double>(wv.size() / l.w[0]);
        for (std::int64_t i = 0; i < got.size(); ++i)
            worst = std::max(worst, std::abs(static_cast<double>(got.data<float>()[i]) - expected.data<double>()[i]) / size);
        return worst;
    }
}

}  // namespace

TEST_CASE("the convolution kernels agree with the reference in double over random layers and epilogues") {
    std::mt19937 random(11);
    const auto pick = [&](std::int64_t low, std::int64_t high) { return low + static_cast<std::int64_t>(random() % static_cast<unsigned>(high - low + 1)); };
    for (unsigned i = 0; i < 160; ++i) {
        CAPTURE(i);
        layer l;
        const bool depthwise = i % 3 == 0, pointwise = i % 3 == 1 && i % 2 == 0, line = i % 7 == 0;
        l.group = depthwise ? pick(2, 35) : pick(1, 3);
        const std::int64_t in = depthwise ? 1 : pick(1, 23), out = depthwise ? 1 : pick(1, 67);
        const std::size_t spatial = line ? 1 : 2;
        l.x = {pick(1, 3), in * l.group};
        l.w = {out * l.group, in};
        for (std::size_t a = 0; a < spatial; ++a) {
            const std::int64_t kernel = pointwise ? 1 : pick(1, 4), stride = pointwise ? 1 : pick(1, 3), dilation = pick(1, 3);
            l.w.push_back(kernel);
            l.strides.push_back(stride);
            l.dilations.push_back(dilation);
            l.x.push_back((kernel - 1) * dilation + pick(1, 24));
        }
        for (std::size_t a = 0; a < 2 * spatial; ++a) l.pads.push_back(pointwise ? 0 : pick(0, 3));
        const auto function = static_cast<activation>(i % 9);
        const std::string kernel = depthwise ? "conv_depthwise" : pointwise ? "conv_pointwise" : "conv_gemm";
        CHECK(error_of(l, function, i % 2 == 0, i % 5 < 2, 1000 * i, kernel) < 5e-7);
    }
    // Deep enough for several blocks, and few pixels of many filters.
    CHECK(error_of({{1, 70, 9, 9}, {40, 70, 3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1}, activation::relu, true, true, 1, "conv_gemm") < 5e-7);
    CHECK(error_of({{1, 300, 5, 5}, {200, 300, 1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1}, activation::none, true, false, 2, "conv_pointwise") < 5e-7);
    CHECK(error_of({{1, 3, 61, 83}, {16, 3, 3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, 1}, activation::silu, true, false, 3, "conv_gemm") < 5e-7);
    // Padding wider than the image.
    CHECK(error_of({{1, 2, 2, 2}, {3, 2, 3, 3}, {1, 1}, {4, 4}, {6, 6, 6, 6}, 1}, activation::none, true, false, 4, "conv_gemm") < 5e-7);
    CHECK(error_of({{1, 2, 2, 2}, {2, 1, 3, 3}, {1, 1}, {4, 4}, {6, 6, 6, 6}, 2}, activation::none, true, false, 5, "conv_depthwise") < 5e-7);
}

TEST_CASE("the kernels write nothing beside the result and read nothing beside the input") {
    conv_layer l;
    l.channels = 5;
    l.filters = 7;
    l.height = l.width = 6;
    l.out_height = l.out_width = 6;
    l.kernel_height = l.kernel_width = 3;
    l.pad_top = l.pad_left = 1;
    const tensor x = random_tensor({1, 5, 6, 6}, 1), w = random_tensor({7, 5, 3, 3}, 2);
    std::vector<float> packed(static_cast<std::size_t>(conv_gemm_packed_size(l)));
    conv_gemm_pack(l, w.data<float>(), packed.data());
    // Exact-size buffers: the address sanitizer watches their ends.
    const std::vector<float> exact(x.data<float>(), x.data<float>() + x.size());
    std::vector<float> y(7 * 36 + 1, 55.0f);
    conv_gemm(l, exact.data(), packed.data(), {}, y.data());
    CHECK(y.back() == 55.0f);
    l.group = l.filters = 5;
    const std::vector<float> dw(45, 0.5f);
    std::vector<float> z(5 * 36 + 1, 55.0f);
    conv_depthwise(l, exact.data(), dw.data(), {}, z.data());
    CHECK(z.back() == 55.0f);
}

TEST_CASE("convolution gives the same bits for any number of threads") {
    graph g;
    g.opsets[""] = 13;
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape::of_rank(4), {}}), y = g.add_value("y");
    const value_id w = g.add_constant("w", random_tensor({40, 30, 3, 3}, 5));
    g.add_node({.op = "Conv", .attributes = {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}}, .inputs = {x, w}, .outputs = {y}});
    g.inputs = {x};
    g.outputs = {y};
    const session net(g);
    const tensor image = random_tensor({2, 30, 31, 29}, 6);
    const tensor one = net.run({{"x", image}}, {.threads = 1})["y"];
    set_num_threads(4);
    const tensor many = net.run({{"x", image}})["y"];
    set_num_threads(0);
    CHECK(std::memcmp(one.raw(), many.raw(), one.bytes()) == 0);
}
