// ctest: per_isa
// ctest: threads
#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/features/upsample.hpp>
#include <ocelli/io/npy.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

using namespace ocelli;
using ocelli_test::largest_difference;
using ocelli_test::message_of;

namespace {

std::string at(const std::string& name) {
    return ocelli_test::golden("features/upsample/" + name + ".npy");
}

using size_list = std::array<std::int64_t, 2>;
using scale_list = std::array<double, 2>;

}  // namespace

TEST_CASE("upsampling is torch's interpolate for every size, scale, mode and rule") {
    const auto maps = read_npy<float, 4>(at("maps"));
    const upsample_options sizes[] = {{.size = {26, 74}},    {.size = {7, 90}},      {.size = {31, 12}}, {.size = {1, 1}}, {.scale = {1.7, 2.3}},
                                      {.scale = {0.6, 0.45}}, {.scale = {1.7, 0.45}, .recompute_scale = true}};
    const upsample_options modes[] = {{.mode = upsample_mode::nearest},
                                      {.mode = upsample_mode::nearest_exact},
                                      {.mode = upsample_mode::bilinear},
                                      {.mode = upsample_mode::bilinear, .align_corners = true},
                                      {.mode = upsample_mode::bicubic},
                                      {.mode = upsample_mode::bicubic, .align_corners = true},
                                      {.mode = upsample_mode::bilinear, .antialias = true},
                                      {.mode = upsample_mode::bicubic, .antialias = true},
                                      {.mode = upsample_mode::bicubic, .align_corners = true, .antialias = true}};
    const xt::xtensor<double, 4> wide = xt::cast<double>(maps);
    for (std::size_t i = 0; i < std::size(sizes); ++i)
        for (std::size_t j = 0; j < std::size(modes); ++j) {
            CAPTURE(i);
            CAPTURE(j);
            upsample_options options = modes[j];
            options.size = sizes[i].size;
            options.scale = sizes[i].scale;
            options.recompute_scale = sizes[i].recompute_scale;
            const auto expected = read_npy<float, 4>(at("out_" + std::to_string(i) + "_" + std::to_string(j)));
            const auto found = upsample(maps, options);
            if (j < 2) CHECK(found == expected);
            else CHECK(largest_difference(found, expected) < 1e-5);
            CHECK(largest_difference(upsample(wide, options), expected) < 2e-5);
            xt::xtensor<float, 4> out(expected.shape(), 3.0f);
            upsample(maps, options, out);
            CHECK(out == found);
        }
}

TEST_CASE_TEMPLATE("every width agrees with two taps by hand", T, float, double) {
    for (std::size_t width = 1; width < 70; width += width < 36 ? 1 : 5)
        for (const std::size_t factor : std::initializer_list<std::size_t>{2, 3}) {
            xt::xtensor<T, 4> maps({1, 1, 3, width});
            for (std::size_t i = 0; i < maps.size(); ++i) maps.data()[i] = static_cast<T>((i * 37) % 19);
            const auto f = static_cast<double>(factor);
            const auto found = upsample(maps, {.scale = {f, f}, .mode = upsample_mode::bilinear});
            REQUIRE(found.shape() == std::array<std::size_t, 4>{1, 1, 3 * factor, width * factor});
            const auto place = [&](std::size_t o, std::size_t n, std::size_t& low, std::size_t& high) {
                const double x = std::max(0.0, (static_cast<double>(o) + 0.5) / f - 0.5);
                low = std::min(static_cast<std::size_t>(x), n - 1);
                high = std::min(low + 1, n - 1);
                return x - static_cast<double>(low);
            };
            for (std::size_t y = 0; y < 3 * factor; ++y)
                for (std::size_t x = 0; x < width * factor; ++x) {
                    std::size_t y0, y1, x0, x1;
                    const double dy = place(y, 3, y0, y1), dx = place(x, width, x0, x1);
                    const double expected = (1 - dy) * ((1 - dx) * double(maps(0, 0, y0, x0)) + dx * double(maps(0, 0, y0, x1))) +
                                            dy * ((1 - dx) * double(maps(0, 0, y1, x0)) + dx * double(maps(0, 0, y1, x1)));
                    REQUIRE(std::abs(double(found(0, 0, y, x)) - expected) < 1e-4);
                }
        }
}

TEST_CASE("a map of one value keeps it, and the size it has keeps every element") {
    const xt::xtensor<float, 4> flat({2, 3, 5, 40}, 2.5f);
    for (const auto mode : {upsample_mode::nearest, upsample_mode::nearest_exact, upsample_mode::bilinear, upsample_mode::bicubic})
        for (const float v : upsample(flat, {.size = {11, 97}, .mode = mode})) REQUIRE(std::abs(v - 2.5f) < 1e-5f);
    xt::xtensor<float, 4> maps({1, 2, 6, 21});
    for (std::size_t i = 0; i < maps.size(); ++i) maps.data()[i] = static_cast<float>(i);
    for (const auto mode : {upsample_mode::nearest, upsample_mode::nearest_exact, upsample_mode::bilinear, upsample_mode::bicubic})
        CHECK(upsample(maps, {.size = {6, 21}, .mode = mode}) == maps);
}

TEST_CASE_TEMPLATE("a large result, which is written past the caches, has the bits of a small one", T, float, double) {
    xt::xtensor<T, 4> maps({1, 6, 607, 613});
    for (std::size_t i = 0; i < maps.size(); ++i) maps.data()[i] = static_cast<T>((i * 7919) % 1013) / T(64);
    for (const auto mode : {upsample_mode::bilinear, upsample_mode::bicubic}) {
        const upsample_options options{.size = {1201, 1229}, .mode = mode};
        std::vector<T> memory(6 * 1201 * 1229 + 2, T(-1));  // more than 32 MB, and no row starts where a cache line does
        upsample(maps, options, view(memory.data() + 1, {1, 6, 1201, 1229}));
        CHECK(memory.front() == T(-1));
        CHECK(memory.back() == T(-1));
        for (std::size_t c = 0; c < 6; c += 5) {
            const auto alone = upsample(view(maps.data() + c * 607 * 613, {1, 1, 607, 613}), options);
            CHECK(std::equal(alone.begin(), alone.end(), memory.begin() + 1 + static_cast<std::ptrdiff_t>(c * alone.size())));
        }
    }
}

TEST_CASE("no maps, strided maps, integers and lazy expressions") {
    CHECK(upsample(xt::xtensor<float, 4>({0, 3, 4, 4}), {.scale = {2, 2}}).shape() == std::array<std::size_t, 4>{0, 3, 8, 8});
    xt::xtensor<float, 4> maps({1, 2, 3, 5});
    for (std::size_t i = 0; i < maps.size(); ++i) maps.data()[i] = static_cast<float>(i);
    const upsample_options options{.size = {7, 8}, .mode = upsample_mode::bilinear};
    xt::xtensor<float, 4, xt::layout_type::column_major> columns = maps;
    CHECK(upsample(columns, options) == upsample(maps, options));
    CHECK(upsample(maps + 0.0f, options) == upsample(maps, options));
    CHECK(upsample(xt::xtensor<std::uint8_t, 4>({1, 1, 1, 1}, 9), options)(0, 0, 3, 3) == 9.0);
}

TEST_CASE("bad arguments are named") {
    const xt::xtensor<float, 4> maps({1, 2, 4, 6}, 0.0f);
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK(message_of([&] { (void)upsample(xt::xtensor<float, 3>({2, 4, 6}), {.size = {2, 2}}); }) == "upsample: input must have 4 dimensions, got shape (2, 4, 6)");
    CHECK(message_of([&] { (void)upsample(xt::xtensor<float, 4>({1, 2, 4, 0}), {.size = {2, 2}}); }) == "upsample: the map has no elements, (1, 2, 4, 0)");
    CHECK(message_of([&] { (void)upsample(maps, {}); }) == "upsample: either the size or the scale must be given");
    CHECK(message_of([&] { (void)upsample(maps, {.size = {2, 2}, .scale = {2, 2}}); }) == "upsample: either the size or the scale must be given");
    CHECK(message_of([&] { (void)upsample(maps, {.size = {2, -1}}); }) == "upsample: the result's sides must be in [1, 2^30), got -1");
    CHECK(message_of([&] { (void)upsample(maps, {.scale = {0.1, 1}}); }) == "upsample: the result's sides must be in [1, 2^30), got 0");
    CHECK(message_of([&] { (void)upsample(maps, {.scale = {1e300, 1}}); }) == "upsample: the result's sides must be in [1, 2^30), got 1073741824");
    CHECK(message_of([&] { (void)upsample(maps, {.scale = {nan, 1}}); }) == "upsample: the scale must be positive, got nan");
    CHECK(message_of([&] { (void)upsample(maps, {.size = {2, 2}, .align_corners = true}); }) ==
          "upsample: the nearest modes know neither align_corners nor antialias");
    xt::xtensor<float, 4> out({1, 2, 2, 2});
    CHECK(message_of([&] { upsample(maps, {.size = {2, 3}}, out); }) == "upsample: out must have shape (1, 2, 2, 3), got (1, 2, 2, 2)");
}
