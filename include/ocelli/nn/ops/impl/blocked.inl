#pragma once

#include <ocelli/nn/ops/blocked.hpp>
#include <ocelli/nn/ops/support.hpp>

#include <algorithm>
#include <cstring>

namespace ocelli::nn {

namespace detail {

inline constexpr std::string_view blocked_domain = "ocelli.blocked";
inline constexpr std::string_view blocked_attributes[] = {"lanes", "channels", "inner_domain", "inner_opset", "planes"};

inline std::int64_t checked_lanes(const node& n) {
    const std::int64_t lanes = attr_int(n, "lanes");
    check(n, lanes >= 1 && lanes <= 64, "lanes must be 1 to 64, got ", lanes);
    return lanes;
}

/// (N, C, ...) in blocks, and the reverse.
inline symbolic_shape shape_in_blocks(const symbolic_shape& s, std::int64_t lanes) {
    if (!s.ranked() || s.rank() < 2) return {};
    std::vector<dim> out = s.extents();
    out[1] = out[1].known() ? dim((out[1].size + lanes - 1) / lanes) : dim();
    out.emplace_back(lanes);
    return out;
}
inline symbolic_shape shape_in_planes(const symbolic_shape& s, std::int64_t channels) {
    if (!s.ranked() || s.rank() < 3) return {};
    std::vector<dim> out = s.extents();
    out[1] = dim(channels);
    out.pop_back();
    return out;
}

template <class T>
tensor tensor_in_blocks(const tensor& x, std::int64_t lanes, tensor out) {
    const std::int64_t channels = x.extent(1), blocks = (channels + lanes - 1) / lanes, pixels = product(x.shape(), 2, x.rank());
    const T* from = x.data<T>();
    T* to = out.mutable_data<T>();
    for (std::int64_t n = 0; n < x.extent(0); ++n)
        for (std::int64_t b = 0; b < blocks; ++b)
            for (std::int64_t i = 0; i < pixels; ++i)
                for (std::int64_t c = 0; c < lanes; ++c, ++to)
                    *to = b * lanes + c < channels ? from[(n * channels + b * lanes + c) * pixels + i] : T{};
    return out;
}
template <class T>
tensor tensor_in_planes(const tensor& x, std::int64_t channels, tensor out) {
    const std::int64_t lanes = x.shape().back(), blocks = x.extent(1), pixels = product(x.shape(), 2, x.rank() - 1);
    const T* from = x.data<T>();
    T* to = out.mutable_data<T>();
    for (std::int64_t n = 0; n < x.extent(0); ++n)
        for (std::int64_t c = 0; c < channels; ++c)
            for (std::int64_t i = 0; i < pixels; ++i, ++to) *to = from[((n * blocks + c / lanes) * pixels + i) * lanes + c % lanes];
    return out;
}
template <class T>
void tensor_with_channels_last(const tensor& x, std::int64_t channels, tensor out) {
    const std::int64_t lanes = x.shape().back(), blocks = x.extent(1), pixels = product(x.shape(), 2, x.rank() - 1);
    const T* from = x.data<T>();
    T* to = out.mutable_data<T>();
    for (std::int64_t n = 0; n < x.extent(0); ++n)
        for (std::int64_t i = 0; i < pixels; ++i)
            for (std::int64_t c = 0; c < channels; ++c, ++to) *to = from[((n * blocks + c / lanes) * pixels + i) * lanes + c % lanes];
}
inline dims dims_in_planes(const node& n, const tensor& x, std::int64_t channels) {
    check(n, x.rank() >= 3 && channels >= 0 && x.extent(1) * x.shape().back() >= channels, "an image in blocks with ", channels, " channels expected, got ",
          text(x));
    dims shape = x.shape();
    shape[1] = channels;
    shape.pop_back();
    return shape;
}
inline dims dims_in_blocks(const node& n, const tensor& x, std::int64_t lanes) {
    check(n, x.rank() >= 2, "an image (N, C, ...) expected, got ", text(x));
    dims shape = x.shape();
    shape[1] = (shape[1] + lanes - 1) / lanes;
    shape.push_back(lanes);
    return shape;
}

inline void infer_block(infer_context& c) {
    c.output(0, c.type(0), shape_in_blocks(c.shape(0), checked_lanes(c.self)));
}
inline void eval_block(eval_context& c) {
    const std::int64_t lanes = checked_lanes(c.self);
    const tensor& x = c.input(0);
    dispatch(c.self, real_types{}, x.type(),
             [&]<class T>(type_tag<T>) { tensor_in_blocks<T>(x, lanes, c.output(0, x.type(), dims_in_blocks(c.self, x, lanes))); });
}
inline void infer_unblock(infer_context& c) {
    const symbolic_shape planes = shape_in_planes(c.shape(0), attr_int(c.self, "channels"));
    if (attr_int(c.self, "last", 0) == 0 || !planes.ranked()) return c.output(0, c.type(0), planes);
    std::vector<dim> turned = planes.extents();
    std::rotate(turned.begin() + 1, turned.begin() + 2, turned.end());
    c.output(0, c.type(0), turned);
}
inline void eval_unblock(eval_context& c) {
    const std::int64_t channels = attr_int(c.self, "channels");
    const tensor& x = c.input(0);
    dispatch(c.self, real_types{}, x.type(),
             [&]<class T>(type_tag<T>) {
                 dims shape = dims_in_planes(c.self, x, channels);
                 if (attr_int(c.self, "last", 0) == 0) return void(tensor_in_planes<T>(x, channels, c.output(0, x.type(), shape)));
                 std::rotate(shape.begin() + 1, shape.begin() + 2, shape.end());
                 tensor_with_channels_last<T>(x, channels, c.output(0, x.type(), shape));
             });
}

/// The lists of a Channels node.
struct picked_channels {
    std::vector<std::int64_t> images, channels;
};
inline picked_channels picked_of(const node& n, std::size_t inputs) {
    picked_channels p{attr_ints(n, "images"), attr_ints(n, "channels")};
    check(n, p.images.size() == p.channels.size() && !p.images.empty(), "images and channels must be as many as each other");
    for (std::size_t i = 0; i < p.images.size(); ++i)
        check(n, p.images[i] >= 0 && p.images[i] < static_cast<std::int64_t>(inputs) && p.channels[i] >= 0, "there is no channel ", p.channels[i], " of image ", p.images[i]);
    return p;
}
inline void infer_channels(infer_context& c) {
    const picked_channels p = picked_of(c.self, c.input_count());
    const std::int64_t lanes = checked_lanes(c.self);
    for (std::size_t i = 0; i < c.input_count(); ++i) check(c.self, c.has_input(i) && c.type(i) == c.type(0), "images of one type expected");
    const symbolic_shape& in = c.shape(0);
    if (!in.ranked() || in.rank() < 3) return c.output(0, c.type(0), {});
    std::vector<dim> out = in.extents();
    out[1] = dim((static_cast<std::int64_t>(p.images.size()) + lanes - 1) / lanes);
    c.output(0, c.type(0), out);
}
inline void eval_channels(eval_context& c) {
    const picked_channels p = picked_of(c.self, c.input_count());
    const std::int64_t lanes = checked_lanes(c.self), count = static_cast<std::int64_t>(p.images.size());
    dims shape = c.input(0).shape();
    check(c.self, shape.size() >= 3 && shape.back() == lanes, "images in blocks of ", lanes, " channels expected, got ", c.input(0));
    const std::int64_t pixels = product(shape, 2, shape.size() - 1), images = shape[0];
    for (std::size_t i = 0; i < c.input_count(); ++i) {
        dims other = c.input(i).shape();
        check(c.self, other.size() == shape.size() && c.input(i).type() == c.input(0).type(), "images of one shape and type expected");
        other[1] = shape[1];
        check(c.self, other == shape, "images of one shape expected, got ", c.input(0), " and ", c.input(i));
    }
    shape[1] = (count + lanes - 1) / lanes;
    dispatch(c.self, real_types{}, c.input(0).type(), [&]<class T>(type_tag<T>) {
        tensor& y = c.output(0, c.input(0).type(), shape);
        T* to = y.mutable_data<T>();
        std::fill(to, to + y.size(), T{});
        for (std::int64_t i = 0; i < count; ++i) {
            const tensor& x = c.input(static_cast<std::size_t>(p.images[static_cast<std::size_t>(i)]));
            const std::int64_t channel = p.channels[static_cast<std::size_t>(i)];
            check(c.self, channel < x.extent(1) * lanes, "there is no channel ", channel, " of ", x);
            for (std::int64_t n = 0; n < images; ++n)
                for (std::int64_t at = 0; at < pixels; ++at)
                    to[((n * shape[1] + i / lanes) * pixels + at) * lanes + i % lanes] =
                        x.data<T>()[((n * x.extent(1) + channel / lanes) * pixels + at) * lanes + channel % lanes];
        }
    });
}

inline void infer_blocked(infer_context& c) {
    const node inner = plain_form(c.self);
    const std::int64_t lanes = checked_lanes(c.self);
    const std::vector<std::int64_t> channels = attr_ints(c.self, "channels");
    std::vector<fact> in(c.input_count());
    std::vector<const fact*> pointers(c.input_count());
    for (std::size_t i = 0; i < in.size(); ++i) {
        if (!c.has_input(i)) continue;
        const bool blocked = i < channels.size() && channels[i] != 0;
        in[i].type = c.type(i);
        in[i].shape = blocked ? shape_in_planes(c.shape(i), channels[i]) : c.shape(i);
        if (!blocked && c.constant(i) != nullptr) in[i].constant = *c.constant(i);
        pointers[i] = &in[i];
    }
    std::vector<fact> out(c.output_count());
    infer_context context(inner, pointers, out);
    inner.def->infer(context);
    const bool planes = attr_int(c.self, "planes", 0) != 0;
    for (std::size_t i = 0; i < out.size(); ++i) c.output(i, out[i].type, planes ? out[i].shape : shape_in_blocks(out[i].shape, lanes));
}

inline void eval_blocked(eval_context& c) {
    const node inner = plain_form(c.self);
    const std::int64_t lanes = checked_lanes(c.self);
    const std::vector<std::int64_t> channels = attr_ints(c.self, "channels");
    std::vector<tensor> in(c.input_count()), out(c.output_count());
    for (std::size_t i = 0; i < in.size(); ++i) {
        if (!c.has_input(i)) continue;
        const tensor& x = c.input(i);
        if (i >= channels.size() || channels[i] == 0) in[i] = x;
        else
            dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
                in[i] = tensor_in_planes<T>(x, channels[i], tensor(x.type(), dims_in_planes(c.self, x, channels[i])));
            });
    }
    eval_context context(inner, in, out);
    inner.def->eval(context);
    if (attr_int(c.self, "planes", 0) != 0) {
        for (std::size_t i = 0; i < out.size(); ++i)
            if (out[i].defined()) c.set_output(i, std::move(out[i]));
        return;
    }
    for (std::size_t i = 0; i < out.size(); ++i)
        if (out[i].defined())
            dispatch(c.self, real_types{}, out[i].type(), [&]<class T>(type_tag<T>) {
                tensor_in_blocks<T>(out[i], lanes, c.output(i, out[i].type(), dims_in_blocks(c.self, out[i], lanes)));
            });
}

// The two convolutions of a PointwiseDepthwise, which has the second one's attributes and inputs, and then the first one's w, bias and slope.
struct convolution_pair {
    node first, second;
};
inline convolution_pair pair_of(const node& n, std::int64_t filters) {
    convolution_pair p{.first = {.name = n.name, .op = "Conv", .domain = std::string(blocked_domain), .opset = 1,
                                 .attributes = {{"activation", attr_string(n, "first_activation", "none")}, {"alpha", attr_float(n, "first_alpha", 0)},
                                                {"beta", attr_float(n, "first_beta", 0)}, {"lanes", checked_lanes(n)}, {"channels", attr_ints(n, "channels")},
                                                {"inner_domain", attr_string(n, "inner_domain")}, {"inner_opset", attr_int(n, "inner_opset")}}},
                       .second = n};
    p.second.op = "Conv";
    std::erase_if(p.second.attributes, [](const attribute& a) { return a.name.starts_with("first_"); });
    set_attribute(p.second, "channels", std::vector<std::int64_t>{filters});
    return p;
}
inline constexpr std::size_t first_of_pair[] = {0, 5, 6, 3, 7};  // the first one's inputs; neither has an addend

inline void infer_pair(infer_context& c) {
    check(c.self, c.has_input(5) && !c.has_input(3), "inputs x, w, bias, none, slope, and the pointwise w, bias, slope expected");
    const symbolic_shape& w = c.shape(5);
    check(c.self, w.ranked() && w.rank() == 4 && w[0].known(), "the pointwise weights' shape must be known");
    const convolution_pair p = pair_of(c.self, w[0].size);
    std::vector<fact> in(8), between(1), out(1);
    for (std::size_t i = 0; i < c.input_count() && i < in.size(); ++i)
        if (c.has_input(i)) in[i] = {c.type(i), c.shape(i), c.constant(i) != nullptr ? *c.constant(i) : tensor()};
    const auto given = [&](std::size_t i) { return c.has_input(i) ? &in[i] : nullptr; };
    std::vector<const fact*> inputs;
    for (const std::size_t i : first_of_pair) inputs.push_back(given(i));
    infer_context first(p.first, inputs, between);
    infer_blocked(first);
    inputs = {&between[0], given(1), given(2), nullptr, given(4)};
    infer_context second(p.second, inputs, out);
    infer_blocked(second);
    c.output(0, out[0].type, out[0].shape);
}

inline void eval_pair(eval_context& c) {
    const convolution_pair p = pair_of(c.self, c.input(5).extent(0));
    const auto given = [&](std::size_t i) { return c.has_input(i) ? c.input(i) : tensor(); };
    std::vector<tensor> in, between(1), out(1);
    for (const std::size_t i : first_of_pair) in.push_back(given(i));
    eval_context first(p.first, in, between);
    eval_blocked(first);
    in = {between[0], given(1), given(2), tensor(), given(4)};
    eval_context second(p.second, in, out);
    eval_blocked(second);
    tensor& y = c.output(0, out[0].type(), out[0].shape());
    std::memcpy(y.mutable_raw(), out[0].raw(), out[0].bytes());
}

// The convolution of a GatedConv, whose first input is multiplied by the sixth.
inline node ungated(const node& n) {
    node conv = n;
    conv.op = "Conv";
    return conv;
}

inline void infer_gated(infer_context& c) {
    check(c.self, c.has_input(5), "inputs x, w, bias, addend, slope, gate expected");
    const node conv = ungated(c.self);
    std::vector<fact> in(5), out(1);
    std::vector<const fact*> inputs(5);
    for (std::size_t i = 0; i < 5; ++i) {
        if (!c.has_input(i)) continue;
        in[i] = {c.type(i), c.shape(i), c.constant(i) != nullptr ? *c.constant(i) : tensor()};
        inputs[i] = &in[i];
    }
    infer_context context(conv, inputs, out);
    infer_blocked(context);
    c.output(0, out[0].type, out[0].shape);
}

OCELLI_INLINE void check_gate(const node& n, const tensor& x, const tensor& gate) {
    dims shape = x.shape();
    for (std::size_t i = 2; i + 1 < shape.size(); ++i) shape[i] = 1;
    check(n, shape.size() >= 3 && gate.shape() == shape && gate.type() == x.type(), "a gate of shape ", shape, " expected, got ", gate);
}

inline void eval_gated(eval_context& c) {
    const tensor &x = c.input(0), &gate = c.input(5);
    check_gate(c.self, x, gate);
    tensor product(x.type(), x.shape());
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        const std::int64_t lanes = x.shape().back(), blocks = x.extent(0) * x.extent(1), pixels = blocks == 0 ? 0 : x.size() / blocks;
        for (std::int64_t i = 0; i < x.size(); ++i) product.mutable_data<T>()[i] = static_cast<T>(x.data<T>()[i] * gate.data<T>()[i / pixels * lanes + i % lanes]);
    });
    const node conv = ungated(c.self);
    std::vector<tensor> in(5), out(1);
    in[0] = product;
    for (std::size_t i = 1; i < in.size(); ++i)
        if (c.has_input(i)) in[i] = c.input(i);
    eval_context context(conv, in, out);
    eval_blocked(context);
    tensor& y = c.output(0, out[0].type(), out[0].shape());
    std::memcpy(y.mutable_raw(), out[0].raw(), out[0].bytes());
}

}  // namespace detail

OCELLI_INLINE bool has_blocked_form(const node& n) {
    return n.domain != detail::blocked_domain && find_any_op(detail::blocked_domain, n.op) != nullptr;
}

OCELLI_INLINE tensor in_blocks(const tensor& x, std::int64_t lanes) {
    return detail::tensor_in_blocks<float>(x, lanes, tensor(dtype::float32, detail::dims_in_blocks({}, x, lanes)));
}

OCELLI_INLINE node blocked_form(const node& n, std::int64_t lanes, std::vector<std::int64_t> channels) {
    node out = n;
    set_attribute(out, "inner_domain", n.domain);
    set_attribute(out, "inner_opset", n.opset);
    set_attribute(out, "lanes", lanes);
    set_attribute(out, "channels", std::move(channels));
    out.domain = detail::blocked_domain;
    out.opset = 1;
    out.def = nullptr;
    out.inputs.clear();
    out.outputs.clear();
    return out;
}

OCELLI_INLINE node plain_form(const node& n) {
    node out = n;
    out.domain = attr_string(n, "inner_domain");
    out.opset = attr_int(n, "inner_opset");
    out.def = find_op(out.domain, out.op, out.opset);
    check(n, out.domain != detail::blocked_domain && out.def != nullptr && out.def->infer != nullptr && out.def->eval != nullptr,
          "inner_domain and inner_opset name no operator");
    std::erase_if(out.attributes, [](const attribute& a) {
        return std::find(std::begin(detail::blocked_attributes), std::end(detail::blocked_attributes), a.name) != std::end(detail::blocked_attributes);
    });
    return out;
}

OCELLI_INLINE std::span<const op_def> blocked_ops() {
#define OCELLI_BLOCKED_ATTRIBUTES_ " lanes:int channels:ints inner_domain:string inner_opset:int"
    static constexpr op_def table[] = {
        {.name = "Block", .domain = "ocelli", .attributes = "lanes:int", .infer = detail::infer_block, .eval = detail::eval_block},
        {.name = "Unblock", .domain = "ocelli", .attributes = "channels:int last:int", .infer = detail::infer_unblock, .eval = detail::eval_unblock},
        {.name = "Channels", .domain = "ocelli", .max_inputs = -1, .attributes = "lanes:int images:ints channels:ints", .infer = detail::infer_channels,
         .eval = detail::eval_channels},
        {.name = "Conv", .domain = detail::blocked_domain, .min_inputs = 2, .max_inputs = 5,
         .attributes = "auto_pad:string dilations:ints group:int kernel_shape:ints pads:ints strides:ints activation:string alpha:float beta:float "
                       "kernel:string" OCELLI_BLOCKED_ATTRIBUTES_,
         .infer = detail::infer_blocked, .eval = detail::eval_blocked, .results = exactness::rounding},
        {.name = "PointwiseDepthwise", .domain = detail::blocked_domain, .min_inputs = 2, .max_inputs = 8,
         .attributes = "auto_pad:string dilations:ints group:int kernel_shape:ints pads:ints strides:ints activation:string alpha:float beta:float "
                       "kernel:string first_activation:string first_alpha:float first_beta:float" OCELLI_BLOCKED_ATTRIBUTES_,
         .infer = detail::infer_pair, .eval = detail::eval_pair, .results = exactness::rounding},
        {.name = "GatedConv", .domain = detail::blocked_domain, .min_inputs = 2, .max_inputs = 6,
         .attributes = "auto_pad:string dilations:ints group:int kernel_shape:ints pads:ints strides:ints activation:string alpha:float beta:float "
                       "kernel:string" OCELLI_BLOCKED_ATTRIBUTES_,
         .infer = detail::infer_gated, .eval = detail::eval_gated, .results = exactness::rounding},
        {.name = "ConvTranspose", .domain = detail::blocked_domain, .min_inputs = 2, .max_inputs = 5,
         .attributes = "auto_pad:string dilations:ints group:int kernel_shape:ints output_padding:ints output_shape:ints pads:ints strides:ints "
                       "activation:string alpha:float beta:float kernel:string planes:int" OCELLI_BLOCKED_ATTRIBUTES_,
         .infer = detail::infer_blocked, .eval = detail::eval_blocked, .results = exactness::rounding},
        {.name = "MaxPool", .domain = detail::blocked_domain,
         .attributes = "auto_pad:string ceil_mode:int dilations:ints kernel_shape:ints pads:ints storage_order:int strides:ints" OCELLI_BLOCKED_ATTRIBUTES_,
         .infer = detail::infer_blocked, .eval = detail::eval_blocked},
        {.name = "AveragePool", .domain = detail::blocked_domain,
         .attributes = "auto_pad:string ceil_mode:int count_include_pad:int dilations:ints kernel_shape:ints pads:ints strides:ints" OCELLI_BLOCKED_ATTRIBUTES_,
         .infer = detail::infer_blocked, .eval = detail::eval_blocked, .results = exactness::rounding},
        {.name = "GlobalAveragePool", .domain = detail::blocked_domain, .attributes = OCELLI_BLOCKED_ATTRIBUTES_, .infer = detail::infer_blocked,
         .eval = detail::eval_blocked, .results = exactness::rounding},
        {.name = "InstanceNormalization", .domain = detail::blocked_domain, .min_inputs = 3, .max_inputs = 3,
         .attributes = "consumed_inputs:ints epsilon:float" OCELLI_BLOCKED_ATTRIBUTES_, .infer = detail::infer_blocked, .eval = detail::eval_blocked,
         .results = exactness::rounding},
        {.name = "BatchNormalization", .domain = detail::blocked_domain, .min_inputs = 5, .max_inputs = 5,
         .attributes = "consumed_inputs:ints epsilon:float is_test:int momentum:float spatial:int training_mode:int" OCELLI_BLOCKED_ATTRIBUTES_,
         .infer = detail::infer_blocked, .eval = detail::eval_blocked, .results = exactness::rounding},
        {.name = "Resize", .domain = detail::blocked_domain, .max_inputs = 4,
         .attributes = "antialias:int axes:ints coordinate_transformation_mode:string cubic_coeff_a:float exclude_outside:int extrapolation_value:float "
                       "keep_aspect_ratio_policy:string mode:string nearest_mode:string" OCELLI_BLOCKED_ATTRIBUTES_,
         .infer = detail::infer_blocked, .eval = detail::eval_blocked, .results = exactness::rounding},
        {.name = "Upsample", .domain = detail::blocked_domain, .max_inputs = 2, .attributes = "mode:string scales:floats" OCELLI_BLOCKED_ATTRIBUTES_,
         .infer = detail::infer_blocked, .eval = detail::eval_blocked, .results = exactness::rounding},
    };
#undef OCELLI_BLOCKED_ATTRIBUTES_
    return table;
}

}  // namespace ocelli::nn
