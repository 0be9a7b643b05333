#pragma once

// Inputs that every peer's program can make alike, bit for bit.
//
// Draw i of the stream with seed s is the splitmix64 output for the counter s + (i + 1) * 0x9E3779B97F4A7C15; its upper 24 bits, scaled to
// [0, 1), are the uniform number. Boxes take four draws each: a corner in [0, 1000)^2, sides in [10, 100). With clusters = m, the first m
// boxes are repeated in turn and each coordinate moves by up to 5 % of its box's side, by the stream of the next seed. All arithmetic is
// in float, so the Python side (tools/benchmarks/inputs.py) gives the same bits.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ocelli_benchmark {

inline float draw(std::uint64_t seed, std::uint64_t i) {
    std::uint64_t z = seed + (i + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return static_cast<float>(z >> 40) * 0x1p-24f;
}

inline std::vector<float> boxes(std::size_t n, std::uint64_t seed, std::size_t clusters = 0) {
    const std::size_t bases = clusters == 0 ? n : clusters;
    std::vector<float> base(4 * bases);
    for (std::size_t i = 0; i < bases; ++i) {
        float* b = base.data() + 4 * i;
        for (std::size_t k = 0; k < 2; ++k) {
            volatile float side = 90.0f * draw(seed, 4 * i + 2 + k);  // volatile: rounded before the sum, whatever the flags
            side = 10.0f + side;
            volatile float corner = 1000.0f * draw(seed, 4 * i + k);
            b[k] = corner;
            b[2 + k] = corner + side;
        }
    }
    if (clusters == 0) return base;
    std::vector<float> out(4 * n);
    for (std::size_t i = 0; i < n; ++i) {
        const float* b = base.data() + 4 * (i % bases);
        for (std::size_t k = 0; k < 4; ++k) {
            const float side = b[2 + k % 2] - b[k % 2];
            volatile float jitter = draw(seed + 1, 4 * i + k) - 0.5f;
            jitter = 0.1f * jitter;
            jitter = jitter * side;
            out[4 * i + k] = b[k] + jitter;
        }
    }
    return out;
}

inline std::vector<float> scores(std::size_t n, std::uint64_t seed) {
    std::vector<float> out(n);
    for (std::size_t i = 0; i < n; ++i) out[i] = draw(seed, i);
    return out;
}

}  // namespace ocelli_benchmark
