#include <support/operators.hpp>

#include <cmath>

using namespace operators;
using ocelli::invalid_argument;
using ocelli::unsupported_operator;

TEST_CASE("NaN passes through activations") {
    const tensor x = floats({1}, {qnan});
    for (const char* op : {"Relu", "LeakyRelu", "Elu", "Selu", "Celu", "ThresholdedRelu", "Sigmoid", "HardSigmoid", "HardSwish", "Softplus", "Softsign",
                           "Tanh", "Gelu", "Mish", "Clip"}) {
        INFO(op);
        CHECK(same(elements<float>(run(op, 21, {x})), {qnan}));
    }
    CHECK(same(elements<float>(run("Clip", 13, {x, floats({}, {-1}), floats({}, {1})})), {qnan}));
    CHECK(same(elements<float>(run("PRelu", 16, {x, floats({1}, {0.5f})})), {qnan}));
}

TEST_CASE("activations agree with their formulas and do not overflow") {
    const tensor x = floats({5}, {-100, -1, 0, 2, 100});
    const auto check = [&](const char* op, std::vector<attribute> attributes, std::vector<float> expected) {
        INFO(op);
        CHECK(difference(elements<float>(run(op, 21, {x}, std::move(attributes))), expected) < 1e-5f);
    };
    check("Relu", {}, {0, 0, 0, 2, 100});
    check("LeakyRelu", {real("alpha", 0.1f)}, {-10, -0.1f, 0, 2, 100});
    check("Elu", {real("alpha", 2)}, {-2, -1.26424112f, 0, 2, 100});
    check("Selu", {}, {-1.75809934f, -1.11133074f, 0, 2.10140204f, 105.070099f});
    check("Celu", {real("alpha", 2)}, {-2, -0.786938681f, 0, 2, 100});
    check("ThresholdedRelu", {real("alpha", 2)}, {0, 0, 0, 0, 100});
    check("Sigmoid", {}, {0, 0.268941421f, 0.5f, 0.880797078f, 1});
    check("HardSigmoid", {real("alpha", 0.5f), real("beta", 0.6f)}, {0, 0.1f, 0.6f, 1, 1});
    check("HardSwish", {}, {0, -0.333333343f, 0, 1.66666663f, 100});
    check("Softplus", {}, {0, 0.313261688f, 0.693147182f, 2.12692809f, 100});
    check("Softsign", {}, {-0.990099f, -0.5f, 0, 0.666666667f, 0.990099f});
    check("Tanh", {}, {-1, -0.761594176f, 0, 0.96402758f, 1});
    check("Gelu", {}, {0, -0.158655256f, 0, 1.95449972f, 100});
    check("Gelu", {word("approximate", "tanh")}, {0, -0.158808023f, 0, 1.95459771f, 100});
    check("Mish", {}, {0, -0.303401461f, 0, 1.94395900f, 100});
    check("Shrink", {real("bias", 1), real("lambd", 1.5f)}, {-99, 0, 0, 1, 99});
    CHECK_REFUSED(unsupported_operator, run("Gelu", 20, {x}, {word("approximate", "guess")}), "guess");
    CHECK_REFUSED(unsupported_operator, run("Sigmoid", 13, {list({1})}), "int64");
    CHECK_REFUSED(unsupported_operator, run("Relu", 13, {x}, {real("alpha", 1)}), "attribute 'alpha' is not supported");
}

TEST_CASE("PRelu has a slope per channel") {
    const tensor x = floats({1, 2, 1, 2}, {-1, 2, -3, 4});
    CHECK(elements<float>(run("PRelu", 16, {x, floats({2, 1, 1}, {0.5f, 2})})) == std::vector<float>{-0.5f, 2, -6, 4});
    CHECK(elements<float>(run("PRelu", 6, {x, floats({2}, {0.5f, 2})})) == std::vector<float>{-0.5f, 2, -6, 4});
    CHECK(elements<std::int32_t>(run("PRelu", 16, {of<std::int32_t>({2}, {-3, 3}), of<std::int32_t>({}, {2})})) == std::vector<std::int32_t>{-6, 3});
    CHECK_REFUSED(invalid_argument, run("PRelu", 16, {floats({2}, {1, 2}), floats({2, 2}, {1, 2, 3, 4})}), "slope");
}

TEST_CASE("Clip takes bounds as attributes or as inputs, each optional") {
    const tensor x = floats({4}, {-2, 0, 1, 3});
    CHECK(elements<float>(run("Clip", 6, {x}, {real("min", -1), real("max", 2)})) == std::vector<float>{-1, 0, 1, 2});
    CHECK(elements<float>(run("Clip", 6, {x})) == std::vector<float>{-2, 0, 1, 3});
    CHECK(elements<float>(run("Clip", 13, {x, floats({}, {-1}), floats({}, {2})})) == std::vector<float>{-1, 0, 1, 2});
    CHECK(elements<float>(run("Clip", 13, {x, {}, floats({}, {2})})) == std::vector<float>{-2, 0, 1, 2});
    CHECK(elements<float>(run("Clip", 13, {x, floats({}, {2}), floats({}, {1})})) == std::vector<float>{1, 1, 1, 1});
    CHECK(elements<std::int64_t>(run("Clip", 13, {list({-5, 5}), list({0})})) == std::vector<std::int64_t>{0, 5});
    CHECK_REFUSED(invalid_argument, run("Clip", 13, {x, floats({2}, {1, 2})}), "scalars");
    CHECK_REFUSED(unsupported_operator, run("Clip", 6, {list({1})}), "int64");
    CHECK(run("Relu", 13, {floats({0, 3}, {})}).shape() == dims{0, 3});
}
