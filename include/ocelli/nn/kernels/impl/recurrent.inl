#pragma once

#include <ocelli/core/gemm.hpp>
#include <ocelli/nn/kernels/elementwise.hpp>
#include <ocelli/nn/kernels/recurrent.hpp>

#include <algorithm>
#include <vector>

namespace ocelli::nn {

namespace detail {

/// The product of a state with rows of r. A few states read r where it lies, many a packed copy.
class recurrent_product {
public:
    recurrent_product(const recurrent_layer& l, std::int64_t rows, const float* r) : batch_(l.batch), rows_(rows), depth_(l.hidden), r_(r) {
        if (batch_ <= 3) return;
        packed_.resize(static_cast<std::size_t>(gemm_packed_b_size(rows_, depth_)));
        gemm_pack_b(rows_, depth_, {r_, 1, depth_}, packed_.data());
    }
    void run(const float* state, float* to, const gemm_epilogue& epilogue) const {
        const matrix_argument left{state, depth_, 1};
        if (packed_.empty()) gemm(batch_, rows_, depth_, left, {r_, 1, depth_}, to, rows_, epilogue);
        else gemm_packed_b(batch_, rows_, depth_, left, packed_.data(), to, rows_, epilogue);
    }

private:
    std::int64_t batch_, rows_, depth_;
    const float* r_;
    std::vector<float> packed_;
};

/// What is added where a product is stored.
inline gemm_epilogue added(const float* rows, std::int64_t stride) {
    gemm_epilogue e;
    e.addend = rows;
    e.addend_stride = stride;
    return e;
}

}  // namespace detail

OCELLI_INLINE void lstm(const recurrent_layer& l, const float* given, const float* r, float* h, float* c, float* y) {
    const detail::elementwise_kernels& e = detail::get_elementwise_kernels();
    const auto sigmoid = e.unary[static_cast<int>(unary_function::sigmoid)], tanh = e.unary[static_cast<int>(unary_function::tanh)];
    const auto multiply = e.binary[static_cast<int>(binary_function::multiply)][0], add = e.binary[static_cast<int>(binary_function::add)][0];
    const std::int64_t n = l.hidden, row = 4 * n, states = l.batch * n;
    const detail::recurrent_product product(l, row, r);
    std::vector<float> gates(static_cast<std::size_t>(l.batch * row));
    for (std::int64_t step = 0; step < l.steps; ++step) {
        const std::int64_t t = l.backwards ? l.steps - 1 - step : step;
        float *const i = gates.data(), *const o = i + n, *const f = o + n, *const g = f + n;
        product.run(h, i, detail::added(given + t * l.batch * row, row));
        for (std::int64_t b = 0; b < l.batch; ++b) {
            sigmoid(3 * n, i + b * row, i + b * row, 0, 0);
            tanh(n, g + b * row, g + b * row, 0, 0);
        }
        multiply({l.batch, n, f, c, c, row, n, n});
        multiply({l.batch, n, i, g, g, row, row, row});
        add({l.batch, n, c, g, c, n, row, n});
        tanh(states, c, h, 0, 0);
        multiply({l.batch, n, o, h, h, row, n, n});
        if (y != nullptr) std::copy(h, h + states, y + t * l.y_step);
    }
}

OCELLI_INLINE void gru(const recurrent_layer& l, const float* given, const float* r, const float* hidden_bias, bool reset_late, float* h, float* y) {
    const detail::elementwise_kernels& e = detail::get_elementwise_kernels();
    const auto sigmoid = e.unary[static_cast<int>(unary_function::sigmoid)], tanh = e.unary[static_cast<int>(unary_function::tanh)];
    const auto multiply = e.binary[static_cast<int>(binary_function::multiply)][0], add = e.binary[static_cast<int>(binary_function::add)][0],
               subtract = e.binary[static_cast<int>(binary_function::subtract)][0];
    const std::int64_t n = l.hidden, row = 3 * n, states = l.batch * n;
    const detail::recurrent_product both(l, 2 * n, r), last(l, n, r + 2 * n * n);
    std::vector<float> gates(static_cast<std::size_t>(2 * states)), hidden(static_cast<std::size_t>(states)), reset(static_cast<std::size_t>(states));
    for (std::int64_t step = 0; step < l.steps; ++step) {
        const std::int64_t t = l.backwards ? l.steps - 1 - step : step;
        const float* const from = given + t * l.batch * row;
        float *const z = gates.data(), *const q = z + n, *const g = hidden.data();
        both.run(h, z, detail::added(from, row));
        sigmoid(2 * states, z, z, 0, 0);
        if (reset_late) {
            gemm_epilogue bias;
            bias.column_bias = hidden_bias;
            last.run(h, g, bias);
            multiply({l.batch, n, q, g, g, 2 * n, n, n});
            add({l.batch, n, g, from + 2 * n, g, n, row, n});
        } else {
            multiply({l.batch, n, q, h, reset.data(), 2 * n, n, n});
            last.run(reset.data(), g, detail::added(from + 2 * n, row));
        }
        tanh(states, g, g, 0, 0);
        // (1 - z) g + z h = g + z (h - g)
        subtract({l.batch, n, h, g, h, n, n, n});
        multiply({l.batch, n, z, h, h, 2 * n, n, n});
        add({l.batch, n, g, h, h, n, n, n});
        if (y != nullptr) std::copy(h, h + states, y + t * l.y_step);
    }
}

}  // namespace ocelli::nn
