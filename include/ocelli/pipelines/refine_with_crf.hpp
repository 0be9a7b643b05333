#pragma once

/// @file
/// A segmentation's borders moved to where the picture's colours change, by a dense CRF.
///
///     auto seen = ocelli::refine_with_crf(photo, label(photo));

#include <ocelli/core/config.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/pipelines/segmenter.hpp>

#include <cstddef>
#include <cstdint>

namespace ocelli {

/// How borders are refined. The defaults suit pictures of a few hundred pixels whose labels are off by a few; photographs of
/// some megapixels want larger sigma_px (DeepLab took 50 to 100) and smaller sigma_colour.
struct refine_with_crf_options {
    double sigma_px = 20;       ///< how far apart two pixels of one colour speak for the same class
    double sigma_colour = 25;   ///< how different their colours may be, in levels of 0..255
    double weight = 10;         ///< of that term; not negative, 0 leaves it out
    double smooth_sigma_px = 3; ///< how far apart two pixels of any colour speak for the same class
    double smooth_weight = 0;   ///< of that term; not negative, 0 leaves it out
    std::size_t iterations = 5; ///< of mean field
};

namespace detail {

segmentation refine_with_crf(const std::uint8_t* image, std::size_t h, std::size_t w, const segmentation& seen,
                             const refine_with_crf_options& options);

} // namespace detail

/// Labels anew: pixels of like colour near each other should have one class (Krähenbühl and Koltun 2011; DeepLab, Chen et al.
/// 2015).
///
/// @param image    (H, W, 3) uint8, as the segmenter saw it
/// @param seen     with probabilities (C, H, W) of the same size
/// @return         marginals as probabilities, and their likeliest classes
/// @throws invalid_argument  on other shapes, missing probabilities, a weight that is negative, a sigma that is not positive
///
/// See dense_crf for other terms, costs between classes, and any features.
template <array_expression E>
segmentation refine_with_crf(const E& image, const segmentation& seen, const refine_with_crf_options& options = {}) {
    const auto pixels = as_dense<std::uint8_t, 3>(image, "refine_with_crf: image");
    detail::check_shape(pixels, {detail::any, detail::any, 3}, "refine_with_crf: image");
    return detail::refine_with_crf(pixels.data(), pixels.extent(0), pixels.extent(1), seen, options);
}

} // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/pipelines/impl/refine_with_crf.inl>
#endif
