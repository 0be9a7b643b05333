#pragma once

/// @file
/// Operations on feature maps (N, C, H, W): RoIAlign, RoIPool and their position-sensitive forms, RoIAlign over a pyramid, max pooling with indices
/// and unpooling, upsampling, sampling at the points of a grid, correlation of two maps, pixel shuffle.

#include <ocelli/features/correlation.hpp>
#include <ocelli/features/grid_sample.hpp>
#include <ocelli/features/pixel_shuffle.hpp>
#include <ocelli/features/pooling.hpp>
#include <ocelli/features/pyramid.hpp>
#include <ocelli/features/roi_align.hpp>
#include <ocelli/features/upsample.hpp>
