// ctest: per_isa
// ctest: threads
#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/features/correlation.hpp>
#include <ocelli/io/npy.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

using namespace ocelli;
using ocelli_test::largest_difference;
using ocelli_test::message_of;

namespace {

std::string at(const std::string& name) {
    return ocelli_test::golden("features/correlation/" + name + ".npy");
}

xt::xtensor<float, 4> numbered(std::size_t n, std::size_t c, std::size_t h, std::size_t w, std::uint32_t state) {
    xt::xtensor<float, 4> out({n, c, h, w});
    for (float& v : out) {
        state = state * 1664525u + 1013904223u;
        v = static_cast<float>(state >> 8) / 16777216.0f - 0.5f;
    }
    return out;
}

}  // namespace

TEST_CASE("the correlation volume is FlowNet-C's") {
    const auto a = read_npy<float, 4>(at("a")), b = read_npy<float, 4>(at("b"));
    const xt::xtensor<double, 4> wide = xt::cast<double>(a);
    const correlation_options cases[] = {
        {4, 1, 4, 1, 2},
        {3, 3, 2, 1, 1},
        {5, 1, 4, 2, 2},
        {2, 3, 3, 3, 1},
    };
    for (std::size_t k = 0; k < std::size(cases); ++k) {
        CAPTURE(k);
        const auto expected = read_npy<float, 4>(at("volume_" + std::to_string(k)));
        const auto found = correlation_volume(a, b, cases[k]);
        CHECK(largest_difference(found, expected) < 2e-6);
        CHECK(largest_difference(correlation_volume(wide, b, cases[k]), expected) < 2e-6);
        xt::xtensor<float, 4> out(expected.shape(), 5.0f);
        correlation_volume(a, b, cases[k], out);
        CHECK(out == found);
    }
}

TEST_CASE("a map against itself: the middle displacement is the mean square, and opposite displacements mirror each other") {
    const auto a = numbered(1, 3, 8, 40, 1);
    const auto found = correlation_volume(a, a, {.padding = 2, .max_displacement = 2, .displacement_stride = 1});
    REQUIRE(found.shape() == std::array<std::size_t, 4>{1, 25, 8, 40});
    for (std::size_t y = 0; y < 8; ++y)
        for (std::size_t x = 0; x < 40; ++x) {
            float square = 0;
            for (std::size_t c = 0; c < 3; ++c) square += a(0, c, y, x) * a(0, c, y, x);
            CHECK(std::abs(found(0, 12, y, x) - square / 3) < 1e-6f);
            if (x + 1 < 40) CHECK(std::abs(found(0, 13, y, x) - found(0, 11, y, x + 1)) < 1e-6f);
        }
}

TEST_CASE("all pairs, their pyramid and the look-up are torchvision's RAFT") {
    const auto first = read_npy<float, 4>(at("first")), second = read_npy<float, 4>(at("second")), coordinates = read_npy<float, 4>(at("coordinates"));
    const auto pyramid = correlation_pyramid(first, second, 4);
    REQUIRE(pyramid.size() == 4);
    const auto pairs = read_npy<float, 4>(at("pairs"));  // every 37th row
    for (std::size_t n = 0; n < 2; ++n)
        for (std::size_t p = 0; p < pairs.shape(1); ++p)
            for (std::size_t i = 0; i < 17 * 19; ++i)
                REQUIRE(std::abs(pyramid[0].data()[(n * 323 + 37 * p) * 323 + i] - pairs.data()[(n * pairs.shape(1) + p) * 323 + i]) < 2e-6f);
    CHECK(largest_difference(pyramid[3], read_npy<float, 4>(at("coarsest"))) < 2e-6);
    const auto found = correlation_lookup(pyramid, coordinates, 3);
    REQUIRE(found.shape() == std::array<std::size_t, 4>{2, 196, 17, 19});
    const auto expected = read_npy<float, 4>(at("looked_up"));  // every 4th row and 3rd column
    for (std::size_t n = 0; n < 2; ++n)
        for (std::size_t c = 0; c < 196; ++c)
            for (std::size_t y = 0; y < expected.shape(2); ++y)
                for (std::size_t x = 0; x < expected.shape(3); ++x) REQUIRE(std::abs(found(n, c, 4 * y, 3 * x) - expected(n, c, y, x)) < 1e-4f);
    xt::xtensor<float, 4> out(found.shape(), 5.0f), volume(pyramid[0].shape(), 5.0f);
    correlation_lookup(pyramid, coordinates, 3, out);
    CHECK(out == found);
    all_pairs_correlation(first, second, volume);
    CHECK(volume == pyramid[0]);
    const xt::xtensor<double, 4> wide = xt::cast<double>(first);
    const auto of_double = correlation_pyramid(wide, second, 4);
    for (std::size_t l = 0; l < 4; ++l) CHECK(largest_difference(of_double[l], pyramid[l]) < 2e-6);
    CHECK(largest_difference(correlation_lookup(of_double, coordinates, 3), found) < 1e-5);
}

TEST_CASE("coordinates that are NaN, infinite or far away read zeros") {
    const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
    const auto pyramid = correlation_pyramid(numbered(1, 2, 2, 3, 1), numbered(1, 2, 2, 3, 2), 2);
    xt::xtensor<float, 4> coordinates({1, 2, 2, 3}, 0.0f);
    const float bad[] = {nan, inf, -inf, 1e30f, -1e30f, 300};
    for (std::size_t i = 0; i < 6; ++i) coordinates.data()[i] = bad[i];
    for (const float v : correlation_lookup(pyramid, coordinates, 4)) CHECK(v == 0);
}

TEST_CASE("convex upsampling is torchvision's, and equal weights average the neighbours") {
    const auto flow = read_npy<float, 4>(at("flow")), mask = read_npy<float, 4>(at("mask"));
    const auto expected = read_npy<float, 4>(at("upsampled"));
    const auto found = convex_upsample(flow, mask);
    CHECK(largest_difference(found, expected) < 1e-5);
    const xt::xtensor<double, 4> wide = xt::cast<double>(flow);
    CHECK(largest_difference(convex_upsample(wide, mask), expected) < 1e-5);
    xt::xtensor<float, 4> out(found.shape(), 5.0f);
    convex_upsample(flow, mask, 8, out);
    CHECK(out == found);
    const xt::xtensor<float, 4> ones({1, 1, 3, 3}, 9.0f), equal({1, 9 * 4, 3, 3}, 0.25f);
    const auto mean = convex_upsample(ones, equal, 2);
    CHECK(std::abs(mean(0, 0, 2, 3) - 18) < 1e-4f);  // times the factor
    CHECK(std::abs(mean(0, 0, 0, 0) - 8) < 1e-4f);   // five neighbours of a corner are 0
    xt::xtensor<float, 4> broken = equal;
    broken(0, 3, 1, 1) = std::numeric_limits<float>::quiet_NaN();
    std::size_t bad = 0;
    for (const float v : convex_upsample(ones, broken, 2)) bad += detail::is_nan(v) ? 1 : 0;
    CHECK(bad == 1);
}

TEST_CASE("maps without images or places give empty results") {
    CHECK(correlation_volume(xt::xtensor<float, 4>({0, 2, 9, 9}), xt::xtensor<float, 4>({0, 2, 9, 9})).shape() == std::array<std::size_t, 4>{0, 441, 9, 9});
    CHECK(all_pairs_correlation(xt::xtensor<float, 4>({2, 3, 0, 4}), xt::xtensor<float, 4>({2, 3, 0, 4})).size() == 0);
    CHECK(convex_upsample(xt::xtensor<float, 4>({1, 2, 0, 4}), xt::xtensor<float, 4>({1, 36, 0, 4}), 2).size() == 0);
}

TEST_CASE("bad arguments are named") {
    const xt::xtensor<float, 4> a({1, 2, 4, 6}, 0.0f), other({1, 2, 4, 5}, 0.0f), none({1, 0, 4, 6});
    CHECK(message_of([&] { (void)correlation_volume(a, other); }) == "correlation_volume: both maps must have one shape, got (1, 2, 4, 6) and (1, 2, 4, 5)");
    CHECK(message_of([&] { (void)correlation_volume(none, none); }) == "correlation_volume: the maps have no channels, (1, 0, 4, 6)");
    CHECK(message_of([&] { (void)correlation_volume(a, a, {.padding = -1}); }) ==
          "correlation_volume: padding and max_displacement must be in [0, 4096], got -1 and 20");
    CHECK(message_of([&] { (void)correlation_volume(a, a, {.kernel_size = 2}); }) == "correlation_volume: kernel_size must be odd and in [1, 4096], got 2");
    CHECK(message_of([&] { (void)correlation_volume(a, a, {.stride = 0}); }) == "correlation_volume: strides must be in [1, 4096], got 0 and 2");
    CHECK(message_of([&] { (void)correlation_volume(a, a, {.padding = 2}); }) ==
          "correlation_volume: displacements of 20 do not fit a map of (1, 2, 4, 6) with padding 2");
    CHECK(message_of([&] { (void)all_pairs_correlation(a, other); }) ==
          "all_pairs_correlation: both maps must have one shape, got (1, 2, 4, 6) and (1, 2, 4, 5)");
    CHECK(message_of([&] { (void)all_pairs_correlation(none, none); }) == "all_pairs_correlation: the maps have no channels, (1, 0, 4, 6)");
    CHECK(message_of([&] { (void)correlation_pyramid(a, a, 0); }) == "correlation_pyramid: levels must be in [1, 16], got 0");
    CHECK(message_of([&] { (void)correlation_pyramid(a, a, 4); }) == "correlation_pyramid: a map of 4 x 6 has no 4 levels");
    const auto pyramid = correlation_pyramid(a, a, 1);
    const xt::xtensor<float, 4> coordinates({1, 2, 4, 6}, 0.0f);
    CHECK(message_of([&] { (void)correlation_lookup(pyramid, coordinates, 65); }) == "correlation_lookup: the radius must be in [0, 64], got 65");
    CHECK(message_of([&] { (void)correlation_lookup(std::vector<xt::xtensor<float, 4>>(), coordinates); }) ==
          "correlation_lookup: the pyramid must have 1 to 16 levels, got 0");
    CHECK(message_of([&] { (void)correlation_lookup(pyramid, xt::xtensor<float, 4>({1, 3, 4, 6})); }) ==
          "correlation_lookup: coordinates must have shape (N, 2, H, W), got (1, 3, 4, 6)");
    CHECK(message_of([&] { (void)correlation_lookup(pyramid, other); }) == "correlation_lookup: levels must have shape (1, 20, h, w), got (1, 24, 4, 6)");
    CHECK(message_of([&] { (void)convex_upsample(a, a, 0); }) == "convex_upsample: the factor must be in [1, 64], got 0");
    CHECK(message_of([&] { (void)convex_upsample(a, a, 2); }) == "convex_upsample: mask must have shape (1, 36, 4, 6), got (1, 2, 4, 6)");
}
