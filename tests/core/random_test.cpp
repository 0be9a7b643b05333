#include <ocelli/core/random.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <vector>

TEST_CASE("random_sequence gives the published numbers of SplitMix64, and every value below n equally often") {
    ocelli::detail::random_sequence random(1234567);
    CHECK(random.next() == 6457827717110365317u);
    CHECK(random.next() == 3203168211198807973u);
    std::vector<int> counts(6);
    for (int i = 0; i < 60000; ++i) ++counts[random.below(6)];
    for (const int c : counts) CHECK(std::abs(c - 10000) < 400);
    double sum = 0;
    for (int i = 0; i < 10000; ++i) sum += random.unit();
    CHECK(std::abs(sum / 10000 - 0.5) < 0.02);
}
