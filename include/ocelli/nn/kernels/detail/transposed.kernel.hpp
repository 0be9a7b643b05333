// Transposed convolution: sums of columns, and Winograd's transforms for 2 x 2 kernels. Compiled once per instruction set.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

// a0 b0 a1 b1 ..., from the first halves and from the second ones.
template <int... J>
OCELLI_ALWAYS_INLINE void transpose_interleave(vf32& a, vf32& b, std::integer_sequence<int, J...>) {
    constexpr int L = lanes<float>;
    const vf32 first = __builtin_shufflevector(a, b, (J / 2 + J % 2 * L)...);
    b = __builtin_shufflevector(a, b, (L / 2 + J / 2 + J % 2 * L)...);
    a = first;
}

OCELLI_ALWAYS_INLINE vf32 transpose_sum(const float* const* sources, std::int64_t count, std::int64_t at) {
    vf32 sum{};
    for (std::int64_t i = 0; i < count; ++i) sum += load(sources[i] + at);
    return sum;
}
inline void transpose_row(const nn::detail::transpose_row& r, float* y) {
    constexpr int L = lanes<float>;
    if (r.stride == 2) {
        const float* const* odd = r.sources + r.counts[0];
        for (std::int64_t i = 0; i < r.width; i += 2 * L) {
            vf32 low = transpose_sum(r.sources, r.counts[0], i / 2), high = transpose_sum(odd, r.counts[1], i / 2);
            transpose_interleave(low, high, std::make_integer_sequence<int, L>{});
            if (i + 2 * L <= r.width) {
                store(y + i, low);
                store(y + i + L, high);
                continue;
            }
            const int left = static_cast<int>(r.width - i);
            store_first(y + i, low, left < L ? left : L);
            if (left > L) store_first(y + i + L, high, left - L);
        }
        return;
    }
    const float* const* sources = r.sources;
    for (std::int64_t phase = 0; phase < r.stride; sources += r.counts[phase++])
        for (std::int64_t j = 0, at = phase; at < r.width; j += L, at += L * r.stride) {
            const vf32 v = transpose_sum(sources, r.counts[phase], j);
            for (int k = 0; k < L && at + k * r.stride < r.width; ++k) y[at + k * r.stride] = v[k];
        }
}

// F(3, 2) at the points 0, 1, -1, infinity: y_i = g_0 d_i + g_1 d_{i+1}, i < 3, of 4 values.
OCELLI_ALWAYS_INLINE void transpose_input_axis(const vf32 (&d)[4], vf32 (&o)[4]) {
    o[0] = d[0] - d[2];
    o[1] = d[2] + d[1];
    o[2] = d[2] - d[1];
    o[3] = d[3] - d[1];
}
OCELLI_ALWAYS_INLINE void transpose_weights_axis(vf32 g0, vf32 g1, vf32 (&o)[4]) {
    o[0] = g0;
    o[1] = (g0 + g1) * 0.5f;
    o[2] = (g0 - g1) * 0.5f;
    o[3] = g1;
}
OCELLI_ALWAYS_INLINE void transpose_output_axis(const vf32 (&m)[4], vf32 (&o)[3]) {
    const vf32 sum = m[1] + m[2];
    o[0] = m[0] + sum;
    o[1] = m[1] - m[2];
    o[2] = sum + m[3];
}

inline void transpose_input(const nn::detail::transpose_tiles& t, const float* x, float* to) {
    constexpr int L = lanes<float>;
    for (std::int64_t i = 0; i < t.count; ++i, to += L) {
        const nn::detail::transpose_origin at = nn::detail::origin_of(t, t.first + i);
        const std::int64_t y0 = at.y - 1, x0 = at.x - 1;
        const float* image = x + at.image * t.x_image;
        vf32 middle[4][4], d[4], o[4];
        const bool inside = y0 >= 0 && x0 >= 0 && y0 + 4 <= t.height && x0 + 4 <= t.width;
        OCELLI_UNROLL
        for (int c = 0; c < 4; ++c) {
            const std::int64_t column = x0 + c;
            OCELLI_UNROLL
            for (int r = 0; r < 4; ++r) {
                const std::int64_t row = y0 + r;
                const bool here = inside || (row >= 0 && row < t.height && column >= 0 && column < t.width);
                d[r] = here ? load(image + (row * t.width + column) * L) : vf32{};
            }
            transpose_input_axis(d, o);
            OCELLI_UNROLL
            for (int r = 0; r < 4; ++r) middle[r][c] = o[r];
        }
        float* put = to;
        OCELLI_UNROLL
        for (int r = 0; r < 4; ++r) {
            transpose_input_axis(middle[r], o);
            OCELLI_UNROLL
            for (int c = 0; c < 4; ++c, put += t.step) store(put, o[c]);
        }
    }
}

inline void transpose_output(const nn::detail::transpose_tiles& t, int phase_y, int phase_x, const float* from, const float* bias, const float* addend, bool clamps,
                             float low, float high, float* y) {
    constexpr int L = lanes<float>;
    const vf32 shift = load(bias), least = broadcast(low), most = broadcast(high);
    for (std::int64_t i = 0; i < t.count; ++i, from += L) {
        const nn::detail::transpose_origin at = nn::detail::origin_of(t, t.first + i);
        vf32 middle[3][4], m[4], o[3];
        const float* get = from;
        OCELLI_UNROLL
        for (int c = 0; c < 4; ++c, get += t.step) {
            OCELLI_UNROLL
            for (int r = 0; r < 4; ++r) m[r] = load(get + r * 4 * t.step);
            transpose_output_axis(m, o);
            OCELLI_UNROLL
            for (int r = 0; r < 3; ++r) middle[r][c] = o[r];
        }
        OCELLI_UNROLL
        for (int r = 0; r < 3; ++r) {
            const std::int64_t row = 2 * (at.y + r) + phase_y - t.pad_top;
            if (row < 0 || row >= t.y_height) continue;
            transpose_output_axis(middle[r], o);
            OCELLI_UNROLL
            for (int c = 0; c < 3; ++c) {
                const std::int64_t column = 2 * (at.x + c) + phase_x - t.pad_left;
                if (column < 0 || column >= t.y_width) continue;
                const std::int64_t place = at.image * t.y_image + (row * t.y_width + column) * L;
                vf32 v = o[c] + shift;
                if (addend != nullptr) v += load(addend + place);
                if (clamps) {
                    v = v < least ? least : v;
                    v = v > most ? most : v;
                }
                store(y + place, v);
            }
        }
    }
}

// Phase p of an axis has the taps p + 2 and p, in the order of the pixels they read.
inline void transpose_weights(const float* w, float* to, std::int64_t step, std::int64_t row_step) {
    constexpr int L = lanes<float>;
    for (int py = 0; py < 2; ++py)
        for (int px = 0; px < 2; ++px) {
            vf32 columns[2][4], o[4];
            OCELLI_UNROLL
            for (int k = 0; k < 2; ++k) {
                const int tap = px + 2 - 2 * k;
                transpose_weights_axis(load(w + ((py + 2) * 4 + tap) * L), load(w + (py * 4 + tap) * L), columns[k]);
            }
            OCELLI_UNROLL
            for (int r = 0; r < 4; ++r) {
                transpose_weights_axis(columns[0][r], columns[1][r], o);
                OCELLI_UNROLL
                for (int c = 0; c < 4; ++c) store(to + (r * 4 + c) * step + py * row_step + px * L, o[c]);
            }
        }
}

inline nn::detail::transposed_kernels make_transposed_kernels() {
    nn::detail::transposed_kernels t;
    t.row = &transpose_row;
    t.input = &transpose_input;
    t.output = &transpose_output;
    t.weights = &transpose_weights;
    return t;
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
