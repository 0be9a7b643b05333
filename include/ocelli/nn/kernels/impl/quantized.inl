#pragma once

#include <ocelli/core/gemm.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>
#include <ocelli/core/simd/isa.hpp>
#include <ocelli/nn/kernels/detail/taps.hpp>
#include <ocelli/nn/kernels/quantized.hpp>

#include <algorithm>
#include <cstring>
#include <vector>

#define OCELLI_KERNEL_FILE <ocelli/nn/kernels/detail/quantized.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>

namespace ocelli::nn {

namespace detail {

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const byte_kernels& get_byte_kernels() {
    static const byte_kernels chosen = OCELLI_CHOOSE(make_byte_kernels);
    return chosen;
}
OCELLI_KERNEL_API_END

/// How a layer's weights lie: a header, which says how many words a tap has; for each group panels of two vectors of filters, the last one of one where that is
/// enough, their words in turn; the sum of each filter. Depthwise: for each vector of channels its taps.
struct byte_layout {
    static constexpr std::int64_t header = 16;

    std::int64_t lanes, channels, filters, taps, unit, words, panels, group;
    bool depthwise;

    byte_layout(const conv_layer& l, byte_form form, std::int64_t vector_lanes)
        : lanes(vector_lanes), channels(l.channels / l.group), filters(l.filters / l.group), taps(l.kernel_height * l.kernel_width),
          unit(form == byte_form::quads ? 4 : 2), words((channels + unit - 1) / unit), panels((filters + 2 * lanes - 1) / (2 * lanes)), group(l.group),
          depthwise(l.group > 1 && channels == 1 && filters == 1) {}

    /// Filters of a panel, and vectors for them.
    std::int64_t used(std::int64_t panel) const { return std::min(2 * lanes, filters - panel * 2 * lanes); }
    std::int64_t vectors(std::int64_t panel) const { return used(panel) > lanes ? 2 : 1; }
    /// Vectors of a group's filters.
    std::int64_t all_vectors() const { return (filters + lanes - 1) / lanes; }
    std::int64_t weights(std::int64_t passes) const {
        return depthwise ? (group + lanes - 1) / lanes * taps * lanes : group * all_vectors() * passes * taps * words * lanes;
    }
};

/// Weights beyond signed bytes are a sum of two that are not: each word then comes twice.
inline std::int64_t byte_passes(const byte_layout& y, const conv_layer& l, const std::int16_t* w) {
    if (y.unit != 4 || y.depthwise) return 1;
    const std::int64_t n = l.filters * y.channels * y.taps;
    std::int64_t passes = 1;
    for (std::int64_t i = 0; i < n; ++i) {
        if (w[i] > 127 || w[i] < -128) passes = std::max<std::int64_t>(passes, 2);
        if (w[i] > 254) return 3;
    }
    return passes;
}

/// A layer's image as tiles read it: copied, where it has padding or channels that do not fill words, or integers that are not of the kind that multiplies.
struct byte_source {
    const std::uint8_t* data;
    std::int64_t pixel, row, image;  ///< bytes from one to the next
};

inline byte_source byte_source_of(const conv_layer& l, const byte_layout& y, const byte_image& x, const byte_kernels& t) {
    const std::int64_t height = (l.out_height - 1) * l.stride_y + (l.kernel_height - 1) * l.dilation_y + 1;
    const std::int64_t width = (l.out_width - 1) * l.stride_x + (l.kernel_width - 1) * l.dilation_x + 1;
    const bool inside = l.pad_top == 0 && l.pad_left == 0 && height <= l.height && width <= l.width;
    const bool fits = y.depthwise ? l.channels % y.lanes == 0 : y.unit == 4 && y.channels % 4 == 0;
    if (inside && fits && !x.is_signed) return {x.data, l.channels, l.width * l.channels, l.height * l.width * l.channels};

    const bool wide = !y.depthwise && y.unit == 2;
    const std::int64_t piece = y.depthwise ? 1 : 4 * y.words;  // of a group
    const std::int64_t pixel = y.group * piece, row = width * pixel, image = height * row;
    // With room for a vector behind the last pixel.
    auto* const to = reinterpret_cast<std::uint8_t*>(ocelli::detail::thread_scratch(static_cast<std::size_t>(l.batch * image / 4 + 32), 3));
    const auto flip = static_cast<std::uint8_t>(x.is_signed ? 128 : 0);
    const auto padding = static_cast<std::uint8_t>(wide ? 0 : x.zero + flip);
    const std::int64_t first = std::min(l.pad_left, width), count = std::clamp<std::int64_t>(width - l.pad_left, 0, l.width);
    const bool dense = y.depthwise || y.channels % y.unit == 0;
    const auto convert = [&](const std::uint8_t* from, std::uint8_t* at, std::int64_t n) {
        if (wide) t.widen(n, from, flip, x.zero + flip, reinterpret_cast<std::int16_t*>(at));
        else t.copy(n, from, flip, at);
    };
    parallel_for(static_cast<std::size_t>(l.batch * height), conv_grain(row / 4 + 1), [&](std::size_t begin, std::size_t end) {
        for (auto task = static_cast<std::int64_t>(begin); task < static_cast<std::int64_t>(end); ++task) {
            const std::int64_t n = task / height, v = task % height - l.pad_top;
            std::uint8_t* at = to + task * row;
            if (v < 0 || v >= l.height) {
                std::memset(at, padding, static_cast<std::size_t>(row));
                continue;
            }
            const std::uint8_t* from = x.data + (n * l.height + v) * l.width * l.channels;
            std::memset(at, padding, static_cast<std::size_t>(first * pixel));
            at += first * pixel;
            if (dense) {
                convert(from, at, count * l.channels);
                at += count * pixel;
            } else {
                const std::int64_t bytes = y.channels * (wide ? 2 : 1);
                for (std::int64_t i = 0; i < count * y.group; ++i, from += y.channels, at += piece) {
                    if (!wide && y.channels == 3) {  // pictures
                        const std::uint8_t pixel_of[4] = {static_cast<std::uint8_t>(from[0] ^ flip), static_cast<std::uint8_t>(from[1] ^ flip),
                                                          static_cast<std::uint8_t>(from[2] ^ flip), 0};
                        std::memcpy(at, pixel_of, 4);
                        continue;
                    }
                    convert(from, at, y.channels);
                    for (std::int64_t c = bytes; c < piece; ++c) at[c] = 0;
                }
            }
            std::memset(at, padding, static_cast<std::size_t>((width - first - count) * pixel));
        }
    });
    return {to, pixel, row, image};
}

}  // namespace detail

OCELLI_INLINE byte_form best_byte_form() {
    return ocelli::simd::has_vnni() && detail::get_byte_kernels().quads[0] != nullptr ? byte_form::quads : byte_form::pairs;
}

OCELLI_INLINE std::int64_t byte_conv_packed_size(const conv_layer& l, const std::int16_t* w, byte_form form) {
    const detail::byte_layout y(l, form, detail::get_byte_kernels().lanes);
    return detail::byte_layout::header + y.weights(detail::byte_passes(y, l, w)) + l.filters;
}

OCELLI_INLINE void byte_conv_pack(const conv_layer& l, const std::int16_t* w, byte_form form, std::int32_t* packed) {
    const detail::byte_layout y(l, form, detail::get_byte_kernels().lanes);
    const std::int64_t passes = detail::byte_passes(y, l, w), each = y.channels * y.taps;
    std::memset(packed, 0, static_cast<std::size_t>(detail::byte_layout::header + y.weights(passes)) * 4);
    packed[0] = static_cast<std::int32_t>(passes);
    std::int32_t* to = packed + detail::byte_layout::header;
    std::int32_t* const sums = to + y.weights(passes);
    for (std::int64_t f = 0; f < l.filters; ++f) {
        std::int32_t sum = 0;
        for (std::int64_t i = 0; i < each; ++i) sum += w[f * each + i];
        sums[f] = sum;
    }
    if (y.depthwise) {
        for (std::int64_t c = 0; c < l.channels; ++c)
            for (std::int64_t tap = 0; tap < y.taps; ++tap)
                to[(c / y.lanes * y.taps + tap) * y.lanes + c % y.lanes] = static_cast<std::int32_t>(static_cast<std::uint16_t>(w[c * y.taps + tap]));
        return;
    }
    for (std::int64_t g = 0; g < y.group; ++g)
        for (std::int64_t panel = 0; panel < y.panels; ++panel) {
            const std::int64_t wide = y.vectors(panel) * y.lanes;
            for (std::int64_t f = 0; f < y.used(panel); ++f) {
                const std::int16_t* const from = w + (g * y.filters + panel * 2 * y.lanes + f) * each;
                for (std::int64_t c = 0; c < y.channels; ++c)
                    for (std::int64_t tap = 0; tap < y.taps; ++tap) {
                        int rest = from[c * y.taps + tap];
                        for (std::int64_t pass = 0; pass < passes; ++pass) {
                            std::int32_t* const word = to + ((pass * y.taps + tap) * y.words + c / y.unit) * wide + f;
                            if (y.unit == 2) {
                                reinterpret_cast<unsigned char*>(word)[2 * (c % 2)] = static_cast<unsigned char>(rest & 255);
                                reinterpret_cast<unsigned char*>(word)[2 * (c % 2) + 1] = static_cast<unsigned char>(rest >> 8 & 255);
                            } else {
                                const int part = std::clamp(rest, -128, 127);
                                reinterpret_cast<unsigned char*>(word)[c % 4] = static_cast<unsigned char>(part & 255);
                                rest -= part;
                            }
                        }
                    }
            }
            to += passes * y.taps * y.words * wide;
        }
}

OCELLI_INLINE void byte_conv(const conv_layer& l, const byte_image& x, const std::int32_t* packed, byte_form form, const byte_epilogue& e, void* result) {
    const detail::byte_kernels& t = detail::get_byte_kernels();
    const detail::byte_layout y(l, form, t.lanes);
    const std::int64_t passes = packed[0], total = l.batch * l.out_height * l.out_width;
    if (total == 0 || l.filters == 0) return;
    const std::int32_t* const weights = packed + detail::byte_layout::header;
    const std::int32_t* const sums = weights + y.weights(passes);

    // What the zero point of the image adds goes with the bias, but where it was taken away before.
    const std::int64_t room = l.filters + 2 * t.lanes;
    auto* const bias = reinterpret_cast<std::int32_t*>(ocelli::detail::thread_scratch(static_cast<std::size_t>(2 * room), 2));
    auto* const scale = reinterpret_cast<float*>(bias + room);
    const bool centred = !y.depthwise && y.unit == 2;
    const auto zero = static_cast<std::uint32_t>(centred ? 0 : x.zero + (x.is_signed ? 128 : 0));
    for (std::int64_t f = 0; f < room; ++f) {
        const bool there = f < l.filters;
        const auto added = static_cast<std::uint32_t>(there && e.bias != nullptr ? e.bias[f] : 0);
        bias[f] = static_cast<std::int32_t>(added - (there ? zero * static_cast<std::uint32_t>(sums[f]) : 0));
        scale[f] = there && e.scale != nullptr ? e.scale[f] : 0;
    }

    const detail::byte_source from = detail::byte_source_of(l, y, x, t);
    thread_local std::vector<detail::byte_run> runs_of_thread;
    std::vector<detail::byte_run>& runs = runs_of_thread;
    runs.clear();
    const bool together = !y.depthwise && y.group == 1 && l.dilation_x == 1;
    for (std::int64_t pass = 0; pass < passes; ++pass)
        for (std::int64_t v = 0; v < l.kernel_height; ++v)
            for (std::int64_t u = 0; u < (together ? 1 : l.kernel_width); ++u)
                runs.push_back({v * l.dilation_y * from.row + u * l.dilation_x * from.pixel, together ? l.kernel_width * y.words : y.words});

    constexpr std::int64_t most_pixels = 128;
    const std::int64_t tile = y.depthwise ? t.depthwise_most : t.most, parts = y.depthwise ? 1 : y.group * y.panels, all_tiles = (total + tile - 1) / tile;
    // Few pixels of many channels: some for each thread.
    const std::int64_t chunk = std::clamp<std::int64_t>(y.depthwise ? all_tiles / 8 : all_tiles, 1, most_pixels / tile) * tile;
    const std::int64_t chunks = (total + chunk - 1) / chunk;
    // Cycles, about; a task takes 48000, less where there are not some for each thread.
    const std::int64_t work = chunk / tile * (y.depthwise ? (l.channels + y.lanes - 1) / y.lanes * (24 * y.taps + 40) : 100 + passes * y.taps * y.words * tile);
    const auto grain = static_cast<std::size_t>(std::max<std::int64_t>(1, std::min<std::int64_t>(48000, chunks * parts * work / 16) / work));
    const std::int64_t group_step = y.group > 1 ? from.pixel / y.group : 0;
    parallel_for(static_cast<std::size_t>(chunks * parts), grain, [&](std::size_t begin, std::size_t end) {
        std::int64_t places[most_pixels], known = -1;
        detail::byte_task task;
        task.pixels = places;
        task.runs = runs.data();
        task.run_count = static_cast<std::int64_t>(runs.size());
        task.low = static_cast<float>(e.low);
        task.high = static_cast<float>(e.high);
        task.zero = e.zero;
        task.form = e.form;
        task.y_stride = l.filters;
        const std::int64_t size = e.form == byte_epilogue::result::bytes ? 1 : 4;
        for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
            const std::int64_t first = i / parts * chunk, count = std::min(chunk, total - first), part = i % parts;
            if (known != first) {
                known = first;
                std::int64_t u = first % l.out_width, rest = first / l.out_width;
                std::int64_t v = rest % l.out_height, n = rest / l.out_height;
                for (std::int64_t p = 0; p < count; ++p) {
                    places[p] = n * from.image + v * l.stride_y * from.row + u * l.stride_x * from.pixel;
                    if (++u < l.out_width) continue;
                    u = 0;
                    if (++v < l.out_height) continue;
                    v = 0;
                    ++n;
                }
            }
            const std::int64_t group = y.depthwise ? 0 : part / y.panels, panel = y.depthwise ? 0 : part % y.panels;
            const std::int64_t filter = group * y.filters + panel * 2 * y.lanes;
            task.x = from.data + group * group_step;
            task.filters = y.depthwise ? l.filters : y.used(panel);
            task.weights = y.depthwise ? weights : weights + (group * y.all_vectors() + panel * 2) * passes * y.taps * y.words * y.lanes;
            task.bias = bias + filter;
            task.scale = scale + filter;
            const auto vectors = static_cast<std::size_t>(y.vectors(panel) - 1);
            const auto run = y.depthwise ? t.depthwise : form == byte_form::quads ? t.quads[vectors] : t.pairs[vectors];
            // The next panel, or the first one again.
            const std::int64_t next_panel = y.depthwise || part + 1 == parts ? 0 : part + 1;
            const std::int64_t words = y.depthwise ? 0 : passes * y.taps * y.words, tiles = (count + tile - 1) / tile;
            const auto* const next = reinterpret_cast<const char*>(
                y.depthwise ? weights : weights + (next_panel / y.panels * y.all_vectors() + next_panel % y.panels * 2) * words * y.lanes);
            task.ahead_step = y.depthwise ? 0 : y.vectors(next_panel % y.panels) * y.lanes * 4 / tiles;
            for (std::int64_t p = 0; p < count; p += tile) {
                task.ahead = next + p / tile * words * task.ahead_step;
                task.pixels = places + p;
                task.count = std::min(tile, count - p);
                task.y = static_cast<unsigned char*>(result) + ((first + p) * l.filters + filter) * size;
                run(task);
            }
        }
    });
}

namespace detail {

/// body(first, count) of parts of n elements.
template <class F>
void in_byte_parts(std::int64_t n, F&& body) {
    constexpr std::int64_t part = 1 << 14;
    parallel_for(static_cast<std::size_t>((n + part - 1) / part), 2, [&](std::size_t begin, std::size_t end) {
        const std::int64_t first = static_cast<std::int64_t>(begin) * part;
        body(first, std::min(n, static_cast<std::int64_t>(end) * part) - first);
    });
}

inline byte_operand behind(byte_operand x, std::int64_t n) {
    x.data += n;
    return x;
}

}  // namespace detail

OCELLI_INLINE void byte_add(std::int64_t n, const byte_operand& a, const byte_operand& b, std::int32_t low, std::int32_t high, std::int32_t zero,
                            std::uint8_t* y) {
    const auto add = detail::get_byte_kernels().add;
    detail::in_byte_parts(n, [&](std::int64_t first, std::int64_t count) {
        add(count, detail::behind(a, first), detail::behind(b, first), static_cast<float>(low), static_cast<float>(high), zero, y + first);
    });
}

OCELLI_INLINE void byte_multiply(std::int64_t rows, std::int64_t n, const byte_operand& a, const byte_operand& b, float scale, std::int32_t low,
                                 std::int32_t high, std::int32_t zero, std::uint8_t* y) {
    const auto multiply = detail::get_byte_kernels().multiply;
    const std::int64_t part = std::min<std::int64_t>(n, 1 << 14), parts = part == 0 ? 0 : (n + part - 1) / part;
    parallel_for(static_cast<std::size_t>(rows * parts), static_cast<std::size_t>((1 << 15) / (part + 1) + 1), [&](std::size_t begin, std::size_t end) {
        for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
            const std::int64_t first = i % parts * part, at = i / parts * n + first;
            multiply(std::min(part, n - first), detail::behind(a, at), detail::behind(b, first), scale, static_cast<float>(low), static_cast<float>(high), zero, y + at);
        }
    });
}

OCELLI_INLINE void byte_table(std::int64_t n, const std::uint8_t* x, const std::uint8_t* table, std::uint8_t* y) {
    const detail::byte_kernels& t = detail::get_byte_kernels();
    const auto look_up = t.table_in_registers != nullptr && ocelli::simd::has_vbmi() ? t.table_in_registers : t.table;
    detail::in_byte_parts(n, [&](std::int64_t first, std::int64_t count) { look_up(count, x + first, table, y + first); });
}

OCELLI_INLINE void byte_quantize(std::int64_t n, const float* x, float scale, std::int32_t zero, bool is_signed, std::uint8_t* y) {
    const auto quantize = detail::get_byte_kernels().quantize;
    const std::int32_t least = is_signed ? -128 : 0;
    detail::in_byte_parts(n, [&](std::int64_t first, std::int64_t count) {
        quantize(count, x + first, scale, static_cast<float>(least - zero), static_cast<float>(least + 255 - zero), zero, y + first);
    });
}

OCELLI_INLINE std::pair<float, float> range_with_zero(std::int64_t n, const float* x) {
    float range[2] = {0, 0};
    detail::get_byte_kernels().range(n, x, range);
    return {range[0], range[1]};
}

OCELLI_INLINE void sums_to_floats(std::int64_t n, const std::int32_t* x, float* y) {
    const auto floats = detail::get_byte_kernels().floats;
    detail::in_byte_parts(n, [&](std::int64_t first, std::int64_t count) { floats(count, x + first, y + first); });
}

OCELLI_INLINE void byte_dequantize(std::int64_t n, const std::uint8_t* x, bool is_signed, float scale, std::int32_t zero, float* y) {
    const auto dequantize = detail::get_byte_kernels().dequantize;
    const auto flip = static_cast<std::uint8_t>(is_signed ? 128 : 0);
    detail::in_byte_parts(n, [&](std::int64_t first, std::int64_t count) { dequantize(count, x + first, flip, scale, zero + flip, y + first); });
}

OCELLI_INLINE void byte_max_pool(const conv_layer& l, const std::uint8_t* x, bool is_signed, std::uint8_t* y) {
    const auto largest = detail::get_byte_kernels().largest;
    const auto flip = static_cast<std::uint8_t>(is_signed ? 128 : 0);
    const std::int64_t c = l.channels;
    parallel_for(static_cast<std::size_t>(l.batch * l.out_height), detail::conv_grain(l.out_width * c / 4 + 1), [&](std::size_t begin, std::size_t end) {
        for (auto row = static_cast<std::int64_t>(begin); row < static_cast<std::int64_t>(end); ++row) {
            const std::int64_t n = row / l.out_height, v0 = row % l.out_height * l.stride_y - l.pad_top;
            for (std::int64_t u = 0; u < l.out_width; ++u) {
                std::uint8_t* const to = y + (row * l.out_width + u) * c;
                bool begun = false;
                const std::int64_t u0 = u * l.stride_x - l.pad_left;
                const auto [i0, i1] = detail::taps_inside(v0, l.dilation_y, l.kernel_height, l.height);
                const auto [j0, j1] = detail::taps_inside(u0, l.dilation_x, l.kernel_width, l.width);
                for (std::int64_t i = i0; i < i1; ++i)
                    for (std::int64_t j = j0; j < j1; ++j) {
                        const std::uint8_t* const from = x + ((n * l.height + v0 + i * l.dilation_y) * l.width + u0 + j * l.dilation_x) * c;
                        if (begun) largest(c, from, flip, to);
                        else std::memcpy(to, from, static_cast<std::size_t>(c));
                        begun = true;
                    }
                if (!begun) std::memset(to, flip, static_cast<std::size_t>(c));
            }
        }
    });
}

OCELLI_INLINE void byte_pixel_sums(std::int64_t batch, std::int64_t pixels, std::int64_t channels, const std::uint8_t* x, bool is_signed, std::int32_t* sums) {
    const auto sum = detail::get_byte_kernels().sum;
    const auto flip = static_cast<std::uint8_t>(is_signed ? 128 : 0);
    for (std::int64_t n = 0; n < batch; ++n) {
        std::int32_t* const to = sums + n * channels;
        std::fill(to, to + channels, static_cast<std::int32_t>(-flip * pixels));
        for (std::int64_t p = 0; p < pixels; ++p) sum(channels, x + (n * pixels + p) * channels, flip, to);
    }
}

namespace detail {

/// turn(image, first, last) of some columns of each image.
template <class F>
void transpose_parts(std::int64_t batch, std::int64_t rows, std::int64_t columns, F&& turn) {
    constexpr std::int64_t part = 64;
    const std::int64_t parts = (columns + part - 1) / part;
    parallel_for(static_cast<std::size_t>(batch * parts), conv_grain(rows * part / 4 + 1), [&](std::size_t begin, std::size_t end) {
        for (auto task = static_cast<std::int64_t>(begin); task < static_cast<std::int64_t>(end); ++task) {
            const std::int64_t first = task % parts * part;
            turn(task / parts, first, std::min(columns, first + part));
        }
    });
}

}  // namespace detail

OCELLI_INLINE void byte_transpose(std::int64_t batch, std::int64_t rows, std::int64_t columns, std::int64_t size, const void* x, void* y) {
    if (size == 1 && rows == 3) {  // pictures
        const auto interleave = detail::get_byte_kernels().interleave;
        for (std::int64_t n = 0; n < batch; ++n) {
            const auto* const from = static_cast<const std::uint8_t*>(x) + 3 * n * columns;
            auto* const to = static_cast<std::uint8_t*>(y) + 3 * n * columns;
            detail::in_byte_parts(columns, [&](std::int64_t first, std::int64_t count) {
                interleave(count, from + first, from + columns + first, from + 2 * columns + first, to + 3 * first);
            });
        }
    } else if (rows == 1 || columns == 1) {
        std::memcpy(y, x, static_cast<std::size_t>(batch * rows * columns * size));
    } else if (size == 1) {
        const auto turn = detail::get_byte_kernels().turn;
        detail::transpose_parts(batch, rows, columns, [&](std::int64_t n, std::int64_t first, std::int64_t last) {
            turn(rows, columns, first, last, static_cast<const std::uint8_t*>(x) + n * rows * columns, static_cast<std::uint8_t*>(y) + n * rows * columns);
        });
    } else {
        detail::transpose_parts(batch, rows, columns, [&](std::int64_t n, std::int64_t first, std::int64_t last) {
            const auto* const from = static_cast<const std::uint32_t*>(x) + n * rows * columns;
            auto* const to = static_cast<std::uint32_t*>(y) + n * rows * columns;
            for (std::int64_t c0 = first; c0 < last; c0 += 16)
                for (std::int64_t r = 0; r < rows; ++r)
                    for (std::int64_t c = c0; c < std::min(last, c0 + 16); ++c) to[c * rows + r] = from[r * columns + c];
        });
    }
}

}  // namespace ocelli::nn
