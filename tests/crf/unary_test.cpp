#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/crf/unary.hpp>
#include <ocelli/io/npy.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace ocelli;
using ocelli_test::largest_difference;
using ocelli_test::message_of;

namespace {

std::string at(const std::string& name) {
    return ocelli_test::golden("crf/" + name + ".npy");
}

}  // namespace

TEST_CASE("energies from labels are pydensecrf's") {
    const auto labels = read_npy<std::int32_t, 2>(at("labels"));
    CHECK(largest_difference(unary_from_labels(labels, 3, {.confidence = 0.7}), read_npy<float, 3>(at("labels_unary"))) < 1e-6);
    CHECK(largest_difference(unary_from_labels<double>(labels, 4, {.confidence = 0.6, .zero_is_unknown = false}),
                             read_npy<float, 3>(at("labels_unary_certain"))) < 1e-6);
}

TEST_CASE("energies from probabilities are pydensecrf's") {
    const auto softmax = read_npy<float, 3>(at("softmax"));
    CHECK(largest_difference(unary_from_probabilities(softmax), read_npy<float, 3>(at("softmax_unary"))) < 1e-5);
    const auto scaled = unary_from_probabilities(softmax, {.scale = 0.8, .clip = 1e-3});
    CHECK(largest_difference(scaled, read_npy<float, 3>(at("softmax_unary_scaled"))) < 1e-5);
    xt::xtensor<float, 3> out = softmax;
    unary_from_probabilities(out, {.scale = 0.8, .clip = 1e-3}, out);
    CHECK(out == scaled);
}

TEST_CASE("labels of points, an ignored value, one label, no pixels") {
    const auto u = unary_from_labels<float, 1>(std::vector<int>{0, 255, 1}, 2, {.confidence = 0.9, .zero_is_unknown = false, .ignore = 255});
    CHECK(u.shape(0) == 2);
    CHECK(std::abs(u(0, 0) + std::log(0.9f)) < 1e-6f);
    CHECK(std::abs(u(1, 0) + std::log(0.1f)) < 1e-6f);
    CHECK(u(0, 1) == u(1, 1));
    CHECK(std::abs(u(0, 1) - std::log(2.0f)) < 1e-6f);
    for (const float e : unary_from_labels(xt::xtensor<int, 2>{{0, 1}}, 1)) CHECK(e == 0);
    CHECK(unary_from_labels(xt::xtensor<int, 2>({0, 4}), 3).size() == 0);
    CHECK(unary_from_probabilities(xt::xtensor<float, 3>({2, 0, 4})).size() == 0);
}

TEST_CASE("bad labels and probabilities are refused") {
    const xt::xtensor<int, 2> labels{{0, 4}};
    CHECK(message_of([&] { (void)unary_from_labels(labels, 3); }) == "unary_from_labels: label 4 of point 1 is not one of 3 from 1");
    CHECK(message_of([&] { (void)unary_from_labels(xt::xtensor<int, 2>{{-1}}, 3); }) == "unary_from_labels: label -1 of point 0 is not one of 3 from 1");
    CHECK(message_of([&] { (void)unary_from_labels(labels, 5, {.confidence = 1}); }) == "unary_from_labels: the confidence must be in (0, 1), got 1");
    CHECK(message_of([&] { (void)unary_from_labels(labels, 0); }) == "unary_from_labels: there must be at least one label");
    CHECK(message_of([&] { (void)unary_from_labels(xt::xtensor<int, 2>({480, 640}, 1), 1000000); }) ==
          "unary_from_labels: 307200 points of 1000000 labels are more than 8589934592 numbers");
    const float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK(message_of([&] { (void)unary_from_probabilities(xt::xtensor<float, 3>({1, 1, 1}, nan)); }) ==
          "unary_from_probabilities: probabilities must be finite and not negative, got nan");
    CHECK(message_of([&] { (void)unary_from_probabilities(xt::xtensor<float, 3>({1, 1, 1}, 1.0f), {.scale = 0}); }) ==
          "unary_from_probabilities: the scale must be in (0, 1], got 0");
    CHECK(message_of([&] { (void)unary_from_probabilities(xt::xtensor<float, 3>({1, 1, 1}, 1.0f), {.clip = -1}); }) ==
          "unary_from_probabilities: the clip must be in [0, 1), got -1");
}
