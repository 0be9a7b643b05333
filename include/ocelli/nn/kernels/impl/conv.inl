#pragma once

#include <ocelli/core/detail/gemm_blocks.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>
#include <ocelli/features/pooling.hpp>
#include <ocelli/nn/kernels/conv.hpp>

#include <algorithm>
#include <cstring>

#define OCELLI_KERNEL_FILE <ocelli/nn/kernels/detail/conv.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>

namespace ocelli::nn {

namespace detail {

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const conv_kernels& get_conv_kernels() {
    static const conv_kernels chosen = OCELLI_CHOOSE(make_conv_kernels);
    return chosen;
}
OCELLI_KERNEL_API_END

OCELLI_INLINE std::int64_t window_scratch(const conv_layer& l) {
    constexpr std::int64_t widest = 16;  // lanes of the widest vector
    const std::int64_t reach = (l.kernel_width - 1) * l.dilation_x + 1;
    const std::int64_t padded = (l.out_width - 1) * l.stride_x + reach;
    const std::int64_t rows = (l.out_height - 1) * l.stride_y + (l.kernel_height - 1) * l.dilation_y + 1;
    // The last row's last vector reads past its part.
    return rows * ((padded + l.stride_x - 1) / l.stride_x + widest) * l.stride_x + 2 * widest;
}

}  // namespace detail

OCELLI_INLINE std::int64_t conv_gemm_packed_size(const conv_layer& l) {
    return l.filters * (l.channels / l.group) * l.kernel_height * l.kernel_width;
}

OCELLI_INLINE void conv_gemm_pack(const conv_layer& l, const float* w, float* packed) {
    std::memcpy(packed, w, static_cast<std::size_t>(conv_gemm_packed_size(l)) * sizeof(float));
}

OCELLI_INLINE void conv_gemm(const conv_layer& l, const float* x, const float* packed, const gemm_epilogue& epilogue, float* y) {
    using namespace ocelli::detail;
    const gemm_kernels& t = ocelli::detail::get_gemm_kernels();
    const detail::conv_kernels& conv = detail::get_conv_kernels();
    const std::int64_t channels = l.channels / l.group, m = l.filters / l.group, taps = l.kernel_height * l.kernel_width;
    const std::int64_t k = channels * taps, pixels = l.out_height * l.out_width, in_pixels = l.height * l.width;
    if (m == 0 || pixels == 0 || l.batch == 0) return;
    const int tile_rows = gemm_tile_rows(t, m);
    const gemm_cut cut = cut_gemm(t, m, pixels, k, tile_rows);
    const std::int64_t column_tasks = (pixels + cut.column_block - 1) / cut.column_block;
    const std::int64_t row_tasks = (m + cut.row_block - 1) / cut.row_block;
    const std::int64_t per_image = l.group * column_tasks * row_tasks;
    const bool pointwise = taps == 1 && l.stride_x == 1 && l.stride_y == 1 && l.pad_top == 0 && l.pad_left == 0 && l.out_width == l.width &&
                           l.out_height == l.height;
    parallel_for(static_cast<std::size_t>(l.batch * per_image), detail::conv_grain(cut.column_block * cut.row_block * k), [&](std::size_t begin, std::size_t end) {
        for (auto task = static_cast<std::int64_t>(begin); task < static_cast<std::int64_t>(end); ++task) {
            const std::int64_t n = task / per_image, g = task % per_image / (column_tasks * row_tasks);
            const std::int64_t block = task % (column_tasks * row_tasks);
            const std::int64_t column = block / row_tasks * cut.column_block, row = block % row_tasks * cut.row_block;
            const float* image = x + (n * l.channels + g * channels) * in_pixels;
            const detail::im2col_part part{image,      l.height,   l.width,      l.out_width,  l.kernel_height, l.kernel_width,
                                           l.stride_y, l.stride_x, l.dilation_y, l.dilation_x, l.pad_top,       l.pad_left};
            const auto panel = [&](std::int64_t k0, std::int64_t depth, std::int64_t at, int columns, int width, float* memory) -> gemm_panel {
                if (pointwise) {
                    const float* from = image + k0 * in_pixels + at;
                    if (m <= tile_rows && columns == width) return {from, in_pixels};
                    t.pack_rows(depth, columns, width, from, in_pixels, memory);
                } else {
                    conv.im2col(part, k0, depth, at, columns, width, memory);
                }
                return {memory, width};
            };
            // The epilogue of this group and image.
            gemm_epilogue e = epilogue;
            const std::int64_t filter = g * m, out = (n * l.filters + filter) * pixels;
            if (e.row_bias != nullptr) e.row_bias += filter;
            if (e.row_slope != nullptr) e.row_slope += filter;
            if (e.addend != nullptr) {
                e.addend += out;
                e.addend_stride = pixels;
            }
            gemm_block(t, cut, m, k, {packed + g * m * k, k}, tile_rows, panel, row, std::min(m, row + cut.row_block), column,
                       std::min(pixels, column + cut.column_block), y + out, pixels, e);
        }
    });
}

OCELLI_INLINE void conv_depthwise(const conv_layer& l, const float* x, const float* w, const gemm_epilogue& epilogue, float* y) {
    using namespace ocelli::detail;
    const gemm_kernels& t = ocelli::detail::get_gemm_kernels();
    const detail::conv_kernels& conv = detail::get_conv_kernels();
    const std::int64_t taps = l.kernel_height * l.kernel_width, pixels = l.out_height * l.out_width;
    if (pixels == 0) return;
    const std::int64_t scratch_floats = detail::window_scratch(l);
    parallel_for(static_cast<std::size_t>(l.batch * l.filters), detail::conv_grain(pixels * taps * 4), [&](std::size_t begin, std::size_t end) {
        float* scratch = thread_scratch(static_cast<std::size_t>(scratch_floats), 1);
        for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
            const std::int64_t channel = i % l.filters;
            float* to = y + i * pixels;
            conv.depthwise(l, x + i * l.height * l.width, w + channel * taps, to, scratch);
            gemm_epilogue e = epilogue;
            if (e.row_bias != nullptr) e.row_bias += channel;
            if (e.row_slope != nullptr) e.row_slope += channel;
            if (e.addend != nullptr) {
                e.addend += i * pixels;
                e.addend_stride = pixels;
            }
            if (e.row_bias != nullptr || e.addend != nullptr || e.function != activation::none) t.finish(1, pixels, to, pixels, &e, 0, 0);
        }
    });
}

OCELLI_INLINE bool window_fits(const conv_layer& l) noexcept {
    // In floating point: the products may overflow integers.
    const auto d = [](std::int64_t v) { return static_cast<double>(v); };
    const double rows = d(l.out_height) * d(l.stride_y) + d(l.kernel_height) * d(l.dilation_y);
    const double columns = d(l.out_width) * d(l.stride_x) + d(l.kernel_width) * d(l.dilation_x) + 16 * d(l.stride_x);
    return rows * columns < 4 * d(l.height) * d(l.width) + (1 << 22);
}

OCELLI_INLINE void max_pool(const conv_layer& l, const float* x, float* y) {
    // Long rows are read where they lie; short ones are worth a copy with the padding around them.
    const ocelli::detail::pool_windows windows{l.batch * l.channels, l.height,   l.width,    l.out_height, l.out_width,  l.kernel_height, l.kernel_width,
                                               l.stride_y,           l.stride_x, l.pad_top,  l.pad_left,   l.dilation_y, l.dilation_x};
    if (ocelli::detail::max_pool_is_wide(windows)) return ocelli::detail::max_pool(windows, x, y, nullptr);
    const detail::conv_kernels& conv = detail::get_conv_kernels();
    const std::int64_t pixels = l.out_height * l.out_width, scratch_floats = detail::window_scratch(l);
    if (pixels == 0) return;
    parallel_for(static_cast<std::size_t>(l.batch * l.channels), detail::conv_grain(pixels * l.kernel_height * l.kernel_width * 4),
                 [&](std::size_t begin, std::size_t end) {
                     float* scratch = ocelli::detail::thread_scratch(static_cast<std::size_t>(scratch_floats), 1);
                     for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i)
                         conv.maximum(l, x + i * l.height * l.width, nullptr, y + i * pixels, scratch);
                 });
}

OCELLI_INLINE void average_pool(const conv_layer& l, const float* x, const float* rows, const float* columns, float* y) {
    const detail::conv_kernels& conv = detail::get_conv_kernels();
    const std::int64_t pixels = l.out_height * l.out_width, scratch_floats = detail::window_scratch(l);
    if (pixels == 0) return;
    parallel_for(static_cast<std::size_t>(l.batch * l.channels), detail::conv_grain(pixels * l.kernel_height * l.kernel_width * 4),
                 [&](std::size_t begin, std::size_t end) {
                     float* scratch = ocelli::detail::thread_scratch(static_cast<std::size_t>(scratch_floats), 1);
                     for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
                         float* to = y + i * pixels;
                         conv.sum(l, x + i * l.height * l.width, nullptr, to, scratch);
                         for (std::int64_t r = 0; r < l.out_height; ++r) conv.divide(l.out_width, to + r * l.out_width, rows[r], columns);
                     }
                 });
}

OCELLI_INLINE bool conv_transpose_fits(const conv_layer& l) noexcept {
    return static_cast<double>(l.channels / l.group) * static_cast<double>(l.kernel_height * l.kernel_width) * static_cast<double>(l.out_width) < (1 << 24);
}

OCELLI_INLINE void conv_transpose(const conv_layer& l, const float* x, const float* w, const gemm_epilogue& epilogue, float* y) {
    const std::int64_t channels = l.channels / l.group, filters = l.filters / l.group, taps = l.kernel_height * l.kernel_width;
    const std::int64_t pixels = l.out_height * l.out_width, image = l.height * l.width;
    const ocelli::detail::gemm_kernels& t = ocelli::detail::get_gemm_kernels();
    if (l.channels == 0 || l.batch == 0 || image == 0) return;
    // Some rows of x at a time: each product (channels * taps) x (rows * out_width) is folded into the image before the next.
    const std::int64_t rows = std::clamp<std::int64_t>((std::int64_t{1} << 16) / std::max<std::int64_t>(1, l.out_width * taps * channels), 1,
                                                       std::max<std::int64_t>(1, l.out_height));
    float* columns = ocelli::detail::thread_scratch(static_cast<std::size_t>(channels * taps * rows * l.out_width), 3);
    for (std::int64_t n = 0; n < l.batch; ++n)
        for (std::int64_t g = 0; g < l.group; ++g) {
            float* out = y + (n * l.channels + g * channels) * image;
            std::fill(out, out + channels * image, 0.0f);
            const float* in = x + (n * l.filters + g * filters) * pixels;
            const float* weights = w + g * filters * channels * taps;
            for (std::int64_t r0 = 0; r0 < l.out_height; r0 += rows) {
                const std::int64_t count = std::min(rows, l.out_height - r0), wide = count * l.out_width;
                gemm(channels * taps, wide, filters, {weights, 1, channels * taps}, {in + r0 * l.out_width, pixels, 1}, columns, wide);
                parallel_for(static_cast<std::size_t>(channels), detail::conv_grain(taps * wide * 4), [&](std::size_t begin, std::size_t end) {
                    for (auto c = static_cast<std::int64_t>(begin); c < static_cast<std::int64_t>(end); ++c)
                        for (std::int64_t tap = 0; tap < taps; ++tap) {
                            const std::int64_t dy = tap / l.kernel_width * l.dilation_y - l.pad_top, dx = tap % l.kernel_width * l.dilation_x - l.pad_left;
                            const std::int64_t first = dx >= 0 ? 0 : (-dx + l.stride_x - 1) / l.stride_x;
                            const std::int64_t end_column = dx >= l.width ? 0 : std::min(l.out_width, (l.width - 1 - dx) / l.stride_x + 1);
                            for (std::int64_t r = 0; r < count; ++r) {
                                const std::int64_t at = (r0 + r) * l.stride_y + dy;
                                if (at < 0 || at >= l.height) continue;
                                const float* from = columns + (c * taps + tap) * wide + r * l.out_width;
                                float* to = out + c * image + at * l.width + dx;
                                for (std::int64_t i = first; i < end_column; ++i) to[i * l.stride_x] += from[i];
                            }
                        }
                });
            }
            gemm_epilogue e = epilogue;
            const std::int64_t channel = g * channels;
            if (e.row_bias != nullptr) e.row_bias += channel;
            if (e.row_slope != nullptr) e.row_slope += channel;
            if (e.row_bias != nullptr || e.function != activation::none) t.finish(channels, image, out, image, &e, 0, 0);
        }
}

}  // namespace ocelli::nn
