// The permutohedral lattice's loops over points and vertices. Compiled once per target by for_each_target.hpp: no guard, no includes.
// After lattice_rows.kernel.hpp and mean_field.kernel.hpp.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

// --- where points lie --------------------------------------------------------------------------------------------------------

/// D: dimensions, 0 where they are not known while compiling. Adams, Baek and Davis 2010, section 3 and the appendix; the order of operations is
/// that of Krähenbühl's code, so that points on the border of two simplices fall to the same one.
template <std::size_t D, class T>
OCELLI_ALWAYS_INLINE void embed_points(const lattice_embedding<T>& e) {
    constexpr std::size_t L = static_cast<std::size_t>(lanes<T>);
    constexpr std::size_t room = (D == 0 ? max_lattice_dimensions : D) + 1;
    const std::size_t d = D == 0 ? e.dimensions : D;
    const T inverse = T(1) / static_cast<T>(d + 1);
    const vec<T> full = broadcast(static_cast<T>(d + 1)), zero{}, one = broadcast(T(1));
    const vec<T> magic = broadcast(sizeof(T) == 4 ? static_cast<T>(12582912.0) : static_cast<T>(6755399441055744.0));  // 1.5 2^23, 1.5 2^52
    vec<T> elevated[room], corner[room], rank[room];
    for (std::size_t p = 0; p < e.points; p += L) {
        vec<T> sum{};
        for (std::size_t j = d; j > 0; --j) {
            const vec<T> f = rounded(load(e.features + (j - 1) * e.pitch + p) * e.scale[j - 1]);
            elevated[j] = sum - rounded(static_cast<T>(j) * f);
            sum = sum + f;
        }
        elevated[0] = sum;
        vec<T> excess{};
        for (std::size_t i = 0; i <= d; ++i) {
            vec<T> v = rounded(inverse * elevated[i]) + magic;
            v = rounded(v) - magic;
            corner[i] = v * full;
            excess = excess + v;
            rank[i] = zero;
        }
        for (std::size_t i = 0; i < d; ++i) {
            const vec<T> rest = elevated[i] - corner[i];
            for (std::size_t j = i + 1; j <= d; ++j) {
                const vec<T> less = rest < elevated[j] - corner[j] ? one : zero;
                rank[i] = rank[i] + less;
                rank[j] = rank[j] + (one - less);
            }
        }
        for (std::size_t i = 0; i <= d; ++i) {  // back to the plane where coordinates sum to zero
            const vec<T> r = rank[i] + excess;
            const vec<T> turn = (r < zero ? full : zero) - (r >= full ? full : zero);
            rank[i] = r + turn;
            corner[i] = corner[i] + turn;
            elevated[i] = rounded((elevated[i] - corner[i]) * inverse);
        }
        for (std::size_t i = 0; i < d; ++i) store(e.corner + i * e.pitch + p, corner[i]);
        vec<T> before{};
        vec<T> first{};
        for (std::size_t r = 0; r <= d; ++r) {
            vec<T> value{}, which{};
            for (std::size_t i = 0; i <= d; ++i) {
                const auto here = rank[i] == broadcast(static_cast<T>(r));
                value = here ? elevated[i] : value;
                which = here ? broadcast(static_cast<T>(i)) : which;
            }
            store(e.order + r * e.pitch + p, which);
            if (r == 0) first = value;
            else store(e.weight + (d + 1 - r) * e.pitch + p, before - value);
            before = value;
        }
        store(e.weight + p, before + (one - first));
    }
}

template <class T>
void embed_kernel(const lattice_embedding<T>& e) {
    switch (e.dimensions) {
    case 2: embed_points<2>(e); break;
    case 3: embed_points<3>(e); break;
    case 5: embed_points<5>(e); break;
    default: embed_points<0>(e); break;
    }
}

// --- points to vertices and back ---------------------------------------------------------------------------------------------

/// C: corners of a simplex, V: vectors of a value; 0 corners: as many as there are.
template <std::size_t C, std::size_t V, bool Factor, class I, class T>
OCELLI_ALWAYS_INLINE void slice_columns(const I* link, const lattice_links<T>& s, std::size_t points, const T* base, const T* values,
                                        std::size_t width, T* to) {
    const std::size_t corners = C == 0 ? s.corners : C;
    const T* weight = s.weight;
    for (std::size_t p = 0; p < points; ++p, link += corners, weight += corners, base += width, to += width) {
        row_pack<V, T> sum;
        if constexpr (!Factor) sum.load_from(base);
        if constexpr (C != 0) {
            slice_corners<0, C>(sum, link, weight, values, width);
        } else {
            for (std::size_t k = 0; k < corners; ++k) sum.add(row_all(weight[k]), values + static_cast<std::size_t>(link[k]) * width);
        }
        if constexpr (Factor) {
            sum.scale(row_all(s.factor[p]));
            sum.add(base);
        }
        sum.store_to(to);
    }
}

template <std::size_t C, std::size_t V, bool Factor, class I, class T>
OCELLI_ALWAYS_INLINE void splat_columns(const I* link, const lattice_links<T>& s, std::size_t points, const T* from, std::size_t width, T* values) {
    const std::size_t corners = C == 0 ? s.corners : C;
    const T* weight = s.weight;
    for (std::size_t p = 0; p < points; ++p, link += corners, weight += corners, from += width) {
        row_pack<V, T> value;
        value.load_from(from);
        if constexpr (Factor) value.scale(row_all(s.factor[p]));
        if constexpr (C != 0) {
            splat_corners<0, C>(value, link, weight, values, width);
        } else {
            for (std::size_t k = 0; k < corners; ++k) value.add_to(row_all(weight[k]), values + static_cast<std::size_t>(link[k]) * width);
        }
    }
}

template <class I, class T>
OCELLI_ALWAYS_INLINE void slice_one(const I* link, const T* weight, std::size_t corners, const T* factor, std::size_t points, const T* base,
                                    const T* values, T* to) {
    for (std::size_t p = 0; p < points; ++p, link += corners, weight += corners) {
        T sum = 0;
        for (std::size_t k = 0; k < corners; ++k) sum += weight[k] * values[link[k]];
        to[p] = base[p] + (factor == nullptr ? sum : sum * factor[p]);
    }
}

template <class I, class T>
OCELLI_ALWAYS_INLINE void splat_one(const I* link, const T* weight, std::size_t corners, const T* factor, std::size_t points, const T* from,
                                    T* values) {
    for (std::size_t p = 0; p < points; ++p, link += corners, weight += corners) {
        const T value = factor == nullptr ? from[p] : from[p] * factor[p];
        for (std::size_t k = 0; k < corners; ++k) values[link[k]] += weight[k] * value;
    }
}

/// Columns of the values in runs of at most four vectors, which stay in registers.
template <std::size_t C, bool Slice, bool Factor, class I, class T>
OCELLI_ALWAYS_INLINE void move_columns(const I* link, const lattice_links<T>& s, std::size_t points, const T* base, T* values, std::size_t width,
                                       T* rows) {
    constexpr std::size_t L = static_cast<std::size_t>(row_lanes<T>);
    for (std::size_t c = 0; c < width;) {
        const std::size_t left = (width - c) / L;
        const std::size_t run = left >= 4 ? 4 : left;
#define OCELLI_MOVE_(V)                                                                                   \
    if constexpr (Slice) slice_columns<C, V, Factor>(link, s, points, base + c, values + c, width, rows + c); \
    else splat_columns<C, V, Factor>(link, s, points, rows + c, width, values + c);
        switch (run) {
        case 1: OCELLI_MOVE_(1) break;
        case 2: OCELLI_MOVE_(2) break;
        case 3: OCELLI_MOVE_(3) break;
        default: OCELLI_MOVE_(4) break;
        }
#undef OCELLI_MOVE_
        c += run * L;
    }
}

template <bool Slice, class I, class T>
OCELLI_ALWAYS_INLINE void move_values(const I* link, const lattice_links<T>& s, std::size_t points, const T* base, T* values, std::size_t width,
                                      T* rows) {
    if (width == 1) {
        if constexpr (Slice) slice_one(link, s.weight, s.corners, s.factor, points, base, values, rows);
        else splat_one(link, s.weight, s.corners, s.factor, points, rows, values);
        return;
    }
    if (s.factor != nullptr) {
        move_columns<0, Slice, true>(link, s, points, base, values, width, rows);
        return;
    }
    switch (s.corners) {
    case 3: move_columns<3, Slice, false>(link, s, points, base, values, width, rows); break;
    case 4: move_columns<4, Slice, false>(link, s, points, base, values, width, rows); break;
    case 6: move_columns<6, Slice, false>(link, s, points, base, values, width, rows); break;
    default: move_columns<0, Slice, false>(link, s, points, base, values, width, rows); break;
    }
}

template <class T>
void slice_kernel(const lattice_links<T>& links, std::size_t points, const T* base, const T* values, std::size_t width, T* to) {
    T* from = const_cast<T*>(values);  // read only: one body serves both ways
    if (links.narrow != nullptr) move_values<true>(links.narrow, links, points, base, from, width, to);
    else move_values<true>(links.wide, links, points, base, from, width, to);
}

template <class T>
void splat_kernel(const lattice_links<T>& links, std::size_t points, const T* from, std::size_t width, T* values) {
    T* rows = const_cast<T*>(from);
    if (links.narrow != nullptr) move_values<false>(links.narrow, links, points, from, values, width, rows);
    else move_values<false>(links.wide, links, points, from, values, width, rows);
}

// --- vertices ----------------------------------------------------------------------------------------------------------------

/// How many rows ahead the next ones are asked for: vertices lie beyond the second cache, in an order that no prefetcher sees through.
inline constexpr std::size_t rows_ahead = 12;

template <std::size_t V, class T>
OCELLI_ALWAYS_INLINE void prefetch_row(const T* p) {
    __builtin_prefetch(p);
    if constexpr (V * row_bytes > 32) __builtin_prefetch(reinterpret_cast<const char*>(p) + V * row_bytes - 1);
}

template <std::size_t V, class T>
OCELLI_ALWAYS_INLINE void merge_columns(const std::uint32_t* begin, const std::uint32_t* slot, std::size_t vertices, std::size_t width, T* values) {
    const std::size_t end = begin[vertices];
    for (std::size_t i = 0; i < vertices; ++i) {
        row_pack<V, T> sum;
        for (std::size_t s = begin[i]; s < begin[i + 1]; ++s) {
            const std::size_t ahead = s + rows_ahead < end ? s + rows_ahead : s;
            prefetch_row<V>(values + static_cast<std::size_t>(slot[ahead]) * width);
            sum.add(values + static_cast<std::size_t>(slot[s]) * width);
        }
        sum.store_to(values + static_cast<std::size_t>(slot[begin[i]]) * width);
    }
}

template <std::size_t V, class T>
OCELLI_ALWAYS_INLINE void blur_columns(const std::uint32_t* chain, std::size_t length, std::size_t width, T* values) {
    constexpr std::size_t L = static_cast<std::size_t>(row_lanes<T>);
    constexpr std::uint32_t first = 0x80000000u;
    const T nothing[V * L] = {};
    row_pack<V, T> before;
    for (std::size_t i = 0; i < length; ++i) {  // no branch: chains may be short, and their ends cannot be foreseen
        const bool last = i + 1 == length || (chain[i + 1] & first) != 0;
        const T* next = last ? nothing : values + static_cast<std::size_t>(chain[i + 1]) * width;
        const std::size_t ahead = i + rows_ahead < length ? i + rows_ahead : i;
        prefetch_row<V>(values + static_cast<std::size_t>(chain[ahead] & ~first) * width);
        before.blur(row_all((chain[i] & first) != 0 ? T(0) : T(0.5)), values + static_cast<std::size_t>(chain[i] & ~first) * width, next);
    }
}

#define OCELLI_COLUMN_RUNS_(width, function, ...)                                      \
    for (std::size_t c = 0; c < width;) {                                              \
        const std::size_t left = (width - c) / static_cast<std::size_t>(row_lanes<T>); \
        switch (left >= 4 ? 4 : left) {                                                \
        case 1: function<1>(__VA_ARGS__); break;                                       \
        case 2: function<2>(__VA_ARGS__); break;                                       \
        case 3: function<3>(__VA_ARGS__); break;                                       \
        default: function<4>(__VA_ARGS__); break;                                      \
        }                                                                              \
        c += (left >= 4 ? 4 : left) * static_cast<std::size_t>(row_lanes<T>);          \
    }

template <class T>
void merge_kernel(const std::uint32_t* begin, const std::uint32_t* slot, std::size_t vertices, std::size_t width, T* values) {
    if (width == 1) {
        for (std::size_t i = 0; i < vertices; ++i)
            for (std::size_t s = begin[i] + 1; s < begin[i + 1]; ++s) values[slot[begin[i]]] += values[slot[s]];
        return;
    }
    OCELLI_COLUMN_RUNS_(width, merge_columns, begin, slot, vertices, width, values + c)
}

template <class T>
void blur_kernel(const std::uint32_t* chain, std::size_t length, std::size_t width, T* values) {
    if (width == 1) {
        constexpr std::uint32_t first = 0x80000000u;
        T before = 0, here = 0;
        for (std::size_t i = 0; i < length; ++i) {
            const std::uint32_t at = chain[i] & ~first;
            if ((chain[i] & first) != 0) {
                before = 0;
                here = values[at];
            }
            const bool last = i + 1 == length || (chain[i + 1] & first) != 0;
            const T after = last ? T(0) : values[chain[i + 1]];
            values[at] = here + T(0.5) * (before + after);
            before = here;
            here = after;
        }
        return;
    }
    OCELLI_COLUMN_RUNS_(width, blur_columns, chain, length, width, values + c)
}
#undef OCELLI_COLUMN_RUNS_

template <class T>
void scale_kernel(const std::uint32_t* row, std::size_t rows, std::size_t width, const T* scale, T* values) {
    constexpr std::size_t L = static_cast<std::size_t>(row_lanes<T>);
    for (std::size_t i = 0; i < rows; ++i) {
        T* at = values + static_cast<std::size_t>(row[i]) * width;
        if (width == 1) *at *= *scale;
        else
            for (std::size_t c = 0; c < width; c += L) row_store(at + c, row_load(at + c) * row_load(scale + c));
    }
}

template <class T>
void mix_kernel(const std::uint32_t* row, std::size_t rows, std::size_t width, const T* matrix, T* OCELLI_RESTRICT room, T* values) {
    constexpr std::size_t L = static_cast<std::size_t>(row_lanes<T>);
    for (std::size_t i = 0; i < rows; ++i) {
        T* at = values + static_cast<std::size_t>(row[i]) * width;
        for (std::size_t c = 0; c < width; c += L) {
            rvec<T> sum{};
            for (std::size_t j = 0; j < width; ++j) sum = sum + at[j] * row_load(matrix + j * width + c);
            row_store(room + c, sum);
        }
        for (std::size_t c = 0; c < width; c += L) row_store(at + c, row_load(room + c));
    }
}

template <class T>
void copy_kernel(const std::uint32_t* from, const std::uint32_t* to, std::size_t rows, std::size_t width, T* values) {
    constexpr std::size_t L = static_cast<std::size_t>(row_lanes<T>);
    for (std::size_t i = 0; i < rows; ++i) {
        const std::size_t ahead = i + rows_ahead < rows ? i + rows_ahead : i;
        prefetch_row<3>(values + static_cast<std::size_t>(from[ahead]) * width);
        const T* at = values + static_cast<std::size_t>(from[i]) * width;
        T* into = values + static_cast<std::size_t>(to[i]) * width;
        if (width == 1) *into = *at;
        else
            for (std::size_t c = 0; c < width; c += L) row_store(into + c, row_load(at + c));
    }
}

// --- planes and rows ---------------------------------------------------------------------------------------------------------

template <int S, class V, int... I>
OCELLI_ALWAYS_INLINE void exchange_row_lanes(V& a, V& b, std::integer_sequence<int, I...>) {
    constexpr int L = static_cast<int>(sizeof...(I));
    const V x = __builtin_shufflevector(a, b, ((I & S) != 0 ? L + I - S : I)...);
    b = __builtin_shufflevector(a, b, ((I & S) != 0 ? L + I : I + S)...);
    a = x;
}
template <int S, int I, class T>
OCELLI_ALWAYS_INLINE void transpose_rows(rvec<T>* rows) {
    constexpr int L = row_lanes<T>;
    if constexpr ((I & S) == 0) exchange_row_lanes<S>(rows[I], rows[I + S], std::make_integer_sequence<int, L>());
    if constexpr (I + 1 < L) transpose_rows<S, I + 1, T>(rows);
    else if constexpr (2 * S < L) transpose_rows<2 * S, 0, T>(rows);
}

template <class T>
bool to_rows_kernel(const T* planes, std::size_t stride, std::size_t points, std::size_t channels, std::size_t width, T sign, T rest,
                    T* OCELLI_RESTRICT rows) {
    constexpr std::size_t L = static_cast<std::size_t>(row_lanes<T>);
    using B = typename row_vector<T>::bits;
    using I = typename row_vector<T>::integer;
    constexpr I special = sizeof(T) == 4 ? static_cast<I>(0x7f800000) : static_cast<I>(0x7ff0000000000000);
    B odd{};
    std::size_t p = 0;
    for (; p + L <= points; p += L)
        for (std::size_t c = 0; c < width; c += L) {
            rvec<T> square[L];
            for (std::size_t i = 0; i < L; ++i) {
                if (c + i < channels) {
                    square[i] = row_load(planes + (c + i) * stride + p) * sign;
                    odd = odd | ((reinterpret_cast<B>(square[i]) & special) == special);
                } else {
                    square[i] = row_all(rest);
                }
            }
            transpose_rows<1, 0, T>(square);
            for (std::size_t i = 0; i < L; ++i) row_store(rows + (p + i) * width + c, square[i]);
        }
    bool found = false;
    for (std::size_t i = 0; i < L; ++i) found = found || odd[i] != 0;
    for (; p < points; ++p)
        for (std::size_t c = 0; c < width; ++c) {
            const T x = c < channels ? planes[c * stride + p] * sign : T(0);
            found = found || (__builtin_bit_cast(I, x) & special) == special;
            rows[p * width + c] = c < channels ? x : rest;
        }
    return found;
}

template <class T>
void to_planes_kernel(const T* rows, std::size_t points, std::size_t channels, std::size_t width, T* OCELLI_RESTRICT planes,
                      std::size_t stride) {
    constexpr std::size_t L = static_cast<std::size_t>(row_lanes<T>);
    std::size_t p = 0;
    if (width != 1)
        for (; p + L <= points; p += L)
            for (std::size_t c = 0; c < channels; c += L) {
                rvec<T> square[L];
                for (std::size_t i = 0; i < L; ++i) square[i] = row_load(rows + (p + i) * width + c);
                transpose_rows<1, 0, T>(square);
                for (std::size_t i = 0; i < L && c + i < channels; ++i) row_store(planes + (c + i) * stride + p, square[i]);
            }
    for (; p < points; ++p)
        for (std::size_t c = 0; c < channels; ++c) planes[c * stride + p] = rows[p * width + c];
}

template <class T>
inline lattice_kernels<T> make_lattice_kernels() {
    return {static_cast<std::size_t>(row_lanes<T>), embed_kernel<T>, slice_kernel<T>,  splat_kernel<T>,   merge_kernel<T>,   scale_kernel<T>,
            mix_kernel<T>,                          copy_kernel<T>,  blur_kernel<T>,   update_kernel<T>,  softmax_kernel<T>, to_rows_kernel<T>,
            to_planes_kernel<T>};
}

inline lattice_tables make_lattice_tables() {
    return {make_lattice_kernels<float>(), make_lattice_kernels<double>()};
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
