// Reading images between their pixels. Compiled once per instruction set.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

// The two pixels of a row beside a place on its axis: positions and whether the taps of the place lie there, with their weights.
struct grid_axis {
    vi32 first, second, first_inside, second_inside;
    vf32 first_weight, second_weight;
};

OCELLI_ALWAYS_INLINE vf32 grid_coordinate(vf32 place, float extent, const grid_sampling& s) {
    const float half = s.align_corners ? 0.5f * (extent - 1.0f) : 0.5f * extent;
    vf32 x = s.pixels ? place : place * half + 0.5f * (extent - 1.0f);
    // A NaN fails the comparison: it goes to the lower end.
    const vf32 low = broadcast(s.border ? 0.0f : -2.0f), high = broadcast(s.border ? extent - 1.0f : extent + 1.0f);
    x = x > low ? x : low;
    return x < high ? x : high;
}

OCELLI_ALWAYS_INLINE vi32 grid_floor(vf32 x) {
    const vi32 i = __builtin_convertvector(x, vi32);
    return i + (__builtin_convertvector(i, vf32) > x ? broadcast<std::int32_t>(-1) : vi32{});
}

// `together`: the second position is the first one's neighbour, whatever the place, so that both can be read at once.
OCELLI_ALWAYS_INLINE grid_axis grid_axis_at(vf32 x, float extent, bool together) {
    const vi32 i = grid_floor(x), zero{}, all = broadcast<std::int32_t>(-1);
    const vf32 part = x - __builtin_convertvector(i, vf32), rest = 1.0f - part;
    const std::int32_t n = static_cast<std::int32_t>(extent);
    const vi32 last = broadcast(n - 1), limit = broadcast(together && n > 1 ? n - 2 : n - 1);
    grid_axis a;
    a.first = i < zero ? zero : i;
    a.first = a.first > limit ? limit : a.first;
    if (together) {
        // Taps i and i + 1 stand at first and first + 1, or one of them does, or none.
        a.second = a.first + 1;
        const vi32 shift = i - a.first, same = shift == zero, before = shift == all, behind = shift == 1;
        a.first_inside = same | before;
        a.second_inside = (same | behind) & (a.second <= last);
        a.first_weight = same ? rest : part;
        a.second_weight = same ? part : rest;
        return a;
    }
    const vi32 next = i + 1;
    a.second = next < zero ? zero : next;
    a.second = a.second > last ? last : a.second;
    a.first_inside = (i >= zero) & (i <= last);
    a.second_inside = (next >= zero) & (next <= last);
    a.first_weight = rest;
    a.second_weight = part;
    return a;
}

template <class V, int... I>
OCELLI_ALWAYS_INLINE void zip(V a, V b, V& low, V& high, std::integer_sequence<int, I...>) {
    constexpr int L = static_cast<int>(sizeof...(I));
    low = __builtin_shufflevector(a, b, ((I & 1) != 0 ? L + I / 2 : I / 2)...);
    high = __builtin_shufflevector(a, b, ((I & 1) != 0 ? L + L / 2 + I / 2 : L / 2 + I / 2)...);
}
template <class V, int... I>
OCELLI_ALWAYS_INLINE void unzip(V a, V b, V& even, V& odd, std::integer_sequence<int, I...>) {
    even = __builtin_shufflevector(a, b, (2 * I)...);
    odd = __builtin_shufflevector(a, b, (2 * I + 1)...);
}

template <class T>
OCELLI_ALWAYS_INLINE void store_zipped(T* to, vec<T> left, vec<T> right) {
    vec<T> low, high;
    zip(left, right, low, high, std::make_integer_sequence<int, lanes<T>>());
    store(to, low);
    store(to + lanes<T>, high);
}

// The coordinates of the next L points, of which `left` are there; 0 behind them.
OCELLI_ALWAYS_INLINE void load_points(const float* from, std::int64_t left, vf32& across, vf32& down) {
    constexpr int L = lanes<float>;
    float few[2 * L] = {};
    if (left < L) {
        for (std::int64_t k = 0; k < 2 * left; ++k) few[k] = from[k];
        from = few;
    }
    unzip(load(from), load(from + L), across, down, std::make_integer_sequence<int, L>());
}

inline void grid_find(const grid_sampling& s, std::int64_t n, const float* points, const std::int32_t* base, grid_places& p) {
    constexpr int L = lanes<float>;
    const std::int32_t width = static_cast<std::int32_t>(s.width);
    for (std::int64_t i = 0; i < n; i += L) {
        vf32 across, down;
        load_points(points + 2 * i, n - i, across, down);
        const grid_axis x = grid_axis_at(grid_coordinate(across, static_cast<float>(s.width), s), static_cast<float>(s.width), true);
        const grid_axis y = grid_axis_at(grid_coordinate(down, static_cast<float>(s.height), s), static_cast<float>(s.height), false);
        const vi32 start = load(base + i) + x.first;
        store(p.at[0] + i, y.first * width + start);
        store(p.at[1] + i, y.second * width + start);
        store_zipped(p.weight[0] + 2 * i, y.first_weight * x.first_weight, y.first_weight * x.second_weight);
        store_zipped(p.weight[1] + 2 * i, y.second_weight * x.first_weight, y.second_weight * x.second_weight);
        store_zipped(p.inside[0] + 2 * i, y.first_inside & x.first_inside, y.first_inside & x.second_inside);
        store_zipped(p.inside[1] + 2 * i, y.second_inside & x.first_inside, y.second_inside & x.second_inside);
    }
}

// Two neighbours at a time by plain loads (the processor's gathers are no faster), well before they are used: vectors of numbers just stored
// would wait for them.
inline void grid_read(const grid_places& p, std::int64_t n, bool narrow, const float* image, float* y) {
    constexpr int L = lanes<float>;
    constexpr std::int64_t size = grid_places::size;
    float pixels[2][2 * size];
    const std::int64_t whole = (n + L - 1) / L * L;
    if (narrow) {
        for (int k = 0; k < 2; ++k)
            for (std::int64_t i = 0; i < whole; ++i) {
                pixels[k][2 * i] = image[p.at[k][i]];
                pixels[k][2 * i + 1] = 0.0f;
            }
    } else {
        for (std::int64_t i = 0; i < whole; ++i) {
            __builtin_memcpy(pixels[0] + 2 * i, image + p.at[0][i], 8);
            __builtin_memcpy(pixels[1] + 2 * i, image + p.at[1][i], 8);
        }
    }
    for (std::int64_t i = 0; i < n; i += L) {
        vf32 sum[2];
        for (int half = 0; half < 2; ++half) {
            const std::int64_t at = 2 * i + half * L;
            const vi32 above = __builtin_bit_cast(vi32, load(pixels[0] + at)) & load(p.inside[0] + at);
            const vi32 below = __builtin_bit_cast(vi32, load(pixels[1] + at)) & load(p.inside[1] + at);
            sum[half] = __builtin_bit_cast(vf32, above) * load(p.weight[0] + at) + __builtin_bit_cast(vf32, below) * load(p.weight[1] + at);
        }
        vf32 left, right;
        unzip(sum[0], sum[1], left, right, std::make_integer_sequence<int, L>());
        if (n - i >= L) store(y + i, left + right);
        else store_first(y + i, left + right, static_cast<int>(n - i));
    }
}

inline void grid_find_lanes(const grid_sampling& s, std::int64_t n, const float* points, grid_lane_places& p) {
    constexpr int L = lanes<float>;
    const std::int32_t width = static_cast<std::int32_t>(s.width);
    const vi32 outside = broadcast(static_cast<std::int32_t>(s.width * s.height));
    for (std::int64_t i = 0; i < n; i += L) {
        vf32 across, down;
        load_points(points + 2 * i, n - i, across, down);
        const grid_axis x = grid_axis_at(grid_coordinate(across, static_cast<float>(s.width), s), static_cast<float>(s.width), false);
        const grid_axis y = grid_axis_at(grid_coordinate(down, static_cast<float>(s.height), s), static_cast<float>(s.height), false);
        const vi32 above = y.first * width, below = y.second * width;
        store(p.at[0] + i, (y.first_inside & x.first_inside) ? above + x.first : outside);
        store(p.at[1] + i, (y.first_inside & x.second_inside) ? above + x.second : outside);
        store(p.at[2] + i, (y.second_inside & x.first_inside) ? below + x.first : outside);
        store(p.at[3] + i, (y.second_inside & x.second_inside) ? below + x.second : outside);
        store(p.weight[0] + i, y.first_weight * x.first_weight);
        store(p.weight[1] + i, y.first_weight * x.second_weight);
        store(p.weight[2] + i, y.second_weight * x.first_weight);
        store(p.weight[3] + i, y.second_weight * x.second_weight);
    }
}

inline void gather_lanes(const float* planes, std::int64_t plane, std::int64_t channels, std::int64_t begin, std::int64_t end, float* OCELLI_RESTRICT to) {
    constexpr int L = lanes<float>;
    std::int64_t i = begin;
    if (channels == L) {
        for (; i + L <= end; i += L) {
            vf32 rows[L];
            OCELLI_UNROLL
            for (int c = 0; c < L; ++c) rows[c] = load(planes + c * plane + i);
            transpose_square(rows);
            OCELLI_UNROLL
            for (int c = 0; c < L; ++c) store(to + (i + c) * L, rows[c]);
        }
    }
    for (; i < end; ++i)
        for (std::int64_t c = 0; c < L; ++c) to[i * L + c] = c < channels ? planes[c * plane + i] : 0.0f;
}

inline void grid_read_lanes(const grid_lane_places& p, std::int64_t n, const float* image, std::int64_t channels, float* y, std::int64_t step) {
    constexpr int L = lanes<float>;
    for (std::int64_t i = 0; i < n; i += L) {
        vf32 rows[L];
        OCELLI_UNROLL
        for (int k = 0; k < L; ++k) {
            const std::int64_t o = i + k;
            vf32 sum = load(image + static_cast<std::int64_t>(p.at[0][o]) * L) * p.weight[0][o];
            OCELLI_UNROLL
            for (int t = 1; t < 4; ++t) sum = sum + load(image + static_cast<std::int64_t>(p.at[t][o]) * L) * p.weight[t][o];
            rows[k] = sum;
        }
        transpose_square(rows);
        if (n - i >= L && channels == L) {
            OCELLI_UNROLL
            for (int c = 0; c < L; ++c) store(y + c * step + i, rows[c]);
        } else {
            for (std::int64_t c = 0; c < channels; ++c) store_first(y + c * step + i, rows[c], static_cast<int>(n - i < L ? n - i : L));
        }
    }
}

#if OCELLI_TARGET_LEVEL >= 1
// Past the caches, which a large result would only empty (and which would read it first). `p` is aligned to a vector.
template <class T>
OCELLI_ALWAYS_INLINE void stream(T* p, vec<T> v) {
#    if OCELLI_TARGET_LEVEL == 2
    asm volatile("vmovntps %1, %0" : "=m"(*reinterpret_cast<vec<T>*>(p)) : "v"(v));
#    else
    asm volatile("vmovntps %1, %0" : "=m"(*reinterpret_cast<vec<T>*>(p)) : "x"(v));
#    endif
}
#endif

template <int N, class T>
OCELLI_ALWAYS_INLINE vec<T> mix_of(const T* const* rows, const vec<T>* w, std::int64_t i) {
    // Which of the first two products is fused with their sum would be the compiler's choice, and another one at each call.
    vec<T> sum = rounded(load(rows[0] + i) * w[0]);
    for (int k = 1; k < N; ++k) sum = sum + load(rows[k] + i) * w[k];
    return rounded(sum);  // as a vector, also where single lanes are stored
}

template <int N, class T>
OCELLI_ALWAYS_INLINE std::int64_t mix_rows_of(std::int64_t n, const T* const* rows, const T* weights, bool streamed, T* OCELLI_RESTRICT to) {
    constexpr int L = lanes<T>;
    const T* row[N];
    vec<T> w[N];
    for (int k = 0; k < N; ++k) {
        row[k] = rows[k];
        w[k] = broadcast(weights[k]);
    }
    if (n < L) return 0;
    std::int64_t i = 0;
#if OCELLI_TARGET_LEVEL >= 1
    const std::uintptr_t apart = reinterpret_cast<std::uintptr_t>(to) % 64;
    if (streamed && n >= 4 * L && apart % sizeof(T) == 0) {
        // Lines are streamed whole or not at all: a line that is stored to both ways goes to memory twice. Every element comes from a vector, so that
        // its bits do not depend on where the memory lies.
        const std::int64_t line = 64 / sizeof(T), head = apart == 0 ? 0 : line - static_cast<std::int64_t>(apart / sizeof(T));
        const std::int64_t end = head + (n - head) / line * line;
        for (; i < head; i += L) store_first(to + i, mix_of<N>(row, w, i), static_cast<int>(head - i < L ? head - i : L));
        for (i = head; i < end; i += L) stream(to + i, mix_of<N>(row, w, i));
        for (; i < n; i += L) {
            const std::int64_t from = i + L <= n ? i : n - L;
            T few[L];
            store(few, mix_of<N>(row, w, from));
            for (std::int64_t k = i; k < n && k < i + L; ++k) to[k] = few[k - from];
        }
        return n;
    }
#endif
    (void)streamed;
    for (; i + L <= n; i += L) store(to + i, mix_of<N>(row, w, i));
    if (i < n) store(to + n - L, mix_of<N>(row, w, n - L));
    return n;
}

template <class T>
inline void mix_rows(std::int64_t n, std::int64_t count, const T* const* rows, const T* weights, bool streamed, T* OCELLI_RESTRICT to) {
    constexpr int L = lanes<T>;
    std::int64_t i = 0;
    if (count == 2) i = mix_rows_of<2>(n, rows, weights, streamed, to);
    else if (count == 4) i = mix_rows_of<4>(n, rows, weights, streamed, to);
    for (; i + L <= n; i += L) {
        vec<T> sum = load(rows[0] + i) * weights[0];
        for (std::int64_t k = 1; k < count; ++k) sum = sum + load(rows[k] + i) * weights[k];
        store(to + i, sum);
    }
    for (; i < n; ++i) {
        T sum = rows[0][i] * weights[0];
        for (std::int64_t k = 1; k < count; ++k) sum = sum + rows[k][i] * weights[k];
        to[i] = sum;
    }
}

// Makes what was streamed visible to other threads in order.
inline void finish_streams() {
#if OCELLI_TARGET_LEVEL >= 1
    asm volatile("sfence" ::: "memory");
#endif
}

// Taps of one kind stand together: source[k * out + o].
template <class T>
inline void mix_columns(const tap_table<T>& t, const std::int32_t* source, const T* weight, std::int64_t inner, const T* row, T* OCELLI_RESTRICT to) {
    constexpr int L = lanes<T>;
    if (inner == L) {
        for (std::int64_t o = 0; o < t.out; ++o) {
            vec<T> sum = load(row + source[o] * L) * weight[o];
            for (std::int64_t k = 1; k < t.count; ++k) sum = sum + load(row + source[k * t.out + o] * L) * weight[k * t.out + o];
            store(to + o * L, sum);
        }
        return;
    }
    if (inner != 1) {
        for (std::int64_t o = 0; o < t.out; ++o)
            for (std::int64_t i = 0; i < inner; ++i) {
                T sum = row[source[o] * inner + i] * weight[o];
                for (std::int64_t k = 1; k < t.count; ++k) sum = sum + row[source[k * t.out + o] * inner + i] * weight[k * t.out + o];
                to[o * inner + i] = sum;
            }
        return;
    }
    constexpr std::int64_t size = 256;
    T pixels[size];
    for (std::int64_t first = 0; first < t.out; first += size) {
        const std::int64_t n = t.out - first < size ? t.out - first : size;
        for (std::int64_t k = 0; k < t.count; ++k) {
            const std::int32_t* from = source + k * t.out + first;
            const T* by = weight + k * t.out + first;
            for (std::int64_t i = 0; i < n; ++i) pixels[i] = row[from[i]];
            T* y = to + first;
            std::int64_t i = 0;
            if (k == 0) {
                for (; i + L <= n; i += L) store(y + i, load(pixels + i) * load(by + i));
                for (; i < n; ++i) y[i] = pixels[i] * by[i];
            } else {
                for (; i + L <= n; i += L) store(y + i, load(y + i) + load(pixels + i) * load(by + i));
                for (; i < n; ++i) y[i] = y[i] + pixels[i] * by[i];
            }
        }
    }
}

#if OCELLI_TARGET_LEVEL >= 1
// Lane i of the result is lane which[i] of v.
OCELLI_ALWAYS_INLINE vf32 pick_lanes(vf32 v, vi32 which) {
    vf32 out;
#    if OCELLI_TARGET_LEVEL == 2
    asm("vpermps %2, %1, %0" : "=v"(out) : "v"(which), "v"(v));
#    else
    asm("vpermps %2, %1, %0" : "=x"(out) : "x"(which), "x"(v));
#    endif
    return out;
}

// N taps; 0: `count`.
template <int N>
OCELLI_ALWAYS_INLINE void mix_windows_of(std::int64_t out, std::int64_t count, const column_window* windows, const std::int32_t* lane,
                                         const std::int32_t* source, const float* weight, const float* row, float* OCELLI_RESTRICT to) {
    constexpr int L = lanes<float>;
    const std::int64_t taps = N == 0 ? count : N, vectors = (out + L - 1) / L;
    for (std::int64_t v = 0; v < vectors; ++v) {
        const std::int64_t o = v * L + L <= out ? v * L : out - L;
        const std::int32_t base = windows[v].base;
        vf32 sum{};
        if (base >= 0) {
            const vf32 few = load(row + base);
            sum = pick_lanes(few, load(lane + o)) * load(weight + o);
            if constexpr (N == 2) {
                sum = sum + pick_lanes(few, load(lane + out + o)) * load(weight + out + o);
            } else {
                for (std::int64_t k = 1; k < taps; ++k) sum = sum + pick_lanes(few, load(lane + k * out + o)) * load(weight + k * out + o);
            }
        } else {
            for (std::int64_t k = 0; k < taps; ++k) {
                float some[L];
                for (int i = 0; i < L; ++i) some[i] = row[source[k * out + o + i]];
                sum = sum + load(some) * load(weight + k * out + o);
            }
        }
        store(to + o, sum);
    }
}

inline void mix_windows(std::int64_t out, std::int64_t count, const column_window* windows, const std::int32_t* lane, const std::int32_t* source,
                        const float* weight, const float* row, float* OCELLI_RESTRICT to) {
    if (count == 2) mix_windows_of<2>(out, count, windows, lane, source, weight, row, to);
    else mix_windows_of<0>(out, count, windows, lane, source, weight, row, to);
}
#endif

template <class T>
inline void pick_columns(std::int64_t out, const std::int32_t* source, std::int64_t inner, const T* row, T* OCELLI_RESTRICT to) {
    constexpr int L = lanes<T>;
    if (inner == 1) {
        for (std::int64_t o = 0; o < out; ++o) to[o] = row[source[o]];
    } else if (inner == L) {
        for (std::int64_t o = 0; o < out; ++o) store(to + o * L, load(row + source[o] * L));
    } else {
        for (std::int64_t o = 0; o < out; ++o)
            for (std::int64_t i = 0; i < inner; ++i) to[o * inner + i] = row[source[o] * inner + i];
    }
}

template <class T>
inline void fill_resample_kernels(resample_kernels<T>& t) {
    t.lanes = lanes<T>;
    t.mix_rows = &mix_rows<T>;
    t.mix_columns = &mix_columns<T>;
    t.pick_columns = &pick_columns<T>;
}

inline resample_tables make_resample_tables() {
    resample_tables t;
    fill_resample_kernels(t.f32);
    fill_resample_kernels(t.f64);
#if OCELLI_TARGET_LEVEL >= 1
    t.f32.windows = true;
    t.f32.mix_windows = &mix_windows;
#endif
    t.grid_find = &grid_find;
    t.grid_read = &grid_read;
    t.grid_find_lanes = &grid_find_lanes;
    t.gather_lanes = &gather_lanes;
    t.finish_streams = &finish_streams;
    t.grid_read_lanes = &grid_read_lanes;
    return t;
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
