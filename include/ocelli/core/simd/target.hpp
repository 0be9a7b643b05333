#pragma once

/// @file
/// Which targets a kernel file is compiled for, and the tag that keeps differently compiled translation units apart.
///
/// A target region adds its features to the user's own flags, so two files compiled with different flags would otherwise give one
/// symbol two meanings. OCELLI_ABI_TAG names the flags, and everything that ends in a kernel lives in that inline namespace.

#include <ocelli/core/config.hpp>

#if defined(__FAST_MATH__)
#    define OCELLI_TAG_MATH_ _fast
#else
#    define OCELLI_TAG_MATH_
#endif

#if defined(__CUDACC__)
#    define OCELLI_TAG_BASE_ abi_nvcc
#elif defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512CD__) && defined(__AVX512DQ__) && defined(__AVX512VL__) && \
    defined(__AVX2__) && defined(__FMA__)
#    define OCELLI_BASELINE_AVX512 1
#    define OCELLI_BASELINE_AVX2 1
#    if defined(__AVX512BF16__) && defined(__AVX512VNNI__)
#        define OCELLI_TAG_BASE_ abi_x86_avx512_bf16_vnni
#    elif defined(__AVX512VNNI__)
#        define OCELLI_TAG_BASE_ abi_x86_avx512_vnni
#    else
#        define OCELLI_TAG_BASE_ abi_x86_avx512
#    endif
#elif defined(__AVX2__) && defined(__FMA__)
#    define OCELLI_BASELINE_AVX2 1
#    define OCELLI_TAG_BASE_ abi_x86_avx2_fma
#elif defined(__AVX2__)
#    define OCELLI_TAG_BASE_ abi_x86_avx2
#elif defined(__AVX__)
#    define OCELLI_TAG_BASE_ abi_x86_avx
#elif defined(__SSE4_1__)
#    define OCELLI_TAG_BASE_ abi_x86_sse4
#elif defined(__SSE2__)
#    define OCELLI_TAG_BASE_ abi_x86_sse2
#elif defined(__aarch64__)
#    define OCELLI_TAG_BASE_ abi_neon
#else
#    define OCELLI_TAG_BASE_ abi_generic
#endif

#define OCELLI_CONCAT2_(a, b) a##b
#define OCELLI_CONCAT_(a, b) OCELLI_CONCAT2_(a, b)
#define OCELLI_ABI_TAG OCELLI_CONCAT_(OCELLI_TAG_BASE_, OCELLI_TAG_MATH_)

#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__)) && !defined(__CUDACC__)
#    if !defined(OCELLI_BASELINE_AVX2)
#        define OCELLI_COMPILES_AVX2 1
#    endif
#    if !defined(OCELLI_BASELINE_AVX512)
#        define OCELLI_COMPILES_AVX512 1
#    endif
#endif

// One feature list per target: x86-64-v3 and x86-64-v4.
#define OCELLI_FEATURES_AVX2 "avx,avx2,fma,bmi,bmi2,f16c,lzcnt,popcnt,movbe"
#define OCELLI_FEATURES_AVX512 OCELLI_FEATURES_AVX2 ",avx512f,avx512bw,avx512cd,avx512dq,avx512vl"

// Kernel getters are inline functions of the tagged namespace in header-only mode, and plain exported functions in compiled mode,
// so that a library built without flags serves a program built with -march=native.
#if OCELLI_HEADER_ONLY
#    define OCELLI_KERNEL_API_BEGIN inline namespace OCELLI_ABI_TAG {
#    define OCELLI_KERNEL_API_END }
#else
#    define OCELLI_KERNEL_API_BEGIN
#    define OCELLI_KERNEL_API_END
#endif
