#pragma once

#include <ocelli/boxes/clip.hpp>
#include <ocelli/pipelines/coco_classes.hpp>
#include <ocelli/pipelines/detail/export_notes.hpp>
#include <ocelli/pipelines/detector.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace ocelli {
namespace detail {

/// What a preset says about its family.
struct detector_family {
    const char* name;
    resize_method method;
    bool bgr;
    bool letterboxed;
    double mean, stddev;
    double score_threshold, iou_threshold;
    bool per_class, legacy_plus_one;
    std::size_t outputs;
    std::size_t most = 0; ///< boxes; 0: all
};

OCELLI_INLINE detector_family family_of(detector_preset preset) {
    switch (preset) {
    case detector_preset::ultraface:
        return {"ultraface", resize_method::cv_linear, false, false, 127, 128, 0.7, 0.3, true, false, 2};
    case detector_preset::ultraface_raw:
        return {"ultraface_raw", resize_method::cv_linear, false, false, 127, 128, 0.7, 0.3, true, false, 2};
    case detector_preset::fastestdet:
        return {"fastestdet", resize_method::cv_area, true, false, 0, 255, 0.65, 0.45, false, true, 1};
    case detector_preset::yolo:
        return {"yolo", resize_method::cv_linear, false, true, 0, 255, 0.25, 0.7, true, false, 1, 300};
    case detector_preset::bundled:
        break;
    }
    return {"bundled", resize_method::cv_linear, false, true, 0, 255, 0.5, 0.5, true, false, 2};
}

/// The array of the only picture of a batch.
template <std::size_t N>
array_view<const float, N> only_picture(const nn::tensor& batch, const char* preset, const char* output) {
    const auto& shape = batch.shape();
    check(batch.type() == nn::dtype::float32 && shape.size() == N + 1 && shape[0] == 1, "detector: preset ", preset,
          ": output ", output, " must be a float32 batch of one with ", N + 1, " dimensions, got ", nn::text(batch));
    std::array<std::size_t, N> extents{};
    for (std::size_t i = 0; i < N; ++i) extents[i] = static_cast<std::size_t>(shape[i + 1]);
    return {batch.data<float>(), extents};
}

/// Finds an output by name, or else by its place.
OCELLI_INLINE const nn::tensor& output_of(const nn::named_tensors& outputs, const char* name, std::size_t place) {
    return outputs.contains(name) ? outputs[name] : outputs[place];
}

} // namespace detail

OCELLI_INLINE detector::detector(nn::session network, detector_preset preset, detector_options options)
    : network_(std::move(network)), preset_(preset), names_(std::move(options.class_names)) {
    const auto family = detail::family_of(preset);
    detail::export_notes notes;
    if (preset == detector_preset::yolo) notes = detail::export_notes_of(network_.metadata());
    detail::check(notes.task.empty() || notes.task == "detect", "detector: preset ", family.name, " needs a network for the task detect, this one says that it is for ",
                  notes.task);
    const auto [needed, input] = detail::needed_inputs_of(network_);
    detail::check(needed == 1, "detector: preset ", family.name, " needs a network with one input, this one has ", needed);
    const nn::symbolic_shape& shape = input->shape;
    detail::check(shape.ranked() && shape.rank() == 4 && (!shape[1].known() || shape[1].size == 3), "detector: preset ",
                  family.name, ": the input must have shape (N, 3, height, width), got ", nn::text(shape));
    detail::check(network_.outputs().size() == family.outputs, "detector: preset ", family.name, " needs a network with ",
                  family.outputs, family.outputs == 1 ? " output" : " outputs", ", this one has ", network_.outputs().size());
    input_name_ = input->name;
    if (!options.input_size && !(shape[2].known() && shape[3].known())) options.input_size = notes.input_size;
    detail::check(options.input_size || (shape[2].known() && shape[3].known()),
                  "detector: the network leaves the size of its input open: give detector_options::input_size");
    input_ = options.input_size ? *options.input_size : image_size{shape[2].size, shape[3].size};
    detail::check(input_.height > 0 && input_.width > 0 && input_.height <= 65536 && input_.width <= 65536,
                  "detector: the input must be 1 to 65536 pixels high and wide, got ", input_.height, " x ", input_.width);

    score_threshold_ = options.score_threshold.value_or(family.score_threshold);
    detail::check(score_threshold_ >= 0 && score_threshold_ <= 1, "detector: score_threshold must be in [0, 1], got ",
                  score_threshold_);
    suppression_.iou_threshold = options.iou_threshold.value_or(family.iou_threshold);
    detail::check(suppression_.iou_threshold >= 0 && suppression_.iou_threshold <= 1,
                  "detector: iou_threshold must be in [0, 1], got ", suppression_.iou_threshold);
    suppression_.legacy_plus_one = family.legacy_plus_one;
    suppression_.max_output = family.most;
    if (preset == detector_preset::ultraface_raw) priors_ = ultraface_priors(input_.height, input_.width);

    if (names_.empty()) names_ = std::move(notes.class_names);
    if (names_.empty()) {
        const nn::symbolic_shape& first = network_.outputs()[0].shape;
        switch (preset) {
        case detector_preset::bundled:
            names_ = {"disc", "square", "triangle", "star", "ring", "cross"};
            break;
        case detector_preset::ultraface:
        case detector_preset::ultraface_raw:
            names_ = {"background", "face"};
            break;
        case detector_preset::fastestdet:
            if (first.ranked() && first.rank() == 4 && first[1].known() && first[1].size == 85)
                names_.assign(coco_class_names.begin(), coco_class_names.end());
            break;
        case detector_preset::yolo:
            if (first.ranked() && first.rank() == 3 && first[1].known() && first[1].size == 84)
                names_.assign(coco_class_names.begin(), coco_class_names.end());
            break;
        }
    }
}

OCELLI_INLINE std::string detector::class_name(std::int64_t label) const {
    return detail::label_name(names_, label);
}

OCELLI_INLINE xt::xtensor<float, 4> detector::preprocess_pixels(const std::uint8_t* pixels, image_size size) const {
    const auto family = detail::family_of(preset_);
    const normalization values{.mean = {family.mean}, .stddev = {family.stddev}, .swap_red_blue = family.bgr};
    const auto image = view(pixels, {size.height, size.width, 3});
    if (size == input_) return hwc_to_nchw(image, values);
    if (!family.letterboxed) return hwc_to_nchw(resize(image, input_, family.method), values);
    return hwc_to_nchw(letterbox(image, input_, {.method = family.method}).image, values);
}

OCELLI_INLINE detections detector::run(const nn::tensor& input, image_size picture) const {
    const nn::dims expected = {1, 3, input_.height, input_.width};
    detail::check(input.shape() == expected, "detector: input must have shape ", detail::shape_text(expected), ", got ",
                  detail::shape_text(input.shape()));
    return postprocess(network_.run({{input_name_, input}}), picture);
}

OCELLI_INLINE detections detector::postprocess(const nn::named_tensors& outputs, image_size picture) const {
    const auto family = detail::family_of(preset_);
    detail::check(outputs.size() == family.outputs, "detector: preset ", family.name, " decodes ", family.outputs,
                  " outputs, got ", outputs.size());
    const auto width = static_cast<double>(picture.width), height = static_cast<double>(picture.height);
    detections found;
    switch (preset_) {
    case detector_preset::ultraface:
    case detector_preset::ultraface_raw: {
        const auto scores = detail::only_picture<2>(detail::output_of(outputs, "scores", 0), family.name, "scores");
        const auto boxes = detail::only_picture<2>(detail::output_of(outputs, "boxes", 1), family.name, "boxes");
        if (preset_ == detector_preset::ultraface) {
            found = ultraface_candidates(scores, boxes, score_threshold_, width, height);
        } else {
            detail::check(boxes.extent(0) == priors_.shape(0), "detector: preset ultraface_raw: an input of ", input_.height,
                          " x ", input_.width, " has ", priors_.shape(0), " priors, the network gives ", boxes.extent(0),
                          " boxes");
            found = ultraface_candidates(scores, ultraface_boxes(boxes, priors_), score_threshold_, width, height);
        }
        return suppress(found, suppression_, family.per_class);
    }
    case detector_preset::fastestdet:
        found = fastestdet_candidates(detail::only_picture<3>(outputs[0], family.name, "0"), score_threshold_, width, height);
        return suppress(found, suppression_, family.per_class);
    case detector_preset::yolo: {
        const auto output = detail::only_picture<2>(outputs[0], family.name, "0");
        // ultralytics tells them apart in the same way.
        if (output.extent(1) == 6) found = suppress(yolo_rows(output, score_threshold_), {.iou_threshold = 1, .max_output = family.most}, false);
        else found = suppress(yolo_candidates(output, score_threshold_), suppression_, family.per_class);
        found.boxes = scale_boxes(found.boxes, {static_cast<double>(input_.height), static_cast<double>(input_.width)}, {height, width});
        return found;
    }
    case detector_preset::bundled:
        break;
    }
    const auto logits = detail::only_picture<3>(detail::output_of(outputs, "logits", 0), family.name, "logits");
    const auto sides = detail::only_picture<3>(detail::output_of(outputs, "sides", 1), family.name, "sides");
    const auto in_width = static_cast<double>(input_.width), in_height = static_cast<double>(input_.height);
    found = suppress(point_candidates(logits, sides, score_threshold_, in_width, in_height), suppression_, family.per_class);
    found.boxes = scale_boxes(found.boxes, {in_height, in_width}, {height, width});
    return found;
}

OCELLI_INLINE detector read_detector(const std::string& path, detector_preset preset, detector_options options) {
    return detector(nn::session(nn::read_onnx(path)), preset, std::move(options));
}

} // namespace ocelli
