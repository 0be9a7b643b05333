// ctest: per_isa threads
#include <support/tensors.hpp>

#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/precision.hpp>
#include <ocelli/nn/session.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <random>

using namespace ocelli;
using namespace ocelli::nn;
using ocelli_test::difference;

namespace {

/// -1, 0 and 1, whose sums bfloat16 has too (`coarse`), or any between.
tensor random_tensor(dims shape, unsigned seed, bool coarse) {
    std::mt19937 random(seed);
    tensor t(dtype::float32, std::move(shape));
    for (std::int64_t i = 0; i < t.size(); ++i) {
        const auto steps = static_cast<unsigned>(random() >> 8);
        t.mutable_data<float>()[i] = coarse ? static_cast<float>(steps % 3) - 1.0f : static_cast<float>(steps) / 8388608.0f - 1.0f;
    }
    return t;
}

bool same_bits(const tensor& a, const tensor& b) {
    return a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

struct layer {
    const char* op;
    tensor weights;
    std::vector<attribute> attributes = {};
};

/// Layers one behind the other on x of this shape.
graph chain(const dims& x_shape, const std::vector<layer>& layers) {
    graph g;
    g.opsets[""] = 13;
    value_id last = g.add_value("x", {dtype::float32, symbolic_shape(x_shape), {}});
    g.inputs = {last};
    for (std::size_t i = 0; i < layers.size(); ++i) {
        const value_id w = g.add_constant(ocelli::detail::concat("w", i), layers[i].weights);
        const value_id y = g.add_value(i + 1 == layers.size() ? "y" : ocelli::detail::concat("t", i));
        g.add_node({.name = ocelli::detail::concat("node", i), .op = layers[i].op, .attributes = layers[i].attributes, .inputs = {last, w}, .outputs = {y}});
        last = y;
    }
    g.outputs = {last};
    infer_facts(g);
    return g;
}

}  // namespace

TEST_CASE("a session computes in float where it is not asked for less") {
    CHECK(session_options{}.precision == precision::f32);
}

TEST_CASE("convolutions and products of numbers that bfloat16 has are right, of others they are near") {
    const dims same{1, 1, 1, 1};
    for (const bool coarse : {true, false}) {
        CAPTURE(coarse);
        const auto check = [&](const graph& g, const dims& shape, const char* kernel, double near) {
            CAPTURE(kernel);
            const session half(g, {.precision = precision::bf16});
            const tensor x = random_tensor(shape, 5, coarse);
            const tensor expected = evaluate(g, {{"x", x}})["y"], got = half.run({{"x", x}})["y"];
            double size = 1;
            for (std::int64_t i = 0; i < expected.size(); ++i) size = std::max(size, std::abs(static_cast<double>(expected.data<float>()[i])));
            CHECK(difference(got, expected) < (coarse ? 1e-5 : near) * size);
            if (!coarse) CHECK(difference(got, expected) > 1e-5 * size);
            CHECK(text(half.profile({{"x", x}})).find(kernel) != std::string::npos);
        };
        const auto weights = [&](dims shape, unsigned seed) { return random_tensor(std::move(shape), seed, coarse); };
        const layer first{"Conv", weights({40, 3, 3, 3}, 1), {{"pads", same}}};
        check(chain({2, 3, 19, 21}, {first}), {2, 3, 19, 21}, "blocked_direct_bf16", 0.02);
        check(chain({2, 3, 19, 21}, {first, {"Conv", weights({24, 40, 1, 1}, 2)}}), {2, 3, 19, 21}, "blocked_pointwise_bf16", 0.02);
        check(chain({1, 3, 19, 21}, {first, {"Conv", weights({24, 40, 3, 3}, 3), {{"strides", dims{2, 2}}, {"pads", same}}}}), {1, 3, 19, 21},
              "blocked_direct_bf16", 0.02);
        check(chain({1, 20, 70}, {{"MatMul", weights({70, 50}, 4)}}), {1, 20, 70}, "gemm_bf16", 0.02);
    }
}

TEST_CASE("products of two computed matrices are rounded as well") {
    graph g;
    g.opsets[""] = 13;
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape(dims{3, 30, 40}), {}}), t = g.add_value("t"), y = g.add_value("y");
    g.add_node({.name = "turn", .op = "Transpose", .attributes = {{"perm", dims{0, 2, 1}}}, .inputs = {x}, .outputs = {t}});
    g.add_node({.name = "square", .op = "MatMul", .inputs = {x, t}, .outputs = {y}});
    g.inputs = {x};
    g.outputs = {y};
    infer_facts(g);
    const session half(g, {.precision = precision::bf16});
    const tensor coarse = random_tensor({3, 30, 40}, 7, true), fine = random_tensor({3, 30, 40}, 8, false);
    CHECK(difference(half.run({{"x", coarse}})["y"], evaluate(g, {{"x", coarse}})["y"]) < 1e-4);
    const double apart = difference(half.run({{"x", fine}})["y"], evaluate(g, {{"x", fine}})["y"]);
    CHECK(apart > 1e-5);
    CHECK(apart < 0.1);
}

TEST_CASE("a product with up to three rows stays in float: its weights are read once, where they lie") {
    const graph g = chain({2, 70}, {{"MatMul", random_tensor({70, 50}, 4, false)}});
    const tensor x = random_tensor({2, 70}, 5, false);
    CHECK(same_bits(session(g, {.precision = precision::bf16}).run({{"x", x}})["y"], session(g).run({{"x", x}})["y"]));
}

TEST_CASE("in bfloat16 too every number of threads gives the same bits") {
    for (const dims& shape : {dims{1, 3, 9, 9}, dims{2, 3, 30, 30}, dims{1, 3, 58, 59}}) {
        const session half(chain(shape, {{"Conv", random_tensor({64, 3, 3, 3}, 1, false)}, {"Conv", random_tensor({96, 64, 1, 1}, 2, false)}}), {.precision = precision::bf16});
        const tensor x = random_tensor(shape, 3, false);
        const tensor one = half.run({{"x", x}}, {.threads = 1})["y"];
        for (const std::size_t threads : std::initializer_list<std::size_t>{2, 3, 0}) CHECK(same_bits(half.run({{"x", x}}, {.threads = threads})["y"], one));
    }
}
