#pragma once

/// @file
/// The instruction sets kernels are compiled for, and the one in use.

#include <ocelli/core/error.hpp>

#include <cstdlib>
#include <string_view>

#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__))
#    include <cpuid.h>
#endif

namespace ocelli::simd {

/// Instruction sets in increasing order. `baseline` is whatever the program's own flags allow.
enum class isa { baseline, avx2, avx512 };

/// "baseline", "avx2" or "avx512".
constexpr const char* name(isa set) noexcept {
    switch (set) {
    case isa::avx2: return "avx2";
    case isa::avx512: return "avx512";
    default: return "baseline";
    }
}

/// The reverse of name().
/// @throws invalid_argument  on another text
inline isa parse_isa(std::string_view text) {
    for (const isa set : {isa::baseline, isa::avx2, isa::avx512})
        if (text == name(set)) return set;
    detail::fail("OCELLI_ISA: expected baseline, avx2 or avx512, got '", text, "'");
}

/// True where this processor and its operating system run the set.
inline bool supported(isa set) {
#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__))
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                      __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
    switch (set) {
    case isa::avx2: return avx2;
    case isa::avx512:
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    default: return true;
    }
#else
    return set == isa::baseline;
#endif
}

namespace detail_isa {

inline isa choose() {
    if (const char* wanted = std::getenv("OCELLI_ISA"); wanted && *wanted) {
        const isa set = parse_isa(wanted);
        detail::check(supported(set), "OCELLI_ISA: this processor does not have ", name(set));
        return set;
    }
    if (supported(isa::avx512)) return isa::avx512;
    return supported(isa::avx2) ? isa::avx2 : isa::baseline;
}

}  // namespace detail_isa

/// The set the kernels use: the best of this processor, or the one named by the environment variable OCELLI_ISA.
///
/// Read once, at the first call. A program compiled for a higher set (say with -march=native) uses that one for its baseline.
/// @throws invalid_argument  when OCELLI_ISA names an unknown set or one this processor does not have
inline isa active() {
    static const isa chosen = detail_isa::choose();
    return chosen;
}

/// True where the set in use comes with products of pairs of bfloat16 (AVX512-BF16).
inline bool has_bf16() {
#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__))
    static const bool has = active() == isa::avx512 && __builtin_cpu_supports("avx512bf16");
    return has;
#else
    return false;
#endif
}

/// True where the set in use comes with sums of products of four bytes (AVX512-VNNI, or AVX-VNNI beside AVX2).
inline bool has_vnni() {
#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__))
    static const bool has = [] {
        if (active() == isa::avx512) return __builtin_cpu_supports("avx512vnni") != 0;
        unsigned a = 0, b = 0, c = 0, d = 0;  // __builtin_cpu_supports does not know AVX-VNNI in Clang 14
        return active() == isa::avx2 && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & 16u) != 0;
    }();
    return has;
#else
    return false;
#endif
}

/// True where the set in use comes with look-ups of bytes in 128 others (AVX512-VBMI).
inline bool has_vbmi() {
#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__))
    static const bool has = active() == isa::avx512 && __builtin_cpu_supports("avx512vbmi");
    return has;
#else
    return false;
#endif
}

}  // namespace ocelli::simd
