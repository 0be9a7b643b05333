#include <ocelli/interop/eigen.hpp>

#include <doctest/doctest.h>

TEST_CASE("results become Eigen maps of the same memory") {
    xt::xtensor<float, 2> m{{1, 2, 3}, {4, 5, 6}};
    auto e = ocelli::as_eigen(m);
    CHECK(e.data() == m.data());
    CHECK(e(1, 0) == 4);
    e(1, 0) = 7;
    CHECK(m(1, 0) == 7);
    const xt::xtensor<std::int64_t, 1> v{3, 2, 1};
    const auto ev = ocelli::as_eigen(v);
    CHECK(ev.data() == v.data());
    CHECK(ev.size() == 3);
    const Eigen::MatrixXf copy = e;
    CHECK(copy(0, 2) == 3);
}
