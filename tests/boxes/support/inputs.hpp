#pragma once

// Boxes to test with, from a small generator of our own.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ocelli_test {

/// splitmix64: the same numbers on every platform.
class random_source {
public:
    explicit random_source(std::uint64_t seed) : state_(seed) {}
    std::uint64_t bits() {
        std::uint64_t z = state_ += 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
    /// In [0, 1), 24 bits.
    double uniform() { return static_cast<double>(bits() >> 40) / 16777216.0; }
    double uniform(double low, double high) { return low + (high - low) * uniform(); }
    std::size_t below(std::size_t n) { return static_cast<std::size_t>(bits() % n); }

private:
    std::uint64_t state_;
};

/// Flat rows of four.
template <class T>
std::vector<T> random_boxes(std::size_t n, std::uint64_t seed, double extent = 1000, double smallest = 10, double largest = 100) {
    random_source random(seed);
    std::vector<T> out(4 * n);
    for (std::size_t i = 0; i < n; ++i) {
        out[4 * i] = static_cast<T>(random.uniform(0, extent));
        out[4 * i + 1] = static_cast<T>(random.uniform(0, extent));
        out[4 * i + 2] = static_cast<T>(static_cast<double>(out[4 * i]) + random.uniform(smallest, largest));
        out[4 * i + 3] = static_cast<T>(static_cast<double>(out[4 * i + 1]) + random.uniform(smallest, largest));
    }
    return out;
}

/// `objects` boxes, each repeated with a jitter of a tenth of its size.
template <class T>
std::vector<T> clustered_boxes(std::size_t n, std::size_t objects, std::uint64_t seed, double extent = 1000) {
    const std::vector<T> base = random_boxes<T>(objects, seed, extent);
    random_source random(seed + 1);
    std::vector<T> out(4 * n);
    for (std::size_t i = 0; i < n; ++i) {
        const T* b = base.data() + 4 * (i % objects);
        for (std::size_t k = 0; k < 4; ++k)
            out[4 * i + k] = static_cast<T>(static_cast<double>(b[k]) +
                                            random.uniform(-0.1, 0.1) * static_cast<double>(b[2 + k % 2] - b[k % 2]));
    }
    return out;
}

template <class T>
std::vector<T> random_scores(std::size_t n, std::uint64_t seed, std::size_t steps = 0) {
    random_source random(seed);
    std::vector<T> out(n);
    for (T& s : out)
        s = steps == 0 ? static_cast<T>(random.uniform()) : static_cast<T>(random.below(steps)) / static_cast<T>(steps);
    return out;
}

}  // namespace ocelli_test
