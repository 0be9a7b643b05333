#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/boxes/coders/rcnn.hpp>
#include <ocelli/boxes/coders/ssd.hpp>
#include <ocelli/io/npy.hpp>

#include <array>
#include <limits>
#include <string>

using ocelli::box_format;
using ocelli::ssd_code;
using ocelli_test::golden;
using ocelli_test::largest_difference;
using ocelli_test::message_of;

namespace {

template <class T>
xt::xtensor<T, 2> load(const std::string& name) {
    return xt::cast<T>(ocelli::read_npy<double, 2>(golden("boxes/coders/" + name + ".npy")));
}

} // namespace

TEST_CASE_TEMPLATE("ssd_decode agrees with Caffe SSD's formulas for every code and way to write priors", T, float, double) {
    const auto priors = load<T>("ssd_priors"), codes = load<T>("ssd_codes");
    const double tolerance = sizeof(T) == 4 ? 2e-6 : 1e-14;
    for (const auto format : {box_format::xyxy, box_format::xywh, box_format::cxcywh}) {
        const auto p = ocelli::box_convert(priors, box_format::xyxy, format);
        CHECK(largest_difference(ocelli::ssd_decode(codes, p, {.prior_format = format}), load<T>("ssd_center_size")) <
              tolerance);
        CHECK(largest_difference(ocelli::ssd_decode(codes, p, {.code = ssd_code::corner, .prior_format = format}),
                                 load<T>("ssd_corner")) < tolerance);
        CHECK(largest_difference(ocelli::ssd_decode(codes, p, {.code = ssd_code::corner_size, .prior_format = format}),
                                 load<T>("ssd_corner_size")) < tolerance);
    }
}

TEST_CASE("ssd_encode with the usual variances is torchvision's coder with weights 10, 10, 5, 5") {
    const auto boxes = load<double>("boxes"), anchors = load<double>("anchors");
    CHECK(largest_difference(ocelli::ssd_encode(boxes, anchors), load<double>("rcnn_encoded_weighted")) < 1e-11);
}

TEST_CASE("ssd_decode of ssd_encode gives the boxes again for every code") {
    const auto boxes = load<double>("boxes"), anchors = load<double>("anchors");
    for (const auto code : {ssd_code::center_size, ssd_code::corner, ssd_code::corner_size}) {
        for (const auto format : {box_format::xyxy, box_format::xywh, box_format::cxcywh}) {
            const ocelli::ssd_coder_options options{.variances = {0.1, 0.3, 0.2, 0.5}, .code = code, .prior_format = format};
            const auto priors = ocelli::box_convert(anchors, box_format::xyxy, format);
            CHECK(largest_difference(ocelli::ssd_decode(ocelli::ssd_encode(boxes, priors, options), priors, options), boxes) <
                  1e-9);
        }
    }
}

TEST_CASE("ssd_decode clips where asked, keeps NaN, and writes in place") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const xt::xtensor<float, 2> priors{{0, 0, 0.5f, 1}, {0, 0, 1, 1}};
    const auto got = ocelli::ssd_decode(xt::xtensor<float, 2>{{-5, 0, 0, 0}, {0, nan, 0, 0}}, priors, {.clip = true});
    CHECK(got(0, 0) == 0);
    CHECK(got(0, 2) == doctest::Approx(0.25));
    CHECK(got(1, 2) == 1);
    CHECK(ocelli::detail::is_nan(got(1, 1)));
    xt::xtensor<float, 2> inout{{0, 0, 0, 0}, {0, 0, 0, 0}};
    ocelli::ssd_decode(inout, priors, {}, inout);
    CHECK(inout == priors);
    CHECK(ocelli::ssd_decode(xt::xtensor<float, 2>::from_shape({0, 4}), xt::xtensor<float, 2>::from_shape({0, 4})).shape(0) ==
          0);
}

TEST_CASE("ssd_encode and ssd_decode say what they do not accept") {
    const xt::xtensor<float, 2> good{{0, 0, 1, 1}}, flat{{0, 0, 1, 0}};
    CHECK(message_of([&] { (void)ocelli::ssd_encode(good, flat); }) ==
          "ssd_encode: priors must be finite with positive sizes, row 0 is 1 x 0");
    CHECK(message_of([&] { (void)ocelli::ssd_encode(flat, good); }) ==
          "ssd_encode: boxes must be finite with x2 > x1 and y2 > y1, row 0 is (0, 0, 1, 0)");
    CHECK(message_of([&] {
              (void)ocelli::ssd_decode(good, good, {.variances = {0, 1, 1, 1}});
          }) == "ssd_decode: variances must be finite and not zero, got 0");
    CHECK(message_of([&] { (void)ocelli::ssd_decode(good, good, {.prior_format = box_format::cxcywhr}); }) ==
          "ssd_decode: prior_format must be xyxy, xywh or cxcywh, got cxcywhr");
    CHECK(message_of([&] {
              (void)ocelli::ssd_decode(good, xt::xtensor<float, 2>::from_shape({2, 4}));
          }) == "ssd_decode: codes and priors must have the same length, got 1 and 2");
    CHECK(message_of([&] {
              (void)ocelli::ssd_decode(xt::xtensor<float, 2>::from_shape({1, 8}), good);
          }) == "ssd_decode: codes must have shape (N, 4), got (1, 8)");
}
