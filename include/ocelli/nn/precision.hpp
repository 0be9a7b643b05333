#pragma once

namespace ocelli::nn {

/// What the weights and operands of products are rounded to. Sums, and everything else, are float.
enum class precision {
    f32,
    /// bfloat16: half the packed weights, and twice the speed where the processor multiplies pairs of them (AVX512-BF16). Three decimal digits.
    bf16
};

}  // namespace ocelli::nn
