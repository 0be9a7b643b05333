#pragma once

#include <ocelli/boxes/nms.hpp>
#include <ocelli/features/roi_align.hpp>
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

inline ocelli::detail::roi_shape roi_shape_of(const tensor& x, const tensor& rois) {
    const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
    return {size(x.extent(0)), size(x.extent(1)), size(x.extent(2)), size(x.extent(3)), size(rois.extent(0))};
}

OCELLI_INLINE roi_align_options roi_align_options_of(const node& n, const tensor& x, const tensor& rois, const tensor& images) {
    check(n, x.rank() == 4 && rois.rank() == 2 && rois.extent(1) == 4 && images.rank() == 1 && images.size() == rois.extent(0),
          "inputs must have shapes (N, C, H, W), (R, 4) and (R), got ", text(x), ", ", text(rois), " and ", text(images));
    const std::int64_t out_h = attr_int(n, "output_height", 1), out_w = attr_int(n, "output_width", 1), ratio = attr_int(n, "sampling_ratio", 0);
    constexpr std::int64_t limit = std::int64_t{1} << 20;
    check(n, out_h >= 1 && out_h < limit && out_w >= 1 && out_w < limit && ratio >= 0 && ratio < 4096,
          "output_height and output_width must be at least 1, sampling_ratio in [0, 4096)");
    const double scale = static_cast<double>(attr_float(n, "spatial_scale", 1.0f));
    const std::string mode = attr_string(n, "mode", "avg");
    check<unsupported_operator>(n, mode == "avg" || mode == "max", "mode '", mode, "' is not supported");
    const std::string rule = attr_string(n, "coordinate_transformation_mode", n.opset < 16 ? "output_half_pixel" : "half_pixel");
    check<unsupported_operator>(n, rule == "half_pixel" || rule == "output_half_pixel", "coordinate_transformation_mode '", rule, "' is not supported");
    const std::int64_t height = x.extent(2), width = x.extent(3);
    for (const std::int64_t b : images.to_ints()) check(n, b >= 0 && b < x.extent(0), "batch index ", b, " is outside a batch of ", x.extent(0));
    check(n, height > 0 && width > 0, "the feature map has no elements: ", text(x));
    check(n, scale > 0 && ocelli::detail::is_finite(scale), "spatial_scale must be positive, got ", scale);
    check(n, height < (std::int64_t{1} << 30) && width < (std::int64_t{1} << 30), "the feature map is too large: ", text(x));
    return {.output_height = out_h,
            .output_width = out_w,
            .spatial_scale = scale,
            .sampling_ratio = ratio,
            .aligned = rule == "half_pixel",
            .mode = mode == "avg" ? roi_align_mode::average : roi_align_mode::max_of_corners};
}

template <class T>
void align_rois(const tensor& x, const tensor& rois, const tensor& images, const roi_align_options& options, tensor& y) {
    // Image and box side by side, as the kernel takes them.
    const tensor boxes = rois.cast(dtype_of<T>);
    const auto batch = images.to_ints();
    std::vector<T> rows(5 * batch.size());
    for (std::size_t r = 0; r < batch.size(); ++r) {
        rows[5 * r] = static_cast<T>(batch[r]);
        std::copy_n(boxes.data<T>() + 4 * r, 4, rows.data() + 5 * r + 1);
    }
    ocelli::detail::roi_align(x.data<T>(), rows.data(), roi_shape_of(x, rois), options, y.mutable_data<T>());
}

OCELLI_INLINE void align_float_rois(const tensor& x, const tensor& rois, const tensor& images, const roi_align_options& options, tensor& y) {
    align_rois<float>(x, rois, images, options, y);
}

inline void eval_roi_align(eval_context& c) {
    const tensor &x = c.input(0), &rois = c.input(1), &images = c.input(2);
    const roi_align_options options = roi_align_options_of(c.self, x, rois, images);
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        align_rois<T>(x, rois, images, options, c.output(0, x.type(), {rois.extent(0), x.extent(1), options.output_height, options.output_width}));
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
    const std::vector<double> boxes = doubles(rois);
    for (std::size_t i = 0; i < boxes.size(); ++i) {
        check(c.self, ocelli::detail::is_finite(boxes[i]) && std::abs(boxes[i] * scale) < 1e12, "rois must be finite");
        check(c.self, i % 5 != 0 || (boxes[i] >= 0 && boxes[i] < static_cast<double>(x.extent(0))), "batch index ", boxes[i], " is outside a batch of ",
              x.extent(0));
    }
    check(c.self, scale > 0 && ocelli::detail::is_finite(scale), "spatial_scale must be positive, got ", scale);
    check(c.self, x.extent(2) < (std::int64_t{1} << 30) && x.extent(3) < (std::int64_t{1} << 30), "the feature map is too large: ", text(x));
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        T* to = c.output(0, x.type(), {rois.extent(0), x.extent(1), out_h, out_w}).template mutable_data<T>();
        const tensor rows = rois.cast(dtype_of<T>);
        ocelli::detail::roi_pool(x.data<T>(), rows.data<T>(), roi_shape_of(x, rois), {.output_height = out_h, .output_width = out_w, .spatial_scale = scale}, to);
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
