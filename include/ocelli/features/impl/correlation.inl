#pragma once

#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/gemm.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>
#include <ocelli/features/correlation.hpp>
#include <ocelli/features/detail/correlation_types.hpp>

#include <algorithm>
#include <cmath>
#include <type_traits>

#define OCELLI_KERNEL_FILE <ocelli/features/detail/correlation.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>

namespace ocelli::detail {

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const correlation_tables& get_correlation_tables() {
    static const correlation_tables chosen = OCELLI_CHOOSE(make_correlation_tables);
    return chosen;
}
OCELLI_KERNEL_API_END

inline const correlation_kernels<float>& get_correlation_kernels(float) {
    return get_correlation_tables().f32;
}
inline const correlation_kernels<double>& get_correlation_kernels(double) {
    return get_correlation_tables().f64;
}

OCELLI_INLINE std::array<std::size_t, 4> correlation_shape(const std::array<std::size_t, 4>& a, const std::array<std::size_t, 4>& b,
                                                           const correlation_options& o) {
    check(a == b, "correlation_volume: both maps must have one shape, got ", shape_text(a), " and ", shape_text(b));
    check(a[1] != 0, "correlation_volume: the maps have no channels, ", shape_text(a));
    constexpr std::int64_t most = 4096, limit = std::int64_t{1} << 30;
    check(o.padding >= 0 && o.padding <= most && o.max_displacement >= 0 && o.max_displacement <= most,
          "correlation_volume: padding and max_displacement must be in [0, 4096], got ", o.padding, " and ", o.max_displacement);
    check(o.kernel_size >= 1 && o.kernel_size <= most && o.kernel_size % 2 == 1, "correlation_volume: kernel_size must be odd and in [1, 4096], got ",
          o.kernel_size);
    check(o.stride >= 1 && o.stride <= most && o.displacement_stride >= 1 && o.displacement_stride <= most,
          "correlation_volume: strides must be in [1, 4096], got ", o.stride, " and ", o.displacement_stride);
    const std::int64_t side = 2 * (o.max_displacement / o.displacement_stride) + 1;
    std::array<std::size_t, 4> out{a[0], static_cast<std::size_t>(side * side), 0, 0};
    for (std::size_t i = 2; i < 4; ++i) {
        check(a[i] < static_cast<std::size_t>(limit), "correlation_volume: the map is too large, ", shape_text(a));
        const std::int64_t room = static_cast<std::int64_t>(a[i]) + 2 * o.padding - 2 * o.max_displacement - (o.kernel_size - 1);
        check(room >= 1, "correlation_volume: displacements of ", o.max_displacement, " do not fit a map of ", shape_text(a), " with padding ", o.padding);
        out[i] = static_cast<std::size_t>((room + o.stride - 1) / o.stride);
    }
    return out;
}

template <class T>
void correlation_volume_any(const std::array<std::size_t, 4>& in, const std::array<std::size_t, 4>& to, const correlation_options& o, const T* a, const T* b,
                            T* out) {
    if (in[0] == 0) return;
    const auto& kernels = get_correlation_kernels(T());
    const auto pad = static_cast<std::size_t>(o.padding);
    const std::size_t height = in[2] + 2 * pad, width = in[3] + 2 * pad, plane = height * width;
    const std::int64_t radius = o.max_displacement / o.displacement_stride, side = 2 * radius + 1;
    const T scale = T(1) / static_cast<T>(static_cast<std::size_t>(o.kernel_size * o.kernel_size) * in[1]);
    std::vector<T> padded_a(in[1] * plane), padded_b(in[1] * plane);
    for (std::size_t n = 0; n < in[0]; ++n) {
        // Zeros all around, so that no place needs a look at borders.
        parallel_for(in[1], 1 + 16384 / plane, [&](std::size_t begin, std::size_t end) {
            for (std::size_t c = begin; c < end; ++c)
                for (std::size_t y = 0; y < in[2]; ++y) {
                    const std::size_t from = ((n * in[1] + c) * in[2] + y) * in[3], at = c * plane + (y + pad) * width + pad;
                    std::copy_n(a + from, in[3], padded_a.data() + at);
                    std::copy_n(b + from, in[3], padded_b.data() + at);
                }
        });
        // Rows of the result, and of each the displacements down.
        parallel_for(to[2] * static_cast<std::size_t>(side), 1, [&](std::size_t begin, std::size_t end) {
            for (std::size_t i = begin; i < end; ++i) {
                const std::size_t y = i / static_cast<std::size_t>(side);
                const auto q = static_cast<std::int64_t>(i % static_cast<std::size_t>(side));
                const std::int64_t row = static_cast<std::int64_t>(y) * o.stride + o.max_displacement, column = o.max_displacement;
                const std::int64_t below = row + (q - radius) * o.displacement_stride, left = column - radius * o.displacement_stride;
                const correlation_row r{static_cast<std::int64_t>(in[1]), static_cast<std::int64_t>(plane), static_cast<std::int64_t>(width), o.kernel_size,
                                        o.stride, static_cast<std::int64_t>(to[3]), side, o.displacement_stride, static_cast<std::int64_t>(to[2] * to[3])};
                kernels.row(r, padded_a.data() + row * r.width + column, padded_b.data() + below * r.width + left, scale,
                            out + ((n * to[1] + static_cast<std::size_t>(q * side)) * to[2] + y) * to[3]);
            }
        });
    }
}

template <class T>
void all_pairs_any(const std::array<std::size_t, 4>& in, const T* a, const T* b, T* out) {
    const std::size_t channels = in[1], places = in[2] * in[3];
    if (in[0] == 0 || places == 0) return;
    const T scale = T(1) / std::sqrt(static_cast<T>(channels));
    std::vector<T> scaled(channels * places);
    for (std::size_t n = 0; n < in[0]; ++n) {
        const T *first = a + n * channels * places, *second = b + n * channels * places;
        T* to = out + n * places * places;
        for (std::size_t i = 0; i < scaled.size(); ++i) scaled[i] = first[i] * scale;
        const auto side = static_cast<std::int64_t>(places);
        if constexpr (std::is_same_v<T, float>) {
            gemm(side, side, static_cast<std::int64_t>(channels), {scaled.data(), 1, side}, {second, side, 1}, to, side);
        } else {
            const auto& kernels = get_correlation_kernels(T());
            parallel_for(places, 1 + 16384 / (channels * places), [&](std::size_t begin, std::size_t end) {
                for (std::size_t p = begin; p < end; ++p) {
                    std::fill_n(to + p * places, places, T(0));
                    for (std::size_t c = 0; c < channels; ++c) kernels.add_scaled(side, scaled[c * places + p], second + c * places, to + p * places);
                }
            });
        }
    }
}

template <class T>
void halve_maps_any(std::size_t planes, std::size_t height, std::size_t width, const T* in, T* out) {
    const std::size_t h = height / 2, w = width / 2;
    parallel_for(planes, 1 + 16384 / (height * width + 1), [&](std::size_t begin, std::size_t end) {
        for (std::size_t p = begin; p < end; ++p)
            for (std::size_t y = 0; y < h; ++y) {
                const T *above = in + (p * height + 2 * y) * width, *below = above + width;
                T* to = out + (p * h + y) * w;
                for (std::size_t x = 0; x < w; ++x) to[x] = (above[2 * x] + above[2 * x + 1] + below[2 * x] + below[2 * x + 1]) / 4;
            }
    });
}

template <class T>
void correlation_lookup_any(const correlation_window& w, const T* volume, const T* coordinates, T* out) {
    const std::size_t side = 2 * w.radius + 1, reach = side + 1, plane = w.height * w.width;
    const T scale = static_cast<T>(std::ldexp(1.0, -static_cast<int>(w.level))), radius = static_cast<T>(w.radius);
    const auto h = static_cast<std::int64_t>(w.height), width = static_cast<std::int64_t>(w.width);
    constexpr std::size_t some = 16;  // places side by side in the result
    const std::size_t parts = (w.places + some - 1) / some;
    parallel_for(w.images * parts, 1 + 1024 / (some * side * side), [&](std::size_t begin, std::size_t end) {
        std::vector<T> cells(reach * reach), found(side * side * some);
        for (std::size_t i = begin; i < end; ++i) {
            const std::size_t image = i / parts, first = i % parts * some, n = std::min(some, w.places - first);
            for (std::size_t k = 0; k < n; ++k) {
                const std::size_t place = first + k;
                const T x = coordinates[2 * image * w.places + place] * scale - radius, y = coordinates[(2 * image + 1) * w.places + place] * scale - radius;
                const T left = std::floor(x), top = std::floor(y);
                // All samples of a window stand at the same distances from their elements.
                const T dx = x - left, dy = y - top;
                const bool near = is_finite(x) && is_finite(y) && left > -static_cast<T>(reach) - 1 && top > -static_cast<T>(reach) - 1 &&
                                  left < static_cast<T>(w.width) && top < static_cast<T>(w.height);
                if (!near) {
                    for (std::size_t s = 0; s < side * side; ++s) found[s * some + k] = 0;
                    continue;
                }
                const auto x0 = static_cast<std::int64_t>(left), y0 = static_cast<std::int64_t>(top);
                const T* from = volume + (image * w.places + place) * plane;
                for (std::size_t b = 0; b < reach; ++b) {
                    const std::int64_t row = y0 + static_cast<std::int64_t>(b);
                    for (std::size_t a = 0; a < reach; ++a) {
                        const std::int64_t column = x0 + static_cast<std::int64_t>(a);
                        cells[b * reach + a] = row >= 0 && row < h && column >= 0 && column < width ? from[row * width + column] : T(0);
                    }
                }
                for (std::size_t a = 0; a < side; ++a)
                    for (std::size_t b = 0; b < side; ++b) {
                        const T* c = cells.data() + b * reach + a;
                        found[(a * side + b) * some + k] = (1 - dy) * ((1 - dx) * c[0] + dx * c[1]) + dy * ((1 - dx) * c[reach] + dx * c[reach + 1]);
                    }
            }
            for (std::size_t s = 0; s < side * side; ++s) std::copy_n(found.data() + s * some, n, out + image * w.image_step + s * w.places + first);
        }
    });
}

template <class T>
void convex_upsample_any(const std::array<std::size_t, 4>& in, std::size_t factor, const T* values, const T* mask, T* out) {
    const std::size_t channels = in[1], h = in[2], w = in[3], plane = h * w, cells = factor * factor;
    if (in[0] * channels * plane == 0) return;
    parallel_for(in[0] * h, 1 + 256 / (w * cells), [&](std::size_t begin, std::size_t end) {
        std::vector<T> weights(9 * w);
        for (std::size_t row = begin; row < end; ++row) {
            const std::size_t n = row / h, y = row % h;
            for (std::size_t cell = 0; cell < cells; ++cell) {
                const T* from = mask + ((n * 9 * cells + cell) * h + y) * w;
                for (std::size_t x = 0; x < w; ++x) {
                    T largest = from[x], sum = 0;
                    for (std::size_t k = 1; k < 9; ++k) largest = std::max(largest, from[k * cells * plane + x]);
                    for (std::size_t k = 0; k < 9; ++k) {
                        const T e = std::exp(from[k * cells * plane + x] - largest);
                        weights[k * w + x] = e;
                        sum += e;
                    }
                    for (std::size_t k = 0; k < 9; ++k) weights[k * w + x] = weights[k * w + x] / sum * static_cast<T>(factor);
                }
                for (std::size_t c = 0; c < channels; ++c) {
                    const T* coarse = values + (n * channels + c) * plane;
                    T* to = out + (((n * channels + c) * h + y) * factor + cell / factor) * w * factor + cell % factor;
                    for (std::size_t x = 0; x < w; ++x) {
                        T sum = 0;
                        for (std::size_t k = 0; k < 9; ++k) {
                            // Unsigned: a row before the first is far behind the last.
                            const std::size_t v = y + k / 3 - 1, u = x + k % 3 - 1;
                            sum += weights[k * w + x] * (v < h && u < w ? coarse[v * w + u] : T(0));
                        }
                        to[x * factor] = sum;
                    }
                }
            }
        }
    });
}

#define OCELLI_CORRELATION_BODY_(T)                                                                                                          \
    OCELLI_INLINE void correlation_volume(const std::array<std::size_t, 4>& in, const std::array<std::size_t, 4>& to,                      \
                                          const correlation_options& options, const T* a, const T* b, T* out) {                            \
        correlation_volume_any(in, to, options, a, b, out);                                                                                \
    }                                                                                                                                      \
    OCELLI_INLINE void all_pairs_correlation(const std::array<std::size_t, 4>& in, const T* a, const T* b, T* out) {                       \
        all_pairs_any(in, a, b, out);                                                                                                      \
    }                                                                                                                                      \
    OCELLI_INLINE void halve_maps(std::size_t planes, std::size_t height, std::size_t width, const T* in, T* out) {                        \
        halve_maps_any(planes, height, width, in, out);                                                                                    \
    }                                                                                                                                      \
    OCELLI_INLINE void correlation_lookup(const correlation_window& w, const T* volume, const T* coordinates, T* out) {                    \
        correlation_lookup_any(w, volume, coordinates, out);                                                                               \
    }                                                                                                                                      \
    OCELLI_INLINE void convex_upsample(const std::array<std::size_t, 4>& in, std::size_t factor, const T* values, const T* mask, T* out) { \
        convex_upsample_any(in, factor, values, mask, out);                                                                                \
    }
OCELLI_CORRELATION_BODY_(float)
OCELLI_CORRELATION_BODY_(double)
#undef OCELLI_CORRELATION_BODY_

}  // namespace ocelli::detail
