#pragma once

/// @file
/// Measures of whole systems over many pictures.

#include <ocelli/metrics/panoptic.hpp>
#include <ocelli/metrics/segmentation.hpp>
#include <ocelli/metrics/video_segmentation.hpp>
