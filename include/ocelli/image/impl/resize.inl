#pragma once

#include <ocelli/image/detail/resample.hpp>
#include <ocelli/image/resize.hpp>

namespace ocelli::detail {

inline bool is_nearest(resize_method method) noexcept {
    return method == resize_method::cv_nearest || method == resize_method::cv_nearest_exact ||
           method == resize_method::pil_nearest || method == resize_method::torch_nearest ||
           method == resize_method::torch_nearest_exact;
}

inline axis_taps make_axis(resize_method method, std::size_t in, std::size_t out, bool bytes) {
    switch (method) {
    case resize_method::cv_linear:
        return cv_linear_axis(in, out, bytes ? cv_linear_kind::single : cv_linear_kind::precise);
    case resize_method::cv_cubic:
        return cv_cubic_axis(in, out);
    case resize_method::torch_bilinear:
        return torch_linear_axis(in, out);
    case resize_method::torch_bicubic:
        return torch_cubic_axis(in, out);
    case resize_method::torch_area:
        return torch_area_axis(in, out);
    case resize_method::pil_box:
    case resize_method::pil_bilinear:
    case resize_method::pil_hamming:
    case resize_method::pil_bicubic:
    case resize_method::pil_lanczos:
    case resize_method::torch_bilinear_antialias:
    case resize_method::torch_bicubic_antialias:
        return filter_axis(method, in, out);
    default:
        fail("resize: unknown method ", static_cast<int>(method));
    }
}

/// OpenCV's INTER_AREA is three algorithms: whole multiples, other shrinking, and linear where a side grows.
template <class Policy, class T>
void resize_area(const resize_job<T, T>& job, Policy policy) {
    const bool whole = job.height % job.to_height == 0 && job.width % job.to_width == 0;
    axis_taps rows = cv_area_axis(job.height, job.to_height);
    axis_taps columns = cv_area_axis(job.width, job.to_width);
    if (whole) {
        // Sums of whole pixels, scaled once at the end: exact in float for bytes.
        for (double& w : rows.weight) w = w > 0 ? 1 : 0;
        for (double& w : columns.weight) w = w > 0 ? 1 : 0;
        const auto pixels = static_cast<float>(job.height / job.to_height * (job.width / job.to_width));
        policy.scale = static_cast<decltype(policy.scale)>(1.0f / pixels);
    }
    resample(job, rows, columns, policy);
}

/// Pillow rounds and clamps to bytes between its passes, so their order shows. Since version 13 it goes down the columns first
/// where that drops more than twice as many rows as the other pass drops columns.
inline void resize_pillow(const resize_job<std::uint8_t, std::uint8_t>& job, const axis_taps& rows, const axis_taps& columns) {
    const auto lost = [](std::size_t from, std::size_t to) {
        return static_cast<std::int64_t>(from) - static_cast<std::int64_t>(to);
    };
    const bool down_first = job.to_height < job.height && lost(job.height, job.to_height) > 2 * lost(job.width, job.to_width);
    if (!down_first || job.to_width == job.width) return resample(job, rows, columns, resample_fixed<false>{});
    const std::unique_ptr<std::uint8_t[]> between(new std::uint8_t[job.to_height * job.width * job.channels]);
    const auto keep = [&](std::size_t n) { return filter_axis(resize_method::pil_box, n, n); };
    resample(resize_job<std::uint8_t, std::uint8_t>{job.in, job.height, job.width, job.channels, between.get(), job.to_height,
                                                    job.width},
             rows, keep(job.width), resample_fixed<false>{});
    resample(resize_job<std::uint8_t, std::uint8_t>{between.get(), job.to_height, job.width, job.channels, job.out,
                                                    job.to_height, job.to_width},
             keep(job.to_height), columns, resample_fixed<false>{});
}

template <class T>
void resize_any(const resize_job<T, T>& job, resize_method method) {
    constexpr bool bytes = std::is_same_v<T, std::uint8_t>;
    using plain = std::conditional_t<bytes, resample_bytes, resample_floating<std::conditional_t<bytes, float, T>>>;
    if (is_nearest(method)) {
        resample_nearest(job, nearest_axis(method, job.height, job.to_height), nearest_axis(method, job.width, job.to_width));
        return;
    }
    if (method == resize_method::cv_area) {
        const bool halves = job.height == 2 * job.to_height && job.width == 2 * job.to_width;
        const bool simple = job.channels == 1 || job.channels == 3 || job.channels == 4;
        if (job.to_height > job.height || job.to_width > job.width) {
            const axis_taps rows = cv_linear_axis(job.height, job.to_height, cv_linear_kind::area);
            const axis_taps columns = cv_linear_axis(job.width, job.to_width, cv_linear_kind::area);
            if constexpr (bytes) {
                resample(job, rows, columns, resample_opencv<false>{});
            } else {
                resample(job, rows, columns, plain{});
            }
            return;
        }
        // Halving rounds half up there, other multiples half to even.
        if (!(bytes && halves && simple)) return resize_area(job, plain{});
        method = resize_method::cv_linear;
    }
    const axis_taps rows = make_axis(method, job.height, job.to_height, bytes);
    const axis_taps columns = make_axis(method, job.width, job.to_width, bytes);
    if constexpr (bytes) {
        switch (method) {
        case resize_method::cv_linear:
            return resample(job, rows, columns, resample_opencv<false>{});
        case resize_method::cv_cubic:
            return resample(job, rows, columns, resample_opencv<true>{});
        case resize_method::torch_area:
            return resample(job, rows, columns, plain{});
        case resize_method::torch_bilinear:
        case resize_method::torch_bicubic:
        case resize_method::torch_bilinear_antialias:
        case resize_method::torch_bicubic_antialias:
            return resample(job, rows, columns, resample_fixed<true>{});
        default:
            return resize_pillow(job, rows, columns);
        }
    } else {
        resample(job, rows, columns, plain{});
    }
}

OCELLI_INLINE void resize_pixels(const resize_job<std::uint8_t, std::uint8_t>& job, resize_method method) {
    resize_any(job, method);
}
OCELLI_INLINE void resize_pixels(const resize_job<float, float>& job, resize_method method) {
    resize_any(job, method);
}
OCELLI_INLINE void resize_pixels(const resize_job<double, double>& job, resize_method method) {
    resize_any(job, method);
}

} // namespace ocelli::detail
