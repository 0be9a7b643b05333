// ctest: per_isa
#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/features/pyramid.hpp>
#include <ocelli/io/npy.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#if __has_include(<xtensor/views/xview.hpp>)
#    include <xtensor/views/xview.hpp>
#else
#    include <xtensor/xview.hpp>
#endif

using namespace ocelli;
using ocelli_test::message_of;

TEST_CASE("levels and pooled features are torchvision's") {
    std::vector<xt::xtensor<float, 4>> levels;
    for (int i = 0; i < 4; ++i) levels.push_back(read_npy<float, 4>(ocelli_test::golden("features/pyramid/level_" + std::to_string(i) + ".npy")));
    const auto rois = read_npy<float, 2>(ocelli_test::golden("features/pyramid/rois.npy"));
    const auto expected = read_npy<std::int64_t, 1>(ocelli_test::golden("features/pyramid/levels.npy"));
    const auto found = assign_fpn_levels(xt::view(rois, xt::all(), xt::range(1, 5)));
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(found(i) == expected(i) + 2);
    const roi_align_options options{.output_height = 3, .output_width = 3, .sampling_ratio = 2};
    const auto pooled = roi_align_pyramid(levels, rois, options);
    CHECK(ocelli_test::largest_difference(pooled, read_npy<float, 4>(ocelli_test::golden("features/pyramid/pooled.npy"))) < 1e-5);
    xt::xtensor<float, 4> out(pooled.shape());
    roi_align_pyramid(levels, rois, options, {}, out);
    CHECK(out == pooled);
    CHECK(roi_align_pyramid(levels, xt::xtensor<float, 2>({0, 5}), options).size() == 0);
}

TEST_CASE("boxes without area, NaN and infinity have a level") {
    const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
    const xt::xtensor<float, 2> boxes{{0, 0, 0, 0}, {5, 5, 1, 1}, {nan, 0, 9, 9}, {0, 0, inf, 9}, {0, 0, 224, 224}, {0, 0, 223, 224},
                                      {0, 0, 1e6f, 1e6f}, {0, 0, 1, 1}};
    const auto levels = assign_fpn_levels(boxes);
    CHECK(levels == xt::xtensor<std::int64_t, 1>{2, 2, 2, 5, 4, 3, 5, 2});
    CHECK(assign_fpn_levels(boxes, {.min_level = 3, .max_level = 3})(6) == 3);
}

TEST_CASE("bad arguments are refused") {
    const std::vector<xt::xtensor<float, 4>> two(2, xt::xtensor<float, 4>({1, 3, 4, 4}, 0.0f));
    const xt::xtensor<float, 2> rois{{0, 0, 0, 4, 4}};
    CHECK(message_of([&] { (void)roi_align_pyramid(two, rois); }) == "roi_align_pyramid: levels 2 to 5 are 4 maps, got 2");
    CHECK(message_of([&] { (void)roi_align_pyramid(two, rois, {}, {.min_level = 3, .max_level = 2}); }) ==
          "roi_align_pyramid: levels must be in [0, 62] and in order, got 3 to 2");
    CHECK(message_of([&] { (void)assign_fpn_levels(rois); }) == "assign_fpn_levels: boxes must have shape (N, 4), got (1, 5)");
    CHECK(message_of([&] { (void)assign_fpn_levels(xt::xtensor<float, 2>({1, 4}), {.canonical_size = 0}); }) ==
          "assign_fpn_levels: the canonical size must be positive, got 0");
    std::vector<xt::xtensor<float, 4>> unequal = two;
    unequal[1] = xt::xtensor<float, 4>({1, 2, 4, 4}, 0.0f);
    CHECK(message_of([&] { (void)roi_align_pyramid(unequal, rois, {}, {.min_level = 2, .max_level = 3}); }) ==
          "roi_align_pyramid: levels must have the same channels, got 3 and 2");
    const xt::xtensor<float, 2> other{{1, 0, 0, 4, 4}};
    CHECK(message_of([&] { (void)roi_align_pyramid(two, other, {}, {.min_level = 2, .max_level = 3}); }) ==
          "roi_align_pyramid: roi 0 names image 1 of 1");
}
