// ctest: per_isa heavy
#include <ocelli/metrics/segmentation.hpp>
#include <ocelli/pipelines/refine_with_crf.hpp>

#include "scenes/label_map.hpp"
#include "scenes/scene.hpp"

#include <doctest/doctest.h>

#include <string>

namespace {

using bytes = xt::xtensor<std::uint8_t, 3>;

/// A picture dark left of column 12 and light from there on, and probabilities that put the border at `border`.
bytes two_halves() {
    bytes out({16, 24, 3}, std::uint8_t{40});
    for (std::size_t y = 0; y < 16; ++y)
        for (std::size_t x = 12; x < 24; ++x)
            for (std::size_t k = 0; k < 3; ++k) out(y, x, k) = 200;
    return out;
}

ocelli::segmentation halves_seen(std::size_t border) {
    ocelli::segmentation s{.labels = xt::zeros<std::int64_t>({16, 24})};
    s.probabilities = xt::xtensor<float, 3>({2, 16, 24}, 0.2F);
    for (std::size_t y = 0; y < 16; ++y)
        for (std::size_t x = 0; x < 24; ++x) {
            s.probabilities(x < border ? 0 : 1, y, x) = 0.8F;
            s.labels(y, x) = x < border ? 0 : 1;
        }
    return s;
}

TEST_CASE("Borders move to where colours change") {
    const auto out = ocelli::refine_with_crf(two_halves(), halves_seen(9));
    for (std::size_t x = 0; x < 24; ++x) {
        CAPTURE(x);
        CHECK(out.labels(8, x) == (x < 12 ? 0 : 1));
        CHECK(static_cast<double>(out.probabilities(0, 8, x) + out.probabilities(1, 8, x)) == doctest::Approx(1).epsilon(1e-4));
    }
    // Without terms, or without iterations, nothing moves.
    CHECK(ocelli::refine_with_crf(two_halves(), halves_seen(9), {.weight = 0}).labels == halves_seen(9).labels);
    CHECK(ocelli::refine_with_crf(two_halves(), halves_seen(9), {.iterations = 0}).labels == halves_seen(9).labels);
}

TEST_CASE("The smoothing term takes away single pixels") {
    auto seen = halves_seen(12);
    seen.probabilities(0, 5, 5) = 0.3F;
    seen.probabilities(1, 5, 5) = 0.7F;
    CHECK(ocelli::refine_with_crf(two_halves(), seen, {.weight = 0, .iterations = 2}).labels(5, 5) == 1);
    CHECK(ocelli::refine_with_crf(two_halves(), seen, {.weight = 0, .smooth_weight = 3, .iterations = 2}).labels(5, 5) == 0);
}

TEST_CASE("The CRF makes the bundled network's labels of a hundred unseen scenes better") {
    const auto label = ocelli::read_segmenter(std::string(OCELLI_EXAMPLES_DIR) + "/models/scene_segmenter.onnx",
                                              ocelli::segmenter_preset::bundled);
    constexpr auto classes = static_cast<std::int64_t>(scenes::map_names.size());
    ocelli::confusion_matrix before(classes), after(classes);
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        const auto frame = scenes::scene(seed).render(20);
        const auto truth = scenes::label_map(frame);
        const auto seen = label(frame.image);
        before.add(truth, seen.labels);
        after.add(truth, ocelli::refine_with_crf(frame.image, seen).labels);
    }
    MESSAGE("mIoU " << before.mean_iou() << ", with the CRF " << after.mean_iou());
    CHECK(before.mean_iou() >= 0.75);
    CHECK(after.mean_iou() >= before.mean_iou() + 0.01);
}

TEST_CASE("Sizes that disagree, missing probabilities and wrong options are refused") {
    const auto seen = halves_seen(9);
    CHECK_THROWS_WITH_AS(
        ocelli::refine_with_crf(bytes({16, 23, 3}, std::uint8_t{0}), seen),
        "refine_with_crf: image and probabilities must have the same height and width, got (16, 23, 3) and (2, 16, 24)",
        ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(ocelli::refine_with_crf(bytes({16, 24, 1}, std::uint8_t{0}), seen),
                         "refine_with_crf: image must have shape (N, M, 3), got (16, 24, 1)", ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(ocelli::refine_with_crf(two_halves(), {}), "refine_with_crf: the segmentation has no probabilities",
                         ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(ocelli::refine_with_crf(two_halves(), seen, {.weight = -1}),
                         "refine_with_crf: weights must not be negative, got -1 and 0", ocelli::invalid_argument);
    CHECK_THROWS_AS(ocelli::refine_with_crf(two_halves(), seen, {.sigma_px = 0}), ocelli::invalid_argument);
}

} // namespace
