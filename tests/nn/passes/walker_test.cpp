#include <ocelli/nn/passes/walker.hpp>

#include <doctest/doctest.h>

using namespace ocelli::nn;

TEST_CASE("a walker finds producers, only users and the numbers beside a value") {
    graph g;
    g.opsets[""] = 13;
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{2, 3}, {}}), half = g.add_constant("half", tensor::scalar(0.5f));
    const value_id y = g.add_value("y"), z = g.add_value("z"), row = g.add_constant("row", tensor::from<float>({3}, {1.f, 2.f, 3.f}));
    g.add_node({.op = "Mul", .inputs = {half, x}, .outputs = {y}});
    g.add_node({.op = "Add", .inputs = {y, row}, .outputs = {z}});
    g.inputs = {x};
    g.outputs = {z};
    const passes::walker w(g);
    const node* const product = w.producer(y, "Mul");
    REQUIRE(product != nullptr);
    CHECK(w.producer(y, "Add") == nullptr);
    CHECK(w.producer(x, "Mul") == nullptr);
    CHECK(w.producer(no_value, "Mul") == nullptr);
    REQUIRE(w.user(y, "Add") != nullptr);
    CHECK(w.user(y, "Mul") == nullptr);
    CHECK(w.user(z, "Add") == nullptr);  // an output
    CHECK(w.used(y, 1));
    CHECK(w.number(*product, 0) == 0.5);
    CHECK(!w.number(*product, 1));
    CHECK(!w.number(*w.user(y, "Add"), 1));  // three numbers
    CHECK(w.beside(*product, 0.5) == x);
    CHECK(w.beside(*product, 0.25) == no_value);
    CHECK(passes::walker::other(*product, x) == half);
    CHECK(passes::walker::other(*product, z) == no_value);
    CHECK(w.is_float(x));
}
