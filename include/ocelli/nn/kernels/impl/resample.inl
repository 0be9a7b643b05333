#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>
#include <ocelli/nn/kernels/resample.hpp>

#include <algorithm>
#include <cstring>
#include <limits>

#define OCELLI_KERNEL_FILE <ocelli/nn/kernels/detail/resample.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>

namespace ocelli::nn {

namespace detail {

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const resample_kernels& get_resample_kernels() {
    static const resample_kernels chosen = OCELLI_CHOOSE(make_resample_kernels);
    return chosen;
}
OCELLI_KERNEL_API_END

/// Calls f(image, first row, end row) for parts of the images, so that a part is worth a thread.
template <class F>
void for_row_parts(std::int64_t images, std::int64_t rows, std::int64_t work_per_row, F&& f) {
    const std::int64_t part = std::clamp<std::int64_t>((std::int64_t{1} << 15) / std::max<std::int64_t>(1, work_per_row), 1, rows), parts = (rows + part - 1) / part;
    const std::int64_t grain = std::max<std::int64_t>(1, (std::int64_t{1} << 15) / std::max<std::int64_t>(1, work_per_row * part));
    parallel_for(static_cast<std::size_t>(images * parts), static_cast<std::size_t>(grain), [&](std::size_t begin, std::size_t end) {
        for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) f(i / parts, i % parts * part, std::min(rows, i % parts * part + part));
    });
}

}  // namespace detail

OCELLI_INLINE void resize_weighted(std::int64_t images, const axis_taps& rows, const axis_taps& columns, std::int64_t inner, const float* x, float* y) {
    if (images <= 0 || rows.out <= 0 || columns.out <= 0 || inner <= 0) return;
    const detail::resample_kernels& t = detail::get_resample_kernels();
    const std::int64_t in = columns.in * inner, out = columns.out * inner;
    detail::for_row_parts(images, rows.out, rows.count * in + columns.count * out * 2, [&](std::int64_t image, std::int64_t first, std::int64_t end) {
        thread_local std::vector<float> mixed, weights;
        thread_local std::vector<const float*> taps;
        if (mixed.size() < static_cast<std::size_t>(in)) mixed.resize(static_cast<std::size_t>(in));
        taps.resize(static_cast<std::size_t>(rows.count));
        weights.resize(static_cast<std::size_t>(rows.count));
        for (std::int64_t o = first; o < end; ++o) {
            for (std::int64_t k = 0; k < rows.count; ++k) {
                const auto at = static_cast<std::size_t>(k * rows.out + o);
                taps[static_cast<std::size_t>(k)] = x + (image * rows.in + rows.source[at]) * in;
                weights[static_cast<std::size_t>(k)] = rows.weight[at];
            }
            const bool plain = rows.count == 1 && weights[0] == 1.0f;
            if (!plain) t.mix_rows(in, rows.count, taps.data(), weights.data(), mixed.data());
            t.mix_columns(columns, columns.source.data(), columns.weight.data(), inner, plain ? taps[0] : mixed.data(), y + (image * rows.out + o) * out);
        }
    });
}

OCELLI_INLINE void resize_copied(std::int64_t images, const axis_taps& rows, const axis_taps& columns, std::int64_t inner, const float* x, float* y) {
    if (images <= 0 || rows.out <= 0 || columns.out <= 0 || inner <= 0) return;
    const detail::resample_kernels& t = detail::get_resample_kernels();
    const std::int64_t in = columns.in * inner, out = columns.out * inner;
    detail::for_row_parts(images, rows.out, out * 2, [&](std::int64_t image, std::int64_t first, std::int64_t end) {
        for (std::int64_t o = first; o < end; ++o) {
            const std::int32_t from = rows.source[static_cast<std::size_t>(o)];
            float* to = y + (image * rows.out + o) * out;
            if (o > first && from == rows.source[static_cast<std::size_t>(o - 1)]) std::memcpy(to, to - out, static_cast<std::size_t>(out) * sizeof(float));
            else t.pick_columns(columns.out, columns.source.data(), inner, x + (image * rows.in + from) * in, to);
        }
    });
}

OCELLI_INLINE bool grid_sample_takes(const grid_sampling& s) noexcept {
    constexpr std::int64_t limit = std::int64_t{1} << 23;  // exact in float
    return s.height >= 1 && s.width >= 1 && s.height < limit && s.width < limit && s.height * s.width < std::numeric_limits<std::int32_t>::max() / 2;
}

OCELLI_INLINE void grid_sample(const grid_sampling& s, const float* x, const float* grid, float* y) {
    if (s.batch <= 0 || s.points <= 0 || s.channels <= 0) return;
    constexpr std::int64_t size = detail::grid_places::size;
    const detail::resample_kernels& t = detail::get_resample_kernels();
    const std::int64_t plane = s.height * s.width;
    // One channel: the points of all images stand in a row, and small images share vectors.
    const bool in_a_row = s.channels == 1 && s.batch * plane < std::numeric_limits<std::int32_t>::max();
    const std::int64_t images = in_a_row ? 1 : s.batch, points = in_a_row ? s.batch * s.points : s.points, parts = (points + size - 1) / size;
    const std::int64_t grain = std::max<std::int64_t>(1, (std::int64_t{1} << 12) / (size * s.channels));
    parallel_for(static_cast<std::size_t>(images * parts), static_cast<std::size_t>(grain), [&](std::size_t begin, std::size_t end) {
        alignas(64) std::int32_t base[size] = {};
        detail::grid_places places;
        for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
            const std::int64_t image = i / parts, first = i % parts * size, n = std::min(size, points - first);
            if (in_a_row) {
                std::int64_t which = first / s.points, left = (which + 1) * s.points - first;
                for (std::int64_t k = 0; k < n;) {
                    const std::int64_t run = std::min(left, n - k);
                    std::fill(base + k, base + k + run, static_cast<std::int32_t>(which * plane));
                    k += run;
                    ++which;
                    left = s.points;
                }
            }
            t.grid_find(s, n, grid + (image * points + first) * 2, base, places);
            for (std::int64_t c = 0; c < s.channels; ++c)
                t.grid_read(places, n, x + (image * s.channels + c) * plane, y + (image * s.channels + c) * points + first);
        }
    });
}

}  // namespace ocelli::nn
