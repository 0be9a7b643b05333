#pragma once

/// @file
/// Operations on feature maps (N, C, H, W): RoIAlign (also of rotated boxes), RoIPool and their position-sensitive forms, RoIAlign over a pyramid, max
/// pooling with indices and unpooling, upsampling, sampling at the points of a grid, deformable convolution, correlation of two maps, class activation
/// maps, pixel shuffle.

#include <ocelli/features/class_activation.hpp>
#include <ocelli/features/correlation.hpp>
#include <ocelli/features/deform_conv.hpp>
#include <ocelli/features/grid_sample.hpp>
#include <ocelli/features/pixel_shuffle.hpp>
#include <ocelli/features/pooling.hpp>
#include <ocelli/features/pyramid.hpp>
#include <ocelli/features/roi_align.hpp>
#include <ocelli/features/roi_align_rotated.hpp>
#include <ocelli/features/upsample.hpp>
