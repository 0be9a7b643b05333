#include <ocelli/nn/planner/packing.hpp>

#include <doctest/doctest.h>

using namespace ocelli::nn;

TEST_CASE("weights are packed once for each initializer and format") {
    weight_cache cache;
    const tensor w = tensor::from<float>({2}, {1.f, 2.f}), other = w.clone();
    int packed = 0;
    const auto pack = [&] {
        ++packed;
        return tensor(dtype::float32, {4});
    };
    const tensor first = cache.get(w, "a", pack);
    CHECK(cache.get(w, "a", pack).raw() == first.raw());
    CHECK(packed == 1);
    cache.get(w, "b", pack);
    cache.get(other, "a", pack);
    CHECK(packed == 3);
    CHECK(cache.bytes() == 48);
}

TEST_CASE("weights that differ in their factors alone are packed apart") {
    weight_cache cache;
    const tensor w = tensor::from<float>({2}, {1.f, 2.f}), twice = tensor::scaled(w, {{2.f}, 1}), thrice = tensor::scaled(w, {{3.f}, 1});
    const auto first_of = [&](const tensor& t) { return cache.get(t, "a", [&] { return t.once().clone(); }).data<float>()[0]; };
    CHECK(first_of(w) == 1.f);
    CHECK(first_of(twice) == 2.f);
    CHECK(first_of(thrice) == 3.f);
    CHECK(first_of(twice) == 2.f);
}
