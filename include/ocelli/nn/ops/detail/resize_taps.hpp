#pragma once

/// @file
/// Where the positions of a resized axis read their input, and with which weights: what the evaluation and the kernels of Resize share.

#include <ocelli/nn/ops/support.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace ocelli::nn::detail {

/// What a node asks for, the same for every operator set.
struct resize_settings {
    std::string mode = "nearest";  // nearest, linear, cubic
    std::string coordinates = "asymmetric";
    std::string nearest = "floor";
    double cubic_a = -0.75;
    double extrapolation = 0;
    bool exclude_outside = false;
    bool antialias = false;
};

/// One axis: extents, scale, and the part of the input that tf_crop_and_resize takes.
struct resize_axis {
    std::int64_t in = 1, out = 1;
    float scale = 1;
    float roi_begin = 0, roi_end = 1;
    bool identity() const noexcept { return in == out && scale == 1; }
};

inline resize_settings resize_settings_of(const node& n) {
    resize_settings s;
    s.mode = attr_string(n, "mode", "nearest");
    if (s.mode == "bilinear" || s.mode == "trilinear") s.mode = "linear";  // names of the first operator sets
    if (n.op == "Resize" && n.opset >= 11) {
        s.coordinates = attr_string(n, "coordinate_transformation_mode", "half_pixel");
        s.nearest = attr_string(n, "nearest_mode", "round_prefer_floor");
        s.cubic_a = static_cast<double>(attr_float(n, "cubic_coeff_a", -0.75f));
        s.extrapolation = static_cast<double>(attr_float(n, "extrapolation_value", 0.0f));
        s.exclude_outside = attr_int(n, "exclude_outside", 0) != 0;
        s.antialias = attr_int(n, "antialias", 0) != 0;
    }
    const auto one_of = [&](const std::string& value, std::initializer_list<const char*> allowed, const char* what) {
        for (const char* a : allowed)
            if (value == a) return;
        fail<unsupported_operator>(n, what, " '", value, "' is not supported");
    };
    one_of(s.mode, {"nearest", "linear", "cubic"}, "mode");
    one_of(s.coordinates, {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize", "tf_half_pixel_for_nn"},
           "coordinate_transformation_mode");
    one_of(s.nearest, {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}, "nearest_mode");
    return s;
}

/// The axes of the result from scales or sizes; `roi` may be null.
inline std::vector<resize_axis> resize_axes(const node& n, const dims& in, const tensor* roi, const tensor* scales, const tensor* sizes) {
    std::vector<resize_axis> axes(in.size());
    for (std::size_t i = 0; i < in.size(); ++i) axes[i].in = axes[i].out = in[i];
    dims which(in.size());
    for (std::size_t i = 0; i < in.size(); ++i) which[i] = static_cast<std::int64_t>(i);
    which = attr_ints(n, "axes", which);
    std::vector<std::size_t> places;
    for (const std::int64_t axis : which) places.push_back(normalize_axis(n, axis, in.size()));

    const bool by_size = sizes != nullptr && sizes->size() != 0;
    check(n, by_size || (scales != nullptr && scales->size() != 0), "needs scales or sizes");
    constexpr std::int64_t limit = std::int64_t{1} << 31;
    if (by_size) {
        const auto wanted = sizes->to_ints();
        check(n, wanted.size() == places.size(), "sizes must have ", places.size(), " elements, got ", wanted.size());
        const std::string policy = attr_string(n, "keep_aspect_ratio_policy", "stretch");
        check<unsupported_operator>(n, policy == "stretch" || policy == "not_larger" || policy == "not_smaller", "keep_aspect_ratio_policy '", policy,
                                    "' is not supported");
        float common = 0;
        for (std::size_t i = 0; i < places.size(); ++i) {
            check(n, wanted[i] >= 0 && wanted[i] < limit, "sizes are out of range: ", ocelli::detail::shape_text(wanted));
            resize_axis& a = axes[places[i]];
            check(n, a.in > 0 || wanted[i] == 0, "cannot resize an axis without elements");
            a.out = wanted[i];
            a.scale = a.in == 0 ? 1.0f : static_cast<float>(a.out) / static_cast<float>(a.in);
            common = i == 0 ? a.scale : policy == "not_larger" ? std::min(common, a.scale) : std::max(common, a.scale);
        }
        if (policy != "stretch")
            for (const std::size_t p : places) {
                axes[p].scale = common;
                axes[p].out = static_cast<std::int64_t>(std::floor(static_cast<double>(common) * static_cast<double>(axes[p].in) + 0.5));
            }
    } else {
        const tensor f = scales->cast(dtype::float32);
        check(n, static_cast<std::size_t>(f.size()) == places.size(), "scales must have ", places.size(), " elements, got ", f.size());
        for (std::size_t i = 0; i < places.size(); ++i) {
            resize_axis& a = axes[places[i]];
            a.scale = f.data<float>()[i];
            check(n, !is_nan_element(a.scale) && a.scale > 0 && a.scale < 1e9f, "scales must be positive, got ", a.scale);
            const float out = std::floor(static_cast<float>(a.in) * a.scale);
            check(n, out < static_cast<float>(limit), "scale ", a.scale, " is too large");
            a.out = static_cast<std::int64_t>(out);
        }
    }
    if (roi != nullptr && roi->size() != 0) {
        const tensor f = roi->cast(dtype::float32);
        check(n, static_cast<std::size_t>(f.size()) == 2 * places.size(), "roi must have ", 2 * places.size(), " elements, got ", f.size());
        for (std::size_t i = 0; i < places.size(); ++i) {
            axes[places[i]].roi_begin = f.data<float>()[i];
            axes[places[i]].roi_end = f.data<float>()[i + places.size()];
            check(n, ocelli::detail::is_finite(axes[places[i]].roi_begin) && ocelli::detail::is_finite(axes[places[i]].roi_end), "roi must be finite");
        }
    }
    return axes;
}

/// Where position `o` of the result lies in the input.
inline float source_coordinate(const std::string& rule, const resize_axis& a, std::int64_t o) noexcept {
    const auto x = static_cast<float>(o), in = static_cast<float>(a.in), out = static_cast<float>(a.out);
    if (rule == "asymmetric") return x / a.scale;
    if (rule == "half_pixel") return (x + 0.5f) / a.scale - 0.5f;
    if (rule == "pytorch_half_pixel") return a.out > 1 ? (x + 0.5f) / a.scale - 0.5f : 0.0f;
    if (rule == "tf_half_pixel_for_nn") return (x + 0.5f) / a.scale;
    if (rule == "half_pixel_symmetric") {
        const float adjustment = out / (a.scale * in), centre = in / 2.0f;
        return centre * (1.0f - adjustment) + (x + 0.5f) / a.scale - 0.5f;
    }
    if (rule == "align_corners") return a.out <= 1 ? 0.0f : x * (in - 1.0f) / (a.scale * in - 1.0f);
    // tf_crop_and_resize
    return a.out > 1 ? a.roi_begin * (in - 1.0f) + x * (a.roi_end - a.roi_begin) * (in - 1.0f) / (out - 1.0f)
                     : 0.5f * (a.roi_begin + a.roi_end) * (in - 1.0f);
}

inline std::int64_t nearest_position(const std::string& rule, float x, std::int64_t extent) noexcept {
    float at = 0;
    if (rule == "round_prefer_floor") at = std::ceil(x - 0.5f);
    else if (rule == "round_prefer_ceil") at = std::floor(x + 0.5f);
    else if (rule == "floor") at = std::floor(x);
    else at = std::ceil(x);
    return at <= 0 ? 0 : at >= static_cast<float>(extent) ? extent - 1 : std::min(extent - 1, static_cast<std::int64_t>(at));
}

/// Taps of one result position: source positions [first, first + count) of the table, weights beside them.
struct resize_taps {
    std::vector<std::int64_t> source;
    std::vector<float> weight;
    std::vector<std::size_t> begin;  // out + 1 entries; an empty range is an extrapolated position
};

inline double resize_kernel(const resize_settings& s, double distance) noexcept {
    const double d = std::abs(distance);
    if (s.mode == "linear") return d < 1 ? 1 - d : 0;
    const double a = s.cubic_a;
    if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

inline resize_taps make_taps(const resize_settings& s, const resize_axis& a) {
    resize_taps t;
    t.begin.push_back(0);
    // Below scale 1 antialiasing stretches the kernel over the input.
    const double stretch = s.antialias && a.scale < 1 ? static_cast<double>(a.scale) : 1.0;
    const double support = (s.mode == "linear" ? 1.0 : 2.0) / stretch;
    for (std::int64_t o = 0; o < a.out; ++o) {
        const float x = source_coordinate(s.coordinates, a, o);
        if (s.coordinates == "tf_crop_and_resize" && (x < 0 || x > static_cast<float>(a.in - 1))) {
            t.begin.push_back(t.source.size());
            continue;
        }
        // A coordinate far outside meets only the border.
        const double at = std::clamp(static_cast<double>(x), -2.0 * support, static_cast<double>(a.in - 1) + 2.0 * support);
        const auto first = static_cast<std::int64_t>(std::floor(at - support)) + 1;
        const auto last = static_cast<std::int64_t>(std::ceil(at + support)) - 1;
        const std::size_t start = t.source.size();
        double sum = 0;
        std::vector<double> weights;
        for (std::int64_t k = first; k <= last; ++k) {
            const bool outside = k < 0 || k >= a.in;
            const double w = s.exclude_outside && outside ? 0.0 : resize_kernel(s, (static_cast<double>(k) - at) * stretch);
            if (w == 0) continue;
            sum += w;
            const std::int64_t place = std::clamp<std::int64_t>(k, 0, a.in - 1);
            // Positions beyond the border repeat its element: one tap for all of them.
            if (t.source.size() > start && t.source.back() == place) weights.back() += w;
            else {
                t.source.push_back(place);
                weights.push_back(w);
            }
        }
        if (t.source.size() == start) {
            t.source.push_back(std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(at)), 0, a.in - 1));
            weights.push_back(1.0);
            sum = 1.0;
        }
        const bool normalise = s.exclude_outside || stretch != 1.0;
        for (const double w : weights) t.weight.push_back(static_cast<float>(normalise && sum != 0 ? w / sum : w));
        t.begin.push_back(t.source.size());
    }
    return t;
}

// Where each operator set keeps its inputs.
struct resize_inputs {
    std::size_t roi = 0, scales = 0, sizes = 0;  // 0: none
};
inline resize_inputs resize_inputs_of(const node& n) noexcept {
    if (n.op == "Resize" && n.opset >= 11) return {1, 2, 3};
    return {0, n.op == "Upsample" && n.opset < 9 ? std::size_t{0} : std::size_t{1}, 0};
}

inline tensor upsample_scales(const node& n) {
    const std::vector<float> scales = attr_floats(n, "scales", {});
    check(n, !scales.empty(), "attribute 'scales' is missing");
    return tensor::from<float>({static_cast<std::int64_t>(scales.size())}, std::span<const float>(scales));
}

}  // namespace ocelli::nn::detail
