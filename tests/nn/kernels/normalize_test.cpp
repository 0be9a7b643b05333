// ctest: per_isa
#include <support/nodes.hpp>

#include <ocelli/nn/kernels/blocked.hpp>
#include <ocelli/nn/kernels/normalize.hpp>

using namespace nodes;

namespace {

// Far from zero: where sums lose digits.
tensor shifted(dims shape, unsigned seed) {
    return random_tensor(std::move(shape), seed, 2.0f, 6.0f);
}

}  // namespace

TEST_CASE("layer normalisation agrees with the reference in double, with its statistics") {
    unsigned seed = 1;
    for (const auto& [x, axis] : {std::pair<dims, std::int64_t>{{1, 1}, -1}, {{3, 7}, -1}, {{2, 5, 768}, -1}, {{2, 5, 33}, 1}, {{4, 3, 1021}, 2}, {{2, 3, 9, 17}, 1}})
        for (const bool bias : {true, false}) {
            const dims& extents = x;  // structured bindings do not go into CAPTURE
            CAPTURE(extents);
            const std::size_t first = static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(x.size()) : axis);
            const dims parameter(x.begin() + static_cast<std::ptrdiff_t>(first), x.end());
            std::vector<tensor> inputs{shifted(x, ++seed), random_tensor(parameter, ++seed)};
            if (bias) inputs.push_back(random_tensor(parameter, ++seed));
            const result r = run_node({.op = "LayerNormalization", .attributes = {{"axis", axis}}}, inputs, {}, 17, 3);
            CHECK(r.kernel == "layer_normalize");
            CHECK(error_of(r, 1.0) < 3e-6);
            for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
                REQUIRE(r.outputs[i].shape() == r.expected[i].shape());
                for (std::int64_t k = 0; k < r.outputs[i].size(); ++k)
                    CHECK(static_cast<double>(r.outputs[i].data<float>()[k]) == doctest::Approx(static_cast<double>(r.expected[i].data<float>()[k])).epsilon(1e-5));
            }
        }
}

TEST_CASE("a row with NaN becomes NaN, and its neighbours do not") {
    tensor x = random_tensor({3, 40}, 1);
    x.mutable_data<float>()[45] = qnan;
    x.mutable_data<float>()[85] = infinity;
    const result r = run_node({.op = "LayerNormalization"}, {x, random_tensor({40}, 2)}, {}, 17);
    for (std::int64_t i = 0; i < 120; ++i) CHECK(ocelli::detail::is_nan(r.outputs[0].data<float>()[i]) == (i >= 40));
}

TEST_CASE("instance and group normalisation agree with the reference in double") {
    unsigned seed = 1;
    for (const dims& x : {dims{1, 1, 1}, dims{2, 3, 5}, dims{1, 6, 7, 9}, dims{2, 12, 33, 31}, dims{1, 4, 3, 5, 7}}) {
        CAPTURE(x);
        const tensor scale = random_tensor({x[1]}, ++seed), bias = random_tensor({x[1]}, ++seed);
        // A single element has no deviation: epsilon alone divides.
        const result r = run_node({.op = "InstanceNormalization", .attributes = {{"epsilon", 1e-3f}}}, {shifted(x, ++seed), scale, bias});
        CHECK(r.kernel == "instance_normalize");
        CHECK(error_of(r, 1.0) < 5e-6);
        const std::int64_t groups = x[1] % 3 == 0 ? 3 : 1;
        const result group = run_node({.op = "GroupNormalization", .attributes = {{"num_groups", groups}}}, {shifted(x, ++seed), scale, bias}, {}, 21);
        CHECK(error_of(group, 1.0) < 5e-6);
        const result by_group =
            run_node({.op = "GroupNormalization", .attributes = {{"num_groups", groups}}}, {shifted(x, ++seed), random_tensor({groups}, ++seed), random_tensor({groups}, ++seed)}, {}, 18);
        CHECK(error_of(by_group, 1.0) < 5e-6);
    }
}

TEST_CASE("instance normalisation of blocks agrees with that of planes, and unused lanes stay zero") {
    const std::int64_t lanes = block_lanes();
    for (const std::int64_t channels : {std::int64_t{1}, lanes, 2 * lanes + 3})
        for (const std::int64_t pixels : {std::int64_t{1}, std::int64_t{35}, std::int64_t{1100}}) {
            const std::int64_t blocks = block_count(channels, lanes);
            const tensor x = shifted({2, channels, pixels}, 1), scale = random_tensor({channels}, 2), bias = random_tensor({channels}, 3);
            tensor expected(dtype::float32, x.shape()), whole_scale = tensor::zeros(dtype::float32, {blocks * lanes}), whole_bias = whole_scale.clone();
            std::copy_n(scale.data<float>(), channels, whole_scale.mutable_data<float>());
            std::copy_n(bias.data<float>(), channels, whole_bias.mutable_data<float>());
            instance_normalize(2, channels, 1, pixels, 1e-3, scale.data<float>(), bias.data<float>(), x.data<float>(), expected.mutable_data<float>());
            std::vector<float> xb(static_cast<std::size_t>(2 * blocks * pixels * lanes)), yb(xb.size()), y(static_cast<std::size_t>(x.size()));
            to_blocks(2, channels, pixels, x.data<float>(), xb.data());
            blocked_instance_normalize(2, blocks, pixels, 1e-3, whole_scale.data<float>(), whole_bias.data<float>(), xb.data(), yb.data());
            from_blocks(2, channels, pixels, yb.data(), y.data());
            for (std::size_t i = 0; i < y.size(); ++i) CHECK(y[i] == doctest::Approx(expected.data<float>()[i]).epsilon(1e-5));
            for (std::int64_t c = channels; c < blocks * lanes; ++c) CHECK(yb[static_cast<std::size_t>((c / lanes) * pixels * lanes + c % lanes)] == 0.0f);
        }
}

TEST_CASE("batch normalisation with constant parameters is a scale and a shift") {
    unsigned seed = 1;
    for (const dims& x : {dims{3, 5}, dims{2, 5, 7}, dims{2, 19, 9, 11}, dims{1, 2, 3, 4, 5}}) {
        CAPTURE(x);
        std::vector<tensor> inputs{random_tensor(x, ++seed)};
        for (int i = 0; i < 3; ++i) inputs.push_back(random_tensor({x[1]}, ++seed));
        inputs.push_back(random_tensor({x[1]}, ++seed, 0.5f, 2.0f));
        const result r = run_node({.op = "BatchNormalization"}, inputs, {1, 2, 3, 4});
        CHECK(r.kernel == "scale_channels");
        CHECK(error_of(r, 1.0) < 1e-6);
    }
}

TEST_CASE("means and sums over last axes agree with the reference") {
    const tensor x = shifted({2, 3, 17, 41}, 1);
    for (const std::vector<std::int64_t>& axes : {std::vector<std::int64_t>{-1}, {2, 3}, {3}, {1, 2, 3}, {0, 1, 2, 3}, {1}, {0, 2}})
        for (const std::int64_t keep : {0, 1}) {
            CAPTURE(axes);
            const result mean = run_node({.op = "ReduceMean", .attributes = {{"axes", axes}, {"keepdims", keep}}}, {x}, {}, 13);
            CHECK(mean.kernel == "row_mean");
            CHECK(error_of(mean, 0.0) < 2e-6);
            const result sum = run_node({.op = "ReduceSum", .attributes = {{"keepdims", keep}}}, {x, tensor::ints(axes)}, {1}, 13);
            CHECK(sum.kernel == "row_sum");
            CHECK(error_of(sum, 0.0) < 2e-6);
        }
    for (const char* op : {"ReduceMax", "ReduceMin", "GlobalMaxPool"})
        for (const std::int64_t n : std::initializer_list<std::int64_t>{4, 15, 16, 67, 300}) {
            CAPTURE(std::string(op));
            CAPTURE(n);
            tensor rows = random_tensor({3, 5, n}, static_cast<unsigned>(n));
            const float special[] = {qnan, infinity, -infinity};
            for (std::int64_t i = 0; i < 12; ++i) rows.mutable_data<float>()[i * n + i * 5 % n] = special[i % 3];
            const bool pooled = std::string(op) == "GlobalMaxPool";
            const result r = pooled ? run_node({.op = op}, {rows}) : run_node({.op = op}, {rows, tensor::ints(std::vector<std::int64_t>{-1})}, {1}, 18);
            CHECK(r.kernel == (std::string(op) == "ReduceMin" ? "row_min" : "row_max"));
            CHECK(error_of(r, 1e-30) == 0);
        }
    for (const char* op : {"ReduceMax", "ReduceMin", "ReduceSum", "ReduceMean", "ReduceL2", "ReduceSumSquare"})
        for (const auto& [shape, axes] : {std::pair<dims, std::vector<std::int64_t>>{{3, 5, 4}, {1}}, {{1, 130, 33}, {1}}, {{2, 3, 5, 1, 17}, {1, 2}}, {{7, 1100}, {0}}, {{2, 300, 9}, {-2}}}) {
            const dims& extents = shape;  // structured bindings do not go into CAPTURE
            CAPTURE(std::string(op));
            CAPTURE(extents);
            tensor planes = random_tensor(shape, static_cast<unsigned>(shape.back()));
            const bool extreme = std::string(op) == "ReduceMax" || std::string(op) == "ReduceMin";
            if (extreme) planes.mutable_data<float>()[2] = qnan;
            const result r = run_node({.op = op}, {planes, tensor::ints(axes)}, {1}, 18);
            CHECK(r.kernel.starts_with("row_"));
            CHECK(error_of(r, 1.0) < (extreme ? 1e-30 : 3e-6));
        }
    for (const char* op : {"ReduceL2", "ReduceSumSquare"})
        for (const dims& shape : {dims{3, 5, 4}, dims{7, 33}, dims{1, 5000}}) {
            CAPTURE(std::string(op));
            CAPTURE(shape);
            const result r = run_node({.op = op, .attributes = {{"keepdims", std::int64_t{0}}}}, {random_tensor(shape, 5), tensor::ints(std::vector<std::int64_t>{-1})}, {1}, 18);
            CHECK(r.kernel == (std::string(op) == "ReduceL2" ? "row_length" : "row_squares"));
            CHECK(error_of(r, 0.0) < 2e-6);
        }
    const result pool = run_node({.op = "GlobalAveragePool"}, {x});
    CHECK(pool.kernel == "row_mean");
    CHECK(error_of(pool, 0.0) < 1e-6);
}
