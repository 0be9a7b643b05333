// ctest: per_isa
#include "boxes/support/inputs.hpp"
#include "boxes/support/naive.hpp"
#include "support/fixtures.hpp"

#include <ocelli/boxes/soft_nms.hpp>
#include <ocelli/io/npy.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <set>
#include <string>
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
    REQUIRE(result.scores.size() == expected.second.size());
#if defined(__FAST_MATH__)  // the factors are computed outside kernels, with the user's arithmetic
    for (std::size_t i = 0; i < expected.second.size(); ++i)
        CHECK(std::fabs(result.scores(i) - expected.second[i]) <= 8 * std::numeric_limits<T>::epsilon() * expected.second[i]);
#else
    CHECK(std::vector<T>(result.scores.begin(), result.scores.end()) == expected.second);
#endif
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

TEST_CASE("soft_nms keeps OpenCV's boxes with its scores") {
    // OpenCV's overlap is 1 - (1 - IoU) in float: scores differ in their last digits, and with them the order of near ties.
    const auto boxes = read_npy<float, 2>(ocelli_test::golden("boxes/nms/whole_boxes.npy"));
    const auto scores = read_npy<float, 1>(ocelli_test::golden("boxes/nms/scores.npy"));
    for (const bool gaussian : {true, false}) {
        const std::string base = ocelli_test::golden(std::string("boxes/nms/opencv_soft_") + (gaussian ? "gaussian" : "linear"));
        const auto indices = read_npy<std::int64_t, 1>(base + "_indices.npy");
        const auto values = read_npy<float, 1>(base + "_scores.npy");
        const auto result = soft_nms(boxes, scores,
                                     {.method = gaussian ? soft_nms_method::gaussian : soft_nms_method::linear, .score_threshold = 0.05});
        REQUIRE(result.indices.size() == indices.size());
        CHECK(std::set<std::int64_t>(result.indices.begin(), result.indices.end()) ==
              std::set<std::int64_t>(indices.begin(), indices.end()));
        for (std::size_t i = 0; i < indices.size(); ++i) CHECK(std::fabs(result.scores(i) - values(i)) < 2e-6f);
    }
}

TEST_CASE("soft_nms gives mmcv's indices and scores") {
    const auto boxes = read_npy<float, 2>(ocelli_test::golden("boxes/nms/boxes.npy"));
    const auto scores = read_npy<float, 1>(ocelli_test::golden("boxes/nms/scores.npy"));
    const xt::xtensor<double, 2> wide = xt::cast<double>(boxes);
    const xt::xtensor<double, 1> fine = xt::cast<double>(scores);
    const std::pair<const char*, soft_nms_method> methods[] = {
        {"naive", soft_nms_method::naive}, {"linear", soft_nms_method::linear}, {"gaussian", soft_nms_method::gaussian}};
    for (const auto& [name, method] : methods)
        for (const bool plus : {false, true}) {
            const std::string base = ocelli_test::golden(std::string("boxes/nms/mmcv_soft_") + name + (plus ? "_1" : "_0"));
            const auto values = read_npy<double, 1>(base + "_scores.npy");
            const auto result = soft_nms(wide, fine,
                                         {.method = method,
                                          .iou_threshold = 0.3,
                                          .sigma = 0.5,
                                          .score_threshold = 0.02,
                                          .comparison = nms_comparison::greater_equal,
                                          .legacy_plus_one = plus});
            CHECK(result.indices == read_npy<std::int64_t, 1>(base + "_indices.npy"));
            REQUIRE(result.scores.size() == values.size());
            for (std::size_t i = 0; i < values.size(); ++i) CHECK(std::fabs(result.scores(i) - values(i)) < 1e-12);
        }
}

TEST_CASE("soft_nms writes into the caller's memory") {
    const auto boxes = ocelli_test::clustered_boxes<float>(90, 10, 5);
    const auto scores = ocelli_test::random_scores<float>(90, 6);
    const auto v = view(boxes.data(), {90, 4});
    const auto expected = soft_nms(v, scores);
    std::vector<std::int64_t> indices(90);
    std::vector<float> lowered(90);
    const std::size_t kept = soft_nms(v, scores, {}, indices, lowered);
    REQUIRE(kept == expected.indices.size());
    for (std::size_t i = 0; i < kept; ++i) CHECK((indices[i] == expected.indices(i) && lowered[i] == expected.scores(i)));
    std::array<std::int64_t, 2> two{};
    std::array<float, 2> values{};
    CHECK(soft_nms(v, scores, {.max_output = 2}, two, values) == 2);
    CHECK(two[1] == expected.indices(1));
}

TEST_CASE("soft_nms says what is wrong") {
    const xt::xtensor<float, 2> boxes({2, 4}, 1.0f);
    const std::vector<float> scores{1, 2};
    const auto with = [](auto change) {
        soft_nms_options o;
        change(o);
        return o;
    };
    CHECK_THROWS_WITH_AS(soft_nms(boxes, std::vector<float>{1}), "soft_nms: boxes and scores must have the same length, got 2 and 1",
                         invalid_argument);
    CHECK_THROWS_WITH_AS(soft_nms(boxes, std::vector<float>{1, std::numeric_limits<float>::infinity()}),
                         "soft_nms: scores must be finite, got infinity at 1", invalid_argument);
    CHECK_THROWS_WITH_AS(soft_nms(boxes, scores, with([](auto& o) { o.sigma = 0; })), "soft_nms: sigma must be greater than 0, got 0",
                         invalid_argument);
    CHECK_THROWS_WITH_AS(soft_nms(boxes, scores, with([](auto& o) { o.iou_threshold = 2; })),
                         "soft_nms: iou_threshold must be in [0, 1], got 2", invalid_argument);
    CHECK_THROWS_WITH_AS(soft_nms(boxes, scores, with([](auto& o) { o.score_threshold = -1; })),
                         "soft_nms: score_threshold must not be negative, got -1", invalid_argument);
    std::array<std::int64_t, 1> one{};
    std::array<float, 2> values{};
    CHECK_THROWS_WITH_AS(soft_nms(boxes, scores, {}, one, values), "soft_nms: out_indices must have shape (2), got (1)",
                         invalid_argument);
}
