#pragma once

/// @file
/// Soft-NMS: overlap lowers a score instead of removing the box.

#include <ocelli/core/config.hpp>
#include <ocelli/boxes/nms.hpp>
#include <ocelli/core/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace ocelli {

/// What an overlap does to a score.
enum class soft_nms_method {
    naive,    ///< above the threshold the score becomes 0: greedy NMS
    linear,   ///< above the threshold it is multiplied by 1 - IoU
    gaussian  ///< it is multiplied by exp(-IoU^2 / sigma), whatever the threshold
};

/// Everything soft-NMS can be asked to do. The comparison is OpenCV's by default; mmcv's soft_nms uses greater_equal.
struct soft_nms_options {
    soft_nms_method method = soft_nms_method::gaussian;
    /// In [0, 1]; the gaussian method has none.
    double iou_threshold = 0.3;
    /// Greater than 0.
    double sigma = 0.5;
    /// A box stays as long as its score is at least this; not negative. (Plain NMS: strictly greater. Both as their references.)
    double score_threshold = 1e-3;
    /// At most so many boxes; 0: all.
    std::size_t max_output = 0;
    nms_comparison comparison = nms_comparison::greater;
    /// Widths and heights are x2 - x1 + 1 (mmcv's offset = 1).
    bool legacy_plus_one = false;
};

/// Indices and scores of equal length.
template <class T>
struct scored_indices {
    xt::xtensor<std::int64_t, 1> indices;
    xt::xtensor<T, 1> scores;
};

namespace detail {

OCELLI_INLINE std::size_t soft_nms_indices(const float* boxes, const float* scores, std::size_t n, const soft_nms_options& options,
                                           std::int64_t* out_indices, float* out_scores);
OCELLI_INLINE std::size_t soft_nms_indices(const double* boxes, const double* scores, std::size_t n, const soft_nms_options& options,
                                           std::int64_t* out_indices, double* out_scores);

inline std::size_t soft_nms_capacity(std::size_t n, const soft_nms_options& options) noexcept {
    return options.max_output != 0 && options.max_output < n ? options.max_output : n;
}

template <class T>
scored_indices<T> first_scored(const std::int64_t* indices, const T* scores, std::size_t n) {
    scored_indices<T> out{new_tensor<std::int64_t>(n), new_tensor<T>(n)};
    for (std::size_t i = 0; i < n; ++i) {
        out.indices.data()[i] = indices[i];
        out.scores.data()[i] = scores[i];
    }
    return out;
}

}  // namespace detail

/// Takes the box with the best score, lowers the scores of the boxes that overlap it, and goes on until none is left above the threshold.
///
/// Equal scores are taken in input order. Empty boxes and boxes with NaN coordinates have IoU 0 and keep their scores.
///
/// @param boxes    (N, 4) x1 y1 x2 y2
/// @param scores   (N), less than infinity; negative ones are below any threshold
/// @return         indices in the order in which they were taken, and their lowered scores (which fall)
/// @throws invalid_argument  on other shapes, different lengths, a score that is NaN or infinite, an option out of range
///
/// Bodla et al. 2017 (arXiv:1704.04503). Agrees with OpenCV's softNMSBoxes (linear, gaussian) and mmcv's soft_nms (all three, with
/// greater_equal), which differ from it in the order of equal scores and of scores that differ by rounding alone. Scores are lowered only
/// when a box comes up for choice, and only by boxes near it: the same numbers as lowering all of them each time. float and double.
template <array_expression B, array_expression S>
scored_indices<scalar_t<B, S>> soft_nms(const B& boxes, const S& scores, const soft_nms_options& options = {}) {
    using T = scalar_t<B, S>;
    const auto b = as_dense<T, 2>(boxes, "soft_nms: boxes");
    const auto s = as_dense<T, 1>(scores, "soft_nms: scores");
    detail::check_shape(b, {detail::any, 4}, "soft_nms: boxes");
    detail::check_same_length(b, s, "soft_nms: boxes and scores");
    const std::size_t capacity = detail::soft_nms_capacity(b.extent(0), options);
    const auto indices = detail::new_array<std::int64_t>(capacity);
    const auto lowered = detail::new_array<T>(capacity);
    const std::size_t kept = detail::soft_nms_indices(b.data(), s.data(), b.extent(0), options, indices.get(), lowered.get());
    return detail::first_scored(indices.get(), lowered.get(), kept);
}
/// The same into the caller's memory: two dense arrays of N elements (or min(N, max_output)); returns how many boxes are kept.
template <array_expression B, array_expression S, class Indices, class Scores>
    requires array_expression<std::remove_cvref_t<Indices>> && array_expression<std::remove_cvref_t<Scores>>
std::size_t soft_nms(const B& boxes, const S& scores, const soft_nms_options& options, Indices&& out_indices, Scores&& out_scores) {
    using T = scalar_t<B, S>;
    const auto b = as_dense<T, 2>(boxes, "soft_nms: boxes");
    const auto s = as_dense<T, 1>(scores, "soft_nms: scores");
    detail::check_shape(b, {detail::any, 4}, "soft_nms: boxes");
    detail::check_same_length(b, s, "soft_nms: boxes and scores");
    const std::size_t capacity = detail::soft_nms_capacity(b.extent(0), options);
    std::int64_t* indices = detail::as_output<std::int64_t, 1>(out_indices, {capacity}, "soft_nms: out_indices");
    T* lowered = detail::as_output<T, 1>(out_scores, {capacity}, "soft_nms: out_scores");
    return detail::soft_nms_indices(b.data(), s.data(), b.extent(0), options, indices, lowered);
}

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/boxes/impl/soft_nms.inl>
#endif
