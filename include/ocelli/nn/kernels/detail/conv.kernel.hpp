// Unfolding images for convolution as a product, and depthwise convolution. Compiled once per instruction set.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

// to[i] = from[i * step] for i < n. Whole vectors where the source is dense.
OCELLI_ALWAYS_INLINE void copy_strided(float* to, const float* from, std::int64_t step, std::int64_t n) {
    constexpr int L = lanes<float>;
    std::int64_t i = 0;
    if (step == 1) {
        for (; i + L <= n; i += L) store(to + i, load(from + i));
        for (; i < n; ++i) to[i] = from[i];
    } else {
        for (; i < n; ++i) to[i] = from[i * step];
    }
}

OCELLI_ALWAYS_INLINE void fill_zero(float* to, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = 0.0f;
}

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

// Rows of the padded image, each split into `stride` interleaved parts, so that every tap reads neighbouring floats.
inline void conv_depthwise_channel(const nn::conv_layer& l, const float* x, const float* weights, float* y, float* scratch) {
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
        fill_zero(to, row_floats);
        if (from_row < 0 || from_row >= l.height) continue;
        const float* from = x + from_row * l.width;
        for (std::int64_t phase = 0; phase < s; ++phase) {
            // Element i of this part is column i * s + phase of the padded row.
            std::int64_t i = l.pad_left - phase;
            i = i <= 0 ? 0 : (i + s - 1) / s;
            const std::int64_t c = i * s + phase - l.pad_left;
            const std::int64_t limit = padded - l.pad_left < l.width ? padded - l.pad_left : l.width;
            if (c >= limit) continue;
            copy_strided(to + phase * part + i, from + c, s, (limit - c + s - 1) / s);
        }
    }
    for (std::int64_t r = 0; r < l.out_height; ++r)
        for (std::int64_t c = 0; c < l.out_width; c += 2 * L) {
            vf32 sum0{}, sum1{};
            const bool second = c + L < l.out_width;
            const float* w = weights;
            for (std::int64_t ky = 0; ky < l.kernel_height; ++ky) {
                const float* row = scratch + (r * l.stride_y + ky * l.dilation_y) * row_floats + c;
                for (std::int64_t kx = 0; kx < l.kernel_width; ++kx) {
                    const std::int64_t offset = kx * l.dilation_x;
                    const float* p = row + offset % s * part + offset / s;
                    const vf32 weight = broadcast(*w++);
                    sum0 += weight * load(p);
                    if (second) sum1 += weight * load(p + L);
                }
            }
            float* to = y + r * l.out_width + c;
            const std::int64_t left = l.out_width - c;
            if (left >= L) store(to, sum0);
            else store_first(to, sum0, static_cast<int>(left));
            if (second) {
                if (left >= 2 * L) store(to + L, sum1);
                else store_first(to + L, sum1, static_cast<int>(left - L));
            }
        }
}

inline nn::detail::conv_kernels make_conv_kernels() {
    nn::detail::conv_kernels t;
    t.im2col = &conv_im2col;
    t.depthwise = &conv_depthwise_channel;
    return t;
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
