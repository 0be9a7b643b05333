#pragma once

/// @file
/// Everything that runs on the processor without optional dependencies. Each area has its own, lighter header.

#include <ocelli/boxes.hpp>
#include <ocelli/core.hpp>
#include <ocelli/crf.hpp>
#include <ocelli/features.hpp>
#include <ocelli/image.hpp>
#include <ocelli/io.hpp>
#include <ocelli/masks.hpp>
#include <ocelli/metrics.hpp>
#include <ocelli/nn.hpp>
#include <ocelli/pipelines.hpp>
