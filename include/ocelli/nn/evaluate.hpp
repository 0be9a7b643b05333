#pragma once

/// @file
/// Runs a graph node by node with the reference evaluation of ops/: the oracle for whole networks.

#include <ocelli/nn/graph.hpp>

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace ocelli::nn {

/// Tensors by name, in a fixed order: feeds and results.
class named_tensors {
public:
    using entry = std::pair<std::string, tensor>;

    named_tensors() = default;
    named_tensors(std::initializer_list<entry> entries) : entries_(entries) {}
    explicit named_tensors(std::vector<entry> entries) : entries_(std::move(entries)) {}

    /// The tensor of this name.
    /// @throws invalid_argument  naming those there are
    const tensor& operator[](std::string_view name) const;
    const tensor& at(std::string_view name) const { return (*this)[name]; }
    /// The i-th tensor.
    const tensor& operator[](std::size_t i) const { return entries_.at(i).second; }
    bool contains(std::string_view name) const noexcept;
    void add(std::string name, tensor t) { entries_.emplace_back(std::move(name), std::move(t)); }

    std::size_t size() const noexcept { return entries_.size(); }
    auto begin() const noexcept { return entries_.begin(); }
    auto end() const noexcept { return entries_.end(); }

private:
    std::vector<entry> entries_;
};

/// Limits the evaluations of this thread while it lives: the nodes they run, those of sub-graphs counted each time, and how long. What a
/// Loop's file says, 2^63 times perhaps, is not trusted.
class run_guard {
public:
    /// @param steps  nodes and iterations of sub-graphs; 0: no limit
    /// @param stop   looked at before each of them
    explicit run_guard(std::int64_t steps, std::stop_token stop = {}) noexcept;
    ~run_guard();
    run_guard(const run_guard&) = delete;
    run_guard& operator=(const run_guard&) = delete;

    /// Counts one step of this thread.
    /// @throws stopped           where a stop was asked for
    /// @throws invalid_argument  where the steps are used up
    static void step();

private:
    static run_guard*& innermost() noexcept;
    void count();

    std::int64_t steps_, left_;
    std::stop_token stop_;
    run_guard* outer_;
};

/// Computes the outputs of a graph from feeds by name, every node by its operator's reference evaluation, in the graph's order.
/// @throws invalid_argument  on a missing or unknown feed, or as operators do
named_tensors evaluate(const graph& g, const named_tensors& feeds);

namespace detail {
/// Evaluates a node of the graph, by its index: inputs, outputs, what its sub-graphs use.
using node_runner = std::function<void(std::size_t, std::span<const tensor>, std::span<tensor>, std::span<const tensor>)>;
/// The same by position; `captured` are the values that graph::captures refer to. Nodes are evaluated by `run`, if there is one, else by reference.
std::vector<tensor> evaluate_graph(const graph& g, std::span<const tensor> inputs, std::span<const tensor> captured, const node_runner& run = {});
}  // namespace detail

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/impl/evaluate.inl>
#endif
