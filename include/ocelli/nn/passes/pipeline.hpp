#pragma once

/// @file
/// The lists of passes, in order.

#include <ocelli/nn/passes/attention.hpp>
#include <ocelli/nn/passes/blocking.hpp>
#include <ocelli/nn/passes/branches.hpp>
#include <ocelli/nn/passes/channels.hpp>
#include <ocelli/nn/passes/einsum.hpp>
#include <ocelli/nn/passes/lower.hpp>
#include <ocelli/nn/passes/pointwise.hpp>
#include <ocelli/nn/passes/quantized.hpp>
#include <ocelli/nn/passes/quantized_operators.hpp>
#include <ocelli/nn/passes/simplify.hpp>

#include <array>

namespace ocelli::nn {

/// For the kernels of 8-bit integers, before constants are folded: dequantised weights would be floats then.
inline constexpr std::array quantized_passes{
    pass{"quantized_operators", &passes::quantized_operators},
    pass{"quantized_layers", &passes::quantized_layers},
    pass{"quantized_layouts", &passes::quantized_layouts},
};

/// Fewer nodes, the same meaning, on every machine.
inline constexpr std::array simplify_passes{
    pass{"common_subexpressions", &passes::common_subexpressions},  // before folding, which is then done once
    pass{"constant_folding", &passes::constant_folding},
    pass{"identity_elimination", &passes::identity_elimination},
    pass{"slice_of_concat", &passes::slice_of_concat},
    pass{"batch_norm_folding", &passes::batch_norm_folding},
    pass{"parallel_convolutions", &passes::parallel_convolutions},
    pass{"pad_folding", &passes::pad_folding},
    pass{"channel_shuffle", &passes::channel_shuffle},
    pass{"channel_products", &passes::channel_products},
    pass{"gelu_fusion", &passes::gelu_fusion},
    pass{"layer_norm_fusion", &passes::layer_norm_fusion},
    pass{"softmax_axis", &passes::softmax_axis},
};

/// For the kernels of this library: what convolutions take along,
inline constexpr std::array lower_passes{
    pass{"quantize_pairs", &passes::quantize_pairs},
    pass{"einsum_products", &passes::einsum_products},
    pass{"lower_convolution", &passes::lower_convolution},
    pass{"lower_products", &passes::lower_products},
    pass{"product_shapes", &passes::product_shapes},
    pass{"lower_row_scatters", &passes::lower_row_scatters},
    pass{"residual_fusion", &passes::residual_fusion},
    pass{"activation_fusion", &passes::activation_fusion},
};

/// and then where they run.
inline constexpr std::array kernel_passes{
    pass{"sibling_convolutions", &passes::sibling_convolutions},
    pass{"channel_blocking", &passes::channel_blocking},
    pass{"channels_last", &passes::channels_last},
    pass{"choose_kernels", &passes::choose_kernels},
};

/// Kernels that run together, in float32 alone.
inline constexpr std::array together_passes{
    pass{"depthwise_fusion", &passes::depthwise_fusion},
    pass{"gate_fusion", &passes::gate_fusion},
    pass{"attention_fusion", &passes::attention_fusion},
};

}  // namespace ocelli::nn
