// Convolution on channel-blocked images: tiles of pixels by vectors of filters in registers. Compiled once per instruction set.
//
// An image in blocks is (blocks, height, width, L): L channels, the lanes of a vector, stand together at each pixel.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

// Whether there are tiles that only save loads and lanes. Not for plain x86-64, which few processors are left with: they are a tenth of what compilers
// have to do here.
#if OCELLI_TARGET_LEVEL == 0 && (defined(__x86_64__) || defined(__i386__))
inline constexpr bool blocked_saves_loads = false;
#else
inline constexpr bool blocked_saves_loads = true;
#endif

// How the lanes of two vectors, a and b, are put together.
using blocked_lanes = std::make_integer_sequence<int, lanes<float>>;
// The first half of a, the second of b.
template <int... J>
OCELLI_ALWAYS_INLINE vf32 blocked_halves(vf32 a, vf32 b, std::integer_sequence<int, J...>) {
    return __builtin_shufflevector(a, b, (J < lanes<float> / 2 ? J : J + lanes<float>)...);
}
// The first halves of both.
template <int... J>
OCELLI_ALWAYS_INLINE vf32 blocked_first_halves(vf32 a, vf32 b, std::integer_sequence<int, J...>) {
    return __builtin_shufflevector(a, b, (J < lanes<float> / 2 ? J : J + lanes<float> / 2)...);
}
// The second half of a in front of the second of b.
template <int... J>
OCELLI_ALWAYS_INLINE vf32 blocked_second_halves(vf32 a, vf32 b, std::integer_sequence<int, J...>) {
    return __builtin_shufflevector(a, b, (J < lanes<float> / 2 ? J + lanes<float> / 2 : J + lanes<float>)...);
}

// R rows of Q pixels each, by B vectors of filters; neighbouring pixels of x are S floats apart. Unrolled by packs of numbers: one function for
// each step of a tile, instead of one for each accumulator, is half of the compiler's work.
template <int R, int Q, int B, int S, class Product>
struct blocked_tile_state {
    static constexpr int P = R * Q, vectors = B, apart = S;
    static constexpr std::make_integer_sequence<int, P * B> all{};
    vf32 acc[P * B];

    // Accumulator N is of pixel N / B.
    template <int N>
    static OCELLI_ALWAYS_INLINE std::int64_t place(std::int64_t block, std::int64_t jump, std::int64_t step) {
        return N % B * block + (N / B < Q ? 0 : jump) + N / B % Q * step;
    }
    template <int... N>
    OCELLI_ALWAYS_INLINE void clear(std::integer_sequence<int, N...>) {
        ((acc[N] = vf32{}), ...);
    }
    template <int... N>
    OCELLI_ALWAYS_INLINE void multiply(const float* first, const float* second, const float* weights, std::integer_sequence<int, N...>) {
        vf32 w[B];
        for (int j = 0; j < B; ++j) w[j] = load(weights + j * lanes<float>);
        ((Product::add(acc[N], broadcast(N / B < Q ? first[N / B * S] : second[(N / B - Q) * S]), w[N % B])), ...);
    }
    // Three taps beside each other, of one channel, for pixels that are every other one: what two pixels' taps share is read once. Of one vector.
    template <int N>
    OCELLI_ALWAYS_INLINE void multiply_near_pixel(const float* x, vf32 first, vf32 middle, vf32 last) {
        const vf32 shared = rounded(broadcast(x[2 * N]));
        if constexpr (N > 0) acc[N - 1] += shared * last;
        if constexpr (N < P) {
            acc[N] += shared * first;
            acc[N] += broadcast(x[2 * N + 1]) * middle;
        }
    }
    template <int... N>
    OCELLI_ALWAYS_INLINE void multiply_near(const float* x, const float* weights, std::int64_t tap, std::integer_sequence<int, N...>) {
        const vf32 first = load(weights), middle = load(weights + tap), last = load(weights + 2 * tap);
        ((multiply_near_pixel<N>(x, first, middle, last)), ...);
        multiply_near_pixel<P>(x, first, middle, last);
    }
    // Behind the sum: in front of it, a large one would cost every term's last bits.
    template <int... N>
    OCELLI_ALWAYS_INLINE void add_bias(const float* bias, std::integer_sequence<int, N...>) {
        vf32 b[B];
        for (int j = 0; j < B; ++j) b[j] = load(bias + j * lanes<float>);
        ((acc[N] += b[N % B]), ...);
    }
    template <int... N>
    OCELLI_ALWAYS_INLINE void add(const nn::detail::blocked_tile& t, std::integer_sequence<int, N...>) {
        const std::int64_t block = t.y_block, jump = t.y_jump, step = t.y_step;
        ((acc[N] += load(t.addend + place<N>(block, jump, step))), ...);
    }
    template <int... N>
    static OCELLI_ALWAYS_INLINE void fetch(const nn::detail::blocked_tile& t, std::integer_sequence<int, N...>) {
        const std::int64_t block = t.y_block, jump = t.y_jump, step = t.y_step;
        (__builtin_prefetch(t.addend + place<N>(block, jump, step)), ...);
    }
    template <int... N>
    OCELLI_ALWAYS_INLINE void clamp_low(vf32 low, std::integer_sequence<int, N...>) {
        ((acc[N] = acc[N] < low ? low : acc[N]), ...);  // NaN passes: comparisons are false
    }
    template <int... N>
    OCELLI_ALWAYS_INLINE void clamp_high(vf32 high, std::integer_sequence<int, N...>) {
        ((acc[N] = acc[N] > high ? high : acc[N]), ...);
    }
    template <int... N>
    OCELLI_ALWAYS_INLINE void put(const nn::detail::blocked_tile& t, std::integer_sequence<int, N...>) const {
        float* const to = t.y;  // what is stored may be part of t, for all the compiler knows
        const std::int64_t block = t.y_block, jump = t.y_jump, step = t.y_step;
        (store(to + place<N>(block, jump, step), acc[N]), ...);
    }
};

// Q pixels by a vector of filters and one of which the second half is unused: the latter's sums of two pixels share a vector. Zeros are stored in
// that half.
template <int Q, int S>
struct blocked_half_state {
    static constexpr int H = (Q + 1) / 2, L = lanes<float>, vectors = 2, apart = S;
    static constexpr std::make_integer_sequence<int, H> all{};
    vf32 acc[2 * H], half[H];

    // The second pixel of pair K, or, where there is none, its first.
    template <int K>
    static constexpr int other = 2 * K + 1 < Q ? 2 * K + 1 : 2 * K;

    template <int... K>
    OCELLI_ALWAYS_INLINE void clear(std::integer_sequence<int, K...>) {
        ((acc[2 * K] = acc[2 * K + 1] = half[K] = vf32{}), ...);
    }
    template <int K>
    OCELLI_ALWAYS_INLINE void multiply_pair(const float* first, vf32 w, vf32 v) {
        const vf32 a = rounded(broadcast(first[2 * K * S]));  // once, in a register: compilers would read it for each use
        acc[2 * K] += a * w;
        if constexpr (other<K> == 2 * K) {
            half[K] += a * v;
        } else {
            const vf32 b = rounded(broadcast(first[other<K> * S]));
            acc[2 * K + 1] += b * w;
            half[K] += blocked_halves(a, b, blocked_lanes{}) * v;
        }
    }
    template <int... K>
    OCELLI_ALWAYS_INLINE void multiply(const float* first, const float*, const float* weights, std::integer_sequence<int, K...>) {
        const vf32 w = load(weights), v = load(weights + L), both = blocked_first_halves(v, v, blocked_lanes{});
        ((multiply_pair<K>(first, w, both)), ...);
    }
    template <int... K>
    OCELLI_ALWAYS_INLINE void add_bias(const float* bias, std::integer_sequence<int, K...>) {
        const vf32 w = load(bias), v = load(bias + L), both = blocked_first_halves(v, v, blocked_lanes{});
        ((acc[2 * K] += w, acc[2 * K + 1] += w, half[K] += both), ...);
    }
    template <int... K>
    OCELLI_ALWAYS_INLINE void add(const nn::detail::blocked_tile& t, std::integer_sequence<int, K...>) {
        const float *from = t.addend, *next = from + t.y_block;
        const std::int64_t step = t.y_step;
        ((acc[2 * K] += load(from + 2 * K * step), acc[2 * K + 1] += load(from + other<K> * step)), ...);
        ((half[K] += blocked_first_halves(load(next + 2 * K * step), load(next + other<K> * step), blocked_lanes{})), ...);
    }
    template <int... K>
    static OCELLI_ALWAYS_INLINE void fetch(const nn::detail::blocked_tile& t, std::integer_sequence<int, K...>) {
        const float *from = t.addend, *next = from + t.y_block;
        const std::int64_t step = t.y_step;
        ((__builtin_prefetch(from + 2 * K * step), __builtin_prefetch(from + other<K> * step)), ...);
        ((__builtin_prefetch(next + 2 * K * step), __builtin_prefetch(next + other<K> * step)), ...);
    }
    template <int... K>
    OCELLI_ALWAYS_INLINE void clamp_low(vf32 low, std::integer_sequence<int, K...>) {
        ((acc[2 * K] = acc[2 * K] < low ? low : acc[2 * K]), ...);
        ((acc[2 * K + 1] = acc[2 * K + 1] < low ? low : acc[2 * K + 1]), ...);
        ((half[K] = half[K] < low ? low : half[K]), ...);
    }
    template <int... K>
    OCELLI_ALWAYS_INLINE void clamp_high(vf32 high, std::integer_sequence<int, K...>) {
        ((acc[2 * K] = acc[2 * K] > high ? high : acc[2 * K]), ...);
        ((acc[2 * K + 1] = acc[2 * K + 1] > high ? high : acc[2 * K + 1]), ...);
        ((half[K] = half[K] > high ? high : half[K]), ...);
    }
    template <int K>
    OCELLI_ALWAYS_INLINE void put_pair(float* to, std::int64_t block, std::int64_t step) const {
        store(to + 2 * K * step, acc[2 * K]);
        store(to + block + 2 * K * step, blocked_halves(half[K], vf32{}, blocked_lanes{}));
        if constexpr (other<K> != 2 * K) {
            store(to + other<K> * step, acc[2 * K + 1]);
            store(to + block + other<K> * step, blocked_second_halves(half[K], vf32{}, blocked_lanes{}));
        }
    }
    template <int... K>
    OCELLI_ALWAYS_INLINE void put(const nn::detail::blocked_tile& t, std::integer_sequence<int, K...>) const {
        float* const to = t.y;
        const std::int64_t block = t.y_block, step = t.y_step;
        ((put_pair<K>(to, block, step)), ...);
    }
};

// How far ahead of their use a tile asks for weights, in floats.
inline constexpr int blocked_ahead = 2048;

// What follows the sum.
template <class State>
OCELLI_ALWAYS_INLINE void blocked_end(State& state, const nn::detail::blocked_tile& t) {
    state.add_bias(t.bias, State::all);
    if (t.addend != nullptr) state.add(t, State::all);
    if (t.clamps) {
        // Where multiplications run: the two take a cycle in ten of a short sum's, and infinity bounds nothing.
        state.clamp_low(broadcast(t.low), State::all);
        if (t.high <= __FLT_MAX__) state.clamp_high(broadcast(t.high), State::all);
    }
    state.put(t, State::all);
}

template <class State>
void blocked_tile(const nn::detail::blocked_tile& t) {
    State state;
    constexpr int B = State::vectors, S = State::apart;
    state.clear(State::all);
    if (t.addend != nullptr && t.addend != t.y) state.fetch(t, State::all);
    const float* weights = t.weights;
    memory_ahead ahead = t.ahead;
    if (ahead.at == nullptr) ahead = {reinterpret_cast<const char*>(weights), 0};
    for (const nn::detail::blocked_segment *s = t.segments, *end = s + t.count; s != end; ++s) {
        const float* first = t.x + s->offset;
        const float* second = first + t.x_jump;
        const float* later = t.x + s[s + 2 < end ? 2 : 0].offset;  // in another block of channels, where no processor's own prefetching finds it
        for (std::int64_t c = s->length; c > 0; --c) {
            // Packed weights are read in one stream, some channels' at a time: the processor's own prefetching waits between two pages. Those of
            // images in planes are few.
            if constexpr (S > 2) {
                for (int j = 0; j < B; ++j) __builtin_prefetch(weights + j * lanes<float> + blocked_ahead);
                __builtin_prefetch(later);
                later += lanes<float>;
            }
            __builtin_prefetch(ahead.at, 0, 2);
            ahead.at += ahead.step;
            state.multiply(first, second, weights, State::all);
            ++first;
            ++second;
            // Or GCC (-O3) carries each step's pixels over to the next one, through memory: they are neighbours.
            if constexpr (S <= 2) asm("" : "+r"(first));
            weights += B * lanes<float>;
        }
    }
    blocked_end(state, t);
}

// The sum of all rows of three taps, of every other pixel of planes.
template <class State>
void blocked_near_tile(const nn::detail::blocked_tile& t) {
    State state;
    state.clear(State::all);
    if (t.addend != nullptr) state.fetch(t, State::all);
    const std::int64_t depth = t.depth, tap = depth * State::vectors * lanes<float>;
    const float* weights = t.weights;
    memory_ahead ahead = t.ahead;
    if (ahead.at == nullptr) ahead = {reinterpret_cast<const char*>(weights), 0};
    for (const nn::detail::blocked_segment *s = t.segments, *end = s + t.count; s != end; s += 2 * depth, weights += 2 * tap)
        for (std::int64_t c = depth; c > 0; --c, ++s, weights += State::vectors * lanes<float>) {
            const float* x = t.x + s->offset;
            asm("" : "+r"(x));
            for (int i = 0; i < 3; ++i, ahead.at += ahead.step) __builtin_prefetch(ahead.at, 0, 2);
            state.multiply_near(x, weights, tap, State::all);
        }
    blocked_end(state, t);
}

// prelu with a slope for each lane, and zeros in the unused lanes; on `pixels` of one block.
inline void blocked_finish(float* y, std::int64_t pixels, const float* slope, int used) {
    const vi32 keep = iota<std::int32_t>() < used;
    const vf32 slopes = slope != nullptr ? load(slope) : broadcast(1.0f);
    for (std::int64_t i = 0; i < pixels; ++i, y += lanes<float>) {
        vf32 v = load(y);
        v = v < vf32{} ? v * slopes : v;
        store(y, __builtin_bit_cast(vf32, __builtin_bit_cast(vi32, v) & keep));
    }
}

template <int R, int Q, int B, int S, class Product>
void blocked_fill_row(nn::detail::blocked_tile_function* row) {
    row[Q - 1] = &blocked_tile<blocked_tile_state<R, Q, B, S, Product>>;
    if constexpr (Q > 1) blocked_fill_row<R, Q - 1, B, S, Product>(row);
}
// Up to Q pixels by one vector of filters, or up to P by two.
template <int R, int Q, int P, int S, class Product, int F, int N>
void blocked_fill_rows(nn::detail::blocked_tile_function (&rows)[F][N]) {
    static_assert(Q <= N && P <= N);
    blocked_fill_row<R, Q, 1, S, Product>(rows[0]);
    blocked_fill_row<R, P, 2, S, Product>(rows[1]);
}
template <int Q, int S>
void blocked_fill_halves(nn::detail::blocked_tile_function* row) {
    row[Q - 1] = &blocked_tile<blocked_half_state<Q, S>>;
    if constexpr (Q > 1) blocked_fill_halves<Q - 1, S>(row);
}
template <int Q>
void blocked_fill_near(nn::detail::blocked_tile_function* row) {
    row[Q - 1] = &blocked_near_tile<blocked_tile_state<1, Q, 1, 2, float_product>>;
    if constexpr (Q > 1) blocked_fill_near<Q - 1>(row);
}

// Steps of `step` that reach n or go beyond it. A division takes as long as copying some vectors.
OCELLI_ALWAYS_INLINE std::int64_t blocked_steps(std::int64_t n, std::int64_t step) {
    return step == 1 ? n : (n + step - 1) / step;
}

// Copies `rows` rows of one block or plane, `E` floats a pixel, between zeros: row r of the result is row `first + r * step` of x.
// A row's columns are dealt out to `stride` parts, so that a tile's pixels are neighbours.
template <int E>
void blocked_unroll(const nn::detail::blocked_rows& p, const float* x, float* to) {
    for (std::int64_t r = 0; r < p.rows; ++r) {
        const std::int64_t row = p.first + r * p.step;
        const bool outside = row < 0 || row >= p.height;
        const float* from = x + row * p.width * E;
        for (std::int64_t phase = 0; phase < p.stride; ++phase, to += p.part * E) {
            if (outside) {
                fill_zero(to, p.part * E);
                continue;
            }
            // Element i of this part is column i * stride + phase - pad.
            std::int64_t i = p.pad - phase;
            i = i <= 0 ? 0 : blocked_steps(i, p.stride);
            if (i > p.part) i = p.part;
            const std::int64_t c = i * p.stride + phase - p.pad;
            std::int64_t n = c >= p.width ? 0 : blocked_steps(p.width - c, p.stride);
            if (n > p.part - i) n = p.part - i;
            fill_zero(to, i * E);
            if (E == 1 || p.stride == 1) {
                if (E == 1) copy_strided(to + i, from + c, p.stride, n);
                else copy_strided(to + i * E, from + c * E, 1, n * E);
            } else {
                for (std::int64_t k = 0; k < n; ++k) store(to + (i + k) * E, load(from + (c + k * p.stride) * E));
            }
            fill_zero(to + (i + n) * E, (p.part - i - n) * E);
        }
    }
}

// Rows of a depthwise convolution on one block. Taps of rows outside are left out; columns outside are read from zeros, by tiles at the edges. By packs of
// numbers: loops over accumulators stay in memory where compilers do not unroll them (-O2), which makes a third more of the time.
template <int P, int... I>
OCELLI_ALWAYS_INLINE void depthwise_clear(vf32 (&acc)[P], std::integer_sequence<int, I...>) {
    ((acc[I] = vf32{}), ...);
}
template <int P, int... I>
OCELLI_ALWAYS_INLINE void depthwise_put(vf32 (&acc)[P], const nn::detail::blocked_depthwise_args& d, const float* addend, float* y, std::integer_sequence<int, I...>) {
    constexpr int L = lanes<float>;
    const vf32 bias = load(d.bias), low = broadcast(d.low), high = broadcast(d.high);
    ((acc[I] += bias), ...);
    if (addend != nullptr) ((acc[I] += load(addend + I * L)), ...);
    ((acc[I] = acc[I] < low ? low : acc[I]), ...);  // NaN passes
    ((acc[I] = acc[I] > high ? high : acc[I]), ...);
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
OCELLI_ALWAYS_INLINE const float* depthwise_next(const nn::detail::blocked_depthwise_args& d, const float* row) {
    row += d.tap_row;
    return row >= d.ring_end ? row - d.ring : row;
}

// `tiles` times P pixels beside each other.
template <int P, bool Edge>
void depthwise_pixels(const nn::detail::blocked_depthwise_args& d, const nn::detail::blocked_depthwise_row& r, std::int64_t column, std::int64_t tiles) {
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

// The same sums, in the same order, for K taps beside each other and results S columns apart: a column is read, and looked at whether it lies
// outside, once for all taps that it is under.
template <int P, int K, int S, int Column, int... X>
OCELLI_ALWAYS_INLINE void depthwise_spread(vf32 (&acc)[P], const vf32 (&w)[K], vf32 v, std::integer_sequence<int, X...>) {
    ((Column >= X && (Column - X) % S == 0 && (Column - X) / S < P ? void(acc[Column >= X && (Column - X) / S < P ? (Column - X) / S : 0] += v * w[X]) : void()), ...);
}
template <int P, int K, int S, bool Edge, int... Column>
OCELLI_ALWAYS_INLINE void depthwise_columns(vf32 (&acc)[P], const vf32 (&w)[K], const float* from, std::int64_t at, std::int64_t row_floats, const float* zeros,
                                            std::integer_sequence<int, Column...>) {
    constexpr int L = lanes<float>;
    (depthwise_spread<P, K, S, Column>(
         acc, w, rounded(load(!Edge || static_cast<std::uint64_t>(at + Column * L) < static_cast<std::uint64_t>(row_floats) ? from + Column * L : zeros)),
         std::make_integer_sequence<int, K>{}),
     ...);
}
template <int P, int K, int S, bool Edge>
void depthwise_near_pixels(const nn::detail::blocked_depthwise_args& d, const nn::detail::blocked_depthwise_row& r, std::int64_t column, std::int64_t tiles) {
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
            depthwise_columns<P, K, S, Edge>(acc, w, from, first, row_floats, zeros, std::make_integer_sequence<int, (P - 1) * S + K>{});
        }
        depthwise_put(acc, d, r.addend == nullptr ? nullptr : r.addend + column * L, r.y + column * L, std::make_integer_sequence<int, P>{});
    }
}

using depthwise_tile = void (*)(const nn::detail::blocked_depthwise_args&, const nn::detail::blocked_depthwise_row&, std::int64_t, std::int64_t);
// For K taps and steps of S, or any (0).
template <int P, int K, int S>
OCELLI_ALWAYS_INLINE depthwise_tile depthwise_tile_of(std::int64_t pixels, bool edge) {
    if constexpr (P > 1)
        if (pixels < P) return depthwise_tile_of<P - 1, K, S>(pixels, edge);
    if constexpr (K == 0 || P < 4 || !blocked_saves_loads) return edge ? &depthwise_pixels<P, true> : &depthwise_pixels<P, false>;
    else return edge ? &depthwise_near_pixels<P, K, S, true> : &depthwise_near_pixels<P, K, S, false>;
}
template <int P>
inline depthwise_tile depthwise_tile_for(const nn::detail::blocked_depthwise_args& d, std::int64_t pixels, bool edge) {
    if (d.dilation_x == 1) {
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
inline void blocked_depthwise_rows(const nn::detail::blocked_depthwise_args& d, std::int64_t row0, std::int64_t row1) {
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
        const nn::detail::blocked_depthwise_row r{x >= d.ring_end ? x - d.ring : x, d.weights + ky0 * d.kernel_width * L,
                                                  d.addend == nullptr ? nullptr : d.addend + row * d.out_width * L, d.y + row * d.out_width * L, ky1 - ky0};
        for (const depthwise_run *run = runs, *last = runs + count; run != last; ++run) run->tile(d, r, run->column, run->tiles);
    }
}

// One result of a pooling. A NaN wins the maximum, as in PyTorch; a window of padding alone gives -infinity.
template <bool Average>
OCELLI_ALWAYS_INLINE void blocked_pool_column(const nn::detail::blocked_pool_args& d, std::int64_t column) {
    constexpr int L = lanes<float>;
    const std::int64_t at = column * d.stride - d.pad;
    std::int64_t first = at >= 0 ? 0 : (-at + d.dilation - 1) / d.dilation;
    std::int64_t end = at >= d.width ? 0 : (d.width - 1 - at) / d.dilation + 1;
    if (end > d.kernel_width) end = d.kernel_width;
    vf32 v = broadcast(Average ? 0.0f : -__builtin_inff());
    for (std::int64_t ky = 0; ky < d.kernel_rows; ++ky) {
        const float* x = d.x + ky * d.tap_row + (at + first * d.dilation) * L;
        for (std::int64_t kx = first; kx < end; ++kx, x += d.dilation * L) {
            const vf32 here = load(x);
            if constexpr (Average) v += here;
            else v = ((here > v) | (here != here)) ? here : v;
        }
    }
    if constexpr (Average) v = v / (d.rows * d.columns[column]);
    store(d.y + column * L, v);
}

// Maxima of windows of K columns (0: of any number) that lie inside. One instruction takes a maximum, but loses a NaN: the sum has one then (or where
// infinities or large numbers cancel), and the result is made again.
template <int K>
OCELLI_ALWAYS_INLINE void blocked_max_inside(const nn::detail::blocked_pool_args& d, std::int64_t column, std::int64_t end) {
    constexpr int L = lanes<float>;
    const std::int64_t next = d.dilation * L, taps = K == 0 ? d.kernel_width : K;
    for (; column < end; ++column) {
        const float* row = d.x + (column * d.stride - d.pad) * L;
        vf32 v = load(row), sum{};
        for (std::int64_t ky = d.kernel_rows; ky > 0; --ky, row += d.tap_row)
            for (std::int64_t kx = 0; kx < taps; ++kx) {
                const vf32 here = load(row + kx * next);
                v = max(here, v);
                sum += here;
            }
        if (movemask(sum != sum) != 0) blocked_pool_column<false>(d, column);
        else store(d.y + column * L, v);
    }
}

// The same for three columns beside each other, windows two apart, of three rows or (Rows 0) any number: the column that two windows share is read once.
template <int Rows>
OCELLI_ALWAYS_INLINE void blocked_max_three(const nn::detail::blocked_pool_args& d, std::int64_t column, std::int64_t end) {
    constexpr int L = lanes<float>;
    const std::int64_t rows = Rows == 0 ? d.kernel_rows : Rows, tap_row = d.tap_row;
    const float* window = d.x + (column * 2 - d.pad) * L;
    vf32 last = broadcast(-__builtin_inff()), last_sum{};
    for (std::int64_t ky = 0; ky < rows; ++ky) {
        const vf32 here = load(window + ky * tap_row);
        last = max(here, last);
        last_sum += here;
    }
    float* y = d.y + column * L;
    for (; column < end; ++column, window += 2 * L, y += L) {
        const float* row = window + L;
        vf32 middle = load(row), next = load(row + L), sum = last_sum + middle, next_sum = next;
        for (std::int64_t ky = 1; ky < rows; ++ky) {
            row += tap_row;
            const vf32 a = load(row), b = load(row + L);
            middle = max(a, middle);
            next = max(b, next);
            sum += a;
            next_sum += b;
        }
        sum += next_sum;
        if (movemask(sum != sum) != 0) [[unlikely]] blocked_pool_column<false>(d, column);
        else store(y, max(max(last, middle), next));
        last = next;
        last_sum = next_sum;
    }
}

// One row of a pooling on one block.
template <bool Average>
void blocked_pool_row(const nn::detail::blocked_pool_args& d) {
    std::int64_t column = 0;
    if constexpr (!Average) {
        const std::int64_t last = d.width - 1 - (d.kernel_width - 1) * d.dilation + d.pad;
        const std::int64_t inside = d.pad <= 0 ? 0 : (d.pad + d.stride - 1) / d.stride;
        std::int64_t end = last < 0 || d.kernel_rows == 0 ? 0 : last / d.stride + 1;
        if (end > d.out_width) end = d.out_width;
        if (inside < end) {
            for (; column < inside; ++column) blocked_pool_column<false>(d, column);
            if (d.kernel_width == 3 && d.stride == 2 && d.dilation == 1) {
                if (d.kernel_rows == 3) blocked_max_three<3>(d, column, end);
                else blocked_max_three<0>(d, column, end);
            }
            else if (d.kernel_width == 3) blocked_max_inside<3>(d, column, end);
            else if (d.kernel_width == 2) blocked_max_inside<2>(d, column, end);
            else blocked_max_inside<0>(d, column, end);
            column = end;
        }
    }
    for (; column < d.out_width; ++column) blocked_pool_column<Average>(d, column);
}

// The mean of each lane over `pixels` vectors.
inline void blocked_mean(const float* x, std::int64_t pixels, float* y) {
    constexpr int L = lanes<float>;
    vf32 s0{}, s1{}, s2{}, s3{};
    std::int64_t i = 0;
    for (; i + 4 <= pixels; i += 4, x += 4 * L) {
        s0 += load(x);
        s1 += load(x + L);
        s2 += load(x + 2 * L);
        s3 += load(x + 3 * L);
    }
    for (; i < pixels; ++i, x += L) s0 += load(x);
    store(y, ((s0 + s1) + (s2 + s3)) / static_cast<float>(pixels));
}

// Copies of a row below each other: lane i of copy c is lane i ^ c of x, another of its group of as many lanes as there are copies.
template <int... Copy>
OCELLI_ALWAYS_INLINE void blocked_exchange_lanes(const float* x, std::int64_t pixels, float* to, std::integer_sequence<int, Copy...>) {
    constexpr int L = lanes<float>;
    for (std::int64_t i = 0; i < pixels; ++i) {
        const vf32 v = load(x + i * L);
        (store(to + (Copy * pixels + i) * L, lanes_away<Copy>(v, blocked_lanes{})), ...);
    }
}
inline void blocked_exchange(const float* x, std::int64_t pixels, int copies, float* to) {
    if constexpr (lanes<float> >= 16)
        if (copies == 8) return blocked_exchange_lanes(x, pixels, to, std::make_integer_sequence<int, 8>{});
    if constexpr (lanes<float> >= 8)
        if (copies == 4) return blocked_exchange_lanes(x, pixels, to, std::make_integer_sequence<int, 4>{});
    blocked_exchange_lanes(x, pixels, to, std::make_integer_sequence<int, 2>{});
}

// y[r][...] = x[r][...] * factors[r], rows of `vectors` vectors.
inline void blocked_scale(const float* x, const float* factors, std::int64_t rows, int vectors, float* y) {
    constexpr int L = lanes<float>;
    for (std::int64_t r = 0; r < rows; ++r) {
        const vf32 factor = broadcast(factors[r]);
        for (int j = 0; j < vectors; ++j, x += L, y += L) store(y, load(x) * factor);
    }
}

// Planes to a block: y[i][c] = x[c][i] for `used` channels, zeros in the other lanes; and back.
inline void blocked_gather(const float* x, std::int64_t plane, std::int64_t pixels, int used, float* y) {
    constexpr int L = lanes<float>;
    std::int64_t i = 0;
    for (; i + L <= pixels; i += L) {
        vf32 square[L];
        for (int c = 0; c < L; ++c) square[c] = c < used ? load(x + c * plane + i) : vf32{};
        transpose_square(square);
        for (int k = 0; k < L; ++k) store(y + (i + k) * L, square[k]);
    }
    for (; i < pixels; ++i) {
        for (int c = 0; c < used; ++c) y[i * L + c] = x[c * plane + i];
        for (int c = used; c < L; ++c) y[i * L + c] = 0.0f;
    }
}
inline void blocked_scatter(const float* x, std::int64_t plane, std::int64_t pixels, int used, float* y) {
    constexpr int L = lanes<float>;
    std::int64_t i = 0;
    for (; i + L <= pixels; i += L) {
        vf32 square[L];
        for (int k = 0; k < L; ++k) square[k] = load(x + (i + k) * L);
        transpose_square(square);
        for (int c = 0; c < L; ++c)
            if (c < used) store(y + c * plane + i, square[c]);
    }
    for (; i < pixels; ++i)
        for (int c = 0; c < used; ++c) y[c * plane + i] = x[i * L + c];
}

#if OCELLI_TARGET_LEVEL == 2
inline constexpr int blocked_pixels = 14;
#else
inline constexpr int blocked_pixels = 6;
#endif

inline nn::detail::blocked_kernels make_blocked_kernels() {
    constexpr int L = lanes<float>;
    static_assert(blocked_pixels <= nn::detail::blocked_max_pixels);
    nn::detail::blocked_kernels t;
    t.lanes = L;
    t.pixels = blocked_pixels;
    constexpr int P = blocked_pixels;
    blocked_fill_rows<1, P, P, L, float_product>(t.tile[nn::detail::floats_in_blocks]);
    blocked_fill_rows<1, P, P, 1, float_product>(t.tile[nn::detail::floats_in_planes]);
    blocked_fill_rows<1, P, P, 2, float_product>(t.tile[nn::detail::every_other_in_planes]);
    if constexpr (blocked_saves_loads) {
        blocked_fill_halves<P, L>(t.tile[nn::detail::floats_in_blocks][2]);
        blocked_fill_near<2 * P>(t.near);
        blocked_fill_halves<P, 2>(t.tile[nn::detail::every_other_in_planes][2]);
    }
    blocked_fill_rows<1, P, P, L / 2, bf16_product>(t.tile[nn::detail::pairs_widened]);
    blocked_fill_rows<2, P / 2, P / 2, L, float_product>(t.pair[nn::detail::floats_in_blocks]);
#if OCELLI_TARGET_LEVEL == 2
    blocked_fill_rows<1, P, P, L / 2, bf16_instruction>(t.tile[nn::detail::pairs_by_instruction]);
    blocked_fill_rows<2, P / 2, P / 2, L / 2, bf16_instruction>(t.pair[nn::detail::pairs_by_instruction]);
#endif
    t.finish = &blocked_finish;
    t.unroll[0] = &blocked_unroll<L>;
    t.unroll[1] = &blocked_unroll<1>;
    t.depthwise_rows = &blocked_depthwise_rows;
    t.pool_row[0] = &blocked_pool_row<false>;
    t.pool_row[1] = &blocked_pool_row<true>;
    t.mean = &blocked_mean;
    t.scale = &blocked_scale;
    t.exchange = &blocked_exchange;
    t.gather = &blocked_gather;
    t.scatter = &blocked_scatter;
    return t;
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
