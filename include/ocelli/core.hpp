#pragma once

/// @file
/// The ground floor: errors, arrays, threads, instruction sets.

#include <ocelli/core/error.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/isa.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/core/version.hpp>
