#pragma once

/// @file
/// Video object segmentation: the region similarity J, the contour accuracy F and J&F of DAVIS.

#include <ocelli/core/config.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/masks/detail/arguments.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ocelli {

/// J or F of one object over the frames of a sequence.
struct davis_measure {
    std::vector<double> frames;  ///< the value in each frame
    double mean = 0;
    double recall = 0;           ///< part of the frames above 0.5
    double decay = 0;            ///< mean of the first quarter minus mean of the last
};

/// What DAVIS says of one object, or of a sequence (the mean over its objects; `frames` empty then).
struct davis_scores {
    std::int64_t object = 0;  ///< its label; 0 for a sequence
    davis_measure j;
    davis_measure f;
    double j_and_f = 0;       ///< mean of the two means
};

/// A sequence and its objects.
struct davis_sequence {
    davis_scores mean;
    std::vector<davis_scores> objects;
};

namespace detail {

davis_scores davis_object(const std::uint8_t* truth, const std::uint8_t* prediction, std::size_t frames, std::size_t h, std::size_t w,
                          double bound);
davis_sequence davis_evaluate(const std::int64_t* truth, const std::int64_t* prediction, std::size_t frames, std::size_t h, std::size_t w,
                              std::int64_t void_label, double bound);

template <class A, class B>
void check_davis(const A& a, const B& b, double bound, const char* name) {
    check(a.shape() == b.shape(), name, ": truth and prediction must have the same shape, got ", shape_text(a.shape()), " and ",
          shape_text(b.shape()));
    check(a.extent(0) > 0, name, ": a sequence must have a frame");
    check(bound >= 0 && bound <= 1e6, name, ": the tolerance must be in [0, 1e6], got ", bound);
}

}  // namespace detail

/// Compares one object's masks over a sequence.
///
/// @param truth, prediction  (T, H, W) bool or integers, frame for frame. DAVIS leaves out the first and the last frame of its
///                           semi-supervised task: leave them out of the arguments.
/// @param bound              the tolerance of F, as boundary_f's
/// @throws invalid_argument  on other ranks, different shapes, no frames
///
/// J is the IoU, 1 where both masks are empty. Agrees with TrackEval's J&F (per object) and davis2017-evaluation to 1e-12; these keep the
/// frame numbers of the quarters in a byte and are wrong from 257 frames on.
template <array_expression T, array_expression P>
davis_scores davis_object(const T& truth, const P& prediction, double bound = 0.008) {
    const auto t = detail::as_mask<3>(truth, "davis_object: truth");
    const auto p = detail::as_mask<3>(prediction, "davis_object: prediction");
    detail::check_davis(t, p, bound, "davis_object");
    return detail::davis_object(t.data(), p.data(), t.extent(0), t.extent(1), t.extent(2), bound);
}

/// Compares label maps over a sequence: every label of the truth but 0 is an object, predicted under the same label.
///
/// @param truth, prediction  (T, H, W) integers
/// @param void_label         pixels with this truth count for no object, and what is predicted there is not looked at; 255 as DAVIS 2017
/// @return                   objects by increasing label; none where the truth is background throughout (means 0 then)
/// @throws invalid_argument  as davis_object
template <array_expression T, array_expression P>
davis_sequence davis_evaluate(const T& truth, const P& prediction, std::int64_t void_label = 255, double bound = 0.008) {
    const auto t = as_dense<std::int64_t, 3>(truth, "davis_evaluate: truth");
    const auto p = as_dense<std::int64_t, 3>(prediction, "davis_evaluate: prediction");
    detail::check_davis(t, p, bound, "davis_evaluate");
    return detail::davis_evaluate(t.data(), p.data(), t.extent(0), t.extent(1), t.extent(2), void_label, bound);
}

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/metrics/impl/video_segmentation.inl>
#endif
