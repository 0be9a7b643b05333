#pragma once

/// @file
/// Picks one of the compiled tables of a kernel family.

#include <ocelli/core/simd/isa.hpp>
#include <ocelli/core/simd/target.hpp>

// Yields the table `NAME` of the active set. Kernel files define, in their target's namespace, an inline function `NAME()` that
// returns the table by value; the result is stored in a static of the getter:
//
//     OCELLI_INLINE const iou_kernels& get_iou_kernels() {
//         static const iou_kernels chosen = OCELLI_CHOOSE(make_iou_kernels);
//         return chosen;
//     }
#if defined(OCELLI_COMPILES_AVX2) && defined(OCELLI_COMPILES_AVX512)
#    define OCELLI_CHOOSE(make)                                                                                           \
        (::ocelli::simd::active() == ::ocelli::simd::isa::avx512  ? ::ocelli::detail::OCELLI_ABI_TAG::avx512::make()      \
         : ::ocelli::simd::active() == ::ocelli::simd::isa::avx2 ? ::ocelli::detail::OCELLI_ABI_TAG::avx2::make()         \
                                                                  : ::ocelli::detail::OCELLI_ABI_TAG::baseline::make())
#elif defined(OCELLI_COMPILES_AVX512)
#    define OCELLI_CHOOSE(make)                                                                                           \
        (::ocelli::simd::active() == ::ocelli::simd::isa::avx512 ? ::ocelli::detail::OCELLI_ABI_TAG::avx512::make()       \
                                                                 : ::ocelli::detail::OCELLI_ABI_TAG::baseline::make())
#else
#    define OCELLI_CHOOSE(make) (::ocelli::detail::OCELLI_ABI_TAG::baseline::make())
#endif
