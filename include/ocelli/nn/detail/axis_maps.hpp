#pragma once

/// @file
/// Gathering by axis: every axis of the result has a list of source positions (padding, cropping, nearest resizing).

#include <ocelli/nn/detail/planes.hpp>

#include <cstring>

namespace ocelli::nn::detail {

/// For each axis of the result, the source position of each of its positions; -1: fill.
using axis_maps = std::vector<std::vector<std::int64_t>>;

inline std::vector<std::int64_t> identity_map(std::int64_t n) {
    std::vector<std::int64_t> map(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < map.size(); ++i) map[i] = static_cast<std::int64_t>(i);
    return map;
}

/// y[i, j, ...] = x[maps[0][i], maps[1][j], ...], or the element at `fill` where one of them is -1. y has the maps' lengths as shape.
void gather_axes(const tensor& x, const axis_maps& maps, const void* fill, tensor& y);

}  // namespace ocelli::nn::detail

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/detail/impl/axis_maps.inl>
#endif
