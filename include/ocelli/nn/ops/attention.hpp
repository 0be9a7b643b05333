#pragma once

/// @file
/// The private vocabulary of attention.

#include <ocelli/nn/fwd.hpp>
#include <ocelli/nn/shape.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace ocelli::nn {

/// ocelli.Attention: softmax(scale q k + a + b) v for stacks of matrices that lie anywhere in the inputs, of which there are three to five: a and b, tables and masks, may
/// be left out.
///
/// `extents` holds those of the stack, then M, N, K, D: q is M x K, k is K x N, v is N x D, a and b are M x N, the result M x D. `q`, `k`, `v`, `a` and `b` say where an
/// element lies: the first one's place, then strides along the stack, rows and columns, 0 where it stays the same. `y` has the strides of the result along the same axes, which are those of `shape` in another order.
/// `scale` is 1 unless given. Where `empty_is_zero` is not 0, a query whose scores have no softmax (all keys masked, NaN) has the result 0.
std::span<const op_def> attention_ops();

namespace detail {
/// What an ocelli.Attention says of itself, checked.
struct attention_form {
    dims stack;
    std::int64_t queries = 0, keys = 0, depth = 0, width = 0, matrices = 1;
    static constexpr std::size_t most = 5;
    std::size_t inputs = 3;
    dims at[most], result, shape;
    float scale = 1;
    bool empty_is_zero = false;

    /// The place of a matrix by its number and strides along the stack.
    std::int64_t place(std::int64_t matrix, const std::int64_t* strides) const {
        std::int64_t out = 0;
        for (std::size_t i = stack.size(); i-- > 0; matrix /= stack[i]) out += matrix % stack[i] * strides[i];
        return out;
    }
};
attention_form attention_form_of(const node& n);
/// Throws where an input is too small for what the node says.
void check_attention_input(const node& n, const attention_form& form, std::size_t input, const tensor& t);
}  // namespace detail

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/attention.inl>
#endif
