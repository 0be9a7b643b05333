#include <support/operators.hpp>

#include <ocelli/nn/ops/blocked.hpp>

using namespace operators;

namespace {

tensor counted(dims shape) {
    tensor t(nn::dtype::float32, std::move(shape));
    for (std::int64_t i = 0; i < t.size(); ++i) t.mutable_data<float>()[i] = static_cast<float>(i % 13) - 5.0f;
    return t;
}

tensor evaluated(nn::node n, const tensor& x, const std::vector<tensor>& constants = {}) {
    nn::graph g;
    g.opsets[""] = 13;
    const nn::value_id in = g.add_value("x", {x.type(), nn::symbolic_shape(x.shape()), {}}), out = g.add_value("y");
    n.inputs = {in};
    for (const tensor& t : constants) n.inputs.push_back(g.add_constant("", t));
    n.outputs = {out};
    g.inputs = {in};
    g.outputs = {out};
    g.add_node(std::move(n));
    nn::infer_facts(g);
    const tensor y = nn::evaluate(g, {{"x", x}})[0];
    const auto inferred = g.at(out).what.shape.concrete();
    REQUIRE(inferred.has_value());
    CHECK(*inferred == y.shape());
    return y;
}

nn::node block(std::int64_t lanes) {
    return {.name = "b", .op = "Block", .domain = "ocelli", .opset = 1, .attributes = {{"lanes", lanes}}};
}
nn::node unblock(std::int64_t channels) {
    return {.name = "u", .op = "Unblock", .domain = "ocelli", .opset = 1, .attributes = {{"channels", channels}}};
}

}  // namespace

TEST_CASE("Block gathers channels, fills with zeros, and Unblock gives them back") {
    const tensor x = counted({2, 5, 3, 2});
    const tensor b = evaluated(block(4), x);
    CHECK(b.shape() == dims{2, 2, 3, 2, 4});
    CHECK(b.data<float>()[1] == x.data<float>()[6]);   // the first pixel's second channel
    CHECK(b.data<float>()[24] == x.data<float>()[24]);  // the second block's first channel
    CHECK(b.data<float>()[25] == 0.0f);
    CHECK(elements<float>(evaluated(unblock(5), b)) == elements<float>(x));
    CHECK(elements<float>(nn::in_blocks(x, 4)) == elements<float>(b));
    nn::node last = unblock(5);
    nn::set_attribute(last, "last", std::int64_t{1});
    const tensor turned = evaluated(last, b);
    CHECK(turned.shape() == dims{2, 3, 2, 5});
    CHECK(elements<float>(turned) == elements<float>(evaluated({.name = "t", .op = "Transpose", .opset = 13, .attributes = {{"perm", dims{0, 2, 3, 1}}}}, x)));
    CHECK_THROWS_AS(evaluated(unblock(9), b), ocelli::invalid_argument);
    CHECK_THROWS_AS(evaluated(block(0), x), ocelli::invalid_argument);
}

TEST_CASE("an operator on blocks gives the blocks of its result") {
    const tensor x = counted({1, 6, 5, 5});
    const auto agree = [&](nn::node plain, const std::vector<tensor>& constants = {}) {
        INFO(plain.op);
        REQUIRE(nn::has_blocked_form(plain));
        const nn::node blocked = nn::blocked_form(plain, 4, {6});
        CHECK(nn::plain_form(blocked).attributes.size() == plain.attributes.size());
        const tensor expected = evaluated(plain, x, constants);
        const tensor got = evaluated(blocked, nn::in_blocks(x, 4), constants);
        CHECK(got.shape().back() == 4);
        CHECK(elements<float>(evaluated(unblock(expected.extent(1)), got)) == elements<float>(expected));
    };
    agree({.name = "p", .op = "MaxPool", .opset = 13, .attributes = {{"kernel_shape", dims{2, 3}}, {"strides", dims{2, 1}}}});
    agree({.name = "a", .op = "AveragePool", .opset = 13, .attributes = {{"kernel_shape", dims{3, 3}}, {"pads", dims{1, 1, 1, 1}}}});
    agree({.name = "g", .op = "GlobalAveragePool", .opset = 13});
    agree({.name = "c", .op = "Conv", .domain = "ocelli", .opset = 1, .attributes = {{"activation", std::string("relu")}}}, {counted({7, 6, 3, 3})});
    // A result in planes.
    const nn::node turned{.name = "t", .op = "ConvTranspose", .domain = "ocelli", .opset = 1, .attributes = {{"strides", dims{2, 2}}}};
    nn::node planes = nn::blocked_form(turned, 4, {6});
    nn::set_attribute(planes, "planes", std::int64_t{1});
    const tensor w = counted({6, 3, 4, 4}), expected = evaluated(turned, x, {w}), got = evaluated(planes, nn::in_blocks(x, 4), {w});
    CHECK(got.shape() == expected.shape());
    CHECK(elements<float>(got) == elements<float>(expected));
    CHECK(!nn::has_blocked_form({.op = "Softmax", .opset = 13}));
}

TEST_CASE("Channels puts channels of images together anew") {
    const tensor x = nn::in_blocks(counted({2, 6, 3, 2}), 4);
    const auto channels = [&](dims images, dims numbers) {
        return nn::node{.name = "c", .op = "Channels", .domain = "ocelli", .opset = 1, .attributes = {{"lanes", std::int64_t{4}}, {"images", images}, {"channels", numbers}}};
    };
    const tensor other = nn::in_blocks(counted({2, 3, 3, 2}), 4);
    const tensor y = evaluated(channels({0, 1, 0, 1, 0}, {5, 0, 1, 2, 5}), x, {other});
    CHECK(y.shape() == dims{2, 2, 3, 2, 4});
    const tensor planes = evaluated(unblock(5), y), from = evaluated(unblock(6), x), from_other = evaluated(unblock(3), other);
    for (std::int64_t n = 0; n < 2; ++n)
        for (std::int64_t i = 0; i < 6; ++i) {
            const float* to = planes.data<float>() + n * 30 + i;
            CHECK(to[0] == from.data<float>()[(n * 6 + 5) * 6 + i]);
            CHECK(to[6] == from_other.data<float>()[n * 18 + i]);
            CHECK(to[12] == from.data<float>()[(n * 6 + 1) * 6 + i]);
            CHECK(to[18] == from_other.data<float>()[(n * 3 + 2) * 6 + i]);
            CHECK(to[24] == to[0]);
        }
    CHECK_THROWS_AS(evaluated(channels({0, 1}, {0, 8}), x, {other}), ocelli::invalid_argument);
    CHECK_THROWS_AS(evaluated(channels({0, 2}, {0, 0}), x, {other}), ocelli::invalid_argument);
    CHECK_THROWS_AS(evaluated(channels({0, 1}, {0}), x, {other}), ocelli::invalid_argument);
    CHECK_THROWS_AS(evaluated(channels({0, 1}, {0, 0}), x, {nn::in_blocks(counted({2, 3, 2, 2}), 4)}), ocelli::invalid_argument);
}

TEST_CASE("a node on blocks that stands for no operator is refused") {
    nn::node n = nn::blocked_form({.name = "p", .op = "MaxPool", .opset = 13, .attributes = {{"kernel_shape", dims{2, 2}}}}, 4, {4});
    nn::set_attribute(n, "inner_domain", std::string("ocelli.blocked"));
    CHECK_THROWS_AS(nn::plain_form(n), ocelli::invalid_argument);
}
