#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/passes/attention.hpp>
#include <ocelli/nn/passes/pipeline.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

using namespace ocelli;
using namespace ocelli::nn;

namespace {

tensor filled(dims shape, float step) {
    tensor t(dtype::float32, std::move(shape));
    for (std::int64_t i = 0; i < t.size(); ++i) t.mutable_data<float>()[i] = std::sin(step * static_cast<float>(i));
    return t;
}

struct building {
    graph g;
    value_id input(const char* name, std::vector<dim> shape) {
        const value_id v = g.add_value(name, {dtype::float32, symbolic_shape(std::move(shape)), {}});
        g.inputs.push_back(v);
        return v;
    }
    value_id then(const char* op, std::vector<value_id> inputs, std::vector<attribute> attributes = {}) {
        const value_id out = g.add_value(op);
        g.add_node({.name = op, .op = op, .attributes = std::move(attributes), .inputs = std::move(inputs), .outputs = {out}});
        return out;
    }
    value_id number(float x) { return g.add_constant("number", tensor::scalar(x)); }
    value_id shape(dims s) { return g.add_constant("shape", tensor::from<std::int64_t>({static_cast<std::int64_t>(s.size())}, s)); }
};

// The nodes that are left, or 0 where no attention was found. What was there before is computed still.
std::size_t left(graph g, const named_tensors& feeds) {
    g.opsets[""] = 13;
    infer_facts(g);
    const named_tensors before = evaluate(g, feeds);
    run_passes(g, together_passes);
    const named_tensors after = evaluate(g, feeds);
    for (std::size_t o = 0; o < before.size(); ++o) {
        REQUIRE(after[o].shape() == before[o].shape());
        for (std::int64_t i = 0; i < before[o].size(); ++i) REQUIRE(std::abs(after[o].data<float>()[i] - before[o].data<float>()[i]) < 2e-6f);
    }
    return std::any_of(g.nodes.begin(), g.nodes.end(), [](const node& n) { return n.op == "Attention"; }) ? g.nodes.size() : 0;
}

struct pattern {
    const char* scaling = nullptr;  // Mul, Div or none
    bool number_first = false;
    std::int64_t axis = -1;
    dim batch = 2;
    bool scores_are_output = false;
    dims turned = {};  // the result
};

std::size_t plain(const pattern& p) {
    building b;
    const value_id q = b.input("q", {p.batch, 3, 5, 4}), k = b.input("k", {p.batch, 3, 4, 6}), v = b.input("v", {p.batch, 3, 6, 7});
    value_id at = b.then("MatMul", {q, k});
    if (p.scores_are_output) b.g.outputs.push_back(at);
    if (p.scaling != nullptr) {
        const value_id half = b.number(0.5f);
        at = b.then(p.scaling, p.number_first ? std::vector<value_id>{half, at} : std::vector<value_id>{at, half});
    }
    at = b.then("MatMul", {b.then("Softmax", {at}, {{"axis", p.axis}}), v});
    if (!p.turned.empty()) at = b.then("Transpose", {at}, {{"perm", p.turned}});
    b.g.outputs.push_back(at);
    return left(b.g, {{"q", filled({2, 3, 5, 4}, 0.7f)}, {"k", filled({2, 3, 4, 6}, 0.9f)}, {"v", filled({2, 3, 6, 7}, 1.1f)}});
}

// (length, batch, 3 x heads x depth) as PyTorch's MultiheadAttention writes it: queries, keys and values are picked after a turn.
std::size_t projected(std::int64_t batch) {
    building b;
    const value_id x = b.input("x", {5, batch, 36});
    value_id at = b.then("Unsqueeze", {b.then("Reshape", {x, b.shape({5, batch, 3, 12})}), b.shape({0})});
    at = b.then("Squeeze", {b.then("Transpose", {at}, {{"perm", dims{3, 1, 2, 0, 4}}}), b.shape({3})});
    const auto part = [&](std::int64_t i) {
        const value_id index = b.g.add_constant("index", tensor::scalar<std::int64_t>(i));
        const value_id rows = b.then("Reshape", {b.then("Gather", {at, index}, {{"axis", std::int64_t{0}}}), b.shape({5, batch * 3, 4})});
        return b.then("Reshape", {b.then("Transpose", {rows}, {{"perm", dims{1, 0, 2}}}), b.shape({batch, 3, 5, 4})});
    };
    const value_id q = b.then("Mul", {part(0), b.number(0.75f)}), k = b.then("Mul", {b.then("Transpose", {part(-2)}, {{"perm", dims{0, 1, 3, 2}}}), b.number(0.5f)});
    const value_id y = b.then("MatMul", {b.then("Softmax", {b.then("MatMul", {q, k})}, {{"axis", std::int64_t{-1}}}), part(2)});
    b.g.outputs.push_back(b.then("Transpose", {y}, {{"perm", dims{2, 0, 1, 3}}}));
    return left(b.g, {{"x", filled({5, batch, 36}, 0.7f)}});
}

}  // namespace

TEST_CASE("attention is found with and without scaling, and takes the order of its result along") {
    CHECK(plain({}) == 1);
    CHECK(plain({.scaling = "Mul"}) == 1);
    CHECK(plain({.scaling = "Mul", .number_first = true}) == 1);
    CHECK(plain({.scaling = "Div"}) == 1);
    CHECK(plain({.axis = 3}) == 1);
    CHECK(plain({.turned = {0, 2, 1, 3}}) == 1);
    CHECK(plain({.turned = {2, 1, 0, 3}}) == 1);
    CHECK(plain({.turned = {0, 1, 3, 2}}) == 2);  // rows would be cut up
}

TEST_CASE("values times turned weights are attention whose result is turned; queries that lie turned are turned before") {
    const auto area = [](const dims& turn, bool scaled, bool values_first) {
        building b;
        const value_id qkv = b.input("qkv", {2, 3, 15, 6});  // (batch, heads, 4 + 4 + 7 numbers, places)
        const auto part = [&](std::int64_t begin, std::int64_t end) { return b.then("Slice", {qkv, b.shape({begin}), b.shape({end}), b.shape({2})}); };
        value_id at = b.then("MatMul", {b.then("Transpose", {part(0, 4)}, {{"perm", dims{0, 1, 3, 2}}}), part(4, 8)});
        if (scaled) at = b.then("Mul", {at, b.number(0.5f)});
        const value_id weights = b.then("Transpose", {b.then("Softmax", {at}, {{"axis", std::int64_t{-1}}})}, {{"perm", turn}});
        const value_id v = part(8, 15), y = values_first ? b.then("MatMul", {v, weights}) : b.then("MatMul", {weights, b.then("Transpose", {v}, {{"perm", dims{0, 1, 3, 2}}})});
        b.g.outputs.push_back(b.then("Reshape", {y, b.shape({2, 21, 6})}));
        return left(b.g, {{"qkv", filled({2, 3, 15, 6}, 0.7f)}});
    };
    // Three slices, the queries' turn, attention, the result's turn, its shape.
    CHECK(area({0, 1, 3, 2}, true, true) == 7);
    CHECK(area({0, 1, 3, 2}, false, true) == 7);
    CHECK(area({0, 1, 3, 2}, true, false) == 0);  // weights of other places
}

TEST_CASE("a factor of each head's scores becomes one of its queries") {
    const auto scaled = [](const dims& shape, bool first) {
        building b;
        const value_id q = b.input("q", {2, 3, 5, 4}), k = b.input("k", {2, 3, 4, 6}), v = b.input("v", {2, 3, 6, 7}), table = b.input("table", {3, 5, 6});
        const value_id factor = b.g.add_constant("factor", filled(shape, 1.3f)), product = b.then("MatMul", {q, k});
        const value_id at = b.then("Add", {b.then("Mul", first ? std::vector<value_id>{factor, product} : std::vector<value_id>{product, factor}), table});
        b.g.outputs.push_back(b.then("MatMul", {b.then("Softmax", {at}, {{"axis", std::int64_t{-1}}}), v}));
        return left(b.g, {{"q", filled({2, 3, 5, 4}, 0.7f)}, {"k", filled({2, 3, 4, 6}, 0.9f)}, {"v", filled({2, 3, 6, 7}, 1.1f)}, {"table", filled({3, 5, 6}, 0.3f)}});
    };
    for (const bool first : {false, true}) {
        CHECK(scaled({3, 1, 1}, first) == 2);
        CHECK(scaled({2, 3, 1, 1}, first) == 2);
        CHECK(scaled({1, 1, 6}, first) == 0);
        CHECK(scaled({5, 1}, first) == 0);
    }
}

TEST_CASE("what is not attention, or not certain to be, stays") {
    CHECK(plain({.axis = 2}) == 0);
    CHECK(plain({.scaling = "Div", .number_first = true}) == 0);  // a half, divided by the scores
    CHECK(plain({.batch = dim("n")}) == 0);
    CHECK(plain({.scores_are_output = true}) == 0);
}

TEST_CASE("heads are read where a projection left them, if they are evenly apart") {
    CHECK(projected(1) == 1);
    CHECK(projected(2) == 11);  // heads of several images, joined in one axis, are not
}

namespace {

struct addition {
    std::vector<dims> shapes;         // of what is added to scores (4, 3, 5, 6), one behind the other
    dims between = {};                // scores are reshaped before the last one, and back behind it
    bool turned = false;              // what is added stands first
    const char* scaling_behind = nullptr;
};

std::size_t with_added(const addition& a) {
    building b;
    const value_id q = b.input("q", {4, 3, 5, 7}), k = b.input("k", {4, 3, 7, 6}), v = b.input("v", {4, 3, 6, 8});
    value_id at = b.then("MatMul", {b.then("Mul", {q, b.number(0.3f)}), k});
    named_tensors feeds{{"q", filled({4, 3, 5, 7}, 0.7f)}, {"k", filled({4, 3, 7, 6}, 0.9f)}, {"v", filled({4, 3, 6, 8}, 1.1f)}};
    for (std::size_t i = 0; i < a.shapes.size(); ++i) {
        const bool apart = !a.between.empty() && i + 1 == a.shapes.size();
        if (apart) at = b.then("Reshape", {at, b.shape(a.between)});
        const std::string name = ocelli::detail::concat("added", i);
        std::vector<dim> extents(a.shapes[i].begin(), a.shapes[i].end());
        const value_id more = b.input(name.c_str(), extents);
        feeds.add(name, filled(a.shapes[i], 0.3f + static_cast<float>(i)));
        at = b.then("Add", a.turned ? std::vector<value_id>{more, at} : std::vector<value_id>{at, more});
        if (apart) at = b.then("Reshape", {at, b.shape({4, 3, 5, 6})});
    }
    if (a.scaling_behind != nullptr) at = b.then(a.scaling_behind, {at, b.number(0.5f)});
    b.g.outputs.push_back(b.then("MatMul", {b.then("Softmax", {at}, {{"axis", std::int64_t{-1}}}), v}));
    return left(b.g, feeds);
}

}  // namespace

TEST_CASE("attention takes tables and masks along, two at most, of any extents that stretch to those of the scores") {
    for (const bool turned : std::initializer_list<bool>{false, true}) {
        CHECK(with_added({.shapes = {{4, 3, 5, 6}}, .turned = turned}) == 1);
        CHECK(with_added({.shapes = {{1, 3, 5, 6}}, .turned = turned}) == 1);
        CHECK(with_added({.shapes = {{5, 6}}, .turned = turned}) == 1);
        CHECK(with_added({.shapes = {{6}, {4, 1, 1, 6}}, .turned = turned}) == 1);
        CHECK(with_added({.shapes = {{1, 3, 5, 6}, {1, 4, 1, 5, 6}}, .between = {1, 4, 3, 5, 6}, .turned = turned}) == 1);  // windows of an image
        CHECK(with_added({.shapes = {{1, 3, 5, 6}, {1, 2, 1, 5, 6}}, .between = {2, 2, 3, 5, 6}, .turned = turned}) == 1);  // of two images
    }
    CHECK(with_added({.shapes = {{6}, {6}, {6}}}) == 0);
    CHECK(with_added({.shapes = {{5, 1}}}) == 0);               // one number for each row
    CHECK(with_added({.shapes = {{6}}, .scaling_behind = "Mul"}) == 0);
    CHECK(with_added({.shapes = {{2, 1, 3, 1, 6}}, .between = {2, 2, 3, 5, 6}}) == 1);
    CHECK(with_added({.shapes = {{2, 1, 5, 6}}, .between = {2, 6, 5, 6}}) == 1);
    CHECK(with_added({.shapes = {{4, 3, 6, 5}}, .between = {4, 3, 6, 5}}) == 1);           // rows of another length
    CHECK(with_added({.shapes = {{1, 3, 1, 5}}, .between = {4, 3, 6, 5}}) == 0);           // the same in each of them
    CHECK(with_added({.shapes = {{1, 3, 5, 6}, {2, 1, 5, 6}}, .between = {2, 6, 5, 6}}) == 0);  // one of each head, one of each two images' heads
}

TEST_CASE("attention takes along that a query all of whose keys are masked becomes 0, and a table of zeros adds nothing") {
    const auto checked = [](float otherwise, bool used_again, bool other_weights) {
        building b;
        const value_id q = b.input("q", {2, 5, 4}), k = b.input("k", {2, 4, 6}), v = b.input("v", {2, 6, 7}), mask = b.input("mask", {5, 6});
        const value_id zeros = b.g.add_constant("zeros", tensor::zeros(dtype::float32, {1, 5, 6}));
        value_id at = b.then("Add", {b.then("MatMul", {q, k}), zeros});
        at = b.then("Softmax", {b.then("Add", {at, mask})}, {{"axis", std::int64_t{-1}}});
        const value_id wrong = b.then("IsNaN", {other_weights ? mask : at});
        const value_id weights = b.then("Where", {wrong, b.number(otherwise), at});
        b.g.outputs.push_back(b.then("MatMul", {weights, v}));
        if (used_again) b.g.outputs.push_back(at);
        tensor masked = tensor::zeros(dtype::float32, {5, 6});
        if (!used_again && otherwise == 0.0f) std::fill_n(masked.mutable_data<float>() + 12, 6, -std::numeric_limits<float>::infinity());
        if (other_weights) std::fill_n(masked.mutable_data<float>(), 30, 0.0f);
        return left(b.g, {{"q", filled({2, 5, 4}, 0.7f)}, {"k", filled({2, 4, 6}, 0.9f)}, {"v", filled({2, 6, 7}, 1.1f)}, {"mask", masked}});
    };
    CHECK(checked(0.0f, false, false) == 1);
    CHECK(checked(1.0f, false, false) == 0);
    CHECK(checked(0.0f, true, false) == 0);
    CHECK(checked(0.0f, false, true) == 0);
}

TEST_CASE("two roots of an eighth are an eighth, other numbers stay") {
    const auto scale = [](float both) {
        building b;
        const value_id q = b.input("q", {5, 4}), k = b.input("k", {4, 6}), v = b.input("v", {6, 7}), number = b.number(both);
        b.g.outputs.push_back(b.then("MatMul", {b.then("Softmax", {b.then("MatMul", {b.then("Mul", {q, number}), b.then("Mul", {number, k})})}, {{"axis", std::int64_t{-1}}}), v}));
        b.g.opsets[""] = 13;
        infer_facts(b.g);
        run_passes(b.g, together_passes);
        REQUIRE(b.g.nodes.size() == 1);
        return attr_float(b.g.nodes[0], "scale", 0);
    };
    CHECK(scale(std::sqrt(0.125f)) == 0.125f);
    CHECK(scale(std::sqrt(8.0f)) == 8.0f);
    CHECK(scale(0.3f) == static_cast<float>(static_cast<double>(0.3f) * static_cast<double>(0.3f)));
}

TEST_CASE("a view ends where a reshape joins what does not lie together") {
    building b;
    const value_id q = b.input("q", {3, 4, 5}), k = b.input("k", {4, 6}), v = b.input("v", {6, 7});
    // Turned queries are reshaped before; turned keys that are scaled are not.
    const value_id turned = b.then("Reshape", {b.then("Transpose", {q}, {{"perm", dims{2, 0, 1}}}), b.shape({15, 4})});
    const value_id rows = b.then("Mul", {b.then("Reshape", {b.then("Transpose", {k}, {{"perm", dims{1, 0}}}), b.shape({6, 4})}), b.number(2.0f)});
    const value_id keys = b.then("Transpose", {rows}, {{"perm", dims{1, 0}}});
    b.g.outputs.push_back(b.then("MatMul", {b.then("Softmax", {b.then("MatMul", {turned, keys})}, {{"axis", std::int64_t{1}}}), v}));
    CHECK(left(b.g, {{"q", filled({3, 4, 5}, 0.7f)}, {"k", filled({4, 6}, 0.9f)}, {"v", filled({6, 7}, 1.1f)}}) == 3);
}
