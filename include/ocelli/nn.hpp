#pragma once

/// @file
/// The engine: reads a network, runs it.

#include <ocelli/nn/dtype.hpp>
#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/graph.hpp>
#include <ocelli/nn/memory.hpp>
#include <ocelli/nn/onnx.hpp>
#include <ocelli/nn/session.hpp>
#include <ocelli/nn/shape.hpp>
#include <ocelli/nn/tensor.hpp>
#include <ocelli/nn/weights.hpp>
