#pragma once

#include <ocelli/core/error.hpp>
#include <ocelli/pipelines/panoptic_from_semantic.hpp>

#include <algorithm>
#include <cstddef>
#include <map>
#include <numeric>

namespace ocelli {

OCELLI_INLINE panoptic_segmentation panoptic_from_semantic(const segmentation& seen, std::span<const std::int64_t> things,
                                                           const panoptic_from_semantic_options& options) {
    const auto& labels = seen.labels;
    const auto& likely = seen.probabilities;
    const std::size_t h = labels.shape(0), w = labels.shape(1), plane = h * w, classes = likely.shape(0);
    detail::check(classes == 0 || (likely.shape(1) == h && likely.shape(2) == w),
                  "panoptic_from_semantic: labels and probabilities must have the same height and width, got ",
                  detail::shape_text(labels.shape()), " and ", detail::shape_text(likely.shape()));
    const auto parts = instances_from_semantic(labels, {.touching = options.touching, .background = -1});

    // What each part is, and the sum of its pixels' probabilities.
    const std::size_t n = parts.components.size();
    std::vector<double> scores(n, 0);
    for (std::size_t p = 0; p < plane; ++p) {
        const std::int32_t part = parts.labels.data()[p];
        if (part == 0) continue;
        const std::int64_t label = labels.data()[p];
        detail::check(classes == 0 || static_cast<std::uint64_t>(label) < classes, "panoptic_from_semantic: label ", label,
                      " has no probability, there are ", classes);
        scores[static_cast<std::size_t>(part) - 1] +=
            classes == 0 ? 1.0 : static_cast<double>(likely.data()[static_cast<std::size_t>(label) * plane + p]);
    }
    std::vector<std::size_t> instances;
    std::map<std::int64_t, std::int64_t> stuff; // label, pixels
    for (std::size_t i = 0; i < n; ++i) {
        const component& part = parts.components[i];
        scores[i] /= static_cast<double>(part.area);
        if (std::find(things.begin(), things.end(), part.value) == things.end()) {
            stuff[part.value] += part.area;
        } else if (part.area >= options.thing_area && scores[i] >= options.score_threshold) {
            instances.push_back(i);
        }
    }
    std::stable_sort(instances.begin(), instances.end(), [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });

    panoptic_segmentation out;
    std::vector<std::int32_t> id_of(n + 1, 0); // by part
    std::map<std::int64_t, std::int32_t> stuff_id;
    for (const std::size_t i : instances) {
        const component& part = parts.components[i];
        const auto id = static_cast<std::int64_t>(out.segments.size()) + 1;
        out.segments.push_back(
            {.id = id, .category = part.value, .is_thing = true, .score = scores[i], .instance = id - 1, .area = part.area});
        id_of[i + 1] = static_cast<std::int32_t>(id);
    }
    for (const auto& [label, area] : stuff) {
        if (area < options.stuff_area) continue;
        const auto id = static_cast<std::int64_t>(out.segments.size()) + 1;
        out.segments.push_back({.id = id, .category = label, .area = area});
        stuff_id[label] = static_cast<std::int32_t>(id);
    }
    for (std::size_t i = 0; i < n; ++i)
        if (const auto found = stuff_id.find(parts.components[i].value); found != stuff_id.end()) id_of[i + 1] = found->second;
    out.ids = detail::new_tensor<std::int32_t>(h, w);
    for (std::size_t p = 0; p < plane; ++p) out.ids.data()[p] = id_of[static_cast<std::size_t>(parts.labels.data()[p])];
    return out;
}

} // namespace ocelli
