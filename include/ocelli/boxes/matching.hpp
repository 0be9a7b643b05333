#pragma once

/// @file
/// Which anchors answer for which objects in training, and a balanced choice among them.

#include <ocelli/core/error.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/random.hpp>
#include <ocelli/core/tensor.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ocelli {

/// Options of match_anchors. RPN: 0.7, 0.3, low-quality matches; the box head of R-CNNs: 0.5, 0.5; RetinaNet: 0.5, 0.4,
/// low-quality.
struct match_options {
    double high_threshold = 0.7; ///< an anchor with this quality or more is positive
    double low_threshold = 0.3;  ///< below, it is negative; between the two it is ignored
    bool allow_low_quality =
        false; ///< the anchors that are best for an object, all of equal ones, are positive whatever their quality
    /// With allow_low_quality: objects whose best quality is below this get no such match. 0 is what torchvision and detectron2
    /// do: there an object that no anchor touches makes *every* anchor of quality 0 positive. A small positive number avoids
    /// that.
    double min_low_quality = 0;
    bool best_per_object = false; ///< SSD: the first best anchor of each object answers for that object; later objects win
};

/// What match_anchors gives, for N anchors.
struct anchor_matches {
    xt::xtensor<std::int64_t, 1> matches; ///< object of a positive anchor, -1 negative, -2 ignored (torchvision's form)
    xt::xtensor<std::int8_t, 1> labels;   ///< 1 positive, 0 negative, -1 ignored (detectron2's form)
    xt::xtensor<std::int64_t, 1>
        best; ///< the object each anchor fits best (the first of equals), whatever its label; -1 without objects
};

/// Matches anchors to objects by a matrix of qualities.
///
/// @param quality  (M, N): of M objects with N anchors, usually box_iou(objects, anchors); any numbers but NaN
/// @param options  thresholds are compared in the matrix's own type (a float matrix against 0.7 as a float), as the references
///                 do
/// @return         matches and labels for each anchor; without objects all anchors are negative
/// @throws invalid_argument  on another rank, NaN, low_threshold above high_threshold
///
/// O(M N). Agrees with torchvision's Matcher and SSDMatcher (`matches`) and detectron2's Matcher (`labels`, `best`); without
/// objects torchvision raises an error.
template <array_expression Q>
anchor_matches match_anchors(const Q& quality, const match_options& options = {}) {
    using T = scalar_t<Q>;
    const auto q = as_dense<T, 2>(quality, "match_anchors: quality");
    const std::size_t m = q.extent(0), n = q.extent(1);
    detail::check(!detail::is_nan(options.low_threshold) && !detail::is_nan(options.high_threshold) &&
                      !detail::is_nan(options.min_low_quality),
                  "match_anchors: thresholds must not be NaN");
    detail::check(options.low_threshold <= options.high_threshold,
                  "match_anchors: low_threshold must not exceed high_threshold, got ", options.low_threshold, " and ",
                  options.high_threshold);
    const std::size_t nan = detail::find_nan(q.data(), q.size());
    detail::check(nan == q.size(), "match_anchors: quality must not be NaN, is at (", n == 0 ? 0 : nan / n, ", ",
                  n == 0 ? 0 : nan % n, ")");
    anchor_matches out{detail::new_tensor<std::int64_t>(n), detail::new_tensor<std::int8_t>(n),
                       detail::new_tensor<std::int64_t>(n)};
    std::vector<T> value(n);
    for (std::size_t j = 0; j < n; ++j) {
        out.best(j) = m == 0 ? -1 : 0;
        if (m != 0) value[j] = q[j];
    }
    for (std::size_t i = 1; i < m; ++i) // rows outside: the matrix is read in order
        for (std::size_t j = 0; j < n; ++j)
            if (q[i * n + j] > value[j]) {
                value[j] = q[i * n + j];
                out.best(j) = static_cast<std::int64_t>(i);
            }
    const T high = static_cast<T>(options.high_threshold), low = static_cast<T>(options.low_threshold);
    for (std::size_t j = 0; j < n; ++j) {
        const bool positive = m != 0 && value[j] >= high, negative = m == 0 || value[j] < low;
        out.labels(j) = static_cast<std::int8_t>(negative ? 0 : (positive ? 1 : -1));
        out.matches(j) = negative ? -1 : (positive ? out.best(j) : -2);
    }
    const auto row_best = [&](std::size_t i) { return std::max_element(q.data() + i * n, q.data() + (i + 1) * n); };
    if (options.allow_low_quality && n != 0) {
        const T least = static_cast<T>(options.min_low_quality);
        for (std::size_t i = 0; i < m; ++i) {
            const T best = *row_best(i);
            if (best < least) continue;
            for (std::size_t j = 0; j < n; ++j)
                if (q[i * n + j] == best) {
                    out.labels(j) = 1;
                    out.matches(j) = out.best(j); // which need not be object i
                }
        }
    }
    if (options.best_per_object && n != 0) {
        for (std::size_t i = 0; i < m; ++i) {
            const auto j = static_cast<std::size_t>(row_best(i) - (q.data() + i * n));
            out.labels(j) = 1;
            out.matches(j) = static_cast<std::int64_t>(i);
        }
    }
    return out;
}

/// Options of sample_anchors.
struct sample_options {
    std::int64_t count = 256;       ///< how many anchors to choose, positive and negative together
    double positive_fraction = 0.5; ///< at most this part positive, rounded down; negatives fill the rest
    std::int64_t background = 0;    ///< the label of negatives
    std::uint64_t seed = 0;         ///< the same seed gives the same choice on every machine
};

/// What sample_anchors gives.
struct anchor_sample {
    xt::xtensor<std::int64_t, 1> positive; ///< indices, ascending
    xt::xtensor<std::int64_t, 1> negative; ///< indices, ascending
};

namespace detail {

/// k of the given indices, each subset equally likely, ascending.
inline xt::xtensor<std::int64_t, 1> choose(std::vector<std::int64_t>& indices, std::size_t k, random_sequence& random) {
    for (std::size_t i = 0; i < k; ++i)
        std::swap(indices[i], indices[i + static_cast<std::size_t>(random.below(indices.size() - i))]);
    std::sort(indices.begin(), indices.begin() + static_cast<std::ptrdiff_t>(k));
    auto out = new_tensor<std::int64_t>(k);
    for (std::size_t i = 0; i < k; ++i) out(i) = indices[i];
    return out;
}

} // namespace detail

/// Chooses a balanced set of positive and negative anchors at random.
///
/// @param labels  (N) integers: -1 is ignored, options.background is negative, all others are positive (class ids, or 1)
/// @return        min(positives, floor(count * fraction)) positives, and negatives up to `count` together
/// @throws invalid_argument  on another rank, a negative count, a fraction outside [0, 1]
///
/// The counts agree with torchvision's BalancedPositiveNegativeSampler and detectron2's subsample_labels; the choice is our own
/// generator's.
template <array_expression L>
anchor_sample sample_anchors(const L& labels, const sample_options& options = {}) {
    const auto l = as_dense<std::int64_t, 1>(labels, "sample_anchors: labels");
    detail::check(options.count >= 0, "sample_anchors: count must not be negative, got ", options.count);
    detail::check(options.positive_fraction >= 0 && options.positive_fraction <= 1,
                  "sample_anchors: positive_fraction must be in [0, 1], got ", options.positive_fraction);
    std::vector<std::int64_t> positive, negative;
    for (std::size_t i = 0; i < l.size(); ++i) {
        if (l[i] == options.background) {
            negative.push_back(static_cast<std::int64_t>(i));
        } else if (l[i] != -1) {
            positive.push_back(static_cast<std::int64_t>(i));
        }
    }
    const auto wanted = static_cast<std::size_t>(static_cast<double>(options.count) * options.positive_fraction);
    const std::size_t positives = std::min(positive.size(), wanted);
    const std::size_t negatives = std::min(negative.size(), static_cast<std::size_t>(options.count) - positives);
    detail::random_sequence random(options.seed);
    anchor_sample out;
    out.positive = detail::choose(positive, positives, random);
    out.negative = detail::choose(negative, negatives, random);
    return out;
}

} // namespace ocelli
