#pragma once

/// @file
/// Matrix NMS: each score is lowered at once, by its worst overlap and by how much the overlapping box is itself suppressed.

#include <ocelli/boxes/iou.hpp>
#include <ocelli/boxes/soft_nms.hpp>
#include <ocelli/core/argsort.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/tensor.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace ocelli {

/// How an IoU becomes a factor: exp(-sigma IoU^2), or 1 - IoU.
enum class matrix_nms_kernel { gaussian, linear };

/// Everything Matrix NMS can be asked to do; the defaults are mmdet's mask_matrix_nms (SOLO), which filters nothing.
struct matrix_nms_options {
    matrix_nms_kernel kernel = matrix_nms_kernel::gaussian;
    /// A factor here, not a divisor; greater than 0.
    double sigma = 2.0;
    /// Only the best `pre_top_k` boxes take part; 0: all.
    std::size_t pre_top_k = 0;
    /// Boxes whose lowered score is less than this are dropped.
    double score_threshold = -std::numeric_limits<double>::infinity();
    /// At most so many boxes; 0: all.
    std::size_t max_output = 0;
    /// Widths and heights are x2 - x1 + 1.
    bool legacy_plus_one = false;
};

namespace detail {

template <class T>
T matrix_nms_factor(T iou, const matrix_nms_options& options) {
    return options.kernel == matrix_nms_kernel::gaussian ? std::exp(-static_cast<T>(options.sigma) * (iou * iou)) : T(1) - iou;
}

template <class T>
scored_indices<T> matrix_nms_of(const dense_view<T, 2>& boxes, const dense_view<T, 1>& scores, const std::int64_t* classes,
                                const matrix_nms_options& options) {
    check_shape(boxes, {any, 4}, "matrix_nms: boxes");
    check_same_length(boxes, scores, "matrix_nms: boxes and scores");
    check(options.sigma > 0 && is_finite(options.sigma), "matrix_nms: sigma must be greater than 0, got ", options.sigma);
    check(!is_nan(options.score_threshold), "matrix_nms: score_threshold must be a number, got NaN");
    check(scores.size() < 0xffffffffu, "matrix_nms: fewer than 2^32 - 1 boxes are supported, got ", scores.size());
    for (const T score : scores) check(is_finite(score), "matrix_nms: scores must be finite");
    std::vector<std::uint32_t> order(scores.size());
    argsort_descending(scores.data(), scores.size(), order.data());
    std::size_t n = scores.size();
    if (options.pre_top_k != 0 && options.pre_top_k < n) n = options.pre_top_k;
    std::vector<T> rows(4 * n), lowered(n), row(n), own(n);
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t k = 0; k < 4; ++k) rows[4 * i + k] = boxes[4 * static_cast<std::size_t>(order[i]) + k];
    // Row j holds the overlaps with better boxes i < j, whose own worst overlap is known by then.
    constexpr std::size_t block = 64;
    std::vector<T> overlaps(block * n);
    const iou_options how{.legacy_plus_one = options.legacy_plus_one};
    for (std::size_t first = 0; first < n; first += block) {
        const std::size_t last = n - first < block ? n : first + block;
        pairwise_overlap(overlap::iou, rows.data() + 4 * first, last - first, rows.data(), last, how, overlaps.data());
        for (std::size_t j = first; j < last; ++j) {
            const T* iou = overlaps.data() + (j - first) * last;
            T worst = 0;  // the largest overlap with a better box of its class
            T decay = 1;
            for (std::size_t i = 0; i < j; ++i) {
                if (!(iou[i] > T(0)) || (classes && classes[order[i]] != classes[order[j]])) continue;
                worst = iou[i] > worst ? iou[i] : worst;
                // Where both factors of the linear kernel are 0, box i is a copy of a better one that counts itself.
                if (own[i] > T(0)) {
                    const T ratio = matrix_nms_factor(iou[i], options) / own[i];
                    decay = ratio < decay ? ratio : decay;
                }
            }
            own[j] = matrix_nms_factor(worst, options);
            lowered[j] = scores[order[j]] * decay;
        }
    }
    std::vector<std::uint32_t> again(n);
    argsort_descending(lowered.data(), n, again.data());
    std::vector<std::int64_t> indices;
    std::vector<T> values;
    for (const std::uint32_t i : again) {
        if (static_cast<double>(lowered[i]) < options.score_threshold) break;
        if (options.max_output != 0 && indices.size() == options.max_output) break;
        indices.push_back(order[i]);
        values.push_back(lowered[i]);
    }
    return first_scored(indices.data(), values.data(), indices.size());
}

}  // namespace detail

/// Lowers each score by min over better boxes i of f(IoU with i) / f(largest IoU of i with a box better than i), all at once.
///
/// Returns all boxes, by lowered score, unless the options filter them: choose score_threshold. Empty boxes and boxes with NaN
/// coordinates have IoU 0: they keep their scores and lower no other.
///
/// @param boxes    (N, 4) x1 y1 x2 y2
/// @param scores   (N), finite; lowering means towards 0, so they should not be negative
/// @return         indices and lowered scores, by decreasing lowered score, equal ones by first score
/// @throws invalid_argument  on other shapes, different lengths, a score that is not finite, an option out of range
///
/// Wang et al. 2020, SOLOv2 (arXiv:2003.10152, section 3.3). Agrees with mmdet's mask_matrix_nms, boxes for masks. Where the linear kernel
/// meets 0 / 0 (three copies of a box), the copy in between does not count (mmdet: NaN). O(N^2). float and double.
template <array_expression B, array_expression S>
scored_indices<scalar_t<B, S>> matrix_nms(const B& boxes, const S& scores, const matrix_nms_options& options = {}) {
    using T = scalar_t<B, S>;
    return detail::matrix_nms_of(as_dense<T, 2>(boxes, "matrix_nms: boxes"), as_dense<T, 1>(scores, "matrix_nms: scores"), nullptr,
                                 options);
}
/// The same within classes: (N) integers.
template <array_expression B, array_expression S, array_expression C>
scored_indices<scalar_t<B, S>> matrix_nms(const B& boxes, const S& scores, const C& classes, const matrix_nms_options& options = {}) {
    using T = scalar_t<B, S>;
    const auto b = as_dense<T, 2>(boxes, "matrix_nms: boxes");
    const auto c = as_dense<std::int64_t, 1>(classes, "matrix_nms: classes");
    detail::check_same_length(b, c, "matrix_nms: boxes and classes");
    return detail::matrix_nms_of(b, as_dense<T, 1>(scores, "matrix_nms: scores"), c.data(), options);
}

}  // namespace ocelli
