#pragma once

/// @file
/// Pipelines: a picture in, a typed result out.

#include <ocelli/pipelines/cityscapes_classes.hpp>
#include <ocelli/pipelines/coco_classes.hpp>
#include <ocelli/pipelines/detection_heads.hpp>
#include <ocelli/pipelines/detector.hpp>
#include <ocelli/pipelines/panoptic_from_semantic.hpp>
#include <ocelli/pipelines/refine_with_crf.hpp>
#include <ocelli/pipelines/segmenter.hpp>
#include <ocelli/pipelines/text_detector.hpp>
