// The vector type kernels are written over: GCC/Clang vector extensions as wide as the target, and the few operations those lack.
// Included once per target by for_each_target.hpp, without a guard and without includes.
//
//     using vf = vec<float>;  vf a = load<float>(p);  a = a * b + c;  store(p, a);
//     auto m = a > b;         a = m ? b : a;          unsigned bits = movemask(m);
//
// Comparisons give integer vectors of 0 and -1 of the same lane width, as the extensions define them.

#if !defined(__GNUC__) && !defined(__clang__)
#    error "Ocelli's kernels need GCC's vector extensions: compile with GCC 12 or Clang 14 or newer"
#endif

#if OCELLI_TARGET_LEVEL == 2
#    define OCELLI_VECTOR_BYTES 64
#elif OCELLI_TARGET_LEVEL == 1
#    define OCELLI_VECTOR_BYTES 32
#else
#    define OCELLI_VECTOR_BYTES 16
#endif

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

template <class T>
struct native_vector {
    typedef T type __attribute__((vector_size(OCELLI_VECTOR_BYTES)));
    // The same bytes without an alignment requirement, and allowed to alias: for loads and stores anywhere.
    typedef T unaligned __attribute__((vector_size(OCELLI_VECTOR_BYTES), aligned(1), may_alias));
};

/// As many lanes of T as one register holds.
template <class T>
using vec = typename native_vector<T>::type;

template <class T>
inline constexpr int lanes = OCELLI_VECTOR_BYTES / static_cast<int>(sizeof(T));

/// Whether kernels have tiles that only save loads and lanes. Not for plain x86-64, which few processors are left with: they are a tenth of what compilers
/// have to do there.
#if OCELLI_TARGET_LEVEL == 0 && (defined(__x86_64__) || defined(__i386__))
inline constexpr bool has_special_tiles = false;
#else
inline constexpr bool has_special_tiles = true;
#endif

using vf32 = vec<float>;
using vf64 = vec<double>;
using vi32 = vec<std::int32_t>;
using vi64 = vec<std::int64_t>;

/// The lane type of a vector type, and what its comparisons give (long or long long lanes for double, as the compiler likes).
template <class V>
struct lane_of {
    using type = std::remove_cvref_t<decltype(V{}[0])>;
    using mask = decltype(V{} < V{});
};

template <class T>
OCELLI_ALWAYS_INLINE vec<T> load(const T* p) {
    return *reinterpret_cast<const typename native_vector<T>::unaligned*>(p);
}

template <class T>
OCELLI_ALWAYS_INLINE void store(T* p, vec<T> v) {
    *reinterpret_cast<typename native_vector<T>::unaligned*>(p) = v;
}

/// All lanes equal to x.
template <class T>
OCELLI_ALWAYS_INLINE vec<T> broadcast(T x) {
    return x - vec<T>{};  // x - 0 keeps every bit, -0 included
}

/// The first n lanes from memory, the others 0; never touches memory behind p + n.
template <class T>
OCELLI_ALWAYS_INLINE vec<T> load_first(const T* p, int n) {
    vec<T> v{};
    for (int i = 0; i < n; ++i) v[i] = p[i];
    return v;
}

/// Stores the first n lanes only.
template <class T>
OCELLI_ALWAYS_INLINE void store_first(T* p, vec<T> v, int n) {
    for (int i = 0; i < n; ++i) p[i] = v[i];
}

/// 0, 1, 2, ...
template <class T>
OCELLI_ALWAYS_INLINE vec<T> iota() {
    vec<T> v{};
    for (int i = 0; i < lanes<T>; ++i) v[i] = static_cast<T>(i);
    return v;
}

/// Keeps a product from being fused into an FMA, where the bits of plain multiplication and addition are promised.
OCELLI_ALWAYS_INLINE vf32 rounded(vf32 v) {
    OCELLI_ROUND_HERE(v);
    return v;
}
OCELLI_ALWAYS_INLINE vf64 rounded(vf64 v) {
    OCELLI_ROUND_HERE(v);
    return v;
}
OCELLI_ALWAYS_INLINE float rounded(float v) {
    OCELLI_ROUND_HERE(v);
    return v;
}
OCELLI_ALWAYS_INLINE double rounded(double v) {
    OCELLI_ROUND_HERE(v);
    return v;
}

/// The larger (smaller) of each pair; where they are unordered or equal, b. One instruction on x86.
template <class V>
OCELLI_ALWAYS_INLINE V max(V a, V b) {
    return a > b ? a : b;
}
template <class V>
OCELLI_ALWAYS_INLINE V min(V a, V b) {
    return a < b ? a : b;
}
// Clang sees the instruction in the lines above; GCC does not where one side is a constant, and compares and blends, which takes four times as long.
#if !defined(__clang__) && (OCELLI_TARGET_LEVEL >= 1 || defined(__x86_64__) || defined(__SSE2__))
#    if OCELLI_TARGET_LEVEL >= 1
#        define OCELLI_EXTREME(name, type, instruction) \
            OCELLI_ALWAYS_INLINE type name(type a, type b) { \
                type r; \
                asm("v" instruction " %2, %1, %0" : "=v"(r) : "v"(a), "v"(b)); \
                return r; \
            }
#    else
#        define OCELLI_EXTREME(name, type, instruction) \
            OCELLI_ALWAYS_INLINE type name(type a, type b) { \
                asm(instruction " %1, %0" : "+x"(a) : "x"(b)); \
                return a; \
            }
#    endif
OCELLI_EXTREME(max, vf32, "maxps")
OCELLI_EXTREME(max, vf64, "maxpd")
OCELLI_EXTREME(min, vf32, "minps")
OCELLI_EXTREME(min, vf64, "minpd")
#    undef OCELLI_EXTREME
#endif

/// One bit per lane of a comparison's result, lane 0 lowest.
template <class M>
OCELLI_ALWAYS_INLINE unsigned movemask(M m) {
    constexpr bool wide = sizeof(m[0]) == 8;
    static_assert(wide || sizeof(m[0]) == 4);
#if OCELLI_TARGET_LEVEL == 2
    unsigned bits;
    if constexpr (wide) {
        asm("vpmovq2m %1, %%k1\n\tkmovb %%k1, %0" : "=r"(bits) : "v"(m) : "k1");
    } else {
        asm("vpmovd2m %1, %%k1\n\tkmovw %%k1, %0" : "=r"(bits) : "v"(m) : "k1");
    }
    return bits;
#elif OCELLI_TARGET_LEVEL == 1
    unsigned bits;
    if constexpr (wide) {
        asm("vmovmskpd %1, %0" : "=r"(bits) : "x"(m));
    } else {
        asm("vmovmskps %1, %0" : "=r"(bits) : "x"(m));
    }
    return bits;
#elif defined(__x86_64__) || defined(__SSE2__)
    unsigned bits;
    if constexpr (wide) {
        asm("movmskpd %1, %0" : "=r"(bits) : "x"(m));
    } else {
        asm("movmskps %1, %0" : "=r"(bits) : "x"(m));
    }
    return bits;
#else
    unsigned bits = 0;
    for (int i = 0; i < static_cast<int>(sizeof(M) / sizeof(m[0])); ++i) bits |= (m[i] != 0 ? 1u : 0u) << i;
    return bits;
#endif
}

/// movemask(a > b) without the detour over a mask in a vector.
OCELLI_ALWAYS_INLINE unsigned greater_bits(vf32 a, vf32 b) {
#if OCELLI_TARGET_LEVEL == 2
    unsigned short bits;
    asm("vcmpps $0x1e, %2, %1, %0" : "=Yk"(bits) : "v"(a), "v"(b));
    return bits;
#else
    return movemask(a > b);
#endif
}
OCELLI_ALWAYS_INLINE unsigned greater_bits(vf64 a, vf64 b) {
#if OCELLI_TARGET_LEVEL == 2
    unsigned char bits;
    asm("vcmppd $0x1e, %2, %1, %0" : "=Yk"(bits) : "v"(a), "v"(b));
    return bits;
#else
    return movemask(reinterpret_cast<vi64>(a > b));
#endif
}

/// The lane S away: a lane's number has its bit S changed.
template <int S, class V, int... I>
OCELLI_ALWAYS_INLINE V lanes_away(V v, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(v, v, (I ^ S)...);
}
template <int S, class T>
OCELLI_ALWAYS_INLINE vec<T> add_upper_lanes(vec<T> v) {
    v = v + lanes_away<S>(v, std::make_integer_sequence<int, lanes<T>>());
    if constexpr (S > 1) v = add_upper_lanes<S / 2, T>(v);
    return v;
}
template <int S, class T>
OCELLI_ALWAYS_INLINE vec<T> max_with_upper_lanes(vec<T> v) {
    v = max(v, lanes_away<S>(v, std::make_integer_sequence<int, lanes<T>>()));
    if constexpr (S > 1) v = max_with_upper_lanes<S / 2, T>(v);
    return v;
}

/// Sum of all lanes, in lane order of a fixed tree (the same for every call): the upper half is added to the lower until one is left.
template <class T>
OCELLI_ALWAYS_INLINE T sum_lanes(vec<T> v) {
    return add_upper_lanes<lanes<T> / 2, T>(v)[0];
}

/// The largest of all lanes; which one where some are NaN is not said.
template <class T>
OCELLI_ALWAYS_INLINE T max_lane(vec<T> v) {
    return max_with_upper_lanes<lanes<T> / 2, T>(v)[0];
}

#if OCELLI_TARGET_LEVEL == 2
#    define OCELLI_LANE_NUMBERS 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
#elif OCELLI_TARGET_LEVEL == 1
#    define OCELLI_LANE_NUMBERS 0, 1, 2, 3, 4, 5, 6, 7
#else
#    define OCELLI_LANE_NUMBERS 0, 1, 2, 3
#endif

/// Exchanges the odd runs of S lanes of `a` with the even ones of `b`.
template <int S, int... J>
OCELLI_ALWAYS_INLINE void exchange_runs(vf32& a, vf32& b) {
    constexpr int L = lanes<float>;
    const vf32 even = __builtin_shufflevector(a, b, ((J & S) == 0 ? J : J - S + L)...);
    b = __builtin_shufflevector(a, b, ((J & S) == 0 ? J + S : J + L)...);
    a = even;
}
template <int S, int I, int N>
OCELLI_ALWAYS_INLINE void exchange_rows(vf32 (&rows)[N]) {
    if constexpr ((I & S) == 0) exchange_runs<S, OCELLI_LANE_NUMBERS>(rows[I], rows[I + S]);
    if constexpr (I + 1 < N) exchange_rows<S, I + 1>(rows);
    else if constexpr (2 * S < N) exchange_rows<2 * S, 0>(rows);
}

/// The lanes of even number of `a`, and then those of `b`.
template <int... J>
OCELLI_ALWAYS_INLINE vf32 even_lanes(vf32 a, vf32 b) {
    return __builtin_shufflevector(a, b, (2 * J)...);
}
OCELLI_ALWAYS_INLINE vf32 even_lanes_of(vf32 a, vf32 b) {
    return even_lanes<OCELLI_LANE_NUMBERS>(a, b);
}
#undef OCELLI_LANE_NUMBERS

/// Transposes a square of as many rows as a vector has lanes, in registers; fewer rows, a power of two: each of the squares that lie side by side.
template <int N>
OCELLI_ALWAYS_INLINE void transpose_square(vf32 (&rows)[N]) {
    static_assert(N <= lanes<float> && (N & (N - 1)) == 0);
    exchange_rows<1, 0>(rows);
}

// How the elements of a sum of products multiply: as floats, or as two bfloat16 side by side in the place of one.
struct float_product {
    OCELLI_ALWAYS_INLINE static void add(vf32& sum, vf32 a, vf32 b) { sum += a * b; }
};
struct bf16_product {
    OCELLI_ALWAYS_INLINE static vf32 first(vf32 pair) { return __builtin_bit_cast(vf32, __builtin_bit_cast(vi32, pair) << 16); }
    OCELLI_ALWAYS_INLINE static vf32 second(vf32 pair) { return __builtin_bit_cast(vf32, __builtin_bit_cast(vi32, pair) & -65536); }
    OCELLI_ALWAYS_INLINE static void add(vf32& sum, vf32 a, vf32 b) {
        sum += first(a) * first(b);
        sum += second(a) * second(b);
    }
};
#if OCELLI_TARGET_LEVEL == 2
// AVX512-BF16: only where the processor has it.
struct bf16_instruction {
    OCELLI_ALWAYS_INLINE static void add(vf32& sum, vf32 a, vf32 b) { asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(b), "v"(a)); }
};
#endif

/// to[i] = from[i * step] for i < n. Whole vectors where the source is dense, or every other element is taken.
OCELLI_ALWAYS_INLINE void copy_strided(float* to, const float* from, std::int64_t step, std::int64_t n) {
    constexpr int L = lanes<float>;
    std::int64_t i = 0;
    if (step == 1) {
        for (; i + L <= n; i += L) store(to + i, load(from + i));
        for (; i < n; ++i) to[i] = from[i];
    } else {
        if (step == 2)
            for (; i + L < n; i += L) store(to + i, even_lanes_of(load(from + 2 * i), load(from + 2 * i + L)));
        for (; i < n; ++i) to[i] = from[i * step];
    }
}

/// The same 32 bits n times. As integers: they need not be a number.
OCELLI_ALWAYS_INLINE void fill_bits(float* to, std::int32_t bits, std::int64_t n) {
    constexpr int L = lanes<float>;
    const vf32 all = __builtin_bit_cast(vf32, broadcast(bits));
    const float one = __builtin_bit_cast(float, bits);
    std::int64_t i = 0;
    for (; i + L <= n; i += L) store(to + i, all);
    for (; i < n; ++i) to[i] = one;
}
OCELLI_ALWAYS_INLINE void fill_zero(float* to, std::int64_t n) {
    fill_bits(to, 0, n);
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET

#undef OCELLI_VECTOR_BYTES
