#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>
#include <ocelli/features/detail/roi_types.hpp>
#include <ocelli/features/roi_align.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#define OCELLI_KERNEL_FILE <ocelli/features/detail/roi.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>

namespace ocelli::detail {

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const roi_tables& get_roi_tables() {
    static const roi_tables chosen = OCELLI_CHOOSE(make_roi_tables);
    return chosen;
}
OCELLI_KERNEL_API_END

inline const roi_kernels<float>& get_roi_kernels(float) {
    return get_roi_tables().f32;
}
inline const roi_kernels<double>& get_roi_kernels(double) {
    return get_roi_tables().f64;
}

/// One axis of a RoI in cells.
template <class T>
struct roi_axis {
    T start = 0, bin = 0;
    T grid = 0;  ///< samples of a bin
};

/// False where the RoI gives zeros whatever the map holds.
template <class T>
bool usable_roi(const T* roi, double scale) {
    for (int k = 1; k < 5; ++k)
        if (!is_finite(roi[k]) || std::fabs(static_cast<double>(roi[k]) * scale) > 0x1p30) return false;
    return true;
}

template <class T>
roi_axis<T> align_axis(T low, T high, std::int64_t bins, double scale, std::int64_t sampling, bool half_pixel, bool at_least_one) {
    const T factor = static_cast<T>(scale), offset = half_pixel ? T(0.5) : T(0);
    const T start = low * factor - offset;
    T extent = high * factor - offset - start;
    if (at_least_one) extent = std::max(extent, T(1));
    const T grid = sampling > 0 ? static_cast<T>(sampling) : std::ceil(extent / static_cast<T>(bins));
    return {start, extent / static_cast<T>(bins), grid};
}

/// Calls sample(low, high, low_weight, high_weight) for the samples of bin `b` inside the map, in order, and gives how many there are
/// outside. Only numbers that can lie inside are tried, so that a RoI's extent beyond the map costs nothing.
template <class T, class F>
std::int64_t samples_of_bin(const roi_axis<T>& axis, std::int64_t b, std::size_t cells, F&& sample) {
    if (!(axis.grid >= 1)) return 0;
    const auto n = static_cast<std::int64_t>(axis.grid);
    const T base = axis.start + static_cast<T>(b) * axis.bin;
    std::int64_t first = 0, last = n;
    if (n > 64) {
        const double step = static_cast<double>(axis.bin) / static_cast<double>(n);
        if (step != 0) {
            double a = (-1 - static_cast<double>(base)) / step, z = (static_cast<double>(cells) - static_cast<double>(base)) / step;
            if (a > z) std::swap(a, z);
            // The coordinates' own rounding, and some more.
            const double slack = 4 + std::fabs(static_cast<double>(base)) * 1e-6 / std::fabs(step);
            first = static_cast<std::int64_t>(std::clamp(a - slack, 0.0, static_cast<double>(n)));
            last = static_cast<std::int64_t>(std::clamp(z + slack, 0.0, static_cast<double>(n)));
        }
    }
    std::int64_t inside = 0;
    const T limit = static_cast<T>(cells);
    for (std::int64_t i = first; i < last; ++i) {
        T at = base + (static_cast<T>(i) + T(0.5)) * axis.bin / axis.grid;
        if (at < T(-1) || at > limit || cells == 0) continue;
        ++inside;
        at = std::max(at, T(0));
        auto low = static_cast<std::int32_t>(at);
        std::int32_t high = low + 1;
        if (low >= static_cast<std::int32_t>(cells) - 1) {
            low = high = static_cast<std::int32_t>(cells) - 1;
            at = static_cast<T>(low);
        }
        const T upper = at - static_cast<T>(low);
        sample(low, high, T(1) - upper, upper);
    }
    return n - inside;
}

/// The taps of one axis: weights of the cells of each bin, cells in increasing order, divided by the number of samples.
template <class T>
struct roi_axis_taps {
    std::vector<std::int32_t> begin, cell;
    std::vector<T> weight;
    std::int32_t first = 0, last = 0;  ///< cells [first, last) are touched

    void set(const roi_axis<T>& axis, std::int64_t bins, std::size_t cells, std::vector<T>& dense) {
        begin.assign(1, 0);
        cell.clear();
        weight.clear();
        first = static_cast<std::int32_t>(cells);
        last = 0;
        for (std::int64_t b = 0; b < bins; ++b) {
            std::int32_t low_cell = static_cast<std::int32_t>(cells), high_cell = -1;
            samples_of_bin(axis, b, cells, [&](std::int32_t low, std::int32_t high, T low_weight, T high_weight) {
                dense[static_cast<std::size_t>(low)] += low_weight;
                dense[static_cast<std::size_t>(high)] += high_weight;
                low_cell = std::min(low_cell, low);
                high_cell = std::max(high_cell, high);
            });
            for (std::int32_t c = low_cell; c <= high_cell; ++c) {
                T& w = dense[static_cast<std::size_t>(c)];
                if (w != T(0)) {
                    cell.push_back(c);
                    weight.push_back(w / axis.grid);
                    first = std::min(first, c);
                    last = std::max(last, c + 1);
                    w = T(0);
                }
            }
            begin.push_back(static_cast<std::int32_t>(cell.size()));
        }
        if (last == 0) first = 0;
    }
};

/// What all RoIs of one call need once: which cells they read, and how.
template <class T>
struct roi_plan {
    std::size_t image = 0;
    std::int32_t y1 = 0, y2 = 0, x1 = 0, x2 = 0;  ///< cells [y1, y2) x [x1, x2) are read; the numbers below count from them
    roi_axis_taps<T> rows, columns;
    std::vector<std::int32_t> column_list;
    std::vector<std::int32_t> row_begin, row_end, column_begin, column_end;
    std::vector<roi_sample<T>> y_samples, x_samples;
    std::vector<std::size_t> y_first, x_first;

    bool empty() const noexcept { return y1 >= y2 || x1 >= x2; }
    std::size_t area() const noexcept { return empty() ? 0 : static_cast<std::size_t>(y2 - y1) * static_cast<std::size_t>(x2 - x1); }
};

template <class T>
void plan_sums(roi_plan<T>& p, const roi_axis<T>& y, const roi_axis<T>& x, const roi_shape& s, const roi_align_options& options,
               std::vector<T>& dense) {
    p.rows.set(y, options.output_height, s.height, dense);
    p.columns.set(x, options.output_width, s.width, dense);
    p.y1 = p.rows.first;
    p.y2 = p.rows.last;
    p.x1 = p.columns.first;
    p.x2 = p.columns.last;
    for (std::int32_t& c : p.rows.cell) c -= p.y1;
    // Columns by their place among those that are needed.
    std::vector<std::int32_t> place(static_cast<std::size_t>(std::max(p.x2 - p.x1, 0)), -1);
    for (const std::int32_t c : p.columns.cell) place[static_cast<std::size_t>(c - p.x1)] = 0;
    for (std::size_t c = 0; c < place.size(); ++c)
        if (place[c] == 0) {
            place[c] = static_cast<std::int32_t>(p.column_list.size());
            p.column_list.push_back(static_cast<std::int32_t>(c));
        }
    for (std::int32_t& c : p.columns.cell) c = place[static_cast<std::size_t>(c - p.x1)];
}

template <class T>
void plan_samples(const roi_axis<T>& axis, std::int64_t bins, std::size_t cells, std::vector<roi_sample<T>>& samples,
                  std::vector<std::size_t>& first, std::int32_t& low_cell, std::int32_t& high_cell) {
    low_cell = static_cast<std::int32_t>(cells);
    high_cell = 0;
    first.assign(1, 0);
    std::vector<std::size_t> outside;
    for (std::int64_t b = 0; b < bins; ++b) {
        const std::int64_t missing = samples_of_bin(axis, b, cells, [&](std::int32_t low, std::int32_t high, T low_weight, T high_weight) {
            samples.push_back({low, high, low_weight, high_weight});
            low_cell = std::min(low_cell, low);
            high_cell = std::max(high_cell, high + 1);
        });
        if (missing > 0) {  // one 0 stands for all of them
            outside.push_back(samples.size());
            samples.push_back({0, 0, T(0), T(0)});
        }
        first.push_back(samples.size());
    }
    if (high_cell == 0) low_cell = 0;
    for (const std::size_t i : outside) samples[i].low = samples[i].high = low_cell;
    for (auto& q : samples) {
        q.low -= low_cell;
        q.high -= low_cell;
    }
}

/// Runs `pool(region, width, plan, scratch, bins)` for every RoI and every block of channels. The channels of a block are laid side by
/// side once for the whole map, or for each RoI alone where together they read less than that.
template <class T, class Pool>
void for_each_roi(const T* input, const roi_shape& s, const std::vector<roi_plan<T>>& plans, std::size_t bins, T* out, Pool&& pool) {
    const auto& kernels = get_roi_kernels(T());
    const std::size_t L = kernels.lanes, plane = s.height * s.width;
    std::vector<std::vector<std::size_t>> of_image(s.images);
    for (std::size_t k = 0; k < plans.size(); ++k) of_image[plans[k].image].push_back(k);
    for (std::size_t n = 0; n < s.images; ++n) {
        if (of_image[n].empty()) continue;
        std::size_t area = 0, largest = 0;
        auto y1 = static_cast<std::int32_t>(s.height), y2 = std::int32_t{0};
        for (const std::size_t k : of_image[n]) {
            if (plans[k].empty()) continue;
            area += plans[k].area();
            largest = std::max(largest, plans[k].area());
            y1 = std::min(y1, plans[k].y1);
            y2 = std::max(y2, plans[k].y2);
        }
        const std::size_t rows = y1 < y2 ? static_cast<std::size_t>(y2 - y1) : 0;
        const bool whole = area > rows * s.width;
        parallel_for((s.channels + L - 1) / L, 1, [&](std::size_t begin, std::size_t end) {
            const auto region = std::unique_ptr<T[]>(new T[(whole ? rows * s.width : largest) * L + 1]);
            const auto values = std::unique_ptr<T[]>(new T[bins * L]), scratch = std::unique_ptr<T[]>(new T[s.width * L + 1]);
            for (std::size_t block = begin; block < end; ++block) {
                const std::size_t c = block * L, channels = std::min(L, s.channels - c);
                const T* planes = input + (n * s.channels + c) * plane;
                if (whole) kernels.gather(planes + static_cast<std::size_t>(y1) * s.width, plane, channels, s.width, rows, s.width, region.get());
                for (const std::size_t k : of_image[n]) {
                    const roi_plan<T>& p = plans[k];
                    T* to = out + ((s.rows != nullptr ? s.rows[k] : k) * s.channels + c) * bins;
                    if (p.empty()) {
                        std::fill_n(to, channels * bins, T(0));
                        continue;
                    }
                    const auto width = static_cast<std::size_t>(p.x2 - p.x1);
                    if (whole) {
                        const std::size_t at = static_cast<std::size_t>(p.y1 - y1) * s.width + static_cast<std::size_t>(p.x1);
                        pool(region.get() + at * L, s.width, p, scratch.get(), values.get());
                    } else {
                        kernels.gather(planes + static_cast<std::size_t>(p.y1) * s.width + static_cast<std::size_t>(p.x1), plane, channels, s.width,
                                       static_cast<std::size_t>(p.y2 - p.y1), width, region.get());
                        pool(region.get(), width, p, scratch.get(), values.get());
                    }
                    kernels.scatter(values.get(), bins, channels, to);
                }
            }
        });
    }
}

inline void check_sampling(const roi_align_options& options, const char* name) {
    check(options.sampling_ratio <= 65536, name, ": the sampling ratio must be at most 65536, got ", options.sampling_ratio);
}

template <class T>
void roi_align_any(const T* input, const T* rois, const roi_shape& s, const roi_align_options& options, T* out) {
    check_sampling(options, "roi_align");
    const bool average = options.mode == roi_align_mode::average;
    const auto bins_y = static_cast<std::size_t>(options.output_height), bins_x = static_cast<std::size_t>(options.output_width);
    std::vector<roi_plan<T>> plans(s.rois);
    parallel_for(s.rois, 64, [&](std::size_t begin, std::size_t end) {
        std::vector<T> dense(std::max(s.height, s.width) + 1, T(0));
        for (std::size_t k = begin; k < end; ++k) {
            const T* r = rois + 5 * k;
            roi_plan<T>& p = plans[k];
            p.image = static_cast<std::size_t>(r[0]);
            if (!usable_roi(r, options.spatial_scale)) continue;
            const auto y = align_axis(r[2], r[4], options.output_height, options.spatial_scale, options.sampling_ratio, options.aligned,
                                      !options.aligned);
            const auto x = align_axis(r[1], r[3], options.output_width, options.spatial_scale, options.sampling_ratio, options.aligned,
                                      !options.aligned);
            if (average) {
                plan_sums(p, y, x, s, options, dense);
            } else {
                plan_samples(y, options.output_height, s.height, p.y_samples, p.y_first, p.y1, p.y2);
                plan_samples(x, options.output_width, s.width, p.x_samples, p.x_first, p.x1, p.x2);
            }
        }
    });
    const auto& kernels = get_roi_kernels(T());
    if (average) {
        for_each_roi(input, s, plans, bins_y * bins_x, out, [&](const T* region, std::size_t width, const roi_plan<T>& p, T* scratch, T* bins) {
            const roi_sums<T> sums{{p.rows.begin.data(), p.rows.cell.data(), p.rows.weight.data()},
                                   {p.columns.begin.data(), p.columns.cell.data(), p.columns.weight.data()},
                                   p.column_list.data(),
                                   p.column_list.size()};
            kernels.sums(region, width, sums, bins_y, bins_x, scratch, bins);
        });
        return;
    }
    const bool corners = options.mode == roi_align_mode::max_of_corners;
    for_each_roi(input, s, plans, bins_y * bins_x, out, [&](const T* region, std::size_t width, const roi_plan<T>& p, T*, T* bins) {
        for (std::size_t i = 0; i < bins_y; ++i)
            for (std::size_t j = 0; j < bins_x; ++j) {
                T* bin = bins + (i * bins_x + j) * kernels.lanes;
                const std::size_t n_y = p.y_first[i + 1] - p.y_first[i], n_x = p.x_first[j + 1] - p.x_first[j];
                if (n_y == 0 || n_x == 0) {
                    std::fill_n(bin, kernels.lanes, T(0));
                } else {
                    kernels.largest_sample(region, width, p.y_samples.data() + p.y_first[i], n_y, p.x_samples.data() + p.x_first[j], n_x,
                                           corners, bin);
                }
            }
    });
}

/// Ranges of cells as RoIPool rounds them; `inclusive`: the last cell belongs to the RoI, and ranges end at the map's end.
template <class T>
void pool_ranges(T low, T high, std::int64_t bins, double scale, std::size_t cells, bool inclusive, std::vector<std::int32_t>& begin,
                 std::vector<std::int32_t>& end) {
    const T factor = static_cast<T>(scale);
    const auto start = static_cast<std::int64_t>(std::round(low * factor)), stop = static_cast<std::int64_t>(std::round(high * factor));
    const std::int64_t extent = std::max<std::int64_t>(stop - start + (inclusive ? 1 : 0), 1);
    const T bin = static_cast<T>(extent) / static_cast<T>(bins);
    const std::int64_t limit = static_cast<std::int64_t>(cells) - (inclusive ? 0 : 1);
    for (std::int64_t b = 0; b < bins; ++b) {
        const auto from = static_cast<std::int64_t>(std::floor(static_cast<T>(b) * bin));
        const auto to = static_cast<std::int64_t>(std::ceil(static_cast<T>(b + 1) * bin));
        begin.push_back(static_cast<std::int32_t>(std::clamp<std::int64_t>(from + start, 0, std::max<std::int64_t>(limit, 0))));
        end.push_back(static_cast<std::int32_t>(std::clamp<std::int64_t>(to + start, 0, std::max<std::int64_t>(limit, 0))));
    }
}

template <class T>
void roi_pool_any(const T* input, const T* rois, const roi_shape& s, const roi_pool_options& options, T* out) {
    std::vector<roi_plan<T>> plans(s.rois);
    const auto bins_y = static_cast<std::size_t>(options.output_height), bins_x = static_cast<std::size_t>(options.output_width);
    const auto cut = [](std::vector<std::int32_t>& begin, std::vector<std::int32_t>& end, std::int32_t& first, std::int32_t& last) {
        first = *std::min_element(begin.begin(), begin.end());
        last = *std::max_element(end.begin(), end.end());
        for (std::size_t b = 0; b < begin.size(); ++b) {
            begin[b] -= first;
            end[b] -= first;
        }
    };
    for (std::size_t k = 0; k < s.rois; ++k) {
        const T* r = rois + 5 * k;
        roi_plan<T>& p = plans[k];
        p.image = static_cast<std::size_t>(r[0]);
        if (!usable_roi(r, options.spatial_scale)) continue;
        pool_ranges(r[2], r[4], options.output_height, options.spatial_scale, s.height, true, p.row_begin, p.row_end);
        pool_ranges(r[1], r[3], options.output_width, options.spatial_scale, s.width, true, p.column_begin, p.column_end);
        cut(p.row_begin, p.row_end, p.y1, p.y2);
        cut(p.column_begin, p.column_end, p.x1, p.x2);
    }
    const auto& kernels = get_roi_kernels(T());
    for_each_roi(input, s, plans, bins_y * bins_x, out, [&](const T* region, std::size_t width, const roi_plan<T>& p, T* scratch, T* bins) {
        const roi_ranges ranges{p.row_begin.data(), p.row_end.data(), p.column_begin.data(), p.column_end.data(),
                                static_cast<std::size_t>(p.x2 - p.x1)};
        kernels.largest(region, width, ranges, bins_y, bins_x, scratch, bins);
    });
}

template <class T>
void ps_roi_align_any(const T* input, const T* rois, const roi_shape& s, const roi_align_options& options, T* out) {
    check_sampling(options, "ps_roi_align");
    const auto bins_y = static_cast<std::size_t>(options.output_height), bins_x = static_cast<std::size_t>(options.output_width);
    const std::size_t bins = bins_y * bins_x, channels = s.channels / bins, plane = s.height * s.width;
    parallel_for(s.rois, 4, [&](std::size_t begin, std::size_t end) {
        std::vector<T> dense(std::max(s.height, s.width) + 1, T(0));
        roi_axis_taps<T> rows, columns;
        for (std::size_t k = begin; k < end; ++k) {
            const T* r = rois + 5 * k;
            T* to = out + k * channels * bins;
            if (!usable_roi(r, options.spatial_scale)) {
                std::fill_n(to, channels * bins, T(0));
                continue;
            }
            rows.set(align_axis(r[2], r[4], options.output_height, options.spatial_scale, options.sampling_ratio, true, false),
                     options.output_height, s.height, dense);
            columns.set(align_axis(r[1], r[3], options.output_width, options.spatial_scale, options.sampling_ratio, true, false),
                        options.output_width, s.width, dense);
            const T* image = input + static_cast<std::size_t>(r[0]) * s.channels * plane;
            for (std::size_t c = 0; c < channels; ++c)
                for (std::size_t i = 0; i < bins_y; ++i)
                    for (std::size_t j = 0; j < bins_x; ++j) {
                        const T* from = image + ((c * bins_y + i) * bins_x + j) * plane;
                        T sum = 0;
                        for (auto a = static_cast<std::size_t>(rows.begin[i]); a < static_cast<std::size_t>(rows.begin[i + 1]); ++a) {
                            const T* row = from + static_cast<std::size_t>(rows.cell[a]) * s.width;
                            T part = 0;
                            for (auto b = static_cast<std::size_t>(columns.begin[j]); b < static_cast<std::size_t>(columns.begin[j + 1]); ++b)
                                part += columns.weight[b] * row[columns.cell[b]];
                            sum += rows.weight[a] * part;
                        }
                        to[c * bins + i * bins_x + j] = sum;
                    }
        }
    });
}

template <class T>
void ps_roi_pool_any(const T* input, const T* rois, const roi_shape& s, const roi_pool_options& options, T* out) {
    const auto bins_y = static_cast<std::size_t>(options.output_height), bins_x = static_cast<std::size_t>(options.output_width);
    const std::size_t bins = bins_y * bins_x, channels = s.channels / bins, plane = s.height * s.width;
    parallel_for(s.rois, 4, [&](std::size_t begin, std::size_t end) {
        for (std::size_t k = begin; k < end; ++k) {
            const T* r = rois + 5 * k;
            T* to = out + k * channels * bins;
            if (!usable_roi(r, options.spatial_scale)) {
                std::fill_n(to, channels * bins, T(0));
                continue;
            }
            std::vector<std::int32_t> y1, y2, x1, x2;
            pool_ranges(r[2], r[4], options.output_height, options.spatial_scale, s.height, false, y1, y2);
            pool_ranges(r[1], r[3], options.output_width, options.spatial_scale, s.width, false, x1, x2);
            const T* image = input + static_cast<std::size_t>(r[0]) * s.channels * plane;
            for (std::size_t c = 0; c < channels; ++c)
                for (std::size_t i = 0; i < bins_y; ++i)
                    for (std::size_t j = 0; j < bins_x; ++j) {
                        const T* from = image + ((c * bins_y + i) * bins_x + j) * plane;
                        T sum = 0;
                        for (std::int32_t y = y1[i]; y < y2[i]; ++y)
                            for (std::int32_t x = x1[j]; x < x2[j]; ++x)
                                sum += from[static_cast<std::size_t>(y) * s.width + static_cast<std::size_t>(x)];
                        const bool none = y1[i] >= y2[i] || x1[j] >= x2[j];
                        const T area = static_cast<T>(y2[i] - y1[i]) * static_cast<T>(x2[j] - x1[j]);
                        to[c * bins + i * bins_x + j] = none ? T(0) : sum / area;
                    }
        }
    });
}

#define OCELLI_ROI_BODY_(function, options_type)                                                                                      \
    OCELLI_INLINE void function(const float* input, const float* rois, const roi_shape& shape, const options_type& options, float* out) { \
        function##_any(input, rois, shape, options, out);                                                                           \
    }                                                                                                                               \
    OCELLI_INLINE void function(const double* input, const double* rois, const roi_shape& shape, const options_type& options,       \
                                double* out) {                                                                                      \
        function##_any(input, rois, shape, options, out);                                                                           \
    }
OCELLI_ROI_BODY_(roi_align, roi_align_options)
OCELLI_ROI_BODY_(roi_pool, roi_pool_options)
OCELLI_ROI_BODY_(ps_roi_align, roi_align_options)
OCELLI_ROI_BODY_(ps_roi_pool, roi_pool_options)
#undef OCELLI_ROI_BODY_

}  // namespace ocelli::detail
