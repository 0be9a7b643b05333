#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/io/npy.hpp>
#include <ocelli/masks/components.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <string>

using namespace ocelli;

TEST_CASE("labels are SciPy's, statistics OpenCV's") {
    for (int k = 0; k < 3; ++k)
        for (const auto touching : {connectivity::four, connectivity::eight}) {
            const auto at = [&](const std::string& what) {
                return ocelli_test::golden("masks/components/" + what + "_" + std::to_string(k) + ".npy");
            };
            const std::string name = touching == connectivity::four ? "four" : "eight";
            const auto found = connected_components(read_npy<std::uint8_t, 2>(at("mask")), touching);
            CHECK(found.labels == read_npy<std::int32_t, 2>(at(name)));
            const auto stats = read_npy<double, 2>(at(name + "_stats"));
            REQUIRE(found.components.size() == stats.shape(0));
            for (std::size_t i = 0; i < found.components.size(); ++i) {
                const auto& c = found.components[i];
                CHECK(c.label == static_cast<std::int64_t>(i + 1));
                CHECK(c.value == 1);
                CHECK(static_cast<double>(c.box[0]) == stats(i, 0));
                CHECK(static_cast<double>(c.box[1]) == stats(i, 1));
                CHECK(static_cast<double>(c.box[2] - c.box[0]) == stats(i, 2));
                CHECK(static_cast<double>(c.box[3] - c.box[1]) == stats(i, 3));
                CHECK(static_cast<double>(c.area) == stats(i, 4));
                CHECK(std::fabs(c.centroid[0] - stats(i, 5)) < 1e-12);
                CHECK(std::fabs(c.centroid[1] - stats(i, 6)) < 1e-12);
            }
        }
}

TEST_CASE("every label of a semantic map splits into its parts") {
    const xt::xtensor<int, 2> map{{1, 1, 0, 2}, {1, 0, 2, 2}, {3, 1, 0, 0}, {3, 3, 255, 255}};
    const auto eight = instances_from_semantic(map);
    CHECK(eight.labels == xt::xtensor<int, 2>{{1, 1, 0, 2}, {1, 0, 2, 2}, {3, 1, 0, 0}, {3, 3, 4, 4}});
    REQUIRE(eight.components.size() == 4);
    CHECK(eight.components[1].value == 2);
    CHECK(eight.components[3].value == 255);
    CHECK(eight.components[2].area == 3);
    const xt::xtensor<int, 2> diagonal{{1, 0}, {0, 1}};
    CHECK(instances_from_semantic(diagonal).components.size() == 1);
    CHECK(instances_from_semantic(diagonal, {.touching = connectivity::four}).components.size() == 2);
    const auto large = instances_from_semantic(map, {.smallest_area = 3});
    CHECK(large.labels == xt::xtensor<int, 2>{{1, 1, 0, 2}, {1, 0, 2, 2}, {3, 1, 0, 0}, {3, 3, 0, 0}});
    CHECK(large.components[2].label == 3);
    CHECK(large.components[2].value == 3);
    const auto unlabelled = instances_from_semantic(map, {.background = 255});
    CHECK(unlabelled.labels(3, 3) == 0);
    CHECK(unlabelled.labels(0, 2) != 0);
}

TEST_CASE("a spiral is one component, a checkerboard as many as it has squares or one") {
    const std::size_t n = 41;
    xt::xtensor<int, 2> rings({n, n}, 0), board({n, n}, 0);
    for (std::size_t y = 0; y < n; ++y)
        for (std::size_t x = 0; x < n; ++x) {
            const std::size_t ring = std::min(std::min(x, y), std::min(n - 1 - x, n - 1 - y));
            rings(y, x) = ring % 2 == 0;
            board(y, x) = (x + y) % 2 == 0;
        }
    for (std::size_t ring = 0; ring + 2 <= n / 2; ring += 2) rings(ring + 1, n / 2) = 1;  // a bridge to the next ring
    CHECK(connected_components(rings, connectivity::four).components.size() == 1);
    CHECK(connected_components(board, connectivity::eight).components.size() == 1);
    CHECK(connected_components(board, connectivity::four).components.size() == (n * n + 1) / 2);
}

TEST_CASE("empty pictures have no components") {
    CHECK(connected_components(xt::xtensor<int, 2>({0, 5})).components.empty());
    CHECK(connected_components(xt::xtensor<int, 2>({5, 0})).components.empty());
    CHECK(connected_components(xt::xtensor<bool, 2>({3, 3}, false)).components.empty());
    CHECK(instances_from_semantic(xt::xtensor<int, 2>({0, 0})).components.empty());
    CHECK(ocelli_test::message_of([] { (void)connected_components(xt::xtensor<int, 3>({1, 2, 2})); }) ==
          "connected_components: mask must have 2 dimensions, got shape (1, 2, 2)");
    CHECK(ocelli_test::message_of([] { detail::check_component_size(65536, 32768, "connected_components"); }) ==
          "connected_components: a picture must have less than 2^31 pixels, got 65536 x 32768");
}
