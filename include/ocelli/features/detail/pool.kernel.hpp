// Maxima over windows, vectors along the rows of the result. Compiled once per target by for_each_target.hpp: no guard, no includes.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

/// Integers as wide as T, and vectors of them.
template <class T>
struct pool_integer {
    using type = std::int32_t;
};
template <>
struct pool_integer<double> {
    using type = std::int64_t;
};

/// Every second element from `p`, as many as a vector has lanes; reads nothing behind the last of them.
template <class T, int... I>
OCELLI_ALWAYS_INLINE vec<T> load_second(const T* p, std::integer_sequence<int, I...>) {
    constexpr int L = lanes<T>;
    return __builtin_shufflevector(load(p), load(p + L - 1), (2 * I < L ? 2 * I : 2 * I + 1)...);
}

/// Elements p[0], p[step], ... Step 1 and 2 are known where S is not 0.
template <int S, class T>
OCELLI_ALWAYS_INLINE vec<T> load_stepped(const T* p, std::int64_t step) {
    constexpr int L = lanes<T>;
    if constexpr (S == 1) {
        return load(p);
    } else if constexpr (S == 2) {
        return load_second(p, std::make_integer_sequence<int, L>());
    } else {
        T some[L];
        for (int i = 0; i < L; ++i) some[i] = p[i * step];
        return load(some);
    }
}

/// Taps t in [first, last) of `count` for which start + t * step lies in [0, extent).
OCELLI_ALWAYS_INLINE void pool_taps(std::int64_t start, std::int64_t step, std::int64_t count, std::int64_t extent, std::int64_t& first,
                                    std::int64_t& last) {
    first = start >= 0 ? 0 : (-start + step - 1) / step;
    last = start >= extent ? 0 : (extent - 1 - start) / step + 1;
    last = last < count ? last : count;
}

template <bool Indices, class T>
OCELLI_NOINLINE inline void pool_one(const pool_windows& w, const T* plane, std::int64_t oy, std::int64_t ox, T* out, std::int64_t* index, std::int64_t base) {
    const std::int64_t top = oy * w.stride_y - w.pad_top, left = ox * w.stride_x - w.pad_left;
    std::int64_t y0, y1, x0, x1, at = 0;
    pool_taps(top, w.dilation_y, w.kernel_y, w.height, y0, y1);
    pool_taps(left, w.dilation_x, w.kernel_x, w.width, x0, x1);
    T best = -static_cast<T>(__builtin_inf());
    bool none = true;
    for (std::int64_t y = y0; y < y1; ++y)
        for (std::int64_t x = x0; x < x1; ++x) {
            const std::int64_t here = (top + y * w.dilation_y) * w.width + left + x * w.dilation_x;
            const T v = plane[here];
            if (none || v > best || v != v) {
                best = v;
                at = here;
                none = false;
            }
        }
    *out = best;
    if constexpr (Indices) *index = base + at;
}

/// The windows of L results from column ox on, all of whose taps lie inside along the row; at least one row of taps does.
template <int S, bool Indices, class T>
OCELLI_ALWAYS_INLINE void pool_vector(const pool_windows& w, const T* plane, std::int64_t top, std::int64_t y0, std::int64_t y1, std::int64_t ox,
                                      T* out, std::int64_t* indices, std::int64_t base) {
    using I = typename pool_integer<T>::type;
    constexpr int L = lanes<T>;
    const std::int64_t left = ox * w.stride_x - w.pad_left, first = (top + y0 * w.dilation_y) * w.width + left;
    const T* row = plane + first;
    vec<T> best = load_stepped<S>(row, w.stride_x);
    vec<I> where{};
    std::int64_t tap = 0;  // distance of the row's first tap from the window's
    for (std::int64_t y = y0; y < y1; ++y) {
        for (std::int64_t x = y == y0 ? 1 : 0; x < w.kernel_x; ++x) {
            const vec<T> v = load_stepped<S>(row + tap + x * w.dilation_x, w.stride_x);
            const auto wins = (v > best) | (v != v);
            best = wins ? v : best;
            if constexpr (Indices) where = wins ? broadcast(static_cast<I>(tap + x * w.dilation_x)) : where;
        }
        tap += w.dilation_y * w.width;
    }
    store(out, best);
    if constexpr (Indices) {
        I steps[L];
        store(steps, where + iota<I>() * broadcast(static_cast<I>(w.stride_x)));
        const std::int64_t from = base + first;
        if constexpr (sizeof(I) == 4) {
            typedef I half __attribute__((vector_size(sizeof(vec<I>) / 2), aligned(1), may_alias));
            for (int k = 0; k < 2; ++k) {
                const half part = *reinterpret_cast<const half*>(steps + k * (L / 2));
                store(indices + k * (L / 2), __builtin_convertvector(part, vi64) + broadcast(from));
            }
        } else {
            for (int k = 0; k < L; k += L) store(indices + k, load(reinterpret_cast<const std::int64_t*>(steps)) + broadcast(from));
        }
    }
}

template <int S, bool Indices, class T>
inline void pool_rows(const pool_windows& w, const T* plane, std::int64_t begin, std::int64_t end, T* out, std::int64_t* indices, std::int64_t base) {
    constexpr std::int64_t L = lanes<T>;
    // Columns of the result whose windows lie inside along the row.
    const std::int64_t room = w.width - 1 - (w.kernel_x - 1) * w.dilation_x + w.pad_left;
    std::int64_t u0 = (w.pad_left + w.stride_x - 1) / w.stride_x, u1 = room < 0 ? 0 : room / w.stride_x + 1;
    u1 = u1 < w.out_width ? u1 : w.out_width;
    for (std::int64_t oy = begin; oy < end; ++oy) {
        T* to = out + oy * w.out_width;
        std::int64_t* at = Indices ? indices + oy * w.out_width : nullptr;
        const std::int64_t top = oy * w.stride_y - w.pad_top;
        std::int64_t y0, y1, ox = 0;
        pool_taps(top, w.dilation_y, w.kernel_y, w.height, y0, y1);
        if (y0 < y1 && u1 - u0 >= L) {
            for (; ox < u0; ++ox) pool_one<Indices>(w, plane, oy, ox, to + ox, Indices ? at + ox : nullptr, base);
            for (; ox < u1; ox += L) {
                const std::int64_t from = ox + L <= u1 ? ox : u1 - L;  // the last vector overlaps the one before
                pool_vector<S, Indices>(w, plane, top, y0, y1, from, to + from, Indices ? at + from : nullptr, base);
            }
            ox = u1;
        }
        for (; ox < w.out_width; ++ox) pool_one<Indices>(w, plane, oy, ox, to + ox, Indices ? at + ox : nullptr, base);
    }
}

template <bool Indices, class T>
inline void pool_rows_of_step(const pool_windows& w, const T* plane, std::int64_t begin, std::int64_t end, T* out, std::int64_t* indices,
                              std::int64_t base) {
    if (w.stride_x == 1) pool_rows<1, Indices>(w, plane, begin, end, out, indices, base);
    else if (w.stride_x == 2) pool_rows<2, Indices>(w, plane, begin, end, out, indices, base);
    else pool_rows<0, Indices>(w, plane, begin, end, out, indices, base);
}

template <class T>
inline void pool_largest(const pool_windows& w, const T* plane, std::int64_t begin, std::int64_t end, T* out) {
    pool_rows_of_step<false>(w, plane, begin, end, out, nullptr, 0);
}

template <class T>
inline void pool_largest_with_indices(const pool_windows& w, const T* plane, std::int64_t begin, std::int64_t end, T* out, std::int64_t* indices,
                                      std::int64_t base) {
    pool_rows_of_step<true>(w, plane, begin, end, out, indices, base);
}

template <class T>
OCELLI_ALWAYS_INLINE void unpool_clear(T* from, T* to) {
    constexpr std::int64_t L = lanes<T>;
    for (; to - from >= L; from += L) store(from, vec<T>{});
    for (; from < to; ++from) *from = T(0);
}

// What a pooling gave rises through the plane: zeros are written just ahead of its elements, while the memory is at hand. Any order will do.
template <class T>
inline std::int64_t unpool_plane(const T* from, const std::int64_t* indices, std::int64_t n, std::int64_t size, T* to) {
    constexpr std::int64_t L = lanes<std::int64_t>, block = 128;
    std::int64_t cleared = 0, i = 0;
    for (; i + block <= n; i += block) {
        vi64 low = load(indices + i), high = low;
        for (std::int64_t k = L; k < block; k += L) {
            const vi64 v = load(indices + i + k);
            low = v < low ? v : low;
            high = v > high ? v : high;
        }
        std::int64_t smallest = low[0], largest = high[0];
        for (int k = 1; k < L; ++k) {
            smallest = low[k] < smallest ? low[k] : smallest;
            largest = high[k] > largest ? high[k] : largest;
        }
        if (smallest < 0 || largest >= size) break;  // found below
        if (largest >= cleared) {
            unpool_clear(to + cleared, to + largest + 1);
            cleared = largest + 1;
        }
        for (std::int64_t k = 0; k < block; ++k) to[indices[i + k]] = from[i + k];
    }
    unpool_clear(to + cleared, to + size);
    for (; i < n; ++i) {
        if (indices[i] < 0 || indices[i] >= size) return i;
        to[indices[i]] = from[i];
    }
    return n;
}

template <class T>
inline void fill_pool_kernels(pool_kernels<T>& table) {
    table.lanes = lanes<T>;
    table.largest = &pool_largest<T>;
    table.largest_with_indices = &pool_largest_with_indices<T>;
    table.unpool = &unpool_plane<T>;
}

inline pool_tables make_pool_tables() {
    pool_tables tables{};
    fill_pool_kernels(tables.f32);
    fill_pool_kernels(tables.f64);
    return tables;
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
