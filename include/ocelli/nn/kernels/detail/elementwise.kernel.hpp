// Element-wise functions and softmax. Compiled once per instruction set.
//
// Polynomials are fitted to the smallest relative error (Lawson's iteration at Chebyshev nodes).

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

OCELLI_ALWAYS_INLINE vf32 with_sign(vf32 x, vf32 sign) {
    return __builtin_bit_cast(vf32, (__builtin_bit_cast(vi32, x) & 0x7fffffff) | (__builtin_bit_cast(vi32, sign) & static_cast<std::int32_t>(0x80000000u)));
}
OCELLI_ALWAYS_INLINE vf32 square_root(vf32 x) {
    vf32 y;
#if OCELLI_TARGET_LEVEL >= 1
    asm("vsqrtps %1, %0" : "=v"(y) : "v"(x));
#elif defined(__x86_64__) || defined(__SSE2__)
    asm("sqrtps %1, %0" : "=x"(y) : "x"(x));
#else
    for (int i = 0; i < lanes<float>; ++i) y[i] = __builtin_sqrtf(x[i]);
#endif
    return y;
}

// p 2^n, for n from -252 to 254: as a product with two powers, each of which is a normal number.
OCELLI_ALWAYS_INLINE vf32 times_power_of_two(vf32 p, vi32 n) {
    const vi32 half = n >> 1;
    return p * __builtin_bit_cast(vf32, (half + 127) << 23) * __builtin_bit_cast(vf32, (n - half + 127) << 23);
}

// A positive normal number as 2^n m, m in [sqrt 1/2, sqrt 2).
OCELLI_ALWAYS_INLINE vf32 split_normal(vf32 x, vi32& n) {
    const vi32 bits = __builtin_bit_cast(vi32, x);
    n = (bits - 0x3f3504f3) >> 23;
    return __builtin_bit_cast(vf32, bits - (n << 23));
}

// Rounds, overflows to infinity and underflows gradually; NaN stays.
OCELLI_ALWAYS_INLINE vf32 exponential(vf32 x) {
    const vf32 high = broadcast(89.0f), low = broadcast(-104.0f), magic = broadcast(rounds_to_integer);
    vf32 v = x > high ? high : x;
    v = v < low ? low : v;
    const vf32 t = rounded(v * 1.44269504088896341f + magic);
    const vf32 n = t - magic;
    vf32 r = v - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    const vf32 p = exp_minus_one_near(r) + 1.0f;
    return x == x ? times_power_of_two(p, __builtin_bit_cast(vi32, t) - __builtin_bit_cast(vi32, magic)) : x;
}

OCELLI_ALWAYS_INLINE vf32 exponential_minus_one(vf32 x) {
    const vf32 near = exp_minus_one_near(x), far = exponential(x) - 1.0f;
    return magnitude(x) < broadcast(0.34f) ? near : far;
}

// log of a positive normal number.
OCELLI_ALWAYS_INLINE vf32 log_of_normal(vf32 x) {
    vi32 whole;
    const vf32 f = split_normal(x, whole) - 1.0f;
    const vf32 n = __builtin_convertvector(whole, vf32);
    vf32 p = broadcast(-0.0785945682f);
    p = p * f + 0.128815883f;
    p = p * f + -0.13128785f;
    p = p * f + 0.141812018f;
    p = p * f + -0.166245519f;
    p = p * f + 0.200022858f;
    p = p * f + -0.250008105f;
    p = p * f + 0.333333167f;
    const vf32 square = f * f;
    return ((p * f - 0.5f) * square + n * -2.12194440e-4f + f) + n * 0.693359375f;
}

OCELLI_ALWAYS_INLINE vf32 logarithm(vf32 x) {
    const vf32 least = broadcast(1.17549435e-38f), infinity = __builtin_bit_cast(vf32, broadcast<std::int32_t>(0x7f800000)), zero{};
    const vi32 small = x < least;
    const vf32 normal = small ? x * 8388608.0f : x;
    const vf32 y = log_of_normal(x > zero ? normal : broadcast(1.0f)) - (small ? broadcast(15.9423847f) : zero);  // 23 log 2
    const vf32 special = x == zero ? -infinity : __builtin_bit_cast(vf32, broadcast<std::int32_t>(0x7fc00000));
    const vf32 safe = x > zero ? y : special;
    return ((x == infinity) | (x != x)) ? x : safe;
}

// log(1 + e) for e in [0, 1]: the logarithm of the rounded sum, and what rounding lost.
OCELLI_ALWAYS_INLINE vf32 log_one_plus(vf32 e) {
    const vf32 u = rounded(1.0f + e);
    return log_of_normal(u) + (e - (u - 1.0f)) / u;
}

OCELLI_ALWAYS_INLINE vf32 sigmoid(vf32 x) {
    const vf32 e = exponential_of_negative(-magnitude(x)), r = 1.0f / (1.0f + e);
    return x < vf32{} ? e * r : r;
}

OCELLI_ALWAYS_INLINE vf32 hyperbolic_tangent(vf32 x) {
    const vf32 t = magnitude(x), s = x * x;
    vf32 p = broadcast(-0.00571702582f);
    p = p * s + 0.0206505685f;
    p = p * s + -0.0537434917f;
    p = p * s + 0.133314912f;
    p = p * s + -0.333332839f;
    const vf32 near = p * s * x + x;
    const vf32 e = exponential_of_negative(-2.0f * t);
    const vf32 far = with_sign((1.0f - e) / (1.0f + e), x);
    return t < broadcast(0.625f) ? near : far;
}

// erf(x) - x for |x| <= 1.
OCELLI_ALWAYS_INLINE vf32 erf_near(vf32 x) {
    const vf32 s = x * x;
    vf32 p = broadcast(7.85385327e-05f);
    p = p * s + -0.000801019118f;
    p = p * s + 0.00518832741f;
    p = p * s + -0.0268538118f;
    p = p * s + 0.112835851f;
    p = p * s + -0.376126258f;
    p = p * s + 0.128379166f;
    return p * x;
}
// 1 - erf(t) for t >= 0.92; beyond 4, where it is below 2e-8, no more than its size is right.
OCELLI_ALWAYS_INLINE vf32 erf_complement(vf32 t) {
    const vf32 four = broadcast(4.0f);
    const vf32 u = t > four ? four : t;
    vf32 p = broadcast(1.60249391e-06f);
    p = p * u + -4.53546574e-05f;
    p = p * u + 0.000590715856f;
    p = p * u + -0.00473028475f;
    p = p * u + 0.0263355475f;
    p = p * u + -0.109925196f;
    p = p * u + -0.631995315f;
    p = p * u + -1.1301315f;
    p = p * u + 0.000294276689f;
    const vf32 beyond = t > four ? 16.0f - t * t : vf32{};
    return exponential_of_negative(p + beyond);
}

// Comparisons stand so that NaN passes on.
struct unary_relu { OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32, vf32) { return at_least(x, 0.0f); } };
struct unary_leaky_relu { OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32 a, vf32) { return x < vf32{} ? x * a : x; } };
struct unary_clip {
    OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32 a, vf32 b) {
        const vf32 v = x < a ? a : x;
        return v > b ? b : v;
    }
};
struct unary_thresholded_relu { OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32 a, vf32) { return x <= a ? vf32{} : x; } };
struct unary_sigmoid { OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32, vf32) { return sigmoid(x); } };
struct unary_hard_sigmoid {
    OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32 a, vf32 b) { return unary_clip::f(x * a + b, vf32{}, broadcast(1.0f)); }
};
struct unary_hard_swish {
    template <class V>
    OCELLI_ALWAYS_INLINE static V f(V x, vf32, vf32) { return hard_swish(x); }
};
struct unary_swish { OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32 a, vf32) { return x * sigmoid(a * x); } };
struct unary_tanh { OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32, vf32) { return hyperbolic_tangent(x); } };
struct unary_exp { OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32, vf32) { return exponential(x); } };
struct unary_log { OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32, vf32) { return logarithm(x); } };
struct unary_sqrt { OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32, vf32) { return square_root(x); } };
struct unary_reciprocal { OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32, vf32) { return 1.0f / x; } };
struct unary_square { OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32, vf32) { return x * x; } };
struct unary_negate { OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32, vf32) { return -x; } };
struct unary_absolute { OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32, vf32) { return magnitude(x); } };
struct unary_erf {
    OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32, vf32) {
        const vf32 t = magnitude(x);
        return t < broadcast(1.0f) ? erf_near(x) + x : with_sign(1.0f - erf_complement(t), x);
    }
};
struct unary_gelu {
    template <class V>
    OCELLI_ALWAYS_INLINE static V f(V x, vf32, vf32) { return gelu(x); }
};
struct unary_gelu_tanh {
    OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32, vf32) {
        return 0.5f * x * (1.0f + hyperbolic_tangent(0.7978845608028654f * (x + 0.044715f * x * x * x)));
    }
};
OCELLI_ALWAYS_INLINE vf32 softplus(vf32 x) {
    return (x > vf32{} ? x : vf32{}) + log_one_plus(exponential_of_negative(-magnitude(x)));
}
struct unary_softplus { OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32, vf32) { return softplus(x); } };
struct unary_softsign { OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32, vf32) { return x / (1.0f + magnitude(x)); } };
struct unary_mish { OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32, vf32) { return x * hyperbolic_tangent(softplus(x)); } };
struct unary_elu { OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32 a, vf32) { return x < vf32{} ? a * exponential_minus_one(x) : x; } };
struct unary_selu { OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32 a, vf32 b) { return b * (x < vf32{} ? a * exponential_minus_one(x) : x); } };
struct unary_celu {
    OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32 a, vf32) {
        const vf32 low = a * exponential_minus_one(x / a);
        return (x < vf32{} ? vf32{} : x) + (low > vf32{} ? vf32{} : low);
    }
};

OCELLI_NOINLINE inline void copy_few(float* to, const float* from, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = from[i];
}

// The nearest whole number, halves to even; what has no fraction stays, NaN among it.
OCELLI_ALWAYS_INLINE vf32 nearest_whole(vf32 x) {
    const vf32 size = magnitude(x), large = broadcast(8388608.0f);
    const vf32 whole = rounded(size + large) - large;
    return size < large ? with_sign(whole, x) : x;
}
struct unary_round { OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32, vf32) { return nearest_whole(x); } };
struct unary_fake_quantize {
    OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32 a, vf32 b) {
        const vf32 y = nearest_whole(unary_clip::f(x / a, b, b + 255.0f)) * a;
        return x == x ? y : vf32{};
    }
};
struct unary_floor {
    OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32, vf32) {
        const vf32 whole = nearest_whole(x);
        return whole > x ? whole - 1.0f : whole;
    }
};
struct unary_ceil {
    OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32, vf32) {
        const vf32 whole = nearest_whole(x);
        return whole < x ? with_sign(whole + 1.0f, x) : whole;
    }
};
struct unary_cube { OCELLI_ALWAYS_INLINE static vf32 f(vf32 x, vf32, vf32) { return x * x * x; } };

template <class F>
void unary_row(std::int64_t n, const float* x, float* y, float a, float b) {
    constexpr int L = lanes<float>;
    const vf32 first = broadcast(a), second = broadcast(b);
    std::int64_t i = 0;
    if constexpr (requires(four v) { F::f(v, first, second); })
        for (; i + 4 * L <= n; i += 4 * L) store_four(y + i, L, F::f(load_four(x + i, L), first, second));
    for (; i + L <= n; i += L) store(y + i, F::f(load(x + i), first, second));
    if (i == n) return;
    float part[L] = {};
    copy_few(part, x + i, n - i);
    store(part, F::f(load<float>(part), first, second));
    copy_few(y + i, part, n - i);
}

// The sine of x + quarter pi / 2 for |x| to 8192: what whole multiples of pi / 2 leave of x, in three steps, and polynomials of Cephes.
OCELLI_ALWAYS_INLINE vf32 sine_near(vf32 x, std::int32_t quarter) {
    const vf32 magic = broadcast(rounds_to_integer), t = rounded(x * 0.636619772f + magic), k = t - magic;
    vf32 r = x - k * 1.5703125f;
    r = r - k * 4.837512969970703125e-4f;
    r = r - k * 7.549789948768648e-8f;
    const vf32 z = r * r;
    const vf32 sine = ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) * (z * r) + r;
    const vf32 cosine = ((2.443315711809948e-5f * z - 1.388731625493765e-3f) * z + 4.166664568298827e-2f) * (z * z) + (1.0f - 0.5f * z);
    const vi32 turns = __builtin_bit_cast(vi32, t) - __builtin_bit_cast(vi32, magic) + quarter;
    const vf32 y = (turns & 1) != 0 ? cosine : sine;
    return __builtin_bit_cast(vf32, __builtin_bit_cast(vi32, y) ^ ((turns & 2) << 30));
}

// Pieces that hold larger numbers, NaN or infinity are computed one by one.
template <std::int32_t Quarter>
void sine_row(std::int64_t n, const float* x, float* y, float, float) {
    constexpr int L = lanes<float>;
    constexpr std::int64_t piece = 16 * L;
    for (; n > 0; n -= piece, x += piece, y += piece) {
        const std::int64_t here = n < piece ? n : piece;
        float part[L] = {};
        vi32 largest{};
        std::int64_t i = 0;
        for (; i + L <= here; i += L) {
            const vi32 bits = __builtin_bit_cast(vi32, load(x + i)) & 0x7fffffff;
            largest = bits > largest ? bits : largest;
        }
        copy_few(part, x + i, here - i);
        const vi32 bits = __builtin_bit_cast(vi32, load<float>(part)) & 0x7fffffff;
        largest = bits > largest ? bits : largest;
        bool far = false;
        for (int l = 0; l < L; ++l) far = far || largest[l] > 0x46000000;  // 8192
        if (far) {
            for (i = 0; i < here; ++i) y[i] = static_cast<float>(Quarter == 0 ? __builtin_sin(static_cast<double>(x[i])) : __builtin_cos(static_cast<double>(x[i])));
            continue;
        }
        for (i = 0; i + L <= here; i += L) store(y + i, sine_near(load(x + i), Quarter));
        store(part, sine_near(load<float>(part), Quarter));
        copy_few(y + i, part, here - i);
    }
}

struct binary_add { OCELLI_ALWAYS_INLINE static vf32 f(vf32 a, vf32 b) { return a + b; } };
struct binary_subtract { OCELLI_ALWAYS_INLINE static vf32 f(vf32 a, vf32 b) { return a - b; } };
struct binary_multiply { OCELLI_ALWAYS_INLINE static vf32 f(vf32 a, vf32 b) { return a * b; } };
struct binary_divide { OCELLI_ALWAYS_INLINE static vf32 f(vf32 a, vf32 b) { return a / b; } };
struct binary_maximum { OCELLI_ALWAYS_INLINE static vf32 f(vf32 a, vf32 b) { return ((a > b) | (a != a)) ? a : b; } };
struct binary_minimum { OCELLI_ALWAYS_INLINE static vf32 f(vf32 a, vf32 b) { return ((a < b) | (a != a)) ? a : b; } };
struct binary_prelu { OCELLI_ALWAYS_INLINE static vf32 f(vf32 a, vf32 b) { return a < vf32{} ? a * b : a; } };

typedef float half_of_floats __attribute__((vector_size(sizeof(vf32) / 2)));

// 2^(y (n + log2 m)) for m in [sqrt 1/2, sqrt 2), as p 2^k with p in [sqrt 1/2, sqrt 2]; in double, of whose digits results of up to 2^128 need all that are more than a float's.
OCELLI_ALWAYS_INLINE void power_of_half(half_of_floats m32, half_of_floats n32, half_of_floats y32, half_of_floats& p32, half_of_floats& k32) {
    const vf64 m = __builtin_convertvector(m32, vf64), n = __builtin_convertvector(n32, vf64), y = __builtin_convertvector(y32, vf64);
    // The series of the inverse hyperbolic tangent, whose next term is 1.3e-12 of the first.
    const vf64 s = (m - 1.0) / (m + 1.0), q = s * s;
    vf64 series = q * (1.0 / 13) + 1.0 / 11;
    series = series * q + 1.0 / 9;
    series = series * q + 1.0 / 7;
    series = series * q + 1.0 / 5;
    series = series * q + 1.0 / 3;
    series = series * q + 1.0;
    vf64 z = y * (series * s * 2.88539008177792681 + n);
    z = z > 160.0 ? vf64{} + 160.0 : z;
    z = z < -160.0 ? vf64{} - 160.0 : z;
    constexpr double magic = 6755399441055744.0;  // 1.5 * 2^52
    const vf64 k = rounded(z + magic) - magic, f = (z - k) * 0.693147180559945309;
    // Taylor's series, whose next term is 7e-12.
    vf64 p = f * (1.0 / 362880) + 1.0 / 40320;
    p = p * f + 1.0 / 5040;
    p = p * f + 1.0 / 720;
    p = p * f + 1.0 / 120;
    p = p * f + 1.0 / 24;
    p = p * f + 1.0 / 6;
    p = p * f + 0.5;
    p = p * f + 1.0;
    p32 = __builtin_convertvector(p * f + 1.0, half_of_floats);
    k32 = __builtin_convertvector(k, half_of_floats);
}
template <int... J>
OCELLI_ALWAYS_INLINE void power_of_halves(vf32 m, vf32 n, vf32 y, vf32& p, vf32& k, std::integer_sequence<int, J...>) {
    constexpr int H = lanes<float> / 2;
    half_of_floats p0, p1, k0, k1;
    power_of_half(__builtin_shufflevector(m, m, J...), __builtin_shufflevector(n, n, J...), __builtin_shufflevector(y, y, J...), p0, k0);
    power_of_half(__builtin_shufflevector(m, m, (H + J)...), __builtin_shufflevector(n, n, (H + J)...), __builtin_shufflevector(y, y, (H + J)...), p1, k1);
    p = __builtin_shufflevector(p0, p1, J..., (H + J)...);
    k = __builtin_shufflevector(k0, k1, J..., (H + J)...);
}

// C's pow().
OCELLI_ALWAYS_INLINE vf32 power(vf32 x, vf32 y) {
    const vf32 size = magnitude(x), zero{}, one = broadcast(1.0f), infinity = __builtin_bit_cast(vf32, broadcast<std::int32_t>(0x7f800000));
    // size = 2^n m
    const vi32 small = size < broadcast(1.17549435e-38f);
    vi32 whole;
    const vf32 m = split_normal(small ? size * 8388608.0f : size, whole), n = __builtin_convertvector(whole, vf32) - (small ? broadcast(23.0f) : zero);
    vf32 p, k;
    power_of_halves(m, n, y, p, k, std::make_integer_sequence<int, lanes<float> / 2>{});
    vf32 v = times_power_of_two(p, __builtin_convertvector(k, vi32));
    v = ((size == zero) | (size == infinity)) ? ((size == zero) == (y < zero) ? infinity : zero) : v;
    const vi32 is_whole = nearest_whole(y) == y, is_odd = is_whole & (nearest_whole(y * 0.5f) != y * 0.5f);
    const vi32 below = __builtin_bit_cast(vi32, x) < 0;
    v = (below & is_odd) != 0 ? -v : v;
    const vf32 none = __builtin_bit_cast(vf32, broadcast<std::int32_t>(0x7fc00000));
    v = (below & ~is_whole & (size != infinity) & (size != zero)) != 0 ? none : v;
    v = ((x != x) | (y != y)) ? x + y : v;
    v = ((size == one) & (magnitude(y) == infinity)) ? one : v;
    return ((x == one) | (y == zero)) ? one : v;
}
struct binary_power { OCELLI_ALWAYS_INLINE static vf32 f(vf32 a, vf32 b) { return power(a, b); } };

// Which: 0 both operands' rows are dense, 1 the first is one number, 2 the second is.
template <class F, int Which>
void binary_block(const nn::detail::binary_rows& t) {
    constexpr int L = lanes<float>;
    const float* a = t.a;
    const float* b = t.b;
    float* y = t.y;
    const std::int64_t n = t.n;
    for (std::int64_t r = 0; r < t.rows; ++r) {
        const vf32 one = broadcast(Which == 1 ? *a : Which == 2 ? *b : 0.0f);
        std::int64_t i = 0;
        for (; i + L <= n; i += L) store(y + i, F::f(Which == 1 ? one : load(a + i), Which == 2 ? one : load(b + i)));
        if (i < n) {
            float left[L] = {}, right[L] = {};
            if constexpr (Which != 1) copy_few(left, a + i, n - i);
            if constexpr (Which != 2) copy_few(right, b + i, n - i);
            store(left, F::f(Which == 1 ? one : load<float>(left), Which == 2 ? one : load<float>(right)));
            copy_few(y + i, left, n - i);
        }
        a += t.a_row;
        b += t.b_row;
        y += t.y_row;
    }
}

// Where a line's largest element is infinite, x - peak is NaN for it, and so is the sum.
inline void softmax_row(std::int64_t n, const float* x, float* y) {
    constexpr int L = lanes<float>;
    const vf32 lowest = __builtin_bit_cast(vf32, broadcast(static_cast<std::int32_t>(0xff800000u)));
    vf32 peaks = lowest;
    std::int64_t i = 0;
    for (; i + L <= n; i += L) peaks = max(load(x + i), peaks);
    float part[L];
    if (i < n) {
        store(part, lowest);
        copy_few(part, x + i, n - i);
        peaks = max(load<float>(part), peaks);
    }
    const vf32 shift = broadcast(max_lane<float>(peaks));
    vf32 sums{};
    for (i = 0; i + 4 * L <= n; i += 4 * L) {
        const four e = exponential_of_negative(load_four(x + i, L) - shift);
        store_four(y + i, L, e);
        sums = sums + ((e.a + e.b) + (e.c + e.d));
    }
    for (; i + L <= n; i += L) {
        const vf32 e = exponential_of_negative(load(x + i) - shift);
        store(y + i, e);
        sums = sums + e;
    }
    if (i < n) {
        const vf32 e = exponential_of_negative(load<float>(part) - shift);
        store(part, e);
        sums = sums + e;
        copy_few(y + i, part, n - i);
    }
    const float scale = 1.0f / sum_lanes<float>(sums);
    for (i = 0; i + L <= n; i += L) store(y + i, load<float>(y + i) * scale);
    for (; i < n; ++i) y[i] = y[i] * scale;
}

OCELLI_ALWAYS_INLINE four four_of(vf32 x) {
    return {x, x, x, x};
}
OCELLI_ALWAYS_INLINE four larger(four x, four y) {
    return {max(x.a, y.a), max(x.b, y.b), max(x.c, y.c), max(x.d, y.d)};
}
/// Each vector's largest lane in all of its lanes.
OCELLI_ALWAYS_INLINE four largest_lane(four x) {
    return {broadcast(max_lane<float>(x.a)), broadcast(max_lane<float>(x.b)), broadcast(max_lane<float>(x.c)), broadcast(max_lane<float>(x.d))};
}
OCELLI_ALWAYS_INLINE four chosen(vi32 which, four x, vf32 otherwise) {
    return {which ? x.a : otherwise, which ? x.b : otherwise, which ? x.c : otherwise, which ? x.d : otherwise};
}

inline void scale_and_add(std::int64_t rows, std::int64_t n, std::int64_t pitch, float factor, const float* a, std::int64_t a_row, const float* b, std::int64_t b_row, float* x) {
    constexpr int L = lanes<float>;
    for (; rows > 0; --rows, x += pitch, a += a_row) {
        std::int64_t i = 0;
        for (; i + L <= n; i += L) {
            const vf32 sum = load(x + i) * factor + load(a + i);
            store(x + i, b != nullptr ? sum + load(b + i) : sum);
        }
        for (; i < n; ++i) {
            const float sum = x[i] * factor + a[i];
            x[i] = b != nullptr ? sum + b[i] : sum;
        }
        if (b != nullptr) b += b_row;
    }
}

// Four rows at a time, or one as four of the same: each has its own chain of maxima and of sums.
inline void softmax_weights(std::int64_t rows, std::int64_t n, std::int64_t pitch, float factor, float* x, float* inverse) {
    constexpr int L = lanes<float>;
    const vf32 lowest = __builtin_bit_cast(vf32, broadcast(static_cast<std::int32_t>(0xff800000u)));
    const four factors = four_of(broadcast(factor));
    const std::int64_t whole = n / L * L;
    vi32 used{};
    for (int l = 0; l < static_cast<int>(n - whole); ++l) used[l] = -1;
    for (std::int64_t r = 0; r < rows;) {
        const std::int64_t step = rows - r >= 4 ? pitch : 0;
        float* const row = x + r * pitch;
        four peaks = four_of(lowest);
        std::int64_t i = 0;
        for (; i < whole; i += L) peaks = larger(load_four(row + i, step) * factors, peaks);
        if (i < n) peaks = larger(chosen(used, load_four(row + i, step) * factors, lowest), peaks);
        const four shift = largest_lane(peaks);
        four sums = four_of(vf32{});
        for (i = 0; i < whole; i += L) {
            const four e = exponential_of_negative(load_four(row + i, step) * factors - shift);
            store_four(row + i, step, e);
            sums = sums + e;
        }
        if (i < n) {
            const four e = exponential_of_negative(chosen(used, load_four(row + i, step) * factors, lowest) - shift);
            store_four(row + i, step, e);
            sums = sums + e;
        }
        inverse[r] = 1.0f / sum_lanes<float>(sums.a);
        if (step != 0) {
            inverse[r + 1] = 1.0f / sum_lanes<float>(sums.b);
            inverse[r + 2] = 1.0f / sum_lanes<float>(sums.c);
            inverse[r + 3] = 1.0f / sum_lanes<float>(sums.d);
        }
        r += step != 0 ? 4 : 1;
    }
}

// The same of short rows, one behind the other, divided: a row alone would wait for its own maximum and sum.
inline void softmax_short_rows(std::int64_t rows, std::int64_t n, const float* x, float* y) {
    constexpr int L = lanes<float>;
    const vf32 lowest = __builtin_bit_cast(vf32, broadcast(static_cast<std::int32_t>(0xff800000u)));
    const std::int64_t whole = n / L * L, left = n - whole;
    float part[4 * L];
    for (std::int64_t r = 0; r < rows;) {
        const std::int64_t step = rows - r >= 4 ? n : 0;
        const float* const from = x + r * n;
        float* const to = y + r * n;
        four peaks = four_of(lowest), rest = peaks;
        if (left != 0) {
            store_four(part, L, rest);
            for (int k = 0; k < 4; ++k) copy_few(part + k * L, from + k * step + whole, left);
            peaks = rest = load_four(part, L);
        }
        for (std::int64_t i = 0; i < whole; i += L) peaks = larger(load_four(from + i, step), peaks);
        const four shift = largest_lane(peaks);
        four sums = four_of(vf32{});
        for (std::int64_t i = 0; i < whole; i += L) {
            const four e = exponential_of_negative(load_four(from + i, step) - shift);
            store_four(to + i, step, e);
            sums = sums + e;
        }
        if (left != 0) {
            rest = exponential_of_negative(rest - shift);
            sums = sums + rest;
        }
        const four scale{broadcast(1.0f / sum_lanes<float>(sums.a)), broadcast(1.0f / sum_lanes<float>(sums.b)), broadcast(1.0f / sum_lanes<float>(sums.c)),
                         broadcast(1.0f / sum_lanes<float>(sums.d))};
        for (std::int64_t i = 0; i < whole; i += L) store_four(to + i, step, load_four(to + i, step) * scale);
        if (left != 0) {
            store_four(part, L, rest * scale);
            for (int k = 0; k < 4; ++k) copy_few(to + k * step + whole, part + k * L, left);
        }
        r += step != 0 ? 4 : 1;
    }
}

inline void softmax_rows(std::int64_t rows, std::int64_t n, const float* x, float* y) {
    if (n < 512) return softmax_short_rows(rows, n, x, y);
    for (std::int64_t r = 0; r < rows; ++r) softmax_row(n, x + r * n, y + r * n);
}

inline void softmax_column_block(std::int64_t n, std::int64_t columns, std::int64_t pitch, const float* x, float* y) {
    constexpr int L = lanes<float>;
    for (std::int64_t c = 0; c < columns; c += L) {
        const std::int64_t left = columns - c;
        const int used = left < L ? static_cast<int>(left) : L;
        float part[L] = {};
        vf32 peak = __builtin_bit_cast(vf32, broadcast(static_cast<std::int32_t>(0xff800000u))), sum{};
        for (std::int64_t k = 0; k < n; ++k) {
            const float* from = x + k * pitch + c;
            if (used < L) {
                copy_few(part, from, used);
                from = part;
            }
            const vf32 v = load<float>(from);
            peak = max(v, peak);
        }
        for (std::int64_t k = 0; k < n; ++k) {
            const float* from = x + k * pitch + c;
            if (used < L) {
                copy_few(part, from, used);
                from = part;
            }
            const vf32 e = exponential_of_negative(load<float>(from) - peak);
            sum = sum + e;
            if (used < L) {
                store(part, e);
                copy_few(y + k * pitch + c, part, used);
            } else store(y + k * pitch + c, e);
        }
        const vf32 scale = 1.0f / sum;
        for (std::int64_t k = 0; k < n; ++k) {
            float* to = y + k * pitch + c;
            if (used < L) {
                copy_few(part, to, used);
                store(part, load<float>(part) * scale);
                copy_few(to, part, used);
            } else store(to, load<float>(to) * scale);
        }
    }
}

// Rows of two: each vector holds whole rows.
OCELLI_ALWAYS_INLINE vf32 neighbours(vf32 x) {
    return lanes_away<1>(x, std::make_integer_sequence<int, lanes<float>>());
}
OCELLI_ALWAYS_INLINE vf32 softmax_of_pairs(vf32 x) {
    const vf32 e = exponential_of_negative(x - max(neighbours(x), x));
    return e * (1.0f / (e + neighbours(e)));
}
inline void softmax_pairs(std::int64_t rows, const float* x, float* y) {
    constexpr int L = lanes<float>;
    const std::int64_t n = 2 * rows;
    std::int64_t i = 0;
    for (; i + 2 * L <= n; i += 2 * L) {
        const vf32 a = softmax_of_pairs(load(x + i)), b = softmax_of_pairs(load(x + i + L));
        store(y + i, a);
        store(y + i + L, b);
    }
    for (; i < n; i += L) {
        float part[L] = {};
        const std::int64_t used = n - i < L ? n - i : L;
        copy_few(part, x + i, used);
        store(part, softmax_of_pairs(load<float>(part)));
        copy_few(y + i, part, used);
    }
}

template <class F>
void fill_binary(nn::detail::elementwise_kernels& t, nn::binary_function f) {
    t.binary[static_cast<int>(f)][0] = &binary_block<F, 0>;
    t.binary[static_cast<int>(f)][1] = &binary_block<F, 1>;
    t.binary[static_cast<int>(f)][2] = &binary_block<F, 2>;
}

inline nn::detail::elementwise_kernels make_elementwise_kernels() {
    nn::detail::elementwise_kernels t;
    t.lanes = lanes<float>;
#define OCELLI_UNARY_(name) t.unary[static_cast<int>(nn::unary_function::name)] = &unary_row<unary_##name>
    OCELLI_UNARY_(relu);
    OCELLI_UNARY_(leaky_relu);
    OCELLI_UNARY_(clip);
    OCELLI_UNARY_(thresholded_relu);
    OCELLI_UNARY_(sigmoid);
    OCELLI_UNARY_(fake_quantize);
    OCELLI_UNARY_(hard_sigmoid);
    OCELLI_UNARY_(hard_swish);
    OCELLI_UNARY_(swish);
    OCELLI_UNARY_(tanh);
    OCELLI_UNARY_(exp);
    OCELLI_UNARY_(log);
    OCELLI_UNARY_(sqrt);
    OCELLI_UNARY_(reciprocal);
    OCELLI_UNARY_(square);
    OCELLI_UNARY_(negate);
    OCELLI_UNARY_(absolute);
    OCELLI_UNARY_(erf);
    OCELLI_UNARY_(gelu);
    OCELLI_UNARY_(gelu_tanh);
    OCELLI_UNARY_(softplus);
    OCELLI_UNARY_(softsign);
    OCELLI_UNARY_(mish);
    OCELLI_UNARY_(elu);
    OCELLI_UNARY_(selu);
    OCELLI_UNARY_(celu);
    OCELLI_UNARY_(floor);
    OCELLI_UNARY_(ceil);
    OCELLI_UNARY_(round);
    OCELLI_UNARY_(cube);
#undef OCELLI_UNARY_
    t.unary[static_cast<int>(nn::unary_function::sin)] = &sine_row<0>;
    t.unary[static_cast<int>(nn::unary_function::cos)] = &sine_row<1>;
    fill_binary<binary_add>(t, nn::binary_function::add);
    fill_binary<binary_subtract>(t, nn::binary_function::subtract);
    fill_binary<binary_multiply>(t, nn::binary_function::multiply);
    fill_binary<binary_divide>(t, nn::binary_function::divide);
    fill_binary<binary_maximum>(t, nn::binary_function::maximum);
    fill_binary<binary_minimum>(t, nn::binary_function::minimum);
    fill_binary<binary_prelu>(t, nn::binary_function::prelu);
    fill_binary<binary_power>(t, nn::binary_function::power);
    t.softmax_rows = &softmax_rows;
    t.softmax_columns = &softmax_column_block;
    t.softmax_pairs = &softmax_pairs;
    t.scale_and_add = &scale_and_add;
    t.softmax_weights = &softmax_weights;
    return t;
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
