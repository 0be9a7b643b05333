#pragma once

/// @file
/// Pooling over windows: MaxPool.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// Pooling over windows: MaxPool.
std::span<const op_def> pool_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/pool.inl>
#endif
