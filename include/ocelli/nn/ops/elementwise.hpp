#pragma once

/// @file
/// Element-wise arithmetic with broadcasting: Add.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// Element-wise arithmetic with broadcasting: Add.
std::span<const op_def> elementwise_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/elementwise.inl>
#endif
