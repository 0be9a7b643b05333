#include <ocelli/core/float_bits.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <vector>

using namespace ocelli::detail;

TEST_CASE_TEMPLATE("NaN and infinity are told by their bits", T, float, double) {
    using limits = std::numeric_limits<T>;
    CHECK(is_nan(limits::quiet_NaN()));
    CHECK(is_nan(-limits::quiet_NaN()));
    CHECK_FALSE(is_nan(limits::infinity()));
    CHECK_FALSE(is_nan(T(0)));
    CHECK_FALSE(is_finite(limits::infinity()));
    CHECK_FALSE(is_finite(-limits::infinity()));
    CHECK_FALSE(is_finite(limits::quiet_NaN()));
    CHECK(is_finite(limits::max()));
    CHECK(is_finite(limits::denorm_min()));
    std::vector<T> x(1000, T(1));
    CHECK(find_nan(x.data(), x.size()) == 1000);
    x[777] = limits::quiet_NaN();
    x[900] = limits::quiet_NaN();
    CHECK(find_nan(x.data(), x.size()) == 777);
    CHECK(find_nan(x.data(), 0) == 0);
}

TEST_CASE("an unfused product is rounded before it is summed") {
    // (1 + 2^-30)^2 - 1 is 2^-29 once the product is rounded; an FMA keeps the 2^-60 behind it.
    volatile double a = 1 + 0x1p-30, one = 1;
    const double x = a, y = a, z = one;
    CHECK(unfused(x * y) - z == 0x1p-29);
}
