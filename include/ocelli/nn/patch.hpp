#pragma once

/// @file
/// A change to a graph, proposed with a reason and applied with a check.

#include <ocelli/nn/graph.hpp>

#include <string>
#include <utility>
#include <vector>

namespace ocelli::nn {

/// New values and nodes, and which values they replace. Nodes that nobody uses afterwards are removed by apply().
///
///     patch p{.reason = "batch norm folded into 'conv1'"};
///     const value_id w = p.add_constant(g, "w", folded);
///     const value_id y = p.add_value(g, "y", fact_of_the_result);
///     p.nodes.push_back({.op = "Conv", .inputs = {x, w}, .outputs = {y}});
///     p.replace.push_back({old_output, y});
struct patch {
    std::string reason = {};
    /// Appended to the graph's values: the first gets the id graph.values.size().
    std::vector<value> values = {};
    std::vector<node> nodes = {};
    /// Every use of `first` becomes a use of `second`.
    std::vector<std::pair<value_id, value_id>> replace = {};

    /// The id the value will have in g.
    value_id add_value(const graph& g, std::string name, fact what);
    value_id add_constant(const graph& g, std::string name, tensor elements);
};

/// A patch that was applied, for explain().
struct applied_patch {
    std::string pass;
    std::string reason;
};

/// Applies patches that were found on the same graph and do not touch each other's nodes, one after the other; then puts the graph
/// in order, removes what is dead, derives the facts that may have become others (they had been derived: infer_facts) and verifies. An output keeps its name.
/// @throws error  where a patch leaves the graph invalid
void apply(graph& g, std::vector<patch> patches);

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/impl/patch.inl>
#endif
