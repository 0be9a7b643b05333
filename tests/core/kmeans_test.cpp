// ctest: threads
#include "support/compare.hpp"

#include <ocelli/core/kmeans.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <vector>

using ocelli_test::message_of;

TEST_CASE_TEMPLATE("kmeans finds clusters that lie apart", T, float, double) {
    ocelli::detail::random_sequence random(3);
    auto points = xt::xtensor<T, 2>::from_shape({300, 3});
    for (std::size_t i = 0; i < 300; ++i)
        for (std::size_t d = 0; d < 3; ++d)
            points(i, d) = static_cast<T>(10.0 * static_cast<double>(i % 5) * (d == 1 ? -1 : 1) + random.unit());
    const auto got = ocelli::kmeans(points, 5, ocelli::squared_distance{}, {.seed = 1, .starts = 5});
    for (std::size_t i = 5; i < 300; ++i) CHECK(got.labels(i) == got.labels(i % 5));
    double cost = 0;
    for (std::size_t i = 0; i < 300; ++i)
        cost += ocelli::squared_distance{}(points.data() + 3 * i, got.centres.data() + 3 * got.labels(i), 3);
    CHECK(got.cost == doctest::Approx(cost));
    CHECK(got.cost < 300 * 3.0 / 12 * 1.2);
}

TEST_CASE("kmeans gives the same bits for any number of threads") {
    ocelli::detail::random_sequence random(4);
    auto points = xt::xtensor<float, 2>::from_shape({5000, 2});
    for (auto& x : points) x = static_cast<float>(random.unit());
    const auto many = ocelli::kmeans(points, 7, ocelli::squared_distance{}, {.seed = 9, .max_iterations = 20});
    ocelli::set_num_threads(1);
    const auto one = ocelli::kmeans(points, 7, ocelli::squared_distance{}, {.seed = 9, .max_iterations = 20});
    ocelli::set_num_threads(0);
    CHECK(many.centres == one.centres);
    CHECK(many.labels == one.labels);
    CHECK(many.cost == one.cost);
}

TEST_CASE("kmeans copes with as many clusters as points, and with equal points") {
    const xt::xtensor<double, 2> points{{1, 1}, {5, 5}, {9, 1}};
    CHECK(ocelli::kmeans(points, 3).cost == 0);
    const xt::xtensor<double, 2> equal{{1, 1}, {1, 1}, {1, 1}};
    const auto got = ocelli::kmeans(equal, 2);
    CHECK(got.cost == 0);
    CHECK(got.centres(1, 0) == 1);
    CHECK(ocelli::kmeans(points, 1).centres(0, 0) == doctest::Approx(5));
}

TEST_CASE("kmeans says what it does not accept") {
    const xt::xtensor<float, 2> points{{1, std::numeric_limits<float>::infinity()}};
    CHECK(message_of([&] { (void)ocelli::kmeans(points, 1); }) == "kmeans: points must be finite, row 0 is not");
    CHECK(message_of([&] { (void)ocelli::kmeans(points, 2); }) == "kmeans: k must be in [1, 1] (the number of points), got 2");
    CHECK(message_of([&] { (void)ocelli::kmeans(points, 0); }) == "kmeans: k must be in [1, 1] (the number of points), got 0");
    CHECK(message_of([&] { (void)ocelli::kmeans(points, 1, ocelli::squared_distance{}, {.starts = 0}); }) ==
          "kmeans: max_iterations and starts must be at least 1, got 300 and 0");
    CHECK(message_of([] {
              (void)ocelli::kmeans(std::vector<float>{1, 2}, 1);
          }) == "kmeans: points must have 2 dimensions, got shape (2)");
}
