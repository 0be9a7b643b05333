#include <support/operators.hpp>

#include <ocelli/nn/ops/fused.hpp>

using namespace operators;
using ocelli::activation;
using ocelli::invalid_argument;

namespace {

tensor fused(const std::vector<tensor>& inputs, std::vector<attribute> attributes, const char* op = "Conv") {
    nn::graph g;
    g.opsets["ocelli"] = 1;
    nn::node n;
    n.op = op;
    n.domain = "ocelli";
    n.opset = 1;
    n.attributes = std::move(attributes);
    nn::named_tensors feeds;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (!inputs[i].defined()) {
            n.inputs.push_back(nn::no_value);
            continue;
        }
        const std::string name = ocelli::detail::concat("x", i);
        n.inputs.push_back(g.add_value(name, {inputs[i].type(), nn::symbolic_shape(inputs[i].shape()), {}}));
        g.inputs.push_back(n.inputs.back());
        feeds.add(name, inputs[i]);
    }
    n.outputs.push_back(g.add_value("y"));
    g.outputs = n.outputs;
    g.add_node(std::move(n));
    return nn::evaluate(g, feeds)[0];
}

}  // namespace

TEST_CASE("every activation has a name that leads back to it") {
    for (int i = 0; i <= static_cast<int>(activation::gelu); ++i) CHECK(nn::parse_activation(nn::name(static_cast<activation>(i))) == static_cast<activation>(i));
    CHECK_THROWS_WITH_AS(nn::parse_activation("swoosh"), "no activation is named 'swoosh'", invalid_argument);
}

TEST_CASE("activations compute the operators they stand for, and pass NaN") {
    const tensor x = floats({6}, {-7, -1, 0, 0.25f, 2, 8});
    const auto check = [&](activation function, const char* op, std::int64_t opset, double alpha, double beta, std::vector<attribute> attributes,
                           std::vector<tensor> more = {}) {
        INFO(op);
        std::vector<tensor> inputs = {x};
        inputs.insert(inputs.end(), more.begin(), more.end());
        std::vector<float> mine;
        for (const float v : elements<float>(x)) mine.push_back(static_cast<float>(nn::activated(static_cast<double>(v), function, alpha, beta, 0.5)));
        CHECK(difference(mine, elements<float>(run(op, opset, inputs, std::move(attributes)))) < 1e-6f);
    };
    check(activation::none, "Identity", 13, 0, 0, {});
    check(activation::relu, "Relu", 13, 0, 0, {});
    check(activation::clip, "Clip", 6, -1, 6, {real("min", -1), real("max", 6)});
    check(activation::leaky_relu, "LeakyRelu", 13, 0.25, 0, {real("alpha", 0.25f)});
    check(activation::prelu, "PRelu", 13, 0, 0, {}, {floats({1}, {0.5f})});
    check(activation::hard_sigmoid, "HardSigmoid", 13, 0.25, 0.5, {real("alpha", 0.25f), real("beta", 0.5f)});
    check(activation::hard_swish, "HardSwish", 14, 0, 0, {});
    check(activation::sigmoid, "Sigmoid", 13, 0, 0, {});
    check(activation::gelu, "Gelu", 20, 0, 0, {});
    const tensor silu = run("Mul", 13, {x, run("Sigmoid", 13, {x})});
    for (std::size_t i = 0; i < 6; ++i)
        CHECK(nn::activated(static_cast<double>(elements<float>(x)[i]), activation::silu, 0, 0, 0) == doctest::Approx(static_cast<double>(elements<float>(silu)[i])));
    for (int i = 0; i <= static_cast<int>(activation::gelu); ++i)
        CHECK(ocelli::detail::is_nan(nn::activated(static_cast<double>(qnan), static_cast<activation>(i), 0.1, 0.2, 0.5)));
}

TEST_CASE("a fused convolution adds bias, then the addend, then activates") {
    const tensor x = floats({1, 1, 3}, {1, 2, 3}), w = floats({2, 1, 2}, {1, 1, -1, -1}), bias = floats({2}, {1, 2});
    CHECK(elements<float>(fused({x, w, bias}, {word("activation", "relu")})) == std::vector<float>{4, 6, 0, 0});
    const tensor addend = floats({1, 2, 2}, {-10, 1, 2, 3});
    CHECK(elements<float>(fused({x, w, bias, addend}, {})) == std::vector<float>{-6, 7, 1, 0});
    CHECK(elements<float>(fused({x, w, bias, addend}, {word("activation", "clip"), real("alpha", -1), real("beta", 5)})) == std::vector<float>{-1, 5, 1, 0});
    CHECK(elements<float>(fused({x, w, {}, addend, floats({2}, {0.5f, 2})}, {word("activation", "prelu")})) == std::vector<float>{-3.5f, 6, -2, -4});
    CHECK_REFUSED(invalid_argument, fused({x, w, bias, floats({1, 2, 1}, {1, 1})}, {}), "the addend must have the result's shape");
    CHECK_REFUSED(invalid_argument, fused({x, w, bias, {}, floats({3}, {1, 1, 1})}, {word("activation", "prelu")}), "one slope per channel");
}

TEST_CASE("a fused product adds a bias for each column, then the addend, then activates") {
    const tensor a = floats({1, 2, 2}, {1, 2, 3, 4}), w = floats({2, 3}, {1, 0, -1, 0, 1, -1}), bias = floats({3}, {10, 20, 30});
    const auto product = [&](std::vector<tensor> inputs, std::vector<attribute> attributes) { return fused(inputs, std::move(attributes), "MatMul"); };
    CHECK(product({a, w}, {}).shape() == dims{1, 2, 3});
    CHECK(elements<float>(product({a, w}, {})) == std::vector<float>{1, 2, -3, 3, 4, -7});
    CHECK(elements<float>(product({a, w, bias}, {})) == std::vector<float>{11, 22, 27, 13, 24, 23});
    const tensor addend = floats({1, 2, 3}, {1, 1, 1, 2, 2, 2});
    CHECK(elements<float>(product({a, w, {}, addend}, {word("activation", "relu")})) == std::vector<float>{2, 3, 0, 5, 6, 0});
    const tensor t = floats({3, 2}, {1, 0, 0, 1, -1, -1});
    CHECK(elements<float>(product({a, t, bias}, {number("transB", 1)})) == std::vector<float>{11, 22, 27, 13, 24, 23});
    CHECK_REFUSED(invalid_argument, product({a, floats({3, 1}, {1, 1, 1})}, {}), "do not multiply");
    CHECK_REFUSED(invalid_argument, product({a, w, floats({2}, {1, 1})}, {}), "one bias for each column");
    CHECK_REFUSED(invalid_argument, product({a, w, {}, bias}, {}), "the addend must have the result's shape");
}
