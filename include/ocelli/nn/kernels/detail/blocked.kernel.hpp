// Convolution on channel-blocked images: tiles of pixels by vectors of filters in registers. Compiled once per instruction set.
//
// An image in blocks is (blocks, height, width, L): L channels, the lanes of a vector, stand together at each pixel.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

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

// Up to Q pixels, down to `Least`, and one.
template <int R, int Q, int B, int S, class Product, int Least = 1>
void blocked_fill_row(nn::detail::blocked_tile_function* row) {
    row[Q - 1] = &blocked_tile<blocked_tile_state<R, Q, B, S, Product>>;
    if constexpr (Q > Least) blocked_fill_row<R, Q - 1, B, S, Product, Least>(row);
    else if constexpr (Q > 1) blocked_fill_row<R, 1, B, S, Product>(row);
}
// By one vector of filters, or by two.
template <int R, int Q, int S, class Product, int Least, int F, int N>
void blocked_fill_rows(nn::detail::blocked_tile_function (&rows)[F][N]) {
    static_assert(Q <= N);
    blocked_fill_row<R, Q, 1, S, Product, Least>(rows[0]);
    blocked_fill_row<R, Q, 2, S, Product, Least>(rows[1]);
}
template <int Q, int S, int Least = 1>
void blocked_fill_halves(nn::detail::blocked_tile_function* row) {
    row[Q - 1] = &blocked_tile<blocked_half_state<Q, S>>;
    if constexpr (Q > Least) blocked_fill_halves<Q - 1, S, Least>(row);
    else if constexpr (Q > 1) blocked_fill_halves<1, S>(row);
}
template <int Q, int Least = 1>
void blocked_fill_near(nn::detail::blocked_tile_function* row) {
    row[Q - 1] = &blocked_near_tile<blocked_tile_state<1, Q, 1, 2, float_product>>;
    if constexpr (Q > Least) blocked_fill_near<Q - 1, Least>(row);
    else if constexpr (Q > 1) blocked_fill_near<1>(row);
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

#if OCELLI_TARGET_LEVEL == 2
inline constexpr int blocked_pixels = 14;
#else
inline constexpr int blocked_pixels = has_special_tiles ? 6 : 4;
#endif

inline nn::detail::blocked_kernels make_blocked_kernels() {
    constexpr int L = lanes<float>;
    static_assert(blocked_pixels <= nn::detail::blocked_max_pixels);
    nn::detail::blocked_kernels t;
    t.lanes = L;
    t.pixels = blocked_pixels;
    constexpr int P = blocked_pixels;
    blocked_fill_rows<1, P, L, float_product, 1>(t.tile[nn::detail::floats_in_blocks]);
    // Planes are images at a network's entry, mostly wider than a tile: all widths are made of one pixel and those from a part of the largest on. A decoder
    // begins with 4 x 4 pixels.
    blocked_fill_rows<1, P, 1, float_product, P / 3>(t.tile[nn::detail::floats_in_planes]);
    blocked_fill_rows<1, P, 2, float_product, P / 2>(t.tile[nn::detail::every_other_in_planes]);
    if constexpr (has_special_tiles) {
        blocked_fill_halves<P, L>(t.tile[nn::detail::floats_in_blocks][2]);
        blocked_fill_near<2 * P, P>(t.near);
        blocked_fill_halves<P, 2, P / 2>(t.tile[nn::detail::every_other_in_planes][2]);
    }
    // Half as fast as floats at best.
    blocked_fill_rows<1, nn::detail::blocked_widened_pixels, L / 2, bf16_product, 1>(t.tile[nn::detail::pairs_widened]);
    blocked_fill_rows<2, P / 2, L, float_product, 1>(t.pair[nn::detail::floats_in_blocks]);
#if OCELLI_TARGET_LEVEL == 2
    blocked_fill_rows<1, P, L / 2, bf16_instruction, 1>(t.tile[nn::detail::pairs_by_instruction]);
    blocked_fill_rows<2, P / 2, L / 2, bf16_instruction, 1>(t.pair[nn::detail::pairs_by_instruction]);
#endif
    t.finish = &blocked_finish;
    t.unroll[0] = &blocked_unroll<L>;
    t.unroll[1] = &blocked_unroll<1>;
    return t;
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
