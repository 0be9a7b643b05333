#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/boxes/coders/dfl.hpp>
#include <ocelli/boxes/coders/ltrb.hpp>
#include <ocelli/io/npy.hpp>

#include <Eigen/Core>
#if __has_include(<xtensor/views/xview.hpp>)
#    include <xtensor/views/xview.hpp>
#else
#    include <xtensor/xview.hpp>
#endif

#include <array>
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

} // namespace

TEST_CASE_TEMPLATE("ltrb_encode and ltrb_decode agree with torchvision's and detectron2's linear coders", T, float, double) {
    const auto boxes = load<T>("boxes"), anchors = load<T>("anchors");
    const xt::xtensor<T, 2> distances = xt::view(load<T>("deltas"), xt::all(), xt::range(0, 4));
    const double tolerance = sizeof(T) == 4 ? 5e-4 : 1e-11;
    for (const bool normalize : {false, true}) {
        const std::string end = normalize ? "_1" : "_0";
        CHECK(largest_difference(ocelli::ltrb_encode(boxes, anchors, {.normalize_by_size = normalize}),
                                 load<T>("linear_encoded" + end)) < tolerance);
        CHECK(largest_difference(ocelli::ltrb_encode(boxes, anchors, {.normalize_by_size = normalize}),
                                 load<T>("d2_linear_encoded" + end)) < tolerance);
        CHECK(largest_difference(ocelli::ltrb_decode(distances, anchors, {.normalize_by_size = normalize}),
                                 load<T>("linear_decoded" + end)) < tolerance);
        CHECK(largest_difference(
                  ocelli::ltrb_decode(distances, anchors, {.normalize_by_size = normalize, .clamp_negative = true}),
                  load<T>("d2_linear_decoded" + end)) < tolerance);
    }
}

TEST_CASE("dfl_decode and ltrb_decode give ultralytics' boxes, and ltrb_encode its targets") {
    const auto logits = ocelli::read_npy<float, 2>(golden("boxes/coders/dfl_logits.npy"));
    const auto points = ocelli::read_npy<float, 2>(golden("boxes/coders/v8_points.npy"));
    const auto strides = ocelli::read_npy<float, 1>(golden("boxes/coders/v8_strides.npy"));
    const auto boxes = ocelli::ltrb_decode(ocelli::dfl_decode(logits, {.channels_first = true}), points, strides);
    CHECK(largest_difference(boxes, ocelli::read_npy<float, 2>(golden("boxes/coders/v8_boxes.npy"))) < 1e-3);

    // One level at a time, with a stride for all.
    const auto truth = ocelli::read_npy<float, 2>(golden("boxes/coders/v8_truth.npy"));
    const auto targets = ocelli::read_npy<float, 2>(golden("boxes/coders/v8_targets.npy"));
    const std::size_t first[] = {0, 16, 20, 21};
    for (std::size_t level = 0; level < 3; ++level) {
        const auto rows = [&] { return xt::range(first[level], first[level + 1]); };
        const auto got = ocelli::ltrb_encode(xt::view(truth, rows(), xt::all()), xt::view(points, rows(), xt::all()),
                                             {.scale = 8.0 * (1 << level), .max_distance = 16 - 0.01});
        CHECK(largest_difference(got, xt::xtensor<float, 2>(xt::view(targets, rows(), xt::all()))) < 1e-5);
    }
}

TEST_CASE("ltrb_decode of ltrb_encode gives the boxes again") {
    const auto boxes = load<double>("boxes"), anchors = load<double>("anchors");
    for (const bool normalize : {false, true}) {
        const ocelli::ltrb_coder_options options{.scale = 8, .normalize_by_size = normalize};
        CHECK(largest_difference(ocelli::ltrb_decode(ocelli::ltrb_encode(boxes, anchors, options), anchors, options), boxes) <
              1e-10);
    }
    const xt::xtensor<double, 2> points = xt::view(anchors, xt::all(), xt::range(0, 2));
    CHECK(largest_difference(ocelli::ltrb_decode(ocelli::ltrb_encode(boxes, points), points), boxes) < 1e-10);
}

TEST_CASE("ltrb_decode takes several classes, any array, and its own input as output") {
    Eigen::MatrixXd distances(1, 8);
    distances << 1, 2, 3, 4, -1, 0, 1, 0;
    const std::vector<std::array<double, 2>> point{{10, 20}};
    CHECK(ocelli::ltrb_decode(distances, point) == xt::xtensor<double, 2>{{9, 18, 13, 24, 11, 20, 11, 20}});
    CHECK(ocelli::ltrb_decode(distances, point, {.clamp_negative = true})(0, 4) == 10);
    xt::xtensor<double, 2> inout{{1, 2, 3, 4}};
    ocelli::ltrb_decode(inout, point, {.scale = 2}, inout);
    CHECK(inout == xt::xtensor<double, 2>{{8, 16, 16, 28}});
    CHECK(ocelli::ltrb_decode(xt::xtensor<float, 2>::from_shape({0, 4}), xt::xtensor<float, 2>::from_shape({0, 2})).shape(0) ==
          0);
}

TEST_CASE("ltrb_decode and ltrb_encode pass NaN and infinity through") {
    const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
    const xt::xtensor<double, 2> point{{10, 20}};
    const auto got = ocelli::ltrb_decode(xt::xtensor<double, 2>{{nan, 1, inf, 1}}, point, {.clamp_negative = true});
    CHECK(ocelli::detail::is_nan(got(0, 0)));
    CHECK(got(0, 1) == 19);
    CHECK(!ocelli::detail::is_finite(got(0, 2)));
    const auto back = ocelli::ltrb_encode(xt::xtensor<double, 2>{{nan, 0, inf, 30}}, point, {.max_distance = 7});
    CHECK(ocelli::detail::is_nan(back(0, 0)));
    CHECK(back(0, 2) == 7);
    // A point outside its box, and a reversed box, give negative distances.
    CHECK(ocelli::ltrb_encode(xt::xtensor<double, 2>{{12, 0, 8, 30}}, point) == xt::xtensor<double, 2>{{-2, 20, -2, 10}});
}

TEST_CASE("ltrb_encode and ltrb_decode say what they do not accept") {
    const xt::xtensor<float, 2> good{{0, 0, 1, 1}}, flat{{0, 0, 1, 0}}, points{{0, 0}};
    CHECK(message_of([&] {
              (void)ocelli::ltrb_decode(good, xt::xtensor<float, 2>::from_shape({1, 3}));
          }) == "ltrb_decode: anchors must have shape (N, 2) or (N, 4), got (1, 3)");
    CHECK(message_of([&] { (void)ocelli::ltrb_decode(good, points, {.normalize_by_size = true}); }) ==
          "ltrb_decode: normalize_by_size needs anchors (N, 4), got points (N, 2)");
    CHECK(message_of([&] { (void)ocelli::ltrb_encode(good, flat, {.normalize_by_size = true}); }) ==
          "ltrb_encode: anchors must be finite with x2 > x1 and y2 > y1, row 0 is (0, 0, 1, 0)");
    CHECK(message_of([&] { (void)ocelli::ltrb_decode(good, points, {.scale = 0}); }) ==
          "ltrb_decode: scale must be positive, got 0");
    CHECK(message_of([&] { (void)ocelli::ltrb_encode(good, points, {.max_distance = -1}); }) ==
          "ltrb_encode: max_distance must not be negative or NaN");
    CHECK(message_of([&] {
              (void)ocelli::ltrb_decode(good, points, std::vector<float>{1, 2});
          }) == "ltrb_decode: distances and strides must have the same length, got 1 and 2");
    CHECK(message_of([&] {
              (void)ocelli::ltrb_encode(good, xt::xtensor<float, 2>::from_shape({2, 2}));
          }) == "ltrb_encode: boxes and anchors must have the same length, got 1 and 2");
}
