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

/// A point's messages onto its logits.
template <std::size_t V, class T>
OCELLI_ALWAYS_INLINE void slice_terms(row_pack<V, T>& x, const lattice_exchange<T>* terms, std::size_t count, std::size_t p, std::size_t width) {
    for (std::size_t t = 0; t < count; ++t) {
        const lattice_links<T>& s = terms[t].links;
        const std::uint16_t* link = s.narrow + p * s.corners;
        const T* weight = s.weight + p * s.corners;
        if (s.corners == 6) slice_corners<0, 6>(x, link, weight, terms[t].values, width);
        else if (s.corners == 3) slice_corners<0, 3>(x, link, weight, terms[t].values, width);
        else
            for (std::size_t k = 0; k < s.corners; ++k) x.add(row_all(weight[k]), terms[t].values + static_cast<std::size_t>(link[k]) * width);
    }
}
/// A point's marginals to the vertices.
template <std::size_t V, class T>
OCELLI_ALWAYS_INLINE void splat_terms(const row_pack<V, T>& x, const lattice_exchange<T>* terms, std::size_t count, std::size_t p, std::size_t width) {
    for (std::size_t t = 0; t < count; ++t) {
        const lattice_links<T>& s = terms[t].links;
        const std::uint16_t* link = s.narrow + p * s.corners;
        const T* weight = s.weight + p * s.corners;
        if (s.corners == 6) splat_corners<0, 6>(x, link, weight, terms[t].sums, width);
        else if (s.corners == 3) splat_corners<0, 3>(x, link, weight, terms[t].sums, width);
        else
            for (std::size_t k = 0; k < s.corners; ++k) x.add_to(row_all(weight[k]), terms[t].sums + static_cast<std::size_t>(link[k]) * width);
    }
}

/// How many points ahead their logits are asked for: they come from the memory, in an order that prefetchers see through, but not soon enough.
inline constexpr std::size_t points_ahead = 24;

template <std::size_t Bytes, class T>
OCELLI_ALWAYS_INLINE void prefetch_bytes(const T* p) {
    for (std::size_t i = 0; i < Bytes; i += 64) __builtin_prefetch(reinterpret_cast<const char*>(p) + i);
}

/// Read: the messages; Spread: the marginals, otherwise they are written to `rows`.
///
/// Two points side by side: one alone is a chain of sums, exponentials and a division that is longer than a processor looks ahead.
template <std::size_t V, bool Read, bool Spread, class T>
OCELLI_ALWAYS_INLINE void update_rows(const lattice_exchange<T>* terms, std::size_t count, std::size_t points, const T* base, T* rows) {
    constexpr std::size_t width = V * static_cast<std::size_t>(row_lanes<T>);
    std::size_t p = 0;
    for (; p + 2 <= points; p += 2) {
        prefetch_bytes<2 * width * sizeof(T)>(base + (p + points_ahead) * width);
        row_pack<V, T> x, y;
        x.load_from(base + p * width);
        y.load_from(base + (p + 1) * width);
        if constexpr (Read) {
            slice_terms(x, terms, count, p, width);
            slice_terms(y, terms, count, p + 1, width);
        }
        const rvec<T> top_x = max_everywhere<T>(x.largest()), top_y = max_everywhere<T>(y.largest());
        const rvec<T> sum_x = x.exp2_and_sum(top_x), sum_y = y.exp2_and_sum(top_y);
        const rvec<T> by_x = T(1) / sum_everywhere<T>(sum_x), by_y = T(1) / sum_everywhere<T>(sum_y);
        x.scale(by_x);
        y.scale(by_y);
        if constexpr (Spread) {
            splat_terms(x, terms, count, p, width);
            splat_terms(y, terms, count, p + 1, width);
        } else {
            x.store_to(rows + p * width);
            y.store_to(rows + (p + 1) * width);
        }
    }
    if (p == points) return;
    row_pack<V, T> x;
    x.load_from(base + p * width);
    if constexpr (Read) slice_terms(x, terms, count, p, width);
    softmax_pack(x);
    if constexpr (Spread) splat_terms(x, terms, count, p, width);
    else x.store_to(rows + p * width);
}

template <bool Read, bool Spread, class T>
OCELLI_ALWAYS_INLINE void update_any(const lattice_exchange<T>* terms, std::size_t count, std::size_t points, const T* base, std::size_t width, T* rows) {
    switch (width / static_cast<std::size_t>(row_lanes<T>)) {
    case 1: update_rows<1, Read, Spread>(terms, count, points, base, rows); break;
    case 2: update_rows<2, Read, Spread>(terms, count, points, base, rows); break;
    case 3: update_rows<3, Read, Spread>(terms, count, points, base, rows); break;
    default: update_rows<4, Read, Spread>(terms, count, points, base, rows); break;
    }
}

template <class T>
void update_kernel(const lattice_exchange<T>* terms, std::size_t count, std::size_t points, const T* base, std::size_t width, bool read, T* rows) {
    if (rows != nullptr) update_any<true, false>(terms, count, points, base, width, rows);
    else if (read) update_any<true, true>(terms, count, points, base, width, rows);
    else update_any<false, true>(terms, count, points, base, width, rows);
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
