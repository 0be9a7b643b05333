#include "masks/support/inputs.hpp"
#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/core/float_bits.hpp>
#include <ocelli/io/npy.hpp>
#include <ocelli/masks/hausdorff.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#if __has_include(<xtensor/views/xview.hpp>)
#    include <xtensor/views/xview.hpp>
#else
#    include <xtensor/xview.hpp>
#endif

using namespace ocelli;
using ocelli_test::message_of;

TEST_CASE("the distance of point sets is SciPy's") {
    const auto a = read_npy<double, 2>(ocelli_test::golden("masks/distance/points_a.npy"));
    const auto b = read_npy<double, 2>(ocelli_test::golden("masks/distance/points_b.npy"));
    const auto expected = read_npy<double, 1>(ocelli_test::golden("masks/distance/hausdorff.npy"))(0);
    CHECK(std::fabs(hausdorff_distance(a, b) - expected) < 1e-15);
    CHECK(hausdorff_distance(b, a) == hausdorff_distance(a, b));
    CHECK(hausdorff_distance(a, a) == 0);
}

TEST_CASE("the distance of masks is that of their edges, or its percentile") {
    const auto masks = read_npy<std::uint8_t, 3>(ocelli_test::golden("masks/distance/hausdorff_masks.npy"));
    const auto expected = read_npy<double, 2>(ocelli_test::golden("masks/distance/hausdorff_edges.npy"));
    for (std::size_t i = 0; i < expected.shape(0); ++i) {
        const auto a = xt::view(masks, i, xt::all(), xt::all()), b = xt::view(masks, i + 1, xt::all(), xt::all());
        CHECK(mask_hausdorff_distance(a, b) == expected(i, 0));
        CHECK(std::fabs(mask_hausdorff_distance(a, b, {.percentile = 95}) - expected(i, 1)) < 1e-12);
    }
}

TEST_CASE("all foreground pixels give the distance of point sets") {
    const std::size_t h = 17, w = 23;
    const auto masks = ocelli_test::random_masks(6, h, w, 8);
    for (std::size_t i = 0; i < 6; ++i)
        for (std::size_t j = 0; j < 6; ++j) {
            std::vector<std::array<double, 2>> sets[2];
            for (std::size_t p = 0; p < h * w; ++p) {
                if (masks[i * h * w + p] != 0) sets[0].push_back({static_cast<double>(p % w), static_cast<double>(p / w)});
                if (masks[j * h * w + p] != 0) sets[1].push_back({static_cast<double>(p % w), static_cast<double>(p / w)});
            }
            const double expected = hausdorff_distance(sets[0], sets[1]);
            const double found = mask_hausdorff_distance(view(masks.data() + i * h * w, {h, w}), view(masks.data() + j * h * w, {h, w}),
                                                         {.of = hausdorff_pixels::foreground});
            CHECK((found == expected || (!detail::is_finite(found) && !detail::is_finite(expected))));
        }
}

TEST_CASE("empty sets and bad arguments") {
    const xt::xtensor<double, 2> none({0, 2}), one{{1, 2}};
    CHECK(hausdorff_distance(none, none) == 0);
    CHECK(!detail::is_finite(hausdorff_distance(none, one)));
    const xt::xtensor<int, 2> empty({4, 4}, 0), full({4, 4}, 1);
    CHECK(mask_hausdorff_distance(empty, empty) == 0);
    CHECK(!detail::is_finite(mask_hausdorff_distance(empty, full)));
    CHECK(mask_hausdorff_distance(xt::xtensor<int, 2>({0, 4}), xt::xtensor<int, 2>({0, 4})) == 0);
    CHECK(message_of([&] { (void)hausdorff_distance(one, xt::xtensor<double, 2>({1, 3})); }) ==
          "hausdorff_distance: points must have one dimension, got (1, 2) and (1, 3)");
    CHECK(message_of([&] { (void)hausdorff_distance(one, xt::xtensor<double, 2>{{1, std::numeric_limits<double>::infinity()}}); }) ==
          "hausdorff_distance: coordinates must be finite, got inf");
    CHECK(message_of([&] { (void)mask_hausdorff_distance(full, xt::xtensor<int, 2>({4, 5})); }) ==
          "mask_hausdorff_distance: masks must have one shape, got (4, 4) and (4, 5)");
    CHECK(message_of([&] { (void)mask_hausdorff_distance(full, full, {.percentile = 0}); }) ==
          "mask_hausdorff_distance: the percentile must be in (0, 100], got 0");
}
