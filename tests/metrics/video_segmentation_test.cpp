#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/io/npy.hpp>
#include <ocelli/metrics/video_segmentation.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <string>

using namespace ocelli;
using ocelli_test::message_of;

TEST_CASE("J, F, their recall and decay are TrackEval's") {
    for (int k = 0; k < 3; ++k) {
        const auto at = [&](const std::string& name) {
            return ocelli_test::golden("metrics/davis/" + name + "_" + std::to_string(k) + ".npy");
        };
        const auto truth = read_npy<std::uint8_t, 3>(at("truth")), prediction = read_npy<std::uint8_t, 3>(at("prediction"));
        const auto expected = read_npy<double, 2>(at("objects"));
        const auto found = davis_evaluate(truth, prediction);
        REQUIRE(found.objects.size() == 3);
        double sum = 0;
        for (std::size_t i = 0; i < 3; ++i) {
            const auto& o = found.objects[i];
            CHECK(o.object == static_cast<std::int64_t>(i + 1));
            CHECK(o.j.frames.size() == truth.shape(0));
            const double values[] = {o.j.mean, o.j.recall, o.j.decay, o.f.mean, o.f.recall, o.f.decay, o.j_and_f};
            for (std::size_t m = 0; m < 7; ++m) CHECK(std::fabs(values[m] - expected(i, m)) < 1e-12);
            sum += o.j_and_f;
            const auto alone = davis_object(xt::equal(truth, i + 1), xt::equal(prediction, i + 1));
            CHECK(alone.j.frames == o.j.frames);
            CHECK(alone.f.frames == o.f.frames);
        }
        CHECK(std::fabs(found.mean.j_and_f - sum / 3) < 1e-14);
    }
}

TEST_CASE("void pixels count for nothing, and background is no object") {
    xt::xtensor<int, 3> truth({2, 8, 8}, 0), prediction({2, 8, 8}, 0);
    CHECK(davis_evaluate(truth, prediction).objects.empty());
    for (std::size_t t = 0; t < 2; ++t)
        for (std::size_t y = 2; y < 6; ++y)
            for (std::size_t x = 0; x < 8; ++x) {
                truth(t, y, x) = x < 4 ? 1 : 255;
                prediction(t, y, x) = 1;
            }
    const auto found = davis_evaluate(truth, prediction);
    REQUIRE(found.objects.size() == 1);
    CHECK(found.mean.j.mean == 1);
    CHECK(found.mean.f.mean == 1);
    CHECK(davis_evaluate(truth, prediction, -1).objects.size() == 2);
    CHECK(davis_object(xt::xtensor<int, 3>({300, 4, 4}, 0), xt::xtensor<int, 3>({300, 4, 4}, 0)).j.decay == 0);
}

TEST_CASE("bad arguments are refused") {
    const xt::xtensor<int, 3> a({1, 4, 4}, 0), b({2, 4, 4}, 0), none({0, 4, 4});
    CHECK(message_of([&] { (void)davis_object(a, b); }) ==
          "davis_object: truth and prediction must have the same shape, got (1, 4, 4) and (2, 4, 4)");
    CHECK(message_of([&] { (void)davis_evaluate(none, none); }) == "davis_evaluate: a sequence must have a frame");
    CHECK(message_of([&] { (void)davis_evaluate(a, a, 255, -1.0); }) == "davis_evaluate: the tolerance must be in [0, 1e6], got -1");
}
