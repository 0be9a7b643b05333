#pragma once

// What crosses the border of the pooling kernels: pointers, sizes, plain structs.

#include <cstdint>

namespace ocelli::detail {

/// Windows over planes of height x width elements. What lies outside a plane is never the largest.
struct pool_windows {
    std::int64_t planes = 0, height = 0, width = 0, out_height = 0, out_width = 0;
    std::int64_t kernel_y = 1, kernel_x = 1, stride_y = 1, stride_x = 1, pad_top = 0, pad_left = 0, dilation_y = 1, dilation_x = 1;
};

template <class T>
struct pool_kernels {
    std::int64_t lanes;
    /// Rows [begin, end) of one plane's result. A NaN wins, the last one of a window; a window of padding alone gives -infinity.
    void (*largest)(const pool_windows& w, const T* plane, std::int64_t begin, std::int64_t end, T* out);
    /// The same with the place of each largest element, the first of equal ones: base + row * width + column (base for a window of padding).
    void (*largest_with_indices)(const pool_windows& w, const T* plane, std::int64_t begin, std::int64_t end, T* out, std::int64_t* indices,
                                 std::int64_t base);
    /// to[indices[i]] = from[i] for i < n, in order, and zeros in all other places of `size`. @return the first i whose index is not in [0, size); n: all
    /// were
    std::int64_t (*unpool)(const T* from, const std::int64_t* indices, std::int64_t n, std::int64_t size, T* to);
};

struct pool_tables {
    pool_kernels<float> f32;
    pool_kernels<double> f64;
};

}  // namespace ocelli::detail
