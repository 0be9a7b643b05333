#pragma once

#include <ocelli/nn/detail/axis_maps.hpp>
#include <ocelli/nn/ops/detail/resize_taps.hpp>
#include <ocelli/nn/ops/resize.hpp>

#include <cmath>

namespace ocelli::nn {

namespace detail {

/// One axis of a block (outer, in, inner) -> (outer, out, inner).
template <class A>
void resample_axis(const A* from, A* to, std::int64_t outer, const resize_axis& a, std::int64_t inner, const resize_taps& taps, A extrapolation) {
    // Blocks of rows for a last axis, so that a block is worth a thread.
    for_each_index(outer * (inner == 1 ? 1 : a.out), (inner == 1 ? a.out : inner) * 4, [&](std::int64_t at) {
        if (inner == 1) {
            const A* in = from + at * a.in;
            A* out = to + at * a.out;
            for (std::int64_t o = 0; o < a.out; ++o) {
                const std::size_t first = taps.begin[static_cast<std::size_t>(o)], end = taps.begin[static_cast<std::size_t>(o) + 1];
                A sum = first == end ? extrapolation : A(0);
                for (std::size_t k = first; k < end; ++k) sum += static_cast<A>(taps.weight[k]) * in[taps.source[k]];
                out[o] = sum;
            }
            return;
        }
        const std::int64_t block = at / a.out, o = at % a.out;
        const std::size_t first = taps.begin[static_cast<std::size_t>(o)], end = taps.begin[static_cast<std::size_t>(o) + 1];
        A* out = to + at * inner;
        if (first == end) {
            std::fill(out, out + inner, extrapolation);
            return;
        }
        for (std::size_t k = first; k < end; ++k) {
            const A w = static_cast<A>(taps.weight[k]);
            const A* in = from + (block * a.in + taps.source[k]) * inner;
            if (k == first)
                for (std::int64_t i = 0; i < inner; ++i) out[i] = w * in[i];
            else
                for (std::int64_t i = 0; i < inner; ++i) out[i] += w * in[i];
        }
    });
}

inline void resize_smooth(const tensor& x, const std::vector<resize_axis>& axes, const resize_settings& s, tensor& y) {
    const auto work = [&]<class T, class A>(type_tag<T>, type_tag<A>) {
        tensor from = x.cast(dtype_of<A>);  // tensors, as limits count them
        // Axes that shrink most come first: fewer elements for the others.
        std::vector<std::size_t> order;
        for (std::size_t i = 0; i < axes.size(); ++i)
            if (!axes[i].identity() || s.coordinates == "tf_crop_and_resize") order.push_back(i);
        std::stable_sort(order.begin(), order.end(), [&](std::size_t p, std::size_t q) { return axes[p].scale < axes[q].scale; });
        for (const std::size_t i : order) {
            dims shape = from.shape();
            const std::int64_t outer = product(shape, 0, i), inner = product(shape, i + 1, shape.size());
            shape[i] = axes[i].out;
            tensor next(dtype_of<A>, shape);
            resample_axis<A>(from.data<A>(), next.mutable_data<A>(), outer, axes[i], inner, make_taps(s, axes[i]), static_cast<A>(s.extrapolation));
            from = std::move(next);
        }
        const tensor result = from.cast(y.type());
        if (y.size() != 0) std::memcpy(y.mutable_raw(), result.raw(), y.bytes());
    };
    // Integers wider than 24 bits would lose digits in float.
    const bool wide = x.type() == dtype::float64 || x.type() == dtype::int64 || x.type() == dtype::uint64 || x.type() == dtype::int32 || x.type() == dtype::uint32;
    if (wide) work(type_tag<double>{}, type_tag<double>{});
    else work(type_tag<float>{}, type_tag<float>{});
}

inline void resize_nearest(const tensor& x, const std::vector<resize_axis>& axes, const resize_settings& s, tensor& y) {
    axis_maps maps(axes.size());
    for (std::size_t i = 0; i < axes.size(); ++i) {
        const resize_axis& a = axes[i];
        if (a.identity() && s.coordinates != "tf_crop_and_resize") {
            maps[i] = identity_map(a.in);
            continue;
        }
        for (std::int64_t o = 0; o < a.out; ++o) {
            const float at = source_coordinate(s.coordinates, a, o);
            const bool outside = s.coordinates == "tf_crop_and_resize" && (at < 0 || at > static_cast<float>(a.in - 1));
            maps[i].push_back(outside ? -1 : nearest_position(s.nearest, at, a.in));
        }
    }
    const tensor fill = tensor::scalar(s.extrapolation).cast(x.type());
    gather_axes(x, maps, fill.raw(), y);
}

inline void infer_resize(infer_context& c) {
    const symbolic_shape& x = c.shape(0);
    if (!x.ranked()) return c.output(0, c.type(0), {});
    const resize_inputs at = resize_inputs_of(c.self);
    const tensor* sizes = at.sizes != 0 ? c.constant(at.sizes) : nullptr;
    const tensor* scales = at.scales != 0 ? c.constant(at.scales) : nullptr;
    tensor attribute_scales;
    if (at.scales == 0) {
        attribute_scales = upsample_scales(c.self);
        scales = &attribute_scales;
    }
    // An input that is there but not constant leaves everything open.
    const bool open = (at.sizes != 0 && c.has_input(at.sizes) && sizes == nullptr) || (at.scales != 0 && c.has_input(at.scales) && scales == nullptr);
    symbolic_shape out = symbolic_shape::of_rank(x.rank());
    if (!open) {
        dims in;
        for (std::size_t i = 0; i < x.rank(); ++i) in.push_back(x[i].known() ? x[i].size : 1);
        const auto axes = resize_axes(c.self, in, nullptr, scales, sizes);
        const bool keeps_ratio = attr_string(c.self, "keep_aspect_ratio_policy", "stretch") != "stretch";
        const bool by_size = sizes != nullptr && sizes->size() != 0;
        for (std::size_t i = 0; i < x.rank(); ++i)
            if (x[i].known() && (!keeps_ratio || x.known())) out[i] = dim(axes[i].out);
            else if (!x[i].known() && axes[i].identity() && !by_size) out[i] = x[i];
    }
    c.output(0, c.type(0), std::move(out));
}

inline void eval_resize(eval_context& c) {
    const tensor& x = c.input(0);
    check(c.self, x.rank() >= 1, "input must have an axis at least");
    const resize_settings s = resize_settings_of(c.self);
    const resize_inputs at = resize_inputs_of(c.self);
    const auto given = [&](std::size_t i) { return i != 0 && c.has_input(i) ? &c.input(i) : nullptr; };
    tensor attribute_scales;
    const tensor* scales = given(at.scales);
    if (at.scales == 0) {
        attribute_scales = upsample_scales(c.self);
        scales = &attribute_scales;
    }
    const bool crops = s.coordinates == "tf_crop_and_resize";
    const auto axes = resize_axes(c.self, x.shape(), crops ? given(at.roi) : nullptr, scales, given(at.sizes));
    check(c.self, !crops || (given(at.roi) != nullptr && given(at.roi)->size() != 0), "tf_crop_and_resize needs roi");
    dims shape;
    for (const resize_axis& a : axes) shape.push_back(a.out);
    tensor& y = c.output(0, x.type(), shape);
    if (y.size() == 0) return;
    check(c.self, x.size() != 0, "cannot resize a tensor without elements");
    if (s.mode == "nearest") resize_nearest(x, axes, s, y);
    else resize_smooth(x, axes, s, y);
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> resize_ops() {
    static constexpr op_def table[] = {
        {.name = "Upsample", .since = 7, .until = 8, .attributes = "mode:string scales:floats", .infer = detail::infer_resize,
         .eval = detail::eval_resize, .results = exactness::rounding},
        {.name = "Upsample", .since = 9, .until = 9, .min_inputs = 2, .max_inputs = 2, .attributes = "mode:string", .infer = detail::infer_resize,
         .eval = detail::eval_resize, .results = exactness::rounding},
        {.name = "Resize", .since = 10, .until = 10, .min_inputs = 2, .max_inputs = 2, .attributes = "mode:string", .infer = detail::infer_resize,
         .eval = detail::eval_resize, .results = exactness::rounding},
        {.name = "Resize", .since = 11, .max_inputs = 4,
         .attributes = "antialias:int axes:ints coordinate_transformation_mode:string cubic_coeff_a:float exclude_outside:int "
                       "extrapolation_value:float keep_aspect_ratio_policy:string mode:string nearest_mode:string",
         .infer = detail::infer_resize, .eval = detail::eval_resize, .results = exactness::rounding},
    };
    return table;
}

}  // namespace ocelli::nn
