// ctest: per_isa threads heavy
#include "boxes/support/inputs.hpp"
#include "boxes/support/naive.hpp"
#include "support/fixtures.hpp"

#include <ocelli/boxes/nms.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/io/npy.hpp>

#include <Eigen/Core>
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

using namespace ocelli;
using ocelli_test::naive_nms;

namespace {

template <class T>
std::vector<std::int64_t> fast(const std::vector<T>& boxes, const std::vector<T>& scores, const nms_options& o) {
    const auto kept = nms(view(boxes.data(), {scores.size(), 4}), scores, o);
    return {kept.begin(), kept.end()};
}

std::vector<std::int64_t> as_vector(const xt::xtensor<std::int64_t, 1>& x) {
    return {x.begin(), x.end()};
}

/// Inputs that look for trouble; the k-th kind.
template <class T>
std::vector<T> strange_boxes(std::size_t n, std::uint64_t seed, std::size_t kind) {
    ocelli_test::random_source random(seed);
    std::vector<T> b;
    switch (kind) {
    case 0: b = ocelli_test::random_boxes<T>(n, seed, 300); break;
    case 1: b = ocelli_test::clustered_boxes<T>(n, n / 8 + 1, seed, 300); break;
    case 2: b = ocelli_test::random_boxes<T>(n, seed, 300, -30, 60); break;  // empty ones among them
    case 3:                                                                  // whole numbers: exact ties of IoU with thresholds
        b = ocelli_test::random_boxes<T>(n, seed, 40, 1, 12);
        for (T& x : b) x = std::floor(x);
        break;
    case 4:  // far from the origin, where coordinates are coarse
        b = ocelli_test::clustered_boxes<T>(n, n / 8 + 1, seed, 300);
        for (T& x : b) x += static_cast<T>(sizeof(T) == 4 ? 1e6 : 1e13);
        break;
    case 5:  // sizes over many magnitudes
        b = ocelli_test::random_boxes<T>(n, seed, 300, 0, 1);
        for (std::size_t i = 0; i < n; ++i) {
            const T size = static_cast<T>(std::exp(random.uniform(-3, 6)));
            b[4 * i + 2] = b[4 * i] + size;
            b[4 * i + 3] = b[4 * i + 1] + size * static_cast<T>(random.uniform(0.8, 1.2));
        }
        break;
    case 6:  // thin and long
        b = ocelli_test::random_boxes<T>(n, seed, 300, 200, 300);
        for (std::size_t i = 0; i < n; ++i) b[4 * i + 3] = b[4 * i + 1] + static_cast<T>(random.uniform(0.5, 2));
        break;
    case 7:  // everything that is no number, no box, or too large
        b = ocelli_test::clustered_boxes<T>(n, n / 8 + 1, seed, 100);
        for (T& x : b)
            if (random.below(40) == 0) {
                const T odd[] = {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity(),
                                 -std::numeric_limits<T>::infinity(), std::numeric_limits<T>::max(), -std::numeric_limits<T>::max(),
                                 T(0), -T(0)};
                x = odd[random.below(7)];
            }
        break;
    case 8:  // so small that areas underflow
        b = ocelli_test::clustered_boxes<T>(n, n / 8 + 1, seed, 300);
        for (T& x : b) x *= static_cast<T>(sizeof(T) == 4 ? 1e-22 : 1e-162);
        break;
    case 9:  // copies of few boxes around the origin
        b = ocelli_test::random_boxes<T>(n, seed, 1);
        for (std::size_t i = 0; i < 4 * n; ++i) b[i] = static_cast<T>(i % 4 < 2 ? -5 : 5) + static_cast<T>(random.below(3));
        break;
    default:  // two groups very far apart
        b = ocelli_test::clustered_boxes<T>(n, n / 8 + 1, seed, 100);
        for (std::size_t i = 0; i < n; i += 2)
            for (std::size_t k = 0; k < 4; ++k) b[4 * i + k] += T(3e5);
        break;
    }
    return b;
}

}  // namespace

TEST_CASE("nms gives torchvision's indices") {
    const auto boxes = read_npy<float, 2>(ocelli_test::golden("boxes/nms/boxes.npy"));
    const auto scores = read_npy<float, 1>(ocelli_test::golden("boxes/nms/scores.npy"));
    const auto labels = read_npy<std::int64_t, 1>(ocelli_test::golden("boxes/nms/labels.npy"));
    for (const int t : {3, 5, 7}) {
        const auto expected = read_npy<std::int64_t, 1>(ocelli_test::golden("boxes/nms/nms_" + std::to_string(t) + ".npy"));
        CHECK(nms(boxes, scores, t / 10.0) == expected);
    }
    CHECK(batched_nms(boxes, scores, labels, 0.5) == read_npy<std::int64_t, 1>(ocelli_test::golden("boxes/nms/batched_5.npy")));
}

TEST_CASE("nms gives OpenCV's indices on whole-number boxes") {
    const auto boxes = read_npy<float, 2>(ocelli_test::golden("boxes/nms/whole_boxes.npy"));
    const auto scores = read_npy<float, 1>(ocelli_test::golden("boxes/nms/scores.npy"));
    nms_options o{.iou_threshold = 0.4, .score_threshold = 0.25};
    CHECK(nms(boxes, scores, o) == read_npy<std::int64_t, 1>(ocelli_test::golden("boxes/nms/opencv_nms_4.npy")));
    o.pre_top_k = 50;
    CHECK(nms(boxes, scores, o) == read_npy<std::int64_t, 1>(ocelli_test::golden("boxes/nms/opencv_nms_4_top_50.npy")));
}

TEST_CASE_TEMPLATE("nms equals the clear version on every kind of boxes", T, float, double) {
    for (std::size_t kind = 0; kind <= 10; ++kind)
        for (const std::size_t n : std::initializer_list<std::size_t>{0, 1, 2, 15, 16, 17, 64, 200, 900})
            for (const double threshold : {0.0, 0.05, 0.25, 0.5, 0.7, 1.0}) {
                if (n == 900 && threshold != 0.25 && threshold != 0.5) continue;
                CAPTURE(kind);
                CAPTURE(n);
                CAPTURE(threshold);
                const auto boxes = strange_boxes<T>(n, n + kind, kind);
                const auto scores = ocelli_test::random_scores<T>(n, n + 3, n % 2 == 0 ? 0 : 7);
                nms_options o{.iou_threshold = threshold};
                CHECK(fast(boxes, scores, o) == naive_nms(boxes, scores, o));
                o.legacy_plus_one = true;
                CHECK(fast(boxes, scores, o) == naive_nms(boxes, scores, o));
                o.criterion = nms_criterion::diou;
                if (kind < 7) CHECK(fast(boxes, scores, o) == naive_nms(boxes, scores, o));
                o.legacy_plus_one = false;
                if (kind < 7) CHECK(fast(boxes, scores, o) == naive_nms(boxes, scores, o));
                if (threshold == 0.0) continue;
                o.comparison = nms_comparison::greater_equal;
                if (kind < 7) CHECK(fast(boxes, scores, o) == naive_nms(boxes, scores, o));
                o.criterion = nms_criterion::iou;
                CHECK(fast(boxes, scores, o) == naive_nms(boxes, scores, o));
            }
}

TEST_CASE_TEMPLATE("nms equals the clear version where it works by cells", T, float, double) {
    const std::size_t n = 4000;
    for (const std::size_t kind : std::initializer_list<std::size_t>{0, 1, 3, 4, 5, 6, 7, 10})
        for (const double threshold : {0.3, 0.5, 0.8}) {
            CAPTURE(kind);
            CAPTURE(threshold);
            auto boxes = strange_boxes<T>(n, 77 + kind, kind);
            for (T& x : boxes) x *= T(4);  // spread: many survive
            const auto scores = ocelli_test::random_scores<T>(n, 5);
            const nms_options o{.iou_threshold = threshold, .legacy_plus_one = kind == 3};
            CHECK(fast(boxes, scores, o) == naive_nms(boxes, scores, o));
        }
}

TEST_CASE("nms is idempotent") {
    const auto boxes = ocelli_test::clustered_boxes<float>(500, 60, 21);
    const auto scores = ocelli_test::random_scores<float>(500, 22);
    const auto kept = fast(boxes, scores, {});
    std::vector<float> again, values;
    for (const std::int64_t k : kept) {
        for (std::size_t c = 0; c < 4; ++c) again.push_back(boxes[4 * static_cast<std::size_t>(k) + c]);
        values.push_back(scores[static_cast<std::size_t>(k)]);
    }
    CHECK(fast(again, values, {}).size() == kept.size());
}

TEST_CASE("nms keeps the first of boxes with equal scores, and both zeros are equal") {
    const std::vector<std::array<float, 4>> boxes{{0, 0, 10, 10}, {0, 0, 10, 10}, {50, 0, 60, 10}, {50, 0, 60, 10}};
    CHECK(as_vector(nms(boxes, std::vector<float>{0.5f, 0.5f, 0.5f, 0.5f}, 0.5)) == std::vector<std::int64_t>{0, 2});
    CHECK(as_vector(nms(boxes, std::vector<float>{-0.0f, 0.0f, 0.0f, -0.0f}, 0.5)) == std::vector<std::int64_t>{0, 2});
    const float inf = std::numeric_limits<float>::infinity();
    CHECK(as_vector(nms(boxes, std::vector<float>{-inf, -1, 1, inf}, 0.5)) == std::vector<std::int64_t>{3, 1});
}

TEST_CASE("the threshold is compared as a double, strictly or not") {
    const std::vector<std::array<float, 4>> boxes{{0, 0, 10, 10}, {0, 0, 10, 5}};  // IoU exactly 0.5
    const std::vector<float> scores{2, 1};
    CHECK(nms(boxes, scores, 0.5).size() == 2);
    CHECK(nms(boxes, scores, {.iou_threshold = 0.5, .comparison = nms_comparison::greater_equal}).size() == 1);
    CHECK(nms(boxes, scores, 0.49999999999).size() == 1);
    CHECK(nms(boxes, scores, {.iou_threshold = 0.50000000001, .comparison = nms_comparison::greater_equal}).size() == 2);
    // 0.7f < 0.7: a float IoU of 0.7f is not greater than the double, and not equal to it.
    const std::vector<std::array<float, 4>> seven{{0, 0, 10, 10}, {0, 0, 10, 7}};
    CHECK(nms(seven, scores, 0.7).size() == 2);
    CHECK(nms(seven, scores, {.iou_threshold = 0.7, .comparison = nms_comparison::greater_equal}).size() == 2);
}

TEST_CASE("score threshold, candidates before and results after suppression are limited as asked") {
    const auto boxes = ocelli_test::clustered_boxes<float>(300, 40, 31);
    const auto scores = ocelli_test::random_scores<float>(300, 32, 50);
    for (const double least : {-1.0, 0.3, 0.98, 2.0})
        for (const std::size_t before : std::initializer_list<std::size_t>{0, 1, 77, 1000})
            for (const std::size_t after : std::initializer_list<std::size_t>{0, 1, 9, 1000}) {
                const nms_options o{.score_threshold = least, .pre_top_k = before, .max_output = after};
                CHECK(fast(boxes, scores, o) == naive_nms(boxes, scores, o));
            }
}

TEST_CASE_TEMPLATE("batched_nms equals the clear version, whatever the classes' numbers", T, float, double) {
    for (const std::size_t n : std::initializer_list<std::size_t>{0, 1, 50, 1200}) {
        const auto boxes = ocelli_test::clustered_boxes<T>(n, n / 12 + 1, 41);
        const auto scores = ocelli_test::random_scores<T>(n, 42, 100);
        for (const std::int64_t scale : {std::int64_t{1}, std::int64_t{-1000000007}, std::int64_t{0}}) {
            std::vector<std::int64_t> classes(n);
            for (std::size_t i = 0; i < n; ++i) classes[i] = static_cast<std::int64_t>((i * 7) % 9) * scale;
            for (const std::size_t after : std::initializer_list<std::size_t>{0, 20}) {
                const nms_options o{.iou_threshold = 0.4, .score_threshold = 0.1, .pre_top_k = after * 30, .max_output = after};
                const auto kept = as_vector(batched_nms(view(boxes.data(), {n, 4}), scores, classes, o));
                CHECK(kept == naive_nms(boxes, scores, o, &classes));
            }
        }
    }
}

TEST_CASE("batched_nms does not depend on the number of threads") {
    const std::size_t n = 3000;
    const auto boxes = ocelli_test::clustered_boxes<float>(n, 200, 51);
    const auto scores = ocelli_test::random_scores<float>(n, 52);
    std::vector<std::int32_t> classes(n);
    for (std::size_t i = 0; i < n; ++i) classes[i] = static_cast<std::int32_t>(i % 80);
    const auto v = view(boxes.data(), {n, 4});
    set_num_threads(1);
    const auto one = batched_nms(v, scores, classes, 0.5);
    set_num_threads(4);
    const auto four = batched_nms(v, scores, classes, 0.5);
    set_num_threads(0);
    CHECK(one == four);
}

TEST_CASE("kept indices go into the caller's memory") {
    const auto boxes = ocelli_test::clustered_boxes<float>(100, 10, 61);
    const auto scores = ocelli_test::random_scores<float>(100, 62);
    const auto v = view(boxes.data(), {100, 4});
    const auto expected = as_vector(nms(v, scores, 0.5));
    std::vector<std::int64_t> out(100, -5);
    const std::size_t kept = nms(v, scores, 0.5, out);
    REQUIRE(kept == expected.size());
    CHECK(std::vector<std::int64_t>(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(kept)) == expected);
    for (std::size_t i = kept; i < 100; ++i) CHECK(out[i] == -5);
    std::array<std::int64_t, 3> three{};
    CHECK(nms(v, scores, {.max_output = 3}, three) == 3);
    CHECK(three[2] == expected[2]);
    const std::vector<int> classes(100, 4);
    CHECK(batched_nms(v, scores, classes, 0.5, out) == kept);
    CHECK(batched_nms(v, scores, classes, {.max_output = 3}, three) == 3);
}

TEST_CASE("nms takes Eigen matrices, expressions and mixed types") {
    const auto raw = ocelli_test::clustered_boxes<float>(60, 10, 71);
    const auto scores = ocelli_test::random_scores<float>(60, 72);
    const auto expected = nms(view(raw.data(), {60, 4}), scores, 0.5);
    const Eigen::MatrixXf m = Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, 4, Eigen::RowMajor>>(raw.data(), 60, 4);
    const Eigen::VectorXd s = Eigen::Map<const Eigen::VectorXf>(scores.data(), 60).cast<double>();
    CHECK(nms(m, scores, 0.5) == expected);
    CHECK(nms(m * 2.0f, s, 0.5) == expected);
}

TEST_CASE("nms says what is wrong") {
    const xt::xtensor<float, 2> boxes({3, 4}, 1.0f), five({3, 5}, 1.0f);
    const std::vector<float> scores{1, 2, 3}, two{1, 2}, nan{1, std::numeric_limits<float>::quiet_NaN(), 3};
    const std::vector<int> classes{1, 2};
    std::vector<std::int64_t> out(2);
    CHECK_THROWS_WITH_AS(nms(five, scores, 0.5), "nms: boxes must have shape (N, 4), got (3, 5)", invalid_argument);
    CHECK_THROWS_WITH_AS(nms(boxes, two, 0.5), "nms: boxes and scores must have the same length, got 3 and 2", invalid_argument);
    CHECK_THROWS_WITH_AS(nms(boxes, nan, 0.5), "nms: scores must be numbers, got NaN at 1", invalid_argument);
    CHECK_THROWS_WITH_AS(nms(boxes, scores, 1.5), "nms: iou_threshold must be in [0, 1], got 1.5", invalid_argument);
    CHECK_THROWS_WITH_AS(nms(boxes, scores, {.iou_threshold = 0, .comparison = nms_comparison::greater_equal}),
                         "nms: iou_threshold must be greater than 0 where equal values suppress", invalid_argument);
    CHECK_THROWS_WITH_AS(nms(boxes, scores, {.score_threshold = std::numeric_limits<double>::quiet_NaN()}),
                         "nms: score_threshold must be a number, got NaN", invalid_argument);
    CHECK_THROWS_WITH_AS(nms(boxes, scores, 0.5, out), "nms: out must have shape (3), got (2)", invalid_argument);
    CHECK_THROWS_WITH_AS(batched_nms(boxes, scores, classes, 0.5), "batched_nms: boxes and classes must have the same length, got 3 and 2",
                         invalid_argument);
}
