// ctest: per_isa
// ctest: threads
#include "masks/support/inputs.hpp"
#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/io/npy.hpp>
#include <ocelli/masks/rle.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <string>
#include <vector>

using namespace ocelli;
using ocelli_test::message_of;

namespace {

std::vector<std::string> lines(const std::string& name) {
    const auto bytes = read_npy<std::uint8_t, 1>(ocelli_test::golden(name));
    std::vector<std::string> out(1);
    for (const std::uint8_t b : bytes) {
        if (b == '\n') {
            out.emplace_back();
        } else {
            out.back().push_back(static_cast<char>(b));
        }
    }
    out.pop_back();
    return out;
}

std::string at(const std::string& name, int k) {
    return "masks/rle/" + name + "_" + std::to_string(k);
}

template <class A, class B>
bool same(const A& a, const B& b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin());
}

std::string refusal(const std::string& text, std::int64_t h, std::int64_t w) {
    try {
        (void)rle_from_string(text, h, w);
    } catch (const format_error& e) {
        return e.what();
    }
    return "";
}

}  // namespace

TEST_CASE("encoding, strings, decoding, areas and boxes are pycocotools'") {
    for (int k = 0; k < 4; ++k) {
        const auto masks = read_npy<std::uint8_t, 3>(ocelli_test::golden(at("masks", k) + ".npy"));
        const auto strings = lines(at("strings", k) + ".npy");
        const auto areas = read_npy<std::int64_t, 1>(ocelli_test::golden(at("areas", k) + ".npy"));
        const auto h = static_cast<std::int64_t>(masks.shape(1)), w = static_cast<std::int64_t>(masks.shape(2));
        const auto encoded = rle_encode(masks);
        REQUIRE(encoded.size() == strings.size());
        for (std::size_t i = 0; i < encoded.size(); ++i) {
            CHECK(rle_to_string(encoded[i]) == strings[i]);
            CHECK(rle_from_string(strings[i], h, w) == encoded[i]);
            CHECK(rle_area(encoded[i]) == static_cast<std::uint64_t>(areas(i)));
        }
        CHECK(same(rle_decode(encoded), masks));
        CHECK(same(rle_boxes(encoded), read_npy<double, 2>(ocelli_test::golden(at("boxes", k) + ".npy"))));
    }
}

TEST_CASE("IoU, with and without crowds, has pycocotools' bits") {
    for (int k = 0; k < 4; ++k) {
        const auto encoded = rle_encode(read_npy<std::uint8_t, 3>(ocelli_test::golden(at("masks", k) + ".npy")));
        const auto crowd = read_npy<std::uint8_t, 1>(ocelli_test::golden(at("crowd", k) + ".npy"));
        CHECK(same(rle_iou(encoded, encoded), read_npy<double, 2>(ocelli_test::golden(at("iou", k) + ".npy"))));
        const auto expected = read_npy<double, 2>(ocelli_test::golden(at("iou_crowd", k) + ".npy"));
        CHECK(same(rle_iou(encoded, encoded, {crowd.data(), crowd.size()}), expected));
        xt::xtensor<double, 2> out(expected.shape());
        rle_iou(encoded, encoded, {crowd.data(), crowd.size()}, out);
        CHECK(same(out, expected));
    }
}

TEST_CASE("merging gives pycocotools' counts") {
    for (int k = 0; k < 4; ++k) {
        const auto e = rle_encode(read_npy<std::uint8_t, 3>(ocelli_test::golden(at("masks", k) + ".npy")));
        const auto expected = lines(at("merged", k) + ".npy");
        for (std::size_t i = 0; i < e.size(); ++i) {
            const std::vector<rle> three{e[i], e[(i + 3) % e.size()], e[(i + 1) % e.size()]};
            CHECK(rle_to_string(rle_merge(three, i % 2 == 1)) == expected[i]);
        }
    }
    CHECK(rle_merge({}) == rle{});
}

TEST_CASE("polygons and boxes are filled as by pycocotools") {
    const auto points = read_npy<double, 2>(ocelli_test::golden("masks/rle/polygon_points.npy"));
    const auto sizes = read_npy<std::int64_t, 1>(ocelli_test::golden("masks/rle/polygon_sizes.npy"));
    const auto strings = lines("masks/rle/polygon_strings.npy");
    std::size_t begin = 0;
    for (std::size_t i = 0; i < strings.size(); ++i) {
        const auto n = static_cast<std::size_t>(sizes(i));
        const auto filled = rle_from_polygon(view(points.data() + 2 * begin, {n, 2}), 41, 59);
        CHECK_MESSAGE(rle_to_string(filled) == strings[i], "polygon " << i);
        const std::vector<double> flat(points.data() + 2 * begin, points.data() + 2 * (begin + n));
        CHECK(rle_from_polygon(flat, 41, 59) == filled);
        CHECK(rle_from_polygons(std::vector<std::vector<double>>{flat, flat}, 41, 59) == filled);
        begin += n;
    }
    const auto boxes = read_npy<double, 2>(ocelli_test::golden("masks/rle/box_boxes.npy"));
    const auto box_strings = lines("masks/rle/box_strings.npy");
    for (std::size_t i = 0; i < box_strings.size(); ++i)
        CHECK(rle_to_string(rle_from_box({boxes(i, 0), boxes(i, 1), boxes(i, 2), boxes(i, 3)}, 41, 59)) == box_strings[i]);
}

TEST_CASE("a mask comes back from its runs for every size of a row") {
    for (const std::size_t w : std::initializer_list<std::size_t>{1, 2, 63, 64, 65, 127, 128, 200})
        for (const std::size_t h : std::initializer_list<std::size_t>{1, 2, 7, 64}) {
            const auto masks = ocelli_test::random_masks(5, h, w, w + h);
            const auto m = view(masks.data(), {std::size_t{5}, h, w});
            const auto encoded = rle_encode(m);
            for (const rle& r : encoded)
                for (std::size_t k = 1; k < r.counts.size(); ++k) REQUIRE(r.counts[k] > 0);
            REQUIRE(same(rle_decode(encoded), masks));
            for (std::size_t i = 0; i < 5; ++i) {
                REQUIRE(rle_encode_one(view(masks.data() + i * h * w, {h, w})) == encoded[i]);
                REQUIRE(same(rle_decode(encoded[i]), std::vector<std::uint8_t>(masks.begin() + static_cast<std::ptrdiff_t>(i * h * w),
                                                                                masks.begin() + static_cast<std::ptrdiff_t>((i + 1) * h * w))));
            }
        }
}

TEST_CASE("whatever is not 0 is foreground, of any integer type and layout") {
    const std::vector<std::array<int, 3>> ints{{0, 256, -1}, {0, 0, 7}};
    const rle expected = rle_encode_one(std::vector<std::array<std::uint8_t, 3>>{{0, 1, 1}, {0, 0, 1}});
    CHECK(expected.counts == std::vector<std::uint32_t>{2, 1, 1, 2});
    CHECK(rle_encode_one(ints) == expected);
    CHECK(rle_encode_one(std::vector<std::array<bool, 3>>{{false, true, true}, {false, false, true}}) == expected);
    CHECK(rle_encode_one(std::vector<std::array<std::int8_t, 3>>{{0, -1, 3}, {0, 0, -128}}) == expected);
    xt::xtensor<float, 2> soft{{0.2f, 0.7f, 0.9f}, {0.0f, 0.5f, 0.6f}};
    CHECK(rle_encode_one(soft > 0.5f) == expected);
    xt::xtensor<std::uint8_t, 2, xt::layout_type::column_major> columns{{0, 1, 1}, {0, 0, 1}};
    CHECK(rle_encode_one(columns) == expected);
}

TEST_CASE("masks that are simple or not for their size give the same IoU") {
    // Two pixels at the corners of a large picture: as bits they would need 4 MB each, so runs are compared.
    rle corners{5000, 7000, {0, 1, 34999998, 1}}, full{5000, 7000, {0, 35000000}}, none{5000, 7000, {35000000}};
    const auto iou = rle_iou(std::vector<rle>{corners, full, none}, std::vector<rle>{corners, full, none});
    CHECK(iou(0, 0) == 1);
    CHECK(iou(0, 1) == 2.0 / 35e6);
    CHECK(iou(1, 0) == 2.0 / 35e6);
    CHECK(iou(1, 1) == 1);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(iou(2, i) == 0);
        CHECK(iou(i, 2) == 0);
    }
    // Noise and smooth shapes against a count of pixels.
    for (const std::size_t w : std::initializer_list<std::size_t>{50, 64}) {
        const auto masks = ocelli_test::random_masks(12, 40, w, 3);
        const auto e = rle_encode(view(masks.data(), {std::size_t{12}, std::size_t{40}, w}));
        const auto pairs = rle_iou(e, e);
        for (std::size_t i = 0; i < 12; ++i)
            for (std::size_t j = 0; j < 12; ++j) {
                double both = 0, any = 0;
                for (std::size_t p = 0; p < 40 * w; ++p) {
                    const bool x = masks[i * 40 * w + p] != 0, y = masks[j * 40 * w + p] != 0;
                    both += x && y;
                    any += x || y;
                }
                REQUIRE(pairs(i, j) == (both == 0 ? 0.0 : both / any));
            }
    }
}

TEST_CASE("runs of length 0 mean nothing") {
    const rle plain{4, 5, {6, 3, 11}}, odd{4, 5, {0, 0, 6, 1, 0, 2, 0, 0, 11, 0}};
    CHECK(same(rle_decode(odd), rle_decode(plain)));
    CHECK(rle_area(odd) == 3);
    CHECK(same(rle_boxes(std::vector<rle>{odd}), rle_boxes(std::vector<rle>{plain})));
    CHECK(rle_iou(std::vector<rle>{odd}, std::vector<rle>{plain})(0, 0) == 1);
    CHECK(rle_merge(std::vector<rle>{odd, odd}) == plain);
}

TEST_CASE("empty pictures and lists give empty results") {
    const rle nothing = rle_encode_one(view(static_cast<const std::uint8_t*>(nullptr), {0, 7}));
    CHECK(nothing == rle{0, 7, {0}});
    CHECK(rle_decode(nothing).size() == 0);
    CHECK(rle_area(nothing) == 0);
    CHECK(rle_encode(view(static_cast<const std::uint8_t*>(nullptr), {0, 4, 4})).empty());
    CHECK(rle_decode(std::vector<rle>{}).shape(0) == 0);
    CHECK(rle_iou({}, std::vector<rle>{nothing}).size() == 0);
    CHECK(rle_from_polygon(std::vector<double>{}, 3, 4) == rle{3, 4, {12}});
    CHECK(rle_from_polygon(std::vector<double>{1, 1, 5, 5, 0, 5}, 0, 4) == rle{0, 4, {0}});
    CHECK(rle_from_polygons({}, 3, 4) == rle{3, 4, {12}});
    const auto box = rle_boxes(std::vector<rle>{rle{3, 4, {12}}});
    for (std::size_t k = 0; k < 4; ++k) CHECK(box(0, k) == 0);
}

TEST_CASE("a polygon of any extent needs little memory and time") {
    const auto filled = rle_from_polygon(std::vector<double>{-1e8, -1e8, 1e8, -1e8, 1e8, 1e8, -1e8, 1e8}, 30, 40);
    CHECK(rle_area(filled) == 30 * 40);
    std::vector<double> zigzag;
    for (int i = 0; i < 3000; ++i) zigzag.insert(zigzag.end(), {i % 2 == 0 ? -1e8 : 1e8, i * 0.01});
    CHECK(rle_area(rle_from_polygon(zigzag, 30, 1000)) <= 30000);
}

TEST_CASE("corrupt strings are refused") {
    const std::string good = rle_to_string({4, 5, {6, 3, 11}});
    CHECK(refusal(good, 4, 5) == "");
    CHECK(refusal(good, 4, 6) == "rle_from_string: the counts must add up to 4 x 6, got 20");
    CHECK(refusal("", 4, 5) == "rle_from_string: the counts must add up to 4 x 5, got 0");
    CHECK(refusal("", 0, 5) == "");
    CHECK(refusal("6 3", 4, 5) == "rle_from_string: unexpected character at position 1");
    CHECK(refusal("6\xff", 4, 5) == "rle_from_string: unexpected character at position 1");
    CHECK(refusal(std::string("6\0003", 3), 4, 5) == "rle_from_string: unexpected character at position 1");
    CHECK(refusal("6p", 4, 5) == "rle_from_string: unexpected character at position 1");
    CHECK(refusal("6o", 4, 5) == "rle_from_string: the last number is cut off");
    CHECK(refusal("ooooooooooooooo0", 4, 5) == "rle_from_string: number out of range at position 8");
    CHECK(refusal("O", 4, 5) == "rle_from_string: count 0 is -1 with 20 pixels left");
    CHECK(refusal("6o0", 4, 5) == "rle_from_string: count 1 is 31 with 14 pixels left");
}

TEST_CASE("masks that are not valid are refused") {
    const rle good{2, 2, {1, 3}};
    const std::vector<rle> one{good};
    CHECK(message_of([&] { (void)rle_decode(rle{2, 2, {1, 2}}); }) == "rle_decode: the counts must add up to 2 x 2, got 3");
    CHECK(message_of([&] { (void)rle_decode(rle{2, 2, {1, 4000000000u, 4000000000u}}); }) ==
          "rle_decode: the counts must add up to 2 x 2, got 8000000001");
    CHECK(message_of([&] { (void)rle_area(rle{-1, 2, {}}); }) == "rle_area: height and width must not be negative, got -1 and 2");
    CHECK(message_of([&] { (void)rle_to_string(rle{65536, 65536, {}}); }) ==
          "rle_to_string: a picture must have less than 2^32 pixels, got 65536 x 65536");
    CHECK(message_of([&] { (void)rle_from_string("0", std::numeric_limits<std::int64_t>::max(), 3); }) != "");
    CHECK(message_of([&] { (void)rle_merge(std::vector<rle>{good, rle{1, 4, {4}}}); }) ==
          "rle_merge: masks must have one size, got 2 x 2 and 1 x 4");
    CHECK(message_of([&] { (void)rle_iou(one, std::vector<rle>{rle{1, 4, {4}}}); }) ==
          "rle_iou: masks must have one size, got 2 x 2 and 1 x 4");
    CHECK(message_of([&] { (void)rle_iou(one, one, std::vector<std::uint8_t>{1, 0}); }) ==
          "rle_iou: crowd must have one flag for each mask of b, 1, got 2");
    CHECK(message_of([&] { (void)rle_boxes(std::vector<rle>{rle{2, 2, {}}}); }) == "rle_boxes: the counts must add up to 2 x 2, got 0");
    CHECK(message_of([&] { (void)rle_from_polygon(std::vector<double>{1, 2, 3}, 4, 4); }) ==
          "rle_from_polygon: a flat list must have an even length, got 3");
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK(message_of([&] { (void)rle_from_polygon(std::vector<double>{1, 2, 3, nan}, 4, 4); }) ==
          "rle_from_polygon: coordinates must be finite and at most 1e8, got nan at point 1");
    CHECK(message_of([&] { (void)rle_from_box({0, 0, 2e8, 1}, 4, 4); }) != "");
    CHECK(message_of([&] { (void)rle_encode(xt::xtensor<std::uint8_t, 2>({2, 2}, 1)); }) ==
          "rle_encode: masks must have 3 dimensions, got shape (2, 2)");
    xt::xtensor<std::uint8_t, 3> wrong({1, 2, 3});
    CHECK(message_of([&] { rle_decode(one, wrong); }) == "rle_decode: out must have shape (1, 2, 2), got (1, 2, 3)");
}

TEST_CASE("COCO's own strings read, decode and encode to themselves") {
    const std::string file = ocelli_test::fixture("panoptic/detection_format.json");
    if (file.empty()) return;
    const auto strings = ocelli_test::coco_strings(file);
    REQUIRE(strings.size() == 32);
    for (const auto& s : strings) {
        const rle r = rle_from_string(s.counts, s.height, s.width);
        CHECK(rle_to_string(r) == s.counts);
        CHECK(rle_area(r) == s.area);
        const auto again = rle_encode_one(rle_decode(r));
        CHECK(again == r);
        const auto box = rle_boxes(std::vector<rle>{r});
        CHECK(box(0, 0) == s.box[0]);
        CHECK(box(0, 1) == s.box[1]);
        CHECK(box(0, 2) - box(0, 0) == s.box[2]);
        CHECK(box(0, 3) - box(0, 1) == s.box[3]);
    }
}
