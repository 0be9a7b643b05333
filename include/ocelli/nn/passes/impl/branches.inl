#pragma once

#include <ocelli/nn/ops/detail/batch_norm.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/ops/support.hpp>
#include <ocelli/nn/passes/branches.hpp>
#include <ocelli/nn/passes/walker.hpp>

#include <optional>
#include <utility>
#include <vector>

namespace ocelli::nn::passes {

namespace detail_branches {

/// A Conv with constant weights and explicit padding.
struct convolution {
    const node* what;
    const tensor* weights;
    const tensor* bias;
    window_attributes windows;
    std::int64_t group;
};
inline std::optional<convolution> read_convolution(const graph& g, const node& n) {
    const tensor *w = detail::constant_input(g, n, 1), *b = detail::constant_input(g, n, 2);
    const bool has_bias = n.inputs.size() > 2 && n.inputs[2] != no_value;
    if (w == nullptr || w->type() != dtype::float32 || w->rank() < 3 || w->rank() > 5 || w->size() == 0) return std::nullopt;
    if (has_bias && (b == nullptr || b->type() != dtype::float32 || b->size() != w->extent(0))) return std::nullopt;
    const dims kernel(w->shape().begin() + 2, w->shape().end());
    const std::int64_t group = attr_int(n, "group", 1);
    if (attr_ints(n, "kernel_shape", kernel) != kernel || group < 1 || w->extent(0) % group != 0) return std::nullopt;
    convolution c{&n, w, b, read_windows(n, kernel), group};
    if (c.windows.padded != window_attributes::padding::as_given) return std::nullopt;
    return c;
}

/// Where the window of `small` lies in that of `large`; nothing where it does not, or where their results differ in extents.
inline std::optional<dims> window_inside(const convolution& large, const convolution& small) {
    const window_attributes &in = large.windows, &of = small.windows;
    const std::size_t axes = in.kernel.size();
    if (of.kernel.size() != axes || large.group != small.group || in.strides != of.strides || large.weights->extent(0) != small.weights->extent(0) ||
        large.weights->extent(1) != small.weights->extent(1))
        return std::nullopt;
    dims place;
    for (std::size_t i = 0; i < axes; ++i) {
        const bool plain = (in.dilations[i] == 1 || in.kernel[i] == 1) && (of.dilations[i] == 1 || of.kernel[i] == 1);
        if (!plain && (in.kernel[i] != of.kernel[i] || in.dilations[i] != of.dilations[i])) return std::nullopt;
        const std::int64_t at = in.pads[i] - of.pads[i];
        const std::int64_t more = in.pads[i] + in.pads[axes + i] - of.pads[i] - of.pads[axes + i];
        const std::int64_t taps = plain ? 1 : in.dilations[i];
        if (at < 0 || at % taps != 0 || at / taps + of.kernel[i] > in.kernel[i] || more != (in.kernel[i] - of.kernel[i]) * taps) return std::nullopt;
        place.push_back(at / taps);
    }
    return place;
}

/// Weights and bias of a layer, in double.
struct sums {
    std::vector<double> weights, bias;

    explicit sums(const convolution& c) : weights(static_cast<std::size_t>(c.weights->size())), bias(static_cast<std::size_t>(c.weights->extent(0)), 0.0) {
        const float* w = c.weights->data<float>();
        for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<double>(w[i]);
        if (c.bias != nullptr)
            for (std::size_t i = 0; i < bias.size(); ++i) bias[i] = static_cast<double>(c.bias->data<float>()[i]);
    }
    /// The node `like`, with these weights, in place of what made `v`.
    patch replacing(const graph& g, const convolution& like, value_id v, std::string reason) const {
        tensor w(dtype::float32, like.weights->shape()), b(dtype::float32, {like.weights->extent(0)});
        for (std::size_t i = 0; i < weights.size(); ++i) w.mutable_data<float>()[i] = static_cast<float>(weights[i]);
        for (std::size_t i = 0; i < bias.size(); ++i) b.mutable_data<float>()[i] = static_cast<float>(bias[i]);
        patch p{.reason = std::move(reason)};
        node n = *like.what;
        n.inputs = {n.inputs[0], p.add_constant(g, g.at(like.what->inputs[1]).name + ".sum", w), p.add_constant(g, g.at(like.what->inputs[1]).name + ".sum.bias", b)};
        n.outputs = {p.add_value(g, g.at(v).name, g.at(v).what)};
        p.replace.push_back({v, n.outputs[0]});
        p.nodes.push_back(std::move(n));
        return p;
    }
};

}  // namespace detail_branches

OCELLI_INLINE std::vector<patch> parallel_convolutions(const graph& g) {
    using namespace detail_branches;
    std::vector<patch> found;
    const walker w(g);
    std::vector<bool> taken(g.values.size(), false);  // patches must not touch each other's nodes
    for (const node& n : g.nodes) {
        if (!n.domain.empty() || (n.op != "Add" && n.op != "Sum") || n.opset < 7 || n.inputs.size() != 2 || n.inputs[0] == n.inputs[1]) continue;
        const auto free = [&](value_id v) { return v != no_value && !taken[static_cast<std::size_t>(v)] && detail::used_once(g, w.uses(), v); };
        if (!free(n.inputs[0]) || !free(n.inputs[1])) continue;
        const node* parts[2] = {w.producer(n.inputs[0], "Conv"), w.producer(n.inputs[1], "Conv")};
        if (parts[0] == nullptr) std::swap(parts[0], parts[1]);
        if (parts[0] == nullptr) continue;
        const value_id image = parts[0]->inputs[0];
        auto one = read_convolution(g, *parts[0]);
        if (!one || image == no_value) continue;
        std::optional<patch> p;
        if (parts[1] != nullptr) {
            auto two = read_convolution(g, *parts[1]);
            if (!two || parts[1]->inputs[0] != image) continue;
            auto place = window_inside(*one, *two);
            if (!place) {
                std::swap(one, two);
                place = window_inside(*one, *two);
            }
            if (!place) continue;
            sums s(*one);
            const sums other(*two);
            // Windows as three axes, those that are missing in front.
            dims large(3, 1), small(3, 1), at(3, 0);
            const std::size_t axes = place->size();
            for (std::size_t i = 0; i < axes; ++i) {
                large[3 - axes + i] = one->windows.kernel[i];
                small[3 - axes + i] = two->windows.kernel[i];
                at[3 - axes + i] = (*place)[i];
            }
            const std::int64_t rows = one->weights->extent(0) * one->weights->extent(1);
            for (std::int64_t r = 0; r < rows; ++r)
                for (std::int64_t z = 0; z < small[0]; ++z)
                    for (std::int64_t y = 0; y < small[1]; ++y)
                        for (std::int64_t x = 0; x < small[2]; ++x)
                            s.weights[static_cast<std::size_t>(((r * large[0] + z + at[0]) * large[1] + y + at[1]) * large[2] + x + at[2])] +=
                                other.weights[static_cast<std::size_t>(((r * small[0] + z) * small[1] + y) * small[2] + x)];
            for (std::size_t i = 0; i < s.bias.size(); ++i) s.bias[i] += other.bias[i];
            p = s.replacing(g, *one, n.outputs[0], ocelli::detail::concat("Conv '", parts[0]->name, "' and '", parts[1]->name, "' are added up"));
        } else {
            const value_id beside = n.inputs[0] == parts[0]->outputs[0] ? n.inputs[1] : n.inputs[0];
            const node* const bn = w.producer(beside, "BatchNormalization");
            const std::int64_t channels = one->weights->extent(0), each = one->weights->extent(1);
            if (bn == nullptr || bn->inputs[0] != image || each * one->group != channels) continue;
            // The tap that reads the pixel itself.
            const window_attributes& win = one->windows;
            const std::size_t axes = win.kernel.size();
            std::int64_t centre = 0;
            bool same = true;
            for (std::size_t i = 0; i < axes; ++i) {
                const std::int64_t reach = (win.kernel[i] - 1) * win.dilations[i], before = win.pads[i];
                same = same && win.strides[i] == 1 && before >= 0 && before <= reach && before + win.pads[axes + i] == reach && before % win.dilations[i] == 0;
                if (same) centre = centre * win.kernel[i] + before / win.dilations[i];
            }
            const auto lines = same ? nn::detail::batch_norm_lines(g, *bn) : std::nullopt;
            if (!lines || static_cast<std::int64_t>(lines->size()) != channels) continue;
            sums s(*one);
            const std::int64_t taps = element_count(win.kernel);
            for (std::int64_t c = 0; c < channels; ++c) {
                const nn::detail::channel_line& line = (*lines)[static_cast<std::size_t>(c)];
                s.weights[static_cast<std::size_t>((c * each + c % each) * taps + centre)] += line.factor;
                s.bias[static_cast<std::size_t>(c)] += line.bias - line.mean * line.factor;
            }
            p = s.replacing(g, *one, n.outputs[0], ocelli::detail::concat("BatchNormalization '", bn->name, "' beside Conv '", parts[0]->name, "' is added up"));
        }
        for (const value_id v : n.inputs) taken[static_cast<std::size_t>(v)] = true;
        taken[static_cast<std::size_t>(n.outputs[0])] = true;
        found.push_back(std::move(*p));
    }
    return found;
}

}  // namespace ocelli::nn::passes
