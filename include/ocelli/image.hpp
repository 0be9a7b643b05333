#pragma once

/// @file
/// Arrays of pixels to arrays of pixels: resizing, colours, the way into and out of network tensors.

#include <ocelli/image/colour.hpp>
#include <ocelli/image/layout.hpp>
#include <ocelli/image/resize.hpp>
