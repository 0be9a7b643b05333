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

inline void pick_channels(const nn::detail::channel_source* sources, std::int64_t count, std::int64_t pixels, float* y) {
    constexpr int L = lanes<float>, P = 4;
    std::int64_t i = 0;
    for (; i + P <= pixels; i += P, y += P * L) {
        vi32 v[P] = {};
        for (std::int64_t s = 0; s < count; ++s) {
            const vi32 lane = load(sources[s].lanes), keep = load(sources[s].keep);
            const float* x = sources[s].x + i * L;
            for (int k = 0; k < P; ++k) v[k] |= channel_lanes(__builtin_bit_cast(vi32, load(x + k * L)), lane) & keep;
        }
        for (int k = 0; k < P; ++k) store(y + k * L, __builtin_bit_cast(vf32, v[k]));
    }
    for (; i < pixels; ++i, y += L) {
        vi32 v{};
        for (std::int64_t s = 0; s < count; ++s)
            v |= channel_lanes(__builtin_bit_cast(vi32, load(sources[s].x + i * L)), load(sources[s].lanes)) & load(sources[s].keep);
        store(y, __builtin_bit_cast(vf32, v));
    }
}

inline nn::detail::channel_kernels make_channel_kernels() {
    nn::detail::channel_kernels t;
    t.pick = &pick_channels;
    return t;
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
