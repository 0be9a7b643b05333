#pragma once

/// @file
/// Products of matrices: MatMul, Gemm, Einsum, Det.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// MatMul, Gemm, Einsum, Det.
std::span<const op_def> matmul_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/matmul.inl>
#endif
