#include "support/fixtures.hpp"

#include <ocelli/image/letterbox.hpp>
#include <ocelli/io/npy.hpp>

#include <cstdlib>

using namespace ocelli;
using ocelli_test::golden;

TEST_CASE("letterbox agrees with ultralytics' LetterBox") {
    const auto image = read_npy<std::uint8_t, 3>(golden("image/bytes0.npy")); // 13 x 17
    const auto agrees = [&](const std::string& name, image_size size, const letterbox_options& options) {
        const auto expected = read_npy<std::uint8_t, 3>(golden("image/letterbox_" + name + ".npy"));
        const auto boxed = letterbox(image, size, options);
        REQUIRE(boxed.image.shape() == expected.shape());
        CHECK(boxed.geometry.size.height == static_cast<std::int64_t>(expected.shape()[0]));
        CHECK(boxed.geometry.size.width == static_cast<std::int64_t>(expected.shape()[1]));
        int largest = 0;
        for (std::size_t i = 0; i < expected.size(); ++i)
            largest = std::max(largest, std::abs(boxed.image.data()[i] - expected.data()[i]));
        return largest;
    };
    CHECK(agrees("wide", {24, 24}, {}) <= 1);
    CHECK(agrees("tall", {40, 20}, {}) <= 1);
    CHECK(agrees("small", {30, 61}, {.scale_up = false}) == 0);
    CHECK(agrees("corner", {33, 24}, {.centre = false}) <= 1);
    CHECK(agrees("stride", {32, 32}, {.stride = 8}) <= 1);
}

TEST_CASE("letterbox_fit gives the ratios and bars that carry boxes back") {
    const auto g = letterbox_fit({720, 1280}, {640, 640});
    CHECK(g.scaled == image_size{360, 640});
    CHECK(g.ratio_x == 0.5);
    CHECK(g.ratio_y == 0.5);
    CHECK(g.top == 140);
    CHECK(g.bottom == 140);
    CHECK(g.left == 0);
    const auto odd = letterbox_fit({100, 37}, {64, 64}); // 23.68 -> 24 wide, 40 left: 20 and 20
    CHECK(odd.scaled == image_size{64, 24});
    CHECK(odd.left == 20);
    CHECK(odd.ratio_x == 24.0 / 37);
    const auto uneven = letterbox_fit({10, 9}, {20, 23}); // 18 wide, 5 left
    CHECK(uneven.left == 2);
    CHECK(uneven.right == 3);
    const auto thin = letterbox_fit({1, 5000}, {64, 64});
    CHECK(thin.scaled == image_size{1, 64});
    const auto minimal = letterbox_fit({720, 1280}, {640, 640}, {.stride = 32});
    CHECK(minimal.size == image_size{384, 640});
}

TEST_CASE("letterbox leaves an image that fits as it is") {
    const auto image = read_npy<std::uint8_t, 3>(golden("image/bytes0.npy"));
    CHECK(letterbox(image, {13, 17}).image == image);
    const xt::xtensor<float, 2> grey({4, 4}, 1.0f);
    const auto boxed = letterbox(grey, {4, 6}, {.fill = {0.5}});
    CHECK(boxed.image ==
          xt::xtensor<float, 2>{
              {0.5f, 1, 1, 1, 1, 0.5f}, {0.5f, 1, 1, 1, 1, 0.5f}, {0.5f, 1, 1, 1, 1, 0.5f}, {0.5f, 1, 1, 1, 1, 0.5f}});
}

TEST_CASE("letterbox says what is wrong with its arguments") {
    const xt::xtensor<float, 3> image({2, 2, 3}, 0.0f);
    CHECK_THROWS_WITH_AS(letterbox(image, {0, 4}), "letterbox: height and width must lie in [1, 16777216], got 0 x 4",
                         invalid_argument);
    CHECK_THROWS_WITH_AS(letterbox(image, {4, 4}, {.stride = -1}), "letterbox: stride must not be negative, got -1",
                         invalid_argument);
    CHECK_THROWS_WITH_AS(letterbox(xt::xtensor<float, 2>::from_shape({0, 3}), {4, 4}),
                         "letterbox: image is empty, its shape is (0, 3)", invalid_argument);
    CHECK_THROWS_AS(letterbox(image, {4, 8}, {.fill = {1, 2}}), invalid_argument);
}
