// ctest: per_isa
// ctest: threads
#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/features/grid_sample.hpp>
#include <ocelli/io/npy.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <string>

using namespace ocelli;
using ocelli_test::largest_difference;
using ocelli_test::message_of;

namespace {

std::string at(const std::string& name) {
    return ocelli_test::golden("features/grid/" + name + ".npy");
}

const std::pair<sample_mode, const char*> modes[] = {{sample_mode::bilinear, "bilinear"}, {sample_mode::nearest, "nearest"}, {sample_mode::bicubic, "bicubic"}};
const std::pair<sample_padding, const char*> paddings[] = {
    {sample_padding::zeros, "zeros"}, {sample_padding::border, "border"}, {sample_padding::reflection, "reflection"}};

}  // namespace

TEST_CASE("grid sampling is torch's in every mode, padding and alignment") {
    const auto maps = read_npy<float, 4>(at("maps")), grid = read_npy<float, 4>(at("grid")), narrow = read_npy<float, 4>(at("narrow"));
    const xt::xtensor<double, 4> wide = xt::cast<double>(maps), wide_grid = xt::cast<double>(grid);
    for (const auto& [mode, mode_name] : modes)
        for (const auto& [padding, padding_name] : paddings)
            for (const bool align : {false, true}) {
                const std::string end = std::string(padding_name) + (align ? "_1" : "_0"), name = std::string(mode_name) + "_" + end;
                CAPTURE(name);
                const grid_sample_options options{.mode = mode, .padding = padding, .align_corners = align};
                const auto expected = read_npy<float, 4>(at(name));
                const auto found = grid_sample(maps, grid, options);
                CHECK(largest_difference(found, expected) < 1e-5);
                CHECK(largest_difference(grid_sample(wide, wide_grid, options), expected) < 1e-5);
                xt::xtensor<float, 4> out(expected.shape(), 3.0f);
                grid_sample(maps, grid, options, out);
                CHECK(out == found);
                if (mode == sample_mode::bilinear)
                    CHECK(largest_difference(grid_sample(narrow, grid, options), read_npy<float, 4>(at("narrow_" + end))) < 1e-5);
            }
}

TEST_CASE("the vector kernel agrees with the plain one for every width, number of channels and of points") {
    std::uint32_t state = 1;
    const auto draw = [&] {
        state = state * 1664525u + 1013904223u;
        return static_cast<float>(state >> 8) / 16777216.0f;
    };
    for (std::size_t width = 1; width < 6; ++width)
        for (const std::size_t channels : {1u, 2u, 9u})
            for (const std::size_t points : {1u, 15u, 16u, 17u, 300u}) {
                xt::xtensor<float, 4> maps({2, channels, 4, width}), grid({2, 1, points, 2});
                for (float& v : maps) v = draw();
                for (float& v : grid) v = 3 * draw() - 1.5f;
                const xt::xtensor<double, 4> wide = xt::cast<double>(maps);
                for (const auto padding : {sample_padding::zeros, sample_padding::border})
                    CHECK(largest_difference(grid_sample(maps, grid, {.padding = padding}), grid_sample(wide, grid, {.padding = padding})) < 2e-6);
            }
}

TEST_CASE("the identity grid gives the map back") {
    xt::xtensor<float, 4> maps({1, 2, 5, 7}), grid({1, 5, 7, 2});
    for (std::size_t i = 0; i < maps.size(); ++i) maps.data()[i] = static_cast<float>(i);
    for (std::size_t y = 0; y < 5; ++y)
        for (std::size_t x = 0; x < 7; ++x) {
            grid(0, y, x, 0) = static_cast<float>(x) / 3.0f - 1.0f;
            grid(0, y, x, 1) = static_cast<float>(y) / 2.0f - 1.0f;
        }
    for (const auto& mode : modes) CHECK(largest_difference(grid_sample(maps, grid, {.mode = mode.first, .align_corners = true}), maps) < 5e-5);
}

TEST_CASE_TEMPLATE("NaN and infinite places read what is stated", T, float, double) {
    const T nan = std::numeric_limits<T>::quiet_NaN(), inf = std::numeric_limits<T>::infinity();
    xt::xtensor<T, 4> maps({1, 1, 1, 3});
    maps(0, 0, 0, 0) = 1;
    maps(0, 0, 0, 1) = 2;
    maps(0, 0, 0, 2) = 3;
    const xt::xtensor<T, 4> grid{{{{nan, 0}, {inf, 0}, {-inf, 0}, {T(1e30), 0}}}};
    for (const auto& mode : modes) {
        CHECK(grid_sample(maps, grid, {.mode = mode.first}) == xt::xtensor<T, 4>{{{{0, 0, 0, 0}}}});
        CHECK(grid_sample(maps, grid, {.mode = mode.first, .padding = sample_padding::border}) == xt::xtensor<T, 4>{{{{1, 3, 1, 3}}}});
        CHECK(grid_sample(maps, grid, {.mode = mode.first, .padding = sample_padding::reflection}) == xt::xtensor<T, 4>{{{{1, 1, 1, 1}}}});
    }
}

TEST_CASE("elements outside do not count even where they stand beside infinity") {
    const float inf = std::numeric_limits<float>::infinity();
    const xt::xtensor<float, 4> maps{{{{1, inf}, {inf, inf}}}};
    CHECK(grid_sample(maps, xt::xtensor<float, 4>{{{{-1.0f, -1.0f}}}})(0, 0, 0, 0) == 0.25f);
}

TEST_CASE("no points, no maps, strided arguments and mixed types") {
    CHECK(grid_sample(xt::xtensor<float, 4>({2, 3, 4, 4}), xt::xtensor<float, 4>({2, 0, 5, 2})).shape() == std::array<std::size_t, 4>{2, 3, 0, 5});
    CHECK(grid_sample(xt::xtensor<float, 4>({0, 3, 4, 4}), xt::xtensor<float, 4>({0, 2, 5, 2})).size() == 0);
    const auto maps = read_npy<float, 4>(at("maps")), grid = read_npy<float, 4>(at("grid"));
    xt::xtensor<float, 4, xt::layout_type::column_major> columns = grid;
    CHECK(grid_sample(maps, columns) == grid_sample(maps, grid));
    CHECK(grid_sample(maps + 0.0f, grid) == grid_sample(maps, grid));
    const xt::xtensor<double, 4> wide = xt::cast<double>(grid);
    static_assert(std::is_same_v<decltype(grid_sample(maps, wide))::value_type, double>);
}

TEST_CASE("bad arguments are named") {
    const xt::xtensor<float, 4> maps({1, 2, 4, 6}, 0.0f), grid({1, 3, 3, 2}, 0.0f);
    CHECK(message_of([&] { (void)grid_sample(xt::xtensor<float, 3>({2, 4, 6}), grid); }) == "grid_sample: input must have 4 dimensions, got shape (2, 4, 6)");
    CHECK(message_of([&] { (void)grid_sample(maps, xt::xtensor<float, 4>({2, 3, 3, 2})); }) ==
          "grid_sample: grid must have shape (1, H, W, 2), got (2, 3, 3, 2)");
    CHECK(message_of([&] { (void)grid_sample(maps, xt::xtensor<float, 4>({1, 3, 3, 3})); }) ==
          "grid_sample: grid must have shape (1, H, W, 2), got (1, 3, 3, 3)");
    CHECK(message_of([&] { (void)grid_sample(xt::xtensor<float, 4>({1, 2, 0, 6}), grid); }) == "grid_sample: the map has no elements, (1, 2, 0, 6)");
    xt::xtensor<float, 4> out({1, 2, 3, 4});
    CHECK(message_of([&] { grid_sample(maps, grid, {}, out); }) == "grid_sample: out must have shape (1, 2, 3, 3), got (1, 2, 3, 4)");
}
