// ctest: per_isa
#include "masks/support/inputs.hpp"
#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/io/npy.hpp>
#include <ocelli/masks/boundary.hpp>
#include <ocelli/masks/distance.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <string>

using namespace ocelli;
using ocelli_test::largest_difference;
using ocelli_test::message_of;

#if __has_include(<xtensor/views/xview.hpp>)
#    include <xtensor/views/xview.hpp>
#else
#    include <xtensor/xview.hpp>
#endif

TEST_CASE("boundaries and their IoU are boundary-iou-api's") {
    for (int k = 0; k < 3; ++k) {
        const auto at = [&](const std::string& name) {
            return ocelli_test::golden("masks/boundary/" + name + "_" + std::to_string(k) + ".npy");
        };
        const auto masks = read_npy<std::uint8_t, 3>(at("masks"));
        const std::pair<const char*, double> kinds[] = {{"coco", 0.02}, {"wide", 0.1}, {"narrow", 0.005}};
        for (const auto& [name, ratio] : kinds) {
            const auto edges = mask_boundary(masks, ratio);
            CHECK(edges == read_npy<std::uint8_t, 3>(at(name)));
            xt::xtensor<std::uint8_t, 3> out(masks.shape());
            mask_boundary(masks, ratio, out);
            CHECK(out == edges);
            const auto iou = boundary_iou(masks, masks, {.dilation_ratio = ratio});
            CHECK(iou == read_npy<double, 2>(at(std::string(name) + "_iou")));
            const auto whole = mask_iou(masks, masks), least = boundary_iou(masks, masks, {.dilation_ratio = ratio, .minimum_with_mask_iou = true});
            for (std::size_t i = 0; i < iou.size(); ++i) CHECK(least.data()[i] == std::min(iou.data()[i], whole.data()[i]));
        }
    }
}

TEST_CASE("a boundary of width d is what lies within d of background, the border counting") {
    const std::size_t h = 40, w = 33;
    const auto masks = ocelli_test::random_masks(9, h, w, 2);
    for (std::size_t i = 0; i < 9; ++i) {
        xt::xtensor<int, 2> framed({h + 2, w + 2}, 0);
        for (std::size_t p = 0; p < h * w; ++p) framed(p / w + 1, p % w + 1) = masks[i * h * w + p];
        const auto distance = distance_transform(framed, pixel_metric::chessboard);
        for (const double ratio : {0.0, 0.04, 0.1}) {
            const double width = std::max(1.0, std::round(ratio * std::sqrt(double(h * h + w * w))));
            const auto edges = mask_boundary(view(masks.data() + i * h * w, {std::size_t{1}, h, w}), ratio);
            for (std::size_t p = 0; p < h * w; ++p) {
                const double d = distance(p / w + 1, p % w + 1);
                REQUIRE(edges.data()[p] == (d > 0 && d <= width ? 1 : 0));
            }
        }
    }
}

TEST_CASE("boundary F is TrackEval's") {
    const auto masks = read_npy<std::uint8_t, 3>(ocelli_test::golden("masks/boundary/f_masks.npy"));
    const std::size_t n = masks.shape(0);
    const std::pair<const char*, double> kinds[] = {{"davis", 0.008}, {"wide", 0.03}, {"pixels", 4}};
    for (const auto& [name, bound] : kinds) {
        const auto expected = read_npy<double, 2>(ocelli_test::golden(std::string("masks/boundary/f_") + name + ".npy"));
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j < n; ++j) {
                const auto score = boundary_f(xt::view(masks, i, xt::all(), xt::all()), xt::view(masks, j, xt::all(), xt::all()), bound);
                REQUIRE(std::fabs(score.f - expected(i, j)) < 1e-15);
            }
    }
}

TEST_CASE("boundaries of empty masks and pictures") {
    xt::xtensor<int, 2> none({20, 20}, 0), some({20, 20}, 0);
    some(5, 5) = 1;
    const auto both = boundary_f(none, none), missed = boundary_f(none, some), invented = boundary_f(some, none);
    CHECK(both.f == 1);
    CHECK(missed.precision == 1);
    CHECK(missed.recall == 0);
    CHECK(missed.f == 0);
    CHECK(invented.precision == 0);
    CHECK(invented.recall == 1);
    CHECK(invented.f == 0);
    CHECK(boundary_f(some, some).f == 1);
    CHECK(boundary_f(xt::xtensor<int, 2>({0, 3}), xt::xtensor<int, 2>({0, 3})).f == 1);
    CHECK(mask_boundary(xt::xtensor<int, 3>({2, 0, 4})).size() == 0);
    CHECK(boundary_iou(xt::xtensor<int, 3>({1, 4, 4}, 0), xt::xtensor<int, 3>({1, 4, 4}, 0))(0, 0) == 0);
}

TEST_CASE("bad arguments are refused") {
    const xt::xtensor<int, 3> a({1, 4, 4}, 1), b({1, 4, 5}, 1);
    CHECK(message_of([&] { (void)mask_boundary(a, 1.5); }) == "mask_boundary: the dilation ratio must be in [0, 1], got 1.5");
    CHECK(message_of([&] { (void)boundary_iou(a, b); }) ==
          "boundary_iou: a and b must have the same height and width, got (1, 4, 4) and (1, 4, 5)");
    CHECK(message_of([&] { (void)boundary_iou(a, a, {.dilation_ratio = -1}); }) == "boundary_iou: the dilation ratio must be in [0, 1], got -1");
    CHECK(message_of([] { (void)boundary_f(xt::xtensor<int, 2>({2, 2}), xt::xtensor<int, 2>({2, 3})); }) ==
          "boundary_f: prediction and truth must have one shape, got (2, 2) and (2, 3)");
    CHECK(message_of([] { (void)boundary_f(xt::xtensor<int, 2>({2, 2}), xt::xtensor<int, 2>({2, 2}), -1); }) ==
          "boundary_f: the tolerance must be in [0, 1e6], got -1");
}
