// Copies between layouts. Compiled once per instruction set.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

// Fewer rows than lanes, whose columns follow each other in y. Whole vectors are stored: what is too much of one is overwritten by the next columns.
inline void move_transpose_few(std::int64_t rows, std::int64_t columns, const float* x, std::int64_t x_step, float* y) {
    constexpr int L = lanes<float>;
    const std::int64_t all = columns * rows;
    std::int64_t c = 0;
    for (; c + L <= columns; c += L) {
        vf32 square[L];
        OCELLI_UNROLL
        for (int i = 0; i < L; ++i) square[i] = i < rows ? load(x + i * x_step + c) : vf32{};
        transpose_square(square);
        OCELLI_UNROLL
        for (int i = 0; i < L; ++i) {
            const std::int64_t to = (c + i) * rows;
            if (to + L <= all) store(y + to, square[i]);
            else
                for (std::int64_t r = 0; r < rows; ++r) y[to + r] = x[r * x_step + c + i];
        }
    }
    for (; c < columns; ++c)
        for (std::int64_t r = 0; r < rows; ++r) y[c * rows + r] = x[r * x_step + c];
}

inline void move_transpose(std::int64_t rows, std::int64_t columns, const float* x, std::int64_t x_step, float* y, std::int64_t y_step) {
    constexpr int L = lanes<float>;
    if (rows < L && y_step == rows) return move_transpose_few(rows, columns, x, x_step, y);
    std::int64_t r = 0;
    for (; r + L <= rows; r += L) {
        std::int64_t c = 0;
        for (; c + L <= columns; c += L) {
            vf32 square[L];
            OCELLI_UNROLL
            for (int i = 0; i < L; ++i) square[i] = load(x + (r + i) * x_step + c);
            transpose_square(square);
            OCELLI_UNROLL
            for (int i = 0; i < L; ++i) store(y + (c + i) * y_step + r, square[i]);
        }
        for (; c < columns; ++c)
            for (int i = 0; i < L; ++i) y[c * y_step + r + i] = x[(r + i) * x_step + c];
    }
    for (; r < rows; ++r)
        for (std::int64_t c = 0; c < columns; ++c) y[c * y_step + r] = x[r * x_step + c];
}

// R rows of n that lie beside each other, element by element.
template <int R>
inline void move_beside(std::int64_t n, const float* x, std::int64_t x_step, float* y, std::int64_t y_step) {
    for (std::int64_t i = 0; i < n; ++i, x += x_step, y += y_step) __builtin_memcpy(y, x, R * sizeof(float));
}

// Every other float.
template <int... J>
OCELLI_ALWAYS_INLINE vf32 even_floats(vf32 a, vf32 b, std::integer_sequence<int, J...>) {
    return __builtin_shufflevector(a, b, (2 * J)...);
}

// Every other pair of floats.
template <int... J>
OCELLI_ALWAYS_INLINE vf32 even_pairs(vf32 a, vf32 b, std::integer_sequence<int, J...>) {
    return __builtin_shufflevector(a, b, (J / 2 * 4 + J % 2)...);
}
inline void move_every_other_pair(std::int64_t n, const float* x, float* y) {
    constexpr int L = lanes<float>;
    std::int64_t i = 0;
    // What lies between the last pair and the next one is not read.
    for (; i + L / 2 < n; i += L / 2) store(y + 2 * i, even_pairs(load(x + 4 * i), load(x + 4 * i + L), std::make_integer_sequence<int, L>{}));
    move_beside<2>(n - i, x + 4 * i, 4, y + 2 * i, 2);
}

// Pairs of a and b in turn, those from First on.
template <int First, int... J>
OCELLI_ALWAYS_INLINE vf32 pairs_in_turn(vf32 a, vf32 b, std::integer_sequence<int, J...>) {
    return __builtin_shufflevector(a, b, ((J & 2) == 0 ? 2 * First + J / 4 * 2 + J % 2 : lanes<float> + 2 * First + J / 4 * 2 + J % 2)...);
}
inline void move_join_pairs(std::int64_t n, const float* a, const float* b, float* y) {
    constexpr int L = lanes<float>;
    constexpr auto all = std::make_integer_sequence<int, L>{};
    std::int64_t i = 0;
    for (; i + L / 2 <= n; i += L / 2) {
        const vf32 p = load(a + 2 * i), q = load(b + 2 * i);
        store(y + 4 * i, pairs_in_turn<0>(p, q, all));
        store(y + 4 * i + L, pairs_in_turn<L / 4>(p, q, all));
    }
    for (; i < n; ++i) {
        __builtin_memcpy(y + 4 * i, a + 2 * i, 2 * sizeof(float));
        __builtin_memcpy(y + 4 * i + 2, b + 2 * i, 2 * sizeof(float));
    }
}

// Short rows, in pieces of four of which the last overlaps the one before.
inline void move_short_rows(std::int64_t rows, std::int64_t n, const float* x, std::int64_t x_row, float* y, std::int64_t y_row) {
    for (std::int64_t r = 0; r < rows; ++r, x += x_row, y += y_row) {
        for (std::int64_t i = 0; i + 4 < n; i += 4) __builtin_memcpy(y + i, x + i, 4 * sizeof(float));
        __builtin_memcpy(y + n - 4, x + n - 4, 4 * sizeof(float));
    }
}

inline void move_rows(std::int64_t rows, std::int64_t n, const float* x, std::int64_t x_row, std::int64_t x_step, float* y, std::int64_t y_row, std::int64_t y_step) {
    constexpr int L = lanes<float>;
    if (x_row == 1 && y_row == 1 && rows == 2 && x_step == 4 && y_step == 2) return move_every_other_pair(n, x, y);
    if (x_row == 1 && y_row == 1 && rows == 2) return move_beside<2>(n, x, x_step, y, y_step);
    if (x_row == 1 && y_row == 1 && rows == 4) return move_beside<4>(n, x, x_step, y, y_step);
    if (y_step == 1 && x_step == 1 && n >= 4 && n < 16) return move_short_rows(rows, n, x, x_row, y, y_row);
    for (std::int64_t r = 0; r < rows; ++r, x += x_row, y += y_row) {
        std::int64_t i = 0;
        if (y_step == 1 && x_step == 1) {
            for (; i + L <= n; i += L) store(y + i, load(x + i));
            for (; i < n; ++i) y[i] = x[i];
        } else if (y_step == 1 && x_step == 0) {
            const vf32 v = broadcast(*x);
            for (; i + L <= n; i += L) store(y + i, v);
            for (; i < n; ++i) y[i] = *x;
        } else if (y_step == 1 && x_step == 2) {
            // What lies between the last element and the next one is not read.
            for (; i + L < n; i += L) store(y + i, even_floats(load(x + 2 * i), load(x + 2 * i + L), std::make_integer_sequence<int, L>{}));
            for (; i < n; ++i) y[i] = x[i * 2];
        } else if (y_step == 2 && x_step == 1) {
            for (; i < n; ++i) y[i * 2] = x[i];
        } else {
            for (; i < n; ++i) y[i * y_step] = x[i * x_step];
        }
    }
}

inline void move_fill(std::int64_t n, float value, float* y) {
    fill_bits(y, __builtin_bit_cast(std::int32_t, value), n);
}

inline nn::detail::move_kernels make_move_kernels() {
    nn::detail::move_kernels t;
    t.lanes = lanes<float>;
    t.transpose = &move_transpose;
    t.rows = &move_rows;
    t.join_pairs = &move_join_pairs;
    t.fill = &move_fill;
    return t;
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
