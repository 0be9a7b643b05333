// ctest: per_isa
// ctest: threads
#include "boxes/support/inputs.hpp"
#include "boxes/support/naive.hpp"
#include "support/fixtures.hpp"

#include <ocelli/boxes/iou.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/io/npy.hpp>

#include <Eigen/Core>
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>
#include <vector>

#if __has_include(<xtensor/views/xview.hpp>)
#    include <xtensor/views/xview.hpp>
#else
#    include <xtensor/xview.hpp>
#endif

using namespace ocelli;

namespace {

template <class A, class B>
bool same_bits(const A& a, const B& b) {
    return a.size() == b.size() && (a.size() == 0 || std::memcmp(a.data(), b.data(), a.size() * sizeof(*a.data())) == 0);
}

template <class T>
const char* type_name() {
    return sizeof(T) == 4 ? "boxes/iou/float32_" : "boxes/iou/float64_";
}

/// SIoU with the paper's own trigonometry, in double.
double clear_siou(const double* a, const double* b) {
    const double aw = a[2] - a[0], ah = a[3] - a[1], bw = b[2] - b[0], bh = b[3] - b[1];
    const double dx = (b[0] + b[2] - a[0] - a[2]) / 2, dy = (b[1] + b[3] - a[1] - a[3]) / 2;
    const double cw = std::max(a[2], b[2]) - std::min(a[0], b[0]), ch = std::max(a[3], b[3]) - std::min(a[1], b[1]);
    const double sigma = std::hypot(dx, dy);
    const double sine = sigma > 0 ? std::fabs(dy) / sigma : 0;
    const double turned = std::sin(std::asin(sine) - std::numbers::pi / 4);
    const double angle = sigma > 0 ? 1 - 2 * turned * turned : 0;
    const double gamma = 2 - angle;
    const double distance = 2 - std::exp(-gamma * dx * dx / (cw * cw)) - std::exp(-gamma * dy * dy / (ch * ch));
    const double shape = std::pow(1 - std::exp(-std::fabs(aw - bw) / std::max(aw, bw)), 4) +
                         std::pow(1 - std::exp(-std::fabs(ah - bh) / std::max(ah, bh)), 4);
    return ocelli_test::naive_iou(a, b) - (distance + shape) / 2;
}

}  // namespace

TEST_CASE_TEMPLATE("IoU, GIoU and DIoU have torchvision's bits, CIoU its values", T, float, double) {
    const std::string base = ocelli_test::golden(type_name<T>());
    const auto a = read_npy<T, 2>(base + "a.npy"), b = read_npy<T, 2>(base + "b.npy");
    CHECK(same_bits(box_iou(a, b), read_npy<T, 2>(base + "box_iou.npy")));
    CHECK(same_bits(generalized_box_iou(a, b), read_npy<T, 2>(base + "generalized_box_iou.npy")));
    CHECK(same_bits(distance_box_iou(a, b), read_npy<T, 2>(base + "distance_box_iou.npy")));
    const auto ciou = complete_box_iou(a, b), expected = read_npy<T, 2>(base + "complete_box_iou.npy");
    for (std::size_t i = 0; i < ciou.size(); ++i)
        CHECK(std::fabs(ciou.data()[i] - expected.data()[i]) < (sizeof(T) == 4 ? 1e-6 : 1e-12));
}

TEST_CASE_TEMPLATE("box_iou has the clear version's bits for every length of a row", T, float, double) {
    for (const std::size_t m : std::initializer_list<std::size_t>{1, 3, 8, 15, 16, 17, 33, 100}) {
        const auto a = ocelli_test::random_boxes<T>(37, 1, 200);
        const auto b = ocelli_test::random_boxes<T>(m, 2, 200, -10, 100);
        for (const bool legacy : {false, true}) {
            const auto iou = box_iou(view(a.data(), {37, 4}), view(b.data(), {m, 4}), {.legacy_plus_one = legacy});
            for (std::size_t i = 0; i < 37; ++i)
                for (std::size_t j = 0; j < m; ++j) REQUIRE(iou(i, j) == ocelli_test::naive_iou(&a[4 * i], &b[4 * j], legacy));
        }
    }
}

TEST_CASE_TEMPLATE("box_iof is the part of the first box that is covered", T, float, double) {
    const auto a = ocelli_test::random_boxes<T>(20, 3, 60), b = ocelli_test::random_boxes<T>(30, 4, 60);
    const auto iof = box_iof(view(a.data(), {20, 4}), view(b.data(), {30, 4}));
    for (std::size_t i = 0; i < 20; ++i)
        for (std::size_t j = 0; j < 30; ++j) {
            const T w = std::min(a[4 * i + 2], b[4 * j + 2]) - std::max(a[4 * i], b[4 * j]);
            const T h = std::min(a[4 * i + 3], b[4 * j + 3]) - std::max(a[4 * i + 1], b[4 * j + 1]);
            const T inter = w > T(0) && h > T(0) ? ocelli_test::exact(w * h) : T(0);
            REQUIRE(iof(i, j) == inter / ocelli_test::naive_area(&a[4 * i], false));
        }
    const std::vector<std::array<T, 4>> small{{2, 2, 4, 4}}, large{{0, 0, 10, 10}};
    CHECK(box_iof(small, large)(0, 0) == T(1));
    CHECK(box_iof(large, small)(0, 0) == T(0.04));
}

TEST_CASE_TEMPLATE("scylla_box_iou is the paper's formula", T, float, double) {
    const auto a = ocelli_test::random_boxes<T>(25, 5, 80), b = ocelli_test::random_boxes<T>(25, 6, 80);
    const auto siou = scylla_box_iou(view(a.data(), {25, 4}), view(b.data(), {25, 4}));
    for (std::size_t i = 0; i < 25; ++i)
        for (std::size_t j = 0; j < 25; ++j) {
            const std::array<double, 4> x{a[4 * i], a[4 * i + 1], a[4 * i + 2], a[4 * i + 3]};
            const std::array<double, 4> y{b[4 * j], b[4 * j + 1], b[4 * j + 2], b[4 * j + 3]};
            REQUIRE(std::fabs(static_cast<double>(siou(i, j)) - clear_siou(x.data(), y.data())) < (sizeof(T) == 4 ? 2e-6 : 1e-12));
        }
    CHECK(paired_scylla_box_iou(view(a.data(), {25, 4}), view(a.data(), {25, 4}))(7) == T(1));
}

TEST_CASE_TEMPLATE("paired measures are the diagonal of the pairwise ones", T, float, double) {
    const std::size_t n = 45;
    const auto a = ocelli_test::random_boxes<T>(n, 7, 50), b = ocelli_test::random_boxes<T>(n, 8, 50);
    const auto x = view(a.data(), {n, 4}), y = view(b.data(), {n, 4});
    const auto check = [&](const auto& all, const auto& paired) {
        REQUIRE(paired.size() == n);
        for (std::size_t i = 0; i < n; ++i) CHECK(all(i, i) == paired(i));
    };
    check(box_iou(x, y), paired_box_iou(x, y));
    check(box_iof(x, y), paired_box_iof(x, y));
    check(generalized_box_iou(x, y), paired_generalized_box_iou(x, y));
    check(distance_box_iou(x, y), paired_distance_box_iou(x, y));
    check(complete_box_iou(x, y), paired_complete_box_iou(x, y));
    check(scylla_box_iou(x, y), paired_scylla_box_iou(x, y));
    const iou_options legacy{.legacy_plus_one = true};
    check(distance_box_iou(x, y, legacy), paired_distance_box_iou(x, y, legacy));
    check(complete_box_iou(x, y, legacy), paired_complete_box_iou(x, y, legacy));
}

TEST_CASE("IoU is symmetric, in [0, 1], and 1 for a box with itself") {
    const auto a = ocelli_test::random_boxes<float>(50, 9, 100);
    const auto v = view(a.data(), {50, 4});
    const auto iou = box_iou(v, v);
    const auto giou = generalized_box_iou(v, v), diou = distance_box_iou(v, v), ciou = complete_box_iou(v, v);
    for (std::size_t i = 0; i < 50; ++i) {
        CHECK(iou(i, i) == 1.0f);
        CHECK(giou(i, i) == 1.0f);
        for (std::size_t j = 0; j < 50; ++j) {
            CHECK(iou(i, j) == iou(j, i));
            CHECK((iou(i, j) >= 0.0f && iou(i, j) <= 1.0f));
            CHECK((giou(i, j) > -1.0f && giou(i, j) <= iou(i, j) + 1e-6f));
            CHECK((diou(i, j) > -1.0f && diou(i, j) <= iou(i, j)));
            CHECK(ciou(i, j) <= diou(i, j));
        }
    }
}

TEST_CASE_TEMPLATE("empty boxes have IoU 0, also with themselves", T, float, double) {
    const std::vector<std::array<T, 4>> boxes{{5, 5, 5, 5}, {0, 0, 0, 10}, {8, 0, 2, 10}, {9, 9, 1, 1}, {0, 0, 10, 10}, {0, 0, 0, 0}};
    const auto iou = box_iou(boxes, boxes), iof = box_iof(boxes, boxes), giou = generalized_box_iou(boxes, boxes),
               diou = distance_box_iou(boxes, boxes), ciou = complete_box_iou(boxes, boxes), siou = scylla_box_iou(boxes, boxes);
    for (std::size_t i = 0; i < boxes.size(); ++i)
        for (std::size_t j = 0; j < boxes.size(); ++j) {
            CHECK(iou(i, j) == (i == 4 && j == 4 ? T(1) : T(0)));
            CHECK(iof(i, j) == (i == 4 && j == 4 ? T(1) : T(0)));
            for (const T x : {giou(i, j), diou(i, j), ciou(i, j), siou(i, j)}) CHECK(detail::is_finite(x));
        }
    CHECK(giou(0, 0) == T(0));
    CHECK(diou(0, 5) == -T(50) / (T(50) + T(1e-7)));
}

TEST_CASE_TEMPLATE("NaN and infinite coordinates give the stated values", T, float, double) {
    const T nan = std::numeric_limits<T>::quiet_NaN(), inf = std::numeric_limits<T>::infinity();
    const std::array<T, 4> plain{1, 1, 5, 5};
    std::vector<std::array<T, 4>> strange;
    for (std::size_t k = 0; k < 4; ++k) {
        auto b = plain;
        b[k] = nan;
        strange.push_back(b);
    }
    strange.push_back({-inf, -inf, inf, inf});
    strange.push_back({-inf, 0, inf, 0});
    const std::vector<std::array<T, 4>> one{plain};
    for (const auto& s : strange) {
        const std::vector<std::array<T, 4>> other{s};
        for (const auto& [a, b] : {std::pair(one, other), std::pair(other, one), std::pair(other, other)}) {
            CHECK(box_iou(a, b)(0, 0) == T(0));
            CHECK(generalized_box_iou(a, b)(0, 0) == T(-1));
            CHECK(distance_box_iou(a, b)(0, 0) == T(-1));
            CHECK(complete_box_iou(a, b)(0, 0) == T(-1));
            CHECK(scylla_box_iou(a, b)(0, 0) == T(-2));
            CHECK(detail::is_finite(box_iof(a, b)(0, 0)));
        }
    }
    const std::vector<std::array<T, 4>> everywhere{{-inf, -inf, inf, inf}};
    CHECK(box_iof(one, everywhere)(0, 0) == T(1));
}

TEST_CASE("the legacy pixel counts both borders") {
    const std::vector<std::array<double, 4>> a{{0, 0, 9, 9}}, b{{5, 0, 14, 9}};
    CHECK(box_iou(a, b, {.legacy_plus_one = true})(0, 0) == 50.0 / 150.0);
    CHECK(box_iou(a, b)(0, 0) == 36.0 / 126.0);
    const std::vector<std::array<double, 4>> pixel{{3, 3, 3, 3}};
    CHECK(box_iou(pixel, pixel, {.legacy_plus_one = true})(0, 0) == 1.0);
}

TEST_CASE("epsilon is what torchvision adds to the denominators") {
    const std::vector<std::array<double, 4>> a{{0, 0, 2, 2}}, b{{2, 0, 4, 2}};
    CHECK(distance_box_iou(a, b, {.epsilon = 0.5})(0, 0) == -4.0 / 20.5);
    CHECK(distance_box_iou(a, b, {.epsilon = 0})(0, 0) == -4.0 / 20.0);
}

TEST_CASE("any array is taken, and results go into the caller's memory") {
    const auto raw = ocelli_test::random_boxes<float>(12, 10, 60);
    xt::xtensor<float, 2> a = xt::adapt(raw, std::array<std::size_t, 2>{12, 4});
    const auto expected = box_iou(a, a);
    const Eigen::MatrixXf column_major = Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, 4, Eigen::RowMajor>>(raw.data(), 12, 4);
    CHECK(same_bits(box_iou(column_major, a), expected));
    CHECK(same_bits(box_iou(a * 1.0f, a), expected));
    const auto every_other = xt::view(a, xt::range(0, 12, 2), xt::all());
    const auto half = box_iou(every_other, a);
    CHECK(half(1, 3) == expected(2, 3));
    const xt::xtensor<double, 2> wide = xt::cast<double>(a);
    static_assert(std::is_same_v<decltype(box_iou(a, wide)), xt::xtensor<double, 2>>);
    xt::xtensor<float, 2> out = xt::zeros<float>({12, 12});
    box_iou(a, a, out);
    CHECK(same_bits(out, expected));
    Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> matrix(12, 12);
    box_iou(a, a, matrix);
    CHECK(matrix(2, 3) == expected(2, 3));
    std::vector<float> flat(12);
    paired_box_iou(a, a, flat, {.legacy_plus_one = true});
    CHECK(flat[5] == 1.0f);
    const auto with = [&](auto&& call) {
        xt::xtensor<float, 2> o({12, 12});
        call(o);
        return o;
    };
    CHECK(same_bits(with([&](auto& o) { box_iof(a, a, o); }), box_iof(a, a)));
    CHECK(same_bits(with([&](auto& o) { generalized_box_iou(a, a, o); }), generalized_box_iou(a, a)));
    CHECK(same_bits(with([&](auto& o) { distance_box_iou(a, a, o); }), distance_box_iou(a, a)));
    CHECK(same_bits(with([&](auto& o) { complete_box_iou(a, a, o); }), complete_box_iou(a, a)));
    CHECK(same_bits(with([&](auto& o) { scylla_box_iou(a, a, o); }), scylla_box_iou(a, a)));
    std::vector<float> line(12);
    paired_box_iof(a, a, line);
    CHECK(line[0] == 1.0f);
    paired_generalized_box_iou(a, a, line);
    CHECK(line[1] == 1.0f);
    paired_distance_box_iou(a, a, line);
    CHECK(line[2] == 1.0f);
    paired_complete_box_iou(a, a, line);
    CHECK(line[3] == 1.0f);
    paired_scylla_box_iou(a, a, line);
    CHECK(line[4] == 1.0f);
}

TEST_CASE("nothing is written outside the result, wherever it begins") {
    const auto a = ocelli_test::random_boxes<float>(7, 11, 60), b = ocelli_test::random_boxes<float>(21, 12, 60);
    const auto x = view(a.data(), {7, 4}), y = view(b.data(), {21, 4});
    const auto expected = box_iou(x, y);
    for (std::size_t start = 0; start < 17; ++start) {
        std::vector<float> memory(7 * 21 + 40, -7.0f);
        box_iou(x, y, view(memory.data() + start, {7, 21}));
        CHECK(std::memcmp(memory.data() + start, expected.data(), 7 * 21 * sizeof(float)) == 0);
        for (std::size_t i = 0; i < memory.size(); ++i)
            if (i < start || i >= start + 7 * 21) REQUIRE(memory[i] == -7.0f);
    }
}

TEST_CASE("a result larger than the caches has the same bits, for any number of threads") {
    const std::size_t n = 2500, m = 2001;  // 20 MB
    const auto a = ocelli_test::random_boxes<float>(n, 13), b = ocelli_test::random_boxes<float>(m, 14);
    const auto x = view(a.data(), {n, 4}), y = view(b.data(), {m, 4});
    std::vector<float> one(n * m + 1), four(n * m + 1);
    {
        const thread_limit limit(1);
        box_iou(x, y, view(one.data() + 1, {n, m}));
    }
    set_num_threads(4);
    box_iou(x, y, view(four.data() + 1, {n, m}));
    set_num_threads(0);
    CHECK(one == four);
    const auto row = box_iou(view(a.data() + 4 * 1234, {1, 4}), y);
    CHECK(std::memcmp(row.data(), one.data() + 1 + 1234 * m, m * sizeof(float)) == 0);
}

TEST_CASE("no boxes give an empty result") {
    const std::vector<std::array<float, 4>> none, one{{0, 0, 1, 1}};
    CHECK(box_iou(none, one).shape() == std::array<std::size_t, 2>{0, 1});
    CHECK(box_iou(one, none).shape() == std::array<std::size_t, 2>{1, 0});
    CHECK(paired_complete_box_iou(none, none).size() == 0);
    CHECK(scylla_box_iou(none, none).size() == 0);
}

TEST_CASE("overlap functions say what is wrong") {
    const xt::xtensor<float, 2> good({2, 4}, 1.0f), five({2, 5}, 1.0f), three({3, 4}, 1.0f);
    xt::xtensor<float, 2> out({2, 3});
    CHECK_THROWS_WITH_AS(box_iou(five, good), "box_iou: a must have shape (N, 4), got (2, 5)", invalid_argument);
    CHECK_THROWS_WITH_AS(box_iou(good, five), "box_iou: b must have shape (N, 4), got (2, 5)", invalid_argument);
    CHECK_THROWS_WITH_AS(box_iof(good, good, out), "box_iof: out must have shape (2, 2), got (2, 3)", invalid_argument);
    CHECK_THROWS_WITH_AS(paired_scylla_box_iou(good, three), "paired_scylla_box_iou: a and b must have the same length, got 2 and 3",
                         invalid_argument);
    CHECK_THROWS_WITH_AS(distance_box_iou(good, good, {.epsilon = -1}), "distance_box_iou: epsilon must be in [0, 1], got -1",
                         invalid_argument);
}
