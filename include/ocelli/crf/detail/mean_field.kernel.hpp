// The loops of mean-field inference over points: softmax, and a whole step in registers. No guard, no includes: see for_each_target.hpp.
// After lattice_rows.kernel.hpp.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

/// Logits to probabilities.
template <std::size_t V, class T>
OCELLI_ALWAYS_INLINE void softmax_pack(row_pack<V, T>& x) {
    const rvec<T> sum = x.exp2_and_sum(max_everywhere<T>(x.largest()));
    x.scale(T(1) / sum_everywhere<T>(sum));
}

template <std::size_t V, class T>
OCELLI_ALWAYS_INLINE void softmax_rows(T* rows, std::size_t points) {
    constexpr std::size_t L = static_cast<std::size_t>(row_lanes<T>);
    for (std::size_t p = 0; p < points; ++p, rows += V * L) {
        row_pack<V, T> x;
        x.load_from(rows);
        softmax_pack(x);
        x.store_to(rows);
    }
}

/// Where the vertices of a run's points begin, in elements. Reads and writes whole vectors.
OCELLI_ALWAYS_INLINE void find_vertices(const std::uint16_t* link, std::size_t links, std::size_t width, std::uint32_t* at) {
    constexpr std::size_t L = row_bytes / 4;
    typedef std::uint16_t numbers __attribute__((vector_size(L * 2), aligned(1), may_alias));
    typedef std::uint32_t places __attribute__((vector_size(L * 4)));
    typedef std::uint32_t stored __attribute__((vector_size(L * 4), aligned(1), may_alias));
    for (std::size_t i = 0; i < links; i += L)
        *reinterpret_cast<stored*>(at + i) =
            __builtin_convertvector(*reinterpret_cast<const numbers*>(link + i), places) * static_cast<std::uint32_t>(width);
}

/// A run of points in any terms.
template <std::size_t V, class T>
struct all_terms {
    static constexpr std::size_t width = V * static_cast<std::size_t>(row_lanes<T>);
    const lattice_exchange<T>* terms;
    std::size_t count;

    OCELLI_ALWAYS_INLINE void read(row_pack<V, T>& x, std::size_t p) const {
        for (std::size_t t = 0; t < count; ++t) {
            const lattice_links<T>& s = terms[t].links;
            for (std::size_t k = p * s.corners; k < (p + 1) * s.corners; ++k)
                x.add(row_all(s.weight[k]), terms[t].values + static_cast<std::size_t>(s.narrow[k]) * width);
        }
    }
    OCELLI_ALWAYS_INLINE void spread(const row_pack<V, T>& x, std::size_t p) const {
        for (std::size_t t = 0; t < count; ++t) {
            const lattice_links<T>& s = terms[t].links;
            for (std::size_t k = p * s.corners; k < (p + 1) * s.corners; ++k)
                x.add_to(row_all(s.weight[k]), terms[t].sums + static_cast<std::size_t>(s.narrow[k]) * width);
        }
    }
};

/// A run of points in two terms of C and D corners: the usual position and the usual position with colour. Half the instructions of all_terms.
template <std::size_t V, std::size_t C, std::size_t D, class T>
struct two_terms {
    const T *weight, *other_weight, *values, *other_values;
    T *sums, *other_sums;
    std::uint32_t at[lattice_run * C + 8], other_at[lattice_run * D + 8];

    OCELLI_ALWAYS_INLINE two_terms(const lattice_exchange<T>& one, const lattice_exchange<T>& other, std::size_t points)
        : weight(one.links.weight), other_weight(other.links.weight), values(one.values), other_values(other.values), sums(one.sums),
          other_sums(other.sums) {
        find_vertices(one.links.narrow, points * C, V * static_cast<std::size_t>(row_lanes<T>), at);
        find_vertices(other.links.narrow, points * D, V * static_cast<std::size_t>(row_lanes<T>), other_at);
    }
    OCELLI_ALWAYS_INLINE void read(row_pack<V, T>& x, std::size_t p) const {
        slice_corners<0, C>(x, at + p * C, weight + p * C, values, 1);
        slice_corners<0, D>(x, other_at + p * D, other_weight + p * D, other_values, 1);
    }
    OCELLI_ALWAYS_INLINE void spread(const row_pack<V, T>& x, std::size_t p) const {
        splat_corners<0, C>(x, at + p * C, weight + p * C, sums, 1);
        splat_corners<0, D>(x, other_at + p * D, other_weight + p * D, other_sums, 1);
    }
};

/// How many points ahead their logits are asked for: they come from the memory, in an order that prefetchers see through, but not soon enough.
inline constexpr std::size_t points_ahead = 24;

template <std::size_t Bytes, class T>
OCELLI_ALWAYS_INLINE void prefetch_bytes(const T* p) {
    for (std::size_t i = 0; i < Bytes; i += 64) __builtin_prefetch(reinterpret_cast<const char*>(p) + i);
}

/// Read: the messages; Spread: the marginals, otherwise they are written to `rows`.
///
/// Three points are under way: one reads its messages, one takes exponentials, one divides and spreads. A point alone is a chain of sums,
/// exponentials and a division that is longer than a processor looks ahead.
template <std::size_t V, bool Read, bool Spread, class Terms, class T>
OCELLI_ALWAYS_INLINE void update_points(const Terms& terms, std::size_t points, const T* base, T* rows) {
    constexpr std::size_t width = V * static_cast<std::size_t>(row_lanes<T>);
    row_pack<V, T> x, y, z;
    rvec<T> top{}, sum = row_all(T(1));
    for (std::size_t p = 0; p < points + 2; ++p) {
        const rvec<T> by = T(1) / sum_everywhere<T>(sum);
        if (p < points) {
            prefetch_bytes<width * sizeof(T)>(base + (p + points_ahead) * width);
            z.load_from(base + p * width);
            if constexpr (Read) terms.read(z, p);
        }
        sum = y.exp2_and_sum(top);
        top = max_everywhere<T>(z.largest());
        if (p >= 2) {
            x.scale(by);
            if constexpr (Spread) terms.spread(x, p - 2);
            else x.store_to(rows + (p - 2) * width);
        }
        x = y;
        y = z;
    }
}

template <std::size_t V, class T>
OCELLI_ALWAYS_INLINE void update_rows(const lattice_exchange<T>* terms, std::size_t count, std::size_t points, const T* base, bool read, T* rows) {
    const all_terms<V, T> any{terms, count};
    if (rows != nullptr) return update_points<V, true, false>(any, points, base, rows);
    if (!read) return update_points<V, false, true>(any, points, base, rows);
    if (count == 2 && terms[0].links.corners == 3 && terms[1].links.corners == 6)
        return update_points<V, true, true>(two_terms<V, 3, 6, T>(terms[0], terms[1], points), points, base, rows);
    update_points<V, true, true>(any, points, base, rows);
}

template <class T>
void update_kernel(const lattice_exchange<T>* terms, std::size_t count, std::size_t points, const T* base, std::size_t width, bool read, T* rows) {
    switch (width / static_cast<std::size_t>(row_lanes<T>)) {
    case 1: update_rows<1>(terms, count, points, base, read, rows); break;
    case 2: update_rows<2>(terms, count, points, base, read, rows); break;
    case 3: update_rows<3>(terms, count, points, base, read, rows); break;
    default: update_rows<4>(terms, count, points, base, read, rows); break;
    }
}

template <class T>
void softmax_kernel(T* rows, std::size_t points, std::size_t width) {
    constexpr std::size_t L = static_cast<std::size_t>(row_lanes<T>);
    switch (width / L) {
    case 1: softmax_rows<1>(rows, points); return;
    case 2: softmax_rows<2>(rows, points); return;
    case 3: softmax_rows<3>(rows, points); return;
    case 4: softmax_rows<4>(rows, points); return;
    default: break;
    }
    for (std::size_t p = 0; p < points; ++p, rows += width) {
        rvec<T> top = row_load(rows);
        for (std::size_t c = L; c < width; c += L) top = max(top, row_load(rows + c));
        top = max_everywhere<T>(top);
        rvec<T> sum{};
        for (std::size_t c = 0; c < width; c += L) {
            const rvec<T> e = exp2_row(row_load(rows + c) - top);
            sum = sum + e;
            row_store(rows + c, e);
        }
        const rvec<T> by = T(1) / sum_everywhere<T>(sum);
        for (std::size_t c = 0; c < width; c += L) row_store(rows + c, row_load(rows + c) * by);
    }
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
