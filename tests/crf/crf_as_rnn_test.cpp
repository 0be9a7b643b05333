// ctest: per_isa
#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/crf/crf_as_rnn.hpp>
#include <ocelli/io/npy.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

using namespace ocelli;
using ocelli_test::largest_difference;
using ocelli_test::message_of;

namespace {

std::string at(const std::string& name) {
    return ocelli_test::golden("crf/rnn_" + name + ".npy");
}

}  // namespace

TEST_CASE_TEMPLATE("logits are crfasrnn_pytorch's, with its own weights and with learned matrices", T, float, double) {
    const xt::xtensor<T, 4> image = xt::cast<T>(read_npy<float, 4>(at("image"))), logits = xt::cast<T>(read_npy<float, 4>(at("logits")));
    const crf_as_rnn<T> layer(6);
    const auto out = layer(image, logits);
    CHECK(largest_difference(out, read_npy<float, 4>(at("default"))) < 1e-3);
    crf_as_rnn<T> learned(6, {.iterations = 3});
    learned.set_weights(read_npy<float, 2>(at("spatial_ker_weights")), read_npy<float, 2>(at("bilateral_ker_weights")),
                        read_npy<float, 2>(at("compatibility_matrix")));
    CHECK(largest_difference(learned(image, logits), read_npy<float, 4>(at("learned"))) < 1e-3);
    xt::xtensor<T, 4> in_place = logits;
    layer(image, in_place, in_place);
    CHECK(in_place == out);
}

TEST_CASE("images of a batch do not touch each other, and no iteration changes nothing") {
    const auto image = read_npy<float, 4>(at("image")), logits = read_npy<float, 4>(at("logits"));
    const std::size_t n = image.size(), m = logits.size();
    xt::xtensor<float, 4> images({2, 3, 41, 33}), many({2, 6, 41, 33});
    for (std::size_t i = 0; i < n; ++i) {
        images.data()[i] = 0.5f * image.data()[i];
        images.data()[n + i] = image.data()[i];
    }
    for (std::size_t i = 0; i < m; ++i) {
        many.data()[i] = -logits.data()[i];
        many.data()[m + i] = logits.data()[i];
    }
    const crf_as_rnn<> layer(6);
    const auto both = layer(images, many), alone = layer(image, logits);
    for (std::size_t i = 0; i < m; ++i) REQUIRE(both.data()[m + i] == alone.data()[i]);
    const auto same = crf_as_rnn<>(6, {.iterations = 0})(image, logits);
    CHECK(largest_difference(same, logits) < 1e-5);
    CHECK(layer(xt::xtensor<float, 4>({0, 3, 4, 5}), xt::xtensor<float, 4>({0, 6, 4, 5})).size() == 0);
    CHECK(layer(xt::xtensor<float, 4>({1, 3, 0, 5}), xt::xtensor<float, 4>({1, 6, 0, 5})).size() == 0);
}

TEST_CASE("weights of the classes are the diagonals of the matrices") {
    const auto image = read_npy<float, 4>(at("image")), logits = read_npy<float, 4>(at("logits"));
    const std::vector<double> spatial{1, 2, 3, 4, 5, 6}, bilateral{6, 5, 4, 3, 2, 1};
    xt::xtensor<double, 2> s({6, 6}, 0.0), b({6, 6}, 0.0), c({6, 6}, 0.0);
    for (std::size_t i = 0; i < 6; ++i) {
        s(i, i) = spatial[i];
        b(i, i) = bilateral[i];
        c(i, i) = 1;
    }
    crf_as_rnn<> classes(6), matrices(6);
    classes.set_class_weights(spatial, bilateral);
    matrices.set_weights(s, b, c);
    CHECK(classes(image, logits) == matrices(image, logits));
    c(0, 1) = 1e-30;  // no longer a diagonal
    crf_as_rnn<> full(6);
    full.set_weights(s, b, c);
    CHECK(largest_difference(full(image, logits), classes(image, logits)) < 1e-3);
}

TEST_CASE("bad arguments are refused") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const xt::xtensor<float, 4> image({1, 3, 4, 5}, 0.0f), logits({1, 2, 4, 5}, 0.0f);
    crf_as_rnn<> layer(2);
    CHECK(message_of([] { crf_as_rnn<> none(0); }) == "crf_as_rnn: the labels must be from 1 to 4096, got 0");
    CHECK(message_of([] { crf_as_rnn<> many(1000000); }) == "crf_as_rnn: the labels must be from 1 to 4096, got 1000000");
    CHECK(message_of([] { crf_as_rnn<> flat(2, {.alpha = 0}); }) == "crf_as_rnn: deviations must be positive, got 0");
    CHECK(message_of([&] { (void)layer(image, xt::xtensor<float, 4>({1, 3, 4, 5})); }) == "crf_as_rnn: logits must have 2 labels, got (1, 3, 4, 5)");
    CHECK(message_of([&] { (void)layer(xt::xtensor<float, 4>({1, 3, 5, 4}), logits); }) ==
          "crf_as_rnn: images and logits must have the same N, H and W, got (1, 3, 5, 4) and (1, 2, 4, 5)");
    CHECK(message_of([&] { (void)layer(xt::xtensor<float, 4>({1, 3, 4, 5}, nan), logits); }) ==
          "crf_as_rnn: images: features must be finite, dimension 2 is not");
    CHECK(message_of([&] { (void)layer(image, xt::xtensor<float, 4>({1, 2, 4, 5}, nan)); }) == "crf_as_rnn: logits: NaN at label 0 of point 0");
    CHECK(message_of([&] { layer.set_class_weights(std::vector<double>{1, 2, 3}, std::vector<double>{1, 2}); }) ==
          "crf_as_rnn: spatial weights must have shape (2), got (3)");
    CHECK(message_of([&] { layer.set_weights(xt::xtensor<double, 2>({2, 2}, 0.0), xt::xtensor<double, 2>({2, 1}, 0.0), xt::xtensor<double, 2>({2, 2}, 0.0)); }) ==
          "crf_as_rnn: bilateral weights must have shape (2, 2), got (2, 1)");
}
