// ctest: per_isa
#include <support/convolutions.hpp>

#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/kernels/conv.hpp>
#include <ocelli/nn/ops/support.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

using namespace convolutions;

TEST_CASE("the convolution kernels agree with the reference in double over random layers and epilogues") {
    std::mt19937 random(11);
    const auto pick = ocelli_test::whole_numbers(random);
    for (unsigned i = 0; i < 160; ++i) {
        CAPTURE(i);
        layer l;
        const bool depthwise = i % 3 == 0, pointwise = i % 3 == 1 && i % 2 == 0, line = i % 7 == 0;
        l.group = depthwise ? pick(2, 35) : pick(1, 3);
        const std::int64_t in = depthwise ? 1 : pick(1, 23), out = depthwise ? 1 : pick(1, 67);
        const std::size_t spatial = line ? 1 : 2;
        l.x = {pick(1, 3), in * l.group};
        l.w = {out * l.group, in};
        for (std::size_t a = 0; a < spatial; ++a) {
            const std::int64_t kernel = pointwise ? 1 : pick(1, 4), stride = pointwise ? 1 : pick(1, 3), dilation = pick(1, 3);
            l.w.push_back(kernel);
            l.strides.push_back(stride);
            l.dilations.push_back(dilation);
            l.x.push_back((kernel - 1) * dilation + pick(1, 24));
        }
        for (std::size_t a = 0; a < 2 * spatial; ++a) l.pads.push_back(pointwise ? 0 : pick(0, 3));
        const auto function = static_cast<activation>(i % 9);
        const std::string kernel = depthwise ? "conv_depthwise" : pointwise ? "conv_pointwise" : "conv_gemm";
        CHECK(error_of(l, function, i % 2 == 0, i % 5 < 2, 1000 * i, kernel) < 5e-7);
    }
    // Deep enough for several blocks, and few pixels of many filters.
    CHECK(error_of({{1, 70, 9, 9}, {40, 70, 3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1}, activation::relu, true, true, 1, "conv_gemm") < 5e-7);
    CHECK(error_of({{1, 300, 5, 5}, {200, 300, 1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1}, activation::none, true, false, 2, "conv_pointwise") < 5e-7);
    CHECK(error_of({{1, 3, 61, 83}, {16, 3, 3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, 1}, activation::silu, true, false, 3, "conv_gemm") < 5e-7);
    // Padding wider than the image.
    CHECK(error_of({{1, 2, 2, 2}, {3, 2, 3, 3}, {1, 1}, {4, 4}, {6, 6, 6, 6}, 1}, activation::none, true, false, 4, "conv_gemm") < 5e-7);
    CHECK(error_of({{1, 2, 2, 2}, {2, 1, 3, 3}, {1, 1}, {4, 4}, {6, 6, 6, 6}, 2}, activation::none, true, false, 5, "conv_depthwise") < 5e-7);
}

TEST_CASE("the kernels write nothing beside the result and read nothing beside the input") {
    conv_layer l;
    l.channels = 5;
    l.filters = 7;
    l.height = l.width = 6;
    l.out_height = l.out_width = 6;
    l.kernel_height = l.kernel_width = 3;
    l.pad_top = l.pad_left = 1;
    const tensor x = random_tensor({1, 5, 6, 6}, 1), w = random_tensor({7, 5, 3, 3}, 2);
    std::vector<float> packed(static_cast<std::size_t>(conv_gemm_packed_size(l)));
    conv_gemm_pack(l, w.data<float>(), packed.data());
    // Exact-size buffers: the address sanitizer watches their ends.
    const std::vector<float> exact(x.data<float>(), x.data<float>() + x.size());
    std::vector<float> y(7 * 36 + 1, 55.0f);
    conv_gemm(l, exact.data(), packed.data(), {}, y.data());
    CHECK(y.back() == 55.0f);
    l.group = l.filters = 5;
    const std::vector<float> dw(45, 0.5f);
    std::vector<float> z(5 * 36 + 1, 55.0f);
    conv_depthwise(l, exact.data(), dw.data(), {}, z.data());
    CHECK(z.back() == 55.0f);
}

TEST_CASE("convolution gives the same bits for any number of threads") {
    graph g;
    g.opsets[""] = 13;
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape::of_rank(4), {}}), y = g.add_value("y");
    const value_id w = g.add_constant("w", random_tensor({40, 30, 3, 3}, 5));
    g.add_node({.op = "Conv", .attributes = {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}}, .inputs = {x, w}, .outputs = {y}});
    g.inputs = {x};
    g.outputs = {y};
    const session net(g);
    const tensor image = random_tensor({2, 30, 31, 29}, 6);
    const tensor one = net.run({{"x", image}}, {.threads = 1})["y"];
    set_num_threads(4);
    const tensor many = net.run({{"x", image}})["y"];
    set_num_threads(0);
    CHECK(std::memcmp(one.raw(), many.raw(), one.bytes()) == 0);
}

namespace {

// One node of ONNX's own, by session (which must put it on a kernel) and by reference in double.
struct single {
    std::string op;
    std::vector<attribute> attributes;
    std::vector<tensor> constants;

    graph make(dtype type) const {
        graph g;
        g.opsets[""] = 19;
        const value_id x = g.add_value("x", {type, symbolic_shape(), {}}), y = g.add_value("y");
        node n{.name = "layer", .op = op, .attributes = attributes, .inputs = {x}, .outputs = {y}};
        for (std::size_t i = 0; i < constants.size(); ++i) n.inputs.push_back(g.add_constant(ocelli::detail::concat("c", i), constants[i].cast(type)));
        g.add_node(n);
        g.inputs = {x};
        g.outputs = {y};
        return g;
    }
    /// The largest difference; NaN on one side alone counts as infinite.
    double error(const tensor& x) const {
        const session net(make(dtype::float32));
        REQUIRE(net.explain().find("reference") == std::string::npos);
        const tensor got = net.run({{"x", x}})["y"];
        const tensor expected = evaluate(make(dtype::float64), {{"x", x.cast(dtype::float64)}})["y"];
        REQUIRE(got.shape() == expected.shape());
        double worst = 0;
        for (std::int64_t i = 0; i < got.size(); ++i) {
            const float a = got.data<float>()[i];
            const double b = expected.data<double>()[i];
            if (is_nan_element(a) && is_nan_element(b)) continue;
            if (static_cast<double>(a) == b) continue;  // infinities too
            const double d = std::abs(static_cast<double>(a) - b);
            worst = is_nan_element(d) ? 1e30 : std::max(worst, d);
        }
        return worst;
    }
};

}  // namespace

TEST_CASE("the pooling kernels agree with the reference over random windows") {
    std::mt19937 random(17);
    const auto pick = ocelli_test::whole_numbers(random);
    for (unsigned i = 0; i < 240; ++i) {
        CAPTURE(i);
        const std::size_t axes = i % 7 == 0 ? 1 : 2;
        const bool average = i % 2 == 0;
        dims x = {pick(1, 2), pick(1, 5)}, kernel, strides, dilations, pads(2 * axes);
        for (std::size_t a = 0; a < axes; ++a) {
            kernel.push_back(pick(1, 4));
            strides.push_back(pick(1, 4));
            dilations.push_back(pick(1, 3));
            pads[a] = pick(0, kernel[a]);
            pads[a + axes] = pick(0, kernel[a]);
            // From less than a window inside to more than two vectors.
            x.push_back(std::max<std::int64_t>(1, (kernel[a] - 1) * dilations[a] + 1 - pads[a] - pads[a + axes]) + pick(0, i % 5 == 0 ? 2 : 40));
        }
        single s{.op = average ? "AveragePool" : "MaxPool",
                 .attributes = {{"kernel_shape", kernel}, {"strides", strides}, {"dilations", dilations}, {"pads", pads}, {"ceil_mode", pick(0, 1)}},
                 .constants = {}};
        if (average) s.attributes.push_back({"count_include_pad", pick(0, 1)});
        CHECK(s.error(random_tensor(x, i)) <= (average ? 1e-6 : 0.0));
    }
    single same{.op = "MaxPool", .attributes = {{"kernel_shape", dims{3, 2}}, {"strides", dims{2, 2}}, {"auto_pad", std::string("SAME_UPPER")}}, .constants = {}};
    CHECK(same.error(random_tensor({1, 3, 11, 14}, 1)) == 0.0);
    same.op = "AveragePool";
    CHECK(same.error(random_tensor({1, 3, 11, 14}, 2)) < 1e-6);
}

TEST_CASE("a NaN wins a maximum wherever it stands, infinities count, and windows of padding alone give what the reference gives") {
    const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
    for (unsigned i = 0; i < 40; ++i) {
        CAPTURE(i);
        tensor x = random_tensor({2, 2, 9, 23}, i);
        float* p = x.mutable_data<float>();
        for (std::int64_t k = 0; k < x.size(); k += 7 + i) p[k] = i % 3 == 0 ? nan : i % 3 == 1 ? -nan : k % 2 == 0 ? inf : -inf;
        p[0] = -0.0f;
        single s{.op = "MaxPool", .attributes = {{"kernel_shape", dims{3, 2}}, {"strides", dims{1 + i % 3, 2}}, {"pads", dims{1, 1, 1, 1}}}, .constants = {}};
        CHECK(s.error(x) == 0.0);
    }
    const single apart{.op = "MaxPool", .attributes = {{"kernel_shape", dims{2, 2}}, {"pads", dims{3, 3, 3, 3}}}, .constants = {}};
    CHECK(apart.error(random_tensor({1, 1, 2, 2}, 3)) == 0.0);
    const single mean{.op = "AveragePool", .attributes = {{"kernel_shape", dims{2, 2}}, {"pads", dims{3, 3, 3, 3}}}, .constants = {}};
    CHECK(mean.error(random_tensor({1, 1, 2, 2}, 3)) < 1e-6);
}

TEST_CASE("the transposed convolution agrees with the reference over random layers") {
    std::mt19937 random(19);
    const auto pick = ocelli_test::whole_numbers(random);
    for (unsigned i = 0; i < 120; ++i) {
        CAPTURE(i);
        const std::size_t axes = i % 6 == 0 ? 1 : 2;
        const std::int64_t group = i % 3 == 0 ? pick(2, 4) : 1, in = pick(1, 9), out = pick(1, 9);
        dims x = {pick(1, 2), in * group}, w = {in * group, out}, strides, dilations, pads(2 * axes), extra;
        for (std::size_t a = 0; a < axes; ++a) {
            w.push_back(pick(1, 4));
            strides.push_back(pick(1, 3));
            dilations.push_back(pick(1, 3));
            x.push_back(pick(1, i % 5 == 0 ? 40 : 12));
            extra.push_back(pick(0, strides[a] - 1));
            const std::int64_t full = strides[a] * (x.back() - 1) + extra[a] + (w.back() - 1) * dilations[a] + 1;
            pads[a] = pick(0, std::min<std::int64_t>(3, (full - 1) / 2));
            pads[a + axes] = pick(0, std::min<std::int64_t>(3, (full - 1) / 2));
        }
        single s{.op = "ConvTranspose",
                 .attributes = {{"strides", strides}, {"dilations", dilations}, {"pads", pads}, {"output_padding", extra}, {"group", group}},
                 .constants = {random_tensor(w, 3 * i + 1)}};
        if (i % 2 == 0) s.constants.push_back(random_tensor({out * group}, 3 * i + 2));
        CHECK(s.error(random_tensor(x, 3 * i)) < 1e-6 * static_cast<double>(4 + w[0] * element_count({w.begin() + 2, w.end()})));
    }
    // Several strips of rows.
    const single wide{.op = "ConvTranspose", .attributes = {{"strides", dims{2, 2}}, {"pads", dims{1, 1, 1, 1}}}, .constants = {random_tensor({8, 16, 4, 4}, 1)}};
    CHECK(wide.error(random_tensor({1, 8, 37, 41}, 2)) < 1e-4);
    const single shaped{.op = "ConvTranspose", .attributes = {{"strides", dims{3, 2}}, {"output_shape", dims{10, 8}}}, .constants = {random_tensor({1, 2, 3, 3}, 1)}};
    CHECK(shaped.error(random_tensor({1, 1, 3, 3}, 2)) < 1e-5);
}

TEST_CASE("windows whose padding or gaps dwarf the image run on the reference instead of taking memory for them") {
    conv_layer l;
    l.channels = l.filters = l.group = 1;
    l.height = l.width = l.out_height = l.out_width = 4;
    CHECK(window_fits(l));
    l.stride_x = l.stride_y = std::int64_t{1} << 38;
    CHECK_FALSE(window_fits(l));
    // Four windows, a long way apart.
    const std::int64_t far = std::int64_t{1} << 30;
    for (const std::string op : {"MaxPool", "AveragePool"}) {
        const single s{.op = op, .attributes = {{"kernel_shape", dims{2, 2}}, {"strides", dims{far, far}}, {"pads", dims{0, 0, far, far}}}, .constants = {}};
        CHECK(s.error(random_tensor({1, 1, 4, 4}, 7)) < 1e-6);
    }
    CHECK(error_of({{1, 2, 4, 4}, {2, 1, 2, 2}, {far, far}, {1, 1}, {0, 0, far, far}, 2}, activation::relu, true, false, 5, "conv_depthwise") < 5e-7);
}

TEST_CASE("pooling and transposed convolution give the same bits for any number of threads") {
    const tensor x = random_tensor({2, 30, 61, 47}, 6);
    for (const single& s : {single{.op = "MaxPool", .attributes = {{"kernel_shape", dims{3, 3}}}, .constants = {}},
                            single{.op = "AveragePool", .attributes = {{"kernel_shape", dims{3, 3}}, {"pads", dims{1, 1, 1, 1}}}, .constants = {}},
                            single{.op = "ConvTranspose", .attributes = {{"strides", dims{2, 2}}}, .constants = {random_tensor({30, 7, 2, 3}, 3)}}}) {
        const session net(s.make(dtype::float32));
        const tensor one = net.run({{"x", x}}, {.threads = 1})["y"];
        set_num_threads(4);
        const tensor many = net.run({{"x", x}})["y"];
        set_num_threads(0);
        CHECK(std::memcmp(one.raw(), many.raw(), one.bytes()) == 0);
    }
}
