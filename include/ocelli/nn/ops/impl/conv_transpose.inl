#pragma once

#include <ocelli/features/deform_conv.hpp>
#include <ocelli/nn/detail/planes.hpp>
#include <ocelli/nn/ops/conv_transpose.hpp>
#include <ocelli/nn/ops/detail/widen.hpp>

#include <cmath>

namespace ocelli::nn {

namespace detail {

// --- ConvTranspose ----------------------------------------------------------------------------------------------------------

OCELLI_INLINE windows transposed_geometry(const node& n, const dims& spatial, const dims& kernel) {
    const std::size_t axes = spatial.size();
    windows w;
    w.kernel = kernel;
    w.strides = attr_ints(n, "strides", dims(axes, 1));
    w.dilations = attr_ints(n, "dilations", dims(axes, 1));
    const dims pads = attr_ints(n, "pads", dims(2 * axes, 0));
    const dims extra = attr_ints(n, "output_padding", dims(axes, 0));
    dims wanted = attr_ints(n, "output_shape", {});
    // Some exporters write N and C too.
    if (wanted.size() == axes + 2) wanted.erase(wanted.begin(), wanted.begin() + 2);
    const std::string auto_pad = attr_string(n, "auto_pad", "NOTSET");
    check(n, kernel.size() == axes && w.strides.size() == axes && w.dilations.size() == axes && pads.size() == 2 * axes && extra.size() == axes &&
                 (wanted.empty() || wanted.size() == axes),
          "kernel_shape, strides, dilations, pads, output_padding or output_shape have the wrong length for ", axes, " spatial axes");
    check(n, auto_pad == "NOTSET" || auto_pad == "VALID" || auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER", "auto_pad '", auto_pad,
          "' is not supported");
    const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
    constexpr std::int64_t limit = std::int64_t{1} << 20, extent_limit = std::int64_t{1} << 40;
    for (std::size_t i = 0; i < axes; ++i) {
        check(n, kernel[i] >= 1 && kernel[i] < limit && w.strides[i] >= 1 && w.strides[i] < limit && w.dilations[i] >= 1 && w.dilations[i] < limit,
              "kernel extents, strides and dilations must be at least 1 and not absurdly large");
        check(n, std::abs(pads[i]) < extent_limit && std::abs(pads[i + axes]) < extent_limit && extra[i] >= 0 && extra[i] < limit &&
                     spatial[i] >= 0 && spatial[i] < extent_limit,
              "pads, output_padding or the input's extents are out of range");
        const std::int64_t full = spatial[i] == 0 ? 0 : w.strides[i] * (spatial[i] - 1) + extra[i] + (kernel[i] - 1) * w.dilations[i] + 1;
        std::int64_t begin = pads[i], out = full - pads[i] - pads[i + axes];
        if (!wanted.empty() || same) {
            out = wanted.empty() ? spatial[i] * w.strides[i] : wanted[i];
            check(n, out >= 0 && out < extent_limit, "output_shape is out of range");
            const std::int64_t total = std::max<std::int64_t>(0, full - out);
            begin = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
        } else if (auto_pad == "VALID") {
            begin = 0;
            out = full;
        }
        check(n, out >= 0, "pads ", pads[i], " and ", pads[i + axes], " are larger than the result");
        w.pads_begin.push_back(begin);
        w.pads_end.push_back(0);
        w.output.push_back(out);
    }
    return w;
}

OCELLI_INLINE void infer_conv_transpose(infer_context& c) {
    const symbolic_shape& x = c.shape(0);
    const symbolic_shape& w = c.shape(1);
    if (!x.ranked() || !w.ranked()) return c.output(0, c.type(0), {});
    check(c.self, x.rank() >= 3 && x.rank() <= 5 && w.rank() == x.rank(), "input and weights must have shapes (N, C, ...) and (C, M / group, ...), got ",
          x, " and ", w);
    symbolic_shape out = symbolic_shape::of_rank(x.rank());
    out[0] = x[0];
    const std::int64_t group = attr_int(c.self, "group", 1);
    if (w[1].known() && group >= 1 && w[1].size <= (std::int64_t{1} << 40) && group <= (std::int64_t{1} << 20)) out[1] = dim(w[1].size * group);
    dims extents, kernel;
    for (std::size_t i = 2; i < x.rank(); ++i) {
        if (!w[i].known()) return c.output(0, c.type(0), std::move(out));
        kernel.push_back(w[i].size);
        extents.push_back(x[i].known() ? x[i].size : std::int64_t{1} << 30);
    }
    const windows g = transposed_geometry(c.self, extents, kernel);
    const bool given = has_attribute(c.self, "output_shape");
    for (std::size_t i = 2; i < x.rank(); ++i)
        if (x[i].known() || given) out[i] = dim(g.output[i - 2]);
    c.output(0, c.type(0), std::move(out));
}

OCELLI_INLINE void eval_conv_transpose(eval_context& c) {
    const tensor& x = c.input(0);
    const tensor& w = c.input(1);
    const std::int64_t group = attr_int(c.self, "group", 1);
    check(c.self, x.rank() >= 3 && x.rank() <= 5 && w.rank() == x.rank(), "input and weights must have shapes (N, C, ...) and (C, M / group, ...), got ",
          text(x), " and ", text(w));
    check(c.self, group >= 1 && w.extent(0) == x.extent(1) && x.extent(1) % group == 0, "channels do not fit: input ", text(x), ", weights ", text(w),
          ", group ", group);
    check(c.self, group <= std::max<std::int64_t>(1, x.extent(1)), "group ", group, " exceeds the number of channels");
    const std::int64_t filters = w.extent(1) * group;
    check(c.self, w.type() == x.type() && (!c.has_input(2) || (c.input(2).type() == x.type() && c.input(2).size() == filters)),
          "weights and bias must have the input's type, and the bias one element per output channel");
    const dims spatial(x.shape().begin() + 2, x.shape().end());
    const dims kernel(w.shape().begin() + 2, w.shape().end());
    check(c.self, attr_ints(c.self, "kernel_shape", kernel) == kernel, "kernel_shape contradicts the weights' shape ", text(w));
    const windows g = transposed_geometry(c.self, spatial, kernel);
    dims shape = {x.extent(0), filters};
    shape.insert(shape.end(), g.output.begin(), g.output.end());

    const plane_windows p(spatial, g);
    const std::int64_t taps = p.kernel[0] * p.kernel[1] * p.kernel[2];
    const std::int64_t channels = x.extent(1) / group, per_group = w.extent(1);
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        T* y = c.output(0, x.type(), shape).template mutable_data<T>();
        const T* weights = w.data<T>();
        const T* bias = c.has_input(2) ? c.input(2).data<T>() : nullptr;
        for_each_index(x.extent(0) * filters, p.in_size * taps * channels, [&](std::int64_t at) {
            const std::int64_t n = at / filters, m = at % filters;
            std::vector<double> sum(static_cast<std::size_t>(p.out_size), bias != nullptr ? static_cast<double>(bias[m]) : 0.0);
            for (std::int64_t k = 0; k < channels; ++k) {
                const std::int64_t channel = m / per_group * channels + k;
                const T* plane = x.data<T>() + (n * x.extent(1) + channel) * p.in_size;
                for (std::int64_t tap = 0; tap < taps; ++tap) {
                    const double weight = static_cast<double>(weights[(channel * per_group + m % per_group) * taps + tap]);
                    const std::int64_t dz = tap / (p.kernel[1] * p.kernel[2]) * p.dilation[0] - p.pad[0];
                    const std::int64_t dy = tap / p.kernel[2] % p.kernel[1] * p.dilation[1] - p.pad[1];
                    const std::int64_t dx = tap % p.kernel[2] * p.dilation[2] - p.pad[2];
                    const std::int64_t u0 = first_inside(dx, p.stride[2]), u1 = end_inside(dx, p.stride[2], p.out[2], p.in[2]);
                    const std::int64_t z1 = end_inside(dz, p.stride[0], p.out[0], p.in[0]), v1 = end_inside(dy, p.stride[1], p.out[1], p.in[1]);
                    for (std::int64_t z = first_inside(dz, p.stride[0]); z < z1; ++z)
                        for (std::int64_t v = first_inside(dy, p.stride[1]); v < v1; ++v) {
                            const T* from = plane + (z * p.in[1] + v) * p.in[2];
                            double* to = sum.data() + ((z * p.stride[0] + dz) * p.out[1] + v * p.stride[1] + dy) * p.out[2];
                            for (std::int64_t u = u0; u < u1; ++u) to[u * p.stride[2] + dx] += weight * static_cast<double>(from[u]);
                        }
                }
            }
            T* to = y + at * p.out_size;
            for (std::int64_t i = 0; i < p.out_size; ++i) to[i] = static_cast<T>(sum[static_cast<std::size_t>(i)]);
        });
    });
}

// --- Col2Im -----------------------------------------------------------------------------------------------------------------

struct col2im_geometry {
    dims shape;
    plane_windows w;
    std::int64_t taps;
};

inline col2im_geometry fold_geometry(const node& n, const dims& x, const std::vector<std::int64_t>& image, const std::vector<std::int64_t>& block) {
    const std::size_t axes = image.size();
    check(n, axes >= 1 && axes <= 3 && block.size() == axes, "image_shape and block_shape must have 1 to 3 elements each, got ",
          ocelli::detail::shape_text(image), " and ", ocelli::detail::shape_text(block));
    check(n, x.size() == 3, "input must have shape (N, C * product(block_shape), L), got ", ocelli::detail::shape_text(x));
    for (std::size_t i = 0; i < axes; ++i)
        check(n, image[i] >= 0 && image[i] < (std::int64_t{1} << 40), "image_shape is out of range: ", ocelli::detail::shape_text(image));
    const windows g = window_geometry(n, image, block);
    const std::int64_t taps = element_count(block);
    const std::int64_t positions = element_count(g.output);
    check(n, x[1] % taps == 0 && x[2] == positions, "input ", ocelli::detail::shape_text(x), " does not hold blocks of ", taps, " elements at ",
          positions, " positions");
    dims shape = {x[0], x[1] / taps};
    shape.insert(shape.end(), image.begin(), image.end());
    return {std::move(shape), plane_windows(image, g), taps};
}

inline void infer_col2im(infer_context& c) {
    const auto image = c.constant_ints(1), block = c.constant_ints(2);
    const auto x = c.shape(0).concrete();
    if (x && image && block) return c.output(0, c.type(0), symbolic_shape(fold_geometry(c.self, *x, *image, *block).shape));
    c.output(0, c.type(0), image ? symbolic_shape::of_rank(image->size() + 2) : symbolic_shape());
}

inline void eval_col2im(eval_context& c) {
    const tensor& x = c.input(0);
    const col2im_geometry g = fold_geometry(c.self, x.shape(), c.input(1).to_ints(), c.input(2).to_ints());
    const plane_windows& w = g.w;
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        T* y = c.output(0, x.type(), g.shape).template mutable_data<T>();
        for_each_index(g.shape[0] * g.shape[1], w.out_size * g.taps, [&](std::int64_t plane) {
            std::vector<double> sum(static_cast<std::size_t>(w.in_size), 0.0);
            for (std::int64_t tap = 0; tap < g.taps; ++tap) {
                const T* from = x.data<T>() + (plane * g.taps + tap) * w.out_size;
                const std::int64_t dz = tap / (w.kernel[1] * w.kernel[2]) * w.dilation[0] - w.pad[0];
                const std::int64_t dy = tap / w.kernel[2] % w.kernel[1] * w.dilation[1] - w.pad[1];
                const std::int64_t dx = tap % w.kernel[2] * w.dilation[2] - w.pad[2];
                const std::int64_t z1 = end_inside(dz, w.stride[0], w.in[0], w.out[0]), v1 = end_inside(dy, w.stride[1], w.in[1], w.out[1]);
                const std::int64_t u1 = end_inside(dx, w.stride[2], w.in[2], w.out[2]);
                for (std::int64_t z = first_inside(dz, w.stride[0]); z < z1; ++z)
                    for (std::int64_t v = first_inside(dy, w.stride[1]); v < v1; ++v)
                        for (std::int64_t u = first_inside(dx, w.stride[2]); u < u1; ++u)
                            sum[static_cast<std::size_t>(((z * w.stride[0] + dz) * w.in[1] + v * w.stride[1] + dy) * w.in[2] + u * w.stride[2] + dx)] +=
                                static_cast<double>(from[(z * w.out[1] + v) * w.out[2] + u]);
            }
            T* to = y + plane * w.in_size;
            for (std::int64_t i = 0; i < w.in_size; ++i) to[i] = static_cast<T>(sum[static_cast<std::size_t>(i)]);
        });
    });
}

// --- DeformConv -------------------------------------------------------------------------------------------------------------

inline void infer_deform_conv(infer_context& c) {
    const symbolic_shape& x = c.shape(0);
    const symbolic_shape& w = c.shape(1);
    const symbolic_shape& offset = c.shape(2);
    if (!x.ranked()) return c.output(0, c.type(0), {});
    symbolic_shape out = symbolic_shape::of_rank(x.rank());
    if (x.rank() == 4) {
        out[0] = x[0];
        if (w.ranked() && w.rank() == 4) out[1] = w[0];
        if (offset.ranked() && offset.rank() == 4) {
            out[2] = offset[2];
            out[3] = offset[3];
        }
    }
    c.output(0, c.type(0), std::move(out));
}

inline void eval_deform_conv(eval_context& c) {
    const tensor& x = c.input(0);
    const tensor& w = c.input(1);
    const tensor& offset = c.input(2);
    check<unsupported_operator>(c.self, x.rank() == 4, "only two spatial axes are supported, got ", text(x));
    const std::int64_t group = attr_int(c.self, "group", 1), offset_group = attr_int(c.self, "offset_group", 1);
    check(c.self, w.rank() == 4 && offset.rank() == 4, "weights and offset must have rank 4, got ", text(w), " and ", text(offset));
    const std::int64_t channels = x.extent(1), filters = w.extent(0);
    check(c.self, group >= 1 && group <= std::max<std::int64_t>(1, channels) && w.extent(1) * group == channels && filters % group == 0 && offset_group >= 1 &&
                      offset_group <= std::max<std::int64_t>(1, channels) && channels % offset_group == 0,
          "channels do not fit: input ", text(x), ", weights ", text(w), ", group ", group, ", offset_group ", offset_group);
    const dims spatial = {x.extent(2), x.extent(3)}, kernel = {w.extent(2), w.extent(3)};
    check(c.self, attr_ints(c.self, "kernel_shape", kernel) == kernel, "kernel_shape contradicts the weights' shape ", text(w));
    const windows g = window_geometry(c.self, spatial, kernel);
    const std::int64_t taps = kernel[0] * kernel[1], out_size = g.output[0] * g.output[1];
    check(c.self, offset.shape() == dims{x.extent(0), offset_group * taps * 2, g.output[0], g.output[1]}, "offset has shape ", text(offset),
          ", expected (", x.extent(0), ", ", offset_group * taps * 2, ", ", g.output[0], ", ", g.output[1], ")");
    const bool biased = c.has_input(3), masked = c.has_input(4);
    check(c.self, !biased || c.input(3).size() == filters, "bias must have one element per output channel");
    check(c.self, !masked || c.input(4).shape() == dims{x.extent(0), offset_group * taps, g.output[0], g.output[1]}, "mask has shape ",
          masked ? text(c.input(4)) : "", ", which does not fit offset ", text(offset));
    check(c.self, w.type() == x.type() && offset.type() == x.type() && (!biased || c.input(3).type() == x.type()) &&
                      (!masked || c.input(4).type() == x.type()),
          "all inputs must have one type");
    const dims shape = {x.extent(0), filters, g.output[0], g.output[1]};
    constexpr std::int64_t side = std::int64_t{1} << 23;
    check(c.self, spatial[0] < side && spatial[1] < side && spatial[0] * spatial[1] < (std::int64_t{1} << 30), "the map is too large: ", text(x));
    const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
    const ocelli::detail::deform_layer layer{.images = size(x.extent(0)), .channels = size(channels), .height = size(spatial[0]), .width = size(spatial[1]),
                                             .filters = size(filters), .out_height = size(g.output[0]), .out_width = size(g.output[1]),
                                             .kernel_y = size(kernel[0]), .kernel_x = size(kernel[1]), .groups = size(group),
                                             .offset_groups = size(offset_group), .stride_y = g.strides[0], .stride_x = g.strides[1],
                                             .pad_top = g.pads_begin[0], .pad_left = g.pads_begin[1], .dilation_y = g.dilations[0],
                                             .dilation_x = g.dilations[1]};
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        T* y = c.output(0, x.type(), shape).template mutable_data<T>();
        if (channels == 0) {
            for (std::int64_t i = 0; i < element_count(shape); ++i) y[i] = biased ? c.input(3).data<T>()[i / out_size % filters] : T(0);
            return;
        }
        ocelli::detail::deform_conv(layer, x.data<T>(), offset.data<T>(), w.data<T>(), biased ? c.input(3).data<T>() : nullptr,
                                    masked ? c.input(4).data<T>() : nullptr, y);
    });
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> conv_transpose_ops() {
    static constexpr op_def table[] = {
        {.name = "ConvTranspose", .min_inputs = 2, .max_inputs = 3,
         .attributes = "auto_pad:string dilations:ints group:int kernel_shape:ints output_padding:ints output_shape:ints pads:ints strides:ints",
         .infer = detail::infer_conv_transpose, .eval = detail::in_float<detail::eval_conv_transpose>, .results = exactness::rounding},
        {.name = "DeformConv", .since = 19, .min_inputs = 3, .max_inputs = 5,
         .attributes = "dilations:ints group:int kernel_shape:ints offset_group:int pads:ints strides:ints", .infer = detail::infer_deform_conv,
         .eval = detail::in_float<detail::eval_deform_conv>, .results = exactness::rounding},
        {.name = "Col2Im", .since = 18, .min_inputs = 3, .max_inputs = 3, .attributes = "dilations:ints pads:ints strides:ints",
         .infer = detail::infer_col2im, .eval = detail::in_float<detail::eval_col2im>, .results = exactness::rounding},
    };
    return table;
}

}  // namespace ocelli::nn
