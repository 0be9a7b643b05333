#pragma once

/// @file
/// The one list of operator files. A new file in ops/ adds its include and its line here.

#include <ocelli/nn/ops/activation.hpp>
#include <ocelli/nn/ops/arrange.hpp>
#include <ocelli/nn/ops/attention.hpp>
#include <ocelli/nn/ops/basic.hpp>
#include <ocelli/nn/ops/blocked.hpp>
#include <ocelli/nn/ops/cast.hpp>
#include <ocelli/nn/ops/control.hpp>
#include <ocelli/nn/ops/conv.hpp>
#include <ocelli/nn/ops/conv_transpose.hpp>
#include <ocelli/nn/ops/detection.hpp>
#include <ocelli/nn/ops/elementwise.hpp>
#include <ocelli/nn/ops/fused.hpp>
#include <ocelli/nn/ops/gather.hpp>
#include <ocelli/nn/ops/generate.hpp>
#include <ocelli/nn/ops/logic.hpp>
#include <ocelli/nn/ops/loss.hpp>
#include <ocelli/nn/ops/math.hpp>
#include <ocelli/nn/ops/matmul.hpp>
#include <ocelli/nn/ops/microsoft.hpp>
#include <ocelli/nn/ops/norm.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/ops/order.hpp>
#include <ocelli/nn/ops/pad.hpp>
#include <ocelli/nn/ops/pool.hpp>
#include <ocelli/nn/ops/quantize.hpp>
#include <ocelli/nn/ops/quantized.hpp>
#include <ocelli/nn/ops/rearrange.hpp>
#include <ocelli/nn/ops/recurrent.hpp>
#include <ocelli/nn/ops/reduce.hpp>
#include <ocelli/nn/ops/reshape.hpp>
#include <ocelli/nn/ops/resize.hpp>
#include <ocelli/nn/ops/sample.hpp>
#include <ocelli/nn/ops/sequence.hpp>
#include <ocelli/nn/ops/softmax.hpp>

#include <vector>

namespace ocelli::nn {

/// The tables of all operator files.
inline std::vector<std::span<const op_def>> op_tables() {
    return {
        activation_ops(),
        arrange_ops(),
        attention_ops(),
        basic_ops(),
        blocked_ops(),
        cast_ops(),
        control_ops(),
        conv_ops(),
        conv_transpose_ops(),
        detection_ops(),
        elementwise_ops(),
        fused_ops(),
        gather_ops(),
        generate_ops(),
        logic_ops(),
        loss_ops(),
        math_ops(),
        matmul_ops(),
        microsoft_ops(),
        norm_ops(),
        order_ops(),
        pad_ops(),
        pool_ops(),
        quantize_ops(),
        quantized_ops(),
        rearrange_ops(),
        recurrent_ops(),
        reduce_ops(),
        reshape_ops(),
        resize_ops(),
        sample_ops(),
        sequence_ops(),
        softmax_ops(),
    };
}

}  // namespace ocelli::nn
