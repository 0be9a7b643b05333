#pragma once

/// @file
/// Operators of ONNX Runtime's own domain, com.microsoft, that its tools write into quantised networks.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// QLinearAdd, QLinearMul (with broadcasting), QLinearGlobalAveragePool, QLinearConcat, QLinearSigmoid, QLinearLeakyRelu and QGemm on 8-bit integers with one scale
/// each (a QGemm's right side may have one for each column). Sums of integers are exact; scales are float32, halves round to even.
std::span<const op_def> microsoft_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/microsoft.inl>
#endif
