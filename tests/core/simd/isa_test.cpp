// ctest: per_isa
#include <ocelli/core/simd/isa.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

using namespace ocelli;

TEST_CASE("the set named by OCELLI_ISA is the active one, and without it the best of this processor") {
    const char* wanted = std::getenv("OCELLI_ISA");
    if (wanted && *wanted) {
        CHECK(std::string(simd::name(simd::active())) == wanted);
    } else {
        for (const simd::isa set : {simd::isa::baseline, simd::isa::avx2, simd::isa::avx512})
            if (simd::supported(set)) CHECK(simd::active() >= set);
    }
    CHECK(simd::supported(simd::active()));
}

TEST_CASE("names are read back, and others refused") {
    for (const simd::isa set : {simd::isa::baseline, simd::isa::avx2, simd::isa::avx512}) CHECK(simd::parse_isa(simd::name(set)) == set);
    CHECK(simd::supported(simd::isa::baseline));
    CHECK_THROWS_WITH_AS(simd::parse_isa("sse2"), "OCELLI_ISA: expected baseline, avx2 or avx512, got 'sse2'", invalid_argument);
    CHECK_THROWS_AS(simd::parse_isa(""), invalid_argument);
}

TEST_CASE("a processor with a set has the smaller ones") {
    if (simd::supported(simd::isa::avx512)) CHECK(simd::supported(simd::isa::avx2));
}

#if defined(__unix__) || defined(__APPLE__)
TEST_CASE("OCELLI_ISA is refused where it names no set, or one that is not there, and empty is as good as absent") {
    const char* given = std::getenv("OCELLI_ISA");
    const std::string before = given != nullptr ? given : "";
    const auto chosen = [](const char* text) {
        ::setenv("OCELLI_ISA", text, 1);
        return simd::detail_isa::choose();
    };
    ::unsetenv("OCELLI_ISA");
    const simd::isa best = simd::detail_isa::choose();
    CHECK(chosen("") == best);
    for (const simd::isa set : {simd::isa::baseline, simd::isa::avx2, simd::isa::avx512}) {
        if (simd::supported(set)) {
            CHECK(chosen(simd::name(set)) == set);
            CHECK(best >= set);
        } else {
            CHECK_THROWS_WITH_AS(chosen(simd::name(set)), (std::string("OCELLI_ISA: this processor does not have ") + simd::name(set)).c_str(), invalid_argument);
        }
    }
    CHECK_THROWS_WITH_AS(chosen("AVX2"), "OCELLI_ISA: expected baseline, avx2 or avx512, got 'AVX2'", invalid_argument);
    if (given != nullptr) ::setenv("OCELLI_ISA", before.c_str(), 1);
    else ::unsetenv("OCELLI_ISA");
}
#endif
