// Compiles the file named by OCELLI_KERNEL_FILE once per instruction set above the program's own flags, each in the namespace
// ocelli::detail::<tag>::<set>. No include guard: included once for each kernel file.
//
// Include everything the kernel needs before this file. Inside a region nothing is included, only pointers, sizes and plain structs
// cross its border, and there are no lambdas and no static objects of vector type.

#include <ocelli/core/simd/target.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#if !defined(OCELLI_KERNEL_FILE)
#    error "define OCELLI_KERNEL_FILE before including for_each_target.hpp"
#endif

// Kernels keep IEEE arithmetic under a user's -ffast-math: their bits are promised, and they look at NaN.
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#    if defined(__clang__)
#        pragma float_control(push)
#        pragma float_control(precise, on)
#    else
#        pragma GCC push_options
#        pragma GCC optimize("no-fast-math")
#    endif
#endif

#define OCELLI_TARGET baseline
#define OCELLI_TARGET_IS_BASELINE 1
#if defined(OCELLI_BASELINE_AVX512)
#    define OCELLI_TARGET_LEVEL 2
#elif defined(OCELLI_BASELINE_AVX2)
#    define OCELLI_TARGET_LEVEL 1
#else
#    define OCELLI_TARGET_LEVEL 0
#endif
#if !defined(OCELLI_VEC_BASELINE_DONE)
#    define OCELLI_VEC_BASELINE_DONE
#    include <ocelli/core/simd/vec.kernel.hpp>
#endif
#include OCELLI_KERNEL_FILE
#undef OCELLI_TARGET
#undef OCELLI_TARGET_IS_BASELINE
#undef OCELLI_TARGET_LEVEL

#if defined(OCELLI_COMPILES_AVX2)
#    define OCELLI_TARGET avx2
#    define OCELLI_TARGET_LEVEL 1
#    if defined(__clang__)
#        pragma clang attribute push(__attribute__((target(OCELLI_FEATURES_AVX2))), apply_to = function)
#    else
#        pragma GCC push_options
#        pragma GCC target("avx,avx2,fma,bmi,bmi2,f16c,lzcnt,popcnt,movbe")
#    endif
#    if !defined(OCELLI_VEC_AVX2_DONE)
#        define OCELLI_VEC_AVX2_DONE
#        include <ocelli/core/simd/vec.kernel.hpp>
#    endif
#    include OCELLI_KERNEL_FILE
#    if defined(__clang__)
#        pragma clang attribute pop
#    else
#        pragma GCC pop_options
#    endif
#    undef OCELLI_TARGET
#    undef OCELLI_TARGET_LEVEL
#endif

#if defined(OCELLI_COMPILES_AVX512)
#    define OCELLI_TARGET avx512
#    define OCELLI_TARGET_LEVEL 2
#    if defined(__clang__)
#        pragma clang attribute push(__attribute__((target(OCELLI_FEATURES_AVX512))), apply_to = function)
#    else
#        pragma GCC push_options
#        pragma GCC target("avx,avx2,fma,bmi,bmi2,f16c,lzcnt,popcnt,movbe,avx512f,avx512bw,avx512cd,avx512dq,avx512vl")
#    endif
#    if !defined(OCELLI_VEC_AVX512_DONE)
#        define OCELLI_VEC_AVX512_DONE
#        include <ocelli/core/simd/vec.kernel.hpp>
#    endif
#    include OCELLI_KERNEL_FILE
#    if defined(__clang__)
#        pragma clang attribute pop
#    else
#        pragma GCC pop_options
#    endif
#    undef OCELLI_TARGET
#    undef OCELLI_TARGET_LEVEL
#endif

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#    if defined(__clang__)
#        pragma float_control(pop)
#    else
#        pragma GCC pop_options
#    endif
#endif

#undef OCELLI_KERNEL_FILE
