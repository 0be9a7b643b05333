#pragma once

/// @file
/// Panoptic quality (PQ, SQ, RQ) with void and crowds.

#include <ocelli/core/config.hpp>
#include <ocelli/core/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace ocelli {

/// A category of panoptic segmentation.
struct panoptic_category {
    std::int64_t id = 0;
    bool is_thing = true;
};

/// A segment as an annotation lists it.
struct panoptic_annotation {
    std::int64_t id = 0;        ///< its value in the map; not 0
    std::int64_t category = 0;
    bool is_crowd = false;      ///< of the truth alone
    std::int64_t area = -1;     ///< of the truth: as the file says, or counted where negative
};

/// Panoptic quality of a category, or the mean over categories.
struct panoptic_quality {
    double pq = 0;  ///< SQ times RQ for one category
    double sq = 0;  ///< mean IoU of the matched segments
    double rq = 0;  ///< TP / (TP + FP / 2 + FN / 2)
    /// For a mean: categories with any segment. For a category: 1, or 0 where it has none.
    std::int64_t categories = 0;
};

/// What is counted for one category.
struct panoptic_counts {
    double iou = 0;  ///< sum over the matched segments
    std::int64_t true_positives = 0, false_positives = 0, false_negatives = 0;
};

/// Adds up panoptic quality picture by picture.
///
/// Segments match if they have one category and an IoU above 0.5, pixels of the prediction where the truth is 0 (void) not counting. A
/// predicted segment without match is no mistake if more than half of it lies on void or on a crowd of its category; crowds are never missed.
///
/// Kirillov et al. 2019 (arXiv:1801.00868). Agrees with panopticapi's evaluation to 1e-12.
class panoptic_evaluator {
public:
    /// @throws invalid_argument  on a category listed twice
    explicit panoptic_evaluator(std::span<const panoptic_category> categories);

    /// Adds a picture.
    ///
    /// @param truth, prediction  (H, W) integers: segment ids in [0, 2^32), 0 being none; ids of the truth that are not listed count for
    ///                           nothing, as in panopticapi
    /// @throws invalid_argument  on different shapes, an id out of range or listed twice, a predicted id in the map but not in the list or
    ///                           in the list but not in the map, a predicted segment of an unknown category; nothing is counted then
    template <array_expression T, array_expression P>
    void add(const T& truth, std::span<const panoptic_annotation> truth_segments, const P& prediction,
             std::span<const panoptic_annotation> predicted_segments) {
        const auto t = as_dense<std::int64_t, 2>(truth, "panoptic_evaluator: truth");
        const auto p = as_dense<std::int64_t, 2>(prediction, "panoptic_evaluator: prediction");
        detail::check(t.shape() == p.shape(), "panoptic_evaluator: truth and prediction must have the same shape, got ",
                      detail::shape_text(t.shape()), " and ", detail::shape_text(p.shape()));
        add_maps(t.data(), truth_segments, p.data(), predicted_segments, t.size());
    }

    /// Adds what another evaluator of the same categories has counted.
    /// @throws invalid_argument  on other categories
    void merge(const panoptic_evaluator& other);

    /// Gives one category's quality; all 0 where it has no segment.
    /// @throws invalid_argument  on an unknown category
    panoptic_quality category(std::int64_t id) const;
    /// Gives what was counted for one category.
    panoptic_counts counts(std::int64_t id) const;
    /// Give the mean over the categories that have segments: of all, of things, of stuff.
    panoptic_quality all() const;
    panoptic_quality things() const;
    panoptic_quality stuff() const;

private:
    void add_maps(const std::int64_t* truth, std::span<const panoptic_annotation> truth_segments, const std::int64_t* prediction,
                  std::span<const panoptic_annotation> predicted_segments, std::size_t n);
    panoptic_quality mean(bool with_things, bool with_stuff) const;

    std::vector<panoptic_category> categories_;
    std::map<std::int64_t, panoptic_counts> counts_;
};

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/metrics/impl/panoptic.inl>
#endif
