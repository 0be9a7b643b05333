#pragma once

/// @file
/// Text in photographs by segmentation: a network that gives every pixel the probability of lying inside (shrunken) text, and
/// the way from that map to rotated boxes, "differentiable binarization" (Liao et al. 2020, arXiv:1911.08947).
///
///     auto find = ocelli::read_text_detector("ch_PP-OCRv4_det_infer.onnx");
///     auto lines = find(ocelli::read_image("page.png"));     // lines.corners (N, 4, 2), lines.scores (N)

#include <ocelli/core/config.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/image/layout.hpp>
#include <ocelli/image/resize.hpp>
#include <ocelli/nn/session.hpp>
#include <ocelli/pipelines/detail/picture_network.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace ocelli {

/// Pieces of text found in a picture.
struct text_boxes {
    /// (N, 4, 2) x, y of the corners in whole pixels of the picture: upper left, upper right, lower right, lower left.
    xt::xtensor<float, 3> corners = xt::xtensor<float, 3>::from_shape({0, 4, 2});
    xt::xtensor<float, 1> scores =
        xt::xtensor<float, 1>::from_shape({0}); ///< (N) mean probability inside the box before it grows

    /// Number of boxes.
    std::size_t size() const noexcept { return scores.size(); }
};

/// How boxes are made of a probability map; the defaults are those of PyPI's rapidocr-onnxruntime 1.4.4.
struct text_boxes_options {
    double threshold = 0.3;         ///< a pixel is text if its probability is greater
    bool dilate = true;             ///< text pixels spread to their right, lower and lower right neighbours (a 2 x 2 square)
    double box_score = 0.5;         ///< a box is left out if its mean probability is lower
    double unclip = 1.6;            ///< boxes grow on all sides by this times area / circumference; in [0, 1000]
    std::int64_t most_boxes = 1000; ///< outlines beyond these are not looked at
};

namespace detail {

text_boxes text_boxes_from_map(const float* map, std::size_t h, std::size_t w, image_size picture,
                               const text_boxes_options& options);

} // namespace detail

/// Makes rotated boxes of a map of text probabilities.
///
/// Every outline of the text pixels, holes among them, gets its smallest rotated rectangle; a rectangle is left out if a side
/// is under 3 pixels of the map or its score too low, grown, left out if a side is under 5, scaled to the picture, rounded, and
/// left out if a side is at most 3 pixels there.
///
/// @param map      (h, w) probabilities
/// @param picture  the boxes are in its pixels
/// @return         from top to bottom, lines whose upper left corners are less than 10 pixels apart from left to right
/// @throws invalid_argument  on another rank, an empty or too large map (a side of 2^31 - 2), a picture's size or most_boxes
///                           that is not positive, an unclip outside [0, 1000]
///
/// Agrees with rapidocr-onnxruntime 1.4.4's detector ("fast" box scores): the same boxes, corners within two pixels of the picture
/// (none off in the photographs of the tests).
template <array_expression M>
text_boxes text_boxes_from_map(const M& map, image_size picture, const text_boxes_options& options = {}) {
    const auto m = as_dense<float, 2>(map, "text_boxes_from_map: map");
    return detail::text_boxes_from_map(m.data(), m.extent(0), m.extent(1), picture, options);
}

/// What a text detector can be asked to do differently; the defaults are those of PyPI's rapidocr-onnxruntime 1.4.4.
struct text_detector_options {
    std::int64_t shorter_side =
        736; ///< smaller pictures are enlarged to this; each side then goes to the nearest multiple of 32
    normalization values = {.scale = 1.0 / 255, .mean = {0.5}, .stddev = {0.5}, .swap_red_blue = true};
    text_boxes_options boxes{};
};

/// Finds text in pictures with a network like PaddleOCR's detectors.
///
/// Immutable: one detector may be used by many threads at once.
class text_detector {
public:
    /// @throws invalid_argument  when the network has not one input (N, 3, height, width) and one output, or an option is out
    /// of range
    explicit text_detector(nn::session network, text_detector_options options = {});

    /// Finds text.
    ///
    /// @param image  (H, W, 3) uint8, red first; its sides at most 64 times apart
    /// @return       boxes in pixels of the image
    /// @throws invalid_argument  on another shape, an empty image
    template <array_expression E>
    text_boxes operator()(const E& image) const {
        const auto pixels = as_dense<std::uint8_t, 3>(image, "text_detector: image");
        const image_size size = detail::picture_size(pixels.shape(), "text_detector");
        const auto map = run(preprocess_pixels(pixels.data(), size));
        return text_boxes_from_map(map, size, options_.boxes);
    }

    /// Brings an image to the network's input: (1, 3, height, width).
    template <array_expression E>
    xt::xtensor<float, 4> preprocess(const E& image) const {
        const auto pixels = as_dense<std::uint8_t, 3>(image, "text_detector: image");
        return preprocess_pixels(pixels.data(), detail::picture_size(pixels.shape(), "text_detector"));
    }

    /// The probabilities (h, w) for an input made by preprocess() or elsewhere.
    template <array_expression E>
    xt::xtensor<float, 2> probabilities(const E& input) const {
        return run(nn::tensor::borrow_expression(input));
    }

    /// Height and width of the network's input for a picture.
    image_size input_size(image_size picture) const;
    const nn::session& network() const noexcept { return network_; }

private:
    xt::xtensor<float, 4> preprocess_pixels(const std::uint8_t* pixels, image_size size) const;
    xt::xtensor<float, 2> run(const nn::tensor& input) const;

    nn::session network_;
    text_detector_options options_;
    std::string input_name_;
};

/// Reads an ONNX network and makes a text detector of it.
/// @throws io_error, format_error, unsupported_operator  like nn::read_onnx; invalid_argument like the constructor
text_detector read_text_detector(const std::string& path, text_detector_options options = {});

} // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/pipelines/impl/text_detector.inl>
#endif
