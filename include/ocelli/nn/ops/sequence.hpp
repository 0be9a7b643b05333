#pragma once

/// @file
/// Sequences of tensors and optional values: making, taking apart, mapping.

#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// SequenceConstruct, SequenceEmpty, SequenceAt, SequenceInsert, SequenceErase, SequenceLength, SequenceMap, SplitToSequence,
/// ConcatFromSequence; Optional, OptionalHasElement, OptionalGetElement.
std::span<const op_def> sequence_ops();

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/sequence.inl>
#endif
