#include <ocelli/pipelines/panoptic_from_semantic.hpp>

#include <doctest/doctest.h>

#include <array>

namespace {

using labels_t = xt::xtensor<std::int64_t, 2>;

// Two parts of class 1 (6 and 4 pixels), one of class 2 (2 pixels) on stuff of classes 0 and 3.
const labels_t labels = {{1, 1, 1, 0, 0, 0, 2, 2}, //
                         {1, 1, 1, 0, 1, 1, 0, 0},
                         {3, 0, 0, 0, 1, 1, 0, 0}};

ocelli::segmentation seen(float first, float second, float third) {
    ocelli::segmentation s{.labels = labels};
    s.probabilities = xt::xtensor<float, 3>({4, 3, 8}, 0.0F);
    for (std::size_t y = 0; y < 3; ++y)
        for (std::size_t x = 0; x < 8; ++x) {
            const auto l = static_cast<std::size_t>(labels(y, x));
            s.probabilities(l, y, x) = l == 1 ? (x < 3 ? first : second) : l == 2 ? third : 0.1F;
        }
    return s;
}

TEST_CASE("Connected parts of things become instances, best first, and stuff stays whole") {
    const std::array<std::int64_t, 2> things = {1, 2};
    const auto out = ocelli::panoptic_from_semantic(seen(0.6F, 0.9F, 0.7F), things, {.thing_area = 1, .stuff_area = 1});
    REQUIRE(out.segments.size() == 5);
    const std::int64_t categories[] = {1, 2, 1, 0, 3}, areas[] = {4, 2, 6, 11, 1};
    const double scores[] = {0.9, 0.7, 0.6, 0, 0};
    for (std::size_t i = 0; i < 5; ++i) {
        CAPTURE(i);
        CHECK(out.segments[i].id == static_cast<std::int64_t>(i) + 1);
        CHECK(out.segments[i].category == categories[i]);
        CHECK(out.segments[i].area == areas[i]);
        CHECK(out.segments[i].is_thing == (i < 3));
        CHECK(out.segments[i].instance == (i < 3 ? static_cast<std::int64_t>(i) : -1));
        CHECK(out.segments[i].score == doctest::Approx(scores[i]));
    }
    const xt::xtensor<std::int32_t, 2> ids = {{3, 3, 3, 4, 4, 4, 2, 2}, {3, 3, 3, 4, 1, 1, 4, 4}, {5, 4, 4, 4, 1, 1, 4, 4}};
    CHECK(out.ids == ids);
}

TEST_CASE("Small and doubtful segments are left out and name no pixel") {
    const std::array<std::int64_t, 2> things = {1, 2};
    const auto out = ocelli::panoptic_from_semantic(seen(0.4F, 0.9F, 0.9F), things, {.thing_area = 3, .stuff_area = 2});
    REQUIRE(out.segments.size() == 2);
    CHECK(out.segments[0].area == 4);
    CHECK(out.segments[1].category == 0);
    const xt::xtensor<std::int32_t, 2> ids = {{0, 0, 0, 2, 2, 2, 0, 0}, {0, 0, 0, 2, 1, 1, 2, 2}, {0, 2, 2, 2, 1, 1, 2, 2}};
    CHECK(out.ids == ids);
}

TEST_CASE("Without probabilities every instance scores 1, label -1 belongs to nothing, and empty maps are empty") {
    ocelli::segmentation s{.labels = {{7, 7, -1}, {-1, -1, 9}}};
    const std::array<std::int64_t, 1> things = {7};
    const auto out = ocelli::panoptic_from_semantic(s, things, {.thing_area = 1, .stuff_area = 1});
    REQUIRE(out.segments.size() == 2);
    CHECK(out.segments[0].score == 1.0);
    CHECK(out.segments[1].category == 9);
    CHECK(out.ids == xt::xtensor<std::int32_t, 2>{{1, 1, 0}, {0, 0, 2}});
    CHECK(ocelli::panoptic_from_semantic({}, things).segments.empty());
    // Four neighbours: parts that touch by corners are two.
    s.labels = {{7, 0}, {0, 7}};
    CHECK(ocelli::panoptic_from_semantic(s, things, {.thing_area = 1}).segments.size() == 1);
    CHECK(
        ocelli::panoptic_from_semantic(s, things, {.touching = ocelli::connectivity::four, .thing_area = 1}).segments.size() ==
        2);
}

TEST_CASE("Sizes that disagree and labels without probability are refused") {
    const std::array<std::int64_t, 1> things = {1};
    auto s = seen(1, 1, 1);
    s.labels(0, 0) = 4;
    CHECK_THROWS_WITH_AS(ocelli::panoptic_from_semantic(s, things),
                         "panoptic_from_semantic: label 4 has no probability, there are 4", ocelli::invalid_argument);
    s.probabilities = xt::xtensor<float, 3>({4, 3, 7}, 0.0F);
    CHECK_THROWS_WITH_AS(
        ocelli::panoptic_from_semantic(s, things),
        "panoptic_from_semantic: labels and probabilities must have the same height and width, got (3, 8) and (4, 3, 7)",
        ocelli::invalid_argument);
}

} // namespace
