#include "support/fixtures.hpp"

#include <ocelli/image/crop.hpp>

#include <limits>

using namespace ocelli;

namespace {

xt::xtensor<std::uint8_t, 3> numbered() {
    auto image = xt::xtensor<std::uint8_t, 3>::from_shape({4, 5, 2});
    for (std::size_t i = 0; i < image.size(); ++i) image.data()[i] = static_cast<std::uint8_t>(i);
    return image;
}

} // namespace

TEST_CASE("crop copies the pixels of the rectangle") {
    const auto image = numbered();
    const auto part = crop(image, {.x = 2, .y = 1, .width = 3, .height = 2});
    REQUIRE(part.shape() == std::array<std::size_t, 3>{2, 3, 2});
    for (std::size_t y = 0; y < 2; ++y)
        for (std::size_t x = 0; x < 3; ++x)
            for (std::size_t c = 0; c < 2; ++c) CHECK(part(y, x, c) == image(y + 1, x + 2, c));
    CHECK(crop(image, {0, 0, 5, 4}) == image);
    CHECK(crop(image, {5, 4, 0, 0}).size() == 0);
    const xt::xtensor<float, 2> plane = {{1, 2}, {3, 4}};
    CHECK(crop(plane * 2.0f, {1, 0, 1, 2}) == xt::xtensor<float, 2>{{4}, {8}});
}

TEST_CASE("crop refuses a rectangle that leaves the image") {
    const auto image = numbered();
    CHECK_THROWS_WITH_AS(crop(image, {3, 1, 3, 2}), "crop: rectangle x 3, y 1, 3 x 2 must lie within the image of 5 x 4 pixels",
                         invalid_argument);
    constexpr auto huge = std::numeric_limits<std::int64_t>::max();
    CHECK_THROWS_AS(crop(image, {1, 1, huge, 1}), invalid_argument);
    CHECK_THROWS_AS(crop(image, {-1, 0, 1, 1}), invalid_argument);
    CHECK_THROWS_AS(crop(image, {0, 0, 1, -1}), invalid_argument);
}

TEST_CASE("crop_filled fills what lies outside the image") {
    const auto image = numbered();
    const std::vector<double> fill = {200, 201};
    constexpr auto huge = std::numeric_limits<std::int64_t>::max();
    for (const pixel_rect rect :
         {pixel_rect{-2, -1, 4, 3}, pixel_rect{3, 2, 6, 6}, pixel_rect{-3, -3, 12, 12}, pixel_rect{10, 1, 3, 2},
          pixel_rect{-9, 1, 3, 2}, pixel_rect{1, 1, 2, 2}, pixel_rect{huge - 1, -huge, 2, 2}, pixel_rect{-huge, 2, 4, 1}}) {
        CAPTURE(rect.x);
        const auto part = crop_filled(image, rect, fill);
        bool equal = true;
        for (std::int64_t y = 0; y < rect.height; ++y)
            for (std::int64_t x = 0; x < rect.width; ++x)
                for (std::size_t c = 0; c < 2; ++c) {
                    const bool inside = rect.y < 4 && rect.x < 5 && rect.y > -50 && rect.x > -50 && rect.y + y >= 0 &&
                                        rect.y + y < 4 && rect.x + x >= 0 && rect.x + x < 5;
                    const int expected =
                        inside ? image(static_cast<std::size_t>(rect.y + y), static_cast<std::size_t>(rect.x + x), c)
                               : static_cast<int>(fill[c]);
                    equal = equal && part(static_cast<std::size_t>(y), static_cast<std::size_t>(x), c) == expected;
                }
        CHECK(equal);
    }
    CHECK_THROWS_WITH_AS(crop_filled(image, {0, 0, -1, 2}),
                         "crop_filled: width and height must lie in [0, 16777216], got -1 x 2", invalid_argument);
    CHECK_THROWS_WITH_AS(crop_filled(image, {0, 0, 1, 1}, {1, 2, 3}), "crop_filled: fill must have 0, 1 or 2 values, got 3",
                         invalid_argument);
    CHECK_THROWS_WITH_AS(crop_filled(image, {0, 0, 1, 1}, {300}),
                         "crop_filled: fill for uint8 must be whole and lie in [0, 255], got 300", invalid_argument);
}
