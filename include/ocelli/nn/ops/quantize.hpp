#pragma once

/// @file
/// Quantised numbers: QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear, QLinearMatMul, QLinearConv, MatMulInteger, ConvInteger.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// The quantisation operators, for 8- and 16-bit integers (and int32 to dequantise); scales for the whole tensor, an axis or blocks.
///
/// Rounds half to even and saturates. QLinearConv and QLinearMatMul sum in 64-bit integers, exactly; the sum and the
/// scales are float32 then, as in ONNX Runtime.
///
/// ocelli.FakeQuantize is QuantizeLinear to 8 bits and DequantizeLinear: the nearest of the 256 multiples of `scale` whose first is `low` times it; NaN becomes 0.
std::span<const op_def> quantize_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/quantize.inl>
#endif
