// ctest: per_isa
#include "boxes/support/inputs.hpp"
#include "boxes/support/naive.hpp"
#include "support/fixtures.hpp"

#include <ocelli/boxes/fast_nms.hpp>
#include <ocelli/io/npy.hpp>

#include <doctest/doctest.h>

#include <array>
#include <limits>
#include <vector>

using namespace ocelli;

namespace {

template <class T>
std::vector<std::int64_t> clear_fast_nms(const std::vector<T>& boxes, const std::vector<T>& scores, double threshold,
                                         const std::vector<std::int64_t>* classes = nullptr) {
    const auto order = ocelli_test::by_score(scores);
    std::vector<std::int64_t> kept;
    for (std::size_t j = 0; j < order.size(); ++j) {
        bool gone = false;
        for (std::size_t i = 0; i < j && !gone; ++i)
            gone = (!classes || (*classes)[order[i]] == (*classes)[order[j]]) &&
                   static_cast<double>(ocelli_test::naive_iou(&boxes[4 * order[i]], &boxes[4 * order[j]])) > threshold;
        if (!gone) kept.push_back(static_cast<std::int64_t>(order[j]));
    }
    return kept;
}

}  // namespace

TEST_CASE("fast_nms gives the indices of its definition, as golden values") {
    const auto boxes = read_npy<float, 2>(ocelli_test::golden("boxes/nms/boxes.npy"));
    const auto scores = read_npy<float, 1>(ocelli_test::golden("boxes/nms/scores.npy"));
    CHECK(fast_nms(boxes, scores, {.iou_threshold = 0.5}) == read_npy<std::int64_t, 1>(ocelli_test::golden("boxes/nms/fast_5.npy")));
}

TEST_CASE_TEMPLATE("fast_nms equals the clear version, also within classes", T, float, double) {
    for (const std::size_t n : std::initializer_list<std::size_t>{0, 1, 40, 1500}) {
        const auto boxes = ocelli_test::clustered_boxes<T>(n, n / 5 + 1, 1, 3000);
        const auto scores = ocelli_test::random_scores<T>(n, 2, 200);
        std::vector<std::int64_t> classes(n);
        for (std::size_t i = 0; i < n; ++i) classes[i] = static_cast<std::int64_t>(i % 3);
        const auto v = view(boxes.data(), {n, 4});
        for (const double threshold : {0.0, 0.5}) {
            const auto all = fast_nms(v, scores, {.iou_threshold = threshold});
            CHECK(std::vector<std::int64_t>(all.begin(), all.end()) == clear_fast_nms(boxes, scores, threshold));
            const auto within = fast_nms(v, scores, classes, {.iou_threshold = threshold});
            CHECK(std::vector<std::int64_t>(within.begin(), within.end()) == clear_fast_nms(boxes, scores, threshold, &classes));
        }
        const auto few = fast_nms(v, scores, {.max_output = 4});
        const auto clear = clear_fast_nms(boxes, scores, 0.5);
        CHECK(few.size() == std::min<std::size_t>(4, clear.size()));
        for (std::size_t i = 0; i < few.size(); ++i) CHECK(few(i) == clear[i]);
    }
}

TEST_CASE("a suppressed box suppresses in fast_nms, not in nms") {
    const std::vector<std::array<float, 4>> chain{{0, 0, 10, 10}, {3, 0, 13, 10}, {6, 0, 16, 10}};
    const std::vector<float> scores{3, 2, 1};
    CHECK(nms(chain, scores, 0.5).size() == 2);
    CHECK(fast_nms(chain, scores, {.iou_threshold = 0.5}).size() == 1);
}

TEST_CASE("empty boxes and boxes with NaN stay in fast_nms and suppress nothing") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const std::vector<std::array<float, 4>> boxes{{4, 4, 0, 0}, {0, 0, nan, 4}, {0, 0, 4, 4}, {2, 2, 2, 2}, {2, 2, 2, 2}, {0, 0, 4, 4}};
    CHECK(fast_nms(boxes, std::vector<float>{6, 5, 4, 3, 2, 1}, {.iou_threshold = 0}) == xt::xtensor<std::int64_t, 1>{0, 1, 2, 3, 4});
}

TEST_CASE("fast_nms says what is wrong") {
    const xt::xtensor<float, 2> boxes({3, 4}, 1.0f);
    CHECK_THROWS_WITH_AS(fast_nms(boxes, std::vector<float>{1}), "fast_nms: boxes and scores must have the same length, got 3 and 1",
                         invalid_argument);
    CHECK_THROWS_WITH_AS(fast_nms(boxes, std::vector<float>{1, 2, 3}, std::vector<int>{1}),
                         "fast_nms: boxes and classes must have the same length, got 3 and 1", invalid_argument);
    CHECK_THROWS_WITH_AS(fast_nms(boxes, std::vector<float>{1, 2, 3}, {.iou_threshold = -1}),
                         "fast_nms: iou_threshold must be in [0, 1], got -1", invalid_argument);
    CHECK_THROWS_WITH_AS(fast_nms(boxes, std::vector<float>{1, std::numeric_limits<float>::quiet_NaN(), 3}),
                         "fast_nms: scores must be numbers, got NaN at 1", invalid_argument);
}
