#pragma once

/// @file
/// Arrays of pixels to arrays of pixels: resizing, cutting and padding, colours, the way into and out of network tensors, drawing.

#include <ocelli/image/colour.hpp>
#include <ocelli/image/crop.hpp>
#include <ocelli/image/draw.hpp>
#include <ocelli/image/layout.hpp>
#include <ocelli/image/letterbox.hpp>
#include <ocelli/image/pad.hpp>
#include <ocelli/image/resize.hpp>
