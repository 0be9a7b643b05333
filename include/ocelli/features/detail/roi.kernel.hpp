// Pooling of regions, a channel to a lane. Compiled once per target by for_each_target.hpp: no guard, no includes.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

/// Exchanges what lies S rows and lanes apart in two vectors: a step of a transposition.
template <int S, class V, int... I>
OCELLI_ALWAYS_INLINE void exchange_lanes(V& a, V& b, std::integer_sequence<int, I...>) {
    constexpr int L = static_cast<int>(sizeof...(I));
    const V x = __builtin_shufflevector(a, b, ((I & S) != 0 ? L + I - S : I)...);
    b = __builtin_shufflevector(a, b, ((I & S) != 0 ? L + I : I + S)...);
    a = x;
}

template <int S, class T>
OCELLI_ALWAYS_INLINE void transpose_step(vec<T>* rows) {
    constexpr int L = lanes<T>;
    if constexpr (S < L) {
        for (int i = 0; i < L; ++i)
            if ((i & S) == 0) exchange_lanes<S>(rows[i], rows[i + S], std::make_integer_sequence<int, L>());
        transpose_step<2 * S, T>(rows);
    }
}

template <class T>
void roi_gather_kernel(const T* planes, std::size_t plane, std::size_t channels, std::size_t stride, std::size_t height, std::size_t width,
                       T* OCELLI_RESTRICT region) {
    constexpr std::size_t L = static_cast<std::size_t>(lanes<T>);
    for (std::size_t y = 0; y < height; ++y) {
        const T* from = planes + y * stride;
        T* to = region + y * width * L;
        std::size_t x = 0;
        if (channels == L) {
            for (; x + L <= width; x += L) {
                vec<T> rows[L];
                for (std::size_t c = 0; c < L; ++c) rows[c] = load(from + c * plane + x);
                transpose_step<1, T>(rows);
                for (std::size_t c = 0; c < L; ++c) store(to + (x + c) * L, rows[c]);
            }
        }
        for (; x < width; ++x)
            for (std::size_t c = 0; c < L; ++c) to[x * L + c] = c < channels ? from[c * plane + x] : T(0);
    }
}

/// Rows of the region in one row, for the columns that are needed.
template <int N, class T>
OCELLI_ALWAYS_INLINE void sum_rows(const T* const* rows, const T* weights, const std::int32_t* columns, std::size_t count, T* OCELLI_RESTRICT to) {
    constexpr std::size_t L = static_cast<std::size_t>(lanes<T>);
    vec<T> w[N];
    for (int t = 0; t < N; ++t) w[t] = broadcast(weights[t]);
    for (std::size_t j = 0; j < count; ++j) {
        const std::size_t at = static_cast<std::size_t>(columns[j]) * L;
        vec<T> sum = w[0] * load(rows[0] + at);
        for (int t = 1; t < N; ++t) sum = sum + w[t] * load(rows[t] + at);
        store(to + j * L, sum);
    }
}

template <class T>
void roi_sums_kernel(const T* region, std::size_t width, const roi_sums<T>& roi, std::size_t bins_y, std::size_t bins_x,
                     T* OCELLI_RESTRICT scratch, T* OCELLI_RESTRICT bins) {
    constexpr std::size_t L = static_cast<std::size_t>(lanes<T>);
    for (std::size_t p = 0; p < bins_y; ++p) {
        const std::int32_t begin = roi.rows.begin[p], end = roi.rows.begin[p + 1];
        T* to = bins + p * bins_x * L;
        if (begin == end) {
            for (std::size_t q = 0; q < bins_x; ++q) store(to + q * L, vec<T>{});
            continue;
        }
        const T* rows[4];
        const std::int32_t head = end - begin < 4 ? end - begin : 4;
        for (std::int32_t t = 0; t < head; ++t) rows[t] = region + static_cast<std::size_t>(roi.rows.cell[begin + t]) * width * L;
        const T* weights = roi.rows.weight + begin;
        switch (head) {
        case 1: sum_rows<1>(rows, weights, roi.column_list, roi.column_count, scratch); break;
        case 2: sum_rows<2>(rows, weights, roi.column_list, roi.column_count, scratch); break;
        case 3: sum_rows<3>(rows, weights, roi.column_list, roi.column_count, scratch); break;
        default: sum_rows<4>(rows, weights, roi.column_list, roi.column_count, scratch); break;
        }
        for (std::int32_t t = begin + head; t < end; ++t) {
            const T* from = region + static_cast<std::size_t>(roi.rows.cell[t]) * width * L;
            const vec<T> w = broadcast(roi.rows.weight[t]);
            for (std::size_t j = 0; j < roi.column_count; ++j)
                store(scratch + j * L, load(scratch + j * L) + w * load(from + static_cast<std::size_t>(roi.column_list[j]) * L));
        }
        for (std::size_t q = 0; q < bins_x; ++q) {
            vec<T> sum{};
            for (std::int32_t t = roi.columns.begin[q]; t < roi.columns.begin[q + 1]; ++t)
                sum = sum + broadcast(roi.columns.weight[t]) * load(scratch + static_cast<std::size_t>(roi.columns.cell[t]) * L);
            store(to + q * L, sum);
        }
    }
}

template <class T>
void roi_largest_kernel(const T* region, std::size_t width, const roi_ranges& roi, std::size_t bins_y, std::size_t bins_x,
                        T* OCELLI_RESTRICT scratch, T* OCELLI_RESTRICT bins) {
    constexpr std::size_t L = static_cast<std::size_t>(lanes<T>);
    const vec<T> lowest = broadcast(sizeof(T) == 4 ? T(-3.4028234663852886e38) : T(-1.7976931348623157e308));
    for (std::size_t p = 0; p < bins_y; ++p) {
        for (std::size_t x = 0; x < roi.column_count; ++x) store(scratch + x * L, lowest);
        for (std::int32_t y = roi.row_begin[p]; y < roi.row_end[p]; ++y) {
            const T* row = region + static_cast<std::size_t>(y) * width * L;
            for (std::size_t x = 0; x < roi.column_count; ++x) store(scratch + x * L, max(load(row + x * L), load(scratch + x * L)));
        }
        for (std::size_t q = 0; q < bins_x; ++q) {
            const bool any_cell = roi.row_begin[p] < roi.row_end[p] && roi.column_begin[q] < roi.column_end[q];
            vec<T> best = any_cell ? lowest : vec<T>{};
            for (std::int32_t x = roi.column_begin[q]; any_cell && x < roi.column_end[q]; ++x)
                best = max(load(scratch + static_cast<std::size_t>(x) * L), best);
            store(bins + (p * bins_x + q) * L, best);
        }
    }
}

template <class T>
void roi_largest_sample_kernel(const T* region, std::size_t width, const roi_sample<T>* y, std::size_t n_y, const roi_sample<T>* x,
                               std::size_t n_x, bool corners, T* bin) {
    constexpr std::size_t L = static_cast<std::size_t>(lanes<T>);
    vec<T> best = broadcast(sizeof(T) == 4 ? T(-3.4028234663852886e38) : T(-1.7976931348623157e308));
    for (std::size_t i = 0; i < n_y; ++i)
        for (std::size_t j = 0; j < n_x; ++j) {
            const T* low = region + static_cast<std::size_t>(y[i].low) * width * L;
            const T* high = region + static_cast<std::size_t>(y[i].high) * width * L;
            const std::size_t left = static_cast<std::size_t>(x[j].low) * L, right = static_cast<std::size_t>(x[j].high) * L;
            const vec<T> a = broadcast(y[i].low_weight * x[j].low_weight) * load(low + left);
            const vec<T> b = broadcast(y[i].low_weight * x[j].high_weight) * load(low + right);
            const vec<T> c = broadcast(y[i].high_weight * x[j].low_weight) * load(high + left);
            const vec<T> d = broadcast(y[i].high_weight * x[j].high_weight) * load(high + right);
            const vec<T> value = corners ? max(max(a, b), max(c, d)) : ((a + b) + c) + d;
            best = max(value, best);
        }
    store(bin, best);
}

template <class T>
void roi_scatter_kernel(const T* OCELLI_RESTRICT bins_of_lanes, std::size_t bins, std::size_t channels, T* OCELLI_RESTRICT out) {
    constexpr std::size_t L = static_cast<std::size_t>(lanes<T>);
    std::size_t b = 0;
    if (channels == L) {
        for (; b + L <= bins; b += L) {
            vec<T> rows[L];
            for (std::size_t k = 0; k < L; ++k) rows[k] = load(bins_of_lanes + (b + k) * L);
            transpose_step<1, T>(rows);
            for (std::size_t c = 0; c < L; ++c) store(out + c * bins + b, rows[c]);
        }
    }
    for (; b < bins; ++b)
        for (std::size_t c = 0; c < channels; ++c) out[c * bins + b] = bins_of_lanes[b * L + c];
}

template <class T>
inline void fill_roi_kernels(roi_kernels<T>& table) {
    table.lanes = static_cast<std::size_t>(lanes<T>);
    table.gather = &roi_gather_kernel<T>;
    table.sums = &roi_sums_kernel<T>;
    table.largest = &roi_largest_kernel<T>;
    table.largest_sample = &roi_largest_sample_kernel<T>;
    table.scatter = &roi_scatter_kernel<T>;
}

inline roi_tables make_roi_tables() {
    roi_tables tables{};
    fill_roi_kernels(tables.f32);
    fill_roi_kernels(tables.f64);
    return tables;
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
