#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/features/class_activation.hpp>
#include <ocelli/io/npy.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <string>

using namespace ocelli;
using ocelli_test::largest_difference;
using ocelli_test::message_of;

namespace {

std::string at(const std::string& name) {
    return ocelli_test::golden("features/activation/" + name + ".npy");
}

}  // namespace

TEST_CASE("class activation maps are the papers' sums, in double and float") {
    const auto features = read_npy<double, 4>(at("features")), gradients = read_npy<double, 4>(at("gradients"));
    const auto weights = read_npy<double, 2>(at("weights"));
    const auto cam = read_npy<double, 4>(at("cam"));
    const auto grad = read_npy<double, 3>(at("grad_cam"));
    CHECK(largest_difference(class_activation_map(features, weights), cam) < 1e-12);
    CHECK(largest_difference(grad_cam(features, gradients), grad) < 1e-12);
    const xt::xtensor<float, 4> f = xt::cast<float>(features), g = xt::cast<float>(gradients);
    const xt::xtensor<float, 2> w = xt::cast<float>(weights);
    CHECK(largest_difference(class_activation_map(f, w), cam) < 1e-5);
    CHECK(largest_difference(grad_cam(f, g), grad) < 1e-5);
    xt::xtensor<double, 4> out(cam.shape(), 3.0);
    class_activation_map(features, weights, out);
    CHECK(out == class_activation_map(features, weights));
    xt::xtensor<double, 3> second(grad.shape(), 3.0);
    grad_cam(features, gradients, second);
    CHECK(second == grad_cam(features, gradients));
}

TEST_CASE("a map's mean is the score of global average pooling and the dense layer") {
    const auto features = read_npy<double, 4>(at("features"));
    const auto weights = read_npy<double, 2>(at("weights"));
    const auto cam = class_activation_map(features, weights);
    for (std::size_t n = 0; n < 2; ++n)
        for (std::size_t k = 0; k < 3; ++k) {
            double mean = 0, score = 0;
            for (std::size_t i = 0; i < 35; ++i) {
                mean += cam.data()[(n * 3 + k) * 35 + i] / 35;
                for (std::size_t c = 0; c < 6; ++c) score += weights(k, c) * features.data()[(n * 6 + c) * 35 + i] / 35;
            }
            CHECK(std::abs(mean - score) < 1e-12);
        }
}

TEST_CASE("NaN stays, and empty maps stay empty") {
    xt::xtensor<float, 4> features({1, 1, 1, 2}, 1.0f);
    features(0, 0, 0, 1) = std::numeric_limits<float>::quiet_NaN();
    const auto found = grad_cam(features, xt::xtensor<float, 4>({1, 1, 1, 2}, 1.0f));
    CHECK(found(0, 0, 0) == 1);
    CHECK(detail::is_nan(found(0, 0, 1)));
    CHECK(grad_cam(xt::xtensor<float, 4>({2, 3, 0, 4}), xt::xtensor<float, 4>({2, 3, 0, 4})).shape() == std::array<std::size_t, 3>{2, 0, 4});
    CHECK(class_activation_map(xt::xtensor<float, 4>({0, 3, 2, 4}), xt::xtensor<float, 2>({5, 3})).shape() == std::array<std::size_t, 4>{0, 5, 2, 4});
    CHECK(class_activation_map(xt::xtensor<float, 4>({1, 0, 1, 2}), xt::xtensor<float, 2>({1, 0})) == xt::xtensor<float, 4>({1, 1, 1, 2}, 0.0f));
}

TEST_CASE("bad arguments are named") {
    const xt::xtensor<float, 4> features({1, 3, 2, 2}, 0.0f);
    CHECK(message_of([&] { (void)class_activation_map(features, xt::xtensor<float, 2>({5, 4})); }) ==
          "class_activation_map: weights must have shape (K, 3), got (5, 4)");
    CHECK(message_of([&] { (void)grad_cam(features, xt::xtensor<float, 4>({1, 3, 2, 1})); }) ==
          "grad_cam: gradients must have the features' shape (1, 3, 2, 2), got (1, 3, 2, 1)");
    xt::xtensor<float, 3> out({1, 2, 3});
    CHECK(message_of([&] { grad_cam(features, features, out); }) == "grad_cam: out must have shape (1, 2, 2), got (1, 2, 3)");
}
