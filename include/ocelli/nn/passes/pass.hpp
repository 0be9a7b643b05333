#pragma once

/// @file
/// A pass looks at a graph and proposes patches; run_passes applies them until none is left.

#include <ocelli/nn/patch.hpp>

#include <span>
#include <string_view>
#include <vector>

namespace ocelli::nn {

/// A rewriting of graphs: one file in passes/, one row in passes/pipeline.hpp.
struct pass {
    std::string_view name;
    /// Patches for every place where the pass applies; they must not touch each other's nodes.
    std::vector<patch> (*find)(const graph&);
};

/// Runs the passes in order, again and again, until none finds anything.
/// @return what was done, in order
std::vector<applied_patch> run_passes(graph& g, std::span<const pass> passes);

namespace detail {
/// True where the value's only use is the given node (and it is no output).
bool used_once(const graph& g, const std::vector<std::int32_t>& uses, value_id v);
}  // namespace detail

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/passes/impl/pass.inl>
#endif
