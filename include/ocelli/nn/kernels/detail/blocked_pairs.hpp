#pragma once

/// @file
/// Pairs of bfloat16 as input of a convolution on blocks.

#include <ocelli/nn/kernels/blocked.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace ocelli::nn::detail {

/// Pairs of bfloat16 stand for two channels each: the convolution is one of half as many, in blocks of half as many.
inline bool is_pairs(blocked_form form) noexcept {
    return form == pairs_by_instruction || form == pairs_widened;
}

/// A plane under each word of a pixel, two channels in a word, by way of `room` for four planes. `lay_out` unrolls a plane of x.
template <class Unroll>
void pair_planes(const Unroll& lay_out, void (*round)(std::int64_t, const float*, std::uint16_t*), std::int64_t channels, std::int64_t pixels, std::int64_t each,
                 float* room, float* to) {
    auto* const halves = reinterpret_cast<std::uint16_t*>(room + 2 * pixels);
    for (std::int64_t c = 0; c < channels; c += 2, ++to) {
        lay_out(c, room);
        if (c + 1 < channels) lay_out(c + 1, room + pixels);
        else std::fill(room + pixels, room + 2 * pixels, 0.0f);
        round(2 * pixels, room, halves);
        for (std::int64_t i = 0; i < pixels; ++i) {
            const std::uint32_t word = halves[i] | static_cast<std::uint32_t>(halves[pixels + i]) << 16;
            std::memcpy(to + i * each, &word, sizeof word);
        }
    }
}

}  // namespace ocelli::nn::detail
