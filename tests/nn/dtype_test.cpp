#include <ocelli/nn/dtype.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace ocelli::nn;

TEST_CASE("every float16 survives the way to float and back") {
    for (unsigned bits = 0; bits < 65536; ++bits) {
        float16 h;
        h.bits = static_cast<std::uint16_t>(bits);
        const float16 back(static_cast<float>(h));
        if ((bits & 0x7c00u) == 0x7c00u && (bits & 0x3ffu)) CHECK((back.bits & 0x7c00u) == 0x7c00u);
        else REQUIRE(back.bits == bits);
    }
}

TEST_CASE("float to float16 rounds to nearest, ties to even") {
    CHECK(float16(1.f).bits == 0x3c00);
    CHECK(float16(65504.f).bits == 0x7bff);
    CHECK(float16(65519.f).bits == 0x7bff);
    CHECK(float16(65520.f).bits == 0x7c00);
    CHECK(float16(std::ldexp(1.f, -24)).bits == 1);
    CHECK(float16(std::ldexp(1.f, -25)).bits == 0);      // a tie, to even
    CHECK(float16(std::ldexp(1.5f, -25)).bits == 1);
    CHECK(float16(1.f + std::ldexp(1.f, -11)).bits == 0x3c00);
    CHECK(float16(1.f + std::ldexp(3.f, -11)).bits == 0x3c02);
    CHECK(float16(-0.f).bits == 0x8000);
}

TEST_CASE("bfloat16 keeps the upper half, rounded") {
    CHECK(static_cast<float>(bfloat16(1.f)) == 1.f);
    CHECK(bfloat16(1.f + std::ldexp(1.f, -8)).bits == 0x3f80);
    CHECK(bfloat16(1.f + std::ldexp(3.f, -8)).bits == 0x3f82);
    const float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK((bfloat16(nan).bits & 0x7fu) != 0);
}

TEST_CASE("dispatch calls with the element type, or not at all") {
    int called = 0;
    CHECK(dispatch_over(floating_types{}, dtype::float64, [&]<class T>(type_tag<T>) { called = static_cast<int>(sizeof(T)); }));
    CHECK(called == 8);
    CHECK_FALSE(dispatch_over(floating_types{}, dtype::int64, [&](auto) { called = 0; }));
    CHECK(called == 8);
    CHECK(name(dtype_of<bool>) == "bool");
    CHECK(size_of(dtype::bfloat16) == 2);
}
