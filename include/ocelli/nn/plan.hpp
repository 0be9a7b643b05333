#pragma once

/// @file
/// A graph made ready for inputs of given shapes: steps in order, a kernel for each, memory by lifetimes.

#include <ocelli/nn/detail/bound_kernel.hpp>
#include <ocelli/nn/graph.hpp>
#include <ocelli/nn/planner/memory.hpp>
#include <ocelli/nn/planner/packing.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace ocelli::nn {

/// The kernel for a node of the graph, or null: the node runs on its reference evaluation. The only place where nodes meet kernels.
std::unique_ptr<bound_kernel> bind_kernel(const graph& g, const node& n, weight_cache& weights);

/// What a run of one step cost.
struct step_time {
    double ms = 0;
    /// The part of it that reference evaluations take: of the node, or of those in its sub-graphs.
    double reference_ms = 0;
    /// When it began, from the beginning of the run.
    double start_ms = 0;
    double operations = 0;
    /// Of the inputs, weights among them, and the outputs.
    double bytes = 0;
    /// Of the first output.
    dims shape;
};

/// Steps, buffers and kernels for one set of input shapes; immutable and shared by runs, each of which takes a workspace of its own.
class plan {
public:
    /// `kernels` holds one entry per node of g (null: reference), shared by all plans of g; g must outlive the plan.
    /// @param memory_limit  bytes that a run may take as far as they are known beforehand; 0: as memory_limit::current() says
    /// @throws invalid_argument  naming the node, where the shapes do not fit the network; naming the largest value, where they need more
    ///                           memory than the limit
    plan(const graph& g, const std::vector<std::unique_ptr<bound_kernel>>& kernels, std::span<const tensor> feeds, std::size_t memory_limit = 0);

    /// Runs. `feeds` are in the order of g.inputs; absent ones take their default. @return the outputs, in the order of g.outputs
    /// @throws invalid_argument, stopped  as operators, memory_limit and run_guard do
    std::vector<tensor> run(std::span<const tensor> feeds, std::vector<step_time>* times = nullptr) const;

    /// The same, writing into the caller's memory: `outputs` are tensors of the right types and shapes. What can be is computed there;
    /// from the second run on nothing is allocated but by reference evaluations and for shapes that depend on data.
    /// @throws invalid_argument  where an output has another type or shape
    void run(std::span<const tensor> feeds, std::span<tensor> outputs, std::vector<step_time>* times = nullptr) const;

    /// The nodes that run, in order; the others are constant for these shapes.
    const std::vector<node_id>& steps() const noexcept { return steps_; }
    /// Bytes of a workspace.
    std::size_t arena_bytes() const noexcept { return arena_bytes_; }
    /// Bytes of the outputs whose shapes are known beforehand; every run takes them anew.
    std::size_t output_bytes() const noexcept { return output_bytes_; }
    /// Values whose size is known only when they are computed.
    std::size_t dynamic_values() const noexcept { return dynamic_values_; }

private:
    struct workspace;
    struct step;
    std::unique_ptr<workspace> make_workspace() const;
    std::unique_ptr<workspace> take_workspace() const;
    void return_workspace(std::unique_ptr<workspace> w) const;
    bool is_plain_view(const node& n) const;
    std::vector<buffer_join> find_joins(const std::vector<buffer_request>& requests, const std::vector<std::size_t>& owner) const;
    void write_program();
    void run_reference(workspace& w, const node& n) const;
    void run_steps(workspace& w, std::span<const tensor> feeds, std::vector<step_time>* times) const;
    void bind_outputs(workspace& w, std::span<const tensor> feeds, std::span<tensor> outputs) const;

    const graph& graph_;
    const std::vector<std::unique_ptr<bound_kernel>>& kernels_;
    std::vector<node_id> steps_;
    std::vector<fact> facts_;
    /// Offset in the arena, or -1.
    std::vector<std::int64_t> offsets_;
    /// The value in whose memory each value lives: itself, or what it is a view of.
    std::vector<value_id> roots_;
    /// Values whose tensor changes from run to run: feeds, outputs, views, and what is sized when it is computed.
    std::vector<value_id> passing_;
    /// Of a run's memory, in bytes.
    std::size_t limit_ = 0;
    /// The steps, with what a run reads of each beside each other: nodes are spread over memory, and a small layer takes no longer than a
    /// few reads of it.
    std::vector<step> program_;
    /// The steps' inputs, outputs, and what their sub-graphs use, one step's behind the other's.
    std::vector<value_id> arguments_;
    /// For each step, the values nobody reads any more.
    std::vector<std::vector<value_id>> dying_;
    std::size_t arena_bytes_ = 0;
    std::size_t output_bytes_ = 0;
    std::size_t dynamic_values_ = 0;
    mutable std::mutex mutex_;
    mutable std::vector<std::unique_ptr<workspace>> idle_;

public:
    ~plan();
};

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/impl/bind_kernel.inl>
#    include <ocelli/nn/impl/plan.inl>
#endif
