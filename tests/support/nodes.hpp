#pragma once

// One node by its kernel, held to the reference evaluation in double.

#include <ocelli/core/float_bits.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/plan.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace nodes {

using namespace ocelli;
using namespace ocelli::nn;

inline const float qnan = std::numeric_limits<float>::quiet_NaN();
inline const float infinity = std::numeric_limits<float>::infinity();

inline tensor random_tensor(dims shape, unsigned seed, float low = -1, float high = 1) {
    std::mt19937 random(seed);
    tensor t(dtype::float32, std::move(shape));
    for (std::int64_t i = 0; i < t.size(); ++i)
        t.mutable_data<float>()[i] = low + (high - low) * static_cast<float>(random() >> 8) * (1.0f / 16777216.0f);
    return t;
}

struct result {
    std::string kernel;
    std::vector<tensor> outputs, expected;
};

// Runs the operator on the inputs; those marked in `constants` are known when the kernel is chosen. `expected` is computed in double.
inline result run_node(node n, const std::vector<tensor>& inputs, const std::vector<std::size_t>& constants = {}, std::int64_t opset = 18, std::size_t outputs = 1) {
    graph g;
    g.opsets[""] = opset;
    std::vector<tensor> exact;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const tensor& t = inputs[i];
        bool constant = false;
        for (const std::size_t k : constants) constant = constant || k == i;
        if (!t.defined()) n.inputs.push_back(no_value);
        else if (constant) n.inputs.push_back(g.add_constant("c" + std::to_string(i), t));
        else {
            n.inputs.push_back(g.add_value("x" + std::to_string(i), {t.type(), symbolic_shape::of_rank(t.rank()), {}}));
            g.inputs.push_back(n.inputs.back());
        }
        exact.push_back(t.defined() && t.type() == dtype::float32 ? t.cast(dtype::float64) : t);
    }
    for (std::size_t i = 0; i < outputs; ++i) {
        n.outputs.push_back(g.add_value("y" + std::to_string(i)));
        g.outputs.push_back(n.outputs.back());
    }
    n.name = "node";
    g.add_node(n);
    result r;
    weight_cache cache;
    const std::unique_ptr<bound_kernel> kernel = bind_kernel(g, g.nodes[0], cache);
    REQUIRE(kernel != nullptr);
    r.kernel = kernel->name();
    // Memory of exactly the inputs' sizes: the address sanitizer watches their ends.
    std::vector<tensor> given, results(outputs);
    for (const tensor& t : inputs) given.push_back(t.defined() ? t.clone() : t);
    std::vector<const tensor*> in;
    std::vector<tensor*> out;
    for (const tensor& t : given) in.push_back(t.defined() ? &t : nullptr);
    for (tensor& t : results) out.push_back(&t);
    kernel->run({in, out});
    r.outputs = std::move(results);
    r.expected.resize(outputs);
    node in_double = g.nodes[0];
    for (attribute& a : in_double.attributes)
        if (tensor* t = std::get_if<tensor>(&a.what); t != nullptr && t->type() == dtype::float32) *t = t->cast(dtype::float64);
    eval_context context(in_double, exact, r.expected);
    in_double.def->eval(context);
    return r;
}

// The largest difference of an output, relative to |expected| + floor; infinite where shapes, NaN or infinities differ.
inline double error_of(const result& r, double floor, std::size_t output = 0) {
    const tensor &y = r.outputs[output], &e = r.expected[output];
    if (y.type() != dtype::float32 || e.type() != dtype::float64 || y.shape() != e.shape()) return std::numeric_limits<double>::infinity();
    double worst = 0;
    for (std::int64_t i = 0; i < y.size(); ++i) {
        const float got = y.data<float>()[i];
        const double want = e.data<double>()[i];
        if (ocelli::detail::is_nan(got) || ocelli::detail::is_nan(want)) {
            if (ocelli::detail::is_nan(got) != ocelli::detail::is_nan(want)) return std::numeric_limits<double>::infinity();
            continue;
        }
        const float near = static_cast<float>(want);
        if (!ocelli::detail::is_finite(got) || !ocelli::detail::is_finite(near)) {
            if (got != near) return std::numeric_limits<double>::infinity();
            continue;
        }
        worst = std::max(worst, std::abs(static_cast<double>(got) - want) / (std::abs(want) + floor));
    }
    return worst;
}

}  // namespace nodes
