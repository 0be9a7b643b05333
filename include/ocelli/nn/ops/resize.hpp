#pragma once

/// @file
/// Resampling on a regular grid: Resize and Upsample.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// Resize (operator sets 10 to 19: nearest, linear, cubic; every coordinate rule; antialiasing) and Upsample (7 to 9).
///
/// Axis by axis, any axes. Source coordinates are computed in float, as ONNX Runtime and PyTorch do, so that `nearest` meets the same
/// elements. With `align_corners` and scales that do not give a whole extent, the fractional extent counts (ONNX's reference; ONNX Runtime
/// takes the whole one).
std::span<const op_def> resize_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/resize.inl>
#endif
