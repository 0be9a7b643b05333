// Compiled once per target: no guard, no includes.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

inline float probe_dot(const float* a, const float* b, std::size_t n) {
    constexpr std::size_t L = static_cast<std::size_t>(lanes<float>);
    vf32 sum{};
    std::size_t i = 0;
    for (; i + L <= n; i += L) sum = sum + load(a + i) * load(b + i);
    float out = sum_lanes<float>(sum);
    for (; i < n; ++i) out += a[i] * b[i];
    return out;
}

inline target_probe make_target_probe() {
    return {OCELLI_TEST_TEXT(OCELLI_TARGET), OCELLI_TARGET_LEVEL, sizeof(vf32), &probe_dot};
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
