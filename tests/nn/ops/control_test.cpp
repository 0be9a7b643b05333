#include <support/golden_models.hpp>

#include <ocelli/nn/session.hpp>

#include <memory>

using namespace operators;
using ocelli::format_error;
using ocelli::invalid_argument;

namespace {

// A sub-graph that passes its inputs through, then gives a number where there is one.
attribute body(std::string name, std::vector<nn::dtype> inputs, std::vector<float> constants = {}) {
    auto g = std::make_shared<nn::graph>();
    g->opsets[""] = 16;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const nn::value_id in = g->add_value(ocelli::detail::concat("in", i), {inputs[i], {}, {}});
        g->inputs.push_back(in);
        nn::node n;
        n.op = "Identity";
        n.opset = 16;
        n.inputs = {in};
        n.outputs = {g->add_value(ocelli::detail::concat("out", i))};
        g->outputs.push_back(n.outputs[0]);
        g->add_node(std::move(n));
    }
    for (const float v : constants) g->outputs.push_back(g->add_constant("", floats({}, {v})));
    return {std::move(name), g};
}

// Turn i lengthens the carried list by 0, 1, ..., i - 1 (`falling`: i, ..., 2), or by the given rows; `measured`: and tells the list's length before.
attribute lengthening_body(bool measured, const tensor& rows = {}, bool falling = false) {
    auto g = std::make_shared<nn::graph>();
    g->opsets[""] = 16;
    const auto add = [&](std::string op, std::vector<nn::value_id> inputs, std::vector<attribute> attributes = {}) {
        nn::node n;
        n.op = std::move(op);
        n.opset = 16;
        n.inputs = std::move(inputs);
        n.attributes = std::move(attributes);
        n.outputs = {g->add_value("")};
        g->add_node(n);
        return n.outputs[0];
    };
    const nn::value_id turn = g->add_value("turn", {nn::dtype::int64, {}, {}}), go_on = g->add_value("go_on", {nn::dtype::boolean, {}, {}}),
                       list = g->add_value("list", {rows.defined() ? rows.type() : nn::dtype::int64, {}, {}});
    g->inputs = {turn, go_on, list};
    const auto number_of = [&](std::int64_t n) { return g->add_constant("", of<std::int64_t>({}, {n})); };
    const nn::value_id more = rows.defined() ? g->add_constant("", rows)
                              : falling      ? add("Range", {turn, number_of(3), number_of(1)})
                                             : add("Range", {number_of(0), turn, number_of(1)});
    g->outputs = {add("Identity", {go_on}), add("Concat", {list, more}, {number("axis", 0)})};
    if (measured) g->outputs.push_back(add("Size", {list}));
    return {"body", g};
}

}  // namespace

TEST_CASE("Loop ends by condition or count and Scan runs backwards, as ONNX says") {
    CHECK(ocelli_test::check_golden_models("control", 1e-6) == 4);
}

TEST_CASE("If takes the branch of its condition") {
    const std::vector<attribute> branches = {body("then_branch", {}, {1, 2}), body("else_branch", {}, {3, 4})};
    const auto yes = run_all("If", 16, {of<bool>({}, {true})}, branches, 2), no = run_all("If", 16, {of<bool>({1}, {false})}, branches, 2);
    CHECK(yes[0].item() == 1);
    CHECK(yes[1].item() == 2);
    CHECK(no[0].item() == 3);
    CHECK(no[1].item() == 4);
    CHECK_REFUSED(invalid_argument, run("If", 16, {of<bool>({2}, {true, false})}, branches), "a condition must be one bool");
    CHECK_REFUSED(invalid_argument, run("If", 16, {floats({}, {1})}, branches), "a condition must be one bool");
    CHECK_REFUSED(format_error, run_all("If", 16, {of<bool>({}, {true})}, {body("then_branch", {}, {1}), body("else_branch", {}, {3})}, 2), "a branch must have");
    CHECK_REFUSED(invalid_argument, run("If", 16, {of<bool>({}, {true})}, {body("then_branch", {}, {1})}), "else_branch");
}

TEST_CASE("If with a constant condition is not folded, and runs") {
    nn::graph g;
    g.opsets[""] = 16;
    nn::node n;
    n.op = "If";
    n.opset = 16;
    n.attributes = {body("then_branch", {}, {1}), body("else_branch", {}, {3})};
    n.inputs = {g.add_constant("condition", of<bool>({}, {false}))};
    n.outputs = {g.add_value("y")};
    g.outputs = n.outputs;
    g.add_node(std::move(n));
    nn::infer_facts(g);
    CHECK(nn::evaluate(g, {})[0].item() == 3);
    CHECK(nn::session(g).run({})[0].item() == 3);
}

TEST_CASE("Loop lengthens a list, whether or not the body looks at it") {
    const tensor four = of<std::int64_t>({}, {4}), yes = of<bool>({}, {true}), seven = of<std::int64_t>({1}, {7});
    const std::vector<std::int64_t> expected = {7, 0, 0, 1, 0, 1, 2};
    CHECK(elements<std::int64_t>(run("Loop", 16, {four, yes, seven}, {lengthening_body(false)})) == expected);
    const auto both = run_all("Loop", 16, {four, yes, seven}, {lengthening_body(true)}, 2);
    CHECK(elements<std::int64_t>(both[0]) == expected);
    CHECK(elements<std::int64_t>(both[1]) == std::vector<std::int64_t>{1, 1, 2, 4});
    CHECK(elements<std::int64_t>(run("Loop", 16, {four, yes, seven}, {lengthening_body(false, {}, true)})) == std::vector<std::int64_t>{7, 0, 1, 2, 1, 2, 2});
    CHECK(elements<float>(run("Loop", 16, {four, yes, floats({1, 2}, {7, 8})}, {lengthening_body(false, floats({1, 2}, {1, 2}))})) ==
          std::vector<float>{7, 8, 1, 2, 1, 2, 1, 2, 1, 2});
    // Rows without elements are rows, and what has none adds none.
    CHECK(run("Loop", 16, {four, yes, floats({1, 0}, {})}, {lengthening_body(false, floats({2, 0}, {}))}).shape() == nn::dims{9, 0});
    CHECK(run("Loop", 16, {four, yes, floats({1, 3}, {1, 2, 3})}, {lengthening_body(false, floats({0, 3}, {}))}).shape() == nn::dims{1, 3});
    const tensor none = of<std::int64_t>({}, {0});
    CHECK(elements<std::int64_t>(run("Loop", 16, {none, yes, seven}, {lengthening_body(false)})) == std::vector<std::int64_t>{7});
    for (const bool measured : {false, true}) {
        CHECK_REFUSED(invalid_argument, run("Loop", 16, {four, yes, of<std::int64_t>({1, 1}, {7})}, {lengthening_body(measured)}), "inputs do not fit along axis 0");
        CHECK_REFUSED(invalid_argument, run("Loop", 16, {four, yes, of<std::int64_t>({}, {7})}, {lengthening_body(measured)}), "axis 0");
        CHECK_REFUSED(invalid_argument, run("Loop", 16, {four, yes, floats({1}, {7})}, {lengthening_body(measured)}), "int64");
    }
}

TEST_CASE("Loop and Scan refuse bodies that do not fit") {
    using enum nn::dtype;
    const tensor three = of<std::int64_t>({}, {3}), yes = of<bool>({}, {true}), x = floats({2}, {1, 2});
    CHECK_REFUSED(format_error, run("Loop", 16, {three, yes, x}, {body("body", {boolean})}), "the body must have 3 inputs and at least 2 outputs, has 1 and 1");
    CHECK_REFUSED(invalid_argument, run("Loop", 16, {of<std::int64_t>({0}, {}), yes, x}, {body("body", {nn::dtype::int64, boolean, nn::dtype::float32})}),
                  "the trip count must be one number, got int64 (0)");
    CHECK_REFUSED(format_error, run("Scan", 16, {x, x}, {body("body", {float32}), number("num_scan_inputs", 1)}), "the body must have 2 inputs");
    CHECK_REFUSED(invalid_argument, run("Scan", 16, {x}, {body("body", {float32}), number("num_scan_inputs", 2)}), "num_scan_inputs must lie in [1, 1]");
    CHECK_REFUSED(invalid_argument, run("Scan", 16, {x}, {body("body", {float32}), number("num_scan_inputs", 1), numbers("scan_input_axes", {0, 0})}), "wrong length");
    CHECK_REFUSED(invalid_argument, run_all("Scan", 16, {x, floats({3}, {1, 2, 3})}, {body("body", {float32, float32}), number("num_scan_inputs", 2)}, 2), "one length, got 2 and 3");
    CHECK(elements<float>(run("Scan", 16, {x}, {body("body", {float32}), number("num_scan_inputs", 1), numbers("scan_output_directions", {1})})) ==
          std::vector<float>{2, 1});
}
