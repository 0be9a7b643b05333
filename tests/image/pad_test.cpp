#include "support/fixtures.hpp"

#include <ocelli/image/pad.hpp>
#include <ocelli/io/npy.hpp>

using namespace ocelli;
using ocelli_test::golden;

TEST_CASE("pad equals cv2.copyMakeBorder, for borders larger than the image too") {
    const auto image = read_npy<std::uint8_t, 3>(golden("image/pad_source.npy"));
    const border_size border{.top = 7, .bottom = 4, .left = 2, .right = 11};
    const auto expected = [](const std::string& name) {
        return read_npy<std::uint8_t, 3>(golden("image/pad_" + name + ".npy"));
    };
    CHECK(pad(image, border, border_mode::constant, {1, 2, 3}) == expected("constant"));
    CHECK(pad(image, border, border_mode::edge) == expected("edge"));
    CHECK(pad(image, border, border_mode::reflect) == expected("reflect"));
    CHECK(pad(image, border, border_mode::reflect101) == expected("reflect101"));
}

TEST_CASE("pad mirrors a single row and column, and takes (H, W)") {
    const xt::xtensor<float, 2> one = {{5}};
    const xt::xtensor<float, 2> fives({3, 3}, 5.0f);
    for (const auto mode : {border_mode::edge, border_mode::reflect, border_mode::reflect101})
        CHECK(pad(one, {1, 1, 1, 1}, mode) == fives);
    CHECK(pad(one, {0, 0, 1, 0}) == xt::xtensor<float, 2>{{0, 5}});
    CHECK(pad(one, {0, 0, 0, 1}, border_mode::constant, {0.5}) == xt::xtensor<float, 2>{{5, 0.5f}});
}

TEST_CASE("pad says what is wrong with its arguments") {
    const xt::xtensor<float, 3> image({2, 2, 3}, 0.0f);
    CHECK_THROWS_WITH_AS(pad(image, {-1, 0, 0, 0}), "pad: border must lie in [0, 16777216], got -1", invalid_argument);
    CHECK_THROWS_WITH_AS(pad(image, {1, 0, 0, 0}, border_mode::constant, {1, 2}), "pad: fill must have 0, 1 or 3 values, got 2",
                         invalid_argument);
    CHECK_THROWS_WITH_AS(pad(xt::xtensor<float, 2>::from_shape({0, 2}), {1, 1, 1, 1}),
                         "pad: image is empty, its shape is (0, 2)", invalid_argument);
}
