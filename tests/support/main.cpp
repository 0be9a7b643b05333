#define DOCTEST_CONFIG_IMPLEMENT
#include "support/fixtures.hpp"

#include <ocelli/core/simd/isa.hpp>

#include <cstdlib>
#include <iostream>

int main(int argc, char** argv) {
    // A set this processor lacks cannot be tested here; everywhere else asking for it is an error.
    if (const char* wanted = std::getenv("OCELLI_ISA"); wanted && !ocelli::simd::supported(ocelli::simd::parse_isa(wanted))) {
        std::cout << "[skipped] this processor has no " << wanted << std::endl;
        return 77;
    }
    doctest::Context context(argc, argv);
    const int failed = context.run();
    if (failed != 0) return failed;
    return ocelli_test::any_skipped() ? 77 : 0;
}
