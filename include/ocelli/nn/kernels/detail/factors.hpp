#pragma once

/// @file
/// Factors of channels, multiplied into weights as they are packed.

#include <algorithm>
#include <cstdint>

namespace ocelli::nn::detail {

/// Multiplies `count` vectors with the factors of their first `used` lanes; what lies in the others is zero and stays.
inline void multiply_vectors(const float* factors, std::int64_t used, std::int64_t lanes, std::int64_t count, float* vectors) {
    float each[16] = {};
    std::copy(factors, factors + used, each);
    for (float* end = vectors + count * lanes; vectors != end; vectors += lanes)
        for (std::int64_t i = 0; i < lanes; i += 4)
            for (std::int64_t j = 0; j < 4; ++j) vectors[i + j] *= each[i + j];
}

}  // namespace ocelli::nn::detail
