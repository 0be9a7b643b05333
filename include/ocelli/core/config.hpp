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
