#pragma once

/// @file
/// Greedy non-maximum suppression, for all boxes together or within classes.

#include <ocelli/core/config.hpp>
#include <ocelli/core/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace ocelli {

/// What a box is measured by when a better one may suppress it.
enum class nms_criterion {
    iou,  ///< intersection over union
    diou  ///< distance IoU (arXiv:1911.08287): boxes with distant centres suppress each other less
};

/// When the measure suppresses: torchvision, ONNX and OpenCV say greater, mmcv's soft_nms and nms_match greater_equal.
enum class nms_comparison { greater, greater_equal };

/// Everything NMS can be asked to do; the defaults are torchvision.ops.nms.
struct nms_options {
    /// A box is suppressed if its measure with a kept box is greater than this; in [0, 1], and above 0 with greater_equal.
    double iou_threshold = 0.5;
    /// Only boxes with a score strictly greater than this take part.
    double score_threshold = -std::numeric_limits<double>::infinity();
    /// Of these only the best `pre_top_k` take part; 0: all. batched_nms counts over all classes.
    std::size_t pre_top_k = 0;
    /// At most the best `max_output` survivors are returned; 0: all. batched_nms counts over all classes.
    std::size_t max_output = 0;
    nms_criterion criterion = nms_criterion::iou;
    nms_comparison comparison = nms_comparison::greater;
    /// Widths and heights are x2 - x1 + 1 (PASCAL VOC, Caffe, mmcv's offset = 1).
    bool legacy_plus_one = false;
};

namespace detail {

/// Who suppresses: the kept boxes (0 rounds: greedy), or in each of so many rounds the survivors of the round before, all in the first.
struct nms_rule {
    std::size_t max_rounds = 0;
};

/// Writes the kept indices and gives their number; classes may be null. `out` holds nms_capacity(n, options).
OCELLI_INLINE std::size_t nms_indices(const float* boxes, const float* scores, const std::int64_t* classes, std::size_t n,
                                      const nms_options& options, std::int64_t* out, const char* name, nms_rule rule = {});
OCELLI_INLINE std::size_t nms_indices(const double* boxes, const double* scores, const std::int64_t* classes, std::size_t n,
                                      const nms_options& options, std::int64_t* out, const char* name, nms_rule rule = {});

inline std::size_t nms_capacity(std::size_t n, const nms_options& options) noexcept {
    if (options.pre_top_k != 0 && options.pre_top_k < n) n = options.pre_top_k;
    if (options.max_output != 0 && options.max_output < n) n = options.max_output;
    return n;
}

inline xt::xtensor<std::int64_t, 1> first_indices(const std::int64_t* from, std::size_t n) {
    auto out = new_tensor<std::int64_t>(n);
    for (std::size_t i = 0; i < n; ++i) out.data()[i] = from[i];
    return out;
}

}  // namespace detail

/// Suppresses boxes that overlap a better one.
///
/// Greedy: boxes are visited by decreasing score (equal scores in input order) and a box is dropped if its IoU with a kept one is
/// greater than the threshold. Empty boxes and boxes with NaN coordinates have IoU 0 and are never dropped.
///
/// @param boxes    (N, 4) x1 y1 x2 y2, continuous coordinates; x2 <= x1 or y2 <= y1 counts as empty
/// @param scores   (N), any numbers, infinities too
/// @param options  see nms_options
/// @return         (K) indices of the kept boxes, by decreasing score
/// @throws invalid_argument  on other shapes, different lengths, a NaN score, a threshold out of range, 2^32 boxes or more
///
/// A sort by radix, then each box meets only kept boxes near it: O(N) for boxes that spread, O(N K) where all share one place. float and
/// double. Agrees with torchvision.ops.nms, index for index, on valid boxes with different scores; instruction set does not matter.
template <array_expression B, array_expression S>
xt::xtensor<std::int64_t, 1> nms(const B& boxes, const S& scores, const nms_options& options) {
    using T = scalar_t<B, S>;
    const auto b = as_dense<T, 2>(boxes, "nms: boxes");
    const auto s = as_dense<T, 1>(scores, "nms: scores");
    detail::check_shape(b, {detail::any, 4}, "nms: boxes");
    detail::check_same_length(b, s, "nms: boxes and scores");
    const auto memory = detail::new_array<std::int64_t>(detail::nms_capacity(b.extent(0), options));
    return detail::first_indices(memory.get(),
                                 detail::nms_indices(b.data(), s.data(), nullptr, b.extent(0), options, memory.get(), "nms"));
}
/// The same with a threshold alone.
template <array_expression B, array_expression S>
xt::xtensor<std::int64_t, 1> nms(const B& boxes, const S& scores, double iou_threshold) {
    return ocelli::nms(boxes, scores, nms_options{.iou_threshold = iou_threshold});
}
/// The same into the caller's memory.
///
/// @param out  dense std::int64_t array of N elements (fewer where options say so: min(N, pre_top_k, max_output)); the kept indices come
///             first, the elements behind them are left as they are
/// @return     how many boxes are kept
template <array_expression B, array_expression S, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
std::size_t nms(const B& boxes, const S& scores, const nms_options& options, Out&& out) {
    using T = scalar_t<B, S>;
    const auto b = as_dense<T, 2>(boxes, "nms: boxes");
    const auto s = as_dense<T, 1>(scores, "nms: scores");
    detail::check_shape(b, {detail::any, 4}, "nms: boxes");
    detail::check_same_length(b, s, "nms: boxes and scores");
    std::int64_t* to = detail::as_output<std::int64_t, 1>(out, {detail::nms_capacity(b.extent(0), options)}, "nms: out");
    return detail::nms_indices(b.data(), s.data(), nullptr, b.extent(0), options, to, "nms");
}
/// The same with a threshold alone.
template <array_expression B, array_expression S, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
std::size_t nms(const B& boxes, const S& scores, double iou_threshold, Out&& out) {
    return ocelli::nms(boxes, scores, nms_options{.iou_threshold = iou_threshold}, out);
}

/// Suppresses boxes that overlap a better one of the same class.
///
/// Classes are compared as numbers: no coordinates are shifted apart, so results do not depend on the size of the picture.
///
/// @param classes  (N) integers, any values
/// @return         (K) indices of the kept boxes of all classes, by decreasing score, equal scores in input order
/// @throws invalid_argument  as nms, and on classes of another length
///
/// Agrees with one torchvision.ops.nms per class (torchvision.ops.batched_nms up to the rounding of its coordinate offsets). Classes are
/// worked on in parallel.
template <array_expression B, array_expression S, array_expression C>
xt::xtensor<std::int64_t, 1> batched_nms(const B& boxes, const S& scores, const C& classes, const nms_options& options) {
    using T = scalar_t<B, S>;
    const auto b = as_dense<T, 2>(boxes, "batched_nms: boxes");
    const auto s = as_dense<T, 1>(scores, "batched_nms: scores");
    const auto c = as_dense<std::int64_t, 1>(classes, "batched_nms: classes");
    detail::check_shape(b, {detail::any, 4}, "batched_nms: boxes");
    detail::check_same_length(b, s, "batched_nms: boxes and scores");
    detail::check_same_length(b, c, "batched_nms: boxes and classes");
    const auto memory = detail::new_array<std::int64_t>(detail::nms_capacity(b.extent(0), options));
    const std::size_t kept = detail::nms_indices(b.data(), s.data(), c.data(), b.extent(0), options, memory.get(), "batched_nms");
    return detail::first_indices(memory.get(), kept);
}
/// The same with a threshold alone.
template <array_expression B, array_expression S, array_expression C>
xt::xtensor<std::int64_t, 1> batched_nms(const B& boxes, const S& scores, const C& classes, double iou_threshold) {
    return ocelli::batched_nms(boxes, scores, classes, nms_options{.iou_threshold = iou_threshold});
}
/// The same into the caller's memory, as nms; returns how many boxes are kept.
template <array_expression B, array_expression S, array_expression C, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
std::size_t batched_nms(const B& boxes, const S& scores, const C& classes, const nms_options& options, Out&& out) {
    using T = scalar_t<B, S>;
    const auto b = as_dense<T, 2>(boxes, "batched_nms: boxes");
    const auto s = as_dense<T, 1>(scores, "batched_nms: scores");
    const auto c = as_dense<std::int64_t, 1>(classes, "batched_nms: classes");
    detail::check_shape(b, {detail::any, 4}, "batched_nms: boxes");
    detail::check_same_length(b, s, "batched_nms: boxes and scores");
    detail::check_same_length(b, c, "batched_nms: boxes and classes");
    std::int64_t* to = detail::as_output<std::int64_t, 1>(out, {detail::nms_capacity(b.extent(0), options)}, "batched_nms: out");
    return detail::nms_indices(b.data(), s.data(), c.data(), b.extent(0), options, to, "batched_nms");
}
/// The same with a threshold alone.
template <array_expression B, array_expression S, array_expression C, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
std::size_t batched_nms(const B& boxes, const S& scores, const C& classes, double iou_threshold, Out&& out) {
    return ocelli::batched_nms(boxes, scores, classes, nms_options{.iou_threshold = iou_threshold}, out);
}

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/boxes/impl/nms.inl>
#endif
