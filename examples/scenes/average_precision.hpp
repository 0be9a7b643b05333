#pragma once

/// @file
/// Counts what a detector found in scenes, and its average precision.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace scenes {

/// What a detector made of the objects of one class.
struct class_score {
    std::int64_t objects = 0;      ///< that should be found
    std::int64_t found = 0;        ///< at the counting score or above
    std::int64_t missed = 0;       ///< objects - found
    std::int64_t false_alarms = 0; ///< detections at the counting score or above that are no object, or one found already
    double average_precision = 0;  ///< over all scores
};

/// Collects detections and true objects picture by picture.
///
/// A detection belongs to the object of its class in its picture with which its IoU is highest; it is a hit if that IoU is at
/// least the threshold and no better-scored detection took the object before. Objects of which less than `min_visibility` can
/// be seen count neither way. Average precision is the area under the precision-recall curve after precision is made to fall
/// monotonically (PASCAL VOC since 2010, "every point").
class detection_score {
public:
    explicit detection_score(std::int64_t classes, double iou_threshold = 0.5, double counting_score = 0.5,
                             double min_visibility = 0.25)
        : entries_(static_cast<std::size_t>(classes)), objects_(static_cast<std::size_t>(classes), 0),
          iou_threshold_(iou_threshold), counting_score_(counting_score), min_visibility_(min_visibility) {}

    /// Adds a picture.
    /// @param boxes, scores, labels                  (K, 4), (K), (K) detections in any order
    /// @param true_boxes, true_labels, visibility    (N, 4), (N), (N) objects
    template <class B, class S, class L, class TB, class TL, class V>
    void add(const B& boxes, const S& scores, const L& labels, const TB& true_boxes, const TL& true_labels,
             const V& visibility) {
        std::vector<std::size_t> order(scores.size());
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores(a) > scores(b); });

        for (std::size_t j = 0; j < true_labels.size(); ++j)
            if (visible(visibility(j))) ++objects_[static_cast<std::size_t>(true_labels(j))];
        std::vector<char> taken(true_labels.size(), 0);
        for (const std::size_t i : order) {
            double best = 0;
            std::size_t object = 0;
            for (std::size_t j = 0; j < true_labels.size(); ++j) {
                if (true_labels(j) != labels(i)) continue;
                const double overlap = iou({boxes(i, 0), boxes(i, 1), boxes(i, 2), boxes(i, 3)},
                                           {true_boxes(j, 0), true_boxes(j, 1), true_boxes(j, 2), true_boxes(j, 3)});
                if (overlap > best) best = overlap, object = j;
            }
            bool hit = false;
            if (best > 0 && best >= iou_threshold_) {
                if (!visible(visibility(object))) continue;
                hit = taken[object] == 0;
                taken[object] = 1;
            }
            entries_[static_cast<std::size_t>(labels(i))].push_back({static_cast<double>(scores(i)), hit});
        }
    }

    /// One entry per class.
    std::vector<class_score> result() const {
        std::vector<class_score> out(entries_.size());
        for (std::size_t c = 0; c < out.size(); ++c) {
            auto list = entries_[c];
            std::stable_sort(list.begin(), list.end(), [](const entry& a, const entry& b) { return a.score > b.score; });
            out[c].objects = objects_[c];
            std::vector<double> precision, recall;
            std::int64_t hits = 0;
            for (std::size_t i = 0; i < list.size(); ++i) {
                hits += list[i].hit;
                if (list[i].score >= counting_score_) ++(list[i].hit ? out[c].found : out[c].false_alarms);
                precision.push_back(static_cast<double>(hits) / static_cast<double>(i + 1));
                recall.push_back(objects_[c] > 0 ? static_cast<double>(hits) / static_cast<double>(objects_[c]) : 0.0);
            }
            out[c].missed = out[c].objects - out[c].found;
            double envelope = 0;
            for (std::size_t i = list.size(); i-- > 0;) {
                envelope = std::max(envelope, precision[i]);
                out[c].average_precision += envelope * (recall[i] - (i > 0 ? recall[i - 1] : 0.0));
            }
        }
        return out;
    }

    /// The mean of the classes' average precision.
    double mean_average_precision() const {
        const auto all = result();
        double sum = 0;
        for (const class_score& c : all) sum += c.average_precision;
        return all.empty() ? 0.0 : sum / static_cast<double>(all.size());
    }

private:
    struct entry {
        double score;
        bool hit;
    };
    using box = std::array<double, 4>;

    bool visible(double fraction) const { return fraction >= min_visibility_; }

    static double iou(const box& a, const box& b) {
        const double w = std::min(a[2], b[2]) - std::max(a[0], b[0]), h = std::min(a[3], b[3]) - std::max(a[1], b[1]);
        if (w <= 0 || h <= 0) return 0;
        return w * h / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h);
    }

    std::vector<std::vector<entry>> entries_;
    std::vector<std::int64_t> objects_;
    double iou_threshold_, counting_score_, min_visibility_;
};

} // namespace scenes
