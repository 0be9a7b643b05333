#pragma once

/// @file
/// The IoU family: how much two boxes overlap, for all pairs (N, M) or for corresponding boxes (N).
///
/// Boxes are x1 y1 x2 y2 in continuous coordinates. One rule holds for every measure:
/// - a box with x2 <= x1 or y2 <= y1 is empty: its area is 0 and its IoU with any box is 0, also with itself (torchvision: 0 / 0);
/// - where a coordinate is NaN, or infinities cancel, IoU and IoF are 0, GIoU, DIoU and CIoU are -1, SIoU is -2.
///
/// IoU, IoF, GIoU and DIoU have the reference's bits on valid boxes: areas, division and order of operations are torchvision's and no
/// product is fused into an FMA. Every function is tested for float and double; results do not depend on instruction set or threads.

#include <ocelli/core/config.hpp>
#include <ocelli/core/tensor.hpp>

#include <cstddef>

namespace ocelli {

/// What the overlap functions can be asked to do differently.
struct iou_options {
    /// Widths and heights are x2 - x1 + 1, as in PASCAL VOC's devkit and Caffe: coordinates name whole pixels.
    bool legacy_plus_one = false;
    /// Added to the denominators of DIoU and CIoU, as torchvision's `eps`.
    double epsilon = 1e-7;
};

namespace detail {

enum class overlap { iou, iof, giou, diou, ciou, siou };

/// Writes the (n, m) measures of all pairs, row-major.
OCELLI_INLINE void pairwise_overlap(overlap kind, const float* a, std::size_t n, const float* b, std::size_t m,
                                    const iou_options& options, float* out);
OCELLI_INLINE void pairwise_overlap(overlap kind, const double* a, std::size_t n, const double* b, std::size_t m,
                                    const iou_options& options, double* out);
/// Writes the (n) measures of corresponding boxes.
OCELLI_INLINE void paired_overlap(overlap kind, const float* a, const float* b, std::size_t n, const iou_options& options, float* out);
OCELLI_INLINE void paired_overlap(overlap kind, const double* a, const double* b, std::size_t n, const iou_options& options,
                                  double* out);

/// The texts of one function's messages.
struct overlap_texts {
    const char* first;
    const char* second;
    const char* lengths;
    const char* out;
    const char* epsilon;
};

inline void check_epsilon(const iou_options& options, const overlap_texts& texts) {
    check(options.epsilon >= 0 && options.epsilon <= 1, texts.epsilon, " must be in [0, 1], got ", options.epsilon);
}

template <class A, class B, class Out>
void pairwise_overlap_into(overlap kind, const overlap_texts& texts, const A& a, const B& b, Out& out, const iou_options& options) {
    using T = scalar_t<A, B>;
    const auto x = as_dense<T, 2>(a, texts.first);
    const auto y = as_dense<T, 2>(b, texts.second);
    check_shape(x, {any, 4}, texts.first);
    check_shape(y, {any, 4}, texts.second);
    check_epsilon(options, texts);
    T* to = as_output<T, 2>(out, {x.extent(0), y.extent(0)}, texts.out);
    pairwise_overlap(kind, x.data(), x.extent(0), y.data(), y.extent(0), options, to);
}

template <class A, class B>
xt::xtensor<scalar_t<A, B>, 2> pairwise_overlap_of(overlap kind, const overlap_texts& texts, const A& a, const B& b,
                                                   const iou_options& options) {
    using T = scalar_t<A, B>;
    const auto x = as_dense<T, 2>(a, texts.first);
    const auto y = as_dense<T, 2>(b, texts.second);
    check_shape(x, {any, 4}, texts.first);
    check_shape(y, {any, 4}, texts.second);
    check_epsilon(options, texts);
    auto out = new_tensor<T>(x.extent(0), y.extent(0));
    pairwise_overlap(kind, x.data(), x.extent(0), y.data(), y.extent(0), options, out.data());
    return out;
}

template <class A, class B, class Out>
void paired_overlap_into(overlap kind, const overlap_texts& texts, const A& a, const B& b, Out& out, const iou_options& options) {
    using T = scalar_t<A, B>;
    const auto x = as_dense<T, 2>(a, texts.first);
    const auto y = as_dense<T, 2>(b, texts.second);
    check_shape(x, {any, 4}, texts.first);
    check_shape(y, {any, 4}, texts.second);
    check_same_length(x, y, texts.lengths);
    check_epsilon(options, texts);
    T* to = as_output<T, 1>(out, {x.extent(0)}, texts.out);
    paired_overlap(kind, x.data(), y.data(), x.extent(0), options, to);
}

template <class A, class B>
xt::xtensor<scalar_t<A, B>, 1> paired_overlap_of(overlap kind, const overlap_texts& texts, const A& a, const B& b,
                                                 const iou_options& options) {
    using T = scalar_t<A, B>;
    const auto x = as_dense<T, 2>(a, texts.first);
    const auto y = as_dense<T, 2>(b, texts.second);
    check_shape(x, {any, 4}, texts.first);
    check_shape(y, {any, 4}, texts.second);
    check_same_length(x, y, texts.lengths);
    check_epsilon(options, texts);
    auto out = new_tensor<T>(x.extent(0));
    paired_overlap(kind, x.data(), y.data(), x.extent(0), options, out.data());
    return out;
}

#define OCELLI_OVERLAP_TEXTS_(name) \
    ::ocelli::detail::overlap_texts { #name ": a", #name ": b", #name ": a and b", #name ": out", #name ": epsilon" }

}  // namespace detail

/// Gives the intersection over union of every box of `a` with every box of `b`.
///
/// @param a, b  (N, 4) and (M, 4) x1 y1 x2 y2
/// @return      (N, M), in [0, 1]
/// @throws invalid_argument  on other shapes, or an epsilon outside [0, 1]
///
/// Agrees with torchvision.ops.box_iou bit for bit on valid boxes; empty and NaN boxes as the head of this file says.
template <array_expression A, array_expression B>
xt::xtensor<scalar_t<A, B>, 2> box_iou(const A& a, const B& b, const iou_options& options = {}) {
    return detail::pairwise_overlap_of(detail::overlap::iou, OCELLI_OVERLAP_TEXTS_(box_iou), a, b, options);
}
/// The same into the caller's memory: `out` is dense, row-major, (N, M), of the result's element type.
template <array_expression A, array_expression B, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void box_iou(const A& a, const B& b, Out&& out, const iou_options& options = {}) {
    detail::pairwise_overlap_into(detail::overlap::iou, OCELLI_OVERLAP_TEXTS_(box_iou), a, b, out, options);
}
/// Gives the intersection over union of corresponding boxes: (N, 4), (N, 4) -> (N).
/// @throws invalid_argument  on other shapes or different lengths
template <array_expression A, array_expression B>
xt::xtensor<scalar_t<A, B>, 1> paired_box_iou(const A& a, const B& b, const iou_options& options = {}) {
    return detail::paired_overlap_of(detail::overlap::iou, OCELLI_OVERLAP_TEXTS_(paired_box_iou), a, b, options);
}
/// The same into the caller's memory, (N).
template <array_expression A, array_expression B, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void paired_box_iou(const A& a, const B& b, Out&& out, const iou_options& options = {}) {
    detail::paired_overlap_into(detail::overlap::iou, OCELLI_OVERLAP_TEXTS_(paired_box_iou), a, b, out, options);
}

/// Gives the intersection over the area of the box of `a`, the foreground: how much of it `b` covers. (N, 4), (M, 4) -> (N, M), in [0, 1].
///
/// Agrees with mmdet's bbox_overlaps(mode="iof") and detectron2's pairwise_ioa with swapped arguments (which divides by the second).
/// @throws invalid_argument  on other shapes
template <array_expression A, array_expression B>
xt::xtensor<scalar_t<A, B>, 2> box_iof(const A& a, const B& b, const iou_options& options = {}) {
    return detail::pairwise_overlap_of(detail::overlap::iof, OCELLI_OVERLAP_TEXTS_(box_iof), a, b, options);
}
/// The same into the caller's memory, (N, M).
template <array_expression A, array_expression B, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void box_iof(const A& a, const B& b, Out&& out, const iou_options& options = {}) {
    detail::pairwise_overlap_into(detail::overlap::iof, OCELLI_OVERLAP_TEXTS_(box_iof), a, b, out, options);
}
/// Gives the intersection over foreground of corresponding boxes: (N, 4), (N, 4) -> (N).
template <array_expression A, array_expression B>
xt::xtensor<scalar_t<A, B>, 1> paired_box_iof(const A& a, const B& b, const iou_options& options = {}) {
    return detail::paired_overlap_of(detail::overlap::iof, OCELLI_OVERLAP_TEXTS_(paired_box_iof), a, b, options);
}
/// The same into the caller's memory, (N).
template <array_expression A, array_expression B, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void paired_box_iof(const A& a, const B& b, Out&& out, const iou_options& options = {}) {
    detail::paired_overlap_into(detail::overlap::iof, OCELLI_OVERLAP_TEXTS_(paired_box_iof), a, b, out, options);
}

/// Gives the generalized IoU, IoU - (C - union) / C with C the area of the smallest enclosing box. (N, 4), (M, 4) -> (N, M), in (-1, 1].
///
/// Rezatofighi et al. 2019 (arXiv:1902.09630). Agrees with torchvision.ops.generalized_box_iou bit for bit; where C is 0 the second term
/// counts as 0.
/// @throws invalid_argument  on other shapes
template <array_expression A, array_expression B>
xt::xtensor<scalar_t<A, B>, 2> generalized_box_iou(const A& a, const B& b, const iou_options& options = {}) {
    return detail::pairwise_overlap_of(detail::overlap::giou, OCELLI_OVERLAP_TEXTS_(generalized_box_iou), a, b, options);
}
/// The same into the caller's memory, (N, M).
template <array_expression A, array_expression B, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void generalized_box_iou(const A& a, const B& b, Out&& out, const iou_options& options = {}) {
    detail::pairwise_overlap_into(detail::overlap::giou, OCELLI_OVERLAP_TEXTS_(generalized_box_iou), a, b, out, options);
}
/// Gives the generalized IoU of corresponding boxes: (N, 4), (N, 4) -> (N).
template <array_expression A, array_expression B>
xt::xtensor<scalar_t<A, B>, 1> paired_generalized_box_iou(const A& a, const B& b, const iou_options& options = {}) {
    return detail::paired_overlap_of(detail::overlap::giou, OCELLI_OVERLAP_TEXTS_(paired_generalized_box_iou), a, b, options);
}
/// The same into the caller's memory, (N).
template <array_expression A, array_expression B, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void paired_generalized_box_iou(const A& a, const B& b, Out&& out, const iou_options& options = {}) {
    detail::paired_overlap_into(detail::overlap::giou, OCELLI_OVERLAP_TEXTS_(paired_generalized_box_iou), a, b, out, options);
}

/// Gives the distance IoU, IoU - d^2 / (c^2 + epsilon): d between the centres, c the enclosing box's diagonal. -> (N, M), in (-1, 1].
///
/// Zheng et al. 2020 (arXiv:1911.08287). Agrees with torchvision.ops.distance_box_iou bit for bit.
/// @throws invalid_argument  on other shapes
template <array_expression A, array_expression B>
xt::xtensor<scalar_t<A, B>, 2> distance_box_iou(const A& a, const B& b, const iou_options& options = {}) {
    return detail::pairwise_overlap_of(detail::overlap::diou, OCELLI_OVERLAP_TEXTS_(distance_box_iou), a, b, options);
}
/// The same into the caller's memory, (N, M).
template <array_expression A, array_expression B, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void distance_box_iou(const A& a, const B& b, Out&& out, const iou_options& options = {}) {
    detail::pairwise_overlap_into(detail::overlap::diou, OCELLI_OVERLAP_TEXTS_(distance_box_iou), a, b, out, options);
}
/// Gives the distance IoU of corresponding boxes: (N, 4), (N, 4) -> (N).
template <array_expression A, array_expression B>
xt::xtensor<scalar_t<A, B>, 1> paired_distance_box_iou(const A& a, const B& b, const iou_options& options = {}) {
    return detail::paired_overlap_of(detail::overlap::diou, OCELLI_OVERLAP_TEXTS_(paired_distance_box_iou), a, b, options);
}
/// The same into the caller's memory, (N).
template <array_expression A, array_expression B, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void paired_distance_box_iou(const A& a, const B& b, Out&& out, const iou_options& options = {}) {
    detail::paired_overlap_into(detail::overlap::diou, OCELLI_OVERLAP_TEXTS_(paired_distance_box_iou), a, b, out, options);
}

/// Gives the complete IoU, DIoU - alpha v: v compares the aspect ratios, alpha = v / (1 - IoU + v + epsilon). -> (N, M).
///
/// Zheng et al. 2020 (arXiv:1911.08287, equations 9 to 11). Agrees with torchvision.ops.complete_box_iou up to the last bits of the
/// arc tangents (1e-6). The aspect of a box without height is pi / 2, of one without width 0.
/// @throws invalid_argument  on other shapes
template <array_expression A, array_expression B>
xt::xtensor<scalar_t<A, B>, 2> complete_box_iou(const A& a, const B& b, const iou_options& options = {}) {
    return detail::pairwise_overlap_of(detail::overlap::ciou, OCELLI_OVERLAP_TEXTS_(complete_box_iou), a, b, options);
}
/// The same into the caller's memory, (N, M).
template <array_expression A, array_expression B, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void complete_box_iou(const A& a, const B& b, Out&& out, const iou_options& options = {}) {
    detail::pairwise_overlap_into(detail::overlap::ciou, OCELLI_OVERLAP_TEXTS_(complete_box_iou), a, b, out, options);
}
/// Gives the complete IoU of corresponding boxes: (N, 4), (N, 4) -> (N).
template <array_expression A, array_expression B>
xt::xtensor<scalar_t<A, B>, 1> paired_complete_box_iou(const A& a, const B& b, const iou_options& options = {}) {
    return detail::paired_overlap_of(detail::overlap::ciou, OCELLI_OVERLAP_TEXTS_(paired_complete_box_iou), a, b, options);
}
/// The same into the caller's memory, (N).
template <array_expression A, array_expression B, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void paired_complete_box_iou(const A& a, const B& b, Out&& out, const iou_options& options = {}) {
    detail::paired_overlap_into(detail::overlap::ciou, OCELLI_OVERLAP_TEXTS_(paired_complete_box_iou), a, b, out, options);
}

/// Gives the SCYLLA IoU, IoU - (distance cost + shape cost) / 2, the distance weighed by the angle between the centres. -> (N, M).
///
/// Gevorgyan 2022 (arXiv:2205.12740), shape exponent 4. With sigma = (dx, dy) between the centres the paper's angle cost
/// 1 - 2 sin^2(asin(|dy| / |sigma|) - pi/4) equals 2 |dx dy| / |sigma|^2, which is what is computed. Where the enclosing box has no width
/// (height), that axis adds no cost.
/// @throws invalid_argument  on other shapes
template <array_expression A, array_expression B>
xt::xtensor<scalar_t<A, B>, 2> scylla_box_iou(const A& a, const B& b, const iou_options& options = {}) {
    return detail::pairwise_overlap_of(detail::overlap::siou, OCELLI_OVERLAP_TEXTS_(scylla_box_iou), a, b, options);
}
/// The same into the caller's memory, (N, M).
template <array_expression A, array_expression B, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void scylla_box_iou(const A& a, const B& b, Out&& out, const iou_options& options = {}) {
    detail::pairwise_overlap_into(detail::overlap::siou, OCELLI_OVERLAP_TEXTS_(scylla_box_iou), a, b, out, options);
}
/// Gives the SCYLLA IoU of corresponding boxes: (N, 4), (N, 4) -> (N).
template <array_expression A, array_expression B>
xt::xtensor<scalar_t<A, B>, 1> paired_scylla_box_iou(const A& a, const B& b, const iou_options& options = {}) {
    return detail::paired_overlap_of(detail::overlap::siou, OCELLI_OVERLAP_TEXTS_(paired_scylla_box_iou), a, b, options);
}
/// The same into the caller's memory, (N).
template <array_expression A, array_expression B, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void paired_scylla_box_iou(const A& a, const B& b, Out&& out, const iou_options& options = {}) {
    detail::paired_overlap_into(detail::overlap::siou, OCELLI_OVERLAP_TEXTS_(paired_scylla_box_iou), a, b, out, options);
}

#undef OCELLI_OVERLAP_TEXTS_

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/boxes/impl/iou.inl>
#endif
