#pragma once

/// @file
/// Passes that hold for every machine: fewer nodes, the same meaning in ONNX's own operators.

#include <ocelli/nn/passes/pass.hpp>

namespace ocelli::nn::passes {

/// Nodes whose inputs are all constant become constants (arithmetic on shapes included, once extents are known), unless the result
/// were much larger than what it is made of.
std::vector<patch> constant_folding(const graph& g);
/// Identity, inference-time Dropout, Cast to the same type, Concat of one, Transpose in order, Reshape to the same shape, Add of 0, Mul by 1.
std::vector<patch> identity_elimination(const graph& g);
/// Of nodes that compute the same of the same values, the first is kept, as exported masks are looked up once for each list they select from.
std::vector<patch> common_subexpressions(const graph& g);
/// A Slice of what Concat has put together that is one of its inputs, as exported boxes go from centres and sizes to corners.
std::vector<patch> slice_of_concat(const graph& g);
/// Conv -> BatchNormalization with constant parameters becomes Conv; so does Conv -> Mul, Div, Add or Sub by a constant for each channel, as frozen batch norms are
/// written. Scales are computed in double.
std::vector<patch> batch_norm_folding(const graph& g);
/// Pad of an image with zeros becomes padding of the Conv or AveragePool behind it.
std::vector<patch> pad_folding(const graph& g);

}  // namespace ocelli::nn::passes

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/passes/impl/simplify.inl>
#endif
