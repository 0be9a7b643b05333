#include <ocelli/core/argsort.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

using namespace ocelli::detail;

namespace {

template <class T>
void check_order(const std::vector<T>& values) {
    std::vector<std::uint32_t> expected(values.size()), order(values.size());
    std::iota(expected.begin(), expected.end(), 0u);
    std::stable_sort(expected.begin(), expected.end(), [&](std::uint32_t i, std::uint32_t j) { return values[i] > values[j]; });
    argsort_descending(values.data(), values.size(), order.data());
    CHECK(order == expected);
}

}  // namespace

TEST_CASE_TEMPLATE("argsort_descending orders as a stable sort does", T, float, double) {
    std::mt19937_64 random(7);
    for (const std::size_t n : std::initializer_list<std::size_t>{0, 1, 2, 47, 48, 49, 1000, 2047, 2048, 4095, 4096, 20000}) {
        std::vector<T> values(n);
        for (T& v : values) v = std::uniform_real_distribution<T>(0, 1)(random);
        check_order(values);
        for (T& v : values) v = std::uniform_real_distribution<T>(-1000, 1000)(random);
        check_order(values);
        for (T& v : values) v = static_cast<T>(random() % 5) - T(2);  // many ties
        check_order(values);
        for (T& v : values) v = std::exp(std::uniform_real_distribution<T>(-80, 80)(random));
        check_order(values);
        for (T& v : values) v = T(1) + static_cast<T>(random() % 512) * std::numeric_limits<T>::epsilon();  // low digits only
        check_order(values);
        if (n > 3) values[n / 2] = T(-1e30);  // and one outlier that hides them behind the upper digits
        check_order(values);
    }
}

TEST_CASE_TEMPLATE("argsort_descending treats both zeros alike and places infinities", T, float, double) {
    const T inf = std::numeric_limits<T>::infinity();
    const std::vector<T> values{T(0), -T(0), inf, T(0), -inf, -T(0), std::numeric_limits<T>::denorm_min()};
    std::vector<std::uint32_t> order(values.size());
    argsort_descending(values.data(), values.size(), order.data());
    CHECK(order == std::vector<std::uint32_t>{2, 6, 0, 1, 3, 5, 4});
}

TEST_CASE("radix_sort orders 64-bit integers through ascending_key") {
    std::vector<std::int64_t> values;
    std::mt19937_64 random(8);
    for (int i = 0; i < 3000; ++i) values.push_back(static_cast<std::int64_t>(random() >> (random() % 64)) * (i % 2 == 0 ? 1 : -1));
    std::vector<wide_item> items(values.size()), scratch(values.size());
    for (std::size_t i = 0; i < values.size(); ++i)
        items[i] = wide_item::make(ascending_key(values[i]), static_cast<std::uint32_t>(i));
    const wide_item* sorted = radix_sort(items.data(), scratch.data(), items.size());
    for (std::size_t i = 1; i < values.size(); ++i) {
        const std::int64_t before = values[sorted[i - 1].index()], now = values[sorted[i].index()];
        REQUIRE((before < now || (before == now && sorted[i - 1].index() < sorted[i].index())));
    }
}
