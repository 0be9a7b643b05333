#pragma once

/// @file
/// Operations on feature maps (N, C, H, W): RoIAlign, RoIPool and their position-sensitive forms, RoIAlign over a pyramid, pixel shuffle.

#include <ocelli/features/pixel_shuffle.hpp>
#include <ocelli/features/pyramid.hpp>
#include <ocelli/features/roi_align.hpp>
