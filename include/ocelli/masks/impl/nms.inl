#pragma once

#include <ocelli/core/argsort.hpp>
#include <ocelli/masks/detail/packed.hpp>
#include <ocelli/masks/nms.hpp>

namespace ocelli::detail {

OCELLI_INLINE std::vector<std::int64_t> mask_nms(const std::uint8_t* masks, std::size_t n, std::size_t pixels, const double* scores,
                                                 const std::int64_t* classes, double iou_threshold) {
    const packed_masks packed = pack_masks(masks, n, pixels);
    std::vector<std::uint32_t> order(n);
    argsort_descending(scores, n, order.data());
    std::vector<std::int64_t> kept;
    for (const std::uint32_t i : order) {
        bool keep = true;
        for (const std::int64_t k : kept) {
            const auto j = static_cast<std::size_t>(k);
            if (classes != nullptr && classes[i] != classes[j]) continue;
            const std::uint64_t both = packed_intersection(packed, i, packed, j);
            if (both == 0) continue;
            const std::uint64_t whole = packed.extents[i].area + packed.extents[j].area - both;
            if (static_cast<double>(both) / static_cast<double>(whole) > iou_threshold) {
                keep = false;
                break;
            }
        }
        if (keep) kept.push_back(i);
    }
    return kept;
}

}  // namespace ocelli::detail
