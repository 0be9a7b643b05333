#include "core/simd/probe.hpp"

#include <ocelli/core/simd/target.hpp>

#include <doctest/doctest.h>

#include <string>

#define OCELLI_KERNEL_FILE "core/simd/probe.kernel.hpp"
#include <ocelli/core/simd/for_each_target.hpp>

using namespace ocelli;

namespace {

std::string tag() {
    return OCELLI_TEST_TEXT(OCELLI_ABI_TAG);
}

}  // namespace

TEST_CASE("the tag is one name, and names what the program's own flags enable") {
    CHECK(tag().rfind("abi_", 0) == 0);
    CHECK(tag().find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos);  // every macro in it was replaced
    // A baseline that has a set already is not compiled for it again; what a tag does not name, is.
    const bool avx512 = tag().find("avx512") != std::string::npos, avx2 = avx512 || tag().find("avx2_fma") != std::string::npos;
    const detail::target_probe baseline = detail::OCELLI_ABI_TAG::baseline::make_target_probe();
    CHECK(baseline.level == (avx512 ? 2 : avx2 ? 1 : 0));
#if defined(__x86_64__)
#    if defined(OCELLI_COMPILES_AVX2)
    CHECK_FALSE(avx2);
#    else
    CHECK(avx2);
#    endif
#    if defined(OCELLI_COMPILES_AVX512)
    CHECK_FALSE(avx512);
#    else
    CHECK(avx512);
#    endif
#else
    CHECK(baseline.level == 0);
#endif
}
