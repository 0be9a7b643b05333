#pragma once

#include <ocelli/core/simd/dispatch.hpp>
#include <ocelli/masks/detail/bits_types.hpp>

#define OCELLI_KERNEL_FILE <ocelli/masks/detail/bits.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>

namespace ocelli::detail {

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const mask_bits_kernels& get_mask_bits_kernels() {
    static const mask_bits_kernels chosen = OCELLI_CHOOSE(make_mask_bits_kernels);
    return chosen;
}
OCELLI_KERNEL_API_END

}  // namespace ocelli::detail
