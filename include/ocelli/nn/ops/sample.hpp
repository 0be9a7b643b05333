#pragma once

/// @file
/// Sampling at given places: GridSample, AffineGrid.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// GridSample (linear, nearest, cubic; 1 to 3 spatial axes, cubic 1 and 2) and AffineGrid (2 and 3).
///
/// As ONNX defines it: `border` and `reflection` move a coordinate inside before elements are picked, also for cubic, where PyTorch moves
/// each of the sixteen elements alone (the two differ only near the border). `nearest` rounds half to even. A NaN coordinate reads 0
/// with `zeros` and the first element of its axis otherwise.
std::span<const op_def> sample_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/sample.inl>
#endif
