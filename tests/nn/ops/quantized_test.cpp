#include <support/golden_models.hpp>

#include <random>

using namespace operators;
using nn::dtype;
using ocelli::invalid_argument;

namespace {

tensor random_bytes(dtype type, dims shape, unsigned seed) {
    std::mt19937 random(seed);
    tensor t(type, std::move(shape));
    for (std::int64_t i = 0; i < t.size(); ++i) static_cast<std::uint8_t*>(t.mutable_raw())[i] = static_cast<std::uint8_t>(random() & 255);
    return t;
}
tensor turned(const tensor& x, std::vector<std::int64_t> perm) {
    return run("Transpose", 13, {x}, {{"perm", std::move(perm)}});
}
// An operator of domain ocelli; what is inferred holds.
tensor run_private(const std::string& op, const std::vector<tensor>& inputs, std::vector<attribute> attributes) {
    nn::graph g;
    nn::node n{.name = op, .op = op, .domain = "ocelli", .opset = 1, .attributes = std::move(attributes)};
    nn::named_tensors feeds;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        n.inputs.push_back(nn::no_value);
        if (!inputs[i].defined()) continue;
        n.inputs.back() = g.add_value(std::string(1, static_cast<char>('a' + i)), {inputs[i].type(), nn::symbolic_shape(inputs[i].shape()), {}});
        g.inputs.push_back(n.inputs.back());
        feeds.add(g.at(n.inputs.back()).name, inputs[i]);
    }
    g.outputs = n.outputs = {g.add_value("y")};
    g.add_node(std::move(n));
    nn::infer_facts(g);
    const tensor y = nn::evaluate(g, feeds)[0];
    CHECK(g.at(g.outputs[0]).what.type == y.type());
    CHECK(nn::accepts(g.at(g.outputs[0]).what.shape, y.shape()));
    return y;
}
attribute whole(const char* name, std::int64_t v) {
    return {name, v};
}

}  // namespace

TEST_CASE("QConv is QLinearConv with the channels last") {
    for (unsigned seed = 0; seed < 4; ++seed) {
        const dtype type = seed % 2 == 0 ? dtype::uint8 : dtype::int8;
        const tensor x = random_bytes(type, {2, 6, 7, 5}, seed), w = random_bytes(dtype::int8, {4, 3, 3, 2}, seed + 9), bias = of<std::int32_t>({4}, {100, -2000, 3, 40000});
        const tensor zero = type == dtype::uint8 ? of<std::uint8_t>({}, {131}) : of<std::int8_t>({}, {-7}), w_zero = of<std::int8_t>({4}, {0, 3, -128, 127});
        const tensor scales = floats({4}, {0.01f, 0.02f, 0.005f, 0.5f});
        const std::vector<attribute> window{{"group", std::int64_t{2}}, {"pads", std::vector<std::int64_t>{1, 0, 2, 1}}, {"strides", std::vector<std::int64_t>{2, 1}}};
        const tensor expected = run("QLinearConv", 10, {x, floats({}, {0.5f}), zero, w, scales, w_zero, floats({}, {4}), of<std::uint8_t>({}, {100}), bias}, window);
        std::vector<float> together;
        for (const float s : elements<float>(scales)) together.push_back(0.5f * s / 4);
        std::vector<attribute> mine = window;
        for (const attribute& a : {whole("x_zero", zero.to_ints()[0]), whole("y_zero", 100), whole("low", -100), whole("high", 155), whole("to", 2)}) mine.push_back(a);
        const tensor y = run_private("QConv", {turned(x, {0, 2, 3, 1}), w, tensor::from<float>({4}, together), bias, w_zero}, mine);
        CHECK(elements<std::uint8_t>(turned(y, {0, 3, 1, 2})) == elements<std::uint8_t>(expected));
    }
}

TEST_CASE("QMatMul gives bytes, sums and floats") {
    const tensor a = of<std::uint8_t>({2, 3}, {1, 2, 3, 4, 5, 6}), w = of<std::int8_t>({3, 2}, {1, -1, 2, 0, 3, 1}), wt = of<std::int8_t>({2, 3}, {1, 2, 3, -1, 0, 1});
    const tensor scale = floats({2}, {0.5f, 0.25f}), bias = of<std::int32_t>({2}, {1, 10});
    // a - 1 = {0 1 2, 3 4 5}: sums {8 2, 26 2}, with the bias {9 12, 27 12}.
    CHECK(elements<std::int32_t>(run_private("QMatMul", {a, w, tensor(), bias}, {whole("x_zero", 1), whole("to", 6)})) == std::vector<std::int32_t>{9, 12, 27, 12});
    CHECK(elements<float>(run_private("QMatMul", {a, wt, scale, bias}, {whole("x_zero", 1), whole("transB", 1), whole("to", 1)})) == std::vector<float>{4.5f, 3, 13.5f, 3});
    CHECK(elements<std::int8_t>(run_private("QMatMul", {a, w, scale, bias}, {whole("x_zero", 1), whole("to", 3), whole("y_zero", -5), whole("low", 0), whole("high", 10)})) ==
          std::vector<std::int8_t>{-1, -2, 5, -2});
    CHECK_REFUSED(invalid_argument, run_private("QMatMul", {a, wt}, {whole("to", 6)}), "do not multiply");
    CHECK_REFUSED(invalid_argument, run_private("QMatMul", {a, w}, {whole("to", 7)}), "no result of this type");
    CHECK_REFUSED(invalid_argument, run_private("QMatMul", {a, w}, {whole("to", 2), whole("low", 5), whole("high", 4)}), "not in the range of bytes");
}

TEST_CASE("sums, products, tables, maxima and means of bytes") {
    const tensor a = of<std::uint8_t>({1, 1, 2, 2}, {10, 20, 30, 255}), b = of<std::int8_t>({1, 1, 1, 2}, {2, -4});
    const std::vector<attribute> to{whole("to", 2), whole("low", -3), whole("high", 252), whole("y_zero", 3)};
    std::vector<attribute> add = to, multiply = to;
    for (const attribute& x : {whole("a_zero", 10), whole("b_zero", 10), attribute{"a_scale", 0.5f}, attribute{"b_scale", 0.25f}}) add.push_back(x);
    CHECK(elements<std::uint8_t>(run_private("QAdd", {a, a}, add)) == std::vector<std::uint8_t>{3, 11, 18, 187});  // 0, 7.5, 15, 183.75
    for (const attribute& x : {whole("a_zero", 10), whole("b_zero", -5), attribute{"a_scale", 0.5f}}) multiply.push_back(x);
    CHECK(elements<std::uint8_t>(run_private("QMul", {a, b}, multiply)) == std::vector<std::uint8_t>{3, 8, 73, 125});  // 0, 5, 70, 122.5
    CHECK_REFUSED(invalid_argument, run_private("QAdd", {a, b}, add), "do not fit");
    std::vector<std::int8_t> table(256);
    for (std::size_t i = 0; i < 256; ++i) table[i] = static_cast<std::int8_t>(127 - static_cast<int>(i));
    CHECK(elements<std::int8_t>(run_private("QTable", {a, tensor::from<std::int8_t>({256}, table)}, {})) == std::vector<std::int8_t>{117, 107, 97, -128});
    const std::vector<attribute> window{{"kernel_shape", std::vector<std::int64_t>{1, 2}}, {"pads", std::vector<std::int64_t>{0, 0, 0, 1}}};
    CHECK(elements<std::uint8_t>(run_private("QMaxPool", {a}, window)) == std::vector<std::uint8_t>{30, 255, 30, 255});
    std::vector<attribute> mean = to;
    for (const attribute& x : {whole("x_zero", 10), attribute{"scale", 0.5f}}) mean.push_back(x);
    CHECK(elements<std::uint8_t>(run_private("QMean", {a}, mean)) == std::vector<std::uint8_t>{8, 67});  // 5, 63.75
}
