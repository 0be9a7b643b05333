#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/passes/einsum.hpp>
#include <ocelli/nn/session.hpp>

#include <support/tensors.hpp>

#include <string>

using namespace ocelli;
using namespace ocelli::nn;
using ocelli_test::difference;
using ocelli_test::random_tensor;

namespace {

graph einsum(const char* equation, const symbolic_shape& a, const symbolic_shape& b) {
    graph g;
    g.opsets[""] = 13;
    g.inputs = {g.add_value("a", {dtype::float32, a, {}}), g.add_value("b", {dtype::float32, b, {}})};
    g.outputs = {g.add_value("y")};
    g.add_node({.name = "sum", .op = "Einsum", .attributes = {{"equation", std::string(equation)}}, .inputs = g.inputs, .outputs = g.outputs});
    infer_facts(g);
    return g;
}

symbolic_shape of(const dims& shape) {
    return symbolic_shape(std::vector<dim>(shape.begin(), shape.end()));
}

// The operators an equation becomes, "T R M" for a turn, a reshape and the product; what was there before is computed still.
std::string becomes(const char* equation, const dims& a, const dims& b, const symbolic_shape& declared_a, const symbolic_shape& declared_b) {
    graph g = einsum(equation, declared_a, declared_b);
    const named_tensors feeds{{"a", random_tensor(a, 7)}, {"b", random_tensor(b, 9)}};
    const tensor before = evaluate(g, feeds)[0];
    const pass passes[] = {{"einsum_products", &passes::einsum_products}};
    run_passes(g, passes);
    CHECK(g.at(g.outputs[0]).name == "y");
    const tensor after = evaluate(g, feeds)[0];
    REQUIRE(difference(after, before) < 1e-5);
    const tensor run = session(einsum(equation, declared_a, declared_b)).run({{"a", random_tensor(a, 7)}, {"b", random_tensor(b, 9)}})[0];
    REQUIRE(difference(run, before) < 1e-5);
    std::string out;
    for (const node& n : g.nodes) out += n.op == "Transpose" ? "T" : n.op == "Reshape" ? "R" : n.op == "MatMul" ? "M" : n.op == "Einsum" ? "E" : "?";
    return out;
}
std::string becomes(const char* equation, const dims& a, const dims& b) {
    return becomes(equation, a, b, of(a), of(b));
}

}  // namespace

TEST_CASE("equations that are products become products") {
    CHECK(becomes("ij,jk->ik", {3, 4}, {4, 5}) == "M");
    CHECK(becomes("ij,kj->ik", {3, 4}, {5, 4}) == "TM");
    CHECK(becomes("ij,jk->ki", {3, 4}, {4, 5}) == "TTM");        // the second operand stands left
    CHECK(becomes("bhid,bhjd->bhij", {2, 3, 5, 4}, {2, 3, 6, 4}) == "TM");
    CHECK(becomes("bhij,bhjd->bhid", {2, 3, 5, 6}, {2, 3, 6, 4}) == "M");
    CHECK(becomes("bhij,bhjd->bihd", {2, 3, 5, 6}, {2, 3, 6, 4}) == "MT");
    CHECK(becomes("bihd,bjhd->bhij", {2, 5, 3, 4}, {2, 6, 3, 4}) == "TTM");
    CHECK(becomes("bqc,bchw->bqhw", {2, 7, 4}, {2, 4, 5, 3}) == "RMR");
    CHECK(becomes("bchw,cd->bdhw", {2, 4, 5, 3}, {4, 6}).find('E') == std::string::npos);
    CHECK(becomes("bc,bc->b", {3, 5}, {3, 5}) == "RRMR");
    CHECK(becomes("i,i->", {5}, {5}) == "RRMR");
    CHECK(becomes("abc,cd", {2, 3, 4}, {4, 5}) == "RMR");         // a result that is not written
    CHECK(becomes("...ij,...jk->...ik", {2, 3, 4, 5}, {2, 3, 5, 6}) == "M");
    CHECK(becomes("...ij,...jk->...ik", {2, 3, 4, 5}, {2, 1, 5, 6}) == "M");
    CHECK(becomes("...ij,jk->...ik", {2, 3, 4, 5}, {5, 6}).find('E') == std::string::npos);
    CHECK(becomes("abcd,aefd->bcef", {2, 3, 4, 5}, {2, 3, 2, 5}).find('E') == std::string::npos);  // two sums, two of each
}

TEST_CASE("extents that are not known stay open, one in each shape") {
    const dim n("n");
    CHECK(becomes("bhid,bhjd->bhij", {2, 3, 5, 4}, {2, 3, 6, 4}, symbolic_shape{n, 3, dim("i"), 4}, symbolic_shape{n, 3, dim("j"), 4}) == "TM");
    CHECK(becomes("bqc,bchw->bqhw", {2, 7, 4}, {2, 4, 5, 3}, symbolic_shape{n, 7, 4}, symbolic_shape{n, 4, 5, 3}) == "RMR");
    CHECK(becomes("bqc,bchw->bqhw", {2, 7, 4}, {2, 4, 5, 3}, symbolic_shape{n, 7, 4}, symbolic_shape{n, 4, dim("h"), 3}) == "RMR");
    CHECK(becomes("bqc,bchw->bqhw", {2, 7, 4}, {2, 4, 5, 3}, symbolic_shape{n, 7, 4}, symbolic_shape{n, 4, dim("h"), dim("w")}) == "E");
    CHECK(becomes("ij,jk->ik", {3, 4}, {4, 5}, symbolic_shape{3, n}, symbolic_shape{dim("m"), 5}) == "M");
}

TEST_CASE("other equations stay as they are") {
    CHECK(becomes("ii,ij->j", {3, 3}, {3, 4}) == "E");    // a diagonal
    CHECK(becomes("ij,jk->k", {3, 4}, {4, 5}) == "E");    // a sum over one operand alone
    CHECK(becomes("i,j->ij", {3}, {4}) == "E");           // no sum
    CHECK(becomes("ij,ij->ij", {3, 4}, {3, 4}) == "E");
    CHECK(becomes("ij,jk->ik", {0, 4}, {4, 5}) == "M");
}
