#pragma once

// The cases of tests/golden/nn_ops (written by tools/golden/nn_ops.py): models of a node with inputs and expected outputs.

#include "support/fixtures.hpp"
#include "support/operators.hpp"

#include <ocelli/nn/onnx.hpp>
#include <ocelli/nn/weights.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <string>

namespace ocelli_test {

/// Floating elements agree to tolerance * (1 + |expected|), NaN with NaN; others exactly.
inline bool agree(const ocelli::nn::tensor& got, const ocelli::nn::tensor& expected, double tolerance) {
    if (got.type() != expected.type() || got.shape() != expected.shape()) return false;
    if (!ocelli::nn::is_floating(got.type())) return got.size() == 0 || std::memcmp(got.raw(), expected.raw(), got.bytes()) == 0;
    const auto a = got.cast(ocelli::nn::dtype::float64), b = expected.cast(ocelli::nn::dtype::float64);
    for (std::int64_t i = 0; i < a.size(); ++i) {
        const double x = a.data<double>()[i], y = b.data<double>()[i];
        const bool nx = ocelli::detail::is_nan(x), ny = ocelli::detail::is_nan(y);
        if (nx != ny || (!nx && x != y && !(std::abs(x - y) <= tolerance * (1 + std::abs(y))))) return false;
    }
    return true;
}

/// Runs every case of a family and holds results and inferred facts to the expected outputs. @return the number of cases
inline int check_golden_models(const std::string& family, double tolerance) {
    namespace nn = ocelli::nn;
    const nn::state_dict all = nn::read_weights(golden("nn_ops/" + family + ".safetensors"));
    int cases = 0;
    for (const auto& [key, model] : all) {
        const auto slash = key.find("/model");
        if (slash == std::string::npos) continue;
        const std::string name = key.substr(0, slash);
        CAPTURE(name);
        nn::graph g = nn::read_onnx(std::as_bytes(model.values<std::uint8_t>()), "", name);
        nn::named_tensors feeds;
        for (std::size_t i = 0; i < g.inputs.size(); ++i)
            if (const std::string x = ocelli::detail::concat(name, "/x", i); all.contains(x)) feeds.add(g.at(g.inputs[i]).name, all[x]);
        nn::infer_facts(g);
        const nn::named_tensors got = nn::evaluate(g, feeds);
        for (std::size_t i = 0; i < got.size(); ++i) {
            const nn::tensor& expected = all[ocelli::detail::concat(name, "/y", i)];
            CAPTURE(i);
            CAPTURE(nn::text(got[i]));
            CAPTURE(nn::text(expected));
            CHECK(agree(got[i], expected, tolerance));
            const nn::fact& known = g.at(g.outputs[i]).what;
            CHECK(known.type == expected.type());
            CHECK(nn::accepts(known.shape, expected.shape()));
        }
        ++cases;
    }
    return cases;
}

}  // namespace ocelli_test
