// ctest: per_isa threads
#include <support/nodes.hpp>

#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/kernels/attention.hpp>

#include <cstring>

using namespace nodes;

namespace {

struct sizes {
    std::int64_t batch, heads, queries, keys, depth, width;
    bool keys_by_rows = false;  // else they lie turned
    bool one_tensor = false;    // queries, keys and values side by side, as a projection makes them
};

// Attention over heads whose rows lie side by side, (batch, length, heads, depth), to such rows.
// `added`: a table for each head, and a mask for each image that is the same for all queries.
result attend(const sizes& s, float scale, unsigned seed, int added = 0) {
    const std::int64_t row = s.one_tensor ? 3 * s.heads * s.depth : s.heads * s.depth, values = s.one_tensor ? row : s.heads * s.width;
    const auto offset = [&](std::int64_t i) { return s.one_tensor ? i * s.heads * s.depth : 0; };
    const dims q{offset(0), s.queries * row, s.depth, row, 1};
    const dims k = s.keys_by_rows || s.one_tensor ? dims{offset(1), s.keys * row, s.depth, 1, row} : dims{0, s.heads * s.depth * s.keys, s.depth * s.keys, s.keys, 1};
    const dims v{offset(2), s.keys * values, s.width, values, 1}, y{s.queries * s.heads * s.width, s.width, s.heads * s.width, 1};
    std::vector<tensor> inputs;
    if (s.one_tensor) {
        const tensor all = random_tensor({s.batch, s.queries, row}, seed);
        inputs = {all, all, all};
    } else {
        const dims keys = s.keys_by_rows ? dims{s.batch, s.keys, row} : dims{s.batch, s.heads, s.depth, s.keys};
        inputs = {random_tensor({s.batch, s.queries, row}, seed), random_tensor(keys, seed + 1), random_tensor({s.batch, s.keys, values}, seed + 2)};
    }
    node n{.op = "Attention", .domain = "ocelli",
           .attributes = {{"extents", dims{s.batch, s.heads, s.queries, s.keys, s.depth, s.width}}, {"q", q}, {"k", k}, {"v", v}, {"y", y},
                          {"shape", dims{s.batch, s.queries, s.heads * s.width}}, {"scale", scale}}};
    if (added > 0) {
        n.attributes.push_back({"a", dims{0, 0, s.queries * s.keys, s.keys, 1}});
        inputs.push_back(random_tensor({s.heads, s.queries, s.keys}, seed + 7, -3, 3));
    }
    if (added > 1) {
        n.attributes.push_back({"b", dims{1, s.keys, 0, 0, 1}});
        inputs.push_back(random_tensor({1 + s.batch * s.keys}, seed + 8, -3, 3));
        if (s.keys > 1) inputs.back().mutable_data<float>()[2] = -infinity;
    }
    return run_node(n, inputs);
}

}  // namespace

TEST_CASE("attention agrees with the reference for odd sizes, wherever heads lie") {
    const std::vector<sizes> cases{
        {1, 1, 1, 1, 1, 1},
        {1, 1, 5, 7, 3, 4},
        {1, 3, 9, 17, 8, 8, true},
        {2, 3, 67, 50, 33, 49},
        {2, 3, 67, 50, 33, 49, true},
        {1, 3, 197, 197, 64, 64, false, true},
        {1, 1, 333, 31, 16, 80, true},   // queries in parts
        {1, 2, 70, 1100, 32, 16, true},  // long sums
        {3, 2, 20, 20, 40, 40, false, true},
    };
    const std::vector<float> scales{1.0f, 0.25f, -0.5f};
    unsigned seed = 0;
    for (std::size_t i = 0; i < cases.size(); ++i)
        for (const int added : std::initializer_list<int>{0, 1, 2}) {
            const sizes& s = cases[i];
            CAPTURE(s.heads);
            CAPTURE(s.queries);
            CAPTURE(s.keys);
            CAPTURE(added);
            const result r = attend(s, scales[(i + static_cast<std::size_t>(added)) % scales.size()], seed += 3, added);
            CHECK(r.kernel == "attention");
            CHECK(error_of(r, 1) < 2e-6);
        }
}

TEST_CASE("operands in any order of their axes: queries that lie turned run on the reference, values that do not") {
    const tensor q = random_tensor({6, 5}, 1), k = random_tensor({6, 7}, 2), v = random_tensor({9, 7}, 3);
    const auto run = [&](const dims& from) {
        return run_node({.op = "Attention", .domain = "ocelli",
                         .attributes = {{"extents", dims{5, 7, 6, 9}}, {"q", from}, {"k", dims{0, 7, 1}}, {"v", dims{0, 1, 7}}, {"y", dims{9, 1}}, {"shape", dims{5, 9}}}}, {q, k, v});
    };
    const result turned = run({0, 1, 5}), straight = run({0, 6, 1});
    CHECK(turned.kernel == "attention");
    CHECK(error_of(turned, 1) < 2e-6);
    CHECK(error_of(straight, 1) < 2e-6);
}

TEST_CASE("lines of scores that hold NaN or infinity become NaN, and no others") {
    tensor q = random_tensor({6, 4}, 1), k = random_tensor({4, 40}, 2);
    const tensor v = random_tensor({40, 20}, 3);
    for (int i = 0; i < 24; ++i) q.mutable_data<float>()[i] = 0.5f;
    for (int i = 0; i < 160; ++i) k.mutable_data<float>()[i] = 0.25f;
    q.mutable_data<float>()[4] = qnan;
    q.mutable_data<float>()[9] = infinity;
    q.mutable_data<float>()[13] = -infinity;
    const result r = run_node({.op = "Attention", .domain = "ocelli",
                               .attributes = {{"extents", dims{6, 40, 4, 20}}, {"q", dims{0, 4, 1}}, {"k", dims{0, 40, 1}}, {"v", dims{0, 20, 1}}, {"y", dims{20, 1}}, {"shape", dims{6, 20}}}},
                              {q, k, v});
    for (std::int64_t i = 0; i < 6; ++i)
        for (std::int64_t j = 0; j < 20; ++j) CHECK(std::isnan(r.outputs[0].data<float>()[i * 20 + j]) == (i >= 1 && i <= 3));
}

TEST_CASE("a query whose keys are all masked has no result, the others have theirs; a table across its rows runs on the reference") {
    const tensor q = random_tensor({5, 4}, 1), k = random_tensor({4, 21}, 2), v = random_tensor({21, 6}, 3);
    tensor mask = tensor::zeros(dtype::float32, {5, 21});
    for (int j = 0; j < 21; ++j) mask.mutable_data<float>()[2 * 21 + j] = -infinity;
    for (int j = 3; j < 21; ++j) mask.mutable_data<float>()[3 * 21 + j] = -infinity;
    const auto run = [&](const dims& at, std::int64_t empty_is_zero = 0) {
        return run_node({.op = "Attention", .domain = "ocelli",
                         .attributes = {{"empty_is_zero", empty_is_zero}, {"extents", dims{5, 21, 4, 6}}, {"q", dims{0, 4, 1}}, {"k", dims{0, 21, 1}}, {"v", dims{0, 6, 1}}, {"a", at}, {"y", dims{6, 1}},
                                        {"shape", dims{5, 6}}}},
                        {q, k, v, mask});
    };
    const result r = run({0, 21, 1});
    CHECK(r.kernel == "attention");
    CHECK(error_of(r, 1) < 2e-6);
    for (std::int64_t i = 0; i < 5; ++i) CHECK(std::isnan(r.outputs[0].data<float>()[i * 6]) == (i == 2));
    CHECK(error_of(run({0, 1, 5}), 1) < 2e-6);
    const result zero = run({0, 21, 1}, 1);
    CHECK(zero.kernel == "attention");
    CHECK(error_of(zero, 1) < 2e-6);
    for (std::int64_t i = 12; i < 18; ++i) CHECK(zero.outputs[0].data<float>()[i] == 0.0f);
    CHECK(error_of(run({0, 1, 5}, 1), 1) < 2e-6);
}

TEST_CASE("attention gives the same bits for any number of threads") {
    for (const std::int64_t heads : std::initializer_list<std::int64_t>{1, 3, 9}) {
        const tensor q = random_tensor({heads, 333, 24}, 5), k = random_tensor({heads, 24, 150}, 6), v = random_tensor({heads, 150, 40}, 7);
        tensor one(dtype::float32, {heads, 333, 40}), many = tensor::zeros(dtype::float32, {heads, 333, 40});
        dims places[4];
        for (std::int64_t s = 0; s < heads; ++s) {
            places[0].push_back(s * 333 * 24);
            places[1].push_back(s * 24 * 150);
            places[2].push_back(s * 150 * 40);
            places[3].push_back(s * 333 * 40);
        }
        const auto run = [&](tensor& y) {
            attention({heads, 333, 150, 24, 40, 0.5f}, {q.data<float>(), places[0].data(), 24, 1}, {k.data<float>(), places[1].data(), 150, 1},
                      {v.data<float>(), places[2].data(), 40, 1}, {}, y.mutable_data<float>(), places[3].data(), 40);
        };
        {
            const thread_limit limit(1);
            run(one);
        }
        set_num_threads(4);
        run(many);
        CHECK(std::memcmp(one.raw(), many.raw(), one.bytes()) == 0);
    }
    attention({}, {}, {}, {}, {}, nullptr, nullptr, 0);
}
