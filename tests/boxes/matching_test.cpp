#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/boxes/matching.hpp>
#include <ocelli/io/npy.hpp>

#include <Eigen/Core>
#if __has_include(<xtensor/views/xview.hpp>)
#    include <xtensor/views/xview.hpp>
#else
#    include <xtensor/xview.hpp>
#endif

#include <limits>
#include <set>
#include <string>
#include <vector>

using ocelli_test::golden;
using ocelli_test::message_of;

namespace {

xt::xtensor<std::int64_t, 1> load(const std::string& name) {
    return ocelli::read_npy<std::int64_t, 1>(golden("boxes/matching/" + name + ".npy"));
}

xt::xtensor<float, 2> rows(const xt::xtensor<float, 2>& all, const std::vector<std::size_t>& which) {
    auto out = xt::xtensor<float, 2>::from_shape({which.size(), all.shape(1)});
    for (std::size_t i = 0; i < which.size(); ++i)
        for (std::size_t j = 0; j < all.shape(1); ++j) out(i, j) = all(which[i], j);
    return out;
}

} // namespace

TEST_CASE("match_anchors agrees with torchvision and detectron2, ties and thresholds included") {
    const auto quality = ocelli::read_npy<float, 2>(golden("boxes/matching/quality.npy"));
    for (const bool low : {false, true}) {
        const std::string end = low ? "_1" : "_0";
        const auto got = ocelli::match_anchors(quality, {.allow_low_quality = low});
        CHECK(got.matches == load("torchvision" + end));
        CHECK(got.best == load("d2_index" + end));
        CHECK(got.labels == ocelli::read_npy<std::int8_t, 1>(golden("boxes/matching/d2_labels" + end + ".npy")));
        const auto second = ocelli::match_anchors(rows(quality, {0, 1, 2, 3, 4, 6, 7, 8, 9}),
                                                  {.high_threshold = 0.5, .low_threshold = 0.4, .allow_low_quality = low});
        CHECK(second.matches == load("torchvision_without_5" + end));
    }
    const auto ssd = ocelli::match_anchors(rows(quality, {0, 1, 2, 3, 4, 6, 7, 9, 10}),
                                           {.high_threshold = 0.5, .low_threshold = 0.5, .best_per_object = true});
    CHECK(ssd.matches == load("torchvision_ssd"));
}

TEST_CASE("match_anchors gives an object that no anchor touches every free anchor, unless min_low_quality forbids it") {
    const xt::xtensor<double, 2> quality{{0.9, 0, 0.2}, {0, 0, 0}};
    CHECK(ocelli::match_anchors(quality, {.allow_low_quality = true}).labels == xt::xtensor<std::int8_t, 1>{1, 1, 1});
    CHECK(ocelli::match_anchors(quality, {.allow_low_quality = true, .min_low_quality = 1e-9}).labels ==
          xt::xtensor<std::int8_t, 1>{1, 0, 0});
}

TEST_CASE("match_anchors without objects or without anchors") {
    const auto none =
        ocelli::match_anchors(xt::xtensor<float, 2>::from_shape({0, 3}), {.allow_low_quality = true, .best_per_object = true});
    CHECK(none.matches == xt::xtensor<std::int64_t, 1>{-1, -1, -1});
    CHECK(none.labels == xt::xtensor<std::int8_t, 1>{0, 0, 0});
    CHECK(none.best == xt::xtensor<std::int64_t, 1>{-1, -1, -1});
    const auto nothing =
        ocelli::match_anchors(xt::xtensor<float, 2>::from_shape({2, 0}), {.allow_low_quality = true, .best_per_object = true});
    CHECK(nothing.matches.size() == 0);
}

TEST_CASE("match_anchors takes infinite and negative qualities, and any array") {
    const double inf = std::numeric_limits<double>::infinity();
    Eigen::MatrixXd quality(2, 3);
    quality << -inf, 0.5, inf, -2, 0.5, 0;
    const auto got = ocelli::match_anchors(quality);
    CHECK(got.matches == xt::xtensor<std::int64_t, 1>{-1, -2, 0});
    CHECK(got.best == xt::xtensor<std::int64_t, 1>{1, 0, 0});
}

TEST_CASE("match_anchors says what it does not accept") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK(message_of([&] {
              (void)ocelli::match_anchors(xt::xtensor<float, 2>{{0, 0}, {nan, 0}});
          }) == "match_anchors: quality must not be NaN, is at (1, 0)");
    CHECK(message_of([] { (void)ocelli::match_anchors(xt::xtensor<float, 2>{{0}}, {.high_threshold = 0.2}); }) ==
          "match_anchors: low_threshold must not exceed high_threshold, got 0.3 and 0.2");
    CHECK(message_of([] { (void)ocelli::match_anchors(xt::xtensor<float, 2>{{0}}, {.high_threshold = std::nan("")}); }) ==
          "match_anchors: thresholds must not be NaN");
    CHECK(message_of([] { (void)ocelli::match_anchors(std::vector<float>{1}); }) ==
          "match_anchors: quality must have 2 dimensions, got shape (1)");
}

TEST_CASE("sample_anchors chooses as many of each kind as torchvision and detectron2") {
    std::vector<int> labels(1000, 0);
    for (std::size_t i = 0; i < 1000; i += 10) labels[i] = 1;
    for (std::size_t i = 5; i < 1000; i += 10) labels[i] = -1;
    const auto counts = [&](std::int64_t count, double fraction) {
        const auto s = ocelli::sample_anchors(labels, {.count = count, .positive_fraction = fraction});
        std::set<std::int64_t> seen;
        for (const auto i : s.positive) {
            CHECK(labels[static_cast<std::size_t>(i)] == 1);
            seen.insert(i);
        }
        for (const auto i : s.negative) {
            CHECK(labels[static_cast<std::size_t>(i)] == 0);
            seen.insert(i);
        }
        CHECK(seen.size() == s.positive.size() + s.negative.size());
        CHECK(std::is_sorted(s.positive.begin(), s.positive.end()));
        CHECK(std::is_sorted(s.negative.begin(), s.negative.end()));
        return std::pair(s.positive.size(), s.negative.size());
    };
    CHECK(counts(100, 0.5) == std::pair<std::size_t, std::size_t>(50, 50));
    CHECK(counts(256, 0.5) == std::pair<std::size_t, std::size_t>(100, 156));
    CHECK(counts(10, 0.25) == std::pair<std::size_t, std::size_t>(2, 8));
    CHECK(counts(5000, 1) == std::pair<std::size_t, std::size_t>(100, 800));
    CHECK(counts(0, 0.5) == std::pair<std::size_t, std::size_t>(0, 0));
}

TEST_CASE("sample_anchors depends on the seed alone, and chooses everybody equally often") {
    std::vector<int> labels(20, 80); // background 80, as detectron2's box head has it
    labels[3] = 7;
    const ocelli::sample_options options{.count = 5, .background = 80, .seed = 11};
    CHECK(ocelli::sample_anchors(labels, options).negative == ocelli::sample_anchors(labels, options).negative);
    std::vector<int> times(20);
    for (std::uint64_t seed = 0; seed < 4000; ++seed) {
        const auto s = ocelli::sample_anchors(labels, {.count = 5, .background = 80, .seed = seed});
        CHECK(s.positive.size() == 1);
        for (const auto i : s.negative) ++times[static_cast<std::size_t>(i)];
    }
    for (std::size_t i = 0; i < 20; ++i)
        if (i != 3) CHECK(std::abs(times[i] - 4000 * 4 / 19) < 120);
    CHECK(ocelli::sample_anchors(std::vector<int>{}).negative.size() == 0);
}

TEST_CASE("sample_anchors says what it does not accept") {
    const std::vector<int> labels{0, 1};
    CHECK(message_of([&] { (void)ocelli::sample_anchors(labels, {.count = -1}); }) ==
          "sample_anchors: count must not be negative, got -1");
    CHECK(message_of([&] { (void)ocelli::sample_anchors(labels, {.positive_fraction = 1.5}); }) ==
          "sample_anchors: positive_fraction must be in [0, 1], got 1.5");
}
