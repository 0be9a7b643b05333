#pragma once

/// @file
/// Recurrent layers: RNN, GRU, LSTM.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// RNN, GRU and LSTM (operator set 7 and newer): both directions, sequence lengths, peepholes, clipping, every activation ONNX names, both
/// layouts. Behind the end of a shorter sequence the output is 0 and the last state that of its end. Sums are taken in double.
std::span<const op_def> recurrent_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/recurrent.inl>
#endif
