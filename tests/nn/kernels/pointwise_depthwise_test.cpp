// ctest: per_isa
#include <support/convolutions.hpp>

#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/kernels/depthwise.hpp>
#include <ocelli/nn/kernels/pointwise_depthwise.hpp>
#include <ocelli/nn/passes/pipeline.hpp>

#include <cstring>
#include <initializer_list>
#include <limits>

using namespace convolutions;

namespace {

struct pair_layer {
    std::int64_t batch, channels, filters, height, width, kernel, stride, dilation, pad;
    activation first, second;
};

// A network of both convolutions; `apart`: the image between them is an output as well, so that they run one after the other.
graph network(const pair_layer& l, bool apart) {
    graph g;
    g.opsets[""] = 13;
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape({l.batch, l.channels, l.height, l.width}), {}});
    const value_id blocks = g.add_value("blocks"), planes = g.add_value("planes", g.at(x).what), between = g.add_value("between"), y = g.add_value("y");
    g.add_node({.name = "block", .op = "Block", .domain = "ocelli", .opset = 1, .attributes = {{"lanes", std::int64_t{block_lanes()}}}, .inputs = {x}, .outputs = {blocks}});
    g.add_node({.name = "unblock", .op = "Unblock", .domain = "ocelli", .opset = 1, .attributes = {{"channels", l.channels}}, .inputs = {blocks}, .outputs = {planes}});
    const auto constant = [&](dims shape, unsigned seed) { return g.add_constant("", random_tensor(std::move(shape), seed)); };
    const auto conv = [&](std::string_view name, activation f, value_id in, value_id w, unsigned seed, value_id out, std::vector<attribute> more) {
        node n{.name = std::string(name), .op = "Conv", .domain = "ocelli", .opset = 1, .attributes = std::move(more), .inputs = {in, w, constant({l.filters}, seed)},
               .outputs = {out}};
        set_attribute(n, "activation", std::string(nn::name(f)));
        set_attribute(n, "alpha", 0.25f);
        set_attribute(n, "beta", 0.75f);
        if (f == activation::prelu) n.inputs.insert(n.inputs.end(), {no_value, constant({l.filters}, seed + 1)});
        g.add_node(std::move(n));
    };
    conv("expand", l.first, planes, constant({l.filters, l.channels, 1, 1}, 2), 3, between, {});
    conv("depthwise", l.second, between, constant({l.filters, 1, l.kernel, l.kernel}, 5), 6, y,
         {{"group", l.filters}, {"strides", dims{l.stride, l.stride}}, {"dilations", dims{l.dilation, l.dilation}}, {"pads", dims{l.pad, l.pad, l.pad, l.pad}}});
    g.inputs = {x};
    g.outputs = {y};
    if (apart) g.outputs.push_back(between);
    return g;
}

// The fused pair gives the bits of the two convolutions, for any number of threads, and these the reference's numbers.
void check_pair(const pair_layer& l) {
    const tensor x = random_tensor({l.batch, l.channels, l.height, l.width}, 1);
    const session fused(network(l, false)), plain(network(l, true));
    REQUIRE(fused.explain().find("runs together with") != std::string::npos);
    REQUIRE(fused.explain().find("reference") == std::string::npos);
    REQUIRE(plain.explain().find("runs together with") == std::string::npos);
    const tensor expected = plain.run({{"x", x}})["y"];
    for (const std::size_t threads : std::initializer_list<std::size_t>{1, 3}) {
        const thread_limit limit(threads);
        const tensor got = fused.run({{"x", x}})["y"];
        REQUIRE(got.shape() == expected.shape());
        CHECK(std::memcmp(got.raw(), expected.raw(), expected.bytes()) == 0);
    }
    graph exact = network(l, false);
    for (value& v : exact.values)
        if (v.what.constant.defined()) v.what.constant = v.what.constant.cast(dtype::float64);
    const tensor wide = evaluate(exact, {{"x", x.cast(dtype::float64)}})["y"];
    const double size = static_cast<double>((1 + l.channels) * (1 + l.kernel * l.kernel));
    double worst = 0;
    for (std::int64_t i = 0; i < wide.size(); ++i)
        worst = std::max(worst, std::abs(wide.data<double>()[i] - static_cast<double>(expected.data<float>()[i])) / size);
    CHECK(worst < 5e-7);
    // The fused node's own reference.
    graph lowered = network(l, false);
    infer_facts(lowered);
    run_passes(lowered, kernel_passes);
    run_passes(lowered, together_passes);
    REQUIRE(std::any_of(lowered.nodes.begin(), lowered.nodes.end(), [](const node& n) { return n.op == "PointwiseDepthwise"; }));
    const tensor reference = evaluate(lowered, {{"x", x}})["y"];
    REQUIRE(reference.shape() == expected.shape());
    for (std::int64_t i = 0; i < wide.size(); ++i)
        worst = std::max(worst, std::abs(wide.data<double>()[i] - static_cast<double>(reference.data<float>()[i])) / size);
    CHECK(worst < 5e-7);
}

}  // namespace

TEST_CASE("a pointwise and a depthwise convolution together give the bits of one after the other, over random layers") {
    std::mt19937 random(41);
    const auto pick = ocelli_test::whole_numbers(random);
    for (unsigned i = 0; i < 60; ++i) {
        CAPTURE(i);
        pair_layer l{pick(1, 2), pick(1, 67), pick(2, 100), 0, 0, pick(2, 5), pick(1, 3), pick(1, 3), pick(0, 4), static_cast<activation>(i % 9),
                     static_cast<activation>(i / 3 % 9)};
        l.height = (l.kernel - 1) * l.dilation + pick(1, 40);
        l.width = (l.kernel - 1) * l.dilation + pick(1, 40);
        check_pair(l);
    }
}

TEST_CASE("pairs that need several parts: wide images, long sums, padding wider than the image, strides wider than the kernel") {
    const auto relu = activation::relu, silu = activation::silu, none = activation::none;
    check_pair({1, 16, 40, 112, 112, 3, 2, 1, 1, relu, silu});
    check_pair({1, 24, 33, 70, 300, 5, 1, 1, 2, silu, relu});
    check_pair({1, 500, 20, 9, 9, 3, 1, 1, 1, activation::clip, none});
    check_pair({1, 3, 5, 2, 2, 3, 1, 4, 6, none, none});
    check_pair({1, 8, 20, 90, 7, 2, 5, 1, 0, relu, relu});
    check_pair({2, 20, 96, 61, 83, 3, 1, 9, 9, relu, activation::hard_swish});
    check_pair({1, 16, 32, 40, 500, 4, 1, 3, 2, relu, relu});  // a ring of as few rows as there are under the taps
    check_pair({1, 24, 33, 50, 190, 3, 3, 2, 1, silu, none});
}

TEST_CASE("unused lanes of a pair's result are zero, whatever its image holds and its activations make of zero") {
    const std::int64_t lanes = block_lanes(), filters = lanes + lanes / 2, whole = 2 * lanes, pixels = 6 * 7;
    conv_layer first;
    first.channels = 3;
    first.filters = filters;
    conv_layer l;
    l.channels = l.filters = l.group = filters;
    l.height = l.out_height = 6;
    l.width = l.out_width = 7;
    l.kernel_height = l.kernel_width = 3;
    l.pad_top = l.pad_left = 1;
    const tensor w = random_tensor({filters, 3, 1, 1}, 1), v = random_tensor({filters, 1, 3, 3}, 2);
    std::vector<float> pointwise(static_cast<std::size_t>(blocked_conv_packed_size(first))), depthwise(static_cast<std::size_t>(whole * 9)), x(static_cast<std::size_t>(pixels * lanes));
    blocked_conv_pack(first, w.data<float>(), pointwise.data());
    blocked_depthwise_pack(l, v.data<float>(), depthwise.data());
    const std::vector<float> bias = in_whole_blocks(filters, 3);
    for (const float value : {1.0f, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()})
        for (const activation f : {activation::none, activation::sigmoid, activation::clip, activation::prelu}) {
            for (std::int64_t i = 0; i < pixels; ++i) std::fill_n(x.begin() + i * lanes, 3, value);
            blocked_epilogue e;
            e.bias = e.slope = bias.data();
            e.function = f;
            e.alpha = 0.25f;
            e.beta = 0.75f;
            std::vector<float> y(static_cast<std::size_t>(whole * pixels), 1.0f);
            blocked_pointwise_depthwise(first, {pointwise.data(), e}, l, {depthwise.data(), e}, x.data(), y.data());
            bool zero = true;
            for (std::int64_t i = 0; i < pixels; ++i)
                for (std::int64_t lane = lanes / 2; lane < lanes; ++lane) zero = zero && y[static_cast<std::size_t>((pixels + i) * lanes + lane)] == 0.0f;
            CHECK(zero);
        }
}
