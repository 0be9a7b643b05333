#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/boxes/clip.hpp>
#include <ocelli/io/npy.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

using ocelli::box_format;
using ocelli::resize_fit;
using ocelli_test::golden;
using ocelli_test::largest_difference;
using ocelli_test::message_of;

TEST_CASE("clip_boxes_to_image and remove_small_boxes agree with torchvision") {
    const auto boxes = ocelli::read_npy<float, 2>(golden("boxes/clip/boxes.npy"));
    CHECK(ocelli::clip_boxes_to_image(boxes, {300, 400}) ==
          ocelli::read_npy<float, 2>(golden("boxes/clip/clipped_300_400.npy")));
    CHECK(ocelli::remove_small_boxes(boxes, 20.1) == ocelli::read_npy<std::int64_t, 1>(golden("boxes/clip/kept_20_1.npy")));
    CHECK(ocelli::remove_small_boxes(boxes, 50) == ocelli::read_npy<std::int64_t, 1>(golden("boxes/clip/kept_50.npy")));
}

TEST_CASE("clip_boxes_to_image keeps NaN and takes infinity to the border") {
    const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
    const xt::xtensor<float, 2> boxes{{nan, -inf, inf, 7}, {12, 3, -2, 1}};
    const auto got = ocelli::clip_boxes_to_image(boxes, {.height = 5, .width = 10});
    CHECK(ocelli::detail::is_nan(got(0, 0)));
    CHECK(got(0, 1) == 0);
    CHECK(got(0, 2) == 10);
    CHECK(got(0, 3) == 5);
    CHECK(got(1, 0) == 10);
    CHECK(got(1, 2) == 0);
    std::vector<std::array<double, 4>> rows{{-1, -1, 20, 20}};
    ocelli::clip_boxes_to_image(rows, {5, 10}, rows);
    CHECK(rows[0] == std::array<double, 4>{0, 0, 10, 5});
    CHECK(ocelli::clip_boxes_to_image(xt::xtensor<float, 2>::from_shape({0, 4}), {5, 10}).shape(0) == 0);
    CHECK(message_of([&] {
              (void)ocelli::clip_boxes_to_image(boxes, {-1, 10});
          }) == "clip_boxes_to_image: image must not be negative, got (-1, 10)");
    CHECK(message_of([&] {
              (void)ocelli::clip_boxes_to_image(xt::xtensor<float, 2>::from_shape({2, 5}), {5, 10});
          }) == "clip_boxes_to_image: boxes must have shape (N, 4), got (2, 5)");
}

TEST_CASE("remove_small_boxes never keeps a box with a NaN or a reversed one") {
    const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
    const xt::xtensor<double, 2> boxes{{nan, 0, 9, 9}, {0, 0, 9, nan}, {0, 0, inf, 9}, {9, 9, 0, 0}, {0, 0, 9, 9}};
    CHECK(ocelli::remove_small_boxes(boxes, 1) == xt::xtensor<std::int64_t, 1>{2, 4});
    CHECK(ocelli::remove_small_boxes(boxes, 0) == xt::xtensor<std::int64_t, 1>{2, 4});
    CHECK(ocelli::remove_small_boxes(xt::xtensor<double, 2>::from_shape({0, 4}), 1).size() == 0);
    CHECK(message_of([&] { (void)ocelli::remove_small_boxes(boxes, nan); }) == "remove_small_boxes: min_size must not be NaN");
    // A float box is compared with 0.1 as a float, as in torchvision.
    CHECK(ocelli::remove_small_boxes(xt::xtensor<float, 2>{{0, 0, 0.1f, 0.1f}, {0, 0, 0.7f, 0.7f}}, 0.7).size() == 1);
}

TEST_CASE_TEMPLATE("scale_boxes agrees with ultralytics", T, float, double) {
    const double tolerance = sizeof(T) == 4 ? 1e-3 : 1e-10;
    const auto boxes = xt::cast<T>(ocelli::read_npy<float, 2>(golden("boxes/clip/scale_boxes.npy")));
    const double sizes[][4] = {{640, 640, 427, 640}, {640, 640, 1080, 1920}, {384, 640, 1081, 1917}, {640, 640, 333, 200}};
    int k = 0;
    for (const auto& s : sizes) {
        const ocelli::image_extent input{s[0], s[1]}, image{s[2], s[3]};
        const auto expected = [&](const char* kind) {
            return xt::xtensor<T, 2>(xt::cast<T>(ocelli::read_npy<double, 2>(
                golden("boxes/clip/scaled_" + std::string(kind) + "_" + std::to_string(k) + ".npy"))));
        };
        CHECK(largest_difference(ocelli::scale_boxes(boxes, input, image), expected("padding")) < tolerance);
        CHECK(largest_difference(ocelli::scale_boxes(boxes, input, image, {.fit = resize_fit::letterbox_corner}),
                                 expected("corner")) < tolerance);
        CHECK(largest_difference(ocelli::scale_boxes(boxes, input, image, {.format = box_format::cxcywh}), expected("xywh")) <
              tolerance);
        const ocelli::resize_transform known{.ratio_x = 0.5, .ratio_y = 0.5, .pad_x = 16, .pad_y = 7.5};
        CHECK(largest_difference(ocelli::scale_boxes(boxes, input, image, {.transform = known}), expected("ratio_pad")) <
              tolerance);
        ++k;
    }
}

TEST_CASE("scale_boxes undoes a stretch by both ratios, and leaves boxes outside where asked") {
    const xt::xtensor<double, 2> boxes{{10, 20, 110, 220}, {-4, 0, 5, 401}};
    const ocelli::image_extent input{400, 200}, image{100, 100};
    CHECK(ocelli::scale_boxes(boxes, input, image, {.fit = resize_fit::stretch}) ==
          xt::xtensor<double, 2>{{5, 5, 55, 55}, {0, 0, 2.5, 100}});
    CHECK(ocelli::scale_boxes(boxes, input, image, {.fit = resize_fit::stretch, .clip = false}) ==
          xt::xtensor<double, 2>{{5, 5, 55, 55}, {-2, 0, 2.5, 100.25}});
    CHECK(ocelli::scale_boxes(xt::xtensor<double, 2>{{100, 200, 20, 40, 30}}, input, image, {.format = box_format::cxcywhr}) ==
          xt::xtensor<double, 2>{{50, 50, 10, 20, 30}});
    CHECK(ocelli::scale_boxes(xt::xtensor<double, 2>{{0, 100, 200, 100, 200, 300, 0, 300}}, input, image,
                              {.format = box_format::xyxyxyxy}) == xt::xtensor<double, 2>{{0, 0, 100, 0, 100, 100, 0, 100}});
    xt::xtensor<double, 2> out = boxes;
    ocelli::scale_boxes(out, input, image, {.fit = resize_fit::stretch}, out);
    CHECK(out(0, 2) == 55);
}

TEST_CASE("letterbox_transform undone is the identity") {
    const ocelli::image_extent image{427, 640}, input{320, 320};
    const auto t = ocelli::letterbox_transform(image, input);
    CHECK(t.ratio_x == 0.5);
    CHECK(t.pad_x == 0);
    CHECK(t.pad_y == 53);
    xt::xtensor<double, 2> boxes{{3, 5, 600, 400}};
    xt::xtensor<double, 2> there = boxes;
    for (std::size_t c = 0; c < 4; ++c)
        there(0, c) = c % 2 == 0 ? boxes(0, c) * t.ratio_x + t.pad_x : boxes(0, c) * t.ratio_y + t.pad_y;
    CHECK(largest_difference(ocelli::scale_boxes(there, input, image), boxes) < 1e-12);
}

TEST_CASE("scale_boxes keeps NaN and says what it does not accept") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const xt::xtensor<double, 2> boxes{{nan, 0, 1, 1}};
    CHECK(ocelli::detail::is_nan(ocelli::scale_boxes(boxes, {4, 4}, {8, 8})(0, 0)));
    CHECK(ocelli::scale_boxes(xt::xtensor<float, 2>::from_shape({0, 4}), {4, 4}, {8, 8}).shape(0) == 0);
    CHECK(message_of([&] {
              (void)ocelli::scale_boxes(boxes, {0, 4}, {8, 8});
          }) == "scale_boxes: input must be positive, got (0, 4)");
    CHECK(message_of([&] {
              (void)ocelli::scale_boxes(boxes, {4, 4}, {8, nan});
          }) == "scale_boxes: image must be positive, got (8, nan)");
    CHECK(message_of([&] {
              (void)ocelli::scale_boxes(boxes, {4, 4}, {8, 8}, {.format = box_format::cxcywhr});
          }) == "scale_boxes: boxes must have shape (N, 5), got (1, 4)");
    CHECK(message_of([&] {
              (void)ocelli::scale_boxes(xt::xtensor<double, 2>::from_shape({1, 5}), {4, 4}, {8, 9},
                                        {.fit = resize_fit::stretch, .format = box_format::cxcywhr});
          }) == "scale_boxes: a stretched rotated box is no box; convert to xyxyxyxy first");
    CHECK(message_of([&] {
              (void)ocelli::scale_boxes(boxes, {4, 4}, {8, 8}, {.transform = ocelli::resize_transform{.ratio_x = 0}});
          }) == "scale_boxes: transform must be finite with positive ratios, got ratios 0, 1 and bars 0, 0");
}
