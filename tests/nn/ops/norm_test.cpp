#include <support/golden_models.hpp>

using namespace operators;
using ocelli::invalid_argument;
using ocelli::unsupported_operator;

TEST_CASE("normalisations agree with PyTorch") {
    CHECK(ocelli_test::check_golden_models("norm", 1e-5) == 8);
}

TEST_CASE("batch normalisation applies the statistics it is given") {
    const tensor x = floats({1, 2, 2}, {1, 2, 3, 4}), scale = floats({2}, {1, 2}), bias = floats({2}, {0, 1}), mean = floats({2}, {1, 3}), var = floats({2}, {1, 4});
    const tensor y = run("BatchNormalization", 9, {x, scale, bias, mean, var}, {real("epsilon", 0)});
    CHECK(difference(elements<float>(y), {0, 1, 1, 2}) < 1e-6f);
    CHECK(run("BatchNormalization", 9, {floats({0, 2, 3}, {}), scale, bias, mean, var}).shape() == dims{0, 2, 3});
    CHECK_REFUSED(invalid_argument, run("BatchNormalization", 9, {x, floats({3}, {1, 1, 1}), bias, mean, var}), "one floating element for each of 2 channels");
    CHECK_REFUSED(unsupported_operator, run("BatchNormalization", 7, {x, scale, bias, mean, var}, {number("spatial", 0)}), "spatial = 0");
    CHECK_REFUSED(unsupported_operator, run("BatchNormalization", 6, {x, scale, bias, mean, var}), "is_test = 0");
    CHECK_REFUSED(unsupported_operator, run_all("BatchNormalization", 9, {x, scale, bias, mean, var}, {}, 3), "training mode of operator set 14 only");
}

TEST_CASE("a constant slice normalises to its bias") {
    const tensor x = floats({1, 1, 3}, {7, 7, 7}), one = floats({1}, {2}), bias = floats({1}, {0.5f});
    CHECK(elements<float>(run("InstanceNormalization", 6, {x, one, bias})) == std::vector<float>{0.5f, 0.5f, 0.5f});
    CHECK(elements<float>(run("LayerNormalization", 17, {x, floats({3}, {1, 1, 1})})) == std::vector<float>{0, 0, 0});
    CHECK(elements<float>(run("GroupNormalization", 21, {x, one, bias}, {number("num_groups", 1)})) == std::vector<float>{0.5f, 0.5f, 0.5f});
}

TEST_CASE("LayerNormalization gives mean and inverse deviation when asked") {
    const auto y = run_all("LayerNormalization", 17, {floats({1, 2}, {1, 3}), floats({2}, {1, 1})}, {real("epsilon", 0)}, 3);
    CHECK(difference(elements<float>(y[0]), {-1, 1}) < 1e-6f);
    CHECK(elements<float>(y[1]) == std::vector<float>{2});
    CHECK(difference(elements<float>(y[2]), {1}) < 1e-6f);
    CHECK(y[2].shape() == dims{1, 1});
    CHECK_REFUSED(invalid_argument, run("LayerNormalization", 17, {floats({1, 2}, {1, 3}), floats({3}, {1, 1, 1})}), "does not broadcast to the normalised shape");
    CHECK_REFUSED(invalid_argument, run("LayerNormalization", 17, {floats({1, 2}, {1, 3}), floats({2}, {1, 1})}, {number("axis", 2)}), "axis 2 is outside");
    CHECK_REFUSED(unsupported_operator, run("LayerNormalization", 17, {floats({1, 2}, {1, 3}), floats({2}, {1, 1})}, {number("stash_type", 6)}), "stash_type 6");
}

TEST_CASE("normalisations refuse what has no meaning") {
    const tensor x = floats({1, 3}, {1, 2, 3}), cube = floats({1, 3, 1}, {1, 2, 3}), three = floats({3}, {1, 1, 1});
    CHECK_REFUSED(invalid_argument, run("InstanceNormalization", 6, {x, three, three}), "input must have shape (N, C, ...)");
    CHECK_REFUSED(invalid_argument, run("GroupNormalization", 21, {cube, three, three}, {number("num_groups", 2)}), "num_groups 2 does not divide 3 channels");
    CHECK_REFUSED(invalid_argument, run("LpNormalization", 1, {x}, {number("p", 3)}), "p must be 1 or 2");
    CHECK_REFUSED(invalid_argument, run("LRN", 13, {x}, {number("size", 0)}), "size must be at least 1");
    CHECK_REFUSED(invalid_argument, run("LRN", 13, {floats({3}, {1, 2, 3})}, {number("size", 1)}), "input must have shape (N, C, ...)");
}

TEST_CASE("Dropout passes its input in inference and is refused in training") {
    const tensor x = floats({3}, {1, 2, 3});
    CHECK(elements<float>(run("Dropout", 13, {x})) == std::vector<float>{1, 2, 3});
    const auto y = run_all("Dropout", 13, {x}, {}, 2);
    CHECK(elements<bool>(y[1]) == std::vector<bool>{true, true, true});
    CHECK_REFUSED(unsupported_operator, run("Dropout", 13, {x, floats({}, {0.5f}), of<bool>({}, {true})}), "training mode is not supported");
}
