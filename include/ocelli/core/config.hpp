#pragma once

/// @file
/// Macros that steer how Ocelli is compiled.
///
/// Header-only is the default: bodies in impl/*.inl are included behind their header and are inline. A program that links
/// `ocelli::compiled` is compiled with OCELLI_COMPILED and sees their declarations only.

#if defined(OCELLI_COMPILED)
#    define OCELLI_INLINE
#    define OCELLI_HEADER_ONLY 0
#else
#    define OCELLI_INLINE inline
#    define OCELLI_HEADER_ONLY 1
#endif

#if defined(__GNUC__) || defined(__clang__)
#    define OCELLI_ALWAYS_INLINE inline __attribute__((always_inline))
#    define OCELLI_NOINLINE __attribute__((noinline))
#    define OCELLI_RESTRICT __restrict__
#elif defined(_MSC_VER)
#    define OCELLI_ALWAYS_INLINE __forceinline
#    define OCELLI_NOINLINE __declspec(noinline)
#    define OCELLI_RESTRICT __restrict
#else
#    define OCELLI_ALWAYS_INLINE inline
#    define OCELLI_NOINLINE
#    define OCELLI_RESTRICT
#endif

// Before a loop of few steps, known to the compiler, over an array that is to stand in registers: at -O2 GCC keeps the loop, and the array in memory. Clang
// and MSVC unroll such loops by themselves.
#if defined(__GNUC__) && !defined(__clang__)
#    define OCELLI_UNROLL _Pragma("GCC unroll 16")
#else
#    define OCELLI_UNROLL
#endif

// Takes `v` as it is at this place. A product stays a product so, where the bits of plain multiplication and addition are promised: compilers
// fuse it with a sum into an FMA (GCC across statements, too) wherever the processor can, as every 64-bit Arm and -march=native do. A macro,
// because it stands in functions of every target region: `rounded` in kernels (core/simd/vec.kernel.hpp), `unfused` elsewhere (core/float_bits.hpp).
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__SSE2__))
#    define OCELLI_ROUND_HERE(v) asm("" : "+v"(v))
#elif defined(__GNUC__) && defined(__aarch64__)
#    define OCELLI_ROUND_HERE(v) asm("" : "+w"(v))
#elif defined(__GNUC__)
#    define OCELLI_ROUND_HERE(v) asm("" : "+m"(v))
#else
#    define OCELLI_ROUND_HERE(v) static_cast<void>(0)
#endif
