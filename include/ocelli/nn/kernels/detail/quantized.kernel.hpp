// Products of 8-bit integers and what stands between them. Compiled once per instruction set.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

// As many bytes as a vector has 32-bit lanes.
struct lane_bytes {
    typedef std::uint8_t type __attribute__((vector_size(lanes<float>)));
    typedef std::uint8_t unaligned __attribute__((vector_size(lanes<float>), aligned(1), may_alias));
};
// GCC converts between integers of 8 and 32 bits one by one.
OCELLI_ALWAYS_INLINE vi32 load_wide(const std::uint8_t* p) {
#if OCELLI_TARGET_LEVEL >= 1
    vi32 v;
    asm("vpmovzxbd %1, %0" : "=v"(v) : "m"(*reinterpret_cast<const lane_bytes::unaligned*>(p)));
    return v;
#elif defined(__x86_64__) || defined(__SSE2__)
    typedef std::int32_t word __attribute__((aligned(1), may_alias));
    vi32 v = {*reinterpret_cast<const word*>(p), 0, 0, 0};
    asm("punpcklbw %1, %0\n\tpunpcklwd %1, %0" : "+x"(v) : "x"(vi32{}));
    return v;
#else
    return __builtin_convertvector(*reinterpret_cast<const lane_bytes::unaligned*>(p), vi32);
#endif
}
// The lowest bytes.
OCELLI_ALWAYS_INLINE void store_narrow(std::uint8_t* p, vi32 v) {
#if OCELLI_TARGET_LEVEL == 2
    lane_bytes::type narrow;  // the instruction that stores takes twice as long
    asm("vpmovdb %1, %0" : "=v"(narrow) : "v"(v));
    *reinterpret_cast<lane_bytes::unaligned*>(p) = narrow;
#elif defined(__x86_64__) || defined(__SSE2__)
    typedef std::int32_t word __attribute__((aligned(1), may_alias));
    v &= 255;
#    if OCELLI_TARGET_LEVEL == 1
    asm("vpackssdw %0, %0, %0\n\tvpackuswb %0, %0, %0" : "+x"(v));
    reinterpret_cast<word*>(p)[1] = v[4];
#    else
    asm("packssdw %0, %0\n\tpackuswb %0, %0" : "+x"(v));
#    endif
    *reinterpret_cast<word*>(p) = v[0];
#else
    *reinterpret_cast<lane_bytes::unaligned*>(p) = __builtin_convertvector(v, lane_bytes::type);
#endif
}
OCELLI_ALWAYS_INLINE void store_narrow_first(std::uint8_t* p, vi32 v, std::int64_t n) {
    std::uint8_t all[lanes<float>] = {};
    store_narrow(all, v);
    for (std::int64_t i = 0; i < n; ++i) p[i] = all[i];
}

// The nearest whole numbers between low and high, halves to even, plus zero. The bounds are far below the numbers whose floats have no fraction.
OCELLI_ALWAYS_INLINE vi32 nearest_between(vf32 v, float low, float high, std::int32_t zero) {
    const vf32 shifted = rounded(min(max(v, broadcast(low)), broadcast(high)) + broadcast(12582912.0f));
    return __builtin_bit_cast(vi32, shifted) + broadcast(zero - 0x4b400000);
}

// How a word of bytes multiplies: as two integers of 16 bits, or as four bytes, unsigned by signed.
struct word_pairs {
    OCELLI_ALWAYS_INLINE static void add(vi32& sum, vi32 x, vi32 w) {
#if OCELLI_TARGET_LEVEL >= 1
        vi32 products;
        asm("vpmaddwd %2, %1, %0" : "=v"(products) : "v"(x), "v"(w));
        sum += products;
#elif defined(__x86_64__) || defined(__SSE2__)
        asm("pmaddwd %1, %0" : "+x"(x) : "x"(w));
        sum += x;
#else
        sum += (x << 16 >> 16) * (w << 16 >> 16) + (x >> 16) * (w >> 16);
#endif
    }
};
// AVX512-VNNI, AVX-VNNI: only where the processor has it.
#if OCELLI_TARGET_LEVEL == 2
struct word_quads {
    OCELLI_ALWAYS_INLINE static void add(vi32& sum, vi32 x, vi32 w) { asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w)); }
};
#elif OCELLI_TARGET_LEVEL == 1
struct word_quads {
    OCELLI_ALWAYS_INLINE static void add(vi32& sum, vi32 x, vi32 w) { asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(x), "x"(w)); }
};
#endif

OCELLI_ALWAYS_INLINE vi32 broadcast_word(const std::uint8_t* p) {
    typedef std::int32_t word __attribute__((aligned(1), may_alias));
    return broadcast(static_cast<std::int32_t>(*reinterpret_cast<const word*>(p)));
}

// A vector of sums, less than a whole one where n says so.
OCELLI_ALWAYS_INLINE void finish_sums(const nn::detail::byte_task& t, vi32 sum, std::int64_t row, std::int64_t filter, std::int64_t n) {
    constexpr int L = lanes<float>;
    const std::int64_t at = row * t.y_stride + filter;
    if (t.form == nn::byte_epilogue::result::sums) {
        std::int32_t* const y = static_cast<std::int32_t*>(t.y) + at;
        if (n >= L) store(y, sum);
        else store_first(y, sum, static_cast<int>(n));
        return;
    }
    const vf32 scaled = rounded(__builtin_convertvector(sum, vf32) * load(t.scale + filter));
    if (t.form == nn::byte_epilogue::result::floats) {
        float* const y = static_cast<float*>(t.y) + at;
        if (n >= L) store(y, scaled);
        else store_first(y, scaled, static_cast<int>(n));
        return;
    }
    std::uint8_t* const y = static_cast<std::uint8_t*>(t.y) + at;
    const vi32 whole = nearest_between(scaled, t.low, t.high, t.zero);
    if (n >= L) store_narrow(y, whole);
    else store_narrow_first(y, whole, n);
}

inline void finish_tile(const nn::detail::byte_task& t, const std::int32_t* sums, std::int64_t vectors) {
    constexpr int L = lanes<float>;
    for (std::int64_t row = 0; row < t.count; ++row, sums += vectors * L)
        for (std::int64_t f = 0; f < t.filters; f += L) finish_sums(t, load(sums + f), row, f, t.filters - f);
}

template <class Product, int V>
OCELLI_ALWAYS_INLINE void multiply_word(vi32 (&sum)[V], vi32 x, const vi32 (&w)[V]) {
    Product::add(sum[0], x, w[0]);
    if constexpr (V == 2) Product::add(sum[1], x, w[1]);
}

// How whole vectors become bytes without a way through memory; in registers, as nothing that bytes are stored over is.
struct byte_steps {
    vf32 low, high;
    vi32 zero;
    std::int64_t count, y_stride;
    std::uint8_t* y;
    explicit OCELLI_ALWAYS_INLINE byte_steps(const nn::detail::byte_task& t)
        : low(broadcast(t.low)), high(broadcast(t.high)), zero(broadcast(t.zero - 0x4b400000)), count(t.count), y_stride(t.y_stride), y(static_cast<std::uint8_t*>(t.y)) {}
    OCELLI_ALWAYS_INLINE void put(std::int64_t row, std::int64_t filter, vi32 sum, vf32 scale) const {
        if (row >= count) return;
        const vf32 v = min(max(rounded(__builtin_convertvector(sum, vf32) * scale), low), high);
        store_narrow(y + row * y_stride + filter, __builtin_bit_cast(vi32, rounded(v + broadcast(12582912.0f))) + zero);
    }
};

// Pixels by packs of numbers, so that all sums stay in registers.
template <class Product, int V, int... I>
OCELLI_NOINLINE void byte_tile_of(const nn::detail::byte_task& t, std::integer_sequence<int, I...>) {
    constexpr int L = lanes<float>, M = sizeof...(I);
    vi32 bias[V], sum[M][V];
    bias[0] = load(t.bias);
    bias[V - 1] = load(t.bias + (V - 1) * L);
    ((sum[I][0] = bias[0], sum[I][V - 1] = bias[V - 1]), ...);
    const std::int32_t* w = t.weights;
    const char* ahead = t.ahead;
    // Pixels behind the last one are the last one again.
    const std::int64_t last = t.count - 1;
    for (std::int64_t r = 0; r < t.run_count; ++r) {
        const std::uint8_t* const x = t.x + t.runs[r].offset;
        const std::uint8_t* const from[M] = {x + t.pixels[I < last ? I : last]...};
        const std::int64_t bytes = 4 * t.runs[r].words;
        for (std::int64_t k = 0; k < bytes; k += 4, w += V * L, ahead += t.ahead_step) {
            vi32 weights[V];
            weights[0] = load(w);
            if constexpr (V == 2) weights[1] = load(w + L);
            __builtin_prefetch(ahead);
            (multiply_word<Product, V>(sum[I], broadcast_word(from[I] + k), weights), ...);
        }
    }
    if (t.form == nn::byte_epilogue::result::bytes && t.filters >= V * L) {
        const byte_steps to(t);
        const vf32 first = load(t.scale), second = load(t.scale + (V - 1) * L);
        (to.put(I, 0, sum[I][0], first), ...);
        if constexpr (V == 2) (to.put(I, L, sum[I][1], second), ...);
        return;
    }
    alignas(64) std::int32_t sums[M * V * L];
    ((store(sums + I * V * L, sum[I][0]), store(sums + (I * V + V - 1) * L, sum[I][V - 1])), ...);
    finish_tile(t, sums, V);
}

#if OCELLI_TARGET_LEVEL == 2
inline constexpr int byte_tile_pixels = 14, byte_tile_half = 7, byte_tile_few = 3;
#else
inline constexpr int byte_tile_pixels = 6, byte_tile_half = 4, byte_tile_few = 2;
#endif

template <class Product, int V>
void byte_tile(const nn::detail::byte_task& t) {
    if (t.count > byte_tile_half) byte_tile_of<Product, V>(t, std::make_integer_sequence<int, byte_tile_pixels>());
    else if (t.count > byte_tile_few) byte_tile_of<Product, V>(t, std::make_integer_sequence<int, byte_tile_half>());
    else if (t.count > 1) byte_tile_of<Product, V>(t, std::make_integer_sequence<int, byte_tile_few>());
    else byte_tile_of<Product, V>(t, std::make_integer_sequence<int, 1>());
}

// A filter for each channel: a byte is a pair with 0 (or, in its upper half, what its weight's 0 takes away).
template <int... I>
OCELLI_ALWAYS_INLINE void byte_depthwise_of(const nn::detail::byte_task& t, std::integer_sequence<int, I...>) {
    constexpr int L = lanes<float>, M = sizeof...(I);
    const std::int64_t last = t.count - 1;
    const std::uint8_t* const from[M] = {t.x + t.pixels[I < last ? I : last]...};
    const std::int32_t* w = t.weights;
    const byte_steps to(t);
    for (std::int64_t c = 0; c < t.filters; c += L) {
        const vi32 bias = load(t.bias + c);
        vi32 sum[M];
        ((sum[I] = bias), ...);
        for (std::int64_t r = 0; r < t.run_count; ++r, w += L) {
            const std::int64_t at = t.runs[r].offset + c;
            const vi32 weights = load(w);
            (word_pairs::add(sum[I], load_wide(from[I] + at), weights), ...);
        }
        if (t.form == nn::byte_epilogue::result::bytes && c + L <= t.filters) {
            const vf32 scale = load(t.scale + c);
            (to.put(I, c, sum[I], scale), ...);
        } else {
            alignas(64) std::int32_t sums[M * L];
            (store(sums + I * L, sum[I]), ...);
            for (std::int64_t row = 0; row < t.count; ++row) finish_sums(t, load(sums + row * L), row, c, t.filters - c);
        }
    }
}
inline void byte_depthwise(const nn::detail::byte_task& t) {
    byte_depthwise_of(t, std::make_integer_sequence<int, 8>());
}

inline void byte_copy(std::int64_t n, const std::uint8_t* from, std::uint8_t flip, std::uint8_t* to) {
    constexpr int L = lanes<std::uint8_t>;
    std::int64_t i = 0;
    for (; i + L <= n; i += L) store(to + i, load(from + i) ^ flip);
    for (; i < n; ++i) to[i] = static_cast<std::uint8_t>(from[i] ^ flip);
}
inline void byte_widen(std::int64_t n, const std::uint8_t* from, std::uint8_t flip, std::int32_t zero, std::int16_t* to) {
    typedef std::uint8_t half __attribute__((vector_size(2 * lanes<float>), aligned(1), may_alias));
    constexpr int L = 2 * lanes<float>;
    const vec<std::int16_t> turned = broadcast(static_cast<std::int16_t>(flip)), less = broadcast(static_cast<std::int16_t>(zero));
    std::int64_t i = 0;
    for (; i + L <= n; i += L) {
        const half& some = *reinterpret_cast<const half*>(from + i);
        vec<std::int16_t> v;
#if OCELLI_TARGET_LEVEL >= 1
        asm("vpmovzxbw %1, %0" : "=v"(v) : "m"(some));
#elif defined(__x86_64__) || defined(__SSE2__)
        asm("movq %1, %0\n\tpunpcklbw %2, %0" : "=&x"(v) : "m"(some), "x"(vi32{}));
#else
        v = __builtin_convertvector(some, vec<std::int16_t>);
#endif
        store(to + i, (v ^ turned) - less);
    }
    for (; i < n; ++i) to[i] = static_cast<std::int16_t>(static_cast<std::int32_t>(from[i] ^ flip) - zero);
}

// What an operand of the elementwise functions is, 128 more where it is signed.
struct byte_reader {
    const std::uint8_t* data;
    std::int32_t flip, zero;
    explicit byte_reader(const nn::byte_operand& x) : data(x.data), flip(x.is_signed ? 128 : 0), zero(x.zero + (x.is_signed ? 128 : 0)) {}
    OCELLI_ALWAYS_INLINE vf32 at(std::int64_t i) const { return __builtin_convertvector((load_wide(data + i) ^ flip) - zero, vf32); }
    OCELLI_ALWAYS_INLINE vf32 first(std::int64_t i, std::int64_t n) const {
        std::uint8_t some[lanes<float>] = {};
        for (std::int64_t k = 0; k < n; ++k) some[k] = data[i + k];
        return __builtin_convertvector((load_wide(some) ^ flip) - zero, vf32);
    }
};

inline void byte_sum_of_two(std::int64_t n, const nn::byte_operand& a, const nn::byte_operand& b, float low, float high, std::int32_t zero, std::uint8_t* y) {
    constexpr int L = lanes<float>;
    const byte_reader left(a), right(b);
    std::int64_t i = 0;
    for (; i + L <= n; i += L) store_narrow(y + i, nearest_between(rounded(left.at(i) * a.scale) + rounded(right.at(i) * b.scale), low, high, zero));
    if (i < n) store_narrow_first(y + i, nearest_between(rounded(left.first(i, n - i) * a.scale) + rounded(right.first(i, n - i) * b.scale), low, high, zero), n - i);
}
inline void byte_product_of_two(std::int64_t n, const nn::byte_operand& a, const nn::byte_operand& b, float scale, float low, float high, std::int32_t zero,
                                std::uint8_t* y) {
    constexpr int L = lanes<float>;
    const byte_reader left(a), right(b);
    std::int64_t i = 0;
    for (; i + L <= n; i += L) store_narrow(y + i, nearest_between(left.at(i) * right.at(i) * scale, low, high, zero));
    if (i < n) store_narrow_first(y + i, nearest_between(left.first(i, n - i) * right.first(i, n - i) * scale, low, high, zero), n - i);
}

inline void byte_table(std::int64_t n, const std::uint8_t* x, const std::uint8_t* table, std::uint8_t* y) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = table[x[i]];
}
#if OCELLI_TARGET_LEVEL == 2
// AVX512-VBMI: only where the processor has it. Two halves of the table, of which the highest bit chooses.
inline void byte_table_in_registers(std::int64_t n, const std::uint8_t* x, const std::uint8_t* table, std::uint8_t* y) {
    using bytes = vec<std::uint8_t>;
    const bytes a = load(table), b = load(table + 64), c = load(table + 128), d = load(table + 192);
    std::int64_t i = 0;
    for (; i + 64 <= n; i += 64) {
        const bytes at = load(x + i);
        bytes low = at, high = at;
        asm("vpermi2b %2, %1, %0" : "+v"(low) : "v"(a), "v"(b));
        asm("vpermi2b %2, %1, %0" : "+v"(high) : "v"(c), "v"(d));
        asm("vpmovb2m %1, %%k1\n\tvmovdqu8 %2, %0%{%%k1%}" : "+v"(low) : "v"(at), "v"(high) : "k1");
        store(y + i, low);
    }
    byte_table(n - i, x + i, table, y + i);
}
#endif

OCELLI_ALWAYS_INLINE vi32 quantized_lanes(vf32 x, float scale, float low, float high, std::int32_t zero) {
    const vf32 v = x / scale;
    return nearest_between(v == v ? v : vf32{}, low, high, zero);
}
inline void byte_quantize(std::int64_t n, const float* x, float scale, float low, float high, std::int32_t zero, std::uint8_t* y) {
    constexpr int L = lanes<float>;
    std::int64_t i = 0;
    for (; i + L <= n; i += L) store_narrow(y + i, quantized_lanes(load(x + i), scale, low, high, zero));
    if (i < n) store_narrow_first(y + i, quantized_lanes(load_first(x + i, static_cast<int>(n - i)), scale, low, high, zero), n - i);
}
inline void byte_dequantize(std::int64_t n, const std::uint8_t* x, std::uint8_t flip, float scale, std::int32_t zero, float* y) {
    constexpr int L = lanes<float>;
    std::int64_t i = 0;
    for (; i + L <= n; i += L) store(y + i, __builtin_convertvector((load_wide(x + i) ^ flip) - zero, vf32) * scale);
    for (; i < n; ++i) y[i] = static_cast<float>(static_cast<std::int32_t>(x[i] ^ flip) - zero) * scale;
}

// The least and the largest of n numbers and of those that are there; no NaN.
inline void float_range(std::int64_t n, const float* x, float* range) {
    constexpr int L = lanes<float>;
    vf32 low[2] = {broadcast(range[0]), broadcast(range[0])}, high[2] = {broadcast(range[1]), broadcast(range[1])};
    std::int64_t i = 0;
    for (; i + 2 * L <= n; i += 2 * L) {
        const vf32 a = load(x + i), b = load(x + i + L);
        low[0] = min(a, low[0]);
        high[0] = max(a, high[0]);
        low[1] = min(b, low[1]);
        high[1] = max(b, high[1]);
    }
    for (int k = 0; k < L; ++k)
        for (int j = 0; j < 2; ++j) {
            range[0] = low[j][k] < range[0] ? low[j][k] : range[0];
            range[1] = high[j][k] > range[1] ? high[j][k] : range[1];
        }
    for (; i < n; ++i) {
        range[0] = x[i] < range[0] ? x[i] : range[0];
        range[1] = x[i] > range[1] ? x[i] : range[1];
    }
}
inline void floats_of_sums(std::int64_t n, const std::int32_t* x, float* y) {
    constexpr int L = lanes<float>;
    std::int64_t i = 0;
    for (; i + L <= n; i += L) store(y + i, __builtin_convertvector(load(x + i), vf32));
    for (; i < n; ++i) y[i] = static_cast<float>(x[i]);
}

inline void byte_largest(std::int64_t n, const std::uint8_t* x, std::uint8_t flip, std::uint8_t* y) {
    constexpr int L = lanes<std::uint8_t>;
    std::int64_t i = 0;
    for (; i + L <= n; i += L) {
        const vec<std::uint8_t> a = load(x + i) ^ flip, b = load(y + i) ^ flip;
        store(y + i, (a > b ? a : b) ^ flip);
    }
    for (; i < n; ++i)
        if (static_cast<std::uint8_t>(x[i] ^ flip) > static_cast<std::uint8_t>(y[i] ^ flip)) y[i] = x[i];
}
inline void byte_sum(std::int64_t n, const std::uint8_t* x, std::uint8_t flip, std::int32_t* sums) {
    constexpr int L = lanes<float>;
    std::int64_t i = 0;
    for (; i + L <= n; i += L) store(sums + i, load(sums + i) + (load_wide(x + i) ^ flip));
    for (; i < n; ++i) sums[i] += x[i] ^ flip;
}

// 16 x 16 bytes, turned: four times, rows eight apart are mixed.
typedef std::uint8_t byte_row __attribute__((vector_size(16)));
typedef std::uint8_t byte_row_anywhere __attribute__((vector_size(16), aligned(1), may_alias));
template <int... I>
OCELLI_ALWAYS_INLINE void mix_rows(const byte_row (&from)[16], byte_row (&to)[16], std::integer_sequence<int, I...>) {
    ((to[2 * I] = __builtin_shufflevector(from[I], from[I + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),
      to[2 * I + 1] = __builtin_shufflevector(from[I], from[I + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)),
     ...);
}
template <int... I>
OCELLI_ALWAYS_INLINE void turn_square(const std::uint8_t* x, std::int64_t x_row, std::uint8_t* y, std::int64_t y_row, std::integer_sequence<int, I...>) {
    byte_row a[16] = {*reinterpret_cast<const byte_row_anywhere*>(x + I * x_row)...}, b[16];
    constexpr std::make_integer_sequence<int, 8> pairs;
    mix_rows(a, b, pairs);
    mix_rows(b, a, pairs);
    mix_rows(a, b, pairs);
    mix_rows(b, a, pairs);
    ((*reinterpret_cast<byte_row_anywhere*>(y + I * y_row) = a[I]), ...);
}
// Columns [first, last) of x become rows of y.
inline void byte_turn(std::int64_t rows, std::int64_t columns, std::int64_t first, std::int64_t last, const std::uint8_t* x, std::uint8_t* y) {
    std::int64_t c = first;
    for (; c + 16 <= last; c += 16) {
        std::int64_t r = 0;
        for (; r + 16 <= rows; r += 16) turn_square(x + r * columns + c, columns, y + c * rows + r, rows, std::make_integer_sequence<int, 16>());
        for (; r < rows; ++r)
            for (std::int64_t i = c; i < c + 16; ++i) y[i * rows + r] = x[r * columns + i];
    }
    for (; c < last; ++c)
        for (std::int64_t r = 0; r < rows; ++r) y[c * rows + r] = x[r * columns + c];
}

// Byte O, O + 1 ... of 16 pixels of three planes, side by side.
template <int O, class V, int... I>
OCELLI_ALWAYS_INLINE V interleaved(V a, V b, V c, std::integer_sequence<int, I...>) {
    const V two = __builtin_shufflevector(a, b, ((I + O) % 3 == 0 ? (I + O) / 3 : (I + O) % 3 == 1 ? 16 + (I + O) / 3 : 0)...);
    return __builtin_shufflevector(two, c, ((I + O) % 3 == 2 ? 16 + (I + O) / 3 : I)...);
}
inline void byte_interleave(std::int64_t n, const std::uint8_t* a, const std::uint8_t* b, const std::uint8_t* c, std::uint8_t* y) {
    using anywhere = byte_row_anywhere;
    constexpr std::make_integer_sequence<int, 16> all;
    std::int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const byte_row u = *reinterpret_cast<const anywhere*>(a + i), v = *reinterpret_cast<const anywhere*>(b + i), w = *reinterpret_cast<const anywhere*>(c + i);
        *reinterpret_cast<anywhere*>(y + 3 * i) = interleaved<0>(u, v, w, all);
        *reinterpret_cast<anywhere*>(y + 3 * i + 16) = interleaved<16>(u, v, w, all);
        *reinterpret_cast<anywhere*>(y + 3 * i + 32) = interleaved<32>(u, v, w, all);
    }
    for (; i < n; ++i) {
        y[3 * i] = a[i];
        y[3 * i + 1] = b[i];
        y[3 * i + 2] = c[i];
    }
}

inline nn::detail::byte_kernels make_byte_kernels() {
    nn::detail::byte_kernels t;
    t.lanes = lanes<float>;
    t.most = byte_tile_pixels;
    t.depthwise_most = 8;
    t.pairs[0] = &byte_tile<word_pairs, 1>;
    t.pairs[1] = &byte_tile<word_pairs, 2>;
#if OCELLI_TARGET_LEVEL >= 1
    t.quads[0] = &byte_tile<word_quads, 1>;
    t.quads[1] = &byte_tile<word_quads, 2>;
#endif
#if OCELLI_TARGET_LEVEL == 2
    t.table_in_registers = &byte_table_in_registers;
#endif
    t.depthwise = &byte_depthwise;
    t.copy = &byte_copy;
    t.widen = &byte_widen;
    t.add = &byte_sum_of_two;
    t.multiply = &byte_product_of_two;
    t.table = &byte_table;
    t.quantize = &byte_quantize;
    t.dequantize = &byte_dequantize;
    t.range = &float_range;
    t.floats = &floats_of_sums;
    t.largest = &byte_largest;
    t.interleave = &byte_interleave;
    t.turn = &byte_turn;
    t.sum = &byte_sum;
    return t;
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
