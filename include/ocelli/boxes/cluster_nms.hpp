#pragma once

/// @file
/// Cluster-NMS: rounds of Fast NMS that settle on the greedy result, and its score penalty.

#include <ocelli/boxes/fast_nms.hpp>
#include <ocelli/boxes/iou.hpp>
#include <ocelli/boxes/nms.hpp>
#include <ocelli/boxes/soft_nms.hpp>
#include <ocelli/core/argsort.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/tensor.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ocelli {

/// Suppresses in rounds: all better boxes suppress in the first, then in each the survivors of the round before, until nothing changes.
///
/// Empty boxes and boxes with NaN coordinates have IoU 0: they stay and suppress nothing.
///
/// @param boxes       (N, 4) x1 y1 x2 y2
/// @param scores      (N), any numbers
/// @param options     as nms; the source suppresses with greater_equal
/// @param max_rounds  at least 1; 1 is fast_nms, and as many as the longest chain of overlaps gives nms
/// @return            (K) indices of the kept boxes, by decreasing score, equal scores in input order
/// @throws invalid_argument  as nms, and on no rounds
///
/// Zheng et al. 2021 (arXiv:2005.03572, algorithm 2 and proposition 1). float and double.
template <array_expression B, array_expression S>
xt::xtensor<std::int64_t, 1> cluster_nms(const B& boxes, const S& scores, const nms_options& options = {}, std::size_t max_rounds = 200) {
    using T = scalar_t<B, S>;
    const auto b = as_dense<T, 2>(boxes, "cluster_nms: boxes");
    const auto s = as_dense<T, 1>(scores, "cluster_nms: scores");
    detail::check_shape(b, {detail::any, 4}, "cluster_nms: boxes");
    detail::check_same_length(b, s, "cluster_nms: boxes and scores");
    detail::check(max_rounds > 0, "cluster_nms: max_rounds must be at least 1");
    return detail::nms_with_rule(b, s, nullptr, options, "cluster_nms", {max_rounds});
}
/// The same within classes: (N) integers.
template <array_expression B, array_expression S, array_expression C>
xt::xtensor<std::int64_t, 1> cluster_nms(const B& boxes, const S& scores, const C& classes, const nms_options& options = {},
                                         std::size_t max_rounds = 200) {
    using T = scalar_t<B, S>;
    const auto b = as_dense<T, 2>(boxes, "cluster_nms: boxes");
    const auto s = as_dense<T, 1>(scores, "cluster_nms: scores");
    const auto c = as_dense<std::int64_t, 1>(classes, "cluster_nms: classes");
    detail::check_shape(b, {detail::any, 4}, "cluster_nms: boxes");
    detail::check_same_length(b, s, "cluster_nms: boxes and scores");
    detail::check_same_length(b, c, "cluster_nms: boxes and classes");
    detail::check(max_rounds > 0, "cluster_nms: max_rounds must be at least 1");
    return detail::nms_with_rule(b, s, c.data(), options, "cluster_nms", {max_rounds});
}

/// What cluster_nms_penalized can be asked to do; the defaults are the source's.
struct cluster_penalty_options {
    /// Greater than 0.
    double sigma = 0.2;
    /// Boxes whose lowered score is greater than this are returned.
    double score_threshold = 0.01;
    std::size_t max_rounds = 200;
};

/// Lowers each score by its overlaps with the survivors of cluster_nms that have better scores, exp(-IoU^2 / sigma) each (the score
/// penalty mechanism), and keeps the boxes whose lowered score is above a threshold.
///
/// @param options  as cluster_nms; max_output counts after the penalty. The criterion decides who survives; the penalty takes the same
///                 measure, negative DIoU counting as 0.
/// @return         indices and lowered scores, by decreasing lowered score, equal ones by first score
/// @throws invalid_argument  as cluster_nms, on infinite scores, and on options out of range
///
/// Zheng et al. 2021 (arXiv:2005.03572, equation 15). O(N K) for K survivors. float and double.
template <array_expression B, array_expression S>
scored_indices<scalar_t<B, S>> cluster_nms_penalized(const B& boxes, const S& scores, const nms_options& options = {},
                                                     const cluster_penalty_options& penalty = {}) {
    using T = scalar_t<B, S>;
    const auto b = as_dense<T, 2>(boxes, "cluster_nms_penalized: boxes");
    const auto s = as_dense<T, 1>(scores, "cluster_nms_penalized: scores");
    detail::check_shape(b, {detail::any, 4}, "cluster_nms_penalized: boxes");
    detail::check_same_length(b, s, "cluster_nms_penalized: boxes and scores");
    detail::check(penalty.max_rounds > 0, "cluster_nms_penalized: max_rounds must be at least 1");
    detail::check(penalty.sigma > 0 && detail::is_finite(penalty.sigma), "cluster_nms_penalized: sigma must be greater than 0, got ",
                  penalty.sigma);
    for (const T score : s) detail::check(detail::is_finite(score), "cluster_nms_penalized: scores must be finite");
    nms_options survivors_options = options;
    survivors_options.max_output = 0;
    const auto survivors =
        detail::nms_with_rule(b, s, nullptr, survivors_options, "cluster_nms_penalized", {penalty.max_rounds});

    // All candidates, by first score; rows of the survivors against blocks of them.
    std::vector<std::uint32_t> order(s.size());
    detail::argsort_descending(s.data(), s.size(), order.data());
    std::size_t n = 0;
    for (const std::uint32_t row : order)
        if (static_cast<double>(s[row]) > options.score_threshold || options.score_threshold == nms_options{}.score_threshold)
            order[n++] = row;
    if (options.pre_top_k != 0 && options.pre_top_k < n) n = options.pre_top_k;
    std::vector<T> candidates(4 * n), lowered(n), measure(n);
    std::vector<std::size_t> place(s.size());
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t k = 0; k < 4; ++k) candidates[4 * i + k] = b[4 * static_cast<std::size_t>(order[i]) + k];
        lowered[i] = s[order[i]];
        place[order[i]] = i;
    }
    const iou_options how{.legacy_plus_one = options.legacy_plus_one};
    const auto kind = options.criterion == nms_criterion::diou ? detail::overlap::diou : detail::overlap::iou;
    for (const std::int64_t survivor : survivors) {
        const std::size_t first = place[static_cast<std::size_t>(survivor)] + 1;  // only worse boxes
        detail::pairwise_overlap(kind, b.data() + 4 * survivor, 1, candidates.data() + 4 * first, n - first, how, measure.data());
        for (std::size_t j = first; j < n; ++j) {
            const T m = measure[j - first];
            if (m > T(0)) lowered[j] = lowered[j] * std::exp(-(m * m) / static_cast<T>(penalty.sigma));
        }
    }
    std::vector<std::uint32_t> again(n);
    detail::argsort_descending(lowered.data(), n, again.data());
    std::vector<std::int64_t> indices;
    std::vector<T> values;
    for (const std::uint32_t i : again) {
        if (!(static_cast<double>(lowered[i]) > penalty.score_threshold)) break;
        if (options.max_output != 0 && indices.size() == options.max_output) break;
        indices.push_back(order[i]);
        values.push_back(lowered[i]);
    }
    return detail::first_scored(indices.data(), values.data(), indices.size());
}

}  // namespace ocelli
