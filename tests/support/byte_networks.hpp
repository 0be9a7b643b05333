#pragma once

// What tests of quantised networks share: tensors of bytes and their scales, and a look at which nodes have no kernel.

#include <ocelli/nn/session.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <utility>

namespace ocelli_test {

using ocelli::nn::dims;
using ocelli::nn::dtype;
using ocelli::nn::tensor;

inline std::mt19937 random_bits(3);

inline tensor bytes(dtype type, dims shape) {
    tensor t(type, std::move(shape));
    for (std::int64_t i = 0; i < t.size(); ++i) static_cast<std::uint8_t*>(t.mutable_raw())[i] = static_cast<std::uint8_t>(random_bits() & 255);
    return t;
}
inline tensor scales(std::int64_t n, float least) {
    tensor t(dtype::float32, {n});
    for (std::int64_t i = 0; i < n; ++i) t.mutable_data<float>()[i] = least * (1 + static_cast<float>(random_bits() % 100) * 0.01f);
    return t;
}
inline tensor zeros(dtype type, std::int64_t n) {
    tensor t(type, {n});
    std::memset(t.mutable_raw(), 0, t.bytes());
    return t;
}
inline tensor byte(dtype type, std::int64_t v) {
    tensor t(type, dims{});
    static_cast<std::uint8_t*>(t.mutable_raw())[0] = static_cast<std::uint8_t>(v & 255);
    return t;
}

// How many nodes have no kernel but that which give a tensor another shape.
inline int references(const ocelli::nn::session& net) {
    const std::string text = net.explain();
    int found = 0;
    for (std::size_t at = text.find("reference: "); at != std::string::npos; at = text.find("reference: ", at + 1))
        if (text.compare(at, 18, "reference: Flatten") != 0) {
            ++found;
            MESSAGE(text.substr(at, text.find('\n', at) - at));
        }
    return found;
}

}  // namespace ocelli_test
