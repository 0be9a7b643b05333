#pragma once

/// @file
/// A detector: a picture in, boxes out.
///
///     auto find = ocelli::read_detector("version-RFB-320.onnx", ocelli::detector_preset::ultraface);
///     auto faces = find(ocelli::read_image("photo.jpg"));     // faces.boxes in the photograph's pixels, faces.scores,
///     faces.labels
///
///     auto find = ocelli::read_detector("yolo11n.onnx", ocelli::detector_preset::yolo);       // as ultralytics exports it
///
/// A preset holds what a family of networks was trained with: the order of colours, the resize, the range of values, the
/// decoding, the thresholds. The size of the input, the number of classes and of boxes are the network's own.

#include <ocelli/core/config.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/image/layout.hpp>
#include <ocelli/image/letterbox.hpp>
#include <ocelli/image/resize.hpp>
#include <ocelli/nn/session.hpp>
#include <ocelli/pipelines/detail/picture_network.hpp>
#include <ocelli/pipelines/detection_heads.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ocelli {

/// The families of detection networks.
///
/// - bundled: rgb / 255, letterboxed (bars of 114); outputs logits (C, H, W) and sides (4, H, W), see point_candidates;
///   score > 0.5, IoU 0.5 per class.
/// - ultraface: (rgb - 127) / 128, stretched by cv_linear; outputs scores (P, C) and boxes (P, 4), see ultraface_candidates;
///   score > 0.7, IoU 0.3 per class. Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB.
/// - ultraface_raw: its networks without_postprocessing; boxes are regressions, see ultraface_boxes.
/// - fastestdet: bgr / 255, stretched by cv_area; output (5 + C, H, W), see fastestdet_candidates; score > 0.65, IoU 0.45 of
///   all classes, sides counted with both border pixels. dog-qiuqiu/FastestDet; corners are truncated to whole pixels before
///   NMS, as its source does.
/// - yolo: rgb / 255, letterboxed (bars of 114); output (4 + C, P), see yolo_candidates, or, of networks that select boxes
///   themselves, (N, 6), see yolo_rows; score > 0.25, IoU 0.7 per class, at most 300 boxes. What ultralytics exports for
///   detection (YOLOv3u to 26, with nms or without), selected and scaled as its predict() does. The names of the classes and the
///   size of an input that the network leaves open are those that the exporter noted in the file.
enum class detector_preset : std::uint8_t { bundled, ultraface, ultraface_raw, fastestdet, yolo };

/// What may differ from the preset.
struct detector_options {
    std::optional<double> score_threshold{}; ///< a score must be greater
    std::optional<double> iou_threshold{};   ///< a box is dropped if its IoU with a better one is greater
    std::optional<image_size> input_size{};  ///< of the network's input: where it leaves it open, or allows another
    std::vector<std::string> class_names{};  ///< by label; default: the file's own (yolo), or the preset's, where their number fits
};

/// Finds objects in pictures with a network of a known family.
///
/// Immutable: one detector may be used by many threads at once.
class detector {
public:
    /// @throws invalid_argument  when the network's inputs or outputs are not those of the preset, or a threshold is out of
    /// range
    detector(nn::session network, detector_preset preset, detector_options options = {});

    /// Finds objects: preprocess, run, postprocess.
    ///
    /// @param image  (H, W, 3) uint8, red first
    /// @return       boxes in pixels of the image, best first
    /// @throws invalid_argument  on another shape or an empty image
    template <array_expression E>
    detections operator()(const E& image) const {
        const auto pixels = as_dense<std::uint8_t, 3>(image, "detector: image");
        const image_size size = detail::picture_size(pixels.shape(), "detector");
        return detect(preprocess_pixels(pixels.data(), size), size);
    }

    /// Brings an image to the network's input: (1, 3, height, width), as the preset says.
    template <array_expression E>
    xt::xtensor<float, 4> preprocess(const E& image) const {
        const auto pixels = as_dense<std::uint8_t, 3>(image, "detector: image");
        return preprocess_pixels(pixels.data(), detail::picture_size(pixels.shape(), "detector"));
    }

    /// Runs the network on an input made by preprocess() or elsewhere, and decodes.
    ///
    /// @param input    (1, 3, height, width)
    /// @param picture  the size of the picture the input was made of
    template <array_expression E>
    detections detect(const E& input, image_size picture) const {
        return run(nn::tensor::borrow_expression(input), picture);
    }

    /// Decodes the network's outputs to boxes in pixels of the picture.
    detections postprocess(const nn::named_tensors& outputs, image_size picture) const;

    /// Height and width of the network's input.
    image_size input_size() const noexcept { return input_; }
    /// Names by label; may be empty.
    const std::vector<std::string>& class_names() const noexcept { return names_; }
    /// The name of a label; "class 7" where none is known.
    std::string class_name(std::int64_t label) const;
    const nn::session& network() const noexcept { return network_; }

private:
    xt::xtensor<float, 4> preprocess_pixels(const std::uint8_t* pixels, image_size size) const;
    detections run(const nn::tensor& input, image_size picture) const;

    nn::session network_;
    detector_preset preset_;
    std::string input_name_;
    image_size input_;
    nms_options suppression_;
    double score_threshold_ = 0;
    std::vector<std::string> names_;
    xt::xtensor<float, 2> priors_;
};

/// Reads an ONNX network and makes a detector of it.
/// @throws io_error, format_error, unsupported_operator  like nn::read_onnx; invalid_argument like the constructor
detector read_detector(const std::string& path, detector_preset preset, detector_options options = {});

} // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/pipelines/impl/detector.inl>
#endif
