#pragma once

/// @file
/// Reference boxes and points on feature maps: RPN, RetinaNet, SSD, rotated RPN, and the points of anchor-free detectors.

#include <ocelli/boxes/clip.hpp>
#include <ocelli/boxes/detail/rows.hpp>
#include <ocelli/boxes/formats.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/tensor.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ocelli {

/// The cells of a feature map: height, width.
using grid_extent = std::array<std::int64_t, 2>;

/// Pixels per cell: down, across.
using grid_stride = std::array<double, 2>;

/// Whose anchors; they differ in rounding, order and place.
enum class anchor_style : std::uint8_t {
    /// Sides rounded to whole half-sizes (half to even, in float as there); ratios outside, sizes inside; centred on stride *
    /// cell.
    torchvision,
    /// Not rounded; sizes outside, ratios inside; centred on stride * (cell + offset).
    detectron2,
    /// py-faster-rcnn's: counted with the pixel more (x2 - x1 + 1), sides rounded, ratios outside, centred half a base size in.
    caffe
};

/// Options of cell_anchors and rpn_anchors. The default is the nine anchors of Faster R-CNN.
struct rpn_anchor_options {
    anchor_style style = anchor_style::torchvision;
    std::vector<double> sizes{128, 256, 512};     ///< square roots of the areas, in pixels
    std::vector<double> aspect_ratios{0.5, 1, 2}; ///< height / width
    double offset =
        0; ///< detectron2 only: of the first centre, in strides, in [0, 1) (its class says 0.5, its configurations 0)
    double base_size = 16; ///< caffe only: the side of the square that is stretched; sizes are multiples of it
};

namespace detail {

inline void check_positive(const std::vector<double>& values, std::string_view what) {
    for (const double v : values) check(is_finite(v) && v > 0, what, " must be positive, got ", v);
}

inline void check_grid(const grid_extent& grid, std::string_view what) {
    check(grid[0] >= 0 && grid[1] >= 0, what, " must not be negative, got (", grid[0], ", ", grid[1], ")");
}

inline void check_stride(const grid_stride& stride, std::string_view what) {
    check(is_finite(stride[0]) && is_finite(stride[1]) && stride[0] > 0 && stride[1] > 0, what, " must be positive, got (",
          stride[0], ", ", stride[1], ")");
}

inline void check_anchor_options(const rpn_anchor_options& options, std::string_view function) {
    check_positive(options.sizes, concat(function, ": sizes"));
    check_positive(options.aspect_ratios, concat(function, ": aspect_ratios"));
    check(options.offset >= 0 && options.offset < 1, function, ": offset must be in [0, 1), got ", options.offset);
    check(is_finite(options.base_size) && options.base_size > 0, function, ": base_size must be positive, got ",
          options.base_size);
}

// Calls f(size, ratio) in the style's order.
template <class F>
void for_each_shape(const rpn_anchor_options& options, F&& f) {
    if (options.style == anchor_style::detectron2) {
        for (const double size : options.sizes)
            for (const double ratio : options.aspect_ratios) f(size, ratio);
    } else {
        for (const double ratio : options.aspect_ratios)
            for (const double size : options.sizes) f(size, ratio);
    }
}

template <class T>
std::vector<std::array<T, 4>> make_cell_anchors(const rpn_anchor_options& options) {
    std::vector<std::array<T, 4>> cells;
    for_each_shape(options, [&](double size, double ratio) {
        if (options.style == anchor_style::torchvision) {
            const float h_ratio = std::sqrt(static_cast<float>(ratio)), w_ratio = 1.0f / h_ratio;
            const float w = std::nearbyint(w_ratio * static_cast<float>(size) / 2),
                        h = std::nearbyint(h_ratio * static_cast<float>(size) / 2);
            cells.push_back({static_cast<T>(-w), static_cast<T>(-h), static_cast<T>(w), static_cast<T>(h)});
        } else if (options.style == anchor_style::detectron2) {
            const double w = std::sqrt(size * size / ratio), h = ratio * w;
            cells.push_back({static_cast<T>(-w / 2), static_cast<T>(-h / 2), static_cast<T>(w / 2), static_cast<T>(h / 2)});
        } else {
            const double base = options.base_size, centre = 0.5 * (base - 1), scale = size / base;
            const double side = std::nearbyint(std::sqrt(base * base / ratio));
            const double w = side * scale, h = std::nearbyint(side * ratio) * scale;
            cells.push_back({static_cast<T>(centre - 0.5 * (w - 1)), static_cast<T>(centre - 0.5 * (h - 1)),
                             static_cast<T>(centre + 0.5 * (w - 1)), static_cast<T>(centre + 0.5 * (h - 1))});
        }
    });
    return cells;
}

template <class T>
T* tile_anchors(const std::vector<std::array<T, 4>>& cells, const grid_extent& grid, const grid_stride& stride, double offset,
                T* out) {
    for (std::int64_t y = 0; y < grid[0]; ++y)
        for (std::int64_t x = 0; x < grid[1]; ++x) {
            const T dx = static_cast<T>((static_cast<double>(x) + offset) * stride[1]);
            const T dy = static_cast<T>((static_cast<double>(y) + offset) * stride[0]);
            for (const auto& c : cells) {
                out[0] = dx + c[0], out[1] = dy + c[1], out[2] = dx + c[2], out[3] = dy + c[3];
                out += 4;
            }
        }
    return out;
}

inline std::size_t cells_of(const grid_extent& grid) {
    return static_cast<std::size_t>(grid[0]) * static_cast<std::size_t>(grid[1]);
}

} // namespace detail

/// Makes the anchors of one cell, around the origin (caffe: around the middle of the first base square).
///
/// @return  (A, 4) x1 y1 x2 y2 in pixels, A = sizes * ratios, in the style's order
/// @throws invalid_argument  on a size or ratio that is not positive, or an offset outside [0, 1)
///
/// Agrees with torchvision's AnchorGenerator.generate_anchors, detectron2's DefaultAnchorGenerator.generate_cell_anchors and
/// py-faster-rcnn's generate_anchors, as the style says.
template <class T = float>
xt::xtensor<T, 2> cell_anchors(const rpn_anchor_options& options = {}) {
    detail::check_anchor_options(options, "cell_anchors");
    const auto cells = detail::make_cell_anchors<T>(options);
    auto out = detail::new_tensor<T>(cells.size(), 4);
    for (std::size_t i = 0; i < cells.size(); ++i)
        for (std::size_t c = 0; c < 4; ++c) out(i, c) = cells[i][c];
    return out;
}

/// Makes the anchors of a feature map: those of one cell, moved to every cell; rows, then columns, then anchors.
///
/// @param grid    height and width of the feature map
/// @param stride  pixels per cell, down and across
/// @return        (H W A, 4) x1 y1 x2 y2 in pixels
/// @throws invalid_argument  on a negative grid, a stride that is not positive, or as cell_anchors
///
/// Agrees with torchvision's AnchorGenerator (whose stride is image size / grid size, in whole pixels) and detectron2's
/// DefaultAnchorGenerator. Ren et al., "Faster R-CNN", section 3.1.1.
template <class T = float>
xt::xtensor<T, 2> rpn_anchors(grid_extent grid, grid_stride stride, const rpn_anchor_options& options = {}) {
    detail::check_grid(grid, "rpn_anchors: grid");
    detail::check_stride(stride, "rpn_anchors: stride");
    detail::check_anchor_options(options, "rpn_anchors");
    const auto cells = detail::make_cell_anchors<T>(options);
    auto out = detail::new_tensor<T>(detail::cells_of(grid) * cells.size(), 4);
    detail::tile_anchors(cells, grid, stride, options.style == anchor_style::detectron2 ? options.offset : 0.0, out.data());
    return out;
}

/// Gives RetinaNet's sizes of one level: base * 2^(k / octaves) for k = 0 ... octaves - 1.
///
/// @param truncate  to whole pixels, as torchvision does; detectron2 does not
/// @throws invalid_argument  on a base that is not positive, or no octave
inline std::vector<double> retinanet_sizes(double base, std::int64_t octaves = 3, bool truncate = true) {
    detail::check(detail::is_finite(base) && base > 0, "retinanet_sizes: base must be positive, got ", base);
    detail::check(octaves >= 1, "retinanet_sizes: octaves must be at least 1, got ", octaves);
    std::vector<double> sizes;
    for (std::int64_t k = 0; k < octaves; ++k) {
        const double size = base * std::pow(2.0, static_cast<double>(k) / static_cast<double>(octaves));
        sizes.push_back(truncate ? std::trunc(size) : size);
    }
    return sizes;
}

/// Options of retinanet_anchors.
struct retinanet_anchor_options {
    anchor_style style = anchor_style::torchvision; ///< torchvision truncates the sizes to whole pixels; detectron2 does not
    std::vector<double> base_sizes{32, 64, 128, 256, 512}; ///< one per level
    std::int64_t octaves = 3;
    std::vector<double> aspect_ratios{0.5, 1, 2};
    double offset = 0; ///< detectron2 only, in strides, in [0, 1)
};

/// Makes RetinaNet's anchors of a feature pyramid, level after level.
///
/// @param grids    height and width of each level, finest first
/// @param strides  pixels per cell of each level
/// @return         (sum of H W A, 4) x1 y1 x2 y2 in pixels
/// @throws invalid_argument  when grids, strides and base sizes differ in number, or as rpn_anchors
///
/// Agrees with torchvision's retinanet_resnet50_fpn and detectron2's RetinaNet configuration. Lin et al., "Focal loss for dense
/// object detection", section 4.
template <class T = float>
xt::xtensor<T, 2> retinanet_anchors(const std::vector<grid_extent>& grids, const std::vector<grid_stride>& strides,
                                    const retinanet_anchor_options& options = {}) {
    detail::check(grids.size() == strides.size() && grids.size() == options.base_sizes.size(),
                  "retinanet_anchors: grids, strides and base_sizes must have the same number of levels, got ", grids.size(),
                  ", ", strides.size(), " and ", options.base_sizes.size());
    std::vector<std::vector<std::array<T, 4>>> cells;
    std::size_t total = 0;
    for (std::size_t level = 0; level < grids.size(); ++level) {
        detail::check_grid(grids[level], "retinanet_anchors: grids");
        detail::check_stride(strides[level], "retinanet_anchors: strides");
        const rpn_anchor_options one{
            .style = options.style,
            .sizes = retinanet_sizes(options.base_sizes[level], options.octaves, options.style == anchor_style::torchvision),
            .aspect_ratios = options.aspect_ratios,
            .offset = options.offset};
        detail::check_anchor_options(one, "retinanet_anchors");
        cells.push_back(detail::make_cell_anchors<T>(one));
        total += detail::cells_of(grids[level]) * cells.back().size();
    }
    auto out = detail::new_tensor<T>(total, 4);
    T* end = out.data();
    for (std::size_t level = 0; level < grids.size(); ++level)
        end = detail::tile_anchors(cells[level], grids[level], strides[level],
                                   options.style == anchor_style::detectron2 ? options.offset : 0.0, end);
    return out;
}

/// Makes the rotated anchors of a feature map: every size, ratio and angle in every cell.
///
/// @param angles   in degrees, counter-clockwise
/// @param options  sizes, ratios and offset as detectron2 understands them (sizes outside, then ratios, then angles; style is
///                 not used)
/// @return         (H W A, 5) cx cy w h angle
/// @throws invalid_argument  on an angle that is not finite, or as rpn_anchors
///
/// Agrees with detectron2's RotatedAnchorGenerator. Ma et al., "Arbitrary-oriented scene text detection via rotation
/// proposals".
template <class T = float>
xt::xtensor<T, 2> rotated_rpn_anchors(grid_extent grid, grid_stride stride, const std::vector<double>& angles,
                                      const rpn_anchor_options& options = {}) {
    detail::check_grid(grid, "rotated_rpn_anchors: grid");
    detail::check_stride(stride, "rotated_rpn_anchors: stride");
    detail::check_anchor_options(options, "rotated_rpn_anchors");
    for (const double a : angles) detail::check(detail::is_finite(a), "rotated_rpn_anchors: angles must be finite, got ", a);
    auto out =
        detail::new_tensor<T>(detail::cells_of(grid) * options.sizes.size() * options.aspect_ratios.size() * angles.size(), 5);
    T* o = out.data();
    for (std::int64_t y = 0; y < grid[0]; ++y)
        for (std::int64_t x = 0; x < grid[1]; ++x)
            for (const double size : options.sizes)
                for (const double ratio : options.aspect_ratios)
                    for (const double angle : angles) {
                        const double w = std::sqrt(size * size / ratio);
                        o[0] = static_cast<T>((static_cast<double>(x) + options.offset) * stride[1]);
                        o[1] = static_cast<T>((static_cast<double>(y) + options.offset) * stride[0]);
                        o[2] = static_cast<T>(w);
                        o[3] = static_cast<T>(ratio * w);
                        o[4] = static_cast<T>(angle);
                        o += 5;
                    }
    return out;
}

/// Options of ssd_default_boxes. The default is SSD300's six levels.
struct ssd_default_box_options {
    std::vector<std::vector<double>> aspect_ratios{{2}, {2, 3}, {2, 3}, {2, 3}, {2}, {2}}; ///< per level, each also upright
    double min_ratio = 0.15;              ///< scale of the first level, as part of the image
    double max_ratio = 0.9;               ///< scale of the last level
    std::vector<double> scales{};         ///< one more than levels; replaces min_ratio and max_ratio
    std::vector<double> steps{};          ///< pixels per cell of each level; empty: image size / grid size
    bool clip = true;                     ///< clip widths and heights (not corners) to [0, 1] of the image
    box_format format = box_format::xyxy; ///< xyxy, xywh or cxcywh
    bool normalized = false;              ///< in parts of the image instead of pixels: what ssd_decode's priors usually are
};

/// Makes SSD's default boxes (priors) for a pyramid of feature maps; level after level, rows, columns, then shapes.
///
/// Each cell has a square of the level's scale s_k, one of sqrt(s_k s_(k+1)), and for each aspect ratio r the box s_k sqrt(r)
/// by s_k / sqrt(r) lying and standing.
///
/// @param grids  height and width of each level's feature map
/// @param image  height and width of the network's input in pixels
/// @return       (sum of H W (2 + 2 R), 4)
/// @throws invalid_argument  when levels, ratios, scales and steps differ in number, or are not positive
///
/// Agrees with torchvision's DefaultBoxGenerator. Liu et al., "SSD: single shot multibox detector", section 2.2.
template <class T = float>
xt::xtensor<T, 2> ssd_default_boxes(const std::vector<grid_extent>& grids, image_extent image,
                                    const ssd_default_box_options& options = {}) {
    const std::size_t levels = options.aspect_ratios.size();
    detail::check(grids.size() == levels,
                  "ssd_default_boxes: grids and aspect_ratios must have the same number of levels, got ", grids.size(), " and ",
                  levels);
    detail::check(options.steps.empty() || options.steps.size() == levels,
                  "ssd_default_boxes: steps must be none or one per level, got ", options.steps.size(), " for ", levels,
                  " levels");
    detail::check(options.scales.empty() || options.scales.size() == levels + 1,
                  "ssd_default_boxes: scales must be none or one more than levels, got ", options.scales.size(), " for ",
                  levels, " levels");
    detail::check_extent(image, "ssd_default_boxes: image", true);
    detail::check(!detail::is_rotated(options.format), "ssd_default_boxes: format must be xyxy, xywh or cxcywh, got ",
                  name(options.format));
    std::vector<double> scales = options.scales;
    if (scales.empty()) {
        if (levels > 1) {
            for (std::size_t k = 0; k < levels; ++k)
                scales.push_back(options.min_ratio + (options.max_ratio - options.min_ratio) * static_cast<double>(k) /
                                                         (static_cast<double>(levels) - 1.0));
            scales.push_back(1.0);
        } else {
            scales = {options.min_ratio, options.max_ratio};
        }
    }
    detail::check_positive(scales, "ssd_default_boxes: scales");
    detail::check_positive(options.steps, "ssd_default_boxes: steps");
    std::size_t total = 0;
    for (std::size_t k = 0; k < levels; ++k) {
        detail::check_grid(grids[k], "ssd_default_boxes: grids");
        detail::check_positive(options.aspect_ratios[k], "ssd_default_boxes: aspect_ratios");
        total += detail::cells_of(grids[k]) * (2 + 2 * options.aspect_ratios[k].size());
    }
    auto out = detail::new_tensor<T>(total, 4);
    T* o = out.data();
    const T width = static_cast<T>(options.normalized ? 1.0 : image.width),
            height = static_cast<T>(options.normalized ? 1.0 : image.height);
    const T half = static_cast<T>(0.5);
    for (std::size_t k = 0; k < levels; ++k) {
        std::vector<std::array<T, 2>> shapes;
        const auto add = [&](double w, double h) {
            shapes.push_back({static_cast<T>(w), static_cast<T>(h)});
            if (options.clip)
                for (T& side : shapes.back()) side = side > T(1) ? T(1) : side;
        };
        add(scales[k], scales[k]);
        const double between = std::sqrt(scales[k] * scales[k + 1]);
        add(between, between);
        for (const double ratio : options.aspect_ratios[k]) {
            const double root = std::sqrt(ratio);
            add(scales[k] * root, scales[k] / root);
            add(scales[k] / root, scales[k] * root);
        }
        const T across =
            static_cast<T>(options.steps.empty() ? static_cast<double>(grids[k][1]) : image.width / options.steps[k]);
        const T down =
            static_cast<T>(options.steps.empty() ? static_cast<double>(grids[k][0]) : image.height / options.steps[k]);
        for (std::int64_t y = 0; y < grids[k][0]; ++y)
            for (std::int64_t x = 0; x < grids[k][1]; ++x) {
                const T cx = (static_cast<T>(x) + half) / across, cy = (static_cast<T>(y) + half) / down;
                for (const auto& [w, h] : shapes) {
                    const T corners[4] = {(cx - half * w) * width, (cy - half * h) * height, (cx + half * w) * width,
                                          (cy + half * h) * height};
                    if (options.format == box_format::cxcywh) {
                        o[0] = cx * width, o[1] = cy * height, o[2] = w * width, o[3] = h * height;
                    } else {
                        detail::axis_aligned_row(corners, box_format::xyxy, o, options.format);
                    }
                    o += 4;
                }
            }
    }
    return out;
}

namespace detail {

template <class T>
T* tile_points(const grid_extent& grid, const grid_stride& stride, double offset, T* out) {
    for (std::int64_t y = 0; y < grid[0]; ++y)
        for (std::int64_t x = 0; x < grid[1]; ++x, out += 2) {
            out[0] = static_cast<T>((static_cast<double>(x) + offset) * stride[1]);
            out[1] = static_cast<T>((static_cast<double>(y) + offset) * stride[0]);
        }
    return out;
}

} // namespace detail

/// Makes the points of an anchor-free detector: one in every cell, rows, then columns.
///
/// @param grid    height and width of the feature map
/// @param stride  pixels per cell, down and across
/// @param offset  of the point in its cell, in strides: 0.5 is the middle (FCOS, YOLOv8), 0 the corner (YOLOX, NanoDet's older
///                versions)
/// @return        (H W, 2) x y in pixels
/// @throws invalid_argument  on a negative grid, a stride that is not positive, an offset that is not finite
///
/// Agrees with ultralytics' make_anchors (times the stride) and detectron2's FCOS.
template <class T = float>
xt::xtensor<T, 2> point_grid(grid_extent grid, grid_stride stride, double offset = 0.5) {
    detail::check_grid(grid, "point_grid: grid");
    detail::check_stride(stride, "point_grid: stride");
    detail::check(detail::is_finite(offset), "point_grid: offset must be finite");
    auto out = detail::new_tensor<T>(detail::cells_of(grid), 2);
    detail::tile_points(grid, stride, offset, out.data());
    return out;
}

/// The points of several levels in one array, and the stride of each.
template <class T>
struct points_and_strides {
    xt::xtensor<T, 2> points;  ///< (N, 2) x y in pixels
    xt::xtensor<T, 1> strides; ///< (N) pixels per cell
};

/// Makes the points of a feature pyramid, level after level; see point_grid and ltrb_decode.
///
/// @param grids    height and width of each level
/// @param strides  pixels per cell of each level, the same down and across
/// @throws invalid_argument  when grids and strides differ in number, or as point_grid
template <class T = float>
points_and_strides<T> point_pyramid(const std::vector<grid_extent>& grids, const std::vector<double>& strides,
                                    double offset = 0.5) {
    detail::check(grids.size() == strides.size(), "point_pyramid: grids and strides must have the same number of levels, got ",
                  grids.size(), " and ", strides.size());
    detail::check(detail::is_finite(offset), "point_pyramid: offset must be finite");
    std::size_t total = 0;
    for (std::size_t level = 0; level < grids.size(); ++level) {
        detail::check_grid(grids[level], "point_pyramid: grids");
        detail::check_stride({strides[level], strides[level]}, "point_pyramid: strides");
        total += detail::cells_of(grids[level]);
    }
    points_and_strides<T> out{detail::new_tensor<T>(total, 2), detail::new_tensor<T>(total)};
    T* end = out.points.data();
    T* stride = out.strides.data();
    for (std::size_t level = 0; level < grids.size(); ++level) {
        end = detail::tile_points(grids[level], {strides[level], strides[level]}, offset, end);
        for (std::size_t i = 0; i < detail::cells_of(grids[level]); ++i) *stride++ = static_cast<T>(strides[level]);
    }
    return out;
}

} // namespace ocelli
