// Sums, and scaling by what they give. Compiled once per instruction set.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

// Vectors that are added up in float before double takes over.
inline constexpr std::int64_t normalize_run = 256;

template <bool Squares>
double normalize_sum(std::int64_t n, const float* x, float mean) {
    constexpr int L = lanes<float>;
    const vf32 centre = broadcast(mean);
    double total = 0;
    std::int64_t i = 0;
    while (i + L <= n) {
        const std::int64_t whole = (n - i) / L, run = whole < normalize_run ? whole : normalize_run, end = i + run * L;
        vf32 s0{}, s1{}, s2{}, s3{};
        if constexpr (Squares) {
            for (; i + 4 * L <= end; i += 4 * L) {
                const vf32 a = load(x + i) - centre, b = load(x + i + L) - centre, c = load(x + i + 2 * L) - centre, d = load(x + i + 3 * L) - centre;
                s0 = s0 + a * a;
                s1 = s1 + b * b;
                s2 = s2 + c * c;
                s3 = s3 + d * d;
            }
            for (; i < end; i += L) {
                const vf32 a = load(x + i) - centre;
                s0 = s0 + a * a;
            }
        } else {
            for (; i + 4 * L <= end; i += 4 * L) {
                s0 = s0 + load(x + i);
                s1 = s1 + load(x + i + L);
                s2 = s2 + load(x + i + 2 * L);
                s3 = s3 + load(x + i + 3 * L);
            }
            for (; i < end; i += L) s0 = s0 + load(x + i);
        }
        total += static_cast<double>(sum_lanes<float>((s0 + s1) + (s2 + s3)));
    }
    for (; i < n; ++i) {
        const double d = static_cast<double>(x[i]) - static_cast<double>(mean);
        total += Squares ? d * d : static_cast<double>(x[i]);
    }
    return total;
}
inline double normalize_row_sum(std::int64_t n, const float* x) {
    return normalize_sum<false>(n, x, 0.0f);
}

inline void normalize_row(std::int64_t n, const float* x, float mean, float factor, const float* scale, const float* bias, float* y) {
    constexpr int L = lanes<float>;
    std::int64_t i = 0;
    if (scale != nullptr && bias != nullptr) {
        for (; i + L <= n; i += L) store(y + i, (load(x + i) - mean) * factor * load(scale + i) + load(bias + i));
    } else if (scale != nullptr) {
        for (; i + L <= n; i += L) store(y + i, (load(x + i) - mean) * factor * load(scale + i));
    }
    for (; i < n; ++i) {
        const float v = (x[i] - mean) * factor;
        y[i] = v * (scale != nullptr ? scale[i] : 1.0f) + (bias != nullptr ? bias[i] : 0.0f);
    }
}

inline void normalize_shift(std::int64_t n, const float* x, float mean, float factor, float shift, float* y) {
    constexpr int L = lanes<float>;
    std::int64_t i = 0;
    for (; i + L <= n; i += L) store(y + i, (load(x + i) - mean) * factor + shift);
    for (; i < n; ++i) y[i] = (x[i] - mean) * factor + shift;
}

template <bool Squares>
void normalize_lanes(std::int64_t pixels, const float* x, vf32 mean, double* sums) {
    constexpr int L = lanes<float>;
    for (int j = 0; j < L; ++j) sums[j] = 0;
    for (std::int64_t i = 0; i < pixels;) {
        const std::int64_t end = pixels - i < normalize_run ? pixels : i + normalize_run;
        vf32 s0{}, s1{}, s2{}, s3{};
        for (; i + 4 <= end; i += 4) {
            const vf32 a = load(x + i * L) - mean, b = load(x + (i + 1) * L) - mean, c = load(x + (i + 2) * L) - mean, d = load(x + (i + 3) * L) - mean;
            s0 = s0 + (Squares ? a * a : a);
            s1 = s1 + (Squares ? b * b : b);
            s2 = s2 + (Squares ? c * c : c);
            s3 = s3 + (Squares ? d * d : d);
        }
        for (; i < end; ++i) {
            const vf32 a = load(x + i * L) - mean;
            s0 = s0 + (Squares ? a * a : a);
        }
        float part[L];
        store(part, (s0 + s1) + (s2 + s3));
        for (int j = 0; j < L; ++j) sums[j] += static_cast<double>(part[j]);
    }
}
inline void normalize_lane_sums(std::int64_t pixels, const float* x, double* sums) {
    normalize_lanes<false>(pixels, x, vf32{}, sums);
}
inline void normalize_lane_squares(std::int64_t pixels, const float* x, const float* means, double* sums) {
    normalize_lanes<true>(pixels, x, load(means), sums);
}
inline void normalize_lane_shift(std::int64_t pixels, const float* x, const float* means, const float* factors, const float* shifts, float* y) {
    constexpr int L = lanes<float>;
    const vf32 mean = load(means), factor = load(factors), shift = load(shifts);
    for (std::int64_t i = 0; i < pixels; ++i) store(y + i * L, (load(x + i * L) - mean) * factor + shift);
}

// NaN wins, and then stays.
template <bool Largest, class T>
OCELLI_ALWAYS_INLINE T extreme_of(T v, T best) {
    if constexpr (Largest) return ((v > best) | (v != v)) ? v : best;
    else return ((v < best) | (v != v)) ? v : best;
}
template <bool Largest>
float normalize_extreme(std::int64_t n, const float* x) {
    constexpr int L = lanes<float>;
    float best = x[0];
    std::int64_t i = 0;
    if (n >= L) {
        vf32 m0 = load(x), m1 = m0, m2 = m0, m3 = m0;
        for (; i + 4 * L <= n; i += 4 * L) {
            m0 = extreme_of<Largest>(load(x + i), m0);
            m1 = extreme_of<Largest>(load(x + i + L), m1);
            m2 = extreme_of<Largest>(load(x + i + 2 * L), m2);
            m3 = extreme_of<Largest>(load(x + i + 3 * L), m3);
        }
        for (; i + L <= n; i += L) m0 = extreme_of<Largest>(load(x + i), m0);
        float part[L];
        store(part, extreme_of<Largest>(extreme_of<Largest>(m0, m1), extreme_of<Largest>(m2, m3)));
        for (int step = L / 2; step > 0; step /= 2)
            for (int k = 0; k < step; ++k) part[k] = extreme_of<Largest>(part[k + step], part[k]);
        best = part[0];
    }
    for (; i < n; ++i) best = extreme_of<Largest>(x[i], best);
    return best;
}

inline nn::detail::normalize_kernels make_normalize_kernels() {
    nn::detail::normalize_kernels t;
    t.lanes = lanes<float>;
    t.extreme[0] = &normalize_extreme<false>;
    t.extreme[1] = &normalize_extreme<true>;
    t.sum = &normalize_row_sum;
    t.squares = &normalize_sum<true>;
    t.normalize = &normalize_row;
    t.shift = &normalize_shift;
    t.lane_sums = &normalize_lane_sums;
    t.lane_squares = &normalize_lane_squares;
    t.lane_shift = &normalize_lane_shift;
    return t;
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
