// Masks as bits: packing, unpacking and counting. Compiled once per target by for_each_target.hpp: no guard, no includes.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

/// One bit per byte that is not 0, of the 64 at p.
OCELLI_ALWAYS_INLINE std::uint64_t nonzero_bits(const std::uint8_t* p) {
#if OCELLI_TARGET_LEVEL == 2
    std::uint64_t bits;
    const vec<std::uint8_t> v = load(p);
    asm("vptestmb %1, %1, %0" : "=Yk"(bits) : "v"(v));
    return bits;
#elif OCELLI_TARGET_LEVEL == 1
    std::uint64_t bits = 0;
    for (int k = 0; k < 2; ++k) {
        const vec<std::uint8_t> v = load(p + 32 * k);
        const auto zero = v == vec<std::uint8_t>{};
        unsigned part;
        asm("vpmovmskb %1, %0" : "=r"(part) : "x"(zero));
        bits |= std::uint64_t{part} << 32 * k;
    }
    return ~bits;
#elif defined(__x86_64__) || defined(__SSE2__)
    std::uint64_t bits = 0;
    for (int k = 0; k < 4; ++k) {
        const vec<std::uint8_t> v = load(p + 16 * k);
        const auto zero = v == vec<std::uint8_t>{};
        unsigned part;
        asm("pmovmskb %1, %0" : "=r"(part) : "x"(zero));
        bits |= std::uint64_t{part} << 16 * k;
    }
    return ~bits;
#else
    std::uint64_t bits = 0;
    for (int i = 0; i < 64; ++i) bits |= std::uint64_t{p[i] != 0} << i;
    return bits;
#endif
}

inline void mask_pack_kernel(const std::uint8_t* OCELLI_RESTRICT bytes, std::size_t n, std::uint64_t* OCELLI_RESTRICT words) {
    const std::size_t whole = n / 64;
    for (std::size_t i = 0; i < whole; ++i) words[i] = nonzero_bits(bytes + 64 * i);
    if (n % 64 != 0) {
        std::uint64_t bits = 0;
        for (std::size_t i = 0; i < n % 64; ++i) bits |= std::uint64_t{bytes[64 * whole + i] != 0} << i;
        words[whole] = bits;
    }
}

/// Eight bytes of 0 and 1 from eight bits, the lowest first in memory.
OCELLI_ALWAYS_INLINE std::uint64_t spread_bits(std::uint64_t byte) {
    // Every lane keeps its own bit of the byte; adding 127 carries it to the lane's top.
    const std::uint64_t own = (byte * 0x0101010101010101u) & 0x8040201008040201u;
    return ((own + 0x7f7f7f7f7f7f7f7fu) >> 7) & 0x0101010101010101u;
}

inline void mask_unpack_kernel(const std::uint64_t* OCELLI_RESTRICT words, std::size_t n, std::uint8_t* OCELLI_RESTRICT bytes) {
    const std::size_t whole = n / 64;
    for (std::size_t i = 0; i < whole; ++i) {
        const std::uint64_t word = words[i];
        std::uint8_t* to = bytes + 64 * i;
#if OCELLI_TARGET_LEVEL == 2
        const vec<std::uint8_t> ones = vec<std::uint8_t>{} + std::uint8_t{1};
        vec<std::uint8_t> out;
        asm("vmovdqu8 %1, %0%{%2%}%{z%}" : "=v"(out) : "v"(ones), "Yk"(word));
        store(to, out);
#else
        if (word == 0 || word == ~std::uint64_t{0}) {
            const vec<std::uint8_t> all = vec<std::uint8_t>{} + static_cast<std::uint8_t>(word & 1);
            for (int k = 0; k < 64; k += lanes<std::uint8_t>) store(to + k, all);
            continue;
        }
        for (int k = 0; k < 8; ++k) {
            const std::uint64_t eight = spread_bits((word >> 8 * k) & 0xff);
            for (int b = 0; b < 8; ++b) to[8 * k + b] = static_cast<std::uint8_t>(eight >> 8 * b);
        }
#endif
    }
    for (std::size_t i = 0; i < n % 64; ++i) bytes[64 * whole + i] = static_cast<std::uint8_t>((words[whole] >> i) & 1);
}

/// Set bits of each 64-bit lane.
OCELLI_ALWAYS_INLINE vec<std::uint64_t> lane_counts(vec<std::uint64_t> x) {
    x = x - ((x >> 1) & std::uint64_t{0x5555555555555555});
    x = (x & std::uint64_t{0x3333333333333333}) + ((x >> 2) & std::uint64_t{0x3333333333333333});
    x = (x + (x >> 4)) & std::uint64_t{0x0f0f0f0f0f0f0f0f};
    x = x + (x >> 8);
    x = x + (x >> 16);
    x = x + (x >> 32);
    return x & std::uint64_t{0x7f};
}

/// A full adder for each bit: high * 2 + low = a + b + c.
OCELLI_ALWAYS_INLINE void add_bits(vec<std::uint64_t>& high, vec<std::uint64_t>& low, vec<std::uint64_t> a, vec<std::uint64_t> b,
                                   vec<std::uint64_t> c) {
    const vec<std::uint64_t> u = a ^ b;
    high = (a & b) | (u & c);
    low = u ^ c;
}

template <bool Two>
OCELLI_ALWAYS_INLINE vec<std::uint64_t> bits_at(const std::uint64_t* a, const std::uint64_t* b, std::size_t i) {
    if constexpr (Two) {
        return load(a + i) & load(b + i);
    } else {
        return load(a + i);
    }
}

/// Harley and Seal: a tree of adders over sixteen vectors, so that bits are counted once for sixteen.
template <bool Two>
OCELLI_ALWAYS_INLINE std::uint64_t count_words(const std::uint64_t* a, const std::uint64_t* b, std::size_t n) {
    using V = vec<std::uint64_t>;
    constexpr std::size_t L = static_cast<std::size_t>(lanes<std::uint64_t>);
    V ones{}, twos{}, fours{}, eights{}, total{};
    std::size_t i = 0;
    for (; i + 16 * L <= n; i += 16 * L) {
        V two_a, two_b, four_a, four_b, eight_a, eight_b, sixteen;
        add_bits(two_a, ones, ones, bits_at<Two>(a, b, i), bits_at<Two>(a, b, i + L));
        add_bits(two_b, ones, ones, bits_at<Two>(a, b, i + 2 * L), bits_at<Two>(a, b, i + 3 * L));
        add_bits(four_a, twos, twos, two_a, two_b);
        add_bits(two_a, ones, ones, bits_at<Two>(a, b, i + 4 * L), bits_at<Two>(a, b, i + 5 * L));
        add_bits(two_b, ones, ones, bits_at<Two>(a, b, i + 6 * L), bits_at<Two>(a, b, i + 7 * L));
        add_bits(four_b, twos, twos, two_a, two_b);
        add_bits(eight_a, fours, fours, four_a, four_b);
        add_bits(two_a, ones, ones, bits_at<Two>(a, b, i + 8 * L), bits_at<Two>(a, b, i + 9 * L));
        add_bits(two_b, ones, ones, bits_at<Two>(a, b, i + 10 * L), bits_at<Two>(a, b, i + 11 * L));
        add_bits(four_a, twos, twos, two_a, two_b);
        add_bits(two_a, ones, ones, bits_at<Two>(a, b, i + 12 * L), bits_at<Two>(a, b, i + 13 * L));
        add_bits(two_b, ones, ones, bits_at<Two>(a, b, i + 14 * L), bits_at<Two>(a, b, i + 15 * L));
        add_bits(four_b, twos, twos, two_a, two_b);
        add_bits(eight_b, fours, fours, four_a, four_b);
        add_bits(sixteen, eights, eights, eight_a, eight_b);
        total = total + lane_counts(sixteen);
    }
    if (i != 0) {
        total = (total << 4) + (lane_counts(eights) << 3) + (lane_counts(fours) << 2) + (lane_counts(twos) << 1) + lane_counts(ones);
    }
    for (; i + L <= n; i += L) total = total + lane_counts(bits_at<Two>(a, b, i));
    std::uint64_t sum = 0;
    for (int k = 0; k < lanes<std::uint64_t>; ++k) sum += total[k];
    for (; i < n; ++i) {
        std::uint64_t word = a[i];
        if constexpr (Two) word &= b[i];
        sum += static_cast<std::uint64_t>(__builtin_popcountll(word));
    }
    return sum;
}

inline std::uint64_t mask_count_kernel(const std::uint64_t* a, std::size_t n) {
    return count_words<false>(a, a, n);
}
inline std::uint64_t mask_count_and_kernel(const std::uint64_t* a, const std::uint64_t* b, std::size_t n) {
    return count_words<true>(a, b, n);
}

inline mask_bits_kernels make_mask_bits_kernels() {
    return {&mask_pack_kernel, &mask_unpack_kernel, &mask_count_kernel, &mask_count_and_kernel};
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
