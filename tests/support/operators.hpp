#pragma once

// Runs one operator on tensors, and holds what inference said about the result against the result itself.

#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/ops/op.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <initializer_list>
#include <limits>
#include <string>
#include <vector>

namespace operators {

namespace nn = ocelli::nn;
using nn::attribute;
using nn::dims;
using nn::tensor;

inline const float inf = std::numeric_limits<float>::infinity();
inline const float qnan = std::numeric_limits<float>::quiet_NaN();

/// A tensor from a list: of<float>({2, 2}, {1, 2, 3, 4}).
template <class T>
tensor of(dims shape, std::initializer_list<T> values) {
    return tensor::from<T>(std::move(shape), values);
}
inline tensor floats(dims shape, std::initializer_list<float> values) {
    return tensor::from<float>(std::move(shape), values);
}
inline tensor list(std::initializer_list<std::int64_t> values) {
    return tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
}
template <class T>
std::vector<T> elements(const tensor& t) {
    const auto all = t.values<T>();
    return {all.begin(), all.end()};
}

/// The outputs of an operator. An undefined tensor stands for an input left out.
inline std::vector<tensor> run_all(const std::string& op, std::int64_t opset, const std::vector<tensor>& inputs,
                                   std::vector<attribute> attributes = {}, std::size_t outputs = 1) {
    std::vector<tensor> first;
    // Twice: with inputs of known shape, and with the second input and those after it constant, as shapes and axes mostly are.
    for (const bool constants : {false, true}) {
        nn::graph g;
        g.opsets[""] = opset;
        nn::node n;
        n.op = op;
        n.opset = opset;
        n.attributes = attributes;
        nn::named_tensors feeds;
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            if (!inputs[i].defined()) {
                n.inputs.push_back(nn::no_value);
            } else if (constants && i > 0) {
                n.inputs.push_back(g.add_constant(ocelli::detail::concat("c", i), inputs[i]));
            } else {
                const std::string name = ocelli::detail::concat("x", i);
                const nn::value_id v = g.add_value(name, {inputs[i].type(), nn::symbolic_shape(inputs[i].shape()), {}});
                g.inputs.push_back(v);
                n.inputs.push_back(v);
                feeds.add(name, inputs[i]);
            }
        }
        for (std::size_t i = 0; i < outputs; ++i) {
            n.outputs.push_back(g.add_value(ocelli::detail::concat("y", i)));
            g.outputs.push_back(n.outputs.back());
        }
        g.add_node(std::move(n));
        nn::infer_facts(g);
        const nn::named_tensors results = nn::evaluate(g, feeds);
        for (std::size_t i = 0; i < outputs; ++i) {
            const nn::fact& known = g.at(g.outputs[i]).what;
            if (known.type != nn::dtype::undefined) CHECK(known.type == results[i].type());
            INFO("inferred ", nn::text(known.shape), ", computed ", nn::text(results[i]));
            CHECK(nn::accepts(known.shape, results[i].shape()));
            if (!constants) first.push_back(results[i]);
        }
    }
    return first;
}

/// The only output of an operator.
inline tensor run(const std::string& op, std::int64_t opset, const std::vector<tensor>& inputs, std::vector<attribute> attributes = {}) {
    return run_all(op, opset, inputs, std::move(attributes)).at(0);
}

inline attribute number(std::string name, std::int64_t v) {
    return {std::move(name), v};
}
inline attribute real(std::string name, float v) {
    return {std::move(name), v};
}
inline attribute word(std::string name, std::string v) {
    return {std::move(name), std::move(v)};
}
inline attribute numbers(std::string name, std::vector<std::int64_t> v) {
    return {std::move(name), std::move(v)};
}

/// Same bits of NaN-ness, else equal.
inline bool same(const std::vector<float>& a, const std::vector<float>& b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const bool na = ocelli::detail::is_nan(a[i]), nb = ocelli::detail::is_nan(b[i]);
        if (na != nb || (!na && a[i] != b[i])) return false;
    }
    return true;
}
/// The largest difference; NaN or different lengths count as infinite.
inline float difference(const std::vector<float>& a, const std::vector<float>& b) {
    if (a.size() != b.size()) return inf;
    float worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const float d = a[i] > b[i] ? a[i] - b[i] : b[i] - a[i];
        if (ocelli::detail::is_nan(d)) return inf;
        worst = d > worst ? d : worst;
    }
    return worst;
}

}  // namespace operators

/// The statement throws E whose message names the node's operator and holds the text.
#define CHECK_REFUSED(E, statement, text)                                              \
    do {                                                                               \
        std::string refusal;                                                           \
        try {                                                                          \
            (void)(statement);                                                         \
        } catch (const E& e) {                                                         \
            refusal = e.what();                                                        \
        }                                                                              \
        INFO("message: ", refusal);                                                    \
        CHECK(refusal.find("opset") != std::string::npos);                             \
        CHECK(refusal.find(text) != std::string::npos);                                \
    } while (false)
