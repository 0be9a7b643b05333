#include "support/fixtures.hpp"

#include <ocelli/image/detail/font.hpp>
#include <ocelli/image/draw.hpp>
#include <ocelli/io/image.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <set>

using namespace ocelli;
using picture = xt::xtensor<std::uint8_t, 3>;

namespace {

picture black(std::size_t height, std::size_t width, std::size_t channels = 3) {
    return picture({height, width, channels}, 0);
}

rgb pixel(const picture& image, std::size_t x, std::size_t y) {
    return {image(y, x, 0), image(y, x, 1), image(y, x, 2)};
}

std::size_t drawn(const picture& image) {
    std::size_t n = 0;
    for (std::size_t i = 0; i < image.size(); i += image.shape()[2])
        n += image.data()[i] != 0 || image.data()[i + 1] != 0 ? 1 : 0;
    return n;
}

} // namespace

TEST_CASE("draw_boxes draws a frame inside the box") {
    auto image = black(20, 30);
    const std::vector<rgb> red = {{255, 0, 0}};
    draw_boxes(image, xt::xtensor<float, 2>{{5, 4, 15, 12}}, {.colours = red, .thickness = 2});
    CHECK(pixel(image, 5, 4) == rgb{255, 0, 0});
    CHECK(pixel(image, 14, 11) == rgb{255, 0, 0});
    CHECK(pixel(image, 15, 11) == rgb{});
    CHECK(pixel(image, 4, 4) == rgb{});
    CHECK(pixel(image, 7, 6) == rgb{});
    CHECK(drawn(image) == 10 * 8 - 6 * 4);
}

TEST_CASE("draw_boxes clips at the borders and leaves out boxes that are not finite") {
    constexpr double inf = std::numeric_limits<double>::infinity();
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    auto image = black(20, 30);
    const std::vector<std::string> texts(6, "outside");
    draw_boxes(image,
               xt::xtensor<double, 2>{
                   {nan, 0, 5, 5}, {0, 0, inf, 5}, {100, 100, 120, 120}, {-50, -50, -20, -20}, {40, 5, 50, 9}, {5, 25, 9, 30}},
               {.texts = texts});
    CHECK(drawn(image) == 0);
    draw_boxes(image, xt::xtensor<double, 2>{{-1e300, -1e300, 1e300, 1e300}}, {.fill = 1.0});
    CHECK(drawn(image) == 20 * 30);
    auto other = black(20, 30);
    draw_boxes(other, xt::xtensor<double, 2>{{-5, -5, 3, 3}, {25, 15, 300, 300}, {9, 9, 9, 9}, {14, 12, 11, 10}},
               {.texts = {}, .thickness = 1});
    CHECK(drawn(other) > 0);
    CHECK(pixel(other, 2, 0) != rgb{});
    CHECK(pixel(other, 9, 9) != rgb{});
}

TEST_CASE("draw_boxes keeps labels inside the image and gives each class one colour") {
    const std::vector<std::int64_t> labels = {7, 7, 3};
    const std::vector<std::string> texts = {"cat 0.99", "cat 0.50", "dog 0.70"};
    auto image = black(200, 300);
    draw_boxes(image, xt::xtensor<float, 2>{{280, 0, 299, 30}, {10, 150, 60, 199}, {100, 60, 160, 120}},
               {.labels = labels, .texts = texts});
    CHECK(pixel(image, 285, 29) == palette_colour(7));
    CHECK(pixel(image, 10, 170) == palette_colour(7));
    CHECK(pixel(image, 100, 90) == palette_colour(3));
    // The first label has no room above nor to the right: it is inside, moved left, and its text is there.
    const auto [width, height] = text_size("cat 0.99", 1);
    CHECK(pixel(image, 299 - static_cast<std::size_t>(width) - 2, 1) == palette_colour(7));
    std::size_t ink = 0;
    for (std::size_t y = 0; y < static_cast<std::size_t>(height) + 4; ++y)
        for (std::size_t x = 240; x < 300; ++x) ink += pixel(image, x, y) == contrasting_colour(palette_colour(7)) ? 1 : 0;
    CHECK(ink > 50);
}

TEST_CASE("labels of neighbouring boxes do not cover each other where there is room") {
    const std::vector<std::string> texts = {"first", "other"};
    const std::vector<rgb> colours = {{255, 0, 0}, {0, 0, 255}};
    auto image = black(200, 200);
    draw_boxes(image, xt::xtensor<float, 2>{{50, 50, 80, 80}, {60, 50, 90, 120}},
               {.texts = texts, .colours = colours, .text_scale = 1});
    auto alone = black(200, 200);
    draw_boxes(alone, xt::xtensor<float, 2>{{50, 50, 80, 80}},
               {.texts = std::span(texts).first(1), .colours = std::span(colours).first(1), .text_scale = 1});
    const auto [width, height] = text_size("first", 1);
    bool same = true;
    for (std::size_t y = 50 - static_cast<std::size_t>(height) - 4; y < 50; ++y)
        for (std::size_t x = 50; x < 50 + static_cast<std::size_t>(width) + 4; ++x)
            same = same && pixel(image, x, y) == pixel(alone, x, y);
    CHECK(same);
    std::size_t blue_text = 0;
    for (std::size_t y = 0; y < 200; ++y)
        for (std::size_t x = 0; x < 200; ++x) blue_text += pixel(image, x, y) == rgb{255, 255, 255} && y >= 50 ? 1 : 0;
    CHECK(blue_text > 20); // the second label found another place
}

TEST_CASE("every printable character has a glyph of its own") {
    std::set<std::vector<std::uint8_t>> seen;
    for (std::size_t g = 0; g < 95; ++g) {
        std::vector<std::uint8_t> rows(detail::glyphs[g], detail::glyphs[g] + detail::glyph_height);
        CHECK(*std::max_element(rows.begin(), rows.end()) < 32);
        seen.insert(rows);
    }
    CHECK(seen.size() == 95);
}

TEST_CASE("draw_text scales, breaks lines, clips, and boxes what it cannot write") {
    auto small = black(12, 40);
    draw_text(small, 1, 1, "Ab", {.scale = 1});
    auto big = black(24, 80);
    draw_text(big, 2, 2, "Ab", {.scale = 2});
    CHECK(drawn(big) == 4 * drawn(small));
    CHECK(text_size("Ab", 1) == std::pair<std::int64_t, std::int64_t>{11, 9});
    CHECK(text_size("a\nlonger\n", 2) == std::pair<std::int64_t, std::int64_t>{70, 62});
    CHECK(text_size("", 3).first == 0);
    CHECK(text_size("h\xc3\xa9", 1) == text_size("he", 1));
    auto edge = black(12, 40);
    for (const double x : {-1e12, -3.0, 38.0, 1e12}) draw_text(edge, x, -4, "clipped\ntext", {.background = true});
    draw_text(edge, std::numeric_limits<double>::quiet_NaN(), 0, "nowhere");
    auto hollow = black(12, 10);
    draw_text(hollow, 0, 0, "\xe4\xb8\xad", {.scale = 1});
    CHECK(drawn(hollow) == 20);
    CHECK_THROWS_WITH_AS(draw_text(hollow, 0, 0, "x", {.scale = -1}), "draw_text: scale must not be negative, got -1",
                         invalid_argument);
}

TEST_CASE("drawing knows grey, alpha and blue-first images") {
    xt::xtensor<std::uint8_t, 2> grey({10, 10}, 0);
    const std::vector<rgb> green = {{0, 255, 0}};
    const xt::xtensor<float, 2> box = {{1, 1, 9, 9}};
    draw_boxes(grey, box, {.colours = green, .thickness = 1});
    CHECK(grey(1, 1) == 150);
    auto alpha = black(10, 10, 4);
    draw_boxes(alpha, box, {.colours = green, .thickness = 1});
    CHECK(alpha(1, 1, 3) == 255);
    CHECK(alpha(5, 5, 3) == 0);
    auto bgr = black(10, 10);
    const std::vector<rgb> red = {{255, 0, 0}};
    draw_boxes(bgr, box, {.colours = red, .thickness = 1, .bgr = true});
    CHECK(pixel(bgr, 1, 1) == rgb{0, 0, 255});
    std::vector<std::uint8_t> memory(10 * 10 * 3);
    draw_boxes(view(memory.data(), {10, 10, 3}), box, {.colours = red, .thickness = 1});
    CHECK(memory[(10 + 1) * 3] == 255);
}

TEST_CASE("draw_masks blends inside and outlines the border") {
    auto image = picture({8, 8, 3}, 100);
    xt::xtensor<bool, 3> masks({1, 8, 8}, false);
    for (std::size_t y = 2; y < 7; ++y)
        for (std::size_t x = 2; x < 7; ++x) masks(0, y, x) = true;
    const std::vector<rgb> colour = {{200, 0, 0}};
    draw_masks(image, masks, {.colours = colour});
    CHECK(pixel(image, 4, 4) == rgb{150, 50, 50});
    CHECK(pixel(image, 2, 4) == rgb{200, 0, 0});
    CHECK(pixel(image, 1, 4) == rgb{100, 100, 100});
    auto soft = picture({8, 8, 3}, 100);
    const xt::xtensor<float, 3> probabilities = xt::cast<float>(masks) * 0.8f;
    draw_masks(soft, probabilities, {.colours = colour, .opacity = 1, .outline = false});
    CHECK(pixel(soft, 2, 2) == rgb{200, 0, 0});
    CHECK_THROWS_WITH_AS(draw_masks(image, xt::xtensor<bool, 3>({1, 8, 9}, false)),
                         "draw_masks: masks must have shape (N, 8, 8), got (1, 8, 9)", invalid_argument);
    CHECK_THROWS_WITH_AS(draw_masks(image, masks, {.opacity = 1.5}), "draw_masks: opacity must lie in [0, 1], got 1.5",
                         invalid_argument);
}

TEST_CASE("draw_labels gives every label its colour, outlines where labels meet, and leaves one out if asked") {
    auto image = picture({6, 8, 3}, 100);
    xt::xtensor<std::uint8_t, 2> labels({6, 8}, 0);
    for (std::size_t y = 0; y < 6; ++y)
        for (std::size_t x = 4; x < 8; ++x) labels(y, x) = 1;
    const std::vector<rgb> colours = {{0, 200, 0}, {200, 0, 0}};
    draw_labels(image, labels, {.colours = colours});
    CHECK(pixel(image, 1, 1) == rgb{50, 150, 50});
    CHECK(pixel(image, 3, 1) == rgb{0, 200, 0}); // beside the other label
    CHECK(pixel(image, 4, 1) == rgb{200, 0, 0});
    CHECK(pixel(image, 7, 5) == rgb{150, 50, 50}); // the picture's border is no outline

    auto other = picture({6, 8, 3}, 100);
    draw_labels(other, xt::xtensor<std::int64_t, 2>(xt::cast<std::int64_t>(labels)),
                {.colours = std::span(colours).first(1), .opacity = 1, .outline = false, .skip = 0});
    CHECK(pixel(other, 1, 1) == rgb{100, 100, 100});
    CHECK(pixel(other, 6, 1) == ocelli::palette_colour(1)); // beyond the colours given
    CHECK_THROWS_WITH_AS(draw_labels(image, xt::xtensor<int, 2>({6, 9}, 0)),
                         "draw_labels: labels must have shape (6, 8), got (6, 9)", invalid_argument);
    CHECK_THROWS_WITH_AS(draw_labels(image, labels, {.opacity = -1}), "draw_labels: opacity must lie in [0, 1], got -1",
                         invalid_argument);
}

TEST_CASE("draw_line and draw_points keep to their geometry and to the image") {
    auto image = black(20, 20);
    draw_line(image, 2, 3, 12, 3, {255, 255, 255});
    CHECK(drawn(image) == 11);
    draw_line(image, -1e6, -1e6, 1e6, 1e6, {255, 255, 255}, 3);
    CHECK(pixel(image, 0, 0) == rgb{255, 255, 255});
    CHECK(pixel(image, 19, 19) == rgb{255, 255, 255});
    CHECK(pixel(image, 19, 10) == rgb{});
    auto dots = black(20, 20);
    draw_points(dots, std::vector<std::array<double, 2>>{{5, 5}, {-100, 3}, {std::nan(""), 2}}, {255, 0, 0}, 0.5);
    CHECK(drawn(dots) == 1);
    draw_points(dots, std::vector<std::array<double, 2>>{{10, 10}}, {255, 0, 0}, 2);
    CHECK(drawn(dots) == 1 + 13);
    CHECK_THROWS_AS(draw_line(dots, 0, 0, 1, 1, {}, 0), invalid_argument);
    CHECK_THROWS_AS(draw_points(dots, std::vector<std::array<double, 2>>{{0, 0}}, {}, -1), invalid_argument);
}

TEST_CASE("draw_legend stands in its corner and shows each colour") {
    const std::vector<std::string> names = {"person", "bicycle"};
    for (const corner where : {corner::top_left, corner::top_right, corner::bottom_left, corner::bottom_right}) {
        auto image = black(120, 160);
        draw_legend(image, names, {.where = where, .text_scale = 1});
        std::size_t first = 0, second = 0;
        for (std::size_t y = 0; y < 120; ++y)
            for (std::size_t x = 0; x < 160; ++x) {
                first += pixel(image, x, y) == palette_colour(0) ? 1 : 0;
                second += pixel(image, x, y) == palette_colour(1) ? 1 : 0;
            }
        CHECK(first == 49);
        CHECK(second == 49);
        const bool right = where == corner::top_right || where == corner::bottom_right;
        const bool bottom = where == corner::bottom_left || where == corner::bottom_right;
        CHECK(pixel(image, right ? 150 : 10, bottom ? 114 : 4) != rgb{});
        CHECK(pixel(image, right ? 10 : 150, bottom ? 4 : 114) == rgb{});
    }
    auto tiny = black(5, 5);
    draw_legend(tiny, names);
    draw_legend(tiny, {});
}

TEST_CASE("palette colours differ, and text on them is readable") {
    std::set<std::array<int, 3>> seen;
    for (std::int64_t i = 0; i < 200; ++i) {
        const rgb c = palette_colour(i);
        seen.insert({c.red, c.green, c.blue});
        const rgb t = contrasting_colour(c);
        const double a = 0.299 * c.red + 0.587 * c.green + 0.114 * c.blue;
        CHECK(std::fabs(a - t.red) > 90);
    }
    CHECK(seen.size() >= 195);
    CHECK(palette_colour(-1) == palette_colour(-1));
}

TEST_CASE("draw functions say what is wrong with their arguments") {
    auto image = black(10, 10);
    const std::vector<std::int64_t> two = {1, 2};
    const std::vector<std::string> texts = {"a", "b"};
    const xt::xtensor<float, 2> box = {{1, 1, 5, 5}};
    CHECK_THROWS_WITH_AS(draw_boxes(image, xt::xtensor<float, 2>({2, 3}, 0.0f)),
                         "draw_boxes: boxes must have shape (N, 4), got (2, 3)", invalid_argument);
    CHECK_THROWS_WITH_AS(draw_boxes(image, box, {.labels = two}), "draw_boxes: labels must be none or 1, got 2",
                         invalid_argument);
    CHECK_THROWS_WITH_AS(draw_boxes(image, box, {.texts = texts}), "draw_boxes: texts must be none or 1, got 2",
                         invalid_argument);
    CHECK_THROWS_WITH_AS(draw_boxes(image, box, {.fill = 2}), "draw_boxes: fill must lie in [0, 1], got 2", invalid_argument);
    CHECK_THROWS_AS(draw_boxes(image, box, {.thickness = -1}), invalid_argument);
    auto two_channels = black(10, 10, 2);
    CHECK_THROWS_WITH_AS(draw_boxes(two_channels, box), "draw_boxes: image must have 1, 3 or 4 channels, got shape (10, 10, 2)",
                         invalid_argument);
    CHECK_THROWS_AS(draw_legend(image, texts, {.labels = std::span(two).first(1)}), invalid_argument);
    draw_boxes(image, xt::xtensor<float, 2>::from_shape({0, 4}));
    CHECK(drawn(image) == 0);
}
