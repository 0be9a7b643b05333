// ctest: per_isa heavy
#include <ocelli/io/image.hpp>
#include <ocelli/io/npy.hpp>
#include <ocelli/metrics/segmentation.hpp>
#include <ocelli/pipelines/segmenter.hpp>

#include "scenes/label_map.hpp"
#include "scenes/scene.hpp"
#include "support/fixtures.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace {

using ocelli::segmenter_preset;
using ocelli_test::fixture;
using ocelli_test::golden;
using bytes = xt::xtensor<std::uint8_t, 3>;

template <class A, class B>
double equal_share(const A& a, const B& b) {
    REQUIRE(a.size() == b.size());
    std::size_t same = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        same += static_cast<std::int64_t>(a.data()[i]) == static_cast<std::int64_t>(b.data()[i]);
    return static_cast<double>(same) / static_cast<double>(a.size());
}

/// Left of `middle` red, right of it blue, the lowest two rows green.
bytes picture(std::size_t h, std::size_t w, std::size_t middle) {
    bytes out({h, w, 3}, std::uint8_t{0});
    for (std::size_t y = 0; y < h; ++y)
        for (std::size_t x = 0; x < w; ++x) out(y, x, y + 2 >= h ? 1 : x < middle ? 0 : 2) = 255;
    return out;
}

TEST_CASE("The espnet preset gives a real street the labels of the reference") {
    const auto dir = fixture("espnet");
    if (dir.empty()) return;
    const auto label = ocelli::read_segmenter(dir + "/espnet_p2_q8_cityscapes.onnx", segmenter_preset::espnet);
    const auto reference = ocelli::read_npy<std::uint8_t, 2>(dir + "/street_1024x320.labels.npy");
    const auto street = ocelli::read_image(dir + "/street.png");

    const auto given = ocelli::read_npy<float, 4>(dir + "/street_1024x320.input.npy");
    CHECK(equal_share(label.segment(given, {320, 1024}).labels, reference) >= 0.99999);

    const auto input = label.preprocess(street);
    REQUIRE(input.shape() == given.shape());
    float worst = 0;
    for (std::size_t i = 0; i < input.size(); ++i) worst = std::max(worst, std::abs(input.data()[i] - given.data()[i]));
    CHECK(worst <= 1e-6F);
    CHECK(equal_share(label.segment(input, {320, 1024}).labels, reference) >= 0.9999);

    // At the photograph's size: most of it is what the reference says at its own.
    const auto seen = label(street);
    CHECK(seen.labels.shape(0) == street.shape(0));
    CHECK(seen.probabilities.shape(0) == 20);
    std::size_t same = 0;
    for (std::size_t y = 0; y < 375; ++y)
        for (std::size_t x = 0; x < 1242; ++x)
            same += seen.labels(y, x) == reference((2 * y + 1) * 320 / 750, (2 * x + 1) * 1024 / 2484);
    CHECK(static_cast<double>(same) / (375.0 * 1242) >= 0.985);
    CHECK(label.class_name(13) == "car");
    CHECK(label.colour(13) == ocelli::rgb{0, 0, 142});
    CHECK(label.class_name(20) == "class 20");
}

TEST_CASE("The bundled network labels two hundred scenes that it was not "
          "trained on") {
    const auto label =
        ocelli::read_segmenter(std::string(OCELLI_EXAMPLES_DIR) + "/models/scene_segmenter.onnx", segmenter_preset::bundled);
    REQUIRE(label.class_names().size() == scenes::map_names.size());
    for (std::size_t c = 0; c < scenes::map_names.size(); ++c) CHECK(label.class_names()[c] == scenes::map_names[c]);
    ocelli::confusion_matrix seen(static_cast<std::int64_t>(scenes::map_names.size()));
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        const auto frame = scenes::scene(seed).render(20);
        seen.add(scenes::label_map(frame), label(frame.image).labels);
    }
    MESSAGE("mIoU " << seen.mean_iou());
    CHECK(seen.mean_iou() >= 0.75);
    for (const double iou : seen.iou()) CHECK(iou >= 0.6);
}

TEST_CASE("Open inputs take the picture's size to a multiple of 32, and "
          "answers come back at the picture's") {
    const auto label = ocelli::read_segmenter(golden("pipelines/segment_colours.onnx"), segmenter_preset::bundled);
    CHECK(label.input_size({60, 100}) == ocelli::image_size{64, 96});
    CHECK(label.input_size({5, 5}) == ocelli::image_size{32, 32});
    const auto seen = label(picture(64, 96, 40));
    CHECK(seen.labels.shape() == std::array<std::size_t, 2>{64, 96});
    CHECK(seen.labels(10, 10) == 0);
    CHECK(seen.labels(10, 39) == 0);
    CHECK(seen.labels(10, 40) == 2);
    CHECK(seen.labels(63, 50) == 1);
    CHECK(seen.probabilities(0, 10, 10) == doctest::Approx(std::exp(8) / (std::exp(8) + 2)));
    double sum = 0;
    for (std::size_t c = 0; c < 3; ++c) sum += static_cast<double>(seen.probabilities(c, 20, 39));
    CHECK(sum == doctest::Approx(1));

    const auto other = label(picture(50, 110, 55)); // resized to 64 x 96 and back
    CHECK(other.labels.shape() == std::array<std::size_t, 2>{50, 110});
    CHECK(other.labels(20, 52) == 0);
    CHECK(other.labels(20, 57) == 2);

    const auto fixed = ocelli::read_segmenter(golden("pipelines/segment_colours_32x64.onnx"), segmenter_preset::bundled);
    CHECK(fixed.input_size({500, 500}) == ocelli::image_size{32, 64});
    CHECK(fixed(picture(64, 128, 40)).labels(10, 36) == 0);
    const auto given = ocelli::read_segmenter(golden("pipelines/segment_colours.onnx"), segmenter_preset::bundled,
                                              {.input_size = ocelli::image_size{16, 24}});
    CHECK(given.preprocess(picture(64, 96, 40)).shape() == std::array<std::size_t, 4>{1, 3, 16, 24});
}

TEST_CASE("Mean, deviation and the order of colours are the user's") {
    const auto label = ocelli::read_segmenter(
        golden("pipelines/segment_colours.onnx"), segmenter_preset::bundled,
        {.values =
             ocelli::normalization{.scale = 1.0 / 255, .mean = {0.5, 0.25, 0}, .stddev = {0.5, 0.5, 2}, .swap_red_blue = true},
         .class_names = {"b", "g"},
         .colours = {{1, 2, 3}}});
    const auto input = label.preprocess(picture(32, 32, 16));
    CHECK(input(0, 0, 0, 0) == -1.0F);
    CHECK(input(0, 1, 0, 0) == -0.5F);
    CHECK(input(0, 2, 0, 0) == 0.5F);
    CHECK(label.class_name(1) == "g");
    CHECK(label.class_name(2) == "class 2");
    CHECK(label.colour(0) == ocelli::rgb{1, 2, 3});
    CHECK(label.colour(1) == ocelli::palette_colour(1));
}

TEST_CASE("Probabilities, one channel, and labels are understood as outputs") {
    const auto image = picture(32, 64, 20);
    const auto chances = ocelli::read_segmenter(golden("pipelines/segment_colours.onnx"), segmenter_preset::bundled,
                                                {.output = "chances", .outputs_probabilities = true})(image);
    CHECK(chances.probabilities(0, 5, 5) == doctest::Approx(std::exp(8) / (std::exp(8) + 2)));
    CHECK(chances.labels(5, 30) == 2);

    const auto red = ocelli::read_segmenter(golden("pipelines/segment_red.onnx"), segmenter_preset::bundled)(image);
    CHECK(red.probabilities.shape() == std::array<std::size_t, 3>{2, 32, 64});
    CHECK(red.labels(0, 19) == 1);
    CHECK(red.labels(0, 20) == 0);
    CHECK(red.probabilities(1, 0, 0) == doctest::Approx(1 / (1 + std::exp(-10.0))));
    CHECK(red.probabilities(0, 0, 0) == doctest::Approx(1 - 1 / (1 + std::exp(-10.0))));

    const auto labels = ocelli::read_segmenter(golden("pipelines/segment_labels.onnx"), segmenter_preset::bundled)(image);
    CHECK(labels.probabilities.shape() == std::array<std::size_t, 3>{0, 32, 64});
    CHECK(labels.labels(5, 19) == 0);
    CHECK(labels.labels(5, 20) == 2);
    CHECK(labels.labels(31, 20) == 1);
}

TEST_CASE("Logits are enlarged before the softmax, by half-pixel bilinear "
          "interpolation") {
    const xt::xtensor<float, 3> logits = {{{0, 4}}, {{2, 0}}};
    const auto out = ocelli::segmentation_from_logits(logits, {1, 4});
    const double first[] = {0, 1, 3, 4}, second[] = {2, 1.5, 0.5, 0};
    for (std::size_t x = 0; x < 4; ++x) {
        CHECK(out.probabilities(0, 0, x) == doctest::Approx(1 / (1 + std::exp(second[x] - first[x]))));
        CHECK(out.labels(0, x) == (first[x] >= second[x] ? 0 : 1));
    }
    const auto tied = ocelli::segmentation_from_logits(xt::xtensor<float, 3>({3, 1, 1}, 1.0F), {1, 1});
    CHECK(tied.labels(0, 0) == 0);
    const auto far = ocelli::segmentation_from_logits(xt::xtensor<float, 3>{{{1e30F}}, {{-1e30F}}}, {1, 1});
    CHECK(far.probabilities(0, 0, 0) == 1.0F);
    CHECK_THROWS_WITH_AS(ocelli::segmentation_from_logits(xt::xtensor<float, 3>::from_shape({0, 1, 1}), {1, 1}),
                         "segmentation_from_logits: logits must have shape (C, h, w) without "
                         "zeros, got (0, 1, 1)",
                         ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(ocelli::segmentation_from_logits(logits, {0, 1}),
                         "segmentation_from_logits: the picture must have a "
                         "positive size, got 0 x 1",
                         ocelli::invalid_argument);
}

TEST_CASE("Wrong pictures, outputs, options and networks are refused by name") {
    const auto path = golden("pipelines/segment_colours.onnx");
    const auto label = ocelli::read_segmenter(path, segmenter_preset::bundled);
    CHECK_THROWS_WITH_AS(label(bytes({8, 8, 1}, std::uint8_t{0})), "segmenter: image must have shape (H, W, 3), got (8, 8, 1)",
                         ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(label(bytes::from_shape({0, 8, 3})), "segmenter: image must have shape (H, W, 3), got (0, 8, 3)",
                         ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(ocelli::read_segmenter(path, segmenter_preset::bundled, {.output = "aux"}),
                         "segmenter: the network has no output 'aux'", ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(ocelli::read_segmenter(path, segmenter_preset::bundled, {.input_size = ocelli::image_size{0, 4}}),
                         "segmenter: the network's input must be 1 to 65536 pixels high and wide, "
                         "got 0",
                         ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(
        ocelli::read_segmenter(path, segmenter_preset::bundled, {.values = ocelli::normalization{.mean = {1, 2}}}),
        "segmenter: values: mean must have 0, 1 or 3 values, got 2", ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(label.postprocess(ocelli::nn::tensor::zeros(ocelli::nn::dtype::float32, {1, 7}), {8, 8}),
                         "segmenter: the output must be one map of logits, float32 (1, C, height, "
                         "width), or of labels, got float32 (1, 7)",
                         ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(label.postprocess(ocelli::nn::tensor::zeros(ocelli::nn::dtype::int64, {1, 0, 4}), {8, 8}),
                         "segmenter: map and picture must not be empty, got int64 (1, 0, 4) for 8 "
                         "x 8",
                         ocelli::invalid_argument);
    CHECK_THROWS_AS(ocelli::read_segmenter("absent.onnx", segmenter_preset::bundled), ocelli::io_error);
}

} // namespace
