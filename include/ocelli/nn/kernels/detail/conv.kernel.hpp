// Unfolding images for convolution as a product, and depthwise convolution. Compiled once per instruction set.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

inline void conv_im2col(const nn::detail::im2col_part& p, std::int64_t k0, std::int64_t depth, std::int64_t pixel, int columns, int width, float* panel) {
    const std::int64_t taps = p.kernel_height * p.kernel_width;
    std::int64_t channel = k0 / taps;
    std::int64_t ky = k0 % taps / p.kernel_width;
    std::int64_t kx = k0 % p.kernel_width;
    const std::int64_t first_row = pixel / p.out_width;
    const std::int64_t first_column = pixel % p.out_width;
    for (std::int64_t k = 0; k < depth; ++k, panel += width) {
        const float* plane = p.image + channel * p.height * p.width;
        const std::int64_t dx = kx * p.dilation_x - p.pad_left;
        // Output columns whose tap lies inside the row.
        std::int64_t inside = dx >= 0 ? 0 : (-dx + p.stride_x - 1) / p.stride_x;
        std::int64_t outside = dx >= p.width ? 0 : (p.width - 1 - dx) / p.stride_x + 1;
        if (outside > p.out_width) outside = p.out_width;
        if (inside > outside) inside = outside;
        std::int64_t row = first_row, column = first_column;
        std::int64_t done = 0;
        while (done < columns) {
            std::int64_t n = p.out_width - column;
            if (n > columns - done) n = columns - done;
            float* to = panel + done;
            const std::int64_t y = row * p.stride_y + ky * p.dilation_y - p.pad_top;
            if (y < 0 || y >= p.height) {
                fill_zero(to, n);
            } else {
                std::int64_t a = inside - column, b = outside - column;
                a = a < 0 ? 0 : a > n ? n : a;
                b = b < a ? a : b > n ? n : b;
                fill_zero(to, a);
                copy_strided(to + a, plane + y * p.width + (column + a) * p.stride_x + dx, p.stride_x, b - a);
                fill_zero(to + b, n - b);
            }
            done += n;
            column = 0;
            ++row;
        }
        for (; done < width; ++done) panel[done] = 0.0f;
        if (++kx == p.kernel_width) {
            kx = 0;
            if (++ky == p.kernel_height) {
                ky = 0;
                ++channel;
            }
        }
    }
}

// What a window does with its elements: `prepare` changes a row that was copied, `take` adds an element to the state.
struct window_convolution {
    static constexpr bool weighted = true;
    static constexpr std::int32_t padding = 0;
    OCELLI_ALWAYS_INLINE static void prepare(float*, std::int64_t) {}
    OCELLI_ALWAYS_INLINE static vf32 start() { return vf32{}; }
    OCELLI_ALWAYS_INLINE static vf32 take(vf32 sum, vf32 x, vf32 weight) { return sum + weight * x; }
    OCELLI_ALWAYS_INLINE static vf32 finish(vf32 sum) { return sum; }
};
struct window_sum {
    static constexpr bool weighted = false;
    static constexpr std::int32_t padding = 0;
    OCELLI_ALWAYS_INLINE static void prepare(float*, std::int64_t) {}
    OCELLI_ALWAYS_INLINE static vf32 start() { return vf32{}; }
    OCELLI_ALWAYS_INLINE static vf32 take(vf32 sum, vf32 x, vf32) { return sum + x; }
    OCELLI_ALWAYS_INLINE static vf32 finish(vf32 sum) { return sum; }
};
// On integers that are in the order of the floats, with every NaN above infinity: a NaN wins, as in PyTorch, also under -ffast-math.
struct window_maximum {
    static constexpr bool weighted = false;
    static constexpr std::int32_t magnitude = 0x7fffffff, infinity = 0x7f800000, nan = 0x7fc00000;
    static constexpr std::int32_t padding = static_cast<std::int32_t>(0xff800000u) ^ magnitude;  // of -infinity
    OCELLI_ALWAYS_INLINE static void prepare(float* row, std::int64_t n) {
        constexpr int L = lanes<float>;
        std::int64_t i = 0;
        for (; i + L <= n; i += L) {
            const vi32 bits = __builtin_bit_cast(vi32, load(row + i));
            const vi32 ordered = bits ^ ((bits >> 31) & magnitude);
            store(row + i, __builtin_bit_cast(vf32, (bits & magnitude) > infinity ? broadcast(nan) : ordered));
        }
        for (; i < n; ++i) {
            const auto bits = __builtin_bit_cast(std::int32_t, row[i]);
            row[i] = __builtin_bit_cast(float, (bits & magnitude) > infinity ? nan : bits ^ ((bits >> 31) & magnitude));
        }
    }
    OCELLI_ALWAYS_INLINE static vi32 start() { return broadcast(padding); }
    OCELLI_ALWAYS_INLINE static vi32 take(vi32 best, vf32 x, vf32) {
        const vi32 here = __builtin_bit_cast(vi32, x);
        return here > best ? here : best;
    }
    OCELLI_ALWAYS_INLINE static vf32 finish(vi32 best) { return __builtin_bit_cast(vf32, best ^ ((best >> 31) & magnitude)); }
};

// A window slides over one channel. Rows of the padded image are each split into `stride` interleaved parts, so that every tap reads
// neighbouring floats.
template <class W>
void slide_window(const nn::conv_layer& l, const float* x, const float* weights, float* y, float* scratch) {
    constexpr int L = lanes<float>;
    const std::int64_t s = l.stride_x;
    const std::int64_t reach = (l.kernel_width - 1) * l.dilation_x + 1;
    const std::int64_t padded = (l.out_width - 1) * s + reach;
    // Length of a part, with room for whole vectors behind its end.
    const std::int64_t part = (padded + s - 1) / s + L;
    const std::int64_t row_floats = part * s;
    const std::int64_t rows = (l.out_height - 1) * l.stride_y + (l.kernel_height - 1) * l.dilation_y + 1;
    for (std::int64_t r = 0; r < rows; ++r) {
        float* to = scratch + r * row_floats;
        const std::int64_t from_row = r - l.pad_top;
        if (from_row < 0 || from_row >= l.height) {
            fill_bits(to, W::padding, row_floats);
            continue;
        }
        const float* from = x + from_row * l.width;
        const std::int64_t limit = padded - l.pad_left < l.width ? padded - l.pad_left : l.width;
        for (std::int64_t phase = 0; phase < s; ++phase, to += part) {
            // Element i of this part is column i * s + phase of the padded row.
            std::int64_t i = l.pad_left - phase;
            i = i <= 0 ? 0 : (i + s - 1) / s;
            const std::int64_t c = i * s + phase - l.pad_left;
            const std::int64_t n = c >= limit ? 0 : (limit - c + s - 1) / s;
            if (i > part) i = part;
            fill_bits(to, W::padding, i);
            copy_strided(to + i, from + c, s, n);
            W::prepare(to + i, n);
            fill_bits(to + i + n, W::padding, part - i - n);
        }
    }
    const std::int64_t step_phase = l.dilation_x % s, step_index = l.dilation_x / s;
    for (std::int64_t r = 0; r < l.out_height; ++r)
        for (std::int64_t c = 0; c < l.out_width; c += 2 * L) {
            auto sum0 = W::start(), sum1 = W::start();
            const bool second = c + L < l.out_width;
            const float* w = weights;
            for (std::int64_t ky = 0; ky < l.kernel_height; ++ky) {
                const float* row = scratch + (r * l.stride_y + ky * l.dilation_y) * row_floats + c;
                std::int64_t phase = 0, index = 0;  // of the tap's column
                for (std::int64_t kx = 0; kx < l.kernel_width; ++kx) {
                    const float* p = row + phase * part + index;
                    vf32 weight{};
                    if constexpr (W::weighted) weight = broadcast(*w++);
                    sum0 = W::take(sum0, load(p), weight);
                    if (second) sum1 = W::take(sum1, load(p + L), weight);
                    phase += step_phase;
                    index += step_index;
                    if (phase >= s) {
                        phase -= s;
                        ++index;
                    }
                }
            }
            float* to = y + r * l.out_width + c;
            const std::int64_t left = l.out_width - c;
            if (left >= L) store(to, W::finish(sum0));
            else store_first(to, W::finish(sum0), static_cast<int>(left));
            if (second) {
                if (left >= 2 * L) store(to + L, W::finish(sum1));
                else store_first(to + L, W::finish(sum1), static_cast<int>(left - L));
            }
        }
}

// y[i] = x[i] / (rows * columns[i])
inline void divide_by_counts(std::int64_t n, float* y, float rows, const float* columns) {
    constexpr int L = lanes<float>;
    std::int64_t i = 0;
    for (; i + L <= n; i += L) store(y + i, load(y + i) / (rows * load(columns + i)));
    for (; i < n; ++i) y[i] = y[i] / (rows * columns[i]);
}

inline nn::detail::conv_kernels make_conv_kernels() {
    nn::detail::conv_kernels t;
    t.im2col = &conv_im2col;
    t.depthwise = &slide_window<window_convolution>;
    t.maximum = &slide_window<window_maximum>;
    t.sum = &slide_window<window_sum>;
    t.divide = &divide_by_counts;
    return t;
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
