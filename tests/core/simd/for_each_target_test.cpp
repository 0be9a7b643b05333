#include "core/simd/probe.hpp"

#include <ocelli/core/simd/isa.hpp>
#include <ocelli/core/simd/target.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#define OCELLI_KERNEL_FILE "core/simd/probe.kernel.hpp"
#include <ocelli/core/simd/for_each_target.hpp>

#if defined(OCELLI_KERNEL_FILE) || defined(OCELLI_TARGET) || defined(OCELLI_TARGET_LEVEL) || defined(OCELLI_TARGET_IS_BASELINE)
#    error "for_each_target.hpp leaves its own macros behind"
#endif

// A second kernel file in the same program: the vectors are there once, and the macros are free again.
#include "core/simd/vec_tables.hpp"
#define OCELLI_KERNEL_FILE "core/simd/vec_test.kernel.hpp"
#include <ocelli/core/simd/for_each_target.hpp>

using namespace ocelli;

namespace {

/// The probe of each target that this processor runs.
std::vector<detail::target_probe> probes() {
    std::vector<detail::target_probe> out = {detail::OCELLI_ABI_TAG::baseline::make_target_probe()};
#if defined(OCELLI_COMPILES_AVX2)
    if (simd::supported(simd::isa::avx2)) out.push_back(detail::OCELLI_ABI_TAG::avx2::make_target_probe());
#endif
#if defined(OCELLI_COMPILES_AVX512)
    if (simd::supported(simd::isa::avx512)) out.push_back(detail::OCELLI_ABI_TAG::avx512::make_target_probe());
#endif
    return out;
}

}  // namespace

TEST_CASE("a kernel file is compiled for each target, with that target's vectors") {
    std::set<const void*> functions;
    std::string last;
    for (const detail::target_probe& p : probes()) {
        CAPTURE(p.target);
        CHECK(p.bytes == std::size_t{16} << p.level);
        functions.insert(reinterpret_cast<const void*>(p.dot));
        CHECK(p.target != last);
        last = p.target;
        if (last == "avx2") CHECK(p.level == 1);
        if (last == "avx512") CHECK(p.level == 2);
    }
    CHECK(functions.size() == probes().size());
    CHECK(detail::OCELLI_ABI_TAG::baseline::make_vec_test_table().level == probes()[0].level);
}

TEST_CASE("targets agree") {
    std::vector<float> a(103), b(103);
    float expected = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        a[i] = static_cast<float>(i % 13) - 6;
        b[i] = static_cast<float>(i % 7) - 2;
        expected += a[i] * b[i];  // small integers: exact in any order
    }
    for (const detail::target_probe& p : probes()) {
        CAPTURE(p.target);
        CHECK(p.dot(a.data(), b.data(), a.size()) == expected);
        CHECK(p.dot(a.data(), b.data(), 0) == 0);
    }
}
