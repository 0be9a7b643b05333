#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/io/image.hpp>
#include <ocelli/io/npy.hpp>
#include <ocelli/masks/panoptic.hpp>
#include <ocelli/masks/rle.hpp>

#include "masks/support/inputs.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <set>
#include <string>

using namespace ocelli;
using ocelli_test::message_of;

TEST_CASE("merging is detectron2's") {
    for (int k = 0; k < 3; ++k) {
        const auto at = [&](const std::string& name) {
            return ocelli_test::golden("masks/panoptic/" + name + "_" + std::to_string(k) + ".npy");
        };
        const auto options = read_npy<double, 1>(at("options"));
        const auto merged =
            merge_panoptic(read_npy<std::uint8_t, 3>(at("masks")), read_npy<float, 1>(at("scores")), read_npy<std::int64_t, 1>(at("classes")),
                           read_npy<std::int64_t, 2>(at("semantic")),
                           {.overlap_threshold = options(0), .stuff_area = static_cast<std::int64_t>(options(1)), .score_threshold = options(2)});
        CHECK(merged.ids == read_npy<std::int32_t, 2>(at("ids")));
        const auto expected = read_npy<std::int64_t, 2>(at("segments"));
        REQUIRE(merged.segments.size() == expected.shape(0));
        for (std::size_t i = 0; i < merged.segments.size(); ++i) {
            const auto& s = merged.segments[i];
            CHECK(s.id == expected(i, 0));
            CHECK(s.category == expected(i, 1));
            CHECK(s.is_thing == (expected(i, 2) != 0));
            CHECK(s.instance == expected(i, 3));
            CHECK(s.area == expected(i, 4));
        }
    }
}

TEST_CASE("no instances, no free pixels, no pixels") {
    const xt::xtensor<int, 2> road({4, 4}, 3);
    const auto stuff = merge_panoptic(xt::xtensor<int, 3>({0, 1, 1}), std::vector<float>{}, std::vector<int>{}, road, {.stuff_area = 16});
    REQUIRE(stuff.segments.size() == 1);
    CHECK(stuff.segments[0].category == 3);
    CHECK(stuff.ids == xt::xtensor<std::int32_t, 2>({4, 4}, 1));
    const auto little = merge_panoptic(xt::xtensor<int, 3>({0, 1, 1}), std::vector<float>{}, std::vector<int>{}, road, {.stuff_area = 17});
    CHECK(little.segments.empty());
    CHECK(little.ids == xt::xtensor<std::int32_t, 2>({4, 4}, 0));
    const auto thing = merge_panoptic(xt::xtensor<int, 3>({2, 4, 4}, 1), std::vector<float>{0.7f, 0.7f}, std::vector<int>{9, 8}, road);
    REQUIRE(thing.segments.size() == 1);  // the second lies under the first, which comes first among equals
    CHECK(thing.segments[0].category == 9);
    CHECK(merge_panoptic(xt::xtensor<int, 3>({1, 0, 4}), std::vector<float>{1}, std::vector<int>{1}, xt::xtensor<int, 2>({0, 4})).segments.empty());
}

TEST_CASE("ids come back from their colours") {
    const xt::xtensor<int, 2> ids{{0, 1, 255}, {256, 65536, 16777215}};
    const auto rgb = panoptic_rgb(ids);
    CHECK(rgb(0, 2, 0) == 255);
    CHECK(rgb(1, 0, 1) == 1);
    CHECK(rgb(1, 1, 2) == 1);
    CHECK(panoptic_ids(rgb) == ids);
    CHECK(message_of([] { (void)panoptic_rgb(xt::xtensor<int, 2>{{16777216}}); }) == "panoptic_rgb: ids must be in [0, 2^24), got 16777216");
    CHECK(message_of([] { (void)panoptic_rgb(xt::xtensor<int, 2>{{-1}}); }) == "panoptic_rgb: ids must be in [0, 2^24), got -1");
    CHECK(message_of([] { (void)panoptic_ids(xt::xtensor<std::uint8_t, 3>({2, 2, 4})); }) ==
          "panoptic_ids: rgb must have shape (N, M, 3), got (2, 2, 4)");
}

TEST_CASE("bad arguments are refused") {
    const xt::xtensor<int, 3> masks({1, 2, 2}, 1);
    const xt::xtensor<int, 2> map({2, 2}, 0), other({2, 3}, 0);
    const std::vector<float> one{1}, two{1, 2}, nan{std::numeric_limits<float>::quiet_NaN()};
    CHECK(message_of([&] { (void)merge_panoptic(masks, one, one.size() == 1 ? std::vector<int>{1} : std::vector<int>{}, other); }) ==
          "merge_panoptic: masks and semantic must have the same height and width, got (1, 2, 2) and (2, 3)");
    CHECK(message_of([&] { (void)merge_panoptic(masks, two, std::vector<int>{1}, map); }) ==
          "merge_panoptic: masks and scores must have the same length, got 1 and 2");
    CHECK(message_of([&] { (void)merge_panoptic(masks, one, std::vector<int>{1, 2}, map); }) ==
          "merge_panoptic: masks and classes must have the same length, got 1 and 2");
    CHECK(message_of([&] { (void)merge_panoptic(masks, nan, std::vector<int>{1}, map); }) == "merge_panoptic: scores must not be NaN");
}

TEST_CASE("a panoptic picture of COCO holds the segments its file lists") {
    const std::string picture = ocelli_test::fixture("panoptic/000000439180.png");
    if (picture.empty()) return;
    const auto ids = panoptic_ids(read_image(picture));
    std::multiset<std::uint64_t> listed, found;
    for (const auto& s : ocelli_test::coco_strings(ocelli_test::fixture("panoptic/detection_format.json"))) listed.insert(s.area);
    std::set<std::int32_t> values(ids.begin(), ids.end());
    values.erase(0);
    for (const std::int32_t v : values) found.insert(rle_area(rle_encode_one(xt::equal(ids, v))));
    CHECK(found == listed);
}
