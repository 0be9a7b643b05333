#pragma once

#include <ocelli/boxes/detail/nms_grid.hpp>
#include <ocelli/boxes/soft_nms.hpp>
#include <ocelli/core/argsort.hpp>
#include <ocelli/core/float_bits.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

namespace ocelli::detail {

inline void check_soft_nms_options(const soft_nms_options& options) {
    check(options.iou_threshold >= 0 && options.iou_threshold <= 1, "soft_nms: iou_threshold must be in [0, 1], got ",
          options.iou_threshold);
    check(options.comparison == nms_comparison::greater || options.iou_threshold > 0,
          "soft_nms: iou_threshold must be greater than 0 where equal values count");
    check(options.sigma > 0 && is_finite(options.sigma), "soft_nms: sigma must be greater than 0, got ", options.sigma);
    check(options.score_threshold >= 0 && is_finite(options.score_threshold), "soft_nms: score_threshold must not be negative, got ",
          options.score_threshold);
}

/// The state of one soft-NMS. Taken boxes stand in lists by cell, in the order of taking; a box's own cell lists all that can overlap it.
template <class T>
class soft_nms_run {
public:
    soft_nms_run(const T* boxes, const T* scores, std::size_t n, const soft_nms_options& options)
        : boxes_(boxes), options_(options), kernels_(get_nms_kernels(T())), threshold_(nms_threshold<T>(options.iou_threshold, options.comparison)),
          sigma_(static_cast<T>(options.sigma)) {
        using item = sort_item<T>;
        const std::unique_ptr<item[]> items(new item[2 * n + 1]);
        std::size_t count = 0;
        for (std::size_t i = 0; i < n; ++i)
            if (enough(scores[i])) items[count++] = item::make(descending_key(scores[i]), static_cast<std::uint32_t>(i));
        const item* sorted = radix_sort(items.get(), items.get() + n, count);
        rows_.resize(count);
        scores_.resize(count);
        for (std::size_t i = 0; i < count; ++i) {
            rows_[i] = sorted[i].index();
            scores_[i] = scores[rows_[i]];
        }
        applied_.assign(count, 0);
        if (count != 0) make_lists();
    }

    std::size_t run(std::int64_t* out_indices, T* out_scores, std::size_t most) {
        const std::size_t count = rows_.size();
        std::size_t taken = 0, next = 0;
        // Candidates in order of rank: those not looked at yet by their first scores, the others in a heap by their latest. Scores only
        // fall, so one that is up to date and best of all is the one to take.
        while (taken < most && (next < count || !heap_.empty())) {
            std::uint32_t best = 0;
            if (!heap_.empty() && (next == count || before(heap_.front(), static_cast<std::uint32_t>(next)))) {
                std::pop_heap(heap_.begin(), heap_.end(), heap_order{this});
                best = heap_.back();
                heap_.pop_back();
            } else {
                best = static_cast<std::uint32_t>(next++);
            }
            const T score = scores_[best];
            lower(best);
            if (!enough(scores_[best])) continue;
            if (scores_[best] != score && ((next < count && before(static_cast<std::uint32_t>(next), best)) ||
                                           (!heap_.empty() && before(heap_.front(), best)))) {
                heap_.push_back(best);
                std::push_heap(heap_.begin(), heap_.end(), heap_order{this});
                continue;
            }
            out_indices[taken] = rows_[best];
            out_scores[taken] = scores_[best];
            ++taken;
            kernels_.insert(pass_, rows_[best], grid_.ranges[best]);
        }
        return taken;
    }

private:
    struct heap_order {
        const soft_nms_run* run;
        bool operator()(std::uint32_t a, std::uint32_t b) const { return run->before(b, a); }
    };

    bool enough(T score) const { return static_cast<double>(score) >= options_.score_threshold; }

    /// Positions are by first score, not by input: equal scores go by row.
    bool before(std::uint32_t a, std::uint32_t b) const {
        return scores_[a] > scores_[b] || (scores_[a] == scores_[b] && rows_[a] < rows_[b]);
    }

    /// Lays out the lists so that boxes which overlap at all meet: centres are then less than half the sum of the sides apart.
    void make_lists() {
        const T plus = options_.legacy_plus_one ? T(1) : T(0);
        T widest = 0, highest = 0;
        for (const std::uint32_t row : rows_) {
            const T* box = boxes_ + 4 * static_cast<std::size_t>(row);
            const T w = box[2] - box[0] + plus, h = box[3] - box[1] + plus;
            if (!is_finite(w * h) || !(w > T(0)) || !(h > T(0))) continue;
            widest = std::max(widest, w);
            highest = std::max(highest, h);
        }
        const std::size_t count = rows_.size();
        grid_.ranges.resize(count);
        bool fine = widest > T(1e-15) && widest < T(1e15) && highest > T(1e-15) && highest < T(1e15);
        if (fine) {
            nms_grid_shape<T> shape{};
            shape.per_x = T(1) / widest;
            shape.per_y = T(1) / highest;
            shape.reach = T(0.5001);
            shape.extra_x = widest * T(0.5001);
            shape.extra_y = highest * T(0.5001);
            shape.blur = 8 * std::numeric_limits<T>::epsilon();
            shape.smallest = 0;
            shape.legacy = options_.legacy_plus_one;
            fine = kernels_.ranges(boxes_, rows_.data(), count, shape, grid_.ranges.data());
            for (const nms_range& r : grid_.ranges) fine = fine && r.wide != 0;
        }
        pass_ = {};
        fine = fine && lay_out_cells(grid_, pass_.cells);
        if (!fine) {  // one list for all
            std::fill(grid_.ranges.begin(), grid_.ranges.end(), nms_range{0, 0, 0, 0, 1, 1});
            lay_out_cells(grid_, pass_.cells);
        }
        pass_.boxes = boxes_;
        pass_.legacy = options_.legacy_plus_one;
        pass_.blocks = grid_.blocks.get();
    }

    /// Applies the boxes taken since the last time, in the order of taking.
    void lower(std::uint32_t candidate) {
        const nms_range& range = grid_.ranges[candidate];
        const nms_grid_cells& g = pass_.cells;
        const std::uint32_t cell =
            ((static_cast<std::uint32_t>(range.y) & g.mask_y) << g.shift) + (static_cast<std::uint32_t>(range.x) & g.mask_x);
        const std::size_t end = g.count[cell];
        const T* blocks = pass_.blocks + static_cast<std::size_t>(g.first_block[cell]) * nms_block_numbers;
        T score = scores_[candidate];
        while (applied_[candidate] < end && enough(score)) {
            const std::size_t from = applied_[candidate];
            const std::size_t to = end - from < some ? end : from + some;
            const std::size_t found =
                kernels_.overlaps(blocks, from, to, boxes_ + 4 * static_cast<std::size_t>(rows_[candidate]), pass_.legacy, overlaps_);
            for (std::size_t i = 0; i < found; ++i) score = lowered(score, overlaps_[i]);
            applied_[candidate] = static_cast<std::uint32_t>(to);
        }
        scores_[candidate] = score;
    }

    T lowered(T score, T iou) const {
        switch (options_.method) {
        case soft_nms_method::naive: return iou > threshold_ ? T(0) : score;
        case soft_nms_method::linear: return iou > threshold_ ? score * (T(1) - iou) : score;
        default: return score * std::exp(-(iou * iou) / sigma_);
        }
    }

    static constexpr std::size_t some = 256;

    const T* boxes_;
    const soft_nms_options& options_;
    const nms_kernels<T>& kernels_;
    T threshold_, sigma_;
    std::vector<std::uint32_t> rows_;     // candidates by first score
    std::vector<T> scores_;               // their latest known scores
    std::vector<std::uint32_t> applied_;  // how much of their list is in them
    std::vector<std::uint32_t> heap_;
    nms_grid<T> grid_;
    nms_pass<T> pass_;
    T overlaps_[some];
};

template <class T>
std::size_t soft_nms_indices_any(const T* boxes, const T* scores, std::size_t n, const soft_nms_options& options,
                                 std::int64_t* out_indices, T* out_scores) {
    check_soft_nms_options(options);
    check(n < 0xffffffffu, "soft_nms: fewer than 2^32 - 1 boxes are supported, got ", n);
    for (std::size_t i = 0; i < n; ++i)
        check(is_finite(scores[i]), "soft_nms: scores must be finite, got ", is_nan(scores[i]) ? "NaN" : "infinity", " at ", i);
    return soft_nms_run<T>(boxes, scores, n, options).run(out_indices, out_scores, soft_nms_capacity(n, options));
}

OCELLI_INLINE std::size_t soft_nms_indices(const float* boxes, const float* scores, std::size_t n, const soft_nms_options& options,
                                           std::int64_t* out_indices, float* out_scores) {
    return soft_nms_indices_any(boxes, scores, n, options, out_indices, out_scores);
}
OCELLI_INLINE std::size_t soft_nms_indices(const double* boxes, const double* scores, std::size_t n, const soft_nms_options& options,
                                           std::int64_t* out_indices, double* out_scores) {
    return soft_nms_indices_any(boxes, scores, n, options, out_indices, out_scores);
}

}  // namespace ocelli::detail
