#pragma once

#include <ocelli/metrics/panoptic.hpp>

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

namespace ocelli {
namespace detail {

inline panoptic_quality quality_of(const panoptic_counts& c) {
    if (c.true_positives + c.false_positives + c.false_negatives == 0) return {};
    const auto matched = static_cast<double>(c.true_positives);
    const double whole = matched + 0.5 * static_cast<double>(c.false_positives) + 0.5 * static_cast<double>(c.false_negatives);
    return {c.iou / whole, c.true_positives == 0 ? 0 : c.iou / matched, matched / whole, 1};
}

/// A listed segment and what the maps say of it.
struct panoptic_entry {
    panoptic_annotation segment;
    std::int64_t area = 0;
    bool matched = false;
};

inline std::map<std::int64_t, panoptic_entry> panoptic_entries(std::span<const panoptic_annotation> segments, const char* what) {
    std::map<std::int64_t, panoptic_entry> out;
    for (const panoptic_annotation& s : segments) {
        check(s.id > 0 && s.id <= 0xffffffff, "panoptic_evaluator: segment ids must be in [1, 2^32), got ", s.id, " in the ", what);
        check(out.try_emplace(s.id, panoptic_entry{s, 0, false}).second, "panoptic_evaluator: segment ", s.id, " is listed twice in the ", what);
    }
    return out;
}

}  // namespace detail

OCELLI_INLINE panoptic_evaluator::panoptic_evaluator(std::span<const panoptic_category> categories)
    : categories_(categories.begin(), categories.end()) {
    std::sort(categories_.begin(), categories_.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    for (std::size_t i = 1; i < categories_.size(); ++i)
        detail::check(categories_[i - 1].id != categories_[i].id, "panoptic_evaluator: category ", categories_[i].id, " is listed twice");
    for (const panoptic_category& c : categories_) counts_[c.id] = {};
}

OCELLI_INLINE void panoptic_evaluator::add_maps(const std::int64_t* truth, std::span<const panoptic_annotation> truth_segments,
                                                const std::int64_t* prediction, std::span<const panoptic_annotation> predicted_segments,
                                                std::size_t n) {
    auto real = detail::panoptic_entries(truth_segments, "truth");
    auto said = detail::panoptic_entries(predicted_segments, "prediction");
    for (const auto& [id, e] : said)
        detail::check(counts_.contains(e.segment.category), "panoptic_evaluator: segment ", id, " of the prediction has the unknown category ",
                      e.segment.category);
    // How many pixels each pair of ids shares; neighbours mostly share their pair.
    std::unordered_map<std::uint64_t, std::int64_t> together;
    for (std::size_t i = 0; i < n;) {
        const std::int64_t t = truth[i], p = prediction[i];
        detail::check(t >= 0 && t <= 0xffffffff && p >= 0 && p <= 0xffffffff, "panoptic_evaluator: segment ids must be in [0, 2^32), got ", t,
                      " and ", p);
        std::size_t end = i + 1;
        while (end < n && truth[end] == t && prediction[end] == p) ++end;
        together[static_cast<std::uint64_t>(t) << 32 | static_cast<std::uint64_t>(p)] += static_cast<std::int64_t>(end - i);
        i = end;
    }
    std::vector<std::pair<std::uint64_t, std::int64_t>> pairs(together.begin(), together.end());
    std::sort(pairs.begin(), pairs.end());  // sums in one order, whatever the hash
    const auto shared = [&](std::int64_t t, std::int64_t p) {
        const auto found = together.find(static_cast<std::uint64_t>(t) << 32 | static_cast<std::uint64_t>(p));
        return found == together.end() ? std::int64_t{0} : found->second;
    };
    for (const auto& [pair, pixels] : pairs) {
        const auto t = static_cast<std::int64_t>(pair >> 32), p = static_cast<std::int64_t>(pair & 0xffffffffu);
        if (const auto found = real.find(t); found != real.end()) found->second.area += pixels;
        if (p == 0) continue;
        const auto found = said.find(p);
        detail::check(found != said.end(), "panoptic_evaluator: segment ", p, " is in the predicted map but not listed");
        found->second.area += pixels;
    }
    for (const auto& [id, e] : said)
        detail::check(e.area > 0, "panoptic_evaluator: segment ", id, " of the prediction is listed but not in the map");
    for (auto& [id, e] : real)
        if (e.segment.area >= 0) e.area = e.segment.area;

    for (const auto& [pair, pixels] : pairs) {
        const auto t = static_cast<std::int64_t>(pair >> 32), p = static_cast<std::int64_t>(pair & 0xffffffffu);
        const auto a = real.find(t);
        const auto b = said.find(p);
        if (a == real.end() || b == said.end() || a->second.segment.is_crowd) continue;
        if (a->second.segment.category != b->second.segment.category) continue;
        const double united = static_cast<double>(a->second.area + b->second.area - pixels - shared(0, p));
        const double iou = static_cast<double>(pixels) / united;
        if (!(iou > 0.5)) continue;
        panoptic_counts& c = counts_[a->second.segment.category];
        ++c.true_positives;
        c.iou += iou;
        a->second.matched = true;
        b->second.matched = true;
    }
    std::map<std::int64_t, std::int64_t> crowds;  // of each category the one listed last, as panopticapi
    for (const panoptic_annotation& s : truth_segments) {
        if (s.is_crowd) {
            crowds[s.category] = s.id;
        } else if (!real.at(s.id).matched) {
            if (const auto found = counts_.find(s.category); found != counts_.end()) ++found->second.false_negatives;
        }
    }
    for (const auto& [id, e] : said) {
        if (e.matched) continue;
        std::int64_t excused = shared(0, id);
        if (const auto crowd = crowds.find(e.segment.category); crowd != crowds.end()) excused += shared(crowd->second, id);
        if (static_cast<double>(excused) / static_cast<double>(e.area) > 0.5) continue;
        ++counts_[e.segment.category].false_positives;
    }
}

OCELLI_INLINE void panoptic_evaluator::merge(const panoptic_evaluator& other) {
    detail::check(std::equal(categories_.begin(), categories_.end(), other.categories_.begin(), other.categories_.end(),
                             [](const auto& a, const auto& b) { return a.id == b.id && a.is_thing == b.is_thing; }),
                  "panoptic_evaluator: merged evaluators must have the same categories");
    for (const auto& [id, c] : other.counts_) {
        panoptic_counts& to = counts_[id];
        to.iou += c.iou;
        to.true_positives += c.true_positives;
        to.false_positives += c.false_positives;
        to.false_negatives += c.false_negatives;
    }
}

OCELLI_INLINE panoptic_counts panoptic_evaluator::counts(std::int64_t id) const {
    const auto found = counts_.find(id);
    detail::check(found != counts_.end(), "panoptic_evaluator: unknown category ", id);
    return found->second;
}

OCELLI_INLINE panoptic_quality panoptic_evaluator::category(std::int64_t id) const {
    return detail::quality_of(counts(id));
}

OCELLI_INLINE panoptic_quality panoptic_evaluator::mean(bool with_things, bool with_stuff) const {
    panoptic_quality out;
    for (const panoptic_category& c : categories_) {
        if (c.is_thing ? !with_things : !with_stuff) continue;
        const panoptic_quality one = category(c.id);
        out.pq += one.pq;
        out.sq += one.sq;
        out.rq += one.rq;
        out.categories += one.categories;
    }
    if (out.categories == 0) return out;
    const auto n = static_cast<double>(out.categories);
    out.pq /= n;
    out.sq /= n;
    out.rq /= n;
    return out;
}

OCELLI_INLINE panoptic_quality panoptic_evaluator::all() const {
    return mean(true, true);
}
OCELLI_INLINE panoptic_quality panoptic_evaluator::things() const {
    return mean(true, false);
}
OCELLI_INLINE panoptic_quality panoptic_evaluator::stuff() const {
    return mean(false, true);
}

}  // namespace ocelli
