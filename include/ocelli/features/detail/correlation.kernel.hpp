// Sums of products of two maps. Compiled once per target by for_each_target.hpp: no guard, no includes.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

// N displacements of L results from column x on.
template <int N, class T>
OCELLI_ALWAYS_INLINE void correlate_vector(const correlation_row& r, const T* a, const T* b, T scale, T* out) {
    constexpr int L = lanes<T>;
    vec<T> sum[N] = {};
    for (std::int64_t c = 0; c < r.channels; ++c)
        for (std::int64_t j = 0; j < r.patch; ++j)
            for (std::int64_t i = 0; i < r.patch; ++i) {
                const std::int64_t at = c * r.plane + j * r.width + i;
                vec<T> v;
                if (r.stride == 1) {
                    v = load(a + at);
                    for (int d = 0; d < N; ++d) sum[d] = sum[d] + v * load(b + at + d * r.displacement_step);
                } else {
                    T few[L];
                    for (int k = 0; k < L; ++k) few[k] = a[at + k * r.stride];
                    v = load(few);
                    for (int d = 0; d < N; ++d) {
                        for (int k = 0; k < L; ++k) few[k] = b[at + k * r.stride + d * r.displacement_step];
                        sum[d] = sum[d] + v * load(few);
                    }
                }
            }
    for (int d = 0; d < N; ++d) store(out + d * r.out_step, sum[d] * broadcast(scale));
}

template <class T>
inline void correlate_row(const correlation_row& r, const T* a, const T* b, T scale, T* out) {
    constexpr std::int64_t L = lanes<T>;
    for (std::int64_t x = 0; x < r.count;) {
        if (r.count < L) {
            for (std::int64_t d = 0; d < r.displacements; ++d) {
                T sum = 0;
                for (std::int64_t c = 0; c < r.channels; ++c)
                    for (std::int64_t j = 0; j < r.patch; ++j)
                        for (std::int64_t i = 0; i < r.patch; ++i) {
                            const std::int64_t at = c * r.plane + j * r.width + i + x * r.stride;
                            sum += a[at] * b[at + d * r.displacement_step];
                        }
                out[d * r.out_step + x] = sum * scale;
            }
            ++x;
            continue;
        }
        if (x + L > r.count) x = r.count - L;  // the last vector overlaps the one before
        const std::int64_t from = x * r.stride;
        std::int64_t d = 0;
        for (; d + 4 <= r.displacements; d += 4) correlate_vector<4>(r, a + from, b + from + d * r.displacement_step, scale, out + d * r.out_step + x);
        for (; d < r.displacements; ++d) correlate_vector<1>(r, a + from, b + from + d * r.displacement_step, scale, out + d * r.out_step + x);
        x += L;
    }
}

template <class T>
inline void correlation_add_scaled(std::int64_t n, T factor, const T* from, T* OCELLI_RESTRICT to) {
    constexpr std::int64_t L = lanes<T>;
    std::int64_t i = 0;
    for (; i + L <= n; i += L) store(to + i, load(to + i) + load(from + i) * broadcast(factor));
    for (; i < n; ++i) to[i] += factor * from[i];
}

template <class T>
inline void fill_correlation_kernels(correlation_kernels<T>& table) {
    table.row = &correlate_row<T>;
    table.add_scaled = &correlation_add_scaled<T>;
}

inline correlation_tables make_correlation_tables() {
    correlation_tables tables{};
    fill_correlation_kernels(tables.f32);
    fill_correlation_kernels(tables.f64);
    return tables;
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
