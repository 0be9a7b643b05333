// ctest: per_isa
#include "boxes/support/inputs.hpp"
#include "boxes/support/naive.hpp"
#include "support/fixtures.hpp"

#include <ocelli/boxes/matrix_nms.hpp>
#include <ocelli/io/npy.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

using namespace ocelli;

TEST_CASE("matrix_nms gives mmdet's scores") {
    const auto boxes = read_npy<float, 2>(ocelli_test::golden("boxes/nms/boxes.npy"));
    const auto scores = read_npy<float, 1>(ocelli_test::golden("boxes/nms/scores.npy"));
    const auto labels = read_npy<std::int64_t, 1>(ocelli_test::golden("boxes/nms/labels.npy"));
    for (const bool gaussian : {true, false}) {
        const std::string base = ocelli_test::golden(std::string("boxes/nms/matrix_") + (gaussian ? "gaussian" : "linear"));
        const auto indices = read_npy<std::int64_t, 1>(base + "_indices.npy");
        const auto values = read_npy<double, 1>(base + "_scores.npy");
        const matrix_nms_options o{.kernel = gaussian ? matrix_nms_kernel::gaussian : matrix_nms_kernel::linear};
        const xt::xtensor<double, 2> wide = xt::cast<double>(boxes);
        const xt::xtensor<double, 1> fine = xt::cast<double>(scores);
        const auto exact = matrix_nms(wide, fine, labels, o);
        CHECK(exact.indices == indices);
        for (std::size_t i = 0; i < values.size(); ++i) CHECK(std::fabs(exact.scores(i) - values(i)) < 1e-12);
        const auto single = matrix_nms(boxes, scores, labels, o);
        for (std::size_t i = 0; i < values.size(); ++i) CHECK(std::fabs(static_cast<double>(single.scores(i)) - values(i)) < 1e-5);
        auto few = o;
        few.score_threshold = 0.2;
        few.max_output = 10;
        CHECK(matrix_nms(wide, fine, labels, few).indices.size() == 10);
        few.max_output = 0;
        std::size_t above = 0;
        for (const double v : values) above += v >= 0.2 ? 1 : 0;
        CHECK(matrix_nms(wide, fine, labels, few).indices.size() == above);
    }
}

TEST_CASE("a box alone keeps its score, a copy loses it, a copy of a copy too") {
    const std::vector<std::array<double, 4>> boxes{{0, 0, 4, 4}, {0, 0, 4, 4}, {0, 0, 4, 4}, {9, 9, 12, 12}, {1, 1, 1, 1}};
    const std::vector<double> scores{0.9, 0.8, 0.7, 0.6, 0.5};
    const auto linear = matrix_nms(boxes, scores, {.kernel = matrix_nms_kernel::linear});
    CHECK(linear.indices == xt::xtensor<std::int64_t, 1>{0, 3, 4, 1, 2});
    CHECK(linear.scores == xt::xtensor<double, 1>{0.9, 0.6, 0.5, 0, 0});
    const auto gaussian = matrix_nms(boxes, scores);
    CHECK(gaussian.scores(0) == 0.9);
    CHECK(gaussian.scores(3) == doctest::Approx(0.8 * std::exp(-2.0)));
    CHECK(gaussian.scores(4) == doctest::Approx(0.7 * std::exp(-2.0)));
    CHECK(matrix_nms(boxes, scores, {.pre_top_k = 2}).indices.size() == 2);
    CHECK(matrix_nms(boxes, scores, std::vector<int>{1, 2, 3, 4, 5}).scores(2) == 0.7);
    CHECK(matrix_nms(std::vector<std::array<float, 4>>{}, std::vector<float>{}).indices.size() == 0);
}

TEST_CASE("matrix_nms works in blocks without seams") {
    const std::size_t n = 200;
    const auto boxes = ocelli_test::clustered_boxes<double>(n, 20, 7, 150);
    const auto scores = ocelli_test::random_scores<double>(n, 8);
    const auto result = matrix_nms(view(boxes.data(), {n, 4}), scores);
    const auto order = ocelli_test::by_score(scores);
    std::vector<double> worst(n, 0.0), lowered(n);
    for (std::size_t j = 0; j < n; ++j) {
        double decay = 1;
        for (std::size_t i = 0; i < j; ++i) {
            const double iou = ocelli_test::naive_iou(&boxes[4 * order[i]], &boxes[4 * order[j]]);
            worst[j] = std::max(worst[j], iou);
            decay = std::min(decay, std::exp(-2 * iou * iou) / std::exp(-2 * worst[i] * worst[i]));
        }
        lowered[order[j]] = scores[order[j]] * decay;
    }
    for (std::size_t i = 0; i < n; ++i)
        CHECK(result.scores(i) == doctest::Approx(lowered[static_cast<std::size_t>(result.indices(i))]).epsilon(1e-12));
}

TEST_CASE("empty boxes and boxes with NaN keep their scores in matrix_nms and lower no other") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const std::vector<std::array<float, 4>> boxes{{0, 0, 4, 4}, {4, 4, 0, 0}, {0, 0, nan, 4}, {2, 2, 2, 2}, {0, 0, 4, 4}};
    const std::vector<float> scores{5, 4, 3, 2, 1};
    const auto result = matrix_nms(boxes, scores);
    CHECK(result.indices == xt::xtensor<std::int64_t, 1>{0, 1, 2, 3, 4});
    for (std::size_t i = 0; i < 4; ++i) CHECK(result.scores(i) == scores[i]);
    CHECK(result.scores(4) == doctest::Approx(std::exp(-2.0)));
}

TEST_CASE("matrix_nms says what is wrong") {
    const xt::xtensor<float, 2> boxes({2, 4}, 1.0f);
    CHECK_THROWS_WITH_AS(matrix_nms(boxes, std::vector<float>{1}), "matrix_nms: boxes and scores must have the same length, got 2 and 1",
                         invalid_argument);
    CHECK_THROWS_WITH_AS(matrix_nms(boxes, std::vector<float>{1, 2}, std::vector<int>{1}),
                         "matrix_nms: boxes and classes must have the same length, got 2 and 1", invalid_argument);
    CHECK_THROWS_WITH_AS(matrix_nms(boxes, std::vector<float>{1, 2}, {.sigma = 0}), "matrix_nms: sigma must be greater than 0, got 0",
                         invalid_argument);
    CHECK_THROWS_WITH_AS(matrix_nms(boxes, std::vector<float>{1, std::numeric_limits<float>::infinity()}),
                         "matrix_nms: scores must be finite", invalid_argument);
    CHECK_THROWS_WITH_AS(matrix_nms(boxes, std::vector<float>{1, 2}, {.score_threshold = std::numeric_limits<double>::quiet_NaN()}),
                         "matrix_nms: score_threshold must be a number, got NaN", invalid_argument);
}
