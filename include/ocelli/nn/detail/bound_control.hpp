#pragma once

/// @file
/// Nodes that run sub-graphs (If, Loop, Scan) whose nodes run on kernels.

#include <ocelli/nn/detail/bound_kernel.hpp>
#include <ocelli/nn/graph.hpp>

#include <memory>
#include <utility>
#include <vector>

namespace ocelli::nn::detail {

/// A copy of a sub-graph of a node of g, with what g knows of the values it uses. What the model declares of values inside is dropped: exporters are
/// careless about it.
graph body_for(const graph& g, const node& n, const graph& body);

/// Runs a node by its reference evaluation, and its sub-graphs as they were made ready. A body's values are not planned: their extents may change from turn to turn.
class bound_control final : public bound_kernel {
public:
    explicit bound_control(const node& n) : node_(n) {}
    /// `own` is run where the node asks for `body`, on its nodes' kernels; null ones on their reference evaluation.
    void add(const graph& body, std::unique_ptr<graph> own, std::vector<std::unique_ptr<bound_kernel>> kernels);

    std::string_view name() const noexcept override { return "sub-graph"; }
    /// Inline where it is defined with the header: it would bring the class's table, and all that this reaches, to every program otherwise.
    OCELLI_INLINE void run(const step_io& io) const override;

private:
    struct prepared {
        const graph* body;
        std::unique_ptr<graph> own;  ///< in its place: kernels refer to its nodes
        std::vector<std::unique_ptr<bound_kernel>> kernels;
    };
    std::vector<tensor> run_body(const graph& body, std::span<const tensor> arguments, std::span<const tensor> captured, double* reference_ms) const;

    const node& node_;
    std::vector<prepared> bodies_;
};

}  // namespace ocelli::nn::detail

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/impl/bound_control.inl>
#endif
