#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/boxes/coders/dfl.hpp>
#include <ocelli/io/npy.hpp>

#include <cmath>
#include <limits>
#include <vector>

using ocelli_test::golden;
using ocelli_test::largest_difference;
using ocelli_test::message_of;

TEST_CASE_TEMPLATE("dfl_decode agrees with ultralytics in both layouts", T, float, double) {
    const xt::xtensor<T, 2> channels = xt::cast<T>(ocelli::read_npy<float, 2>(golden("boxes/coders/dfl_logits.npy")));
    const xt::xtensor<float, 2> expected = xt::transpose(ocelli::read_npy<float, 2>(golden("boxes/coders/dfl_distances.npy")));
    CHECK(largest_difference(ocelli::dfl_decode(channels, {.channels_first = true}), expected) < 1e-5);
    CHECK(largest_difference(ocelli::dfl_decode(xt::transpose(channels)), expected) < 1e-5);
    xt::xtensor<T, 2> out = xt::zeros<T>(expected.shape());
    ocelli::dfl_decode(channels, {.channels_first = true}, out);
    CHECK(largest_difference(out, expected) < 1e-5);
}

TEST_CASE("dfl_decode of dfl_encode's logarithms gives the distances again") {
    const xt::xtensor<double, 2> distances{{0, 0.25, 3.5, 6.999}, {7, 1, 2, 5.125}};
    const auto p = ocelli::dfl_encode(distances, 8);
    CHECK(p.shape() == std::array<std::size_t, 2>{2, 32});
    CHECK(p(0, 8) == 0.75);
    CHECK(p(0, 9) == 0.25);
    xt::xtensor<double, 2> logits = p;
    for (auto& x : logits) x = x > 0 ? std::log(x) : -1e4;
    CHECK(largest_difference(ocelli::dfl_decode(logits), distances) < 1e-12);
    CHECK(ocelli::dfl_encode(xt::xtensor<float, 2>::from_shape({0, 4}), 16).shape() == std::array<std::size_t, 2>{0, 64});
}

TEST_CASE("dfl_decode is safe with large logits and gives NaN for NaN") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    xt::xtensor<float, 2> logits = xt::zeros<float>({1, 12});
    logits(0, 0) = 1e30f;
    logits(0, 5) = -1e30f;
    logits(0, 10) = nan;
    const auto got = ocelli::dfl_decode(logits);
    CHECK(got(0, 0) == 0);
    CHECK(got(0, 1) == doctest::Approx(0.5));
    CHECK(got(0, 2) == doctest::Approx(1));
    CHECK(ocelli::detail::is_nan(got(0, 3)));
    CHECK(ocelli::dfl_decode(xt::xtensor<float, 2>::from_shape({0, 64})).shape() == std::array<std::size_t, 2>{0, 4});
    CHECK(ocelli::dfl_decode(xt::xtensor<float, 2>::from_shape({64, 0}), {.channels_first = true}).shape(0) == 0);
}

TEST_CASE("dfl_encode and dfl_decode say what they do not accept") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK(message_of([] {
              (void)ocelli::dfl_decode(xt::xtensor<float, 2>::from_shape({3, 63}));
          }) == "dfl_decode: logits must have shape (N, 4 R), got (3, 63)");
    CHECK(message_of([] {
              (void)ocelli::dfl_decode(xt::xtensor<float, 2>::from_shape({63, 3}), {.channels_first = true});
          }) == "dfl_decode: logits must have shape (4 R, N), got (63, 3)");
    CHECK(message_of([] {
              (void)ocelli::dfl_encode(xt::xtensor<float, 2>{{0, 0, 0, 7.5f}}, 8);
          }) == "dfl_encode: distances must be in [0, 7], row 0 has 7.5");
    CHECK(message_of([&] {
              (void)ocelli::dfl_encode(xt::xtensor<float, 2>{{0, 0, 0, nan}}, 8);
          }) == "dfl_encode: distances must be in [0, 7], row 0 has nan");
    CHECK(message_of([] {
              (void)ocelli::dfl_encode(xt::xtensor<float, 2>{{0, 0, 0, 0}}, 1);
          }) == "dfl_encode: bins must be at least 2, got 1");
    CHECK(message_of([] {
              (void)ocelli::dfl_encode(xt::xtensor<float, 2>{{0, 0, 0}}, 8);
          }) == "dfl_encode: distances must have shape (N, 4), got (1, 3)");
}
