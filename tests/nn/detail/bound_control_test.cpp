#include <ocelli/nn/detail/bound_control.hpp>
#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/session.hpp>

#include <support/tensors.hpp>

#include <algorithm>
#include <cmath>
#include <string>

using namespace ocelli;
using namespace ocelli::nn;
using ocelli_test::difference;
using ocelli_test::random_tensor;

namespace {

struct network {
    graph g;
    network() { g.opsets[""] = 16; }

    value_id add(const char* op, std::vector<value_id> in, std::vector<attribute> attributes = {}, std::vector<value_id> captured = {}) {
        const value_id y = g.add_value(ocelli::detail::concat("v", g.values.size()));
        g.add_node({.name = ocelli::detail::concat("n", g.nodes.size()), .op = op, .opset = 16, .attributes = std::move(attributes), .inputs = std::move(in), .outputs = {y},
                    .implicit_inputs = std::move(captured)});
        return y;
    }
    value_id input(const char* name, dtype type, const symbolic_shape& shape) {
        g.inputs.push_back(g.add_value(name, {type, shape, {}}));
        return g.inputs.back();
    }
    /// What a sub-graph sees of the graph around it.
    value_id capture(dtype type, std::size_t index) {
        const value_id v = g.add_value(ocelli::detail::concat("around", index), {type, {}, {}});
        g.captures.push_back({v, index});
        return v;
    }
    std::shared_ptr<graph> done(std::vector<value_id> outputs) {
        g.outputs = std::move(outputs);
        return std::make_shared<graph>(std::move(g));
    }
};

void check_near(const tensor& a, const tensor& b) {
    float largest = 0;
    for (const float x : b.values<float>()) largest = std::max(largest, std::abs(x));
    CHECK(difference(a, b) <= 1e-5 * static_cast<double>(largest));
}

// Turns of x = relu(conv(x, w) + s[k]), s captured, which also collect the mean of x; where `deep`, the sum is made by an If inside.
graph looped_convolution(bool deep) {
    network body;
    const value_id k = body.input("k", dtype::int64, symbolic_shape(dims{})), go = body.input("go", dtype::boolean, symbolic_shape(dims{}));
    // The model declares extents that hold in no turn.
    const value_id in = body.input("in", dtype::float32, symbolic_shape{1, 2, 3, 4});
    const value_id s = body.capture(dtype::float32, 0);
    const value_id w = body.g.add_constant("w", random_tensor({16, 16, 3, 3}, 1));
    const value_id c = body.add("Conv", {in, w}, {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
    const value_id one = body.add("Gather", {s, k});
    value_id sum = no_value;
    if (deep) {
        network yes, no;
        const value_id a = yes.capture(dtype::float32, 0), b = yes.capture(dtype::float32, 1), a_too = no.capture(dtype::float32, 0);
        const value_id added = yes.add("Add", {a, b});
        const value_id same = no.add("Identity", {a_too});
        sum = body.add("If", {go}, {{"then_branch", yes.done({added})}, {"else_branch", no.done({same})}}, {c, one});
    } else sum = body.add("Add", {c, one});
    const value_id out = body.add("Relu", {sum}), mean = body.add("ReduceMean", {out}, {{"keepdims", std::int64_t{0}}}), still = body.add("Identity", {go});
    network n;
    const value_id turns = n.input("turns", dtype::int64, symbolic_shape(dims{})), x = n.input("x", dtype::float32, symbolic_shape::of_rank(4));
    const value_id around = n.input("s", dtype::float32, symbolic_shape::of_rank(1));
    const value_id last = n.g.add_value("last"), means = n.g.add_value("means");
    n.g.add_node({.name = "loop", .op = "Loop", .opset = 16, .attributes = {{"body", body.done({still, out, mean})}}, .inputs = {turns, no_value, x},
                  .outputs = {last, means}, .implicit_inputs = {around}});
    n.g.outputs = {last, means};
    return std::move(n.g);
}

}  // namespace

TEST_CASE("the nodes of a loop run on kernels, and give what the reference gives") {
    for (const bool deep : std::initializer_list<bool>{false, true}) {
        const session s(looped_convolution(deep));
        const std::string said = s.explain();
        CHECK(said.find("reference: Loop") == std::string::npos);
        CHECK(said.find("reference: Conv") == std::string::npos);
        CHECK(said.find("' in 'loop'") != std::string::npos);  // what was done to the body
        for (const dims& shape : {dims{1, 16, 9, 13}, dims{2, 16, 20, 33}}) {
            const tensor x = random_tensor(shape, 2), around = random_tensor({5}, 3);
            for (const std::int64_t turns : std::initializer_list<std::int64_t>{0, 1, 4}) {
                const feed_list feeds{{"turns", tensor::scalar(turns)}, {"x", x}, {"s", around}};
                const named_tensors y = s.run(feeds), again = s.run(feeds), expected = evaluate(looped_convolution(deep), {{"turns", tensor::scalar(turns)}, {"x", x}, {"s", around}});
                check_near(y["last"], expected["last"]);
                check_near(y["means"], expected["means"]);
                CHECK(std::equal(y["last"].data<float>(), y["last"].data<float>() + y["last"].size(), again["last"].data<float>()));
            }
        }
        const profile_report report = s.profile({{"turns", tensor::scalar(std::int64_t{3})}, {"x", random_tensor({1, 16, 8, 8}, 4)}, {"s", random_tensor({5}, 3)}}, {}, 2);
        REQUIRE(report.nodes.size() == 1);
        CHECK(report.nodes[0].kernel == "sub-graph");
        CHECK(report.nodes[0].reference_ms < report.nodes[0].ms);
        CHECK(text(report).find("sub-graph") != std::string::npos);
    }
}

TEST_CASE("what a branch hands through or holds as a constant is the caller's own") {
    network yes, no;
    const value_id through = yes.add("Identity", {yes.capture(dtype::float32, 0)});
    const value_id constant = no.add("Identity", {no.g.add_constant("numbers", tensor::from<float>({2}, {5, 6}))});
    network n;
    const value_id which = n.input("which", dtype::boolean, symbolic_shape(dims{})), x = n.input("x", dtype::float32, symbolic_shape{2});
    const value_id twice = n.add("Add", {x, x});
    const value_id y = n.add("If", {which}, {{"then_branch", yes.done({through})}, {"else_branch", no.done({constant})}}, {twice});
    const value_id z = n.add("Neg", {twice});
    n.g.outputs = {y, z};
    const std::string name = n.g.at(y).name, other = n.g.at(z).name;
    const session s(std::move(n.g));
    for (int i = 0; i < 3; ++i)
        for (const bool first : std::initializer_list<bool>{true, false}) {
            const tensor fed = tensor::from<float>({2}, {1, static_cast<float>(i)});
            named_tensors out = s.run({{"which", tensor::scalar(first)}, {"x", fed}});
            tensor result = out[name];
            CHECK(result.data<float>()[0] == (first ? 2.0f : 5.0f));
            CHECK(result.data<float>()[1] == (first ? 2.0f * static_cast<float>(i) : 6.0f));
            CHECK(out[other].data<float>()[0] == -2.0f);
            result.mutable_data<float>()[0] = 77;  // must not be seen by a later run
        }
}

TEST_CASE("a branch that cannot be made ready runs as it stands: an error there is an error only when it is taken") {
    network yes, no;
    const value_id good = yes.add("Relu", {yes.capture(dtype::float32, 0)});
    const value_id left = no.g.add_constant("left", random_tensor({2, 3}, 1)), right = no.g.add_constant("right", random_tensor({4, 5}, 2));
    const value_id wrong = no.add("MatMul", {left, right});
    network n;
    const value_id which = n.input("which", dtype::boolean, symbolic_shape(dims{})), x = n.input("x", dtype::float32, symbolic_shape{2});
    const value_id y = n.add("If", {which}, {{"then_branch", yes.done({good})}, {"else_branch", no.done({wrong})}}, {x});
    n.g.outputs = {y};
    const std::string name = n.g.at(y).name;
    const session s(std::move(n.g));
    const tensor fed = tensor::from<float>({2}, {-1, 3});
    CHECK(s.run({{"which", tensor::scalar(true)}, {"x", fed}})[name].data<float>()[1] == 3.0f);
    CHECK_THROWS_AS(s.run({{"which", tensor::scalar(false)}, {"x", fed}}), invalid_argument);
    CHECK(s.run({{"which", tensor::scalar(true)}, {"x", fed}})[name].data<float>()[0] == 0.0f);
}
