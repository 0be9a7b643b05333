#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/features/pixel_shuffle.hpp>
#include <ocelli/io/npy.hpp>

#include <doctest/doctest.h>

using namespace ocelli;
using ocelli_test::message_of;

TEST_CASE("pixel shuffle is torch's, and unshuffle its inverse") {
    const auto in = read_npy<float, 4>(ocelli_test::golden("features/shuffle/in.npy"));
    const auto expected = read_npy<float, 4>(ocelli_test::golden("features/shuffle/out.npy"));
    CHECK(pixel_shuffle(in, 2) == expected);
    CHECK(pixel_unshuffle(expected, 2) == in);
    xt::xtensor<float, 4> out(expected.shape()), back(in.shape());
    pixel_shuffle(in, 2, out);
    CHECK(out == expected);
    pixel_unshuffle(out, 2, back);
    CHECK(back == in);
    CHECK(pixel_shuffle(in, 1) == in);
}

TEST_CASE("any element type and factor comes back") {
    xt::xtensor<std::uint8_t, 4> in({2, 18, 4, 7});
    for (std::size_t i = 0; i < in.size(); ++i) in.data()[i] = static_cast<std::uint8_t>(i * 7);
    const auto out = pixel_shuffle(in, 3);
    CHECK(out.shape() == xt::xtensor<std::uint8_t, 4>::shape_type{2, 2, 12, 21});
    CHECK(pixel_unshuffle(out, 3) == in);
    CHECK(pixel_shuffle(xt::xtensor<double, 4>({0, 4, 2, 2}), 2).size() == 0);
}

TEST_CASE("bad arguments are refused") {
    const xt::xtensor<float, 4> in({1, 6, 4, 5}, 0.0f);
    CHECK(message_of([&] { (void)pixel_shuffle(in, 2); }) == "pixel_shuffle: the channels must be a multiple of 4, got (1, 6, 4, 5)");
    CHECK(message_of([&] { (void)pixel_unshuffle(in, 2); }) ==
          "pixel_unshuffle: height and width must be multiples of 2, got (1, 6, 4, 5)");
    CHECK(message_of([&] { (void)pixel_shuffle(in, 0); }) == "pixel_shuffle: the factor must be in [1, 32768], got 0");
}
