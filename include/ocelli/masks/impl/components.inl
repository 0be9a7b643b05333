#pragma once

#include <ocelli/masks/components.hpp>

#include <algorithm>

namespace ocelli::detail {

/// A run of equal values in a row: columns [first, last).
struct label_run {
    std::int32_t row, first, last;
};

/// Runs of all rows are joined with those they touch in the row above; of two roots the earlier stays, so that a root is its component's
/// first run.
template <class Value>
std::vector<component> label_runs(std::size_t h, std::size_t w, Value&& value, std::int64_t background, connectivity touching,
                                  std::int32_t* labels) {
    std::vector<label_run> runs;
    std::vector<std::uint32_t> parent;
    std::vector<std::int64_t> values;
    const auto root = [&](std::uint32_t i) {
        while (parent[i] != i) {
            parent[i] = parent[parent[i]];
            i = parent[i];
        }
        return i;
    };
    const std::int32_t reach = touching == connectivity::eight ? 1 : 0;
    std::size_t above = 0, above_end = 0;
    for (std::size_t y = 0; y < h; ++y) {
        const std::size_t begin = runs.size();
        for (std::size_t x = 0; x < w;) {
            const std::int64_t v = value(y * w + x);
            std::size_t end = x + 1;
            while (end < w && value(y * w + end) == v) ++end;
            if (v != background) {
                runs.push_back({static_cast<std::int32_t>(y), static_cast<std::int32_t>(x), static_cast<std::int32_t>(end)});
                values.push_back(v);
                parent.push_back(static_cast<std::uint32_t>(runs.size() - 1));
            }
            x = end;
        }
        std::size_t i = above;
        for (std::size_t k = begin; k < runs.size(); ++k) {
            while (i < above_end && runs[i].last + reach <= runs[k].first) ++i;
            for (std::size_t j = i; j < above_end && runs[j].first < runs[k].last + reach; ++j) {
                if (values[j] != values[k]) continue;
                const std::uint32_t a = root(static_cast<std::uint32_t>(j)), b = root(static_cast<std::uint32_t>(k));
                parent[std::max(a, b)] = std::min(a, b);
            }
        }
        above = begin;
        above_end = runs.size();
    }
    std::vector<component> out;
    std::vector<std::array<std::int64_t, 2>> sums;
    std::vector<std::int32_t> label(runs.size());
    std::fill_n(labels, h * w, 0);
    for (std::size_t k = 0; k < runs.size(); ++k) {
        const auto& r = runs[k];
        const std::uint32_t first = root(static_cast<std::uint32_t>(k));
        if (first == k) {
            label[k] = static_cast<std::int32_t>(out.size() + 1);
            out.push_back({label[k], values[k], 0, {r.first, r.row, r.last, r.row + 1}, {}});
            sums.push_back({});
        } else {
            label[k] = label[first];
        }
        const auto c = static_cast<std::size_t>(label[k] - 1);
        const std::int64_t n = r.last - r.first;
        component& it = out[c];
        it.area += n;
        it.box = {std::min<std::int64_t>(it.box[0], r.first), it.box[1], std::max<std::int64_t>(it.box[2], r.last), r.row + 1};
        sums[c][0] += (std::int64_t{r.first} + r.last - 1) * n / 2;
        sums[c][1] += r.row * n;
        std::fill(labels + static_cast<std::size_t>(r.row) * w + static_cast<std::size_t>(r.first),
                  labels + static_cast<std::size_t>(r.row) * w + static_cast<std::size_t>(r.last), label[k]);
    }
    for (std::size_t c = 0; c < out.size(); ++c)
        for (std::size_t k = 0; k < 2; ++k)
            out[c].centroid[k] = static_cast<double>(sums[c][k]) / static_cast<double>(out[c].area);
    return out;
}

OCELLI_INLINE std::vector<component> label_components(const std::uint8_t* values, std::size_t h, std::size_t w,
                                                      connectivity touching, std::int32_t* labels) {
    return label_runs(h, w, [&](std::size_t p) { return std::int64_t{values[p] != 0}; }, 0, touching, labels);
}

OCELLI_INLINE std::vector<component> label_components(const std::int64_t* values, std::size_t h, std::size_t w, std::int64_t background,
                                                      connectivity touching, std::int32_t* labels) {
    return label_runs(h, w, [&](std::size_t p) { return values[p]; }, background, touching, labels);
}

}  // namespace ocelli::detail
