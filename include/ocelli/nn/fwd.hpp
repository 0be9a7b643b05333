#pragma once

/// @file
/// The engine's names, for users' own headers.

#include <ocelli/core/config.hpp>

#include <cstdint>

namespace ocelli::nn {

enum class dtype : std::uint8_t;
class tensor;
class symbolic_shape;
class graph;
class session;
class infer_context;
class eval_context;
struct attribute;
struct node;
struct value;
struct fact;
struct op_def;
struct patch;
struct pass;
struct session_options;
struct run_options;

/// Index of a value in its graph; `no_value` where an optional input or output is absent.
using value_id = std::int32_t;
/// Index of a node in its graph; `no_node` for values that no node produces.
using node_id = std::int32_t;

inline constexpr value_id no_value = -1;
inline constexpr node_id no_node = -1;

}  // namespace ocelli::nn
