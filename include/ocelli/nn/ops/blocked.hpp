#pragma once

/// @file
/// The private vocabulary of channel-blocked images: values (N, blocks, ..., lanes), as many channels in a block as a vector has lanes,
/// zeros in the lanes that no channel uses.
///
/// ocelli.Block (attribute `lanes`) turns (N, C, ...) into blocks, ocelli.Unblock (`channels`) turns them back, with `last` into (N, ..., C). ocelli.Channels (`lanes`) puts
/// channels of its inputs, images in blocks, together anew: channel i is number `channels`[i] of input `images`[i]. Element-wise operators
/// work on blocks as they are. For the others there is domain `ocelli.blocked`: an operator of the same name, with its attributes and
/// `lanes`; `channels`, which lists for each input how many channels its blocks hold, 0 for an input that is not in blocks;
/// `inner_domain` and `inner_opset`, whose operator it is. ConvTranspose has `planes`: 1 where its result is not in blocks.
///
/// ocelli.blocked.PointwiseDepthwise: a depthwise Conv of a pointwise one. Inputs x, w, bias, none, slope, attributes as the depthwise Conv has them; then
/// the pointwise w, bias and slope, and its `first_activation`, `first_alpha`, `first_beta`.
///
/// ocelli.blocked.GatedConv: a Conv of x times a gate, blocks of one pixel. Inputs x, w, bias, addend, slope, gate; attributes as the Conv has them.

#include <ocelli/nn/fwd.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace ocelli::nn {

/// Block, Unblock, Channels, and the operators of domain ocelli.blocked.
std::span<const op_def> blocked_ops();

/// Whether domain ocelli.blocked has this operator.
bool has_blocked_form(const node& n);
/// The node on blocks, without inputs and outputs.
node blocked_form(const node& n, std::int64_t lanes, std::vector<std::int64_t> channels);
/// x (N, C, ...) of float32 in blocks.
tensor in_blocks(const tensor& x, std::int64_t lanes);
/// The node that a blocked one stands for, with its inputs and outputs.
node plain_form(const node& n);

namespace detail {
/// Blocks of one pixel, as many as x has: the gate of a GatedConv.
/// @throws invalid_argument  where it is not
void check_gate(const node& n, const tensor& x, const tensor& gate);
}  // namespace detail

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/impl/blocked.inl>
#endif
