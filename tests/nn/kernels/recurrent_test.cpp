// ctest: per_isa threads
#include <support/nodes.hpp>

#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/kernels/recurrent.hpp>

#include <algorithm>
#include <cstring>

using namespace nodes;

namespace {

struct layer {
    const char* op;
    std::int64_t steps, batch, depth, hidden;
    const char* direction = "forward";
    bool bias = true, states = true;
    std::int64_t reset_late = 0;
    std::vector<std::size_t> constants = {1, 2, 3};
};

result run(const layer& l, unsigned seed, std::vector<attribute> more = {}, const tensor& lengths = {}) {
    const bool lstm = std::string(l.op) == "LSTM";
    const std::int64_t directions = std::string(l.direction) == "bidirectional" ? 2 : 1, rows = (lstm ? 4 : 3) * l.hidden;
    std::vector<tensor> in{random_tensor({l.steps, l.batch, l.depth}, seed), random_tensor({directions, rows, l.depth}, seed + 1, -0.4f, 0.4f),
                           random_tensor({directions, rows, l.hidden}, seed + 2, -0.4f, 0.4f)};
    in.push_back(l.bias ? random_tensor({directions, 2 * rows}, seed + 3) : tensor());
    in.push_back(lengths);
    if (l.states) in.push_back(random_tensor({directions, l.batch, l.hidden}, seed + 4));
    if (l.states && lstm) in.push_back(random_tensor({directions, l.batch, l.hidden}, seed + 5));
    node n{.op = l.op, .attributes = {{"direction", std::string(l.direction)}, {"hidden_size", l.hidden}}};
    if (!lstm) n.attributes.push_back({"linear_before_reset", l.reset_late});
    for (attribute& a : more) n.attributes.push_back(std::move(a));
    std::vector<std::size_t> constants;
    for (const std::size_t c : l.constants)
        if (in[c].defined()) constants.push_back(c);
    return run_node(n, in, constants, 14, lstm ? 3 : 2);
}

void check_all(const result& r) {
    for (std::size_t i = 0; i < r.outputs.size(); ++i) CHECK(error_of(r, 1, i) < 1e-5);
}

}  // namespace

TEST_CASE("LSTM and GRU agree with the reference, in all directions, for one and for many sequences") {
    unsigned seed = 0;
    for (const char* op : {"LSTM", "GRU"})
        for (const char* direction : {"forward", "reverse", "bidirectional"})
            for (const std::int64_t batch : std::initializer_list<std::int64_t>{1, 3, 4, 9})
                for (const std::int64_t reset_late : std::initializer_list<std::int64_t>{0, 1})
                    for (const bool full : {true, false}) {
                        CAPTURE(std::string(op));
                        CAPTURE(std::string(direction));
                        CAPTURE(batch);
                        CAPTURE(reset_late);
                        const result r = run({op, 7, batch, 11, 37, direction, full, full, reset_late}, seed += 7);
                        CHECK(r.kernel == (std::string(op) == "LSTM" ? "lstm" : "gru"));
                        check_all(r);
                    }
    check_all(run({"LSTM", 26, 1, 64, 128, "bidirectional"}, 1));
    check_all(run({"GRU", 1, 1, 1, 1}, 2));
    check_all(run({"LSTM", 5, 2, 8, 6, "bidirectional", true, true, 0, {}}, 3));  // computed weights
}

TEST_CASE("what the kernels do not do runs on the reference: other lengths, functions, layouts") {
    const layer l{"LSTM", 5, 2, 8, 6};
    check_all(run(l, 1, {}, tensor::from<std::int64_t>({2}, {5, 5}).cast(dtype::int32)));
    check_all(run(l, 2, {}, tensor::from<std::int64_t>({2}, {5, 3}).cast(dtype::int32)));
    check_all(run(l, 3, {{"activations", std::vector<std::string>{"Sigmoid", "tanh", "TANH"}}}));
    const auto bound = [](std::vector<attribute> attributes, const char* op) {
        graph g;
        g.opsets[""] = 14;
        node n{.name = "node", .op = op, .attributes = std::move(attributes)};
        for (int i = 0; i < 3; ++i) n.inputs.push_back(g.add_value(ocelli::detail::concat("x", i), {dtype::float32, symbolic_shape::of_rank(3), {}}));
        n.outputs = {g.add_value("y")};
        g.inputs = n.inputs;
        g.add_node(n);
        weight_cache cache;
        return bind_kernel(g, g.nodes[0], cache) != nullptr;
    };
    CHECK(bound({}, "GRU"));
    CHECK_FALSE(bound({}, "RNN"));
    CHECK_FALSE(bound({{"clip", 1.0f}}, "GRU"));
    CHECK_FALSE(bound({{"layout", std::int64_t{1}}}, "LSTM"));
    CHECK_FALSE(bound({{"input_forget", std::int64_t{1}}}, "LSTM"));
    CHECK_FALSE(bound({{"activations", std::vector<std::string>{"Relu", "Tanh"}}}, "GRU"));
    const tensor x = random_tensor({5, 2, 8}, 1), w = random_tensor({1, 24, 7}, 2), r = random_tensor({1, 24, 6}, 3);
    CHECK_THROWS_AS(run_node({.op = "LSTM"}, {x, w, r}, {1, 2}, 14, 3), invalid_argument);
}

TEST_CASE("recurrent layers give the same bits for any number of threads") {
    for (const char* op : {"LSTM", "GRU"})
        for (const std::int64_t batch : std::initializer_list<std::int64_t>{1, 5}) {
            const layer l{op, 9, batch, 130, 190, "bidirectional"};
            result one, many;
            {
                const thread_limit limit(1);
                one = run(l, 4);
            }
            set_num_threads(4);
            many = run(l, 4);
            for (std::size_t i = 0; i < one.outputs.size(); ++i) CHECK(std::memcmp(one.outputs[i].raw(), many.outputs[i].raw(), one.outputs[i].bytes()) == 0);
        }
}
