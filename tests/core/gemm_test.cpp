// ctest: per_isa
#include <ocelli/core/gemm.hpp>
#include <ocelli/core/parallel.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

using namespace ocelli;

namespace {

std::vector<float> random_values(std::size_t n, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<float> v(n);
    for (float& x : v) x = static_cast<float>(random() >> 8) * (2.0f / 16777216.0f) - 1.0f;
    return v;
}

double reference_activation(double x, const gemm_epilogue& e, std::size_t row) {
    switch (e.function) {
    case activation::relu: return std::max(x, 0.0);
    case activation::clip: return std::min(std::max(x, static_cast<double>(e.alpha)), static_cast<double>(e.beta));
    case activation::leaky_relu: return x < 0 ? x * static_cast<double>(e.alpha) : x;
    case activation::prelu: return x < 0 ? x * static_cast<double>(e.row_slope[row]) : x;
    case activation::hard_sigmoid: return std::min(std::max(x * static_cast<double>(e.alpha) + static_cast<double>(e.beta), 0.0), 1.0);
    case activation::hard_swish: return x * std::min(std::max(x / 6 + 0.5, 0.0), 1.0);
    case activation::sigmoid: return 1 / (1 + std::exp(-x));
    case activation::silu: return x / (1 + std::exp(-x));
    case activation::gelu: return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    default: return x;
    }
}

void check_product(std::size_t m, std::size_t n, std::size_t k, bool transpose_a, bool transpose_b, gemm_epilogue e, bool row_bias, bool column_bias,
                   bool addend, unsigned seed) {
    CAPTURE(m);
    CAPTURE(n);
    CAPTURE(k);
    const auto a = random_values(m * k, seed), b = random_values(k * n, seed + 1);
    const auto rb = random_values(m, seed + 2), cb = random_values(n, seed + 3), add = random_values(m * n, seed + 4), slope = random_values(m, seed + 5);
    const auto S = [](std::size_t x) { return static_cast<std::int64_t>(x); };
    if (row_bias) e.row_bias = rb.data();
    if (column_bias) e.column_bias = cb.data();
    if (addend) {
        e.addend = add.data();
        e.addend_stride = S(n);
    }
    e.row_slope = slope.data();
    const std::size_t ldc = n + 3;
    std::vector<float> c(m * ldc, 77.0f);
    gemm(S(m), S(n), S(k), transpose_a ? matrix_argument{a.data(), 1, S(m)} : matrix_argument{a.data(), S(k), 1},
         transpose_b ? matrix_argument{b.data(), 1, S(k)} : matrix_argument{b.data(), S(n), 1}, c.data(), S(ldc), e);
    // With the right side packed beforehand: the same sums.
    std::vector<float> packed(static_cast<std::size_t>(gemm_packed_b_size(S(n), S(k)))), again(m * ldc, 77.0f);
    gemm_pack_b(S(n), S(k), transpose_b ? matrix_argument{b.data(), 1, S(k)} : matrix_argument{b.data(), S(n), 1}, packed.data());
    gemm_packed_b(S(m), S(n), S(k), transpose_a ? matrix_argument{a.data(), 1, S(m)} : matrix_argument{a.data(), S(k), 1}, packed.data(), again.data(), S(ldc), e);
    double worst = 0;
    for (std::size_t i = 0; i < c.size(); ++i) worst = std::max(worst, static_cast<double>(std::abs(again[i] - c[i])) / (2.0 + static_cast<double>(k)));
    for (std::size_t i = 0; i < m; ++i) {
        for (std::size_t j = 0; j < n; ++j) {
            double s = 0, size = 1;
            for (std::size_t p = 0; p < k; ++p) {
                const double term = static_cast<double>(transpose_a ? a[p * m + i] : a[i * k + p]) * static_cast<double>(transpose_b ? b[j * k + p] : b[p * n + j]);
                s += term;
                size += std::abs(term);
            }
            if (row_bias) s += static_cast<double>(rb[i]);
            if (column_bias) s += static_cast<double>(cb[j]);
            if (addend) s += static_cast<double>(add[i * n + j]);
            const double expected = reference_activation(s, e, i);
            worst = std::max(worst, std::abs(static_cast<double>(c[i * ldc + j]) - expected) / size);
        }
        for (std::size_t j = n; j < ldc; ++j) REQUIRE(c[i * ldc + j] == 77.0f);  // nothing is written beside the result
    }
    CHECK(worst < 1e-6);
}

}  // namespace

TEST_CASE("gemm agrees with sums in double for odd sizes, transposed sides and every epilogue") {
    std::mt19937 random(7);
    const activation functions[] = {activation::none,         activation::relu,       activation::clip,    activation::leaky_relu, activation::prelu,
                                    activation::hard_sigmoid, activation::hard_swish, activation::sigmoid, activation::silu,       activation::gelu};
    for (unsigned i = 0; i < 120; ++i) {
        gemm_epilogue e;
        e.function = functions[i % 10];
        e.alpha = 0.2f;
        e.beta = 0.6f;
        check_product(1 + random() % 40, 1 + random() % 130, random() % 70, (i & 1) != 0, (i & 2) != 0, e, (i & 4) != 0, (i & 8) != 0, (i & 16) != 0, 100 * i);
    }
    check_product(70, 300, 600, false, false, {}, true, false, true, 1);  // several blocks of depth
    check_product(1, 500, 777, false, true, {}, false, true, false, 2);   // dot products
    check_product(300, 20, 700, false, false, {}, false, true, false, 3); // rows cut into tasks
    check_product(150, 230, 1100, false, true, {}, false, true, false, 4);  // rows and depth beyond what a cache holds
    for (const bool bias : {false, true}) check_product(45, 170, 1100, false, false, {}, false, bias, true, 5);  // whole tiles and edges of sums in parts
}

TEST_CASE("the right side may lie at any address, as a file has it") {
    std::mt19937 random(3);
    std::uniform_real_distribution<float> number(-1, 1);
    for (const bool transposed : {false, true})
        for (const std::int64_t m : {std::int64_t{1}, std::int64_t{9}}) {
            const std::int64_t n = 101, k = 37;
            std::vector<float> a(static_cast<std::size_t>(m * k)), b(static_cast<std::size_t>(n * k)), c(static_cast<std::size_t>(m * n)), d = c;
            for (float& x : a) x = number(random);
            for (float& x : b) x = number(random);
            std::vector<std::byte> file(b.size() * sizeof(float) + 1);
            std::memcpy(file.data() + 1, b.data(), b.size() * sizeof(float));
            const auto right = [&](const void* at) {
                const auto* data = static_cast<const float*>(at);
                return transposed ? matrix_argument{data, 1, k} : matrix_argument{data, n, 1};
            };
            gemm(m, n, k, {a.data(), k, 1}, right(b.data()), c.data(), n);
            gemm(m, n, k, {a.data(), k, 1}, right(file.data() + 1), d.data(), n);
            CHECK(std::memcmp(c.data(), d.data(), c.size() * sizeof(float)) == 0);
            std::vector<float> one(static_cast<std::size_t>(gemm_packed_b_size(n, k)), 1.0f), other(one.size(), 2.0f);
            gemm_pack_b(n, k, right(b.data()), one.data());
            gemm_pack_b(n, k, right(file.data() + 1), other.data());
            CHECK(std::memcmp(one.data(), other.data(), one.size() * sizeof(float)) == 0);
        }
}

TEST_CASE("gemm of no depth gives the epilogue of zero, of no rows or columns nothing") {
    const float bias[] = {1.0f, -2.0f};
    gemm_epilogue e;
    e.row_bias = bias;
    e.function = activation::relu;
    float c[4] = {9, 9, 9, 9};
    gemm(2, 2, 0, {nullptr, 0, 1}, {nullptr, 2, 1}, c, 2, e);
    CHECK(c[0] == 1.0f);
    CHECK(c[3] == 0.0f);
    gemm(0, 2, 3, {}, {}, c, 2);
    gemm(2, 0, 3, {}, {}, c, 2);
    CHECK(c[1] == 1.0f);
}

TEST_CASE("NaN passes through products and activations, infinity through relu") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float a[] = {nan, 1.0f, 1.0f, -1.0f};
    const float b[] = {1.0f, std::numeric_limits<float>::infinity()};
    for (const activation f : {activation::none, activation::relu, activation::clip, activation::hard_swish, activation::sigmoid, activation::silu, activation::gelu}) {
        gemm_epilogue e;
        e.function = f;
        e.beta = 6.0f;
        float c[4];
        gemm(4, 1, 1, {a, 1, 1}, {b, 1, 1}, c, 1, e);
        CHECK(std::isnan(c[0]));
        CHECK_FALSE(std::isnan(c[1]));
    }
    gemm_epilogue relu;
    relu.function = activation::relu;
    float c[4];
    gemm(4, 1, 1, {a, 1, 1}, {b + 1, 1, 1}, c, 1, relu);
    CHECK(std::isinf(c[1]));
    CHECK(c[3] == 0.0f);
}

TEST_CASE("an epilogue gives an element the same bits wherever it stands in a tile") {
    const std::int64_t rows = 7, columns = 5 * 16 + 3, ldc = columns + 2;
    const auto x = random_values(static_cast<std::size_t>(rows * ldc), 5), bias = random_values(static_cast<std::size_t>(columns), 6);
    for (const bool biased : {false, true})
        for (const activation f : {activation::none, activation::hard_swish, activation::silu, activation::gelu}) {
            gemm_epilogue e;
            e.function = f;
            e.column_bias = biased ? bias.data() : nullptr;
            auto whole = x, single = x;
            for (std::size_t i = 0; i < x.size(); ++i) whole[i] = single[i] = 12 * x[i];
            const auto finish = detail::get_gemm_kernels().finish;
            finish(rows, columns, whole.data(), ldc, &e, 0, 0);
            for (std::int64_t i = 0; i < rows; ++i)
                for (std::int64_t j = 0; j < columns; ++j) finish(1, 1, single.data() + i * ldc + j, ldc, &e, i, j);
            CAPTURE(static_cast<int>(f));
            CHECK(std::memcmp(whole.data(), single.data(), whole.size() * sizeof(float)) == 0);
        }
}

TEST_CASE("sigmoid, SiLU and GELU are right from one end of the numbers to the other") {
    std::vector<float> x;
    for (int i = -3000; i <= 3000; ++i) x.push_back(static_cast<float>(i) * 0.0371f);
    const bool fuses = detail::get_gemm_kernels().lanes > 4;
    for (const activation f : {activation::sigmoid, activation::silu, activation::gelu}) {
        gemm_epilogue e;
        e.function = f;
        auto y = x;
        detail::get_gemm_kernels().finish(1, static_cast<std::int64_t>(y.size()), y.data(), 0, &e, 0, 0);
        double worst = 0;
        for (std::size_t i = 0; i < x.size(); ++i) {
            const double expected = reference_activation(static_cast<double>(x[i]), e, 0);
            // Below exp(-87) the exponential is held.
            const double size = std::max(std::abs(expected), f == activation::gelu ? 0.1 : x[i] < -86.0f ? 1e-29 : 0.0);
            worst = std::max(worst, std::abs(static_cast<double>(y[i]) - expected) / size);
        }
        CAPTURE(static_cast<int>(f));
        CHECK(worst <= (f == activation::gelu ? 6e-7 : fuses ? 1.4e-6 : 8e-6));
    }
}

TEST_CASE("GELU keeps its digits on the left, where one less the distribution would lose them") {
    std::vector<float> x;
    for (int i = 1; i < 40000; ++i) x.push_back(static_cast<float>(i) * (-5.66f / 40000));
    gemm_epilogue e;
    e.function = activation::gelu;
    auto y = x;
    detail::get_gemm_kernels().finish(1, static_cast<std::int64_t>(y.size()), y.data(), 0, &e, 0, 0);
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double expected = reference_activation(static_cast<double>(x[i]), e, 0);
        worst = std::max(worst, std::abs(static_cast<double>(y[i]) / expected - 1));
    }
    CHECK(worst < (detail::get_gemm_kernels().lanes > 4 ? 6e-6 : 2e-5));
}

TEST_CASE("gemm gives the same bits for any number of threads") {
    const std::int64_t m = 130, n = 333, k = 517;
    const auto a = random_values(static_cast<std::size_t>(m * k), 1), b = random_values(static_cast<std::size_t>(k * n), 2);
    std::vector<float> one(static_cast<std::size_t>(m * n)), many(one.size());
    {
        const thread_limit limit(1);
        gemm(m, n, k, {a.data(), k, 1}, {b.data(), n, 1}, one.data(), n);
    }
    set_num_threads(4);
    gemm(m, n, k, {a.data(), k, 1}, {b.data(), n, 1}, many.data(), n);
    set_num_threads(0);
    CHECK(one == many);
}
