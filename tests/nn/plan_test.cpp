#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/plan.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

using namespace ocelli;
using namespace ocelli::nn;

namespace {

using kernel_list = std::vector<std::unique_ptr<bound_kernel>>;

struct network {
    graph g;
    kernel_list kernels;

    network() { g.opsets[""] = 13; }
    value_id input(const std::string& name, dtype type = dtype::float32) {
        g.inputs.push_back(g.add_value(name, {type, symbolic_shape(), {}}));
        return g.inputs.back();
    }
    value_id node_of(const std::string& op, std::vector<value_id> inputs, std::vector<attribute> attributes = {}) {
        const value_id out = g.add_value(op + "_out");
        g.add_node({.name = op, .op = op, .attributes = std::move(attributes), .inputs = std::move(inputs), .outputs = {out}});
        return out;
    }
    plan make(std::vector<tensor> feeds, std::size_t limit = 0) {
        kernels.resize(g.nodes.size());
        return plan(g, kernels, feeds, limit);
    }
};

const std::size_t kib = 1024;

}  // namespace

TEST_CASE("a plan places values whose lifetimes are apart in the same memory, outputs aside") {
    network n;
    value_id v = n.input("x");
    for (const char* op : {"Abs", "Neg", "Exp", "Floor", "Ceil"}) v = n.node_of(op, {v});
    n.g.outputs = {v};
    const tensor x = tensor::zeros(dtype::float32, {256});
    const plan p = n.make({x});
    CHECK(p.steps().size() == 5);
    CHECK(p.arena_bytes() == 2 * kib);
    CHECK(p.output_bytes() == kib);
    CHECK(p.dynamic_values() == 0);
    CHECK(p.run(std::vector{x})[0].data<float>()[255] == 1.f);
}

TEST_CASE("values that are concatenated lie in what they make, where they are whole runs of it") {
    const auto arena = [](std::int64_t axis, bool kernels, dims shape) {
        network n;
        const value_id x = n.input("x");
        n.g.at(x).what.shape = symbolic_shape(shape);
        const value_id whole = n.node_of("Concat", {n.node_of("Abs", {x}), n.node_of("Exp", {x})}, {{"axis", axis}});
        n.g.outputs = {n.node_of("Neg", {whole})};
        infer_facts(n.g);
        weight_cache weights;
        n.kernels.resize(n.g.nodes.size());
        if (kernels)
            for (std::size_t i = 0; i < n.g.nodes.size(); ++i) n.kernels[i] = bind_kernel(n.g, n.g.nodes[i], weights);
        const tensor feed = tensor::zeros(dtype::float32, shape);
        const plan p = n.make({feed});
        const tensor y = p.run(std::vector{feed})[0];
        CHECK(y.data<float>()[0] == 0);
        CHECK(y.data<float>()[y.size() - 1] == -1);
        return p.arena_bytes();
    };
    CHECK(arena(1, true, {1, 8, 16}) == kib);
    CHECK(arena(0, true, {8, 16}) == kib);
    CHECK(arena(1, true, {2, 4, 16}) == 2 * kib);   // two images' channels are not beside each other
    CHECK(arena(1, true, {1, 16, 15}) == 30 * 64);
    CHECK(arena(1, true, {1, 8, 15}) > 15 * 64);    // the second would begin within a line of the cache
    CHECK(arena(1, false, {1, 8, 16}) == 2 * kib);  // the reference copies
}

TEST_CASE("what is constant for these shapes does not run") {
    network n;
    const value_id x = n.input("x");
    // Flattening as exporters write it: Reshape(x, Concat(Gather(Shape(x), 0), -1))
    const value_id shape = n.node_of("Shape", {x});
    const value_id first = n.node_of("Gather", {shape, n.g.add_constant("zero", tensor::from<std::int64_t>({1}, {0}))});
    const value_id target = n.node_of("Concat", {first, n.g.add_constant("rest", tensor::from<std::int64_t>({1}, {-1}))}, {{"axis", std::int64_t{0}}});
    n.g.outputs = {n.node_of("Neg", {n.node_of("Reshape", {x, target})})};
    const tensor feed = tensor::from<float>({2, 3, 1}, {1.f, 2.f, 3.f, 4.f, 5.f, 6.f});
    const plan p = n.make({feed});
    REQUIRE(p.steps().size() == 2);
    CHECK(n.g.node_at(p.steps()[0]).op == "Reshape");
    const tensor y = p.run(std::vector{feed})[0];
    CHECK(y.shape() == dims{2, 3});
    CHECK(y.data<float>()[5] == -6.f);
}

TEST_CASE("values whose shape depends on data are sized when they are computed") {
    network n;
    const value_id x = n.input("x");
    n.g.outputs = {n.node_of("NonZero", {n.node_of("Relu", {x})})};
    const plan p = n.make({tensor::zeros(dtype::float32, {4})});
    CHECK(p.dynamic_values() == 1);
    CHECK(p.run(std::vector{tensor::from<float>({4}, {0.f, 1.f, -2.f, 3.f})})[0].shape() == dims{1, 2});
    CHECK(p.run(std::vector{tensor::from<float>({4}, {1.f, 1.f, 2.f, 3.f})})[0].shape() == dims{1, 4});
    CHECK(p.run(std::vector{tensor::zeros(dtype::float32, {4})})[0].shape() == dims{1, 0});
}

TEST_CASE("outputs share no memory with feeds, constants, each other or a later run") {
    network n;
    const value_id x = n.input("x");
    const value_id id = n.node_of("Identity", {x});
    const value_id c = n.g.add_constant("c", tensor::from<float>({1}, {5.f}));
    n.g.outputs = {id, x, c, n.node_of("Identity", {id})};
    const tensor feed = tensor::from<float>({1}, {1.f});
    const plan p = n.make({feed});
    std::vector<tensor> a = p.run(std::vector{feed});
    for (tensor& t : a) t.mutable_data<float>()[0] += 100.f;
    CHECK(feed.data<float>()[0] == 1.f);
    const std::vector<tensor> b = p.run(std::vector{feed});
    CHECK(b[0].data<float>()[0] == 1.f);
    CHECK(b[2].data<float>()[0] == 5.f);
    CHECK(b[3].data<float>()[0] == 1.f);
    CHECK(a[0].data<float>()[0] == 101.f);
}

TEST_CASE("step times give milliseconds and shapes") {
    network n;
    n.g.outputs = {n.node_of("Abs", {n.input("x")})};
    const tensor x = tensor::zeros(dtype::float32, {2, 5});
    const plan p = n.make({x});
    std::vector<step_time> times;
    p.run(std::vector{x}, &times);
    REQUIRE(times.size() == 1);
    CHECK(times[0].ms >= 0);
    CHECK(times[0].shape == dims{2, 5});
}

TEST_CASE("shapes that do not fit and memory beyond the limit are refused when the plan is made, naming the node") {
    network n;
    const value_id a = n.input("a"), b = n.input("b");
    n.g.outputs = {n.node_of("Neg", {n.node_of("Add", {a, b})})};
    const tensor two = tensor::zeros(dtype::float32, {2}), three = tensor::zeros(dtype::float32, {3});
    CHECK_THROWS_AS(n.make({two, three}), invalid_argument);
    const tensor large = tensor::zeros(dtype::float32, {256});
    CHECK_NOTHROW(n.make({large, large}, 2 * kib));
    CHECK_THROWS_WITH_AS(n.make({large, large}, 2 * kib - 1),
                         "node 'Add' (Add, opset 13): a run on these shapes needs more memory than the limit of 2047 bytes; value 'Add_out' is float32 (256)",
                         invalid_argument);
}
