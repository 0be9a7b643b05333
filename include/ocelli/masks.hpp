#pragma once

/// @file
/// Masks: overlaps, run lengths, suppression, pasting, components, contours, distances, boundaries, panoptic merging.

#include <ocelli/masks/boundary.hpp>
#include <ocelli/masks/boxes.hpp>
#include <ocelli/masks/components.hpp>
#include <ocelli/masks/contours.hpp>
#include <ocelli/masks/distance.hpp>
#include <ocelli/masks/hausdorff.hpp>
#include <ocelli/masks/iou.hpp>
#include <ocelli/masks/nms.hpp>
#include <ocelli/masks/panoptic.hpp>
#include <ocelli/masks/paste.hpp>
#include <ocelli/masks/rle.hpp>
