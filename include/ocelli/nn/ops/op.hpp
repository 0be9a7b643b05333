// Not #pragma once: graph.hpp says why.
#ifndef OCELLI_NN_OP_HPP
#define OCELLI_NN_OP_HPP

/// @file
/// What an operator is to the engine: its versions, shape inference and reference evaluation. docs/engine.md shows how to add one.

#include <ocelli/nn/graph.hpp>

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace ocelli::nn {

/// How results compare between evaluations of an operator.
enum class exactness {
    exact,    ///< every evaluation gives the same elements (moves, comparisons, integers)
    rounding  ///< results may differ by rounding (sums in another order, other approximations)
};

/// An operator for a range of operator set versions.
struct op_def {
    std::string_view name;
    /// "" for ONNX's own.
    std::string_view domain = "";
    /// First and last version of the operator set with this meaning; `until` 0: still so.
    int since = 1;
    int until = 0;
    /// Number of inputs and outputs; `max` -1: any.
    int min_inputs = 1;
    int max_inputs = 1;
    int max_outputs = 1;
    /// Every attribute with its kind, "axis:int pads:ints"; a node with another one is refused when it is loaded.
    std::string_view attributes = "";
    /// Derives the outputs' types and shapes from what is known of the inputs; null: nothing is known before evaluation.
    void (*infer)(infer_context&) = nullptr;
    /// The clear evaluation: the oracle of kernels and tests.
    void (*eval)(eval_context&) = nullptr;
    exactness results = exactness::exact;
    /// The result is input 0's elements under another shape: evaluation shares the memory.
    bool view = false;
    /// The result differs from run to run (random numbers), or has effects: never folded, never merged.
    bool impure = false;
};

/// What infer() sees: facts of the inputs, and where to put those of the outputs.
class infer_context {
public:
    infer_context(const node& n, std::span<const fact* const> inputs, std::span<fact> outputs) noexcept
        : self(n), inputs_(inputs), outputs_(outputs) {}

    const node& self;

    std::size_t input_count() const noexcept { return inputs_.size(); }
    std::size_t output_count() const noexcept { return outputs_.size(); }
    /// False where the optional input is left out.
    bool has_input(std::size_t i) const noexcept { return i < inputs_.size() && inputs_[i] != nullptr; }
    /// Element type of an input; undefined where unknown or absent.
    dtype type(std::size_t i) const noexcept { return has_input(i) ? inputs_[i]->type : dtype::undefined; }
    /// Shape of an input; of unknown rank where unknown or absent.
    const symbolic_shape& shape(std::size_t i) const noexcept;
    /// The elements of a constant input, else null.
    const tensor* constant(std::size_t i) const noexcept {
        return has_input(i) && inputs_[i]->constant.defined() ? &inputs_[i]->constant : nullptr;
    }
    /// The integers of a constant integer input (shapes, axes), else nothing.
    std::optional<std::vector<std::int64_t>> constant_ints(std::size_t i) const;

    /// Sets what is known of output i.
    void output(std::size_t i, dtype type, symbolic_shape shape) {
        if (i < outputs_.size()) {
            outputs_[i].type = type;
            outputs_[i].shape = std::move(shape);
        }
    }
    /// The output is the same in every run.
    void output_constant(std::size_t i, tensor elements) {
        if (i < outputs_.size()) outputs_[i] = fact{elements.type(), symbolic_shape(elements.shape()), elements};
    }

private:
    std::span<const fact* const> inputs_;
    std::span<fact> outputs_;
};

/// What eval() sees: the inputs' elements, and where to put the outputs.
class eval_context {
public:
    /// Runs a sub-graph: body, its inputs -> its outputs.
    using subgraph_runner = std::function<std::vector<tensor>(const graph&, std::span<const tensor>)>;

    eval_context(const node& n, std::span<const tensor> inputs, std::span<tensor> outputs, const subgraph_runner* runner = nullptr)
        : self(n), inputs_(inputs), outputs_(outputs), runner_(runner) {}

    const node& self;

    std::size_t input_count() const noexcept { return inputs_.size(); }
    std::size_t output_count() const noexcept { return outputs_.size(); }
    bool has_input(std::size_t i) const noexcept { return i < inputs_.size() && inputs_[i].defined(); }
    /// @throws invalid_argument  naming the node, where the input is absent
    const tensor& input(std::size_t i) const {
        if (!has_input(i)) [[unlikely]] fail(self, "input ", i, " is missing");
        return inputs_[i];
    }
    /// True where somebody uses output i; others need not be computed.
    bool wants(std::size_t i) const noexcept {
        return i < outputs_.size() && i < self.outputs.size() && self.outputs[i] != no_value;
    }
    /// Memory for output i, not initialised: planned memory where the plan knew the shape, else fresh. Safe to call for outputs
    /// nobody wants.
    tensor& output(std::size_t i, dtype type, const dims& shape);
    /// Sets output i to a tensor that exists (perhaps sharing an input's memory).
    void set_output(std::size_t i, tensor t);

    /// Runs a sub-graph of this node; values it captures come from the surrounding graph.
    std::vector<tensor> run(const graph& body, std::span<const tensor> inputs) const {
        check(self, runner_ != nullptr && *runner_, "cannot run a sub-graph here");
        return (*runner_)(body, inputs);
    }

private:
    std::span<const tensor> inputs_;
    std::span<tensor> outputs_;
    const subgraph_runner* runner_;
    tensor unwanted_;
};

/// The definition for an operator set version, or null.
const op_def* find_op(std::string_view domain, std::string_view op, std::int64_t opset) noexcept;
/// The definition with the highest `since`, whatever the version asked for; null where the operator is unknown altogether.
const op_def* find_any_op(std::string_view domain, std::string_view op) noexcept;
/// Every definition, sorted by domain, name and version.
std::span<const op_def> all_ops();

/// Facts of a node's outputs, from those of its inputs: infer(), and evaluation where every input is constant and the result small.
/// @param fold_limit  largest number of elements an evaluated constant may have; 0 folds nothing
void infer_node(const graph& g, const node& n, std::span<const fact* const> inputs, std::span<fact> outputs,
                std::int64_t fold_limit = 4096);
/// Derives the facts of all values from those of the inputs and constants. Known facts stay.
void infer_facts(graph& g);
/// The same for a graph whose facts had been derived before it was changed.
/// @param made  which values have a producer to ask: all that are new
/// @param changed  which values those who use them know other facts of, or another value in their place
void infer_facts(graph& g, const std::vector<bool>& made, std::vector<bool> changed);

namespace detail {
/// Whether two facts say the same of every extent, and have the same memory for their elements.
bool same(const fact& a, const fact& b) noexcept;
}  // namespace detail

}  // namespace ocelli::nn

#define OCELLI_NN_OP_DECLARED
#endif  // OCELLI_NN_OP_HPP

// Not while graph.hpp, included above, looks in: the declarations are still to come then.
#if OCELLI_HEADER_ONLY && defined(OCELLI_NN_OP_DECLARED) && !defined(OCELLI_NN_DECLARATIONS_ONLY)
#    include <ocelli/nn/impl/graph.inl>
#    include <ocelli/nn/ops/impl/op.inl>
#endif
