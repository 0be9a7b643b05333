#include "masks/support/inputs.hpp"
#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/core/float_bits.hpp>
#include <ocelli/io/npy.hpp>
#include <ocelli/masks/distance.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <string>

using namespace ocelli;

TEST_CASE("distances are SciPy's, to the last bit") {
    for (int k = 0; k < 4; ++k) {
        const auto at = [&](const std::string& name) {
            return ocelli_test::golden("masks/distance/" + name + "_" + std::to_string(k) + ".npy");
        };
        const auto mask = read_npy<std::uint8_t, 2>(at("mask"));
        CHECK(distance_transform(mask) == read_npy<double, 2>(at("euclidean")));
        CHECK(distance_transform(mask, pixel_metric::city_block) == read_npy<double, 2>(at("city_block")));
        CHECK(distance_transform(mask, pixel_metric::chessboard) == read_npy<double, 2>(at("chessboard")));
    }
}

TEST_CASE("distances are those of the nearest background pixel") {
    const std::size_t h = 19, w = 27;
    const auto masks = ocelli_test::random_masks(12, h, w, 6);
    for (std::size_t i = 0; i < 12; ++i) {
        const std::uint8_t* m = masks.data() + i * h * w;
        const auto e = distance_transform(view(m, {h, w})), c = distance_transform(view(m, {h, w}), pixel_metric::city_block),
                   b = distance_transform(view(m, {h, w}), pixel_metric::chessboard);
        for (std::size_t p = 0; p < h * w; ++p) {
            double euclidean = 1e9, city = 1e9, board = 1e9;
            for (std::size_t q = 0; q < h * w; ++q) {
                if (m[q] != 0) continue;
                const double dx = std::fabs(static_cast<double>(p % w) - static_cast<double>(q % w));
                const double dy = std::fabs(static_cast<double>(p / w) - static_cast<double>(q / w));
                euclidean = std::min(euclidean, std::sqrt(dx * dx + dy * dy));
                city = std::min(city, dx + dy);
                board = std::min(board, std::max(dx, dy));
            }
            REQUIRE(e.data()[p] == euclidean);
            REQUIRE(c.data()[p] == city);
            REQUIRE(b.data()[p] == board);
        }
    }
}

TEST_CASE("without background every distance is infinite; empty pictures stay empty") {
    for (const auto metric : {pixel_metric::euclidean, pixel_metric::city_block, pixel_metric::chessboard}) {
        const auto d = distance_transform(xt::xtensor<bool, 2>({3, 5}, true), metric);
        for (const double v : d) CHECK(!detail::is_finite(v));
        CHECK(distance_transform(xt::xtensor<bool, 2>({3, 5}, false), metric) == xt::xtensor<double, 2>({3, 5}, 0.0));
        CHECK(distance_transform(xt::xtensor<bool, 2>({0, 5}), metric).size() == 0);
    }
}

TEST_CASE("the form into given memory writes the same") {
    const auto masks = ocelli_test::random_masks(1, 12, 13, 9);
    const auto m = view(masks.data(), {12, 13});
    xt::xtensor<double, 2> out({12, 13});
    distance_transform(m, out);
    CHECK(out == distance_transform(m));
    CHECK(ocelli_test::message_of([&] { distance_transform(xt::xtensor<int, 2>({2, 2}), out); }) ==
          "distance_transform: out must have shape (2, 2), got (12, 13)");
}
