#pragma once

// What crosses the border of the RoI kernels: pointers, sizes, plain structs.

#include <cstddef>
#include <cstdint>

namespace ocelli::detail {

/// One axis of a RoI: bin b is the sum of weight[t] times cell[t] over t in [begin[b], begin[b + 1]).
template <class T>
struct roi_taps {
    const std::int32_t* begin;
    const std::int32_t* cell;
    const T* weight;
};

/// A RoI as sums: rows by their number in the region, columns by their place in the list of columns that any bin needs.
template <class T>
struct roi_sums {
    roi_taps<T> rows, columns;
    const std::int32_t* column_list;
    std::size_t column_count;
};

/// A RoI as ranges of cells: bin (p, q) covers rows [row_begin[p], row_end[p]) and columns [column_begin[q], column_end[q]) of the region,
/// all columns below column_count.
struct roi_ranges {
    const std::int32_t *row_begin, *row_end, *column_begin, *column_end;
    std::size_t column_count;
};

/// One sample of a RoI's axis for the maximum: two cells and their weights, both 0 outside the map.
template <class T>
struct roi_sample {
    std::int32_t low, high;
    T low_weight, high_weight;
};

/// Kernels work on a region of the map with as many channels side by side as a vector has lanes: cell (y, x) at region + (y * width + x) * lanes.
template <class T>
struct roi_kernels {
    std::size_t lanes;
    /// Copies rows of `channels` planes, `plane` elements apart and with `stride` elements to a row, to a region; absent lanes become 0.
    void (*gather)(const T* planes, std::size_t plane, std::size_t channels, std::size_t stride, std::size_t height, std::size_t width,
                   T* region);
    /// Writes height x width bins of lanes; `scratch` holds column_count vectors.
    void (*sums)(const T* region, std::size_t width, const roi_sums<T>& roi, std::size_t bins_y, std::size_t bins_x, T* scratch, T* bins);
    /// Largest cell of each bin, 0 for an empty one; `scratch` holds column_count vectors. NaN is never the largest.
    void (*largest)(const T* region, std::size_t width, const roi_ranges& roi, std::size_t bins_y, std::size_t bins_x, T* scratch, T* bins);
    /// Largest sample of one bin, of n_y x n_x; of the weighted corners themselves where asked.
    void (*largest_sample)(const T* region, std::size_t width, const roi_sample<T>* y, std::size_t n_y, const roi_sample<T>* x,
                           std::size_t n_x, bool corners, T* bin);
    /// Writes `channels` rows of `bins` elements from bins of lanes.
    void (*scatter)(const T* bins_of_lanes, std::size_t bins, std::size_t channels, T* out);
};

struct roi_tables {
    roi_kernels<float> f32;
    roi_kernels<double> f64;
};

}  // namespace ocelli::detail
