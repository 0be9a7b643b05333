#pragma once

#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/onnx.hpp>
#include <ocelli/pipelines/cityscapes_classes.hpp>
#include <ocelli/pipelines/segmenter.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace ocelli {
namespace detail {

/// Float values of one pixel for all classes, to probabilities in place; gives the likeliest.
inline std::size_t classify(float* values, std::size_t classes, bool are_probabilities) noexcept {
    std::size_t best = 0;
    for (std::size_t c = 1; c < classes; ++c)
        if (values[c] > values[best]) best = c;
    if (are_probabilities) return best;
    const float top = values[best];
    float sum = 0;
    for (std::size_t c = 0; c < classes; ++c) {
        values[c] = std::exp(values[c] - top);
        sum += values[c];
    }
    for (std::size_t c = 0; c < classes; ++c) values[c] /= sum;
    return best;
}

/// The side nearest to a length that 32 divides.
inline std::int64_t nearest_32(double length) {
    return std::max<std::int64_t>(std::llround(length / 32), 1) * 32;
}

OCELLI_INLINE segmentation segmentation_from_logits(const float* logits, std::size_t channels, std::size_t h, std::size_t w,
                                                    image_size picture, bool are_probabilities) {
    check(channels > 0 && h > 0 && w > 0, "segmentation_from_logits: logits must have shape (C, h, w) without zeros, got ",
          shape_text(std::array{channels, h, w}));
    check(picture.height > 0 && picture.width > 0, "segmentation_from_logits: the picture must have a positive size, got ",
          picture.height, " x ", picture.width);
    const auto height = static_cast<std::size_t>(picture.height), width = static_cast<std::size_t>(picture.width);
    // Pixel by pixel, as resizing and softmax want them.
    auto pixels = nchw_to_hwc(view(logits, {std::size_t{1}, channels, h, w}));
    if (height != h || width != w) pixels = resize(pixels, picture, resize_method::torch_bilinear);
    const std::size_t classes = std::max<std::size_t>(channels, 2), plane = height * width;
    segmentation out;
    out.labels = new_tensor<std::int64_t>(height, width);
    out.probabilities = new_tensor<float>(classes, height, width);
    parallel_for(plane, 4096, [&](std::size_t begin, std::size_t end) {
        std::vector<float> values(classes);
        for (std::size_t p = begin; p < end; ++p) {
            const float* from = pixels.data() + p * channels;
            if (channels == 1) {
                values[0] = are_probabilities ? 1 - from[0] : 0.0F;
                values[1] = from[0];
            } else {
                std::copy_n(from, channels, values.begin());
            }
            out.labels.data()[p] = static_cast<std::int64_t>(classify(values.data(), classes, are_probabilities));
            for (std::size_t c = 0; c < classes; ++c) out.probabilities.data()[c * plane + p] = values[c];
        }
    });
    return out;
}

} // namespace detail

OCELLI_INLINE segmenter::segmenter(nn::session network, segmenter_preset preset, segmenter_options options)
    : network_(std::move(network)), preset_(preset), outputs_probabilities_(options.outputs_probabilities),
      names_(std::move(options.class_names)), colours_(std::move(options.colours)) {
    const auto [needed, input] = detail::needed_inputs_of(network_);
    detail::check(needed == 1, "segmenter: needs a network with one input, this one has ", needed);
    const nn::symbolic_shape& shape = input->shape;
    detail::check(shape.ranked() && shape.rank() == 4 && (!shape[1].known() || shape[1].size == 3),
                  "segmenter: the network's input must have shape (N, 3, height, width), got ", nn::text(shape));
    input_name_ = input->name;
    const nn::value_info* output = nullptr;
    for (const nn::value_info& o : network_.outputs())
        if (output == nullptr && (options.output.empty() || o.name == options.output)) output = &o;
    detail::check(output != nullptr, "segmenter: the network has no output '", options.output, "'");
    output_name_ = output->name;

    if (options.input_size) {
        height_ = options.input_size->height;
        width_ = options.input_size->width;
    } else {
        if (shape[2].known()) height_ = shape[2].size;
        if (shape[3].known()) width_ = shape[3].size;
    }
    for (const auto& side : {height_, width_})
        detail::check(!side || (*side > 0 && *side <= 65536),
                      "segmenter: the network's input must be 1 to 65536 pixels high and wide, got ", side.value_or(0));

    if (options.values) {
        values_ = *options.values;
    } else if (preset == segmenter_preset::espnet) {
        values_ = {.mean = {72.3923111, 82.90893555, 73.15840149},
                   .stddev = {45.3192215, 46.15289307, 44.91483307},
                   .swap_red_blue = true};
    } else {
        values_.scale = 1.0 / 255;
    }
    (void)detail::channel_maps(values_, 3, "segmenter: values");

    const nn::symbolic_shape& map = output->shape;
    const bool counted = map.ranked() && map.rank() == 4 && map[1].known();
    if (preset == segmenter_preset::espnet) {
        if (names_.empty() && (!counted || map[1].size == 20))
            names_.assign(cityscapes_class_names.begin(), cityscapes_class_names.end());
        if (colours_.empty()) colours_.assign(cityscapes_colours.begin(), cityscapes_colours.end());
    } else if (names_.empty() && counted && map[1].size == 7) {
        names_ = {"ground", "disc", "square", "triangle", "star", "ring", "cross"};
        if (colours_.empty()) { // the ground is grey, the shapes have the palette's first colours
            colours_.push_back({96, 96, 96});
            for (std::int64_t c = 0; c < 6; ++c) colours_.push_back(palette_colour(c));
        }
    }
}

OCELLI_INLINE std::string segmenter::class_name(std::int64_t label) const {
    return detail::label_name(names_, label);
}

OCELLI_INLINE rgb segmenter::colour(std::int64_t label) const {
    if (label >= 0 && static_cast<std::size_t>(label) < colours_.size()) return colours_[static_cast<std::size_t>(label)];
    return palette_colour(label);
}

OCELLI_INLINE image_size segmenter::input_size(image_size picture) const {
    detail::check(picture.height > 0 && picture.width > 0, "segmenter: the picture must have a positive size, got ",
                  picture.height, " x ", picture.width);
    const auto h = static_cast<double>(picture.height), w = static_cast<double>(picture.width);
    if (preset_ == segmenter_preset::espnet) {
        const std::int64_t width = width_.value_or(1024);
        return {height_.value_or(detail::nearest_32(h * static_cast<double>(width) / w)), width};
    }
    return {height_.value_or(detail::nearest_32(h)), width_.value_or(detail::nearest_32(w))};
}

OCELLI_INLINE xt::xtensor<float, 4> segmenter::preprocess_pixels(const std::uint8_t* pixels, image_size size) const {
    const auto image = view(pixels, {size.height, size.width, 3});
    const image_size to = input_size(size);
    if (preset_ == segmenter_preset::espnet) {
        // The source project scales after resizing, and its mean and deviation are those of bytes.
        const auto values = normalize(image, values_);
        return hwc_to_nchw(size == to ? values : resize(values, to, resize_method::cv_linear), {.scale = 1.0 / 255});
    }
    if (size == to) return hwc_to_nchw(image, values_);
    return hwc_to_nchw(resize(image, to, resize_method::cv_linear), values_);
}

OCELLI_INLINE segmentation segmenter::run(const nn::tensor& input, image_size picture) const {
    return postprocess(network_.run({{input_name_, input}}, {.outputs = {output_name_}})[output_name_], picture);
}

OCELLI_INLINE segmentation segmenter::postprocess(const nn::tensor& output, image_size picture) const {
    const auto& shape = output.shape();
    const bool one = !shape.empty() && shape[0] == 1;
    if (output.type() == nn::dtype::float32 && one && shape.size() == 4)
        return detail::segmentation_from_logits(output.data<float>(), static_cast<std::size_t>(shape[1]),
                                                static_cast<std::size_t>(shape[2]), static_cast<std::size_t>(shape[3]), picture,
                                                outputs_probabilities_);
    const bool whole =
        output.type() == nn::dtype::int64 || output.type() == nn::dtype::int32 || output.type() == nn::dtype::uint8;
    const bool map = one && (shape.size() == 3 || (shape.size() == 4 && shape[1] == 1));
    detail::check(whole && map,
                  "segmenter: the output must be one map of logits, float32 (1, C, height, width), or of labels, got ",
                  nn::text(output));
    const std::int64_t h = shape[shape.size() - 2], w = shape[shape.size() - 1];
    detail::check(h > 0 && w > 0 && picture.height > 0 && picture.width > 0,
                  "segmenter: map and picture must not be empty, got ", nn::text(output), " for ", picture.height, " x ",
                  picture.width);
    const nn::tensor labels = output.cast(nn::dtype::int64);
    segmentation out;
    const auto height = static_cast<std::size_t>(picture.height), width = static_cast<std::size_t>(picture.width);
    out.labels = detail::new_tensor<std::int64_t>(height, width);
    out.probabilities = detail::new_tensor<float>(0, height, width);
    for (std::int64_t y = 0; y < picture.height; ++y)
        for (std::int64_t x = 0; x < picture.width; ++x) // the pixel under the centre
            out.labels(static_cast<std::size_t>(y), static_cast<std::size_t>(x)) =
                labels.data<std::int64_t>()[(2 * y + 1) * h / (2 * picture.height) * w + (2 * x + 1) * w / (2 * picture.width)];
    return out;
}

OCELLI_INLINE segmenter read_segmenter(const std::string& path, segmenter_preset preset, segmenter_options options) {
    return segmenter(nn::session(nn::read_onnx(path)), preset, std::move(options));
}

} // namespace ocelli
