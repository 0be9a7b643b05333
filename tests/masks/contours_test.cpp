#include "masks/support/inputs.hpp"
#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/io/npy.hpp>
#include <ocelli/masks/components.hpp>
#include <ocelli/masks/contours.hpp>
#include <ocelli/masks/rle.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <tuple>
#include <vector>

using namespace ocelli;
using ocelli_test::message_of;

namespace {

double area_of(const std::vector<double>& p) {
    double sum = 0;
    for (std::size_t i = 0; i < p.size(); i += 2) {
        const std::size_t j = i + 2 == p.size() ? 0 : i + 2;
        sum += p[i] * p[j + 1] - p[j] * p[i + 1];
    }
    return sum / 2;
}

}  // namespace

TEST_CASE("contours are OpenCV's, point for point") {
    for (int k = 0; k < 8; ++k)
        for (const std::string name : {"all", "corners"}) {
            const auto at = [&](const std::string& what) {
                return ocelli_test::golden("masks/contours/" + what + "_" + std::to_string(k) + ".npy");
            };
            auto found = find_contours(read_npy<std::uint8_t, 2>(at("mask")), name == "all" ? contour_points::all : contour_points::corners);
            const auto sizes = read_npy<std::int64_t, 2>(at(name + "_sizes"));
            const auto points = read_npy<std::int64_t, 2>(at(name + "_points"));
            REQUIRE(found.size() == sizes.shape(0));
            for (const contour& c : found) {  // the tree alternates
                if (c.parent < 0) {
                    CHECK(!c.hole);
                } else {
                    CHECK(found[static_cast<std::size_t>(c.parent)].hole != c.hole);
                }
            }
            std::stable_sort(found.begin(), found.end(), [](const contour& a, const contour& b) {
                return std::tuple(a.points[0][1], a.points[0][0], a.hole) < std::tuple(b.points[0][1], b.points[0][0], b.hole);
            });
            std::size_t row = 0;
            for (std::size_t i = 0; i < found.size(); ++i) {
                CAPTURE(k);
                CAPTURE(i);
                REQUIRE(found[i].points.size() == static_cast<std::size_t>(sizes(i, 0)));
                CHECK(found[i].hole == (sizes(i, 1) == 1));
                for (const auto& p : found[i].points) {
                    REQUIRE(p[0] == points(row, 0));
                    REQUIRE(p[1] == points(row, 1));
                    ++row;
                }
            }
        }
}

TEST_CASE("polygons along pixel edges give the mask back, and count its pixels") {
    for (const std::size_t w : std::initializer_list<std::size_t>{1, 2, 17, 40}) {
        const std::size_t n = 10, h = 29;
        const auto masks = ocelli_test::random_masks(n, h, w, w);
        for (std::size_t i = 0; i < n; ++i) {
            const auto mask = view(masks.data() + i * h * w, {h, w});
            const auto polygons = mask_to_polygons(mask);
            const auto again = polygons_to_mask(polygons, static_cast<std::int64_t>(h), static_cast<std::int64_t>(w));
            REQUIRE(std::equal(again.begin(), again.end(), mask.data()));
            double area = 0;
            std::size_t outer = 0;
            for (const auto& p : polygons) {
                REQUIRE(p.points.size() >= 8);
                const double own = area_of(p.points);
                CHECK((own < 0) == p.hole);
                area += own;
                outer += p.hole ? 0 : 1;
                for (std::size_t k = 0; k < p.points.size(); k += 2) {  // corners only
                    const std::size_t next = (k + 2) % p.points.size();
                    CHECK((p.points[k] == p.points[next]) != (p.points[k + 1] == p.points[next + 1]));
                }
            }
            CHECK(area == static_cast<double>(std::count(mask.data(), mask.data() + h * w, 1)));
            CHECK(outer == connected_components(mask, connectivity::four).components.size());
        }
    }
}

TEST_CASE("COCO fills polygons along pixel edges with the same pixels") {
    const auto masks = ocelli_test::random_masks(1, 40, 50, 11);
    const auto mask = view(masks.data(), {40, 50});
    std::vector<std::vector<double>> outer;
    bool holes = false;
    for (const auto& p : mask_to_polygons(mask)) {
        holes = holes || p.hole;
        if (!p.hole) outer.push_back(p.points);
    }
    REQUIRE(!holes);
    CHECK(rle_from_polygons(outer, 40, 50) == rle_encode_one(mask));
}

TEST_CASE("filling follows the even-odd rule and clips at the picture") {
    const std::vector<std::vector<double>> two{{-10, -10, 30, -10, 30, 30, -10, 30}, {2, 2, 4, 2, 4, 5, 2, 5}};
    const auto mask = polygons_to_mask(two, 6, 7);
    for (std::size_t y = 0; y < 6; ++y)
        for (std::size_t x = 0; x < 7; ++x) CHECK(mask(y, x) == (x >= 2 && x < 4 && y >= 2 && y < 5 ? 0 : 1));
    const auto triangle = polygons_to_mask(std::vector<std::vector<double>>{{0, 0, 4, 0, 0, 4}}, 4, 4);
    CHECK(triangle == xt::xtensor<int, 2>{{1, 1, 1, 0}, {1, 1, 0, 0}, {1, 0, 0, 0}, {0, 0, 0, 0}});  // centres on the slope are outside
    CHECK(polygons_to_mask(std::vector<std::vector<double>>{}, 2, 2) == xt::xtensor<int, 2>({2, 2}, 0));
    CHECK(polygons_to_mask(std::vector<std::vector<double>>{{1, 1}, {}, {0, 0, 5, 5}}, 2, 2) == xt::xtensor<int, 2>({2, 2}, 0));
    CHECK(polygons_to_mask(std::vector<std::vector<double>>{{-1e308, 0, 1e308, 0, 1e308, 9, -1e308, 9}}, 2, 2)(1, 1) <= 1);
    CHECK(message_of([] { (void)polygons_to_mask(std::vector<std::vector<double>>{{1}}, 2, 2); }) ==
          "polygons_to_mask: a polygon must have an even number of coordinates, got 1");
    CHECK(message_of([] { (void)polygons_to_mask(std::vector<std::vector<double>>{{1, std::numeric_limits<double>::infinity()}}, 2, 2); }) ==
          "polygons_to_mask: coordinates must be finite, got inf");
    CHECK(message_of([] { (void)polygons_to_mask(std::vector<std::vector<double>>{}, -1, 2); }) ==
          "polygons_to_mask: height and width must not be negative, nor have more than 2^40 pixels, got -1 and 2");
}

TEST_CASE("the rectangle of least area is OpenCV's") {
    const auto sizes = read_npy<std::int64_t, 1>(ocelli_test::golden("masks/contours/rect_sizes.npy"));
    const auto points = read_npy<double, 2>(ocelli_test::golden("masks/contours/rect_points.npy"));
    const auto expected = read_npy<double, 2>(ocelli_test::golden("masks/contours/rects.npy"));
    std::size_t begin = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        const auto n = static_cast<std::size_t>(sizes(i));
        const auto p = view(points.data() + 2 * begin, {n, 2});
        const auto r = min_area_rect(p);
        CHECK(r[2] >= r[3]);
        CHECK(r[2] * r[3] <= expected(i, 2) * expected(i, 3) * (1 + 1e-6));
        for (std::size_t k = 0; k < 4; ++k) CHECK(std::fabs(r[k] - expected(i, k)) < 1e-4 * (1 + expected(i, 2)));
        // Every point lies inside, in the convention of boxes/rotated.hpp.
        const double a = r[4] * std::numbers::pi / 180;
        for (std::size_t j = begin; j < begin + n; ++j) {
            const double dx = points(j, 0) - r[0], dy = points(j, 1) - r[1];
            CHECK(std::fabs(dx * std::cos(a) - dy * std::sin(a)) <= r[2] / 2 + 1e-9);
            CHECK(std::fabs(dx * std::sin(a) + dy * std::cos(a)) <= r[3] / 2 + 1e-9);
        }
        begin += n;
    }
}

TEST_CASE("hulls and rectangles of few points") {
    using points = std::vector<std::array<double, 2>>;
    CHECK(convex_hull(points{}).shape(0) == 0);
    CHECK(convex_hull(points{{1, 2}, {1, 2}}) == xt::xtensor<double, 2>{{1, 2}});
    CHECK(convex_hull(points{{0, 0}, {2, 2}, {1, 1}, {4, 4}}) == xt::xtensor<double, 2>{{0, 0}, {4, 4}});
    CHECK(convex_hull(points{{1, 1}, {0, 0}, {2, 0}, {2, 2}, {0, 2}, {1, 0}}) == xt::xtensor<double, 2>{{0, 0}, {2, 0}, {2, 2}, {0, 2}});
    CHECK(min_area_rect(points{}) == std::array<double, 5>{});
    CHECK(min_area_rect(points{{3, 4}}) == std::array<double, 5>{3, 4, 0, 0, 0});
    const auto line = min_area_rect(points{{0, 0}, {3, 4}});
    CHECK(line[0] == doctest::Approx(1.5));
    CHECK(line[2] == doctest::Approx(5));
    CHECK(line[3] == doctest::Approx(0));
    const auto square = min_area_rect(points{{0, 0}, {4, 0}, {4, 2}, {0, 2}});
    CHECK(square == std::array<double, 5>{2, 1, 4, 2, 0});
    CHECK(message_of([] { (void)min_area_rect(points{{0, std::numeric_limits<double>::quiet_NaN()}}); }) ==
          "min_area_rect: coordinates must be finite and at most 1e100, got nan at point 0");
    CHECK(message_of([] { (void)convex_hull(xt::xtensor<double, 2>({3, 3})); }) == "convex_hull: points must have shape (N, 2), got (3, 3)");
}

TEST_CASE("empty masks have no outlines") {
    CHECK(find_contours(xt::xtensor<int, 2>({0, 4})).empty());
    CHECK(find_contours(xt::xtensor<int, 2>({4, 4}, 0)).empty());
    CHECK(mask_to_polygons(xt::xtensor<int, 2>({4, 0})).empty());
    CHECK(message_of([] { (void)find_contours(xt::xtensor<int, 3>({4, 4, 1})); }) == "find_contours: mask must have 2 dimensions, got shape (4, 4, 1)");
}
