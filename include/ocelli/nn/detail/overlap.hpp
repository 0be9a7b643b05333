#pragma once

/// @file
/// Whether tensors share memory.

#include <ocelli/nn/tensor.hpp>

#include <algorithm>

namespace ocelli::nn::detail {

/// Whether a tensor's memory begins inside a block.
inline bool inside(const tensor& block, const tensor& t) noexcept {
    const auto* p = static_cast<const char*>(t.unscaled());
    const auto* begin = static_cast<const char*>(block.unscaled());
    // Sequences and absent optional values have no memory of their own.
    return block.defined() && begin != nullptr && p >= begin && p < begin + std::max<std::size_t>(1, block.bytes());
}

/// Whether two tensors have bytes in common.
inline bool overlap(const tensor& a, const tensor& b) noexcept {
    return a.defined() && b.defined() && a.bytes() != 0 && b.bytes() != 0 && (inside(a, b) || inside(b, a));
}

}  // namespace ocelli::nn::detail
