// ctest: per_isa
// ctest: threads
#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/features/roi_align.hpp>
#include <ocelli/features/roi_align_rotated.hpp>
#include <ocelli/io/npy.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <string>

using namespace ocelli;
using ocelli_test::largest_difference;
using ocelli_test::message_of;

namespace {

std::string at(const std::string& name) {
    return ocelli_test::golden("features/rotated/" + name + ".npy");
}

const roi_align_rotated_options cases[] = {{7, 7, 0.25, 2}, {3, 5, 0.25, 0}, {2, 2, 0.5, 3}};

}  // namespace

TEST_CASE("RoIAlign of rotated boxes is detectron2's") {
    const auto maps = read_npy<float, 4>(at("maps"));
    const auto rois = read_npy<float, 2>(at("rois"));
    const xt::xtensor<double, 4> wide = xt::cast<double>(maps);
    for (std::size_t k = 0; k < std::size(cases); ++k) {
        CAPTURE(k);
        const auto expected = read_npy<float, 4>(at("out_" + std::to_string(k)));
        const auto found = roi_align_rotated(maps, rois, cases[k]);
        CHECK(largest_difference(found, expected) < 1e-4);
        CHECK(largest_difference(roi_align_rotated(wide, rois, cases[k]), expected) < 1e-6);
        xt::xtensor<float, 4> out(expected.shape(), 3.0f);
        roi_align_rotated(maps, rois, cases[k], out);
        CHECK(out == found);
    }
}

TEST_CASE("without rotation it is RoIAlign, aligned, and half a turn mirrors the bins") {
    const auto maps = read_npy<float, 4>(at("maps"));
    const xt::xtensor<float, 2> box{{1, 8, 6, 60, 40}}, straight{{1, 34, 23, 52, 34, 0}}, turned{{1, 34, 23, 52, 34, 180}};
    const auto expected = roi_align(maps, box, {.spatial_scale = 0.25, .sampling_ratio = 2, .aligned = true});
    const roi_align_rotated_options options{.spatial_scale = 0.25, .sampling_ratio = 2};
    const auto found = roi_align_rotated(maps, straight, options), mirrored = roi_align_rotated(maps, turned, options);
    CHECK(largest_difference(found, expected) < 1e-5);
    for (std::size_t c = 0; c < 3; ++c)
        for (std::size_t i = 0; i < 7; ++i)
            for (std::size_t j = 0; j < 7; ++j) CHECK(std::abs(mirrored(0, c, i, j) - found(0, c, 6 - i, 6 - j)) < 1e-4f);
}

TEST_CASE_TEMPLATE("RoIs that are NaN, infinite, absurd or outside give zeros, and huge ones end soon", T, float, double) {
    const T nan = std::numeric_limits<T>::quiet_NaN(), inf = std::numeric_limits<T>::infinity();
    const xt::xtensor<T, 4> maps({1, 2, 9, 9}, T(1));
    const xt::xtensor<T, 2> bad{{0, nan, 0, 5, 5, 0}, {0, 0, 0, inf, 5, 0}, {0, 0, 0, 5, 5, nan}, {0, 0, 0, T(1e30), 5, 0}, {0, 100, 100, 5, 5, 30}, {0, 4, 4, 0, 0, 0}};
    for (const T v : roi_align_rotated(maps, bad, {})) CHECK(v == 0);
    // Seven samples to a bin lie inside at most; 2^28 cells have far more.
    const auto huge = roi_align_rotated(maps, xt::xtensor<T, 2>{{0, 4, 4, T(1 << 28), T(1 << 28), 45}}, {});
    for (const T v : huge) CHECK((v >= 0 && v < T(1e-6)));
    CHECK(roi_align_rotated(maps, xt::xtensor<T, 2>({0, 6}), {}).shape() == std::array<std::size_t, 4>{0, 2, 7, 7});
    for (const T v : roi_align_rotated(xt::xtensor<T, 4>({1, 2, 0, 9}), xt::xtensor<T, 2>{{0, 4, 4, 5, 5, 0}}, {})) CHECK(v == 0);
}

TEST_CASE("bad arguments are named") {
    const xt::xtensor<float, 4> maps({1, 2, 9, 9}, 1.0f);
    const xt::xtensor<float, 2> roi{{0, 4, 4, 5, 5, 0}};
    CHECK(message_of([&] { (void)roi_align_rotated(maps, xt::xtensor<float, 2>({3, 5})); }) == "roi_align_rotated: rois must have shape (N, 6), got (3, 5)");
    CHECK(message_of([&] { (void)roi_align_rotated(maps, xt::xtensor<float, 2>{{1, 4, 4, 5, 5, 0}}); }) == "roi_align_rotated: roi 0 names image 1 of 1");
    CHECK(message_of([&] { (void)roi_align_rotated(maps, xt::xtensor<float, 2>{{0, 4, 4, -5, 5, 0}}); }) == "roi_align_rotated: roi 0 has a negative side, -5 x 5");
    CHECK(message_of([&] { (void)roi_align_rotated(maps, roi, {.output_height = 0}); }) == "roi_align_rotated: the output's sides must be in [1, 4096], got 0 and 7");
    CHECK(message_of([&] { (void)roi_align_rotated(maps, roi, {.spatial_scale = 0}); }) == "roi_align_rotated: the spatial scale must be positive, got 0");
    CHECK(message_of([&] { (void)roi_align_rotated(maps, roi, {.sampling_ratio = 2000}); }) ==
          "roi_align_rotated: the sampling ratio must be at most 1024, got 2000");
}
