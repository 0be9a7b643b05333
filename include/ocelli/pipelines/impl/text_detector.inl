#pragma once

#include <ocelli/core/error.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/masks/contours.hpp>
#include <ocelli/nn/onnx.hpp>
#include <ocelli/pipelines/text_detector.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>
#include <vector>

namespace ocelli {
namespace detail {

using corner_list = std::array<std::array<double, 2>, 4>;

/// The corners of a rotated rectangle, see boxes/rotated.hpp, in the order of a walk around it.
inline corner_list corners_of(const std::array<double, 5>& r) noexcept {
    const double turn = r[4] * std::numbers::pi / 180, c = std::cos(turn), s = std::sin(turn);
    const double wx = r[2] / 2 * c, wy = -r[2] / 2 * s, hx = r[3] / 2 * s, hy = r[3] / 2 * c;
    return {{{r[0] - wx - hx, r[1] - wy - hy},
             {r[0] + wx - hx, r[1] + wy - hy},
             {r[0] + wx + hx, r[1] + wy + hy},
             {r[0] - wx + hx, r[1] - wy + hy}}};
}

/// Upper left, upper right, lower right, lower left: the two leftmost corners by height, then the two rightmost.
inline corner_list reading_order(corner_list c) noexcept {
    std::stable_sort(c.begin(), c.end(), [](const auto& a, const auto& b) { return a[0] < b[0]; });
    if (c[1][1] < c[0][1]) std::swap(c[0], c[1]);
    if (c[3][1] < c[2][1]) std::swap(c[2], c[3]);
    return {c[0], c[2], c[3], c[1]};
}

/// The mean of a map inside a quadrilateral whose corners are cut to whole pixels of its bounding box, border pixels included:
/// what OpenCV's fillPoly covers.
inline double mean_inside(const float* map, std::size_t h, std::size_t w, const corner_list& corners) {
    const auto clamped = [](double v, std::size_t extent) { return std::clamp(v, 0.0, static_cast<double>(extent) - 1); };
    double left = corners[0][0], right = left, top = corners[0][1], bottom = top;
    for (const auto& c : corners) {
        left = std::fmin(left, c[0]);
        right = std::fmax(right, c[0]);
        top = std::fmin(top, c[1]);
        bottom = std::fmax(bottom, c[1]);
    }
    const auto x0 = static_cast<std::int64_t>(clamped(std::floor(left), w)),
               x1 = static_cast<std::int64_t>(clamped(std::ceil(right), w));
    const auto y0 = static_cast<std::int64_t>(clamped(std::floor(top), h)),
               y1 = static_cast<std::int64_t>(clamped(std::ceil(bottom), h));
    std::array<std::array<std::int64_t, 2>, 4> whole{};
    for (std::size_t i = 0; i < 4; ++i)
        whole[i] = {x0 + static_cast<std::int64_t>(corners[i][0] - static_cast<double>(x0)),
                    y0 + static_cast<std::int64_t>(corners[i][1] - static_cast<double>(y0))};

    // The pixels of the four lines give each row its ends; between them all is inside, since the figure is convex.
    std::vector<std::array<std::int64_t, 2>> ends(static_cast<std::size_t>(y1 - y0 + 1),
                                                  {std::numeric_limits<std::int64_t>::max(), -1});
    const auto mark = [&](std::int64_t x, std::int64_t y) {
        if (y < y0 || y > y1) return;
        auto& row = ends[static_cast<std::size_t>(y - y0)];
        row = {std::min(row[0], std::max(x, x0)), std::max(row[1], std::min(x, x1))};
    };
    for (std::size_t i = 0; i < 4; ++i) {
        const auto &a = whole[i], &b = whole[(i + 1) % 4];
        const std::int64_t dx = b[0] - a[0], dy = b[1] - a[1], steps = std::max(std::abs(dx), std::abs(dy));
        for (std::int64_t k = 0; k <= steps; ++k) {
            const double t = steps == 0 ? 0.0 : static_cast<double>(k) / static_cast<double>(steps);
            mark(a[0] + std::llround(t * static_cast<double>(dx)), a[1] + std::llround(t * static_cast<double>(dy)));
        }
    }
    double sum = 0;
    std::int64_t count = 0;
    for (std::int64_t y = y0; y <= y1; ++y) {
        const auto [from, to] = ends[static_cast<std::size_t>(y - y0)];
        for (std::int64_t x = from; x <= to; ++x) sum += static_cast<double>(map[y * static_cast<std::int64_t>(w) + x]);
        if (to >= from) count += to - from + 1;
    }
    return count == 0 ? 0 : sum / static_cast<double>(count);
}

/// The smallest rectangle around a quadrilateral grown by a distance with round corners. Corners are cut to whole pixels before
/// and points rounded after, and an arc has as many points as keep it within a quarter of a pixel: the reference does this with
/// Clipper, a library for polygons of whole numbers, and on a map four times smaller than the picture a pixel is seen.
inline std::array<double, 5> grown(const corner_list& corners, double distance) {
    std::vector<std::array<double, 2>> path;
    for (const auto& c : corners) {
        const std::array<double, 2> whole = {std::trunc(c[0]), std::trunc(c[1])};
        if (path.empty() || (whole != path.back() && whole != path.front())) path.push_back(whole);
    }
    const std::size_t n = path.size();
    double area = 0;
    for (std::size_t i = 0; i < n; ++i) area += path[i][0] * path[(i + 1) % n][1] - path[(i + 1) % n][0] * path[i][1];
    if (area < 0) std::reverse(path.begin(), path.end());

    const double steps =
        std::fmin(std::numbers::pi / std::acos(1 - std::fmin(0.25, distance / 4) / distance), distance * std::numbers::pi);
    std::vector<std::array<double, 2>> points;
    const auto add = [&](const std::array<double, 2>& at, double turn) {
        points.push_back({std::round(at[0] + distance * std::cos(turn)), std::round(at[1] + distance * std::sin(turn))});
    };
    const auto normal = [&](std::size_t from) { // direction out of the side that begins here
        const auto &a = path[from % n], &b = path[(from + 1) % n];
        return std::atan2(a[0] - b[0], b[1] - a[1]);
    };
    for (std::size_t i = 0; i < n; ++i) {
        const double before = n < 2 ? 0 : normal(i + n - 1), after = n < 2 ? 2 * std::numbers::pi : normal(i);
        double turn = after - before;
        if (turn < 0) turn += 2 * std::numbers::pi;
        const auto count = std::max<std::int64_t>(std::llround(turn * steps / (2 * std::numbers::pi)), 1);
        for (std::int64_t k = 0; k < count; ++k) add(path[i], before + static_cast<double>(k) * 2 * std::numbers::pi / steps);
        add(path[i], after);
    }
    auto rounded = new_tensor<double>(points.size(), 2);
    for (std::size_t i = 0; i < points.size(); ++i)
        for (std::size_t k = 0; k < 2; ++k) rounded(i, k) = points[i][k];
    return ocelli::min_area_rect(rounded);
}

inline double distance_of(const std::array<double, 2>& a, const std::array<double, 2>& b) noexcept {
    return std::hypot(a[0] - b[0], a[1] - b[1]);
}

OCELLI_INLINE text_boxes text_boxes_from_map(const float* map, std::size_t h, std::size_t w, image_size picture,
                                             const text_boxes_options& options) {
    check(h > 0 && w > 0, "text_boxes_from_map: the map is empty, its shape is (", h, ", ", w, ")");
    check(picture.height > 0 && picture.width > 0, "text_boxes_from_map: the picture must have a positive size, got ",
          picture.height, " x ", picture.width);
    check(is_finite(options.unclip) && options.unclip >= 0 && options.unclip <= 1000,
          "text_boxes_from_map: unclip must lie in [0, 1000], got ", options.unclip);
    check(options.most_boxes > 0, "text_boxes_from_map: most_boxes must be positive, got ", options.most_boxes);

    auto text = new_tensor<std::uint8_t>(h, w);
    for (std::size_t p = 0; p < h * w; ++p) text.data()[p] = static_cast<double>(map[p]) > options.threshold ? 1 : 0;
    if (options.dilate) // from the end, so that no pixel spreads twice
        for (std::size_t y = h; y-- > 0;)
            for (std::size_t x = w; x-- > 0;)
                if ((x > 0 && text(y, x - 1) != 0) || (y > 0 && (text(y - 1, x) != 0 || (x > 0 && text(y - 1, x - 1) != 0))))
                    text(y, x) = 1;

    struct found_box {
        corner_list corners;
        double score;
    };
    std::vector<found_box> found;
    const double scale_x = static_cast<double>(picture.width) / static_cast<double>(w);
    const double scale_y = static_cast<double>(picture.height) / static_cast<double>(h);
    std::int64_t seen = 0;
    for (const contour& outline : ocelli::find_contours(text)) {
        if (seen++ >= options.most_boxes) break;
        auto points = new_tensor<double>(outline.points.size(), 2);
        for (std::size_t i = 0; i < outline.points.size(); ++i)
            for (std::size_t k = 0; k < 2; ++k) points(i, k) = static_cast<double>(outline.points[i][k]);
        const auto rectangle = ocelli::min_area_rect(points);
        if (rectangle[3] < 3) continue;
        const corner_list corners = corners_of(rectangle);
        const double score = mean_inside(map, h, w, corners);
        if (!(score >= options.box_score)) continue;
        const double distance = rectangle[2] * rectangle[3] * options.unclip / (2 * (rectangle[2] + rectangle[3]));
        const auto larger = distance > 0 ? grown(corners, distance) : rectangle;
        if (larger[3] < 5) continue;
        found_box box{reading_order(corners_of(larger)), score};
        for (auto& c : box.corners) {
            c[0] = std::clamp(std::nearbyint(c[0] * scale_x), 0.0, static_cast<double>(picture.width - 1));
            c[1] = std::clamp(std::nearbyint(c[1] * scale_y), 0.0, static_cast<double>(picture.height - 1));
        }
        box.corners = reading_order(box.corners);
        if (std::floor(distance_of(box.corners[0], box.corners[1])) <= 3 ||
            std::floor(distance_of(box.corners[0], box.corners[3])) <= 3)
            continue;
        found.push_back(box);
    }

    // Lines of text: sorted by height, then neighbours on nearly one height by place.
    std::stable_sort(found.begin(), found.end(), [](const found_box& a, const found_box& b) {
        return a.corners[0][1] != b.corners[0][1] ? a.corners[0][1] < b.corners[0][1] : a.corners[0][0] < b.corners[0][0];
    });
    for (std::size_t i = 1; i < found.size(); ++i)
        for (std::size_t j = i; j > 0 && std::fabs(found[j].corners[0][1] - found[j - 1].corners[0][1]) < 10 &&
                                found[j].corners[0][0] < found[j - 1].corners[0][0];
             --j)
            std::swap(found[j], found[j - 1]);

    text_boxes out;
    out.corners = new_tensor<float>(found.size(), 4, 2);
    out.scores = new_tensor<float>(found.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
        out.scores(i) = static_cast<float>(found[i].score);
        for (std::size_t c = 0; c < 4; ++c)
            for (std::size_t k = 0; k < 2; ++k) out.corners(i, c, k) = static_cast<float>(found[i].corners[c][k]);
    }
    return out;
}

} // namespace detail

OCELLI_INLINE text_detector::text_detector(nn::session network, text_detector_options options)
    : network_(std::move(network)), options_(std::move(options)) {
    const auto [needed, input] = detail::needed_inputs_of(network_);
    detail::check(needed == 1 && network_.outputs().size() == 1,
                  "text_detector: needs a network with one input and one output, this one has ", needed, " and ",
                  network_.outputs().size());
    const nn::symbolic_shape& shape = input->shape;
    detail::check(!shape.ranked() || (shape.rank() == 4 && (!shape[1].known() || shape[1].size == 3)),
                  "text_detector: the network's input must have shape (N, 3, height, width), got ", nn::text(shape));
    detail::check(options_.shorter_side > 0 && options_.shorter_side <= 65536,
                  "text_detector: shorter_side must be in [1, 65536], got ", options_.shorter_side);
    (void)detail::channel_maps(options_.values, 3, "text_detector: values");
    input_name_ = input->name;
}

OCELLI_INLINE image_size text_detector::input_size(image_size picture) const {
    const auto h = static_cast<double>(picture.height), w = static_cast<double>(picture.width);
    detail::check(h > 0 && w > 0 && h <= 64 * w && w <= 64 * h,
                  "text_detector: a picture's sides must be at most 64 times apart, got ", picture.height, " x ",
                  picture.width);
    const double ratio = std::fmax(1, static_cast<double>(options_.shorter_side) / std::fmin(h, w));
    // Python's int() and round(): cut, then the nearest multiple, halves to the even one.
    const auto side = [&](double length) {
        return std::max<std::int64_t>(static_cast<std::int64_t>(std::nearbyint(std::floor(length * ratio) / 32)), 1) * 32;
    };
    return {side(h), side(w)};
}

OCELLI_INLINE xt::xtensor<float, 4> text_detector::preprocess_pixels(const std::uint8_t* pixels, image_size size) const {
    const auto image = view(pixels, {size.height, size.width, 3});
    const image_size to = input_size(size);
    if (size == to) return hwc_to_nchw(image, options_.values);
    return hwc_to_nchw(resize(image, to, resize_method::cv_linear), options_.values);
}

OCELLI_INLINE xt::xtensor<float, 2> text_detector::run(const nn::tensor& input) const {
    const auto outputs = network_.run({{input_name_, input}});
    const nn::tensor& map = outputs[0];
    const auto& shape = map.shape();
    detail::check(map.type() == nn::dtype::float32 && shape.size() == 4 && shape[0] == 1 && shape[1] == 1,
                  "text_detector: the network's output must be a map of probabilities, float32 (1, 1, height, width), got ",
                  nn::text(map));
    return map.reshaped({shape[2], shape[3]}).as<float, 2>();
}

OCELLI_INLINE text_detector read_text_detector(const std::string& path, text_detector_options options) {
    return text_detector(nn::session(nn::read_onnx(path)), std::move(options));
}

} // namespace ocelli
