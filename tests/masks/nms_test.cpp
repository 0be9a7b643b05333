// ctest: per_isa
#include "masks/support/inputs.hpp"
#include "support/compare.hpp"

#include <ocelli/masks/iou.hpp>
#include <ocelli/masks/nms.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

using namespace ocelli;
using ocelli_test::message_of;

namespace {

/// The rule itself, over a matrix of overlaps.
std::vector<std::int64_t> naive(const xt::xtensor<double, 2>& iou, const std::vector<float>& scores, const std::vector<int>& classes,
                                double threshold) {
    std::vector<std::int64_t> order(scores.size()), kept;
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](auto a, auto b) { return scores[static_cast<std::size_t>(a)] > scores[static_cast<std::size_t>(b)]; });
    for (const auto i : order)
        if (std::none_of(kept.begin(), kept.end(), [&](auto k) {
                return classes[static_cast<std::size_t>(i)] == classes[static_cast<std::size_t>(k)] && iou(i, k) > threshold;
            }))
            kept.push_back(i);
    return kept;
}

template <class A, class B>
bool same(const A& a, const B& b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin());
}

}  // namespace

TEST_CASE("mask_nms keeps what the rule over all overlaps keeps, dense and run-length, with and without classes") {
    const std::size_t n = 60, h = 31, w = 45;
    const auto masks = ocelli_test::random_masks(n, h, w, 4);
    const auto m = view(masks.data(), {n, h, w});
    const auto iou = mask_iou(m, m);
    std::vector<float> scores(n);
    std::vector<int> classes(n), one(n, 7);
    for (std::size_t i = 0; i < n; ++i) {
        scores[i] = static_cast<float>(i * 37 % 20);  // many equal
        classes[i] = static_cast<int>(i % 3) - 1;
    }
    for (const double threshold : {0.0, 0.1, 0.3, 0.5, 0.9, 1.0}) {
        CHECK(same(mask_nms(m, scores, threshold), naive(iou, scores, one, threshold)));
        CHECK(same(mask_nms(rle_encode(m), scores, threshold), naive(iou, scores, one, threshold)));
        CHECK(same(batched_mask_nms(m, scores, classes, threshold), naive(iou, scores, classes, threshold)));
    }
}

TEST_CASE("empty masks are kept and suppress nothing") {
    const xt::xtensor<int, 3> masks({3, 4, 4}, 0);
    CHECK(same(mask_nms(masks, std::vector<float>{1, 3, 2}, 0.0), std::vector<int>{1, 2, 0}));
    CHECK(mask_nms(xt::xtensor<int, 3>({0, 4, 4}), std::vector<float>{}, 0.5).size() == 0);
    CHECK(mask_nms(std::vector<rle>{}, std::vector<float>{}, 0.5).size() == 0);
}

TEST_CASE("bad arguments are refused") {
    const xt::xtensor<int, 3> masks({2, 2, 2}, 1);
    CHECK(message_of([&] { (void)mask_nms(masks, std::vector<float>{1}, 0.5); }) ==
          "mask_nms: masks and scores must have the same length, got 2 and 1");
    CHECK(message_of([&] { (void)mask_nms(masks, std::vector<double>{1, std::numeric_limits<double>::quiet_NaN()}, 0.5); }) ==
          "mask_nms: scores must not be NaN, score 1 is");
    CHECK(message_of([&] { (void)mask_nms(masks, std::vector<float>{1, 2}, 1.5); }) ==
          "mask_nms: the IoU threshold must be in [0, 1], got 1.5");
    CHECK(message_of([&] { (void)batched_mask_nms(masks, std::vector<float>{1, 2}, std::vector<int>{1}, 0.5); }) ==
          "batched_mask_nms: scores and classes must have the same length, got 2 and 1");
    CHECK(message_of([&] { (void)mask_nms(std::vector<rle>{rle{1, 1, {2}}}, std::vector<float>{1}, 0.5); }) ==
          "mask_nms: the counts must add up to 1 x 1, got 2");
}
