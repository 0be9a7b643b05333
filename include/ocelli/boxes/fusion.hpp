#pragma once

/// @file
/// Fusing boxes instead of dropping them: weighted boxes fusion and non-maximum weighted for ensembles, non-maximum merging.

#include <ocelli/boxes/detail/rows.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/tensor.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>
#include <type_traits>
#include <vector>

namespace ocelli {

/// How weighted_boxes_fusion makes a score of a cluster's scores, by the names of the ensemble-boxes package. Scores are first
/// multiplied with the weight of their model; W is the sum of all weights, n the number of boxes in the cluster.
enum class fusion_confidence : std::uint8_t {
    avg,                   ///< mean * min(n, models) / W (n / W with allow_overflow)
    max,                   ///< largest / largest weight
    box_and_model_avg,     ///< mean, weighted by boxes, times the part of W whose models are in the cluster
    absent_model_aware_avg ///< mean over the boxes and the models that have none in the cluster
};

/// Options of weighted_boxes_fusion and non_maximum_weighted.
struct fusion_options {
    std::vector<double> weights{};                         ///< one per model, not negative; empty: 1 each
    double iou_threshold = 0.55;                           ///< a box joins a cluster when its IoU is greater
    double skip_box_threshold = 0;                         ///< boxes with a score below (before weighting) are left out
    fusion_confidence confidence = fusion_confidence::avg; ///< weighted_boxes_fusion only
    bool allow_overflow = false; ///< avg only: let scores pass 1 where a model has several boxes in a cluster
    /// x1 y1 x2 y2 of the picture, to which boxes are clipped: the reference wants [0, 1]. Give {0, 0, width, height} for
    /// pixels, or nothing to leave boxes as they are.
    std::optional<std::array<double, 4>> bounds{{0, 0, 1, 1}};
};

/// Fused boxes by decreasing score.
template <class T>
struct fused_boxes {
    xt::xtensor<T, 2> boxes;             ///< (K, 4) x1 y1 x2 y2
    xt::xtensor<T, 1> scores;            ///< (K)
    xt::xtensor<std::int64_t, 1> labels; ///< (K)
};

namespace detail {

template <class List>
using list_element_t = std::remove_cvref_t<decltype(*std::begin(std::declval<const List&>()))>;

struct fusion_candidate {
    double box[4];
    double score; // times the weight of the model
    double weight;
    std::size_t model;
};

struct fusion_class {
    std::int64_t label;
    std::vector<fusion_candidate> candidates; // by decreasing score
};

inline double plain_iou(const double* a, const double* b) noexcept {
    const double w = std::min(a[2], b[2]) - std::max(a[0], b[0]), h = std::min(a[3], b[3]) - std::max(a[1], b[1]);
    if (!(w > 0) || !(h > 0)) return 0;
    const double inter = w * h;
    return inter / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter);
}

/// Checks and clips the boxes of all models and sorts them into classes, in the order of the classes' first boxes.
template <class T, class Boxes, class Scores, class Labels>
std::vector<fusion_class> fusion_classes(const Boxes& boxes, const Scores& scores, const Labels& labels,
                                         const fusion_options& options, const std::vector<double>& weights,
                                         std::string_view function) {
    std::vector<fusion_class> classes;
    auto s = std::begin(scores);
    auto l = std::begin(labels);
    std::size_t model = 0;
    for (auto b = std::begin(boxes); b != std::end(boxes); ++b, ++s, ++l, ++model) {
        const auto rows = as_dense<T, 2>(*b, concat(function, ": boxes"));
        const auto values = as_dense<T, 1>(*s, concat(function, ": scores"));
        const auto names = as_dense<std::int64_t, 1>(*l, concat(function, ": labels"));
        check_shape(rows, {any, 4}, concat(function, ": boxes"));
        check_same_length(rows, values, concat(function, ": boxes and scores of model ", model));
        check_same_length(rows, names, concat(function, ": boxes and labels of model ", model));
        for (std::size_t i = 0; i < values.size(); ++i) {
            check(is_finite(values[i]), function, ": scores must be finite, row ", i, " of model ", model, " is not");
            fusion_candidate c{};
            for (std::size_t k = 0; k < 4; ++k) {
                const T v = rows[4 * i + k];
                check(!is_nan(v) && (options.bounds || is_finite(v)), function, ": boxes must be finite, row ", i, " of model ",
                      model, " is not");
                c.box[k] = static_cast<double>(v);
            }
            if (static_cast<double>(values[i]) < options.skip_box_threshold) continue;
            if (c.box[2] < c.box[0]) std::swap(c.box[0], c.box[2]);
            if (c.box[3] < c.box[1]) std::swap(c.box[1], c.box[3]);
            if (options.bounds)
                for (std::size_t k = 0; k < 4; ++k)
                    c.box[k] = std::min(std::max(c.box[k], (*options.bounds)[k % 2]), (*options.bounds)[k % 2 + 2]);
            if (!((c.box[2] - c.box[0]) * (c.box[3] - c.box[1]) > 0)) continue;
            c.score = static_cast<double>(values[i]) * weights[model];
            c.weight = weights[model];
            c.model = model;
            auto place =
                std::find_if(classes.begin(), classes.end(), [&](const fusion_class& k) { return k.label == names[i]; });
            if (place == classes.end()) place = classes.insert(classes.end(), fusion_class{names[i], {}});
            place->candidates.push_back(c);
        }
    }
    for (fusion_class& k : classes)
        std::stable_sort(k.candidates.begin(), k.candidates.end(),
                         [](const auto& a, const auto& b) { return a.score > b.score; });
    return classes;
}

template <class Boxes, class Scores, class Labels>
std::vector<double> fusion_weights(const Boxes& boxes, const Scores& scores, const Labels& labels,
                                   const fusion_options& options, std::string_view function) {
    const std::size_t models = std::size(boxes);
    check(std::size(scores) == models && std::size(labels) == models, function,
          ": boxes, scores and labels must be of the same number of models, got ", models, ", ", std::size(scores), " and ",
          std::size(labels));
    check(options.weights.empty() || options.weights.size() == models, function,
          ": weights must be none or one per model, got ", options.weights.size(), " for ", models, " models");
    check(options.iou_threshold >= 0 && options.iou_threshold <= 1, function, ": iou_threshold must be in [0, 1], got ",
          options.iou_threshold);
    check(!is_nan(options.skip_box_threshold), function, ": skip_box_threshold must not be NaN");
    if (options.bounds) {
        const auto& b = *options.bounds;
        check(is_finite(b[0]) && is_finite(b[1]) && is_finite(b[2]) && is_finite(b[3]) && b[2] > b[0] && b[3] > b[1], function,
              ": bounds must be finite with x2 > x1 and y2 > y1, got (", b[0], ", ", b[1], ", ", b[2], ", ", b[3], ")");
    }
    std::vector<double> weights = options.weights.empty() ? std::vector<double>(models, 1.0) : options.weights;
    double sum = 0;
    for (const double w : weights) {
        check(is_finite(w) && w >= 0, function, ": weights must be finite and not negative, got ", w);
        sum += w;
    }
    check(models == 0 || sum > 0, function, ": weights must not all be zero");
    return weights;
}

struct fused_box {
    double box[4];
    double score;
    std::int64_t label;
};

template <class T>
fused_boxes<T> sorted_fused(std::vector<fused_box>& all) {
    std::stable_sort(all.begin(), all.end(), [](const fused_box& a, const fused_box& b) { return a.score > b.score; });
    fused_boxes<T> out{new_tensor<T>(all.size(), 4), new_tensor<T>(all.size()), new_tensor<std::int64_t>(all.size())};
    for (std::size_t i = 0; i < all.size(); ++i) {
        for (std::size_t c = 0; c < 4; ++c) out.boxes(i, c) = static_cast<T>(all[i].box[c]);
        out.scores(i) = static_cast<T>(all[i].score);
        out.labels(i) = all[i].label;
    }
    return out;
}

// A cluster of weighted_boxes_fusion. Sums are kept in T, as the reference keeps them in single precision: for float the fused
// boxes, and with them the choice of clusters, are then the reference's to the bit.
template <class T>
struct wbf_cluster {
    double box[4];      // the fused box so far
    T weighted[4] = {}; // sum of score * coordinate
    double scores = 0, largest = 0, weight = 0;
    std::vector<std::size_t> members;

    void add(const fusion_candidate& c, std::size_t index) {
        for (std::size_t k = 0; k < 4; ++k) weighted[k] = static_cast<T>(static_cast<double>(weighted[k]) + c.score * c.box[k]);
        largest = members.empty() || c.score > largest ? c.score : largest;
        scores += c.score;
        weight += c.weight;
        members.push_back(index);
        for (std::size_t k = 0; k < 4; ++k) {
            if (members.size() == 1) {
                box[k] = c.box[k];
            } else if (scores != 0) { // scores of 0 alone: the first box stays
                box[k] = static_cast<double>(static_cast<T>(static_cast<double>(weighted[k]) / scores));
            }
        }
    }

    double confidence(const std::vector<fusion_candidate>& candidates, const std::vector<double>& weights,
                      const fusion_options& options) const {
        const auto n = static_cast<double>(members.size());
        const auto kept = [&](double x) { return members.size() == 1 ? x : static_cast<double>(static_cast<T>(x)); };
        double all = 0, largest_weight = 0;
        for (const double w : weights) all += w, largest_weight = std::max(largest_weight, w);
        if (options.confidence == fusion_confidence::max) return kept(largest) / largest_weight;
        const double mean = kept(scores / n);
        if (options.confidence == fusion_confidence::avg)
            return mean * (options.allow_overflow ? n : std::min(static_cast<double>(weights.size()), n)) / all;
        std::vector<bool> present(weights.size());
        for (const std::size_t i : members) present[candidates[i].model] = true;
        double there = 0, absent = 0;
        for (std::size_t m = 0; m < weights.size(); ++m) (present[m] ? there : absent) += weights[m];
        const double boxes_weight = kept(weight);
        if (options.confidence == fusion_confidence::box_and_model_avg)
            return boxes_weight == 0 ? 0 : mean * n / boxes_weight * there / all;
        return boxes_weight + absent == 0 ? 0 : mean * n / (boxes_weight + absent);
    }
};

} // namespace detail

/// Fuses the boxes of several models: each cluster of overlapping boxes becomes their mean, weighted by score.
///
/// Boxes of a label are visited by decreasing weighted score (equal ones in input order) and join the cluster whose *fused* box
/// they overlap most, if by more than the threshold.
///
/// @param boxes    one array (N_m, 4) x1 y1 x2 y2 per model: a vector (or other range) of arrays. Reversed corners are
///                 exchanged, boxes are clipped to options.bounds and left out where nothing remains
/// @param scores   one array (N_m) per model
/// @param labels   one array (N_m) of integers per model
/// @return         boxes, scores, labels by decreasing score; nothing for nothing
/// @throws invalid_argument  on other shapes or numbers of models, NaN, infinite scores (and boxes without bounds), weights
///                           that are negative or all zero
///
/// O(N K) per label. Agrees with ensemble_boxes.weighted_boxes_fusion: for float boxes and scores to the last bits; for double
/// it is more precise (the package keeps fused boxes in single precision). Solovyev et al., "Weighted boxes fusion".
template <class Boxes, class Scores, class Labels>
auto weighted_boxes_fusion(const Boxes& boxes, const Scores& scores, const Labels& labels, const fusion_options& options = {}) {
    using T = scalar_t<detail::list_element_t<Boxes>, detail::list_element_t<Scores>>;
    const auto weights = detail::fusion_weights(boxes, scores, labels, options, "weighted_boxes_fusion");
    std::vector<detail::fused_box> all;
    for (const auto& k : detail::fusion_classes<T>(boxes, scores, labels, options, weights, "weighted_boxes_fusion")) {
        std::vector<detail::wbf_cluster<T>> clusters;
        for (std::size_t i = 0; i < k.candidates.size(); ++i) {
            std::size_t best = clusters.size();
            double best_iou = options.iou_threshold;
            for (std::size_t c = 0; c < clusters.size(); ++c) {
                const double iou = detail::plain_iou(clusters[c].box, k.candidates[i].box);
                if (iou > best_iou) best_iou = iou, best = c;
            }
            if (best == clusters.size()) clusters.emplace_back();
            clusters[best].add(k.candidates[i], i);
        }
        for (const auto& c : clusters)
            all.push_back({{c.box[0], c.box[1], c.box[2], c.box[3]}, c.confidence(k.candidates, weights, options), k.label});
    }
    return detail::sorted_fused<T>(all);
}

/// Fuses the boxes of several models: each cluster becomes the mean of its boxes, weighted by score times IoU with its best
/// box.
///
/// Boxes join the cluster whose *first* (best) box they overlap most, if by more than the threshold; the score is the best
/// one's, times the model's weight as part of the largest weight.
///
/// @param boxes, scores, labels, options  as weighted_boxes_fusion; confidence and allow_overflow are not used
/// @return         boxes, scores, labels by decreasing score
/// @throws invalid_argument  as weighted_boxes_fusion
///
/// O(N K) per label. Agrees with ensemble_boxes.non_maximum_weighted to single precision. Zhou et al., "CAD: scale invariant
/// framework for real-time object detection".
template <class Boxes, class Scores, class Labels>
auto non_maximum_weighted(const Boxes& boxes, const Scores& scores, const Labels& labels, const fusion_options& options = {}) {
    using T = scalar_t<detail::list_element_t<Boxes>, detail::list_element_t<Scores>>;
    auto weights = detail::fusion_weights(boxes, scores, labels, options, "non_maximum_weighted");
    const double largest = weights.empty() ? 1 : *std::max_element(weights.begin(), weights.end());
    for (double& w : weights) w /= largest;
    std::vector<detail::fused_box> all;
    for (const auto& k : detail::fusion_classes<T>(boxes, scores, labels, options, weights, "non_maximum_weighted")) {
        struct cluster {
            const detail::fusion_candidate* best;
            double weighted[4] = {}, sum = 0;
        };
        std::vector<cluster> clusters;
        for (const auto& c : k.candidates) {
            std::size_t best = clusters.size();
            double best_iou = options.iou_threshold;
            for (std::size_t j = 0; j < clusters.size(); ++j) {
                const double iou = detail::plain_iou(clusters[j].best->box, c.box);
                if (iou > best_iou) best_iou = iou, best = j;
            }
            if (best == clusters.size()) {
                clusters.push_back({&c});
                best_iou = 1;
            }
            const double weight = c.score * best_iou;
            for (std::size_t d = 0; d < 4; ++d) clusters[best].weighted[d] += weight * c.box[d];
            clusters[best].sum += weight;
        }
        for (const auto& c : clusters) {
            detail::fused_box fused{{}, c.best->score, k.label};
            for (std::size_t d = 0; d < 4; ++d) fused.box[d] = c.sum != 0 ? c.weighted[d] / c.sum : c.best->box[d];
            all.push_back(fused);
        }
    }
    return detail::sorted_fused<T>(all);
}

/// What non_max_merge measures overlap by.
enum class merge_overlap : std::uint8_t {
    iou, ///< intersection over union
    ios  ///< intersection over the smaller area: merges a part with its whole, for tiled inference
};

/// Options of non_max_merge.
struct non_max_merge_options {
    double iou_threshold = 0.5; ///< boxes with this overlap *or more* are merged
    merge_overlap overlap = merge_overlap::iou;
};

/// What non_max_merge gives, for K groups of N boxes.
template <class T>
struct merged_boxes {
    xt::xtensor<T, 2> boxes;             ///< (K, 4) the smallest box around each group
    xt::xtensor<T, 1> scores;            ///< (K) mean score, weighted by area
    xt::xtensor<std::int64_t, 1> best;   ///< (K) index of each group's best box, whose class and other data stay
    xt::xtensor<std::int64_t, 1> groups; ///< (N) the group of each box
};

namespace detail {

template <class T>
merged_boxes<T> merge_boxes(const T* boxes, const T* scores, const std::int64_t* classes, std::size_t n,
                            const non_max_merge_options& options, std::string_view function) {
    check(options.iou_threshold >= 0 && options.iou_threshold <= 1, function, ": iou_threshold must be in [0, 1], got ",
          options.iou_threshold);
    const std::size_t bad = find_row_not_finite(boxes, n, 4);
    check(bad == n, function, ": boxes must be finite, row ", bad, " is not");
    const std::size_t bad_score = find_row_not_finite(scores, n, 1);
    check(bad_score == n, function, ": scores must be finite, row ", bad_score, " is not");
    std::vector<std::size_t> order(n);
    for (std::size_t i = 0; i < n; ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        if (classes != nullptr && classes[a] != classes[b]) return classes[a] < classes[b];
        return scores[a] > scores[b];
    });
    const auto length = [&](std::size_t i, std::size_t axis) {
        const double side = static_cast<double>(boxes[4 * i + axis + 2]) - static_cast<double>(boxes[4 * i + axis]);
        return side > 0 ? side : 0.0;
    };
    std::vector<double> area(n);
    for (std::size_t i = 0; i < n; ++i) area[i] = length(i, 0) * length(i, 1);
    const auto overlap = [&](std::size_t i, std::size_t j) {
        double inter = 1;
        for (std::size_t axis = 0; axis < 2; ++axis) {
            const double side = static_cast<double>(std::min(boxes[4 * i + axis + 2], boxes[4 * j + axis + 2])) -
                                static_cast<double>(std::max(boxes[4 * i + axis], boxes[4 * j + axis]));
            inter *= side > 0 ? side : 0.0;
        }
        if (!(area[i] > 0) || !(area[j] > 0)) inter = 0;
        const double norm = options.overlap == merge_overlap::iou ? area[i] + area[j] - inter : std::min(area[i], area[j]);
        return norm > 0 ? inter / norm : 0.0;
    };
    // In single precision, as supervision keeps its overlaps: a threshold of 0.6 means the float beside it.
    const auto threshold = static_cast<float>(options.iou_threshold);
    merged_boxes<T> out;
    out.groups = new_tensor<std::int64_t>(n);
    std::vector<bool> taken(n);
    std::vector<std::vector<std::size_t>> groups;
    for (std::size_t a = 0; a < n; ++a) {
        const std::size_t i = order[a];
        if (taken[a]) continue;
        groups.emplace_back(1, i);
        for (std::size_t b = a + 1; b < n; ++b) {
            const std::size_t j = order[b];
            if (classes != nullptr && classes[j] != classes[i]) break;
            if (taken[b] || !(static_cast<float>(overlap(i, j)) >= threshold)) continue;
            taken[b] = true;
            groups.back().push_back(j);
        }
    }
    out.boxes = new_tensor<T>(groups.size(), 4);
    out.scores = new_tensor<T>(groups.size());
    out.best = new_tensor<std::int64_t>(groups.size());
    for (std::size_t g = 0; g < groups.size(); ++g) {
        const std::size_t first = groups[g].front();
        double sum = 0, weighted = 0;
        T box[4] = {boxes[4 * first], boxes[4 * first + 1], boxes[4 * first + 2], boxes[4 * first + 3]};
        for (const std::size_t i : groups[g]) {
            out.groups(i) = static_cast<std::int64_t>(g);
            sum += area[i];
            weighted += area[i] * static_cast<double>(scores[i]);
            for (std::size_t c = 0; c < 2; ++c) {
                box[c] = std::min(box[c], boxes[4 * i + c]);
                box[c + 2] = std::max(box[c + 2], boxes[4 * i + c + 2]);
            }
        }
        for (std::size_t c = 0; c < 4; ++c) out.boxes(g, c) = box[c];
        out.scores(g) = groups[g].size() > 1 && sum > 0 ? static_cast<T>(weighted / sum) : scores[first];
        out.best(g) = static_cast<std::int64_t>(first);
    }
    return out;
}

} // namespace detail

/// Merges boxes that overlap a better one into one box, instead of dropping them.
///
/// Greedy: the best box left (equal scores in input order) gathers all boxes left that overlap it by the threshold or more; the
/// group's box is the smallest around all of them.
///
/// @param boxes   (N, 4) x1 y1 x2 y2, finite; a box without area overlaps nothing
/// @param scores  (N), finite
/// @return        the groups by decreasing score of their best box
/// @throws invalid_argument  on other shapes, different lengths, NaN or infinity, a threshold outside [0, 1]
///
/// O(N K); float and double. Agrees with supervision's box_non_max_merge and Detections.with_nmm(class_agnostic=True).
template <array_expression B, array_expression S>
merged_boxes<scalar_t<B, S>> non_max_merge(const B& boxes, const S& scores, const non_max_merge_options& options = {}) {
    using T = scalar_t<B, S>;
    const auto b = as_dense<T, 2>(boxes, "non_max_merge: boxes");
    const auto s = as_dense<T, 1>(scores, "non_max_merge: scores");
    detail::check_shape(b, {detail::any, 4}, "non_max_merge: boxes");
    detail::check_same_length(b, s, "non_max_merge: boxes and scores");
    return detail::merge_boxes<T>(b.data(), s.data(), nullptr, b.extent(0), options, "non_max_merge");
}

/// Merges boxes that overlap a better one of the same class; as non_max_merge.
///
/// @param classes  (N) integers
/// @return         the groups class by class in ascending order, each by decreasing score of the best box: supervision's order
/// @throws invalid_argument  as non_max_merge, and on classes of another length
template <array_expression B, array_expression S, array_expression C>
merged_boxes<scalar_t<B, S>> batched_non_max_merge(const B& boxes, const S& scores, const C& classes,
                                                   const non_max_merge_options& options = {}) {
    using T = scalar_t<B, S>;
    const auto b = as_dense<T, 2>(boxes, "batched_non_max_merge: boxes");
    const auto s = as_dense<T, 1>(scores, "batched_non_max_merge: scores");
    const auto c = as_dense<std::int64_t, 1>(classes, "batched_non_max_merge: classes");
    detail::check_shape(b, {detail::any, 4}, "batched_non_max_merge: boxes");
    detail::check_same_length(b, s, "batched_non_max_merge: boxes and scores");
    detail::check_same_length(b, c, "batched_non_max_merge: boxes and classes");
    return detail::merge_boxes<T>(b.data(), s.data(), c.data(), b.extent(0), options, "batched_non_max_merge");
}

} // namespace ocelli
