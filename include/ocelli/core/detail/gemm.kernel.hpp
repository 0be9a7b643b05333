// Tiles of a matrix product: R rows by V vectors of columns in registers. Compiled once per instruction set.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

OCELLI_ALWAYS_INLINE vf32 sigmoid_fast(vf32 x) {
    const vf32 y = sigmoid_of_number(x);
    return x == x ? y : x;
}

// Comparisons stand so that NaN passes on.
OCELLI_ALWAYS_INLINE vf32 activate(vf32 x, const gemm_epilogue& e, std::int64_t row) {
    const vf32 zero{};
    switch (e.function) {
    case activation::relu: return at_least(x, 0.0f);
    case activation::clip: {
        const vf32 low = broadcast(e.alpha), high = broadcast(e.beta);
        const vf32 v = x < low ? low : x;
        return v > high ? high : v;
    }
    case activation::leaky_relu: return x < zero ? x * e.alpha : x;
    case activation::prelu: return x < zero ? x * e.row_slope[row] : x;
    case activation::hard_sigmoid: {
        return at_most(at_least(x * e.alpha + e.beta, 0.0f), 1.0f);
    }
    case activation::hard_swish: return hard_swish(x);
    case activation::sigmoid: return sigmoid_fast(x);
    case activation::silu: return silu(x);
    case activation::gelu: return gelu(x);
    default: return x;
    }
}

OCELLI_ALWAYS_INLINE vf32 finish_vector(vf32 x, const gemm_epilogue& e, std::int64_t row, std::int64_t column, int count) {
    if (e.row_bias != nullptr) x = x + e.row_bias[row];
    if (e.column_bias != nullptr)
        x = x + (count == lanes<float> ? load(e.column_bias + column) : load_first(e.column_bias + column, count));
    if (e.addend != nullptr) {
        const float* p = e.addend + row * e.addend_stride + column;
        x = x + (count == lanes<float> ? load(p) : load_first(p, count));
    }
    return activate(x, e, row);
}

// Rows follow each other in one register each: or GCC finds the place of every row before it begins, more than it has registers for.
template <class Pointer>
OCELLI_ALWAYS_INLINE void gemm_next_row(Pointer& p, std::int64_t stride) {
    p += stride;
    asm("" : "+r"(p));
}

// Unrolled by packs of numbers: at -O2 compilers keep loops over accumulators, and the accumulators in memory.
template <int R, int V, class Product>
struct gemm_tile_state {
    static constexpr std::make_integer_sequence<int, R> rows{};
    static constexpr std::make_integer_sequence<int, V> columns{};
    static constexpr std::make_integer_sequence<int, R * V> all{};
    vf32 acc[R][V];

    template <int... N>
    OCELLI_ALWAYS_INLINE void clear(std::integer_sequence<int, N...>) {
        ((acc[N / V][N % V] = vf32{}), ...);
    }
    template <int... J>
    static OCELLI_ALWAYS_INLINE void load_row(vf32 (&row)[V], const float* from, std::integer_sequence<int, J...>) {
        ((row[J] = load(from + J * lanes<float>)), ...);
    }
    template <int... J>
    static OCELLI_ALWAYS_INLINE void multiply_row(vf32 (&sums)[V], vf32 a, const vf32 (&b)[V], std::integer_sequence<int, J...>) {
        (Product::add(sums[J], a, b[J]), ...);
    }
    // Rows by two pointers: what processors' addresses reach from one is three strides.
    template <int... I>
    OCELLI_ALWAYS_INLINE void multiply(const float* a, const float* a4, std::int64_t stride, const vf32 (&b)[V], std::integer_sequence<int, I...>) {
        (multiply_row(acc[I], broadcast((I < 4 ? a : a4)[I % 4 * stride]), b, columns), ...);
    }
    template <int... J>
    static OCELLI_ALWAYS_INLINE void put_row(const vf32 (&sums)[V], float* c, const float* before, std::integer_sequence<int, J...>) {
        (store(c + J * lanes<float>, sums[J] + load(before + J * lanes<float>)), ...);
    }
    /// c = before + sums.
    template <int... I>
    OCELLI_ALWAYS_INLINE void put(float* c, std::int64_t c_row, const float* before, std::int64_t before_row, std::integer_sequence<int, I...>) const {
        ((put_row(acc[I], c, before, columns), gemm_next_row(c, c_row), gemm_next_row(before, before_row)), ...);
    }
    template <int... J>
    static OCELLI_ALWAYS_INLINE void put_last_row(const vf32 (&sums)[V], float* c, const float* before, const vf32 (&bias)[V], const float* addend,
                                                  std::integer_sequence<int, J...>) {
        constexpr int L = lanes<float>;
        (store(c + J * L, (sums[J] + load(before + J * L)) + bias[J] + load(addend + J * L)), ...);
    }
    /// c = before + sums + bias + addend.
    template <int... I>
    OCELLI_ALWAYS_INLINE void put_last(float* c, std::int64_t c_row, const float* before, std::int64_t before_row, const vf32 (&bias)[V], const float* addend,
                                       std::int64_t addend_row, std::integer_sequence<int, I...>) const {
        ((put_last_row(acc[I], c, before, bias, addend, columns), gemm_next_row(c, c_row), gemm_next_row(before, before_row), gemm_next_row(addend, addend_row)), ...);
    }
};

// The tile at the result's edge. Like gemm_finish a function of its own: unrolled into every tile, they would be most of the library's compile time.
OCELLI_NOINLINE inline void gemm_put_edge(const float* tile, std::int64_t tile_row, float* c, std::int64_t ldc, int rows, int columns, bool accumulate) {
    for (int i = 0; i < rows; ++i)
        for (int j = 0; j < columns; j += lanes<float>) {
            float* to = c + i * ldc + j;
            const vf32 x = load(tile + i * tile_row + j);
            const int left = columns - j;
            if (left >= lanes<float>) store(to, accumulate ? x + load<float>(to) : x);
            else store_first(to, accumulate ? x + load_first<float>(to, left) : x, left);
        }
}

struct finish_silu {
    template <class V>
    OCELLI_ALWAYS_INLINE static V f(V x) { return silu(x); }
};
struct finish_hard_swish {
    template <class V>
    OCELLI_ALWAYS_INLINE static V f(V x) { return hard_swish(x); }
};
struct finish_gelu {
    template <class V>
    OCELLI_ALWAYS_INLINE static V f(V x) { return gelu(x); }
};

// The whole vectors of a tile: bias of the columns, where there is one, and a function. Four at a time, below one another or, in lower tiles, side by side.
template <class F>
void finish_vectors(std::int64_t rows, std::int64_t columns, float* c, std::int64_t ldc, const float* bias) {
    constexpr int L = lanes<float>;
    std::int64_t i = 0;
    for (; i + 4 <= rows; i += 4)
        for (std::int64_t j = 0; j + L <= columns; j += L) {
            float* to = c + i * ldc + j;
            const four x = load_four(to, ldc);
            store_four(to, ldc, F::f(bias == nullptr ? x : x + load(bias + j)));
        }
    for (; i < rows; ++i) {
        float* to = c + i * ldc;
        std::int64_t j = 0;
        for (; j + 4 * L <= columns; j += 4 * L) {
            const four x = load_four(to + j, L);
            store_four(to + j, L, F::f(bias == nullptr ? x : x + load_four(bias + j, L)));
        }
        for (; j + L <= columns; j += L) {
            const vf32 x = load<float>(to + j);
            store(to + j, F::f(bias == nullptr ? x : x + load(bias + j)));
        }
    }
}

// Over the tile just written. What most epilogues of mobile networks and of a transformer are has loops without the switch in them.
OCELLI_NOINLINE inline void gemm_finish(std::int64_t rows, std::int64_t columns, float* c, std::int64_t ldc, const gemm_epilogue* e, std::int64_t row0, std::int64_t column0) {
    constexpr std::int64_t L = lanes<float>;
    const float* bias = e->column_bias == nullptr ? nullptr : e->column_bias + column0;
    std::int64_t done = 0;  // columns
    if (e->row_bias == nullptr && e->addend == nullptr) {
        const std::int64_t whole = columns / L * L;
        done = whole;
        if (e->function == activation::silu) finish_vectors<finish_silu>(rows, whole, c, ldc, bias);
        else if (e->function == activation::hard_swish) finish_vectors<finish_hard_swish>(rows, whole, c, ldc, bias);
        else if (e->function == activation::gelu) finish_vectors<finish_gelu>(rows, whole, c, ldc, bias);
        else done = 0;
    }
    const bool only_columns = e->function == activation::none && e->row_bias == nullptr && bias != nullptr;
    for (std::int64_t i = 0; i < rows; ++i) {
        std::int64_t j = done;
        if (only_columns) {
            const float* addend = e->addend == nullptr ? nullptr : e->addend + (row0 + i) * e->addend_stride + column0;
            for (; j + L <= columns; j += L) {
                const vf32 x = load<float>(c + i * ldc + j) + load(bias + j);
                store(c + i * ldc + j, addend == nullptr ? x : x + load(addend + j));
            }
            for (; j < columns; ++j) {
                const float x = c[i * ldc + j] + bias[j];
                c[i * ldc + j] = addend == nullptr ? x : x + addend[j];
            }
        }
        for (; j < columns; j += L) {
            float* to = c + i * ldc + j;
            const std::int64_t left = columns - j;
            if (left >= L) store(to, finish_vector(load<float>(to), *e, row0 + i, column0 + j, lanes<float>));
            else {
                const int count = static_cast<int>(left);
                store_first(to, finish_vector(load_first<float>(to, count), *e, row0 + i, column0 + j, count), count);
            }
        }
    }
}

// The lines that begin in the next `bytes` at p come to the second-level cache.
OCELLI_ALWAYS_INLINE void gemm_fetch_ahead(const char*& p, std::int64_t bytes) {
    const char* const end = p + bytes;
    for (const char* line = p + (-reinterpret_cast<std::intptr_t>(p) & 63); line < end; line += 64) __builtin_prefetch(line, 0, 2);
    p = end;
}

template <int R, int V, class Product>
void gemm_tile(const gemm_tile_args& t) {
    constexpr int L = lanes<float>;
    gemm_tile_state<R, V, Product> state;
    const float *a = t.a, *a4 = t.a + 4 * t.a_row, *b = t.b;
    // Panels stand in the second-level cache, or come to it while the tiles before are made; so many steps ahead they go on to the first.
    const float* next = b + (t.k < 64 ? t.k : 64) * t.b_row;
    const char* ahead = t.ahead.at;
    const bool whole = t.rows >= R && t.columns >= V * L;
    // Bias and addend join the sums in registers, -0 where there is none; other epilogues come behind.
    const gemm_epilogue* const e = t.epilogue;
    const bool joined = whole && e != nullptr && e->function == activation::none && e->row_bias == nullptr;
    bool accumulate = t.accumulate;
    std::int64_t left = t.k;
    // Long sums are made in parts: rounding errors stay small.
    do {
        std::int64_t now = left < t.part ? left : t.part;
        left -= now;
        state.clear(state.all);
        if (left == 0 && e != nullptr && e->addend != nullptr) {
            const float* row = e->addend + t.row * e->addend_stride + t.column;
            for (int i = 0; i < t.rows; ++i, row += e->addend_stride)
                for (int j = 0; j < t.columns; j += 16) __builtin_prefetch(row + j);
        }
        // The result's rows arrive while the part's last products are made, one with every eight steps: before, the panel would drive them out.
        const float* line = t.c;
        std::int64_t lines = t.rows;
        while (now > 0) {
            std::int64_t steps = now < 8 ? now : 8;
            now -= steps;
            for (; lines > 0 && now < 8 * lines; --lines, line += t.c_row)
                for (int j = 0; j < t.columns; j += 16) __builtin_prefetch(line + j, 1);
            gemm_fetch_ahead(ahead, steps * t.ahead.step);
            for (; steps > 0; --steps) {
                vf32 row[V];
                state.load_row(row, b, state.columns);
                for (int j = 0; j < V * L; j += 16) __builtin_prefetch(next + j);
                state.multiply(a, a4, t.a_row, row, state.rows);
                ++a;
                ++a4;
                b += t.b_row;
                next += t.b_row;
            }
        }
        float nothing[V * L];  // added, it changes nothing
        for (int j = 0; j < V * L; j += L) store(nothing + j, broadcast(-0.0f));
        const bool adds = accumulate && whole;
        const float* before = adds ? t.c : nothing;
        const std::int64_t before_row = adds ? t.c_row : 0;
        if (joined && left == 0) {
            const float* addend = e->addend != nullptr ? e->addend + t.row * e->addend_stride + t.column : nothing;
            vf32 bias[V];
            state.load_row(bias, e->column_bias != nullptr ? e->column_bias + t.column : nothing, state.columns);
            state.put_last(t.c, t.c_row, before, before_row, bias, addend, e->addend != nullptr ? e->addend_stride : 0, state.rows);
            return;
        }
        float edge[R * V * L];
        state.put(whole ? t.c : edge, whole ? t.c_row : V * L, before, before_row, state.rows);
        if (!whole) gemm_put_edge(edge, V * L, t.c, t.c_row, t.rows < R ? t.rows : R, t.columns < V * L ? t.columns : V * L, accumulate);
        accumulate = true;
    } while (left > 0);
    if (e != nullptr) gemm_finish(t.rows, t.columns, t.c, t.c_row, e, t.row, t.column);
}

// An element of weights that may lie anywhere, as a file has them.
OCELLI_ALWAYS_INLINE float gemm_element(const float* p) {
    float x;
    __builtin_memcpy(&x, p, sizeof x);
    return x;
}
// The first n of a vector of them, zeros behind.
OCELLI_ALWAYS_INLINE vf32 gemm_elements(const float* p, int n) {
    vf32 v{};
    for (int l = 0; l < n; ++l) v[l] = gemm_element(p + l);
    return v;
}

// Rows of w times x. Each has four sums, so that a row's bits do not depend on those beside it; x is read once for all R.
template <int R, int... I>
OCELLI_ALWAYS_INLINE void gemm_dot_rows(std::int64_t k, const float* x, const float* w, std::int64_t w_stride, float* y, std::int64_t y_stride,
                                        std::integer_sequence<int, I...>) {
    constexpr int L = lanes<float>;
    four sums[R] = {};
    std::int64_t j = 0;
    for (; j + 4 * L <= k; j += 4 * L) {
        const four factor = load_four(x + j, L);
        // Weights come from memory, each once: 4 KiB ahead beats what processors fetch of four streams by themselves.
        for (int line = 0; line < 4 * L; line += 16) (__builtin_prefetch(w + I * w_stride + j + 1024 + line), ...);
        ((sums[I] = multiply_add(factor, load_four(w + I * w_stride + j, L), sums[I])), ...);
    }
    for (; j + L <= k; j += L) ((sums[I].a += load(x + j) * load(w + I * w_stride + j)), ...);
    if (j < k) {
        const int left = static_cast<int>(k - j);
        const vf32 factor = load_first(x + j, left);
        ((sums[I].b += factor * gemm_elements(w + I * w_stride + j, left)), ...);
    }
    ((y[I * y_stride] = sum_lanes<float>((sums[I].a + sums[I].b) + (sums[I].c + sums[I].d))), ...);
}
inline void gemm_dot(std::int64_t n, std::int64_t k, const float* x, const float* w, std::int64_t w_stride, float* y, std::int64_t y_stride) {
    constexpr int R = OCELLI_TARGET_LEVEL == 2 ? 4 : 2;  // as registers allow
    std::int64_t i = 0;
    for (; i + R <= n; i += R) gemm_dot_rows<R>(k, x, w + i * w_stride, w_stride, y + i * y_stride, y_stride, std::make_integer_sequence<int, R>());
    for (; i < n; ++i) gemm_dot_rows<1>(k, x, w + i * w_stride, w_stride, y + i * y_stride, y_stride, std::make_integer_sequence<int, 1>());
}

typedef std::uint16_t gemm_halves __attribute__((vector_size(2 * lanes<float>)));

typedef std::uint32_t gemm_words __attribute__((vector_size(4 * lanes<float>)));

// To the nearest bfloat16, ties to even; NaN stays NaN.
OCELLI_ALWAYS_INLINE gemm_words gemm_round_words(vf32 x) {
    const gemm_words u = __builtin_bit_cast(gemm_words, x);
    const gemm_words rounded_up = (u + (0x7fffu + ((u >> 16) & 1u))) >> 16;
    const gemm_words kept = (u >> 16) | 0x40u;
    return (u & 0x7fffffffu) > 0x7f800000u ? kept : rounded_up;
}
OCELLI_ALWAYS_INLINE gemm_halves gemm_round_vector(vf32 x) {
    return __builtin_convertvector(gemm_round_words(x), gemm_halves);
}

#if OCELLI_TARGET_LEVEL == 2
// The same by AVX512-BF16, but for numbers below the normal ones: they become zero, as they do where it multiplies.
OCELLI_ALWAYS_INLINE gemm_halves gemm_round_vector(vf32 x, bf16_instruction) {
    gemm_halves out;
    asm("vcvtneps2bf16 %1, %0" : "=v"(out) : "v"(x));
    return out;
}
#endif
template <class Product>
OCELLI_ALWAYS_INLINE gemm_halves gemm_round_vector(vf32 x, Product) {
    return gemm_round_vector(x);
}

template <class Product>
void gemm_round_bf16(std::int64_t n, const float* from, std::uint16_t* to) {
    constexpr int L = lanes<float>;
    std::int64_t i = 0;
    for (; i + L <= n; i += L) {
        const gemm_halves out = gemm_round_vector(load(from + i), Product{});
        __builtin_memcpy(to + i, &out, sizeof(out));
    }
    if (i == n) return;
    vf32 x{};
    for (int l = 0; l < static_cast<int>(n - i); ++l) x[l] = gemm_element(from + i + l);
    const gemm_halves out = gemm_round_vector(x, Product{});
    __builtin_memcpy(to + i, &out, static_cast<std::size_t>(2 * (n - i)));
}

// The same as floats.
inline void gemm_round_floats(std::int64_t n, const float* from, float* to) {
    constexpr int L = lanes<float>;
    for (std::int64_t i = 0; i < n; i += L) {
        const int left = static_cast<int>(n - i < L ? n - i : L);
        const vf32 x = left == L ? load(from + i) : gemm_elements(from + i, left);
        store_first(to + i, __builtin_bit_cast(vf32, gemm_round_words(x) << 16), left);
    }
}

// Rows of pairs of bfloat16 to rows of floats, two of each, from row `first` on.
inline void gemm_widen_rows(std::int64_t first, std::int64_t rows, int width, const float* pairs, float* to) {
    constexpr int L = lanes<float>;
    for (std::int64_t i = first; i < first + rows; ++i, to += width)
        for (int j = 0; j < width; j += L) {
            const vf32 x = load(pairs + i / 2 * width + j);
            store(to + j, i % 2 == 0 ? bf16_product::first(x) : bf16_product::second(x));
        }
}

inline void gemm_pack_rows(std::int64_t k, int columns, int width, const float* b, std::int64_t ldb, float* panel) {
    constexpr int L = lanes<float>;
    for (std::int64_t i = 0; i < k; ++i, b += ldb, panel += width) {
        int j = 0;
        for (; j + L <= columns; j += L) store(panel + j, load(b + j));
        for (; j < columns; ++j) panel[j] = gemm_element(b + j);
        for (; j < width; ++j) panel[j] = 0.0f;
    }
}

// The same with rows rounded, two side by side.
inline void gemm_pack_row_pairs(std::int64_t k, int columns, int width, const float* b, std::int64_t ldb, float* panel) {
    constexpr int L = lanes<float>;
    for (std::int64_t i = 0; i < k; i += 2, b += 2 * ldb, panel += width)
        for (int j = 0; j < width; j += L) {
            vf32 one{}, two{};
            if (j + L <= columns) {
                one = load(b + j);
                if (i + 1 < k) two = load(b + ldb + j);
            } else {
                for (int l = 0; l < columns - j; ++l) {
                    one[l] = gemm_element(b + j + l);
                    if (i + 1 < k) two[l] = gemm_element(b + ldb + j + l);
                }
            }
            store(panel + j, __builtin_bit_cast(vf32, gemm_round_words(one) | (gemm_round_words(two) << 16)));
        }
}

// See gemm_kernels::turn. A square of vectors at a time; the last one overlaps the one before.
inline void gemm_turn(const float* from, std::int64_t row, int used, std::int64_t channels, std::int64_t taps, float* to, std::int64_t channel_step,
                      std::int64_t tap_step) {
    constexpr int L = lanes<float>;
    const std::int64_t n = channels * taps;
    if (n < L) {
        for (std::int64_t c = 0; c < channels; ++c)
            for (std::int64_t t = 0; t < taps; ++t) {
                float* put = to + c * channel_step + t * tap_step;
                for (int f = 0; f < L; ++f) put[f] = f < used ? gemm_element(from + f * row + c * taps + t) : 0.0f;
            }
        return;
    }
    std::int64_t channel = 0, tap = 0;
    for (std::int64_t i = 0; i < n; i += L) {
        if (i + L > n) {
            i = n - L;
            channel = i / taps;
            tap = i % taps;
        }
        vf32 square[L];
        OCELLI_UNROLL
        for (int f = 0; f < L; ++f) square[f] = f < used ? load(from + f * row + i) : vf32{};
        transpose_square(square);
        OCELLI_UNROLL
        for (int k = 0; k < L; ++k) {
            store(to + channel * channel_step + tap * tap_step, square[k]);
            if (++tap == taps) {
                tap = 0;
                ++channel;
            }
        }
    }
}

#if OCELLI_TARGET_LEVEL == 2
inline constexpr int gemm_rows = 8, gemm_vectors = 3;
#elif OCELLI_TARGET_LEVEL == 1
inline constexpr int gemm_rows = 6, gemm_vectors = 2;
#else
inline constexpr int gemm_rows = has_special_tiles ? 6 : 4, gemm_vectors = 2;
#endif

template <int R, int V, class Product>
void gemm_fill_table(gemm_kernels& t) {
    t.tile[R - 1][V - 1] = &gemm_tile<R, V, Product>;
    if constexpr (V > 1) gemm_fill_table<R, V - 1, Product>(t);
    else if constexpr (R > 1) gemm_fill_table<R - 1, gemm_vectors, Product>(t);
}

template <class Product>
gemm_kernels make_gemm_kernels_of() {
    gemm_kernels t;
    t.rows = gemm_rows;
    t.vectors = gemm_vectors;
    t.lanes = lanes<float>;
    gemm_fill_table<gemm_rows, gemm_vectors, Product>(t);
    t.dot = &gemm_dot;
    t.pack_rows = &gemm_pack_rows;
    t.turn = &gemm_turn;
    t.finish = &gemm_finish;
    t.round_bf16 = &gemm_round_bf16<Product>;
    t.pack_row_pairs = &gemm_pack_row_pairs;
    t.round_floats = &gemm_round_floats;
    t.widen_rows = &gemm_widen_rows;
    return t;
}
inline gemm_kernels make_gemm_kernels() {
    return make_gemm_kernels_of<float_product>();
}
inline gemm_kernels make_gemm_bf16_kernels() {
#if OCELLI_TARGET_LEVEL == 2
    gemm_kernels t = make_gemm_kernels_of<bf16_instruction>();
    t.multiplies_pairs = true;
    return t;
#else
    return make_gemm_kernels();
#endif
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
