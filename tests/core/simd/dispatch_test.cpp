// ctest: per_isa
#include "core/simd/probe.hpp"

#include <ocelli/core/simd/dispatch.hpp>

#include <doctest/doctest.h>

#include <string>

#define OCELLI_KERNEL_FILE "core/simd/probe.kernel.hpp"
#include <ocelli/core/simd/for_each_target.hpp>

using namespace ocelli;

TEST_CASE("the table of the active set is chosen, and the baseline's where that is as much") {
    const detail::target_probe chosen = OCELLI_CHOOSE(make_target_probe);
    std::string expected = simd::name(simd::active());
#if !defined(OCELLI_COMPILES_AVX2)
    if (expected == "avx2") expected = "baseline";
#endif
#if !defined(OCELLI_COMPILES_AVX512)
    if (expected == "avx512") expected = "baseline";
#endif
    CHECK(std::string(chosen.target) == expected);
    CHECK(chosen.level >= (simd::active() == simd::isa::avx512 ? 2 : simd::active() == simd::isa::avx2 ? 1 : 0));
    const float three[] = {1, 2, 3};
    CHECK(chosen.dot(three, three, 3) == 14);
}
