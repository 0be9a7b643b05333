#pragma once

/// @file
/// How much masks overlap: IoU (Jaccard) and Dice of binary and soft masks, for all pairs (N, M) or for corresponding masks (N).
///
/// Binary masks are packed to bits and counted, so their measures are exact quotients of integers. Nothing over nothing is 0: two empty
/// masks have IoU and Dice 0 (options say otherwise).

#include <ocelli/core/config.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/masks/detail/arguments.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace ocelli {

/// What the overlap of masks can be asked to do differently.
struct mask_iou_options {
    /// The value of two empty masks; J of the DAVIS benchmark takes 1.
    double of_empty = 0;
};

/// How two soft values meet.
enum class soft_overlap {
    product,  ///< intersection sum a b, union sum a + sum b - sum a b (V-Net's Dice without squares, soft Jaccard losses)
    minimum   ///< intersection sum min(a, b), union sum max(a, b) (Ruzicka)
};

/// What the overlap of soft masks can be asked to do differently.
struct soft_iou_options {
    soft_overlap overlap = soft_overlap::product;
    /// Added to numerator and denominator, as losses do.
    double smooth = 0;
    /// The value where the denominator is 0.
    double of_empty = 0;
};

namespace detail {

enum class mask_measure { iou, dice, iof };

void pairwise_masks(mask_measure measure, const std::uint8_t* a, std::size_t n, const std::uint8_t* b, std::size_t m, std::size_t pixels,
                    double of_empty, double* out);
void paired_masks(mask_measure measure, const std::uint8_t* a, const std::uint8_t* b, std::size_t n, std::size_t pixels, double of_empty,
                  double* out);
void pairwise_soft(mask_measure measure, const float* a, std::size_t n, const float* b, std::size_t m, std::size_t pixels,
                   const soft_iou_options& options, double* out);
void pairwise_soft(mask_measure measure, const double* a, std::size_t n, const double* b, std::size_t m, std::size_t pixels,
                   const soft_iou_options& options, double* out);

/// The texts of one function's messages.
struct mask_texts {
    const char* first;
    const char* second;
    const char* both;
    const char* out;
};

template <class A, class B>
void check_same_pictures(const A& a, const B& b, const mask_texts& texts) {
    check(a.extent(1) == b.extent(1) && a.extent(2) == b.extent(2), texts.both, " must have the same height and width, got ",
          shape_text(a.shape()), " and ", shape_text(b.shape()));
}

template <class A, class B>
xt::xtensor<double, 2> pairwise_masks_of(mask_measure measure, const mask_texts& texts, const A& a, const B& b, double of_empty) {
    const auto x = as_mask<3>(a, texts.first);
    const auto y = as_mask<3>(b, texts.second);
    check_same_pictures(x, y, texts);
    auto out = new_tensor<double>(x.extent(0), y.extent(0));
    pairwise_masks(measure, x.data(), x.extent(0), y.data(), y.extent(0), x.extent(1) * x.extent(2), of_empty, out.data());
    return out;
}
template <class A, class B, class Out>
void pairwise_masks_into(mask_measure measure, const mask_texts& texts, const A& a, const B& b, Out& out, double of_empty) {
    const auto x = as_mask<3>(a, texts.first);
    const auto y = as_mask<3>(b, texts.second);
    check_same_pictures(x, y, texts);
    double* to = as_output<double, 2>(out, {x.extent(0), y.extent(0)}, texts.out);
    pairwise_masks(measure, x.data(), x.extent(0), y.data(), y.extent(0), x.extent(1) * x.extent(2), of_empty, to);
}
template <class A, class B>
xt::xtensor<double, 1> paired_masks_of(mask_measure measure, const mask_texts& texts, const A& a, const B& b, double of_empty) {
    const auto x = as_mask<3>(a, texts.first);
    const auto y = as_mask<3>(b, texts.second);
    check_same_length(x, y, texts.both);
    check_same_pictures(x, y, texts);
    auto out = new_tensor<double>(x.extent(0));
    paired_masks(measure, x.data(), y.data(), x.extent(0), x.extent(1) * x.extent(2), of_empty, out.data());
    return out;
}
template <class T>
void pairwise_soft_checked(mask_measure measure, const mask_texts& texts, const dense_view<T, 3>& x, const dense_view<T, 3>& y,
                           const soft_iou_options& options, double* out) {
    check_same_pictures(x, y, texts);
    check(options.smooth >= 0, texts.both, ": smooth must not be negative, got ", options.smooth);
    for (const auto* v : {&x, &y}) {
        const std::size_t at = find_nan(v->data(), v->size());
        check(at == v->size(), v == &x ? texts.first : texts.second, " must not be NaN");
    }
    pairwise_soft(measure, x.data(), x.extent(0), y.data(), y.extent(0), x.extent(1) * x.extent(2), options, out);
}
template <class A, class B>
xt::xtensor<double, 2> pairwise_soft_of(mask_measure measure, const mask_texts& texts, const A& a, const B& b, const soft_iou_options& options) {
    const auto x = as_dense<scalar_t<A, B>, 3>(a, texts.first);
    const auto y = as_dense<scalar_t<A, B>, 3>(b, texts.second);
    auto out = new_tensor<double>(x.extent(0), y.extent(0));
    pairwise_soft_checked(measure, texts, x, y, options, out.data());
    return out;
}
template <class A, class B, class Out>
void pairwise_soft_into(mask_measure measure, const mask_texts& texts, const A& a, const B& b, Out& out, const soft_iou_options& options) {
    const auto x = as_dense<scalar_t<A, B>, 3>(a, texts.first);
    const auto y = as_dense<scalar_t<A, B>, 3>(b, texts.second);
    double* to = as_output<double, 2>(out, {x.extent(0), y.extent(0)}, texts.out);
    pairwise_soft_checked(measure, texts, x, y, options, to);
}

#define OCELLI_MASK_TEXTS_(name) \
    ::ocelli::detail::mask_texts { #name ": a", #name ": b", #name ": a and b", #name ": out" }

}  // namespace detail

/// Gives the intersection over union of every mask of `a` with every mask of `b`.
///
/// @param a, b  (N, H, W) and (M, H, W) bool or integers, foreground being what is not 0
/// @return      (N, M), in [0, 1]
/// @throws invalid_argument  on other ranks, or pictures of different sizes
///
/// Exact: the quotient of two counts, in double. Agrees with torchmetrics' and pycocotools' IoU of masks. Packs each mask once; the pairs
/// then cost an eighth of a byte a pixel, and only words in which both have foreground are read.
template <array_expression A, array_expression B>
xt::xtensor<double, 2> mask_iou(const A& a, const B& b, const mask_iou_options& options = {}) {
    return detail::pairwise_masks_of(detail::mask_measure::iou, OCELLI_MASK_TEXTS_(mask_iou), a, b, options.of_empty);
}
/// The same into the caller's memory: `out` is dense, row-major, (N, M), of double.
template <array_expression A, array_expression B, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void mask_iou(const A& a, const B& b, Out&& out, const mask_iou_options& options = {}) {
    detail::pairwise_masks_into(detail::mask_measure::iou, OCELLI_MASK_TEXTS_(mask_iou), a, b, out, options.of_empty);
}
/// Gives the intersection over union of corresponding masks: (N, H, W), (N, H, W) -> (N).
/// @throws invalid_argument  on other ranks, different lengths or sizes
template <array_expression A, array_expression B>
xt::xtensor<double, 1> paired_mask_iou(const A& a, const B& b, const mask_iou_options& options = {}) {
    return detail::paired_masks_of(detail::mask_measure::iou, OCELLI_MASK_TEXTS_(paired_mask_iou), a, b, options.of_empty);
}

/// Gives the intersection over the area of the mask of `a`: how much of it `b` covers. (N, H, W), (M, H, W) -> (N, M).
///
/// The measure of COCO's crowds. @throws invalid_argument  as mask_iou
template <array_expression A, array_expression B>
xt::xtensor<double, 2> mask_iof(const A& a, const B& b, const mask_iou_options& options = {}) {
    return detail::pairwise_masks_of(detail::mask_measure::iof, OCELLI_MASK_TEXTS_(mask_iof), a, b, options.of_empty);
}
/// The same into the caller's memory, (N, M).
template <array_expression A, array_expression B, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void mask_iof(const A& a, const B& b, Out&& out, const mask_iou_options& options = {}) {
    detail::pairwise_masks_into(detail::mask_measure::iof, OCELLI_MASK_TEXTS_(mask_iof), a, b, out, options.of_empty);
}

/// Gives the Dice coefficient 2 |a and b| / (|a| + |b|) of every mask of `a` with every mask of `b`: (N, H, W), (M, H, W) -> (N, M).
///
/// Equal to the F1 score of pixels. @throws invalid_argument  as mask_iou
template <array_expression A, array_expression B>
xt::xtensor<double, 2> mask_dice(const A& a, const B& b, const mask_iou_options& options = {}) {
    return detail::pairwise_masks_of(detail::mask_measure::dice, OCELLI_MASK_TEXTS_(mask_dice), a, b, options.of_empty);
}
/// The same into the caller's memory, (N, M).
template <array_expression A, array_expression B, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void mask_dice(const A& a, const B& b, Out&& out, const mask_iou_options& options = {}) {
    detail::pairwise_masks_into(detail::mask_measure::dice, OCELLI_MASK_TEXTS_(mask_dice), a, b, out, options.of_empty);
}
/// Gives the Dice coefficient of corresponding masks: (N, H, W), (N, H, W) -> (N).
template <array_expression A, array_expression B>
xt::xtensor<double, 1> paired_mask_dice(const A& a, const B& b, const mask_iou_options& options = {}) {
    return detail::paired_masks_of(detail::mask_measure::dice, OCELLI_MASK_TEXTS_(paired_mask_dice), a, b, options.of_empty);
}

/// Gives the soft IoU of every map of `a` with every map of `b`; soft_overlap says how values meet.
///
/// @param a, b  (N, H, W) and (M, H, W) floating point, usually in [0, 1]; float and double
/// @return      (N, M); sums are in double
/// @throws invalid_argument  on other ranks, pictures of different sizes, NaN, a negative smooth
template <array_expression A, array_expression B>
xt::xtensor<double, 2> soft_mask_iou(const A& a, const B& b, const soft_iou_options& options = {}) {
    return detail::pairwise_soft_of(detail::mask_measure::iou, OCELLI_MASK_TEXTS_(soft_mask_iou), a, b, options);
}
/// The same into the caller's memory, (N, M) of double.
template <array_expression A, array_expression B, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void soft_mask_iou(const A& a, const B& b, Out&& out, const soft_iou_options& options = {}) {
    detail::pairwise_soft_into(detail::mask_measure::iou, OCELLI_MASK_TEXTS_(soft_mask_iou), a, b, out, options);
}

/// Gives the soft Dice coefficient, 2 intersection / (sum a + sum b), of every map of `a` with every map of `b`. As soft_mask_iou.
template <array_expression A, array_expression B>
xt::xtensor<double, 2> soft_mask_dice(const A& a, const B& b, const soft_iou_options& options = {}) {
    return detail::pairwise_soft_of(detail::mask_measure::dice, OCELLI_MASK_TEXTS_(soft_mask_dice), a, b, options);
}
/// The same into the caller's memory, (N, M) of double.
template <array_expression A, array_expression B, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void soft_mask_dice(const A& a, const B& b, Out&& out, const soft_iou_options& options = {}) {
    detail::pairwise_soft_into(detail::mask_measure::dice, OCELLI_MASK_TEXTS_(soft_mask_dice), a, b, out, options);
}

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/masks/impl/iou.inl>
#endif
