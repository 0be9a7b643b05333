#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/io/npy.hpp>
#include <ocelli/metrics/panoptic.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#if __has_include(<xtensor/views/xview.hpp>)
#    include <xtensor/views/xview.hpp>
#else
#    include <xtensor/xview.hpp>
#endif

using namespace ocelli;
using ocelli_test::message_of;

namespace {

using map = xt::xtensor<std::int32_t, 2>;
using annotations = std::vector<panoptic_annotation>;

const std::vector<panoptic_category> two{{1, true}, {2, false}};

}  // namespace

TEST_CASE("panoptic quality is panopticapi's, with void, crowds and ids that are not listed") {
    const auto maps = read_npy<std::int32_t, 4>(ocelli_test::golden("metrics/panoptic/maps.npy"));
    const auto listed = read_npy<std::int64_t, 2>(ocelli_test::golden("metrics/panoptic/segments.npy"));
    const auto means = read_npy<double, 2>(ocelli_test::golden("metrics/panoptic/means.npy"));
    const auto each = read_npy<double, 2>(ocelli_test::golden("metrics/panoptic/categories.npy"));
    const auto counts = read_npy<double, 2>(ocelli_test::golden("metrics/panoptic/counts.npy"));
    std::vector<panoptic_category> categories;
    for (std::int64_t i = 1; i <= 8; ++i) categories.push_back({i, i < 5});
    panoptic_evaluator all(categories), halves[2] = {panoptic_evaluator(categories), panoptic_evaluator(categories)};
    for (std::size_t k = 0; k < maps.shape(0); ++k) {
        annotations truth, prediction;
        for (std::size_t i = 0; i < listed.shape(0); ++i)
            if (listed(i, 0) == static_cast<std::int64_t>(k))
                (listed(i, 1) == 0 ? truth : prediction).push_back({listed(i, 2), listed(i, 3), listed(i, 4) != 0, -1});
        const auto t = xt::view(maps, k, 0, xt::all(), xt::all()), p = xt::view(maps, k, 1, xt::all(), xt::all());
        all.add(t, truth, p, prediction);
        halves[k % 2].add(t, truth, p, prediction);
    }
    halves[0].merge(halves[1]);
    const auto same = [](const panoptic_quality& q, double pq, double sq, double rq) {
        return std::fabs(q.pq - pq) < 1e-12 && std::fabs(q.sq - sq) < 1e-12 && std::fabs(q.rq - rq) < 1e-12;
    };
    for (const auto* e : {&all, &halves[0]}) {
        const panoptic_quality three[] = {e->all(), e->things(), e->stuff()};
        for (std::size_t i = 0; i < 3; ++i) {
            CHECK(same(three[i], means(i, 0), means(i, 1), means(i, 2)));
            CHECK(static_cast<double>(three[i].categories) == means(i, 3));
        }
        for (std::size_t c = 0; c < 8; ++c) {
            CHECK(same(e->category(static_cast<std::int64_t>(c + 1)), each(c, 0), each(c, 1), each(c, 2)));
            const auto n = e->counts(static_cast<std::int64_t>(c + 1));
            CHECK(std::fabs(n.iou - counts(c, 0)) < 1e-12);
            CHECK(static_cast<double>(n.true_positives) == counts(c, 1));
            CHECK(static_cast<double>(n.false_positives) == counts(c, 2));
            CHECK(static_cast<double>(n.false_negatives) == counts(c, 3));
        }
    }
}

TEST_CASE("matches, misses, inventions and excuses") {
    panoptic_evaluator e(two);
    CHECK(e.all().categories == 0);
    CHECK(e.all().pq == 0);
    const map truth{{5, 5, 5, 6, 6, 6, 0, 0}}, said{{1, 1, 2, 2, 2, 2, 3, 3}};
    e.add(truth, annotations{{5, 1, false, -1}, {6, 2, false, -1}}, said, annotations{{1, 1, false, -1}, {2, 2, false, -1}, {3, 1, false, -1}});
    CHECK(e.counts(1).true_positives == 1);  // 2 of 3
    CHECK(e.counts(1).iou == 2.0 / 3);
    CHECK(e.counts(1).false_positives == 0);  // segment 3 lies on void
    CHECK(e.counts(2).iou == 3.0 / 4);
    CHECK(e.things().pq == 2.0 / 3);
    CHECK(e.stuff().rq == 1);
    CHECK(e.all().categories == 2);

    panoptic_evaluator crowd(two);
    crowd.add(map{{5, 5, 5, 5}}, annotations{{5, 1, true, -1}}, map{{1, 1, 2, 2}}, annotations{{1, 1, false, -1}, {2, 2, false, -1}});
    CHECK(crowd.counts(1).false_positives == 0);
    CHECK(crowd.counts(1).false_negatives == 0);
    CHECK(crowd.counts(2).false_positives == 1);

    panoptic_evaluator other(two);
    other.add(map{{5, 5}}, annotations{{5, 1, false, -1}}, map{{0, 0}}, annotations{});
    CHECK(other.counts(1).false_negatives == 1);
    other.add(map({0, 3}), annotations{}, map({0, 3}), annotations{});
    CHECK(other.counts(1).false_negatives == 1);
    // The file's area counts where it is given, as panopticapi takes it.
    panoptic_evaluator file(two);
    file.add(map{{5, 5}}, annotations{{5, 1, false, 3}}, map{{1, 1}}, annotations{{1, 1, false, -1}});
    CHECK(file.counts(1).iou == 2.0 / 3);
}

TEST_CASE("lists that do not fit the maps are refused and leave the counts alone") {
    panoptic_evaluator e(two);
    const map truth{{5, 5}}, said{{1, 1}};
    const annotations real{{5, 1, false, -1}}, right{{1, 1, false, -1}};
    CHECK(message_of([&] { e.add(truth, real, said, annotations{}); }) == "panoptic_evaluator: segment 1 is in the predicted map but not listed");
    CHECK(message_of([&] { e.add(truth, real, said, annotations{{1, 1, false, -1}, {2, 1, false, -1}}); }) ==
          "panoptic_evaluator: segment 2 of the prediction is listed but not in the map");
    CHECK(message_of([&] { e.add(truth, real, said, annotations{{1, 9, false, -1}}); }) ==
          "panoptic_evaluator: segment 1 of the prediction has the unknown category 9");
    CHECK(message_of([&] { e.add(truth, annotations{{5, 1, false, -1}, {5, 2, false, -1}}, said, right); }) ==
          "panoptic_evaluator: segment 5 is listed twice in the truth");
    CHECK(message_of([&] { e.add(truth, annotations{{0, 1, false, -1}}, said, right); }) ==
          "panoptic_evaluator: segment ids must be in [1, 2^32), got 0 in the truth");
    CHECK(message_of([&] { e.add(map{{-1, 5}}, real, said, right); }) ==
          "panoptic_evaluator: segment ids must be in [0, 2^32), got -1 and 1");
    CHECK(message_of([&] { e.add(truth, real, map{{1}, {1}}, right); }) ==
          "panoptic_evaluator: truth and prediction must have the same shape, got (1, 2) and (2, 1)");
    CHECK(e.all().categories == 0);
    CHECK(message_of([&] { (void)e.category(3); }) == "panoptic_evaluator: unknown category 3");
    CHECK(message_of([&] { e.merge(panoptic_evaluator(std::vector<panoptic_category>{{1, true}})); }) ==
          "panoptic_evaluator: merged evaluators must have the same categories");
    CHECK(message_of([] { panoptic_evaluator(std::vector<panoptic_category>{{1, true}, {1, false}}); }) ==
          "panoptic_evaluator: category 1 is listed twice");
}
