// ctest: per_isa
#include "boxes/support/inputs.hpp"
#include "boxes/support/naive.hpp"

#include <ocelli/boxes/cluster_nms.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

using namespace ocelli;

TEST_CASE_TEMPLATE("cluster_nms settles on nms and begins as fast_nms", T, float, double) {
    for (const std::size_t n : std::initializer_list<std::size_t>{0, 1, 60, 1500}) {
        const auto boxes = ocelli_test::clustered_boxes<T>(n, n / 6 + 1, 3, 500);
        const auto scores = ocelli_test::random_scores<T>(n, 4, 300);
        const auto v = view(boxes.data(), {n, 4});
        std::vector<std::int64_t> classes(n);
        for (std::size_t i = 0; i < n; ++i) classes[i] = static_cast<std::int64_t>(i % 2);
        for (const auto criterion : {nms_criterion::iou, nms_criterion::diou}) {
            const nms_options o{.iou_threshold = 0.4, .criterion = criterion};
            CHECK(cluster_nms(v, scores, o) == nms(v, scores, o));
            CHECK(cluster_nms(v, scores, classes, o) == batched_nms(v, scores, classes, o));
            CHECK(cluster_nms(v, scores, o, 1) == fast_nms(v, scores, o));
            CHECK(cluster_nms(v, scores, {.iou_threshold = 0.4, .max_output = 5}) == nms(v, scores, {.iou_threshold = 0.4, .max_output = 5}));
        }
    }
}

TEST_CASE("each round settles one link of a chain") {
    std::vector<std::array<float, 4>> chain;
    std::vector<float> scores;
    for (int i = 0; i < 9; ++i) {
        const float x = 3.0f * static_cast<float>(i);
        chain.push_back({x, 0, x + 10, 10});
        scores.push_back(static_cast<float>(9 - i));
    }
    const auto kept = [&](std::size_t rounds) {
        const auto k = cluster_nms(chain, scores, {.iou_threshold = 0.5}, rounds);
        return std::vector<std::int64_t>(k.begin(), k.end());
    };
    CHECK(kept(1) == std::vector<std::int64_t>{0});
    CHECK(kept(2) == std::vector<std::int64_t>{0, 2, 3, 4, 5, 6, 7, 8});
    CHECK(kept(3) == std::vector<std::int64_t>{0, 2});
    CHECK(kept(200) == std::vector<std::int64_t>{0, 2, 4, 6, 8});
}

TEST_CASE_TEMPLATE("cluster_nms_penalized lowers scores by the better survivors' overlaps", T, float, double) {
    const std::size_t n = 120;
    const auto boxes = ocelli_test::clustered_boxes<T>(n, 15, 5, 200);
    const auto scores = ocelli_test::random_scores<T>(n, 6);
    const auto v = view(boxes.data(), {n, 4});
    const auto survivors = nms(v, scores, 0.5);
    std::vector<T> lowered = scores;
    for (const std::int64_t s : survivors)
        for (std::size_t j = 0; j < n; ++j) {
            const auto k = static_cast<std::size_t>(s);
            if (scores[j] < scores[k]) {
                const T iou = ocelli_test::naive_iou(&boxes[4 * k], &boxes[4 * j]);
                lowered[j] *= std::exp(-(iou * iou) / T(0.2));
            }
        }
    const auto result = cluster_nms_penalized(v, scores, {.iou_threshold = 0.5}, {.score_threshold = 0.1});
    std::size_t expected = 0;
    for (const T x : lowered) expected += static_cast<double>(x) > 0.1 ? 1 : 0;
    REQUIRE(result.indices.size() == expected);
    for (std::size_t i = 0; i < expected; ++i) {
        CHECK(result.scores(i) == doctest::Approx(static_cast<double>(lowered[static_cast<std::size_t>(result.indices(i))])).epsilon(1e-5));
        if (i > 0) CHECK(result.scores(i) <= result.scores(i - 1));
    }
    CHECK(cluster_nms_penalized(v, scores, {.max_output = 7}).indices.size() == 7);
    CHECK(cluster_nms_penalized(v, scores, {.score_threshold = 2.0}).indices.size() == 0);
}

TEST_CASE("empty boxes and boxes with NaN stay in cluster_nms, keep their scores and lower no other") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const std::vector<std::array<double, 4>> boxes{{4, 4, 0, 0}, {0, 0, nan, 4}, {0, 0, 4, 4}, {2, 2, 2, 2}, {2, 2, 2, 2}};
    const std::vector<double> scores{0.9, 0.8, 0.7, 0.6, 0.5};
    CHECK(cluster_nms(boxes, scores, {.iou_threshold = 0}).size() == 5);
    const auto result = cluster_nms_penalized(boxes, scores);
    CHECK(result.indices == xt::xtensor<std::int64_t, 1>{0, 1, 2, 3, 4});
    for (std::size_t i = 0; i < 5; ++i) CHECK(result.scores(i) == scores[i]);
    CHECK(cluster_nms_penalized(std::vector<std::array<double, 4>>{}, std::vector<double>{}).indices.size() == 0);
}

TEST_CASE("cluster_nms says what is wrong") {
    const xt::xtensor<float, 2> boxes({3, 4}, 1.0f);
    const std::vector<float> scores{1, 2, 3};
    CHECK_THROWS_WITH_AS(cluster_nms(boxes, scores, {}, 0), "cluster_nms: max_rounds must be at least 1", invalid_argument);
    CHECK_THROWS_WITH_AS(cluster_nms_penalized(boxes, scores, {}, {.sigma = 0}),
                         "cluster_nms_penalized: sigma must be greater than 0, got 0", invalid_argument);
    CHECK_THROWS_WITH_AS(cluster_nms_penalized(boxes, scores, {}, {.max_rounds = 0}),
                         "cluster_nms_penalized: max_rounds must be at least 1", invalid_argument);
    CHECK_THROWS_WITH_AS(cluster_nms(boxes, scores, std::vector<int>{1}), "cluster_nms: boxes and classes must have the same length, got 3 and 1",
                         invalid_argument);
    CHECK_THROWS_WITH_AS(cluster_nms_penalized(boxes, std::vector<float>{1, 2, std::numeric_limits<float>::infinity()}),
                         "cluster_nms_penalized: scores must be finite", invalid_argument);
}
