#pragma once

/// @file
/// Operators without arithmetic: Identity, Constant.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// Operators without arithmetic: Identity, Constant.
std::span<const op_def> basic_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/basic.inl>
#endif
