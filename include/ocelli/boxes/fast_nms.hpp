#pragma once

/// @file
/// Fast NMS: every better box suppresses, kept or not.

#include <ocelli/boxes/nms.hpp>
#include <ocelli/core/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace ocelli {

namespace detail {

template <class B, class S>
xt::xtensor<std::int64_t, 1> nms_with_rule(const B& boxes, const S& scores, const std::int64_t* classes, const nms_options& options,
                                           const char* name, nms_rule rule) {
    const auto memory = new_array<std::int64_t>(nms_capacity(boxes.extent(0), options));
    return first_indices(memory.get(),
                         nms_indices(boxes.data(), scores.data(), classes, boxes.extent(0), options, memory.get(), name, rule));
}

}  // namespace detail

/// Suppresses a box where any box with a better score overlaps it, even one that is suppressed itself: a few boxes fewer than nms.
///
/// Empty boxes and boxes with NaN coordinates have IoU 0: they stay and suppress nothing.
///
/// @param boxes    (N, 4) x1 y1 x2 y2
/// @param scores   (N), any numbers
/// @param options  as nms; the source's are pre_top_k = 200, max_output = 100
/// @return         (K) indices of the kept boxes, by decreasing score, equal scores in input order
/// @throws invalid_argument  as nms
///
/// Bolya et al. 2019, YOLACT (arXiv:1904.02689, section 3.3). Agrees with mmdet's fast_nms for one class. float and double.
template <array_expression B, array_expression S>
xt::xtensor<std::int64_t, 1> fast_nms(const B& boxes, const S& scores, const nms_options& options = {}) {
    using T = scalar_t<B, S>;
    const auto b = as_dense<T, 2>(boxes, "fast_nms: boxes");
    const auto s = as_dense<T, 1>(scores, "fast_nms: scores");
    detail::check_shape(b, {detail::any, 4}, "fast_nms: boxes");
    detail::check_same_length(b, s, "fast_nms: boxes and scores");
    return detail::nms_with_rule(b, s, nullptr, options, "fast_nms", {1});
}
/// The same within classes: (N) integers.
template <array_expression B, array_expression S, array_expression C>
xt::xtensor<std::int64_t, 1> fast_nms(const B& boxes, const S& scores, const C& classes, const nms_options& options = {}) {
    using T = scalar_t<B, S>;
    const auto b = as_dense<T, 2>(boxes, "fast_nms: boxes");
    const auto s = as_dense<T, 1>(scores, "fast_nms: scores");
    const auto c = as_dense<std::int64_t, 1>(classes, "fast_nms: classes");
    detail::check_shape(b, {detail::any, 4}, "fast_nms: boxes");
    detail::check_same_length(b, s, "fast_nms: boxes and scores");
    detail::check_same_length(b, c, "fast_nms: boxes and classes");
    return detail::nms_with_rule(b, s, c.data(), options, "fast_nms", {1});
}

}  // namespace ocelli
