#pragma once

// What crosses the border of the overlap kernels: pointers, sizes, plain structs.

#include <cstddef>

namespace ocelli::detail {

/// Boxes as columns of `padded` elements each (a multiple of 16, unused ones 0): x1 y1 x2 y2 area, and for CIoU atan(w / h).
template <class T>
struct box_columns {
    const T* first;
    std::size_t padded;
    const T* column(std::size_t k) const noexcept { return first + k * padded; }
};

/// Kernels of one measure. `a` and `b` of the pairwise form: rows of `a` against all of `b`.
template <class T>
struct overlap_kernel {
    void (*pairwise)(const box_columns<T>& a, std::size_t a_begin, std::size_t a_end, const box_columns<T>& b, std::size_t m, T epsilon,
                     T* out);
    void (*paired)(const box_columns<T>& a, const box_columns<T>& b, std::size_t n, T epsilon, T* out);
};

/// The measures without libm, each plain [0] and with the legacy +1 pixel [1]; and what turns rows into columns.
template <class T>
struct overlap_kernels {
    void (*columns)(const T* boxes, std::size_t n, std::size_t padded, T* out, bool legacy);
    overlap_kernel<T> measure[5][2];  // iou, iof, giou, diou, ciou
};

struct overlap_tables {
    overlap_kernels<float> f32;
    overlap_kernels<double> f64;
};

}  // namespace ocelli::detail
