// ctest: per_isa
#include "boxes/support/inputs.hpp"
#include "boxes/support/naive.hpp"

#include <ocelli/boxes/soft_nms.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <utility>

using namespace ocelli;

namespace {

/// The definition, step by step.
template <class T>
std::pair<std::vector<std::int64_t>, std::vector<T>> clear_soft_nms(const std::vector<T>& boxes, std::vector<T> scores,
                                                                    const soft_nms_options& o) {
    std::pair<std::vector<std::int64_t>, std::vector<T>> out;
    std::vector<bool> taken(scores.size());
    const auto exceeds = [&](T iou) {
        return o.comparison == nms_comparison::greater ? static_cast<double>(iou) > o.iou_threshold
                                                       : static_cast<double>(iou) >= o.iou_threshold;
    };
    while (o.max_output == 0 || out.first.size() < o.max_output) {
        std::size_t best = scores.size();
        for (std::size_t i = 0; i < scores.size(); ++i)
            if (!taken[i] && (best == scores.size() || scores[i] > scores[best])) best = i;
        if (best == scores.size() || static_cast<double>(scores[best]) < o.score_threshold) break;
        taken[best] = true;
        out.first.push_back(static_cast<std::int64_t>(best));
        out.second.push_back(scores[best]);
        for (std::size_t i = 0; i < scores.size(); ++i) {
            if (taken[i]) continue;
            const T iou = ocelli_test::naive_iou(&boxes[4 * i], &boxes[4 * best], o.legacy_plus_one);
            if (o.method == soft_nms_method::naive && exceeds(iou)) scores[i] = T(0);
            if (o.method == soft_nms_method::linear && exceeds(iou)) scores[i] = scores[i] * (T(1) - iou);
            if (o.method == soft_nms_method::gaussian)
                scores[i] = scores[i] * std::exp(-ocelli_test::exact(iou * iou) / static_cast<T>(o.sigma));
        }
    }
    return out;
}

template <class T>
void compare(const std::vector<T>& boxes, const std::vector<T>& scores, const soft_nms_options& o) {
    const auto expected = clear_soft_nms(boxes, scores, o);
    const auto result = soft_nms(view(boxes.data(), {scores.size(), 4}), scores, o);
    CHECK(std::vector<std::int64_t>(result.indices.begin(), result.indices.end()) == expected.first);
    CHECK(std::vector<T>(result.scores.begin(), result.scores.end()) == expected.second);
}

}  // namespace

TEST_CASE_TEMPLATE("soft_nms equals lowering every score each time, bit for bit", T, float, double) {
    using enum soft_nms_method;
    for (const std::size_t n : std::initializer_list<std::size_t>{0, 1, 2, 17, 60, 400}) {
        const auto uniform = ocelli_test::random_boxes<T>(n, n + 1, 400);
        const auto clustered = ocelli_test::clustered_boxes<T>(n, n / 10 + 1, n + 2);
        auto whole = clustered;
        for (T& x : whole) x = std::floor(x);
        auto strange = ocelli_test::random_boxes<T>(n, n + 3, 100, -20, 60);  // empty ones among them
        if (n > 5) {
            strange[8] = std::numeric_limits<T>::quiet_NaN();
            strange[13] = std::numeric_limits<T>::infinity();
            strange[16] = T(-1e20);
        }
        for (const auto method : {naive, linear, gaussian}) {
            for (const double least : {0.0, 0.001, 0.3}) {
                const soft_nms_options o{.method = method, .score_threshold = least, .max_output = n == 60 ? 20u : 0u};
                const auto scores = ocelli_test::random_scores<T>(n, n + 3);
                const auto ties = ocelli_test::random_scores<T>(n, n + 4, 5);
                compare(uniform, scores, o);
                compare(clustered, scores, o);
                compare(whole, ties, o);
                compare(strange, ties, o);
                auto mm = o;
                mm.comparison = nms_comparison::greater_equal;
                mm.legacy_plus_one = true;
                compare(whole, scores, mm);
                compare(strange, scores, mm);
            }
        }
    }
}
