#pragma once

/// @file
/// What the vocabulary of 8-bit networks (ops/quantized.hpp), its kernels and its passes share.

#include <ocelli/core/float_bits.hpp>
#include <ocelli/nn/ops/support.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ocelli::nn::detail {

/// 8-bit integers.
inline bool is_byte(dtype t) noexcept {
    return t == dtype::uint8 || t == dtype::int8;
}

inline bool left_out(const node& n, std::size_t i) {
    return i >= n.inputs.size() || n.inputs[i] == no_value;
}

/// The one scale and zero point of a tensor of bytes.
struct byte_scale {
    float scale;
    std::int32_t zero;
    bool is_signed;  ///< as the zero point says
    bool operator==(const byte_scale&) const = default;
};
/// What two constant inputs of a node say, of which the second may be left out; nothing, where the scale is not one positive number.
inline std::optional<byte_scale> byte_scale_at(const graph& g, const node& n, std::size_t scale_at, std::size_t zero_at) {
    const tensor *const scale = constant_input(g, n, scale_at), *const zero = constant_input(g, n, zero_at);
    if (scale == nullptr || scale->type() != dtype::float32 || scale->size() != 1 || scale->rank() > 1) return std::nullopt;
    if (!left_out(n, zero_at) && (zero == nullptr || zero->size() != 1 || !is_byte(zero->type()))) return std::nullopt;
    const float size = *scale->data<float>();
    if (!(size > 0) || !ocelli::detail::is_finite(size)) return std::nullopt;
    return byte_scale{size, zero == nullptr ? 0 : static_cast<std::int32_t>(zero->to_ints()[0]), zero != nullptr && zero->type() == dtype::int8};
}
/// The same of a QuantizeLinear or DequantizeLinear.
inline std::optional<byte_scale> byte_scale_of(const graph& g, const node& n) {
    if (attr_int(n, "block_size", 0) != 0 || attr_int(n, "output_dtype", 0) != 0) return std::nullopt;
    return byte_scale_at(g, n, 1, 2);
}

/// The element type that a node of the vocabulary of bytes gives.
inline dtype quantized_result(const node& n) {
    const auto to = static_cast<dtype>(attr_int(n, "to"));
    check(n, is_byte(to) || to == dtype::float32 || to == dtype::int32, "no result of this type: ", attr_int(n, "to"));
    return to;
}

/// The bytes' bits less a zero, in a float.
inline float centred_byte(const tensor& x, std::int64_t i, std::int64_t zero) {
    const std::uint8_t bits = static_cast<const std::uint8_t*>(x.raw())[i];
    const std::int64_t q = x.type() == dtype::int8 ? static_cast<std::int64_t>(static_cast<std::int8_t>(bits)) : static_cast<std::int64_t>(bits);
    return static_cast<float>(q - zero);
}

/// A zero point that is an attribute.
inline std::int64_t zero_attribute(const node& n, std::string_view name) {
    const std::int64_t zero = attr_int(n, name, 0);
    check(n, zero >= -128 && zero <= 255, name, " must be in the range of bytes, got ", zero);
    return zero;
}
/// Whether all attributes are in the range that bytes ask for; the reference evaluation says which is not.
inline bool in_byte_range(const node& n) {
    for (const char* name : {"x_zero", "y_zero", "a_zero", "b_zero"})
        if (const std::int64_t zero = attr_int(n, name, 0); zero < -128 || zero > 255) return false;
    const std::int64_t low = attr_int(n, "low", -128), high = attr_int(n, "high", 255);
    const auto to = static_cast<dtype>(attr_int(n, "to"));
    return low >= -256 && low <= high && high <= 512 && (is_byte(to) || to == dtype::float32 || to == dtype::int32);
}

/// The byte `zero` beyond the nearest whole number to v that lies in [low, high]; NaN is low.
inline std::uint8_t nearest_byte(float v, float low, float high, std::int64_t zero) {
    const float within = std::nearbyint(v > low ? std::min(v, high) : low);
    return static_cast<std::uint8_t>(static_cast<std::int64_t>(within) + zero);
}

/// Puts what becomes of sums where it belongs.
class quantized_sink {
public:
    quantized_sink(const node& n, tensor& y)
        : y_(y), low_(static_cast<float>(attr_int(n, "low", -128))), high_(static_cast<float>(attr_int(n, "high", 255))), zero_(attr_int(n, "y_zero", 0)) {
        check(n, low_ <= high_ && low_ >= -256 && high_ <= 512 && zero_ >= -128 && zero_ <= 255, "low, high or y_zero are not in the range of bytes");
    }
    void sum(std::int64_t i, std::int64_t sum, float scale) {
        if (y_.type() == dtype::int32) {
            y_.mutable_data<std::int32_t>()[i] = static_cast<std::int32_t>(sum);
            return;
        }
        const float scaled = static_cast<float>(sum) * scale;
        if (y_.type() == dtype::float32) y_.mutable_data<float>()[i] = scaled;
        else byte(i, scaled);
    }
    void byte(std::int64_t i, float v) { static_cast<std::uint8_t*>(y_.mutable_raw())[i] = nearest_byte(v, low_, high_, zero_); }

private:
    tensor& y_;
    float low_, high_;
    std::int64_t zero_;
};

/// Whether b has a number for each channel of an image.
inline bool by_channel(const dims& a, const dims& b) {
    return a.size() == 4 && b.size() == 4 && b[0] == a[0] && b[1] == 1 && b[2] == 1 && b[3] == a[3];
}

}  // namespace ocelli::nn::detail
