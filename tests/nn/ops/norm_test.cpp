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
    // spatial = 0: statistics of each element of a channel.
    CHECK_REFUSED(invalid_argument, run("BatchNormalization", 7, {x, scale, bias, mean, var}, {number("spatial", 0)}), "one floating element for each of 4 channels");
    CHECK_REFUSED(invalid_argument, run_all("BatchNormalization", 14, {x, scale, bias, mean, var}, {}, 3), "only training gives statistics");
    // is_test = 0 trains: the batch's own statistics.
    const tensor trained = run("BatchNormalization", 6, {x, scale, bias, mean, var}, {real("epsilon", 0)});
    CHECK(difference(elements<float>(trained), {-1, 1, -1, 3}) < 1e-6f);
    CHECK(difference(elements<float>(run("BatchNormalization", 6, {x, scale, bias, mean, var}, {real("epsilon", 0), number("is_test", 1)})), {0, 1, 1, 2}) < 1e-6f);
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

TEST_CASE("Dropout passes its input in inference, and in training drops by its seed") {
    const tensor x = floats({3}, {1, 2, 3});
    CHECK(elements<float>(run("Dropout", 13, {x})) == std::vector<float>{1, 2, 3});
    const auto y = run_all("Dropout", 13, {x}, {}, 2);
    CHECK(elements<bool>(y[1]) == std::vector<bool>{true, true, true});
    tensor ones(nn::dtype::float32, {20000});
    std::fill_n(ones.mutable_data<float>(), ones.size(), 1.0f);
    const std::vector<tensor> training = {ones, floats({}, {0.25f}), of<bool>({}, {true})};
    const auto first = run_all("Dropout", 13, training, {number("seed", 1)}, 2), other = run_all("Dropout", 13, training, {number("seed", 2)}, 2);
    double kept = 0;
    for (const float v : elements<float>(first[0])) kept += static_cast<double>(v);
    CHECK(kept / 20000 == doctest::Approx(1).epsilon(0.02));  // what is kept is scaled
    CHECK(elements<bool>(first[1]) != elements<bool>(other[1]));
    CHECK(elements<bool>(first[1]) == elements<bool>(run_all("Dropout", 13, training, {number("seed", 1)}, 2)[1]));
    CHECK_REFUSED(invalid_argument, run("Dropout", 13, {x, floats({}, {1}), of<bool>({}, {true})}), "ratio must lie in [0, 1), got 1");
}
