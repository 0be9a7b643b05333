// ctest: per_isa threads heavy
#include "crf/support/reference.hpp"
#include "support/compare.hpp"

#include <ocelli/core/parallel.hpp>
#include <ocelli/crf/permutohedral_lattice.hpp>

#include <doctest/doctest.h>

#include <Eigen/Core>

#include <cmath>
#include <initializer_list>
#include <limits>
#include <vector>

using namespace ocelli;
using ocelli_test::draws;
using ocelli_test::message_of;
using ocelli_test::points;
using ocelli_test::reference_lattice;

namespace {

points random_points(std::size_t n, std::size_t d, std::uint32_t seed, double extent) {
    draws draw(seed);
    points f(n, std::vector<double>(d));
    for (auto& row : f)
        for (double& x : row) x = extent * (draw() - 0.3);
    return f;
}

template <class T>
xt::xtensor<T, 2> table(const points& f) {
    xt::xtensor<T, 2> out({f.size(), f.empty() ? std::size_t{1} : f[0].size()});
    for (std::size_t i = 0; i < f.size(); ++i)
        for (std::size_t j = 0; j < f[i].size(); ++j) out(i, j) = static_cast<T>(f[i][j]);
    return out;
}

template <class T>
xt::xtensor<T, 2> random_values(std::size_t n, std::size_t c) {
    draws draw(99);
    xt::xtensor<T, 2> out({n, c});
    for (T& x : out) x = static_cast<T>(draw() - 0.5);
    return out;
}

}  // namespace

TEST_CASE("the filter is the plain lattice's, for every dimension and number of channels") {
    for (const std::size_t d : std::initializer_list<std::size_t>{1, 2, 3, 4, 5, 6, 9, 17}) {
        const auto f = random_points(300, d, static_cast<std::uint32_t>(d), d > 6 ? 1.0 : 6.0);
        const permutohedral_lattice<double> lattice(table<double>(f));
        const reference_lattice plain(f);
        CHECK(lattice.points() == 300);
        CHECK(lattice.dimensions() == d);
        CHECK(lattice.vertices() == plain.vertices());
        for (const std::size_t c : std::initializer_list<std::size_t>{1, 2, 5, 8, 21, 37}) {
            const auto v = random_values<double>(300, c);
            for (const bool reverse : {false, true}) {
                const auto out = lattice.filter(v, reverse);
                for (std::size_t j = 0; j < c; ++j) {
                    std::vector<double> column(300);
                    for (std::size_t i = 0; i < 300; ++i) column[i] = v(i, j);
                    const auto expected = plain.filter(column, reverse);
                    for (std::size_t i = 0; i < 300; ++i) REQUIRE(std::abs(out(i, j) - expected[i]) < 1e-9);
                }
            }
        }
    }
}

TEST_CASE("float agrees with double") {
    const auto f = random_points(2000, 5, 7, 8);
    const auto v = random_values<float>(2000, 21);
    const auto wide = permutohedral_lattice<double>(table<float>(f)).filter(v);
    const auto out = permutohedral_lattice<float>(table<float>(f)).filter(v);
    for (std::size_t i = 0; i < out.size(); ++i) REQUIRE(std::abs(static_cast<double>(out.data()[i]) - wide.data()[i]) < 1e-3);
}

TEST_CASE("many blocks of points give what the plain lattice gives") {
    const auto f = random_points(9000, 2, 3, 20);
    const permutohedral_lattice<double> lattice(table<double>(f));
    const reference_lattice plain(f);
    const auto v = random_values<double>(9000, 1);
    const auto expected = plain.filter({v.begin(), v.end()});
    const auto out = lattice.filter(v);
    for (std::size_t i = 0; i < 9000; ++i) REQUIRE(std::abs(out(i, 0) - expected[i]) < 1e-9);
}

TEST_CASE("blocks with more vertices than 16 bits count, and keys of several words") {
    // 4096 points of 17 dimensions far from each other have 73728 vertices.
    const auto f = random_points(4096, 17, 11, 20000);
    const permutohedral_lattice<double> lattice(table<double>(f));
    CHECK(lattice.vertices() > 65536);
    const auto v = random_values<double>(4096, 3);
    const auto out = lattice.filter(v);
    // Alone standing points keep the sum of their squared weights, at most 1, times the constant.
    for (std::size_t i = 0; i < out.size(); ++i) REQUIRE(std::abs(out.data()[i]) <= std::abs(v.data()[i]) + 1e-12);
    const reference_lattice plain(points(f.begin(), f.begin() + 50));
    const auto some = permutohedral_lattice<double>(table<double>(points(f.begin(), f.begin() + 50))).filter(random_values<double>(50, 1));
    const auto few = random_values<double>(50, 1);
    const auto expected = plain.filter({few.begin(), few.end()});
    for (std::size_t i = 0; i < 50; ++i) CHECK(std::abs(some(i, 0) - expected[i]) < 1e-9);
}

TEST_CASE("a weighted mean comes near the true Gaussian's") {
    const auto f = random_points(3000, 2, 5, 12);
    draws draw(1);
    xt::xtensor<double, 2> v({3000, 2});
    for (std::size_t i = 0; i < 3000; ++i) {
        v(i, 0) = std::sin(f[i][0]) + f[i][1];
        v(i, 1) = 1;
    }
    const auto out = permutohedral_lattice<double>(table<double>(f)).filter(v);
    double worst = 0;
    for (std::size_t i = 0; i < 3000; i += 50) {
        double sum = 0, all = 0;
        for (std::size_t j = 0; j < 3000; ++j) {
            const double x = f[i][0] - f[j][0], y = f[i][1] - f[j][1];
            const double w = std::exp(-0.5 * (x * x + y * y));
            sum += w * v(j, 0);
            all += w;
        }
        worst = std::max(worst, std::abs(out(i, 0) / out(i, 1) - sum / all));
    }
    CHECK(worst < 0.15);  // of values that span 13
}

TEST_CASE("the reversed filter is the forward one's transpose") {
    const auto f = random_points(500, 4, 2, 4);
    const permutohedral_lattice<double> lattice(table<double>(f));
    const auto a = random_values<double>(500, 1);
    xt::xtensor<double, 2> b = a;
    for (std::size_t i = 0; i < 500; ++i) b(i, 0) = a(499 - i, 0) + 0.1;
    const auto ka = lattice.filter(a);
    const auto kb = lattice.filter(b, true);
    double left = 0, right = 0;
    for (std::size_t i = 0; i < 500; ++i) {
        left += b(i, 0) * ka(i, 0);
        right += kb(i, 0) * a(i, 0);
    }
    CHECK(std::abs(left - right) < 1e-9 * std::abs(left) + 1e-9);
}

TEST_CASE("results do not depend on the number of threads, and may overwrite the values") {
    const auto f = table<float>(random_points(20000, 3, 8, 9));
    const auto v = random_values<float>(20000, 7);
    set_num_threads(1);
    const auto one = permutohedral_lattice<float>(f).filter(v);
    set_num_threads(3);
    const permutohedral_lattice<float> lattice(f);
    CHECK(lattice.filter(v) == one);
    xt::xtensor<float, 2> in_place = v;
    lattice.filter(in_place, in_place);
    CHECK(in_place == one);
    set_num_threads(0);
}

TEST_CASE("features and values of any kind of array") {
    const auto f = random_points(40, 2, 4, 3);
    const permutohedral_lattice<double> lattice(table<double>(f));
    const auto v = random_values<double>(40, 3);
    const auto expected = lattice.filter(v);
    Eigen::MatrixXd columns(40, 2), values(40, 3);
    for (int i = 0; i < 40; ++i) {
        for (int j = 0; j < 2; ++j) columns(i, j) = f[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)];
        for (int j = 0; j < 3; ++j) values(i, j) = v(static_cast<std::size_t>(i), static_cast<std::size_t>(j));
    }
    CHECK(permutohedral_lattice<double>(columns).filter(values) == expected);
    CHECK(permutohedral_lattice<double>(table<double>(f) + 0.0).filter(1.0 * v) == expected);
    xt::xtensor<double, 2> out({40, 3});
    lattice.filter(v, view(out.data(), {40, 3}));
    CHECK(out == expected);
}

TEST_CASE("no points, one point, points in one place") {
    CHECK(permutohedral_lattice<float>().points() == 0);
    CHECK(permutohedral_lattice<float>().filter(xt::xtensor<float, 2>({0, 3})).size() == 0);
    CHECK(permutohedral_lattice<float>(xt::xtensor<float, 2>({0, 4})).vertices() == 0);
    const permutohedral_lattice<double> one(xt::xtensor<double, 2>{{0.0, 0.0}});
    CHECK(one.vertices() == 3);
    CHECK(std::abs(one.filter(xt::xtensor<double, 2>{{5.0}})(0, 0) - reference_lattice({{0, 0}}).filter({5})[0]) < 1e-12);
    const permutohedral_lattice<double> same(xt::xtensor<double, 2>({10, 3}, 0.25));
    CHECK(same.vertices() == 4);
    const auto out = same.filter(xt::xtensor<double, 2>({10, 1}, 1.0));
    for (const double x : out) CHECK(x == out(0, 0));
    CHECK(one.filter(xt::xtensor<double, 2>({1, 0})).size() == 0);
}

TEST_CASE("bad features and values are refused") {
    const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
    const auto build = [](const xt::xtensor<float, 2>& f) { return message_of([&] { permutohedral_lattice<float> l(f); }); };
    CHECK(build({{0, 1}, {nan, 0}}) == "permutohedral_lattice: features must be finite, dimension 0 is not");
    CHECK(build({{0, inf}, {0, 0}}) == "permutohedral_lattice: features must be finite, dimension 1 is not");
    CHECK(build({{0, 3e30f}}).find("permutohedral_lattice: features are too large for the lattice") == 0);
    CHECK(build(xt::xtensor<float, 2>({3, 0})) == "permutohedral_lattice: points must have 1 to 255 features, got 0");
    CHECK(build(xt::xtensor<float, 2>({3, 256})) == "permutohedral_lattice: points must have 1 to 255 features, got 256");
    const permutohedral_lattice<float> two(xt::xtensor<float, 2>{{0, 1}, {1, 0}});
    CHECK(message_of([&] { (void)two.filter(xt::xtensor<float, 2>({3, 1})); }) == "permutohedral_lattice: values must have 2 rows, got 3");
    xt::xtensor<float, 2> out({2, 2});
    CHECK(message_of([&] { two.filter(xt::xtensor<float, 2>({2, 1}), out); }) ==
          "permutohedral_lattice: out must have shape (2, 1), got (2, 2)");
}
