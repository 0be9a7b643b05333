#include <ocelli/io/npy.hpp>
#include <ocelli/pipelines/detection_heads.hpp>

#include "support/detections.hpp"
#include "support/fixtures.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace {

using ocelli_test::check_same;
using ocelli_test::fixture;

/// The only picture of a batch of one.
template <std::size_t N>
xt::xtensor<float, N> first_of(const std::string& path) {
    const auto batch = ocelli::read_npy<float, N + 1>(path);
    std::array<std::size_t, N> shape{};
    for (std::size_t i = 0; i < N; ++i) shape[i] = batch.shape(i + 1);
    auto out = xt::xtensor<float, N>::from_shape(shape);
    std::copy(batch.begin(), batch.begin() + static_cast<std::ptrdiff_t>(out.size()), out.begin());
    return out;
}

TEST_CASE("The outputs of the Ultra-Light face detector become the reference's boxes") {
    const auto dir = fixture("ultraface");
    if (dir.empty()) return;
    const auto size = [](const std::string& name) {
        return name == "group" ? std::pair{1024.0, 715.0} : std::pair{512.0, 512.0};
    };
    for (const std::string name : {"group", "astronaut"}) {
        const auto [width, height] = size(name);
        const auto found =
            ocelli::ultraface_candidates(first_of<2>(dir + "/RFB-320." + name + ".scores.npy"),
                                         first_of<2>(dir + "/RFB-320." + name + ".boxes.npy"), 0.7, width, height);
        check_same(ocelli::suppress(found, {.iou_threshold = 0.3}),
                   ocelli::read_npy<float, 2>(dir + "/RFB-320." + name + ".detections.npy"), 0.01, 1e-4);
    }
}

TEST_CASE("The raw regressions of the Ultra-Light face detector decode to its own boxes") {
    const auto dir = fixture("ultraface");
    if (dir.empty()) return;
    const auto priors = ocelli::ultraface_priors(240, 320);
    REQUIRE(priors.shape(0) == 4420);
    const auto boxes = ocelli::ultraface_boxes(first_of<2>(dir + "/RFB-320_without_postprocessing.group.boxes.npy"), priors);
    const auto expected = first_of<2>(dir + "/RFB-320.group.boxes.npy");
    float worst = 0;
    for (std::size_t i = 0; i < boxes.size(); ++i) worst = std::max(worst, std::abs(boxes.data()[i] - expected.data()[i]));
    CHECK(worst < 1e-5F);
}

TEST_CASE("The output of FastestDet becomes the reference's boxes") {
    const auto dir = fixture("fastestdet");
    if (dir.empty()) return;
    for (const std::string name : {"3", "street"}) {
        const auto reference = ocelli::read_npy<float, 2>(dir + "/" + name + ".detections.npy");
        const auto output = first_of<3>(dir + "/" + name + ".758.npy");
        const auto [width, height] = name == "3" ? std::pair{500.0, 335.0} : std::pair{500.0, 406.0};
        const auto found = ocelli::fastestdet_candidates(output, 0.65, width, height);
        check_same(ocelli::suppress(found, {.iou_threshold = 0.45, .legacy_plus_one = true}, false), reference, 0.01, 1e-4);
    }
}

TEST_CASE("Priors stand in the middle of their cells and are clipped to the picture") {
    const auto priors = ocelli::ultraface_priors(480, 640);
    CHECK(priors.shape(0) == 80 * 60 * 3 + 40 * 30 * 2 + 20 * 15 * 2 + 10 * 8 * 3);
    CHECK(priors(0, 0) == doctest::Approx(4.0 / 640));
    CHECK(priors(0, 1) == doctest::Approx(4.0 / 480));
    CHECK(priors(0, 2) == doctest::Approx(10.0 / 640));
    CHECK(priors(2, 3) == doctest::Approx(24.0 / 480));
    CHECK(priors(priors.shape(0) - 1, 1) == doctest::Approx(7.5 / 8)); // eight rows, although 480 / 64 is less
    CHECK(ocelli::ultraface_priors(64, 64)(64 * 3 + 16 * 2 + 4 * 2, 2) == 1.0F);
    CHECK_THROWS_WITH_AS(ocelli::ultraface_priors(0, 320),
                         "ultraface_priors: height and width must be in [1, 65536], got 0 and 320", ocelli::invalid_argument);
}

TEST_CASE("A grid point's box reaches exp(side) strides to each side") {
    xt::xtensor<float, 3> logits = xt::zeros<float>({2, 2, 3});
    logits.fill(-5.0F);
    logits(1, 1, 2) = 0.0F;
    xt::xtensor<float, 3> sides = xt::zeros<float>({4, 2, 3});
    sides(0, 1, 2) = std::log(2.0F);
    const auto found = ocelli::point_candidates(logits, sides, 0.4, 24, 16);
    REQUIRE(found.size() == 1);
    CHECK(found.scores(0) == doctest::Approx(0.5));
    CHECK(found.labels(0) == 1);
    CHECK(found.boxes(0, 0) == doctest::Approx(20 - 16));
    CHECK(found.boxes(0, 1) == doctest::Approx(12 - 8));
    CHECK(found.boxes(0, 2) == doctest::Approx(20 + 8));
    CHECK(found.boxes(0, 3) == doctest::Approx(12 + 8));
    CHECK(ocelli::point_candidates(logits, sides, 0.5, 24, 16).size() == 0); // greater, not equal
}

TEST_CASE("A point of a YOLO network has the box around its centre and its best class") {
    xt::xtensor<float, 2> output = xt::zeros<float>({7, 3});
    for (std::size_t p = 0; p < 3; ++p) {
        output(0, p) = 20;
        output(1, p) = 10;
        output(2, p) = 8;
        output(3, p) = 4;
    }
    output(5, 1) = 0.6F;
    output(6, 1) = 0.5F;
    output(6, 2) = 0.25F;
    const auto found = ocelli::yolo_candidates(output, 0.25);
    REQUIRE(found.size() == 1); // greater, not equal
    CHECK(found.labels(0) == 1);
    CHECK(found.scores(0) == 0.6F);
    CHECK(found.boxes(0, 0) == 16);
    CHECK(found.boxes(0, 1) == 8);
    CHECK(found.boxes(0, 2) == 24);
    CHECK(found.boxes(0, 3) == 12);

    output(6, 0) = 40; // a key point
    CHECK(ocelli::yolo_candidates(output, 0.25, 2).size() == 1);
    CHECK_THROWS_WITH_AS(
        ocelli::yolo_candidates(output, 0.25),
        "yolo_candidates: the scores of classes must be at most 1, got 40 for class 2: do poses or masks stand behind them?",
        ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(ocelli::yolo_candidates(output, 0.25, 4),
                         "yolo_candidates: output must have shape (4 + 4 or more, P), got (7, 3)", ocelli::invalid_argument);
    CHECK_THROWS_AS(ocelli::yolo_candidates(xt::xtensor<float, 2>::from_shape({4, 3}), 0.25), ocelli::invalid_argument);
}

TEST_CASE("Rows that a YOLO network has selected are taken as they are, but for those of no class") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const xt::xtensor<float, 2> rows{{1, 2, 3, 4, 0.9F, 7}, {1, 2, 3, 4, 0.25F, 7}, {1, 2, 3, 4, 0.8F, -1}, {1, 2, 3, 4, nan, 7}, {1, 2, 3, 4, 0.8F, nan}};
    const auto found = ocelli::yolo_rows(rows, 0.25);
    REQUIRE(found.size() == 1);
    CHECK(found.labels(0) == 7);
    CHECK(found.boxes(0, 3) == 4);
    CHECK_THROWS_WITH_AS(ocelli::yolo_rows(xt::xtensor<float, 2>::from_shape({3, 7}), 0.25), "yolo_rows: rows must have shape (N, 6), got (3, 7)",
                         ocelli::invalid_argument);
}

TEST_CASE("Boxes suppress each other within their label, or all together") {
    const ocelli::detections found{xt::xtensor<float, 2>{{0, 0, 10, 10}, {0, 0, 10, 9}, {0, 0, 10, 8}},
                                   xt::xtensor<float, 1>{0.5F, 0.6F, 0.7F}, xt::xtensor<std::int64_t, 1>{0, 1, 0}};
    const auto apart = ocelli::suppress(found, {.iou_threshold = 0.5});
    REQUIRE(apart.size() == 2);
    CHECK(apart.scores(0) == 0.7F);
    CHECK(apart.labels(1) == 1);
    CHECK(apart.boxes(1, 3) == 9.0F);
    CHECK(ocelli::suppress(found, {.iou_threshold = 0.5}, false).size() == 1);
    CHECK(ocelli::suppress({}, {}).size() == 0);
}

TEST_CASE("Outputs of no picture or of NaN give no boxes") {
    CHECK(ocelli::ultraface_candidates(xt::xtensor<float, 2>::from_shape({0, 2}), xt::xtensor<float, 2>::from_shape({0, 4}),
                                       0.5, 1, 1)
              .size() == 0);
    xt::xtensor<float, 3> broken = xt::zeros<float>({6, 2, 2});
    broken.fill(std::numeric_limits<float>::quiet_NaN());
    CHECK(ocelli::fastestdet_candidates(broken, 0.5, 10, 10).size() == 0);
}

TEST_CASE("Outputs of other shapes are refused") {
    using two = xt::xtensor<float, 2>;
    using three = xt::xtensor<float, 3>;
    CHECK_THROWS_WITH_AS(ocelli::ultraface_candidates(two::from_shape({3, 1}), two::from_shape({3, 4}), 0.5, 1, 1),
                         "ultraface_candidates: scores must have a column for the background and one for each class, got 1",
                         ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(ocelli::ultraface_candidates(two::from_shape({3, 2}), two::from_shape({2, 4}), 0.5, 1, 1),
                         "ultraface_candidates: scores and boxes must have the same length, got 3 and 2",
                         ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(ocelli::ultraface_candidates(two::from_shape({3, 2}), two::from_shape({3, 4}), 0.5, 0, 1),
                         "ultraface_candidates: width and height must be positive, got 0 and 1", ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(ocelli::fastestdet_candidates(three::from_shape({5, 2, 2}), 0.5, 1, 1),
                         "fastestdet_candidates: output must have shape (5 + C, H, W), got (5, 2, 2)",
                         ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(ocelli::point_candidates(three::from_shape({6, 2, 2}), three::from_shape({4, 2, 3}), 0.5, 1, 1),
                         "point_candidates: sides must have shape (4, 2, 2), got (4, 2, 3)", ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(ocelli::ultraface_boxes(two::from_shape({3, 4}), two::from_shape({2, 4})),
                         "ultraface_boxes: deltas and priors must have the same length, got 3 and 2", ocelli::invalid_argument);
}

} // namespace
