#include <ocelli/nn/shape.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace ocelli::nn;

TEST_CASE("dims is a vector that keeps short lists in itself") {
    // Beside std::vector, through lengths on both sides of eight.
    std::vector<std::int64_t> expected;
    dims d;
    for (std::int64_t i = 0; i < 20; ++i) {
        d.push_back(i);
        expected.push_back(i);
        CHECK(d == dims(expected));
        const dims copy = d;
        dims moved = copy;
        const dims stolen = std::move(moved);
        CHECK(copy == stolen);
        CHECK(moved.empty());
        dims other{5, 6};
        other = copy;
        CHECK(other == copy);
        other = dims(stolen);
        CHECK(other == copy);
        CHECK(std::vector<std::int64_t>(copy) == expected);
        if (i % 3 == 0) {
            d.insert(d.begin() + i / 2, {7, 8, 9});
            expected.insert(expected.begin() + i / 2, {7, 8, 9});
        }
        if (i % 4 == 0) {
            d.erase(d.begin());
            expected.erase(expected.begin());
        }
        if (i % 5 == 4) {
            d.erase(d.begin() + 1, d.begin() + 3);
            expected.erase(expected.begin() + 1, expected.begin() + 3);
            d.insert(d.end(), 2, -1);
            expected.insert(expected.end(), 2, -1);
        }
    }
    CHECK(d == dims(expected));
    CHECK(d.front() == expected.front());
    CHECK(d.back() == expected.back());
    d.resize(60, 4);
    CHECK(d[59] == 4);
    CHECK(d[1] == expected[1]);
    d.assign(3, 1);
    CHECK(d == dims{1, 1, 1});
    d.pop_back();
    CHECK(d.size() == 2);
    CHECK(dims{1, 2} < dims{1, 3});
    CHECK(dims{1, 2} < dims{1, 2, 0});
    CHECK(dims{1} != dims{1, 1});
    CHECK_THROWS_WITH_AS(d.at(2), "dims: 2 is outside a list of 2", ocelli::invalid_argument);
}

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
