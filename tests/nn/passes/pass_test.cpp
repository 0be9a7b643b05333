#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/passes/pass.hpp>

#include <doctest/doctest.h>

#include <array>

using namespace ocelli;
using namespace ocelli::nn;

namespace {

graph chain(int length) {
    graph g;
    g.opsets[""] = 13;
    value_id v = g.add_value("x", {dtype::float32, symbolic_shape{2}, {}});
    g.inputs = {v};
    for (int i = 0; i < length; ++i) {
        const value_id next = g.add_value(ocelli::detail::concat("v", i));
        g.add_node({.name = ocelli::detail::concat("n", i), .op = "Neg", .inputs = {v}, .outputs = {next}});
        v = next;
    }
    g.outputs = {v};
    return g;
}

// -(-x) = x, one pair at a time.
std::vector<patch> double_negation(const graph& g) {
    const auto uses = g.use_counts();
    for (const node& n : g.nodes) {
        const value_id inner = n.inputs[0];
        if (n.op != "Neg" || g.at(inner).producer == no_node || !nn::detail::used_once(g, uses, inner)) continue;
        const node& first = g.node_at(g.at(inner).producer);
        if (first.op != "Neg") continue;
        patch p{.reason = ocelli::detail::concat("two Neg before '", n.name, "'")};
        p.replace.push_back({n.outputs[0], first.inputs[0]});
        return {p};
    }
    return {};
}

// Never has enough.
std::vector<patch> restless(const graph& g) {
    patch p{.reason = "again"};
    node n = g.nodes.back();
    n.outputs = {p.add_value(g, "next", {})};
    p.replace.push_back({g.nodes.back().outputs[0], n.outputs[0]});
    p.nodes.push_back(n);
    return {p};
}

constexpr std::array honest{pass{"double_negation", &double_negation}};
constexpr std::array endless{pass{"restless", &restless}};

}  // namespace

TEST_CASE("passes run until none finds anything, and say what they did") {
    graph g = chain(7);
    const auto done = run_passes(g, honest);
    CHECK(g.nodes.size() == 1);
    REQUIRE(done.size() == 3);
    CHECK(done[0].pass == "double_negation");
    CHECK(done[0].reason == "two Neg before 'n1'");
    CHECK(run_passes(g, honest).empty());
    CHECK(run_passes(g, {}).empty());
}

TEST_CASE("a pass that never ends is stopped") {
    graph g = chain(1);
    CHECK(run_passes(g, endless).size() == 64);
    CHECK(g.nodes.size() == 1);
}

TEST_CASE("uses and constants are told apart") {
    graph g = chain(2);
    const auto uses = g.use_counts();
    CHECK(nn::detail::used_once(g, uses, g.nodes[0].outputs[0]));
    CHECK_FALSE(nn::detail::used_once(g, uses, g.outputs[0]));
    CHECK_FALSE(nn::detail::used_once(g, uses, no_value));
    CHECK(nn::detail::constant_input(g, g.nodes[0], 0) == nullptr);
    CHECK(nn::detail::constant_input(g, g.nodes[0], 5) == nullptr);
    g.nodes[0].inputs[0] = g.add_constant("c", tensor::scalar(1.f));
    CHECK(nn::detail::constant_input(g, g.nodes[0], 0)->item() == 1.0);
}
