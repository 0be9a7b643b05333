#pragma once

/// @file
/// Boxes: formats, overlaps, suppression and fusion, anchors, coders, matching.

#include <ocelli/boxes/anchors.hpp>
#include <ocelli/boxes/clip.hpp>
#include <ocelli/boxes/cluster_nms.hpp>
#include <ocelli/boxes/coders/dfl.hpp>
#include <ocelli/boxes/coders/ltrb.hpp>
#include <ocelli/boxes/coders/rcnn.hpp>
#include <ocelli/boxes/coders/rotated.hpp>
#include <ocelli/boxes/coders/ssd.hpp>
#include <ocelli/boxes/coders/yolo.hpp>
#include <ocelli/boxes/fast_nms.hpp>
#include <ocelli/boxes/formats.hpp>
#include <ocelli/boxes/fusion.hpp>
#include <ocelli/boxes/iou.hpp>
#include <ocelli/boxes/matching.hpp>
#include <ocelli/boxes/matrix_nms.hpp>
#include <ocelli/boxes/nms.hpp>
#include <ocelli/boxes/rotated.hpp>
#include <ocelli/boxes/soft_nms.hpp>
#include <ocelli/boxes/yolo_priors.hpp>
