// Pooling of images in blocks of channels: a vector for each pixel. Compiled once per instruction set.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

// One result of a pooling. A NaN wins the maximum, as in PyTorch; a window of padding alone gives -infinity.
template <bool Average>
OCELLI_ALWAYS_INLINE void blocked_pool_column(const nn::detail::blocked_pool_args& d, std::int64_t column) {
    constexpr int L = lanes<float>;
    const std::int64_t at = column * d.stride - d.pad;
    std::int64_t first = at >= 0 ? 0 : (-at + d.dilation - 1) / d.dilation;
    std::int64_t end = at >= d.width ? 0 : (d.width - 1 - at) / d.dilation + 1;
    if (end > d.kernel_width) end = d.kernel_width;
    vf32 v = broadcast(Average ? 0.0f : -__builtin_inff());
    for (std::int64_t ky = 0; ky < d.kernel_rows; ++ky) {
        const float* x = d.x + ky * d.tap_row + (at + first * d.dilation) * L;
        for (std::int64_t kx = first; kx < end; ++kx, x += d.dilation * L) {
            const vf32 here = load(x);
            if constexpr (Average) v += here;
            else v = ((here > v) | (here != here)) ? here : v;
        }
    }
    if constexpr (Average) v = v / (d.rows * d.columns[column]);
    store(d.y + column * L, v);
}

// Maxima of windows of K columns (0: of any number) that lie inside. One instruction takes a maximum, but loses a NaN: the sum has one then (or where
// infinities or large numbers cancel), and the result is made again.
template <int K>
OCELLI_ALWAYS_INLINE void blocked_max_inside(const nn::detail::blocked_pool_args& d, std::int64_t column, std::int64_t end) {
    constexpr int L = lanes<float>;
    const std::int64_t next = d.dilation * L, taps = K == 0 ? d.kernel_width : K;
    for (; column < end; ++column) {
        const float* row = d.x + (column * d.stride - d.pad) * L;
        vf32 v = load(row), sum{};
        for (std::int64_t ky = d.kernel_rows; ky > 0; --ky, row += d.tap_row)
            for (std::int64_t kx = 0; kx < taps; ++kx) {
                const vf32 here = load(row + kx * next);
                v = max(here, v);
                sum += here;
            }
        if (movemask(sum != sum) != 0) blocked_pool_column<false>(d, column);
        else store(d.y + column * L, v);
    }
}

// The same for three columns beside each other, windows two apart, of three rows or (Rows 0) any number: the column that two windows share is read once.
template <int Rows>
OCELLI_ALWAYS_INLINE void blocked_max_three(const nn::detail::blocked_pool_args& d, std::int64_t column, std::int64_t end) {
    constexpr int L = lanes<float>;
    const std::int64_t rows = Rows == 0 ? d.kernel_rows : Rows, tap_row = d.tap_row;
    const float* window = d.x + (column * 2 - d.pad) * L;
    vf32 last = broadcast(-__builtin_inff()), last_sum{};
    for (std::int64_t ky = 0; ky < rows; ++ky) {
        const vf32 here = load(window + ky * tap_row);
        last = max(here, last);
        last_sum += here;
    }
    float* y = d.y + column * L;
    for (; column < end; ++column, window += 2 * L, y += L) {
        const float* row = window + L;
        vf32 middle = load(row), next = load(row + L), sum = last_sum + middle, next_sum = next;
        for (std::int64_t ky = 1; ky < rows; ++ky) {
            row += tap_row;
            const vf32 a = load(row), b = load(row + L);
            middle = max(a, middle);
            next = max(b, next);
            sum += a;
            next_sum += b;
        }
        sum += next_sum;
        if (movemask(sum != sum) != 0) [[unlikely]] blocked_pool_column<false>(d, column);
        else store(y, max(max(last, middle), next));
        last = next;
        last_sum = next_sum;
    }
}

// One row of a pooling on one block.
template <bool Average>
void blocked_pool_row(const nn::detail::blocked_pool_args& d) {
    std::int64_t column = 0;
    if constexpr (!Average) {
        const std::int64_t last = d.width - 1 - (d.kernel_width - 1) * d.dilation + d.pad;
        const std::int64_t inside = d.pad <= 0 ? 0 : (d.pad + d.stride - 1) / d.stride;
        std::int64_t end = last < 0 || d.kernel_rows == 0 ? 0 : last / d.stride + 1;
        if (end > d.out_width) end = d.out_width;
        if (inside < end) {
            for (; column < inside; ++column) blocked_pool_column<false>(d, column);
            if (d.kernel_width == 3 && d.stride == 2 && d.dilation == 1) {
                if (d.kernel_rows == 3) blocked_max_three<3>(d, column, end);
                else blocked_max_three<0>(d, column, end);
            }
            else if (d.kernel_width == 3) blocked_max_inside<3>(d, column, end);
            else if (d.kernel_width == 2) blocked_max_inside<2>(d, column, end);
            else blocked_max_inside<0>(d, column, end);
            column = end;
        }
    }
    for (; column < d.out_width; ++column) blocked_pool_column<Average>(d, column);
}

// The mean of each lane over `pixels` vectors.
inline void blocked_mean(const float* x, std::int64_t pixels, float* y) {
    constexpr int L = lanes<float>;
    vf32 s0{}, s1{}, s2{}, s3{};
    std::int64_t i = 0;
    for (; i + 4 <= pixels; i += 4, x += 4 * L) {
        s0 += load(x);
        s1 += load(x + L);
        s2 += load(x + 2 * L);
        s3 += load(x + 3 * L);
    }
    for (; i < pixels; ++i, x += L) s0 += load(x);
    store(y, ((s0 + s1) + (s2 + s3)) / static_cast<float>(pixels));
}

inline nn::detail::blocked_pool_kernels make_blocked_pool_kernels() {
    return {{&blocked_pool_row<false>, &blocked_pool_row<true>}, &blocked_mean};
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
