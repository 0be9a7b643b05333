#pragma once

#include <ocelli/boxes/nms.hpp>
#include <ocelli/nn/detail/planes.hpp>
#include <ocelli/nn/ops/detail/widen.hpp>
#include <ocelli/nn/ops/detection.hpp>

#include <cmath>
#include <limits>

namespace ocelli::nn {

namespace detail {

// --- RoiAlign ---------------------------------------------------------------------------------------------------------------

inline void infer_roi_align(infer_context& c) {
    const auto extent = [&](const char* attribute_name) {
        const std::int64_t e = attr_int(c.self, attribute_name, 1);
        check(c.self, e >= 1 && e < (std::int64_t{1} << 20), attribute_name, " must be at least 1, got ", e);
        return dim(e);
    };
    symbolic_shape out = symbolic_shape::of_rank(4);
    if (c.shape(1).ranked() && c.shape(1).rank() == 2) out[0] = c.shape(1)[0];
    if (c.shape(0).ranked() && c.shape(0).rank() == 4) out[1] = c.shape(0)[1];
    out[2] = extent("output_height");
    out[3] = extent("output_width");
    c.output(0, c.type(0), std::move(out));
}

// The four neighbours of a sample, and their weights.
struct roi_sample {
    std::array<std::int64_t, 4> at{};
    std::array<double, 4> weight{};
};

inline roi_sample sample_region(double y, double x, std::int64_t height, std::int64_t width) noexcept {
    roi_sample s;
    if (!(y >= -1.0 && y <= static_cast<double>(height) && x >= -1.0 && x <= static_cast<double>(width))) return s;
    y = std::max(y, 0.0);
    x = std::max(x, 0.0);
    auto y0 = static_cast<std::int64_t>(y), x0 = static_cast<std::int64_t>(x);
    std::int64_t y1 = y0 + 1, x1 = x0 + 1;
    if (y0 >= height - 1) {
        y0 = y1 = height - 1;
        y = static_cast<double>(y0);
    }
    if (x0 >= width - 1) {
        x0 = x1 = width - 1;
        x = static_cast<double>(x0);
    }
    const double dy = y - static_cast<double>(y0), dx = x - static_cast<double>(x0);
    s.at = {y0 * width + x0, y0 * width + x1, y1 * width + x0, y1 * width + x1};
    s.weight = {(1 - dy) * (1 - dx), (1 - dy) * dx, dy * (1 - dx), dy * dx};
    return s;
}

inline void eval_roi_align(eval_context& c) {
    const tensor& x = c.input(0);
    const tensor& rois = c.input(1);
    check(c.self, x.rank() == 4 && rois.rank() == 2 && rois.extent(1) == 4 && c.input(2).rank() == 1 && c.input(2).size() == rois.extent(0),
          "inputs must have shapes (N, C, H, W), (R, 4) and (R), got ", text(x), ", ", text(rois), " and ", text(c.input(2)));
    const std::int64_t out_h = attr_int(c.self, "output_height", 1), out_w = attr_int(c.self, "output_width", 1), ratio = attr_int(c.self, "sampling_ratio", 0);
    constexpr std::int64_t limit = std::int64_t{1} << 20;
    check(c.self, out_h >= 1 && out_h < limit && out_w >= 1 && out_w < limit && ratio >= 0 && ratio < 4096,
          "output_height and output_width must be at least 1, sampling_ratio in [0, 4096)");
    const double scale = static_cast<double>(attr_float(c.self, "spatial_scale", 1.0f));
    const std::string mode = attr_string(c.self, "mode", "avg");
    check<unsupported_operator>(c.self, mode == "avg" || mode == "max", "mode '", mode, "' is not supported");
    const std::string rule = attr_string(c.self, "coordinate_transformation_mode", c.self.opset < 16 ? "output_half_pixel" : "half_pixel");
    check<unsupported_operator>(c.self, rule == "half_pixel" || rule == "output_half_pixel", "coordinate_transformation_mode '", rule, "' is not supported");
    const bool half_pixel = rule == "half_pixel";
    const auto batch = c.input(2).to_ints();
    const std::int64_t channels = x.extent(1), height = x.extent(2), width = x.extent(3);
    for (const std::int64_t b : batch) check(c.self, b >= 0 && b < x.extent(0), "batch index ", b, " is outside a batch of ", x.extent(0));
    check(c.self, height > 0 && width > 0, "the feature map has no elements: ", text(x));
    const std::vector<double> boxes = doubles(rois);
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        T* to = c.output(0, x.type(), {rois.extent(0), channels, out_h, out_w}).template mutable_data<T>();
        for_each_index(rois.extent(0), channels * out_h * out_w * 16, [&](std::int64_t r) {
            const double* box = boxes.data() + 4 * r;
            T* out = to + r * channels * out_h * out_w;
            for (int i = 0; i < 4; ++i)
                if (!ocelli::detail::is_finite(box[i])) {
                    std::fill(out, out + channels * out_h * out_w, static_cast<T>(0.0f));
                    return;
                }
            const double shift = half_pixel ? 0.5 : 0.0;
            const double x0 = box[0] * scale - shift, y0 = box[1] * scale - shift;
            double w = box[2] * scale - shift - x0, h = box[3] * scale - shift - y0;
            if (!half_pixel) {
                w = std::max(w, 1.0);
                h = std::max(h, 1.0);
            }
            const double bin_h = h / static_cast<double>(out_h), bin_w = w / static_cast<double>(out_w);
            // A region far larger than the map (a hostile one) has its samples limited.
            const auto samples = [&](double bin) { return ratio > 0 ? ratio : static_cast<std::int64_t>(std::clamp(std::ceil(bin), 0.0, 4096.0)); };
            const std::int64_t grid_h = samples(bin_h), grid_w = samples(bin_w);
            const double count = static_cast<double>(std::max<std::int64_t>(grid_h * grid_w, 1));
            std::vector<roi_sample> picked(static_cast<std::size_t>(grid_h * grid_w));
            for (std::int64_t v = 0; v < out_h; ++v)
                for (std::int64_t u = 0; u < out_w; ++u) {
                    for (std::int64_t a = 0; a < grid_h; ++a)
                        for (std::int64_t b = 0; b < grid_w; ++b) {
                            const double y = y0 + static_cast<double>(v) * bin_h + (static_cast<double>(a) + 0.5) * bin_h / static_cast<double>(grid_h);
                            const double xx = x0 + static_cast<double>(u) * bin_w + (static_cast<double>(b) + 0.5) * bin_w / static_cast<double>(grid_w);
                            picked[static_cast<std::size_t>(a * grid_w + b)] = sample_region(y, xx, height, width);
                        }
                    for (std::int64_t k = 0; k < channels; ++k) {
                        const T* plane = x.data<T>() + (batch[static_cast<std::size_t>(r)] * channels + k) * height * width;
                        double sum = 0, best = -std::numeric_limits<double>::infinity();
                        for (const roi_sample& s : picked)
                            for (std::size_t i = 0; i < 4; ++i) {
                                const double term = s.weight[i] * static_cast<double>(plane[s.at[i]]);
                                sum += term;
                                best = std::max(best, term);
                            }
                        out[(k * out_h + v) * out_w + u] = static_cast<T>(mode == "avg" ? sum / count : picked.empty() ? 0.0 : best);
                    }
                }
        });
    });
}

// --- MaxRoiPool -------------------------------------------------------------------------------------------------------------

inline std::pair<std::int64_t, std::int64_t> pooled_extents(const node& n) {
    const auto pooled = attr_ints(n, "pooled_shape");
    check(n, pooled.size() == 2 && pooled[0] >= 1 && pooled[1] >= 1 && pooled[0] < (std::int64_t{1} << 20) && pooled[1] < (std::int64_t{1} << 20),
          "pooled_shape must be two extents of at least 1");
    return {pooled[0], pooled[1]};
}

inline void infer_max_roi_pool(infer_context& c) {
    const auto [h, w] = pooled_extents(c.self);
    symbolic_shape out = symbolic_shape::of_rank(4);
    if (c.shape(1).ranked() && c.shape(1).rank() == 2) out[0] = c.shape(1)[0];
    if (c.shape(0).ranked() && c.shape(0).rank() == 4) out[1] = c.shape(0)[1];
    out[2] = dim(h);
    out[3] = dim(w);
    c.output(0, c.type(0), std::move(out));
}

inline void eval_max_roi_pool(eval_context& c) {
    const tensor& x = c.input(0);
    const tensor& rois = c.input(1);
    check(c.self, x.rank() == 4 && rois.rank() == 2 && rois.extent(1) == 5, "inputs must have shapes (N, C, H, W) and (R, 5), got ", text(x), " and ",
          text(rois));
    const auto pooled = pooled_extents(c.self);
    const std::int64_t out_h = pooled.first, out_w = pooled.second;
    const double scale = static_cast<double>(attr_float(c.self, "spatial_scale", 1.0f));
    const std::int64_t channels = x.extent(1), height = x.extent(2), width = x.extent(3);
    const std::vector<double> boxes = doubles(rois);
    for (std::size_t i = 0; i < boxes.size(); ++i) {
        check(c.self, ocelli::detail::is_finite(boxes[i]) && std::abs(boxes[i] * scale) < 1e12, "rois must be finite");
        check(c.self, i % 5 != 0 || (boxes[i] >= 0 && boxes[i] < static_cast<double>(x.extent(0))), "batch index ", boxes[i], " is outside a batch of ",
              x.extent(0));
    }
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        T* to = c.output(0, x.type(), {rois.extent(0), channels, out_h, out_w}).template mutable_data<T>();
        for_each_index(rois.extent(0) * channels, height * width, [&](std::int64_t at) {
            const std::int64_t r = at / channels, k = at % channels;
            const double* box = boxes.data() + 5 * r;
            const auto rounded_to = [&](double v) { return static_cast<std::int64_t>(std::round(v * scale)); };
            const std::int64_t x0 = rounded_to(box[1]), y0 = rounded_to(box[2]);
            const double h = static_cast<double>(std::max<std::int64_t>(rounded_to(box[4]) - y0 + 1, 1)) / static_cast<double>(out_h);
            const double w = static_cast<double>(std::max<std::int64_t>(rounded_to(box[3]) - x0 + 1, 1)) / static_cast<double>(out_w);
            const T* plane = x.data<T>() + (static_cast<std::int64_t>(box[0]) * channels + k) * height * width;
            for (std::int64_t v = 0; v < out_h; ++v)
                for (std::int64_t u = 0; u < out_w; ++u) {
                    const auto edge = [](double e, std::int64_t origin, std::int64_t extent) {
                        return std::clamp<std::int64_t>(static_cast<std::int64_t>(e) + origin, 0, extent);
                    };
                    const std::int64_t v0 = edge(std::floor(static_cast<double>(v) * h), y0, height), v1 = edge(std::ceil(static_cast<double>(v + 1) * h), y0, height);
                    const std::int64_t u0 = edge(std::floor(static_cast<double>(u) * w), x0, width), u1 = edge(std::ceil(static_cast<double>(u + 1) * w), x0, width);
                    // An empty bin is 0.
                    arithmetic_t<T> best = v0 >= v1 || u0 >= u1 ? arithmetic_t<T>(0) : -std::numeric_limits<arithmetic_t<T>>::infinity();
                    for (std::int64_t i = v0; i < v1; ++i)
                        for (std::int64_t j = u0; j < u1; ++j) {
                            const auto here = static_cast<arithmetic_t<T>>(plane[i * width + j]);
                            if (here > best || is_nan_element(here)) best = here;
                        }
                    to[(at * out_h + v) * out_w + u] = static_cast<T>(best);
                }
        });
    });
}

// --- NonMaxSuppression ------------------------------------------------------------------------------------------------------

inline void infer_nms(infer_context& c) {
    symbolic_shape out = symbolic_shape::of_rank(2);
    out[1] = dim(3);
    c.output(0, dtype::int64, std::move(out));
}

inline void eval_nms(eval_context& c) {
    const tensor& boxes = c.input(0);
    const tensor& scores = c.input(1);
    check(c.self, boxes.rank() == 3 && boxes.extent(2) == 4 && scores.rank() == 3 && scores.extent(0) == boxes.extent(0) && scores.extent(2) == boxes.extent(1),
          "boxes and scores must have shapes (B, N, 4) and (B, C, N), got ", text(boxes), " and ", text(scores));
    const std::int64_t n = boxes.extent(1);
    check(c.self, !c.has_input(2) || c.input(2).size() == 1, "max_output_boxes_per_class must be one number, got ", c.has_input(2) ? c.input(2) : tensor());
    const std::int64_t wanted = c.has_input(2) ? static_cast<std::int64_t>(c.input(2).to_ints()[0]) : 0;  // 2^63 - 1, for all, is no double
    nms_options options;
    options.iou_threshold = c.has_input(3) ? c.input(3).item() : 0.0;
    if (c.has_input(4)) options.score_threshold = c.input(4).item();
    check(c.self, options.iou_threshold >= 0 && options.iou_threshold <= 1, "iou_threshold must lie in [0, 1], got ", options.iou_threshold);
    options.max_output = static_cast<std::size_t>(std::max<std::int64_t>(0, std::min(wanted, n)));
    const bool centre = attr_int(c.self, "center_point_box", 0) != 0;
    const tensor b = boxes.cast(dtype::float32), s = scores.cast(dtype::float32);
    std::vector<std::int64_t> picked;
    std::vector<float> corners(static_cast<std::size_t>(4 * n));
    for (std::int64_t image = 0; options.max_output > 0 && image < boxes.extent(0); ++image) {
        for (std::int64_t i = 0; i < n; ++i) {
            const float* v = b.data<float>() + (image * n + i) * 4;
            float* out = corners.data() + 4 * i;
            if (centre) {
                out[0] = v[0] - v[2] / 2;
                out[1] = v[1] - v[3] / 2;
                out[2] = v[0] + v[2] / 2;
                out[3] = v[1] + v[3] / 2;
            } else {  // any two opposite corners; y before x makes no difference to the overlap
                out[0] = std::min(v[0], v[2]);
                out[1] = std::min(v[1], v[3]);
                out[2] = std::max(v[0], v[2]);
                out[3] = std::max(v[1], v[3]);
            }
        }
        for (std::int64_t k = 0; k < scores.extent(1); ++k) {
            const float* of_class = s.data<float>() + (image * scores.extent(1) + k) * n;
            const auto count = static_cast<std::size_t>(n);
            const auto kept = ocelli::nms(ocelli::view(corners.data(), {count, std::size_t{4}}), ocelli::view(of_class, {count}), options);
            for (const std::int64_t i : kept) picked.insert(picked.end(), {image, k, i});
        }
    }
    c.set_output(0, tensor::from<std::int64_t>({static_cast<std::int64_t>(picked.size() / 3), 3}, std::span<const std::int64_t>(picked)));
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> detection_ops() {
    static constexpr op_def table[] = {
        {.name = "RoiAlign", .since = 10, .min_inputs = 3, .max_inputs = 3,
         .attributes = "coordinate_transformation_mode:string mode:string output_height:int output_width:int sampling_ratio:int spatial_scale:float",
         .infer = detail::infer_roi_align, .eval = detail::in_float<detail::eval_roi_align>, .results = exactness::rounding},
        {.name = "MaxRoiPool", .min_inputs = 2, .max_inputs = 2, .attributes = "pooled_shape:ints spatial_scale:float",
         .infer = detail::infer_max_roi_pool, .eval = detail::in_float<detail::eval_max_roi_pool>},
        {.name = "NonMaxSuppression", .since = 10, .min_inputs = 2, .max_inputs = 5, .attributes = "center_point_box:int", .infer = detail::infer_nms,
         .eval = detail::eval_nms},
    };
    return table;
}

}  // namespace ocelli::nn
