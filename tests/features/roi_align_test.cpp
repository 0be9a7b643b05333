// ctest: per_isa
// ctest: threads
#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/core/parallel.hpp>
#include <ocelli/features/roi_align.hpp>
#include <ocelli/io/npy.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

using namespace ocelli;
using ocelli_test::largest_difference;
using ocelli_test::message_of;

namespace {

std::string at(const std::string& name) {
    return ocelli_test::golden("features/roi/" + name + ".npy");
}

struct case_of {
    std::int64_t height, width;
    double scale;
    std::int64_t sampling;
    bool aligned;
};

const case_of cases[] = {{7, 7, 0.25, 2, true}, {3, 5, 0.25, -1, false}, {2, 2, 0.5, 0, true}, {4, 1, 0.125, 3, false}};

template <class T>
xt::xtensor<T, 4> numbered(std::size_t n, std::size_t c, std::size_t h, std::size_t w) {
    xt::xtensor<T, 4> out({n, c, h, w});
    std::uint32_t state = 1;
    for (T& v : out) {
        state = state * 1664525u + 1013904223u;
        v = static_cast<T>(state >> 8) / T(16777216) - T(0.5);
    }
    return out;
}

}  // namespace

TEST_CASE("RoIAlign and RoIPool are torchvision's, the maximum of corners is ONNX Runtime's") {
    const auto maps = read_npy<float, 4>(at("maps"));
    const auto rois = read_npy<float, 2>(at("rois"));
    for (std::size_t k = 0; k < 4; ++k) {
        const case_of& c = cases[k];
        roi_align_options options{.output_height = c.height, .output_width = c.width, .spatial_scale = c.scale, .sampling_ratio = c.sampling,
                                  .aligned = c.aligned};
        const auto aligned = roi_align(maps, rois, options);
        CHECK(largest_difference(aligned, read_npy<float, 4>(at("align_" + std::to_string(k)))) < 1e-5);
        xt::xtensor<float, 4> out(aligned.shape());
        roi_align(maps, rois, options, out);
        CHECK(out == aligned);
        const xt::xtensor<double, 4> wide = xt::cast<double>(maps);
        CHECK(largest_difference(roi_align(wide, rois, options), aligned) < 1e-5);
        options.mode = roi_align_mode::max_of_corners;
        CHECK(largest_difference(roi_align(maps, rois, options), read_npy<float, 4>(at("corners_" + std::to_string(k)))) < 1e-5);
        CHECK(roi_pool(maps, rois, {.output_height = c.height, .output_width = c.width, .spatial_scale = c.scale}) ==
              read_npy<float, 4>(at("pool_" + std::to_string(k))));
    }
}

TEST_CASE("the position-sensitive forms are torchvision's") {
    const auto maps = read_npy<float, 4>(at("sensitive"));
    const auto rois = read_npy<float, 2>(at("rois"));
    const case_of sizes[] = {{3, 4, 0.25, 2, true}, {2, 2, 0.5, -1, true}};
    for (std::size_t k = 0; k < 2; ++k) {
        const case_of& c = sizes[k];
        const auto expected = read_npy<float, 4>(at("ps_align_" + std::to_string(k)));
        const auto found = ps_roi_align(maps, rois, {.output_height = c.height, .output_width = c.width, .spatial_scale = c.scale, .sampling_ratio = c.sampling});
        REQUIRE(found.shape() == expected.shape());
        for (std::size_t i = 0; i < found.size(); ++i) {
            if (detail::is_nan(expected.data()[i])) {
                CHECK(found.data()[i] == 0);  // bins without samples
            } else {
                CHECK(std::fabs(found.data()[i] - expected.data()[i]) < 1e-5f);
            }
        }
        CHECK(largest_difference(ps_roi_pool(maps, rois, {.output_height = c.height, .output_width = c.width, .spatial_scale = c.scale}),
                                 read_npy<float, 4>(at("ps_pool_" + std::to_string(k)))) < 1e-5);
    }
}

TEST_CASE_TEMPLATE("every number of channels gives what each channel alone gives", T, float, double) {
    // One RoI reads its part of the map, many read all of it laid out once.
    for (const std::size_t count : std::initializer_list<std::size_t>{1, 40})
        for (const std::size_t channels : std::initializer_list<std::size_t>{1, 3, 8, 16, 17, 40}) {
            const auto maps = numbered<T>(1, channels, 13, 37);
            xt::xtensor<T, 2> rois({count, 5});
            for (std::size_t k = 0; k < count; ++k) {
                const T x = static_cast<T>(k % 7) * 3, y = static_cast<T>(k % 5);
                const T row[] = {0, x, y, x + static_cast<T>(k % 11) + T(1.5), y + 6};
                std::copy_n(row, 5, rois.data() + 5 * k);
            }
            const roi_align_options options{.output_height = 3, .output_width = 6, .sampling_ratio = 2, .aligned = true};
            for (const auto mode : {roi_align_mode::average, roi_align_mode::max, roi_align_mode::max_of_corners}) {
                auto o = options;
                o.mode = mode;
                const auto all = roi_align(maps, rois, o);
                const auto pooled = roi_pool(maps, rois, {.output_height = 3, .output_width = 6});
                for (std::size_t c = 0; c < channels; ++c) {
                    const auto one = view(maps.data() + c * 13 * 37, {1, 1, 13, 37});
                    const auto alone = roi_align(one, rois, o), alone_pooled = roi_pool(one, rois, {.output_height = 3, .output_width = 6});
                    for (std::size_t k = 0; k < count; ++k)
                        for (std::size_t b = 0; b < 18; ++b) {
                            REQUIRE(all.data()[(k * channels + c) * 18 + b] == alone.data()[k * 18 + b]);
                            REQUIRE(pooled.data()[(k * channels + c) * 18 + b] == alone_pooled.data()[k * 18 + b]);
                        }
                }
            }
        }
}

TEST_CASE("the largest sample is never less than their average") {
    const auto maps = numbered<float>(1, 5, 20, 20);
    const xt::xtensor<float, 2> rois{{0, 2, 3, 15, 17}, {0, -9, -9, 30, 30}};
    roi_align_options options{.sampling_ratio = 3};
    const auto average = roi_align(maps, rois, options);
    options.mode = roi_align_mode::max;
    const auto largest = roi_align(maps, rois, options);
    for (std::size_t i = 0; i < average.size(); ++i) CHECK(largest.data()[i] >= average.data()[i] - 1e-6f);
    const xt::xtensor<float, 4> flat({1, 1, 20, 20}, 3.0f);
    CHECK(std::fabs(roi_align(flat, xt::xtensor<float, 2>{{0, 2, 3, 15, 17}}, options)(0, 0, 3, 3) - 3) < 1e-5f);
}

TEST_CASE("RoIs that are NaN, infinite, absurd or outside give zeros") {
    const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
    const auto maps = numbered<float>(1, 18, 9, 9);
    const xt::xtensor<float, 2> rois{{0, nan, 0, 5, 5}, {0, 0, 0, inf, 5}, {0, 0, -inf, 5, 5}, {0, 0, 0, 1e30f, 1e30f},
                                     {0, 100, 100, 120, 120}, {0, -60, -60, -40, -40}};
    for (const std::int64_t sampling : {0, 2}) {
        const roi_align_options options{.output_height = 3, .output_width = 3, .sampling_ratio = sampling, .aligned = true};
        for (const float v : roi_align(maps, rois, options)) CHECK(v == 0);
        for (const float v : ps_roi_align(maps, rois, options)) CHECK(v == 0);
        auto largest = options;
        largest.mode = roi_align_mode::max;
        for (const float v : roi_align(maps, rois, largest)) CHECK(v == 0);
    }
    for (const float v : roi_pool(maps, rois, {.output_height = 3, .output_width = 3})) CHECK(v == 0);
    const auto sensitive = ps_roi_pool(maps, rois, {.output_height = 3, .output_width = 3});
    for (const float v : sensitive) CHECK(v == 0);
}

TEST_CASE("a RoI of any extent takes little time") {
    const auto maps = numbered<float>(1, 4, 9, 9);
    const xt::xtensor<float, 2> rois{{0, -5e8f, -5e8f, 5e8f, 5e8f}, {0, 0, 0, 1e9f, 4}};
    for (const auto mode : {roi_align_mode::average, roi_align_mode::max}) {
        const auto out = roi_align(maps, rois, {.mode = mode});
        for (const float v : out) CHECK(detail::is_finite(v));
    }
    CHECK(roi_pool(maps, rois, {}).size() == 2 * 4 * 49);
}

TEST_CASE("empty lists, maps and images") {
    const auto maps = numbered<float>(2, 4, 5, 5);
    CHECK(roi_align(maps, xt::xtensor<float, 2>({0, 5}), {}).shape(0) == 0);
    CHECK(roi_pool(maps, xt::xtensor<float, 2>({0, 5}), {}).size() == 0);
    const xt::xtensor<float, 2> roi{{0, 0, 0, 4, 4}};
    const xt::xtensor<float, 4> none({1, 4, 0, 5});
    for (const float v : roi_align(none, roi, {})) CHECK(v == 0);
    for (const float v : roi_pool(none, roi, {})) CHECK(v == 0);
    for (const float v : ps_roi_align(none, roi, {.output_height = 2, .output_width = 2})) CHECK(v == 0);
    for (const float v : ps_roi_pool(none, roi, {.output_height = 2, .output_width = 2})) CHECK(v == 0);
    CHECK(roi_align(xt::xtensor<float, 4>({1, 0, 4, 4}), roi, {}).size() == 0);
}

TEST_CASE("results do not depend on the number of threads") {
    const auto maps = numbered<float>(2, 40, 20, 30);
    xt::xtensor<float, 2> rois({30, 5});
    for (std::size_t k = 0; k < 30; ++k) {
        const float row[] = {static_cast<float>(k % 2), static_cast<float>(k % 9), 1, static_cast<float>(k % 9) + 12, 15};
        std::copy_n(row, 5, rois.data() + 5 * k);
    }
    set_num_threads(1);
    const auto one = roi_align(maps, rois, {});
    set_num_threads(3);
    CHECK(roi_align(maps, rois, {}) == one);
    set_num_threads(0);
}

TEST_CASE("bad arguments are refused") {
    const auto maps = numbered<float>(2, 4, 5, 5);
    const xt::xtensor<float, 2> roi{{0, 0, 0, 4, 4}}, third{{2, 0, 0, 4, 4}}, half{{0.5f, 0, 0, 4, 4}};
    CHECK(message_of([&] { (void)roi_align(maps, xt::xtensor<float, 2>({3, 4}), {}); }) == "roi_align: rois must have shape (K, 5), got (3, 4)");
    CHECK(message_of([&] { (void)roi_align(maps, third, {}); }) == "roi_align: roi 0 names image 2 of 2");
    CHECK(message_of([&] { (void)roi_pool(maps, half, {}); }) == "roi_pool: roi 0 names image 0.5 of 2");
    CHECK(message_of([&] { (void)roi_pool(maps, xt::xtensor<float, 2>{{std::numeric_limits<float>::quiet_NaN(), 0, 0, 1, 1}}, {}); }) ==
          "roi_pool: roi 0 names image nan of 2");
    CHECK(message_of([&] { (void)roi_align(maps, roi, {.output_height = 0}); }) ==
          "roi_align: the output's sides must be in [1, 4096], got 0 and 7");
    CHECK(message_of([&] { (void)roi_align(maps, roi, {.spatial_scale = -1}); }) == "roi_align: the spatial scale must be positive, got -1");
    CHECK(message_of([&] { (void)roi_align(maps, roi, {.sampling_ratio = 100000}); }) ==
          "roi_align: the sampling ratio must be at most 65536, got 100000");
    CHECK(message_of([&] { (void)ps_roi_align(maps, roi, {.output_height = 3, .output_width = 1}); }) ==
          "ps_roi_align: the channels must be a multiple of 3 bins, got 4");
    xt::xtensor<float, 4> out({1, 4, 7, 6});
    CHECK(message_of([&] { roi_align(maps, roi, {}, out); }) == "roi_align: out must have shape (1, 4, 7, 7), got (1, 4, 7, 6)");
}
