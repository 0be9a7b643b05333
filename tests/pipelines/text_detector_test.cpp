// ctest: per_isa heavy
#include <ocelli/boxes/rotated.hpp>
#include <ocelli/io/image.hpp>
#include <ocelli/io/npy.hpp>
#include <ocelli/pipelines/text_detector.hpp>

#include "support/fixtures.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <string>

namespace {

using ocelli_test::golden;

/// Rows of the reference from `first` on: score, corners. Every box must have its own of ours.
void check_same_boxes(const ocelli::text_boxes& found, const xt::xtensor<float, 2>& reference, std::size_t first_column,
                      double least_iou, double score_tolerance) {
    REQUIRE(found.size() == reference.shape(0));
    std::vector<bool> used(found.size(), false);
    for (std::size_t r = 0; r < reference.shape(0); ++r) {
        xt::xtensor<float, 2> one({1, 8}, 0.0F), ours({found.size(), 8}, 0.0F);
        for (std::size_t k = 0; k < 8; ++k) one(0, k) = reference(r, first_column + 1 + k);
        std::copy_n(found.corners.begin(), ours.size(), ours.begin());
        const auto iou = ocelli::quad_iou(one, ours);
        std::size_t best = 0;
        for (std::size_t i = 1; i < found.size(); ++i)
            if (iou(0, i) > iou(0, best)) best = i;
        CAPTURE(r);
        CHECK(static_cast<double>(iou(0, best)) >= least_iou);
        CHECK(static_cast<double>(found.scores(best)) ==
              doctest::Approx(static_cast<double>(reference(r, first_column))).epsilon(score_tolerance));
        CHECK_FALSE(used[best]);
        used[best] = true;
    }
}

/// The folder of tools/get_models: OCELLI_MODELS, or models/ in the checkout; empty, and the case counted as skipped, where
/// absent.
std::string fetched() {
    const char* set = std::getenv("OCELLI_MODELS");
    const std::string folder = set != nullptr ? set : std::string(OCELLI_SOURCE_DIR) + "/models";
    if (std::filesystem::exists(folder + "/ch_PP-OCRv4_det_infer.onnx")) return folder;
    ocelli_test::skip("tools/get_models was not run: " + folder);
    return "";
}

TEST_CASE("Probability maps give the reference's boxes and scores: turned bars, faint ones, a hole") {
    const auto maps = ocelli::read_npy<std::uint8_t, 3>(golden("pipelines/text_maps.npy"));
    const auto reference = ocelli::read_npy<float, 2>(golden("pipelines/text_maps_boxes.npy"));
    for (std::size_t k = 0; k < maps.shape(0); ++k) {
        CAPTURE(k);
        auto map = xt::xtensor<float, 2>::from_shape({maps.shape(1), maps.shape(2)});
        for (std::size_t p = 0; p < map.size(); ++p)
            map.data()[p] = static_cast<float>(maps.data()[k * map.size() + p]) / 255.0F;
        std::vector<std::size_t> rows;
        for (std::size_t r = 0; r < reference.shape(0); ++r)
            if (reference(r, 0) == static_cast<float>(k)) rows.push_back(r);
        auto own = xt::xtensor<float, 2>::from_shape({rows.size(), 10});
        for (std::size_t i = 0; i < rows.size(); ++i)
            for (std::size_t c = 0; c < 10; ++c) own(i, c) = reference(rows[i], c);
        check_same_boxes(ocelli::text_boxes_from_map(map, {300, 500}), own, 1, 0.95, 0.01);
    }
}

TEST_CASE("The fetched network finds the reference's text in the fetched photographs") {
    const auto folder = fetched();
    if (folder.empty()) return;
    const auto find = ocelli::read_text_detector(folder + "/ch_PP-OCRv4_det_infer.onnx");
    for (const std::string name : {"page", "text"}) {
        CAPTURE(name);
        const auto found = find(ocelli::read_image(folder + "/" + name + ".png"));
        check_same_boxes(found, ocelli::read_npy<float, 2>(golden("pipelines/text_" + name + ".npy")), 0, 0.95, 0.0005);
    }
}

TEST_CASE("A bar becomes a box that is larger by 1.6 times area over circumference, dilated to the right and down") {
    xt::xtensor<float, 2> map({100, 200}, 0.0F);
    for (std::size_t y = 40; y < 60; ++y)
        for (std::size_t x = 50; x < 150; ++x) map(y, x) = 1;
    const auto found = ocelli::text_boxes_from_map(map, {100, 200}, {.dilate = false});
    REQUIRE(found.size() == 1);
    CHECK(found.scores(0) == 1.0F);
    // Through pixel centres 99 x 19: 1.6 * 99 * 19 / 236 = 12.75 on each side.
    const float left = 50 - 13, top = 40 - 13, right = 149 + 13, bottom = 59 + 13;
    const xt::xtensor<float, 3> expected = {{{left, top}, {right, top}, {right, bottom}, {left, bottom}}};
    CHECK(found.corners == expected);

    const auto wider = ocelli::text_boxes_from_map(map, {100, 200}, {.unclip = 0});
    REQUIRE(wider.size() == 1);
    const xt::xtensor<float, 3> spread = {{{50, 40}, {150, 40}, {150, 60}, {50, 60}}};
    CHECK(wider.corners == spread);
    CHECK(wider.scores(0) == doctest::Approx(100.0 * 20 / (101 * 21)));

    // Twice as wide a picture, and the box stops at its border.
    const auto scaled = ocelli::text_boxes_from_map(map, {60, 400}, {.dilate = false});
    CHECK(scaled.corners(0, 0, 0) == 2 * left);
    CHECK(scaled.corners(0, 0, 1) == doctest::Approx(top * 0.6).epsilon(0.05));
}

TEST_CASE("What is small, faint or nothing makes no box") {
    xt::xtensor<float, 2> map({64, 64}, 0.0F);
    CHECK(ocelli::text_boxes_from_map(map, {64, 64}).size() == 0);
    map(10, 10) = 1;                                     // a dot
    for (std::size_t x = 5; x < 60; ++x) map(30, x) = 1; // a hairline, two pixels thick once dilated
    for (std::size_t y = 40; y < 60; ++y)
        for (std::size_t x = 5; x < 60; ++x) map(y, x) = 0.4F; // faint
    CHECK(ocelli::text_boxes_from_map(map, {64, 64}).size() == 0);
    CHECK(ocelli::text_boxes_from_map(map, {64, 64}, {.box_score = 0.3}).size() == 1);
    CHECK(ocelli::text_boxes_from_map(map, {64, 64}, {.threshold = 0.45, .box_score = 0.3}).size() == 0);
    // Scaled down to nothing.
    CHECK(ocelli::text_boxes_from_map(map, {4, 4}, {.box_score = 0.3}).size() == 0);
    map.fill(std::numeric_limits<float>::quiet_NaN());
    CHECK(ocelli::text_boxes_from_map(map, {64, 64}).size() == 0);
    map.fill(1);
    const auto whole = ocelli::text_boxes_from_map(map, {64, 64});
    REQUIRE(whole.size() == 1);
    CHECK(whole.corners(0, 0, 0) == 0.0F);
    CHECK(whole.corners(0, 2, 1) == 63.0F);
}

TEST_CASE("Boxes come in the order of reading") {
    xt::xtensor<float, 2> map({200, 300}, 0.0F);
    const std::size_t places[][2] = {{100, 160}, {20, 150}, {24, 20}, {103, 20}}; // y x
    for (const auto& place : places)
        for (std::size_t y = 0; y < 12; ++y)
            for (std::size_t x = 0; x < 60; ++x) map(place[0] + y, place[1] + x) = 1;
    const auto found = ocelli::text_boxes_from_map(map, {200, 300});
    REQUIRE(found.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK((found.corners(i, 0, 1) < 60) == (i < 2));
        CHECK((found.corners(i, 0, 0) < 80) == (i % 2 == 0));
    }
    CHECK(ocelli::text_boxes_from_map(map, {200, 300}, {.most_boxes = 3}).size() == 3);
}

TEST_CASE("A text detector brings pictures to a multiple of 32 and boxes back") {
    const auto find = ocelli::read_text_detector(golden("pipelines/text_mean.onnx"), {.shorter_side = 96});
    CHECK(find.input_size({191, 384}) == ocelli::image_size{192, 384});
    CHECK(find.input_size({48, 144}) == ocelli::image_size{96, 288});
    CHECK(find.input_size({50, 60}) == ocelli::image_size{96, 128}); // 115.2 is cut to 115: 3.6 times 32
    CHECK(ocelli::read_text_detector(golden("pipelines/text_mean.onnx")).input_size({191, 384}) ==
          ocelli::image_size{736, 1472});

    xt::xtensor<std::uint8_t, 3> image({48, 144, 3}, std::uint8_t{0});
    for (std::size_t y = 16; y < 28; ++y)
        for (std::size_t x = 30; x < 100; ++x)
            for (std::size_t k = 0; k < 3; ++k) image(y, x, k) = 255;
    const auto input = find.preprocess(image);
    CHECK(input.shape() == std::array<std::size_t, 4>{1, 3, 96, 288});
    CHECK(input(0, 0, 0, 0) == -1.0F);
    CHECK(input(0, 1, 40, 100) == 1.0F);
    const auto map = find.probabilities(input);
    CHECK(map(0, 0) == doctest::Approx(0.0));
    CHECK(map(40, 100) == doctest::Approx(1.0));
    const auto found = find(image);
    REQUIRE(found.size() == 1);
    CHECK(found.corners(0, 0, 0) < 30);
    CHECK(found.corners(0, 0, 0) > 15);
    CHECK(found.corners(0, 2, 0) > 99);
    CHECK(found.corners(0, 2, 1) > 27);
}

TEST_CASE("Wrong maps, pictures, options and networks are refused by name") {
    const xt::xtensor<float, 2> map({8, 8}, 0.0F);
    CHECK_THROWS_WITH_AS(ocelli::text_boxes_from_map(xt::xtensor<float, 2>::from_shape({0, 8}), {8, 8}),
                         "text_boxes_from_map: the map is empty, its shape is (0, 8)", ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(ocelli::text_boxes_from_map(map, {0, 8}),
                         "text_boxes_from_map: the picture must have a positive size, got 0 x 8", ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(ocelli::text_boxes_from_map(map, {8, 8}, {.unclip = -1}),
                         "text_boxes_from_map: unclip must lie in [0, 1000], got -1", ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(ocelli::text_boxes_from_map(map, {8, 8}, {.most_boxes = 0}),
                         "text_boxes_from_map: most_boxes must be positive, got 0", ocelli::invalid_argument);
    const auto path = golden("pipelines/text_mean.onnx");
    const auto find = ocelli::read_text_detector(path);
    CHECK_THROWS_WITH_AS(find(xt::xtensor<std::uint8_t, 3>({4, 4, 1}, std::uint8_t{0})),
                         "text_detector: image must have shape (H, W, 3), got (4, 4, 1)", ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(find(xt::xtensor<std::uint8_t, 3>({1, 65, 3}, std::uint8_t{0})),
                         "text_detector: a picture's sides must be at most 64 times apart, got 1 x 65",
                         ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(ocelli::read_text_detector(path, {.shorter_side = 0}),
                         "text_detector: shorter_side must be in [1, 65536], got 0", ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(ocelli::read_text_detector(golden("pipelines/segment_colours.onnx")),
                         "text_detector: needs a network with one input and one output, this one has 1 and 2",
                         ocelli::invalid_argument);
    CHECK_THROWS_AS(ocelli::read_text_detector(golden("pipelines/segment_colours_32x64.onnx"))(
                        xt::xtensor<std::uint8_t, 3>({736, 736, 3}, std::uint8_t{0})),
                    ocelli::invalid_argument);
    CHECK_THROWS_AS(ocelli::read_text_detector("absent.onnx"), ocelli::io_error);
}

} // namespace
