#include "support/compare.hpp"

#include <ocelli/crf/compatibility.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <vector>

using namespace ocelli;
using ocelli_test::message_of;

TEST_CASE("energies become what labels gain beside each other") {
    CHECK(label_compatibility(3).weights() == std::vector<double>{3});
    CHECK(label_compatibility(3).labels() == 0);
    CHECK(label_compatibility::per_label(std::vector<float>{-1, 2}).weights() == std::vector<double>{1, -2});
    const auto m = label_compatibility::matrix(xt::xtensor<double, 2>{{-1, 2}, {4, 0}});
    CHECK(m.labels() == 2);
    CHECK(m.weights() == std::vector<double>{1, -3, -3, 0});
}

TEST_CASE("energies that are no numbers, and matrices that are not square, are refused") {
    CHECK(message_of([] { label_compatibility c(std::numeric_limits<double>::quiet_NaN()); }) == "label_compatibility: energies must be finite, got nan");
    CHECK(message_of([] { (void)label_compatibility::per_label(std::vector<double>{1, std::numeric_limits<double>::infinity()}); }) ==
          "label_compatibility: energies must be finite, got inf");
    CHECK(message_of([] { (void)label_compatibility::matrix(xt::xtensor<double, 2>({2, 3}, 0.0)); }) ==
          "label_compatibility: energies must have shape (L, L), got (2, 3)");
    CHECK(message_of([] { (void)label_compatibility::per_label(std::vector<double>{}); }) == "label_compatibility: there must be at least one label");
}
