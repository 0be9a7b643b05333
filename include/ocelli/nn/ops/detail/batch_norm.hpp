#pragma once

/// @file
/// Batch normalisation with constant parameters.

#include <ocelli/nn/ops/support.hpp>

#include <cmath>
#include <optional>
#include <vector>

namespace ocelli::nn::detail {

/// What becomes of a channel's elements: (x - mean) factor + bias.
struct channel_line {
    double factor, mean, bias;
};

/// The channels of a BatchNormalization at inference; nothing where its parameters are not constant float32, or do not fit together.
inline std::optional<std::vector<channel_line>> batch_norm_lines(const graph& g, const node& n) {
    if (n.inputs.size() != 5 || n.outputs.size() != 1 || attr_int(n, "training_mode", 0) != 0 || attr_int(n, "spatial", 1) != 1) return std::nullopt;
    // Before operator set 7 it trained unless told otherwise.
    if (n.opset < 7 && attr_int(n, "is_test", 0) == 0) return std::nullopt;
    const float* p[4] = {};
    std::int64_t channels = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        const tensor* t = n.inputs[i + 1] == no_value ? nullptr : &g.at(n.inputs[i + 1]).what.constant;
        if (t == nullptr || !t->defined() || t->type() != dtype::float32 || t->rank() != 1 || (i > 0 && t->size() != channels)) return std::nullopt;
        channels = t->size();
        p[i] = t->data<float>();
    }
    const double epsilon = static_cast<double>(attr_float(n, "epsilon", 1e-5f));
    std::vector<channel_line> out;
    for (std::int64_t c = 0; c < channels; ++c)
        out.push_back({static_cast<double>(p[0][c]) / std::sqrt(static_cast<double>(p[3][c]) + epsilon), static_cast<double>(p[2][c]), static_cast<double>(p[1][c])});
    return out;
}

}  // namespace ocelli::nn::detail
