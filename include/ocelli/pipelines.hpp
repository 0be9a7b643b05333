#pragma once

/// @file
/// Pipelines: a picture in, a typed result out.

#include <ocelli/pipelines/coco_classes.hpp>
#include <ocelli/pipelines/detection_heads.hpp>
#include <ocelli/pipelines/detector.hpp>
