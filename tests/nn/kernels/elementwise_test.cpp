// ctest: per_isa
#include <support/nodes.hpp>
#include <support/tensors.hpp>

#include <ocelli/nn/kernels/elementwise.hpp>

using namespace nodes;

namespace {

struct function_case {
    const char* op;
    std::vector<attribute> attributes;
    double tolerance;
    float low = -12, high = 12;
    double floor = 1e-37;
};

// Random numbers of all sizes, and those at the edges of the format.
tensor arguments(const function_case& c, std::int64_t n, unsigned seed, bool edges) {
    tensor x = random_tensor({n}, seed, c.low, c.high);
    float* p = x.mutable_data<float>();
    for (std::int64_t i = 0; i < n; i += 3) p[i] *= 1e-3f * static_cast<float>(i % 7);
    const float special[] = {qnan, infinity, -infinity, 0.0f, -0.0f, 1e30f, -1e30f, 1e-30f, -1e-30f, 89.5f, -89.5f, 3.0e-39f};
    for (std::size_t i = 0; edges && i < std::size(special) && static_cast<std::int64_t>(2 * i + 1) < n; ++i) p[2 * i + 1] = special[i];
    return x;
}

}  // namespace

TEST_CASE("functions of one element agree with the reference in double, NaN and infinity included") {
    const std::vector<function_case> cases{
        {"Relu", {}, 0},
        {"LeakyRelu", {{"alpha", 0.125f}}, 1e-7},
        {"ThresholdedRelu", {{"alpha", 0.5f}}, 0},
        {"Sigmoid", {}, 4e-7, -12, 12, 1e-32},
        {"HardSigmoid", {{"alpha", 0.2f}, {"beta", 0.5f}}, 1e-6, -12, 12, 1e-1},
        {"HardSwish", {}, 1e-6, -12, 12, 1e-1},
        {"Tanh", {}, 4e-7},
        {"Exp", {}, 3e-7, -100, 88, 1e-38},
        {"Log", {}, 3e-7, 0, 30, 1e-3},
        {"Sqrt", {}, 1e-7, 0, 30},
        {"Reciprocal", {}, 1e-7},
        {"Neg", {}, 0},
        {"Floor", {}, 0},
        {"Ceil", {}, 0},
        {"Round", {}, 0},
        {"Abs", {}, 0},
        {"Erf", {}, 3e-7},
        {"Sin", {}, 2e-7, -12, 12, 1e-1},
        {"Cos", {}, 2e-7, -12, 12, 1e-1},
        {"Sin", {}, 2e-7, -8000, 8000, 1},
        {"Cos", {}, 2e-7, -8000, 8000, 1},
        {"Sin", {}, 2e-7, -1e-3f, 1e-3f},
        {"Softplus", {}, 4e-7, -12, 12, 1e-32},
        {"Softsign", {}, 2e-7},
        {"Mish", {}, 8e-7, -12, 12, 1e-6},
        {"Elu", {{"alpha", 0.5f}}, 4e-7},
        {"Selu", {}, 4e-7},
        {"Celu", {{"alpha", 2.0f}}, 5e-7},
        {"Gelu", {}, 6e-7, -12, 12, 1e-1},
        {"Gelu", {{"approximate", std::string("tanh")}}, 2e-6, -12, 12, 1e-1},
    };
    for (const function_case& c : cases) {
        CAPTURE(std::string(c.op));
        for (const std::int64_t n : {1, 3, 16, 31, 67, 20000}) {
            const bool edges = n >= 31;
            const result r = run_node({.op = c.op, .attributes = c.attributes}, {arguments(c, n, static_cast<unsigned>(n), edges)}, {}, 21);
            CAPTURE(n);
            CAPTURE(r.kernel);

            CHECK(error_of(r, c.floor) <= c.tolerance);
        }
    }
}

TEST_CASE("whole numbers: halves, zeros' signs, and numbers without a fraction") {
    const tensor x = tensor::from<float>({14}, {0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f, -0.0f, 0.49999997f, -0.25f, 8388607.5f, -8388607.5f, 8388609.0f, 4194304.5f, -16777218.0f});
    for (const char* op : {"Floor", "Ceil", "Round"}) {
        CAPTURE(std::string(op));
        const result r = run_node({.op = op}, {x});
        CHECK(error_of(r, 1e-30) == 0);
        for (std::int64_t i = 0; i < x.size(); ++i) {
            CAPTURE(i);
            CHECK(std::signbit(r.outputs[0].data<float>()[i]) == std::signbit(r.expected[0].data<double>()[i]));
        }
    }
}

TEST_CASE("Clip takes constant bounds, and NaN passes") {
    const tensor x = tensor::from<float>({5}, {-3, qnan, 0.25f, 9, -infinity});
    const result r = run_node({.op = "Clip"}, {x, tensor::scalar(-1.0f), tensor::scalar(0.5f)}, {1, 2});
    CHECK(r.kernel == "clip");
    CHECK(error_of(r, 1e-30) == 0);
    const result low = run_node({.op = "Clip"}, {x, tensor(), tensor::scalar(0.0f)}, {2});
    CHECK(error_of(low, 1e-30) == 0);
    const result cube = run_node({.op = "Pow"}, {x, tensor::scalar(3.0f)}, {1});
    CHECK(cube.kernel == "cube");
    CHECK(error_of(cube, 1e-30) < 1e-7);
    const result power = run_node({.op = "Pow"}, {x, tensor::scalar(2.0f)}, {1});
    CHECK(power.kernel == "square");
    CHECK(error_of(power, 1e-30) <= 1e-7);
    const tensor cubes = random_tensor({2, 3, 4}, 5);
    for (const dims& shape : {dims{1}, dims{1, 1, 1}}) {  // the exponent of a network on blocks of channels
        const result square = run_node({.op = "Pow"}, {cubes, tensor::from<float>(shape, {2.0f})}, {1});
        CHECK(square.kernel == "square");
        CHECK(error_of(square, 1e-30) <= 1e-7);
    }
}

TEST_CASE("functions of two elements agree with the reference over the broadcasts that occur") {
    const std::pair<dims, dims> shapes[] = {
        {{7}, {7}},
        {{2, 3, 5, 67}, {2, 3, 5, 67}},
        {{2, 3, 5, 67}, {}},
        {{}, {2, 3, 5, 67}},
        {{1}, {1}},
        {{2, 3, 5, 67}, {67}},           // trailing vector
        {{5, 67}, {5, 1}},               // per row
        {{2, 3, 5, 7}, {1, 3, 1, 1}},    // per channel
        {{3, 1, 1}, {2, 3, 5, 7}},
        {{2, 3, 4, 5, 16}, {2, 3, 1, 1, 16}},  // the gate of an image in blocks
        {{2, 3, 1, 1, 8}, {2, 3, 4, 5, 8}},
        {{5, 1, 4}, {1, 6, 1}},
        {{4, 1, 3, 1, 5}, {1, 2, 1, 6, 1}},
        {{300, 400}, {300, 1}},
        {{130, 1, 1, 2}, {1, 7, 7, 2}},  // short rows
        {{3, 1, 2}, {3, 50, 1}},
        {{70000}, {1}},
        {{0, 3}, {1, 3}},
    };
    unsigned seed = 1;
    for (const auto& [a, b] : shapes)
        for (const char* op : {"Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"}) {
            CAPTURE(std::string(op));
            const dims &left = a, &right = b;  // structured bindings do not go into CAPTURE
            CAPTURE(left);
            CAPTURE(right);
            tensor x = random_tensor(a, ++seed), y = random_tensor(b, ++seed);
            for (std::int64_t i = 0; i < y.size(); ++i) y.mutable_data<float>()[i] += y.data<float>()[i] < 0 ? -0.5f : 0.5f;
            if (x.size() > 5) x.mutable_data<float>()[3] = qnan;
            if (y.size() > 5) y.mutable_data<float>()[5] = qnan;
            const result r = run_node({.op = op}, {x, y});
            CHECK(error_of(r, 1e-1) <= 2e-6);
        }
}

TEST_CASE("Pow is C's pow() to the last place but one, and to the bit where that says so") {
    const auto powers = [](const std::vector<float>& x, const std::vector<float>& y) {
        const auto n = static_cast<std::int64_t>(x.size());
        tensor a(dtype::float32, {n}), b(dtype::float32, {n});
        std::copy(x.begin(), x.end(), a.mutable_data<float>());
        std::copy(y.begin(), y.end(), b.mutable_data<float>());
        const result r = run_node({.op = "Pow"}, {a, b});
        CHECK(r.kernel == "power");
        return ocelli_test::floats_of(r.outputs[0]);
    };
    const std::vector<float> special{0.0f, -0.0f, 1.0f, -1.0f, 0.5f, -0.5f, 2.0f, -2.0f, 3.0f, -3.0f, 2.5f, -2.5f, 8388609.0f, -8388609.0f, 16777216.0f, 1e30f, -1e30f, 1e-40f, -1e-40f,
                                     std::numeric_limits<float>::max(), std::numeric_limits<float>::min(), infinity, -infinity, qnan};
    std::vector<float> x, y;
    for (const float a : special)
        for (const float b : special) {
            x.push_back(a);
            y.push_back(b);
        }
    const std::size_t exact = x.size();
    std::mt19937 random(5);
    const auto uniform = [&](float low, float high) { return low + (high - low) * (static_cast<float>(random() >> 8) / 16777216.0f); };
    for (int i = 0; i < 4000; ++i) {
        x.push_back(i % 4 == 0 ? uniform(0.9f, 1.1f) : std::exp2(uniform(-149, 128)));
        y.push_back(i % 4 == 0 ? uniform(-900, 900) : i % 2 == 0 ? uniform(-1, 1) : uniform(-20, 20));
        if (i % 5 == 0) {
            x.back() = -x.back();
            y.back() = std::round(y.back());
        }
    }
    const std::vector<float> got = powers(x, y);
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        CAPTURE(x[i]);
        CAPTURE(y[i]);
        const float expected = static_cast<float>(std::pow(static_cast<double>(x[i]), static_cast<double>(y[i])));
        if (i < exact && !std::isnormal(expected)) {
            CHECK(std::isnan(got[i]) == std::isnan(expected));
            if (!std::isnan(expected) && std::fpclassify(expected) != FP_SUBNORMAL) {
                CHECK(got[i] == expected);
                CHECK(std::signbit(got[i]) == std::signbit(expected));
            }
        }
        if (std::isnormal(expected)) worst = std::max(worst, std::abs((static_cast<double>(got[i]) - static_cast<double>(expected)) / static_cast<double>(expected)));
    }
    CHECK(worst < 1.3e-7);
}

TEST_CASE("PRelu takes slopes of channels") {
    const result r = run_node({.op = "PRelu"}, {random_tensor({2, 3, 5, 7}, 1), random_tensor({3, 1, 1}, 2)}, {1});
    CHECK(r.kernel == "prelu");
    CHECK(error_of(r, 1e-3) < 1e-6);
    CHECK_THROWS_AS(run_node({.op = "PRelu"}, {random_tensor({3, 1, 1}, 1), random_tensor({3, 4, 1}, 2)}), invalid_argument);
}

TEST_CASE("softmax agrees with the reference along any axis, and lines with NaN become NaN") {
    unsigned seed = 100;
    for (const dims& shape : {dims{1, 1}, dims{3, 7}, dims{2, 5, 33}, dims{4, 200, 3}, dims{2, 9, 4, 17}, dims{3, 1000}, dims{130, 2}, dims{1025, 2}, dims{65, 8}, dims{7, 49}, dims{9, 16}, dims{4, 511}, dims{5, 512}})
        for (std::int64_t axis = 0; axis < static_cast<std::int64_t>(shape.size()); ++axis)
            for (const std::int64_t opset : {11, 13}) {
                tensor x = random_tensor(shape, ++seed, -20, 20);
                if (x.size() > 40) {
                    x.mutable_data<float>()[x.size() / 2] = qnan;
                    x.mutable_data<float>()[1] = -infinity;
                }
                CAPTURE(shape);
                CAPTURE(axis);
                const result r = run_node({.op = "Softmax", .attributes = {{"axis", axis}}}, {x}, {}, opset);
                CHECK(r.kernel == "softmax");
                CHECK(error_of(r, 1e-6) < 2e-6);
            }
    const result r = run_node({.op = "Softmax"}, {tensor::from<float>({2, 3}, {-infinity, -infinity, -infinity, 1, infinity, 2})});
    for (std::int64_t i = 0; i < 3; ++i) CHECK(ocelli::detail::is_nan(r.outputs[0].data<float>()[i]));
    CHECK(ocelli::detail::is_nan(r.outputs[0].data<float>()[4]));
}

TEST_CASE("numbers become the nearest of 256 multiples of a scale: halves to even, NaN 0") {
    for (const float scale : {0.02f, 1.0f, 7.5f})
        for (const float low : {-255.0f, -128.0f, -3.0f, 0.0f}) {
            tensor x = random_tensor({3, 1003}, static_cast<unsigned>(scale * 100 - low), -300 * scale, 300 * scale);
            float* p = x.mutable_data<float>();
            const float special[] = {qnan, infinity, -infinity, 0.0f, 0.5f * scale, 1.5f * scale, -2.5f * scale, 1e30f, -1e30f};
            for (std::size_t i = 0; i < std::size(special); ++i) p[i * 7] = special[i];
            graph g;
            node n{.name = "fake", .op = "FakeQuantize", .domain = "ocelli", .opset = 1, .attributes = {{"scale", scale}, {"low", low}}};
            n.inputs = {g.add_value("x", {dtype::float32, symbolic_shape(x.shape()), {}})};
            n.outputs = {g.add_value("y")};
            g.add_node(n);
            weight_cache cache;
            const auto kernel = bind_kernel(g, g.nodes[0], cache);
            REQUIRE(kernel != nullptr);
            CHECK(kernel->name() == "fake_quantize");
            tensor y, expected;
            const tensor* const in[] = {&x};
            tensor* const out[] = {&y};
            kernel->run({in, out});
            eval_context context(g.nodes[0], std::span<const tensor>(&x, 1), std::span<tensor>(&expected, 1));
            g.nodes[0].def->eval(context);
            REQUIRE(y.shape() == expected.shape());
            for (std::int64_t i = 0; i < y.size(); ++i) REQUIRE(y.data<float>()[i] == expected.data<float>()[i]);
            CHECK(y.data<float>()[0] == 0.0f);
        }
}
