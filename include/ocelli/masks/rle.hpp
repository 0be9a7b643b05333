#pragma once

/// @file
/// Run-length masks as COCO stores them: encode, decode, area, box, merge, IoU with crowds, from polygons and boxes, compressed strings.
///
/// Every function agrees with pycocotools.mask on what its own `encode`, `frPyObjects` and `merge` produce, counts and strings to the
/// byte. Where pycocotools reads out of bounds or leaves memory unwritten (corrupt strings, counts that do not add up to the picture,
/// unequal sizes), these functions throw.

#include <ocelli/core/config.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/masks/detail/arguments.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace ocelli {

/// A binary mask as run lengths in column-major order: background first, then foreground and background in turn.
///
/// Valid where height and width are not negative, their product is less than 2^32, and the counts add up to it; functions refuse others
/// with invalid_argument. Runs of length 0 are allowed anywhere.
struct rle {
    std::int64_t height = 0;
    std::int64_t width = 0;
    std::vector<std::uint32_t> counts{};

    friend bool operator==(const rle&, const rle&) = default;
};

namespace detail {

void rle_encode(const std::uint8_t* masks, std::size_t n, std::size_t h, std::size_t w, const char* name, rle* out);
void rle_decode(const rle* masks, std::size_t n, std::size_t h, std::size_t w, std::uint8_t* out);
void rle_iou(std::span<const rle> a, std::span<const rle> b, std::span<const std::uint8_t> crowd, double* out);
void rle_boxes(std::span<const rle> masks, double* out);
rle rle_from_polygon(const double* points, std::size_t n, std::int64_t height, std::int64_t width, const char* name);
/// Throws invalid_argument unless the mask is valid.
void check_rle(const rle& mask, const char* name);
/// Throws invalid_argument unless all masks are valid and of one size.
void check_rles(std::span<const rle> masks, const char* name);
/// Writes the indices of the masks that no better one suppresses, by decreasing score.
std::vector<std::int64_t> rle_nms(std::span<const rle> masks, const double* scores, double iou_threshold);

}  // namespace detail

/// Encodes binary masks.
///
/// @param masks  (N, H, W) bool or integers, foreground being what is not 0; H W < 2^32
/// @return       N run-length masks; the first count is 0 where the first pixel is foreground
/// @throws invalid_argument  on another rank or a larger picture
///
/// Agrees with pycocotools.mask.encode, count for count, on masks of 0 and 1.
template <array_expression M>
std::vector<rle> rle_encode(const M& masks) {
    const auto m = detail::as_mask<3>(masks, "rle_encode: masks");
    std::vector<rle> out(m.extent(0));
    detail::rle_encode(m.data(), m.extent(0), m.extent(1), m.extent(2), "rle_encode", out.data());
    return out;
}
/// Encodes one mask (H, W).
template <array_expression M>
rle rle_encode_one(const M& mask) {
    const auto m = detail::as_mask<2>(mask, "rle_encode_one: mask");
    rle out;
    detail::rle_encode(m.data(), 1, m.extent(0), m.extent(1), "rle_encode_one", &out);
    return out;
}

/// Decodes run-length masks of one size to (N, H, W) bytes of 0 and 1; no masks give (0, 0, 0).
///
/// @throws invalid_argument  on a mask that is not valid, or another size
///
/// Agrees with pycocotools.mask.decode, whose result is (H, W, N).
inline xt::xtensor<std::uint8_t, 3> rle_decode(std::span<const rle> masks) {
    detail::check_rles(masks, "rle_decode");
    const std::size_t h = masks.empty() ? 0 : static_cast<std::size_t>(masks[0].height);
    const std::size_t w = masks.empty() ? 0 : static_cast<std::size_t>(masks[0].width);
    auto out = detail::new_tensor<std::uint8_t>(masks.size(), h, w);
    detail::rle_decode(masks.data(), masks.size(), h, w, out.data());
    return out;
}
/// The same into the caller's memory: `out` is dense, row-major, (N, H, W), of std::uint8_t.
template <class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void rle_decode(std::span<const rle> masks, Out&& out) {
    detail::check_rles(masks, "rle_decode");
    const std::size_t h = masks.empty() ? 0 : static_cast<std::size_t>(masks[0].height);
    const std::size_t w = masks.empty() ? 0 : static_cast<std::size_t>(masks[0].width);
    detail::rle_decode(masks.data(), masks.size(), h, w, detail::as_output<std::uint8_t, 3>(out, {masks.size(), h, w}, "rle_decode: out"));
}
/// Decodes one mask to (H, W).
inline xt::xtensor<std::uint8_t, 2> rle_decode(const rle& mask) {
    detail::check_rle(mask, "rle_decode");
    auto out = detail::new_tensor<std::uint8_t>(mask.height, mask.width);
    detail::rle_decode(&mask, 1, static_cast<std::size_t>(mask.height), static_cast<std::size_t>(mask.width), out.data());
    return out;
}

/// Counts the foreground pixels.
/// @throws invalid_argument  on a mask that is not valid
std::uint64_t rle_area(const rle& mask);

/// Gives the boxes around the foreground: (N, 4) x1 y1 x2 y2 as the borders of pixels (x2 - x1 columns); all 0 where there is none.
///
/// @throws invalid_argument  on a mask that is not valid
///
/// Agrees with pycocotools.mask.toBbox, whose rows are x1 y1 x2-x1 y2-y1.
inline xt::xtensor<double, 2> rle_boxes(std::span<const rle> masks) {
    auto out = detail::new_tensor<double>(masks.size(), 4);
    detail::rle_boxes(masks, out.data());
    return out;
}

/// Joins masks: their union, or their intersection. No masks give an empty one of size (0, 0).
/// @throws invalid_argument  on a mask that is not valid, or unequal sizes (pycocotools gives an empty mask)
///
/// Agrees with pycocotools.mask.merge, count for count.
rle rle_merge(std::span<const rle> masks, bool intersect = false);

/// Gives the intersection over union of every mask of `a` with every mask of `b`.
///
/// @param a, b   N and M masks of one size
/// @param crowd  M flags, or none: where not 0, the pair's value is the intersection over the area of a's mask
/// @return       (N, M), in [0, 1]; 0 where nothing intersects
/// @throws invalid_argument  on a mask that is not valid, unequal sizes (pycocotools gives -1), or another number of flags
///
/// Agrees with pycocotools.mask.iou(a, b, crowd) to the last bit. Masks that are simple for their size are compared as bits, others run
/// by run; memory grows with the runs, not with the picture.
inline xt::xtensor<double, 2> rle_iou(std::span<const rle> a, std::span<const rle> b, std::span<const std::uint8_t> crowd = {}) {
    auto out = detail::new_tensor<double>(a.size(), b.size());
    detail::rle_iou(a, b, crowd, out.data());
    return out;
}
/// The same into the caller's memory, (N, M) of double.
template <class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void rle_iou(std::span<const rle> a, std::span<const rle> b, std::span<const std::uint8_t> crowd, Out&& out) {
    detail::rle_iou(a, b, crowd, detail::as_output<double, 2>(out, {a.size(), b.size()}, "rle_iou: out"));
}

/// Fills a polygon.
///
/// @param points  (K, 2) x y, continuous coordinates, or the flat (2 K) list of a COCO file; at most 1e8 away from the origin
/// @throws invalid_argument  on another shape, a coordinate that is NaN, infinite or too large, or a picture of 2^32 pixels or more
///
/// Agrees with pycocotools.mask.frPyObjects on one polygon, count for count: borders are traced at five times the resolution, and a pixel
/// belongs to the mask by its left border. O(K W) time; memory is bounded by the picture, not by the polygon's extent.
template <array_expression P>
rle rle_from_polygon(const P& points, std::int64_t height, std::int64_t width) {
    if constexpr (detail::number_range<P>) {
        const auto p = as_dense<double, 1>(points, "rle_from_polygon: points");
        detail::check(p.size() % 2 == 0, "rle_from_polygon: a flat list must have an even length, got ", p.size());
        return detail::rle_from_polygon(p.data(), p.size() / 2, height, width, "rle_from_polygon");
    } else {
        const auto p = as_dense<double, 2>(points, "rle_from_polygon: points");
        detail::check_shape(p, {detail::any, 2}, "rle_from_polygon: points");
        return detail::rle_from_polygon(p.data(), p.extent(0), height, width, "rle_from_polygon");
    }
}
/// Fills the union of several flat polygons, as COCO's annotations list them; none give an empty mask.
rle rle_from_polygons(std::span<const std::vector<double>> polygons, std::int64_t height, std::int64_t width);

/// Fills a box x1 y1 x2 y2, as pycocotools.mask.frPyObjects on x1 y1 x2-x1 y2-y1.
/// @throws invalid_argument  as rle_from_polygon
rle rle_from_box(const std::array<double, 4>& box, std::int64_t height, std::int64_t width);

/// Compresses the counts to COCO's string, byte for byte pycocotools' `counts`.
/// @throws invalid_argument  on a mask that is not valid
std::string rle_to_string(const rle& mask);

/// Reads a compressed string.
///
/// @throws format_error      on a character outside '0' to 'o', a number cut off or out of range, counts that do not add up to the picture
/// @throws invalid_argument  on a negative size or a picture of 2^32 pixels or more
rle rle_from_string(std::string_view text, std::int64_t height, std::int64_t width);

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/masks/impl/rle.inl>
#endif
