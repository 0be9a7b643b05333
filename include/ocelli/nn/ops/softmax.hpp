#pragma once

/// @file
/// Softmax, LogSoftmax, Hardmax.
///
/// Up to operator set 12 the axes from `axis` on are taken together (default 1); from 13 on it is one axis (default the last).

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// Softmax, LogSoftmax, Hardmax.
std::span<const op_def> softmax_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/softmax.inl>
#endif
