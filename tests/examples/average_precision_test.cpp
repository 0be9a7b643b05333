#include "scenes/average_precision.hpp"

#include <ocelli/core/tensor.hpp>

#include "support/fixtures.hpp"

namespace {

using boxes = xt::xtensor<float, 2>;
using numbers = xt::xtensor<float, 1>;
using labels = xt::xtensor<std::int64_t, 1>;

TEST_CASE("Average precision is the area under the monotone precision-recall curve") {
    // Scores 0.9 hit, 0.8 miss, 0.7 hit, of three objects: precision 1, 1/2, 2/3 at recall 1/3, 1/3, 2/3.
    scenes::detection_score score(1, 0.5, 0.75);
    score.add(boxes{{0, 0, 10, 10}, {50, 50, 60, 60}, {20, 0, 30, 10}}, numbers{0.9F, 0.8F, 0.7F}, labels{0, 0, 0},
              boxes{{0, 0, 10, 10}, {20, 0, 30, 12}, {90, 90, 99, 99}}, labels{0, 0, 0}, numbers{1, 1, 1});
    const auto c = score.result().at(0);
    CHECK(c.average_precision == doctest::Approx(1.0 / 3 + 2.0 / 3 / 3));
    CHECK(c.objects == 3);
    CHECK(c.found == 1);
    CHECK(c.missed == 2);
    CHECK(c.false_alarms == 1);
}

TEST_CASE("A second detection of an object and one of another class are false alarms") {
    scenes::detection_score score(2);
    score.add(boxes{{0, 0, 10, 9}, {0, 0, 10, 10}, {0, 0, 10, 10}}, numbers{0.8F, 0.9F, 0.7F}, labels{0, 0, 1},
              boxes{{0, 0, 10, 10}}, labels{0}, numbers{1});
    const auto all = score.result();
    CHECK(all[0].found == 1);
    CHECK(all[0].false_alarms == 1);
    CHECK(all[0].average_precision == doctest::Approx(1.0));
    CHECK(all[1].objects == 0);
    CHECK(all[1].false_alarms == 1);
    CHECK(all[1].average_precision == 0.0);
    CHECK(score.mean_average_precision() == doctest::Approx(0.5));
}

TEST_CASE("A hardly visible object neither rewards nor punishes") {
    scenes::detection_score score(1);
    score.add(boxes{{0, 0, 10, 10}}, numbers{0.9F}, labels{0}, boxes{{0, 0, 10, 10}}, labels{0}, numbers{0.1F});
    const auto c = score.result().at(0);
    CHECK(c.objects == 0);
    CHECK(c.found == 0);
    CHECK(c.false_alarms == 0);
}

TEST_CASE("The threshold itself is enough overlap, and pictures do not share objects") {
    scenes::detection_score score(1);
    score.add(boxes{{0, 0, 10, 5}}, numbers{0.9F}, labels{0}, boxes{{0, 0, 10, 10}}, labels{0}, numbers{1});
    score.add(boxes{{0, 0, 10, 10}}, numbers{0.8F}, labels{0}, boxes{{30, 0, 40, 10}}, labels{0}, numbers{1});
    const auto c = score.result().at(0);
    CHECK(c.found == 1);
    CHECK(c.false_alarms == 1);
    CHECK(c.average_precision == doctest::Approx(0.5));
}

} // namespace
