#pragma once

/// @file
/// A small generator of random numbers whose sequence is the same on every machine and compiler.

#include <cstdint>

namespace ocelli::detail {

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators"). Not for secrets.
class random_sequence {
public:
    explicit constexpr random_sequence(std::uint64_t seed) noexcept : state_(seed) {}

    constexpr std::uint64_t next() noexcept {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }

    /// An integer in [0, n), each equally likely; n is at least 1.
    constexpr std::uint64_t below(std::uint64_t n) noexcept {
        const std::uint64_t rest = (0 - n) % n; // 2^64 mod n: the values below it would favour small results
        std::uint64_t x = next();
        while (x < rest) x = next();
        return x % n;
    }

    /// A number in [0, 1), a multiple of 2^-53.
    constexpr double unit() noexcept { return static_cast<double>(next() >> 11) * 0x1p-53; }

private:
    std::uint64_t state_;
};

} // namespace ocelli::detail
