#pragma once

#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/masks/paste.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace ocelli::detail {

/// The pixels of one axis that a box touches, and between which cells each lies.
struct paste_axis {
    std::size_t first = 0, last = 0;     ///< pixels [first, last)
    std::vector<std::int32_t> cell{};    ///< the lower cell, counted with a cell of zeros before and behind the mask
    std::vector<float> weight{};         ///< of the upper cell

    /// In the steps of detectron2 and grid_sample, in float.
    void set(float low, float high, std::size_t pixels, std::size_t cells) {
        first = last = 0;
        if (!is_finite(low) || !is_finite(high) || !(high > low) || pixels == 0 || cells == 0) return;
        const float from = std::max(std::floor(low) - 1.0f, 0.0f), to = std::min(std::ceil(high) + 1.0f, static_cast<float>(pixels));
        if (!(from < to)) return;
        first = static_cast<std::size_t>(from);
        last = std::min(static_cast<std::size_t>(to), pixels);
        cell.resize(last - first);
        weight.resize(last - first);
        const float half = static_cast<float>(cells) / 2.0f;
        for (std::size_t i = first; i < last; ++i) {
            const float centre = static_cast<float>(i) + 0.5f;
            const float grid = (centre - low) / (high - low) * 2.0f - 1.0f;
            const float at = (grid + 1.0f) * half - 0.5f;
            const float below = std::floor(at);
            // Outside the mask and its fringe both neighbours are zeros: cell 0 with weight 0 is the first of them.
            const bool inside = below >= -1.0f && below < static_cast<float>(cells);
            cell[i - first] = inside ? static_cast<std::int32_t>(below) + 1 : 0;
            weight[i - first] = inside ? at - below : 0.0f;
        }
    }
};

/// Calls row(y, first, values, count) for every row of the picture that the box touches.
template <class F>
void paste_rows(const float* mask, std::size_t mask_h, std::size_t mask_w, const paste_axis& xs, const paste_axis& ys,
                std::vector<float>& cells, std::vector<float>& values, F&& row) {
    if (xs.first >= xs.last || ys.first >= ys.last) return;
    const std::size_t padded = mask_w + 2, count = xs.last - xs.first;
    cells.assign(padded, 0.0f);
    values.resize(count);
    for (std::size_t y = ys.first; y < ys.last; ++y) {
        const std::int32_t cell = ys.cell[y - ys.first];  // rows cell - 1 and cell of the mask
        const float weight = ys.weight[y - ys.first];
        const float* above = cell >= 1 ? mask + static_cast<std::size_t>(cell - 1) * mask_w : nullptr;
        const float* below = static_cast<std::size_t>(cell) < mask_h ? mask + static_cast<std::size_t>(cell) * mask_w : nullptr;
        for (std::size_t k = 0; k < mask_w; ++k) {
            const float a = above != nullptr ? above[k] : 0.0f, b = below != nullptr ? below[k] : 0.0f;
            cells[k + 1] = a * (1.0f - weight) + b * weight;
        }
        for (std::size_t i = 0; i < count; ++i) {
            const float* at = cells.data() + xs.cell[i];
            values[i] = at[0] * (1.0f - xs.weight[i]) + at[1] * xs.weight[i];
        }
        row(y, xs.first, values.data(), count);
    }
}

OCELLI_INLINE void paste_masks(const float* masks, std::size_t n, std::size_t mask_h, std::size_t mask_w, const float* boxes, std::size_t h,
                               std::size_t w, double threshold, std::uint8_t* out) {
    parallel_for(n, 1, [&](std::size_t begin, std::size_t end) {
        paste_axis xs, ys;
        std::vector<float> cells, values;
        for (std::size_t i = begin; i < end; ++i) {
            std::uint8_t* to = out + i * h * w;
            std::fill_n(to, h * w, std::uint8_t{0});
            const float* box = boxes + 4 * i;
            xs.set(box[0], box[2], w, mask_w);
            ys.set(box[1], box[3], h, mask_h);
            const auto limit = static_cast<float>(threshold);
            paste_rows(masks + i * mask_h * mask_w, mask_h, mask_w, xs, ys, cells, values,
                       [&](std::size_t y, std::size_t first, const float* v, std::size_t count) {
                           for (std::size_t k = 0; k < count; ++k) to[y * w + first + k] = v[k] >= limit && !is_nan(v[k]) ? 1 : 0;
                       });
        }
    });
}

OCELLI_INLINE void paste_soft_masks(const float* masks, std::size_t n, std::size_t mask_h, std::size_t mask_w, const float* boxes,
                                    std::size_t h, std::size_t w, float* out) {
    parallel_for(n, 1, [&](std::size_t begin, std::size_t end) {
        paste_axis xs, ys;
        std::vector<float> cells, values;
        for (std::size_t i = begin; i < end; ++i) {
            float* to = out + i * h * w;
            std::fill_n(to, h * w, 0.0f);
            const float* box = boxes + 4 * i;
            xs.set(box[0], box[2], w, mask_w);
            ys.set(box[1], box[3], h, mask_h);
            paste_rows(masks + i * mask_h * mask_w, mask_h, mask_w, xs, ys, cells, values,
                       [&](std::size_t y, std::size_t first, const float* v, std::size_t count) {
                           std::copy_n(v, count, to + y * w + first);
                       });
        }
    });
}

}  // namespace ocelli::detail
