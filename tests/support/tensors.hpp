#pragma once

// Tensors of several tests: random ones, and how far two are apart.

#include <ocelli/nn/tensor.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace ocelli_test {

/// Uniform numbers in [-1, 1).
inline ocelli::nn::tensor random_tensor(ocelli::nn::dims shape, unsigned seed) {
    std::mt19937 random(seed);
    ocelli::nn::tensor t(ocelli::nn::dtype::float32, std::move(shape));
    for (std::int64_t i = 0; i < t.size(); ++i) t.mutable_data<float>()[i] = static_cast<float>(random() >> 8) * (2.0f / 16777216.0f) - 1.0f;
    return t;
}

/// Whole numbers from `low` to `high`, by a generator that outlives them.
inline auto whole_numbers(std::mt19937& random) {
    return [&random](std::int64_t low, std::int64_t high) { return low + static_cast<std::int64_t>(random() % static_cast<unsigned>(high - low + 1)); };
}

inline std::vector<float> floats_of(const ocelli::nn::tensor& t) {
    return {t.data<float>(), t.data<float>() + t.size()};
}

/// The largest absolute difference of two float32 tensors of the same shape.
inline double difference(const ocelli::nn::tensor& a, const ocelli::nn::tensor& b) {
    REQUIRE(a.shape() == b.shape());
    double worst = 0;
    for (std::int64_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(static_cast<double>(a.data<float>()[i]) - static_cast<double>(b.data<float>()[i])));
    return worst;
}

}  // namespace ocelli_test
