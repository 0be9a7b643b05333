#pragma once

// What crosses the border of the correlation kernels: pointers, sizes, plain structs.

#include <cstdint>

namespace ocelli::detail {

/// Products of patches of two padded maps along one row: out[d * out_step + x] = scale times the sum over channels and the patch of
/// a[x stride] b[x stride + d step].
struct correlation_row {
    std::int64_t channels, plane, width;       ///< of the padded maps
    std::int64_t patch, stride, count;         ///< side of the patch, distance of results, results
    std::int64_t displacements, displacement_step, out_step;
};

template <class T>
struct correlation_kernels {
    void (*row)(const correlation_row& r, const T* a, const T* b, T scale, T* out);
    /// to[i] += factor * from[i]
    void (*add_scaled)(std::int64_t n, T factor, const T* from, T* to);
};

struct correlation_tables {
    correlation_kernels<float> f32;
    correlation_kernels<double> f64;
};

}  // namespace ocelli::detail
