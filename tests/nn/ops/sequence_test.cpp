#include <support/golden_models.hpp>

#include <ocelli/nn/ops/sequence.hpp>
#include <ocelli/nn/session.hpp>

#include <string>
#include <vector>

using namespace operators;
using ocelli::invalid_argument;
using ocelli::unsupported_operator;

namespace {

// One node outside of a graph: sequences are values that no shape describes.
std::vector<tensor> apply(const std::string& op, const std::vector<tensor>& inputs, std::vector<attribute> attributes = {}) {
    nn::graph g;
    g.opsets[""] = 18;
    nn::node n;
    n.op = op;
    n.attributes = std::move(attributes);
    nn::named_tensors feeds;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (!inputs[i].defined()) {
            n.inputs.push_back(nn::no_value);
            continue;
        }
        const std::string name = ocelli::detail::concat("x", i);
        n.inputs.push_back(g.add_value(name));
        g.inputs.push_back(n.inputs.back());
        feeds.add(name, inputs[i]);
    }
    n.outputs = {g.add_value("y")};
    g.outputs = n.outputs;
    g.add_node(std::move(n));
    nn::infer_facts(g);
    return {nn::evaluate(g, feeds)["y"]};
}

const tensor one = floats({2}, {1, 2}), two = floats({1}, {3});

}  // namespace

TEST_CASE("sequences, through Loop, If and SequenceMap, give what ONNX's reference evaluator gives") {
    CHECK(ocelli_test::check_golden_models("sequence", 1e-6) == 11);
}

TEST_CASE("a session runs graphs with sequences inside as evaluate does") {
    const nn::state_dict all = nn::read_weights(ocelli_test::golden("nn_ops/sequence.safetensors"));
    for (const char* const name : {"construct", "insert_erase", "loop", "if_true", "map", "optional"}) {
        CAPTURE(name);
        const std::string key = name;
        const nn::session net(nn::read_onnx(std::as_bytes(all[key + "/model"].values<std::uint8_t>()), "", key));
        nn::named_tensors feeds;
        for (std::size_t i = 0; i < net.inputs().size(); ++i) feeds.add(net.inputs()[i].name, all[ocelli::detail::concat(key, "/x", i)]);
        for (int again = 0; again < 3; ++again) {
            const auto got = net.run(feeds);
            for (std::size_t i = 0; i < got.size(); ++i) CHECK(ocelli_test::agree(got[i], all[ocelli::detail::concat(key, "/y", i)], 1e-6));
        }
    }
}

TEST_CASE("a sequence is fed to a session and comes back from it") {
    nn::graph g;
    g.opsets[""] = 18;
    g.inputs = {g.add_value("list", {nn::dtype::sequence, {}, {}}), g.add_value("next", {nn::dtype::float32, nn::symbolic_shape::of_rank(1), {}})};
    nn::node n;
    n.op = "SequenceInsert";
    n.inputs = g.inputs;
    n.outputs = {g.add_value("longer")};
    g.outputs = n.outputs;
    g.add_node(std::move(n));
    nn::infer_facts(g);
    const nn::session net(g);
    CHECK(net.inputs()[0].type == nn::dtype::sequence);
    CHECK(net.outputs()[0].type == nn::dtype::sequence);
    const tensor longer = net.run(nn::feed_list{{"list", tensor::sequence({one})}, {"next", two}})["longer"];
    REQUIRE(longer.items().size() == 2);
    CHECK(elements<float>(longer.items()[0]) == std::vector<float>{1, 2});
    CHECK(elements<float>(longer.items()[1]) == std::vector<float>{3});
    CHECK(nn::text(longer) == "sequence (2)");

    // Handed through, it is a copy of the caller's.
    nn::graph same;
    same.opsets[""] = 18;
    same.inputs = {same.add_value("list", {nn::dtype::sequence, {}, {}})};
    nn::node identity;
    identity.op = "Identity";
    identity.inputs = same.inputs;
    identity.outputs = {same.add_value("copy")};
    same.outputs = identity.outputs;
    same.add_node(std::move(identity));
    nn::infer_facts(same);
    for (const bool simplify : {true, false}) {
        const tensor fed = tensor::sequence({one});
        const tensor copy = nn::session(same, {.simplify = simplify, .lower = false}).run(nn::feed_list{{"list", fed}})["copy"];
        REQUIRE(copy.items().size() == 1);
        CHECK(elements<float>(copy.items()[0]) == std::vector<float>{1, 2});
        CHECK(copy.items()[0].raw() != one.raw());
    }
}

TEST_CASE("the items of a sequence are copies: what is written to a source later does not reach them") {
    tensor x = floats({2}, {1, 2});
    const tensor s = apply("SequenceConstruct", {x})[0];
    x.mutable_data<float>()[0] = 9;
    CHECK(elements<float>(s.items()[0]) == std::vector<float>{1, 2});
    const tensor copy = s.clone();
    CHECK(copy.items()[0].raw() != s.items()[0].raw());
}

TEST_CASE("optional values tell whether they hold something") {
    CHECK(elements<bool>(apply("OptionalHasElement", {one})[0]) == std::vector<bool>{true});
    CHECK(elements<bool>(apply("OptionalHasElement", {tensor::sequence({})})[0]) == std::vector<bool>{true});
    CHECK(elements<bool>(apply("OptionalHasElement", {tensor::none()})[0]) == std::vector<bool>{false});
    CHECK(elements<bool>(apply("OptionalHasElement", {})[0]) == std::vector<bool>{false});
    CHECK(apply("Optional", {})[0].type() == nn::dtype::none);
    CHECK(apply("OptionalGetElement", {tensor::sequence({one, one})})[0].items().size() == 2);
    CHECK_REFUSED(invalid_argument, apply("OptionalGetElement", {tensor::none()}), "the optional value is empty");
}

TEST_CASE("positions, types and shapes that do not fit are refused") {
    const tensor s = tensor::sequence({one, two});
    CHECK_REFUSED(invalid_argument, apply("SequenceAt", {s, list({2})}), "position 2 is outside a sequence of 2");
    CHECK_REFUSED(invalid_argument, apply("SequenceAt", {s, list({-3})}), "position -3 is outside a sequence of 2");
    CHECK_REFUSED(invalid_argument, apply("SequenceAt", {one, list({0})}), "input 0 must be a sequence, got float32 (2)");
    CHECK_REFUSED(invalid_argument, apply("SequenceAt", {s, one}), "must be one int32 or int64");
    CHECK_REFUSED(invalid_argument, apply("SequenceErase", {tensor::sequence({})}), "nothing can be erased");
    CHECK_REFUSED(invalid_argument, apply("SequenceInsert", {s, list({1})}), "must have one type, got int64 beside float32");
    CHECK_REFUSED(invalid_argument, apply("SequenceConstruct", {one, list({1})}), "must have one type");
    CHECK_REFUSED(unsupported_operator, apply("SequenceEmpty", {}, {number("dtype", 8)}), "attribute dtype = 8");
    CHECK_REFUSED(invalid_argument, apply("ConcatFromSequence", {s}, {number("axis", 0), number("new_axis", 1)}), "items do not fit along axis 0");
    CHECK_REFUSED(invalid_argument, apply("ConcatFromSequence", {tensor::sequence({})}, {number("axis", 0)}), "nothing to join");
    CHECK_REFUSED(invalid_argument, apply("SplitToSequence", {one, list({1, 2})}), "does not divide 2 elements");
    CHECK_REFUSED(invalid_argument, apply("SplitToSequence", {one, of<std::int64_t>({}, {0})}), "split must be at least 1, got 0");
    CHECK_REFUSED(invalid_argument, apply("SplitToSequence", {floats({}, {1})}), "a scalar cannot be split");
}

TEST_CASE("operators of tensors refuse sequences, and a sequence has no elements to look at") {
    const tensor s = tensor::sequence({one});
    for (const char* const op : {"Relu", "Transpose", "Exp", "Cast", "Shape", "NonZero", "Concat"}) {
        CAPTURE(op);
        const std::vector<attribute> more = std::string(op) == "Cast" ? std::vector<attribute>{number("to", 1)}
                                            : std::string(op) == "Concat" ? std::vector<attribute>{number("axis", 0)} : std::vector<attribute>{};
        if (std::string(op) == "Shape") CHECK(elements<std::int64_t>(apply(op, {s})[0]) == std::vector<std::int64_t>{1});
        else CHECK_THROWS_AS(apply(op, {s}, more), ocelli::error);
    }
    CHECK_THROWS_AS(apply("Expand", {s, list({1})}), ocelli::error);
    CHECK_THROWS_AS(apply("Slice", {s, list({0}), list({1})}), ocelli::error);
    CHECK_THROWS_WITH_AS(s.data<float>(), "tensor: elements are sequence, asked for as float32", invalid_argument);
    CHECK_THROWS_WITH_AS(one.items(), "tensor: a sequence expected, got float32 (2)", invalid_argument);
    CHECK_THROWS_AS(tensor(nn::dtype::sequence, {1}), invalid_argument);
    CHECK_THROWS_AS(s.reshaped({1, 1}), invalid_argument);
}
