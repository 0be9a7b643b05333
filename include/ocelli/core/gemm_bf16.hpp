#pragma once

/// @file
/// Products of float matrices whose elements are rounded to bfloat16 on the way, summed in float: half the memory of packed weights, and twice the
/// speed where the processor multiplies pairs of bfloat16 (AVX512-BF16). Elsewhere panels of them are widened, and multiplied as floats.
///
/// bfloat16 keeps 8 bits of the mantissa: against a sum in double the error is at most about 2^-8 sum |a b|, and mostly far below.

#include <ocelli/core/gemm.hpp>

#include <cstdint>

namespace ocelli {

/// 32-bit words of a packed b, and packing it: rounds to nearest. Its elements may lie at any address.
std::int64_t gemm_bf16_packed_b_size(std::int64_t n, std::int64_t k);
void gemm_bf16_pack_b(std::int64_t n, std::int64_t k, const matrix_argument& b, std::uint32_t* packed);

/// c = a b, then the epilogue, with both sides rounded to bfloat16. Arguments as those of gemm_packed_b().
void gemm_bf16(std::int64_t m, std::int64_t n, std::int64_t k, const matrix_argument& a, const std::uint32_t* packed_b, float* c, std::int64_t c_stride,
               const gemm_epilogue& epilogue = {});
/// The same with a b that is packed on the way, in a buffer of the thread.
void gemm_bf16(std::int64_t m, std::int64_t n, std::int64_t k, const matrix_argument& a, const matrix_argument& b, float* c, std::int64_t c_stride,
               const gemm_epilogue& epilogue = {});

namespace detail {

/// gemm_bf16() by one of the two ways to multiply.
void gemm_bf16_by(const gemm_kernels& t, std::int64_t m, std::int64_t n, std::int64_t k, const matrix_argument& a, const std::uint32_t* packed_b, float* c,
                  std::int64_t c_stride, const gemm_epilogue& epilogue);

}  // namespace detail
}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/core/impl/gemm_bf16.inl>
#endif
