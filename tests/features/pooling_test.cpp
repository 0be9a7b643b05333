// ctest: per_isa
// ctest: threads
#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/features/pooling.hpp>
#include <ocelli/io/npy.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

using namespace ocelli;
using ocelli_test::largest_difference;
using ocelli_test::message_of;

namespace {

std::string at(const std::string& name) {
    return ocelli_test::golden("features/pool/" + name + ".npy");
}

const pool2d_options cases[] = {
    {},
    {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}},
    {.kernel = {3, 2}, .stride = {1, 1}, .padding = {1, 1}, .dilation = {2, 1}},
    {.kernel = {5, 5}, .stride = {1, 1}, .padding = {2, 2}},
    {.kernel = {2, 3}, .stride = {3, 3}, .padding = {1, 0}, .dilation = {1, 2}, .ceil_mode = true},
    {.kernel = {3, 3}, .stride = {2, 2}, .ceil_mode = true},
};

template <class A, class B>
bool same(const A& a, const B& b) {
    REQUIRE(a.shape() == b.shape());
    for (std::size_t i = 0; i < a.size(); ++i) {
        const auto x = static_cast<double>(a.data()[i]), y = static_cast<double>(b.data()[i]);
        if (!(detail::is_nan(x) && detail::is_nan(y)) && x != y) return false;
    }
    return true;
}

template <class T>
xt::xtensor<T, 4> numbered(std::size_t n, std::size_t c, std::size_t h, std::size_t w, std::uint32_t levels) {
    xt::xtensor<T, 4> out({n, c, h, w});
    std::uint32_t state = 1;
    for (T& v : out) {
        state = state * 1664525u + 1013904223u;
        v = static_cast<T>((state >> 8) % levels);
    }
    return out;
}

}  // namespace

TEST_CASE("max pooling and its indices are torch's, NaN, infinities and equal elements included") {
    const auto maps = read_npy<float, 4>(at("maps"));
    const xt::xtensor<double, 4> wide = xt::cast<double>(maps);
    for (std::size_t k = 0; k < std::size(cases); ++k) {
        CAPTURE(k);
        const auto values = read_npy<float, 4>(at("values_" + std::to_string(k)));
        const auto indices = read_npy<std::int32_t, 4>(at("indices_" + std::to_string(k)));
        CHECK(same(max_pool2d(maps, cases[k]), values));
        const auto both = max_pool2d_with_indices(maps, cases[k]);
        CHECK(same(both.values, values));
        CHECK(same(both.indices, indices));
        const auto of_double = max_pool2d_with_indices(wide, cases[k]);
        CHECK(same(of_double.values, values));
        CHECK(same(of_double.indices, indices));
        CHECK(same(max_pool2d(wide, cases[k]), values));
        xt::xtensor<float, 4> out(values.shape()), second(values.shape());
        xt::xtensor<std::int64_t, 4> where(values.shape());
        max_pool2d(maps, cases[k], out);
        max_pool2d_with_indices(maps, cases[k], second, where);
        CHECK(same(out, values));
        CHECK(same(second, values));
        CHECK(same(where, indices));
    }
}

TEST_CASE_TEMPLATE("every width of map gives what a plain loop gives", T, float, double) {
    for (std::size_t width = 1; width < 80; width += width < 40 ? 1 : 7)
        for (const std::int64_t stride : {1, 2, 3}) {
            const auto maps = numbered<T>(1, 2, 7, width, 5);
            const pool2d_options options{.kernel = {3, 3}, .stride = {stride, stride}, .padding = {1, 1}};
            const auto found = max_pool2d_with_indices(maps, options);
            CHECK(max_pool2d(maps, options) == found.values);
            for (std::size_t c = 0; c < 2; ++c)
                for (std::size_t y = 0; y < found.values.shape(2); ++y)
                    for (std::size_t x = 0; x < found.values.shape(3); ++x) {
                        T best = -1;
                        std::int64_t where = -1;
                        for (std::int64_t a = 0; a < 3; ++a)
                            for (std::int64_t b = 0; b < 3; ++b) {
                                const auto v = static_cast<std::int64_t>(y) * stride + a - 1, u = static_cast<std::int64_t>(x) * stride + b - 1;
                                if (v < 0 || v >= 7 || u < 0 || u >= static_cast<std::int64_t>(width)) continue;
                                const T here = maps(0, c, static_cast<std::size_t>(v), static_cast<std::size_t>(u));
                                if (here > best) {
                                    best = here;
                                    where = v * static_cast<std::int64_t>(width) + u;
                                }
                            }
                        REQUIRE(found.values(0, c, y, x) == best);
                        REQUIRE(found.indices(0, c, y, x) == where);
                    }
        }
}

TEST_CASE("max unpooling is torch's, and pooling what was unpooled gives it back") {
    auto maps = read_npy<float, 4>(at("maps"));
    for (float& v : maps) v = detail::is_nan(v) ? 0.0f : std::max(v, std::numeric_limits<float>::lowest());
    const auto pooled = max_pool2d_with_indices(maps);
    const auto back = max_unpool2d(pooled.values, pooled.indices, {19, 45});
    CHECK(same(back, read_npy<float, 4>(at("unpooled"))));
    xt::xtensor<float, 4> out(back.shape(), 7.0f);
    max_unpool2d(pooled.values, pooled.indices, {19, 45}, out);
    CHECK(out == back);
    const xt::xtensor<double, 4> wide = xt::cast<double>(pooled.values);
    CHECK(same(max_unpool2d(wide, pooled.indices, {19, 45}), back));
    const xt::xtensor<float, 4> positive = xt::abs(maps);
    const auto first = max_pool2d_with_indices(positive);
    CHECK(max_pool2d(max_unpool2d(first.values, first.indices, {19, 45})) == first.values);
}

TEST_CASE("where an index is repeated, the last element wins") {
    const xt::xtensor<float, 4> values{{{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}}}};
    xt::xtensor<std::int64_t, 4> indices({1, 1, 1, 12}, 3);
    indices(0, 0, 0, 4) = 0;
    CHECK(max_unpool2d(values, indices, {2, 2}) == xt::xtensor<float, 4>{{{{5, 0}, {0, 12}}}});
}

TEST_CASE("windows of padding alone give -infinity and place 0") {
    const xt::xtensor<float, 4> one({1, 1, 1, 1}, 4.0f);
    const auto found = max_pool2d_with_indices(one, {.kernel = {4, 1}, .stride = {1, 1}, .padding = {2, 0}, .dilation = {1, 1}});
    CHECK(found.values == xt::xtensor<float, 4>{{{{4}, {4}}}});
    const auto apart = max_pool2d_with_indices(one, {.kernel = {2, 1}, .stride = {1, 1}, .padding = {1, 0}, .dilation = {2, 1}});
    CHECK(apart.values(0, 0, 0, 0) == -std::numeric_limits<float>::infinity());
    CHECK(apart.indices(0, 0, 0, 0) == 0);
}

TEST_CASE("no maps, strided maps, integers and lazy expressions") {
    CHECK(max_pool2d(xt::xtensor<float, 4>({0, 3, 4, 4})).shape() == std::array<std::size_t, 4>{0, 3, 2, 2});
    CHECK(max_pool2d_with_indices(xt::xtensor<float, 4>({2, 0, 4, 4})).indices.shape() == std::array<std::size_t, 4>{2, 0, 2, 2});
    const auto maps = numbered<float>(1, 2, 6, 8, 1000);
    xt::xtensor<float, 4, xt::layout_type::column_major> columns = maps;
    CHECK(max_pool2d(columns) == max_pool2d(maps));
    const xt::xtensor<float, 4> twice = 2.0f * maps;
    CHECK(max_pool2d(2.0f * maps) == max_pool2d(twice));
    const xt::xtensor<std::uint8_t, 4> bytes({1, 1, 2, 2}, 200);
    CHECK(max_pool2d(bytes)(0, 0, 0, 0) == 200.0);
    CHECK(max_unpool2d(xt::xtensor<float, 4>({1, 1, 0, 0}), xt::xtensor<std::int64_t, 4>({1, 1, 0, 0}), {2, 2}) == xt::xtensor<float, 4>({1, 1, 2, 2}, 0.0f));
}

TEST_CASE("bad arguments are named") {
    const xt::xtensor<float, 4> maps({1, 2, 4, 6}, 0.0f);
    CHECK(message_of([&] { (void)max_pool2d(xt::xtensor<float, 3>({2, 4, 6})); }) == "max_pool2d: input must have 4 dimensions, got shape (2, 4, 6)");
    CHECK(message_of([&] { (void)max_pool2d(xt::xtensor<float, 4>({1, 2, 0, 6})); }) == "max_pool2d: the map has no elements, (1, 2, 0, 6)");
    CHECK(message_of([&] { (void)max_pool2d(maps, {.kernel = {0, 2}}); }) == "max_pool2d: kernel and dilation must be in [1, 65536], got 0 and 1");
    CHECK(message_of([&] { (void)max_pool2d(maps, {.stride = {-1, 2}}); }) == "max_pool2d: the stride must be in [0, 65536], got -1");
    CHECK(message_of([&] { (void)max_pool2d(maps, {.padding = {2, 2}}); }) == "max_pool2d: the padding must be in [0, kernel / 2], got 2 for a kernel of 2");
    CHECK(message_of([&] { (void)max_pool2d(maps, {.kernel = {5, 5}}); }) == "max_pool2d: windows of 5 do not fit a map of (1, 2, 4, 6) with padding 0");
    xt::xtensor<float, 4> out({1, 2, 2, 2});
    CHECK(message_of([&] { max_pool2d(maps, {}, out); }) == "max_pool2d: out must have shape (1, 2, 2, 3), got (1, 2, 2, 2)");
    xt::xtensor<std::int64_t, 4> where({1, 2, 4, 6}, 24);
    CHECK(message_of([&] { (void)max_unpool2d(maps, where, {4, 6}); }) == "max_unpool2d: index 24 is outside a plane of 24 elements");
    where.fill(-1);
    CHECK(message_of([&] { (void)max_unpool2d(maps, where, {4, 6}); }) == "max_unpool2d: index -1 is outside a plane of 24 elements");
    CHECK(message_of([&] { (void)max_unpool2d(maps, xt::xtensor<std::int64_t, 4>({1, 2, 4, 5}), {4, 6}); }) ==
          "max_unpool2d: indices must have the input's shape (1, 2, 4, 6), got (1, 2, 4, 5)");
    CHECK(message_of([&] { (void)max_unpool2d(maps, where, {-4, 6}); }) == "max_unpool2d: the output's sides must be in [0, 2^30), got -4 and 6");
}
