#pragma once

/// @file
/// Control flow: If, Loop, Scan.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// If, Loop and Scan (operator set 9 and newer) over tensors; sequences and optionals are not supported.
///
/// A Loop without a limit runs as long as its condition holds: that is the model's word. Collected outputs of no iteration have extent 0
/// and unknown extents of the body's output become 0 too.
std::span<const op_def> control_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/control.inl>
#endif
