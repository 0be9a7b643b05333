#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/ops/attention.hpp>
#include <ocelli/nn/ops/op.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <string>

using namespace ocelli;
using namespace ocelli::nn;

namespace {

struct places {
    dims extents{1, 2, 2, 1}, q{1, 2, 1}, k{0, 2, 1}, v{0, 1, 1}, y{1, 1}, shape{1, 1};
    dims a = {}, b = {};  // of what is added, (3 4 5) and (6), if it is
};

// One query (1 2) behind a number, keys (1 0) and (0 1) as columns, values 10 and 20.
named_tensors attend(const places& p) {
    graph g;
    const auto input = [&](const char* name, dims shape) {
        const value_id v = g.add_value(name, {dtype::float32, symbolic_shape(shape), {}});
        g.inputs.push_back(v);
        return v;
    };
    const value_id q = input("q", {3}), k = input("k", {2, 2}), v = input("v", {2, 1}), y = g.add_value("y");
    node n{.name = "attention", .op = "Attention", .domain = "ocelli", .opset = 1,
           .attributes = {{"extents", p.extents}, {"q", p.q}, {"k", p.k}, {"v", p.v}, {"y", p.y}, {"shape", p.shape}, {"scale", 0.5f}}, .inputs = {q, k, v}, .outputs = {y}};
    if (!p.a.empty()) {
        n.attributes.push_back({"a", p.a});
        n.inputs.push_back(g.add_constant("a", tensor::from<float>({3}, {3.0f, 4.0f, 5.0f})));
    }
    if (!p.b.empty()) {
        n.attributes.push_back({"b", p.b});
        n.inputs.push_back(g.add_constant("b", tensor::from<float>({1}, {6.0f})));
    }
    g.add_node(std::move(n));
    g.outputs = {y};
    infer_facts(g);
    return evaluate(g, {{"q", tensor::from<float>({3}, {9.0f, 1.0f, 2.0f})},
                        {"k", tensor::from<float>({2, 2}, {1.0f, 0.0f, 0.0f, 1.0f})},
                        {"v", tensor::from<float>({2, 1}, {10.0f, 20.0f})}});
}

}  // namespace

TEST_CASE("the reference evaluation of attention: operands are read from their places, scores are scaled, weights sum to 1") {
    const auto out = attend({});
    const double first = 1 / (1 + std::exp(0.5));  // scores 0.5 and 1
    CHECK(out[0].shape() == dims{1, 1});
    CHECK(static_cast<double>(out[0].data<float>()[0]) == doctest::Approx(10 * first + 20 * (1 - first)));
    CHECK(attend({.shape = {1, 1, 1}})[0].shape() == dims{1, 1, 1});
    // Scores 0.5 + 4 + 6 and 1 + 5 + 6: a and b are added behind the scale.
    const double added = 1 / (1 + std::exp(1.5));
    CHECK(static_cast<double>(attend({.a = {1, 0, 1}, .b = {0, 0, 0}})[0].data<float>()[0]) == doctest::Approx(10 * added + 20 * (1 - added)));
    CHECK(static_cast<double>(attend({.a = {0, 0, 0}})[0].data<float>()[0]) == doctest::Approx(10 * first + 20 * (1 - first)));
}

TEST_CASE("places outside the inputs, and results that are not written once, are refused") {
    CHECK_THROWS_AS(attend({.q = {2, 2, 1}}), invalid_argument);
    CHECK_THROWS_AS(attend({.k = {0, 3, 1}}), invalid_argument);
    CHECK_THROWS_AS(attend({.k = {0, std::int64_t{1} << 62, 1}}), invalid_argument);
    CHECK_THROWS_AS(attend({.v = {-1, 1, 1}}), invalid_argument);
    CHECK_THROWS_AS(attend({.v = {0, 1}}), invalid_argument);
    CHECK_THROWS_AS(attend({.a = {2, 0, 1}}), invalid_argument);
    CHECK_THROWS_AS(attend({.a = {0, 1}}), invalid_argument);
    CHECK_THROWS_AS(attend({.a = {0, 0, 1}, .b = {0, 0, 1}}), invalid_argument);
    CHECK_THROWS_AS(attend({.y = {1, 2}}), invalid_argument);
    CHECK_THROWS_AS(attend({.shape = {2}}), invalid_argument);
    CHECK_THROWS_AS(attend({.extents = {2, 2}}), invalid_argument);
    CHECK_THROWS_AS(attend({.extents = {0, 2, 2, 1}}), invalid_argument);
    CHECK_THROWS_AS(attend({.extents = {std::int64_t{1} << 40, std::int64_t{1} << 40, 1, 1, 1}, .q = {0, 0, 0, 0}, .k = {0, 0, 0, 0}, .v = {0, 0, 0, 0}, .y = {1, 1, 1}}),
                    invalid_argument);
    CHECK_THROWS_AS(attend({.extents = {2, 1, 2, 2, 1}, .q = {1, 0, 2, 1}, .k = {0, 0, 2, 1}, .v = {0, 0, 1, 1}, .y = {0, 1, 1}, .shape = {2, 1}}), invalid_argument);
}
