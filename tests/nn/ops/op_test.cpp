#include <support/operators.hpp>

using namespace operators;
using ocelli::invalid_argument;

TEST_CASE("the definition is that of the operator set's version") {
    CHECK(nn::find_op("", "Upsample", 6) == nullptr);
    REQUIRE(nn::find_op("", "Upsample", 8) != nullptr);
    CHECK(nn::find_op("", "Upsample", 8)->since == 7);
    CHECK(nn::find_op("", "Upsample", 9)->since == 9);
    CHECK(nn::find_op("", "Upsample", 10) == nullptr);
    CHECK(nn::find_any_op("", "Upsample")->since == 9);
    CHECK(nn::find_op("", "Conv", 1000) != nullptr);
    CHECK(nn::find_op("elsewhere", "Conv", 11) == nullptr);
    CHECK(nn::find_op("ocelli", "Conv", 1) != nn::find_op("", "Conv", 1));
    CHECK(nn::find_any_op("", "Convolve") == nullptr);
}

namespace {

struct one_node {
    nn::graph g;
    nn::node n;

    // Add of two constants of this many elements.
    explicit one_node(std::int64_t size) {
        n.op = "Add";
        n.opset = 14;
        n.inputs = {g.add_constant("a", tensor::zeros(nn::dtype::float32, {size})), g.add_constant("b", tensor::zeros(nn::dtype::float32, {size}))};
        n.outputs = {g.add_value("y")};
        n.def = nn::find_op("", "Add", 14);
    }
    nn::fact infer(std::int64_t limit) {
        const nn::fact* in[] = {&g.at(n.inputs[0]).what, &g.at(n.inputs[1]).what};
        nn::fact out[1];
        nn::infer_node(g, n, in, out, limit);
        return out[0];
    }
};

}  // namespace

TEST_CASE("a node of constants is evaluated where the result is small, else its type and shape are known") {
    CHECK(one_node(4).infer(4).constant.defined());
    const nn::fact larger = one_node(5).infer(4);
    CHECK(!larger.constant.defined());
    CHECK(larger.type == nn::dtype::float32);
    CHECK(larger.shape.concrete() == dims{5});
    CHECK(!one_node(4).infer(0).constant.defined());
}

TEST_CASE("contexts tell what is there, and name the node where it is not") {
    one_node node(1);
    node.n.name = "sum";
    const tensor in[] = {floats({1}, {1}), {}};
    tensor out[1];
    nn::eval_context c(node.n, in, out);
    CHECK(c.input_count() == 2);
    CHECK(c.has_input(0));
    CHECK(!c.has_input(1));
    CHECK(!c.has_input(2));
    CHECK(c.wants(0));
    CHECK(!c.wants(1));
    CHECK_REFUSED(invalid_argument, c.input(1), "node 'sum' (Add, opset 14): input 1 is missing");
    CHECK_REFUSED(invalid_argument, c.output(0, nn::dtype::float32, {-1}), "node 'sum'");
    CHECK_REFUSED(invalid_argument, c.run(node.g, {}), "cannot run a sub-graph here");
    // Planned memory of the right type and shape is kept, for results that are set too.
    out[0] = tensor::zeros(nn::dtype::float32, {1});
    const void* planned = out[0].raw();
    CHECK(c.output(0, nn::dtype::float32, {1}).raw() == planned);
    c.set_output(0, in[0]);
    CHECK(out[0].raw() == planned);
    CHECK(elements<float>(out[0]) == std::vector<float>{1});
    c.output(7, nn::dtype::float32, {3}).mutable_data<float>()[2] = 1;  // nobody's output has memory all the same
}
