#pragma once

/// @file
/// Padding and cropping: Pad, CenterCropPad.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// Pad (constant, reflect, edge, wrap; negative pads crop) and CenterCropPad.
///
/// Padding wider than the input reflects or wraps repeatedly, as numpy.pad does. Negative pads crop first.
std::span<const op_def> pad_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/pad.inl>
#endif
