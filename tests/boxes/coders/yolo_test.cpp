#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/boxes/coders/yolo.hpp>
#include <ocelli/io/npy.hpp>

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
    return xt::cast<T>(ocelli::read_npy<double, 2>(golden("boxes/coders/yolo_" + name + ".npy")));
}

const xt::xtensor<float, 2> priors{{10, 13}, {33, 23}, {62, 45}};

// tx ty tw th of all predictions of a head (A (5 + C), H, W), as rows
template <class T>
xt::xtensor<T, 2> codes_of(const xt::xtensor<T, 3>& head) {
    const std::size_t anchors = 3, channels = head.shape(0) / anchors, plane = head.shape(1) * head.shape(2);
    auto out = xt::xtensor<T, 2>::from_shape({anchors * plane, 4});
    for (std::size_t a = 0; a < anchors; ++a)
        for (std::size_t i = 0; i < plane; ++i)
            for (std::size_t c = 0; c < 4; ++c) out(a * plane + i, c) = head.data()[(a * channels + c) * plane + i];
    return out;
}

constexpr ocelli::yolo_coder_options v3{}, v4{.scale_xy = 1.2};

} // namespace

TEST_CASE_TEMPLATE("yolo_decode_head and yolo_decode agree with darknet and yolov5", T, float, double) {
    const xt::xtensor<T, 3> head = xt::cast<T>(ocelli::read_npy<float, 3>(golden("boxes/coders/yolo_head.npy")));
    const double tolerance = sizeof(T) == 4 ? 1e-3 : 1e-9;
    const xt::xtensor<T, 1> objectness = xt::cast<T>(ocelli::read_npy<double, 1>(golden("boxes/coders/yolo_objectness.npy")));
    const auto cells = ocelli::yolo_cells({3, 4}, priors, 16);
    CHECK(cells.shape() == std::array<std::size_t, 2>{36, 4});
    const std::pair<const char*, ocelli::yolo_coder_options> kinds[] = {{"v3", v3}, {"v4", v4}, {"v5", ocelli::yolo_v5}};
    for (const auto& [name, coder] : kinds) {
        const auto got = ocelli::yolo_decode_head(head, priors, 16, {.coder = coder});
        CHECK(largest_difference(got.boxes, load<T>(name)) < tolerance);
        CHECK(largest_difference(got.objectness, objectness) < 1e-6);
        CHECK(largest_difference(got.classes, load<T>("classes")) < 1e-6);
        CHECK(largest_difference(ocelli::yolo_decode(codes_of<T>(head), cells, 16, coder), load<T>(name)) < tolerance);
    }
    const auto soft = ocelli::yolo_decode_head(head, priors, 16, {.classes = ocelli::yolo_classes::softmax});
    CHECK(largest_difference(soft.classes, load<T>("softmax")) < 1e-6);
}

TEST_CASE("yolo_decode of yolo_encode gives the boxes again") {
    const auto head = ocelli::read_npy<float, 3>(golden("boxes/coders/yolo_head.npy"));
    const xt::xtensor<double, 2> codes = xt::cast<double>(codes_of<float>(head));
    const auto cells = xt::xtensor<double, 2>(xt::cast<double>(ocelli::yolo_cells({3, 4}, priors, 16)));
    for (const auto& coder : {v3, v4, ocelli::yolo_v5}) {
        const auto boxes = ocelli::yolo_decode(codes, cells, 16, coder);
        const auto again = ocelli::yolo_encode(boxes, cells, 16, coder);
        CHECK(largest_difference(again, codes) < 1e-9);
        CHECK(largest_difference(ocelli::yolo_decode(again, cells, 16, coder), boxes) < 1e-9);
    }
    xt::xtensor<double, 2> inout = codes;
    ocelli::yolo_decode(inout, cells, 16, v3, inout);
    CHECK(inout == ocelli::yolo_decode(codes, cells, 16));
}

TEST_CASE("yolo_encode gives infinite codes on a cell's border, and yolo_decode takes them back") {
    const xt::xtensor<double, 2> cells{{16, 16, 8, 8}}, boxes{{12, 28, 20, 36}}; // centre (16, 32): left and lower border
    const auto codes = ocelli::yolo_encode(boxes, cells, 16);
    CHECK(!ocelli::detail::is_finite(codes(0, 0)));
    CHECK(!ocelli::detail::is_finite(codes(0, 1)));
    CHECK(largest_difference(ocelli::yolo_decode(codes, cells, 16), boxes) < 1e-12);
}

TEST_CASE("yolo_decode keeps NaN where it is") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const xt::xtensor<float, 2> cells{{0, 0, 8, 8}};
    const auto got = ocelli::yolo_decode(xt::xtensor<float, 2>{{nan, 0, 0, 0}}, cells, 8);
    CHECK(ocelli::detail::is_nan(got(0, 0)));
    CHECK(ocelli::detail::is_nan(got(0, 2)));
    CHECK(got(0, 1) == doctest::Approx(0));
    CHECK(
        ocelli::yolo_decode(xt::xtensor<float, 2>::from_shape({0, 4}), xt::xtensor<float, 2>::from_shape({0, 4}), 8).shape(0) ==
        0);
    CHECK(ocelli::yolo_decode_head(xt::xtensor<float, 3>::from_shape({15, 0, 4}), priors, 8).boxes.shape(0) == 0);
    CHECK(ocelli::yolo_cells({0, 4}, priors, 8).shape(0) == 0);
}

TEST_CASE("the YOLO coders say what they do not accept") {
    const xt::xtensor<float, 2> cells{{16, 16, 8, 8}}, outside{{0, 0, 8, 8}}, large{{8, 8, 40, 40}}, flat{{8, 8, 8, 9}};
    CHECK(message_of([&] { (void)ocelli::yolo_encode(outside, cells, 16); }) ==
          "yolo_encode: the centre of box 0 is out of its cell's reach");
    CHECK(message_of([&] { (void)ocelli::yolo_encode(large, cells, 16, ocelli::yolo_v5); }) ==
          "yolo_encode: box 0 is 4 priors long or more, which (2 s(t))^2 cannot reach");
    CHECK(message_of([&] { (void)ocelli::yolo_encode(flat, cells, 16); }) ==
          "yolo_encode: boxes must be finite with x2 > x1 and y2 > y1, row 0 is (8, 8, 8, 9)");
    CHECK(message_of([&] {
              (void)ocelli::yolo_encode(large, xt::xtensor<float, 2>{{16, 16, 0, 8}}, 16);
          }) == "yolo_encode: priors must be positive, row 0 has 0");
    CHECK(message_of([&] { (void)ocelli::yolo_decode(cells, cells, 0); }) == "yolo_decode: stride must be positive, got 0");
    CHECK(message_of([&] { (void)ocelli::yolo_decode(cells, cells, 8, {.scale_xy = 0.5}); }) ==
          "yolo_decode: scale_xy must be at least 1, got 0.5");
    CHECK(message_of([&] {
              (void)ocelli::yolo_decode(cells, xt::xtensor<float, 2>::from_shape({2, 4}), 8);
          }) == "yolo_decode: codes and cells must have the same length, got 1 and 2");
    CHECK(message_of([&] {
              (void)ocelli::yolo_decode_head(xt::xtensor<float, 3>::from_shape({16, 2, 2}), priors, 8);
          }) == "yolo_decode_head: head must have shape (3 (5 + C), H, W), got (16, 2, 2)");
    CHECK(message_of([&] {
              (void)ocelli::yolo_cells({-1, 4}, priors, 8);
          }) == "yolo_cells: grid must not be negative, got (-1, 4)");
    CHECK(message_of([&] {
              (void)ocelli::yolo_cells({1, 4}, cells, 8);
          }) == "yolo_cells: priors must have shape (N, 2), got (1, 4)");
}

TEST_CASE_TEMPLATE("yolov1_decode agrees with darknet, and yolov1_encode is its inverse", T, float, double) {
    const auto codes = load<T>("v1_codes"), expected = load<T>("v1_boxes");
    std::vector<std::int64_t> cells;
    for (std::int64_t i = 0; i < 18; ++i) cells.push_back(i / 2);
    const ocelli::image_extent image{448, 640};
    CHECK(largest_difference(ocelli::yolov1_decode(codes, cells, 3, image), expected) < (sizeof(T) == 4 ? 1e-3 : 1e-10));
    const auto back = ocelli::yolov1_encode(expected, 3, image);
    CHECK(largest_difference(back.codes, codes) < (sizeof(T) == 4 ? 1e-5 : 1e-12));
    for (std::size_t i = 0; i < cells.size(); ++i) CHECK(back.cells(i) == cells[i]);
    const auto plain = ocelli::yolov1_decode(xt::xtensor<T, 2>{{0.5, 0.5, 0.5, 0.25}}, std::vector<int>{4}, 3, image, false);
    CHECK(largest_difference(plain, xt::xtensor<T, 2>{{160, 168, 480, 280}}) < 1e-3);
}

TEST_CASE("yolov1_encode puts a centre on the far border into the last cell, and says what it does not accept") {
    const ocelli::image_extent image{30, 30};
    const auto last = ocelli::yolov1_encode(xt::xtensor<float, 2>{{29, 29, 31, 31}}, 3, image);
    CHECK(last.cells(0) == 8);
    CHECK(last.codes(0, 0) == 1);
    CHECK(message_of([&] {
              (void)ocelli::yolov1_encode(xt::xtensor<float, 2>{{30, 29, 32, 31}}, 3, image);
          }) == "yolov1_encode: the centre of box 0 is outside the image");
    CHECK(message_of([&] {
              (void)ocelli::yolov1_encode(xt::xtensor<float, 2>{{1, 2, 1, 3}}, 3, image);
          }) == "yolov1_encode: boxes must be finite with x2 > x1 and y2 > y1, row 0 is (1, 2, 1, 3)");
    const xt::xtensor<float, 2> codes{{0, 0, 1, 1}};
    CHECK(message_of([&] { (void)ocelli::yolov1_decode(codes, std::vector<int>{9}, 3, image); }) ==
          "yolov1_decode: cells must be in [0, 9), got 9");
    CHECK(message_of([&] { (void)ocelli::yolov1_decode(codes, std::vector<int>{0}, 0, image); }) ==
          "yolov1_decode: side must be in [1, 1048576], got 0");
    CHECK(message_of([&] {
              (void)ocelli::yolov1_decode(codes, std::vector<int>{0, 1}, 3, image);
          }) == "yolov1_decode: codes and cells must have the same length, got 1 and 2");
    CHECK(message_of([&] {
              (void)ocelli::yolov1_decode(codes, std::vector<int>{0}, 3, {0, 30});
          }) == "yolov1_decode: image must be positive, got (0, 30)");
}
