#pragma once

#include <ocelli/boxes/detail/nms_types.hpp>
#include <ocelli/boxes/nms.hpp>
#include <ocelli/core/argsort.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>

#include <cmath>
#include <memory>
#include <vector>

#define OCELLI_KERNEL_FILE <ocelli/boxes/detail/nms.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>

namespace ocelli::detail {

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const nms_tables& get_nms_tables() {
    static const nms_tables chosen = OCELLI_CHOOSE(make_nms_tables);
    return chosen;
}
OCELLI_KERNEL_API_END

inline const nms_kernels<float>& get_nms_kernels(float) {
    return get_nms_tables().f32;
}
inline const nms_kernels<double>& get_nms_kernels(double) {
    return get_nms_tables().f64;
}

/// The t for which "measure > t" in T is what the comparison with the double threshold says.
template <class T>
T nms_threshold(double threshold, nms_comparison comparison) {
    T t = static_cast<T>(threshold);
    const bool strict = comparison == nms_comparison::greater;
    while (strict ? static_cast<double>(t) > threshold : static_cast<double>(t) >= threshold) t = std::nextafter(t, T(-1));
    return t;
}

/// Runs one greedy pass; writes positions in `order` and gives their number.
template <class T>
std::size_t greedy_nms(const T* boxes, const std::uint32_t* order, std::size_t candidates, const nms_options& options,
                       std::size_t max_kept, std::uint32_t* positions) {
    const std::size_t most = candidates < max_kept ? candidates : max_kept;
    nms_pass<T> pass{};
    pass.boxes = boxes;
    pass.order = order;
    pass.candidates = candidates;
    pass.max_kept = max_kept;
    pass.threshold = nms_threshold<T>(options.iou_threshold, options.comparison);
    pass.diou = options.criterion == nms_criterion::diou;
    pass.legacy = options.legacy_plus_one;
    pass.capacity = (most + 31) / 16 * 16;
    const std::unique_ptr<T[]> kept(new T[5 * pass.capacity]);
    pass.kept = kept.get();
    pass.kept_positions = positions;
    get_nms_kernels(T()).greedy(pass);
    return pass.kept_count;
}

inline void check_nms_options(const nms_options& options, const char* name) {
    check(options.iou_threshold >= 0 && options.iou_threshold <= 1, name, ": iou_threshold must be in [0, 1], got ",
          options.iou_threshold);
    check(options.comparison == nms_comparison::greater || options.iou_threshold > 0, name,
          ": iou_threshold must be greater than 0 where equal values suppress");
    check(!is_nan(options.score_threshold), name, ": score_threshold must be a number, got NaN");
}

template <class T>
std::size_t nms_indices_any(const T* boxes, const T* scores, const std::int64_t* classes, std::size_t n, const nms_options& options,
                            std::int64_t* out, const char* name) {
    check_nms_options(options, name);
    check(n < 0xffffffffu, name, ": fewer than 2^32 - 1 boxes are supported, got ", n);
    const std::size_t nan = find_nan(scores, n);
    check(nan == n, name, ": scores must be numbers, got NaN at ", nan);

    // The candidates, best first.
    using item = sort_item<T>;
    const std::unique_ptr<item[]> items(new item[2 * n + 1]);
    std::size_t count = 0;
    if (options.score_threshold == -std::numeric_limits<double>::infinity()) {
        for (; count < n; ++count) items[count] = item::make(descending_key(scores[count]), static_cast<std::uint32_t>(count));
    } else {
        for (std::size_t i = 0; i < n; ++i) {
            items[count] = item::make(descending_key(scores[i]), static_cast<std::uint32_t>(i));
            count += static_cast<double>(scores[i]) > options.score_threshold ? 1 : 0;
        }
    }
    const item* sorted = radix_sort(items.get(), items.get() + n, count);
    if (options.pre_top_k != 0 && options.pre_top_k < count) count = options.pre_top_k;
    const std::unique_ptr<std::uint32_t[]> order(new std::uint32_t[2 * count + 1]);
    std::uint32_t* const positions = order.get() + count;
    for (std::size_t i = 0; i < count; ++i) order[i] = sorted[i].index();

    const std::size_t max_kept = options.max_output == 0 ? count : options.max_output;
    if (!classes) {
        const std::size_t kept = greedy_nms(boxes, order.get(), count, options, max_kept, positions);
        for (std::size_t i = 0; i < kept; ++i) out[i] = order[positions[i]];
        return kept;
    }

    // Positions by class, in order of score within each; then one pass per class and the survivors by position.
    const std::unique_ptr<wide_item[]> by_class(new wide_item[2 * count + 1]);
    for (std::size_t i = 0; i < count; ++i)
        by_class[i] = wide_item::make(ascending_key(classes[order[i]]), static_cast<std::uint32_t>(i));
    const wide_item* grouped = radix_sort(by_class.get(), by_class.get() + count, count);
    std::vector<std::size_t> starts;
    for (std::size_t i = 0; i < count; ++i)
        if (i == 0 || grouped[i].key() != grouped[i - 1].key()) starts.push_back(i);
    starts.push_back(count);
    const std::unique_ptr<std::uint32_t[]> rows(new std::uint32_t[count + 1]);
    for (std::size_t i = 0; i < count; ++i) rows[i] = order[grouped[i].index()];
    const std::unique_ptr<unsigned char[]> survives = std::make_unique<unsigned char[]>(count + 1);
    parallel_for(starts.size() - 1, 8, [&](std::size_t first, std::size_t last) {
        for (std::size_t c = first; c < last; ++c) {
            const std::size_t begin = starts[c], size = starts[c + 1] - begin;
            const std::size_t kept = greedy_nms(boxes, rows.get() + begin, size, options, max_kept, positions + begin);
            for (std::size_t i = 0; i < kept; ++i) survives[grouped[begin + positions[begin + i]].index()] = 1;
        }
    });
    std::size_t kept = 0;
    for (std::size_t i = 0; i < count && kept < max_kept; ++i) {
        out[kept] = order[i];
        kept += survives[i];
    }
    return kept;
}

OCELLI_INLINE std::size_t nms_indices(const float* boxes, const float* scores, const std::int64_t* classes, std::size_t n,
                                      const nms_options& options, std::int64_t* out, const char* name) {
    return nms_indices_any(boxes, scores, classes, n, options, out, name);
}
OCELLI_INLINE std::size_t nms_indices(const double* boxes, const double* scores, const std::int64_t* classes, std::size_t n,
                                      const nms_options& options, std::int64_t* out, const char* name) {
    return nms_indices_any(boxes, scores, classes, n, options, out, name);
}

}  // namespace ocelli::detail
