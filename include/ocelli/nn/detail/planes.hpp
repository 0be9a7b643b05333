#pragma once

/// @file
/// Sliding windows over one to three spatial axes, written once for three: what pooling and convolution share.

#include <ocelli/nn/ops/detail/loops.hpp>

#include <array>

namespace ocelli::nn::detail {

/// Three spatial axes; missing ones in front have extent 1.
using three_extents = std::array<std::int64_t, 3>;

inline three_extents three_axes(const dims& v, std::int64_t fill) {
    three_extents out{fill, fill, fill};
    for (std::size_t i = 0; i < v.size(); ++i) out[3 - v.size() + i] = v[i];
    return out;
}

/// The windows of one plane (an image of one channel).
struct plane_windows {
    three_extents in, out, kernel, stride, dilation, pad, pad_end;
    std::int64_t in_size = 0, out_size = 0;
    /// At most this many elements of a plane meet one window.
    std::int64_t taps = 0;

    plane_windows(const dims& input, const windows& w)
        : in(three_axes(input, 1)), out(three_axes(w.output, 1)), kernel(three_axes(w.kernel, 1)), stride(three_axes(w.strides, 1)),
          dilation(three_axes(w.dilations, 1)), pad(three_axes(w.pads_begin, 0)), pad_end(three_axes(w.pads_end, 0)) {
        in_size = in[0] * in[1] * in[2];
        out_size = out[0] * out[1] * out[2];
        taps = std::min(kernel[0], in[0]) * std::min(kernel[1], in[1]) * std::min(kernel[2], in[2]);
    }
};

/// The first position i >= 0 with i * step + offset >= 0.
inline std::int64_t first_inside(std::int64_t offset, std::int64_t step) noexcept {
    return offset >= 0 ? 0 : (-offset + step - 1) / step;
}
/// Behind the last position i < count with i * step + offset < extent.
inline std::int64_t end_inside(std::int64_t offset, std::int64_t step, std::int64_t extent, std::int64_t count) noexcept {
    return offset >= extent ? 0 : std::min(count, (extent - 1 - offset) / step + 1);
}

/// Indices per block of parallel_for, so that a block costs about 2^15 steps of work.
inline std::int64_t grain_for(std::int64_t work_per_index) noexcept {
    return std::max<std::int64_t>(1, (std::int64_t{1} << 15) / std::max<std::int64_t>(1, work_per_index));
}

/// parallel_for over signed indices: f(i) for each i in [0, n).
template <class F>
void for_each_index(std::int64_t n, std::int64_t work_per_index, F&& f) {
    parallel_range(n, grain_for(work_per_index), [&](std::int64_t from, std::int64_t to) {
        for (std::int64_t i = from; i < to; ++i) f(i);
    });
}

/// Elements of any numeric tensor as double.
inline std::vector<double> doubles(const tensor& t) {
    const tensor d = t.cast(dtype::float64);
    return {d.data<double>(), d.data<double>() + d.size()};
}

}  // namespace ocelli::nn::detail
