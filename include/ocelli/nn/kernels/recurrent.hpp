#pragma once

/// @file
/// Recurrent layers: one direction, over all steps, with PyTorch's activations.

#include <ocelli/core/config.hpp>

#include <cstdint>

namespace ocelli::nn {

/// One direction of a recurrent layer. States are (batch, hidden), dense.
struct recurrent_layer {
    std::int64_t steps = 0;
    std::int64_t batch = 0;
    std::int64_t hidden = 0;
    bool backwards = false;   ///< from the last step to the first
    std::int64_t y_step = 0;  ///< floats from one step's states to the next one's in y
};

/// LSTM: c = f c + i g, h = o tanh(c), where i, o, f are sigmoids and g is the tangens hyperbolicus of `given` + r h.
///
/// `given` (steps, batch, 4 hidden) holds what the inputs and the biases give to the gates i, o, f, g, in this order; r is (4 hidden, hidden). h and c are the states,
/// the first ones before and the last ones behind; y takes h of each step, unless it is null.
void lstm(const recurrent_layer& layer, const float* given, const float* r, float* h, float* c, float* y);

/// GRU: h = (1 - z) g + z h, where z and q are sigmoids of `given` + r h, and g = tanh(given + q (r h + hidden_bias)), or, if not `reset_late`,
/// tanh(given + r (q h)).
///
/// `given` (steps, batch, 3 hidden) is for z, q, g, in this order, r is (3 hidden, hidden). `hidden_bias` may be null; it is used if `reset_late` alone.
void gru(const recurrent_layer& layer, const float* given, const float* r, const float* hidden_bias, bool reset_late, float* h, float* y);

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/kernels/impl/recurrent.inl>
#endif
