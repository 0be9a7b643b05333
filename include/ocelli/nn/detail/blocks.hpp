#pragma once

/// @file
/// What nodes on blocks of channels share where they meet their kernels.

#include <ocelli/nn/graph.hpp>
#include <ocelli/nn/kernels/blocked.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/planner/packing.hpp>

#include <algorithm>

namespace ocelli::nn::detail {

/// Blocks of `channels` channels in the active instruction set's lanes.
inline void check_blocks(const node& n, const tensor& x, std::int64_t channels) {
    const std::int64_t lanes = block_lanes();
    check(n, x.rank() >= 3 && x.shape().back() == lanes && x.extent(1) == block_count(channels, lanes), "an image of ", channels, " channels in blocks of ",
          lanes, " expected, got ", x);
}

/// A value for each channel, in whole blocks with zeros behind.
inline tensor in_whole_blocks(const tensor* t, std::int64_t channels) {
    const std::int64_t lanes = block_lanes();
    tensor out = tensor::zeros(dtype::float32, {block_count(channels, lanes) * lanes});
    if (t != nullptr && t->defined()) std::copy(t->data<float>(), t->data<float>() + t->size(), out.mutable_data<float>());
    return out;
}

/// The weights of a pointwise convolution of one group, packed once whoever asks: alone, with a gate or with a depthwise one behind.
inline tensor packed_pointwise(weight_cache& cache, const conv_layer& l, const tensor& w) {
    return cache.get(w, ocelli::detail::concat("blocked_pointwise/1/", block_lanes()), [&] {
        tensor to(dtype::float32, {blocked_conv_packed_size(l)});
        blocked_conv_pack(l, static_cast<const float*>(w.once().stored()), to.mutable_data<float>());
        return to;
    });
}

}  // namespace ocelli::nn::detail
