#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/masks/boundary.hpp>
#include <ocelli/metrics/video_segmentation.hpp>

#include <cmath>
#include <limits>
#include <set>

namespace ocelli::detail {

inline void finish_davis(davis_measure& m) {
    const std::size_t n = m.frames.size();
    double above = 0, sum = 0;
    for (const double v : m.frames) {
        sum += v;
        above += v > 0.5 + std::numeric_limits<double>::epsilon() ? 1 : 0;
    }
    m.mean = sum / static_cast<double>(n);
    m.recall = above / static_cast<double>(n);
    // Quarters share their border frames; borders are rounded half up.
    const auto border = [&](double quarter) {
        const double at = 1 + static_cast<double>(n - 1) * quarter / 4;
        return static_cast<std::size_t>(std::floor(at + 1e-10 + 0.5)) - 1;
    };
    const auto mean_of = [&](std::size_t first, std::size_t last) {
        double part = 0;
        for (std::size_t i = first; i <= last; ++i) part += m.frames[i];
        return part / static_cast<double>(last - first + 1);
    };
    m.decay = mean_of(border(0), border(1)) - mean_of(border(3), border(4));
}

OCELLI_INLINE davis_scores davis_object(const std::uint8_t* truth, const std::uint8_t* prediction, std::size_t frames, std::size_t h,
                                        std::size_t w, double bound) {
    davis_scores out;
    out.j.frames.resize(frames);
    out.f.frames.resize(frames);
    const std::size_t pixels = h * w;
    paired_masks(mask_measure::iou, truth, prediction, frames, pixels, 1.0, out.j.frames.data());
    parallel_for(frames, 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i)
            out.f.frames[i] = boundary_f(prediction + i * pixels, truth + i * pixels, h, w, bound).f;
    });
    finish_davis(out.j);
    finish_davis(out.f);
    out.j_and_f = (out.j.mean + out.f.mean) / 2;
    return out;
}

OCELLI_INLINE davis_sequence davis_evaluate(const std::int64_t* truth, const std::int64_t* prediction, std::size_t frames, std::size_t h,
                                            std::size_t w, std::int64_t void_label, double bound) {
    const std::size_t n = frames * h * w;
    std::set<std::int64_t> labels(truth, truth + n);
    labels.erase(0);
    labels.erase(void_label);
    davis_sequence out;
    std::vector<std::uint8_t> t(n), p(n);
    const auto add = [](davis_measure& to, const davis_measure& from) {
        to.mean += from.mean;
        to.recall += from.recall;
        to.decay += from.decay;
    };
    for (const std::int64_t label : labels) {
        for (std::size_t i = 0; i < n; ++i) {
            t[i] = truth[i] == label ? 1 : 0;
            p[i] = prediction[i] == label && truth[i] != void_label ? 1 : 0;
        }
        out.objects.push_back(davis_object(t.data(), p.data(), frames, h, w, bound));
        out.objects.back().object = label;
        add(out.mean.j, out.objects.back().j);
        add(out.mean.f, out.objects.back().f);
    }
    if (out.objects.empty()) return out;
    const auto count = static_cast<double>(out.objects.size());
    for (davis_measure* m : {&out.mean.j, &out.mean.f}) {
        m->mean /= count;
        m->recall /= count;
        m->decay /= count;
    }
    out.mean.j_and_f = (out.mean.j.mean + out.mean.f.mean) / 2;
    return out;
}

}  // namespace ocelli::detail
