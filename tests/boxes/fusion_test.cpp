#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/boxes/fusion.hpp>
#include <ocelli/io/npy.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

using ocelli::fusion_confidence;
using ocelli::merge_overlap;
using ocelli_test::golden;
using ocelli_test::largest_difference;
using ocelli_test::message_of;

namespace {

template <class T>
struct ensemble {
    std::vector<xt::xtensor<T, 2>> boxes;
    std::vector<xt::xtensor<T, 1>> scores;
    std::vector<xt::xtensor<std::int64_t, 1>> labels;
};

template <class T>
ensemble<T> load() {
    ensemble<T> e;
    for (int m = 0; m < 4; ++m) {
        std::string end = "_";
        end.append(std::to_string(m)).append(".npy"); // GCC 12 warns of literal + string
        e.boxes.push_back(xt::cast<T>(ocelli::read_npy<float, 2>(golden("boxes/fusion/boxes" + end))));
        e.scores.push_back(xt::cast<T>(ocelli::read_npy<float, 1>(golden("boxes/fusion/scores" + end))));
        e.labels.push_back(ocelli::read_npy<std::int64_t, 1>(golden("boxes/fusion/labels" + end)));
    }
    return e;
}

// Rows x1 y1 x2 y2 score label.
template <class T>
double difference(const ocelli::fused_boxes<T>& got, const std::string& name) {
    const auto expected = ocelli::read_npy<double, 2>(golden("boxes/fusion/" + name + ".npy"));
    auto rows = xt::xtensor<double, 2>::from_shape({got.scores.size(), 6});
    for (std::size_t i = 0; i < got.scores.size(); ++i) {
        for (std::size_t c = 0; c < 4; ++c) rows(i, c) = static_cast<double>(got.boxes(i, c));
        rows(i, 4) = static_cast<double>(got.scores(i));
        rows(i, 5) = static_cast<double>(got.labels(i));
    }
    return largest_difference(rows, expected);
}

} // namespace

TEST_CASE_TEMPLATE("weighted_boxes_fusion agrees with the ensemble-boxes package in every way to score", T, float, double) {
    const auto e = load<T>();
    const std::pair<const char*, fusion_confidence> kinds[] = {
        {"wbf_avg", fusion_confidence::avg},
        {"wbf_max", fusion_confidence::max},
        {"wbf_box_and_model_avg", fusion_confidence::box_and_model_avg},
        {"wbf_absent_model_aware_avg", fusion_confidence::absent_model_aware_avg}};
    for (const auto& kind : kinds) {
        const std::string name = kind.first; // Clang 14 captures no structured bindings
        const fusion_confidence confidence = kind.second;
        CAPTURE(name);
        CHECK(difference(
                  ocelli::weighted_boxes_fusion(
                      e.boxes, e.scores, e.labels,
                      {.weights = {2, 1, 1, 3}, .iou_threshold = 0.5, .skip_box_threshold = 0.1, .confidence = confidence}),
                  name) < 5e-7);
    }
    CHECK(difference(ocelli::weighted_boxes_fusion(e.boxes, e.scores, e.labels), "wbf_plain") < 5e-7);
    CHECK(difference(ocelli::weighted_boxes_fusion(e.boxes, e.scores, e.labels,
                                                   {.weights = {0.5, 1, 1, 2}, .iou_threshold = 0.4, .allow_overflow = true}),
                     "wbf_overflow") < 5e-7);
}

TEST_CASE_TEMPLATE("non_maximum_weighted agrees with the ensemble-boxes package", T, float, double) {
    const auto e = load<T>();
    CHECK(difference(ocelli::non_maximum_weighted(e.boxes, e.scores, e.labels,
                                                  {.weights = {2, 1, 1, 3}, .iou_threshold = 0.5, .skip_box_threshold = 0.1}),
                     "nmw") < 5e-7);
    CHECK(difference(ocelli::non_maximum_weighted(e.boxes, e.scores, e.labels), "nmw_plain") < 5e-7);
}

TEST_CASE("fusion in pixels is fusion in parts of the picture") {
    auto e = load<double>();
    const auto unit = ocelli::weighted_boxes_fusion(e.boxes, e.scores, e.labels);
    for (auto& b : e.boxes)
        for (std::size_t i = 0; i < b.size(); ++i) b.data()[i] *= i % 2 == 0 ? 1024 : 512;
    const auto pixels = ocelli::weighted_boxes_fusion(e.boxes, e.scores, e.labels, {.bounds = {{0, 0, 1024, 512}}});
    REQUIRE(pixels.scores.size() == unit.scores.size());
    CHECK(largest_difference(pixels.scores, unit.scores) < 1e-12);
    for (std::size_t i = 0; i < unit.boxes.size(); ++i)
        CHECK(pixels.boxes.data()[i] == doctest::Approx(unit.boxes.data()[i] * (i % 2 == 0 ? 1024 : 512)));
}

TEST_CASE("weighted_boxes_fusion takes any arrays, exchanges corners, clips and drops what is empty") {
    const std::vector<std::vector<std::array<float, 4>>> boxes{{{0.6f, 0.6f, 0.2f, 0.2f}, {0.1f, 0.1f, 0.1f, 0.9f}},
                                                               {{-1, 0, 0.5f, 3}}};
    const std::vector<std::vector<float>> scores{{0.5f, 0.9f}, {0.75f}};
    const std::vector<std::vector<int>> labels{{1, 1}, {7}};
    const auto got = ocelli::weighted_boxes_fusion(boxes, scores, labels, {.weights = {1, 1}});
    REQUIRE(got.scores.size() == 2);
    CHECK(got.labels == xt::xtensor<std::int64_t, 1>{7, 1});
    CHECK(largest_difference(got.boxes, xt::xtensor<float, 2>{{0, 0, 0.5f, 1}, {0.2f, 0.2f, 0.6f, 0.6f}}) < 1e-7);
    CHECK(got.scores(0) == doctest::Approx(0.375)); // seen by one of two models
    const auto free = ocelli::weighted_boxes_fusion(boxes, scores, labels, {.bounds = std::nullopt});
    CHECK(free.boxes(0, 0) == -1);
    CHECK(free.boxes(0, 3) == 3);
    // Infinite corners are clipped where there are bounds.
    const float inf = std::numeric_limits<float>::infinity();
    const std::vector<std::vector<std::array<float, 4>>> wide{{{-inf, 0, inf, 1}}};
    CHECK(ocelli::weighted_boxes_fusion(wide, std::vector<std::vector<float>>{{1}}, std::vector<std::vector<int>>{{0}})
              .boxes(0, 2) == 1);
}

TEST_CASE("fusion of nothing, and of scores of zero") {
    const ensemble<float> none{{}, {}, {}};
    CHECK(ocelli::weighted_boxes_fusion(none.boxes, none.scores, none.labels).scores.size() == 0);
    CHECK(ocelli::non_maximum_weighted(none.boxes, none.scores, none.labels).boxes.shape(0) == 0);
    const std::vector<std::vector<std::array<float, 4>>> boxes{{{0, 0, 1, 1}, {0, 0, 1, 0.9f}}};
    const std::vector<std::vector<float>> scores{{0, 0}};
    const std::vector<std::vector<int>> labels{{1, 1}};
    const auto got = ocelli::weighted_boxes_fusion(boxes, scores, labels);
    CHECK(got.boxes == xt::xtensor<float, 2>{{0, 0, 1, 1}});
    CHECK(got.scores(0) == 0);
    CHECK(ocelli::non_maximum_weighted(boxes, scores, labels).boxes == xt::xtensor<float, 2>{{0, 0, 1, 1}});
}

TEST_CASE("fusion says what it does not accept") {
    const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
    using box_list = std::vector<std::vector<std::array<float, 4>>>;
    const box_list boxes{{{0, 0, 1, 1}}}, broken{{{0, nan, 1, 1}}}, endless{{{0, 0, inf, 1}}};
    const std::vector<std::vector<float>> scores{{1}}, bad{{inf}}, two{{1, 2}};
    const std::vector<std::vector<int>> labels{{1}};
    using options = ocelli::fusion_options;
    const auto wbf = [&](const auto& b, const auto& s, const auto& l, const options& o = {}) {
        return message_of([&] { (void)ocelli::weighted_boxes_fusion(b, s, l, o); });
    };
    CHECK(wbf(broken, scores, labels) == "weighted_boxes_fusion: boxes must be finite, row 0 of model 0 is not");
    CHECK(wbf(endless, scores, labels, {.bounds = std::nullopt}) ==
          "weighted_boxes_fusion: boxes must be finite, row 0 of model 0 is not");
    CHECK(wbf(boxes, bad, labels) == "weighted_boxes_fusion: scores must be finite, row 0 of model 0 is not");
    CHECK(wbf(boxes, two, labels) ==
          "weighted_boxes_fusion: boxes and scores of model 0 must have the same length, got 1 and 2");
    CHECK(wbf(boxes, scores, std::vector<std::vector<int>>{{}}) ==
          "weighted_boxes_fusion: boxes and labels of model 0 must have the same length, got 1 and 0");
    CHECK(wbf(boxes, scores, std::vector<std::vector<int>>{}) ==
          "weighted_boxes_fusion: boxes, scores and labels must be of the same number of models, got 1, 1 and 0");
    CHECK(wbf(boxes, scores, labels, {.weights = {1, 2}}) ==
          "weighted_boxes_fusion: weights must be none or one per model, got 2 for 1 models");
    CHECK(wbf(boxes, scores, labels, {.weights = {-1}}) ==
          "weighted_boxes_fusion: weights must be finite and not negative, got -1");
    CHECK(wbf(boxes, scores, labels, {.weights = {0}}) == "weighted_boxes_fusion: weights must not all be zero");
    CHECK(wbf(boxes, scores, labels, {.iou_threshold = 2}) == "weighted_boxes_fusion: iou_threshold must be in [0, 1], got 2");
    CHECK(wbf(boxes, scores, labels, {.skip_box_threshold = std::nan("")}) ==
          "weighted_boxes_fusion: skip_box_threshold must not be NaN");
    CHECK(wbf(boxes, scores, labels, {.bounds = {{0, 0, 0, 1}}}) ==
          "weighted_boxes_fusion: bounds must be finite with x2 > x1 and y2 > y1, got (0, 0, 0, 1)");
    CHECK(message_of([&] {
              (void)ocelli::non_maximum_weighted(std::vector<std::vector<std::array<float, 5>>>{{{0, 0, 1, 1, 1}}}, scores,
                                                 labels);
          }) == "non_maximum_weighted: boxes must have shape (N, 4), got (1, 5)");
}

TEST_CASE_TEMPLATE("non_max_merge and batched_non_max_merge agree with supervision", T, float, double) {
    const xt::xtensor<T, 2> boxes = xt::cast<T>(ocelli::read_npy<float, 2>(golden("boxes/fusion/merge_boxes.npy")));
    const xt::xtensor<T, 1> scores = xt::cast<T>(ocelli::read_npy<float, 1>(golden("boxes/fusion/merge_scores.npy")));
    const auto labels = ocelli::read_npy<std::int64_t, 1>(golden("boxes/fusion/merge_labels.npy"));
    for (const bool agnostic : {true, false}) {
        for (const auto overlap : {merge_overlap::iou, merge_overlap::ios}) {
            const ocelli::non_max_merge_options options{.iou_threshold = 0.6, .overlap = overlap};
            const auto got = agnostic ? ocelli::non_max_merge(boxes, scores, options)
                                      : ocelli::batched_non_max_merge(boxes, scores, labels, options);
            std::string file = agnostic ? "boxes/fusion/merged_1_" : "boxes/fusion/merged_0_";
            file.append(overlap == merge_overlap::iou ? "iou.npy" : "ios.npy");
            const auto expected = ocelli::read_npy<double, 2>(golden(file));
            REQUIRE(got.scores.size() == expected.shape(0));
            for (std::size_t i = 0; i < expected.shape(0); ++i) {
                for (std::size_t c = 0; c < 4; ++c) CHECK(static_cast<double>(got.boxes(i, c)) == expected(i, c));
                CHECK(static_cast<double>(got.scores(i)) == doctest::Approx(expected(i, 4)).epsilon(1e-6));
                CHECK(got.best(i) == static_cast<std::int64_t>(expected(i, 5)));
                CHECK(got.groups(static_cast<std::size_t>(got.best(i))) == static_cast<std::int64_t>(i));
            }
        }
    }
}

TEST_CASE("non_max_merge merges at the threshold, takes the first of equal scores, and leaves empty boxes alone") {
    const xt::xtensor<double, 2> boxes{{0, 0, 2, 1}, {0, 0, 2, 2}, {1, 1, 1, 1}, {5, 5, 3, 3}};
    const std::vector<double> scores{0.5, 0.5, 0.9, 0.1};
    const auto got = ocelli::non_max_merge(boxes, scores);
    CHECK(got.best == xt::xtensor<std::int64_t, 1>{2, 0, 3});
    CHECK(got.groups == xt::xtensor<std::int64_t, 1>{1, 1, 0, 2});
    CHECK(got.boxes(1, 3) == 2);
    CHECK(got.scores(1) == doctest::Approx(0.5));
    Eigen::MatrixXd columns(2, 4);
    columns << 0, 0, 2, 1, 0, 0, 2, 2;
    CHECK(ocelli::non_max_merge(columns, std::vector<double>{1, 2}).best == xt::xtensor<std::int64_t, 1>{1});
    CHECK(ocelli::non_max_merge(xt::xtensor<float, 2>::from_shape({0, 4}), std::vector<float>{}).boxes.shape(0) == 0);
}

TEST_CASE("non_max_merge says what it does not accept") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const xt::xtensor<float, 2> one{{0, 0, 1, 1}}, broken{{0, 0, nan, 1}};
    const std::vector<float> score{1};
    CHECK(message_of([&] { (void)ocelli::non_max_merge(broken, score); }) ==
          "non_max_merge: boxes must be finite, row 0 is not");
    CHECK(message_of([&] { (void)ocelli::non_max_merge(one, std::vector<float>{nan}); }) ==
          "non_max_merge: scores must be finite, row 0 is not");
    CHECK(message_of([&] {
              (void)ocelli::non_max_merge(one, std::vector<float>{1, 2});
          }) == "non_max_merge: boxes and scores must have the same length, got 1 and 2");
    CHECK(message_of([&] { (void)ocelli::non_max_merge(one, score, {.iou_threshold = -1}); }) ==
          "non_max_merge: iou_threshold must be in [0, 1], got -1");
    CHECK(message_of([&] { (void)ocelli::batched_non_max_merge(one, score, std::vector<int>{}); }) ==
          "batched_non_max_merge: boxes and classes must have the same length, got 1 and 0");
}
