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

inline nn::detail::select_kernels make_select_kernels() {
    nn::detail::select_kernels t;
    t.lanes = lanes<float>;
    t.row = &select_row;
    return t;
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
