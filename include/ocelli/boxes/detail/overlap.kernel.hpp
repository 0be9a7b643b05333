// Overlap measures of boxes in columns. Compiled once per target by for_each_target.hpp: no guard, no includes.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

/// One box per lane.
template <class T>
struct box_lanes {
    vec<T> x1, y1, x2, y2, area, angle;
};

template <overlap K, class T>
OCELLI_ALWAYS_INLINE box_lanes<T> load_boxes(const box_columns<T>& b, std::size_t i) {
    box_lanes<T> out;
    out.x1 = load(b.column(0) + i);
    out.y1 = load(b.column(1) + i);
    out.x2 = load(b.column(2) + i);
    out.y2 = load(b.column(3) + i);
    out.area = load(b.column(4) + i);
    if constexpr (K == overlap::ciou) out.angle = load(b.column(5) + i);
    return out;
}

template <overlap K, class T>
OCELLI_ALWAYS_INLINE box_lanes<T> broadcast_box(const box_columns<T>& b, std::size_t i) {
    box_lanes<T> out;
    out.x1 = broadcast(b.column(0)[i]);
    out.y1 = broadcast(b.column(1)[i]);
    out.x2 = broadcast(b.column(2)[i]);
    out.y2 = broadcast(b.column(3)[i]);
    out.area = broadcast(b.column(4)[i]);
    if constexpr (K == overlap::ciou) out.angle = broadcast(b.column(5)[i]);
    return out;
}

/// The measure of each lane. max() and min() return their second argument where one is NaN: the order of arguments decides that a NaN
/// stays in an area and vanishes from a clamped width.
template <overlap K, bool Legacy, class T>
OCELLI_ALWAYS_INLINE vec<T> overlap_of(const box_lanes<T>& a, const box_lanes<T>& b, [[maybe_unused]] T epsilon) {
    using V = vec<T>;
    const V zero{};
    const V one = broadcast(T(1));
    V w = min(a.x2, b.x2) - max(a.x1, b.x1);
    V h = min(a.y2, b.y2) - max(a.y1, b.y1);
    if constexpr (Legacy) {
        w = w + one;
        h = h + one;
    }
    const V inter = rounded(max(w, zero) * max(h, zero));
    if constexpr (K == overlap::iof) {
        V ratio = inter / a.area;
        ratio = ratio >= zero ? ratio : zero;
        return a.area > zero ? ratio : zero;
    } else {
        const V united = (a.area + b.area) - inter;
        const V ratio = inter / united;
        const V iou = united > zero ? ratio : zero;  // also 0 where the union is NaN
        if constexpr (K == overlap::iou) {
            return iou;
        } else {
            // "Not NaN" as a comparison with a number: compilers may think that a value always equals itself.
            const V lowest = broadcast(sizeof(T) == 4 ? T(-3.4028234663852886e38) : T(-1.7976931348623157e308));
            V cw = max(b.x2, a.x2) - min(b.x1, a.x1);
            V ch = max(b.y2, a.y2) - min(b.y1, a.y1);
            if constexpr (Legacy) {
                cw = cw + one;
                ch = ch + one;
            }
            cw = max(cw, zero);
            ch = max(ch, zero);
            if constexpr (K == overlap::giou) {
                const V enclosing = rounded(cw * ch);
                V penalty = (enclosing - united) / enclosing;
                penalty = enclosing > zero ? penalty : zero;
                penalty = penalty >= lowest ? penalty : one;
                penalty = united >= lowest ? penalty : one;
                return iou - penalty;
            } else {
                const V half = broadcast(T(0.5));
                const V diagonal = (rounded(cw * cw) + rounded(ch * ch)) + broadcast(epsilon);
                const V dx = rounded((a.x1 + a.x2) * half) - rounded((b.x1 + b.x2) * half);
                const V dy = rounded((a.y1 + a.y2) * half) - rounded((b.y1 + b.y2) * half);
                V penalty = (rounded(dx * dx) + rounded(dy * dy)) / diagonal;
                penalty = diagonal > zero ? penalty : zero;
                penalty = penalty >= lowest ? penalty : one;
                penalty = united >= lowest ? penalty : one;
                const V diou = iou - penalty;
                if constexpr (K == overlap::diou) {
                    return diou;
                } else {
                    const V turn = a.angle - b.angle;
                    const V v = rounded(broadcast(T(0.40528473456935108577551785283891)) * rounded(turn * turn));  // 4 / pi^2
                    const V alpha = v / (((one - iou) + v) + broadcast(epsilon));
                    V aspect = rounded(alpha * v);
                    aspect = aspect >= lowest ? aspect : zero;
                    aspect = united >= lowest ? aspect : zero;
                    return diou - aspect;
                }
            }
        }
    }
}

/// Rows [a_begin, a_end) of `a` against all of `b`.
template <overlap K, bool Legacy, class T>
void pairwise_kernel(const box_columns<T>& a, std::size_t a_begin, std::size_t a_end, const box_columns<T>& b, std::size_t m, T epsilon,
                     T* OCELLI_RESTRICT out) {
    constexpr std::size_t L = lanes<T>;
    const std::size_t whole = m - m % L;
    for (std::size_t i = a_begin; i < a_end; ++i) {
        const box_lanes<T> row = broadcast_box<K>(a, i);
        T* to = out + i * m;
        for (std::size_t j = 0; j < whole; j += L) store(to + j, overlap_of<K, Legacy, T>(row, load_boxes<K>(b, j), epsilon));
        if (whole != m)
            store_first(to + whole, overlap_of<K, Legacy, T>(row, load_boxes<K>(b, whole), epsilon), static_cast<int>(m - whole));
    }
}

template <overlap K, bool Legacy, class T>
void paired_kernel(const box_columns<T>& a, const box_columns<T>& b, std::size_t n, T epsilon, T* OCELLI_RESTRICT out) {
    constexpr std::size_t L = lanes<T>;
    const std::size_t whole = n - n % L;
    for (std::size_t i = 0; i < whole; i += L)
        store(out + i, overlap_of<K, Legacy, T>(load_boxes<K>(a, i), load_boxes<K>(b, i), epsilon));
    if (whole != n)
        store_first(out + whole, overlap_of<K, Legacy, T>(load_boxes<K>(a, whole), load_boxes<K>(b, whole), epsilon),
                    static_cast<int>(n - whole));
}

/// Columns 0 to 4 of box_columns from rows of four.
template <class T>
void columns_kernel(const T* OCELLI_RESTRICT boxes, std::size_t n, std::size_t padded, T* OCELLI_RESTRICT out, bool legacy) {
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t k = 0; k < 4; ++k) out[k * padded + i] = boxes[4 * i + k];
    for (std::size_t k = 0; k < 4; ++k)
        for (std::size_t i = n; i < padded; ++i) out[k * padded + i] = T(0);
    const vec<T> one = broadcast(T(1));
    const vec<T> zero{};
    for (std::size_t i = 0; i < padded; i += static_cast<std::size_t>(lanes<T>)) {
        vec<T> w = load(out + 2 * padded + i) - load(out + i);
        vec<T> h = load(out + 3 * padded + i) - load(out + padded + i);
        if (legacy) {
            w = w + one;
            h = h + one;
        }
        // The clamp keeps a NaN (second argument) and makes x2 < x1 an empty box.
        store(out + 4 * padded + i, rounded(max(zero, w) * max(zero, h)));
    }
}

template <overlap K, class T>
inline void fill_overlap_kernel(overlap_kernel<T> (&both)[2]) {
    both[0].pairwise = &pairwise_kernel<K, false, T>;
    both[0].paired = &paired_kernel<K, false, T>;
    both[1].pairwise = &pairwise_kernel<K, true, T>;
    both[1].paired = &paired_kernel<K, true, T>;
}

template <class T>
inline void fill_overlap_kernels(overlap_kernels<T>& table) {
    table.columns = &columns_kernel<T>;
    fill_overlap_kernel<overlap::iou>(table.measure[0]);
    fill_overlap_kernel<overlap::iof>(table.measure[1]);
    fill_overlap_kernel<overlap::giou>(table.measure[2]);
    fill_overlap_kernel<overlap::diou>(table.measure[3]);
    fill_overlap_kernel<overlap::ciou>(table.measure[4]);
}

inline overlap_tables make_overlap_tables() {
    overlap_tables tables{};
    fill_overlap_kernels(tables.f32);
    fill_overlap_kernels(tables.f64);
    return tables;
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
