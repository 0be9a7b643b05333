#pragma once

#include <ocelli/core/float_bits.hpp>
#include <ocelli/features/detail/cubic.hpp>
#include <ocelli/features/detail/resample.hpp>
#include <ocelli/features/upsample.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace ocelli::detail {

OCELLI_INLINE std::array<std::size_t, 4> upsampled_shape(const std::array<std::size_t, 4>& shape, const upsample_options& o) {
    constexpr std::int64_t limit = std::int64_t{1} << 30;
    check(shape[2] != 0 && shape[3] != 0, "upsample: the map has no elements, ", shape_text(shape));
    check(shape[2] < static_cast<std::size_t>(limit) && shape[3] < static_cast<std::size_t>(limit), "upsample: the map is too large, ", shape_text(shape));
    const bool sized = o.size[0] != 0 || o.size[1] != 0, scaled = o.scale[0] != 0 || o.scale[1] != 0;
    check(sized != scaled, "upsample: either the size or the scale must be given");
    const bool nearest = o.mode == upsample_mode::nearest || o.mode == upsample_mode::nearest_exact;
    check(!nearest || (!o.align_corners && !o.antialias), "upsample: the nearest modes know neither align_corners nor antialias");
    std::array<std::size_t, 4> out = shape;
    for (std::size_t i = 0; i < 2; ++i) {
        std::int64_t side = o.size[i];
        if (scaled) {
            check(is_finite(o.scale[i]) && o.scale[i] > 0, "upsample: the scale must be positive, got ", o.scale[i]);
            const double exact = std::floor(static_cast<double>(shape[2 + i]) * o.scale[i]);
            side = exact < static_cast<double>(limit) ? static_cast<std::int64_t>(exact) : limit;
        }
        check(side >= 1 && side < limit, "upsample: the result's sides must be in [1, 2^30), got ", side);
        out[2 + i] = static_cast<std::size_t>(side);
    }
    return out;
}

/// Elements of the source for one of the result. In the precision of the elements, as torch computes it: a position on the other side of an
/// element is a visible error.
template <class T>
T upsample_step(std::int64_t in, std::int64_t out, bool align_corners, double scale) {
    if (align_corners) return out > 1 ? static_cast<T>(in - 1) / static_cast<T>(out - 1) : T(0);
    return scale > 0 ? static_cast<T>(1.0 / scale) : static_cast<T>(in) / static_cast<T>(out);
}

/// In float for every element type, and without rounding for the same and the double extent: torch's rules.
template <class T>
void nearest_taps(tap_table<T>& t, double scale, bool exact) {
    const float step = upsample_step<float>(t.in, t.out, false, scale);
    for (std::int64_t o = 0; o < t.out; ++o) {
        std::int64_t at = o;
        if (exact || (t.out != t.in && t.out != 2 * t.in)) at = static_cast<std::int64_t>(std::floor((static_cast<float>(o) + (exact ? 0.5f : 0.0f)) * step));
        else if (t.out != t.in) at = o / 2;
        t.source.push_back(static_cast<std::int32_t>(std::min(at, t.in - 1)));
    }
    t.weight.assign(t.source.size(), T(1));
}

/// Two taps or four around each position; taps outside stand on the border.
template <class T>
void smooth_taps(tap_table<T>& t, T step, bool align_corners, bool cubic) {
    t.count = cubic ? 4 : 2;
    t.source.resize(static_cast<std::size_t>(t.count * t.out));
    t.weight.resize(t.source.size());
    for (std::int64_t o = 0; o < t.out; ++o) {
        T at = align_corners ? step * static_cast<T>(o) : step * (static_cast<T>(o) + T(0.5)) - T(0.5);
        if (!cubic && at < 0) at = 0;
        const auto low = std::min(static_cast<std::int64_t>(std::floor(at)), t.in - 1);
        const T part = std::clamp(at - static_cast<T>(low), T(0), T(1));
        const T a = T(-0.75);
        const T linear[] = {1 - part, part};
        const T four[] = {cubic_far(part + 1, a), cubic_near(part, a), cubic_near(1 - part, a), cubic_far(2 - part, a)};
        for (std::int64_t k = 0; k < t.count; ++k) {
            const auto place = static_cast<std::size_t>(k * t.out + o);
            t.source[place] = static_cast<std::int32_t>(std::clamp<std::int64_t>(low + k - (cubic ? 1 : 0), 0, t.in - 1));
            t.weight[place] = cubic ? four[k] : linear[k];
        }
    }
}

/// The filter stretched over all elements that a position stands for, normalised.
template <class T>
void antialiased_taps(tap_table<T>& t, T step, bool cubic) {
    const T stretch = std::max(step, T(1)), support = (cubic ? T(2) : T(1)) * stretch;
    const T inverse = 1 / stretch;
    struct range {
        std::int64_t first, count;
    };
    std::vector<range> ranges;
    const auto whole = [](T v) { return static_cast<std::int64_t>(v); };
    for (std::int64_t o = 0; o < t.out; ++o) {
        const T centre = step * (static_cast<T>(o) + T(0.5));
        const std::int64_t first = std::clamp<std::int64_t>(whole(centre - support + T(0.5)), 0, t.in - 1);
        const std::int64_t end = std::clamp<std::int64_t>(whole(centre + support + T(0.5)), first + 1, t.in);
        ranges.push_back({first, end - first});
        t.count = std::max(t.count, end - first);
    }
    t.source.resize(static_cast<std::size_t>(t.count * t.out));
    t.weight.resize(t.source.size());
    std::vector<T> weights;
    for (std::int64_t o = 0; o < t.out; ++o) {
        const range r = ranges[static_cast<std::size_t>(o)];
        const T centre = step * (static_cast<T>(o) + T(0.5));
        weights.clear();
        T sum = 0;
        for (std::int64_t k = 0; k < r.count; ++k) {
            const T x = std::abs((static_cast<T>(r.first + k) - centre + T(0.5)) * inverse), a = T(-0.5);
            const T w = cubic ? (x < 1 ? cubic_near(x, a) : x < 2 ? cubic_far(x, a) : T(0)) : (x < 1 ? 1 - x : T(0));
            weights.push_back(w);
            sum += w;
        }
        for (std::int64_t k = 0; k < t.count; ++k) {
            const auto place = static_cast<std::size_t>(k * t.out + o);
            t.source[place] = static_cast<std::int32_t>(r.first + std::min(k, r.count - 1));
            t.weight[place] = k < r.count ? (sum != 0 ? weights[static_cast<std::size_t>(k)] / sum : T(k == 0)) : T(0);
        }
    }
}

template <class T>
tap_table<T> upsample_taps(std::size_t in, std::size_t out, double scale, const upsample_options& o) {
    tap_table<T> t;
    t.in = static_cast<std::int64_t>(in);
    t.out = static_cast<std::int64_t>(out);
    if (o.recompute_scale) scale = 0;
    const T step = upsample_step<T>(t.in, t.out, o.align_corners, scale);
    const bool cubic = o.mode == upsample_mode::bicubic;
    if (o.mode == upsample_mode::nearest || o.mode == upsample_mode::nearest_exact) nearest_taps(t, scale, o.mode == upsample_mode::nearest_exact);
    else if (o.antialias) antialiased_taps(t, step, cubic);
    else smooth_taps(t, step, o.align_corners, cubic);
    return t;
}

template <class T>
void upsample_any(const std::array<std::size_t, 4>& from, const std::array<std::size_t, 4>& to, const upsample_options& options, const T* in, T* out) {
    const auto planes = static_cast<std::int64_t>(from[0] * from[1]);
    if (planes == 0) return;
    const auto rows = upsample_taps<T>(from[2], to[2], options.scale[0], options), columns = upsample_taps<T>(from[3], to[3], options.scale[1], options);
    if (options.mode == upsample_mode::nearest || options.mode == upsample_mode::nearest_exact) resize_copied(planes, rows, columns, 1, in, out);
    else resize_weighted(planes, rows, columns, 1, in, out);
}

OCELLI_INLINE void upsample(const std::array<std::size_t, 4>& from, const std::array<std::size_t, 4>& to, const upsample_options& options, const float* in,
                            float* out) {
    upsample_any(from, to, options, in, out);
}
OCELLI_INLINE void upsample(const std::array<std::size_t, 4>& from, const std::array<std::size_t, 4>& to, const upsample_options& options,
                            const double* in, double* out) {
    upsample_any(from, to, options, in, out);
}

}  // namespace ocelli::detail
