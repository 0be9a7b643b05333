#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/passes/branches.hpp>

#include <support/tensors.hpp>

#include <string>

using namespace ocelli;
using namespace ocelli::nn;
using ocelli_test::difference;
using ocelli_test::random_tensor;

namespace {

struct branch {
    dims kernel;  // empty: a batch normalisation
    dims pads = {};
    std::int64_t group = 1;
    bool bias = true;
    dims strides = {}, dilations = {};
    bool another_image = false;
};

// What is left of the branches' sum: "C" for one convolution. What was there before is computed still.
std::string left(const std::vector<branch>& branches, const dims& image = {2, 6, 9, 8}, std::int64_t filters = 6, bool used_twice = false) {
    graph g;
    g.opsets[""] = 13;
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape(std::vector<dim>(image.begin(), image.end())), {}});
    g.inputs = {x};
    const auto add = [&](const char* op, std::vector<value_id> in, std::vector<attribute> attributes = {}) {
        const value_id y = g.add_value("");
        g.add_node({.name = ocelli::detail::concat(op, g.nodes.size()), .op = op, .attributes = std::move(attributes), .inputs = std::move(in), .outputs = {y}});
        return y;
    };
    value_id sum = no_value, first = no_value;
    unsigned seed = 0;
    for (const branch& b : branches) {
        const value_id from = b.another_image ? add("Neg", {x}) : x;
        value_id y = no_value;
        if (b.kernel.empty()) {
            tensor variance = random_tensor({image[1]}, seed);
            for (std::int64_t i = 0; i < variance.size(); ++i) variance.mutable_data<float>()[i] += 1.5f;
            y = add("BatchNormalization", {from, g.add_constant("", random_tensor({image[1]}, ++seed)), g.add_constant("", random_tensor({image[1]}, ++seed)),
                                           g.add_constant("", random_tensor({image[1]}, ++seed)), g.add_constant("", variance)});
        } else {
            dims shape{filters, image[1] / b.group};
            shape.insert(shape.end(), b.kernel.begin(), b.kernel.end());
            std::vector<value_id> in{from, g.add_constant("w", random_tensor(shape, ++seed))};
            if (b.bias) in.push_back(g.add_constant("b", random_tensor({filters}, ++seed)));
            const auto list = [](const dims& d) { return std::vector<std::int64_t>(d.begin(), d.end()); };
            std::vector<attribute> attributes{{"group", b.group}};
            if (!b.pads.empty()) attributes.push_back({"pads", list(b.pads)});
            if (!b.strides.empty()) attributes.push_back({"strides", list(b.strides)});
            if (!b.dilations.empty()) attributes.push_back({"dilations", list(b.dilations)});
            y = add("Conv", std::move(in), std::move(attributes));
        }
        if (first == no_value) first = y;
        sum = sum == no_value ? y : add("Add", {sum, y});
    }
    g.outputs = {sum};
    if (used_twice) g.outputs.push_back(add("Neg", {first}));
    infer_facts(g);
    const tensor picture = random_tensor(image, 77), before = evaluate(g, {{"x", picture}})[0];
    const pass passes[] = {{"parallel_convolutions", &passes::parallel_convolutions}};
    run_passes(g, passes);
    const tensor after = evaluate(g, {{"x", picture}})[0];
    REQUIRE(difference(after, before) < 2e-5);
    std::string out;
    for (const node& n : g.nodes) out += n.op[0];
    return out;
}

}  // namespace

TEST_CASE("convolutions of one image that are added up become one") {
    CHECK(left({{{3, 3}, {1, 1, 1, 1}}, {{1, 1}}}) == "C");
    CHECK(left({{{1, 1}}, {{3, 3}, {1, 1, 1, 1}}}) == "C");
    CHECK(left({{{3, 3}, {1, 1, 1, 1}}, {{1, 1}}, {}}) == "C");  // RepVGG
    CHECK(left({{}, {{1, 1}}, {{1, 1}}, {{1, 1}, {}, 1, false}}) == "C");
    CHECK(left({{{7, 7}, {3, 3, 3, 3}, 6}, {{3, 3}, {1, 1, 1, 1}, 6, false}, {}}) == "C");  // depthwise
    CHECK(left({{{3, 3}, {1, 1, 1, 1}, 2}, {{1, 1}, {}, 2}, {}}) == "C");                   // groups
    CHECK(left({{{3, 1}, {1, 0, 1, 0}}, {{1, 1}}}) == "C");
    CHECK(left({{{3, 3}, {1, 0, 1, 2}}, {{1, 1}}}) == "C");  // the pixel is the first of its row
    CHECK(left({{{3, 3}, {1, 1, 1, 1}, 1, true, {2, 2}}, {{1, 1}, {}, 1, true, {2, 2}}}) == "C");
    CHECK(left({{{3, 3}, {2, 2, 2, 2}, 1, true, {}, {2, 2}}, {{3, 3}, {2, 2, 2, 2}, 1, true, {}, {2, 2}}}) == "C");
    CHECK(left({{{3, 3}, {2, 2, 2, 2}, 1, true, {}, {2, 2}}, {}}) == "C");
    CHECK(left({{{3}, {1, 1}}, {{1}}, {}}, {2, 6, 9}) == "C");
    CHECK(left({{{3, 3, 3}, {1, 1, 1, 1, 1, 1}}, {{1, 3, 1}, {0, 1, 0, 0, 1, 0}}}, {1, 6, 4, 5, 6}) == "C");
    CHECK(left({{{3, 3}, {1, 1, 1, 1}}, {{1, 1}}}, {2, 6, 9, 8}, 5) == "C");
}

TEST_CASE("what is not one layer stays apart") {
    CHECK(left({{{3, 1}, {1, 0, 1, 0}}, {{1, 3}, {0, 1, 0, 1}}}) == "CCA");                                          // neither window holds the other
    CHECK(left({{{3, 3}, {1, 1, 1, 1}, 1, true, {}, {1, 1}}, {{3, 3}, {2, 2, 2, 2}, 1, true, {}, {2, 2}}}) == "CCA");  // other taps
    CHECK(left({{{3, 3}, {1, 1, 1, 1}}, {{1, 1}, {}, 2}}) == "CCA");                                                 // other groups
    CHECK(left({{{3, 3}, {1, 1, 1, 1}}, {{1, 1}, {}, 1, true, {}, {}, true}}) == "CNCA");                            // another image
    CHECK(left({{{3, 3}, {1, 1, 1, 1}}, {{1, 1}}}, {2, 6, 9, 8}, 6, true).find('A') != std::string::npos);           // a part that is used elsewhere, too
    CHECK(left({{{1, 1}, {}, 1, true, {1, 1}}, {{3, 3}, {1, 1, 1, 1}}, {}}, {1, 6, 1, 1}).find('B') == std::string::npos);
    CHECK(left({{}, {}}) == "BBA");
}
