#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>
#include <ocelli/features/detail/resample.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#define OCELLI_KERNEL_FILE <ocelli/features/detail/resample.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>

namespace ocelli::detail {

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const resample_tables& get_resample_tables() {
    static const resample_tables chosen = OCELLI_CHOOSE(make_resample_tables);
    return chosen;
}
OCELLI_KERNEL_API_END

inline const resample_kernels<float>& get_resample_kernels(float) {
    return get_resample_tables().f32;
}
inline const resample_kernels<double>& get_resample_kernels(double) {
    return get_resample_tables().f64;
}

/// Calls f(image, first row, end row) for parts of the images, so that a part is worth a thread.
template <class F>
void for_row_parts(std::int64_t images, std::int64_t rows, std::int64_t work_per_row, F&& f) {
    constexpr std::int64_t work = std::int64_t{1} << 17;
    const std::int64_t part = std::clamp<std::int64_t>(work / std::max<std::int64_t>(1, work_per_row), 1, rows), parts = (rows + part - 1) / part;
    const std::int64_t grain = std::max<std::int64_t>(1, work / std::max<std::int64_t>(1, work_per_row * part));
    parallel_for(static_cast<std::size_t>(images * parts), static_cast<std::size_t>(grain), [&](std::size_t begin, std::size_t end) {
        for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) f(i / parts, i % parts * part, std::min(rows, i % parts * part + part));
    });
}

/// Where vectors of results find their columns; empty where the kernels have no use for it.
struct column_plan {
    std::vector<column_window> windows;
    std::vector<std::int32_t> lane;
};

template <class T>
column_plan plan_columns(const resample_kernels<T>& kernels, const tap_table<T>& t, std::int64_t inner) {
    column_plan p;
    const std::int64_t L = kernels.lanes;
    if (!kernels.windows || inner != 1 || t.out < L || t.in < L) return p;
    p.lane.resize(t.source.size());
    for (std::int64_t v = 0; v * L < t.out; ++v) {
        const std::int64_t o = std::min(v * L, t.out - L);
        std::int32_t low = t.source[static_cast<std::size_t>(o)], high = low;
        for (std::int64_t k = 0; k < t.count; ++k) {
            const auto* first = t.source.data() + k * t.out + o;
            low = std::min(low, *std::min_element(first, first + L));
            high = std::max(high, *std::max_element(first, first + L));
        }
        low = std::min(low, static_cast<std::int32_t>(t.in - L));
        const bool fits = high - low < L;
        // The last two vectors may overlap: what they share is the last one's, which is stored last.
        p.windows.push_back({fits ? low : -1});
        for (std::int64_t k = 0; fits && k < t.count; ++k)
            for (std::int64_t i = 0; i < L; ++i) p.lane[static_cast<std::size_t>(k * t.out + o + i)] = t.source[static_cast<std::size_t>(k * t.out + o + i)] - low;
    }
    return p;
}

template <class T>
void resize_weighted_any(std::int64_t images, const tap_table<T>& rows, const tap_table<T>& columns, std::int64_t inner, const T* x, T* y) {
    if (images <= 0 || rows.out <= 0 || columns.out <= 0 || inner <= 0) return;
    const resample_kernels<T>& kernels = get_resample_kernels(T());
    const std::int64_t in = columns.in * inner, out = columns.out * inner;
    const column_plan plan = plan_columns(kernels, columns, inner);
    const auto mix_columns = [&](const T* from, T* to) {
        if (plan.windows.empty()) kernels.mix_columns(columns, columns.source.data(), columns.weight.data(), inner, from, to);
        else
            kernels.mix_windows(columns.out, columns.count, plan.windows.data(), plan.lane.data(), columns.source.data(), columns.weight.data(), from, to);
    };
    // Rows of the source that a row of the result reaches over.
    std::int64_t reach = 1;
    for (std::int64_t o = 0; o < rows.out; ++o) {
        std::int32_t low = rows.source[static_cast<std::size_t>(o)], high = low;
        for (std::int64_t k = 1; k < rows.count; ++k) {
            low = std::min(low, rows.source[static_cast<std::size_t>(k * rows.out + o)]);
            high = std::max(high, rows.source[static_cast<std::size_t>(k * rows.out + o)]);
        }
        reach = std::max<std::int64_t>(reach, high - low + 1);
    }
    // Where rows become more, each is stretched once and serves several; where they become fewer, they are mixed first.
    const bool columns_first = rows.out >= rows.in && reach <= 8;
    // A result that no cache would hold until it is read.
    const bool streamed = columns_first && static_cast<double>(images * rows.out) * static_cast<double>(out) * sizeof(T) > 32e6;
    for_row_parts(images, rows.out, rows.count * in + columns.count * out * 2, [&](std::int64_t image, std::int64_t first, std::int64_t end) {
        thread_local std::vector<T> scratch, weights;
        thread_local std::vector<const T*> taps;
        thread_local std::vector<std::int64_t> holds;  // the source row that a slot of the scratch holds
        const auto needed = static_cast<std::size_t>(columns_first ? out * reach : in);
        if (scratch.size() < needed) scratch.resize(needed);
        holds.assign(static_cast<std::size_t>(reach), -1);
        taps.resize(static_cast<std::size_t>(rows.count));
        weights.resize(static_cast<std::size_t>(rows.count));
        for (std::int64_t o = first; o < end; ++o) {
            T* to = y + (image * rows.out + o) * out;
            for (std::int64_t k = 0; k < rows.count; ++k) {
                const auto at = static_cast<std::size_t>(k * rows.out + o);
                const std::int64_t row = rows.source[at];
                const T* from = x + (image * rows.in + row) * in;
                if (columns_first) {
                    const std::int64_t slot = row % reach;
                    T* stretched = scratch.data() + slot * out;
                    if (holds[static_cast<std::size_t>(slot)] != row) {
                        // The rows behind, while this one's results are written.
                        if (row + 2 < rows.in)
                            for (std::int64_t i = 0; i < in; i += 64 / static_cast<std::int64_t>(sizeof(T))) __builtin_prefetch(from + 2 * in + i);
                        mix_columns(from, stretched);
                        holds[static_cast<std::size_t>(slot)] = row;
                    }
                    from = stretched;
                }
                taps[static_cast<std::size_t>(k)] = from;
                weights[static_cast<std::size_t>(k)] = rows.weight[at];
            }
            const bool plain = rows.count == 1 && weights[0] == T(1);
            if (columns_first) {
                if (plain) std::memcpy(to, taps[0], static_cast<std::size_t>(out) * sizeof(T));
                else kernels.mix_rows(out, rows.count, taps.data(), weights.data(), streamed, to);
            } else {
                if (!plain) kernels.mix_rows(in, rows.count, taps.data(), weights.data(), false, scratch.data());
                mix_columns(plain ? taps[0] : scratch.data(), to);
            }
        }
        if (streamed) get_resample_tables().finish_streams();
    });
}

template <class T>
void resize_copied_any(std::int64_t images, const tap_table<T>& rows, const tap_table<T>& columns, std::int64_t inner, const T* x, T* y) {
    if (images <= 0 || rows.out <= 0 || columns.out <= 0 || inner <= 0) return;
    const resample_kernels<T>& kernels = get_resample_kernels(T());
    const std::int64_t in = columns.in * inner, out = columns.out * inner;
    for_row_parts(images, rows.out, out * 2, [&](std::int64_t image, std::int64_t first, std::int64_t end) {
        for (std::int64_t o = first; o < end; ++o) {
            const std::int32_t from = rows.source[static_cast<std::size_t>(o)];
            T* to = y + (image * rows.out + o) * out;
            if (o > first && from == rows.source[static_cast<std::size_t>(o - 1)]) std::memcpy(to, to - out, static_cast<std::size_t>(out) * sizeof(T));
            else kernels.pick_columns(columns.out, columns.source.data(), inner, x + (image * rows.in + from) * in, to);
        }
    });
}

OCELLI_INLINE void resize_weighted(std::int64_t images, const tap_table<float>& rows, const tap_table<float>& columns, std::int64_t inner, const float* x,
                                   float* y) {
    resize_weighted_any(images, rows, columns, inner, x, y);
}
OCELLI_INLINE void resize_weighted(std::int64_t images, const tap_table<double>& rows, const tap_table<double>& columns, std::int64_t inner,
                                   const double* x, double* y) {
    resize_weighted_any(images, rows, columns, inner, x, y);
}
OCELLI_INLINE void resize_copied(std::int64_t images, const tap_table<float>& rows, const tap_table<float>& columns, std::int64_t inner, const float* x,
                                 float* y) {
    resize_copied_any(images, rows, columns, inner, x, y);
}
OCELLI_INLINE void resize_copied(std::int64_t images, const tap_table<double>& rows, const tap_table<double>& columns, std::int64_t inner, const double* x,
                                 double* y) {
    resize_copied_any(images, rows, columns, inner, x, y);
}

OCELLI_INLINE bool grid_sample_takes(const grid_sampling& s) noexcept {
    constexpr std::int64_t limit = std::int64_t{1} << 23;  // exact in float
    return s.height >= 1 && s.width >= 1 && s.height < limit && s.width < limit && s.height * s.width < std::numeric_limits<std::int32_t>::max() / 2;
}

/// Blocks of channels in vectors, one block of one image at a time: a pixel is one piece of memory for all of them, and places are anywhere.
inline void grid_sample_lanes(const resample_tables& t, const grid_sampling& s, const float* x, const float* grid, float* y) {
    constexpr std::int64_t size = grid_places::size, strip = 4096;
    const std::int64_t L = t.f32.lanes, plane = s.height * s.width, parts = (s.points + size - 1) / size;
    const auto image = std::unique_ptr<float[]>(new float[static_cast<std::size_t>((plane + 1) * L)]);
    std::fill_n(image.get() + plane * L, L, 0.0f);
    for (std::int64_t n = 0; n < s.batch; ++n)
        for (std::int64_t c = 0; c < s.channels; c += L) {
            const std::int64_t channels = std::min(L, s.channels - c);
            parallel_for(static_cast<std::size_t>((plane + strip - 1) / strip), 1, [&](std::size_t begin, std::size_t end) {
                t.gather_lanes(x + (n * s.channels + c) * plane, plane, channels, static_cast<std::int64_t>(begin) * strip,
                               std::min(plane, static_cast<std::int64_t>(end) * strip), image.get());
            });
            parallel_for(static_cast<std::size_t>(parts), 8, [&](std::size_t begin, std::size_t end) {
                grid_lane_places places;
                for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
                    const std::int64_t first = i * size, count = std::min(size, s.points - first);
                    t.grid_find_lanes(s, count, grid + (n * s.points + first) * 2, places);
                    t.grid_read_lanes(places, count, image.get(), channels, y + (n * s.channels + c) * s.points + first, s.points);
                }
            });
        }
}

OCELLI_INLINE void grid_sample_bilinear(const grid_sampling& s, const float* x, const float* grid, float* y) {
    if (s.batch <= 0 || s.points <= 0 || s.channels <= 0) return;
    constexpr std::int64_t size = grid_places::size;
    const resample_tables& t = get_resample_tables();
    const std::int64_t plane = s.height * s.width;
    // One channel: the points of all images stand in a row, and small images share vectors.
    const bool in_a_row = s.channels == 1 && s.batch * plane < std::numeric_limits<std::int32_t>::max();
    const std::int64_t images = in_a_row ? 1 : s.batch, points = in_a_row ? s.batch * s.points : s.points;
    const std::int64_t lanes = t.f32.lanes;
    if (2 * s.channels >= lanes && 4 * points >= plane && plane < std::numeric_limits<std::int32_t>::max() / lanes) return grid_sample_lanes(t, s, x, grid, y);
    // All points of a few channels before the next ones: places are anywhere, and planes should stay in the cache meanwhile.
    const std::int64_t few = std::clamp<std::int64_t>((std::int64_t{1} << 17) / plane, 2, s.channels < 2 ? 2 : s.channels);
    const std::int64_t groups = (s.channels + few - 1) / few, parts = (points + size - 1) / size;
    const std::int64_t grain = std::max<std::int64_t>(1, (std::int64_t{1} << 12) / (size * std::min(few, s.channels)));
    parallel_for(static_cast<std::size_t>(images * groups * parts), static_cast<std::size_t>(grain), [&](std::size_t begin, std::size_t end) {
        alignas(64) std::int32_t base[size] = {};
        grid_places places;
        for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
            const std::int64_t image = i / (groups * parts), group = i / parts % groups, first = i % parts * size, n = std::min(size, points - first);
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
            for (std::int64_t c = group * few; c < std::min(s.channels, group * few + few); ++c)
                t.grid_read(places, n, s.width == 1, x + (image * s.channels + c) * plane, y + (image * s.channels + c) * points + first);
        }
    });
}

}  // namespace ocelli::detail
