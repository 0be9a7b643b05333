#pragma once

/// @file
/// Kernels of 8-bit integers: convolution and products with exact sums, and what stands between them. Images lie channels last, (N, H, W, C), so that
/// the channels of a pixel multiply side by side.

#include <ocelli/core/simd/target.hpp>
#include <ocelli/nn/kernels/conv.hpp>

#include <cstdint>
#include <utility>

namespace ocelli::nn {

/// 8-bit integers: unsigned, or signed in two's complement.
struct byte_image {
    const std::uint8_t* data;
    bool is_signed = false;
    std::int32_t zero = 0;  ///< what stands for 0, and in the padding
};

/// What becomes of the sum of a filter, s = sum of (x - zero) w + bias: a byte, nearest(s * scale) between low and high, plus zero; the sum itself; or
/// s * scale as a float. Halves go to even. `scale` and `bias` have one element for each filter; a null bias is 0.
struct byte_epilogue {
    enum class result { bytes, sums, floats };
    result form = result::bytes;
    const std::int32_t* bias = nullptr;
    const float* scale = nullptr;
    std::int32_t low = 0, high = 255;  ///< without the zero
    std::int32_t zero = 0;
};

/// How weights multiply: four bytes at once, by AVX512-VNNI or AVX-VNNI, or pairs of 16 bits.
enum class byte_form { quads, pairs };
/// The form of this processor.
byte_form best_byte_form();

/// Packed weights, in 32-bit words. `w` (filters, channels / group, kernel_height, kernel_width) are the weights less their zero points, in [-255, 255]. A
/// layer of two axes.
std::int64_t byte_conv_packed_size(const conv_layer& layer, const std::int16_t* w, byte_form form);
void byte_conv_pack(const conv_layer& layer, const std::int16_t* w, byte_form form, std::int32_t* packed);

/// y (batch, out_height, out_width, filters) of x (batch, height, width, channels); sums are exact while they fit 32 bits.
void byte_conv(const conv_layer& layer, const byte_image& x, const std::int32_t* packed, byte_form form, const byte_epilogue& epilogue, void* y);

/// An operand of a function of two: (q - zero) * scale.
struct byte_operand {
    const std::uint8_t* data;
    bool is_signed = false;
    std::int32_t zero = 0;
    float scale = 1;
};
/// y = nearest(a + b) of n numbers in turn, between low and high, plus zero.
void byte_add(std::int64_t n, const byte_operand& a, const byte_operand& b, std::int32_t low, std::int32_t high, std::int32_t zero, std::uint8_t* y);
/// The same of (a - a.zero) (b - b.zero) scale for `rows` rows of n numbers, of which b has one row.
void byte_multiply(std::int64_t rows, std::int64_t n, const byte_operand& a, const byte_operand& b, float scale, std::int32_t low, std::int32_t high,
                   std::int32_t zero, std::uint8_t* y);

/// y[i] = table[x[i]]
void byte_table(std::int64_t n, const std::uint8_t* x, const std::uint8_t* table, std::uint8_t* y);
/// QuantizeLinear: nearest(x / scale) + zero within the type; NaN gives zero.
void byte_quantize(std::int64_t n, const float* x, float scale, std::int32_t zero, bool is_signed, std::uint8_t* y);
/// The least of n numbers, or 0, and the largest of them, or 0; NaN is neither.
std::pair<float, float> range_with_zero(std::int64_t n, const float* x);
/// y = x
void sums_to_floats(std::int64_t n, const std::int32_t* x, float* y);
/// DequantizeLinear.
void byte_dequantize(std::int64_t n, const std::uint8_t* x, bool is_signed, float scale, std::int32_t zero, float* y);
/// Maximum over windows of x (batch, height, width, channels); padding never wins.
void byte_max_pool(const conv_layer& layer, const std::uint8_t* x, bool is_signed, std::uint8_t* y);
/// sums (batch, channels) over the pixels.
void byte_pixel_sums(std::int64_t batch, std::int64_t pixels, std::int64_t channels, const std::uint8_t* x, bool is_signed, std::int32_t* sums);
/// y (batch, columns, rows) of x (batch, rows, columns), of `size` bytes each.
void byte_transpose(std::int64_t batch, std::int64_t rows, std::int64_t columns, std::int64_t size, const void* x, void* y);

namespace detail {

/// Words that follow each other at `offset` from each pixel.
struct byte_run {
    std::int64_t offset, words;
};

/// Some pixels by one panel of filters.
struct byte_task {
    const std::uint8_t* x = nullptr;
    const std::int64_t* pixels = nullptr;  ///< offsets from x
    std::int64_t count = 0;                ///< at most `most`
    const byte_run* runs = nullptr;
    std::int64_t run_count = 0;
    const std::int32_t* weights = nullptr;
    const std::int32_t* bias = nullptr;  ///< whole vectors of both can be read
    const float* scale = nullptr;
    float low = 0, high = 0;
    std::int32_t zero = 0;
    byte_epilogue::result form = byte_epilogue::result::bytes;
    void* y = nullptr;
    std::int64_t y_stride = 0;  ///< elements
    std::int64_t filters = 0;   ///< of this panel
    const char* ahead = nullptr;  ///< what is read after this, asked for so many bytes further with each word
    std::int64_t ahead_step = 0;
};

struct byte_kernels {
    std::int64_t lanes = 0;           ///< filters in a vector
    std::int64_t most = 0;            ///< pixels of a tile
    std::int64_t depthwise_most = 0;  ///< of a depthwise one
    void (*quads[2])(const byte_task&) = {};  ///< by panels of one vector and of two; null where there are none
    void (*pairs[2])(const byte_task&) = {};
    /// All channels of some pixels, a filter each; runs are taps, of which weights have a row for each vector of channels.
    void (*depthwise)(const byte_task&) = nullptr;
    /// n bytes, turned over where flip is 128, as they are or, less zero, as 16 bits.
    void (*copy)(std::int64_t n, const std::uint8_t* from, std::uint8_t flip, std::uint8_t* to) = nullptr;
    void (*widen)(std::int64_t n, const std::uint8_t* from, std::uint8_t flip, std::int32_t zero, std::int16_t* to) = nullptr;
    void (*add)(std::int64_t n, const byte_operand& a, const byte_operand& b, float low, float high, std::int32_t zero, std::uint8_t* y) = nullptr;
    void (*multiply)(std::int64_t n, const byte_operand& a, const byte_operand& b, float scale, float low, float high, std::int32_t zero, std::uint8_t* y) = nullptr;
    void (*table)(std::int64_t n, const std::uint8_t* x, const std::uint8_t* table, std::uint8_t* y) = nullptr;
    void (*table_in_registers)(std::int64_t n, const std::uint8_t* x, const std::uint8_t* table, std::uint8_t* y) = nullptr;  ///< null where there is none
    void (*quantize)(std::int64_t n, const float* x, float scale, float low, float high, std::int32_t zero, std::uint8_t* y) = nullptr;
    void (*dequantize)(std::int64_t n, const std::uint8_t* x, std::uint8_t flip, float scale, std::int32_t zero, float* y) = nullptr;
    void (*range)(std::int64_t n, const float* x, float* range) = nullptr;
    void (*floats)(std::int64_t n, const std::int32_t* x, float* y) = nullptr;
    /// y[3 i], y[3 i + 1], y[3 i + 2] = a[i], b[i], c[i]
    void (*interleave)(std::int64_t n, const std::uint8_t* a, const std::uint8_t* b, const std::uint8_t* c, std::uint8_t* y) = nullptr;
    /// Columns [first, last) of x (rows, columns) become rows of y.
    void (*turn)(std::int64_t rows, std::int64_t columns, std::int64_t first, std::int64_t last, const std::uint8_t* x, std::uint8_t* y) = nullptr;
    /// y = max(x, y)
    void (*largest)(std::int64_t n, const std::uint8_t* x, std::uint8_t flip, std::uint8_t* y) = nullptr;
    /// sums += x
    void (*sum)(std::int64_t n, const std::uint8_t* x, std::uint8_t flip, std::int32_t* sums) = nullptr;
};

OCELLI_KERNEL_API_BEGIN
const byte_kernels& get_byte_kernels();
OCELLI_KERNEL_API_END

}  // namespace detail
}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/kernels/impl/quantized.inl>
#endif
