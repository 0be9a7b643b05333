#pragma once

/// @file
/// Panoptic segmentation: merging instances and a semantic map into one map with segments, ids in pictures, instances from labels.

#include <ocelli/core/config.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/masks/detail/arguments.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace ocelli {

/// What merging can be asked to do differently; the defaults are detectron2's panoptic FPN.
struct panoptic_options {
    /// An instance is left out if more than this part of its pixels is already taken.
    double overlap_threshold = 0.5;
    /// A stuff label is left out if fewer pixels of it are free.
    std::int64_t stuff_area = 4096;
    /// Instances with a lower score are left out.
    double score_threshold = 0.5;
    /// The semantic map's label for "some thing", which makes no segment.
    std::int64_t things_label = 0;
};

/// One segment of a panoptic map.
struct panoptic_segment {
    std::int64_t id = 0;        ///< its value in the map, from 1
    std::int64_t category = 0;  ///< the instance's class, or the stuff label
    bool is_thing = false;
    double score = 0;           ///< of the instance; 0 for stuff
    std::int64_t instance = -1; ///< index of the instance; -1 for stuff
    std::int64_t area = 0;      ///< pixels in the map
};

/// A picture in which every pixel names its segment, 0 being none.
struct panoptic_segmentation {
    xt::xtensor<std::int32_t, 2> ids;  ///< (H, W)
    std::vector<panoptic_segment> segments;
};

namespace detail {

std::vector<panoptic_segment> merge_panoptic(const std::uint8_t* masks, const double* scores, const std::int64_t* classes, std::size_t n,
                                             const std::int64_t* semantic, std::size_t pixels, const panoptic_options& options,
                                             std::int32_t* ids);
void panoptic_ids(const std::uint8_t* rgb, std::size_t pixels, std::int32_t* out);
void panoptic_rgb(const std::int64_t* ids, std::size_t pixels, std::uint8_t* out);

}  // namespace detail

/// Merges instances and a semantic map (Kirillov et al. 2019, section "Panoptic FPN").
///
/// Instances are placed by decreasing score (equal scores in input order), each on the pixels that are still free, unless too many are
/// taken. Then every label of the semantic map, in increasing order, gets what is left of it, unless that is too little.
///
/// @param masks     (N, H, W) bool or integers
/// @param scores    (N), any numbers but NaN
/// @param classes   (N) integers, any values
/// @param semantic  (H, W) integers
/// @throws invalid_argument  on other shapes, different lengths, a NaN score
///
/// Agrees with detectron2's combine_semantic_and_instance_outputs. `area` is the final one (detectron2 gives it for stuff alone).
template <array_expression M, array_expression S, array_expression C, array_expression L>
panoptic_segmentation merge_panoptic(const M& masks, const S& scores, const C& classes, const L& semantic,
                                     const panoptic_options& options = {}) {
    const auto m = detail::as_mask<3>(masks, "merge_panoptic: masks");
    const auto s = as_dense<double, 1>(scores, "merge_panoptic: scores");
    const auto c = as_dense<std::int64_t, 1>(classes, "merge_panoptic: classes");
    const auto l = as_dense<std::int64_t, 2>(semantic, "merge_panoptic: semantic");
    detail::check_same_length(m, s, "merge_panoptic: masks and scores");
    detail::check_same_length(m, c, "merge_panoptic: masks and classes");
    detail::check(m.extent(0) == 0 || (m.extent(1) == l.extent(0) && m.extent(2) == l.extent(1)),
                  "merge_panoptic: masks and semantic must have the same height and width, got ", detail::shape_text(m.shape()), " and ",
                  detail::shape_text(l.shape()));
    detail::check(detail::find_nan(s.data(), s.size()) == s.size(), "merge_panoptic: scores must not be NaN");
    panoptic_segmentation out;
    out.ids = detail::new_tensor<std::int32_t>(l.extent(0), l.extent(1));
    out.segments = detail::merge_panoptic(m.data(), s.data(), c.data(), s.size(), l.data(), l.size(), options, out.ids.data());
    return out;
}

/// Reads the ids out of a COCO panoptic picture, R + 256 G + 65536 B: (H, W, 3) uint8 -> (H, W). Agrees with panopticapi's rgb2id.
/// @throws invalid_argument  on another shape
template <array_expression I>
xt::xtensor<std::int32_t, 2> panoptic_ids(const I& rgb) {
    static_assert(std::is_same_v<value_type_t<I>, std::uint8_t>, "a panoptic picture has three bytes for each pixel");
    const auto p = as_dense<std::uint8_t, 3>(rgb, "panoptic_ids: rgb");
    detail::check_shape(p, {detail::any, detail::any, 3}, "panoptic_ids: rgb");
    auto out = detail::new_tensor<std::int32_t>(p.extent(0), p.extent(1));
    detail::panoptic_ids(p.data(), out.size(), out.data());
    return out;
}

/// Writes ids as the colours of a COCO panoptic picture: (H, W) -> (H, W, 3) uint8. Agrees with panopticapi's id2rgb.
/// @throws invalid_argument  on another rank or an id outside [0, 2^24)
template <array_expression I>
xt::xtensor<std::uint8_t, 3> panoptic_rgb(const I& ids) {
    const auto p = as_dense<std::int64_t, 2>(ids, "panoptic_rgb: ids");
    auto out = detail::new_tensor<std::uint8_t>(p.extent(0), p.extent(1), std::size_t{3});
    detail::panoptic_rgb(p.data(), p.size(), out.data());
    return out;
}

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/masks/impl/panoptic.inl>
#endif
