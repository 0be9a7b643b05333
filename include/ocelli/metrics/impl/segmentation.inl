#pragma once

#include <ocelli/metrics/segmentation.hpp>

#include <algorithm>
#include <limits>
#include <numeric>

namespace ocelli {
namespace detail {

/// Of every class: right pixels, truth, predictions.
struct class_counts {
    std::vector<std::int64_t> right, truth, predicted;

    explicit class_counts(const confusion_matrix& m) {
        const auto c = static_cast<std::size_t>(m.classes());
        right.assign(c, 0);
        truth.assign(c, 0);
        predicted.assign(c, 0);
        for (std::size_t i = 0; i < c; ++i)
            for (std::size_t j = 0; j < c; ++j) {
                const std::int64_t n = m.count(static_cast<std::int64_t>(i), static_cast<std::int64_t>(j));
                truth[i] += n;
                predicted[j] += n;
                if (i == j) right[i] = n;
            }
    }
};

inline double quotient_or_nan(std::int64_t part, std::int64_t whole) {
    return whole == 0 ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(part) / static_cast<double>(whole);
}

/// The mean of part / whole over the classes that have any; NaN is not looked for, since compilers may assume that there is none.
template <class Part, class Whole>
double mean_of_present(std::size_t classes, Part&& part, Whole&& whole) {
    double sum = 0;
    std::size_t present = 0;
    for (std::size_t i = 0; i < classes; ++i) {
        if (whole(i) == 0) continue;
        sum += static_cast<double>(part(i)) / static_cast<double>(whole(i));
        ++present;
    }
    return present == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(present);
}

}  // namespace detail

OCELLI_INLINE confusion_matrix::confusion_matrix(std::int64_t classes, std::optional<std::int64_t> ignore_label)
    : classes_(classes), ignore_label_(ignore_label) {
    detail::check(classes >= 1 && classes <= max_classes, "confusion_matrix: the number of classes must be in [1, ", max_classes, "], got ",
                  classes);
    counts_.assign(static_cast<std::size_t>(classes * classes), 0);
}

OCELLI_INLINE void confusion_matrix::refuse(const char* what, const std::string& label, std::size_t at) const {
    detail::fail("confusion_matrix: labels must be in [0, ", classes_, "), got ", label, " in the ", what, " at element ", at);
}

OCELLI_INLINE void confusion_matrix::merge(const confusion_matrix& other) {
    detail::check(classes_ == other.classes_, "confusion_matrix: merged matrices must have the same number of classes, got ", classes_, " and ",
                  other.classes_);
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
}

OCELLI_INLINE void confusion_matrix::reset() {
    std::fill(counts_.begin(), counts_.end(), 0);
}

OCELLI_INLINE std::int64_t confusion_matrix::count(std::int64_t truth, std::int64_t prediction) const {
    detail::check(truth >= 0 && truth < classes_ && prediction >= 0 && prediction < classes_, "confusion_matrix: labels must be in [0, ",
                  classes_, "), got ", truth, " and ", prediction);
    return counts_[static_cast<std::size_t>(truth * classes_ + prediction)];
}

OCELLI_INLINE xt::xtensor<std::int64_t, 2> confusion_matrix::counts() const {
    auto out = detail::new_tensor<std::int64_t>(classes_, classes_);
    std::copy(counts_.begin(), counts_.end(), out.data());
    return out;
}

OCELLI_INLINE std::int64_t confusion_matrix::total() const {
    return std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0});
}

OCELLI_INLINE double confusion_matrix::pixel_accuracy() const {
    std::int64_t right = 0;
    for (std::int64_t i = 0; i < classes_; ++i) right += count(i, i);
    return detail::quotient_or_nan(right, total());
}

OCELLI_INLINE xt::xtensor<double, 1> confusion_matrix::class_accuracy() const {
    const detail::class_counts c(*this);
    auto out = detail::new_tensor<double>(classes_);
    for (std::size_t i = 0; i < out.size(); ++i) out(i) = detail::quotient_or_nan(c.right[i], c.truth[i]);
    return out;
}

OCELLI_INLINE double confusion_matrix::mean_accuracy() const {
    const detail::class_counts c(*this);
    return detail::mean_of_present(c.truth.size(), [&](std::size_t i) { return c.right[i]; }, [&](std::size_t i) { return c.truth[i]; });
}

OCELLI_INLINE xt::xtensor<double, 1> confusion_matrix::iou() const {
    const detail::class_counts c(*this);
    auto out = detail::new_tensor<double>(classes_);
    for (std::size_t i = 0; i < out.size(); ++i)
        out(i) = detail::quotient_or_nan(c.right[i], c.truth[i] + c.predicted[i] - c.right[i]);
    return out;
}

OCELLI_INLINE double confusion_matrix::mean_iou() const {
    const detail::class_counts c(*this);
    return detail::mean_of_present(c.truth.size(), [&](std::size_t i) { return c.right[i]; },
                                   [&](std::size_t i) { return c.truth[i] + c.predicted[i] - c.right[i]; });
}

OCELLI_INLINE double confusion_matrix::frequency_weighted_iou() const {
    const detail::class_counts c(*this);
    const std::int64_t all = total();
    if (all == 0) return std::numeric_limits<double>::quiet_NaN();
    double sum = 0;
    for (std::size_t i = 0; i < c.truth.size(); ++i) {
        if (c.truth[i] == 0) continue;
        const double iou = static_cast<double>(c.right[i]) / static_cast<double>(c.truth[i] + c.predicted[i] - c.right[i]);
        sum += static_cast<double>(c.truth[i]) / static_cast<double>(all) * iou;
    }
    return sum;
}

OCELLI_INLINE xt::xtensor<double, 1> confusion_matrix::dice() const {
    const detail::class_counts c(*this);
    auto out = detail::new_tensor<double>(classes_);
    for (std::size_t i = 0; i < out.size(); ++i) out(i) = detail::quotient_or_nan(2 * c.right[i], c.truth[i] + c.predicted[i]);
    return out;
}

OCELLI_INLINE double confusion_matrix::mean_dice() const {
    const detail::class_counts c(*this);
    return detail::mean_of_present(c.truth.size(), [&](std::size_t i) { return 2 * c.right[i]; },
                                   [&](std::size_t i) { return c.truth[i] + c.predicted[i]; });
}

}  // namespace ocelli
