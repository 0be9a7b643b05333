#include <ocelli/core/simd/isa.hpp>

#include <cstdio>

double plain_sum();
double native_sum();

int main(int, char** argv) {
    if (!ocelli::simd::supported(ocelli::simd::parse_isa(argv[1]))) return 77;
    const double a = plain_sum(), b = native_sum();
    std::printf("%.17g %.17g\n", a, b);
    return a == b && a > 0 ? 0 : 1;
}
