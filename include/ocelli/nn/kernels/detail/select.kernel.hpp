// Choosing between two operands. Compiled once per instruction set.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

// As many bytes as a vector has floats.
typedef signed char select_bytes __attribute__((vector_size(lanes<float>)));

inline void select_row(std::int64_t n, const std::uint8_t* condition, std::int64_t condition_step, const float* a, std::int64_t a_step, const float* b, std::int64_t b_step,
                       float* y) {
    constexpr int L = lanes<float>;
    if (condition_step == 0) {
        const float* from = *condition != 0 ? a : b;
        const std::int64_t step = *condition != 0 ? a_step : b_step;
        std::int64_t i = 0;
        const vf32 one = broadcast(*from);
        for (; i + L <= n; i += L) store(y + i, step == 0 ? one : load(from + i));
        for (; i < n; ++i) y[i] = from[i * step];
        return;
    }
    const vf32 one_a = broadcast(*a), one_b = broadcast(*b);
    std::int64_t i = 0;
    for (; i + L <= n; i += L) {
        select_bytes bytes;
        __builtin_memcpy(&bytes, condition + i, sizeof(bytes));
        const vi32 chosen = __builtin_convertvector(bytes, vi32);
        store(y + i, chosen != 0 ? (a_step == 0 ? one_a : load(a + i)) : (b_step == 0 ? one_b : load(b + i)));
    }
    for (; i < n; ++i) y[i] = condition[i] != 0 ? a[i * a_step] : b[i * b_step];
}

template <nn::comparison F, class T>
OCELLI_ALWAYS_INLINE auto compared(T a, T b) {
    if constexpr (F == nn::comparison::equal) return a == b;
    else if constexpr (F == nn::comparison::less) return a < b;
    else return a <= b;
}

template <nn::comparison F>
void compare_row(std::int64_t n, const float* a, std::int64_t a_step, const float* b, std::int64_t b_step, std::uint8_t* y) {
    constexpr int L = lanes<float>;
    const vf32 one_a = broadcast(*a), one_b = broadcast(*b);
    std::int64_t i = 0;
    for (; i + L <= n; i += L) {
        const vi32 holds = compared<F>(a_step == 0 ? one_a : load(a + i), b_step == 0 ? one_b : load(b + i));
        const select_bytes bytes = __builtin_convertvector(holds & 1, select_bytes);
        __builtin_memcpy(y + i, &bytes, sizeof(bytes));
    }
    for (; i < n; ++i) y[i] = compared<F>(a[i * a_step], b[i * b_step]) ? 1 : 0;
}

// V vectors of lines side by side.
template <bool Largest, int V>
OCELLI_ALWAYS_INLINE void find_extremes_of(std::int64_t n, std::int64_t pitch, const float* x, std::int64_t* y) {
    constexpr int L = lanes<float>;
    vf32 best[V];
    vi32 place[V];
    OCELLI_UNROLL
    for (int i = 0; i < V; ++i) {
        best[i] = load(x + i * L);
        place[i] = vi32{};
    }
    for (std::int64_t k = 1; k < n; ++k)
        OCELLI_UNROLL
        for (int i = 0; i < V; ++i) {
            const vf32 v = load(x + k * pitch + i * L);
            const vi32 better = (Largest ? v > best[i] : v < best[i]) | ((v != v) & (best[i] == best[i]));
            best[i] = better ? v : best[i];
            place[i] = better ? broadcast(static_cast<std::int32_t>(k)) : place[i];
        }
    std::int32_t found[L];
    OCELLI_UNROLL
    for (int i = 0; i < V; ++i) {
        __builtin_memcpy(found, &place[i], sizeof(found));
        for (int lane = 0; lane < L; ++lane) y[i * L + lane] = found[lane];
    }
}

template <bool Largest>
void find_extremes(std::int64_t n, std::int64_t columns, std::int64_t pitch, const float* x, std::int64_t* y) {
    constexpr int L = lanes<float>;
    std::int64_t c = 0;
    for (; c + 4 * L <= columns; c += 4 * L) find_extremes_of<Largest, 4>(n, pitch, x + c, y + c);
    for (; c + L <= columns; c += L) find_extremes_of<Largest, 1>(n, pitch, x + c, y + c);
    for (; c < columns; ++c) {
        std::int64_t place = 0;
        for (std::int64_t k = 1; k < n; ++k) {
            const float v = x[k * pitch + c], best = x[place * pitch + c];
            if ((Largest ? v > best : v < best) || (v != v && best == best)) place = k;
        }
        y[c] = place;
    }
}

// Which of two places holds the extreme; the first of equal ones.
template <bool Largest>
OCELLI_ALWAYS_INLINE std::int64_t better_place(const float* x, std::int64_t a, std::int64_t b) {
    const float best = x[a], v = x[b];
    const bool better = (Largest ? v > best : v < best) || (v != v && best == best), equal = v == best || (v != v && best != best);
    return better || (equal && b < a) ? b : a;
}

// One line, as lines of every so many of its elements side by side.
template <bool Largest>
std::int64_t find_extreme(std::int64_t n, const float* x) {
    constexpr int W = 4 * lanes<float>;
    const std::int64_t rows = n / W;
    std::int64_t place = 0;
    if (rows > 0) {
        std::int64_t found[W];
        find_extremes_of<Largest, 4>(rows, W, x, found);
        place = found[0] * W;
        for (int i = 1; i < W; ++i) place = better_place<Largest>(x, place, found[i] * W + i);
    }
    for (std::int64_t i = rows * W; i < n; ++i) place = better_place<Largest>(x, place, i);
    return place;
}

inline nn::detail::select_kernels make_select_kernels() {
    nn::detail::select_kernels t;
    t.lanes = lanes<float>;
    t.row = &select_row;
    t.compare[0] = &compare_row<nn::comparison::equal>;
    t.compare[1] = &compare_row<nn::comparison::less>;
    t.compare[2] = &compare_row<nn::comparison::less_or_equal>;
    t.extremes[0] = &find_extremes<false>;
    t.extremes[1] = &find_extremes<true>;
    t.extreme[0] = &find_extreme<false>;
    t.extreme[1] = &find_extreme<true>;
    return t;
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
