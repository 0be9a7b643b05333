#include "support/fixtures.hpp"

#include <ocelli/image/colour.hpp>
#include <ocelli/io/npy.hpp>

using namespace ocelli;
using ocelli_test::golden;

TEST_CASE("rgb_to_grey equals OpenCV's and Pillow's") {
    const auto rgb = read_npy<std::uint8_t, 3>(golden("image/colours.npy"));
    CHECK(rgb_to_grey(rgb) == read_npy<std::uint8_t, 2>(golden("image/grey_opencv.npy")));
    CHECK(rgb_to_grey(rgb, grey_method::pillow) == read_npy<std::uint8_t, 2>(golden("image/grey_pillow.npy")));
    CHECK(bgr_to_grey(swap_red_blue(rgb)) == rgb_to_grey(rgb));
    const xt::xtensor<double, 3> floats = xt::cast<double>(rgb);
    CHECK(rgb_to_grey(floats)(3, 4) == doctest::Approx(0.299 * rgb(3, 4, 0) + 0.587 * rgb(3, 4, 1) + 0.114 * rgb(3, 4, 2)));
}

TEST_CASE("swap_red_blue exchanges the outer channels and keeps alpha") {
    const xt::xtensor<float, 3> pixel = {{{1, 2, 3, 4}}};
    CHECK(swap_red_blue(pixel) == xt::xtensor<float, 3>{{{3, 2, 1, 4}}});
    CHECK(swap_red_blue(swap_red_blue(pixel)) == pixel);
}

TEST_CASE("grey_to_rgb repeats its channel") {
    const xt::xtensor<std::uint8_t, 2> grey = {{1, 2}};
    CHECK(grey_to_rgb(grey) == xt::xtensor<std::uint8_t, 3>{{{1, 1, 1}, {2, 2, 2}}});
    CHECK(rgb_to_grey(grey_to_rgb(grey)) == grey);
}

TEST_CASE("colour functions refuse other numbers of channels") {
    const auto two = xt::xtensor<std::uint8_t, 3>::from_shape({4, 5, 2});
    CHECK_THROWS_WITH_AS(rgb_to_grey(two), "rgb_to_grey: image must have shape (H, W, 3) or (H, W, 4), got (4, 5, 2)",
                         invalid_argument);
    CHECK_THROWS_WITH_AS(swap_red_blue(two), "swap_red_blue: image must have shape (H, W, 3) or (H, W, 4), got (4, 5, 2)",
                         invalid_argument);
    CHECK_THROWS_WITH_AS(grey_to_rgb(two), "grey_to_rgb: image must have one channel, got shape (4, 5, 2)", invalid_argument);
    CHECK(rgb_to_grey(xt::xtensor<std::uint8_t, 3>::from_shape({0, 5, 3})).size() == 0);
}
