// ctest: per_isa threads
#include <support/tensors.hpp>

#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/isa.hpp>
#include <ocelli/nn/kernels/blocked.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/session.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <stop_token>
#include <thread>

using namespace ocelli;
using namespace ocelli::nn;
using ocelli_test::difference;
using ocelli_test::random_tensor;

namespace {

// x (n, 3, h, w) -> Conv 3x3 stride 2 -> Relu -> a;  Conv 1x1(a) + a -> Relu -> y;  MaxPool(y) -> z
graph network() {
    graph g;
    g.source = std::make_shared<const std::string>("tiny.onnx");
    g.opsets[""] = 13;
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{dim("n"), 3, 16, 16}, {}});
    const value_id w1 = g.add_constant("w1", random_tensor({8, 3, 3, 3}, 1)), b1 = g.add_constant("b1", random_tensor({8}, 2));
    const value_id w2 = g.add_constant("w2", random_tensor({8, 8, 1, 1}, 3));
    const value_id c1 = g.add_value("c1"), a = g.add_value("a"), c2 = g.add_value("c2"), s = g.add_value("s"), y = g.add_value("y"), z = g.add_value("z");
    const std::vector<std::int64_t> two{2, 2}, pads{1, 1, 1, 1};
    g.add_node({.name = "conv1", .op = "Conv", .attributes = {{"strides", two}, {"pads", pads}}, .inputs = {x, w1, b1}, .outputs = {c1}});
    g.add_node({.name = "relu1", .op = "Relu", .inputs = {c1}, .outputs = {a}});
    g.add_node({.name = "conv2", .op = "Conv", .inputs = {a, w2}, .outputs = {c2}});
    g.add_node({.name = "add", .op = "Add", .inputs = {c2, a}, .outputs = {s}});
    g.add_node({.name = "relu2", .op = "Relu", .inputs = {s}, .outputs = {y}});
    g.add_node({.name = "pool", .op = "MaxPool", .attributes = {{"kernel_shape", two}, {"strides", two}}, .inputs = {y}, .outputs = {z}});
    g.inputs = {x};
    g.outputs = {y, z};
    infer_facts(g);
    return g;
}

template <class F>
std::string message(F&& f) {
    try {
        f();
    } catch (const invalid_argument& e) {
        return e.what();
    }
    return "";
}

}  // namespace

TEST_CASE("a session computes what the reference does, fused into fewer nodes") {
    const graph g = network();
    const session net(network());
    const auto reorder = [](const node& n) { return n.op == "Unblock"; };
    CHECK(std::count_if(net.lowered().nodes.begin(), net.lowered().nodes.end(), std::not_fn(reorder)) == 3);
    CHECK(net.explain().find("Add 'add' fused into Conv 'conv2'") != std::string::npos);
    const tensor x = random_tensor({2, 3, 16, 16}, 9);
    const auto expected = evaluate(g, {{"x", x}});
    const auto out = net.run({{"x", x}});
    REQUIRE(out.size() == 2);
    CHECK(out.begin()->first == "y");
    CHECK(difference(out["y"], expected["y"]) < 1e-5);
    CHECK(difference(out["z"], expected["z"]) < 1e-5);
}

TEST_CASE("layers that share weights keep the batch normalisations behind them apart, transposed or not") {
    graph g;
    g.opsets[""] = 15;
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{1, 24, 9, 10}, {}});
    g.inputs = {x};
    const auto positive = [](dims shape, unsigned seed) {
        tensor t = random_tensor(std::move(shape), seed);
        for (std::int64_t i = 0; i < t.size(); ++i) t.mutable_data<float>()[i] = std::abs(t.data<float>()[i]) + 0.2f;
        return t;
    };
    unsigned seed = 1;
    const auto layer = [&](const char* op, std::int64_t group, value_id w, std::int64_t filters) {
        const value_id between = g.add_value(ocelli::detail::concat("c", seed)), y = g.add_value(ocelli::detail::concat("y", seed));
        g.add_node({.op = op, .attributes = {{"group", group}, {"strides", dims{2, 2}}, {"pads", dims{1, 1, 1, 1}}}, .inputs = {x, w}, .outputs = {between}});
        const auto one = [&](const char* name) { return g.add_constant(name, positive({filters}, ++seed)); };
        const value_id scale = one("s"), shift = one("t"), mean = one("m"), variance = one("v");
        g.add_node({.op = "BatchNormalization", .inputs = {between, scale, shift, mean, variance}, .outputs = {y}});
        g.outputs.push_back(y);
    };
    const value_id turned = g.add_constant("w", random_tensor({24, 20, 4, 4}, 90)), plain = g.add_constant("u", random_tensor({20, 24, 3, 3}, 91));
    for (int twice = 0; twice < 2; ++twice) {
        layer("ConvTranspose", 1, turned, 20);
        layer("ConvTranspose", 2, turned, 40);
        layer("Conv", 1, plain, 20);
    }
    layer("ConvTranspose", 1, g.add_constant("few", random_tensor({24, 3, 4, 4}, 92)), 3);
    infer_facts(g);
    const tensor image = random_tensor({1, 24, 9, 10}, 93);
    const auto expected = evaluate(g, {{"x", image}});
    const session net(g);
    CHECK(net.explain().find("folded into ConvTranspose") != std::string::npos);
    const auto out = net.run({{"x", image}});
    for (const value_id y : g.outputs) CHECK(difference(out[g.at(y).name], expected[g.at(y).name]) < 1e-5);
}

TEST_CASE("a session names its inputs and outputs, symbolic extents included") {
    const session net(network());
    CHECK(text(net.inputs()[0]) == "x: float32 (n, 3, 16, 16)");
    CHECK(text(net.outputs()[0]) == "y: float32 (n, 8, 8, 8)");
    CHECK(text(net.outputs()[1]) == "z: float32 (n, 8, 4, 4)");
}

TEST_CASE("an xtensor feeds directly and results come back as xtensor") {
    const session net(network());
    const xt::xtensor<float, 4> x = random_tensor({1, 3, 16, 16}, 4).as<float, 4>();
    const auto y = net.run({{"x", x}})["y"].as<float, 4>();
    CHECK(y.shape()[1] == 8);
    CHECK(difference(tensor(y), evaluate(network(), {{"x", tensor(x)}})["y"]) < 1e-5);
}

TEST_CASE("other extents than declared run where the operators allow them") {
    const session net(network());
    const graph g = network();
    for (const std::int64_t size : {7, 33, 16, 20}) {
        const tensor x = random_tensor({1, 3, size, size + 1}, static_cast<unsigned>(size));
        CHECK(difference(net.run({{"x", x}})["y"], evaluate(g, {{"x", x}})["y"]) < 1e-5);
    }
    CHECK(message([&] { net.run({{"x", random_tensor({1, 4, 16, 16}, 1)}}); }).find("session: input 'x' is declared (n, 3, 16, 16) and was fed (1, 4, 16, 16); "
                                                                                    "the network refuses: tiny.onnx: node 'conv1'") == 0);
}

TEST_CASE("a convolution of undeclared extents is computed as its extents want, at each run") {
    graph g;
    g.opsets[""] = 13;
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{dim("n"), 20, dim("h"), dim("w")}, {}}), y = g.add_value("y");
    const value_id w = g.add_constant("w", random_tensor({40, 20, 3, 3}, 1)), b = g.add_constant("b", random_tensor({40}, 2));
    g.add_node({.name = "conv", .op = "Conv", .attributes = {{"pads", dims{1, 1, 1, 1}}}, .inputs = {x, w, b}, .outputs = {y}});
    g.inputs = {x};
    g.outputs = {y};
    infer_facts(g);
    const session s(g);
    CHECK(s.explain().find("blocked_by_extents") != std::string::npos);
    for (const dims& shape : {dims{1, 20, 1, 2}, dims{1, 20, 48, 50}, dims{5, 20, 7, 6}, dims{1, 20, 2, 1}}) {
        const tensor in = random_tensor(shape, 3);
        CHECK(difference(s.run({{"x", in}})["y"], evaluate(g, {{"x", in}})["y"]) < 1e-4);
    }
}

TEST_CASE("wrong feeds are refused by name") {
    const session net(network());
    const tensor x = random_tensor({1, 3, 16, 16}, 4);
    CHECK(message([&] { net.run({}); }) == "session: input 'x' was not fed");
    CHECK(message([&] { net.run({{"image", x}}); }) == "session: no input is named 'image'; the inputs are 'x'");
    CHECK(message([&] { net.run({{"x", x}, {"x", x}}); }) == "session: input 'x' is fed twice");
    CHECK(message([&] { net.run({{"x", x.cast(dtype::float64)}}); }) == "session: input 'x' must be float32, got float64");
    CHECK(message([&] { net.run({{"x", x.reshaped({3, 256})}}); }) == "session: input 'x' must have shape (n, 3, 16, 16), got (3, 256)");
    CHECK(message([&] { net.run({{"x", x}}, {.outputs = {"q"}}); }) == "session: the network has no value named 'q'");
    CHECK(message([&] { net.run({{"x", x}})["q"]; }) == "no tensor named 'q' among 'y', 'z'");
}

TEST_CASE("a run computes chosen outputs and intermediate values") {
    const session net(network());
    const tensor x = random_tensor({1, 3, 16, 16}, 4);
    const auto out = net.run({{"x", x}}, {.outputs = {"c2", "z", "x"}});
    REQUIRE(out.size() == 3);
    const auto all = evaluate(network(), {{"x", x}});
    CHECK(difference(out["z"], all["z"]) < 1e-5);
    CHECK(out["c2"].shape() == dims{1, 8, 8, 8});
    CHECK(difference(out["x"], x) == 0);
    CHECK(out["x"].raw() != x.raw());
}

TEST_CASE("a default that is fed replaces the constant") {
    graph g = network();
    g.inputs.push_back(g.find("b1"));
    const session net(g);
    CHECK(net.inputs()[1].optional);
    const tensor x = random_tensor({1, 3, 16, 16}, 4), b = random_tensor({8}, 40);
    CHECK(difference(net.run({{"x", x}})["y"], evaluate(g, {{"x", x}})["y"]) < 1e-5);
    CHECK(difference(net.run({{"x", x}, {"b1", b}})["y"], evaluate(g, {{"x", x}, {"b1", b}})["y"]) < 1e-5);
    CHECK(difference(net.run({{"x", x}})["y"], evaluate(g, {{"x", x}})["y"]) < 1e-5);
}

TEST_CASE("a run writes into the caller's memory: all outputs in any order, some, and values in the middle") {
    const session net(network());
    const tensor x = random_tensor({2, 3, 16, 16}, 4);
    const auto expected = net.run({{"x", x}}, {.outputs = {"y", "z", "c2"}});
    xt::xtensor<float, 4> y = xt::zeros<float>({2, 8, 8, 8});
    std::vector<float> z_memory(2 * 8 * 4 * 4 + 2, -7.0f);
    const auto z = view(z_memory.data() + 1, {std::size_t{2}, std::size_t{8}, std::size_t{4}, std::size_t{4}});
    tensor c2(dtype::float32, {2, 8, 8, 8});
    const auto same = [](const void* got, const tensor& wanted) { return std::memcmp(got, wanted.raw(), wanted.bytes()) == 0; };
    for (int round = 0; round < 3; ++round) {
        std::fill(y.begin(), y.end(), 0.0f);
        net.run({{"x", x}}, output_list{{"z", z}, {"y", y}});
        CHECK(same(y.data(), expected["y"]));
        CHECK(same(z_memory.data() + 1, expected["z"]));
        net.run({{"x", x}}, output_list{{"c2", c2}}, {.threads = 1});
        CHECK(difference(c2, expected["c2"]) < 1e-5);
        net.run({{"x", x}}, output_list{{"y", y}});
        CHECK(same(y.data(), expected["y"]));
    }
    CHECK(z_memory.front() == -7.0f);
    CHECK(z_memory.back() == -7.0f);
    // An output over the memory of the input: read first, written last.
    tensor both = random_tensor({1, 8, 16, 16}, 5);
    graph g;
    g.opsets[""] = 13;
    g.inputs = {g.add_value("x", {dtype::float32, symbolic_shape{1, 8, 16, 16}, {}})};
    g.outputs = {g.add_value("y")};
    g.add_node({.op = "MaxPool", .attributes = {{"kernel_shape", dims{3, 3}}, {"pads", dims{1, 1, 1, 1}}}, .inputs = {g.inputs[0]}, .outputs = {g.outputs[0]}});
    const session pool(g);
    const tensor pooled = pool.run({{"x", both}})["y"];
    pool.run({{"x", both}}, output_list{{"y", both}});
    CHECK(difference(both, pooled) == 0);
}

TEST_CASE("outputs that are views, inputs, constants, or whose shape depends on data come into the caller's memory too") {
    graph g;
    g.opsets[""] = 13;
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{2, 3}, {}});
    const value_id flat = g.add_value("flat"), neg = g.add_value("neg"), neg_flat = g.add_value("neg_flat"), places = g.add_value("places");
    const value_id c = g.add_constant("c", tensor::from<float>({2}, {5.f, 6.f}));
    g.add_node({.op = "Flatten", .attributes = {{"axis", std::int64_t{0}}}, .inputs = {x}, .outputs = {flat}});
    g.add_node({.op = "Neg", .inputs = {x}, .outputs = {neg}});
    g.add_node({.op = "Flatten", .attributes = {{"axis", std::int64_t{0}}}, .inputs = {neg}, .outputs = {neg_flat}});
    g.add_node({.op = "NonZero", .inputs = {x}, .outputs = {places}});
    g.inputs = {x};
    g.outputs = {flat, neg, neg_flat, places, c, x};
    const session net(g);
    const tensor feed = tensor::from<float>({2, 3}, {0.f, 1.f, 2.f, 0.f, 4.f, 5.f});
    const auto expected = net.run({{"x", feed}});
    std::vector<output_list::output> list;
    for (const auto& [name, t] : expected) list.push_back({name, tensor::zeros(t.type(), t.shape())});
    const output_list outputs(list);
    for (int round = 0; round < 2; ++round) {
        net.run({{"x", feed}}, outputs);
        for (const output_list::output& o : outputs) CHECK(std::memcmp(o.memory.raw(), expected[o.name].raw(), o.memory.bytes()) == 0);
    }
    CHECK(message([&] { net.run({{"x", feed}}, output_list{{"places", tensor(dtype::int64, {2, 5})}}); }) ==
          "output 'places' is int64 (2, 4), the memory given for it is int64 (2, 5)");
    CHECK_NOTHROW(net.run({{"x", feed}}, outputs));
}

TEST_CASE("memory that does not fit an output is refused by name") {
    const session net(network());
    const tensor x = random_tensor({1, 3, 16, 16}, 4);
    tensor y(dtype::float32, {1, 8, 8, 8}), z(dtype::float32, {1, 8, 4, 4});
    CHECK(message([&] { net.run({{"x", x}}, output_list{{"y", z}}); }) ==
          "output 'y' is float32 (1, 8, 8, 8), the memory given for it is float32 (1, 8, 4, 4)");
    CHECK(message([&] { net.run({{"x", x}}, output_list{{"y", tensor(dtype::float64, {1, 8, 8, 8})}}); }) ==
          "output 'y' is float32 (1, 8, 8, 8), the memory given for it is float64 (1, 8, 8, 8)");
    CHECK(message([&] { net.run({{"x", x}}, output_list{{"y", y}, {"y", y}}); }) == "session: output 'y' is asked for twice");
    CHECK(message([&] { net.run({{"x", x}}, output_list{{"y", y}, {"c2", y}}); }) == "output 'c2': its memory is also that of 'y'");
    CHECK(message([&] { net.run({{"x", x}}, output_list{{"q", y}}); }) == "session: the network has no value named 'q'");
    CHECK(message([&] { net.run({{"x", x}}, output_list{{"y", tensor()}}); }) == "session: output 'y' is given an absent tensor");
    CHECK(message([&] { net.run({{"x", x}}, output_list{}); }) == "session: memory was given for no output");
    CHECK(message([&] { net.run({{"x", x}}, output_list{{"y", y}}, {.outputs = {"y"}}); }) ==
          "session: outputs are named with their memory or in the options, not both");
    xt::xtensor<float, 2, xt::layout_type::column_major> columns = xt::zeros<float>({8, 8});
    CHECK(message([&] { output_list{{"y", columns}}; }) == "session: the memory of an output must be dense and row-major");
}

namespace {

// Loop over a body that adds 1, collecting nothing; trip count and condition are inputs.
graph counting_loop() {
    auto body = std::make_shared<graph>();
    body->opsets[""] = 16;
    const value_id k = body->add_value("k", {dtype::int64, symbolic_shape(dims{}), {}}), go = body->add_value("go", {dtype::boolean, symbolic_shape(dims{}), {}});
    const value_id in = body->add_value("in", {dtype::float32, {}, {}}), out = body->add_value("out"), still = body->add_value("still");
    body->add_node({.op = "Add", .opset = 16, .inputs = {in, body->add_constant("one", tensor::scalar(1.0f))}, .outputs = {out}});
    body->add_node({.op = "Identity", .opset = 16, .inputs = {go}, .outputs = {still}});
    body->inputs = {k, go, in};
    body->outputs = {still, out};
    graph g;
    g.opsets[""] = 16;
    const value_id n = g.add_value("n", {dtype::int64, symbolic_shape(dims{}), {}}), x = g.add_value("x", {dtype::float32, symbolic_shape(dims{}), {}});
    const value_id y = g.add_value("y");
    g.add_node({.name = "loop", .op = "Loop", .opset = 16, .attributes = {{"body", body}}, .inputs = {n, no_value, x}, .outputs = {y}});
    g.inputs = {n, x};
    g.outputs = {y};
    return g;
}

}  // namespace

TEST_CASE("a loop without end ends by the step limit or by a stop from another thread") {
    const tensor x = tensor::scalar(0.0f), for_ever = tensor::scalar(std::numeric_limits<std::int64_t>::max());
    const session limited(counting_loop(), {.step_limit = 1000});
    CHECK(limited.run({{"n", tensor::scalar(std::int64_t{300})}, {"x", x}})["y"].item() == 300);
    CHECK(message([&] { limited.run({{"n", for_ever}, {"x", x}}); }) == "the run takes more steps than the limit of 1000");
    CHECK(limited.run({{"n", tensor::scalar(std::int64_t{300})}, {"x", x}})["y"].item() == 300);

    const session net(counting_loop(), {.step_limit = 0});
    std::stop_source source;
    std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        source.request_stop();
    });
    CHECK_THROWS_WITH_AS(net.run({{"n", for_ever}, {"x", x}}, {.stop = source.get_token()}), "the run was stopped", stopped);
    other.join();
    // Also before the first node; and the session is as good as before.
    CHECK_THROWS_AS(net.run({{"n", tensor::scalar(std::int64_t{1})}, {"x", x}}, {.stop = source.get_token()}), stopped);
    CHECK(net.run({{"n", tensor::scalar(std::int64_t{5})}, {"x", x}})["y"].item() == 5);
}

TEST_CASE("what a loop collects, and what it carries, ends by the memory limit") {
    graph g = counting_loop();
    // The body hands out its counter to be collected as well.
    auto& body = *std::get<std::shared_ptr<graph>>(g.nodes[0].attributes[0].what);
    body.outputs.push_back(body.outputs[1]);
    g.nodes[0].outputs.push_back(g.add_value("all"));
    g.values.back().producer = 0;
    g.outputs.push_back(g.nodes[0].outputs[1]);
    const session net(g, {.memory_limit = 1 << 20});
    const tensor x = tensor::scalar(0.0f);
    CHECK(net.run({{"n", tensor::scalar(std::int64_t{100})}, {"x", x}})["all"].shape() == dims{100});
    CHECK(message([&] { net.run({{"n", tensor::scalar(std::int64_t{1} << 40)}, {"x", x}}); }).find("more than the limit of 1048576 bytes allows") != std::string::npos);
}

TEST_CASE("packing and folding are counted against the memory limit before they happen") {
    graph g;
    g.opsets[""] = 13;
    g.inputs = {g.add_value("x", {dtype::float32, symbolic_shape{1, 64, 8, 8}, {}})};
    g.outputs = {g.add_value("y")};
    g.add_node({.name = "conv", .op = "Conv", .inputs = {g.inputs[0], g.add_constant("w", random_tensor({64, 64, 3, 3}, 1))}, .outputs = {g.outputs[0]}});
    CHECK_NOTHROW(session(g, {.memory_limit = 1 << 20}));
    CHECK_THROWS_AS(session(g, {.memory_limit = 100000}), invalid_argument);
}

TEST_CASE("results stay as they are while the session runs again") {
    const session net(network());
    const auto first = net.run({{"x", random_tensor({1, 3, 16, 16}, 4)}});
    const tensor kept = first["y"].clone();
    net.run({{"x", random_tensor({1, 3, 16, 16}, 5)}});
    CHECK(difference(first["y"], kept) == 0);
}

TEST_CASE("many threads may run one session, with results that do not depend on their number") {
    const session net(network());
    std::vector<tensor> inputs, expected;
    for (unsigned i = 0; i < 6; ++i) {
        inputs.push_back(random_tensor({1, 3, 16 + i % 3, 16}, i));
        expected.push_back(net.run({{"x", inputs.back()}}, {.threads = 1})["z"]);
    }
    std::vector<std::thread> threads;
    std::vector<int> wrong(8, 0);
    for (std::size_t t = 0; t < 8; ++t)
        threads.emplace_back([&, t] {
            for (std::size_t i = 0; i < 12; ++i) {
                const std::size_t k = (i + t) % inputs.size();
                const tensor z = net.run({{"x", inputs[k]}})["z"];
                if (std::memcmp(z.raw(), expected[k].raw(), z.bytes()) != 0) ++wrong[t];
            }
        });
    for (auto& t : threads) t.join();
    CHECK(wrong == std::vector<int>(8, 0));
}

TEST_CASE("the profile lists the nodes that ran") {
    const session net(network());
    const auto report = net.profile({{"x", random_tensor({1, 3, 16, 16}, 4)}}, {}, 2);
    CHECK(report.nodes.size() == net.lowered().nodes.size());
    CHECK(report.total_ms > 0);
    CHECK(text(report).find("conv1") != std::string::npos);
}

TEST_CASE("the profile has a kernel, a shape and a rate for each node, as they were in this run") {
    const session net(network());
    const auto report = net.profile({{"x", random_tensor({2, 3, 16, 16}, 4)}}, {.threads = 1}, 3);
    std::map<std::string, profile_report::entry> by_name;
    for (const auto& e : report.nodes) by_name[e.node] = e;
    CHECK(by_name["conv1"].kernel == "blocked_direct");
    const std::int64_t lanes = block_lanes();
    CHECK(by_name["conv1"].shape == ocelli::detail::concat("(2, ", block_count(8, lanes), ", 8, 8, ", lanes, ")"));
    CHECK(by_name["conv1"].gflops > 0);
    CHECK(by_name["conv2"].kernel == "blocked_pointwise");
    // Eight channels would leave half of the widest vectors empty.
    CHECK(by_name["pool"].kernel == (lanes > 8 ? "pool_max" : "blocked_pool_max"));
    CHECK(by_name["pool"].op == "MaxPool");
    CHECK(by_name["conv1"].gbs > 0);
    CHECK(by_name["conv1"].isa == simd::name(simd::active()));
    CHECK(by_name["conv1"].start_ms <= by_name["conv2"].start_ms);
    double shares = 0;
    for (const auto& e : report.nodes) shares += e.share;
    CHECK(shares + report.between_ms / report.total_ms == doctest::Approx(1));
    double nodes_ms = 0;
    for (const auto& e : report.nodes) nodes_ms += e.ms;
    CHECK(nodes_ms <= report.total_ms);
    const std::string table = text(report);
    CHECK(table.find("GFLOP/s") != std::string::npos);
    CHECK(table.find("in all") != std::string::npos);
    CHECK(std::count(table.begin(), table.end(), '\n') == static_cast<std::ptrdiff_t>(report.nodes.size()) + 1);
    CHECK(table.find("between nodes") != std::string::npos);
    const std::string trace = chrome_trace(report);
    CHECK(trace.find("\"name\":\"conv1\"") != std::string::npos);
    CHECK(trace.find("\"kernel\":\"blocked_direct\"") != std::string::npos);
    CHECK(std::count(trace.begin(), trace.end(), '{') == std::count(trace.begin(), trace.end(), '}'));
    // Without lowering all is reference evaluation.
    const session plain(network(), {.simplify = false, .lower = false});
    for (const auto& e : plain.profile({{"x", random_tensor({1, 3, 16, 16}, 4)}}, {}, 1).nodes) CHECK(e.kernel == "reference");
    CHECK(plain.explain().find("reference: Conv 'conv1'") != std::string::npos);
}

TEST_CASE("explain gives each patch with its pass and reason") {
    const std::string all = session(network()).explain();
    CHECK(all.find("lower_convolution: Conv 'conv1' runs on a kernel\n") != std::string::npos);
    CHECK(all.find("activation_fusion: Relu 'relu1' fused into Conv 'conv1'\n") != std::string::npos);
    CHECK(all.find("Conv 'conv2' on blocked_pointwise") != std::string::npos);
    CHECK(all.find("reference:") == std::string::npos);
}

TEST_CASE("the graph can be printed after load, simplification and lowering") {
    graph g = network();
    const session net(network());
    CHECK(text(net.loaded()) == text(g));
    const graph middle = net.simplified();
    CHECK(middle.nodes.size() == 6);
    CHECK(text(middle).find("ocelli.") == std::string::npos);
    CHECK(text(net.lowered()).find("ocelli.") != std::string::npos);
    for (const graph* each : {&net.loaded(), &middle, &net.lowered()}) CHECK(dot(*each).rfind("digraph", 0) == 0);
}

TEST_CASE("a session runs under a user's executor and inside a parallel_for, with the same bits") {
    // Runs its tasks one after another, and counts.
    struct inline_executor : executor {
        std::atomic<int> jobs{0};
        std::size_t concurrency() const noexcept override { return 3; }
        void run(std::size_t tasks, const std::function<void()>& work) override {
            ++jobs;
            for (std::size_t i = 0; i < tasks; ++i) work();
        }
    };
    const session net(network());
    const tensor x = random_tensor({4, 3, 160, 160}, 8);
    const tensor expected = net.run({{"x", x}}, {.threads = 1})["y"];
    inline_executor mine;
    set_executor(&mine);
    const tensor under = net.run({{"x", x}})["y"];
    set_executor(nullptr);
    CHECK(mine.jobs > 0);
    CHECK(std::memcmp(under.raw(), expected.raw(), expected.bytes()) == 0);
    std::vector<tensor> nested(6);
    parallel_for(nested.size(), 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) nested[i] = net.run({{"x", x}})["y"];
    });
    for (const tensor& y : nested) CHECK(std::memcmp(y.raw(), expected.raw(), expected.bytes()) == 0);
}

TEST_CASE("plans are kept for the shapes used last, and a shape that comes again gives the same bits") {
    const session net(network(), {.plan_cache = 2});
    std::vector<tensor> first;
    for (const int round : {0, 1})
        for (std::int64_t n = 1; n <= 5; ++n) {
            const tensor y = net.run({{"x", random_tensor({n, 3, 16, 16}, 1)}})["y"];
            CHECK(y.extent(0) == n);
            if (round == 0) first.push_back(y);
            else CHECK(std::memcmp(y.raw(), first[static_cast<std::size_t>(n - 1)].raw(), y.bytes()) == 0);
        }
}

TEST_CASE("a run that needs more memory than its limit is refused, naming node and value, before memory is taken") {
    const session net(network(), {.memory_limit = 100000});
    CHECK_NOTHROW(net.run({{"x", random_tensor({1, 3, 16, 16}, 1)}}));
    const std::string refusal = message([&] { net.run({{"x", random_tensor({256, 3, 16, 16}, 1)}}); });
    CHECK(refusal.find("tiny.onnx: node '") == 0);
    CHECK(refusal.find("a run on these shapes needs more memory than the limit of 100000 bytes; value '") != std::string::npos);
    CHECK(refusal.find("is float32 (256, ") != std::string::npos);
    // Still good afterwards.
    CHECK_NOTHROW(net.run({{"x", random_tensor({1, 3, 16, 16}, 1)}}));
}

TEST_CASE("shapes that no memory holds are refused: planned ones, outputs, and ones that depend on data") {
    const auto one_node = [](node n, std::vector<std::pair<std::string, dtype>> inputs, bool then_relu) {
        graph g;
        g.opsets[""] = 13;
        for (const auto& [name, type] : inputs) {
            g.inputs.push_back(g.add_value(name, {type, symbolic_shape(), {}}));
            n.inputs.push_back(g.inputs.back());
        }
        n.name = "huge";
        n.outputs = {g.add_value("h")};
        g.outputs = n.outputs;
        g.add_node(n);
        if (then_relu) {
            const value_id y = g.add_value("y");
            g.add_node({.op = "ReduceMax", .attributes = {{"keepdims", std::int64_t{0}}}, .inputs = {n.outputs[0]}, .outputs = {y}});
            g.outputs = {y};
        }
        return g;
    };
    const std::int64_t far = std::int64_t{1} << 30;
    for (const bool planned : {true, false}) {
        // 2^61 floats: as bytes they would wrap around to few.
        const session pads(one_node({.op = "MaxPool", .attributes = {{"kernel_shape", dims{1, 1}}, {"pads", dims{2 * far - 1, far - 1, 0, 0}}}}, {{"x", dtype::float32}}, planned));
        CHECK(message([&] { pads.run({{"x", tensor::zeros(dtype::float32, {1, 1, 1, 1})}}); }).find("needs more memory than the limit of") != std::string::npos);
        const session expand(one_node({.op = "ConstantOfShape"}, {{"shape", dtype::int64}}, planned));
        CHECK(message([&] { expand.run({{"shape", tensor::from<std::int64_t>({2}, {far, far})}}); }).find("needs more than the limit of") != std::string::npos);
        CHECK(message([&] { expand.run({{"shape", tensor::from<std::int64_t>({3}, {far, far, far})}}); }).find("too large") != std::string::npos);
        const session small(one_node({.op = "ConstantOfShape"}, {{"shape", dtype::int64}}, planned), {.memory_limit = 1000});
        CHECK_NOTHROW(small.run({{"shape", tensor::from<std::int64_t>({1}, {200})}}));
        CHECK(message([&] { small.run({{"shape", tensor::from<std::int64_t>({1}, {300})}}); }).find("tensor: shape (300) of float32 needs more than the limit of 1000 bytes") !=
              std::string::npos);
    }
}

TEST_CASE("the working memory of a long chain is that of two layers") {
    graph g;
    g.opsets[""] = 13;
    value_id v = g.add_value("x", {dtype::float32, symbolic_shape{1, 64, 32, 32}, {}});
    g.inputs = {v};
    for (int i = 0; i < 40; ++i) {
        const value_id next = g.add_value("");
        g.add_node({.op = i % 2 == 0 ? "Abs" : "Neg", .inputs = {v}, .outputs = {next}});
        v = next;
    }
    g.outputs = {v};
    // Two layers of work and one output, of 256 KiB each.
    const session net(g, {.memory_limit = 3 * 64 * 32 * 32 * 4});
    CHECK_NOTHROW(net.run({{"x", tensor::zeros(dtype::float32, {1, 64, 32, 32})}}));
    const session tight(g, {.memory_limit = 3 * 64 * 32 * 32 * 4 - 1});
    CHECK_THROWS_AS(tight.run({{"x", tensor::zeros(dtype::float32, {1, 64, 32, 32})}}), invalid_argument);
}

TEST_CASE("what is concatenated is computed in its place, with the bits that copies have") {
    // Two convolutions of x and x itself are joined, the first is read again, joined once more with the result, and twice with itself.
    const auto build = [](std::int64_t batch, std::int64_t channels, int outputs) {
        graph g;
        g.opsets[""] = 13;
        const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{batch, channels, 9, 10}, {}});
        const auto add = [&](const std::string& name, const std::string& op, std::vector<value_id> inputs, std::vector<attribute> attributes) {
            const value_id out = g.add_value(name);
            g.add_node({.name = name, .op = op, .attributes = std::move(attributes), .inputs = std::move(inputs), .outputs = {out}});
            return out;
        };
        const auto conv = [&](const std::string& name, value_id from, std::int64_t in, std::int64_t out, unsigned seed) {
            tensor w = random_tensor({out, in, 3, 3}, seed);
            for (std::int64_t i = 0; i < w.size(); ++i) w.mutable_data<float>()[i] /= std::sqrt(3.0f * static_cast<float>(in));
            return add(name, "Conv", {from, g.add_constant(name + ".w", w)}, {{"pads", dims{1, 1, 1, 1}}});
        };
        const auto concat = [&](const std::string& name, std::vector<value_id> inputs) { return add(name, "Concat", std::move(inputs), {{"axis", std::int64_t{1}}}); };
        const value_id a = conv("a", x, channels, 32, 1), b = conv("b", a, 32, 48, 2);
        const value_id first = concat("first", {a, b});
        const value_id c = conv("c", first, 80, 16, 3);
        const value_id second = concat("second", {a, b, c});
        const value_id third = concat("third", {c, c, second, x});
        const value_id d = conv("d", third, 128 + channels, 20, 4), e = conv("e", second, 96, 20, 5);
        const value_id planes = concat("planes", {d, e, d});
        g.inputs = {x};
        g.outputs = {add("y", "Softmax", {planes}, {{"axis", std::int64_t{3}}})};
        if (outputs > 0) g.outputs.insert(g.outputs.end(), {a, second});
        if (outputs > 1) g.outputs.insert(g.outputs.end(), {b, first});
        infer_facts(g);
        return g;
    };
    for (const std::int64_t batch : std::initializer_list<std::int64_t>{1, 2})
        for (const std::int64_t channels : std::initializer_list<std::int64_t>{16, 5})
            for (const int outputs : {0, 1}) {
                CAPTURE(batch);
                CAPTURE(channels);
                CAPTURE(outputs);
                const graph g = build(batch, channels, 2);
                const session net(build(batch, channels, outputs));
                for (unsigned round = 0; round < 3; ++round) {
                    const tensor x = random_tensor({batch, channels, 9, 10}, 10 + round);
                    const auto expected = evaluate(g, {{"x", x}});
                    const auto out = net.run({{"x", x}}, {.threads = 1 + round % 2});
                    for (const auto& [name, value] : out) CHECK(difference(value, expected[name]) < 2e-5);
                    // Values in the middle are outputs then, and nobody's part.
                    const auto middle = net.run({{"x", x}}, {.outputs = {"y", "b", "first"}});
                    CHECK(difference(middle["y"], out["y"]) == 0);
                    CHECK(difference(middle["b"], expected["b"]) < 2e-5);
                    CHECK(difference(middle["first"], expected["first"]) < 2e-5);
                }
            }
}

TEST_CASE("products run on the gemm kernel, whether weights are packed or read in place, and so do batches of computed matrices") {
    graph g;
    g.opsets[""] = 13;
    const value_id a = g.add_value("a", {dtype::float32, symbolic_shape{dim("n"), 5, 20}, {}}), b = g.add_value("b", {dtype::float32, symbolic_shape{dim("n"), 33, 7}, {}});
    const value_id w = g.add_constant("w", random_tensor({20, 33}, 1)), bias = g.add_constant("bias", random_tensor({33}, 2));
    const value_id p = g.add_value("p"), s = g.add_value("s"), y = g.add_value("y");
    g.add_node({.name = "dense", .op = "MatMul", .inputs = {a, w}, .outputs = {p}});
    g.add_node({.name = "bias", .op = "Add", .inputs = {p, bias}, .outputs = {s}});
    g.add_node({.name = "both", .op = "MatMul", .inputs = {s, b}, .outputs = {y}});
    g.inputs = {a, b};
    g.outputs = {y};
    infer_facts(g);
    const graph plain = g;
    const session net(std::move(g));
    for (const std::int64_t n : {1, 4}) {
        const tensor x = random_tensor({n, 5, 20}, 3), z = random_tensor({n, 33, 7}, 4);
        CHECK(difference(net.run({{"a", x}, {"b", z}})["y"], evaluate(plain, {{"a", x}, {"b", z}})["y"]) < 1e-4);
        for (const auto& e : net.profile({{"a", x}, {"b", z}}, {}, 1).nodes) CHECK(e.kernel == "gemm");
    }
    CHECK(message([&] { net.run({{"a", random_tensor({1, 5, 20}, 3)}, {"b", random_tensor({1, 32, 7}, 4)}}); }) != "");
}

TEST_CASE("products of computed stacks stretch the one that is smaller, and give what the reference gives") {
    const std::vector<std::pair<dims, dims>> cases{{{3, 4, 5}, {5, 6}}, {{4, 5}, {3, 5, 6}}, {{2, 3, 4, 5}, {2, 1, 5, 6}}, {{2, 1, 4, 5}, {3, 5, 6}}, {{2, 3, 4, 5}, {1, 1, 5, 6}},
                                                   {{1, 3, 4, 5}, {2, 3, 5, 6}}, {{3, 4, 5}, {3, 5, 6}}, {{0, 4, 5}, {5, 6}}, {{2, 3, 1, 5}, {5, 6}}};
    for (const auto& operands : cases) {
        const dims &a = operands.first, &b = operands.second;
        CAPTURE(a);
        CAPTURE(b);
        graph g;
        g.opsets[""] = 13;
        g.inputs = {g.add_value("a", {dtype::float32, symbolic_shape(a), {}}), g.add_value("b", {dtype::float32, symbolic_shape(b), {}})};
        g.outputs = {g.add_value("y")};
        g.add_node({.name = "product", .op = "MatMul", .inputs = g.inputs, .outputs = g.outputs});
        tensor x(dtype::float32, a), y(dtype::float32, b);
        for (std::int64_t i = 0; i < x.size(); ++i) x.mutable_data<float>()[i] = std::sin(0.7f * static_cast<float>(i));
        for (std::int64_t i = 0; i < y.size(); ++i) y.mutable_data<float>()[i] = std::cos(0.3f * static_cast<float>(i));
        const tensor expected = evaluate(g, {{"a", x}, {"b", y}})[0];
        const session s(std::move(g));
        CHECK(s.explain().find("reference") == std::string::npos);
        const tensor result = s.run({{"a", x}, {"b", y}})[0];
        REQUIRE(result.shape() == expected.shape());
        for (std::int64_t i = 0; i < result.size(); ++i) CHECK(std::abs(result.data<float>()[i] - expected.data<float>()[i]) < 2e-6f);
    }
}

TEST_CASE("a quantised network stays on blocks between its convolutions, and gives what the reference gives") {
    graph g;
    g.opsets[""] = 13;
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{1, 20, 12, 12}, {}});
    g.inputs = {x};
    const auto node_of = [&](const char* op, std::vector<value_id> in, std::vector<attribute> attributes = {}) {
        const value_id y = g.add_value("");
        g.add_node({.name = ocelli::detail::concat(op, g.nodes.size()), .op = op, .attributes = std::move(attributes), .inputs = std::move(in), .outputs = {y}});
        return y;
    };
    const auto rounded = [&](value_id v, float scale) {
        const value_id s = g.add_constant("", tensor::scalar(scale)), z = g.add_constant("", tensor::scalar(std::uint8_t{100}));
        return node_of("DequantizeLinear", {node_of("QuantizeLinear", {v, s, z}), s, z});
    };
    const auto convolved = [&](value_id v) {
        tensor w(dtype::int8, {20, 20, 3, 3});
        for (std::int64_t i = 0; i < w.size(); ++i) w.mutable_data<std::int8_t>()[i] = static_cast<std::int8_t>(i * 37 % 255 - 127);
        const value_id weights = node_of("DequantizeLinear", {g.add_constant("", w), g.add_constant("", tensor::scalar(1.0f / 512)), g.add_constant("", tensor::scalar(std::int8_t{0}))});
        return node_of("Conv", {v, weights}, {{"strides", std::vector<std::int64_t>{2, 2}}, {"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
    };
    g.outputs = {node_of("Relu", {convolved(rounded(convolved(rounded(x, 0.02f)), 0.25f))})};
    tensor image(dtype::float32, {1, 20, 12, 12});
    for (std::int64_t i = 0; i < image.size(); ++i) image.mutable_data<float>()[i] = std::sin(0.3f * static_cast<float>(i)) * 2;
    const tensor expected = evaluate(g, {{"x", image}})[0];
    const session s(std::move(g));
    std::size_t moves = 0;
    for (const node& n : s.lowered().nodes) moves += n.op == "Block" || n.op == "Unblock" ? 1 : 0;
    CHECK(moves <= 2);
    CHECK(s.explain().find("reference") == std::string::npos);
    const tensor result = s.run({{"x", image}})[0];
    REQUIRE(result.shape() == expected.shape());
    // A sum at a tie may fall to the other side: a step of the scale, seen through a weight.
    for (std::int64_t i = 0; i < result.size(); ++i) CHECK(std::abs(result.data<float>()[i] - expected.data<float>()[i]) < 0.25f * 127 / 512 + 1e-3f);
}
