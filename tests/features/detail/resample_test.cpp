// ctest: per_isa
#include <support/nodes.hpp>

#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/kernels/blocked.hpp>
#include <ocelli/features/detail/resample.hpp>
#include <ocelli/nn/session.hpp>

#include <algorithm>

using namespace nodes;

TEST_CASE("bilinear sampling agrees with the reference inside, outside and at the border of images") {
    unsigned seed = 1;
    for (const auto& [x, grid] : {std::pair<dims, dims>{{1, 1, 1, 1}, {1, 3, 2, 2}}, {{5, 1, 6, 9}, {5, 7, 7, 2}}, {{70, 1, 4, 5}, {70, 7, 7, 2}}, {{2, 3, 17, 1}, {2, 1, 1, 2}},
                                  {{2, 19, 8, 13}, {2, 20, 30, 2}}})
        for (const char* padding : {"zeros", "border"})
            for (const std::int64_t align : {0, 1}) {
                const dims& extents = x;  // structured bindings do not go into CAPTURE
                CAPTURE(extents);
                CAPTURE(std::string(padding));
                CAPTURE(align);
                tensor places = random_tensor(grid, ++seed, -1.5f, 1.5f);
                float* p = places.mutable_data<float>();
                const float edges[] = {-1, -1, 1, 1, qnan, 0, 0, infinity, -infinity, 0, 1e20f, 0.5f};
                for (std::size_t i = 0; i < std::min(std::size(edges), static_cast<std::size_t>(places.size())); ++i) p[i] = edges[i];
                const result r = run_node({.op = "GridSample", .attributes = {{"padding_mode", std::string(padding)}, {"align_corners", align}}}, {random_tensor(x, ++seed), places});
                CHECK(r.kernel == "grid_sample");
                // Places are rounded to float: an error of their last bit times the slope between pixels.
                CHECK(error_of(r, 1.0) < 3e-6);
            }
}

TEST_CASE("pixels outside count as zero even where they stand beside infinity") {
    const tensor x = tensor::from<float>({1, 1, 1, 2}, {1, infinity});
    const result r = run_node({.op = "GridSample"}, {x, tensor::from<float>({1, 1, 1, 2}, {-1.0f, 0.0f})});
    CHECK(error_of(r, 1e-3) < 1e-6);
}

TEST_CASE("regions agree with the reference: averages and maxima, both rules of coordinates, adaptive and fixed samples") {
    const tensor x = random_tensor({2, 19, 13, 17}, 1), images = tensor::ints(std::vector<std::int64_t>{0, 1, 1, 0});
    const tensor rois = tensor::from<float>({4, 4}, {1.5f, 2.0f, 30.0f, 20.0f, -4.0f, -3.0f, 8.0f, 9.0f, 5.0f, 5.0f, 5.0f, 5.0f, 25.0f, 1.0f, 60.0f, 22.5f});
    for (const char* mode : {"avg", "max"})
        for (const char* rule : {"half_pixel", "output_half_pixel"})
            for (const std::int64_t ratio : std::initializer_list<std::int64_t>{0, 2}) {
                CAPTURE(std::string(mode));
                CAPTURE(std::string(rule));
                CAPTURE(ratio);
                const node n{.op = "RoiAlign", .attributes = {{"mode", std::string(mode)}, {"coordinate_transformation_mode", std::string(rule)}, {"sampling_ratio", ratio},
                                                              {"output_height", std::int64_t{5}}, {"output_width", std::int64_t{3}}, {"spatial_scale", 0.5f}}};
                const result r = run_node(n, {x, rois, images});
                CHECK(r.kernel == "roi_align");
                CHECK(error_of(r, 1.0) < 3e-6);
                CHECK(run_node(n, {x, tensor::zeros(dtype::float32, {0, 4}), tensor::zeros(dtype::int64, {0})}).outputs[0].size() == 0);
                CHECK_THROWS_AS(run_node(n, {x, rois, tensor::ints(std::vector<std::int64_t>{0, 1, 2, 0})}), invalid_argument);
            }
}

TEST_CASE("resizing agrees with the reference in double over modes, coordinates and scales") {
    unsigned seed = 1;
    for (const char* mode : {"nearest", "linear", "cubic"})
        for (const char* coordinates : {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"})
            for (const auto& [x, out] : {std::pair<dims, dims>{{1, 1, 1, 1}, {1, 1, 3, 2}}, {{2, 3, 7, 9}, {2, 3, 14, 18}}, {{1, 2, 13, 20}, {1, 2, 5, 67}}, {{1, 5, 40, 33}, {1, 5, 40, 20}},
                                         {{1, 3, 8}, {1, 3, 21}}, {{1, 2, 65, 65}, {1, 2, 130, 260}}})
                for (const std::int64_t antialias : {0, 1}) {
                    if (antialias == 1 && std::string(mode) == "nearest") continue;
                    CAPTURE(std::string(mode));
                    CAPTURE(std::string(coordinates));
                    const dims& wanted = out;
                    CAPTURE(wanted);
                    const result r = run_node({.op = "Resize",
                                               .attributes = {{"mode", std::string(mode)}, {"coordinate_transformation_mode", std::string(coordinates)}, {"antialias", antialias}}},
                                              {random_tensor(x, ++seed), tensor(), tensor(), tensor::ints(out)}, {3});
                    CHECK(r.kernel == (std::string(mode) == "nearest" ? "resize_nearest" : "resize_taps"));
                    CHECK(error_of(r, 0.3) < 3e-6);
                }
}

TEST_CASE("images in blocks resize as planes do") {
    ocelli::detail::tap_table<float> rows{3, 5, 2, {0, 0, 1, 1, 2, 0, 1, 2, 2, 2}, {1, 0.5f, 0.25f, 0, 1, 0, 0.5f, 0.75f, 1, 0}};
    ocelli::detail::tap_table<float> columns{4, 3, 2, {0, 1, 2, 1, 3, 3}, {0.5f, 1, 0.125f, 0.5f, 0, 0.875f}};
    for (const std::int64_t inner : {1, 3, 4, 8, 16}) {
        const tensor x = random_tensor({2, 3, 4, inner}, 5);
        tensor y(dtype::float32, {2, 5, 3, inner}), nearest(dtype::float32, {2, 5, 3, inner});
        ocelli::detail::resize_weighted(2, rows, columns, inner, x.data<float>(), y.mutable_data<float>());
        ocelli::detail::tap_table<float> row = rows, column = columns;
        row.count = column.count = 1;
        row.source = {0, 0, 1, 2, 2};
        column.source = {0, 3, 3};
        ocelli::detail::resize_copied(2, row, column, inner, x.data<float>(), nearest.mutable_data<float>());
        for (std::int64_t n = 0; n < 2; ++n)
            for (std::size_t i = 0; i < 5; ++i)
                for (std::size_t j = 0; j < 3; ++j)
                    for (std::int64_t c = 0; c < inner; ++c) {
                        double sum = 0;
                        const auto pixel = [&](std::int64_t v, std::int64_t u) { return x.data<float>()[((n * 3 + v) * 4 + u) * inner + c]; };
                        for (std::size_t a = 0; a < 2; ++a)
                            for (std::size_t b = 0; b < 2; ++b)
                                sum += static_cast<double>(rows.weight[5 * a + i]) * static_cast<double>(columns.weight[3 * b + j]) *
                                       static_cast<double>(pixel(rows.source[5 * a + i], columns.source[3 * b + j]));
                        const std::int64_t at = ((n * 5 + static_cast<std::int64_t>(i)) * 3 + static_cast<std::int64_t>(j)) * inner + c;
                        CHECK(std::abs(static_cast<double>(y.data<float>()[at]) - sum) < 1e-6);
                        CHECK(nearest.data<float>()[at] == pixel(row.source[i], column.source[j]));
                    }
    }
}

TEST_CASE("between convolutions, resizing and normalisation run on blocks and agree with the reference") {
    const std::int64_t lanes = block_lanes();
    for (const std::int64_t channels : {2 * lanes, 2 * lanes - 1})
        for (const char* mode : {"nearest", "linear"}) {
            graph g;
            g.opsets[""] = 13;
            const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{2, 3, 9, 11}, {}});
            g.inputs = {x};
            unsigned seed = 1;
            const auto convolution = [&](value_id from, std::int64_t in) {
                const value_id y = g.add_value("");
                g.add_node({.name = "conv", .op = "Conv", .attributes = {{"pads", dims{1, 1, 1, 1}}}, .inputs = {from, g.add_constant("", random_tensor({channels, in, 3, 3}, ++seed, -0.3f, 0.3f))},
                            .outputs = {y}});
                return y;
            };
            const auto add = [&](node n, std::vector<value_id> inputs) {
                n.name = n.op;
                n.inputs = std::move(inputs);
                n.outputs = {g.add_value("")};
                g.add_node(n);
                return n.outputs[0];
            };
            const auto row = [&](float low) { return g.add_constant("", random_tensor({channels}, ++seed, low, 1.0f)); };
            const value_id scales = g.add_constant("", tensor::from<float>({4}, {1, 1, 2, 1.5f}));
            value_id v = add({.op = "InstanceNormalization"}, {convolution(x, 3), row(-1), row(-1)});
            v = add({.op = "Resize", .attributes = {{"mode", std::string(mode)}}}, {v, no_value, scales});
            // Behind something else than a convolution, so that it is not folded.
            v = add({.op = "BatchNormalization"}, {v, row(-1), row(-1), row(-1), row(0.5f)});
            v = convolution(add({.op = "Relu"}, {v}), channels);
            g.at(v).name = "y";
            g.outputs = {v};
            infer_facts(g);
            const tensor feed = random_tensor({2, 3, 9, 11}, 99);
            const tensor expected = evaluate(g, {{"x", feed}})["y"];
            const session s(g);
            const std::string rewritten = text(s.lowered());
            for (const char* op : {"InstanceNormalization", "Resize", "BatchNormalization"}) {
                CAPTURE(std::string(op));
                CHECK(rewritten.find("ocelli.blocked." + std::string(op)) != std::string::npos);
            }
            const tensor got = s.run({{"x", feed}})["y"];
            REQUIRE(got.shape() == expected.shape());
            for (std::int64_t i = 0; i < got.size(); ++i) CHECK(std::abs(got.data<float>()[i] - expected.data<float>()[i]) <= 2e-5f * (1 + std::abs(expected.data<float>()[i])));
        }
}
