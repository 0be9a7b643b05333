#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/io/npy.hpp>
#include <ocelli/masks/paste.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace ocelli;
using ocelli_test::message_of;

TEST_CASE("pasting agrees with detectron2, but for pixels at the threshold") {
    const auto masks = read_npy<float, 3>(ocelli_test::golden("masks/paste/masks.npy"));
    const auto boxes = read_npy<float, 2>(ocelli_test::golden("masks/paste/boxes.npy"));
    const auto soft = read_npy<float, 3>(ocelli_test::golden("masks/paste/soft.npy"));
    const auto expected = read_npy<std::uint8_t, 3>(ocelli_test::golden("masks/paste/pasted.npy"));
    CHECK(ocelli_test::largest_difference(paste_soft_masks(masks, boxes, 50, 66), soft) < 1e-5);
    const auto pasted = paste_masks(masks, boxes, 50, 66);
    std::size_t different = 0;
    for (std::size_t p = 0; p < pasted.size(); ++p) {
        if (pasted.data()[p] == expected.data()[p]) continue;
        ++different;
        CHECK(std::fabs(soft.data()[p] - 0.5f) < 1e-5f);
    }
    CHECK(different < 3);
    xt::xtensor<std::uint8_t, 3> out(expected.shape(), 9);
    paste_masks(masks, boxes, 50, 66, 0.5, out);
    CHECK(out == pasted);
    xt::xtensor<float, 3> soft_out(expected.shape(), 9.0f);
    paste_soft_masks(masks, boxes, 50, 66, soft_out);
    CHECK(soft_out == paste_soft_masks(masks, boxes, 50, 66));
}

TEST_CASE("a full mask fills its box, of any shape of mask") {
    const xt::xtensor<float, 3> masks({1, 7, 3}, 1.0f);
    const xt::xtensor<float, 2> boxes{{2, 3, 6, 9}};
    const auto pasted = paste_masks(masks, boxes, 12, 10);
    for (std::size_t y = 0; y < 12; ++y)
        for (std::size_t x = 0; x < 10; ++x) CHECK(pasted(0, y, x) == (y >= 3 && y < 9 && x >= 2 && x < 6 ? 1 : 0));
}

TEST_CASE("boxes that are empty, NaN, infinite or outside paste nothing") {
    const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
    const xt::xtensor<float, 2> boxes{{2, 2, 2, 8}, {6, 2, 3, 8}, {nan, 0, 5, 5}, {0, 0, inf, 5}, {-inf, 0, 5, 5},
                                      {20, 20, 30, 30}, {-30, -30, -20, -20}, {1e30f, 0, 2e30f, 5}, {-3e38f, -3e38f, 3e38f, 3e38f}};
    const xt::xtensor<float, 3> masks({9, 4, 4}, 1.0f);
    const auto pasted = paste_masks(masks, boxes, 10, 10);
    for (std::size_t p = 0; p < 8 * 100; ++p) REQUIRE(pasted.data()[p] == 0);
    CHECK(paste_masks(xt::xtensor<float, 3>({1, 0, 0}), xt::xtensor<float, 2>{{0, 0, 5, 5}}, 3, 3)(0, 1, 1) == 0);
    CHECK(paste_masks(xt::xtensor<float, 3>({0, 28, 28}), xt::xtensor<float, 2>({0, 4}), 3, 3).size() == 0);
    CHECK(paste_masks(masks, boxes, 0, 10).size() == 0);
    const xt::xtensor<float, 3> unknown({1, 4, 4}, nan);
    CHECK(paste_masks(unknown, xt::xtensor<float, 2>{{0, 0, 5, 5}}, 5, 5, -1.0)(0, 2, 2) == 0);
}

TEST_CASE("bad arguments are refused") {
    const xt::xtensor<float, 3> masks({1, 4, 4}, 1.0f);
    CHECK(message_of([&] { (void)paste_masks(masks, xt::xtensor<float, 2>({1, 5}), 4, 4); }) ==
          "paste_masks: boxes must have shape (N, 4), got (1, 5)");
    CHECK(message_of([&] { (void)paste_masks(masks, xt::xtensor<float, 2>({2, 4}), 4, 4); }) ==
          "paste_masks: masks and boxes must have the same length, got 1 and 2");
    CHECK(message_of([&] { (void)paste_soft_masks(masks, xt::xtensor<float, 2>({1, 4}), -1, 4); }) ==
          "paste_soft_masks: height and width must not be negative, nor have more than 2^40 pixels, got -1 and 4");
}
