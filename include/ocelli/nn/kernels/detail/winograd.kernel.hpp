// Winograd's transforms on tiles of one block of channels. Compiled once per instruction set.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

// The transforms along one axis. For results y_i = sum_k g_k x_{i+k}, i < E, of the E + 2 values x:
// y = A (G g * B x), with B and A here and G in winograd_pack.
template <int E>
struct winograd_axis;

// Points 0, 1, -1, infinity.
template <>
struct winograd_axis<2> {
    OCELLI_ALWAYS_INLINE static void input(const vf32 (&d)[4], vf32 (&o)[4]) {
        o[0] = d[0] - d[2];
        o[1] = d[2] + d[1];
        o[2] = d[2] - d[1];
        o[3] = d[3] - d[1];
    }
    OCELLI_ALWAYS_INLINE static void output(const vf32 (&m)[4], vf32 (&o)[2]) {
        o[0] = m[0] + (m[1] + m[2]);
        o[1] = (m[1] - m[2]) + m[3];
    }
};

// Points 0, a, -a, b, -b, infinity, with a = sqrt 2 and b = sqrt 1/2.
template <>
struct winograd_axis<4> {
    static constexpr float a = 1.41421356237309505f, b = 0.70710678118654752f;
    OCELLI_ALWAYS_INLINE static void input(const vf32 (&d)[6], vf32 (&o)[6]) {
        const vf32 p = d[4] - d[2] * 0.5f, q = (d[3] - d[1] * 0.5f) * a;
        const vf32 r = d[4] - d[2] * 2.0f, s = (d[3] - d[1] * 2.0f) * b;
        o[0] = d[0] + d[4] - d[2] * 2.5f;
        o[1] = p + q;
        o[2] = p - q;
        o[3] = r + s;
        o[4] = r - s;
        o[5] = d[1] + d[5] - d[3] * 2.5f;
    }
    OCELLI_ALWAYS_INLINE static void output(const vf32 (&m)[6], vf32 (&o)[4]) {
        const vf32 p = m[1] + m[2], q = m[1] - m[2], r = m[3] + m[4], s = m[3] - m[4];
        o[0] = m[0] + p + r;
        o[1] = q * a + s * b;
        o[2] = p * 2.0f + r * 0.5f;
        o[3] = q * (2.0f * a) + s * (0.5f * b) + m[5];
    }
};

// Both transforms go through as many streams as there are coefficients, each some lines long, and rows of an image far apart: more than a processor
// follows by itself. They ask for what the tiles after the next will read and write.
template <int E>
void winograd_input(const nn::detail::winograd_tiles& t, const float* x, float* to) {
    constexpr int N = E + 2, L = lanes<float>;
    const std::int64_t column_step = t.dilation * L, row_step = t.width * column_step;
    for (std::int64_t i = 0; i < t.count; ++i, to += L) {
        const nn::detail::winograd_origin at = nn::detail::origin_of(t, t.first + i, E);
        const std::int64_t y0 = at.y - t.pad_top, x0 = at.x - t.pad_left, reach = (N - 1) * t.dilation;
        vf32 middle[N][N];
        vf32 d[N], o[N];
        if (y0 >= 0 && x0 >= 0 && y0 + reach < t.height && x0 + reach < t.width) {
            const float* from = x + (y0 * t.width + x0) * L;
            OCELLI_UNROLL
            for (int c = 0; c < N; ++c, from += column_step) {
                OCELLI_UNROLL
                for (int r = 0; r < N; ++r) d[r] = load(from + r * row_step);
                if (c < E)
                    OCELLI_UNROLL
                    for (int r = 0; r < N; ++r) __builtin_prefetch(from + r * row_step + (2 * E + N) * column_step);
                winograd_axis<E>::input(d, o);
                OCELLI_UNROLL
                for (int r = 0; r < N; ++r) middle[r][c] = o[r];
            }
        } else {
            OCELLI_UNROLL
            for (int c = 0; c < N; ++c) {
                const std::int64_t column = x0 + c * t.dilation;
                OCELLI_UNROLL
                for (int r = 0; r < N; ++r) {
                    const std::int64_t row = y0 + r * t.dilation;
                    const bool inside = row >= 0 && row < t.height && column >= 0 && column < t.width;
                    d[r] = inside ? load(x + (row * t.width + column) * L) : vf32{};
                }
                winograd_axis<E>::input(d, o);
                OCELLI_UNROLL
                for (int r = 0; r < N; ++r) middle[r][c] = o[r];
            }
        }
        float* put = to;
        OCELLI_UNROLL
        for (int r = 0; r < N; ++r) {
            winograd_axis<E>::input(middle[r], o);
            OCELLI_UNROLL
            for (int c = 0; c < N; ++c, put += t.step) {
                store(put, o[c]);
                __builtin_prefetch(put + 4 * L, 1);
            }
        }
    }
}

template <int E>
void winograd_output(const nn::detail::winograd_tiles& t, const float* from, const float* bias, const float* addend, bool clamps, float low, float high, float* y) {
    constexpr int N = E + 2, L = lanes<float>;
    const vf32 shift = load(bias), least = broadcast(low), most = broadcast(high);
    for (std::int64_t i = 0; i < t.count; ++i, from += L) {
        const nn::detail::winograd_origin at = nn::detail::origin_of(t, t.first + i, E);
        vf32 middle[E][N];
        vf32 m[N], o[E];
        const float* get = from;
        OCELLI_UNROLL
        for (int c = 0; c < N; ++c, get += t.step) {
            OCELLI_UNROLL
            for (int r = 0; r < N; ++r) m[r] = load(get + r * N * t.step);
            OCELLI_UNROLL
            for (int r = 0; r < N; ++r) __builtin_prefetch(get + r * N * t.step + 4 * L);
            winograd_axis<E>::output(m, o);
            OCELLI_UNROLL
            for (int r = 0; r < E; ++r) middle[r][c] = o[r];
        }
        OCELLI_UNROLL
        for (int r = 0; r < E; ++r) {
            const std::int64_t row = at.y + r * t.dilation;
            if (row >= t.height) break;
            winograd_axis<E>::output(middle[r], o);
            OCELLI_UNROLL
            for (int c = 0; c < E; ++c) {
                const std::int64_t column = at.x + c * t.dilation;
                if (column >= t.width) break;
                const std::int64_t place = (row * t.width + column) * L;
                vf32 v = o[c] + shift;
                if (addend != nullptr) v += load(addend + place);
                if (clamps) {
                    v = v < least ? least : v;
                    v = v > most ? most : v;
                }
                store(y + place, v);
                __builtin_prefetch(y + place + 2 * E * L, 1);
            }
        }
    }
}

// Half as many floats as a vector has, to be doubles.
typedef float winograd_half __attribute__((vector_size(sizeof(vf32) / 2)));
typedef float winograd_half_anywhere __attribute__((vector_size(sizeof(vf32) / 2), aligned(1), may_alias));

// G along one axis, whose rows for +-p share their terms.
template <int E>
OCELLI_ALWAYS_INLINE void winograd_weights_axis(const vf64 (&g)[3], vf64 (&o)[E + 2]) {
    if constexpr (E == 2) {
        const vf64 even = (g[0] + g[2]) * 0.5, odd = g[1] * 0.5;
        o[0] = g[0];
        o[1] = even + odd;
        o[2] = even - odd;
        o[3] = g[2];
    } else {
        constexpr double a = 1.4142135623730950488 / 6, b = 0.70710678118654752440 / 1.5;
        const vf64 p = g[0] * (1.0 / 6) + g[2] * (2.0 / 6), q = g[1] * a, r = g[0] * (-1 / 1.5) + g[2] * (-0.5 / 1.5), s = g[1] * b;
        o[0] = g[0];
        o[1] = p + q;
        o[2] = p - q;
        o[3] = r - s;
        o[4] = r + s;
        o[5] = g[2];
    }
}

// Kernels in vectors over filters, [tap][channel], to their coefficients; in double. Some channels' are put down together, coefficient by coefficient: these
// stand far apart, often at a power of two, where few lines of a cache can wait at one time. What is next is fetched meanwhile, as no processor does by itself.
template <int E>
void winograd_weights(const float* w, std::int64_t tap_step, std::int64_t channels, float* to, std::int64_t channel_step, std::int64_t step) {
    constexpr int N = E + 2, L = lanes<float>, Together = 8;
    alignas(64) float made[N * N * Together * L];
    for (std::int64_t c = 0; c < channels; c += Together, to += Together * channel_step) {
        const int count = channels - c < Together ? static_cast<int>(channels - c) : Together;
        for (int each = 0; each < count; ++each, w += L)
            for (int half = 0; half < 2; ++half) {
                vf64 middle[3][N];
                OCELLI_UNROLL
                for (int k = 0; k < 3; ++k) {
                    vf64 g[3];
                    OCELLI_UNROLL
                    for (int j = 0; j < 3; ++j)
                        g[j] = __builtin_convertvector(*reinterpret_cast<const winograd_half_anywhere*>(w + (j * 3 + k) * tap_step + half * (L / 2)), vf64);
                    winograd_weights_axis<E>(g, middle[k]);
                }
                OCELLI_UNROLL
                for (int i = 0; i < N; ++i) {
                    const vf64 row[3] = {middle[0][i], middle[1][i], middle[2][i]};
                    vf64 o[N];
                    winograd_weights_axis<E>(row, o);
                    OCELLI_UNROLL
                    for (int k = 0; k < N; ++k)
                        *reinterpret_cast<winograd_half_anywhere*>(made + ((i * N + k) * Together + each) * L + half * (L / 2)) =
                            __builtin_convertvector(o[k], winograd_half);
                }
            }
        for (int i = 0; i < N * N; ++i)
            for (int each = 0; each < count; ++each) {
                __builtin_prefetch(to + (i + 2) * step + each * channel_step, 1);
                store(to + i * step + each * channel_step, load(made + (i * Together + each) * L));
            }
    }
}

inline nn::detail::winograd_kernels make_winograd_kernels() {
    nn::detail::winograd_kernels t;
    t.input[0] = &winograd_input<2>;
    t.input[1] = &winograd_input<4>;
    t.output[0] = &winograd_output<2>;
    t.output[1] = &winograd_output<4>;
    t.weights[0] = &winograd_weights<2>;
    t.weights[1] = &winograd_weights<4>;
    return t;
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
