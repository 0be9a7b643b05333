// Depthwise convolution on images in blocks of channels: tiles of pixels in registers. Compiled once per instruction set.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

// Rows of a depthwise convolution on one block. Taps of rows outside are left out; columns outside are read from zeros, by tiles at the edges. By packs of
// numbers: loops over accumulators stay in memory where compilers do not unroll them (-O2), which makes a third more of the time.
template <int P, int... I>
OCELLI_ALWAYS_INLINE void depthwise_clear(vf32 (&acc)[P], std::integer_sequence<int, I...>) {
    ((acc[I] = vf32{}), ...);
}
template <int P, int... I>
OCELLI_ALWAYS_INLINE void depthwise_put(vf32 (&acc)[P], const nn::detail::depthwise_args& d, const float* addend, float* y, std::integer_sequence<int, I...>) {
    constexpr int L = lanes<float>;
    const vf32 bias = load(d.bias), low = broadcast(d.low), high = broadcast(d.high);
    ((acc[I] += bias), ...);
    if (addend != nullptr) ((acc[I] += load(addend + I * L)), ...);
    // NaN passes. Bounds that nothing is beyond are left out: with nine taps each takes a tenth of the time.
    if (d.low >= -__FLT_MAX__) ((acc[I] = acc[I] < low ? low : acc[I]), ...);
    if (d.high <= __FLT_MAX__) ((acc[I] = acc[I] > high ? high : acc[I]), ...);
    (store(y + I * L, acc[I]), ...);
}
template <int P, bool Edge, int... I>
OCELLI_ALWAYS_INLINE void depthwise_tap(vf32 (&acc)[P], vf32 weight, const float* row, std::int64_t at, std::int64_t step, std::int64_t row_floats, const float* zeros,
                                        std::integer_sequence<int, I...>) {
    ((acc[I] += load(!Edge || static_cast<std::uint64_t>(at + I * step) < static_cast<std::uint64_t>(row_floats) ? row + at + I * step : zeros) * weight), ...);
}
template <int K, int... I>
OCELLI_ALWAYS_INLINE void depthwise_weights(vf32 (&w)[K], const float* weights, std::integer_sequence<int, I...>) {
    ((w[I] = load(weights + I * lanes<float>)), ...);
}
// Where taps of the next row are.
OCELLI_ALWAYS_INLINE const float* depthwise_next(const nn::detail::depthwise_args& d, const float* row) {
    row += d.tap_row;
    return row >= d.ring_end ? row - d.ring : row;
}

// `tiles` times P pixels beside each other.
template <int P, bool Edge>
void depthwise_pixels(const nn::detail::depthwise_args& d, const nn::detail::depthwise_row& r, std::int64_t column, std::int64_t tiles) {
    constexpr int L = lanes<float>;
    alignas(64) const float zeros[L] = {};
    const std::int64_t step = d.stride_x * L, next = d.dilation_x * L, row_floats = d.width * L;
    for (; tiles > 0; --tiles, column += P) {
        vf32 acc[P];
        depthwise_clear(acc, std::make_integer_sequence<int, P>{});
        const float *w = r.weights, *row = r.x;
        const std::int64_t first = (column * d.stride_x - d.pad_left) * L;
        for (std::int64_t ky = r.kernel_rows; ky > 0; --ky, row = depthwise_next(d, row)) {
            std::int64_t at = first;
            for (std::int64_t kx = d.kernel_width; kx > 0; --kx, at += next, w += L)
                depthwise_tap<P, Edge>(acc, load(w), row, at, step, row_floats, zeros, std::make_integer_sequence<int, P>{});
        }
        depthwise_put(acc, d, r.addend == nullptr ? nullptr : r.addend + column * L, r.y + column * L, std::make_integer_sequence<int, P>{});
    }
}

// The same sums, in the same order, for K taps beside each other and results S columns apart: a column is read once for all taps that it is under. Only the
// first and the last of them may lie outside, as many as a padding that keeps an image's size has.
template <int P, int K, int S, int Column, int... X>
OCELLI_ALWAYS_INLINE void depthwise_spread(vf32 (&acc)[P], const vf32 (&w)[K], vf32 v, std::integer_sequence<int, X...>) {
    ((Column >= X && (Column - X) % S == 0 && (Column - X) / S < P ? void(acc[Column >= X && (Column - X) / S < P ? (Column - X) / S : 0] += v * w[X]) : void()), ...);
}
template <int Columns, int Outside, int Column>
OCELLI_ALWAYS_INLINE vf32 depthwise_column(const float* from, std::int64_t at, std::int64_t row_floats, const float* zeros) {
    constexpr int place = Column * lanes<float>;
    if constexpr (Column < Outside || Column >= Columns - Outside)
        return load(static_cast<std::uint64_t>(at + place) < static_cast<std::uint64_t>(row_floats) ? from + place : zeros);
    else return load(from + place);
}
template <int P, int K, int S, int... Column>
OCELLI_ALWAYS_INLINE void depthwise_columns(vf32 (&acc)[P], const vf32 (&w)[K], const float* from, std::int64_t at, std::int64_t row_floats, const float* zeros,
                                            std::integer_sequence<int, Column...>) {
    (depthwise_spread<P, K, S, Column>(acc, w, rounded(depthwise_column<sizeof...(Column), K / 2, Column>(from, at, row_floats, zeros)),
                                       std::make_integer_sequence<int, K>{}),
     ...);
}
template <int P, int K, int S>
void depthwise_near_pixels(const nn::detail::depthwise_args& d, const nn::detail::depthwise_row& r, std::int64_t column, std::int64_t tiles) {
    constexpr int L = lanes<float>;
    alignas(64) const float zeros[L] = {};
    const std::int64_t row_floats = d.width * L;
    for (; tiles > 0; --tiles, column += P) {
        vf32 acc[P], w[K];
        depthwise_clear(acc, std::make_integer_sequence<int, P>{});
        const std::int64_t first = (column * S - d.pad_left) * L;
        const float *weights = r.weights, *row = r.x;
        for (std::int64_t ky = r.kernel_rows; ky > 0; --ky, row = depthwise_next(d, row), weights += K * L) {
            depthwise_weights(w, weights, std::make_integer_sequence<int, K>{});
            const float* from = row + first;
            asm("" : "+r"(from));  // or GCC keeps an offset from the row for each column, more than there are registers
            depthwise_columns<P, K, S>(acc, w, from, first, row_floats, zeros, std::make_integer_sequence<int, (P - 1) * S + K>{});
        }
        depthwise_put(acc, d, r.addend == nullptr ? nullptr : r.addend + column * L, r.y + column * L, std::make_integer_sequence<int, P>{});
    }
}

using depthwise_tile = void (*)(const nn::detail::depthwise_args&, const nn::detail::depthwise_row&, std::int64_t, std::int64_t);
// For K taps and steps of S, or any (0).
template <int P, int K, int S>
OCELLI_ALWAYS_INLINE depthwise_tile depthwise_tile_of(std::int64_t pixels, bool edge) {
    if constexpr (P > 1)
        if (pixels < P) return depthwise_tile_of<P - 1, K, S>(pixels, edge);
    if constexpr (K == 0 || P < 4 || !has_special_tiles) return edge ? &depthwise_pixels<P, true> : &depthwise_pixels<P, false>;
    else return &depthwise_near_pixels<P, K, S>;
}
template <int P>
inline depthwise_tile depthwise_tile_for(const nn::detail::depthwise_args& d, std::int64_t pixels, bool edge) {
    const std::int64_t outside = (d.out_width - 1) * d.stride_x + d.kernel_width - d.pad_left - d.width;  // columns behind the last one
    if (d.dilation_x == 1 && d.pad_left <= d.kernel_width / 2 && outside <= d.kernel_width / 2) {
        if (d.kernel_width == 3 && d.stride_x == 1) return depthwise_tile_of<P, 3, 1>(pixels, edge);
        if (d.kernel_width == 3 && d.stride_x == 2) return depthwise_tile_of<P, 3, 2>(pixels, edge);
        if (d.kernel_width == 5 && d.stride_x == 1) return depthwise_tile_of<P, 5, 1>(pixels, edge);
        if (d.kernel_width == 5 && d.stride_x == 2) return depthwise_tile_of<P, 5, 2>(pixels, edge);
    }
    return depthwise_tile_of<P, 0, 0>(pixels, edge);
}
// Tiles beside each other that one function does.
struct depthwise_run {
    depthwise_tile tile;
    std::int64_t column, tiles;
};
inline void depthwise_rows(const nn::detail::depthwise_args& d, std::int64_t row0, std::int64_t row1) {
    constexpr int L = lanes<float>, P = OCELLI_TARGET_LEVEL == 2 ? 16 : 6;
    // Columns whose taps all lie inside.
    const std::int64_t reach = (d.kernel_width - 1) * d.dilation_x;
    const std::int64_t inside = d.pad_left <= 0 ? 0 : (d.pad_left + d.stride_x - 1) / d.stride_x;
    const std::int64_t end = d.width - 1 - reach + d.pad_left < 0 ? 0 : (d.width - 1 - reach + d.pad_left) / d.stride_x + 1;
    // Tiles as wide as each other, but for one pixel, those at edges apart: at most four runs.
    const std::int64_t cuts = (d.out_width + P - 1) / P, wide = d.out_width / cuts, wider = d.out_width % cuts;
    depthwise_run runs[4];
    int count = 0;
    for (std::int64_t cut = 0, column = 0; cut < cuts; ++cut) {
        const std::int64_t pixels = wide + (cut < wider);
        const depthwise_tile tile = depthwise_tile_for<P>(d, pixels, column < inside || column + pixels > end);
        if (count != 0 && runs[count - 1].tile == tile) ++runs[count - 1].tiles;
        else runs[count++] = {tile, column, 1};
        column += pixels;
    }
    for (std::int64_t row = row0; row < row1; ++row) {
        const std::int64_t at = row * d.stride_y - d.pad_top;
        std::int64_t ky0 = 0, ky1 = d.kernel_height;
        if (at < 0) ky0 = (-at + d.dilation_y - 1) / d.dilation_y;
        if (at + (d.kernel_height - 1) * d.dilation_y >= d.height) ky1 = at >= d.height ? 0 : (d.height - 1 - at) / d.dilation_y + 1;
        if (ky0 >= ky1) ky0 = ky1 = 0;
        const float* x = d.x + (ky0 == ky1 ? 0 : at + ky0 * d.dilation_y) * d.width * L;
        const nn::detail::depthwise_row r{x >= d.ring_end ? x - d.ring : x, d.weights + ky0 * d.kernel_width * L,
                                                  d.addend == nullptr ? nullptr : d.addend + row * d.out_width * L, d.y + row * d.out_width * L, ky1 - ky0};
        for (const depthwise_run *run = runs, *last = runs + count; run != last; ++run) run->tile(d, r, run->column, run->tiles);
    }
}

inline nn::detail::depthwise_kernels make_depthwise_kernels() {
    return {&depthwise_rows};
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
