#pragma once

/// @file
/// A node bound to its kernel, as plans run it.

#include <ocelli/nn/tensor.hpp>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace ocelli::nn {

/// Where a kernel finds its inputs and puts its outputs.
struct step_io {
    /// Null where an optional input is absent.
    std::span<const tensor* const> inputs;
    /// Planned memory, or absent tensors to be replaced; null where nobody wants the output.
    std::span<tensor* const> outputs;
    /// What the node's sub-graphs use of the graph around them.
    std::span<const tensor* const> captured = {};
    /// Where a node that runs sub-graphs adds the milliseconds of reference evaluations inside; null where nobody asks.
    double* reference_ms = nullptr;

    /// Memory for output i: the planned one where it has this shape, else fresh.
    tensor& output(std::size_t i, dtype type, const dims& shape) const {
        tensor& t = *outputs[i];
        if (t.type() != type || t.shape() != shape) t = tensor(type, shape);
        return t;
    }
};

/// A node bound to a kernel and its packed weights. Immutable: run by many threads at once.
class bound_kernel {
public:
    virtual ~bound_kernel() = default;
    virtual std::string_view name() const noexcept = 0;
    virtual void run(const step_io& io) const = 0;
    /// Floating-point operations of a run on these shapes, for profiles; 0: not counted.
    virtual double operations(const step_io&) const { return 0; }
    /// Whether parts of the first output are its inputs, as places() says.
    virtual bool joins() const noexcept { return false; }
    /// For each input of these shapes, all of float32, where it lies whole in the first output, in elements; -1: it does not. An input that lies there
    /// already when the kernel runs stays as it is.
    virtual std::vector<std::int64_t> places(std::span<const dims>) const { return {}; }
};

}  // namespace ocelli::nn
