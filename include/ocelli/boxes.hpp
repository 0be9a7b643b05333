#pragma once

/// @file
/// Boxes: formats, overlaps, suppression and fusion, anchors, coders, matching.

#include <ocelli/boxes/clip.hpp>
#include <ocelli/boxes/formats.hpp>
#include <ocelli/boxes/iou.hpp>
#include <ocelli/boxes/nms.hpp>
