// What the lattice's kernels know of a value: a row of labels or channels, held in a few vectors. No guard, no includes: see for_each_target.hpp.
//
// A value has `width` elements side by side, so a corner of a point is a few whole vectors at a random place. Vectors have at most 32 bytes:
// 21 labels then take 24 floats and not 32.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

#if OCELLI_TARGET_LEVEL == 0
inline constexpr int row_bytes = 16;
#else
inline constexpr int row_bytes = 32;
#endif

template <class T>
struct row_vector {
    typedef T type __attribute__((vector_size(row_bytes)));
    typedef T unaligned __attribute__((vector_size(row_bytes), aligned(1), may_alias));
    using integer = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
    typedef integer bits __attribute__((vector_size(row_bytes)));
};
template <class T>
using rvec = typename row_vector<T>::type;
template <class T>
inline constexpr int row_lanes = row_bytes / static_cast<int>(sizeof(T));

template <class T>
OCELLI_ALWAYS_INLINE rvec<T> row_load(const T* p) {
    return *reinterpret_cast<const typename row_vector<T>::unaligned*>(p);
}
template <class T>
OCELLI_ALWAYS_INLINE void row_store(T* p, rvec<T> v) {
    *reinterpret_cast<typename row_vector<T>::unaligned*>(p) = v;
}
template <class T>
OCELLI_ALWAYS_INLINE rvec<T> row_all(T x) {
    return x - rvec<T>{};
}

/// 2^x for x <= 0; below 2^-126 something that is no larger, from 2^-127 on zero. Relative error below 4e-7 (float) and 1e-15 (double).
///
/// Adding 1.5 2^23 leaves x rounded in the lowest bits, from where a shift takes it to the exponent. What is left, at most a half, goes into
/// a polynomial: of the smallest relative error (float), Taylor's (double). It gives exactly 1 for 0, which the exponent -127 takes away whole.
OCELLI_ALWAYS_INLINE rvec<float> exp2_row(rvec<float> x) {
    using V = rvec<float>;
    using B = typename row_vector<float>::bits;
    const V v = max(row_all(-127.0f), x);
    const V t = v + 12582912.0f;
    const V r = v - (t - 12582912.0f);
    V p = row_all(1.3264727e-3f);
    p = p * r + 9.6715130e-3f;
    p = p * r + 5.5507336e-2f;
    p = p * r + 2.4022242e-1f;
    p = p * r + 6.9314700e-1f;
    p = p * r + 1.0f;
    return reinterpret_cast<V>(reinterpret_cast<B>(p) + (reinterpret_cast<B>(t) << 23));
}

OCELLI_ALWAYS_INLINE rvec<double> exp2_row(rvec<double> x) {
    using V = rvec<double>;
    using B = typename row_vector<double>::bits;
    const V v = max(row_all(-1023.0), x);
    const V t = v + 6755399441055744.0;  // 1.5 2^52
    const V r = (v - (t - 6755399441055744.0)) * 6.93147180559945286227e-01;
    V p = row_all(1.0 / 6227020800.0);
    p = p * r + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * (r * r) + (r + 1.0);
    return reinterpret_cast<V>(reinterpret_cast<B>(p) + (reinterpret_cast<B>(t) << 52));
}

template <int S, class V, int... I>
OCELLI_ALWAYS_INLINE V lanes_apart(V v, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(v, v, (I ^ S)...);
}

/// The largest lane (the sum of all lanes) in every lane.
template <class T>
OCELLI_ALWAYS_INLINE rvec<T> max_everywhere(rvec<T> v) {
    constexpr int L = row_lanes<T>;
    using all = std::make_integer_sequence<int, L>;
    if constexpr (L >= 8) v = max(v, lanes_apart<4>(v, all()));
    if constexpr (L >= 4) v = max(v, lanes_apart<2>(v, all()));
    return max(v, lanes_apart<1>(v, all()));
}
template <class T>
OCELLI_ALWAYS_INLINE rvec<T> sum_everywhere(rvec<T> v) {
    constexpr int L = row_lanes<T>;
    using all = std::make_integer_sequence<int, L>;
    if constexpr (L >= 8) v = v + lanes_apart<4>(v, all());
    if constexpr (L >= 4) v = v + lanes_apart<2>(v, all());
    return v + lanes_apart<1>(v, all());
}

/// V vectors in registers. A list and not an array: at -O2 GCC keeps arrays in memory where it does not unroll the loops over them.
template <std::size_t V, class T>
struct row_pack {
    rvec<T> head{};
    row_pack<V - 1, T> tail;

    OCELLI_ALWAYS_INLINE void load_from(const T* p) {
        head = row_load(p);
        tail.load_from(p + row_lanes<T>);
    }
    OCELLI_ALWAYS_INLINE void store_to(T* p) const {
        row_store(p, head);
        tail.store_to(p + row_lanes<T>);
    }
    /// += w * memory
    OCELLI_ALWAYS_INLINE void add(rvec<T> w, const T* p) {
        head = head + w * row_load(p);
        tail.add(w, p + row_lanes<T>);
    }
    OCELLI_ALWAYS_INLINE void add(const T* p) {
        head = head + row_load(p);
        tail.add(p + row_lanes<T>);
    }
    /// memory += w * this
    OCELLI_ALWAYS_INLINE void add_to(rvec<T> w, T* p) const {
        row_store(p, row_load(p) + w * head);
        tail.add_to(w, p + row_lanes<T>);
    }
    OCELLI_ALWAYS_INLINE void scale(rvec<T> w) {
        head = head * w;
        tail.scale(w);
    }
    /// at = at + (w * this + next / 2); this = what was at
    OCELLI_ALWAYS_INLINE void blur(rvec<T> w, T* at, const T* next) {
        const rvec<T> here = row_load(at);
        row_store(at, here + (w * head + T(0.5) * row_load(next)));
        head = here;
        tail.blur(w, at + row_lanes<T>, next + row_lanes<T>);
    }
    OCELLI_ALWAYS_INLINE rvec<T> largest() const { return max(head, tail.largest_or(head)); }
    OCELLI_ALWAYS_INLINE rvec<T> largest_or(rvec<T>) const { return largest(); }
    OCELLI_ALWAYS_INLINE rvec<T> exp2_and_sum(rvec<T> top) {
        head = exp2_row(head - top);
        return head + tail.exp2_and_sum(top);
    }
};
template <class T>
struct row_pack<0, T> {
    OCELLI_ALWAYS_INLINE void load_from(const T*) {}
    OCELLI_ALWAYS_INLINE void store_to(T*) const {}
    OCELLI_ALWAYS_INLINE void add(rvec<T>, const T*) {}
    OCELLI_ALWAYS_INLINE void add(const T*) {}
    OCELLI_ALWAYS_INLINE void add_to(rvec<T>, T*) const {}
    OCELLI_ALWAYS_INLINE void scale(rvec<T>) {}
    OCELLI_ALWAYS_INLINE void blur(rvec<T>, T*, const T*) {}
    OCELLI_ALWAYS_INLINE rvec<T> largest_or(rvec<T> other) const { return other; }
    OCELLI_ALWAYS_INLINE rvec<T> exp2_and_sum(rvec<T>) { return rvec<T>{}; }
};

template <std::size_t K, std::size_t C, std::size_t V, class I, class T>
OCELLI_ALWAYS_INLINE void slice_corners(row_pack<V, T>& sum, const I* link, const T* weight, const T* values, std::size_t width) {
    if constexpr (K < C) {
        sum.add(row_all(weight[K]), values + static_cast<std::size_t>(link[K]) * width);
        slice_corners<K + 1, C>(sum, link, weight, values, width);
    }
}
template <std::size_t K, std::size_t C, std::size_t V, class I, class T>
OCELLI_ALWAYS_INLINE void splat_corners(const row_pack<V, T>& value, const I* link, const T* weight, T* values, std::size_t width) {
    if constexpr (K < C) {
        value.add_to(row_all(weight[K]), values + static_cast<std::size_t>(link[K]) * width);
        splat_corners<K + 1, C>(value, link, weight, values, width);
    }
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
