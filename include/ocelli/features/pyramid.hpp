#pragma once

/// @file
/// RoIAlign over the levels of a feature pyramid (FPN), each RoI from the level that its size asks for.

#include <ocelli/core/tensor.hpp>
#include <ocelli/features/roi_align.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace ocelli {

/// How boxes are given to levels: Lin et al. 2017 (arXiv:1612.03144), equation 1.
struct fpn_level_options {
    /// The finest and the coarsest level there is; others are clamped to them. Level k has a stride of 2^k.
    std::int64_t min_level = 2;
    std::int64_t max_level = 5;
    /// A box whose area is this size squared belongs to the canonical level.
    double canonical_size = 224;
    std::int64_t canonical_level = 4;
};

namespace detail {

template <class T>
std::int64_t fpn_level(T w, T h, const fpn_level_options& options) {
    const T area = w * h;
    // Boxes without extent, or whose extent is unknown, are the smallest.
    if (!(w > 0) || !(h > 0) || is_nan(area)) return options.min_level;
    if (!is_finite(area)) return options.max_level;
    const T exact = static_cast<T>(options.canonical_level) + std::log2(std::sqrt(area) / static_cast<T>(options.canonical_size)) + T(1e-6);
    const double level = std::floor(static_cast<double>(exact));
    return static_cast<std::int64_t>(
        std::clamp(level, static_cast<double>(options.min_level), static_cast<double>(options.max_level)));
}

inline void check_fpn(const fpn_level_options& options, const char* name) {
    check(options.min_level <= options.max_level && options.min_level >= 0 && options.max_level <= 62, name,
          ": levels must be in [0, 62] and in order, got ", options.min_level, " to ", options.max_level);
    check(options.canonical_size > 0 && is_finite(options.canonical_size), name, ": the canonical size must be positive, got ",
          options.canonical_size);
}

/// Pools the RoIs of each level into their rows of the result.
template <class T, class Levels>
void roi_align_levels(const Levels& levels, const dense_view<T, 2>& rois, const roi_align_options& options, const fpn_level_options& fpn, T* out) {
    const std::size_t n = rois.extent(0);
    std::vector<std::int64_t> level(n);
    for (std::size_t k = 0; k < n; ++k) {
        const T* r = rois.data() + 5 * k;
        level[k] = fpn_level<T>(r[3] - r[1], r[4] - r[2], fpn);
    }
    std::vector<T> some;
    std::vector<std::size_t> rows;
    for (std::size_t i = 0; i < levels.size(); ++i) {
        some.clear();
        rows.clear();
        for (std::size_t k = 0; k < n; ++k) {
            if (level[k] - fpn.min_level != static_cast<std::int64_t>(i)) continue;
            rows.push_back(k);
            some.insert(some.end(), rois.data() + 5 * k, rois.data() + 5 * k + 5);
        }
        if (rows.empty()) continue;
        roi_align_options own = options;
        own.spatial_scale = options.spatial_scale / std::ldexp(1.0, static_cast<int>(fpn.min_level) + static_cast<int>(i));
        const auto& map = levels[i];
        const roi_shape s{map.extent(0), map.extent(1), map.extent(2), map.extent(3), rows.size(), rows.data()};
        roi_align(map.data(), some.data(), s, own, out);
    }
}

template <class T, class E>
std::vector<dense_view<T, 4>> pyramid_levels(std::span<const E> levels, const dense_view<T, 2>& rois, const roi_align_options& options,
                                             const fpn_level_options& fpn) {
    check_fpn(fpn, "roi_align_pyramid");
    check(static_cast<std::int64_t>(levels.size()) == fpn.max_level - fpn.min_level + 1, "roi_align_pyramid: levels ", fpn.min_level, " to ",
          fpn.max_level, " are ", fpn.max_level - fpn.min_level + 1, " maps, got ", levels.size());
    std::vector<dense_view<T, 4>> out;
    for (const E& e : levels) {
        out.push_back(as_dense<T, 4>(e, "roi_align_pyramid: levels"));
        check_rois(out.back(), rois, options.output_height, options.output_width, options.spatial_scale, "roi_align_pyramid");
        check(out.back().extent(1) == out[0].extent(1), "roi_align_pyramid: levels must have the same channels, got ", out[0].extent(1), " and ",
              out.back().extent(1));
    }
    return out;
}

}  // namespace detail

/// Gives each box its level of a feature pyramid: floor(canonical_level + log2(sqrt(area) / canonical_size)), clamped.
///
/// @param boxes  (N, 4) x1 y1 x2 y2 in pixels of the picture
/// @return       (N) levels; boxes without area and NaN get min_level, infinite ones max_level
/// @throws invalid_argument  on another shape, levels out of order or a canonical size that is not positive
///
/// Agrees with torchvision's LevelMapper (which counts from its first level) and, but for its epsilon, detectron2's assign_boxes_to_levels.
template <array_expression B>
xt::xtensor<std::int64_t, 1> assign_fpn_levels(const B& boxes, const fpn_level_options& options = {}) {
    using T = scalar_t<B>;
    const auto b = as_dense<T, 2>(boxes, "assign_fpn_levels: boxes");
    detail::check_shape(b, {detail::any, 4}, "assign_fpn_levels: boxes");
    detail::check_fpn(options, "assign_fpn_levels");
    auto out = detail::new_tensor<std::int64_t>(b.extent(0));
    for (std::size_t i = 0; i < out.size(); ++i)
        out(i) = detail::fpn_level<T>(b[4 * i + 2] - b[4 * i], b[4 * i + 3] - b[4 * i + 1], options);
    return out;
}

/// Pools each RoI from its level of a feature pyramid.
///
/// @param levels   maps (N, C, H, W) of levels min_level to max_level, finest first, all of one type
/// @param rois     (K, 5) image x1 y1 x2 y2 in pixels of the picture
/// @param options  as roi_align; the spatial scale is that of level 0, so that level k works with spatial_scale / 2^k
/// @param fpn      which levels there are, and which boxes they take
/// @return         (K, C, output_height, output_width), in the order of the RoIs
/// @throws invalid_argument  as roi_align, on another number of maps, or on unequal channels
///
/// Agrees with torchvision.ops.MultiScaleRoIAlign (aligned = false) and detectron2's ROIPooler (aligned = true).
template <array_expression E, array_expression R>
xt::xtensor<scalar_t<E, R>, 4> roi_align_pyramid(const std::vector<E>& levels, const R& rois, const roi_align_options& options = {},
                                                 const fpn_level_options& fpn = {}) {
    using T = scalar_t<E, R>;
    const auto r = as_dense<T, 2>(rois, "roi_align_pyramid: rois");
    const auto maps = detail::pyramid_levels<T, E>(levels, r, options, fpn);
    auto out = detail::new_tensor<T>(r.extent(0), maps[0].extent(1), options.output_height, options.output_width);
    detail::roi_align_levels(maps, r, options, fpn, out.data());
    return out;
}
/// The same into the caller's memory: `out` is dense, row-major, of the result's shape and type.
template <array_expression E, array_expression R, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void roi_align_pyramid(const std::vector<E>& levels, const R& rois, const roi_align_options& options, const fpn_level_options& fpn, Out&& out) {
    using T = scalar_t<E, R>;
    const auto r = as_dense<T, 2>(rois, "roi_align_pyramid: rois");
    const auto maps = detail::pyramid_levels<T, E>(levels, r, options, fpn);
    T* to = detail::as_output<T, 4>(out, {r.extent(0), maps[0].extent(1), static_cast<std::size_t>(options.output_height),
                                          static_cast<std::size_t>(options.output_width)}, "roi_align_pyramid: out");
    detail::roi_align_levels(maps, r, options, fpn, to);
}

}  // namespace ocelli
