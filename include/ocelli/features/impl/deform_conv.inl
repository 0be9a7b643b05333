#pragma once

#include <ocelli/core/gemm.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/features/deform_conv.hpp>
#include <ocelli/features/detail/pixel_reader.hpp>

#include <algorithm>
#include <type_traits>
#include <vector>

namespace ocelli::detail {

OCELLI_INLINE deform_layer check_deform(const std::array<std::size_t, 4>& in, const std::array<std::size_t, 4>& offset, const std::array<std::size_t, 4>& weight,
                                        const deform_conv_options& o) {
    check_pixel_map(in, "deform_conv2d");
    deform_layer l{.images = in[0], .channels = in[1], .height = in[2], .width = in[3], .filters = weight[0], .kernel_y = weight[2], .kernel_x = weight[3]};
    constexpr std::int64_t most = 65536;
    for (std::size_t i = 0; i < 2; ++i) {
        check(weight[2 + i] >= 1 && weight[2 + i] <= static_cast<std::size_t>(most), "deform_conv2d: the kernel's sides must be in [1, 65536], got ",
              shape_text(weight));
        check(o.stride[i] >= 1 && o.stride[i] <= most && o.dilation[i] >= 1 && o.dilation[i] <= most,
              "deform_conv2d: stride and dilation must be in [1, 65536], got ", o.stride[i], " and ", o.dilation[i]);
        check(o.padding[i] >= 0 && o.padding[i] <= most, "deform_conv2d: the padding must be in [0, 65536], got ", o.padding[i]);
        const std::int64_t room = static_cast<std::int64_t>(in[2 + i]) + 2 * o.padding[i] - o.dilation[i] * (static_cast<std::int64_t>(weight[2 + i]) - 1) - 1;
        check(room >= 0, "deform_conv2d: a kernel ", shape_text(weight), " does not fit a map of ", shape_text(in));
        (i == 0 ? l.out_height : l.out_width) = static_cast<std::size_t>(room / o.stride[i] + 1);
    }
    check(weight[1] >= 1 && in[1] >= 1 && in[1] % weight[1] == 0, "deform_conv2d: weight must have a divisor of ", in[1], " channels, got ", shape_text(weight));
    l.groups = in[1] / weight[1];
    check(weight[0] % l.groups == 0, "deform_conv2d: filters must be a multiple of ", l.groups, " groups, got ", weight[0]);
    const std::size_t taps = l.kernel_y * l.kernel_x;
    check(offset[0] == in[0] && offset[1] >= 2 * taps && offset[1] % (2 * taps) == 0 && offset[2] == l.out_height && offset[3] == l.out_width,
          "deform_conv2d: offset must have shape (", in[0], ", ", 2 * taps, " G, ", l.out_height, ", ", l.out_width, "), got ", shape_text(offset));
    l.offset_groups = offset[1] / (2 * taps);
    check(in[1] % l.offset_groups == 0, "deform_conv2d: channels must be a multiple of ", l.offset_groups, " groups of offsets, got ", in[1]);
    l.stride_y = o.stride[0];
    l.stride_x = o.stride[1];
    l.pad_top = o.padding[0];
    l.pad_left = o.padding[1];
    l.dilation_y = o.dilation[0];
    l.dilation_x = o.dilation[1];
    return l;
}

template <class T>
void deform_conv_any(const deform_layer& l, const T* x, const T* offset, const T* weight, const T* bias, const T* mask, T* y) {
    const std::size_t taps = l.kernel_y * l.kernel_x, places = l.out_height * l.out_width, plane = l.height * l.width;
    if (l.images * l.filters * places == 0) return;
    constexpr std::size_t size = pixel_reader<T>::size;
    const std::size_t rows = l.channels * taps, per_offset = l.channels / l.offset_groups, depth = rows / l.groups, filters = l.filters / l.groups;
    // Samples of some places at a time: (channels * taps) x block, which a product turns into results.
    const std::size_t block = std::min(places, std::max<std::size_t>(4, (std::size_t{1} << 20) / rows / size) * size);
    std::vector<T> samples(rows * block);
    for (std::size_t n = 0; n < l.images; ++n)
        for (std::size_t first = 0; first < places; first += block) {
            const std::size_t count = std::min(block, places - first), parts = (count + size - 1) / size, sets = l.offset_groups * taps;
            // A map without elements leaves zeros: nothing of it is read.
            if (plane != 0) parallel_for(parts * sets, 1 + 64 / per_offset, [&](std::size_t begin, std::size_t end) {
                pixel_reader<T> reader(l.height, l.width);
                T points[2 * size];
                for (std::size_t i = begin; i < end; ++i) {
                    const std::size_t set = i / parts, from = i % parts * size, some = std::min(size, count - from), tap = set % taps;
                    const T* moves = offset + (n * sets + set) * 2 * places + first + from;
                    const auto down = static_cast<std::int64_t>(tap / l.kernel_x) * l.dilation_y - l.pad_top;
                    const auto right = static_cast<std::int64_t>(tap % l.kernel_x) * l.dilation_x - l.pad_left;
                    for (std::size_t k = 0; k < some; ++k) {
                        const std::size_t place = first + from + k;
                        points[2 * k] = static_cast<T>(static_cast<std::int64_t>(place % l.out_width) * l.stride_x + right) + moves[places + k];
                        points[2 * k + 1] = static_cast<T>(static_cast<std::int64_t>(place / l.out_width) * l.stride_y + down) + moves[k];
                    }
                    reader.find(some, points);
                    if (mask != nullptr) reader.scale(mask + (n * sets + set) * places + first + from);
                    for (std::size_t c = set / taps * per_offset; c < (set / taps + 1) * per_offset; ++c)
                        reader.read(x + (n * l.channels + c) * plane, samples.data() + (c * taps + tap) * count + from);
                }
            });
            for (std::size_t g = 0; g < l.groups; ++g) {
                const T* of_group = samples.data() + g * depth * count;
                const T* w = weight + g * filters * depth;
                T* to = y + (n * l.filters + g * filters) * places + first;
                if constexpr (std::is_same_v<T, float>) {
                    gemm_epilogue e;
                    if (bias != nullptr) e.row_bias = bias + g * filters;
                    const auto k = static_cast<std::int64_t>(depth);
                    gemm(static_cast<std::int64_t>(filters), static_cast<std::int64_t>(count), k, {w, k, 1}, {of_group, static_cast<std::int64_t>(count), 1}, to,
                         static_cast<std::int64_t>(places), e);
                } else {
                    parallel_for(filters, 1 + 16384 / (depth * count), [&](std::size_t begin, std::size_t end) {
                        for (std::size_t f = begin; f < end; ++f) {
                            T* row = to + f * places;
                            std::fill_n(row, count, bias != nullptr ? bias[g * filters + f] : T(0));
                            for (std::size_t d = 0; d < depth; ++d) {
                                const T factor = w[f * depth + d];
                                const T* from = of_group + d * count;
                                for (std::size_t i = 0; i < count; ++i) row[i] += factor * from[i];
                            }
                        }
                    });
                }
            }
        }
}

OCELLI_INLINE void deform_conv(const deform_layer& l, const float* x, const float* offset, const float* weight, const float* bias, const float* mask,
                               float* y) {
    deform_conv_any(l, x, offset, weight, bias, mask, y);
}
OCELLI_INLINE void deform_conv(const deform_layer& l, const double* x, const double* offset, const double* weight, const double* bias, const double* mask,
                               double* y) {
    deform_conv_any(l, x, offset, weight, bias, mask, y);
}

}  // namespace ocelli::detail
