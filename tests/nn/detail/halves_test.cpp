#include <support/operators.hpp>

#include <ocelli/nn/detail/halves.hpp>
#include <ocelli/nn/session.hpp>

#include <memory>
#include <string>

using namespace operators;
using nn::dtype;
using nn::float16;
using nn::graph;
using nn::node;

namespace {

node make(const char* op, std::vector<nn::value_id> in, std::vector<nn::value_id> out) {
    node n;
    n.op = op;
    n.opset = 16;
    n.inputs = std::move(in);
    n.outputs = std::move(out);
    return n;
}

tensor halves(std::initializer_list<float> v) {
    return floats({static_cast<std::int64_t>(v.size())}, v).cast(dtype::float16);
}

}  // namespace

TEST_CASE("a float16 graph with a loop is computed in float, and its inputs and outputs stay float16") {
    // x, then four times x = x * 1.001; each product rounded to 16 bits would lose the third digit.
    auto body = std::make_shared<graph>();
    body->opsets[""] = 16;
    body->inputs = {body->add_value("i", {dtype::int64, {}, {}}), body->add_value("c", {dtype::boolean, {}, {}}), body->add_value("v", {dtype::float16, {}, {}})};
    const auto factor = body->add_constant("factor", halves({1.0009765625f}));
    const auto c_out = body->add_value("c_out"), v_out = body->add_value("v_out", {dtype::float16, {}, {}});
    body->add_node(make("Identity", {body->inputs[1]}, {c_out}));
    body->add_node(make("Mul", {body->inputs[2], factor}, {v_out}));
    body->outputs = {c_out, v_out};

    graph g;
    g.opsets[""] = 16;
    const auto x = g.add_value("x", {dtype::float16, nn::symbolic_shape::of_rank(1), {}}), count = g.add_constant("count", tensor::scalar(std::int64_t{4}));
    const auto y = g.add_value("y", {dtype::float16, nn::symbolic_shape::of_rank(1), {}}), sum = g.add_value("sum", {dtype::float16, nn::symbolic_shape::of_rank(1), {}});
    g.inputs = {x};
    node loop = make("Loop", {count, nn::no_value, x}, {y});
    loop.attributes = {{"body", body}};
    g.add_node(std::move(loop));
    g.add_node(make("Add", {y, x}, {sum}));  // an output that another node reads
    g.outputs = {y, sum, x};

    const nn::session net(g);
    const auto out = net.run(nn::feed_list{{"x", halves({1.0f, 1000.0f})}});
    REQUIRE(out["y"].type() == dtype::float16);
    REQUIRE(out["sum"].type() == dtype::float16);
    const float exact = 1000.0f * 1.0009765625f * 1.0009765625f * 1.0009765625f * 1.0009765625f;
    CHECK(static_cast<float>(out["y"].data<float16>()[1]) == static_cast<float>(float16(exact)));
    CHECK(static_cast<float>(out["sum"].data<float16>()[1]) == static_cast<float>(float16(exact + 1000.0f)));
    CHECK(static_cast<float>(out["x"].data<float16>()[1]) == 1000.0f);
    // The graph it came from keeps its types.
    CHECK(net.loaded().at(x).what.type == dtype::float16);
    CHECK(body->at(factor).what.constant.type() == dtype::float16);
}

TEST_CASE("Cast and constants of 16 bits inside follow; graphs of other types, or of unknown ones, stay as they are") {
    graph g;
    g.opsets[""] = 16;
    g.inputs = {g.add_value("x", {dtype::float32, nn::symbolic_shape::of_rank(1), {}})};
    const auto half = g.add_value("half", {dtype::float16, nn::symbolic_shape::of_rank(1), {}}), y = g.add_value("y", {dtype::float16, nn::symbolic_shape::of_rank(1), {}});
    node cast = make("Cast", {g.inputs[0]}, {half});
    cast.attributes = {number("to", 10)};
    g.add_node(std::move(cast));
    g.add_node(make("Mul", {half, g.add_constant("two", halves({2.0f}))}, {y}));
    g.outputs = {y};
    graph copy = g;
    CHECK(nn::detail::compute_in_float(copy));
    copy.sort();
    nn::infer_facts(copy);
    CHECK(copy.at(copy.outputs[0]).what.type == dtype::float16);
    CHECK(static_cast<float>(*nn::evaluate(copy, {{"x", floats({1}, {1.5f})}})["y"].data<float16>()) == 3.0f);
    CHECK(copy.nodes.back().op == "Cast");

    g.at(y).what.type = dtype::undefined;
    CHECK(!nn::detail::compute_in_float(g));
    graph plain;
    plain.inputs = {plain.add_value("x", {dtype::float32, {}, {}})};
    plain.outputs = plain.inputs;
    CHECK(!nn::detail::compute_in_float(plain));
}
