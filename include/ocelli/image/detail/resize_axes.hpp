#pragma once

/// @file
/// Which input pixels an output pixel reads along one axis, and with which weights: the rules of each library, word for word in
/// arithmetic (float where it uses float), since a coordinate that falls on the other side of a pixel border is a visible
/// error.

#include <ocelli/core/error.hpp>
#include <ocelli/image/resize.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ocelli::detail {

/// For each output index the first input index, the number of taps, and `stride` weights of which the first `count` are used.
struct axis_taps {
    std::vector<std::int32_t> first;
    std::vector<std::int32_t> count;
    std::vector<double> weight;
    std::size_t stride = 0;

    axis_taps(std::size_t outputs, std::size_t taps) : first(outputs), count(outputs), weight(outputs * taps), stride(taps) {}

    /// Puts taps begin, begin + 1, ... with border indices clamped into [0, extent): weights of equal indices add up.
    void put_clamped(std::size_t i, std::int64_t begin, const double* w, std::size_t taps, std::int64_t extent) {
        const auto clamp = [&](std::int64_t v) { return v < 0 ? 0 : v >= extent ? extent - 1 : v; };
        const std::int64_t low = clamp(begin);
        first[i] = static_cast<std::int32_t>(low);
        count[i] = static_cast<std::int32_t>(clamp(begin + static_cast<std::int64_t>(taps) - 1) - low + 1);
        for (std::size_t k = 0; k < taps; ++k)
            weight[i * stride + static_cast<std::size_t>(clamp(begin + static_cast<std::int64_t>(k)) - low)] += w[k];
    }
};

/// Cubic convolution (Keys 1981) at distance x.
inline double cubic_kernel(double x, double a) noexcept {
    x = x < 0 ? -x : x;
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

/// Pillow's filters, by distance in input pixels over the filter's scale. PyTorch's antialiased ones are the same functions.
inline double filter_value(resize_method method, double x) noexcept {
    constexpr double pi = 3.14159265358979323846;
    const auto sinc = [](double t) { return t == 0 ? 1.0 : std::sin(t * pi) / (t * pi); };
    switch (method) {
    case resize_method::pil_box:
        return x > -0.5 && x <= 0.5 ? 1 : 0;
    case resize_method::pil_hamming: {
        x = x < 0 ? -x : x;
        if (x == 0) return 1;
        if (x >= 1) return 0;
        return std::sin(x * pi) / (x * pi) * (0.54 + 0.46 * std::cos(x * pi));
    }
    case resize_method::pil_bicubic:
    case resize_method::torch_bicubic_antialias:
        return cubic_kernel(x, -0.5);
    case resize_method::pil_lanczos:
        return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
    default: {
        x = x < 0 ? -x : x;
        return x < 1 ? 1 - x : 0;
    }
    }
}

/// Half the filter's width, in input pixels, before it is widened.
inline double filter_support(resize_method method) noexcept {
    switch (method) {
    case resize_method::pil_box:
        return 0.5;
    case resize_method::pil_bicubic:
    case resize_method::torch_bicubic_antialias:
        return 2;
    case resize_method::pil_lanczos:
        return 3;
    default:
        return 1;
    }
}

/// Pillow's precompute_coeffs and PyTorch's antialiased weights: the filter, widened by the scale when shrinking, normalised.
inline axis_taps filter_axis(resize_method method, std::size_t in, std::size_t out) {
    const double scale = static_cast<double>(in) / static_cast<double>(out);
    const double widen = scale < 1 ? 1 : scale;
    const double support = filter_support(method) * widen;
    const auto taps = static_cast<std::size_t>(std::ceil(support)) * 2 + 1;
    axis_taps axis(out, taps);
    for (std::size_t i = 0; i < out; ++i) {
        const double centre = (static_cast<double>(i) + 0.5) * scale;
        auto begin = static_cast<std::int64_t>(centre - support + 0.5);
        if (begin < 0) begin = 0;
        auto end = static_cast<std::int64_t>(centre + support + 0.5);
        if (end > static_cast<std::int64_t>(in)) end = static_cast<std::int64_t>(in);
        double sum = 0;
        double* w = axis.weight.data() + i * taps;
        for (std::int64_t k = begin; k < end; ++k) {
            w[k - begin] = filter_value(method, (static_cast<double>(k) - centre + 0.5) / widen);
            sum += w[k - begin];
        }
        if (sum != 0)
            for (std::int64_t k = begin; k < end; ++k) w[k - begin] /= sum;
        axis.first[i] = static_cast<std::int32_t>(begin);
        axis.count[i] = static_cast<std::int32_t>(end - begin);
    }
    return axis;
}

enum class cv_linear_kind { single, precise, area };

/// OpenCV's linear. `single`: coordinates in float, as its own code has them (bytes). `precise`: in double, as its builds with
/// Intel's IPP, PyPI's among them, have them (float and double). `area`: what INTER_AREA uses where a side grows.
inline axis_taps cv_linear_axis(std::size_t in, std::size_t out, cv_linear_kind kind) {
    axis_taps axis(out, 2);
    const auto extent = static_cast<std::int64_t>(in);
    const double inverse = static_cast<double>(out) / static_cast<double>(in);
    const double scale = 1.0 / inverse;
    for (std::size_t i = 0; i < out; ++i) {
        std::int64_t at;
        double fraction;
        if (kind == cv_linear_kind::area) {
            at = static_cast<std::int64_t>(std::floor(static_cast<double>(i) * scale));
            const auto f = static_cast<float>(static_cast<double>(i + 1) - static_cast<double>(at + 1) * inverse);
            fraction = f <= 0 ? 0.0f : f - std::floor(f);
        } else {
            fraction = (static_cast<double>(i) + 0.5) * scale - 0.5;
            if (kind == cv_linear_kind::single) fraction = static_cast<float>(fraction);
            at = static_cast<std::int64_t>(std::floor(fraction));
            fraction -= static_cast<double>(at);
        }
        if (at < 0) {
            at = 0;
            fraction = 0;
        }
        if (at >= extent - 1) {
            at = extent - 1;
            fraction = 0;
        }
        const double w[2] = {1 - fraction, fraction};
        axis.put_clamped(i, at, w, 2, extent);
    }
    return axis;
}

inline axis_taps cv_cubic_axis(std::size_t in, std::size_t out) {
    axis_taps axis(out, 4);
    const double scale = 1.0 / (static_cast<double>(out) / static_cast<double>(in));
    for (std::size_t i = 0; i < out; ++i) {
        const auto position = static_cast<float>((static_cast<double>(i) + 0.5) * scale - 0.5);
        const auto at = static_cast<std::int64_t>(std::floor(position));
        const float x = position - static_cast<float>(at);
        constexpr float a = -0.75f;
        const float w0 = ((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a;
        const float w1 = ((a + 2) * x - (a + 3)) * x * x + 1;
        const float w2 = ((a + 2) * (1 - x) - (a + 3)) * (1 - x) * (1 - x) + 1;
        const double w[4] = {w0, w1, w2, 1.0f - w0 - w1 - w2};
        axis.put_clamped(i, at - 1, w, 4, static_cast<std::int64_t>(in));
    }
    return axis;
}

/// OpenCV's means over the covered area, for a side that shrinks; slivers under a thousandth of a pixel are left out, as there.
inline axis_taps cv_area_axis(std::size_t in, std::size_t out) {
    const double scale = 1.0 / (static_cast<double>(out) / static_cast<double>(in));
    axis_taps axis(out, static_cast<std::size_t>(std::ceil(scale)) + 2);
    const auto extent = static_cast<std::int64_t>(in);
    for (std::size_t i = 0; i < out; ++i) {
        const double from = static_cast<double>(i) * scale;
        const double to = from + scale;
        const double cell = std::fmin(scale, static_cast<double>(in) - from);
        auto low = static_cast<std::int64_t>(std::ceil(from));
        auto high = static_cast<std::int64_t>(std::floor(to));
        high = high < extent - 1 ? high : extent - 1;
        low = low < high ? low : high;
        double* w = axis.weight.data() + i * axis.stride;
        std::size_t n = 0;
        axis.first[i] = static_cast<std::int32_t>(low);
        if (static_cast<double>(low) - from > 1e-3) {
            axis.first[i] = static_cast<std::int32_t>(low - 1);
            w[n++] = static_cast<float>((static_cast<double>(low) - from) / cell);
        }
        for (std::int64_t k = low; k < high; ++k) w[n++] = static_cast<float>(1.0 / cell);
        if (to - static_cast<double>(high) > 1e-3)
            w[n++] = static_cast<float>(std::fmin(std::fmin(to - static_cast<double>(high), 1.0), cell) / cell);
        axis.count[i] = static_cast<std::int32_t>(n);
    }
    return axis;
}

inline axis_taps torch_linear_axis(std::size_t in, std::size_t out) {
    axis_taps axis(out, 2);
    const double scale = static_cast<double>(in) / static_cast<double>(out);
    for (std::size_t i = 0; i < out; ++i) {
        double position = scale * (static_cast<double>(i) + 0.5) - 0.5;
        if (position < 0) position = 0;
        auto at = static_cast<std::int64_t>(position);
        if (at > static_cast<std::int64_t>(in) - 1) at = static_cast<std::int64_t>(in) - 1;
        double fraction = position - static_cast<double>(at);
        if (fraction > 1) fraction = 1;
        const double w[2] = {1 - fraction, fraction};
        axis.put_clamped(i, at, w, 2, static_cast<std::int64_t>(in));
    }
    return axis;
}

inline axis_taps torch_cubic_axis(std::size_t in, std::size_t out) {
    axis_taps axis(out, 4);
    const double scale = static_cast<double>(in) / static_cast<double>(out);
    for (std::size_t i = 0; i < out; ++i) {
        const double position = scale * (static_cast<double>(i) + 0.5) - 0.5;
        const double floor = std::floor(position);
        const double x = position - floor;
        const double w[4] = {cubic_kernel(x + 1, -0.75), cubic_kernel(x, -0.75), cubic_kernel(1 - x, -0.75),
                             cubic_kernel(2 - x, -0.75)};
        axis.put_clamped(i, static_cast<std::int64_t>(floor) - 1, w, 4, static_cast<std::int64_t>(in));
    }
    return axis;
}

/// Adaptive average pooling: from floor(i in / out) up to ceil((i + 1) in / out), all alike.
inline axis_taps torch_area_axis(std::size_t in, std::size_t out) {
    axis_taps axis(out, in / out + 2);
    for (std::size_t i = 0; i < out; ++i) {
        const std::size_t begin = i * in / out;
        const std::size_t end = ((i + 1) * in + out - 1) / out;
        axis.first[i] = static_cast<std::int32_t>(begin);
        axis.count[i] = static_cast<std::int32_t>(end - begin);
        for (std::size_t k = 0; k < end - begin; ++k) axis.weight[i * axis.stride + k] = 1.0 / static_cast<double>(end - begin);
    }
    return axis;
}

/// The input index of each output index, for the nearest methods.
inline std::vector<std::int32_t> nearest_axis(resize_method method, std::size_t in, std::size_t out) {
    std::vector<std::int32_t> index(out);
    const auto last = static_cast<std::int64_t>(in) - 1;
    const double exact = static_cast<double>(in) / static_cast<double>(out);
    const float single = static_cast<float>(in) / static_cast<float>(out);
    const double cv_scale = 1.0 / (static_cast<double>(out) / static_cast<double>(in));
    double walk = exact * 0.5;
    for (std::size_t i = 0; i < out; ++i) {
        std::int64_t at = 0;
        switch (method) {
        case resize_method::cv_nearest:
            at = static_cast<std::int64_t>(std::floor(static_cast<double>(i) * cv_scale));
            break;
        case resize_method::torch_nearest:
            at = static_cast<std::int64_t>(std::floor(static_cast<float>(i) * single));
            break;
        case resize_method::torch_nearest_exact:
            at = static_cast<std::int64_t>(std::floor((static_cast<float>(i) + 0.5f) * single));
            break;
        default:
            // Pillow adds the scale up along the row, and with it its rounding errors; OpenCV 5 does the same.
            at = static_cast<std::int64_t>(walk);
            walk += exact;
            break;
        }
        index[i] = static_cast<std::int32_t>(at < 0 ? 0 : at > last ? last : at);
    }
    return index;
}

} // namespace ocelli::detail
