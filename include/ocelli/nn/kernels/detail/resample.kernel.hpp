// Reading images between their pixels. Compiled once per instruction set.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

// The two pixels beside a place on an axis: positions inside the axis, whether they really lie there, and the second one's weight.
struct grid_axis {
    vi32 first, second, first_inside, second_inside;
    vf32 part;
};

OCELLI_ALWAYS_INLINE grid_axis grid_axis_at(vf32 place, float extent, bool align_corners, bool border) {
    const float half = align_corners ? 0.5f * (extent - 1.0f) : 0.5f * extent;
    vf32 x = place * half + 0.5f * (extent - 1.0f);
    // A NaN fails the comparison: it goes to the lower end.
    const vf32 low = broadcast(border ? 0.0f : -2.0f), high = broadcast(border ? extent - 1.0f : extent + 1.0f);
    x = x > low ? x : low;
    x = x < high ? x : high;
    vi32 i = __builtin_convertvector(x, vi32);
    const vf32 whole = __builtin_convertvector(i, vf32);
    i = i + (whole > x ? broadcast<std::int32_t>(-1) : vi32{});
    const vf32 floor = __builtin_convertvector(i, vf32);
    const vi32 last = broadcast(static_cast<std::int32_t>(extent) - 1), zero{}, next = i + 1;
    grid_axis a;
    a.part = x - floor;
    a.first_inside = (i >= zero) & (i <= last);
    a.second_inside = border ? broadcast<std::int32_t>(-1) : (next >= zero) & (next <= last);
    const vi32 first = i < zero ? zero : i, second = next < zero ? zero : next;
    a.first = first > last ? last : first;
    a.second = second > last ? last : second;
    return a;
}

inline void grid_find(const nn::grid_sampling& s, std::int64_t n, const float* points, const std::int32_t* base, nn::detail::grid_places& p) {
    constexpr int L = lanes<float>;
    constexpr std::int64_t size = nn::detail::grid_places::size;
    float across[size], down[size];
    for (std::int64_t i = 0; i < n; ++i) {
        across[i] = points[2 * i];
        down[i] = points[2 * i + 1];
    }
    for (std::int64_t i = n; i < (n + L - 1) / L * L; ++i) across[i] = down[i] = 0.0f;
    const std::int32_t width = static_cast<std::int32_t>(s.width);
    for (std::int64_t i = 0; i < n; i += L) {
        const grid_axis x = grid_axis_at(load<float>(across + i), static_cast<float>(s.width), s.align_corners, s.border);
        const grid_axis y = grid_axis_at(load<float>(down + i), static_cast<float>(s.height), s.align_corners, s.border);
        const vi32 from = load(base + i), upper = y.first * width + from, lower = y.second * width + from;
        store(p.at[0] + i, upper + x.first);
        store(p.at[1] + i, upper + x.second);
        store(p.at[2] + i, lower + x.first);
        store(p.at[3] + i, lower + x.second);
        store(p.inside[0] + i, y.first_inside & x.first_inside);
        store(p.inside[1] + i, y.first_inside & x.second_inside);
        store(p.inside[2] + i, y.second_inside & x.first_inside);
        store(p.inside[3] + i, y.second_inside & x.second_inside);
        const vf32 left = 1.0f - x.part, above = 1.0f - y.part;
        store(p.weight[0] + i, above * left);
        store(p.weight[1] + i, above * x.part);
        store(p.weight[2] + i, y.part * left);
        store(p.weight[3] + i, y.part * x.part);
    }
}

// Pixels one by one (the processor's gathers are no faster), well before they are used: vectors of numbers just stored would wait for them.
inline void grid_read(const nn::detail::grid_places& p, std::int64_t n, const float* image, float* y) {
    constexpr int L = lanes<float>;
    constexpr std::int64_t size = nn::detail::grid_places::size;
    float pixels[4][size];
    const std::int64_t whole = (n + L - 1) / L * L;
    for (int k = 0; k < 4; ++k)
        for (std::int64_t i = 0; i < whole; ++i) pixels[k][i] = image[p.at[k][i]];
    for (std::int64_t i = 0; i < n; i += L) {
        vf32 sum{};
        for (int k = 0; k < 4; ++k) {
            const vf32 v = __builtin_bit_cast(vf32, __builtin_bit_cast(vi32, load(pixels[k] + i)) & load(p.inside[k] + i));
            sum = sum + v * load(p.weight[k] + i);
        }
        if (n - i >= L) store(y + i, sum);
        else store_first(y + i, sum, static_cast<int>(n - i));
    }
}

inline void mix_rows(std::int64_t n, std::int64_t count, const float* const* rows, const float* weights, float* to) {
    constexpr int L = lanes<float>;
    std::int64_t i = 0;
    if (count == 2) {
        const float *a = rows[0], *b = rows[1];
        const float u = weights[0], v = weights[1];
        for (; i + L <= n; i += L) store(to + i, load(a + i) * u + load(b + i) * v);
    }
    for (; i + L <= n; i += L) {
        vf32 sum = load(rows[0] + i) * weights[0];
        for (std::int64_t k = 1; k < count; ++k) sum = sum + load(rows[k] + i) * weights[k];
        store(to + i, sum);
    }
    for (; i < n; ++i) {
        float sum = rows[0][i] * weights[0];
        for (std::int64_t k = 1; k < count; ++k) sum = sum + rows[k][i] * weights[k];
        to[i] = sum;
    }
}

// Taps of one kind stand together: source[k * out + o].
inline void mix_columns(const nn::axis_taps& t, const std::int32_t* source, const float* weight, std::int64_t inner, const float* row, float* to) {
    constexpr int L = lanes<float>;
    if (inner == L) {
        for (std::int64_t o = 0; o < t.out; ++o) {
            vf32 sum = load(row + source[o] * L) * weight[o];
            for (std::int64_t k = 1; k < t.count; ++k) sum = sum + load(row + source[k * t.out + o] * L) * weight[k * t.out + o];
            store(to + o * L, sum);
        }
        return;
    }
    if (inner != 1) {
        for (std::int64_t o = 0; o < t.out; ++o)
            for (std::int64_t i = 0; i < inner; ++i) {
                float sum = row[source[o] * inner + i] * weight[o];
                for (std::int64_t k = 1; k < t.count; ++k) sum = sum + row[source[k * t.out + o] * inner + i] * weight[k * t.out + o];
                to[o * inner + i] = sum;
            }
        return;
    }
    constexpr std::int64_t size = 256;
    float pixels[size];
    for (std::int64_t first = 0; first < t.out; first += size) {
        const std::int64_t n = t.out - first < size ? t.out - first : size;
        for (std::int64_t k = 0; k < t.count; ++k) {
            const std::int32_t* from = source + k * t.out + first;
            const float* by = weight + k * t.out + first;
            for (std::int64_t i = 0; i < n; ++i) pixels[i] = row[from[i]];
            float* y = to + first;
            std::int64_t i = 0;
            if (k == 0) {
                for (; i + L <= n; i += L) store(y + i, load(pixels + i) * load(by + i));
                for (; i < n; ++i) y[i] = pixels[i] * by[i];
            } else {
                for (; i + L <= n; i += L) store(y + i, load(y + i) + load(pixels + i) * load(by + i));
                for (; i < n; ++i) y[i] = y[i] + pixels[i] * by[i];
            }
        }
    }
}

inline void pick_columns(std::int64_t out, const std::int32_t* source, std::int64_t inner, const float* row, float* to) {
    constexpr int L = lanes<float>;
    if (inner == 1) {
        for (std::int64_t o = 0; o < out; ++o) to[o] = row[source[o]];
    } else if (inner == L) {
        for (std::int64_t o = 0; o < out; ++o) store(to + o * L, load(row + source[o] * L));
    } else {
        for (std::int64_t o = 0; o < out; ++o)
            for (std::int64_t i = 0; i < inner; ++i) to[o * inner + i] = row[source[o] * inner + i];
    }
}

inline nn::detail::resample_kernels make_resample_kernels() {
    nn::detail::resample_kernels t;
    t.lanes = lanes<float>;
    t.grid_find = &grid_find;
    t.grid_read = &grid_read;
    t.mix_rows = &mix_rows;
    t.mix_columns = &mix_columns;
    t.pick_columns = &pick_columns;
    return t;
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
