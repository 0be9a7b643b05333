#pragma once

#include <ocelli/core/argsort.hpp>
#include <ocelli/masks/panoptic.hpp>

#include <algorithm>
#include <map>

namespace ocelli::detail {

OCELLI_INLINE std::vector<panoptic_segment> merge_panoptic(const std::uint8_t* masks, const double* scores, const std::int64_t* classes,
                                                           std::size_t n, const std::int64_t* semantic, std::size_t pixels,
                                                           const panoptic_options& options, std::int32_t* ids) {
    std::fill_n(ids, pixels, 0);
    std::vector<panoptic_segment> segments;
    std::vector<std::uint32_t> order(n);
    argsort_descending(scores, n, order.data());
    for (const std::uint32_t i : order) {
        if (scores[i] < options.score_threshold) break;
        const std::uint8_t* mask = masks + i * pixels;
        std::int64_t area = 0, taken = 0;
        for (std::size_t p = 0; p < pixels; ++p) {
            area += mask[p] != 0 ? 1 : 0;
            taken += mask[p] != 0 && ids[p] != 0 ? 1 : 0;
        }
        if (area == 0 || static_cast<double>(taken) / static_cast<double>(area) > options.overlap_threshold) continue;
        const auto id = static_cast<std::int32_t>(segments.size() + 1);
        for (std::size_t p = 0; p < pixels; ++p)
            if (mask[p] != 0 && ids[p] == 0) ids[p] = id;
        segments.push_back({id, classes[i], true, scores[i], static_cast<std::int64_t>(i), area - taken});
    }
    struct free_label {
        std::int64_t area = 0;
        std::int32_t id = 0;
    };
    std::map<std::int64_t, free_label> labels;
    // Neighbours mostly share their label, so the last entry is asked first.
    const auto each_free = [&](auto&& f) {
        std::int64_t label = 0;
        free_label* entry = nullptr;
        for (std::size_t p = 0; p < pixels; ++p) {
            if (ids[p] != 0 || semantic[p] == options.things_label) continue;
            if (entry == nullptr || semantic[p] != label) {
                label = semantic[p];
                entry = &labels[label];
            }
            f(p, *entry);
        }
    };
    each_free([](std::size_t, free_label& e) { ++e.area; });
    for (auto& [label, e] : labels) {
        if (e.area < options.stuff_area) continue;
        e.id = static_cast<std::int32_t>(segments.size() + 1);
        segments.push_back({e.id, label, false, 0, -1, e.area});
    }
    each_free([&](std::size_t p, const free_label& e) { ids[p] = e.id; });
    return segments;
}

OCELLI_INLINE void panoptic_ids(const std::uint8_t* rgb, std::size_t pixels, std::int32_t* out) {
    for (std::size_t p = 0; p < pixels; ++p) out[p] = rgb[3 * p] | rgb[3 * p + 1] << 8 | rgb[3 * p + 2] << 16;
}

OCELLI_INLINE void panoptic_rgb(const std::int64_t* ids, std::size_t pixels, std::uint8_t* out) {
    for (std::size_t p = 0; p < pixels; ++p) {
        check(ids[p] >= 0 && ids[p] < (1 << 24), "panoptic_rgb: ids must be in [0, 2^24), got ", ids[p]);
        for (std::size_t k = 0; k < 3; ++k) out[3 * p + k] = static_cast<std::uint8_t>(ids[p] >> 8 * k);
    }
}

}  // namespace ocelli::detail
