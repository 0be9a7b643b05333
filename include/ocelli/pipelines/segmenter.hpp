#pragma once

/// @file
/// A segmenter: a picture in, a class for every pixel out.
///
///     auto label = ocelli::read_segmenter("espnet_p2_q8_cityscapes.onnx", ocelli::segmenter_preset::espnet);
///     auto seen = label(ocelli::read_image("street.png"));     // seen.labels (H, W), seen.probabilities (C, H, W)
///
/// Any network with one picture as its input and a map of logits, probabilities or labels as its output will do: what its
/// training expects of pixels is told by segmenter_options.

#include <ocelli/core/config.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/image/draw.hpp>
#include <ocelli/image/layout.hpp>
#include <ocelli/image/resize.hpp>
#include <ocelli/nn/session.hpp>
#include <ocelli/pipelines/detail/picture_network.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ocelli {

/// A class for every pixel.
struct segmentation {
    xt::xtensor<std::int64_t, 2> labels = xt::xtensor<std::int64_t, 2>::from_shape({0, 0}); ///< (H, W) the likeliest class
    /// (C, H, W) of every class; (0, H, W) where the network gives labels alone.
    xt::xtensor<float, 3> probabilities = xt::xtensor<float, 3>::from_shape({0, 0, 0});
};

namespace detail {

segmentation segmentation_from_logits(const float* logits, std::size_t channels, std::size_t h, std::size_t w,
                                      image_size picture, bool are_probabilities);

} // namespace detail

/// Turns logits into probabilities and labels at the size of the picture: enlarges them bilinearly (torch's interpolate,
/// align_corners = False), then takes the softmax over the classes.
///
/// @param logits   (C, h, w); one channel counts as the logit of class 1 against class 0 (sigmoid)
/// @param picture  the size of the result
/// @param are_probabilities  the values are probabilities already: they are enlarged, no more
/// @return         the first of equal classes is the label
/// @throws invalid_argument  on no classes, an empty map, a size that is not positive
template <array_expression L>
segmentation segmentation_from_logits(const L& logits, image_size picture, bool are_probabilities = false) {
    const auto l = as_dense<float, 3>(logits, "segmentation_from_logits: logits");
    return detail::segmentation_from_logits(l.data(), l.extent(0), l.extent(1), l.extent(2), picture, are_probabilities);
}

/// The families of segmentation networks.
///
/// | preset | picture to input | size, where the network leaves it open |
/// |---|---|---|
/// | bundled | rgb / 255, stretched by cv_linear | the picture's, to multiples of 32 |
/// | espnet | (bgr - mean) / stddev, stretched by cv_linear, / 255 | 1024 wide, as high in proportion, to a multiple of 32 |
///
/// bundled is examples/models/scene_segmenter.onnx, and with segmenter_options::values most networks there are. espnet is
/// sacmehta/ESPNet for Cityscapes' classes.
enum class segmenter_preset : std::uint8_t { bundled, espnet };

/// What may differ from the preset.
struct segmenter_options {
    /// From pixels to network values, for torchvision's networks {.scale = 1.0 / 255, .mean = {0.485, 0.456, 0.406}, .stddev =
    /// {0.229, 0.224, 0.225}}.
    std::optional<normalization> values{};
    std::optional<image_size> input_size{}; ///< of the network's input: where it leaves it open, or allows another
    std::string output{};                   ///< the output to read; default: the first
    bool outputs_probabilities = false;     ///< the network ends in a softmax or sigmoid
    std::vector<std::string> class_names{}; ///< by label; default: the preset's own, where their number fits
    std::vector<rgb> colours{};             ///< by label; default: the preset's own or the palette
};

/// Gives every pixel of a picture a class, with a network of any family that is told or known.
///
/// Immutable: one segmenter may be used by many threads at once.
class segmenter {
public:
    /// @throws invalid_argument  when the network has not one input (N, 3, height, width), lacks the output, or an option is
    /// out of range
    segmenter(nn::session network, segmenter_preset preset, segmenter_options options = {});

    /// Labels a picture: preprocess, run, enlarge, softmax.
    ///
    /// @param image  (H, W, 3) uint8, red first
    /// @return       of the picture's size
    /// @throws invalid_argument  on another shape, an empty image, an output that is no map
    template <array_expression E>
    segmentation operator()(const E& image) const {
        const auto pixels = as_dense<std::uint8_t, 3>(image, "segmenter: image");
        const image_size size = detail::picture_size(pixels.shape(), "segmenter");
        return segment(preprocess_pixels(pixels.data(), size), size);
    }

    /// Brings an image to the network's input: (1, 3, height, width), as preset and options say.
    template <array_expression E>
    xt::xtensor<float, 4> preprocess(const E& image) const {
        const auto pixels = as_dense<std::uint8_t, 3>(image, "segmenter: image");
        return preprocess_pixels(pixels.data(), detail::picture_size(pixels.shape(), "segmenter"));
    }

    /// Runs the network on an input made by preprocess() or elsewhere.
    ///
    /// @param input    (1, 3, height, width)
    /// @param picture  the size of the result
    template <array_expression E>
    segmentation segment(const E& input, image_size picture) const {
        return run(nn::tensor::borrow_expression(input), picture);
    }

    /// Decodes an output of the network from elsewhere: float (1, C, h, w), or labels as integers (1, h, w) or (1, 1, h, w),
    /// which are enlarged by nearest neighbour.
    segmentation postprocess(const nn::tensor& output, image_size picture) const;

    /// Height and width of the network's input for a picture.
    image_size input_size(image_size picture) const;
    /// Names by label; may be empty.
    const std::vector<std::string>& class_names() const noexcept { return names_; }
    /// The name of a label; "class 7" where none is known.
    std::string class_name(std::int64_t label) const;
    /// The colour of a label.
    rgb colour(std::int64_t label) const;
    const nn::session& network() const noexcept { return network_; }

private:
    xt::xtensor<float, 4> preprocess_pixels(const std::uint8_t* pixels, image_size size) const;
    segmentation run(const nn::tensor& input, image_size picture) const;

    nn::session network_;
    segmenter_preset preset_;
    normalization values_;
    bool outputs_probabilities_;
    std::string input_name_, output_name_;
    std::optional<std::int64_t> height_, width_;
    std::vector<std::string> names_;
    std::vector<rgb> colours_;
};

/// Reads an ONNX network and makes a segmenter of it.
/// @throws io_error, format_error, unsupported_operator  like nn::read_onnx; invalid_argument like the constructor
segmenter read_segmenter(const std::string& path, segmenter_preset preset, segmenter_options options = {});

} // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/pipelines/impl/segmenter.inl>
#endif
