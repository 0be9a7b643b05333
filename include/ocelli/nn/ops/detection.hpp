#pragma once

/// @file
/// What detectors are made of: RoiAlign, MaxRoiPool, NonMaxSuppression.

#include <ocelli/features/roi_align.hpp>
#include <ocelli/nn/fwd.hpp>

#include <span>

namespace ocelli::nn {

/// RoiAlign (10, 16), MaxRoiPool, NonMaxSuppression (10, 11).
///
/// RoiAlign and MaxRoiPool are ocelli::roi_align and roi_pool, with their rules: a NaN in the map is never the largest. RoiAlign in mode `max` takes
/// the largest of the *weighted* neighbours of each sample, as ONNX Runtime and ONNX's tests do. A region with a NaN gives zeros, one whose batch
/// index does not exist is refused. NonMaxSuppression is ocelli::nms per class; equal scores keep the boxes' order.
std::span<const op_def> detection_ops();

namespace detail {

/// RoiAlign's attributes, and its inputs checked.
/// @throws invalid_argument, unsupported_operator  naming the node
roi_align_options roi_align_options_of(const node& n, const tensor& x, const tensor& rois, const tensor& images);
/// RoiAlign of float32 in y, which has its shape.
void align_float_rois(const tensor& x, const tensor& rois, const tensor& images, const roi_align_options& options, tensor& y);

}  // namespace detail

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/detection.inl>
#endif
