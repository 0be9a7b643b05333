#include <doctest/doctest.h>

#include <ocelli/nn/kernels/detail/taps.hpp>

#include <random>
#include <vector>

using namespace ocelli::nn::detail;

TEST_CASE("runs of an axis cover its results in order, and each result sees its run's taps") {
    std::mt19937 random(1);
    const auto pick = [&](unsigned from, unsigned count) { return static_cast<std::int64_t>(from + random() % count); };
    for (int i = 0; i < 20000; ++i) {
        CAPTURE(i);
        const window_axis w{pick(0, 50), pick(1, 4), pick(0, 45) - 5, pick(1, 40), pick(1, 6), pick(0, 45)};
        std::vector<tap_run> runs;
        find_tap_runs(w, runs);
        REQUIRE(static_cast<std::int64_t>(runs.size()) <= 2 * w.taps + 1);
        std::int64_t x = 0;
        for (const tap_run& r : runs) {
            REQUIRE(r.first == x);
            REQUIRE(r.end > x);
            for (; x < r.end; ++x) {
                std::int64_t first = w.taps, end = 0;
                for (std::int64_t t = 0; t < w.taps; ++t) {
                    const std::int64_t at = x * w.stride - w.pad + t * w.dilation;
                    if (at < 0 || at >= w.extent) continue;
                    first = std::min(first, t);
                    end = t + 1;
                }
                REQUIRE(r.tap1 - r.tap0 == (end > first ? end - first : 0));
                if (end > first) REQUIRE(r.tap0 == first);
            }
        }
        REQUIRE(x == w.results);
    }
}

TEST_CASE("columns are cut where padding is wide, and left in one run where it is not") {
    ocelli::nn::conv_layer l;
    l.out_width = l.width = 40;
    l.kernel_width = 3;
    std::vector<tap_run> runs;
    for (const std::int64_t dilation : {1, 2, 24}) {
        l.dilation_x = l.pad_left = dilation;
        find_column_runs(l, 14, runs);
        CHECK(runs.size() == (dilation == 24 ? 3 : 1));
    }
    CHECK(count_taps(runs) == 16 * 2 + 8 + 16 * 2);
    // Extents beyond any image take no longer.
    l.out_width = l.width = std::int64_t{1} << 30;
    find_column_runs(l, 14, runs);
    CHECK(runs.size() == 1);
}
