#pragma once

#include <ocelli/core/error.hpp>
#include <ocelli/crf/dense_crf.hpp>
#include <ocelli/crf/unary.hpp>
#include <ocelli/pipelines/refine_with_crf.hpp>

namespace ocelli::detail {

OCELLI_INLINE segmentation refine_with_crf(const std::uint8_t* image, std::size_t h, std::size_t w, const segmentation& seen,
                                           const refine_with_crf_options& options) {
    const auto& shape = seen.probabilities.shape();
    check(shape[0] > 0, "refine_with_crf: the segmentation has no probabilities");
    check(shape[1] == h && shape[2] == w, "refine_with_crf: image and probabilities must have the same height and width, got (",
          h, ", ", w, ", 3) and ", shape_text(shape));
    check(options.weight >= 0 && options.smooth_weight >= 0, "refine_with_crf: weights must not be negative, got ",
          options.weight, " and ", options.smooth_weight);
    dense_crf<float, 2> field({h, w}, shape[0]);
    field.set_unary(ocelli::unary_from_probabilities(seen.probabilities));
    if (options.weight > 0)
        field.add_bilateral(options.sigma_px, options.sigma_colour, view(image, {h, w, std::size_t{3}}), options.weight);
    if (options.smooth_weight > 0) field.add_gaussian(options.smooth_sigma_px, options.smooth_weight);
    segmentation out;
    out.probabilities = field.infer(options.iterations);
    out.labels = field.map(out.probabilities);
    return out;
}

} // namespace ocelli::detail
