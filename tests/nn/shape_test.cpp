#include <ocelli/nn/shape.hpp>

#include <doctest/doctest.h>

using namespace ocelli::nn;

TEST_CASE("known shapes broadcast as in NumPy") {
    CHECK(broadcast(dims{2, 1, 3}, dims{4, 1}) == dims{2, 4, 3});
    CHECK(broadcast(dims{}, dims{5}) == dims{5});
    CHECK(broadcast(dims{0}, dims{1}) == dims{0});
    CHECK_FALSE(broadcast(dims{2}, dims{3}).has_value());
}

TEST_CASE("symbolic shapes broadcast as far as they are known") {
    const symbolic_shape a{dim("n"), 1, 3};
    const symbolic_shape b{dim("n"), dim(), 1};
    CHECK(text(*broadcast(a, b)) == "(n, ?, 3)");
    CHECK(text(*broadcast(symbolic_shape{dim("n")}, symbolic_shape{7})) == "(7)");
    CHECK_FALSE(broadcast(symbolic_shape{2}, symbolic_shape{3}).has_value());
    CHECK_FALSE(broadcast(symbolic_shape(), a)->ranked());
    CHECK(accepts(a, {5, 1, 3}));
    CHECK_FALSE(accepts(a, {5, 2, 3}));
    CHECK_FALSE(accepts(a, {5, 1}));
}

TEST_CASE("element_count refuses negative and absurd shapes") {
    CHECK(element_count({}) == 1);
    CHECK(element_count({3, 0, 5}) == 0);
    CHECK_THROWS_AS(element_count({2, -2}), ocelli::invalid_argument);
    CHECK_THROWS_AS(element_count({std::int64_t{1} << 40, std::int64_t{1} << 40}), ocelli::invalid_argument);
    CHECK(dense_strides({2, 3, 4}) == dims{12, 4, 1});
}
