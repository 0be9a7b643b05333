#pragma once

#include <ocelli/boxes/detail/overlap_types.hpp>
#include <ocelli/boxes/iou.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>

#include <cmath>
#include <memory>

#define OCELLI_KERNEL_FILE <ocelli/boxes/detail/overlap.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>

namespace ocelli::detail {

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const overlap_tables& get_overlap_tables() {
    static const overlap_tables chosen = OCELLI_CHOOSE(make_overlap_tables);
    return chosen;
}
OCELLI_KERNEL_API_END

inline const overlap_kernels<float>& get_overlap_kernels(float) {
    return get_overlap_tables().f32;
}
inline const overlap_kernels<double>& get_overlap_kernels(double) {
    return get_overlap_tables().f64;
}

/// Boxes in columns with their memory.
template <class T>
struct owned_columns {
    std::unique_ptr<T[]> memory;
    box_columns<T> view;
};

template <class T>
owned_columns<T> make_columns(const T* boxes, std::size_t n, bool legacy, bool with_angle) {
    const std::size_t padded = (n + 31) / 16 * 16;  // whole vectors, and one more so that any lane may start one
    owned_columns<T> out{new_array<T>((with_angle ? 6 : 5) * padded), {}};
    T* to = out.memory.get();
    out.view = {to, padded};
    get_overlap_kernels(T()).columns(boxes, n, padded, to, legacy);
    if (with_angle) {
        T* angle = to + 5 * padded;
        const T plus = legacy ? T(1) : T(0);
        for (std::size_t i = 0; i < n; ++i) {
            const T w = boxes[4 * i + 2] - boxes[4 * i] + plus;
            const T h = boxes[4 * i + 3] - boxes[4 * i + 1] + plus;
            angle[i] = h == T(0) ? (w > T(0) ? T(1.57079632679489661923) : T(0)) : std::atan(w / h);
        }
        for (std::size_t i = n; i < padded; ++i) angle[i] = T(0);
    }
    return out;
}

/// SIoU from the IoU of the same pair: the costs of distance and shape (arXiv:2205.12740, equations 1 to 14).
template <class T>
T scylla(const T* a, const T* b, T iou, bool legacy) {
    for (std::size_t k = 0; k < 4; ++k)
        if (!is_finite(a[k]) || !is_finite(b[k])) return T(-2);
    const T plus = legacy ? T(1) : T(0);
    const T zero = 0;
    const T aw = std::fmax(a[2] - a[0] + plus, zero), ah = std::fmax(a[3] - a[1] + plus, zero);
    const T bw = std::fmax(b[2] - b[0] + plus, zero), bh = std::fmax(b[3] - b[1] + plus, zero);
    const T dx = (b[0] + b[2]) / 2 - (a[0] + a[2]) / 2;
    const T dy = (b[1] + b[3]) / 2 - (a[1] + a[3]) / 2;
    const T cw = std::fmax(std::fmax(a[2], b[2]) - std::fmin(a[0], b[0]) + plus, zero);
    const T ch = std::fmax(std::fmax(a[3], b[3]) - std::fmin(a[1], b[1]) + plus, zero);
    const T sigma2 = dx * dx + dy * dy;
    const T angle = sigma2 > zero ? 2 * std::fabs(dx * dy) / sigma2 : zero;
    const T gamma = 2 - angle;
    const T rho_x = cw > zero ? (dx / cw) * (dx / cw) : zero;
    const T rho_y = ch > zero ? (dy / ch) * (dy / ch) : zero;
    const T distance = (1 - std::exp(-gamma * rho_x)) + (1 - std::exp(-gamma * rho_y));
    const T wide = std::fmax(aw, bw), high = std::fmax(ah, bh);
    const T omega_w = wide > zero ? std::fabs(aw - bw) / wide : zero;
    const T omega_h = high > zero ? std::fabs(ah - bh) / high : zero;
    const T sw = 1 - std::exp(-omega_w), sh = 1 - std::exp(-omega_h);
    const T shape = (sw * sw) * (sw * sw) + (sh * sh) * (sh * sh);
    const T value = iou - (distance + shape) / 2;
    return is_nan(value) ? T(-2) : value;
}

template <class T>
void pairwise_overlap_any(overlap kind, const T* a, std::size_t n, const T* b, std::size_t m, const iou_options& options, T* out) {
    if (n == 0 || m == 0) return;
    const bool legacy = options.legacy_plus_one;
    const bool scylla_too = kind == overlap::siou;
    const overlap base = scylla_too ? overlap::iou : kind;
    const auto columns_a = make_columns(a, n, legacy, base == overlap::ciou);
    const auto columns_b = make_columns(b, m, legacy, base == overlap::ciou);
    const auto kernel = get_overlap_kernels(T()).measure[static_cast<int>(base)][legacy ? 1 : 0].pairwise;
    const std::size_t pairs = scylla_too ? 2048 : 65536;  // a block of some ten microseconds
    parallel_for(n, pairs / m + 1, [&](std::size_t begin, std::size_t end) {
        kernel(columns_a.view, begin, end, columns_b.view, m, static_cast<T>(options.epsilon), out);
        if (scylla_too)
            for (std::size_t i = begin; i < end; ++i)
                for (std::size_t j = 0; j < m; ++j) out[i * m + j] = scylla(a + 4 * i, b + 4 * j, out[i * m + j], legacy);
    });
}

template <class T>
void paired_overlap_any(overlap kind, const T* a, const T* b, std::size_t n, const iou_options& options, T* out) {
    const bool legacy = options.legacy_plus_one;
    const overlap base = kind == overlap::siou ? overlap::iou : kind;
    const auto kernel = get_overlap_kernels(T()).measure[static_cast<int>(base)][legacy ? 1 : 0].paired;
    parallel_for(n, 4096, [&](std::size_t begin, std::size_t end) {
        const auto columns_a = make_columns(a + 4 * begin, end - begin, legacy, base == overlap::ciou);
        const auto columns_b = make_columns(b + 4 * begin, end - begin, legacy, base == overlap::ciou);
        kernel(columns_a.view, columns_b.view, end - begin, static_cast<T>(options.epsilon), out + begin);
        if (kind == overlap::siou)
            for (std::size_t i = begin; i < end; ++i) out[i] = scylla(a + 4 * i, b + 4 * i, out[i], legacy);
    });
}

OCELLI_INLINE void pairwise_overlap(overlap kind, const float* a, std::size_t n, const float* b, std::size_t m,
                                    const iou_options& options, float* out) {
    pairwise_overlap_any(kind, a, n, b, m, options, out);
}
OCELLI_INLINE void pairwise_overlap(overlap kind, const double* a, std::size_t n, const double* b, std::size_t m,
                                    const iou_options& options, double* out) {
    pairwise_overlap_any(kind, a, n, b, m, options, out);
}
OCELLI_INLINE void paired_overlap(overlap kind, const float* a, const float* b, std::size_t n, const iou_options& options, float* out) {
    paired_overlap_any(kind, a, b, n, options, out);
}
OCELLI_INLINE void paired_overlap(overlap kind, const double* a, const double* b, std::size_t n, const iou_options& options,
                                  double* out) {
    paired_overlap_any(kind, a, b, n, options, out);
}

}  // namespace ocelli::detail
