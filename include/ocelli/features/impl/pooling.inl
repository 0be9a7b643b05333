#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>
#include <ocelli/features/pooling.hpp>

#include <algorithm>
#include <utility>

#define OCELLI_KERNEL_FILE <ocelli/features/detail/pool.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>

namespace ocelli::detail {

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const pool_tables& get_pool_tables() {
    static const pool_tables chosen = OCELLI_CHOOSE(make_pool_tables);
    return chosen;
}
OCELLI_KERNEL_API_END

inline const pool_kernels<float>& get_pool_kernels(float) {
    return get_pool_tables().f32;
}
inline const pool_kernels<double>& get_pool_kernels(double) {
    return get_pool_tables().f64;
}

OCELLI_INLINE pool_windows max_pool_windows(const std::array<std::size_t, 4>& shape, const pool2d_options& o, const char* name) {
    const std::size_t limit = std::size_t{1} << 30;
    check(shape[2] != 0 && shape[3] != 0, name, ": the map has no elements, ", shape_text(shape));
    check(shape[2] < limit && shape[3] < limit && shape[2] * shape[3] < limit, name, ": the map is too large, ", shape_text(shape));
    std::array<std::int64_t, 2> stride{}, out{};
    for (std::size_t i = 0; i < 2; ++i) {
        const auto in = static_cast<std::int64_t>(shape[2 + i]);
        constexpr std::int64_t most = 65536;
        check(o.kernel[i] >= 1 && o.kernel[i] <= most && o.dilation[i] >= 1 && o.dilation[i] <= most, name,
              ": kernel and dilation must be in [1, 65536], got ", o.kernel[i], " and ", o.dilation[i]);
        stride[i] = o.stride[i] == 0 ? o.kernel[i] : o.stride[i];
        check(stride[i] >= 1 && stride[i] <= most, name, ": the stride must be in [0, 65536], got ", o.stride[i]);
        check(o.padding[i] >= 0 && 2 * o.padding[i] <= o.kernel[i], name, ": the padding must be in [0, kernel / 2], got ", o.padding[i], " for a kernel of ",
              o.kernel[i]);
        const std::int64_t room = in + 2 * o.padding[i] - o.dilation[i] * (o.kernel[i] - 1) - 1;
        check(room >= 0, name, ": windows of ", o.dilation[i] * (o.kernel[i] - 1) + 1, " do not fit a map of ", shape_text(shape), " with padding ",
              o.padding[i]);
        out[i] = room / stride[i] + 1;
        if (o.ceil_mode) {
            out[i] = (room + stride[i] - 1) / stride[i] + 1;
            if ((out[i] - 1) * stride[i] >= in + o.padding[i]) --out[i];
        }
    }
    return {static_cast<std::int64_t>(shape[0] * shape[1]),
            static_cast<std::int64_t>(shape[2]),
            static_cast<std::int64_t>(shape[3]),
            out[0],
            out[1],
            o.kernel[0],
            o.kernel[1],
            stride[0],
            stride[1],
            o.padding[0],
            o.padding[1],
            o.dilation[0],
            o.dilation[1]};
}

template <class T>
void max_pool_any(const pool_windows& w, const T* in, T* out, std::int64_t* indices, std::int64_t index_step) {
    if (w.planes == 0 || w.out_height == 0 || w.out_width == 0) return;
    const auto& kernels = get_pool_kernels(T());
    const std::int64_t taps = std::min(w.kernel_y, w.height) * std::min(w.kernel_x, w.width), work = std::max<std::int64_t>(1, w.out_width * taps);
    const std::int64_t rows = std::clamp<std::int64_t>((std::int64_t{1} << 15) / work, 1, w.out_height), parts = (w.out_height + rows - 1) / rows;
    const std::int64_t grain = std::max<std::int64_t>(1, (std::int64_t{1} << 15) / (work * rows));
    const std::int64_t size = w.height * w.width, out_size = w.out_height * w.out_width;
    parallel_for(static_cast<std::size_t>(w.planes * parts), static_cast<std::size_t>(grain), [&](std::size_t begin, std::size_t end) {
        for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
            const std::int64_t plane = i / parts, first = i % parts * rows, last = std::min(w.out_height, first + rows);
            if (indices != nullptr)
                kernels.largest_with_indices(w, in + plane * size, first, last, out + plane * out_size, indices + plane * out_size, plane * index_step);
            else
                kernels.largest(w, in + plane * size, first, last, out + plane * out_size);
        }
    });
}

template <class T>
void max_unpool_any(std::int64_t planes, std::int64_t in, std::int64_t out, const T* values, const std::int64_t* indices, T* to) {
    const auto& kernels = get_pool_kernels(T());
    const std::int64_t grain = std::max<std::int64_t>(1, (std::int64_t{1} << 15) / std::max<std::int64_t>(1, in + out));
    parallel_for(static_cast<std::size_t>(planes), static_cast<std::size_t>(grain), [&](std::size_t begin, std::size_t end) {
        for (auto p = static_cast<std::int64_t>(begin); p < static_cast<std::int64_t>(end); ++p) {
            const std::int64_t done = kernels.unpool(values + p * in, indices + p * in, in, out, to + p * out);
            check(done == in, "max_unpool2d: index ", done == in ? 0 : indices[p * in + done], " is outside a plane of ", out, " elements");
        }
    });
}

OCELLI_INLINE void max_pool(const pool_windows& w, const float* in, float* out, std::int64_t* indices, std::int64_t index_step) {
    max_pool_any(w, in, out, indices, index_step);
}
OCELLI_INLINE void max_pool(const pool_windows& w, const double* in, double* out, std::int64_t* indices, std::int64_t index_step) {
    max_pool_any(w, in, out, indices, index_step);
}
OCELLI_INLINE bool max_pool_is_wide(const pool_windows& w) noexcept {
    const std::int64_t room = w.width - 1 - (w.kernel_x - 1) * w.dilation_x + w.pad_left;
    const std::int64_t first = (w.pad_left + w.stride_x - 1) / w.stride_x, end = room < 0 ? 0 : std::min(w.out_width, room / w.stride_x + 1);
    return end - first >= get_pool_tables().f32.lanes && w.height * w.width < (std::int64_t{1} << 30);
}
OCELLI_INLINE void max_unpool(std::int64_t planes, std::int64_t in, std::int64_t out, const float* values, const std::int64_t* indices, float* to) {
    max_unpool_any(planes, in, out, values, indices, to);
}
OCELLI_INLINE void max_unpool(std::int64_t planes, std::int64_t in, std::int64_t out, const double* values, const std::int64_t* indices, double* to) {
    max_unpool_any(planes, in, out, values, indices, to);
}

}  // namespace ocelli::detail
