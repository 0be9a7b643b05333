#pragma once

/// @file
/// Reads networks in the ONNX format.

#include <ocelli/nn/graph.hpp>

#include <cstddef>
#include <span>
#include <string>

namespace ocelli::nn {

/// Reads an ONNX model and looks its operators up.
///
/// Initializers become constants, also those listed among the inputs (they may be fed, and need not). External data is read from
/// the folder of the model and nowhere else. Calls of the model's own functions are replaced by the functions' nodes, whose names begin with the
/// call's. The file is not trusted: every length is checked before it is used.
///
/// Files are mapped into memory where the system can, and aligned weights stay there: a file must not be changed while its graph lives.
///
/// @throws io_error              when the file cannot be read
/// @throws format_error          when it is not a valid model: truncated, foreign, cyclic, contradictory
/// @throws unsupported_operator  naming node, operator and operator set version
graph read_onnx(const std::string& path);

/// Reads an ONNX model from memory. @param folder  where external data may lie; empty: external data is refused
/// @param source  what messages call the model
graph read_onnx(std::span<const std::byte> bytes, const std::string& folder = "", const std::string& source = "onnx model");

/// Reads one tensor in ONNX's TensorProto encoding (the .pb files of ONNX's operator tests).
/// @throws format_error  when the bytes are not such a tensor, or its elements are strings or of another unsupported type
tensor read_onnx_tensor(std::span<const std::byte> bytes, const std::string& source = "onnx tensor");
tensor read_onnx_tensor(const std::string& path);

/// Reads one value in ONNX's SequenceProto or OptionalProto encoding: a tensor::sequence; what the optional holds, or tensor::none.
/// @throws format_error  as read_onnx_tensor; unsupported_operator  where it holds maps or sparse tensors
tensor read_onnx_sequence(std::span<const std::byte> bytes, const std::string& source = "onnx sequence");
tensor read_onnx_optional(std::span<const std::byte> bytes, const std::string& source = "onnx optional");

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/impl/onnx.inl>
#endif
