// ctest: per_isa
#include <ocelli/core/gemm_bf16.hpp>
#include <ocelli/core/simd/isa.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <random>
#include <vector>

using namespace ocelli;

namespace {

/// To the nearest bfloat16, ties to even, by way of double.
float rounded_bf16(float x) {
    if (x != x || x == 0 || std::isinf(x)) return x;
    int exponent = 0;
    const double m = std::frexp(static_cast<double>(x), &exponent);  // [1/2, 1)
    return static_cast<float>(std::ldexp(std::nearbyint(std::ldexp(m, 8)), exponent - 8));
}

std::vector<float> random_values(std::size_t n, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<float> v(n);
    for (float& x : v) x = static_cast<float>(random() >> 8) * (2.0f / 16777216.0f) - 1.0f;
    return v;
}

using sizes = std::initializer_list<std::size_t>;

/// The ways to multiply that this processor has.
std::vector<const detail::gemm_kernels*> ways() {
    std::vector<const detail::gemm_kernels*> all{&detail::get_gemm_bf16_kernels(false)};
    if (simd::has_bf16()) all.push_back(&detail::get_gemm_bf16_kernels(true));
    return all;
}

void check_product(std::size_t m, std::size_t n, std::size_t k, bool transpose_a, bool transpose_b, unsigned seed) {
    CAPTURE(m);
    CAPTURE(n);
    CAPTURE(k);
    const auto a = random_values(m * k, seed), b = random_values(k * n, seed + 1), bias = random_values(n, seed + 2);
    const auto S = [](std::size_t x) { return static_cast<std::int64_t>(x); };
    const matrix_argument left = transpose_a ? matrix_argument{a.data(), 1, S(m)} : matrix_argument{a.data(), S(k), 1};
    const matrix_argument right = transpose_b ? matrix_argument{b.data(), 1, S(k)} : matrix_argument{b.data(), S(n), 1};
    gemm_epilogue e;
    e.column_bias = bias.data();
    e.function = activation::relu;
    std::vector<std::uint32_t> packed(static_cast<std::size_t>(gemm_bf16_packed_b_size(S(n), S(k))));
    gemm_bf16_pack_b(S(n), S(k), right, packed.data());
    for (const detail::gemm_kernels* way : ways()) {
        const std::size_t ldc = n + 3;
        std::vector<float> c(m * ldc, 77.0f);
        detail::gemm_bf16_by(*way, S(m), S(n), S(k), left, packed.data(), c.data(), S(ldc), e);
        double worst = 0;
        for (std::size_t i = 0; i < m; ++i) {
            for (std::size_t j = 0; j < n; ++j) {
                double s = 0, size = 1;
                for (std::size_t p = 0; p < k; ++p) {
                    const double term = static_cast<double>(rounded_bf16(transpose_a ? a[p * m + i] : a[i * k + p])) *
                                        static_cast<double>(rounded_bf16(transpose_b ? b[j * k + p] : b[p * n + j]));
                    s += term;
                    size += std::abs(term);
                }
                worst = std::max(worst, std::abs(static_cast<double>(c[i * ldc + j]) - std::max(0.0, s + static_cast<double>(bias[j]))) / size);
            }
            for (std::size_t j = n; j < ldc; ++j) REQUIRE(c[i * ldc + j] == 77.0f);  // nothing is written beside the result
        }
        CHECK(worst < 1e-6);
    }
}

}  // namespace

TEST_CASE("products of bfloat16 agree with sums in double of rounded elements, by every way to multiply") {
    unsigned seed = 1;
    for (const std::size_t m : sizes{1, 5, 8, 9, 29})
        for (const std::size_t n : sizes{1, 16, 47, 100})
            for (const std::size_t k : sizes{1, 2, 15, 33, 64, 301}) check_product(m, n, k, (m + n + k) % 3 == 0, (m + k) % 2 == 0, seed += 7);
    check_product(70, 130, 1100, false, true, 3);
}

TEST_CASE("elements are rounded to nearest, ties to even, and NaN and infinity stay what they are") {
    const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> from{1.00390625f, 1.01171875f, std::nextafter(1.00390625f, 2.0f), -1.00390625f, 3.4e38f, inf, -inf, 0.0f, -0.0f, 1e-40f};
    std::vector<std::uint16_t> to(from.size() + 1);
    from.push_back(nan);
    detail::get_gemm_kernels().round_bf16(static_cast<std::int64_t>(from.size()), from.data(), to.data());
    const std::vector<std::uint16_t> expected{0x3f80, 0x3f82, 0x3f81, 0xbf80, 0x7f80, 0x7f80, 0xff80, 0, 0x8000, 0x0001};
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(to[i] == expected[i]);
    for (const detail::gemm_kernels* way : ways()) {
        std::vector<std::uint16_t> by_way(to.size());
        way->round_bf16(static_cast<std::int64_t>(from.size()), from.data(), by_way.data());
        by_way[9] = to[9];  // the instruction has no number below the normal ones
        CHECK(by_way == to);
    }
    CHECK((to.back() & 0x7f80) == 0x7f80);
    CHECK((to.back() & 0x7f) != 0);
    // A signalling NaN whose payload lies in the lower half alone.
    const std::uint32_t bits = 0x7f800001u;
    float low;
    std::memcpy(&low, &bits, sizeof low);
    std::uint16_t one = 0;
    detail::get_gemm_kernels().round_bf16(1, &low, &one);
    CHECK((one & 0x7f) != 0);
}

TEST_CASE("a right side packed on the way gives the same bits, and packed weights take half the memory of floats") {
    const auto a = random_values(20 * 33, 1), b = random_values(33 * 50, 2);
    std::vector<std::uint32_t> packed(static_cast<std::size_t>(gemm_bf16_packed_b_size(50, 33)));
    std::vector<float> before(20 * 50), on_the_way(20 * 50);
    gemm_bf16_pack_b(50, 33, {b.data(), 50, 1}, packed.data());
    gemm_bf16(20, 50, 33, {a.data(), 33, 1}, packed.data(), before.data(), 50);
    gemm_bf16(20, 50, 33, {a.data(), 33, 1}, {b.data(), 50, 1}, on_the_way.data(), 50);
    CHECK(before == on_the_way);
    CHECK(2 * gemm_bf16_packed_b_size(50, 64) == gemm_packed_b_size(50, 64));
}

TEST_CASE("no depth gives the epilogue of zero, of no rows or columns nothing") {
    std::vector<float> c(6, 5.0f);
    const std::vector<float> bias{1, 2, 3};
    gemm_epilogue e;
    e.column_bias = bias.data();
    gemm_bf16(2, 3, 0, {nullptr, 0, 1}, nullptr, c.data(), 3, e);
    CHECK(c == std::vector<float>{1, 2, 3, 1, 2, 3});
    gemm_bf16(0, 3, 4, {nullptr, 4, 1}, nullptr, nullptr, 3, e);
    gemm_bf16(2, 0, 4, {nullptr, 4, 1}, nullptr, nullptr, 3, e);
}
