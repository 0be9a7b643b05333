#include "support/fixtures.hpp"

#include <ocelli/image/layout.hpp>
#include <ocelli/io/npy.hpp>

#include <cmath>

using namespace ocelli;
using ocelli_test::golden;

namespace {

const normalization imagenet{.scale = 1.0 / 255, .mean = {0.485, 0.456, 0.406}, .stddev = {0.229, 0.224, 0.225}};

} // namespace

TEST_CASE("hwc_to_nchw normalises as torchvision's ToTensor and Normalize") {
    const auto rgb = read_npy<std::uint8_t, 3>(golden("image/colours.npy"));
    const auto expected = read_npy<float, 4>(golden("image/normalized.npy"));
    const auto tensor = hwc_to_nchw(rgb, imagenet);
    REQUIRE(tensor.shape() == expected.shape());
    float largest = 0;
    for (std::size_t i = 0; i < tensor.size(); ++i)
        largest = std::max(largest, std::fabs(tensor.data()[i] - expected.data()[i]));
    CHECK(largest <= 1e-6f);
    const xt::xtensor<float, 3> floats = xt::cast<float>(rgb);
    CHECK(hwc_to_nchw(floats, imagenet) == tensor);
    CHECK(hwc_to_nchw(normalize(rgb, imagenet)) == tensor);
    const xt::xtensor<double, 3> doubles = xt::cast<double>(rgb);
    CHECK(hwc_to_nchw(doubles, imagenet)(0, 1, 2, 3) == doctest::Approx(tensor(0, 1, 2, 3)));
}

TEST_CASE("hwc_to_nchw exchanges red and blue before the mean is taken off") {
    const xt::xtensor<std::uint8_t, 3> pixel = {{{10, 20, 30}}};
    const auto tensor = hwc_to_nchw(pixel, {.mean = {1, 2, 3}, .swap_red_blue = true});
    CHECK(tensor == xt::xtensor<float, 4>{{{{29}}, {{18}}, {{7}}}});
    CHECK(normalize(pixel, {.mean = {127}, .stddev = {128}})(0, 0, 0) == -117.0f / 128);
}

TEST_CASE("hwc_to_nchw writes one picture of a batch in place") {
    const auto rgb = read_npy<std::uint8_t, 3>(golden("image/colours.npy"));
    std::vector<float> batch(2 * 3 * 16 * 64, -9.0f);
    hwc_to_nchw(rgb, imagenet, view(batch.data() + 3 * 16 * 64, {1, 3, 16, 64}));
    const auto tensor = hwc_to_nchw(rgb, imagenet);
    CHECK(batch[0] == -9.0f);
    CHECK(std::equal(tensor.data(), tensor.data() + tensor.size(), batch.data() + 3 * 16 * 64));
    CHECK_THROWS_WITH_AS(hwc_to_nchw(rgb, imagenet, view(batch.data(), {1, 16, 64, 3})),
                         "hwc_to_nchw: out must have shape (1, 3, 16, 64), got (1, 16, 64, 3)", invalid_argument);
}

TEST_CASE("layouts come back: hwc, nchw, nhwc") {
    const auto rgb = read_npy<std::uint8_t, 3>(golden("image/colours.npy"));
    const auto tensor = hwc_to_nchw(rgb);
    CHECK(tensor.shape()[1] == 3);
    CHECK(tensor(0, 2, 5, 7) == rgb(5, 7, 2));
    CHECK(nchw_to_hwc(tensor) == rgb);
    xt::xtensor<float, 4> batch = xt::xtensor<float, 4>::from_shape({2, 4, 5, 3});
    for (std::size_t i = 0; i < batch.size(); ++i) batch.data()[i] = static_cast<float>(i);
    const auto planes = nhwc_to_nchw(batch);
    CHECK(planes(1, 2, 3, 4) == batch(1, 3, 4, 2));
    CHECK(nchw_to_nhwc(planes) == batch);
    const xt::xtensor<float, 2> grey = {{1, 2}, {3, 4}};
    CHECK(hwc_to_nchw(grey) == xt::xtensor<float, 4>{{{{1, 2}, {3, 4}}}});
}

TEST_CASE("normalisation that does not fit the channels is refused") {
    const auto rgb = xt::xtensor<std::uint8_t, 3>({2, 2, 3}, 0);
    CHECK_THROWS_WITH_AS(normalize(rgb, {.mean = {1, 2}}), "normalize: mean must have 0, 1 or 3 values, got 2",
                         invalid_argument);
    CHECK_THROWS_WITH_AS(hwc_to_nchw(rgb, {.stddev = {1, 2}}), "hwc_to_nchw: stddev must have 0, 1 or 3 values, got 2",
                         invalid_argument);
    CHECK_THROWS_WITH_AS(normalize(rgb, {.stddev = {0}}), "normalize: stddev must not be 0", invalid_argument);
    const auto grey = xt::xtensor<std::uint8_t, 2>({2, 2}, 0);
    CHECK_THROWS_WITH_AS(normalize(grey, {.swap_red_blue = true}), "normalize: swap_red_blue needs 3 or 4 channels, got 1",
                         invalid_argument);
    const auto two = xt::xtensor<float, 4>({2, 3, 4, 5}, 0.0f);
    CHECK_THROWS_WITH_AS(nchw_to_hwc(two), "nchw_to_hwc: tensor must have shape (1, N, M, K), got (2, 3, 4, 5)",
                         invalid_argument);
    CHECK(normalize(xt::xtensor<std::uint8_t, 3>::from_shape({0, 5, 3}), imagenet).size() == 0);
}
