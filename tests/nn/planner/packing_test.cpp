#include <ocelli/nn/planner/packing.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

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

#if OCELLI_HAS_FILE_MAPPING
TEST_CASE("weights in a mapped file are packed from there, at any address, and stay as they are") {
    const auto path = std::filesystem::temp_directory_path() / ("ocelli_packing_test_" + std::to_string(std::rand()));
    constexpr std::int64_t count = 300000;
    {
        std::ofstream file(path, std::ios::binary);
        file.put('x');
        for (std::int64_t i = 0; i < count; ++i) {
            const auto v = static_cast<float>(i);
            file.write(reinterpret_cast<const char*>(&v), sizeof v);
        }
    }
    const auto mapping = std::make_shared<const ocelli::detail::file_mapping>(path.string());
    const tensor w = tensor::borrow(dtype::float32, {count}, mapping->bytes().data() + 1, mapping);
    weight_cache cache;
    cache.expect(w.bytes());
    const tensor packed = cache.get(w, "a", [&] { return w.clone(); });
    CHECK(packed.data<float>()[0] == 0.f);
    CHECK(packed.data<float>()[count - 1] == static_cast<float>(count - 1));
    CHECK(w.data<float>()[count / 2] == static_cast<float>(count / 2));
    std::filesystem::remove(path);
}
#endif

TEST_CASE("what is packed stands side by side") {
    weight_cache cache;
    cache.expect(5000000);
    const tensor w = tensor::zeros(dtype::float32, {1000});
    const tensor first = cache.get(w, "a", [&] { return w.clone(); }), second = cache.get(w, "b", [&] { return w.clone(); });
    if (ocelli::nn::detail::pools_memory) CHECK(static_cast<const char*>(second.raw()) == static_cast<const char*>(first.raw()) + 4032);
}
