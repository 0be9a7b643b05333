// ctest: heavy
#include "scenes/scene.hpp"

#include "support/fixtures.hpp"

#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <set>

namespace {

std::uint64_t checksum(const scenes::frame& f) {
    std::uint64_t hash = 0xcbf29ce484222325u; // FNV-1a
    const auto add = [&](const auto& array) {
        for (const auto value : array) {
            std::array<unsigned char, sizeof value> bytes{};
            std::memcpy(bytes.data(), &value, sizeof value);
            for (const unsigned char byte : bytes) hash = (hash ^ byte) * 0x100000001b3u;
        }
    };
    add(f.image);
    add(f.boxes);
    add(f.full_boxes);
    add(f.labels);
    add(f.ids);
    add(f.visibility);
    add(f.masks);
    add(f.flow);
    return hash;
}

/// The id of the object that each pixel shows, -1 for the ground.
xt::xtensor<std::int64_t, 2> owners(const scenes::frame& f) {
    const std::size_t h = f.image.shape(0), w = f.image.shape(1);
    auto out = xt::xtensor<std::int64_t, 2>::from_shape({h, w});
    out.fill(-1);
    for (std::size_t i = 0; i < f.ids.size(); ++i)
        for (std::size_t y = 0; y < h; ++y)
            for (std::size_t x = 0; x < w; ++x)
                if (f.masks(i, y, x) != 0) {
                    CHECK(out(y, x) == -1);
                    out(y, x) = f.ids(i);
                }
    return out;
}

TEST_CASE("A scene is the same, byte for byte, on every compiler and machine") {
    CHECK(checksum(scenes::scene(1).render(0)) == 13201805202522860558u);
    CHECK(checksum(scenes::scene(2).render(20)) == 7946594334559679209u);
    CHECK(checksum(scenes::scene(3).render(-7)) == 5272181851449852380u);
    CHECK(checksum(scenes::scene(4, {.width = 97, .height = 61, .max_radius = 20}).render(100000)) == 1217633167508144336u);
}

TEST_CASE("Frames can be rendered in any order") {
    const scenes::scene scene(9);
    const auto later = checksum(scene.render(5));
    CHECK(checksum(scene.render(4)) != later);
    CHECK(checksum(scene.render(5)) == later);
}

TEST_CASE("Boxes are tight around the visible pixels and lie in the whole object's box") {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        const auto f = scenes::scene(seed).render(20);
        const std::size_t h = f.image.shape(0), w = f.image.shape(1);
        for (std::size_t i = 0; i < f.ids.size(); ++i) {
            std::array<float, 4> tight = {1e9F, 1e9F, -1e9F, -1e9F};
            float pixels = 0;
            for (std::size_t y = 0; y < h; ++y)
                for (std::size_t x = 0; x < w; ++x)
                    if (f.masks(i, y, x) != 0) {
                        const auto fx = static_cast<float>(x), fy = static_cast<float>(y);
                        tight = {std::min(tight[0], fx), std::min(tight[1], fy), std::max(tight[2], fx + 1),
                                 std::max(tight[3], fy + 1)};
                        ++pixels;
                    }
            REQUIRE(pixels > 0);
            for (std::size_t k = 0; k < 4; ++k) CHECK(f.boxes(i, k) == tight[k]);
            CHECK(f.full_boxes(i, 0) <= f.boxes(i, 0));
            CHECK(f.full_boxes(i, 1) <= f.boxes(i, 1));
            CHECK(f.full_boxes(i, 2) >= f.boxes(i, 2));
            CHECK(f.full_boxes(i, 3) >= f.boxes(i, 3));
            CHECK(f.visibility(i) > 0);
            CHECK(f.visibility(i) <= 1);
            if (f.visibility(i) == 1)
                for (std::size_t k = 0; k < 4; ++k) CHECK(f.full_boxes(i, k) == f.boxes(i, k));
        }
    }
}

TEST_CASE("Shapes cover the area that geometry gives them") {
    // Full boxes and visible pixels of wholly visible objects; a disc fills pi/4 of its box, whatever its place and size.
    std::map<std::int64_t, int> seen;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        const auto f = scenes::scene(seed).render(0);
        const std::size_t pixels = f.image.shape(0) * f.image.shape(1);
        for (std::size_t i = 0; i < f.ids.size(); ++i) {
            const float side = f.boxes(i, 2) - f.boxes(i, 0);
            if (f.visibility(i) < 1 || side < 30) continue;
            const std::uint8_t* mask = f.masks.data() + i * pixels;
            const auto area = static_cast<double>(std::count(mask, mask + pixels, std::uint8_t{1}));
            const double box = static_cast<double>(side) * static_cast<double>(f.boxes(i, 3) - f.boxes(i, 1));
            const double share = area / box;
            ++seen[f.labels(i)];
            switch (static_cast<scenes::shape>(f.labels(i))) {
            case scenes::shape::disc:
                CHECK(share == doctest::Approx(0.7854).epsilon(0.03));
                break;
            case scenes::shape::ring:
                CHECK(share == doctest::Approx(0.7854 * 0.73).epsilon(0.05));
                break;
            case scenes::shape::square:
                CHECK((share > 0.48 && share <= 1.0));
                break;
            case scenes::shape::triangle:
                CHECK((share > 0.42 && share < 0.6));
                break;
            case scenes::shape::star:
                CHECK((share > 0.28 && share < 0.4));
                break;
            case scenes::shape::cross:
                CHECK((share > 0.35 && share < 0.65));
                break;
            }
        }
    }
    CHECK(seen.size() == static_cast<std::size_t>(scenes::class_count));
}

TEST_CASE("Flow carries every pixel of an object onto that object in the next frame") {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        const scenes::scene scene(seed);
        for (std::int64_t time = 3; time < 6; ++time) {
            const auto now = scene.render(time), next = scene.render(time + 1);
            const auto from = owners(now), to = owners(next);
            const auto h = static_cast<std::int64_t>(from.shape(0)), w = static_cast<std::int64_t>(from.shape(1));
            std::int64_t lost = 0, inside = 0;
            for (std::int64_t y = 0; y < h; ++y)
                for (std::int64_t x = 0; x < w; ++x) {
                    if (from(y, x) < 0) continue;
                    const auto tx = static_cast<std::int64_t>(std::floor(static_cast<float>(x) + 0.5F + now.flow(y, x, 0)));
                    const auto ty = static_cast<std::int64_t>(std::floor(static_cast<float>(y) + 0.5F + now.flow(y, x, 1)));
                    if (tx < 1 || ty < 1 || tx + 1 >= w || ty + 1 >= h) continue;
                    ++inside;
                    bool there = false; // the object itself or one drawn over it, within a pixel of rounding
                    for (std::int64_t k = 0; k < 9; ++k) there = there || to(ty + k / 3 - 1, tx + k % 3 - 1) >= from(y, x);
                    lost += there ? 0 : 1;
                }
            CHECK(inside > 100);
            CHECK(lost <= 2); // a star's tip is thinner than a pixel and may fall between the next frame's pixel centres
        }
    }
}

TEST_CASE("Flow predicts the next picture far better than no motion does") {
    double still = 0, moved = 0;
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        const scenes::scene scene(seed);
        const auto now = scene.render(10), next = scene.render(11);
        const auto h = static_cast<float>(now.image.shape(0)), w = static_cast<float>(now.image.shape(1));
        for (std::size_t y = 0; y < now.image.shape(0); ++y)
            for (std::size_t x = 0; x < now.image.shape(1); ++x) {
                const float tx = static_cast<float>(x) + now.flow(y, x, 0), ty = static_cast<float>(y) + now.flow(y, x, 1);
                if (tx < 0 || ty < 0 || tx >= w - 1 || ty >= h - 1) continue;
                const auto ix = static_cast<std::size_t>(tx), iy = static_cast<std::size_t>(ty);
                const float ax = tx - static_cast<float>(ix), ay = ty - static_cast<float>(iy);
                for (std::size_t k = 0; k < 3; ++k) {
                    const auto value = [&](std::size_t dy, std::size_t dx) {
                        return static_cast<float>(next.image(iy + dy, ix + dx, k));
                    };
                    const float there = (value(0, 0) * (1 - ax) + value(0, 1) * ax) * (1 - ay) +
                                        (value(1, 0) * (1 - ax) + value(1, 1) * ax) * ay;
                    const auto here = static_cast<float>(now.image(y, x, k));
                    moved += static_cast<double>(std::abs(there - here));
                    still += static_cast<double>(std::abs(static_cast<float>(next.image(y, x, k)) - here));
                }
            }
    }
    CHECK(moved < 0.6 * still);
}

TEST_CASE("The ground moves evenly") {
    const auto f = scenes::scene(5).render(0);
    const auto owner = owners(f);
    std::set<std::pair<float, float>> flows;
    for (std::size_t y = 0; y < owner.shape(0); ++y)
        for (std::size_t x = 0; x < owner.shape(1); ++x)
            if (owner(y, x) < 0) flows.insert({f.flow(y, x, 0), f.flow(y, x, 1)});
    CHECK(flows.size() == 1);
    const auto still = scenes::scene(5, {.min_objects = 0, .max_objects = 0, .moving_background = false}).render(0);
    CHECK(still.ids.size() == 0);
    CHECK(still.masks.shape(0) == 0);
    for (const float v : still.flow) REQUIRE(v == 0.0F);
}

TEST_CASE("An object keeps its id and its class, and moves no faster than allowed") {
    const scenes::scene_options options;
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        const scenes::scene scene(seed, options);
        std::map<std::int64_t, std::pair<std::int64_t, std::array<float, 2>>> last;
        for (std::int64_t time = 0; time < 20; ++time) {
            const auto f = scene.render(time);
            decltype(last) current;
            for (std::size_t i = 0; i < f.ids.size(); ++i) {
                CHECK(f.ids(i) < scene.object_count());
                const std::array<float, 2> centre = {(f.full_boxes(i, 0) + f.full_boxes(i, 2)) / 2,
                                                     (f.full_boxes(i, 1) + f.full_boxes(i, 3)) / 2};
                if (const auto before = last.find(f.ids(i)); before != last.end()) {
                    CHECK(before->second.first == f.labels(i));
                    // Beside the speed: a triangle's box is not centred on what it turns about.
                    const float slack = 0.2F * static_cast<float>(options.max_radius);
                    const auto most = static_cast<float>(options.max_speed) + slack;
                    CHECK(std::abs(before->second.second[0] - centre[0]) <= most);
                    CHECK(std::abs(before->second.second[1] - centre[1]) <= most);
                }
                current[f.ids(i)] = {f.labels(i), centre};
            }
            last = current;
        }
    }
}

TEST_CASE("Small, half-covered and cut-off objects are among two hundred scenes, every class many times") {
    std::array<int, scenes::class_count> classes{};
    int small = 0, covered = 0, total = 0;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        const auto f = scenes::scene(seed).render(20);
        for (std::size_t i = 0; i < f.ids.size(); ++i) {
            ++classes[static_cast<std::size_t>(f.labels(i))];
            ++total;
            const float width = f.full_boxes(i, 2) - f.full_boxes(i, 0);
            small += width <= 20 && f.visibility(i) >= 0.25F;
            covered += f.visibility(i) >= 0.25F && f.visibility(i) <= 0.6F;
        }
    }
    MESSAGE(total << " objects, " << small << " at most 20 pixels wide, " << covered << " of which 25 to 60 % are seen");
    for (const int c : classes) CHECK(c >= 100);
    CHECK(small >= 200);
    CHECK(covered >= 50);
}

TEST_CASE("Contradictory options are refused") {
    CHECK_THROWS_WITH_AS(scenes::scene(1, {.width = 8}), "scene: width and height must be in [32, 8192]",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(scenes::scene(1, {.min_objects = 5, .max_objects = 4}),
                         "scene: need 0 <= min_objects <= max_objects <= 1000", std::invalid_argument);
    CHECK_THROWS_WITH_AS(scenes::scene(1, {.min_radius = 2}), "scene: need 3 <= min_radius <= max_radius <= 2048",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(scenes::scene(1, {.max_speed = -1}), "scene: max_speed must be in [0, 256]", std::invalid_argument);
}

} // namespace
