#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/boxes/anchors.hpp>
#include <ocelli/io/npy.hpp>

#include <limits>
#include <string>
#include <vector>

using ocelli::anchor_style;
using ocelli::box_format;
using ocelli::grid_extent;
using ocelli::grid_stride;
using ocelli_test::golden;
using ocelli_test::largest_difference;
using ocelli_test::message_of;

namespace {

template <class T>
xt::xtensor<T, 2> load(const std::string& name) {
    return xt::cast<T>(ocelli::read_npy<float, 2>(golden("boxes/anchors/" + name + ".npy")));
}

const std::vector<grid_extent> pyramid{{8, 6}, {4, 3}, {2, 2}, {1, 1}, {1, 1}};

} // namespace

TEST_CASE_TEMPLATE("rpn_anchors agree with torchvision, rounding included", T, float, double) {
    CHECK(largest_difference(ocelli::rpn_anchors<T>({3, 4}, {16, 17}), load<T>("rpn_torchvision")) == 0);
    CHECK(largest_difference(ocelli::cell_anchors<T>({.sizes = {25, 125, 250}, .aspect_ratios = {0.3, 1, 4}}),
                             load<T>("cells_torchvision")) == 0);
}

TEST_CASE_TEMPLATE("rpn_anchors agree with detectron2, offsets included", T, float, double) {
    const ocelli::rpn_anchor_options options{.style = anchor_style::detectron2, .sizes = {32, 64, 128}, .offset = 0.5};
    CHECK(largest_difference(ocelli::rpn_anchors<T>({3, 4}, {16, 16}, options), load<T>("d2_rpn")) < 1e-4);
    const ocelli::rpn_anchor_options turned{.sizes = {32, 64}, .aspect_ratios = {0.5, 2}, .offset = 0.25};
    CHECK(largest_difference(ocelli::rotated_rpn_anchors<T>({2, 3}, {8, 8}, {-90, -45, 0, 45}, turned), load<T>("d2_rotated")) <
          1e-4);
}

TEST_CASE("cell_anchors of the caffe style are py-faster-rcnn's nine") {
    // The list in the comment of its generate_anchors.py, 1-based there.
    const xt::xtensor<double, 2> nine{{-84, -40, 99, 55}, {-176, -88, 191, 103},  {-360, -184, 375, 199},
                                      {-56, -56, 71, 71}, {-120, -120, 135, 135}, {-248, -248, 263, 263},
                                      {-36, -80, 51, 95}, {-80, -168, 95, 183},   {-168, -344, 183, 359}};
    CHECK(largest_difference(ocelli::cell_anchors<double>({.style = anchor_style::caffe}), nine) == 0);
    const auto moved = ocelli::rpn_anchors<double>({1, 2}, {16, 16}, {.style = anchor_style::caffe});
    CHECK(moved.shape(0) == 18);
    CHECK(moved(9, 0) == -84 + 16);
    CHECK(moved(9, 1) == -40);
}

TEST_CASE_TEMPLATE("retinanet_anchors agree with torchvision and detectron2", T, float, double) {
    const std::vector<grid_stride> strides{{8, 8}, {16, 16}, {32, 24}, {64, 48}, {64, 48}};
    CHECK(largest_difference(ocelli::retinanet_anchors<T>(pyramid, strides), load<T>("retinanet_torchvision")) == 0);
    const std::vector<grid_stride> powers{{8, 8}, {16, 16}, {32, 32}, {64, 64}, {128, 128}};
    CHECK(largest_difference(ocelli::retinanet_anchors<T>(pyramid, powers, {.style = anchor_style::detectron2}),
                             load<T>("d2_retinanet")) < 1e-4);
    CHECK(ocelli::retinanet_sizes(32) == std::vector<double>{32, 40, 50});
    CHECK(ocelli::retinanet_sizes(32, 3, false)[1] == doctest::Approx(40.317473596636));
}

TEST_CASE_TEMPLATE("ssd_default_boxes agree with torchvision", T, float, double) {
    const std::vector<grid_extent> grids{{5, 5}, {3, 3}, {2, 2}, {2, 1}, {1, 1}, {1, 1}};
    CHECK(largest_difference(ocelli::ssd_default_boxes<T>(grids, {300, 300}), load<T>("ssd_default")) < 2e-4);
    const ocelli::ssd_default_box_options steps{
        .scales = {0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05}, .steps = {8, 16, 32, 64, 100, 300}, .clip = false};
    CHECK(largest_difference(ocelli::ssd_default_boxes<T>(grids, {300, 320}, steps), load<T>("ssd_steps")) < 2e-4);
    ocelli::ssd_default_box_options one{
        .aspect_ratios = {{2}}, .min_ratio = 0.2, .max_ratio = 0.6, .format = box_format::cxcywh, .normalized = true};
    const auto normalized = ocelli::ssd_default_boxes<T>({{2, 3}}, {10, 30}, one);
    CHECK(largest_difference(normalized, load<T>("ssd_normalized")) < 1e-6);
    one.normalized = false;
    CHECK(ocelli::ssd_default_boxes<T>({{2, 3}}, {10, 30}, one)(0, 0) == doctest::Approx(5));
    one.format = box_format::xywh;
    CHECK(ocelli::ssd_default_boxes<T>({{2, 3}}, {10, 30}, one)(0, 2) == doctest::Approx(6));
}

TEST_CASE("point_grid and point_pyramid agree with ultralytics' make_anchors") {
    const auto points = ocelli::read_npy<float, 2>(golden("boxes/coders/v8_points.npy"));
    const auto strides = ocelli::read_npy<float, 1>(golden("boxes/coders/v8_strides.npy"));
    const auto all = ocelli::point_pyramid({{4, 4}, {2, 2}, {1, 1}}, {8, 16, 32});
    CHECK(all.points == points);
    CHECK(all.strides == strides);
    const auto one = ocelli::point_grid({4, 4}, {8, 8});
    for (std::size_t i = 0; i < one.size(); ++i) CHECK(one.data()[i] == points.data()[i]);
    CHECK(ocelli::point_grid<double>({1, 2}, {8, 4}, 0) == xt::xtensor<double, 2>{{0, 0}, {4, 0}});
}

TEST_CASE("empty grids have no anchors") {
    CHECK(ocelli::rpn_anchors({0, 4}, {16, 16}).shape(0) == 0);
    CHECK(ocelli::rpn_anchors({2, 2}, {16, 16}, {.sizes = {}}).shape(0) == 0);
    CHECK(ocelli::point_grid({4, 0}, {16, 16}).shape(0) == 0);
    CHECK(ocelli::point_pyramid({}, {}).points.shape(0) == 0);
    CHECK(ocelli::rotated_rpn_anchors({2, 2}, {8, 8}, {}).shape(0) == 0);
    CHECK(ocelli::retinanet_anchors({}, {}, {.base_sizes = {}}).shape(0) == 0);
    CHECK(ocelli::ssd_default_boxes({{0, 1}}, {8, 8}, {.aspect_ratios = {{2}}}).shape(0) == 0);
}

TEST_CASE("anchors say what they do not accept") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK(message_of([] {
              (void)ocelli::rpn_anchors({-1, 4}, {16, 16});
          }) == "rpn_anchors: grid must not be negative, got (-1, 4)");
    CHECK(message_of([] {
              (void)ocelli::rpn_anchors({1, 4}, {16, 0});
          }) == "rpn_anchors: stride must be positive, got (16, 0)");
    CHECK(message_of([&] { (void)ocelli::cell_anchors({.sizes = {nan}}); }) == "cell_anchors: sizes must be positive, got nan");
    CHECK(message_of([] { (void)ocelli::cell_anchors({.aspect_ratios = {-1}}); }) ==
          "cell_anchors: aspect_ratios must be positive, got -1");
    CHECK(message_of([] { (void)ocelli::cell_anchors({.offset = 1}); }) == "cell_anchors: offset must be in [0, 1), got 1");
    CHECK(message_of([] { (void)ocelli::cell_anchors({.base_size = 0}); }) ==
          "cell_anchors: base_size must be positive, got 0");
    CHECK(message_of([] {
              (void)ocelli::retinanet_anchors({{1, 1}}, {{8, 8}});
          }) == "retinanet_anchors: grids, strides and base_sizes must have the same number of levels, got 1, 1 and 5");
    CHECK(message_of([] { (void)ocelli::retinanet_sizes(0); }) == "retinanet_sizes: base must be positive, got 0");
    CHECK(message_of([] { (void)ocelli::retinanet_sizes(32, 0); }) == "retinanet_sizes: octaves must be at least 1, got 0");
    CHECK(message_of([&] {
              (void)ocelli::rotated_rpn_anchors({1, 1}, {8, 8}, {nan});
          }) == "rotated_rpn_anchors: angles must be finite, got nan");
    CHECK(message_of([] {
              (void)ocelli::ssd_default_boxes({{1, 1}}, {300, 300});
          }) == "ssd_default_boxes: grids and aspect_ratios must have the same number of levels, got 1 and 6");
    const std::vector<std::vector<double>> ratios{{2}};
    CHECK(message_of([&] {
              (void)ocelli::ssd_default_boxes({{1, 1}}, {300, 300}, {.aspect_ratios = ratios, .scales = {1}});
          }) == "ssd_default_boxes: scales must be none or one more than levels, got 1 for 1 levels");
    CHECK(message_of([&] {
              (void)ocelli::ssd_default_boxes({{1, 1}}, {300, 300}, {.aspect_ratios = ratios, .steps = {1, 2}});
          }) == "ssd_default_boxes: steps must be none or one per level, got 2 for 1 levels");
    CHECK(message_of([&] {
              (void)ocelli::ssd_default_boxes({{1, 1}}, {0, 300}, {.aspect_ratios = ratios});
          }) == "ssd_default_boxes: image must be positive, got (0, 300)");
    CHECK(message_of([&] {
              (void)ocelli::ssd_default_boxes({{1, 1}}, {3, 3}, {.aspect_ratios = ratios, .format = box_format::xywhr});
          }) == "ssd_default_boxes: format must be xyxy, xywh or cxcywh, got xywhr");
    CHECK(message_of([] {
              (void)ocelli::point_pyramid({{1, 1}}, {});
          }) == "point_pyramid: grids and strides must have the same number of levels, got 1 and 0");
    CHECK(message_of([&] { (void)ocelli::point_grid({1, 1}, {8, 8}, nan); }) == "point_grid: offset must be finite");
}
