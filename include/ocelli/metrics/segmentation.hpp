#pragma once

/// @file
/// Semantic segmentation: a confusion matrix that grows picture by picture, and what is read from it.

#include <ocelli/core/config.hpp>
#include <ocelli/core/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace ocelli {
namespace detail {

/// Calls f(data, shape as text) with the labels as dense memory of their own type, whatever the rank from 1 to 4.
template <array_expression E, class F>
void with_labels(const E& e, std::string_view what, F&& f) {
    using V = value_type_t<E>;
    static_assert(std::is_integral_v<V>, "labels are integers");
    const auto call = [&](const auto& dense) { f(dense.data(), dense.size(), shape_text(dense.shape())); };
    if constexpr (xtensor_expression<E>) {
        switch (e.dimension()) {
        case 1: return call(as_dense<V, 1>(e, what));
        case 3: return call(as_dense<V, 3>(e, what));
        case 4: return call(as_dense<V, 4>(e, what));
        default: return call(as_dense<V, 2>(e, what));
        }
    } else if constexpr (raw_view<E>) {
        call(as_dense<V, std::tuple_size_v<std::remove_cvref_t<decltype(e.shape())>>>(e, what));
    } else if constexpr (number_range<E>) {
        call(as_dense<V, 1>(e, what));
    } else {
        call(as_dense<V, 2>(e, what));
    }
}

}  // namespace detail

/// Counts which class was taken for which, over any number of pictures.
///
/// Every measure agrees with the usual formulas over numpy's matrix (Long et al. 2015; mmsegmentation, torchvision's references) to the
/// last bits. A class that occurs in neither truth nor prediction has no value: NaN, and means leave it out; so has everything before the
/// first pixel. Counts are exact, so that the order of pictures and of merging does not matter.
class confusion_matrix {
public:
    /// The most classes there can be: the matrix is dense.
    static constexpr std::int64_t max_classes = 8192;

    /// @param classes       labels are 0 to classes - 1; in [1, max_classes]
    /// @param ignore_label  pixels whose truth is this label are not counted, whatever is predicted there (255 is common)
    /// @throws invalid_argument  on another number of classes
    explicit confusion_matrix(std::int64_t classes, std::optional<std::int64_t> ignore_label = std::nullopt);

    /// Adds pictures.
    ///
    /// @param truth, prediction  integers of one shape, rank 1 to 4
    /// @throws invalid_argument  on different shapes, or a label outside [0, classes) that is not ignored; nothing is counted then
    template <array_expression T, array_expression P>
    void add(const T& truth, const P& prediction) {
        detail::with_labels(truth, "confusion_matrix: truth", [&](const auto* t, std::size_t n, const std::string& truth_shape) {
            detail::with_labels(prediction, "confusion_matrix: prediction", [&](const auto* p, std::size_t, const std::string& shape) {
                detail::check(shape == truth_shape, "confusion_matrix: truth and prediction must have the same shape, got ", truth_shape,
                              " and ", shape);
                add_labels(t, p, n);
            });
        });
    }

    /// Adds what another matrix of the same classes has counted.
    /// @throws invalid_argument  on another number of classes
    void merge(const confusion_matrix& other);
    /// Forgets everything counted.
    void reset();

    std::int64_t classes() const noexcept { return classes_; }
    /// How often `prediction` was said where `truth` is right.
    /// @throws invalid_argument  on a label out of range
    std::int64_t count(std::int64_t truth, std::int64_t prediction) const;
    /// (C, C) counts: rows are the truth, columns the prediction.
    xt::xtensor<std::int64_t, 2> counts() const;
    /// Pixels counted.
    std::int64_t total() const;

    /// Part of the pixels that are right.
    double pixel_accuracy() const;
    /// (C) part of each class's pixels that are right (recall); NaN for a class without truth.
    xt::xtensor<double, 1> class_accuracy() const;
    /// Mean of class_accuracy over the classes with truth.
    double mean_accuracy() const;
    /// (C) TP / (TP + FP + FN); NaN for a class in neither truth nor prediction.
    xt::xtensor<double, 1> iou() const;
    /// Mean of iou over the classes that occur (mIoU).
    double mean_iou() const;
    /// IoU of every class weighed by its part of the truth.
    double frequency_weighted_iou() const;
    /// (C) 2 TP / (2 TP + FP + FN); NaN for a class in neither truth nor prediction.
    xt::xtensor<double, 1> dice() const;
    /// Mean of dice over the classes that occur.
    double mean_dice() const;

private:
    template <class T, class P>
    void add_labels(const T* truth, const P* prediction, std::size_t n) {
        // Checked first, so that a bad label leaves the counts alone.
        const auto inside = [&](auto label) {
            if constexpr (std::is_signed_v<decltype(label)>) {
                return label >= 0 && static_cast<std::int64_t>(label) < classes_;
            } else {
                return static_cast<std::uint64_t>(label) < static_cast<std::uint64_t>(classes_);
            }
        };
        const auto ignored = [&](T label) {
            if (!ignore_label_) return false;
            if constexpr (std::is_same_v<T, std::uint64_t>) {
                return *ignore_label_ >= 0 && label == static_cast<std::uint64_t>(*ignore_label_);
            } else {
                return static_cast<std::int64_t>(label) == *ignore_label_;
            }
        };
        for (std::size_t i = 0; i < n; ++i) {
            if (ignored(truth[i])) continue;
            if (!inside(truth[i])) refuse("truth", std::to_string(+truth[i]), i);
            if (!inside(prediction[i])) refuse("prediction", std::to_string(+prediction[i]), i);
        }
        const auto classes = static_cast<std::size_t>(classes_);
        for (std::size_t i = 0; i < n; ++i)
            if (!ignored(truth[i])) ++counts_[static_cast<std::size_t>(truth[i]) * classes + static_cast<std::size_t>(prediction[i])];
    }
    [[noreturn]] void refuse(const char* what, const std::string& label, std::size_t at) const;

    std::int64_t classes_;
    std::optional<std::int64_t> ignore_label_;
    std::vector<std::int64_t> counts_;
};

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/metrics/impl/segmentation.inl>
#endif
