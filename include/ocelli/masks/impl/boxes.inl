#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/masks/boxes.hpp>
#include <ocelli/masks/detail/bits_types.hpp>

#include <bit>
#include <vector>

namespace ocelli::detail {

OCELLI_INLINE void masks_to_boxes(const std::uint8_t* masks, std::size_t n, std::size_t h, std::size_t w, mask_box_corner corner,
                                  float* out) {
    const auto& kernels = get_mask_bits_kernels();
    const std::size_t words = (w + 63) / 64;
    parallel_for(n, 4, [&](std::size_t begin, std::size_t end) {
        std::vector<std::uint64_t> row(words), columns(words);
        for (std::size_t i = begin; i < end; ++i) {
            float* to = out + 4 * i;
            columns.assign(words, 0);
            std::size_t y1 = h, y2 = 0;
            for (std::size_t y = 0; y < h; ++y) {
                kernels.pack(masks + (i * h + y) * w, w, row.data());
                std::uint64_t found = 0;
                for (std::size_t k = 0; k < words; ++k) {
                    found |= row[k];
                    columns[k] |= row[k];
                }
                if (found == 0) continue;
                if (y1 == h) y1 = y;
                y2 = y;
            }
            if (y1 == h) {
                for (int k = 0; k < 4; ++k) to[k] = 0;
                continue;
            }
            std::size_t first = 0, last = words - 1;
            while (columns[first] == 0) ++first;
            while (columns[last] == 0) --last;
            const std::size_t x1 = 64 * first + static_cast<std::size_t>(std::countr_zero(columns[first]));
            const std::size_t x2 = 64 * last + 63 - static_cast<std::size_t>(std::countl_zero(columns[last]));
            const std::size_t border = corner == mask_box_corner::border ? 1 : 0;
            to[0] = static_cast<float>(x1);
            to[1] = static_cast<float>(y1);
            to[2] = static_cast<float>(x2 + border);
            to[3] = static_cast<float>(y2 + border);
        }
    });
}

}  // namespace ocelli::detail
