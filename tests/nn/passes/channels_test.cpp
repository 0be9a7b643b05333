#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/passes/channels.hpp>
#include <ocelli/nn/passes/pipeline.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <string>

using namespace ocelli;
using namespace ocelli::nn;

namespace {

struct network {
    graph g;
    value_id x;
    dims shape;

    explicit network(dims extents) : shape(std::move(extents)) {
        g.opsets[""] = 13;
        x = g.add_value("x", {dtype::float32, symbolic_shape(shape), {}});
        g.inputs = {x};
    }
    value_id numbers(const dims& v) {
        tensor t(dtype::int64, {static_cast<std::int64_t>(v.size())});
        std::copy(v.begin(), v.end(), t.mutable_data<std::int64_t>());
        return g.add_constant("", t);
    }
    value_id add(const char* op, std::vector<value_id> inputs, std::vector<attribute> attributes = {}) {
        const value_id y = g.add_value("");
        g.add_node({.name = op, .op = op, .attributes = std::move(attributes), .inputs = std::move(inputs), .outputs = {y}});
        return y;
    }
    value_id rearranged(value_id from, const dims& split, const dims& order, const dims& out) {
        const value_id turned = add("Transpose", {add("Reshape", {from, numbers(split)})}, {{"perm", order}});
        return add("Reshape", {turned, numbers(out)});
    }
    value_id one_of(value_id from, std::int64_t i) { return add("Gather", {from, g.add_constant("", tensor::scalar(i))}, {{"axis", std::int64_t{0}}}); }

    // The operators that are left; the results before and after must be the same bits.
    std::string simplified(std::vector<value_id> outputs) {
        g.outputs = std::move(outputs);
        infer_facts(g);
        tensor feed(dtype::float32, shape);
        for (std::int64_t i = 0; i < feed.size(); ++i) feed.mutable_data<float>()[i] = static_cast<float>(i);
        const auto expected = evaluate(g, {{"x", feed}});
        run_passes(g, simplify_passes);
        g.verify();
        const auto got = evaluate(g, {{"x", feed}});
        for (std::size_t i = 0; i < g.outputs.size(); ++i) {
            REQUIRE(got[i].shape() == expected[i].shape());
            CHECK(std::memcmp(got[i].raw(), expected[i].raw(), got[i].bytes()) == 0);
        }
        std::string ops;
        for (const node& n : g.nodes) ops += n.op + " ";
        return ops;
    }
};

}  // namespace

TEST_CASE("a shuffle over the groups' axis becomes Gather along the channels") {
    network n({2, 6, 3, 2});
    CHECK(n.simplified({n.rearranged(n.x, {2, 3, 2, 3, 2}, {0, 2, 1, 3, 4}, {2, 6, 3, 2})}) == "Gather ");
}

TEST_CASE("a shuffle of one image, of which Gather takes the groups, becomes Gather along the channels") {
    network n({1, 6, 3, 2});
    const value_id groups = n.rearranged(n.x, {3, 2, 6}, {1, 0, 2}, {2, 1, 3, 3, 2});
    CHECK(n.simplified({n.one_of(groups, 0), n.one_of(groups, -1)}) == "Gather Gather ");
}

TEST_CASE("what is no shuffle of channels stays") {
    const auto stays = [](const dims& in, const dims& split, const dims& order, const dims& out, bool one) {
        network n(in);
        const value_id y = n.rearranged(n.x, split, order, out);
        CHECK(n.simplified({one ? n.one_of(y, 0) : y}) == (one ? "Reshape Transpose Reshape Gather " : "Reshape Transpose Reshape "));
    };
    stays({2, 6, 3, 2}, {2, 3, 2, 3, 2}, {0, 2, 1, 4, 3}, {2, 6, 3, 2}, false);   // rows and columns, too
    stays({2, 6, 4, 4}, {2, 6, 2, 2, 4}, {0, 2, 1, 3, 4}, {2, 6, 4, 4}, false);   // rows
    stays({2, 6, 3, 2}, {2, 3, 2, 3, 2}, {0, 2, 1, 3, 4}, {2, 2, 9, 2}, false);   // and another shape
    stays({2, 6, 3, 2}, {6, 2, 6}, {1, 0, 2}, {2, 2, 3, 3, 2}, true);             // two images
    stays({1, 6, 3, 2}, {3, 2, 6}, {1, 0, 2}, {2, 1, 3, 2, 3}, true);
    stays({1, 6, 3, 2}, {6, 3, 2}, {1, 0, 2}, {3, 1, 6, 1, 2}, true);
}

TEST_CASE("a few channels are mixed where they are, with and without a bias; more of them, and other turns, stay") {
    const auto mixed = [](const dims& shape, std::int64_t filters, bool bias, const dims& first, const dims& second) {
        network n(shape);
        tensor w(dtype::float32, {shape[1], filters});
        for (std::int64_t i = 0; i < w.size(); ++i) w.mutable_data<float>()[i] = static_cast<float>(i % 5 - 2);
        value_id at = n.add("MatMul", {n.add("Transpose", {n.x}, {{"perm", first}}), n.g.add_constant("", w)});
        if (bias) {
            tensor b(dtype::float32, {filters});
            for (std::int64_t i = 0; i < filters; ++i) b.mutable_data<float>()[i] = static_cast<float>(i);
            at = n.add("Add", {n.g.add_constant("", b), at});
        }
        return n.simplified({n.add("Neg", {n.add("Transpose", {at}, {{"perm", second}})})});
    };
    CHECK(mixed({2, 4, 5, 6}, 4, true, {0, 2, 3, 1}, {0, 3, 1, 2}) == "Reshape MatMul Add Reshape Neg ");
    CHECK(mixed({2, 3, 7}, 5, false, {0, 2, 1}, {0, 2, 1}) == "MatMul Neg ");
    CHECK(mixed({2, 4, 5, 5}, 4, true, {0, 3, 2, 1}, {0, 3, 1, 2}) == "Transpose MatMul Add Transpose Neg ");
    CHECK(mixed({2, 20, 5, 6}, 4, false, {0, 2, 3, 1}, {0, 3, 1, 2}) == "Transpose MatMul Transpose Neg ");
}
