// ctest: per_isa
#include "core/simd/vec_tables.hpp"

#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/simd/dispatch.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#define OCELLI_KERNEL_FILE "core/simd/vec_test.kernel.hpp"
#include <ocelli/core/simd/for_each_target.hpp>

using namespace ocelli;

namespace {

const detail::vec_test_table& table() {
    static const detail::vec_test_table chosen = OCELLI_CHOOSE(make_vec_test_table);
    return chosen;
}

/// The table's functions of one scalar type.
template <class T>
struct functions {
    static constexpr bool single = sizeof(T) == 4;
    static auto pick(auto f32, auto f64) {
        if constexpr (single) {
            return f32;
        } else {
            return f64;
        }
    }
    static std::size_t lanes() { return static_cast<std::size_t>(single ? table().lanes_f32 : table().lanes_f64); }
    static auto copy() { return pick(table().copy_f32, table().copy_f64); }
    static auto larger() { return pick(table().larger_f32, table().larger_f64); }
    static auto smaller() { return pick(table().smaller_f32, table().smaller_f64); }
    static auto product_minus() { return pick(table().product_minus_f32, table().product_minus_f64); }
    static auto scalar_product_minus() { return pick(table().scalar_product_minus_f32, table().scalar_product_minus_f64); }
    static auto first() { return pick(table().first_f32, table().first_f64); }
    static auto store_first() { return pick(table().store_first_f32, table().store_first_f64); }
    static auto broadcast() { return pick(table().broadcast_f32, table().broadcast_f64); }
    static auto mask() { return pick(table().mask_f32, table().mask_f64); }
    static auto greater() { return pick(table().greater_f32, table().greater_f64); }
    static auto sum() { return pick(table().sum_f32, table().sum_f64); }
    static auto max_lane() { return pick(table().max_lane_f32, table().max_lane_f64); }
};

}  // namespace

TEST_CASE("the table of the active set is chosen, and its vectors have that set's width") {
    int level = 0;
#if defined(OCELLI_BASELINE_AVX512)
    level = 2;
#elif defined(OCELLI_BASELINE_AVX2)
    level = 1;
#endif
    const int active = simd::active() == simd::isa::avx512 ? 2 : simd::active() == simd::isa::avx2 ? 1 : 0;
    if (active > level) level = active;
    CHECK(table().level == level);
    const int bytes = 16 << level;
    CHECK(table().lanes_f32 == bytes / 4);
    CHECK(table().lanes_f64 == bytes / 8);
    CHECK(table().lanes_i32 == bytes / 4);
    CHECK(table().lanes_i64 == bytes / 8);
}

TEST_CASE_TEMPLATE("loads and stores take any address and touch one vector", T, float, double) {
    using f = functions<T>;
    const std::size_t n = f::lanes();
    std::vector<T> from(3 * n), to(3 * n, T(-1));
    for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<T>(i);
    for (std::size_t start = 0; start < n; ++start) {
        std::fill(to.begin(), to.end(), T(-1));
        f::copy()(from.data() + start, to.data() + start + 1);
        for (std::size_t i = 0; i < to.size(); ++i)
            CHECK(to[i] == (i > start && i <= start + n ? static_cast<T>(i - 1) : T(-1)));
    }
}

TEST_CASE_TEMPLATE("partial loads fill with 0, partial stores leave the rest alone", T, float, double) {
    using f = functions<T>;
    const std::size_t n = f::lanes();
    std::vector<T> from(n), to(n);
    for (std::size_t i = 0; i < n; ++i) from[i] = static_cast<T>(i + 1);
    for (std::size_t count = 0; count <= n; ++count) {
        f::first()(from.data(), static_cast<int>(count), to.data());
        for (std::size_t i = 0; i < n; ++i) CHECK(to[i] == (i < count ? from[i] : T(0)));
        std::fill(to.begin(), to.end(), T(-3));
        f::store_first()(from.data(), static_cast<int>(count), to.data());
        for (std::size_t i = 0; i < n; ++i) CHECK(to[i] == (i < count ? from[i] : T(-3)));
    }
}

TEST_CASE_TEMPLATE("broadcast keeps every bit", T, float, double) {
    using f = functions<T>;
    std::vector<T> out(f::lanes());
    for (const T x : {T(1.5), -T(0), T(0), std::numeric_limits<T>::infinity(), std::numeric_limits<T>::denorm_min()}) {
        f::broadcast()(x, out.data());
        for (const T v : out) CHECK(std::memcmp(&v, &x, sizeof(T)) == 0);
    }
}

TEST_CASE_TEMPLATE("max and min give their second argument for NaN and equal zeros", T, float, double) {
    using f = functions<T>;
    const std::size_t n = f::lanes();
    const T nan = std::numeric_limits<T>::quiet_NaN();
    const T pairs[][2] = {{T(1), T(2)}, {T(2), T(1)}, {nan, T(5)}, {T(5), nan}, {-T(0), T(0)}, {T(0), -T(0)}};
    for (const auto& p : pairs) {
        std::vector<T> a(n, p[0]), b(n, p[1]), high(n), low(n);
        f::larger()(a.data(), b.data(), high.data());
        f::smaller()(a.data(), b.data(), low.data());
        const bool ordered = !detail::is_nan(p[0]) && !detail::is_nan(p[1]);
        const T expected_high = ordered && p[0] > p[1] ? p[0] : p[1], expected_low = ordered && p[0] < p[1] ? p[0] : p[1];
        for (std::size_t i = 0; i < n; ++i) {
            CHECK(std::memcmp(&high[i], &expected_high, sizeof(T)) == 0);
            CHECK(std::memcmp(&low[i], &expected_low, sizeof(T)) == 0);
        }
    }
}

TEST_CASE_TEMPLATE("rounded() keeps products out of FMAs", T, float, double) {
    using f = functions<T>;
    const std::size_t n = f::lanes();
    // (1 + e)^2 = 1 + 2e + e^2: the last term is lost in a product, kept in an FMA.
    const T x = T(1) + std::numeric_limits<T>::epsilon();
    const volatile T kept = x * x;  // in memory, so that no compiler fuses it here
    const T square = kept;
    std::vector<T> a(n, x), c(n, square), out(n);
    f::product_minus()(a.data(), a.data(), c.data(), out.data());
    for (const T v : out) CHECK(v == T(0));
    CHECK(f::scalar_product_minus()(x, x, square) == T(0));
    CHECK(std::fma(x, x, -square) != T(0));
}

TEST_CASE_TEMPLATE("masks have one bit per lane, lane 0 lowest, none for NaN", T, float, double) {
    using f = functions<T>;
    const std::size_t n = f::lanes();
    const unsigned all = static_cast<unsigned>((std::uint64_t{1} << n) - 1);
    std::vector<T> low(n, T(1)), high(n, T(2)), nan(n, std::numeric_limits<T>::quiet_NaN());
    CHECK(f::mask()(low.data(), high.data()) == all);
    CHECK(f::mask()(high.data(), low.data()) == 0);
    CHECK(f::mask()(low.data(), nan.data()) == 0);
    CHECK(f::greater()(high.data(), low.data()) == all);
    CHECK(f::greater()(low.data(), low.data()) == 0);
    CHECK(f::greater()(nan.data(), low.data()) == 0);
    CHECK(f::greater()(low.data(), nan.data()) == 0);
    for (std::size_t i = 0; i < n; ++i) {
        std::vector<T> one(n, T(1));
        one[i] = T(3);
        CHECK(f::greater()(one.data(), high.data()) == 1u << i);
        CHECK(f::mask()(high.data(), one.data()) == 1u << i);
    }
}

TEST_CASE_TEMPLATE("sum_lanes adds every lane once", T, float, double) {
    using f = functions<T>;
    std::vector<T> a(f::lanes());
    T expected = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        a[i] = static_cast<T>(1u << i);
        expected += a[i];
    }
    CHECK(f::sum()(a.data()) == expected);
}

TEST_CASE_TEMPLATE("max_lane finds the largest in any lane", T, float, double) {
    using f = functions<T>;
    std::vector<T> a(f::lanes(), T(-3));
    for (std::size_t i = 0; i < a.size(); ++i) {
        a[i] = T(-1);
        CHECK(f::max_lane()(a.data()) == T(-1));
        a[i] = T(-3);
    }
}

TEST_CASE("iota counts from 0") {
    float f[16];
    long long i[8];
    table().iota_f32(f);
    table().iota_i64(i);
    for (int k = 0; k < table().lanes_f32; ++k) CHECK(f[k] == static_cast<float>(k));
    for (int k = 0; k < table().lanes_i64; ++k) CHECK(i[k] == k);
}
