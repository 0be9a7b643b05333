#pragma once

/// @file
/// From a class for every pixel to a panoptic picture, where no instance network is at hand: connected parts of a thing's class
/// are its instances.

#include <ocelli/core/config.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/masks/components.hpp>
#include <ocelli/masks/panoptic.hpp>
#include <ocelli/pipelines/segmenter.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace ocelli {

/// What making a panoptic picture of labels can be asked to do differently.
struct panoptic_from_semantic_options {
    connectivity touching = connectivity::eight;
    std::int64_t thing_area = 64;   ///< smaller instances are left out
    std::int64_t stuff_area = 1024; ///< stuff labels with fewer pixels are left out
    double score_threshold = 0.5;   ///< instances whose mean probability is lower are left out
};

/// Splits the things of a segmentation into instances and leaves stuff as it is.
///
/// Objects of one class that touch become one instance: only an instance network can tell them apart.
///
/// @param seen    labels (-1: nothing), and probabilities of them (without, every instance scores 1)
/// @param things  the labels of countable things; every other label is stuff
/// @return        instances by decreasing score (equal ones by their first pixels), then stuff by increasing label; a thing's
///                score is the mean probability of its class over its pixels, `instance` counts them from 0
/// @throws invalid_argument  on probabilities of another size, a label without probability, 2^31 pixels or more
panoptic_segmentation panoptic_from_semantic(const segmentation& seen, std::span<const std::int64_t> things,
                                             const panoptic_from_semantic_options& options = {});

} // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/pipelines/impl/panoptic_from_semantic.inl>
#endif
