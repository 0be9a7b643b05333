#pragma once

// The clear versions: what the fast ones are held to, on every input.

#include <ocelli/boxes/nms.hpp>
#include <ocelli/core/float_bits.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

// The clear versions mean IEEE arithmetic also where a test is built with -ffast-math.
#if defined(__FAST_MATH__)
#    if defined(__clang__)
#        pragma float_control(push)
#        pragma float_control(precise, on)
#    else
#        pragma GCC push_options
#        pragma GCC optimize("no-fast-math")
#    endif
#endif

namespace ocelli_test {

/// Keeps a product out of FMAs and in its own precision, whatever the flags.
template <class T>
T exact(T x) {
    volatile T y = x;
    return y;
}

template <class T>
T naive_area(const T* b, bool legacy) {
    const T plus = legacy ? T(1) : T(0);
    T w = b[2] - b[0] + plus, h = b[3] - b[1] + plus;
    if (w < T(0)) w = T(0);
    if (h < T(0)) h = T(0);
    return exact(w * h);
}

template <class T>
bool any_nan(const T* b) {
    return ocelli::detail::is_nan(b[0]) || ocelli::detail::is_nan(b[1]) || ocelli::detail::is_nan(b[2]) || ocelli::detail::is_nan(b[3]);
}

template <class T>
T naive_iou(const T* a, const T* b, bool legacy = false) {
    if (any_nan(a) || any_nan(b)) return T(0);
    const T plus = legacy ? T(1) : T(0);
    T w = std::min(a[2], b[2]) - std::max(a[0], b[0]) + plus;
    T h = std::min(a[3], b[3]) - std::max(a[1], b[1]) + plus;
    if (ocelli::detail::is_nan(w) || ocelli::detail::is_nan(h)) return T(0);
    w = std::max(w, T(0));
    h = std::max(h, T(0));
    const T inter = exact(w * h);
    const T united = naive_area(a, legacy) + naive_area(b, legacy) - inter;
    if (ocelli::detail::is_nan(united) || ocelli::detail::is_nan(inter) || !(united > T(0))) return T(0);
    return inter / united;
}

/// distance_box_iou with epsilon 1e-7, from the IoU.
template <class T>
T naive_diou(const T* a, const T* b, bool legacy = false) {
    const T plus = legacy ? T(1) : T(0);
    const T cw = std::max(a[2], b[2]) - std::min(a[0], b[0]) + plus;
    const T ch = std::max(a[3], b[3]) - std::min(a[1], b[1]) + plus;
    const T dx = exact((a[0] + a[2]) / 2) - exact((b[0] + b[2]) / 2);
    const T dy = exact((a[1] + a[3]) / 2) - exact((b[1] + b[3]) / 2);
    const T diagonal = exact(cw * cw) + exact(ch * ch) + T(1e-7);
    return naive_iou(a, b, legacy) - (exact(dx * dx) + exact(dy * dy)) / diagonal;
}

/// The rows by decreasing score, equal ones in input order.
template <class T>
std::vector<std::size_t> by_score(const std::vector<T>& scores) {
    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return scores[i] > scores[j]; });
    return order;
}

template <class T>
std::vector<std::int64_t> naive_nms(const std::vector<T>& boxes, const std::vector<T>& scores, const ocelli::nms_options& o,
                                    const std::vector<std::int64_t>* classes = nullptr) {
    std::vector<std::size_t> order = by_score(scores);
    std::erase_if(order, [&](std::size_t i) { return !(static_cast<double>(scores[i]) > o.score_threshold); });
    if (o.pre_top_k != 0 && order.size() > o.pre_top_k) order.resize(o.pre_top_k);
    std::vector<std::int64_t> kept;
    for (const std::size_t i : order) {
        const bool gone = std::any_of(kept.begin(), kept.end(), [&](std::int64_t k) {
            const auto j = static_cast<std::size_t>(k);
            if (classes && (*classes)[i] != (*classes)[j]) return false;
            const T* a = boxes.data() + 4 * i;
            const T* b = boxes.data() + 4 * j;
            T value = naive_iou(a, b, o.legacy_plus_one);
            if (!(value > T(0))) return false;
            if (o.criterion == ocelli::nms_criterion::diou) value = naive_diou(a, b, o.legacy_plus_one);
            return o.comparison == ocelli::nms_comparison::greater ? static_cast<double>(value) > o.iou_threshold
                                                                   : static_cast<double>(value) >= o.iou_threshold;
        });
        if (!gone) kept.push_back(static_cast<std::int64_t>(i));
    }
    if (o.max_output != 0 && kept.size() > o.max_output) kept.resize(o.max_output);
    return kept;
}

}  // namespace ocelli_test

#if defined(__FAST_MATH__)
#    if defined(__clang__)
#        pragma float_control(pop)
#    else
#        pragma GCC pop_options
#    endif
#endif
