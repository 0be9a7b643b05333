#pragma once

/// @file
/// Connected components with statistics, and instances from a map of labels.

#include <ocelli/core/config.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/masks/detail/arguments.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ocelli {

/// Which pixels touch.
enum class connectivity {
    four,  ///< sides
    eight  ///< sides and corners
};

/// What is known of one component.
struct component {
    std::int64_t label = 0;                    ///< its value in the map, from 1
    std::int64_t value = 0;                    ///< the value of its pixels in the input (1 for a mask)
    std::int64_t area = 0;                     ///< pixels
    std::array<std::int64_t, 4> box{};         ///< x1 y1 x2 y2, the borders of pixels: x2 - x1 columns
    std::array<double, 2> centroid{};          ///< mean x, y of its pixels' indices
};

/// A map that names the component of every pixel, 0 being none, and the components in the order of their labels.
struct component_map {
    xt::xtensor<std::int32_t, 2> labels;  ///< (H, W)
    std::vector<component> components;
};

namespace detail {

/// Labels connected pixels that are not 0, or of equal values other than `background`; labels count from 1 in the order of first pixels.
std::vector<component> label_components(const std::uint8_t* values, std::size_t h, std::size_t w, connectivity touching, std::int32_t* labels);
std::vector<component> label_components(const std::int64_t* values, std::size_t h, std::size_t w, std::int64_t background,
                                        connectivity touching, std::int32_t* labels);

inline void check_component_size(std::size_t h, std::size_t w, const char* name) {
    check(h == 0 || w <= 0x7fffffffu / h, name, ": a picture must have less than 2^31 pixels, got ", h, " x ", w);
}

}  // namespace detail

/// Labels the connected parts of a mask's foreground.
///
/// @param mask      (H, W) bool or integers, foreground being what is not 0; H W < 2^31
/// @param touching  eight or four neighbours
/// @return          labels from 1 in row-major order of the components' first pixels, and a row of statistics for each
/// @throws invalid_argument  on another rank or a larger picture
///
/// Labels agree with scipy.ndimage.label; statistics with OpenCV's connectedComponentsWithStats, which numbers them in another order and
/// counts the background as component 0. O(H W).
template <array_expression M>
component_map connected_components(const M& mask, connectivity touching = connectivity::eight) {
    const auto m = detail::as_mask<2>(mask, "connected_components: mask");
    detail::check_component_size(m.extent(0), m.extent(1), "connected_components");
    component_map out;
    out.labels = detail::new_tensor<std::int32_t>(m.extent(0), m.extent(1));
    out.components = detail::label_components(m.data(), m.extent(0), m.extent(1), touching, out.labels.data());
    return out;
}

/// What taking instances from labels can be asked to do differently.
struct semantic_instances_options {
    connectivity touching = connectivity::eight;
    /// Smaller components are left out.
    std::int64_t smallest_area = 1;
    /// This label makes no instances.
    std::int64_t background = 0;
};

/// Splits a map of labels into instances: the connected parts of every label but the background.
///
/// @param labels  (H, W) integers, any values; H W < 2^31
/// @return        instances numbered from 1 in row-major order of their first pixels; `value` is the label
/// @throws invalid_argument  on another rank or a larger picture
template <array_expression L>
component_map instances_from_semantic(const L& labels, const semantic_instances_options& options = {}) {
    const auto l = as_dense<std::int64_t, 2>(labels, "instances_from_semantic: labels");
    detail::check_component_size(l.extent(0), l.extent(1), "instances_from_semantic");
    component_map out;
    out.labels = detail::new_tensor<std::int32_t>(l.extent(0), l.extent(1));
    const auto all = detail::label_components(l.data(), l.extent(0), l.extent(1), options.background, options.touching, out.labels.data());
    std::vector<std::int32_t> renamed(all.size() + 1, 0);
    for (const component& c : all) {
        if (c.area < options.smallest_area) continue;
        out.components.push_back(c);
        out.components.back().label = static_cast<std::int64_t>(out.components.size());
        renamed[static_cast<std::size_t>(c.label)] = static_cast<std::int32_t>(out.components.size());
    }
    if (out.components.size() != all.size())
        for (std::size_t p = 0; p < l.size(); ++p) out.labels.data()[p] = renamed[static_cast<std::size_t>(out.labels.data()[p])];
    return out;
}

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/masks/impl/components.inl>
#endif
