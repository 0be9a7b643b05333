// Functions of vectors that products and element-wise kernels share. Compiled once per instruction set.
//
// Each takes one vector or four: a function is a chain in which every step waits for the one before, and four chains side by side hide that. The bits
// of a lane are the same either way.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

/// Four vectors, on which the steps of a function are taken together.
struct four {
    vf32 a, b, c, d;
};

OCELLI_ALWAYS_INLINE four operator+(four x, four y) { return {x.a + y.a, x.b + y.b, x.c + y.c, x.d + y.d}; }
OCELLI_ALWAYS_INLINE four operator-(four x, four y) { return {x.a - y.a, x.b - y.b, x.c - y.c, x.d - y.d}; }
OCELLI_ALWAYS_INLINE four operator*(four x, four y) { return {x.a * y.a, x.b * y.b, x.c * y.c, x.d * y.d}; }
OCELLI_ALWAYS_INLINE four operator+(four x, vf32 y) { return {x.a + y, x.b + y, x.c + y, x.d + y}; }
OCELLI_ALWAYS_INLINE four operator-(four x, vf32 y) { return {x.a - y, x.b - y, x.c - y, x.d - y}; }
OCELLI_ALWAYS_INLINE four operator+(four x, float y) { return x + broadcast(y); }
OCELLI_ALWAYS_INLINE four operator-(four x, float y) { return x - broadcast(y); }
OCELLI_ALWAYS_INLINE four operator-(float y, four x) {
    const vf32 v = broadcast(y);
    return {v - x.a, v - x.b, v - x.c, v - x.d};
}

OCELLI_ALWAYS_INLINE four operator-(four x) { return {-x.a, -x.b, -x.c, -x.d}; }

/// x y + z, fused where the processor can: Clang only fuses what stands in one expression.
OCELLI_ALWAYS_INLINE vf32 multiply_add(vf32 x, vf32 y, vf32 z) { return x * y + z; }
OCELLI_ALWAYS_INLINE four multiply_add(four x, four y, four z) { return {x.a * y.a + z.a, x.b * y.b + z.b, x.c * y.c + z.c, x.d * y.d + z.d}; }
OCELLI_ALWAYS_INLINE four multiply_add(four x, four y, vf32 z) { return {x.a * y.a + z, x.b * y.b + z, x.c * y.c + z, x.d * y.d + z}; }
OCELLI_ALWAYS_INLINE four multiply_add(four x, vf32 y, four z) { return {x.a * y + z.a, x.b * y + z.b, x.c * y + z.c, x.d * y + z.d}; }
OCELLI_ALWAYS_INLINE four multiply_add(four x, vf32 y, vf32 z) { return {x.a * y + z, x.b * y + z, x.c * y + z, x.d * y + z}; }
template <class V>
OCELLI_ALWAYS_INLINE V multiply_add(V x, V y, float z) {
    return multiply_add(x, y, broadcast(z));
}
template <class V>
OCELLI_ALWAYS_INLINE V multiply_add(V x, float y, V z) {
    return multiply_add(x, broadcast(y), z);
}
template <class V>
OCELLI_ALWAYS_INLINE V multiply_add(V x, float y, float z) {
    return multiply_add(x, broadcast(y), broadcast(z));
}

OCELLI_ALWAYS_INLINE four load_four(const float* p, std::int64_t step) {
    return {load(p), load(p + step), load(p + 2 * step), load(p + 3 * step)};
}
OCELLI_ALWAYS_INLINE void store_four(float* p, std::int64_t step, four x) {
    store(p, x.a);
    store(p + step, x.b);
    store(p + 2 * step, x.c);
    store(p + 3 * step, x.d);
}

OCELLI_ALWAYS_INLINE four rounded(four x) { return {rounded(x.a), rounded(x.b), rounded(x.c), rounded(x.d)}; }

/// NaN stays NaN.
OCELLI_ALWAYS_INLINE vf32 at_least(vf32 x, float low) { return max(broadcast(low), x); }
OCELLI_ALWAYS_INLINE vf32 at_most(vf32 x, float high) { return min(broadcast(high), x); }
OCELLI_ALWAYS_INLINE four at_least(four x, float low) { return {at_least(x.a, low), at_least(x.b, low), at_least(x.c, low), at_least(x.d, low)}; }
OCELLI_ALWAYS_INLINE four at_most(four x, float high) { return {at_most(x.a, high), at_most(x.b, high), at_most(x.c, high), at_most(x.d, high)}; }

OCELLI_ALWAYS_INLINE vf32 magnitude(vf32 x) { return __builtin_bit_cast(vf32, __builtin_bit_cast(vi32, x) & 0x7fffffff); }
OCELLI_ALWAYS_INLINE four magnitude(four x) { return {magnitude(x.a), magnitude(x.b), magnitude(x.c), magnitude(x.d)}; }

/// a where x is negative, b elsewhere and for NaN.
OCELLI_ALWAYS_INLINE vf32 where_negative(vf32 x, vf32 a, vf32 b) { return x < vf32{} ? a : b; }
OCELLI_ALWAYS_INLINE four where_negative(four x, four a, four b) {
    return {where_negative(x.a, a.a, b.a), where_negative(x.b, a.b, b.b), where_negative(x.c, a.c, b.c), where_negative(x.d, a.d, b.d)};
}

/// Adding it to a number of less than 2^22 rounds that to an integer, which then stands in the sum's lowest bits: 1.5 * 2^23.
inline constexpr float rounds_to_integer = 12582912.0f;

/// p * 2^n for p in [1/2, 2], n + rounds_to_integer being t: the shift drops all of t but n. The result must be a normal number; a number for NaN.
OCELLI_ALWAYS_INLINE vf32 times_power_of_two(vf32 p, vf32 t) {
    return __builtin_bit_cast(vf32, __builtin_bit_cast(vi32, p) + (__builtin_bit_cast(vi32, t) << 23));
}
OCELLI_ALWAYS_INLINE four times_power_of_two(four p, four t) {
    return {times_power_of_two(p.a, t.a), times_power_of_two(p.b, t.b), times_power_of_two(p.c, t.c), times_power_of_two(p.d, t.d)};
}

/// p * 2^n for p in [1/2, 2] and an integer n in [-300, 0], t being n + rounds_to_integer; may be 0 where it is not a normal number. NaN for NaN.
OCELLI_ALWAYS_INLINE vf32 times_falling_power(vf32 p, vf32 n, [[maybe_unused]] vf32 t) {
#if OCELLI_TARGET_LEVEL == 2
    vf32 r;
    asm("vscalefps %2, %1, %0" : "=v"(r) : "v"(p), "v"(n));
    return r;
#else
    return n < broadcast(-125.0f) ? vf32{} : n == n ? times_power_of_two(p, t) : n;
#endif
}
OCELLI_ALWAYS_INLINE four times_falling_power(four p, four n, four t) {
    return {times_falling_power(p.a, n.a, t.a), times_falling_power(p.b, n.b, t.b), times_falling_power(p.c, n.c, t.c), times_falling_power(p.d, n.d, t.d)};
}

#if OCELLI_TARGET_LEVEL == 2
OCELLI_ALWAYS_INLINE vf32 reciprocal_estimate(vf32 x) {
    vf32 r;
    asm("vrcp14ps %1, %0" : "=v"(r) : "v"(x));
    return r;
}
OCELLI_ALWAYS_INLINE four reciprocal_estimate(four x) {
    return {reciprocal_estimate(x.a), reciprocal_estimate(x.b), reciprocal_estimate(x.c), reciprocal_estimate(x.d)};
}
/// 1 / x for x in [1, 2^127): an estimate and one Newton step, a third of a division's time; within 2 units in the last place.
template <class V>
OCELLI_ALWAYS_INLINE V reciprocal_fast(V x) {
    const V r = reciprocal_estimate(x);
    return r * multiply_add(-x, r, 2.0f);
}
#else
OCELLI_ALWAYS_INLINE vf32 reciprocal_fast(vf32 x) { return 1.0f / x; }
OCELLI_ALWAYS_INLINE four reciprocal_fast(four x) {
    return {reciprocal_fast(x.a), reciprocal_fast(x.b), reciprocal_fast(x.c), reciprocal_fast(x.d)};
}
#endif

/// 2^f for f in [-1/2, 1/2], within 1.5e-7 of the value (4e-6 at its ends without FMA).
template <class V>
OCELLI_ALWAYS_INLINE V power_of_two_near(V f) {
    V p = multiply_add(f, 1.3264727e-3f, 9.671513e-3f);
    p = multiply_add(p, f, 5.5507336e-2f);
    p = multiply_add(p, f, 2.4022242e-1f);
    p = multiply_add(p, f, 6.93147e-1f);
    return multiply_add(p, f, 1.0f);
}

#if OCELLI_TARGET_LEVEL == 2
/// As rounds_to_integer, to parts of 1 / 32: 1.5 * 2^18.
inline constexpr float rounds_to_part = 393216.0f;
// The bits of 2^(i / 32), less i << 18, for i from 0.
inline constexpr std::int32_t powers_of_parts[32] = {1065353216, 1065274759, 1065200323, 1065129999, 1065063874, 1065002042, 1064944595, 1064891632,
                                                     1064843248, 1064799546, 1064760626, 1064726595, 1064697559, 1064673627, 1064654911, 1064641526,
                                                     1064633587, 1064631215, 1064634532, 1064643661, 1064658730, 1064679870, 1064707212, 1064740894,
                                                     1064781053, 1064827832, 1064881375, 1064941831, 1065009351, 1065084090, 1065166205, 1065255859};

/// 2^(m / 32) for an integer m, t being m / 32 + rounds_to_part: the lowest five bits look it up in two registers, those above go to the exponent. The
/// result must be a normal number; a number for NaN.
OCELLI_ALWAYS_INLINE vf32 power_of_parts(vf32 t) {
    const vi32 bits = __builtin_bit_cast(vi32, t);
    vi32 power = bits;
    asm("vpermi2d %2, %1, %0" : "+v"(power) : "v"(load(powers_of_parts)), "v"(load(powers_of_parts + 16)));
    return __builtin_bit_cast(vf32, power + (bits << 18));
}
OCELLI_ALWAYS_INLINE four power_of_parts(four t) {
    return {power_of_parts(t.a), power_of_parts(t.b), power_of_parts(t.c), power_of_parts(t.d)};
}

/// x within [-high, high]: the one of less magnitude, with the sign of x. A number for NaN.
OCELLI_ALWAYS_INLINE vf32 within(vf32 x, float high) {
    vf32 r;
    asm("vrangeps $2, %2, %1, %0" : "=v"(r) : "v"(x), "v"(broadcast(high)));
    return r;
}
OCELLI_ALWAYS_INLINE four within(four x, float high) { return {within(x.a, high), within(x.b, high), within(x.c, high), within(x.d, high)}; }
#endif

/// 1 / (1 + exp(-x)), exp(-x) being 2^m 2^f; within 4e-7 of the value near 0, 1.4e-6 at the ends (8e-6 without FMA); a number for NaN.
template <class V>
OCELLI_ALWAYS_INLINE V sigmoid_of_number(V x) {
#if OCELLI_TARGET_LEVEL == 2
    // Whole parts of 1 / 32 from two registers: a polynomial of two terms is left.
    const V v = within(x, 87.0f);
    const V t = rounded(multiply_add(v, -1.44269504f, rounds_to_part));
    const V f = multiply_add(v, -1.44269504f, rounds_to_part - t);
    V p = multiply_add(f, 2.402266e-1f, 6.931573e-1f);
    p = multiply_add(p, f, 1.0f);
    return reciprocal_fast(multiply_add(p, power_of_parts(t), 1.0f));
#else
    const V v = at_most(at_least(x, -87.0f), 87.0f);
    const V t = rounded(multiply_add(v, -1.44269504f, rounds_to_integer));
    const V f = multiply_add(v, -1.44269504f, rounds_to_integer - t);
    return reciprocal_fast(times_power_of_two(power_of_two_near(f), t) + 1.0f);
#endif
}

template <class V>
OCELLI_ALWAYS_INLINE V silu(V x) {
    return x * sigmoid_of_number(x);
}

template <class V>
OCELLI_ALWAYS_INLINE V hard_swish(V x) {
    return x * at_most(at_least(multiply_add(x, 1.0f / 6.0f, 0.5f), 0.0f), 1.0f);
}

#if OCELLI_TARGET_LEVEL == 2
// Phi(-(i + 1/2 + f) / 2.5859375) for f in [-1/2, 1/2] by polynomials, highest power first, each row for i from 0; 0 for i = 15.
inline constexpr float normal_left[7][16] = {
    {5.14992189e-6f, 1.05830431e-5f, 7.21841252e-6f, -1.12860565e-8f, -4.31138051e-6f, -3.95880534e-6f, -1.59670196e-6f, 1.41843032e-7f,
     6.45184855e-7f, 4.88748015e-7f, 2.36206731e-7f, 8.49044213e-8f, 2.39803022e-8f, 5.46802781e-9f, 1.02261921e-9f, 0.0f},
    {-7.77796886e-5f, -2.65343315e-5f, 3.08369563e-5f, 5.29147728e-5f, 3.78326622e-5f, 1.11328673e-5f, -5.97314374e-6f, -9.91369234e-6f,
     -7.11037319e-6f, -3.52929669e-6f, -1.34252127e-6f, -4.07897005e-7f, -1.01144927e-7f, -2.07359818e-8f, -3.54474072e-9f, 0.0f},
    {-2.09007572e-4f, -4.85379103e-4f, -4.65114223e-4f, -2.35138243e-4f, 4.01837906e-6f, 1.25459555e-4f, 1.31642795e-4f, 8.69734577e-5f,
     4.29757274e-5f, 1.68180359e-5f, 5.35513118e-6f, 1.40868940e-6f, 3.09074011e-7f, 5.69273730e-8f, 8.84293261e-9f, 0.0f},
    {3.63270612e-3f, 2.15625577e-3f, 1.57546150e-4f, -1.27986551e-3f, -1.71572075e-3f, -1.41124835e-3f, -8.68367846e-4f, -4.24859289e-4f,
     -1.69893363e-4f, -5.63647627e-5f, -1.56573387e-5f, -3.66383642e-6f, -7.25268308e-7f, -1.21827284e-7f, -1.74053341e-8f, 0.0f},
    {5.66080166e-3f, 1.46235796e-2f, 1.80722252e-2f, 1.61548723e-2f, 1.14200106e-2f, 6.60830224e-3f, 3.18396580e-3f, 1.28972961e-3f,
     4.41868498e-4f, 1.28554850e-4f, 3.18491984e-5f, 6.73293425e-6f, 1.21637083e-6f, 1.88014013e-7f, 2.48871164e-8f, 0.0f},
    {-1.51416734e-1f, -1.30385250e-1f, -9.66802463e-2f, -6.17307574e-2f, -3.39406431e-2f, -1.60691589e-2f, -6.55120006e-3f, -2.29986943e-3f,
     -6.95248658e-4f, -1.80980540e-4f, -4.05675128e-5f, -7.83032556e-6f, -1.30147612e-6f, -1.86272075e-7f, -2.29569697e-8f, 0.0f},
    {4.23341066e-1f, 2.80936927e-1f, 1.66830167e-1f, 8.79520774e-2f, 4.09135967e-2f, 1.67146865e-2f, 5.97537635e-3f, 1.86401571e-3f,
     5.06287848e-4f, 1.19524208e-4f, 2.44919520e-5f, 4.35126185e-6f, 6.69632243e-7f, 8.91993750e-8f, 1.02783133e-8f, 0.0f}};

/// The element of `table` at the integer that the lowest four bits of t hold.
OCELLI_ALWAYS_INLINE vf32 one_of_sixteen(const float (&table)[16], vf32 t) {
    vf32 r;
    asm("vpermps %2, %1, %0" : "=v"(r) : "v"(t), "v"(load(table)));
    return r;
}
OCELLI_ALWAYS_INLINE four one_of_sixteen(const float (&table)[16], four t) {
    return {one_of_sixteen(table, t.a), one_of_sixteen(table, t.b), one_of_sixteen(table, t.c), one_of_sixteen(table, t.d)};
}
#endif

/// x Phi(x), within 6e-7 of max(|x Phi(x)|, 0.1). Below -5.66, where Phi is under 8e-9, no more than its size is right, or it is 0.
template <class V>
OCELLI_ALWAYS_INLINE V gelu(V x) {
#if OCELLI_TARGET_LEVEL == 2
    // left = Phi(-|x|), from which no digits are lost on the left; 0 beyond 5.8.
    const V s = multiply_add(at_most(magnitude(x), 15.5f / 2.5859375f), 2.5859375f, -0.5f);
    const V t = rounded(s + rounds_to_integer), f = s - (t - rounds_to_integer);
    V left = multiply_add(one_of_sixteen(normal_left[0], t), f, one_of_sixteen(normal_left[1], t));
    left = multiply_add(left, f, one_of_sixteen(normal_left[2], t));
    left = multiply_add(left, f, one_of_sixteen(normal_left[3], t));
    left = multiply_add(left, f, one_of_sixteen(normal_left[4], t));
    left = multiply_add(left, f, one_of_sixteen(normal_left[5], t));
    left = multiply_add(left, f, one_of_sixteen(normal_left[6], t));
#else
    // 2^y = Phi(-|x|), from which no digits are lost on the left; y by a polynomial up to 5.66, by a line beyond.
    const V t = magnitude(x), u = at_most(t, 5.66f);
    V p = multiply_add(u, -1.5826758e-08f, 5.1081668e-07f);
    p = multiply_add(p, u, -7.0538981e-06f);
    p = multiply_add(p, u, 5.2408715e-05f);
    p = multiply_add(p, u, -0.00019170120f);
    p = multiply_add(p, u, -0.00019568825f);
    p = multiply_add(p, u, 0.0072068078f);
    p = multiply_add(p, u, -0.052635550f);
    p = multiply_add(p, u, -0.45914856f);
    p = multiply_add(p, u, -1.1511145f);
    p = multiply_add(p, u, -0.99999976f);
    const V y = at_least(multiply_add(u - t, 12.0f, p), -200.0f);
    const V whole = rounded(y + rounds_to_integer), n = whole - rounds_to_integer;
    const V left = times_falling_power(power_of_two_near(y - n), n, whole);
#endif
    return x * where_negative(x, left, 1.0f - left);
}

/// exp(r) for |r| <= ln 2 / 2, less 1.
template <class V>
OCELLI_ALWAYS_INLINE V exp_minus_one_near(V r) {
    V p = multiply_add(r, 0.00139517147f, 0.00836959866f);
    p = multiply_add(p, r, 0.0416661873f);
    p = multiply_add(p, r, 0.166665129f);
    p = multiply_add(p, r, 0.5f);
    return multiply_add(p * r, r, r);
}

/// exp(x) for x that is not positive; what is not a normal number may be 0. NaN stays.
template <class V>
OCELLI_ALWAYS_INLINE V exponential_of_negative(V x) {
    const V v = at_least(x, -200.0f);
    const V t = rounded(multiply_add(v, 1.44269504088896341f, rounds_to_integer));
    const V n = t - rounds_to_integer;
    const V r = multiply_add(n, 2.12194440e-4f, multiply_add(n, -0.693359375f, v));
    return times_falling_power(exp_minus_one_near(r) + 1.0f, n, t);
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
