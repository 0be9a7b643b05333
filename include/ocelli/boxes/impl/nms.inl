#pragma once

#include <ocelli/boxes/detail/nms_grid.hpp>
#include <ocelli/boxes/nms.hpp>
#include <ocelli/core/argsort.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
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

/// How far, in widths of the suppressor, the centre of a suppressed box can lie.
///
/// IoU is at most iw / max(w, w') with iw the width of the intersection, and iw is at most (w + w') / 2 - d for centres d apart. So
/// IoU > t leaves d < (w + w') / 2 - t max(w, w') with t w < w' < w / t, whose largest value is (1 - t) w for t >= 1/2 and
/// (1/t - 1) w / 2 below. The same holds for heights.
inline double nms_reach(double t) noexcept {
    return t >= 0.5 ? 1 - t : (1 / t - 1) / 2;
}

/// Moves a pass from "everybody meets everybody" to lists by cell. False where that would not be exact: the pass stays as it was.
template <class T>
bool start_nms_grid(nms_pass<T>& pass, nms_grid<T>& grid) {
    const double t = static_cast<double>(pass.threshold);
    if (t < 0.1) return false;  // nearly anything may suppress anything
    // Cells of about the typical box.
    std::vector<T> sides[2];
    const T plus = pass.legacy ? T(1) : T(0);
    std::vector<std::uint32_t> rows;  // of those that suppress
    if (pass.suppressors) {
        for (std::size_t i = 0; i < pass.next; ++i)
            if (pass.suppressors[i] != 0) rows.push_back(pass.order[i]);
    } else {
        for (std::size_t i = 0; i < pass.kept_count; ++i) rows.push_back(pass.order[pass.kept_positions[i]]);
    }
    for (const std::uint32_t row : rows) {
        const T* box = pass.boxes + 4 * static_cast<std::size_t>(row);
        for (std::size_t k = 0; k < 2; ++k) {
            const T side = box[2 + k] - box[k] + plus;
            if (is_finite(side) && side > T(0)) sides[k].push_back(side);
        }
    }
    nms_grid_shape<T> shape{};
    T per[2];
    for (std::size_t k = 0; k < 2; ++k) {
        if (sides[k].empty()) return false;
        const auto middle = sides[k].begin() + static_cast<std::ptrdiff_t>(sides[k].size() / 2);
        std::nth_element(sides[k].begin(), middle, sides[k].end());
        if (!(*middle > T(1e-15) && *middle < T(1e15))) return false;
        per[k] = T(1.5) / *middle;
    }
    shape.per_x = per[0];
    shape.per_y = per[1];
    shape.reach = static_cast<T>(nms_reach(t) * 1.0001);
    shape.blur = 8 * std::numeric_limits<T>::epsilon();
    shape.smallest = std::numeric_limits<T>::min() * T(1e9);
    shape.legacy = pass.legacy;

    const std::size_t kept = rows.size(), coming = pass.candidates - pass.next, all = kept + coming;
    grid.ranges.resize(all);
    const auto ranges_of = get_nms_kernels(T()).ranges;
    if (!ranges_of(pass.boxes, rows.data(), kept, shape, grid.ranges.data())) return false;
    if (!ranges_of(pass.boxes, pass.order + pass.next, coming, shape, grid.ranges.data() + kept)) return false;

    if (!lay_out_cells(grid, pass.cells)) return false;
    pass.blocks = grid.blocks.get();
    pass.everywhere_count = 0;
    for (std::size_t i = 0; i < kept; ++i) get_nms_kernels(T()).insert(pass, rows[i], grid.ranges[i]);
    pass.ranges = grid.ranges.data() + kept;
    pass.ranges_begin = pass.next;
    return true;
}

/// Runs one pass; writes positions in `order` and gives their number. `suppressors` as in nms_pass.
template <class T>
std::size_t nms_one_pass(const T* boxes, const std::uint32_t* order, std::size_t candidates, const nms_options& options,
                         std::size_t max_kept, const unsigned char* suppressors, std::uint32_t* positions) {
    const std::size_t most = candidates < max_kept || suppressors ? candidates : max_kept;
    nms_pass<T> pass{};
    pass.boxes = boxes;
    pass.order = order;
    pass.candidates = candidates;
    pass.max_kept = max_kept;
    pass.threshold = nms_threshold<T>(options.iou_threshold, options.comparison);
    pass.diou = options.criterion == nms_criterion::diou;
    pass.legacy = options.legacy_plus_one;
    pass.suppressors = suppressors;
    const std::unique_ptr<T[]> everywhere(new T[(most / nms_block + 1) * nms_block_numbers]);
    pass.everywhere = everywhere.get();
    pass.kept_positions = positions;
    // Everybody meets everybody while that is cheap; once it has cost what building lists by cell costs, they are built.
    const nms_kernels<T>& kernels = get_nms_kernels(T());
    pass.tests_allowed = 24 * candidates + 512;
    kernels.everywhere(pass);
    if (pass.next == candidates || pass.kept_count == max_kept) return pass.kept_count;
    nms_grid<T> grid;
    if (start_nms_grid(pass, grid)) {
        kernels.grid(pass);
    } else {
        pass.tests_allowed = std::numeric_limits<std::size_t>::max();
        kernels.everywhere(pass);
    }
    return pass.kept_count;
}

/// Applies a rule to candidates of one class; writes positions in `order` and gives their number.
template <class T>
std::size_t nms_by_rule(const T* boxes, const std::uint32_t* order, std::size_t candidates, const nms_options& options, nms_rule rule,
                        std::size_t max_kept, std::uint32_t* positions) {
    if (rule.max_rounds == 0) return nms_one_pass(boxes, order, candidates, options, max_kept, nullptr, positions);
    // Cluster-NMS: in each round the survivors of the round before suppress. Round r settles all boxes at depth r of their cluster.
    std::vector<unsigned char> suppressors(candidates, 1), survivors(candidates);
    std::size_t kept = 0;
    for (std::size_t round = 0; round < rule.max_rounds; ++round) {
        const bool last = round + 1 == rule.max_rounds;
        kept = nms_one_pass(boxes, order, candidates, options, last ? max_kept : candidates, suppressors.data(), positions);
        if (last) break;
        std::fill(survivors.begin(), survivors.end(), static_cast<unsigned char>(0));
        for (std::size_t i = 0; i < kept; ++i) survivors[positions[i]] = 1;
        if (survivors == suppressors) break;
        suppressors.swap(survivors);
    }
    return kept < max_kept ? kept : max_kept;
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
                            std::int64_t* out, const char* name, nms_rule rule) {
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
        const std::size_t kept = nms_by_rule(boxes, order.get(), count, options, rule, max_kept, positions);
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
            const std::size_t kept = nms_by_rule(boxes, rows.get() + begin, size, options, rule, max_kept, positions + begin);
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
                                      const nms_options& options, std::int64_t* out, const char* name, nms_rule rule) {
    return nms_indices_any(boxes, scores, classes, n, options, out, name, rule);
}
OCELLI_INLINE std::size_t nms_indices(const double* boxes, const double* scores, const std::int64_t* classes, std::size_t n,
                                      const nms_options& options, std::int64_t* out, const char* name, nms_rule rule) {
    return nms_indices_any(boxes, scores, classes, n, options, out, name, rule);
}

}  // namespace ocelli::detail
