#pragma once

/// @file
/// Whole-number arithmetic for the scene generator: random numbers, sines and value noise that give the same bits with every
/// compiler, flag and processor (floating point does not: compilers fuse, reorder and round differently).

#include <cstdint>
#include <initializer_list>

namespace scenes::detail {

/// One step of SplitMix64 (Steele, Lea, Flood 2014): a well-mixed 64-bit hash of its argument.
constexpr std::uint64_t mix(std::uint64_t value) {
    value += 0x9E3779B97F4A7C15u;
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
    return value ^ (value >> 31);
}

/// A stream of random numbers.
class random_stream {
public:
    explicit constexpr random_stream(std::uint64_t seed) : state_(mix(seed)) {}

    constexpr std::uint64_t next() {
        state_ += 0x9E3779B97F4A7C15u;
        return mix(state_);
    }

    /// A whole number in [low, high], both included.
    constexpr std::int64_t between(std::int64_t low, std::int64_t high) {
        const auto span = static_cast<std::uint64_t>(high - low + 1);
        return low + static_cast<std::int64_t>((next() >> 32) * span >> 32);
    }

    /// True in `percent` of a hundred cases.
    constexpr bool chance(int percent) { return between(0, 99) < percent; }

private:
    std::uint64_t state_;
};

inline constexpr std::int64_t one_q16 = std::int64_t{1} << 16;
inline constexpr std::int64_t one_q30 = std::int64_t{1} << 30;

/// Sine with 30 fractional bits of an angle in 65536ths of a turn; wrong by less than 1e-7.
constexpr std::int64_t sine_q30(std::int64_t angle) {
    const std::int64_t turn = angle & 0xFFFF;
    const bool mirrored = (turn & 0x4000) != 0, negative = (turn & 0x8000) != 0;
    const std::int64_t quarter = mirrored ? 0x4000 - (turn & 0x3FFF) : turn & 0x3FFF;
    const std::int64_t x = (quarter * 1686629713) >> 14; // pi / 2 in 30 bits
    const std::int64_t square = (x * x) >> 30;
    std::int64_t series = one_q30; // Taylor's series by Horner's rule
    for (const int divisor : {156, 110, 72, 42, 20, 6}) series = one_q30 - ((square * series) >> 30) / divisor;
    const std::int64_t value = (x * series) >> 30;
    return negative ? -value : value;
}

constexpr std::int64_t cosine_q30(std::int64_t angle) {
    return sine_q30(angle + 0x4000);
}

/// Moves `start + speed * time` back and forth between 0 and `length`, like a ball between two walls.
constexpr std::int64_t bounce(std::int64_t start, std::int64_t speed, std::int64_t time, std::int64_t length) {
    std::int64_t place = (start + speed * time) % (2 * length);
    if (place < 0) place += 2 * length;
    return place <= length ? place : 2 * length - place;
}

/// Largest whole number not above a / b, for b > 0.
constexpr std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

/// A byte that depends on a lattice point.
constexpr std::int64_t lattice_byte(std::uint64_t seed, std::int64_t x, std::int64_t y) {
    const auto key = (static_cast<std::uint64_t>(x) << 32) ^ (static_cast<std::uint64_t>(y) & 0xFFFFFFFFu);
    return static_cast<std::int64_t>(mix(seed ^ key) >> 56);
}

/// Value noise in 0..255 at (x, y) with 16 fractional bits, for lattice cells of `cell` pixels: random bytes at the lattice
/// points, blended by 3t^2 - 2t^3.
constexpr std::int64_t value_noise(std::uint64_t seed, std::int64_t x, std::int64_t y, std::int64_t cell) {
    const std::int64_t size = cell * one_q16;
    const std::int64_t column = floor_divide(x, size), row = floor_divide(y, size);
    const std::int64_t tx = (x - column * size) / cell >> 6, ty = (y - row * size) / cell >> 6; // 10 fractional bits
    const std::int64_t sx = (tx * tx * (3 * 1024 - 2 * tx)) >> 20, sy = (ty * ty * (3 * 1024 - 2 * ty)) >> 20;
    const std::int64_t a = lattice_byte(seed, column, row), b = lattice_byte(seed, column + 1, row);
    const std::int64_t c = lattice_byte(seed, column, row + 1), d = lattice_byte(seed, column + 1, row + 1);
    const std::int64_t above = a * 1024 + (b - a) * sx, below = c * 1024 + (d - c) * sx;
    return (above * 1024 + (below - above) * sy) >> 20;
}

} // namespace scenes::detail
