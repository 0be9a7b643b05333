#pragma once

/// @file
/// The shapes of the scenes: which points of the plane belong to a disc, a square, a triangle, a star, a ring, a cross.

#include "fixed_point.hpp"

#include <array>
#include <cstdint>

namespace scenes {

/// The classes, in the order of their labels.
enum class shape : std::int64_t { disc, square, triangle, star, ring, cross };

inline constexpr std::int64_t class_count = 6;
inline constexpr std::array<const char*, class_count> class_names = {"disc", "square", "triangle", "star", "ring", "cross"};

namespace detail {

/// Tells whether a shape contains (u, v), in units of its circumscribed circle's radius with 16 fractional bits; v points down.
constexpr bool contains(shape kind, std::int64_t u, std::int64_t v) {
    const std::int64_t au = u < 0 ? -u : u, av = v < 0 ? -v : v;
    if (au > one_q16 || av > one_q16) return false;
    switch (kind) {
    case shape::disc:
        return u * u + v * v <= one_q16 * one_q16;
    case shape::ring: {
        const std::int64_t square = u * u + v * v;
        return square <= one_q16 * one_q16 && square >= one_q16 * one_q16 / 100 * 27; // inner radius 0.52
    }
    case shape::square:
        return au <= 46341 && av <= 46341; // sqrt(1/2)
    case shape::cross:
        return (au <= 18000 && av <= 62900) || (av <= 18000 && au <= 62900);
    case shape::triangle: {
        // Half planes at distance 1/2; normals point down and to the upper left and right (sqrt(3)/2, 1/2).
        const std::int64_t slant = 56756 * au - 32768 * v;
        return v <= 32768 && slant <= 32768 * one_q16;
    }
    case shape::star: {
        // A pentagram lies inside at least four of its five lines, which are at distance cos 72 degrees.
        constexpr std::array<std::int64_t, 5> nx = {0, 62328, 38521, -38521, -62328};
        constexpr std::array<std::int64_t, 5> ny = {-65536, -20252, 53020, 53020, -20252};
        int outside = 0;
        for (std::size_t k = 0; k < 5; ++k) outside += nx[k] * u + ny[k] * v > 20252 * one_q16;
        return outside <= 1;
    }
    }
    return false;
}

} // namespace detail
} // namespace scenes
