#pragma once

#include <ocelli/nn/detail/axis_maps.hpp>

namespace ocelli::nn::detail {

OCELLI_INLINE void gather_axes(const tensor& x, const axis_maps& maps, const void* fill, tensor& y) {
    const std::size_t rank = maps.size();
    if (y.size() == 0) return;
    const dims steps = dense_strides(x.shape());
    // Trailing axes taken whole are one block of memory.
    std::size_t inner_axes = 0;
    std::int64_t block = 1;
    while (inner_axes < rank) {
        const auto& map = maps[rank - 1 - inner_axes];
        const std::int64_t extent = x.extent(rank - 1 - inner_axes);
        bool whole = static_cast<std::int64_t>(map.size()) == extent;
        for (std::size_t i = 0; whole && i < map.size(); ++i) whole = map[i] == static_cast<std::int64_t>(i);
        if (!whole) break;
        block *= extent;
        ++inner_axes;
    }
    const std::size_t outer_axes = rank - inner_axes;
    dispatch_by_size(x.type(), [&]<class T>(type_tag<T>) {
        const T* from = static_cast<const T*>(x.raw());
        T* to = static_cast<T*>(y.mutable_raw());
        T filler{};
        std::memcpy(&filler, fill, sizeof(T));
        if (outer_axes == 0) {
            std::memcpy(to, from, static_cast<std::size_t>(block) * sizeof(T));
            return;
        }
        const auto& row_map = maps[outer_axes - 1];
        const auto row = static_cast<std::int64_t>(row_map.size());
        const std::int64_t rows = y.size() / (row * block);
        // The longest run of neighbours is copied at once.
        std::int64_t run_begin = 0, run_end = 0;
        for (std::int64_t i = 0, end; i < row; i = end) {
            const auto place = [&](std::int64_t k) { return row_map[static_cast<std::size_t>(k)]; };
            for (end = i + 1; end < row && place(i) >= 0 && place(end) == place(end - 1) + 1;) ++end;
            if (place(i) >= 0 && end - i > run_end - run_begin) {
                run_begin = i;
                run_end = end;
            }
        }
        for_each_index(rows, row * block, [&](std::int64_t r) {
            std::int64_t base = 0, rest = r;
            bool outside = false;
            for (std::size_t axis = outer_axes - 1; axis-- > 0;) {
                const auto n = static_cast<std::int64_t>(maps[axis].size());
                const std::int64_t source = maps[axis][static_cast<std::size_t>(rest % n)];
                rest /= n;
                outside = outside || source < 0;
                base += source * steps[axis];
            }
            T* out = to + r * row * block;
            if (outside) {
                std::fill(out, out + row * block, filler);
                return;
            }
            if (block == 1) {
                const auto pick = [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t i = begin; i < end; ++i) {
                        const std::int64_t source = row_map[static_cast<std::size_t>(i)];
                        out[i] = source < 0 ? filler : from[base + source];
                    }
                };
                pick(0, run_begin);
                if (run_end > run_begin) std::memcpy(out + run_begin, from + base + row_map[static_cast<std::size_t>(run_begin)], static_cast<std::size_t>(run_end - run_begin) * sizeof(T));
                pick(run_end, row);
                return;
            }
            for (std::int64_t i = 0; i < row; ++i) {
                const std::int64_t source = row_map[static_cast<std::size_t>(i)];
                if (source < 0) std::fill(out + i * block, out + (i + 1) * block, filler);
                else std::memcpy(out + i * block, from + base + source * steps[outer_axes - 1], static_cast<std::size_t>(block) * sizeof(T));
            }
        });
    });
}

}  // namespace ocelli::nn::detail
