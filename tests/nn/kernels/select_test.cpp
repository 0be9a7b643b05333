// ctest: per_isa
#include <support/nodes.hpp>

#include <ocelli/nn/kernels/select.hpp>

#include <algorithm>
#include <array>

using namespace nodes;

TEST_CASE("Where agrees with the reference for operands that are dense, numbers, and stretched along any axes") {
    unsigned seed = 0;
    std::mt19937 random(7);
    const std::vector<std::array<dims, 3>> cases{{{{5}, {5}, {5}}},
                                                 {{{2, 3, 67}, {2, 3, 67}, {2, 3, 67}}},
                                                 {{{3, 40000}, {3, 40000}, {}}},
                                                 {{{3, 4000}, {1}, {3, 4000}}},
                                                 {{{33}, {}, {}}},
                                                 {{{}, {4, 33}, {33}}},
                                                 {{{2, 1, 17, 19}, {2, 5, 17, 19}, {1, 1, 1, 1}}},
                                                 {{{4, 1}, {4, 37}, {1, 37}}},
                                                 {{{1, 37}, {4, 1}, {3, 4, 37}}},
                                                 {{{2, 1, 3, 1, 2, 1, 3}, {1, 2, 1, 3, 1, 2, 1}, {1}}},
                                                 {{{0, 3}, {1, 3}, {3}}}};
    for (const auto& shapes : cases) {
        tensor condition(dtype::boolean, shapes[0]);
        for (std::int64_t i = 0; i < condition.size(); ++i) condition.mutable_data<bool>()[i] = random() % 2 == 0;
        tensor a = random_tensor(shapes[1], ++seed);
        a.mutable_data<float>()[0] = qnan;
        const result r = run_node({.op = "Where"}, {condition, a, random_tensor(shapes[2], ++seed)});
        CAPTURE(shapes[0]);
        CAPTURE(shapes[1]);
        CAPTURE(shapes[2]);
        CHECK(r.kernel == "select");
        CHECK(error_of(r, 1e-30) == 0);
    }
    // More axes than the kernel takes.
    const dims shape{2, 1, 2, 1, 2, 1, 2, 1, 2, 1}, other{1, 2, 1, 2, 1, 2, 1, 2, 1, 2};
    CHECK(error_of(run_node({.op = "Where"}, {tensor::zeros(dtype::boolean, shape), random_tensor(other, 1), random_tensor(shape, 2)}), 1e-30) == 0);
    CHECK_THROWS_AS(run_node({.op = "Where"}, {tensor::zeros(dtype::boolean, {2}), random_tensor({3}, 1), random_tensor({3}, 2)}), invalid_argument);
}

TEST_CASE("comparisons agree with the reference for operands that are dense, numbers, and stretched along any axes; NaN is not equal to itself") {
    unsigned seed = 0;
    const std::vector<std::array<dims, 2>> cases{{{{5}, {5}}},       {{{2, 3, 67}, {2, 3, 67}}}, {{{3, 40000}, {}}}, {{{1}, {3, 4000}}}, {{{}, {}}},
                                                 {{{4, 1}, {1, 37}}}, {{{1, 37}, {3, 4, 1}}},     {{{0, 3}, {3}}},    {{{2, 1, 2, 1, 2, 1, 2, 1, 2, 1}, {1, 2, 1, 2, 1, 2, 1, 2, 1, 2}}}};
    for (const char* op : {"Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"})
        for (const auto& shapes : cases) {
            CAPTURE(std::string(op));
            CAPTURE(shapes[0]);
            CAPTURE(shapes[1]);
            tensor a = random_tensor(shapes[0], ++seed, -3, 3), b = random_tensor(shapes[1], ++seed, -3, 3);
            const float special[] = {qnan, infinity, -infinity, 0.0f, -0.0f};
            for (tensor* t : std::initializer_list<tensor*>{&a, &b})
                for (std::int64_t i = 0; i < t->size(); ++i) {
                    float& v = t->mutable_data<float>()[i];
                    v = i % 17 < 5 && t->size() > 5 ? special[i % 17] : std::round(v);  // many equal ones
                }
            const result r = run_node({.op = op}, {a, b});
            CHECK(r.kernel == "compare");
            REQUIRE(r.outputs[0].shape() == r.expected[0].shape());
            CHECK(std::equal(r.outputs[0].data<bool>(), r.outputs[0].data<bool>() + r.outputs[0].size(), r.expected[0].data<bool>()));
        }
    CHECK_THROWS_AS(run_node({.op = "Less"}, {random_tensor({2}, 1), random_tensor({3}, 2)}), invalid_argument);
}

TEST_CASE("ArgMax and ArgMin agree with the reference: the first of equal ones, NaN before all") {
    unsigned seed = 0;
    for (const char* op : {"ArgMax", "ArgMin"})
        for (const dims& shape : {dims{3, 7, 200}, dims{1, 21, 16, 17}, dims{2, 1, 67}, dims{5, 4}, dims{2, 300, 3, 33}, dims{4, 9, 2}, dims{3, 1000}, dims{1, 70003}, dims{7, 64}})
            for (const std::int64_t last : std::initializer_list<std::int64_t>{0, 1}) {
                CAPTURE(std::string(op));
                CAPTURE(shape);
                tensor x = random_tensor(shape, ++seed, -3, 3);
                float* p = x.mutable_data<float>();
                const float special[] = {qnan, infinity, -infinity, 0.0f, -0.0f};
                for (std::int64_t i = 0; i < x.size(); ++i) p[i] = i % 29 < 5 ? special[i % 29] : std::round(p[i]);  // many equal ones
                for (const std::int64_t axis : std::initializer_list<std::int64_t>{0, 1, -1}) {
                    const node n{.op = op, .attributes = {{"axis", axis}, {"keepdims", std::int64_t{axis != 0}}, {"select_last_index", last}}};
                    const result r = run_node(n, {x});
                    CHECK(r.kernel == (std::string(op) == "ArgMax" ? "arg_max" : "arg_min"));
                    REQUIRE(r.outputs[0].shape() == r.expected[0].shape());
                    CHECK(std::equal(r.outputs[0].data<std::int64_t>(), r.outputs[0].data<std::int64_t>() + r.outputs[0].size(), r.expected[0].data<std::int64_t>()));
                }
            }
}
