// ctest: per_isa
// ctest: threads
#include "masks/support/inputs.hpp"
#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/core/parallel.hpp>
#include <ocelli/io/npy.hpp>
#include <ocelli/masks/iou.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

using namespace ocelli;
using ocelli_test::largest_difference;
using ocelli_test::message_of;

namespace {

struct counts {
    double a = 0, b = 0, both = 0;
};

counts count(const std::uint8_t* a, const std::uint8_t* b, std::size_t n) {
    counts out;
    for (std::size_t p = 0; p < n; ++p) {
        out.a += a[p] != 0;
        out.b += b[p] != 0;
        out.both += a[p] != 0 && b[p] != 0;
    }
    return out;
}

double over(double part, double whole) {
    return whole == 0 ? 0 : part / whole;
}

}  // namespace

TEST_CASE("IoU and Dice of masks are torch's matrix form") {
    const auto a = read_npy<std::uint8_t, 3>(ocelli_test::golden("masks/iou/a.npy"));
    const auto b = read_npy<std::uint8_t, 3>(ocelli_test::golden("masks/iou/b.npy"));
    CHECK(largest_difference(mask_iou(a, b), read_npy<double, 2>(ocelli_test::golden("masks/iou/iou.npy"))) < 1e-15);
    CHECK(largest_difference(mask_dice(a, b), read_npy<double, 2>(ocelli_test::golden("masks/iou/dice.npy"))) < 1e-15);
}

TEST_CASE("the measures are quotients of counted pixels for every size") {
    for (const std::size_t h : std::initializer_list<std::size_t>{1, 5, 40})
        for (const std::size_t w : std::initializer_list<std::size_t>{1, 13, 64, 200}) {
            const std::size_t n = 11, m = 19, pixels = h * w;
            const auto a = ocelli_test::random_masks(n, h, w, 1), b = ocelli_test::random_masks(m, h, w, 2);
            const auto va = view(a.data(), {n, h, w}), vb = view(b.data(), {m, h, w});
            const auto iou = mask_iou(va, vb), dice = mask_dice(va, vb), iof = mask_iof(va, vb);
            xt::xtensor<double, 2> out({n, m});
            mask_iou(va, vb, out);
            CHECK(out == iou);
            mask_dice(va, vb, out);
            CHECK(out == dice);
            mask_iof(va, vb, out);
            CHECK(out == iof);
            for (std::size_t i = 0; i < n; ++i)
                for (std::size_t j = 0; j < m; ++j) {
                    const counts c = count(&a[i * pixels], &b[j * pixels], pixels);
                    REQUIRE(iou(i, j) == over(c.both, c.a + c.b - c.both));
                    REQUIRE(dice(i, j) == over(2 * c.both, c.a + c.b));
                    REQUIRE(iof(i, j) == over(c.both, c.a));
                }
            const auto own = mask_iou(va, va);  // one set: each pair is counted once
            for (std::size_t i = 0; i < n; ++i)
                for (std::size_t j = 0; j < n; ++j) {
                    const counts c = count(&a[i * pixels], &a[j * pixels], pixels);
                    REQUIRE(own(i, j) == over(c.both, c.a + c.b - c.both));
                }
            const auto some = view(b.data(), {n, h, w});
            const auto paired = paired_mask_iou(va, some), paired_dice = paired_mask_dice(va, some);
            for (std::size_t i = 0; i < n; ++i) {
                CHECK(paired(i) == iou(i, i));
                CHECK(paired_dice(i) == dice(i, i));
            }
        }
}

TEST_CASE("large masks of every density are counted right") {
    const std::size_t pixels = 300 * 400;
    std::vector<std::uint8_t> masks(4 * pixels, 0);
    for (std::size_t p = 0; p < pixels; ++p) {
        masks[p] = 255;
        masks[pixels + p] = p % 3 == 0;
        masks[2 * pixels + p] = p >= 70000 && p < 70100;
        masks[3 * pixels + p] = static_cast<std::uint8_t>(p * p % 7 == 2 ? 3 : 0);
    }
    const auto v = view(masks.data(), {4, 300, 400});
    const auto dice = mask_dice(v, v);
    for (std::size_t i = 0; i < 4; ++i)
        for (std::size_t j = 0; j < 4; ++j) {
            const counts c = count(&masks[i * pixels], &masks[j * pixels], pixels);
            CHECK(dice(i, j) == over(2 * c.both, c.a + c.b));
        }
}

TEST_CASE("nothing over nothing is 0, or what the options say") {
    const xt::xtensor<bool, 3> none({1, 4, 4}, false), one({1, 4, 4}, true);
    CHECK(mask_iou(none, none)(0, 0) == 0);
    CHECK(mask_dice(none, none)(0, 0) == 0);
    CHECK(mask_iou(none, none, {.of_empty = 1})(0, 0) == 1);
    CHECK(mask_iou(none, one, {.of_empty = 1})(0, 0) == 0);
    CHECK(mask_iof(none, one)(0, 0) == 0);
    CHECK(mask_iou(xt::xtensor<int, 3>({0, 4, 4}), one).shape(0) == 0);
    CHECK(mask_iou(xt::xtensor<int, 3>({2, 0, 4}), xt::xtensor<int, 3>({3, 0, 4})) == xt::xtensor<double, 2>({2, 3}, 0.0));
}

TEST_CASE_TEMPLATE("soft masks of 0 and 1 have the binary measures", T, float, double) {
    const std::size_t n = 6, h = 9, w = 21;
    const auto a = ocelli_test::random_masks(n, h, w, 5);
    std::vector<T> soft(a.begin(), a.end());
    const auto binary = view(a.data(), {n, h, w});
    const auto v = view(soft.data(), {n, h, w});
    for (const auto kind : {soft_overlap::product, soft_overlap::minimum}) {
        CHECK(soft_mask_iou(v, v, {.overlap = kind}) == mask_iou(binary, binary));
        CHECK(soft_mask_dice(v, v, {.overlap = kind}) == mask_dice(binary, binary));
    }
    xt::xtensor<double, 2> out({n, n});
    soft_mask_iou(v, v, out);
    CHECK(out == mask_iou(binary, binary));
    soft_mask_dice(v, v, out);
    CHECK(out == mask_dice(binary, binary));
}

TEST_CASE("soft measures are the stated formulas") {
    const xt::xtensor<double, 3> a{{{0.2, 0.9, 0.5}}}, b{{{0.4, 0.8, 0.0}}};
    const double product = 0.2 * 0.4 + 0.9 * 0.8, sum = 1.6 + 1.2;
    CHECK(soft_mask_iou(a, b)(0, 0) == doctest::Approx(product / (sum - product)).epsilon(1e-14));
    CHECK(soft_mask_dice(a, b)(0, 0) == doctest::Approx(2 * product / sum).epsilon(1e-14));
    CHECK(soft_mask_iou(a, b, {.overlap = soft_overlap::minimum})(0, 0) == doctest::Approx(1.0 / 1.8).epsilon(1e-14));
    CHECK(soft_mask_dice(a, b, {.smooth = 1})(0, 0) == doctest::Approx((2 * product + 1) / (sum + 1)).epsilon(1e-14));
    const xt::xtensor<double, 3> none({1, 1, 3}, 0.0);
    CHECK(soft_mask_iou(none, none)(0, 0) == 0);
    CHECK(soft_mask_iou(none, none, {.of_empty = 0.5})(0, 0) == 0.5);
    CHECK(soft_mask_dice(none, none, {.smooth = 1})(0, 0) == 1);
}

TEST_CASE("results do not depend on the number of threads") {
    const auto a = ocelli_test::random_masks(40, 50, 60, 8);
    const auto v = view(a.data(), {40, 50, 60});
    set_num_threads(1);
    const auto one = mask_iou(v, v);
    set_num_threads(3);
    CHECK(mask_iou(v, v) == one);
    set_num_threads(0);
}

TEST_CASE("bad arguments are refused") {
    const xt::xtensor<int, 3> a({2, 3, 4}, 1), b({2, 4, 3}, 1), c({1, 3, 4}, 1);
    CHECK(message_of([&] { (void)mask_iou(a, b); }) == "mask_iou: a and b must have the same height and width, got (2, 3, 4) and (2, 4, 3)");
    CHECK(message_of([&] { (void)mask_iou(a, xt::xtensor<int, 2>({3, 4})); }) == "mask_iou: b must have 3 dimensions, got shape (3, 4)");
    CHECK(message_of([&] { (void)paired_mask_iou(a, c); }) == "paired_mask_iou: a and b must have the same length, got 2 and 1");
    xt::xtensor<double, 2> out({2, 2});
    CHECK(message_of([&] { mask_dice(a, c, out); }) == "mask_dice: out must have shape (2, 1), got (2, 2)");
    xt::xtensor<float, 3> soft({1, 2, 2}, 0.5f);
    CHECK(message_of([&] { (void)soft_mask_iou(soft, soft, {.smooth = -1}); }) ==
          "soft_mask_iou: a and b: smooth must not be negative, got -1");
    soft(0, 1, 1) = std::numeric_limits<float>::quiet_NaN();
    CHECK(message_of([&] { (void)soft_mask_dice(soft, soft); }) == "soft_mask_dice: a must not be NaN");
}
