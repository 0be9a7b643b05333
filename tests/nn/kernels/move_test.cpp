// ctest: per_isa
#include <support/nodes.hpp>
#include <support/tensors.hpp>

#include <ocelli/nn/kernels/move.hpp>

#include <algorithm>
#include <numeric>

using namespace nodes;

TEST_CASE("transpositions put every element where the reference does") {
    unsigned seed = 1;
    const dims shapes[] = {{1}, {5, 3}, {64, 64}, {67, 129}, {2, 37, 3}, {2, 3, 41, 17}, {3, 16, 5, 33}, {2, 3, 4, 5, 6}, {1, 1280, 7, 7}, {1, 12, 10, 21}, {7, 200}, {3, 70}, {3, 40, 6, 10}, {2, 50, 3, 5}, {40, 2, 9, 13}};
    for (const dims& shape : shapes) {
        std::vector<std::int64_t> perm(shape.size());
        std::iota(perm.begin(), perm.end(), 0);
        int count = 0;
        do {
            CAPTURE(perm);
            tensor x = random_tensor(shape, ++seed);
            x.mutable_data<float>()[0] = qnan;
            const result r = run_node({.op = "Transpose", .attributes = {{"perm", perm}}}, {x});
            CHECK(r.kernel == "move_transpose");
            CHECK(error_of(r, 1e-30) == 0);
        } while (std::next_permutation(perm.begin(), perm.end()) && ++count < 40);
        CHECK(error_of(run_node({.op = "Transpose"}, {random_tensor(shape, ++seed)}), 1e-30) == 0);
    }
}

TEST_CASE("concatenation and splitting agree with the reference along every axis") {
    unsigned seed = 1;
    for (std::int64_t axis = -3; axis < 3; ++axis)
        for (const bool wide : {false, true}) {
            std::vector<tensor> parts;
            dims whole{3, 5, wide ? 700 : 1};
            const std::size_t at = static_cast<std::size_t>((axis + 3) % 3);
            whole[at] = 0;
            for (const std::int64_t extent : {1, 0, 4, 19}) {
                dims shape = whole;
                shape[at] = extent;
                parts.push_back(random_tensor(shape, ++seed));
            }
            const result r = run_node({.op = "Concat", .attributes = {{"axis", axis}}}, parts);
            CHECK(r.kernel == "move_concat");
            CHECK(error_of(r, 1e-30) == 0);
            const result split = run_node({.op = "Split", .attributes = {{"axis", axis}}}, {r.outputs[0], tensor::ints(std::vector<std::int64_t>{1, 0, 4, 19})}, {}, 13, 4);
            for (std::size_t i = 0; i < 4; ++i) {
                CHECK(error_of(split, 1e-30, i) == 0);
                CHECK(split.outputs[i].shape() == parts[i].shape());
            }
            const result equal = run_node({.op = "Split", .attributes = {{"axis", axis}, {"num_outputs", std::int64_t{5}}}}, {r.outputs[0]}, {}, 18, 5);
            for (std::size_t i = 0; i < 5; ++i) CHECK(error_of(equal, 1e-30, i) == 0);
        }
    CHECK_THROWS_AS(run_node({.op = "Concat", .attributes = {{"axis", std::int64_t{0}}}}, {random_tensor({2, 3}, 1), random_tensor({2, 4}, 2)}), invalid_argument);
    CHECK_THROWS_AS(run_node({.op = "Split", .attributes = {{"axis", std::int64_t{0}}}}, {random_tensor({3}, 1), tensor::ints(std::vector<std::int64_t>{1, 1})}, {}, 13, 2), invalid_argument);
}

TEST_CASE("some of a few columns, cut out and put together, agree with the reference") {
    unsigned seed = 1;
    for (const std::int64_t wide : std::initializer_list<std::int64_t>{2, 4})
        for (const std::int64_t rows : std::initializer_list<std::int64_t>{1, 15, 301, 20000}) {
            const tensor x = random_tensor({1, rows, wide}, ++seed), y = random_tensor({1, rows, wide}, ++seed);
            const result joined = run_node({.op = "Concat", .attributes = {{"axis", std::int64_t{2}}}}, {x, y});
            CHECK(error_of(joined, 1e-30) == 0);
            const result cut = run_node({.op = "Slice"}, {joined.outputs[0], tensor::ints(std::vector<std::int64_t>{1}), tensor::ints(std::vector<std::int64_t>{1 + wide}),
                                                          tensor::ints(std::vector<std::int64_t>{2})});
            CHECK(cut.kernel == "move_slice");
            CHECK(error_of(cut, 1e-30) == 0);
        }
}

TEST_CASE("slices agree with the reference for bounds inside and outside, and steps") {
    std::mt19937 random(1);
    const auto pick = ocelli_test::whole_numbers(random);
    for (unsigned i = 0; i < 120; ++i) {
        const tensor x = random_tensor({pick(1, 5), pick(1, 9), pick(1, 70)}, i);
        std::vector<std::int64_t> starts, ends, axes, steps;
        for (std::int64_t a = 0; a < 3; ++a) {
            if (pick(0, 1) == 0) continue;
            axes.push_back(pick(0, 1) == 0 ? a : a - 3);
            starts.push_back(pick(-80, 80));
            ends.push_back(pick(0, 3) == 0 ? std::numeric_limits<std::int64_t>::max() : pick(-80, 80));
            steps.push_back(pick(0, 3) == 0 ? -pick(1, 3) : pick(1, 4));
        }
        const result r = run_node({.op = "Slice"}, {x, tensor::ints(starts), tensor::ints(ends), tensor::ints(axes), tensor::ints(steps)});
        CAPTURE(i);
        CHECK(r.kernel == "move_slice");
        CHECK(error_of(r, 1e-30) == 0);
    }
}

TEST_CASE("repeating, gathering and padding agree with the reference") {
    const auto ints = [](std::vector<std::int64_t> v) { return tensor::ints(v); };
    const tensor x = random_tensor({3, 1, 33}, 1);
    for (const auto& shape : {ints({3, 7, 33}), ints({2, 3, 4, 33}), ints({1}), ints({3, 0, 33})}) {
        const result r = run_node({.op = "Expand"}, {x, shape});
        CHECK(r.kernel == "move_repeat");
        CHECK(error_of(r, 1e-30) == 0);
    }
    for (const auto& repeats : {ints({2, 3, 1}), ints({1, 1, 5}), ints({0, 1, 1}), ints({2, 20, 3})}) CHECK(error_of(run_node({.op = "Tile"}, {x, repeats}), 1e-30) == 0);
    const tensor table = random_tensor({4, 9, 17}, 2);
    for (std::int64_t axis = -3; axis < 3; ++axis) {
        const result r = run_node({.op = "Gather", .attributes = {{"axis", axis}}}, {table, tensor::from<std::int64_t>({2, 3}, {0, -1, 2, 3, 1, -4})});
        CHECK(r.kernel == "move_gather");
        CHECK(error_of(r, 1e-30) == 0);
    }
    CHECK(error_of(run_node({.op = "Gather"}, {table, tensor::scalar(std::int64_t{2})}), 1e-30) == 0);
    CHECK_THROWS_AS(run_node({.op = "Gather"}, {table, tensor::scalar(std::int64_t{4})}), invalid_argument);
    // Rows and numbers that a mask has found.
    for (const dims& shape : {dims{4, 5, 6}, dims{70000}}) {
        const tensor data = random_tensor(shape, 4), places = tensor::from<std::int64_t>({3, 1}, {3, -1, 0});
        const result r = run_node({.op = "GatherND"}, {data, places});
        CHECK(r.kernel == "move_gather");
        CHECK(error_of(r, 1e-30) == 0);
        CHECK_THROWS_AS(run_node({.op = "GatherND"}, {data, tensor::from<std::int64_t>({1, 1}, {shape[0]})}), invalid_argument);
    }
    CHECK(error_of(run_node({.op = "GatherND"}, {table, tensor::from<std::int64_t>({2, 2}, {0, 1, -1, 0})}), 1e-30) == 0);
    for (const auto& pads : {ints({0, 1, 2, 3, 4, 5}), ints({0, 0, 0, 0, 0, 0}), ints({-1, 2, -3, 0, -4, 20}), ints({-4, 0, 0, 0, 0, 0}), ints({-3, 1, 0, -1, 0, 0})}) {
        const result r = run_node({.op = "Pad"}, {table, pads, tensor::scalar(0.5f)});
        CHECK(r.kernel == "move_pad");
        CHECK(error_of(r, 1e-30) == 0);
    }
    CHECK(error_of(run_node({.op = "Pad"}, {table, ints({1, 2}), tensor(), ints({-1})}), 1e-30) == 0);
}

TEST_CASE("fills agree with the reference") {
    for (const auto& shape : {std::vector<std::int64_t>{3, 5, 7}, std::vector<std::int64_t>{100003}, std::vector<std::int64_t>{}, std::vector<std::int64_t>{4, 0}})
        for (const float value : {0.0f, -2.5f, qnan}) {
            const result r = run_node({.op = "ConstantOfShape", .attributes = {{"value", tensor::from<float>({1}, {value})}}}, {tensor::ints(shape)});
            CHECK(r.kernel == "move_fill");
            CHECK(r.outputs[0].shape() == dims(shape));
            CHECK(error_of(r, 1e-30) == 0);
        }
    CHECK(run_node({.op = "ConstantOfShape"}, {tensor::ints(std::vector<std::int64_t>{2})}).kernel == "move_fill");
    CHECK_THROWS_AS(run_node({.op = "ConstantOfShape"}, {tensor::ints(std::vector<std::int64_t>{2, -1})}), invalid_argument);
}

TEST_CASE("rows that are scattered agree with the reference: into data, into a value, one scatter after the other") {
    const auto rows = [](std::vector<std::int64_t> v) { return tensor::from<std::int64_t>({static_cast<std::int64_t>(v.size()), 1, 1}, v); };
    const auto ints = [](std::vector<std::int64_t> v) { return tensor::ints(v); };
    const tensor data = random_tensor({7, 5, 33}, 1), value = tensor::from<float>({1}, {0.5f});
    const tensor two = random_tensor({2, 5, 33}, 2), three = random_tensor({3, 5, 33}, 3), none = random_tensor({0, 5, 33}, 4), part = random_tensor({2, 4, 33}, 5);
    const node into_data{.op = "ScatterRows", .domain = "ocelli"}, into_value{.op = "ScatterRows", .domain = "ocelli", .attributes = {{"value", value}}};
    for (const bool filled : {false, true}) {
        const node& n = filled ? into_value : into_data;
        const tensor first = filled ? ints({7, 5, 33}) : data;
        const result r = run_node(n, {first, rows({6, -7}), two, ints({2, 5, 33}), rows({0, 3, 3}), three, ints({1, 5, 33}), rows({}), none, ints({0, 5, 33})});
        CHECK(r.kernel == "move_rows");
        CHECK(error_of(r, 1e-30) == 0);
        CHECK(r.outputs[0].data<float>()[3 * 165 + 7] == three.data<float>()[2 * 165 + 7]);  // the last wins
        // What the kernel is not made for: parts of rows.
        CHECK(error_of(run_node(n, {first, rows({6, 1}), part, ints({2, 4, 33}), rows({1, 2}), two, ints({2, 5, 33})}), 1e-30) == 0);
        const tensor one = random_tensor({1, 5, 33}, 6);
        for (const tensor& place : {tensor::scalar(std::int64_t{-2}), tensor::ints(std::vector<std::int64_t>{4})}) {  // one number for all
            const result single = run_node(n, {first, place, one, ints({1, 5, 33})});
            CHECK(single.kernel == "move_rows");
            CHECK(error_of(single, 1e-30) == 0);
            CHECK(error_of(run_node(n, {first, place, two, ints({2, 5, 33})}), 1e-30) == 0);
        }
        CHECK_THROWS_AS(run_node(n, {first, rows({6, 7}), two, ints({2, 5, 33})}), invalid_argument);
        CHECK_THROWS_AS(run_node(n, {first, rows({6, 1}), three, ints({2, 5, 33})}), invalid_argument);
    }
}
