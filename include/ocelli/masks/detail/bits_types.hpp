#pragma once

// What crosses the border of the kernels on bit-packed masks: pointers and sizes.

#include <ocelli/core/config.hpp>
#include <ocelli/core/simd/target.hpp>

#include <cstddef>
#include <cstdint>

namespace ocelli::detail {

/// Pixel i of a packed mask is bit i % 64 of word i / 64.
struct mask_bits_kernels {
    /// Packs n bytes, any of them not 0 being foreground, to (n + 63) / 64 words; bits behind the last pixel are 0.
    void (*pack)(const std::uint8_t* bytes, std::size_t n, std::uint64_t* words);
    /// Writes n bytes of 0 and 1.
    void (*unpack)(const std::uint64_t* words, std::size_t n, std::uint8_t* bytes);
    /// Set bits of n words, and of a & b.
    std::uint64_t (*count)(const std::uint64_t* a, std::size_t n);
    std::uint64_t (*count_and)(const std::uint64_t* a, const std::uint64_t* b, std::size_t n);
};

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const mask_bits_kernels& get_mask_bits_kernels();
OCELLI_KERNEL_API_END

}  // namespace ocelli::detail

#if OCELLI_HEADER_ONLY
#    include <ocelli/masks/impl/bits.inl>
#endif
