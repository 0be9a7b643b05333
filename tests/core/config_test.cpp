#include <ocelli/core/config.hpp>

#include <doctest/doctest.h>

#include <cmath>

namespace {

// With the processor's FMA switched on, where there is one to switch on: GCC makes one of a product and a sum two statements apart.
#if defined(__GNUC__) && defined(__x86_64__)
#    define WITH_FMA __attribute__((target("fma")))
const bool runs = __builtin_cpu_supports("fma");
#else
#    define WITH_FMA
const bool runs = true;
#endif

WITH_FMA OCELLI_NOINLINE double in_two_steps(double a, double b, double c) {
    double product = a * b;
    OCELLI_ROUND_HERE(product);
    return product + c;
}
WITH_FMA OCELLI_NOINLINE float in_two_steps(float a, float b, float c) {
    float product = a * b;
    OCELLI_ROUND_HERE(product);
    return product + c;
}

}  // namespace

TEST_CASE("a product that is taken as it is stays rounded before it is summed") {
    if (!runs) {
        MESSAGE("skipped: this processor has no FMA");
        return;
    }
    // (1 + e)^2 = 1 + 2 e + e^2, whose last term a rounded product has lost and a fused one has not. Volatile: not worked out by the compiler.
    const double e = 0x1p-30;
    volatile double side = 1 + e, rest = -(1 + 2 * e);
    REQUIRE(std::fma(side, side, rest) == e * e);
    CHECK(in_two_steps(side, side, rest) == 0.0);
    const float f = 0x1p-14f;
    volatile float float_side = 1 + f, float_rest = -(1 + 2 * f);
    REQUIRE(std::fma(float_side, float_side, float_rest) == f * f);
    CHECK(in_two_steps(float_side, float_side, float_rest) == 0.0f);
}
