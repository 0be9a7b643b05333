#include <support/operators.hpp>

using namespace operators;
using ocelli::invalid_argument;

TEST_CASE("Reshape copies extents for 0, fills in -1, and shares the memory") {
    const tensor x = floats({2, 3, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
    const tensor y = run("Reshape", 14, {x, list({0, -1})});
    CHECK(y.shape() == dims{2, 6});
    CHECK(y.raw() == x.raw());
    CHECK(run("Reshape", 4, {x}, {numbers("shape", {3, 4})}).shape() == dims{3, 4});
    CHECK(run("Reshape", 14, {floats({1}, {7}), of<std::int64_t>({0}, {})}).shape() == dims{});
    CHECK(run("Reshape", 14, {floats({0, 3}, {}), list({3, 0})}, {number("allowzero", 1)}).shape() == dims{3, 0});
    CHECK(run("Reshape", 14, {floats({0, 3}, {}), list({-1, 3})}).shape() == dims{0, 3});
    CHECK_REFUSED(invalid_argument, run("Reshape", 14, {x, list({5, -1})}), "does not fit");
    CHECK_REFUSED(invalid_argument, run("Reshape", 14, {x, list({-1, -1})}), "more than one -1");
    CHECK_REFUSED(invalid_argument, run("Reshape", 14, {x, list({-2, 3})}), "negative");
    CHECK_REFUSED(invalid_argument, run("Reshape", 14, {x, list({2, 3, 2, 0})}), "keeps axis 3");
    CHECK_REFUSED(invalid_argument, run("Reshape", 14, {x, list({std::int64_t{1} << 40, std::int64_t{1} << 40})}), "too large");
}

TEST_CASE("Flatten, Squeeze and Unsqueeze count axes from both ends") {
    const tensor x = floats({1, 2, 1, 3}, {0, 1, 2, 3, 4, 5});
    CHECK(run("Flatten", 13, {x}).shape() == dims{1, 6});
    CHECK(run("Flatten", 13, {x}, {number("axis", 0)}).shape() == dims{1, 6});
    CHECK(run("Flatten", 13, {x}, {number("axis", 4)}).shape() == dims{6, 1});
    CHECK(run("Flatten", 13, {x}, {number("axis", -1)}).shape() == dims{2, 3});
    CHECK(run("Squeeze", 13, {x}).shape() == dims{2, 3});
    CHECK(run("Squeeze", 13, {x, list({-2})}).shape() == dims{1, 2, 3});
    CHECK(run("Squeeze", 11, {x}, {numbers("axes", {0})}).shape() == dims{2, 1, 3});
    CHECK(run("Unsqueeze", 13, {floats({2}, {1, 2}), list({0, -1})}).shape() == dims{1, 2, 1});
    CHECK(run("Unsqueeze", 11, {floats({}, {1})}, {numbers("axes", {0})}).shape() == dims{1});
    CHECK_REFUSED(invalid_argument, run("Squeeze", 13, {x, list({1})}), "has not extent 1");
    CHECK_REFUSED(invalid_argument, run("Unsqueeze", 13, {x, list({1, 1})}), "given twice");
    CHECK_REFUSED(invalid_argument, run("Unsqueeze", 13, {x, list({9})}), "axis 9");
}

TEST_CASE("Shape and Size are known before anything runs") {
    const tensor x = floats({2, 0, 3}, {});
    CHECK(elements<std::int64_t>(run("Shape", 13, {x})) == std::vector<std::int64_t>{2, 0, 3});
    CHECK(elements<std::int64_t>(run("Shape", 15, {x}, {number("start", -2)})) == std::vector<std::int64_t>{0, 3});
    CHECK(elements<std::int64_t>(run("Shape", 15, {x}, {number("start", 2), number("end", 1)})).empty());
    CHECK(elements<std::int64_t>(run("Shape", 15, {x}, {number("start", -9), number("end", 9)})) == std::vector<std::int64_t>{2, 0, 3});
    CHECK(elements<std::int64_t>(run("Size", 13, {x})) == std::vector<std::int64_t>{0});
    nn::graph g;
    const nn::value_id v = g.add_value("x", {nn::dtype::float32, {nn::dim(std::string("batch")), nn::dim(3)}, {}});
    const nn::value_id all = g.add_value("all"), tail = g.add_value("tail");
    g.inputs = {v};
    g.outputs = {all, tail};
    for (const bool part : {false, true}) {
        nn::node n;
        n.op = "Shape";
        n.opset = 15;
        n.inputs = {v};
        n.outputs = {part ? tail : all};
        if (part) n.attributes = {number("start", 1)};
        g.add_node(n);
    }
    nn::infer_facts(g);
    CHECK_FALSE(g.at(all).what.constant.defined());
    CHECK(elements<std::int64_t>(g.at(tail).what.constant) == std::vector<std::int64_t>{3});
}
