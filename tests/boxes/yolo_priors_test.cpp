#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/boxes/yolo_priors.hpp>
#include <ocelli/io/npy.hpp>

#include <limits>

using ocelli_test::golden;
using ocelli_test::message_of;

TEST_CASE_TEMPLATE("yolo_priors fit as well as the best of thirty plain k-means", T, float, double) {
    const xt::xtensor<T, 2> sizes = xt::cast<T>(ocelli::read_npy<float, 2>(golden("boxes/anchors/yolo_sizes.npy")));
    const auto marks = ocelli::read_npy<double, 2>(golden("boxes/anchors/yolo_marks.npy"));
    for (std::size_t i = 0; i < marks.shape(0); ++i) {
        const auto priors = ocelli::yolo_priors(sizes, static_cast<std::int64_t>(marks(i, 0)));
        CAPTURE(marks(i, 0));
        CHECK(ocelli::mean_best_iou(sizes, priors) > marks(i, 1) - 0.003);
        for (std::size_t k = 1; k < priors.shape(0); ++k)
            CHECK(priors(k - 1, 0) * priors(k - 1, 1) <= priors(k, 0) * priors(k, 1));
    }
}

TEST_CASE("yolo_priors depend on the seed alone") {
    const auto sizes = ocelli::read_npy<float, 2>(golden("boxes/anchors/yolo_sizes.npy"));
    const auto once = ocelli::yolo_priors(sizes, 5, {.seed = 7});
    ocelli::set_num_threads(1);
    CHECK(once == ocelli::yolo_priors(sizes, 5, {.seed = 7}));
    ocelli::set_num_threads(0);
}

TEST_CASE("mean_best_iou is the mean of the best overlaps") {
    const xt::xtensor<double, 2> sizes{{10, 10}, {20, 10}}, priors{{10, 10}, {5, 5}};
    CHECK(ocelli::mean_best_iou(sizes, priors) == doctest::Approx((1 + 0.5) / 2));
    CHECK(ocelli::yolo_priors(sizes, 2) == sizes);
}

TEST_CASE("yolo_priors and mean_best_iou say what they do not accept") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const xt::xtensor<float, 2> good{{1, 2}}, broken{{1, 2}, {1, nan}}, zero{{0, 2}};
    CHECK(message_of([&] { (void)ocelli::yolo_priors(broken, 1); }) ==
          "yolo_priors: sizes must be finite and positive, row 1 is not");
    CHECK(message_of([&] { (void)ocelli::yolo_priors(zero, 1); }) ==
          "yolo_priors: sizes must be finite and positive, row 0 is not");
    CHECK(message_of([&] { (void)ocelli::yolo_priors(good, 2); }) ==
          "yolo_priors: k must be in [1, 1] (the number of sizes), got 2");
    CHECK(message_of([&] {
              (void)ocelli::yolo_priors(xt::xtensor<float, 2>::from_shape({2, 4}), 1);
          }) == "yolo_priors: sizes must have shape (N, 2), got (2, 4)");
    CHECK(message_of([&] {
              (void)ocelli::mean_best_iou(good, xt::xtensor<float, 2>::from_shape({0, 2}));
          }) == "mean_best_iou: sizes and priors must not be empty, got 1 and 0");
}
