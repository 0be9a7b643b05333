#pragma once

/// @file
/// Element-wise functions of one and two operands, with broadcasting, and softmax, over vectors and threads. Accurate to a few units in
/// the last place; NaN and infinity as PyTorch has them.

#include <ocelli/core/config.hpp>
#include <ocelli/core/simd/target.hpp>

#include <cstdint>
#include <span>

namespace ocelli::nn {

/// Functions of one element x, and of up to two numbers a and b.
enum class unary_function {
    relu,
    leaky_relu,        ///< x < 0 ? a x : x
    clip,              ///< to [a, b]
    thresholded_relu,  ///< x <= a ? 0 : x
    sigmoid,
    hard_sigmoid,  ///< a x + b, clipped to [0, 1]
    hard_swish,
    swish,  ///< x sigmoid(a x)
    tanh,
    exp,
    log,
    sqrt,
    reciprocal,
    square,
    negate,
    absolute,
    erf,
    gelu,
    gelu_tanh,  ///< the approximation by a hyperbolic tangent
    softplus,
    softsign,
    mish,
    elu,   ///< x < 0 ? a (exp(x) - 1) : x
    selu,  ///< b times that
    celu,  ///< max(0, x) + min(0, a (exp(x / a) - 1))
    floor,
    ceil,
    round,  ///< halves to even
    cube,
    sin,
    cos,
    fake_quantize,  ///< the nearest of 256 multiples of a, the first of which is b a; NaN becomes 0
    count_
};

/// Functions of two elements. NaN wins a maximum or minimum, on either side.
enum class binary_function {
    add,
    subtract,
    multiply,
    divide,
    maximum,
    minimum,
    prelu,  ///< x < 0 ? x y : x
    power,  ///< C's pow()
    count_
};

/// y[i] = f(x[i]) for i < n; both may be the same memory.
void apply_unary(unary_function f, float a, float b, std::int64_t n, const float* x, float* y);

/// An element-wise function of two operands that are broadcast to the result: for each axis its extent, and the operands' strides (0
/// where they are stretched). The result is dense.
struct binary_axes {
    static constexpr int max_rank = 8;
    int rank = 0;
    std::int64_t extents[max_rank] = {};
    std::int64_t a[max_rank] = {};
    std::int64_t b[max_rank] = {};

    /// The axes of operands of these shapes, with neighbouring ones merged where both operands allow it.
    /// @return false where the shapes do not broadcast or have too many axes
    bool set(std::span<const std::int64_t> shape_a, std::span<const std::int64_t> shape_b) noexcept;
};

/// y = f(a, b); the result may be an operand that is not broadcast.
void apply_binary(binary_function f, const binary_axes& axes, const float* a, const float* b, float* y);

/// Softmax over the middle axis of x (outer, n, inner). A line that holds NaN or positive infinity becomes NaN.
void softmax(std::int64_t outer, std::int64_t n, std::int64_t inner, const float* x, float* y);

namespace detail {

/// `rows` rows of n elements. An operand's row is dense, or one number that is repeated.
struct binary_rows {
    std::int64_t rows, n;
    const float* a;
    const float* b;
    float* y;
    std::int64_t a_row, b_row, y_row;
};

struct elementwise_kernels {
    int lanes = 0;
    void (*unary[static_cast<int>(unary_function::count_)])(std::int64_t n, const float* x, float* y, float a, float b) = {};
    /// [which operand is repeated: none, a, b]
    void (*binary[static_cast<int>(binary_function::count_)][3])(const binary_rows& rows) = {};
    /// Lines of n elements, one behind the other.
    void (*softmax_rows)(std::int64_t lines, std::int64_t n, const float* x, float* y) = nullptr;
    /// `columns` lines side by side, `pitch` floats from one element of a line to the next; at most softmax_columns of them.
    void (*softmax_columns)(std::int64_t n, std::int64_t columns, std::int64_t pitch, const float* x, float* y) = nullptr;
    /// Lines of two elements, one behind the other.
    void (*softmax_pairs)(std::int64_t lines, const float* x, float* y) = nullptr;
    /// x = factor x + a + b for lines of n numbers, `pitch` apart, of a and b as many apart as they say; b may be null.
    void (*scale_and_add)(std::int64_t lines, std::int64_t n, std::int64_t pitch, float factor, const float* a, std::int64_t a_row, const float* b, std::int64_t b_row,
                          float* x) = nullptr;
    /// Softmax of `factor` x in place but for the division: lines of n elements, `pitch` floats apart, become the numerators, `inverse` one divided by their sum.
    /// Lines are read and written up to the end of their last vector; what stands behind n does not count.
    void (*softmax_weights)(std::int64_t lines, std::int64_t n, std::int64_t pitch, float factor, float* x, float* inverse) = nullptr;
};
inline constexpr std::int64_t softmax_columns = 64;
/// Rows of at most this length are computed side by side.
inline constexpr std::int64_t short_row = 8;

OCELLI_KERNEL_API_BEGIN
const elementwise_kernels& get_elementwise_kernels();
OCELLI_KERNEL_API_END

}  // namespace detail

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/kernels/impl/elementwise.inl>
#endif
