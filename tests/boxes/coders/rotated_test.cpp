#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/boxes/coders/rotated.hpp>
#include <ocelli/io/npy.hpp>

#include <array>
#include <limits>
#include <string>

using ocelli_test::golden;
using ocelli_test::largest_difference;
using ocelli_test::message_of;

namespace {

template <class T>
xt::xtensor<T, 2> load(const std::string& name) {
    return xt::cast<T>(ocelli::read_npy<double, 2>(golden("boxes/coders/d2_rotated_" + name + ".npy")));
}

} // namespace

TEST_CASE_TEMPLATE("rotated_rcnn_encode and rotated_rcnn_decode agree with detectron2", T, float, double) {
    const auto boxes = load<T>("boxes"), anchors = load<T>("anchors"), deltas = load<T>("deltas");
    for (const std::string kind : {"unit", "weighted"}) {
        const ocelli::rotated_rcnn_coder_options options{.weights = kind == "unit" ? std::array<double, 5>{1, 1, 1, 1, 1}
                                                                                   : std::array<double, 5>{10, 10, 5, 5, 2}};
        CHECK(largest_difference(ocelli::rotated_rcnn_encode(boxes, anchors, options), load<T>("encoded_" + kind)) <
              (sizeof(T) == 4 ? 1e-3 : 1e-11));
        CHECK(largest_difference(ocelli::rotated_rcnn_decode(deltas, anchors, options), load<T>("decoded_" + kind)) <
              (sizeof(T) == 4 ? 2e-2 : 1e-9));
    }
}

TEST_CASE("rotated_rcnn_decode of rotated_rcnn_encode gives the boxes again, with the angle in [-180, 180)") {
    const auto boxes = load<double>("boxes"), anchors = load<double>("anchors");
    const ocelli::rotated_rcnn_coder_options options{.weights = {2, 3, 4, 5, 6}, .scale_clamp = 100};
    const auto back = ocelli::rotated_rcnn_decode(ocelli::rotated_rcnn_encode(boxes, anchors, options), anchors, options);
    for (std::size_t i = 0; i < boxes.shape(0); ++i) {
        for (std::size_t c = 0; c < 4; ++c) CHECK(back(i, c) == doctest::Approx(boxes(i, c)));
        CHECK(back(i, 4) >= -180);
        CHECK(back(i, 4) < 180);
        CHECK(back(i, 4) == doctest::Approx(ocelli::detail::wrap_degrees(boxes(i, 4))));
    }
}

TEST_CASE("angles wrap to [-180, 180)") {
    CHECK(ocelli::detail::wrap_degrees(180.0) == -180);
    CHECK(ocelli::detail::wrap_degrees(-180.0) == -180);
    CHECK(ocelli::detail::wrap_degrees(179.0) == 179);
    CHECK(ocelli::detail::wrap_degrees(-541.0) == 179);
    CHECK(ocelli::detail::wrap_degrees(3600.5) == 0.5);
    CHECK(ocelli::detail::wrap_degrees(-180 - 1e-14) < 180);
    CHECK(ocelli::detail::wrap_degrees(-180.00001f) < 180);
    CHECK(ocelli::detail::is_nan(ocelli::detail::wrap_degrees(std::numeric_limits<float>::quiet_NaN())));
    CHECK(!ocelli::detail::is_finite(ocelli::detail::wrap_degrees(std::numeric_limits<double>::infinity())));
}

TEST_CASE("rotated_rcnn_decode gives NaN for NaN, and no rows for no rows") {
    const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
    const xt::xtensor<float, 2> anchors{{0, 0, 16, 16, 0}, {0, 0, 16, 16, 0}};
    auto got = ocelli::rotated_rcnn_decode(xt::xtensor<float, 2>{{0, 0, nan, inf, 0}, {0, 0, 0, 0, nan}}, anchors);
    CHECK(ocelli::detail::is_nan(got(0, 2)));
    CHECK(got(0, 3) == doctest::Approx(1000));
    CHECK(got(0, 4) == 0);
    CHECK(ocelli::detail::is_nan(got(1, 4)));
    CHECK(ocelli::rotated_rcnn_decode(xt::xtensor<float, 2>::from_shape({0, 10}), xt::xtensor<float, 2>::from_shape({0, 5}))
              .shape() == std::array<std::size_t, 2>{0, 10});
    xt::xtensor<float, 2> inout{{1, 0, 0, 0, 0}};
    ocelli::rotated_rcnn_decode(inout, xt::xtensor<float, 2>{{0, 0, 16, 16, 30}}, {}, inout);
    CHECK(largest_difference(inout, xt::xtensor<float, 2>{{16, 0, 16, 16, 30}}) < 1e-5);
}

TEST_CASE("rotated_rcnn_encode and rotated_rcnn_decode say what they do not accept") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const xt::xtensor<float, 2> good{{0, 0, 2, 2, 0}}, flat{{0, 0, 2, 0, 0}}, broken{{0, 0, 2, 2, nan}};
    CHECK(message_of([&] { (void)ocelli::rotated_rcnn_encode(good, flat); }) ==
          "rotated_rcnn_encode: anchors must have positive sizes, row 0 has 2 x 0");
    CHECK(message_of([&] { (void)ocelli::rotated_rcnn_encode(broken, good); }) ==
          "rotated_rcnn_encode: boxes must be finite, row 0 is not");
    CHECK(message_of([&] {
              (void)ocelli::rotated_rcnn_decode(xt::xtensor<float, 2>::from_shape({1, 4}), good);
          }) == "rotated_rcnn_decode: deltas must have shape (N, 5 K), got (1, 4)");
    CHECK(message_of([&] {
              (void)ocelli::rotated_rcnn_decode(good, good, {.weights = {1, 1, 1, 1, 0}});
          }) == "rotated_rcnn_decode: weights must be finite and not zero, got 0");
    CHECK(message_of([&] {
              (void)ocelli::rotated_rcnn_decode(good, xt::xtensor<float, 2>::from_shape({2, 5}));
          }) == "rotated_rcnn_decode: deltas and anchors must have the same length, got 1 and 2");
}
