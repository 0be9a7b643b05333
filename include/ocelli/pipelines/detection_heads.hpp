#pragma once

/// @file
/// From a detection network's raw outputs to boxes: the decoding of the network families that `detector` knows, and the
/// selection that ends them all.
///
/// Each `*_candidates` function gives every box above a score; `suppress` then leaves the best of those that overlap.

#include <ocelli/boxes/coders/ssd.hpp>
#include <ocelli/boxes/nms.hpp>
#include <ocelli/core/config.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/core/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ocelli {

/// Boxes found in a picture.
struct detections {
    xt::xtensor<float, 2> boxes = xt::xtensor<float, 2>::from_shape({0, 4}); ///< (N, 4) x1 y1 x2 y2
    xt::xtensor<float, 1> scores;                                            ///< (N)
    xt::xtensor<std::int64_t, 1> labels;                                     ///< (N) index into the network's class names

    /// Number of boxes.
    std::size_t size() const noexcept { return scores.size(); }
};

namespace detail {

/// Boxes while they are being collected.
struct candidate_list {
    std::vector<float> boxes; // four each
    std::vector<float> scores;
    std::vector<std::int64_t> labels;

    void add(float x1, float y1, float x2, float y2, float score, std::int64_t label) {
        boxes.insert(boxes.end(), {x1, y1, x2, y2});
        scores.push_back(score);
        labels.push_back(label);
    }
};

OCELLI_INLINE detections to_detections(const candidate_list& list);
OCELLI_INLINE void ultraface_candidates(const float* scores, const float* boxes, std::size_t priors, std::size_t classes,
                                        double threshold, float width, float height, candidate_list& out);
OCELLI_INLINE void fastestdet_candidates(const float* output, std::size_t classes, std::size_t rows, std::size_t columns,
                                         double threshold, float width, float height, bool truncate, candidate_list& out);
OCELLI_INLINE void point_candidates(const float* logits, const float* sides, std::size_t classes, std::size_t rows,
                                    std::size_t columns, double threshold, float width, float height, candidate_list& out);
OCELLI_INLINE void yolo_candidates(const float* output, std::size_t classes, std::size_t points, double threshold, candidate_list& out);
OCELLI_INLINE void yolo_rows(const float* rows, std::size_t count, double threshold, candidate_list& out);
OCELLI_INLINE void check_picture(double width, double height, const char* name);

} // namespace detail

/// Makes the priors of the Ultra-Light face detectors for an input size.
///
/// Feature maps of ceil(size / stride) cells for strides 8, 16, 32, 64 with minimum boxes (10, 16, 24), (32, 48), (64, 96),
/// (128, 192, 256); a cell's centre is (i + 0.5) / cells. Everything is clipped to [0, 1].
///
/// @param height, width  of the network's input in pixels
/// @return               (P, 4) cx cy w h relative to the picture, cell by cell, 4420 for 240 x 320
/// @throws invalid_argument  on sizes outside [1, 65536]
OCELLI_INLINE xt::xtensor<float, 2> ultraface_priors(std::int64_t height, std::int64_t width);

/// Decodes the raw regressions of an Ultra-Light face detector (SSD's coding, centre variance 0.1, size variance 0.2).
///
/// @param deltas  (P, 4) regressions
/// @param priors  (P, 4) from ultraface_priors
/// @return        (P, 4) x1 y1 x2 y2 relative to the picture
/// @throws invalid_argument  on other shapes or different lengths
template <array_expression D, array_expression P>
xt::xtensor<float, 2> ultraface_boxes(const D& deltas, const P& priors) {
    const auto d = as_dense<float, 2>(deltas, "ultraface_boxes: deltas");
    const auto p = as_dense<float, 2>(priors, "ultraface_boxes: priors");
    detail::check_shape(d, {detail::any, 4}, "ultraface_boxes: deltas");
    detail::check_shape(p, {detail::any, 4}, "ultraface_boxes: priors");
    detail::check_same_length(d, p, "ultraface_boxes: deltas and priors");
    return ssd_decode(view(d.data(), d.shape()), view(p.data(), p.shape()), {.prior_format = box_format::cxcywh});
}

/// Gives the boxes of an Ultra-Light face detector (or another SSD with decoded outputs) above a score, class 0 being
/// background.
///
/// @param scores     (P, C) probabilities
/// @param boxes      (P, 4) x1 y1 x2 y2 relative to the picture
/// @param threshold  a score must be greater
/// @param width, height  of the picture, which the boxes are multiplied by
/// @throws invalid_argument  on other shapes or different lengths, fewer than two classes, or a size that is not positive
template <array_expression S, array_expression B>
detections ultraface_candidates(const S& scores, const B& boxes, double threshold, double width, double height) {
    const auto s = as_dense<float, 2>(scores, "ultraface_candidates: scores");
    const auto b = as_dense<float, 2>(boxes, "ultraface_candidates: boxes");
    detail::check_shape(b, {detail::any, 4}, "ultraface_candidates: boxes");
    detail::check_same_length(s, b, "ultraface_candidates: scores and boxes");
    detail::check(s.extent(1) >= 2,
                  "ultraface_candidates: scores must have a column for the background and one for each class, got ",
                  s.extent(1));
    detail::check_picture(width, height, "ultraface_candidates");
    detail::candidate_list list;
    detail::ultraface_candidates(s.data(), b.data(), s.extent(0), s.extent(1), threshold, static_cast<float>(width),
                                 static_cast<float>(height), list);
    return detail::to_detections(list);
}

/// Gives the boxes of a FastestDet network above a score, at most one for each cell.
///
/// In cell (row h, column w) of H x W: score objectness^0.6 * (best class)^0.4, centre ((w + tanh v1) / W, (h + tanh v2) / H),
/// size (sigmoid v3, sigmoid v4), relative to the picture.
///
/// @param output     (5 + C, H, W) objectness, v1..v4, class probabilities
/// @param threshold  a score must be greater
/// @param width, height  of the picture, which the boxes are multiplied by
/// @param truncate   corners are cut to whole numbers, as the source project does before its NMS
/// @throws invalid_argument  on fewer than six channels, or a size that is not positive
template <array_expression E>
detections fastestdet_candidates(const E& output, double threshold, double width, double height, bool truncate = true) {
    const auto o = as_dense<float, 3>(output, "fastestdet_candidates: output");
    detail::check(o.extent(0) >= 6, "fastestdet_candidates: output must have shape (5 + C, H, W), got ",
                  detail::shape_text(o.shape()));
    detail::check_picture(width, height, "fastestdet_candidates");
    detail::candidate_list list;
    detail::fastestdet_candidates(o.data(), o.extent(0) - 5, o.extent(1), o.extent(2), threshold, static_cast<float>(width),
                                  static_cast<float>(height), truncate, list);
    return detail::to_detections(list);
}

/// Gives the boxes of an ultralytics network (YOLOv3u to 12, exported without nms) above a score, at most one for each point.
///
/// The box is xy - wh / 2 to xy + wh / 2, the score the highest of its classes.
///
/// @param output     (4 + C + R, P) cx, cy, w, h in pixels of the network's input, C class probabilities, R numbers of
///                   another kind (coefficients of masks, key points), which are not looked at
/// @param threshold  a score must be greater
/// @param classes    C; 0: all rows behind the box
/// @throws invalid_argument  on fewer rows than 4 + C, or fewer than five; on a score above 1, which numbers of another kind
///                           have
template <array_expression E>
detections yolo_candidates(const E& output, double threshold, std::size_t classes = 0) {
    const auto o = as_dense<float, 2>(output, "yolo_candidates: output");
    detail::check(o.extent(0) >= 5 && o.extent(0) - 4 >= classes, "yolo_candidates: output must have shape (4 + ",
                  classes == 0 ? 1 : classes, " or more, P), got ", detail::shape_text(o.shape()));
    detail::candidate_list list;
    detail::yolo_candidates(o.data(), classes == 0 ? o.extent(0) - 4 : classes, o.extent(1), threshold, list);
    return detail::to_detections(list);
}

/// Gives the boxes above a score of an ultralytics network that selects them itself (YOLOv10, 26, exports with nms=True).
///
/// @param rows       (N, 6) x1, y1, x2, y2 in pixels of the network's input, score, class
/// @param threshold  a score must be greater
/// @throws invalid_argument  on another shape
template <array_expression E>
detections yolo_rows(const E& rows, double threshold) {
    const auto r = as_dense<float, 2>(rows, "yolo_rows: rows");
    detail::check_shape(r, {detail::any, 6}, "yolo_rows: rows");
    detail::candidate_list list;
    detail::yolo_rows(r.data(), r.extent(0), threshold, list);
    return detail::to_detections(list);
}

/// Gives the boxes of an anchor-free network of one scale above a score, at most one for each point of its grid.
///
/// Point (row h, column w) of H x W stands at ((w + 0.5) sx, (h + 0.5) sy) with the strides sx = width / W, sy = height / H;
/// its score is the sigmoid of the highest logit, its box reaches exp(side) strides to the left, up, right and down (FCOS,
/// arXiv:1904.01355).
///
/// @param logits     (C, H, W)
/// @param sides      (4, H, W) left, top, right, bottom, logarithms of multiples of the stride
/// @param threshold  a score must be greater
/// @param width, height  of the network's input in pixels; the boxes are in these
/// @throws invalid_argument  on other shapes, or a size that is not positive
template <array_expression L, array_expression D>
detections point_candidates(const L& logits, const D& sides, double threshold, double width, double height) {
    const auto l = as_dense<float, 3>(logits, "point_candidates: logits");
    const auto d = as_dense<float, 3>(sides, "point_candidates: sides");
    detail::check(l.extent(0) >= 1, "point_candidates: logits must have at least one class");
    detail::check_shape(d, {4, static_cast<std::int64_t>(l.extent(1)), static_cast<std::int64_t>(l.extent(2))},
                        "point_candidates: sides");
    detail::check_picture(width, height, "point_candidates");
    detail::candidate_list list;
    detail::point_candidates(l.data(), d.data(), l.extent(0), l.extent(1), l.extent(2), threshold, static_cast<float>(width),
                             static_cast<float>(height), list);
    return detail::to_detections(list);
}

/// Leaves the best of the boxes that overlap, best first.
///
/// @param found      candidates
/// @param options    threshold, criterion, +1 pixel, most boxes: see nms_options
/// @param per_class  boxes suppress those of their own label alone
/// @throws invalid_argument  like nms
OCELLI_INLINE detections suppress(const detections& found, const nms_options& options, bool per_class = true);

} // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/pipelines/impl/detection_heads.inl>
#endif
