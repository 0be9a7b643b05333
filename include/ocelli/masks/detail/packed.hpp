#pragma once

// Masks packed to bits, with the words in which they have foreground and its number of pixels.

#include <ocelli/core/parallel.hpp>
#include <ocelli/masks/detail/bits_types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace ocelli::detail {

struct packed_masks {
    struct extent {
        std::size_t first = 0, last = 0;  ///< words [first, last) hold all foreground
        std::uint64_t area = 0;
    };

    std::size_t words = 0;  ///< of one mask
    std::unique_ptr<std::uint64_t[]> memory;
    std::vector<extent> extents;

    const std::uint64_t* mask(std::size_t i) const noexcept { return memory.get() + i * words; }
};

inline packed_masks pack_masks(const std::uint8_t* masks, std::size_t n, std::size_t pixels) {
    const auto& kernels = get_mask_bits_kernels();
    packed_masks out;
    out.words = (pixels + 63) / 64;
    out.memory.reset(new std::uint64_t[n * out.words + 1]);
    out.extents.resize(n);
    parallel_for(n, 1 + 65536 / (pixels + 1), [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            std::uint64_t* to = out.memory.get() + i * out.words;
            kernels.pack(masks + i * pixels, pixels, to);
            auto& e = out.extents[i];
            while (e.first < out.words && to[e.first] == 0) ++e.first;
            e.last = out.words;
            while (e.last > e.first && to[e.last - 1] == 0) --e.last;
            e.area = kernels.count(to + e.first, e.last - e.first);
        }
    });
    return out;
}

/// Pixels in both masks.
inline std::uint64_t packed_intersection(const packed_masks& a, std::size_t i, const packed_masks& b, std::size_t j) {
    const std::size_t first = std::max(a.extents[i].first, b.extents[j].first), last = std::min(a.extents[i].last, b.extents[j].last);
    return first < last ? get_mask_bits_kernels().count_and(a.mask(i) + first, b.mask(j) + first, last - first) : 0;
}

}  // namespace ocelli::detail
