#pragma once

/// @file
/// Greedy non-maximum suppression by the IoU of masks, dense or run-length.

#include <ocelli/core/config.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/masks/detail/arguments.hpp>
#include <ocelli/masks/rle.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ocelli {
namespace detail {

/// Indices of the kept masks, by decreasing score; `classes` may be null.
std::vector<std::int64_t> mask_nms(const std::uint8_t* masks, std::size_t n, std::size_t pixels, const double* scores,
                                   const std::int64_t* classes, double iou_threshold);

template <class View>
void check_mask_nms(std::size_t masks, const View& scores, double iou_threshold, const char* name) {
    check(masks == scores.size(), name, ": masks and scores must have the same length, got ", masks, " and ", scores.size());
    const std::size_t nan = find_nan(scores.data(), scores.size());
    check(nan == scores.size(), name, ": scores must not be NaN, score ", nan, " is");
    check(iou_threshold >= 0 && iou_threshold <= 1, name, ": the IoU threshold must be in [0, 1], got ", iou_threshold);
    check(masks < 0xffffffffu, name, ": at most 2^32 - 1 masks, got ", masks);
}

inline xt::xtensor<std::int64_t, 1> indices_tensor(const std::vector<std::int64_t>& from) {
    auto out = new_tensor<std::int64_t>(from.size());
    for (std::size_t i = 0; i < from.size(); ++i) out.data()[i] = from[i];
    return out;
}

}  // namespace detail

/// Suppresses masks that overlap a better one.
///
/// Greedy: masks are visited by decreasing score (equal scores in input order) and a mask is dropped if its IoU with a kept one is greater
/// than the threshold. Empty masks have IoU 0: they are kept and suppress nothing.
///
/// @param masks          (N, H, W) bool or integers, foreground being what is not 0
/// @param scores         (N), any numbers but NaN
/// @param iou_threshold  in [0, 1]
/// @return               (K) indices of the kept masks, by decreasing score
/// @throws invalid_argument  on other ranks, different lengths, a NaN score, a threshold out of range
///
/// Agrees with COCO's rleNms on masks sorted by score.
template <array_expression M, array_expression S>
xt::xtensor<std::int64_t, 1> mask_nms(const M& masks, const S& scores, double iou_threshold) {
    const auto m = detail::as_mask<3>(masks, "mask_nms: masks");
    const auto s = as_dense<double, 1>(scores, "mask_nms: scores");
    detail::check_mask_nms(m.extent(0), s, iou_threshold, "mask_nms");
    return detail::indices_tensor(
        detail::mask_nms(m.data(), m.extent(0), m.extent(1) * m.extent(2), s.data(), nullptr, iou_threshold));
}
/// The same within classes: a mask is only dropped for a better one of its class.
/// @param classes  (N) integers, any values
template <array_expression M, array_expression S, array_expression C>
xt::xtensor<std::int64_t, 1> batched_mask_nms(const M& masks, const S& scores, const C& classes, double iou_threshold) {
    const auto m = detail::as_mask<3>(masks, "batched_mask_nms: masks");
    const auto s = as_dense<double, 1>(scores, "batched_mask_nms: scores");
    const auto c = as_dense<std::int64_t, 1>(classes, "batched_mask_nms: classes");
    detail::check_mask_nms(m.extent(0), s, iou_threshold, "batched_mask_nms");
    detail::check_same_length(s, c, "batched_mask_nms: scores and classes");
    return detail::indices_tensor(
        detail::mask_nms(m.data(), m.extent(0), m.extent(1) * m.extent(2), s.data(), c.data(), iou_threshold));
}
/// Suppresses run-length masks of one size likewise.
/// @throws invalid_argument  also on a mask that is not valid, or unequal sizes
template <array_expression S>
xt::xtensor<std::int64_t, 1> mask_nms(std::span<const rle> masks, const S& scores, double iou_threshold) {
    detail::check_rles(masks, "mask_nms");
    const auto s = as_dense<double, 1>(scores, "mask_nms: scores");
    detail::check_mask_nms(masks.size(), s, iou_threshold, "mask_nms");
    return detail::indices_tensor(detail::rle_nms(masks, s.data(), iou_threshold));
}

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/masks/impl/nms.inl>
#endif
