#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/boxes/coders/rcnn.hpp>
#include <ocelli/io/npy.hpp>

#include <Eigen/Core>

#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

using ocelli_test::golden;
using ocelli_test::largest_difference;
using ocelli_test::message_of;

namespace {

template <class T>
xt::xtensor<T, 2> load(const std::string& name) {
    return xt::cast<T>(ocelli::read_npy<double, 2>(golden("boxes/coders/" + name + ".npy")));
}

constexpr std::array<double, 4> weighted{10, 10, 5, 5};

} // namespace

TEST_CASE_TEMPLATE("rcnn_encode and rcnn_decode agree with torchvision", T, float, double) {
    const auto boxes = load<T>("boxes"), anchors = load<T>("anchors"), deltas = load<T>("deltas");
    for (const std::string kind : {"unit", "weighted"}) {
        const ocelli::rcnn_coder_options options{.weights = kind == "unit" ? std::array<double, 4>{1, 1, 1, 1} : weighted};
        CHECK(largest_difference(ocelli::rcnn_encode(boxes, anchors, options), load<T>("rcnn_encoded_" + kind)) <
              (sizeof(T) == 4 ? 2e-3 : 1e-11));
        const auto got = ocelli::rcnn_decode(deltas, anchors, options);
        const auto expected = load<T>("rcnn_decoded_" + kind);
        REQUIRE(got.shape() == expected.shape());
        for (std::size_t i = 0; i < got.size(); ++i) // of thousands of pixels
            CHECK(static_cast<double>(got.data()[i]) ==
                  doctest::Approx(static_cast<double>(expected.data()[i])).epsilon(sizeof(T) == 4 ? 3e-6 : 1e-13).scale(1000));
    }
}

TEST_CASE("rcnn_decode agrees with detectron2") {
    const auto got = ocelli::rcnn_decode(load<float>("deltas"), load<float>("anchors"), {.weights = weighted});
    const auto expected = ocelli::read_npy<float, 2>(golden("boxes/coders/d2_rcnn_decoded.npy"));
    CHECK(largest_difference(got, expected) < 1e-3);
}

TEST_CASE("rcnn_decode of rcnn_encode gives the boxes again") {
    const auto boxes = load<double>("boxes"), anchors = load<double>("anchors");
    const ocelli::rcnn_coder_options options{.weights = {3, 0.5, -2, 7}, .scale_clamp = 100};
    CHECK(largest_difference(ocelli::rcnn_decode(ocelli::rcnn_encode(boxes, anchors, options), anchors, options), boxes) <
          1e-9);
    CHECK(largest_difference(ocelli::rcnn_decode(ocelli::rcnn_encode(xt::cast<float>(boxes), xt::cast<float>(anchors)),
                                                 xt::cast<float>(anchors)),
                             xt::xtensor<float, 2>(xt::cast<float>(boxes))) < 2e-3);
}

TEST_CASE("rcnn_decode takes several classes, any array, and its own input as output") {
    Eigen::MatrixXf deltas(1, 8);
    deltas << 0, 0, 0, 0, 0.5f, -1, 0, 0;
    const std::vector<std::array<float, 4>> anchors{{0, 0, 10, 20}};
    CHECK(largest_difference(ocelli::rcnn_decode(deltas, anchors), xt::xtensor<float, 2>{{0, 0, 10, 20, 5, -20, 15, 0}}) < 1e-5);
    xt::xtensor<float, 2> inout{{0.5f, -1, 0, 0}};
    ocelli::rcnn_decode(inout, anchors, {}, inout);
    CHECK(largest_difference(inout, xt::xtensor<float, 2>{{5, -20, 15, 0}}) < 1e-5);
    CHECK(ocelli::rcnn_decode(xt::xtensor<float, 2>::from_shape({0, 8}), xt::xtensor<float, 2>::from_shape({0, 4})).shape() ==
          std::array<std::size_t, 2>{0, 8});
    std::vector<std::array<float, 4>> out(1);
    ocelli::rcnn_encode(anchors, anchors, {}, out);
    CHECK(out[0] == std::array<float, 4>{0, 0, 0, 0});
}

TEST_CASE("rcnn_decode gives NaN for NaN and limits what is too large") {
    const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
    const xt::xtensor<double, 2> anchors{{0, 0, 16, 16}, {0, 0, 16, 16}, {0, 0, 16, 16}, {5, 5, 5, 9}};
    const auto got =
        ocelli::rcnn_decode(xt::xtensor<double, 2>{{0, 0, nan, 0}, {0, 0, inf, 0}, {nan, 0, 0, 0}, {1, 1, 1, 0}}, anchors);
    CHECK(ocelli::detail::is_nan(got(0, 0)));
    CHECK(ocelli::detail::is_nan(got(0, 2)));
    CHECK(got(0, 1) == 0);
    CHECK(got(1, 2) - got(1, 0) == doctest::Approx(1000));
    CHECK(ocelli::detail::is_nan(got(2, 0)));
    CHECK(got(3, 0) == 5);
    CHECK(got(3, 2) == 5);
}

TEST_CASE("rcnn_encode and rcnn_decode say what they do not accept") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const xt::xtensor<float, 2> good{{0, 0, 2, 2}}, flat{{0, 0, 2, 0}}, broken{{0, nan, 2, 2}}, two = xt::zeros<float>({2, 4});
    CHECK(message_of([&] { (void)ocelli::rcnn_encode(good, flat); }) ==
          "rcnn_encode: anchors must be finite with x2 > x1 and y2 > y1, row 0 is (0, 0, 2, 0)");
    CHECK(message_of([&] { (void)ocelli::rcnn_encode(broken, good); }) ==
          "rcnn_encode: boxes must be finite with x2 > x1 and y2 > y1, row 0 is (0, nan, 2, 2)");
    CHECK(message_of([&] { (void)ocelli::rcnn_encode(two, good); }) ==
          "rcnn_encode: boxes and anchors must have the same length, got 2 and 1");
    CHECK(message_of([&] {
              (void)ocelli::rcnn_decode(xt::xtensor<float, 2>::from_shape({1, 6}), good);
          }) == "rcnn_decode: deltas must have shape (N, 4 K), got (1, 6)");
    CHECK(message_of([&] {
              (void)ocelli::rcnn_decode(good, good, {.weights = {1, 0, 1, 1}});
          }) == "rcnn_decode: weights must be finite and not zero, got 0");
    CHECK(message_of([&] { (void)ocelli::rcnn_decode(good, good, {.scale_clamp = std::nan("")}); }) ==
          "rcnn_decode: scale_clamp must not be NaN");
    CHECK(message_of([&] {
              (void)ocelli::rcnn_decode(good, xt::xtensor<float, 2>::from_shape({1, 5}));
          }) == "rcnn_decode: anchors must have shape (N, 4), got (1, 5)");
}
