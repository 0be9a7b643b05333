// ctest: per_isa
#include <support/golden_models.hpp>

#include <ocelli/nn/session.hpp>

#include <random>

using namespace operators;
using ocelli::invalid_argument;

namespace {

using nn::dtype;

std::mt19937 random_bits(21);

tensor bytes(dtype type, dims shape) {
    tensor t(type, std::move(shape));
    for (std::int64_t i = 0; i < t.size(); ++i) static_cast<std::uint8_t*>(t.mutable_raw())[i] = static_cast<std::uint8_t>(random_bits() & 255);
    return t;
}
tensor zero(dtype type, int v) {
    return type == dtype::uint8 ? of<std::uint8_t>({}, {static_cast<std::uint8_t>(v)}) : of<std::int8_t>({}, {static_cast<std::int8_t>(v - 128)});
}

// An operator of com.microsoft, the inputs that `fed` says fed: what is inferred holds, and a session gives the same bits.
tensor run_own(const std::string& op, const std::vector<tensor>& inputs, const std::vector<std::size_t>& fed, std::vector<attribute> attributes = {}) {
    nn::graph g;
    g.opsets[""] = 13;
    g.opsets["com.microsoft"] = 1;
    nn::node n{.name = op, .op = op, .domain = "com.microsoft", .opset = 1, .attributes = std::move(attributes)};
    nn::named_tensors feeds;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const std::string name(1, static_cast<char>('a' + i));
        if (!inputs[i].defined()) {
            n.inputs.push_back(nn::no_value);
        } else if (std::find(fed.begin(), fed.end(), i) == fed.end()) {
            n.inputs.push_back(g.add_constant(name, inputs[i]));
        } else {
            n.inputs.push_back(g.add_value(name, {inputs[i].type(), nn::symbolic_shape(inputs[i].shape()), {}}));
            g.inputs.push_back(n.inputs.back());
            feeds.add(name, inputs[i]);
        }
    }
    g.outputs = n.outputs = {g.add_value("result")};
    g.add_node(std::move(n));
    nn::infer_facts(g);
    const tensor y = nn::evaluate(g, feeds)[0];
    CHECK(g.at(g.outputs[0]).what.type == y.type());
    CHECK(nn::accepts(g.at(g.outputs[0]).what.shape, y.shape()));
    const nn::session net(g);
    const tensor z = net.run(feeds)[0];
    REQUIRE(z.type() == y.type());
    REQUIRE(z.shape() == y.shape());
    CHECK(std::memcmp(z.raw(), y.raw(), y.bytes()) == 0);
    return y;
}

}  // namespace

TEST_CASE("ONNX Runtime's sums and products of bytes broadcast") {
    const tensor a = of<std::uint8_t>({2, 2}, {10, 20, 30, 255}), b = of<std::uint8_t>({2}, {12, 6}), third = of<std::uint8_t>({}, {10});
    const tensor half = floats({}, {0.5f}), quarter = floats({}, {0.25f}), one = floats({}, {1});
    CHECK(elements<std::uint8_t>(run_own("QLinearAdd", {a, half, third, b, quarter, third, one, third}, {0, 3})) == std::vector<std::uint8_t>{10, 14, 20, 132});
    CHECK(elements<std::uint8_t>(run_own("QLinearMul", {a, half, third, b, one, third, one, third}, {0, 3})) == std::vector<std::uint8_t>{10, 0, 30, 0});
    CHECK_REFUSED(invalid_argument, run_own("QLinearAdd", {a, half, third, of<std::int8_t>({2}, {1, 2}), one, third, one, third}, {0, 3}), "of one type");
}

TEST_CASE("a session gives the bits of ONNX Runtime's own operators of bytes") {
    for (const dtype type : {dtype::uint8, dtype::int8}) {
        const tensor z = zero(type, 117), y = zero(type, 60), sx = floats({}, {0.02f}), sy = floats({}, {0.03f}), x = bytes(type, {2, 19, 5, 7});
        CHECK(run_own("QLinearAdd", {x, sx, z, bytes(type, {2, 19, 5, 7}), sy, y, sy, y}, {0, 3}).size() == x.size());
        CHECK(run_own("QLinearMul", {x, sx, z, bytes(type, {2, 19, 1, 1}), sy, y, sy, y}, {0, 3}).size() == x.size());
        CHECK(run_own("QLinearMul", {bytes(type, {2, 19, 1, 1}), sx, z, x, sy, y, sy, y}, {0, 3}).size() == x.size());
        CHECK(run_own("QLinearMul", {x, sx, z, bytes(type, {7}), sy, y, sy, y}, {0, 3}).size() == x.size());
        CHECK(run_own("QLinearGlobalAveragePool", {x, sx, z, sy, y}, {0}).shape() == dims{2, 19, 1, 1});
        CHECK(run_own("QLinearGlobalAveragePool", {x, sx, z, sy, y}, {0}, {number("channels_last", 1)}).shape() == dims{2, 1, 1, 7});
        CHECK(run_own("QLinearSigmoid", {x, sx, z, sy, y}, {0}).size() == x.size());
        CHECK(run_own("QLinearLeakyRelu", {x, sx, z, sy, y}, {0}, {real("alpha", 0.1f)}).size() == x.size());
        CHECK(run_own("QLinearConcat", {sy, y, x, sx, z, bytes(type, {2, 3, 5, 7}), sy, y}, {2, 5}, {number("axis", 1)}).shape() == dims{2, 22, 5, 7});
        const tensor w = bytes(dtype::int8, {9, 19}), w_scale = floats({1}, {0.004f}), a = bytes(type, {3, 19});
        const tensor none = of<std::int8_t>({}, {0});
        tensor bias(dtype::int32, {9});
        for (std::int64_t i = 0; i < 9; ++i) bias.mutable_data<std::int32_t>()[i] = static_cast<std::int32_t>(random_bits() % 999);
        CHECK(run_own("QGemm", {a, sx, z, w, w_scale, none, bias, sy, y}, {0}, {number("transB", 1)}).shape() == dims{3, 9});
        CHECK(run_own("QGemm", {a, sx, z, w, w_scale, none, bias}, {0}, {number("transB", 1), real("alpha", 2)}).type() == dtype::float32);
        CHECK(run_own("QGemm", {a, sx, z, bytes(dtype::int8, {3, 4}), w_scale, none, tensor(), sy, y}, {0}, {number("transA", 1)}).shape() == dims{19, 4});
    }
}
