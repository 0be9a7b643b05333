// ctest: per_isa
// ctest: threads
#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/features/deform_conv.hpp>
#include <ocelli/io/npy.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <string>

using namespace ocelli;
using ocelli_test::largest_difference;
using ocelli_test::message_of;

namespace {

std::string at(const std::string& name, std::size_t k) {
    return ocelli_test::golden("features/deform/" + name + "_" + std::to_string(k) + ".npy");
}

}  // namespace

TEST_CASE("deformable convolution is torchvision's, with groups, bias and mask") {
    const deform_conv_options cases[] = {{.padding = {1, 1}}, {.stride = {2, 1}, .padding = {1, 2}, .dilation = {1, 2}}, {}, {.stride = {1, 2}, .padding = {0, 1}, .dilation = {2, 1}}};
    for (std::size_t k = 0; k < 4; ++k) {
        CAPTURE(k);
        const auto x = read_npy<float, 4>(at("x", k)), offset = read_npy<float, 4>(at("offset", k)), weight = read_npy<float, 4>(at("weight", k)),
                   expected = read_npy<float, 4>(at("out", k));
        const auto check_all = [&](const auto& bias, const auto& mask) {
            const auto found = deform_conv2d(x, offset, weight, cases[k], bias, mask);
            CHECK(largest_difference(found, expected) < 5e-5);
            const xt::xtensor<double, 4> wide = xt::cast<double>(x);
            CHECK(largest_difference(deform_conv2d(wide, offset, weight, cases[k], bias, mask), expected) < 5e-5);
            xt::xtensor<float, 4> out(expected.shape(), 3.0f);
            deform_conv2d(x, offset, weight, cases[k], bias, mask, out);
            CHECK(out == found);
        };
        if (k == 0) {
            check_all(no_array, no_array);
            CHECK(largest_difference(deform_conv2d(x, offset, weight, cases[k]), expected) < 5e-5);
        } else if (k == 1) {
            check_all(read_npy<float, 1>(at("bias", k)), read_npy<float, 4>(at("mask", k)));
        } else if (k == 2) {
            check_all(read_npy<float, 1>(at("bias", k)), no_array);
        } else {
            check_all(no_array, read_npy<float, 4>(at("mask", k)));
        }
    }
}

TEST_CASE("without offsets it is a convolution, and a whole offset shifts the map") {
    xt::xtensor<float, 4> x({1, 1, 6, 40}), offset({1, 2, 6, 40}, 0.0f);
    const xt::xtensor<float, 4> weight({1, 1, 1, 1}, 2.0f);
    for (std::size_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(i);
    const xt::xtensor<float, 4> twice = 2.0f * x;
    CHECK(deform_conv2d(x, offset, weight) == twice);
    for (std::size_t i = 240; i < 480; ++i) offset.data()[i] = 3;  // to the right
    const auto shifted = deform_conv2d(x, offset, weight);
    for (std::size_t y = 0; y < 6; ++y)
        for (std::size_t u = 0; u < 40; ++u) CHECK(shifted(0, 0, y, u) == (u + 3 < 40 ? 2 * x(0, 0, y, u + 3) : 0.0f));
}

TEST_CASE_TEMPLATE("offsets that are NaN or infinite read zeros, and a NaN in the mask spreads", T, float, double) {
    const T nan = std::numeric_limits<T>::quiet_NaN(), inf = std::numeric_limits<T>::infinity();
    const xt::xtensor<T, 4> x({1, 1, 2, 4}, T(1)), weight({1, 1, 1, 1}, T(1));
    xt::xtensor<T, 4> offset({1, 2, 2, 4}, T(0)), mask({1, 1, 2, 4}, T(1));
    const T bad[] = {nan, inf, -inf, T(1e30), T(-1e30)};
    for (std::size_t i = 0; i < 5; ++i) offset.data()[i] = bad[i];
    mask.data()[7] = nan;
    const auto found = deform_conv2d(x, offset, weight, {}, no_array, mask);
    for (std::size_t i = 0; i < 5; ++i) CHECK(found.data()[i] == 0);
    CHECK(found.data()[5] == 1);
    CHECK(detail::is_nan(found.data()[7]));
}

TEST_CASE("no images and maps of one column") {
    CHECK(deform_conv2d(xt::xtensor<float, 4>({0, 2, 5, 5}), xt::xtensor<float, 4>({0, 18, 3, 3}), xt::xtensor<float, 4>({3, 2, 3, 3})).shape() ==
          std::array<std::size_t, 4>{0, 3, 3, 3});
    const xt::xtensor<float, 4> narrow({1, 2, 5, 1}, 1.0f), weight({1, 2, 1, 1}, 1.0f);
    xt::xtensor<float, 4> offset({1, 2, 5, 1}, 0.5f);
    const auto found = deform_conv2d(narrow, offset, weight);
    CHECK(found(0, 0, 0, 0) == 1.0f);   // half a column outside
    CHECK(found(0, 0, 4, 0) == 0.5f);   // and half a row
    // A map without elements inside its padding: every sample lies outside.
    for (const float v : deform_conv2d(xt::xtensor<float, 4>({1, 2, 0, 0}), xt::xtensor<float, 4>({1, 2, 2, 2}, 0.0f), weight, {.padding = {1, 1}})) CHECK(v == 0);
}

TEST_CASE("bad arguments are named") {
    const xt::xtensor<float, 4> x({1, 4, 5, 6}, 0.0f), weight({2, 4, 3, 3}, 0.0f), offset({1, 18, 3, 4}, 0.0f);
    CHECK(message_of([&] { (void)deform_conv2d(xt::xtensor<float, 3>({4, 5, 6}), offset, weight); }) == "deform_conv2d: input must have 4 dimensions, got shape (4, 5, 6)");
    CHECK(message_of([&] { (void)deform_conv2d(x, offset, xt::xtensor<float, 4>({2, 4, 0, 3})); }) ==
          "deform_conv2d: the kernel's sides must be in [1, 65536], got (2, 4, 0, 3)");
    CHECK(message_of([&] { (void)deform_conv2d(x, offset, weight, {.stride = {0, 1}}); }) == "deform_conv2d: stride and dilation must be in [1, 65536], got 0 and 1");
    CHECK(message_of([&] { (void)deform_conv2d(x, offset, weight, {.padding = {0, -1}}); }) == "deform_conv2d: the padding must be in [0, 65536], got -1");
    CHECK(message_of([&] { (void)deform_conv2d(x, offset, weight, {.dilation = {3, 1}}); }) ==
          "deform_conv2d: a kernel (2, 4, 3, 3) does not fit a map of (1, 4, 5, 6)");
    CHECK(message_of([&] { (void)deform_conv2d(x, offset, xt::xtensor<float, 4>({2, 3, 3, 3})); }) ==
          "deform_conv2d: weight must have a divisor of 4 channels, got (2, 3, 3, 3)");
    CHECK(message_of([&] { (void)deform_conv2d(x, offset, xt::xtensor<float, 4>({3, 2, 3, 3})); }) ==
          "deform_conv2d: filters must be a multiple of 2 groups, got 3");
    CHECK(message_of([&] { (void)deform_conv2d(x, xt::xtensor<float, 4>({1, 18, 3, 5}), weight); }) ==
          "deform_conv2d: offset must have shape (1, 18 G, 3, 4), got (1, 18, 3, 5)");
    CHECK(message_of([&] { (void)deform_conv2d(x, xt::xtensor<float, 4>({1, 54, 3, 4}), weight); }) ==
          "deform_conv2d: channels must be a multiple of 3 groups of offsets, got 4");
    CHECK(message_of([&] { (void)deform_conv2d(x, offset, weight, {}, xt::xtensor<float, 1>{1, 2, 3}); }) == "deform_conv2d: bias must have shape (2), got (3)");
    CHECK(message_of([&] { (void)deform_conv2d(x, offset, weight, {}, no_array, xt::xtensor<float, 4>({1, 8, 3, 4})); }) ==
          "deform_conv2d: mask must have shape (1, 9, 3, 4), got (1, 8, 3, 4)");
    xt::xtensor<float, 4> out({1, 2, 3, 3});
    CHECK(message_of([&] { deform_conv2d(x, offset, weight, {}, no_array, no_array, out); }) == "deform_conv2d: out must have shape (1, 2, 3, 4), got (1, 2, 3, 3)");
}
