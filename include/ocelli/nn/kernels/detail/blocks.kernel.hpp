// Images in blocks of channels: to blocks and back, and lanes scaled and exchanged. Compiled once per instruction set.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

// Copies of a row below each other: lane i of copy c is lane i ^ c of x, another of its group of as many lanes as there are copies.
template <int... Copy>
OCELLI_ALWAYS_INLINE void exchanged_copies(const float* x, std::int64_t pixels, float* to, std::integer_sequence<int, Copy...>) {
    constexpr int L = lanes<float>;
    for (std::int64_t i = 0; i < pixels; ++i) {
        const vf32 v = load(x + i * L);
        (store(to + (Copy * pixels + i) * L, lanes_away<Copy>(v, std::make_integer_sequence<int, L>{})), ...);
    }
}
inline void exchange_copies(const float* x, std::int64_t pixels, int copies, float* to) {
    if constexpr (lanes<float> >= 16)
        if (copies == 8) return exchanged_copies(x, pixels, to, std::make_integer_sequence<int, 8>{});
    if constexpr (lanes<float> >= 8)
        if (copies == 4) return exchanged_copies(x, pixels, to, std::make_integer_sequence<int, 4>{});
    exchanged_copies(x, pixels, to, std::make_integer_sequence<int, 2>{});
}

// y[r][...] = x[r][...] * factors[r], rows of `vectors` vectors.
inline void scale_rows(const float* x, const float* factors, std::int64_t rows, int vectors, float* y) {
    constexpr int L = lanes<float>;
    for (std::int64_t r = 0; r < rows; ++r) {
        const vf32 factor = broadcast(factors[r]);
        for (int j = 0; j < vectors; ++j, x += L, y += L) store(y, load(x) * factor);
    }
}

// Planes to a block: y[i][c] = x[c][i] for `used` channels, zeros in the other lanes; and back.
inline void gather_block(const float* x, std::int64_t plane, std::int64_t pixels, int used, float* y) {
    constexpr int L = lanes<float>;
    std::int64_t i = 0;
    for (; i + L <= pixels; i += L) {
        vf32 square[L];
        OCELLI_UNROLL
        for (int c = 0; c < L; ++c) square[c] = c < used ? load(x + c * plane + i) : vf32{};
        transpose_square(square);
        OCELLI_UNROLL
        for (int k = 0; k < L; ++k) store(y + (i + k) * L, square[k]);
    }
    for (; i < pixels; ++i) {
        for (int c = 0; c < used; ++c) y[i * L + c] = x[c * plane + i];
        for (int c = used; c < L; ++c) y[i * L + c] = 0.0f;
    }
}
inline void scatter_block(const float* x, std::int64_t plane, std::int64_t pixels, int used, float* y) {
    constexpr int L = lanes<float>;
    std::int64_t i = 0;
    for (; i + L <= pixels; i += L) {
        vf32 square[L];
        OCELLI_UNROLL
        for (int k = 0; k < L; ++k) square[k] = load(x + (i + k) * L);
        transpose_square(square);
        OCELLI_UNROLL
        for (int c = 0; c < L; ++c)
            if (c < used) store(y + c * plane + i, square[c]);
    }
    for (; i < pixels; ++i)
        for (int c = 0; c < used; ++c) y[c * plane + i] = x[i * L + c];
}

// Pixels with their channels side by side, from blocks `plane` floats apart. Vectors are stored whole: what is too much the next ones write over, or there is room left.
inline void join_blocks(const float* x, std::int64_t plane, std::int64_t channels, std::int64_t pixels, float* y) {
    constexpr int L = lanes<float>;
    for (std::int64_t i = 0; i < pixels; ++i) {
        const float* from = x + i * L;
        float* to = y + i * channels;
        for (std::int64_t c = 0; c < channels; c += L, from += plane) {
            if (c + L <= (pixels - i) * channels) store(to + c, load(from));
            else
                for (int k = 0; c + k < channels; ++k) to[c + k] = from[k];
        }
    }
}

inline nn::detail::block_kernels make_block_kernels() {
    return {lanes<float>, &gather_block, &scatter_block, &join_blocks, &scale_rows, &exchange_copies};
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
