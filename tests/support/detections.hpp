#pragma once

// Compares found boxes with reference rows of x1 y1 x2 y2 score class.

#include <ocelli/core/tensor.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace ocelli_test {

/// How far found boxes are from the reference, matched one to one.
struct agreement {
    std::size_t found = 0, expected = 0, matched = 0;
    double worst_side = 0, worst_score = 0;
};

/// Matches each reference row with the nearest box of its class that is not taken; boxes farther than `reach` pixels do not
/// match.
template <class Detections>
agreement compare(const Detections& found, const xt::xtensor<float, 2>& reference, double reach) {
    agreement out{.found = found.scores.size(), .expected = reference.shape(0)};
    std::vector<char> taken(out.found, 0);
    for (std::size_t r = 0; r < out.expected; ++r) {
        double best = reach;
        std::size_t match = out.found;
        for (std::size_t i = 0; i < out.found; ++i) {
            if (taken[i] != 0 || static_cast<float>(found.labels(i)) != reference(r, 5)) continue;
            double distance = 0;
            for (std::size_t k = 0; k < 4; ++k)
                distance = std::max(distance, static_cast<double>(std::abs(found.boxes(i, k) - reference(r, k))));
            if (distance <= best) best = distance, match = i;
        }
        if (match == out.found) continue;
        taken[match] = 1;
        ++out.matched;
        out.worst_side = std::max(out.worst_side, best);
        out.worst_score = std::max(out.worst_score, static_cast<double>(std::abs(found.scores(match) - reference(r, 4))));
    }
    return out;
}

/// Checks that the same boxes were found, none missing and none extra, within tolerances in pixels and score.
template <class Detections>
void check_same(const Detections& found, const xt::xtensor<float, 2>& reference, double pixels, double score) {
    const agreement a = compare(found, reference, pixels);
    MESSAGE(a.matched << " of " << a.expected << " matched, " << a.found << " found, worst side " << a.worst_side
                      << " px, worst score " << a.worst_score);
    CHECK(a.found == a.expected);
    CHECK(a.matched == a.expected);
    CHECK(a.worst_score <= score);
}

} // namespace ocelli_test
