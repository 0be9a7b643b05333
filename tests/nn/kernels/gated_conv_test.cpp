// ctest: per_isa
#include <support/convolutions.hpp>

#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/kernels/gated_conv.hpp>
#include <ocelli/nn/passes/pipeline.hpp>

#include <cstring>
#include <initializer_list>

using namespace convolutions;

namespace {

struct gated_layer {
    std::int64_t batch, channels, filters, height, width;
    activation function;
    bool bias, adds, gate_first;
};

// Squeeze and excitation behind a convolution, and one that reads it; `apart`: the product is an output as well.
graph network(const gated_layer& l, bool apart) {
    graph g;
    g.opsets[""] = 13;
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape({l.batch, 5, l.height, l.width}), {}});
    const auto constant = [&](dims shape, unsigned seed) { return g.add_constant("", random_tensor(std::move(shape), seed)); };
    const auto add = [&](node n) {
        n.outputs = {g.add_value("")};
        g.add_node(std::move(n));
        return g.nodes.back().outputs[0];
    };
    const auto conv = [&](value_id from, value_id w, unsigned seed, std::int64_t filters, activation f, bool bias, value_id addend = no_value) {
        node n{.name = "conv", .op = "Conv", .domain = "ocelli", .opset = 1, .inputs = {from, w, bias ? constant({filters}, seed) : no_value, addend}};
        set_attribute(n, "activation", std::string(nn::name(f)));
        set_attribute(n, "alpha", 0.25f);
        set_attribute(n, "beta", 0.75f);
        if (f == activation::prelu) n.inputs.push_back(constant({filters}, seed + 1));
        return add(std::move(n));
    };
    const value_id image = conv(x, constant({l.channels, 5, 1, 1}, 2), 3, l.channels, activation::none, true);
    const value_id mean = add({.name = "mean", .op = "GlobalAveragePool", .inputs = {image}});
    const value_id gate = conv(mean, constant({l.channels, l.channels, 1, 1}, 4), 5, l.channels, activation::sigmoid, true);
    const value_id product = add({.name = "gate", .op = "Mul", .inputs = l.gate_first ? std::vector<value_id>{gate, image} : std::vector<value_id>{image, gate}});
    const value_id other = l.adds ? conv(x, constant({l.filters, 5, 1, 1}, 9), 10, l.filters, activation::none, true) : no_value;
    const value_id y = conv(product, constant({l.filters, l.channels, 1, 1}, 6), 7, l.filters, l.function, l.bias, other);
    g.inputs = {x};
    g.outputs = {y};
    if (apart) g.outputs.push_back(product);
    return g;
}

// The reference's numbers, the same bits for any number of threads, and as good as one after the other.
void check_gated(const gated_layer& l) {
    const tensor x = random_tensor({l.batch, 5, l.height, l.width}, 1);
    const graph made = network(l, false);
    const session fused(made), plain(network(l, true));
    REQUIRE(fused.explain().find("is done to the weights of") != std::string::npos);
    REQUIRE(fused.explain().find("reference") == std::string::npos);
    REQUIRE(plain.explain().find("is done to the weights of") == std::string::npos);
    tensor first;
    for (const std::size_t threads : std::initializer_list<std::size_t>{1, 3}) {
        const thread_limit limit(threads);
        const tensor got = fused.run({{fused.inputs()[0].name, x}})[fused.outputs()[0].name];
        if (!first.defined()) first = got;
        REQUIRE(got.shape() == first.shape());
        CHECK(std::memcmp(got.raw(), first.raw(), first.bytes()) == 0);
    }
    graph exact = made;
    for (value& v : exact.values)
        if (v.what.constant.defined()) v.what.constant = v.what.constant.cast(dtype::float64);
    const std::string in = fused.inputs()[0].name, out = fused.outputs()[0].name;
    const tensor wide = evaluate(exact, {{in, x.cast(dtype::float64)}})[out];
    const double size = static_cast<double>((1 + l.channels) * (1 + l.channels));
    const auto worst = [&](const tensor& y) {
        double most = 0;
        REQUIRE(y.shape() == wide.shape());
        for (std::int64_t i = 0; i < wide.size(); ++i) most = std::max(most, std::abs(wide.data<double>()[i] - static_cast<double>(y.data<float>()[i])) / size);
        return most;
    };
    CHECK(worst(first) < 5e-7);
    // The node's own reference.
    graph lowered = made;
    infer_facts(lowered);
    run_passes(lowered, kernel_passes);
    run_passes(lowered, together_passes);
    REQUIRE(std::any_of(lowered.nodes.begin(), lowered.nodes.end(), [](const node& n) { return n.op == "GatedConv"; }));
    CHECK(worst(evaluate(lowered, {{in, x}})[out]) < 5e-7);
}

}  // namespace

TEST_CASE("a gate done to the weights of the convolution behind it gives the product's numbers, over random layers") {
    std::mt19937 random(17);
    const auto pick = ocelli_test::whole_numbers(random);
    for (unsigned i = 0; i < 36; ++i) {
        CAPTURE(i);
        gated_layer l{pick(1, 2), pick(22, 90), pick(22, 70), pick(8, 20), pick(9, 30), static_cast<activation>(i % 9), i % 4 != 0, i % 3 == 0, i % 2 == 0};
        check_gated(l);
    }
    check_gated({1, 300, 120, 12, 12, activation::none, true, false, false});  // long sums, weights of several tasks
}

TEST_CASE("a gate stays apart where its convolution has more filters than pixels, or the gate is no gate") {
    const session few(network({1, 24, 40, 6, 6, activation::none, true, false, false}, false));
    CHECK(few.explain().find("is done to the weights of") == std::string::npos);
    graph g = network({1, 24, 20, 6, 6, activation::none, true, false, false}, false);
    for (node& n : g.nodes)
        if (n.op == "Mul") n.inputs[1] = n.inputs[0];
    CHECK(session(g).explain().find("is done to the weights of") == std::string::npos);
}
