// Lanes of some blocks, put together to one. Compiled once per instruction set.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

// Lane i is lane[i] of v.
OCELLI_ALWAYS_INLINE vi32 channel_lanes(vi32 v, vi32 lane) {
#if OCELLI_TARGET_LEVEL > 0
    vi32 out;
    asm("vpermd %1, %2, %0" : "=v"(out) : "v"(v), "v"(lane));
    return out;
#else
    vi32 out{};
    for (int i = 0; i < lanes<float>; ++i) out[i] = v[lane[i]];
    return out;
#endif
}

#if OCELLI_TARGET_LEVEL == 2
// The same, where `kept` has a bit; other lanes of `out` stay.
OCELLI_ALWAYS_INLINE void join_lanes(vi32& out, vi32 v, vi32 lane, unsigned short kept) {
    asm("vpermd %1, %2, %0%{%3%}" : "+v"(out) : "v"(v), "v"(lane), "Yk"(kept));
}
#endif

// Some pixels beside each other: lanes of each source join them where they are kept. By packs of numbers, so that all stay in registers.
template <int... K>
OCELLI_ALWAYS_INLINE void pick_pixels(const nn::detail::channel_source* sources, const float* const* x, std::int64_t count, std::int64_t first, float* y,
                                      std::integer_sequence<int, K...>) {
    constexpr int L = lanes<float>;
    vi32 v[sizeof...(K)] = {};
    for (std::int64_t s = 0; s < count; ++s) {
        const vi32 lane = load(sources[s].lanes), keep = load(sources[s].keep);
        const float* from = x[s] + first * L;
#if OCELLI_TARGET_LEVEL == 2
        const auto kept = static_cast<unsigned short>(movemask(keep));
        (join_lanes(v[K], __builtin_bit_cast(vi32, load(from + K * L)), lane, kept), ...);
#else
        ((v[K] |= channel_lanes(__builtin_bit_cast(vi32, load(from + K * L)), lane) & keep), ...);
#endif
    }
    (store(y + K * L, __builtin_bit_cast(vf32, v[K])), ...);
}

inline void pick_channels(const nn::detail::channel_source* sources, const float* const* x, std::int64_t count, std::int64_t pixels, float* y) {
    constexpr int L = lanes<float>, P = OCELLI_TARGET_LEVEL == 2 ? 8 : 4;
    std::int64_t i = 0;
    for (; i + P <= pixels; i += P) pick_pixels(sources, x, count, i, y + i * L, std::make_integer_sequence<int, P>());
    for (; i < pixels; ++i) pick_pixels(sources, x, count, i, y + i * L, std::make_integer_sequence<int, 1>());
}

inline nn::detail::channel_kernels make_channel_kernels() {
    nn::detail::channel_kernels t;
    t.pick = &pick_channels;
    return t;
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
