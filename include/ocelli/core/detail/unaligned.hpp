#pragma once

#include <cstring>

namespace ocelli::detail {

/// The float at any address, aligned or not, as files have their weights.
inline float float_at(const float* p) noexcept {
    float x;
    std::memcpy(&x, p, sizeof x);
    return x;
}

}  // namespace ocelli::detail
