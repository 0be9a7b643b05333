#pragma once

#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/passes/branches.hpp>
#include <ocelli/nn/passes/walker.hpp>

#include <cmath>
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
    dims kernel, strides, dilations, pads;
    std::int64_t group;
};
inline std::optional<convolution> read_convolution(const graph& g, const node& n) {
    const tensor *w = detail::constant_input(g, n, 1), *b = detail::constant_input(g, n, 2);
    const bool has_bias = n.inputs.size() > 2 && n.inputs[2] != no_value;
    if (w == nullptr || w->type() != dtype::float32 || w->rank() < 3 || w->rank() > 5 || w->size() == 0 || attr_string(n, "auto_pad", "NOTSET") != "NOTSET") return std::nullopt;
    if (has_bias && (b == nullptr || b->type() != dtype::float32 || b->size() != w->extent(0))) return std::nullopt;
    const std::size_t axes = w->rank() - 2;
    convolution c{&n, w, b, dims(w->shape().begin() + 2, w->shape().end()), attr_ints(n, "strides", dims(axes, 1)), attr_ints(n, "dilations", dims(axes, 1)),
                  attr_ints(n, "pads", dims(2 * axes, 0)), attr_int(n, "group", 1)};
    if (c.strides.size() != axes || c.dilations.size() != axes || c.pads.size() != 2 * axes || attr_ints(n, "kernel_shape", c.kernel) != c.kernel) return std::nullopt;
    for (const dims* steps : {&c.strides, &c.dilations})
        for (const std::int64_t step : *steps)
            if (step < 1) return std::nullopt;
    if (c.group < 1 || w->extent(0) % c.group != 0) return std::nullopt;
    return c;
}

/// Where the window of `small` lies in that of `large`; nothing where it does not, or where their results differ in extents.
inline std::optional<dims> window_inside(const convolution& large, const convolution& small) {
    const std::size_t axes = large.kernel.size();
    if (small.kernel.size() != axes || large.group != small.group || large.strides != small.strides || large.weights->extent(0) != small.weights->extent(0) ||
        large.weights->extent(1) != small.weights->extent(1))
        return std::nullopt;
    dims place;
    for (std::size_t i = 0; i < axes; ++i) {
        const bool plain = (large.dilations[i] == 1 || large.kernel[i] == 1) && (small.dilations[i] == 1 || small.kernel[i] == 1);
        if (!plain && (large.kernel[i] != small.kernel[i] || large.dilations[i] != small.dilations[i])) return std::nullopt;
        const std::int64_t at = large.pads[i] - small.pads[i];
        const std::int64_t more = large.pads[i] + large.pads[axes + i] - small.pads[i] - small.pads[axes + i];
        const std::int64_t taps = plain ? 1 : large.dilations[i];
        if (at < 0 || at % taps != 0 || at / taps + small.kernel[i] > large.kernel[i] || more != (large.kernel[i] - small.kernel[i]) * taps) return std::nullopt;
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

/// Factor and shift of each channel of a BatchNormalization at inference.
inline std::optional<std::vector<std::pair<double, double>>> read_normalization(const graph& g, const node& n, std::int64_t channels) {
    if (n.inputs.size() != 5 || n.opset < 7 || attr_int(n, "training_mode", 0) != 0) return std::nullopt;
    const float* parameter[4] = {};
    for (std::size_t i = 0; i < 4; ++i) {
        const tensor* t = detail::constant_input(g, n, i + 1);
        if (t == nullptr || t->type() != dtype::float32 || t->size() != channels) return std::nullopt;
        parameter[i] = t->data<float>();
    }
    const double epsilon = static_cast<double>(attr_float(n, "epsilon", 1e-5f));
    std::vector<std::pair<double, double>> out;
    for (std::int64_t c = 0; c < channels; ++c) {
        const double factor = static_cast<double>(parameter[0][c]) / std::sqrt(static_cast<double>(parameter[3][c]) + epsilon);
        out.emplace_back(factor, static_cast<double>(parameter[1][c]) - static_cast<double>(parameter[2][c]) * factor);
    }
    return out;
}

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
                large[3 - axes + i] = one->kernel[i];
                small[3 - axes + i] = two->kernel[i];
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
            std::int64_t centre = 0;
            bool same = true;
            for (std::size_t i = 0; i < one->kernel.size(); ++i) {
                const std::int64_t reach = (one->kernel[i] - 1) * one->dilations[i], before = one->pads[i];
                same = same && one->strides[i] == 1 && before >= 0 && before <= reach && before + one->pads[one->kernel.size() + i] == reach && before % one->dilations[i] == 0;
                if (same) centre = centre * one->kernel[i] + before / one->dilations[i];
            }
            const auto scales = same ? read_normalization(g, *bn, channels) : std::nullopt;
            if (!scales) continue;
            sums s(*one);
            const std::int64_t taps = element_count(one->kernel);
            for (std::int64_t c = 0; c < channels; ++c) {
                s.weights[static_cast<std::size_t>((c * each + c % each) * taps + centre)] += (*scales)[static_cast<std::size_t>(c)].first;
                s.bias[static_cast<std::size_t>(c)] += (*scales)[static_cast<std::size_t>(c)].second;
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
