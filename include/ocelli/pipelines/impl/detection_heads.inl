#pragma once

#include <ocelli/boxes/coders/ltrb.hpp>
#include <ocelli/pipelines/detection_heads.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace ocelli {
namespace detail {

OCELLI_INLINE void check_picture(double width, double height, const char* name) {
    check(width > 0 && height > 0 && width < 1e9 && height < 1e9, name, ": width and height must be positive, got ", width,
          " and ", height);
}

OCELLI_INLINE detections to_detections(const candidate_list& list) {
    detections out;
    const std::size_t n = list.scores.size();
    out.boxes = new_tensor<float>(n, std::size_t{4});
    out.scores = new_tensor<float>(n);
    out.labels = new_tensor<std::int64_t>(n);
    std::copy(list.boxes.begin(), list.boxes.end(), out.boxes.data());
    std::copy(list.scores.begin(), list.scores.end(), out.scores.data());
    std::copy(list.labels.begin(), list.labels.end(), out.labels.data());
    return out;
}

OCELLI_INLINE void ultraface_candidates(const float* scores, const float* boxes, std::size_t priors, std::size_t classes,
                                        double threshold, float width, float height, candidate_list& out) {
    for (std::size_t p = 0; p < priors; ++p) {
        const float* box = boxes + 4 * p;
        for (std::size_t c = 1; c < classes; ++c) {
            const float score = scores[p * classes + c];
            if (static_cast<double>(score) > threshold)
                out.add(box[0] * width, box[1] * height, box[2] * width, box[3] * height, score, static_cast<std::int64_t>(c));
        }
    }
}

OCELLI_INLINE float logistic(float x) {
    return 1.0F / (1.0F + std::exp(-x));
}

OCELLI_INLINE void fastestdet_candidates(const float* output, std::size_t classes, std::size_t rows, std::size_t columns,
                                         double threshold, float width, float height, bool truncate, candidate_list& out) {
    const std::size_t plane = rows * columns;
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t column = 0; column < columns; ++column) {
            const float* cell = output + row * columns + column;
            std::size_t best = 0;
            for (std::size_t c = 1; c < classes; ++c)
                if (cell[(5 + c) * plane] > cell[(5 + best) * plane]) best = c;
            const float score = std::pow(cell[0], 0.6F) * std::pow(cell[(5 + best) * plane], 0.4F);
            if (!(static_cast<double>(score) > threshold)) continue;
            const float cx = (static_cast<float>(column) + std::tanh(cell[plane])) / static_cast<float>(columns);
            const float cy = (static_cast<float>(row) + std::tanh(cell[2 * plane])) / static_cast<float>(rows);
            const float half_w = 0.5F * logistic(cell[3 * plane]), half_h = 0.5F * logistic(cell[4 * plane]);
            std::array<float, 4> box = {(cx - half_w) * width, (cy - half_h) * height, (cx + half_w) * width,
                                        (cy + half_h) * height};
            if (truncate)
                for (float& side : box) side = std::trunc(side);
            out.add(box[0], box[1], box[2], box[3], score, static_cast<std::int64_t>(best));
        }
    }
}

OCELLI_INLINE void yolo_candidates(const float* output, std::size_t classes, std::size_t points, double threshold, candidate_list& out) {
    // Class by class, as they lie.
    std::vector<float> best(output + 4 * points, output + 5 * points);
    std::vector<std::int64_t> label(points, 0);
    for (std::size_t c = 1; c < classes; ++c) {
        const float* scores = output + (4 + c) * points;
        for (std::size_t p = 0; p < points; ++p)
            if (scores[p] > best[p]) {
                best[p] = scores[p];
                label[p] = static_cast<std::int64_t>(c);
            }
    }
    for (std::size_t p = 0; p < points; ++p) {
        if (!(static_cast<double>(best[p]) > threshold)) continue;
        check(best[p] < 1.01F, "yolo_candidates: the scores of classes must be at most 1, got ", best[p], " for class ", label[p],
              ": do poses or masks stand behind them?");
        const float x = output[p], y = output[points + p], half_w = output[2 * points + p] / 2, half_h = output[3 * points + p] / 2;
        out.add(x - half_w, y - half_h, x + half_w, y + half_h, best[p], label[p]);
    }
}

OCELLI_INLINE void yolo_rows(const float* rows, std::size_t count, double threshold, candidate_list& out) {
    for (const float *row = rows, *end = rows + 6 * count; row != end; row += 6) {
        const bool is_class = row[5] >= 0 && row[5] < 1e9F;
        if (static_cast<double>(row[4]) > threshold && is_class) out.add(row[0], row[1], row[2], row[3], row[4], static_cast<std::int64_t>(row[5]));
    }
}

OCELLI_INLINE void point_candidates(const float* logits, const float* sides, std::size_t classes, std::size_t rows,
                                    std::size_t columns, double threshold, float width, float height, candidate_list& out) {
    const std::size_t plane = rows * columns;
    const float stride_x = width / static_cast<float>(columns), stride_y = height / static_cast<float>(rows);
    std::vector<std::array<float, 4>> cells, reach;
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t column = 0; column < columns; ++column) {
            const std::size_t at = row * columns + column;
            std::size_t best = 0;
            for (std::size_t c = 1; c < classes; ++c)
                if (logits[c * plane + at] > logits[best * plane + at]) best = c;
            const float score = logistic(logits[best * plane + at]);
            if (!(static_cast<double>(score) > threshold)) continue;
            const float x = static_cast<float>(column) * stride_x, y = static_cast<float>(row) * stride_y;
            cells.push_back({x, y, x + stride_x, y + stride_y});
            reach.push_back({std::exp(sides[at]), std::exp(sides[plane + at]), std::exp(sides[2 * plane + at]),
                             std::exp(sides[3 * plane + at])});
            out.scores.push_back(score);
            out.labels.push_back(static_cast<std::int64_t>(best));
        }
    }
    // Distances from a cell's middle in units of the cell.
    const auto boxes = ltrb_decode(reach, cells, {.normalize_by_size = true});
    out.boxes.insert(out.boxes.end(), boxes.begin(), boxes.end());
}

} // namespace detail

OCELLI_INLINE xt::xtensor<float, 2> ultraface_priors(std::int64_t height, std::int64_t width) {
    detail::check(height >= 1 && width >= 1 && height <= 65536 && width <= 65536,
                  "ultraface_priors: height and width must be in [1, 65536], got ", height, " and ", width);
    struct level {
        std::int64_t stride;
        std::vector<float> sizes;
    };
    const std::array<level, 4> levels = {
        {{8, {10.0F, 16.0F, 24.0F}}, {16, {32.0F, 48.0F}}, {32, {64.0F, 96.0F}}, {64, {128.0F, 192.0F, 256.0F}}}};
    const auto w = static_cast<float>(width), h = static_cast<float>(height);
    std::vector<float> values;
    const auto add = [&](float value) { values.push_back(std::clamp(value, 0.0F, 1.0F)); };
    for (const level& l : levels) {
        const std::int64_t rows = (height + l.stride - 1) / l.stride, columns = (width + l.stride - 1) / l.stride;
        for (std::int64_t row = 0; row < rows; ++row)
            for (std::int64_t column = 0; column < columns; ++column)
                for (const float size : l.sizes) {
                    add((static_cast<float>(column) + 0.5F) / static_cast<float>(columns));
                    add((static_cast<float>(row) + 0.5F) / static_cast<float>(rows));
                    add(size / w);
                    add(size / h);
                }
    }
    auto out = detail::new_tensor<float>(values.size() / 4, std::size_t{4});
    std::copy(values.begin(), values.end(), out.data());
    return out;
}

OCELLI_INLINE detections suppress(const detections& found, const nms_options& options, bool per_class) {
    const auto keep =
        per_class ? batched_nms(found.boxes, found.scores, found.labels, options) : nms(found.boxes, found.scores, options);
    detections out;
    out.boxes = detail::new_tensor<float>(keep.size(), std::size_t{4});
    out.scores = detail::new_tensor<float>(keep.size());
    out.labels = detail::new_tensor<std::int64_t>(keep.size());
    for (std::size_t i = 0; i < keep.size(); ++i) {
        const auto k = static_cast<std::size_t>(keep(i));
        for (std::size_t side = 0; side < 4; ++side) out.boxes(i, side) = found.boxes(k, side);
        out.scores(i) = found.scores(k);
        out.labels(i) = found.labels(k);
    }
    return out;
}

} // namespace ocelli
