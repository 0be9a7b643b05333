#pragma once

/// @file
/// The semantic answer to a scene: a class for every pixel.

#include "scene.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace scenes {

/// The classes of a label map by value: the ground, then the shapes in the order of class_names.
inline constexpr std::array<const char*, static_cast<std::size_t>(class_count) + 1> map_names = {
    "ground", "disc", "square", "triangle", "star", "ring", "cross"};

/// Gives every pixel the value of what one sees there: 0 for the ground, 1 + its label for an object.
/// @return (H, W)
inline xt::xtensor<std::uint8_t, 2> label_map(const frame& seen) {
    const std::size_t h = seen.image.shape(0), w = seen.image.shape(1);
    auto out = xt::xtensor<std::uint8_t, 2>::from_shape({h, w});
    out.fill(0);
    for (std::size_t i = 0; i < seen.labels.size(); ++i) {
        const auto value = static_cast<std::uint8_t>(1 + seen.labels(i));
        const std::uint8_t* mask = seen.masks.data() + i * h * w;
        for (std::size_t at = 0; at < h * w; ++at)
            if (mask[at] != 0) out.data()[at] = value;
    }
    return out;
}

} // namespace scenes
