#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/boxes/formats.hpp>
#include <ocelli/io/npy.hpp>

#include <Eigen/Core>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

using ocelli::box_format;
using ocelli_test::golden;
using ocelli_test::largest_difference;
using ocelli_test::message_of;

namespace {

constexpr box_format formats[] = {box_format::xyxy,  box_format::xywh,    box_format::cxcywh,
                                  box_format::xywhr, box_format::cxcywhr, box_format::xyxyxyxy};

template <class T>
bool nan_at(const T& x) {
    return ocelli::detail::is_nan(x);
}

} // namespace

TEST_CASE_TEMPLATE("box_convert agrees with torchvision in every pair of formats it knows", T, float, double) {
    const std::string type = sizeof(T) == 4 ? "float32" : "float64";
    int pairs = 0;
    for (const auto from : formats) {
        for (const auto to : formats) {
            if (ocelli::detail::is_rotated(from) != ocelli::detail::is_rotated(to)) continue;
            const std::string kind = ocelli::detail::is_rotated(from) ? "rotated_" : "aligned_";
            const auto in =
                ocelli::read_npy<T, 2>(golden("boxes/formats/" + kind + std::string(name(from)) + "_" + type + ".npy"));
            const auto expected = ocelli::read_npy<T, 2>(
                golden("boxes/formats/" + std::string(name(from)) + "_to_" + std::string(name(to)) + "_" + type + ".npy"));
            CAPTURE(name(from));
            CAPTURE(name(to));
            const auto got = ocelli::box_convert(in, from, to);
            CHECK(got.shape() == expected.shape());
            if (kind == "aligned_") {
#if defined(__FAST_MATH__) // the compiler may then rearrange sums and factors, and the last bit changes
                CHECK(largest_difference(got, expected) < (sizeof(T) == 4 ? 1e-4 : 1e-12));
#else
                CHECK(got == expected);
#endif
            } else {
                CHECK(largest_difference(got, expected) < (sizeof(T) == 4 ? 2e-3 : 2e-12));
            }
            ++pairs;
        }
    }
    CHECK(pairs == 18);
}

TEST_CASE("box_convert there and back gives the boxes again") {
    const auto aligned = ocelli::read_npy<double, 2>(golden("boxes/formats/aligned_xyxy_float64.npy"));
    for (const auto via : {box_format::xywh, box_format::cxcywh}) {
        CHECK(largest_difference(aligned, ocelli::box_convert(ocelli::box_convert(aligned, box_format::xyxy, via), via,
                                                              box_format::xyxy)) < 1e-12);
    }
    const auto rotated = ocelli::read_npy<double, 2>(golden("boxes/formats/rotated_cxcywhr_float64.npy"));
    for (const auto via : {box_format::xywhr, box_format::xyxyxyxy}) {
        const auto back = ocelli::box_convert(ocelli::box_convert(rotated, box_format::cxcywhr, via), via, box_format::cxcywhr);
        CHECK(largest_difference(rotated, back) < 1e-11);
    }
}

TEST_CASE("box_convert turns corners exactly at multiples of 90 degrees") {
    // The top-left corner of a box turned by 90 degrees counter-clockwise is at the lower left.
    const xt::xtensor<double, 2> boxes{{10, 20, 6, 4, 0},    {10, 20, 6, 4, 90},  {10, 20, 6, 4, 180},
                                       {10, 20, 6, 4, -90},  {10, 20, 6, 4, 270}, {10, 20, 6, 4, 360 * 1e6 + 90},
                                       {10, 20, 6, 4, -450}, {10, 20, 6, 4, 45},  {10, 20, 6, 4, -45}};
    const auto corners = ocelli::box_convert(boxes, box_format::cxcywhr, box_format::xyxyxyxy);
    const xt::xtensor<double, 2> expected{{7, 18, 13, 18, 13, 22, 7, 22}, {8, 23, 8, 17, 12, 17, 12, 23},
                                          {13, 22, 7, 22, 7, 18, 13, 18}, {12, 17, 12, 23, 8, 23, 8, 17},
                                          {12, 17, 12, 23, 8, 23, 8, 17}, {8, 23, 8, 17, 12, 17, 12, 23},
                                          {12, 17, 12, 23, 8, 23, 8, 17}};
    for (std::size_t i = 0; i < expected.shape(0); ++i)
        for (std::size_t c = 0; c < 8; ++c) CHECK(corners(i, c) == expected(i, c));
    const double r = std::sqrt(0.5);
    CHECK(corners(7, 0) == doctest::Approx(10 - 3 * r - 2 * r));
    CHECK(corners(7, 1) == doctest::Approx(20 + 3 * r - 2 * r));
    CHECK(corners(8, 0) == doctest::Approx(10 - 3 * r + 2 * r));
    CHECK(corners(8, 1) == doctest::Approx(20 - 3 * r - 2 * r));
}

TEST_CASE("box_convert makes axis-aligned boxes rotated ones with angle 0") {
    const xt::xtensor<float, 2> boxes{{1, 2, 5, 10}};
    CHECK(ocelli::box_convert(boxes, box_format::xyxy, box_format::cxcywhr) == xt::xtensor<float, 2>{{3, 6, 4, 8, 0}});
    CHECK(ocelli::box_convert(boxes, box_format::xyxy, box_format::xywhr) == xt::xtensor<float, 2>{{1, 2, 4, 8, 0}});
    CHECK(ocelli::box_convert(boxes, box_format::xywh, box_format::xyxyxyxy) ==
          xt::xtensor<float, 2>{{1, 2, 6, 2, 6, 12, 1, 12}});
}

TEST_CASE("box_convert takes any array and writes into given memory, also in place") {
    std::vector<std::array<float, 4>> rows{{1, 2, 5, 10}, {0, 0, 2, 2}};
    const xt::xtensor<float, 2> expected{{3, 6, 4, 8}, {1, 1, 2, 2}};
    CHECK(ocelli::box_convert(rows, box_format::xyxy, box_format::cxcywh) == expected);
    Eigen::MatrixXf columns(2, 4);
    columns << 1, 2, 5, 10, 0, 0, 2, 2;
    CHECK(ocelli::box_convert(columns, box_format::xyxy, box_format::cxcywh) == expected);
    CHECK(ocelli::box_convert(columns * 1.0f, box_format::xyxy, box_format::cxcywh) == expected);
    ocelli::box_convert(rows, box_format::xyxy, box_format::cxcywh, rows);
    CHECK(rows[0] == std::array<float, 4>{3, 6, 4, 8});
    const std::vector<std::array<int, 4>> whole{{1, 2, 4, 10}};
    static_assert(std::is_same_v<decltype(ocelli::box_convert(whole, box_format::xyxy, box_format::xywh))::value_type, double>);
    CHECK(ocelli::box_convert(whole, box_format::xyxy, box_format::cxcywh) == xt::xtensor<double, 2>{{2.5, 6, 3, 8}});
    xt::xtensor<float, 2> corners = xt::zeros<float>({2, 8});
    ocelli::box_convert(columns, box_format::xyxy, box_format::xyxyxyxy, corners);
    CHECK(corners(0, 6) == 1);
    CHECK(corners(0, 7) == 10);
}

TEST_CASE("box_convert passes NaN, infinity, reversed and no boxes through") {
    const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
    const xt::xtensor<float, 2> boxes{{nan, 0, 1, 1}, {0, 0, inf, 1}, {5, 5, 1, 2}};
    const auto got = ocelli::box_convert(boxes, box_format::xyxy, box_format::xywh);
    CHECK(nan_at(got(0, 0)));
    CHECK(nan_at(got(0, 2)));
    CHECK(got(0, 3) == 1);
    CHECK(!ocelli::detail::is_finite(got(1, 2)));
    CHECK(got(2, 2) == -4);
    CHECK(got(2, 3) == -3);
    CHECK(ocelli::box_convert(xt::xtensor<float, 2>::from_shape({0, 5}), box_format::cxcywhr, box_format::xyxyxyxy).shape() ==
          std::array<std::size_t, 2>{0, 8});
    const auto corners = ocelli::box_convert(xt::xtensor<float, 2>{{0, 0, 1, 1, nan}, {0, 0, 1, 1, inf}}, box_format::cxcywhr,
                                             box_format::xyxyxyxy);
    CHECK(nan_at(corners(0, 0)));
    CHECK(nan_at(corners(1, 0)));
}

TEST_CASE("box_convert says what it does not accept") {
    const xt::xtensor<float, 2> four = xt::zeros<float>({2, 4}), five = xt::zeros<float>({2, 5});
    CHECK(message_of([&] { (void)ocelli::box_convert(four, box_format::cxcywhr, box_format::xywhr); }) ==
          "box_convert: boxes must have shape (N, 5), got (2, 4)");
    CHECK(message_of([&] { (void)ocelli::box_convert(five, box_format::cxcywhr, box_format::xyxy); }) ==
          "box_convert: a rotated box (cxcywhr) is no xyxy box; enclosing_boxes gives the axis-aligned boxes around rotated "
          "ones");
    xt::xtensor<float, 2> out = xt::zeros<float>({2, 4});
    CHECK(message_of([&] { ocelli::box_convert(four, box_format::xyxy, box_format::cxcywhr, out); }) ==
          "box_convert: out must have shape (2, 5), got (2, 4)");
    CHECK(message_of([&] {
              (void)ocelli::box_convert(std::vector<float>{1, 2, 3, 4}, box_format::xyxy, box_format::xywh);
          }) == "box_convert: boxes must have 2 dimensions, got shape (4)");
}

TEST_CASE("enclosing_boxes are the smallest axis-aligned boxes around rotated ones") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const auto around = ocelli::enclosing_boxes(xt::xtensor<double, 2>{{10, 20, 6, 4, 90}, {0, 0, 2, 2, 45}, {0, 0, 2, 2, nan}},
                                                box_format::cxcywhr);
    CHECK(around(0, 0) == 8);
    CHECK(around(0, 1) == 17);
    CHECK(around(0, 2) == 12);
    CHECK(around(0, 3) == 23);
    CHECK(around(1, 0) == doctest::Approx(-std::sqrt(2.0)));
    CHECK(around(1, 3) == doctest::Approx(std::sqrt(2.0)));
    for (std::size_t c = 0; c < 4; ++c) CHECK(nan_at(around(2, c)));
    CHECK(ocelli::enclosing_boxes(xt::xtensor<float, 2>{{5, 6, 1, 2}}, box_format::xyxy) ==
          xt::xtensor<float, 2>{{1, 2, 5, 6}});
    CHECK(ocelli::enclosing_boxes(xt::xtensor<float, 2>{{0, 5, 5, 0, 9, 4, 4, 9}}, box_format::xyxyxyxy) ==
          xt::xtensor<float, 2>{{0, 0, 9, 9}});
    CHECK(message_of([&] {
              (void)ocelli::enclosing_boxes(xt::xtensor<float, 2>{{5, 6, 1, 2}}, box_format::xywhr);
          }) == "enclosing_boxes: boxes must have shape (N, 5), got (1, 4)");
}

TEST_CASE_TEMPLATE("box_area agrees with torchvision on valid boxes", T, float, double) {
    const std::string type = sizeof(T) == 4 ? "float32" : "float64";
    for (const auto format : {box_format::xyxy, box_format::xywh, box_format::cxcywh}) {
        const auto in =
            ocelli::read_npy<T, 2>(golden("boxes/formats/aligned_" + std::string(name(format)) + "_" + type + ".npy"));
        const auto expected =
            ocelli::read_npy<T, 1>(golden("boxes/formats/area_" + std::string(name(format)) + "_" + type + ".npy"));
        const auto got = ocelli::box_area(in, format);
        REQUIRE(got.size() == expected.size());
        for (std::size_t i = 0; i < got.size(); ++i) CHECK(got(i) == doctest::Approx(expected(i)).epsilon(1e-6));
    }
}

TEST_CASE("box_area is 0 for reversed boxes, NaN for NaN, and counts four corners as a polygon") {
    const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
    const auto areas = ocelli::box_area(
        xt::xtensor<float, 2>{{0, 0, 2, 3}, {2, 0, 0, 3}, {2, 3, 0, 0}, {1, 1, 1, 5}, {nan, 0, 2, 3}, {0, 0, inf, 3}});
    CHECK(areas(0) == 6);
    CHECK(areas(1) == 0);
    CHECK(areas(2) == 0);
    CHECK(areas(3) == 0);
    CHECK(nan_at(areas(4)));
    CHECK(!ocelli::detail::is_finite(areas(5)));
    const auto rotated = ocelli::read_npy<double, 2>(golden("boxes/formats/rotated_cxcywhr_float64.npy"));
    const auto by_size = ocelli::box_area(rotated, box_format::cxcywhr);
    const auto by_corners =
        ocelli::box_area(ocelli::box_convert(rotated, box_format::cxcywhr, box_format::xyxyxyxy), box_format::xyxyxyxy);
    for (std::size_t i = 0; i < by_size.size(); ++i) CHECK(by_corners(i) == doctest::Approx(by_size(i)));
    CHECK(ocelli::box_area(xt::xtensor<float, 2>{{0, 0, 0, 3, 3, 3, 3, 0}}, box_format::xyxyxyxy)(0) == 9);
    std::vector<float> out(1);
    ocelli::box_area(xt::xtensor<float, 2>{{0, 0, 2, 3}}, box_format::xyxy, out);
    CHECK(out[0] == 6);
    CHECK(ocelli::box_area(xt::xtensor<float, 2>::from_shape({0, 4})).size() == 0);
    CHECK(message_of([] {
              (void)ocelli::box_area(xt::xtensor<float, 2>::from_shape({3, 5}));
          }) == "box_area: boxes must have shape (N, 4), got (3, 5)");
}
