#pragma once

#include <ocelli/core/detail/unaligned.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>
#include <ocelli/nn/kernels/detail/blocked_groups.hpp>
#include <ocelli/nn/kernels/detail/epilogue.hpp>
#include <ocelli/nn/kernels/detail/factors.hpp>
#include <ocelli/nn/kernels/detail/tasks.hpp>
#include <ocelli/nn/kernels/transposed.hpp>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#define OCELLI_KERNEL_FILE <ocelli/nn/kernels/detail/transposed.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>

namespace ocelli::nn {

namespace detail {

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const transposed_kernels& get_transposed_kernels() {
    static const transposed_kernels chosen = OCELLI_CHOOSE(make_transposed_kernels);
    return chosen;
}
OCELLI_KERNEL_API_END

/// One phase of a transposed convolution along one axis: results first, first + stride, ... are a convolution with every stride-th tap.
/// Phases go by their first tap, so that weights do not depend on the padding.
struct transpose_phase {
    std::int64_t first, taps, pad, results;
};
inline transpose_phase phase_of(std::int64_t tap, std::int64_t stride, std::int64_t kernel, std::int64_t pad, std::int64_t extent) {
    transpose_phase p{};
    p.first = ((tap - pad) % stride + stride) % stride;
    p.taps = tap < kernel ? (kernel - tap - 1) / stride + 1 : 1;  // at least one, of weight zero
    // Result j reads element j + shift - t under the t-th tap; turned around, under tap u it reads j + shift - (taps - 1) + u.
    p.pad = p.taps - 1 - (p.first + pad - tap) / stride;
    p.results = p.first < extent ? (extent - p.first - 1) / stride + 1 : 0;
    return p;
}
/// The phase's convolution, from x to some results of y.
inline conv_layer phase_layer(const conv_layer& l, const transpose_phase& py, const transpose_phase& px) {
    conv_layer c;
    c.batch = l.batch;
    c.group = l.group;
    c.channels = l.filters;
    c.filters = l.channels;
    c.height = l.out_height;
    c.width = l.out_width;
    c.kernel_height = py.taps;
    c.kernel_width = px.taps;
    c.pad_top = py.pad;
    c.pad_left = px.pad;
    c.out_height = py.results;
    c.out_width = px.results;
    return c;
}
/// Calls f(phase's layer, its placement, its first tap's row and column, offset of its weights).
template <class F>
void each_phase(const conv_layer& l, const F& f) {
    std::int64_t offset = 0;
    for (std::int64_t y = 0; y < l.stride_y; ++y)
        for (std::int64_t x = 0; x < l.stride_x; ++x) {
            const transpose_phase py = phase_of(y, l.stride_y, l.kernel_height, l.pad_top, l.height), px = phase_of(x, l.stride_x, l.kernel_width, l.pad_left, l.width);
            const conv_layer c = phase_layer(l, py, px);
            f(c, blocked_placement{py.first * l.width + px.first, l.stride_x, l.stride_y * l.width, 0, l.height * l.width}, y, x, offset);
            offset += blocked_conv_packed_size(c);
        }
}

}  // namespace detail

OCELLI_INLINE bool blocked_transpose_takes(const conv_layer& l) {
    conv_layer c;
    c.group = l.group;
    c.channels = l.filters;
    c.filters = l.channels;
    return l.dilation_x == 1 && l.dilation_y == 1 && l.stride_x * l.stride_y <= 64 && l.kernel_depth == 1 && blocked_conv_takes(c);
}

OCELLI_INLINE std::int64_t blocked_transpose_packed_size(const conv_layer& l) {
    std::int64_t size = 0;
    detail::each_phase(l, [&](const conv_layer& c, const detail::blocked_placement&, std::int64_t, std::int64_t, std::int64_t) { size += blocked_conv_packed_size(c); });
    return size;
}

OCELLI_INLINE void blocked_transpose_pack(const conv_layer& l, const float* w, float* packed, const float* factors) {
    const std::int64_t out = l.channels / l.group, in = l.filters / l.group, lanes = block_lanes(), taps = l.kernel_height * l.kernel_width;
    const ocelli::detail::gemm_kernels& t = ocelli::detail::get_gemm_kernels();
    std::vector<float> turned;
    bool all_turn = true;
    detail::each_phase(l, [&](const conv_layer& c, const detail::blocked_placement&, std::int64_t tap_y, std::int64_t tap_x, std::int64_t offset) {
        // Phases that no tap falls on have one of weight zero.
        if (tap_y >= l.kernel_height || tap_x >= l.kernel_width) return std::fill_n(packed + offset, blocked_conv_packed_size(c), 0.0f), void();
        if (detail::groups_in_blocks(c, lanes).merged == 1) return;
        all_turn = false;
        turned.assign(static_cast<std::size_t>(l.channels * in * c.kernel_height * c.kernel_width), 0.0f);
        float* to = turned.data();
        for (std::int64_t f = 0; f < l.channels; ++f)
            for (std::int64_t i = 0; i < in; ++i)
                for (std::int64_t u = c.kernel_height; u-- > 0;)
                    for (std::int64_t v = c.kernel_width; v-- > 0; ++to) {
                        const std::int64_t ky = tap_y + u * l.stride_y, kx = tap_x + v * l.stride_x;
                        *to = ocelli::detail::float_at(w + (((f / out * in + i) * out + f % out) * l.kernel_height + ky) * l.kernel_width + kx);
                        if (factors != nullptr) *to *= factors[f];
                    }
        blocked_conv_pack(c, turned.data(), packed + offset);
    });
    if (!all_turn) return;
    // Every tap of some filters at once, which lie side by side; each belongs to one phase.
    const std::int64_t blocks = block_count(out, lanes), pairs = (blocks + 1) / 2;
    struct place {
        std::int64_t first, tap, group;  ///< of the phase's weights, of the tap among its taps, floats of a group
        std::int64_t taps;
    };
    std::vector<place> places(static_cast<std::size_t>(taps));
    detail::each_phase(l, [&](const conv_layer& c, const detail::blocked_placement&, std::int64_t tap_y, std::int64_t tap_x, std::int64_t offset) {
        for (std::int64_t ky = tap_y; ky < l.kernel_height; ky += l.stride_y)
            for (std::int64_t kx = tap_x; kx < l.kernel_width; kx += l.stride_x)
                places[static_cast<std::size_t>(ky * l.kernel_width + kx)] = {
                    offset, (c.kernel_height - 1 - ky / l.stride_y) * c.kernel_width + c.kernel_width - 1 - kx / l.stride_x, blocked_conv_packed_size(c) / l.group,
                    c.kernel_height * c.kernel_width};
    });
    parallel_for(static_cast<std::size_t>(l.group * pairs), static_cast<std::size_t>(1 + (1 << 16) / (taps * in * lanes)), [&](std::size_t begin, std::size_t end) {
        float* vectors = ocelli::detail::thread_scratch(static_cast<std::size_t>(taps * lanes), 1);
        for (auto p = static_cast<std::int64_t>(begin); p < static_cast<std::int64_t>(end); ++p) {
            const std::int64_t group = p / pairs, first = p % pairs * 2 * lanes, wide = std::min(2 * lanes, blocks * lanes - first);
            for (std::int64_t i = 0; i < in; ++i)
                for (std::int64_t f = 0; f < wide; f += lanes) {
                    const std::int64_t used = std::min(lanes, out - first - f);
                    t.turn(w + ((group * in + i) * out + first + f) * taps, taps, static_cast<int>(used), 1, taps, vectors, 0, lanes);
                    if (factors != nullptr) detail::multiply_vectors(factors + group * out + first + f, used, lanes, taps, vectors);
                    for (std::int64_t tap = 0; tap < taps; ++tap) {
                        const place& at = places[static_cast<std::size_t>(tap)];
                        std::memcpy(packed + at.first + group * at.group + first * in * at.taps + (at.tap * in + i) * wide + f, vectors + tap * lanes,
                                    static_cast<std::size_t>(lanes) * sizeof(float));
                    }
                }
        }
    });
}

OCELLI_INLINE void blocked_transpose(const conv_layer& l, const float* x, bool planes, const float* packed, const blocked_epilogue& e, float* y) {
    detail::each_phase(l, [&](const conv_layer& c, const detail::blocked_placement& place, std::int64_t, std::int64_t, std::int64_t offset) {
        detail::blocked_conv_placed(c, x, planes, planes ? detail::floats_in_planes : detail::floats_in_blocks, packed + offset, e, y, place);
    });
}

namespace detail {

inline std::int64_t floor_divide(std::int64_t a, std::int64_t b) noexcept {
    return a >= 0 ? a / b : -((b - 1 - a) / b);
}

/// One axis of a transposed convolution. Result `at` adds tap t of pixel i for at + pad = i * stride + t.
struct transposed_axis {
    std::int64_t stride, kernel, pad, results, pixels;

    /// The first tap of a result, of every stride-th; and the pixel under it.
    std::int64_t tap(std::int64_t at) const { return at + pad - floor_divide(at + pad, stride) * stride; }
    std::int64_t pixel(std::int64_t at) const { return floor_divide(at + pad, stride); }
    /// Pixels that results [first, end) read.
    std::pair<std::int64_t, std::int64_t> pixels_of(std::int64_t first, std::int64_t end) const {
        const std::int64_t begin = std::clamp<std::int64_t>(pixel(first) - (kernel - 1) / stride, 0, pixels);
        return {begin, std::clamp(pixel(end - 1) + 1, begin, pixels)};
    }
};
inline transposed_axis rows_of(const conv_layer& l) {
    return {l.stride_y, l.kernel_height, l.pad_top, l.height, l.out_height};
}
inline transposed_axis columns_of(const conv_layer& l) {
    return {l.stride_x, l.kernel_width, l.pad_left, l.width, l.out_width};
}

/// Where the channels of a pixel in blocks stand, `block` floats from one block to the next; in `table`, which the thread keeps.
inline const blocked_segment* segments_of(std::int64_t channels, std::int64_t lanes, std::int64_t block, std::vector<blocked_segment>& table) {
    table.clear();
    for (std::int64_t c = 0; c < channels; c += lanes) table.push_back({c / lanes * block, std::min(lanes, channels - c)});
    return table.data();
}

/// A tile's product with all channels; long sums in parts, as blocked_conv() makes them. The tile is as before but for what is fetched ahead.
inline void whole_product(blocked_tile& tile, blocked_tile_function run, const blocked_segment* segments, std::int64_t count, std::int64_t lanes, std::int64_t wide) {
    const std::int64_t part = 256 / lanes;
    const float* weights = tile.weights;
    for (std::int64_t c = 0; c == 0 || c < count; c += part) {
        tile.segments = segments + c;
        tile.count = std::min(part, count - c);
        tile.weights = weights + c * lanes * wide;
        run(tile);
        tile.ahead.advance(tile.count * lanes);
        tile.addend = tile.y;
    }
    tile.weights = weights;
    tile.addend = nullptr;
}

}  // namespace detail

OCELLI_INLINE bool transpose_columns_takes(const conv_layer& l) {
    return l.group == 1 && l.dilation_x == 1 && l.dilation_y == 1 && l.kernel_depth == 1 && 2 * l.channels <= block_lanes() &&
           l.kernel_height * l.kernel_width * l.channels <= 1024;
}

OCELLI_INLINE bool transpose_columns_fits(const conv_layer& l) noexcept {
    const auto d = [](std::int64_t v) { return static_cast<double>(v); };
    const double rows = d(l.kernel_height) / d(l.stride_y) + 3;
    return rows * d(l.channels * l.kernel_height * l.kernel_width) * (d(l.out_width) + d(l.width) / d(l.stride_x) + d(l.kernel_width)) < (1 << 24);
}

OCELLI_INLINE std::int64_t transpose_columns_packed_size(const conv_layer& l) {
    const std::int64_t lanes = block_lanes();
    return block_count(l.channels * l.kernel_height * l.kernel_width, lanes) * lanes * l.filters;
}

// Filters and taps are the filters of a pointwise convolution: [pair of blocks][channel of x][filters of the pair].
OCELLI_INLINE void transpose_columns_pack(const conv_layer& l, const float* w, float* packed) {
    const std::int64_t columns = l.channels * l.kernel_height * l.kernel_width, lanes = block_lanes(), all = block_count(columns, lanes) * lanes;
    for (std::int64_t first = 0; first < all; first += 2 * lanes) {
        const std::int64_t wide = std::min(2 * lanes, all - first), used = std::min(wide, columns - first);
        for (std::int64_t c = 0; c < l.filters; ++c, packed += wide) {
            std::fill(packed + used, packed + wide, 0.0f);
            std::memcpy(packed, reinterpret_cast<const char*>(w) + static_cast<std::size_t>(c * columns + first) * sizeof(float), static_cast<std::size_t>(used) * sizeof(float));
        }
    }
}

OCELLI_INLINE void transpose_columns(const conv_layer& l, const float* x, const float* packed, const gemm_epilogue& epilogue, float* y) {
    using namespace detail;
    const blocked_kernels& t = get_blocked_kernels();
    const auto fold = get_transposed_kernels().row;
    const auto scatter = get_block_kernels().scatter;
    const std::int64_t lanes = t.lanes, depth = block_count(l.filters, lanes), taps = l.kernel_height * l.kernel_width, columns = l.channels * taps;
    const std::int64_t blocks = block_count(columns, lanes), plane = l.out_height * l.out_width, pixels = l.height * l.width;
    if (l.batch == 0 || columns == 0 || pixels == 0) return;
    const transposed_axis down = rows_of(l), across = columns_of(l);
    // A row of products, zeros beside it, so that every phase reads whole vectors.
    const std::int64_t left = std::max<std::int64_t>(0, (l.kernel_width - 1) / l.stride_x - across.pixel(0));
    const std::int64_t row = left + std::max(l.out_width, across.pixel(l.width - 1) + 1) + lanes;
    // Rows of results whose products stay in the second-level cache.
    const std::int64_t work = l.batch * plane * columns * l.filters, overlap = (l.kernel_height - 1) / l.stride_y + 1;
    std::int64_t chunk = std::max<std::int64_t>(overlap, (std::int64_t{1} << 16) / (columns * row)) * l.stride_y;
    chunk = std::clamp<std::int64_t>(chunk, 1, l.height);
    const std::int64_t chunks = (l.height + chunk - 1) / chunk;
    chunk = (l.height + chunks - 1) / chunks;
    const std::int64_t room = std::min((chunk - 1) / l.stride_y + 1 + overlap, l.out_height);
    const std::int64_t together = std::max<std::int64_t>(1, 4 * t.pixels / std::max<std::int64_t>(1, l.out_width));  // rows of a product
    thread_local std::vector<blocked_segment> table;
    const blocked_segment* const segments = segments_of(l.filters, lanes, plane * lanes, table);
    static constexpr float zeros[2 * 16] = {};
    parallel_for(static_cast<std::size_t>(l.batch * chunks), conv_grain(work / (l.batch * chunks)), [&](std::size_t begin, std::size_t end) {
        float* const sums = ocelli::detail::thread_scratch(static_cast<std::size_t>(columns * room * row), 1);
        float* const products = ocelli::detail::thread_scratch(static_cast<std::size_t>(blocks * together * l.out_width * lanes), 3);
        thread_local std::vector<const float*> sources;
        thread_local std::vector<std::int64_t> counts;
        for (auto task = static_cast<std::int64_t>(begin); task < static_cast<std::int64_t>(end); ++task) {
            const std::int64_t n = task / chunks, first = task % chunks * chunk, last = std::min(l.height, first + chunk);
            if (first >= last) continue;
            const auto [row0, row1] = down.pixels_of(first, last);
            for (std::int64_t r = row0; r < row1; r += together) {
                const std::int64_t count = std::min(together, row1 - r), here = count * l.out_width, parts = (here + t.pixels - 1) / t.pixels;
                blocked_tile tile{};
                tile.bias = zeros;
                tile.y_block = here * lanes;
                tile.y_step = lanes;
                for (std::int64_t b = 0; b < blocks; b += 2) {
                    const std::int64_t wide = std::min<std::int64_t>(2, blocks - b);
                    for (std::int64_t part = 0; part < parts; ++part) {
                        const std::int64_t p0 = here * part / parts, p1 = here * (part + 1) / parts;
                        tile.x = x + (n * depth * plane + r * l.out_width + p0) * lanes;
                        tile.y = products + (b * here + p0) * lanes;
                        tile.weights = packed + b * lanes * l.filters;
                        whole_product(tile, t.tile[floats_in_blocks][wide - 1][p1 - p0 - 1], segments, depth, lanes, wide * lanes);
                    }
                }
                for (std::int64_t b = 0; b < blocks; ++b)
                    for (std::int64_t i = 0; i < count; ++i) {
                        const std::int64_t used = std::min(lanes, columns - b * lanes);
                        float* const to = sums + (b * lanes * room + r - row0 + i) * row;
                        scatter(products + (b * here + i * l.out_width) * lanes, room * row, l.out_width, static_cast<int>(used), to + left);
                        for (std::int64_t c = 0; c < used; ++c) {
                            std::fill_n(to + c * room * row, left, 0.0f);
                            std::fill_n(to + c * room * row + left + l.out_width, row - left - l.out_width, 0.0f);
                        }
                    }
            }
            for (std::int64_t f = 0; f < l.channels; ++f) {
                float* const out = y + (n * l.channels + f) * pixels + first * l.width;
                for (std::int64_t at = first; at < last; ++at) {
                    sources.clear();
                    counts.clear();
                    for (std::int64_t phase = 0; phase < std::min(l.stride_x, l.width); ++phase) {
                        const std::size_t before = sources.size();
                        for (std::int64_t ky = down.tap(at), r = down.pixel(at); ky < l.kernel_height; ky += l.stride_y, --r) {
                            if (r < row0 || r >= row1) continue;
                            for (std::int64_t kx = across.tap(phase), i = across.pixel(phase); kx < l.kernel_width; kx += l.stride_x, --i)
                                sources.push_back(sums + ((f * taps + ky * l.kernel_width + kx) * room + r - row0) * row + left + i);
                        }
                        counts.push_back(static_cast<std::int64_t>(sources.size() - before));
                    }
                    counts.resize(static_cast<std::size_t>(l.stride_x), 0);
                    fold({sources.data(), counts.data(), l.stride_x, l.width}, out + (at - first) * l.width);
                }
                gemm_epilogue e = epilogue;
                if (e.row_bias != nullptr) e.row_bias += f;
                if (e.row_slope != nullptr) e.row_slope += f;
                if (e.addend != nullptr) e.addend += out - y;
                if (e.row_bias != nullptr || e.addend != nullptr || e.function != activation::none)
                    ocelli::detail::get_gemm_kernels().finish(1, (last - first) * l.width, out, 0, &e, 0, 0);
            }
        }
    });
}

namespace detail {

/// Tiles along an axis whose first `pad` results are cut off.
inline std::int64_t transpose_tiles_along(std::int64_t results, std::int64_t pad) {
    return (floor_divide(results - 1 + pad, 2) - floor_divide(pad, 2)) / 3 + 1;
}
inline transpose_tiles transpose_tiles_of(const conv_layer& l, std::int64_t lanes) {
    transpose_tiles t{};
    t.rows = transpose_tiles_along(l.height, l.pad_top);
    t.columns = transpose_tiles_along(l.width, l.pad_left);
    t.height = l.out_height;
    t.width = l.out_width;
    t.y_height = l.height;
    t.y_width = l.width;
    t.x_image = block_count(l.filters, lanes) * l.out_height * l.out_width * lanes;
    t.y_image = block_count(l.channels, lanes) * l.height * l.width * lanes;
    t.pad_top = l.pad_top;
    t.pad_left = l.pad_left;
    return t;
}

}  // namespace detail

OCELLI_INLINE bool transpose_winograd_pays(const conv_layer& l) {
    if (l.group != 1 || l.kernel_depth != 1 || l.kernel_height != 4 || l.kernel_width != 4 || l.stride_y != 2 || l.stride_x != 2 || l.dilation_y != 1 ||
        l.dilation_x != 1 || l.channels < 16 || l.filters < 16 || l.height <= 0 || l.width <= 0 || l.out_height <= 0 || l.out_width <= 0)
        return false;
    // As winograd_tile() counts: processor cycles.
    const auto d = [](std::int64_t v) { return static_cast<double>(v); };
    const double lanes = block_lanes(), kernels = d(l.channels) * d(l.filters);
    const auto products = [&](double products_each, double weights_each) { return kernels * std::max(products_each / (2 * lanes), weights_each * 4 / 10); };
    const double tiles = d(detail::transpose_tiles_along(l.height, l.pad_top)) * d(detail::transpose_tiles_along(l.width, l.pad_left));
    // Two taps of four inside for each result, but for one at the ends of each axis.
    const double direct = products((2 * d(l.height) - 2) * (2 * d(l.width) - 2), 16);
    const double minimal = 1.05 * products(64 * tiles, 64) + tiles * (60 * d(l.filters) + 4 * 40 * d(l.channels)) / lanes;
    return minimal < 0.9 * direct;
}

OCELLI_INLINE std::int64_t transpose_winograd_packed_size(const conv_layer& l) {
    const std::int64_t lanes = block_lanes();
    return 64 * block_count(l.channels, lanes) * lanes * l.filters;
}

// [block of y][coefficient][row's phase][channel of x][column's phase][lanes]: in the order of reading.
OCELLI_INLINE void transpose_winograd_pack(const conv_layer& l, const float* w, float* packed, const float* factors) {
    const std::int64_t lanes = block_lanes(), blocks = block_count(l.channels, lanes);
    const ocelli::detail::gemm_kernels& t = ocelli::detail::get_gemm_kernels();
    const auto transform = detail::get_transposed_kernels().weights;
    parallel_for(static_cast<std::size_t>(blocks), static_cast<std::size_t>(1 + (1 << 16) / (64 * l.filters * lanes)), [&](std::size_t begin, std::size_t end) {
        float* vectors = ocelli::detail::thread_scratch(static_cast<std::size_t>(16 * lanes), 1);
        for (auto b = static_cast<std::int64_t>(begin); b < static_cast<std::int64_t>(end); ++b)
            for (std::int64_t c = 0; c < l.filters; ++c) {
                const std::int64_t used = std::min(lanes, l.channels - b * lanes);
                t.turn(w + (c * l.channels + b * lanes) * 16, 16, static_cast<int>(used), 1, 16, vectors, 0, lanes);
                if (factors != nullptr) detail::multiply_vectors(factors + b * lanes, used, lanes, 16, vectors);
                transform(vectors, packed + (b * 64 * l.filters + 2 * c) * lanes, 4 * l.filters * lanes, 2 * l.filters * lanes);
            }
    });
}

OCELLI_INLINE void transpose_winograd(const conv_layer& l, const float* x, const float* packed, const blocked_epilogue& e, float* y) {
    using namespace detail;
    const blocked_kernels& t = get_blocked_kernels();
    const transposed_kernels& w = get_transposed_kernels();
    const std::int64_t lanes = t.lanes, depth = block_count(l.filters, lanes), blocks = block_count(l.channels, lanes);
    const transpose_tiles whole = transpose_tiles_of(l, lanes);
    const std::int64_t all = l.batch * whole.rows * whole.columns, plane = l.height * l.width;
    if (all == 0 || plane == 0) return;
    // Tiles of a task: their coefficients and those of a block of results stay in the second-level cache; with many channels the weights,
    // read anew for each task, count for more.
    const std::int64_t budget = std::int64_t{6} << 15;
    std::int64_t each = std::clamp<std::int64_t>(budget / (16 * (l.filters + 4 * lanes)), 2 * t.pixels, 6 * t.pixels);
    if (l.filters >= 192) each = std::max<std::int64_t>(each, 4 * t.pixels);
    const std::int64_t cuts = (all + each - 1) / each;
    each = (all + cuts - 1) / cuts;
    // Few tiles: several tasks make the same ones for different filters.
    const std::int64_t work = all * 64 * l.filters * l.channels;
    const std::int64_t filter_tasks = std::clamp<std::int64_t>(work >> 22, 1, std::min(tasks_for_threads(cuts), blocks));
    const std::int64_t blocks_each = (blocks + filter_tasks - 1) / filter_tasks;
    // An odd number of cache lines apart: coefficients of one tile do not fall on one another in the first-level cache.
    const auto apart = [&](std::int64_t floats) { return (floats / 16 | 1) * 16 + 32; };
    const std::int64_t step_in = apart(depth * each * lanes), step_out = apart(4 * each * lanes);
    thread_local std::vector<blocked_segment> table;
    const blocked_segment* const segments = segments_of(l.filters, lanes, each * lanes, table);
    const blocked_clamp clamp = clamp_of(e);
    static constexpr float zeros[2 * 16] = {};
    parallel_for(static_cast<std::size_t>(cuts * filter_tasks), conv_grain(work / (cuts * filter_tasks)), [&](std::size_t begin, std::size_t end) {
        float* const in = ocelli::detail::thread_scratch(static_cast<std::size_t>(16 * (step_in + step_out)), 1);
        float* const out = in + 16 * step_in;
        for (auto task = static_cast<std::int64_t>(begin); task < static_cast<std::int64_t>(end); ++task) {
            const std::int64_t block0 = task % filter_tasks * blocks_each, block1 = std::min(blocks, block0 + blocks_each);
            transpose_tiles tiles = whole;
            tiles.first = task / filter_tasks * each;
            tiles.count = std::min(each, all - tiles.first);
            if (block0 >= block1 || tiles.count <= 0) continue;
            tiles.step = step_in;
            for (std::int64_t c = 0; c < depth; ++c) w.input(tiles, x + c * l.out_height * l.out_width * lanes, in + c * each * lanes);
            tiles.step = step_out;
            const std::int64_t parts = (tiles.count + t.pixels - 1) / t.pixels;
            for (std::int64_t b = block0; b < block1; ++b) {
                blocked_tile tile{};
                tile.bias = zeros;
                tile.y_block = each * lanes;
                tile.y_step = lanes;
                tile.weights = packed + b * 64 * l.filters * lanes;
                for (std::int64_t p = 0; p < 32; ++p, tile.weights += 2 * l.filters * lanes) {
                    const std::int64_t next_floats = p + 1 < 32 || b + 1 < block1 ? 2 * l.filters * lanes : 0;
                    tile.ahead = ocelli::detail::ahead_of(tile.weights + next_floats, 4 * next_floats, parts * l.filters);
                    for (std::int64_t part = 0; part < parts; ++part) {
                        const std::int64_t t0 = tiles.count * part / parts, t1 = tiles.count * (part + 1) / parts;
                        tile.x = in + p / 2 * step_in + t0 * lanes;
                        tile.y = out + p / 2 * step_out + (p % 2 * 2 * each + t0) * lanes;
                        whole_product(tile, t.tile[floats_in_blocks][1][t1 - t0 - 1], segments, depth, lanes, 2 * lanes);
                    }
                }
                float* const to = y + b * plane * lanes;
                const float* const addend = e.addend == nullptr ? nullptr : e.addend + (to - y);
                for (int phase = 0; phase < 4; ++phase)
                    w.output(tiles, phase / 2, phase % 2, out + phase * each * lanes, e.bias + b * lanes, addend, clamp.clamps, clamp.low, clamp.high, to);
                if (!clamp.finish && (b + 1) * lanes <= l.channels) continue;
                for (std::int64_t i = 0; i < tiles.count; ++i) {
                    const transpose_origin at = origin_of(tiles, tiles.first + i);
                    const std::int64_t row0 = 2 * at.y - l.pad_top, column0 = 2 * at.x - l.pad_left;
                    const std::int64_t left = std::max<std::int64_t>(0, column0), right = std::min(l.width, column0 + 6);
                    for (std::int64_t row = std::max<std::int64_t>(0, row0); row < std::min(l.height, row0 + 6); ++row)
                        finish_block(t, e, clamp.finish, b * lanes, l.channels, right - left, to + at.image * tiles.y_image + (row * l.width + left) * lanes);
                }
            }
        }
    });
}

}  // namespace ocelli::nn
